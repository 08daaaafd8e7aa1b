"""What may come back, and when the parcel is in, is everything it touched put right?"""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import col, select

from members import ledger, orders, payments, people, privacy, returns, timeline
from members.access import Actor, Role
from members.changes import Pick, Swap
from members.errors import NotFound, RuleBroken
from members.tables import Member, Order, OrderLine, Payment, PaymentMethod, Product, ReturnLine, ReturnRequest, Variant

BEFORE, ORDERED, THERE, TODAY = date(2025, 1, 10), date(2025, 6, 1), date(2025, 6, 5), date(2025, 6, 10)
STAFF = Actor(Role.SUPPORT, "A7", "parcel came in")


@pytest.fixture
def shop(world: Any) -> Any:
    return _fill(world)


def _fill(world: Any, **order: Any) -> Any:
    """M1 (bronze) has O1: three boards at 10.00, delivered on 5 June and paid by Visa; a gift card of 5.00 is on the account."""
    world.member("M1")
    world.product("board", stock=5)
    world.product("tea", "tea", cents=2000, stock=5)
    for variant_id, cents, stock in (("oak", 1500, 4), ("pine", 700, 4)):
        world.add(Variant(id=variant_id, product_id="board", price_cents=cents, stock=stock))
    for method_id, kind, balance in (("visa", "credit_card", None), ("paypal", "paypal", None), ("gift", "gift_card", 500)):
        world.add(PaymentMethod(id=method_id, member_id="M1", kind=kind, label=method_id.title(), balance_cents=balance))
    add_order(world, "O1", **order)
    return world


def add_order(world: Any, order_id: str, *goods: tuple[str, int, int], paid: tuple[tuple[str, int], ...] = (), **fields: Any) -> None:
    fields = {"status": "delivered", "delivered_on": THERE, **fields}
    world.order(order_id, "M1", ORDERED, *(goods or (("board", 3, 1000),)), paid="", **fields)
    with world.database.effect() as session:
        placed = session.get_one(Order, order_id)
        placed.total_cents += placed.shipping_cents - placed.discount_cents
        for method_id, cents in paid or (("visa", placed.total_cents),):
            label = session.get_one(PaymentMethod, method_id).label
            session.add(Payment(order_id=order_id, kind="payment", amount_cents=cents, method_id=method_id, method_label=label, key=f"pay {method_id}"))


def plan(world: Any, *picks: Pick, order_id: str = "O1", to: str | None = None, reason: str = "not_wanted", on: date = TODAY) -> returns.ReturnPlan:
    with world.database.read() as session:
        return returns.plan_return(session, "M1", order_id, picks, to, reason, on=on, rules=world.rules)


def send(
    world: Any, *picks: Pick, order_id: str = "O1", to: str | None = None, reason: str = "not_wanted", key: str = "r", on: date = TODAY
) -> returns.ReturnPlan:
    with world.database.effect() as session:
        return returns.request_return(session, "M1", order_id, picks, to, reason, on=on, key=key, rules=world.rules)


def swap(world: Any, *swaps: Swap, order_id: str = "O1", to: str | None = None, key: str = "x", on: date = TODAY) -> Any:
    with world.database.effect() as session:
        return returns.request_exchange(session, "M1", order_id, swaps, to, on=on, key=key, rules=world.rules)


def receive(world: Any, order_id: str = "O1", *, key: str = "in", on: date = TODAY) -> returns.Received:
    with world.database.effect() as session:
        return returns.receive(session, "M1", order_id, on=on, key=key, rules=world.rules, actor=STAFF)


def back(world: Any, *picks: Pick, key: str = "r", **named: Any) -> returns.Received:
    send(world, *picks, key=key, **named)
    return receive(world, named.get("order_id", "O1"), key=f"{key} in")


def refunds(world: Any) -> list[tuple[str, int]]:
    with world.database.read() as session:
        return [(p.method_label, p.amount_cents) for p in session.exec(select(Payment).where(Payment.kind == "refund").order_by(col(Payment.id)))]


def status(world: Any, order_id: str = "O1") -> str:
    with world.database.read() as session:
        return str(session.get_one(Order, order_id).status)


def stock(world: Any, variant_id: str) -> int:
    with world.database.read() as session:
        return session.get_one(Variant, variant_id).stock or 0


# --- whether ----------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "in_time"), [(0, True), (30, True), (31, False)])
def test_thirty_days_count_from_delivery(shop: Any, days: int, in_time: bool) -> None:
    on = THERE + timedelta(days)
    if in_time:
        assert plan(shop, Pick("board"), on=on).goods_cents == 3000
        return
    with pytest.raises(RuleBroken) as refused:
        plan(shop, Pick("board"), on=on)
    assert (refused.value.details["rule"], refused.value.instead, refused.value.passage) == ("return_window", "warranty_if_faulty", "returns.time-limits")


@pytest.mark.parametrize("state", ["pending", "processed", "shipped", "cancelled", "returned", "return_requested", "exchange_requested"])
def test_only_what_was_delivered_comes_back(shop: Any, state: str) -> None:
    add_order(shop, "O2", status=state)
    for act in (lambda: send(shop, Pick("board"), order_id="O2"), lambda: swap(shop, Swap("board", "oak"), order_id="O2")):
        with pytest.raises(RuleBroken) as refused:
            act()
        assert refused.value.details["state"] == state
    assert shop.count(ReturnRequest) == 0 and stock(shop, "oak") == 4


def test_gift_cards_never_come_back(shop: Any) -> None:
    shop.add(Product(id="voucher", category="gift_cards"), Variant(id="fifty", product_id="voucher", price_cents=5000))
    shop.add(Variant(id="ten", product_id="voucher", price_cents=1000))
    add_order(shop, "O2", ("voucher", 1, 5000))
    with shop.database.effect() as session:
        session.exec(select(OrderLine).where(OrderLine.order_id == "O2")).one().variant_id = "fifty"
    for act in (
        lambda: plan(shop, Pick("fifty"), order_id="O2"),
        lambda: send(shop, Pick("fifty"), order_id="O2"),
        lambda: swap(shop, Swap("fifty", "ten"), order_id="O2"),
    ):
        with pytest.raises(RuleBroken) as refused:
            act()
        assert refused.value.passage == "returns.what-can-be-returned"
    assert status(shop, "O2") == "delivered"


@pytest.mark.parametrize("pick", [Pick("oak"), Pick("board", 4), Pick("nothing")])
def test_what_the_order_does_not_hold_cannot_come_back(shop: Any, pick: Pick) -> None:
    for picks in ((pick,), (Pick("board", 3), Pick("board", 1))):
        with pytest.raises(NotFound):
            send(shop, *picks)
    assert status(shop) == "delivered"


def test_which_articles_must_be_said(shop: Any) -> None:
    with pytest.raises(RuleBroken, match="not said"):
        send(shop)


# --- what it costs and brings -----------------------------------------------------------


@pytest.mark.parametrize(
    ("tier", "reason", "label"),
    [("bronze", "not_wanted", 350), ("bronze", "faulty", 0), ("bronze", "wrong_item", 0), ("silver", "not_wanted", 0), ("bronze", "wrong_size", 350)],
)
def test_the_label_is_free_from_silver_upwards_and_where_the_shop_erred(shop: Any, tier: str, reason: str, label: int) -> None:
    with shop.database.effect() as session:
        session.get_one(Member, "M1").tier = tier
    shown = plan(shop, Pick("board", 1), reason=reason)
    assert (shown.label_cents, shown.refund_cents) == (label, 1000 - label)


def test_the_label_never_costs_more_than_the_goods(shop: Any) -> None:
    add_order(shop, "O2", ("board", 1, 200))
    assert (plan(shop, Pick("board"), order_id="O2").refund_cents, back(shop, Pick("board"), order_id="O2").refund_cents) == (0, 0)


def test_nothing_moves_before_the_parcel_is_in(shop: Any) -> None:
    shop.earn("M1", 30, ORDERED, order_id="O1")
    shown = send(shop, Pick("board", 1))
    assert (refunds(shop), stock(shop, "board"), shop.guard("M1"), status(shop)) == ([], 5, 30, "return_requested")
    assert (shown.refund_cents, shown.days, shown.points_back) == (650, (5, 7), 10)


def test_a_received_return_puts_goods_money_points_and_timeline_right(shop: Any) -> None:
    shop.earn("M1", 30, ORDERED, order_id="O1")
    done = back(shop, Pick("board", 1))
    assert (done.refund_cents, done.points_taken, done.balance, done.method_label) == (650, 10, 20, "Visa")
    assert (refunds(shop), stock(shop, "board"), shop.guard("M1"), status(shop)) == ([("Visa", 650)], 6, 20, "delivered")
    with shop.database.read() as session:
        told = [(e.kind, e.by_role, e.why) for e in timeline.of(session, "O1")]
        assert told == [("return_requested", "member", ""), ("return_received", "support", "parcel came in")]
        assert [(r.quantity, r.refund_cents) for r in session.exec(select(ReturnLine))] == [(1, 1000)]


def test_an_order_is_returned_when_all_of_it_is(shop: Any) -> None:
    back(shop, Pick("board", 2), key="a")
    assert status(shop) == "delivered"
    back(shop, Pick("board"), key="b")
    assert status(shop) == "returned" and stock(shop, "board") == 8


def test_what_came_back_cannot_come_back_again(shop: Any) -> None:
    back(shop, Pick("board", 2), key="a")
    with pytest.raises(NotFound):
        send(shop, Pick("board", 2), key="b")


def test_piece_by_piece_brings_exactly_what_was_paid(shop: Any) -> None:
    add_order(shop, "O2", discount_cents=100, shipping_cents=395)
    refunded = [back(shop, Pick("board", 1), key=f"k{n}", order_id="O2", reason="faulty").refund_cents for n in range(3)]
    assert sum(refunded) == 2900 and max(refunded) - min(refunded) <= 1


def test_the_same_article_named_twice_counts_twice(shop: Any) -> None:
    shop.earn("M1", 300, BEFORE)
    shop.redeem("M1", 300, ORDERED, order_id="O1")
    shown = plan(shop, Pick("board", 1), Pick("board", 2), reason="faulty")
    assert (shown.goods_cents, shown.points_returned, len(shown.parts)) == (3000, 300, 1)


def test_points_used_come_back_in_equal_shares_for_equal_pieces(shop: Any) -> None:
    shop.earn("M1", 300, BEFORE)
    shop.redeem("M1", 300, ORDERED, order_id="O1")
    given = [back(shop, Pick("board", 1), key=f"k{n}").points_given for n in range(3)]
    assert given == [100, 100, 100]
    assert shop.lots("M1", TODAY) == [(100, date(2026, 1, 31))] * 3


def test_points_spent_elsewhere_are_taken_off_the_refund(shop: Any) -> None:
    shop.earn("M1", 300, ORDERED, order_id="O1")
    shop.redeem("M1", 200, ORDERED)
    shown = plan(shop, Pick("board"), reason="faulty")
    done = back(shop, Pick("board"), reason="faulty")
    assert (shown.points_short, shown.refund_cents, done.refund_cents, shop.guard("M1")) == (200, 2800, 2800, 0)


def test_points_that_lapsed_when_they_came_back_do_not_pay_for_those_spent(shop: Any) -> None:
    shop.earn("M1", 100, date(2024, 5, 10))
    shop.redeem("M1", 100, date(2025, 5, 31), order_id="O1")
    shop.earn("M1", 100, ORDERED, order_id="O1")
    shop.redeem("M1", 100, ORDERED)
    shown = plan(shop, Pick("board"), reason="faulty")
    done = back(shop, Pick("board"), reason="faulty")
    assert (shown.points_short, shown.refund_cents, done.refund_cents, shop.guard("M1")) == (100, 2900, 2900, 0)


def test_the_refund_lowers_the_spend_the_tier_is_worked_out_from(shop: Any) -> None:
    add_order(shop, "O2", ("board", 60, 1000))
    with shop.database.effect() as session:
        orders.refresh_tier(session, "M1", on=TODAY, rules=shop.rules)
    assert shop.of("M1").tier == "silver"
    assert back(shop, Pick("board", 50), order_id="O2").tier == "bronze"


# --- where the money goes ---------------------------------------------------------------


def test_a_refund_goes_to_what_paid_or_to_a_gift_card_and_nowhere_else(shop: Any) -> None:
    with pytest.raises(RuleBroken) as refused:
        plan(shop, Pick("board"), to="paypal")
    assert refused.value.details["rule"] == "refund_method"
    shown = plan(shop, Pick("board", 1), to="gift", reason="faulty")
    assert (shown.method_label, shown.days) == ("Gift", (0, 0))
    back(shop, Pick("board", 1), to="gift", reason="faulty")
    with shop.database.read() as session:
        assert payments.method(session, "M1", "gift").balance_cents == 1500


def test_what_was_paid_two_ways_goes_back_both_ways(shop: Any) -> None:
    add_order(shop, "O2", paid=(("gift", 1200), ("visa", 1800)))
    shown = plan(shop, Pick("board"), order_id="O2", reason="faulty")
    assert (shown.method_label, shown.days) == ("Gift, Visa", (5, 7))
    back(shop, Pick("board"), order_id="O2", reason="faulty")
    assert sorted(refunds(shop)) == [("Gift", 1200), ("Visa", 1800)]


def test_after_a_change_of_payment_the_refund_goes_to_the_method_used(shop: Any) -> None:
    for kind, method, label, key in (("payment", "paypal", "Paypal", "n"), ("refund", "visa", "Visa", "o")):
        shop.add(Payment(order_id="O1", kind=kind, amount_cents=3000, method_id=method, method_label=label, key=key))
    assert plan(shop, Pick("board")).method_label == "Paypal"


# --- exchanging -------------------------------------------------------------------------


def test_an_exchange_sets_the_new_pieces_aside_and_settles_when_the_parcel_is_in(shop: Any) -> None:
    shop.earn("M1", 30, ORDERED, order_id="O1")
    shown = swap(shop, Swap("board", "oak", 2))
    assert (shown.difference_cents, stock(shop, "oak"), stock(shop, "board"), refunds(shop), status(shop)) == (1000, 2, 5, [], "exchange_requested")
    done = receive(shop)
    assert (done.charged_cents, done.points_given, shop.guard("M1"), stock(shop, "board"), status(shop)) == (1000, 10, 40, 7, "delivered")
    with shop.database.read() as session:
        assert session.get_one(Order, "O1").total_cents == 4000 == sum(payments.net(payments.of(session, "O1")).values())


def test_the_same_variant_may_come_again_for_a_faulty_piece(shop: Any) -> None:
    assert swap(shop, Swap("board", "board", 1)).difference_cents == 0
    assert stock(shop, "board") == 4
    receive(shop)
    assert (stock(shop, "board"), sum(cents for _, cents in refunds(shop))) == (5, 0)


def test_the_agreed_price_holds_whatever_the_variant_costs_by_now(shop: Any) -> None:
    swap(shop, Swap("board", "pine"))
    with shop.database.effect() as session:
        session.get_one(Variant, "pine").price_cents = 900
    assert receive(shop).refund_cents == 900
    with shop.database.read() as session:
        order = session.get_one(Order, "O1")
        assert order.total_cents == 2100 == 3 * 900 - order.discount_cents


def test_points_of_a_cheaper_exchange_that_were_spent_are_taken_off_what_comes_back(shop: Any) -> None:
    shop.earn("M1", 300, ORDERED, order_id="O1")
    shop.redeem("M1", 300, ORDERED)
    swap(shop, Swap("board", "pine"))
    assert receive(shop).refund_cents == 900 - (300 - 21)
    assert shop.guard("M1") == 0


def test_after_a_partial_return_the_rest_may_be_exchanged_and_returned_for_exactly_what_was_paid(shop: Any) -> None:
    add_order(shop, "O2", discount_cents=100)
    refunded = [back(shop, Pick("board", 1), key="a", order_id="O2", reason="faulty").refund_cents]
    swap(shop, Swap("board", "oak", 1), order_id="O2", key="b")
    charged = receive(shop, "O2", key="b in").charged_cents
    with shop.database.read() as session:
        lines = {(line.variant_id, line.quantity, line.returned): line.id for line in orders.lines(session, "O2")}
        assert set(lines) == {("oak", 1, 0), ("board", 2, 1)}
        assert session.exec(select(ReturnLine)).one().line_id == lines["board", 2, 1]
    refunded.append(back(shop, Pick("oak"), Pick("board"), key="c", order_id="O2", reason="faulty").refund_cents)
    assert sum(refunded) == 2900 + charged
    assert status(shop, "O2") == "returned"


# --- once -------------------------------------------------------------------------------


def test_while_one_is_on_its_way_another_waits(shop: Any) -> None:
    send(shop, Pick("board", 1))
    for act in (lambda: send(shop, Pick("board", 1), key="b"), lambda: swap(shop, Swap("board", "oak", 1))):
        with pytest.raises(RuleBroken) as refused:
            act()
        assert refused.value.details["rule"] == "on_its_way_back"


def test_a_parcel_is_booked_once_and_only_when_one_is_expected(shop: Any) -> None:
    with pytest.raises(NotFound):
        receive(shop)
    send(shop, Pick("board"))
    receive(shop)
    with pytest.raises(NotFound):
        receive(shop, key="again")
    assert len(refunds(shop)) == 1


def test_a_plan_writes_nothing(shop: Any) -> None:
    shop.earn("M1", 30, ORDERED, order_id="O1")
    tables = (Order, OrderLine, Payment, Variant, Member, ReturnRequest, ReturnLine)
    before = [shop.rows(table) for table in tables]
    written: list[Any] = []
    with shop.database.read() as session:
        event.listen(session, "before_flush", lambda s, *_: written.extend(row for row in s.dirty if s.is_modified(row)))
        returns.plan_return(session, "M1", "O1", [Pick("board")], None, "faulty", on=TODAY, rules=shop.rules)
        session.flush()
    assert written == [] and [shop.rows(table) for table in tables] == before


def test_of_eight_requests_and_eight_receptions_at_once_one_counts(either: Any, world_of: Any) -> None:
    world = _fill(world_of(either))

    def attempt(number: int) -> bool:
        try:
            return bool(send(world, Pick("board"), key=f"k{number}", reason="faulty"))
        except RuleBroken:
            return False

    def come_in(number: int) -> bool:
        try:
            return bool(receive(world, key=f"in{number}"))
        except (NotFound, RuleBroken):
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
        assert sum(pool.map(come_in, range(8))) == 1
    assert (refunds(world), stock(world, "board"), world.count(ReturnRequest)) == ([("Visa", 3000)], 8, 1)


# --- who has left -----------------------------------------------------------------------


def test_who_has_left_has_the_whole_refund_and_no_points(shop: Any) -> None:
    shop.earn("M1", 300, BEFORE)
    shop.redeem("M1", 300, ORDERED, order_id="O1")
    shop.earn("M1", 30, ORDERED, order_id="O1")
    with shop.database.effect() as session:
        privacy.leave(session, "M1", on=TODAY, key="leave", rules=shop.rules)
    done = back(shop, Pick("board"), reason="faulty")
    assert (done.refund_cents, done.points_given, shop.guard("M1")) == (3000, 0, 0)
    with shop.database.read() as session:
        assert people.get(session, "M1").left_on == TODAY and ledger.balance(session, "M1", as_of=TODAY) == 0
