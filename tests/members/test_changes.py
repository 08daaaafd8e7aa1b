"""May this unshipped order still be changed, and do its goods, money and points stay in step?"""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from sqlmodel import col, select, update

from members import changes, coupons, orders, timeline
from members.access import Actor, Role
from members.changes import Swap
from members.errors import NotFound, RuleBroken
from members.tables import Member, Order, OrderLine, Payment, PaymentMethod, Variant

ORDERED, TODAY = date(2025, 6, 1), date(2025, 6, 2)
HOME = {"line1": "1 Pine Row", "city": "Leeds", "postcode": "LS1"}


@pytest.fixture
def shop(world: Any) -> Any:
    return _fill(world)


def _fill(world: Any) -> Any:
    """M1 pays by Visa for O1 (three white boards at 10.00), has a PayPal account and a gift card of 5.00; boards also come dearer and cheaper."""
    world.member("M1")
    world.member("M2")
    world.product("board", stock=5)
    world.product("tin")
    for variant_id, cents, stock in (("oak", 1500, 4), ("pine", 700, 4), ("gone", 1000, 0)):
        world.add(Variant(id=variant_id, product_id="board", price_cents=cents, stock=stock))
    for method_id, kind, balance in (("visa", "credit_card", None), ("paypal", "paypal", None), ("gift", "gift_card", 500)):
        world.add(PaymentMethod(id=method_id, member_id="M1", kind=kind, label=method_id.title(), balance_cents=balance))
    world.add(PaymentMethod(id="theirs", member_id="M2", kind="paypal", label="Theirs"))
    order(world, "O1")
    return world


def order(world: Any, order_id: str, *goods: tuple[str, int, int], method: str = "visa", **fields: Any) -> None:
    world.order(order_id, "M1", ORDERED, *(goods or (("board", 3, 1000),)), paid="", **fields)
    with world.database.effect() as session:
        placed = session.get_one(Order, order_id)
        placed.total_cents += placed.shipping_cents - placed.discount_cents
        label = session.get_one(PaymentMethod, method).label
        session.add(Payment(order_id=order_id, kind="payment", amount_cents=placed.total_cents, method_id=method, method_label=label, key="pay"))


def act(world: Any, function: Any, *args: Any, **named: Any) -> Any:
    with world.database.effect() as session:
        return function(session, "M1", *args, **named)


def change(world: Any, *swaps: Swap, method: str | None = None, order_id: str = "O1", key: str = "yes") -> changes.Changed:
    found: changes.Changed = act(world, changes.change_items, order_id, swaps, method, on=TODAY, key=key, rules=world.rules)
    return found


def plan(world: Any, *swaps: Swap, method: str | None = None) -> changes.Changed:
    with world.database.read() as session:
        return changes.plan_items(session, "M1", "O1", swaps, method, rules=world.rules)


def repay(world: Any, method: str, key: str = "yes") -> changes.Repayment:
    done: changes.Repayment = act(world, changes.change_payment, "O1", method, on=TODAY, key=key, rules=world.rules)
    return done


def lines(world: Any, order_id: str = "O1") -> list[tuple[str, int, int]]:
    with world.database.read() as session:
        return sorted((line.variant_id, line.quantity, line.unit_price_cents) for line in orders.lines(session, order_id))


def stock(world: Any) -> dict[str, int]:
    with world.database.read() as session:
        return {v.id: v.stock for v in session.exec(select(Variant)) if v.stock is not None}


def sums(world: Any, order_id: str = "O1") -> tuple[int, int]:
    """The total and the money held, after seeing that the total is what the lines say."""
    with world.database.read() as session:
        placed = session.get_one(Order, order_id)
        value = sum(line.quantity * line.unit_price_cents for line in orders.lines(session, order_id))
        paid = session.exec(select(Payment).where(Payment.order_id == order_id)).all()
    assert placed.total_cents == value - placed.discount_cents + placed.shipping_cents
    return placed.total_cents, sum(p.amount_cents if p.kind == "payment" else -p.amount_cents for p in paid)


def moved(world: Any) -> list[tuple[str, str, int]]:
    with world.database.read() as session:
        rows = session.exec(select(Payment).where(Payment.key != "pay").order_by(col(Payment.id)))
        return [(p.kind, p.method_label, p.amount_cents) for p in rows]


def gift_card(world: Any) -> int:
    with world.database.read() as session:
        return session.get_one(PaymentMethod, "gift").balance_cents or 0


# --- address ----------------------------------------------------------------------------


def test_a_new_address_replaces_the_whole_old_one_and_is_noted_with_its_hand(shop: Any) -> None:
    order(shop, "O2", ship_to={"line1": "9 Old Lane", "line2": "Flat 2", "city": "York"})
    act(shop, changes.change_address, "O2", HOME, on=TODAY, actor=Actor(Role.SUPPORT, "A7", "moved house"))
    with shop.database.read() as session:
        assert session.get_one(Order, "O2").ship_to == {"line1": "1 Pine Row", "line2": "", "city": "Leeds", "region": "", "postcode": "LS1", "country": ""}
        (noted,) = timeline.of(session, "O2")
    assert (noted.kind, noted.by_role, noted.by_account, noted.why, noted.happened_on) == ("address_changed", "support", "A7", "moved house", TODAY)
    assert (noted.details["before"], noted.details["after"]) == ("9 Old Lane", "1 Pine Row")


@pytest.mark.parametrize("status", ["processed", "shipped", "delivered", "returned", "cancelled", "return_requested", "exchange_requested"])
def test_nothing_is_changed_about_an_order_that_has_left(shop: Any, status: str) -> None:
    order(shop, "O2", status=status)
    swap = [Swap("board", "oak")]
    for function, rest in (
        (changes.change_address, {"place": HOME, "on": TODAY}),
        (changes.change_payment, {"method_id": "paypal", "on": TODAY, "key": "k", "rules": shop.rules}),
        (changes.change_items, {"swaps": swap, "method_id": None, "on": TODAY, "key": "k", "rules": shop.rules}),
    ):
        with pytest.raises(RuleBroken) as refused:
            act(shop, function, "O2", **rest)
        assert refused.value.details["state"] == status
    assert moved(shop) == [] and stock(shop)["oak"] == 4


def test_a_foreign_order_reads_like_a_missing_one(shop: Any) -> None:
    shop.order("X1", "M2", ORDERED, ("board", 1, 1000))
    said = []
    for order_id in ("X1", "X9"):
        with pytest.raises(NotFound) as refused:
            act(shop, changes.change_address, order_id, HOME, on=TODAY)
        said.append((refused.value.fact.replace(order_id, "…"), refused.value.details))
    assert said[0] == said[1]


# --- payment ----------------------------------------------------------------------------


def test_the_new_method_pays_and_the_old_one_has_its_money_back(shop: Any) -> None:
    done = repay(shop, "paypal")
    assert moved(shop) == [("payment", "Paypal", 3000), ("refund", "Visa", 3000)]
    assert (done.cents, done.old_label, done.days, sums(shop)) == (3000, "Visa", (5, 7), (3000, 3000))


def test_a_gift_card_pays_at_once_and_has_it_back_at_once(shop: Any) -> None:
    shop.add(PaymentMethod(id="big", member_id="M1", kind="gift_card", label="Big", balance_cents=3000))
    repay(shop, "big")
    back = repay(shop, "visa", key="again")
    assert back.days == (0, 0)
    with shop.database.read() as session:
        assert session.get_one(PaymentMethod, "big").balance_cents == 3000


@pytest.mark.parametrize(("method", "rule"), [("gift", "gift_card_short"), ("visa", "same_method"), ("theirs", "no_such_method"), ("none", "no_such_method")])
def test_a_method_that_does_not_cover_is_the_same_or_anothers_is_refused(shop: Any, method: str, rule: str) -> None:
    with pytest.raises((RuleBroken, NotFound)) as refused:
        repay(shop, method)
    assert refused.value.details["rule"] == rule
    assert moved(shop) == [] and gift_card(shop) == 500


def test_an_order_paid_by_two_methods_is_left_to_a_colleague(shop: Any) -> None:
    shop.add(Payment(order_id="O1", kind="payment", amount_cents=100, method_id="gift", method_label="Gift", key="two"))
    with pytest.raises(RuleBroken, match="one method alone"):
        repay(shop, "paypal")


def test_an_order_paid_by_two_methods_known_by_label_only_is_left_to_a_colleague_too(shop: Any) -> None:
    shop.order("O2", "M1", ORDERED, ("board", 1, 1000), paid="Visa ··1")
    shop.add(Payment(order_id="O2", kind="payment", amount_cents=100, method_label="Gift card 9", key="two"))
    with shop.database.read() as session, pytest.raises(RuleBroken, match="one method alone"):
        changes.plan_payment(session, "M1", "O2", "paypal", rules=shop.rules)


def test_after_a_change_of_payment_money_comes_back_to_the_method_that_pays_now(shop: Any) -> None:
    repay(shop, "paypal")
    change(shop, Swap("board", "pine"), key="items")
    assert moved(shop)[2:] == [("refund", "Paypal", 900)]


# --- articles ---------------------------------------------------------------------------


def test_another_variant_takes_the_place_of_the_first_with_its_price_and_stock(shop: Any) -> None:
    shown = plan(shop, Swap("board", "oak", 2))
    done = change(shop, Swap("board", "oak", 2))
    assert (shown.difference_cents, shown.method_label) == (done.difference_cents, done.method_label) == (1000, "Visa")
    assert lines(shop) == [("board", 1, 1000), ("oak", 2, 1500)]
    assert (stock(shop)["board"], stock(shop)["oak"]) == (7, 2)
    assert sums(shop) == (4000, 4000)


def test_a_cheaper_variant_brings_the_difference_back(shop: Any) -> None:
    done = change(shop, Swap("board", "pine"))
    assert (done.difference_cents, moved(shop), sums(shop)) == (-900, [("refund", "Visa", 900)], (2100, 2100))


def test_pieces_of_one_line_may_become_several_variants(shop: Any) -> None:
    change(shop, Swap("board", "oak", 1), Swap("board", "pine", 1))
    assert lines(shop) == [("board", 1, 1000), ("oak", 1, 1500), ("pine", 1, 700)]
    assert (stock(shop)["board"], stock(shop)["oak"], stock(shop)["pine"]) == (7, 3, 3)
    assert sums(shop) == (3200, 3200)


def test_all_pieces_of_one_line_may_become_several_variants(shop: Any) -> None:
    change(shop, Swap("board", "oak", 1), Swap("board", "pine", 2))
    assert lines(shop) == [("oak", 1, 1500), ("pine", 2, 700)]
    assert sums(shop) == (2900, 2900)


def test_the_timeline_says_what_became_what(shop: Any) -> None:
    change(shop, Swap("board", "oak", 2))
    with shop.database.read() as session:
        (noted,) = timeline.of(session, "O1")
    assert (noted.kind, noted.details["articles"]) == ("items_changed", [["board", 2, "oak"]])


def test_articles_are_changed_once_and_then_the_order_is_final(shop: Any) -> None:
    change(shop, Swap("board", "oak"))
    with pytest.raises(RuleBroken) as refused:
        change(shop, Swap("oak", "pine"), key="again")
    assert refused.value.details["rule"] == "changed_before"
    with shop.database.effect() as session, pytest.raises(RuleBroken):
        orders.cancel(session, "M1", "O1", "changed_mind", on=TODAY, key="no", rules=shop.rules)


@pytest.mark.parametrize(
    ("swap", "rule"),
    [
        (Swap("board", "board"), "same_variant"),
        (Swap("board", "tin"), "other_product"),
        (Swap("board", "nothing"), "other_product"),
        (Swap("board", "gone"), "sold_out"),
        (Swap("board", "oak", 4), "not_in_order"),
        (Swap("tin", "oak"), "not_in_order"),
    ],
)
def test_what_cannot_come_instead_is_refused_and_nothing_moves(shop: Any, swap: Swap, rule: str) -> None:
    before = (lines(shop), stock(shop), sums(shop))
    with pytest.raises((RuleBroken, NotFound)) as refused:
        change(shop, swap)
    assert refused.value.details["rule"] == rule
    assert (lines(shop), stock(shop), sums(shop)) == before


def test_more_than_is_on_the_shelf_is_refused_and_nothing_moves(shop: Any) -> None:
    order(shop, "O2", ("board", 5, 1000))
    with pytest.raises(RuleBroken, match="sold out"):
        change(shop, Swap("board", "oak"), order_id="O2")
    assert (stock(shop)["oak"], moved(shop), sums(shop, "O2")) == (4, [], (5000, 5000))


def test_a_gift_card_that_does_not_hold_the_difference_is_refused(shop: Any) -> None:
    with pytest.raises(RuleBroken) as refused:
        change(shop, Swap("board", "oak", 2), method="gift")
    assert (refused.value.details["held_cents"], refused.value.details["needed_cents"]) == (500, 1000)
    change(shop, Swap("board", "oak", 1), method="gift")
    assert gift_card(shop) == 0


def test_what_costs_more_is_not_given_away_when_nothing_on_the_account_can_pay_it(shop: Any) -> None:
    shop.order("O2", "M1", ORDERED, ("board", 1, 1000), paid="Old card")
    with pytest.raises(RuleBroken) as refused:
        change(shop, Swap("board", "oak"), order_id="O2")
    assert refused.value.details["rule"] == "no_such_method"
    change(shop, Swap("board", "oak"), order_id="O2", method="visa")
    assert sums(shop, "O2") == (1500, 1500)


def test_a_discount_in_percent_follows_the_price(shop: Any) -> None:
    order(shop, "O2", discount_cents=300)
    assert change(shop, Swap("board", "oak"), order_id="O2").difference_cents == 1350
    assert sums(shop, "O2") == (4050, 4050)


def test_points_used_on_an_order_keep_their_worth_when_its_articles_cost_more(shop: Any) -> None:
    shop.earn("M1", 1500, ORDERED)
    act(shop, coupons.use_points, "O1", 1500, on=TODAY, key="use", rules=shop.rules)
    assert sums(shop) == (1500, 1500)
    done = change(shop, Swap("board", "oak"))
    assert (done.difference_cents, sums(shop)) == (1500, (3000, 3000))


def test_a_change_never_brings_back_more_than_was_paid(shop: Any) -> None:
    shop.earn("M1", 1500, ORDERED)
    act(shop, coupons.use_points, "O1", 1500, on=TODAY, key="use", rules=shop.rules)
    with shop.database.effect() as session:
        session.exec(update(Variant).where(col(Variant.id) == "pine").values(price_cents=100))
    assert change(shop, Swap("board", "pine")).difference_cents == -1500
    assert sums(shop) == (0, 0)


def test_points_of_the_order_follow_what_it_now_costs(shop: Any) -> None:
    shop.earn("M1", 30, ORDERED, order_id="O1")
    change(shop, Swap("board", "oak"))
    assert shop.guard("M1") == 45


def test_a_plan_writes_nothing_at_all(shop: Any) -> None:
    before = [shop.rows(table) for table in (Order, OrderLine, Payment, Variant, Member, PaymentMethod)]
    plan(shop, Swap("board", "oak"))
    assert [shop.rows(table) for table in (Order, OrderLine, Payment, Variant, Member, PaymentMethod)] == before


def test_of_eight_changes_at_once_one_succeeds(either: Any, world_of: Any) -> None:
    world = _fill(world_of(either))

    def attempt(number: int) -> bool:
        try:
            if number % 2:
                return bool(change(world, Swap("board", "oak"), key=f"k{number}"))
            return bool(repay(world, "paypal", key=f"k{number}"))
        except RuleBroken:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert 1 <= sum(pool.map(attempt, range(8))) <= 2
    total, held = sums(world)
    assert total == held == 4500 and stock(world)["oak"] == 1
