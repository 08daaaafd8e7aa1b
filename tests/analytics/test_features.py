"""Does a row hold what had happened by its day and nothing later, on every engine, for all members and for one?"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlmodel import select

from analytics import features, scoring
from analytics.history import History
from members import extract, lake
from members.tables import Member, Order, OrderLine, PointsEntry, ReturnLine, ShopEvent, TierChange

DAY = date(2026, 6, 1)


def ago(days: int) -> date:
    """So many days before the day."""
    return DAY - timedelta(days=days)


@pytest.fixture
def rows(counter: Any, tmp_path: Path) -> Callable[..., pd.DataFrame]:
    """The rows of the hand-written shop as of a day."""

    def read(as_of: date = DAY) -> pd.DataFrame:
        with counter.database.read() as session:
            extract.write(session, tmp_path / "lake")
        return features.rows(lake.connect(tmp_path / "lake"), as_of=as_of)

    return read


@pytest.fixture
def three(counter: Any) -> Any:
    """Three orders: 30 and 20 days ago, and on the day."""
    counter.sell("O-1", "m", ago(30), "tea-a", "tea-b", cents=500)
    counter.sell("O-2", "m", ago(20), "tea-a", cents=700)
    counter.sell("O-3", "m", DAY, "lamp-a", cents=2000)
    return counter


def test_a_row_can_be_counted_on_the_fingers(three: Any, rows: Any) -> None:
    row = rows().loc["m"]
    assert (row.orders, row.order_days, row.spend, row.spend_30, row.first_cents) == (3, 3, 3700, 2700, 1000)
    assert (row.recency_days, row.first_days, row.gap_mean, row.gap_median, row.gap_last, row.gap_longest) == (0, 30, 15, 15, 20, 20)
    assert (row.products, row.products_again, row.products_new_90) == (3, 1, 3)
    assert (row.top_category, row.top_category_share) == ("lamp", round(2000 / 3700, 6))
    assert row.order_cents == pytest.approx(3700 / 3)


def test_nothing_planted_in_the_future_is_seen(three: Any, rows: Any, tmp_path: Path) -> None:
    before = rows()
    later, at = DAY + timedelta(days=1), datetime.combine(DAY + timedelta(days=1), time(9))
    three.sell("O-4", "m", later, "rug-a", cents=99_000)
    three.sell("O-5", "late", later, "rug-a", cents=99_000)
    with three.database.effect() as session:
        session.add(ReturnLine(credit_note="R-1", position=1, order_id="O-2", member_id="m", product_id="tea-a", quantity=1, refund_cents=700, returned_at=at))
        session.add(PointsEntry(member_id="m", kind="earn", points=500, booked_on=later, expires_on=later, key="later"))
        session.add(TierChange(member_id="m", tier="gold", changed_on=later))
        session.add(Member(id="newcomer", joined_on=later))
    lake.write_events(tmp_path / "lake", pd.DataFrame([("m", "view", "tea-a", at)], columns=lake.SCHEMA.names))
    after = rows().drop(index="late", errors="ignore")
    pd.testing.assert_frame_equal(after, before)
    assert rows(later).loc["m", "orders"] == 4 and "newcomer" in rows(later).index


def test_an_order_cancelled_later_still_stood_on_the_day(three: Any, rows: Any) -> None:
    before = rows()
    with three.database.effect() as session:
        order = session.get(Order, "O-2")
        order.status, order.cancelled_on = "cancelled", DAY + timedelta(days=3)
        session.add(order)
    pd.testing.assert_frame_equal(rows(), before)
    assert rows(DAY + timedelta(days=3)).loc["m", "orders"] == 2


def test_returns_of_the_window_and_of_all_time_are_apart(three: Any, rows: Any) -> None:
    with three.database.effect() as session:
        for n, days in enumerate((5, 200)):
            at = datetime.combine(ago(days), time(9))
            session.add(
                ReturnLine(credit_note=f"R-{n}", position=1, order_id=None, member_id="m", product_id="tea-a", quantity=1, refund_cents=100, returned_at=at)
            )
    row = rows().loc["m"]
    assert (row.returns, row.returns_90, row.returned_cents, row.returned_365) == (2, 1, 200, 200)


def test_the_same_quarter_a_year_ago_is_season(counter: Any, rows: Any) -> None:
    for n, days in enumerate((274, 275, 364, 365)):
        counter.sell(f"O-{n}", "m", ago(days), "tea-a", cents=10**n)
    row = rows().loc["m"]
    assert (row.orders_season, row.spend_season) == (2, 110)


def test_points_that_lapsed_are_no_points(counter: Any, rows: Any) -> None:
    counter.sell("O-1", "m", ago(400), "tea-a")
    with counter.database.effect() as session:
        for n, (points, until) in enumerate(((300, ago(1)), (200, DAY + timedelta(days=30)), (100, DAY + timedelta(days=200)))):
            session.add(PointsEntry(member_id="m", kind="earn", points=points, booked_on=ago(300), expires_on=until, key=str(n)))
    row = rows().loc["m"]
    assert (row.points, row.points_expiring_90) == (300, 200)


def test_a_guest_is_nobody_and_a_member_without_orders_is_empty(counter: Any, rows: Any) -> None:
    counter.sell("O-1", "m", DAY, "tea-a")
    with counter.database.effect() as session:
        session.add(Member(id="quiet", joined_on=ago(10)))
        order = session.get(Order, "O-1")
        order.member_id = None
        session.add(order)
    found = rows()
    assert set(found.index) == {"m", "quiet"}
    assert found.loc["quiet", "orders"] == 0 and pd.isna(found.loc["quiet", "recency_days"])


def test_an_order_told_as_an_event_counts_until_the_order_is_there(counter: Any, rows: Any) -> None:
    counter.sell("O-1", "m", ago(30), "tea-a")
    with counter.database.effect() as session:
        session.add(ShopEvent(key="k", member_id="m", kind="order", product_id="tea-a", at=datetime.combine(DAY, time(8)), order_id="O-2", cents=900))
    assert rows().loc["m", ["orders", "spend"]].tolist() == [2, 1900]
    counter.sell("O-2", "m", DAY, "tea-a", cents=900)
    assert rows().loc["m", ["orders", "spend"]].tolist() == [2, 1900]


def test_one_members_row_is_the_row_of_the_batch(shop: Any, tmp_path: Path) -> None:
    today = date(2026, 11, 22)
    with shop.database.read() as session:
        extract.write(session, shop.lake)
        every = History.of(shop.lake).rows(today)
        for member_id in every.index[::67]:
            one = scoring.row(session, shop.lake, member_id, today=today)
            pd.testing.assert_frame_equal(one, every.loc[[member_id]])


def test_spark_gives_the_same_rows(shop: Any, tmp_path: Path) -> None:
    pyspark = pytest.importorskip("pyspark.sql")
    import ibis

    with shop.database.read() as session:
        extract.write(session, shop.lake)
    settings = {
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(tmp_path / "warehouse"),
    }
    builder = pyspark.SparkSession.builder.master("local[2]").appName("patron-test")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    try:
        told = features.rows(lake.connect(shop.lake, ibis.pyspark.connect(session)), as_of=date(2026, 9, 1))
    finally:
        session.stop()
    here = features.rows(lake.connect(shop.lake), as_of=date(2026, 9, 1))
    pd.testing.assert_frame_equal(told[here.columns], here, check_exact=False, rtol=1e-6, atol=1e-5)
    assert len(here) > 500


def test_lines_of_an_order_share_its_discount(counter: Any, rows: Any) -> None:
    counter.sell("O-1", "m", DAY, "tea-a", "tea-b", cents=1000)
    with counter.database.effect() as session:
        order = session.get(Order, "O-1")
        order.discount_cents, order.coupon_code = 300, "C-1"
        session.add(order)
        assert len(session.exec(select(OrderLine)).all()) == 2
    row = rows().loc["m"]
    assert (row.spend, row.discount_share, row.coupon_orders) == (1700, 0.15, 1)
