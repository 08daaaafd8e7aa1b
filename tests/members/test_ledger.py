"""Is the book of points always right, whatever is asked twice, late or at the same time?"""

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from members import ledger, privacy
from members.database import Database
from members.errors import BadInput, NotFound, RuleBroken
from members.tables import PointsEntry

JANUARY, DECEMBER, LAST_DAY = date(2024, 1, 10), date(2024, 12, 10), date(2025, 1, 31)
ONE = timedelta(1)
_members = count()


def _effect(world: Any, act: Callable[..., Any], *args: Any, **named: Any) -> Any:
    with world.database.effect() as session:
        return act(session, *args, **named)


def _take_back(world: Any, points: int, on: date) -> int:
    return int(_effect(world, ledger.take_back, "O1", "M1", points, on=on, key="take"))


# --- earning, using, lapsing ------------------------------------------------------------


def test_the_soonest_to_expire_is_used_first_whatever_was_booked_first(world: Any) -> None:
    world.member()
    world.earn("M1", 300, DECEMBER)
    world.earn("M1", 200, JANUARY)
    world.redeem("M1", 300, DECEMBER)
    assert world.lots("M1", DECEMBER) == [(200, date(2025, 12, 31))]
    assert world.guard("M1") == 200


@pytest.mark.parametrize("booked", [False, True])
def test_the_balance_is_right_on_every_day_whether_the_expiry_was_booked_or_not(world: Any, booked: bool) -> None:
    world.member()
    world.earn("M1", 500, JANUARY)
    world.redeem("M1", 200, DECEMBER)
    if booked:
        assert _effect(world, ledger.expire_due, "M1", on=date(2025, 6, 1)) == 300
    days = [JANUARY - ONE, JANUARY, DECEMBER - ONE, DECEMBER, LAST_DAY, LAST_DAY + ONE, date(2026, 1, 1)]
    assert [world.balance("M1", day) for day in days] == [0, 500, 500, 300, 300, 0, 0]
    assert world.guard("M1") == (0 if booked else 300)


def test_expiry_is_booked_once_on_the_day_after_the_last(world: Any) -> None:
    world.member()
    world.earn("M1", 500, JANUARY)
    assert [_effect(world, ledger.expire_due, "M1", on=on) for on in (LAST_DAY, date(2025, 6, 1), date(2025, 7, 1))] == [0, 500, 0]
    assert [e["booked_on"] for e in world.rows(PointsEntry) if (e["kind"], e["points"]) == ("expire", -500)] == [LAST_DAY + ONE]


def test_points_that_lapsed_unbooked_cannot_be_used(world: Any) -> None:
    world.member()
    world.earn("M1", 500, JANUARY)
    with pytest.raises(RuleBroken, match="fewer than 100"):
        world.redeem("M1", 100, LAST_DAY + ONE)


@pytest.mark.parametrize("points", [0, -100, 50, 150])
def test_points_are_used_from_the_minimum_and_in_steps(world: Any, points: int) -> None:
    world.member()
    world.earn("M1", 500, JANUARY)
    with pytest.raises(RuleBroken, match="steps of 100"):
        world.redeem("M1", points, JANUARY)
    assert world.guard("M1") == 500


def test_a_stranger_has_no_book(world: Any) -> None:
    with pytest.raises(NotFound):
        world.earn("nobody", 100, JANUARY)


def test_a_booking_dated_before_a_later_one_does_not_use_the_same_lot_twice(world: Any) -> None:
    world.member()
    world.earn("M1", 200, JANUARY)
    world.earn("M1", 200, JANUARY + 40 * ONE)
    world.redeem("M1", 200, DECEMBER)
    with contextlib.suppress(RuleBroken):
        world.redeem("M1", 200, JANUARY + ONE)
    assert world.balance("M1", DECEMBER) == world.guard("M1")


def test_the_same_key_with_the_same_points_is_the_same_act(world: Any) -> None:
    world.member()
    world.earn("M1", 500, JANUARY, key="a")
    world.earn("M1", 500, JANUARY, key="a")
    assert (world.redeem("M1", 200, JANUARY, key="b"), world.redeem("M1", 200, JANUARY, key="b")) == (True, False)
    assert world.guard("M1") == 300


def test_the_same_key_with_other_points_is_refused(world: Any) -> None:
    world.member()
    world.earn("M1", 500, JANUARY, key="a")
    world.redeem("M1", 200, JANUARY, key="b")
    with pytest.raises(RuleBroken, match="used before"):
        world.earn("M1", 400, JANUARY, key="a")
    with pytest.raises(RuleBroken, match="used before"):
        world.redeem("M1", 300, JANUARY, key="b")
    assert world.guard("M1") == 300


def test_a_key_that_begins_like_another_is_another_act(world: Any) -> None:
    world.member()
    world.earn("M1", 500, JANUARY, key="order:0")
    world.earn("M1", 300, JANUARY, key="order")
    world.earn("M1", 300, JANUARY, key="order")
    assert world.guard("M1") == 800


def test_a_redemption_over_several_lots_is_known_by_its_one_key(world: Any) -> None:
    world.member()
    for months in range(3):
        world.earn("M1", 100, JANUARY + timedelta(40 * months))
    assert (world.redeem("M1", 300, DECEMBER, key="b"), world.redeem("M1", 300, DECEMBER, key="b")) == (True, False)
    assert world.guard("M1") == 0


# --- corrections and undone orders ------------------------------------------------------


def test_an_adjustment_adds_a_lot_or_draws_from_lots_but_never_goes_below_zero(world: Any, rules: Any) -> None:
    world.member()
    for points, key in ((70, "more"), (-20, "less"), (-20, "less")):
        _effect(world, ledger.adjust, "M1", points, on=JANUARY, key=key, rules=rules, reason="goodwill")
    with pytest.raises(RuleBroken):
        _effect(world, ledger.adjust, "M1", -51, on=JANUARY, key="too much", rules=rules, reason="error")
    assert (world.guard("M1"), world.lots("M1", JANUARY)) == (50, [(50, LAST_DAY)])


def test_what_an_order_earned_is_taken_from_its_own_lot_first(world: Any) -> None:
    world.member()
    world.earn("M1", 100, JANUARY, order_id="older")
    world.earn("M1", 100, DECEMBER, order_id="O1")
    assert _take_back(world, 100, DECEMBER) == 0
    assert world.lots("M1", DECEMBER) == [(100, LAST_DAY)]


def test_points_no_longer_there_are_reported_as_missing(world: Any) -> None:
    world.member()
    world.earn("M1", 300, JANUARY, order_id="O1")
    world.redeem("M1", 200, JANUARY)
    assert _take_back(world, 300, JANUARY) == 200
    assert world.guard("M1") == 0


def test_what_could_not_be_taken_back_and_was_settled_in_money_is_not_taken_later_by_the_same_key(world: Any) -> None:
    world.member()
    assert _take_back(world, 100, JANUARY) == 100
    world.earn("M1", 100, DECEMBER)
    assert _take_back(world, 100, DECEMBER) == 100
    assert world.guard("M1") == 100


def test_what_was_taken_back_once_is_missing_as_much_when_it_is_asked_again(world: Any) -> None:
    world.member()
    world.earn("M1", 300, JANUARY, order_id="O1")
    world.redeem("M1", 200, JANUARY)
    assert [_take_back(world, 300, JANUARY), _take_back(world, 300, DECEMBER)] == [200, 200]
    with pytest.raises(RuleBroken, match="used before"):
        _take_back(world, 50, DECEMBER)


def test_taking_back_leaves_the_old_expiry_to_what_was_given_back_at_the_same_order(world: Any) -> None:
    world.member()
    world.earn("M1", 100, JANUARY)
    world.redeem("M1", 100, DECEMBER, order_id="O1")
    world.earn("M1", 40, DECEMBER, order_id="O1")
    _effect(world, ledger.give_back, "O1", "M1", on=DECEMBER, key="back")
    assert _take_back(world, 40, DECEMBER) == 0
    assert world.lots("M1", DECEMBER) == [(100, LAST_DAY)]


def test_a_draw_that_fails_leaves_the_guard_even_when_the_transaction_goes_on(world: Any) -> None:
    world.member()
    world.earn("M1", 200, DECEMBER)
    with world.database.effect() as session, contextlib.suppress(RuleBroken):
        ledger.redeem(session, "M1", 200, on=JANUARY, key="early", rules=world.rules)
    assert world.guard("M1") == world.balance("M1", DECEMBER) == 200


def test_a_key_may_not_look_like_a_part_of_another(world: Any) -> None:
    world.member()
    with pytest.raises(BadInput, match="#"):
        world.earn("M1", 100, JANUARY, key="order#0")
    world.earn("M1", 100, JANUARY, key="A")
    world.earn("M1", 100, JANUARY, key="a")
    assert world.guard("M1") == 200


def test_used_points_come_back_with_their_old_expiry(world: Any) -> None:
    world.member()
    world.earn("M1", 200, JANUARY)
    world.redeem("M1", 100, DECEMBER, order_id="O1")
    back = [_effect(world, ledger.give_back, "O1", "M1", on=DECEMBER + 9 * ONE, key="back") for _ in range(2)]
    assert back == [100, 0]
    assert world.lots("M1", DECEMBER + 9 * ONE) == [(100, LAST_DAY), (100, LAST_DAY)]


def test_used_points_that_expired_meanwhile_come_back_and_lapse_at_once(world: Any) -> None:
    world.member()
    world.earn("M1", 100, JANUARY)
    world.redeem("M1", 100, DECEMBER, order_id="O1")
    assert _effect(world, ledger.give_back, "O1", "M1", on=LAST_DAY + ONE, key="back") == 100
    assert (world.guard("M1"), world.balance("M1", LAST_DAY + ONE)) == (0, 0)


# --- always -----------------------------------------------------------------------------

acts = st.tuples(
    st.sampled_from(["earn", "redeem", "adjust", "take", "back", "lapse"]),
    st.sampled_from([-200, -30, 0, 45, 100, 200, 300]),
    st.integers(0, 4),
    st.integers(0, 150),
)


def _do(session: Session, world: Any, member_id: str, kind: str, points: int, key: str, on: date) -> None:
    order_id = f"{member_id}-{key}"
    if kind == "earn":
        ledger.earn(session, member_id, points, on=on, key=key, rules=world.rules, order_id=order_id)
    elif kind == "redeem":
        ledger.redeem(session, member_id, points, on=on, key=key, rules=world.rules, order_id=order_id)
    elif kind == "adjust":
        ledger.adjust(session, member_id, points, on=on, key=key, rules=world.rules, reason="test")
    elif kind == "take":
        ledger.take_back(session, order_id, member_id, points, on=on, key=f"{key}-take")
    elif kind == "back":
        ledger.give_back(session, order_id, member_id, on=on, key=f"{key}-back")
    else:
        ledger.expire_due(session, member_id, on=on)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(acts, max_size=14))
def test_whatever_happens_the_guard_is_the_sum_of_the_book_and_no_key_has_two_effects(world: Any, history: list[tuple[str, int, int, int]]) -> None:
    member_id, on = world.member(f"H{next(_members)}"), JANUARY
    for kind, points, number, wait in history:
        on += timedelta(wait)
        try:
            _effect(world, _do, world, member_id, kind, points, f"k{number}", on)
            before = world.guard(member_id)
            _effect(world, _do, world, member_id, kind, points, f"k{number}", on)
            assert world.guard(member_id) == before
        except RuleBroken:
            pass
        assert world.balance(member_id, on) <= world.guard(member_id)
    unbooked = world.balance(member_id, on)
    _effect(world, ledger.expire_due, member_id, on=on)
    assert world.balance(member_id, on) == unbooked == world.guard(member_id)


@pytest.mark.parametrize("keys", ["sixteen", "one"])
def test_sixteen_at_once_get_exactly_what_is_affordable(either: Database, world_of: Callable[[Database], Any], keys: str) -> None:
    world = world_of(either)
    world.member()
    world.earn("M1", 300, JANUARY)
    world.earn("M1", 250, DECEMBER)

    def use(number: int) -> bool:
        try:
            return bool(world.redeem("M1", 100, DECEMBER, key=f"use{number if keys == 'sixteen' else 1}"))
        except RuleBroken:
            return False

    with ThreadPoolExecutor(16) as pool:
        done = sum(pool.map(use, range(16)))
    assert done == (5 if keys == "sixteen" else 1)
    assert world.guard("M1") == 550 - 100 * done == world.balance("M1", DECEMBER)
    with world.database.read() as session:
        assert -sum(session.exec(select(PointsEntry.points).where(PointsEntry.kind == "redeem"))) == 100 * done


# --- what an order earned, brought to what is kept of it --------------------------------


def _settle(world: Any, should: int, on: date = DECEMBER, key: str = "settle") -> int:
    return int(_effect(world, ledger.settle_order, "O1", "M1", should, on=on, key=key, rules=world.rules))


def _earned(world: Any) -> int:
    with world.database.read() as session:
        return ledger.earned_by(session, "O1", "M1")


@pytest.mark.parametrize(("should", "left"), [(150, 150), (100, 100), (40, 40), (0, 0)])
def test_an_orders_points_are_brought_to_what_it_should_have_earned(world: Any, should: int, left: int) -> None:
    world.member()
    world.earn("M1", 100, JANUARY, order_id="O1")
    assert [_settle(world, should), _settle(world, should, key="again")] == [0, 0]
    assert (_earned(world), world.guard("M1")) == (left, left)


def test_what_was_settled_once_is_not_taken_back_a_second_time_when_the_order_is_undone(world: Any) -> None:
    world.member()
    world.earn("M1", 500, JANUARY)
    world.earn("M1", 100, JANUARY, order_id="O1")
    _settle(world, 40)
    done = _effect(world, ledger.undo, "O1", "M1", on=DECEMBER, key="undo")
    assert (done.earned, done.short, world.guard("M1")) == (40, 0, 500)


@pytest.mark.parametrize(("spent", "short"), [(0, 0), (100, 0), (200, 60), (300, 160)])
def test_what_would_be_taken_back_is_what_is(world: Any, spent: int, short: int) -> None:
    world.member()
    world.earn("M1", 100, JANUARY)
    world.earn("M1", 200, DECEMBER, order_id="O1")
    if spent:
        world.redeem("M1", spent, DECEMBER)
    with world.database.read() as session:
        shown = ledger.owed(session, "O1", "M1", 40, on=DECEMBER)
    assert (shown.earned, shown.short) == (160, short)
    assert _settle(world, 40) == short


def test_points_that_come_back_at_the_same_time_may_be_taken_unless_they_lapsed(world: Any) -> None:
    world.member()
    world.earn("M1", 100, JANUARY)
    world.redeem("M1", 100, DECEMBER, order_id="O1")
    world.earn("M1", 100, DECEMBER, order_id="O1")
    world.redeem("M1", 100, DECEMBER)
    with world.database.read() as session:
        shown = [ledger.owed(session, "O1", "M1", 0, on=on, given=60).short for on in (LAST_DAY, LAST_DAY + ONE)]
    assert shown == [40, 100]


def test_used_points_come_back_in_parts_and_never_twice(world: Any) -> None:
    world.member()
    world.earn("M1", 150, JANUARY)
    world.earn("M1", 150, DECEMBER)
    world.redeem("M1", 300, DECEMBER, order_id="O1")
    back = [
        _effect(world, ledger.give_back, "O1", "M1", on=DECEMBER, key=key, points=points)
        for key, points in (("a", 100), ("a", 100), ("b", 120), ("c", 500), ("d", None))
    ]
    assert back == [100, 0, 120, 80, 0]
    assert sum(left for left, until in world.lots("M1", DECEMBER) if until == LAST_DAY) == 150
    with world.database.read() as session:
        assert (ledger.used_at(session, "O1", "M1"), ledger.used_at(session, "O2", "M1")) == (0, 0)


def test_no_points_come_back_to_who_has_left_and_lost_ones_are_not_owed(world: Any) -> None:
    world.member()
    world.earn("M1", 100, JANUARY)
    world.redeem("M1", 100, JANUARY, order_id="O1")
    world.earn("M1", 80, JANUARY, order_id="O1")
    _effect(world, privacy.leave, "M1", on=DECEMBER, key="leave", rules=world.rules)
    assert _earned(world) == 0
    assert _effect(world, ledger.give_back, "O1", "M1", on=DECEMBER, key="back") == 0
    assert [_settle(world, 100), _settle(world, 20, key="again")] == [0, 0]
    assert world.guard("M1") == 0
