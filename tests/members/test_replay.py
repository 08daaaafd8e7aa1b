"""Does a history, played through the rules, give the book and the tiers it should, and only once?"""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from members import ledger, program, replay
from members.tables import Member, PointsEntry, ReturnLine, TierChange

MARCH, JUNE, TODAY = date(2025, 3, 5), date(2025, 6, 20), date(2025, 9, 1)


def _replay(world: Any, *member_ids: str, until: date = TODAY) -> int:
    with world.database.effect() as session:
        return replay.replay(session, member_ids or ("M1",), world.rules, until=until)


def _book(world: Any) -> list[tuple[str, int, date, str | None]]:
    with world.database.read() as session:
        return [(e.kind, e.points, e.booked_on, e.order_id) for e in session.exec(select(PointsEntry).order_by(col(PointsEntry.id)))]


def _tiers(world: Any) -> list[tuple[str, date]]:
    with world.database.read() as session:
        return [(c.tier, c.changed_on) for c in session.exec(select(TierChange).order_by(col(TierChange.id)))]


def _returned(note: str, on: date, cents: int, *, order_id: str | None = "O1", product_id: str = "board") -> ReturnLine:
    at = datetime.combine(on, datetime.min.time())
    return ReturnLine(credit_note=note, position=1, order_id=order_id, member_id="M1", product_id=product_id, quantity=1, refund_cents=cents, returned_at=at)


@pytest.fixture
def shop(world: Any) -> Any:
    """M1 and two products, one of the category that earns double."""
    world.member()
    world.product("board", "home")
    world.product("sencha", "tea")
    return world


def test_each_order_earns_a_lot_that_lapses_twelve_months_later(shop: Any) -> None:
    shop.order("O1", "M1", MARCH, ("board", 2, 1050), ("sencha", 1, 1000), status="delivered")
    assert _replay(shop) == 1
    assert _book(shop) == [("earn", 41, MARCH, "O1")]
    assert shop.lots("M1", TODAY) == [(41, date(2026, 3, 31))]
    assert shop.guard("M1") == 41


def test_the_same_history_replayed_twice_books_nothing_new(shop: Any) -> None:
    shop.order("O1", "M1", MARCH, ("board", 1, 60_000), status="delivered")
    shop.order("O2", "M1", JUNE, ("board", 1, 10_000), status="delivered")
    shop.add(_returned("C1", TODAY - timedelta(9), 60_000))
    _replay(shop)
    first = (_book(shop), _tiers(shop), shop.rows(Member))
    _replay(shop)
    assert (_book(shop), _tiers(shop), shop.rows(Member)) == first
    assert shop.guard("M1") == shop.balance("M1", TODAY)


def test_a_cancelled_order_counts_for_nothing(shop: Any) -> None:
    shop.order("O1", "M1", MARCH, ("board", 1, 60_000), status="cancelled")
    assert _replay(shop) == 0
    assert (shop.guard("M1"), _tiers(shop), shop.of("M1").tier) == (0, [], "bronze")


def test_a_returned_order_and_its_returns_count_for_nothing(shop: Any) -> None:
    shop.order("O1", "M1", MARCH, ("board", 1, 60_000), status="returned")
    shop.order("O2", "M1", MARCH, ("board", 1, 10_000), status="delivered")
    shop.add(_returned("C1", JUNE, 60_000))
    _replay(shop)
    assert (shop.guard("M1"), _tiers(shop)) == (100, [])


def test_a_tier_does_not_fall_and_rise_again_because_a_return_leaves_the_window_after_its_purchase(shop: Any) -> None:
    shop.order("O1", "M1", date(2024, 1, 10), ("board", 1, 20_000), status="delivered")
    shop.order("O2", "M1", date(2024, 3, 1), ("board", 1, 60_000), status="delivered")
    shop.order("O3", "M1", date(2025, 2, 1), ("board", 1, 55_000), status="delivered")
    shop.add(_returned("C1", date(2024, 8, 1), 20_000))
    _replay(shop, until=date(2025, 12, 31))
    assert _tiers(shop) == [("silver", date(2024, 3, 1))]


def test_a_return_after_the_last_day_is_not_known_yet(shop: Any) -> None:
    shop.order("O1", "M1", MARCH, ("board", 1, 60_000), status="delivered")
    shop.add(_returned("C1", JUNE, 60_000))
    _replay(shop, until=JUNE - timedelta(1))
    assert (shop.guard("M1"), shop.of("M1").tier) == (600, "silver")


@pytest.mark.parametrize(("category", "left"), [("board", 20), ("sencha", 10)])
def test_a_return_takes_back_what_its_own_goods_earned(shop: Any, category: str, left: int) -> None:
    shop.order("O1", "M1", MARCH, ("board", 1, 1000), ("sencha", 1, 1000), status="delivered")
    shop.add(_returned("C1", JUNE, 1000, product_id=category))
    _replay(shop)
    assert shop.guard("M1") == left


def test_returns_in_many_parts_leave_no_points_of_a_given_back_order(shop: Any) -> None:
    shop.order("O1", "M1", MARCH, ("board", 3, 350), status="delivered")
    shop.add(*[_returned(f"C{part}", JUNE, 350) for part in range(3)])
    _replay(shop)
    assert shop.guard("M1") == 0


def test_goods_of_no_known_order_go_at_the_tier_of_the_day_of_return(shop: Any) -> None:
    shop.order("O1", "M1", MARCH, ("board", 1, 200_000), status="delivered")
    shop.add(_returned("C1", JUNE, 1000, order_id=None))
    _replay(shop)
    assert shop.guard("M1") == 2000 - 15


def test_postage_and_undated_orders_earn_nothing_and_a_discount_earns_less(shop: Any) -> None:
    shop.order("O1", "M1", MARCH, ("board", 1, 5000), status="delivered", shipping_cents=395, discount_cents=1000)
    shop.order("O2", "M1", None, ("board", 1, 5000), status="delivered")
    _replay(shop)
    assert [entry[1] for entry in _book(shop)] == [40]


def test_the_order_that_lifts_a_member_earns_at_the_old_rate_and_the_next_at_the_new(shop: Any) -> None:
    shop.order("O1", "M1", MARCH, ("board", 1, 60_000), status="delivered")
    shop.order("O2", "M1", JUNE, ("board", 1, 1000), status="delivered")
    _replay(shop)
    assert [entry[1] for entry in _book(shop)] == [600, 12]
    assert _tiers(shop) == [("silver", MARCH)]
    assert (shop.of("M1").tier, shop.of("M1").tier_since) == ("silver", MARCH)


def test_a_return_takes_its_points_back_from_its_own_order_first(shop: Any) -> None:
    shop.order("O1", "M1", MARCH, ("board", 1, 10_000), status="delivered")
    shop.order("O2", "M1", JUNE, ("board", 1, 10_000), status="delivered")
    shop.add(_returned("C2", JUNE + timedelta(3), 4000, order_id="O2"))
    _replay(shop)
    assert shop.lots("M1", TODAY) == [(100, date(2026, 3, 31)), (60, date(2026, 6, 30))]


def test_a_full_return_takes_back_what_was_given_even_when_the_member_rose_in_between(shop: Any) -> None:
    shop.order("O1", "M1", MARCH, ("board", 1, 10_000), status="delivered")
    shop.order("O2", "M1", JUNE, ("board", 1, 200_000), status="delivered")
    shop.add(_returned("C1", JUNE + timedelta(3), 10_000))
    _replay(shop)
    assert shop.lots("M1", TODAY) == [(2000, date(2026, 6, 30))]


def test_points_that_lapsed_are_not_taken_back_again(shop: Any) -> None:
    shop.order("O1", "M1", date(2024, 3, 5), ("board", 1, 10_000), status="delivered")
    shop.add(_returned("C1", JUNE, 10_000))
    _replay(shop)
    assert [(kind, points, on) for kind, points, on, _ in _book(shop)] == [("earn", 100, date(2024, 3, 5)), ("expire", -100, date(2025, 4, 1))]
    assert shop.guard("M1") == 0


def test_nothing_after_the_last_day_is_booked(shop: Any) -> None:
    shop.order("O1", "M1", MARCH, ("board", 1, 10_000), status="delivered")
    shop.order("O2", "M1", JUNE, ("board", 1, 10_000), status="delivered")
    _replay(shop, until=JUNE - timedelta(1))
    assert shop.guard("M1") == 100


def test_what_a_person_booked_is_never_undone(shop: Any, rules: Any) -> None:
    shop.order("O1", "M1", MARCH, ("board", 1, 10_000), status="delivered")
    _replay(shop)
    with shop.database.effect() as session:
        ledger.adjust(session, "M1", 50, on=JUNE, key="goodwill", rules=rules, reason="late parcel")
    before = _book(shop)
    assert _replay(shop) == 0
    assert (_book(shop), shop.guard("M1")) == (before, 150)


def test_members_are_replayed_apart_and_in_any_number(shop: Any) -> None:
    ids = [shop.member(f"N{number}") for number in range(60)]
    for member_id in ids[::2]:
        shop.order(f"O-{member_id}", member_id, MARCH, ("sencha", 1, 1000), status="delivered")
    assert _replay(shop, *ids) == 30
    assert [shop.guard(member_id) for member_id in ids[:4]] == [20, 0, 20, 0]


def test_the_ledger_goes_on_where_the_replay_ended(shop: Any) -> None:
    shop.order("O1", "M1", MARCH, ("board", 1, 20_000), status="delivered")
    _replay(shop)
    shop.redeem("M1", 100, JUNE)
    assert (shop.guard("M1"), shop.balance("M1", JUNE - timedelta(1))) == (100, 200)


def test_postgres_counts_on_after_replayed_ids(postgres: Any, world_of: Any) -> None:
    world = world_of(postgres)
    world.member()
    world.product("board")
    world.order("O1", "M1", MARCH, ("board", 1, 20_000), status="delivered")
    _replay(world)
    _replay(world)
    world.earn("M1", 30, JUNE)
    assert world.guard("M1") == 230


baskets = st.lists(st.tuples(st.integers(0, 900), st.integers(0, 150_000), st.sampled_from(["home", "tea"])), max_size=6)
returns = st.lists(st.tuples(st.integers(0, 900), st.integers(0, 90_000), st.integers(0, 5)), max_size=4)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(baskets, returns)
def test_a_replayed_book_never_draws_more_from_a_lot_than_it_held(bought: list[tuple[int, int, str]], back: list[tuple[int, int, int]]) -> None:
    rules, start = program.load(), date(2023, 1, 1)
    history = replay.History(
        [(start + timedelta(day), f"O{n}", [(category, cents)]) for n, (day, cents, category) in enumerate(bought)],
        [(start + timedelta(day), f"O{n}", "home", cents, f"C{i}:1") for i, (day, cents, n) in enumerate(back)],
    )
    until = start + timedelta(1000)
    book = replay._Book(history, rules, until)
    for index, lot in enumerate(book.lots):
        drawn = sum(entry["points"] for which, entry in book.draws if which == index)
        assert lot["left"] == lot["points"] + drawn >= 0
        assert lot["expires_on"] >= until or lot["left"] == 0
    keys = [lot["key"] for lot in book.lots] + [entry["key"] for _, entry in book.draws]
    assert len(keys) == len(set(keys))
