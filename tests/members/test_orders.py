"""May this order be cancelled, and is everything it touched put right?"""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from sqlmodel import col, select, update

from members import orders, replay
from members.errors import NotFound, RuleBroken
from members.orders import CancelPlan
from members.tables import Coupon, Member, Order, Payment, PaymentMethod, TierChange, Variant

BEFORE, ORDERED, TODAY = date(2025, 1, 10), date(2025, 6, 1), date(2025, 6, 2)


def _cancel(world: Any, order_id: str = "O1", *, member_id: str = "M1", key: str = "yes") -> tuple[CancelPlan, int]:
    with world.database.effect() as session:
        return orders.cancel(session, member_id, order_id, "changed_mind", on=TODAY, key=key, rules=world.rules)


def _plan(world: Any, order_id: str = "O1") -> CancelPlan:
    with world.database.read() as session:
        return orders.plan_cancel(session, "M1", order_id, on=TODAY, rules=world.rules)


def _refunds(world: Any) -> list[tuple[str, int]]:
    with world.database.read() as session:
        return [(p.method_label, p.amount_cents) for p in session.exec(select(Payment).where(Payment.kind == "refund").order_by(col(Payment.id)))]


@pytest.fixture
def shop(world: Any) -> Any:
    """M1 has a pending order O1 of three boards, M2 one of a single board."""
    world.member("M1")
    world.member("M2")
    world.product("board", stock=5)
    world.order("O1", "M1", ORDERED, ("board", 3, 1000), coupon_code="TEN")
    world.order("O2", "M2", ORDERED, ("board", 1, 1000))
    return world


# --- whose ------------------------------------------------------------------------------


def test_a_foreign_order_and_a_missing_one_read_the_same(shop: Any) -> None:
    said = []
    for order_id in ("O2", "O9"):
        with shop.database.read() as session, pytest.raises(NotFound) as refused:
            orders.get(session, "M1", order_id)
        said.append((refused.value.fact.replace(order_id, "…"), refused.value.code, refused.value.instead, refused.value.details))
    assert said[0] == said[1]


def test_a_foreign_order_cannot_be_planned_or_cancelled(shop: Any) -> None:
    for act in (_plan, _cancel):
        with pytest.raises(NotFound):
            act(shop, "O2")
    assert [row["status"] for row in shop.rows(Order)] == ["pending", "pending"]


@pytest.mark.parametrize("written", ["o1", " O1 ", "#O1", "# o1"])
def test_an_order_number_is_understood_however_it_is_written(shop: Any, written: str) -> None:
    with shop.database.read() as session:
        assert orders.get(session, "M1", written).id == "O1"


# --- which ------------------------------------------------------------------------------


@pytest.fixture
def shelf(world: Any) -> Any:
    """Five orders of M1 from January to May, one undated, and one of M2."""
    for member_id in ("M1", "M2"):
        world.member(member_id)
    world.product("board")
    world.product("100%_cotton towel")
    for month in range(1, 6):
        world.order(
            f"O{month}", "M1", date(2025, month, 10), ("100%_cotton towel" if month == 3 else "board", 1, 900), status="delivered" if month < 4 else "pending"
        )
    world.order("O6", "M1", None, ("board", 1, 900), status="processed")
    world.order("O7", "M2", date(2025, 5, 10), ("board", 1, 900))
    return world


@pytest.mark.parametrize(
    ("wanted", "found", "total"),
    [
        ({}, ["O5", "O4", "O3", "O2", "O1"], 6),
        ({"skip": 5}, ["O6"], 6),
        ({"status": "pending"}, ["O5", "O4"], 2),
        ({"since": date(2025, 3, 10)}, ["O5", "O4", "O3"], 3),
        ({"until": date(2025, 3, 10)}, ["O3", "O2", "O1"], 3),
        ({"words": "TOWEL"}, ["O3"], 1),
        ({"words": "%"}, ["O3"], 1),
        ({"words": "t_n"}, [], 0),
        ({"product_ids": ["board"], "limit": 2}, ["O5", "O4"], 5),
        ({"words": "towel", "product_ids": ["board"], "limit": 9}, ["O5", "O4", "O3", "O2", "O1", "O6"], 6),
    ],
)
def test_orders_are_found_newest_first_with_their_number(shelf: Any, wanted: dict[str, Any], found: list[str], total: int) -> None:
    with shelf.database.read() as session:
        mine, count = orders.find(session, "M1", **wanted)
    assert ([order.id for order in mine], count) == (found, total)


# --- cancelling -------------------------------------------------------------------------

_WAYS_OUT = {
    "processed": "return_when_there",
    "shipped": "return_when_there",
    "delivered": "return_or_exchange",
    "returned": "talk_to_person",
    "cancelled": "",
}


@pytest.mark.parametrize("status", ["processed", "shipped", "delivered", "returned", "cancelled"])
def test_only_a_pending_order_is_cancelled(shop: Any, status: str) -> None:
    shop.order("O3", "M1", ORDERED, ("board", 1, 1000), status=status)
    for act in (_plan, _cancel):
        with pytest.raises(RuleBroken) as refused:
            act(shop, "O3")
        assert status in refused.value.fact
        assert refused.value.instead == _WAYS_OUT[status]
    assert _refunds(shop) == []


def test_cancelling_refunds_the_payment_restocks_and_frees_the_coupon(shop: Any) -> None:
    shop.add(Coupon(code="TEN", member_id="M1", kind="percent", value=10, used_order_id="O1"), Coupon(code="FIVE", kind="percent", value=5, used_order_id="O2"))
    done, points = _cancel(shop)
    assert (done.refund_cents, done.refund_to, done.days, points) == (3000, "Visa ··1111", (5, 7), 0)
    assert _refunds(shop) == [("Visa ··1111", 3000)]
    with shop.database.read() as session:
        order = session.get_one(Order, "O1")
        assert (order.status, order.cancelled_on, order.cancel_reason) == ("cancelled", TODAY, "changed_mind")
        assert session.get_one(Variant, "board").stock == 8
        assert (session.get_one(Coupon, "TEN").used_order_id, session.get_one(Coupon, "FIVE").used_order_id) == (None, "O2")


def test_stock_that_is_not_counted_stays_uncounted(shop: Any) -> None:
    shop.product("gift card", stock=None)
    shop.order("O3", "M1", ORDERED, ("gift card", 1, 1000))
    _cancel(shop, "O3")
    assert {row["id"]: row["stock"] for row in shop.rows(Variant)} == {"board": 5, "gift card": None}


@pytest.mark.parametrize(("stock", "available", "then"), [(0, False, True), (4, False, False), (4, True, True), (-1, False, False), (None, False, False)])
def test_what_was_sold_out_can_be_bought_again_but_what_was_taken_off_the_shelf_cannot(shop: Any, stock: int | None, available: bool, then: bool) -> None:
    shop.product("tin", stock=stock)
    with shop.database.effect() as session:
        session.exec(update(Variant).where(col(Variant.id) == "tin").values(available=available))
    shop.order("O3", "M1", ORDERED, ("tin", 1, 1000))
    _cancel(shop, "O3")
    assert next(row["available"] for row in shop.rows(Variant) if row["product_id"] == "tin") is then


def test_a_gift_card_has_its_money_back_at_once(shop: Any) -> None:
    shop.add(PaymentMethod(id="card", member_id="M1", kind="gift_card", balance_cents=500), PaymentMethod(id="visa", member_id="M1", kind="credit_card"))
    shop.order("O3", "M1", ORDERED, ("board", 1, 5000), paid="")
    for method, label, cents in (("card", "Gift card", 2000), ("visa", "Visa ··1111", 3000)):
        shop.add(Payment(order_id="O3", kind="payment", amount_cents=cents, method_id=method, method_label=label, key=method))
    plan = _plan(shop, "O3")
    _cancel(shop, "O3")
    assert sorted((m["kind"], m["balance_cents"]) for m in shop.rows(PaymentMethod)) == [("credit_card", None), ("gift_card", 2500)]
    assert plan.days == (5, 7)


def test_two_payments_are_refunded_each_to_its_own_method(shop: Any) -> None:
    shop.order("O3", "M1", ORDERED, ("board", 1, 5000), paid="")
    for label, cents in (("Gift card", 2000), ("Visa ··1111", 3000)):
        shop.add(Payment(order_id="O3", kind="payment", amount_cents=cents, method_label=label, key=label))
    done, _ = _cancel(shop, "O3")
    assert _refunds(shop) == [("Gift card", 2000), ("Visa ··1111", 3000)]
    assert done.refund_cents == 5000


def test_a_second_cancellation_is_refused_and_refunds_nothing(shop: Any) -> None:
    _cancel(shop)
    with pytest.raises(RuleBroken, match="already cancelled"):
        _cancel(shop, key="another yes")
    assert (len(_refunds(shop)), shop.rows(Variant)[0]["stock"]) == (1, 8)


def test_of_eight_cancellations_at_once_one_succeeds(either: Any, world_of: Any) -> None:
    world = world_of(either)
    world.member()
    world.product("board", stock=0)
    world.order("O1", "M1", ORDERED, ("board", 1, 1000))

    def attempt(number: int) -> bool:
        try:
            return bool(_cancel(world, key=f"yes{number}"))
        except RuleBroken:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    assert (len(_refunds(world)), world.rows(Variant)[0]["stock"]) == (1, 1)


# --- its points and its tier ------------------------------------------------------------


def test_earned_points_go_and_used_points_return_with_their_old_expiry(shop: Any) -> None:
    shop.earn("M1", 100, BEFORE)
    shop.redeem("M1", 100, ORDERED, order_id="O1")
    shop.earn("M1", 50, ORDERED, order_id="O1")
    done, points = _cancel(shop)
    assert (done.points_back, done.points_short, done.points_returned, points) == (50, 0, 100, 100)
    assert shop.lots("M1", TODAY) == [(100, date(2026, 1, 31))]


def test_points_spent_before_cancelling_are_settled_in_money(shop: Any) -> None:
    shop.earn("M1", 350, ORDERED, order_id="O1")
    shop.redeem("M1", 300, ORDERED, order_id="O9")
    plan = _plan(shop)
    done, points = _cancel(shop)
    assert (done.points_back, done.points_short, done.refund_cents, points) == (50, 300, 2700, 0)
    assert _refunds(shop) == [("Visa ··1111", 2700)]
    assert plan == done


def test_what_is_shown_before_the_yes_is_what_is_done(shop: Any) -> None:
    shop.earn("M1", 200, BEFORE)
    shop.redeem("M1", 200, ORDERED, order_id="O1")
    shop.earn("M1", 150, ORDERED, order_id="O1")
    shop.redeem("M1", 100, ORDERED, order_id="O9")
    plan = _plan(shop)
    done, _ = _cancel(shop)
    assert plan == done


def test_points_that_lapsed_since_the_order_are_shown_and_done_alike(shop: Any) -> None:
    shop.earn("M1", 100, date(2024, 5, 10))
    shop.redeem("M1", 100, date(2025, 5, 31), order_id="O1")
    shop.earn("M1", 100, ORDERED, order_id="O1")
    shop.redeem("M1", 100, ORDERED, order_id="O9")
    plan = _plan(shop)
    done, points = _cancel(shop)
    assert plan == done
    assert (done.points_short, done.points_returned, points, shop.guard("M1")) == (100, 100, 0, 0)


def test_a_plan_changes_nothing(shop: Any) -> None:
    before = [shop.rows(table) for table in (Order, Payment, Variant, Member)]
    _plan(shop)
    assert [shop.rows(table) for table in (Order, Payment, Variant, Member)] == before


def test_cancelling_works_the_tier_out_anew(shop: Any) -> None:
    shop.order("O3", "M1", BEFORE + timedelta(1), ("board", 60, 1000))
    with shop.database.effect() as session:
        replay.replay(session, ["M1"], shop.rules, until=TODAY)
    assert shop.of("M1").tier == "silver"
    _, points = _cancel(shop, "O3")
    assert (shop.of("M1").tier, shop.of("M1").tier_since) == ("bronze", TODAY)
    assert ("silver", "bronze", TODAY) in [(c["previous"], c["tier"], c["changed_on"]) for c in shop.rows(TierChange)]
    assert points == shop.guard("M1") == 37
