"""Does a feature row say what had happened by its day, and nothing later?"""

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from sqlmodel import select

from analytics.portrait import Portrait as MemberFeatures
from analytics.portrait import portrait as member_features
from members.tables import Member, OrderLine, ReturnLine

DAY = date(2026, 6, 1)


def _row(counter: Any, member_id: str = "m", as_of: date = DAY) -> MemberFeatures:
    with counter.database.read() as session:
        return member_features(session, member_id, as_of=as_of)


@pytest.fixture
def three(counter: Any) -> Any:
    """Three orders ten and twenty days apart, the last one on the day itself."""
    counter.sell("O-1", "m", DAY - timedelta(days=30), "tea-a", "tea-b", cents=500)
    counter.sell("O-2", "m", DAY - timedelta(days=20), "tea-a", cents=700)
    counter.sell("O-3", "m", DAY, "lamp-a", cents=2000)
    return counter


def test_a_row_can_be_counted_on_the_fingers(three: Any) -> None:
    row = _row(three)
    assert (row.orders, row.first_on, row.last_on, row.days_since_last) == (3, DAY - timedelta(days=30), DAY, 0)
    assert (row.usual_gap_days, row.spend_cents, row.average_order_cents) == (15.0, 3700, 1233)
    assert row.categories == (("tea", 3), ("lamp", 1)) and row.favourites[0] == ("tea-a", 2)
    assert dict(row.by_month)["2026-06"] == 2000 and sum(dict(row.by_month).values()) == 3700


def test_whoever_never_bought_has_an_empty_row(counter: Any) -> None:
    with counter.database.effect() as session:
        session.add(Member(id="m", name="m", tier="bronze"))
    row = _row(counter)
    assert (row.orders, row.spend_cents, row.days_since_last, row.usual_gap_days, row.favourites) == (0, 0, None, None, ())
    assert len(row.by_month) == 24 and {cents for _, cents in row.by_month} == {0}


def test_orders_after_the_day_are_unseen(three: Any) -> None:
    before = _row(three)
    three.sell("O-4", "m", DAY + timedelta(days=1), "tea-b", "rug-a", cents=9000)
    three.sell("O-5", "m", DAY + timedelta(days=400), "rug-a", cents=9000)
    assert _row(three) == before
    assert _row(three, as_of=DAY + timedelta(days=1)).orders == 4


def test_a_return_after_the_day_is_unseen(three: Any) -> None:
    before = _row(three)
    with three.database.effect() as session:
        line = session.exec(select(OrderLine).where(OrderLine.order_id == "O-2")).one()
        line.returned = 1
        back = {"line_id": line.id, "order_id": "O-2", "member_id": "m", "product_id": "tea-a", "quantity": 1, "refund_cents": 700}
        session.add(ReturnLine(credit_note="R-1", position=1, returned_at=datetime.combine(DAY + timedelta(days=2), time(9)), **back))
    assert _row(three) == before
    later = _row(three, as_of=DAY + timedelta(days=2))
    assert (later.returns, later.spend_cents) == (1, 3000)


def test_a_cancelled_order_does_not_count(three: Any) -> None:
    before = _row(three)
    three.sell("O-9", "m", DAY - timedelta(days=5), "rug-a", status="cancelled")
    assert _row(three) == before


def test_the_year_and_the_one_before_share_no_day(counter: Any) -> None:
    for n, ago in enumerate((0, 364, 365, 729, 730)):
        counter.sell(f"O-{n}", "m", DAY - timedelta(days=ago), "tea-a", cents=10**n)
    row = _row(counter)
    assert (row.spend_year_cents, row.spend_before_cents, row.spend_cents) == (11, 1100, 11111)


def test_two_orders_of_a_day_are_two_orders_without_a_gap(counter: Any) -> None:
    counter.sell("O-1", "m", DAY, "tea-a")
    counter.sell("O-2", "m", DAY, "tea-a")
    row = _row(counter)
    assert (row.orders, row.usual_gap_days) == (2, None)


def test_another_members_orders_do_not_count(three: Any) -> None:
    before = _row(three)
    three.sell("O-8", "other", DAY, "tea-a", cents=9000)
    assert _row(three) == before
