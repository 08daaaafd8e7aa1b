"""Does a file in the Online Retail layout become exactly the record it describes, or none at all?"""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from members.database import Database
from members.importers import online_retail
from members.importers.report import Report
from members.tables import ImportRun, Member, Order, OrderLine, PointsEntry, Product, ReturnLine, TierChange, Variant

HEADER = ",".join(online_retail.COLUMNS)
TODAY = date(2012, 1, 1)
RECORD = (Member, Product, Variant, Order, OrderLine, ReturnLine, PointsEntry, TierChange)
REAL = Path(__file__).parents[3] / "shared/data/online_retail/online_retail_2011.parquet"
# A gift shop's week: two orders of one customer, a guest, postage, and part of the second order given back.
WEEK = [
    "1001,85123A,WHITE HOLDER,10,2010-12-01 08:26:00,2.55,17850,United Kingdom",
    "1001,POST,POSTAGE,1,2010-12-01 08:26:00,18,17850,United Kingdom",
    "1002,85123A,WHITE HOLDER,5,2010-12-02 09:00:00,2.55,17850,United Kingdom",
    "1003,71053,LANTERN,2,2010-12-02 10:00:00,3.39,,France",
    "C1004,85123A,WHITE HOLDER,-6,2010-12-03 11:00:00,2.55,17850,United Kingdom",
]


def _csv(folder: Path, *rows: str, name: str = "shop.csv", encoding: str = "utf-8", header: str = HEADER) -> Path:
    path = folder / name
    path.write_bytes("\n".join([header, *rows, ""]).encode(encoding))
    return path


def _load(world: Any, path: Path, **named: Any) -> Report:
    return online_retail.load(world.database, path, world.rules, today=TODAY, **named)


def _record(world: Any) -> dict[str, Any]:
    return {table.__name__: world.rows(table) for table in RECORD}


def _sums(report: Report) -> tuple[int, int, int, int]:
    return report.read, report.accepted, report.rejected, report.duplicates


# --- the week ---------------------------------------------------------------------------


def test_invoices_become_orders_with_lines_charges_and_guests(world: Any, tmp_path: Path) -> None:
    report = _load(world, _csv(tmp_path, *WEEK))
    assert _sums(report) == (5, 5, 0, 0)
    assert sorted([(o["id"], o["member_id"], o["total_cents"], o["shipping_cents"], o["ship_to"]["country"]) for o in world.rows(Order)]) == [
        ("1001", "17850", 4350, 1800, "United Kingdom"),
        ("1002", "17850", 1275, 0, "United Kingdom"),
        ("1003", None, 678, 0, "France"),
    ]
    assert {(line["product_id"], line["kind"]) for line in world.rows(OrderLine)} == {("85123A", "product"), ("POST", "charge"), ("71053", "product")}
    assert sorted((p["id"], p["name_en"]) for p in world.rows(Product)) == [("71053", "Lantern"), ("85123A", "White Holder")]
    assert (report.first_day, report.last_day) == (date(2010, 12, 1), date(2010, 12, 3))


def test_a_return_is_netted_against_the_latest_earlier_purchases(world: Any, tmp_path: Path) -> None:
    later = "1005,85123A,WHITE HOLDER,50,2010-12-04 09:00:00,2.55,17850,United Kingdom"
    report = _load(world, _csv(tmp_path, *WEEK, later))
    returned = {line["order_id"]: line["returned"] for line in world.rows(OrderLine) if line["product_id"] == "85123A"}
    assert returned == {"1001": 1, "1002": 5, "1005": 0}
    assert [(r["order_id"], r["quantity"], r["refund_cents"]) for r in world.rows(ReturnLine)] == [("1002", 6, 1530)]
    assert (report.totals["returns netted"], report.totals["returns without their order"]) == (1, 0)


def test_a_return_without_an_earlier_purchase_is_kept_by_itself(world: Any, tmp_path: Path) -> None:
    report = _load(world, _csv(tmp_path, WEEK[4], "1005,85123A,WHITE HOLDER,50,2010-12-04 09:00:00,2.55,17850,United Kingdom"))
    assert report.totals["returns without their order"] == 1
    assert (world.rows(ReturnLine)[0]["order_id"], world.rows(OrderLine)[0]["returned"]) == (None, 0)


def test_points_follow_the_orders_and_their_returns(world: Any, tmp_path: Path) -> None:
    _load(world, _csv(tmp_path, *WEEK))
    assert world.guard("17850") == 25 + 12 - 15 == world.balance("17850", date(2010, 12, 31))


def test_the_same_week_is_the_same_record_on_postgres(world: Any, postgres: Database, world_of: Any, tmp_path: Path) -> None:
    path, other = _csv(tmp_path, *WEEK), world_of(postgres)
    assert _sums(_load(world, path)) == _sums(_load(other, path))
    assert _record(world) == _record(other)


def test_a_character_that_is_no_text_does_not_stop_the_import(either: Database, world_of: Any, tmp_path: Path) -> None:
    assert _load(world_of(either), _csv(tmp_path, WEEK[0].replace("HOLDER", "HOL\0DER"), WEEK[2])).accepted == 1


# --- again ------------------------------------------------------------------------------


def test_importing_twice_changes_nothing(world: Any, tmp_path: Path) -> None:
    path = _csv(tmp_path, *WEEK)
    _load(world, path)
    before = _record(world)
    assert _sums(_load(world, path)) == (5, 0, 0, 5)
    assert _record(world) == before
    assert world.count(ImportRun) == 1


def test_in_two_parts_it_is_the_same_record_as_at_once(world: Any, postgres: Database, world_of: Any, tmp_path: Path) -> None:
    _load(world, _csv(tmp_path, *WEEK[:1]))
    assert _sums(_load(world, _csv(tmp_path, *WEEK))) == (5, 4, 0, 1)
    other = world_of(postgres)
    _load(other, _csv(tmp_path, *WEEK))
    assert _record(world) == _record(other)


def test_an_older_file_imported_later_leaves_the_newer_orders_their_points(world: Any, tmp_path: Path) -> None:
    _load(world, _csv(tmp_path, WEEK[2]))
    _load(world, _csv(tmp_path, WEEK[0]))
    assert world.guard("17850") == 25 + 12


def test_rows_that_agree_in_every_column_count_once(world: Any, tmp_path: Path) -> None:
    other = WEEK[0].replace(",10,", ",11,")
    assert _sums(_load(world, _csv(tmp_path, WEEK[0], WEEK[0], other, WEEK[0]))) == (4, 2, 0, 2)
    assert world.rows(Order)[0]["total_cents"] == 21 * 255


# --- rows that make no sense ------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",85123A,X,1,2010-12-01,1,17850,UK", "no invoice number"),
        ("1,,X,1,2010-12-01,1,17850,UK", "no stock code"),
        ("1,85123A,X,1.5,2010-12-01,1,17850,UK", "quantity is not a whole number"),
        ("1,85123A,X,many,2010-12-01,1,17850,UK", "quantity is not a whole number"),
        ("1,85123A,X,0,2010-12-01,1,17850,UK", "quantity is zero"),
        ("1,85123A,X,99999999,2010-12-01,1,17850,UK", "quantity is out of bounds"),
        ("1,85123A,X,1,2010-12-01,NaN,17850,UK", "price is not a number"),
        ("1,85123A,X,1,2010-12-01,inf,17850,UK", "price is not a number"),
        ("1,85123A,X,1,2010-12-01,,17850,UK", "price is not a number"),
        ("1,85123A,X,1,2010-12-01,-1,17850,UK", "price is negative"),
        ("1,85123A,X,1,2010-12-01,99999999,17850,UK", "price is out of bounds"),
        ("1,85123A,X,1,1900-01-01,1,17850,UK", "date lies before"),
        ("1,85123A,X,1,9999-12-31,1,17850,UK", "date lies before"),
        ("1,85123A,X,1,2012-01-05,1,17850,UK", "date lies before"),
        ("1,85123A,X,1,yesterday,1,17850,UK", "date cannot be read"),
        ("1,85123A,X,1,,1,17850,UK", "date cannot be read"),
        ("1,85123A,X,5,2010-12-01,0,,UK", "no price and no customer"),
        ("1,85123A,X,-5,2010-12-01,1,17850,UK", "negative quantity outside a cancellation"),
        ("C1,85123A,X,5,2010-12-01,1,17850,UK", "positive quantity on a cancellation"),
        ("1,85123A,X,1,2010-12-01", "price is not a number"),
        ("1,85123A,X,1,2010-12-01,1,17850,UK,surplus", "no invoice number"),
    ],
)
def test_a_row_that_makes_no_sense_is_listed_with_line_and_reason_and_the_others_are_kept(world: Any, tmp_path: Path, row: str, reason: str) -> None:
    report = _load(world, _csv(tmp_path, '1001,85123A,"WHITE\nHOLDER",10,2010-12-01 08:26:00,2.55,17850,United Kingdom', row, WEEK[2]))
    assert _sums(report) == (3, 2, 1, 0)
    assert [(r.line, r.reason.startswith(reason)) for r in report.rejects] == [(4, True)]
    assert "WHITE\nHOLDER" in {line["description"] for line in world.rows(OrderLine)}


# --- files ------------------------------------------------------------------------------


@pytest.mark.parametrize("newline_marks", ["", "\ufeff"])
@pytest.mark.parametrize(
    ("encoding", "said"),
    [("latin-1", "CAFÉ MUG £5"), ("cp1252", "“CAFÉ” – €5"), ("utf-8", "CAFÉ 茶杯"), ("utf-16", "CAFÉ 茶杯"), ("gb18030", "白色陶瓷茶杯礼盒")],
)
def test_text_is_read_in_the_encoding_it_was_written_in(world: Any, tmp_path: Path, encoding: str, said: str, newline_marks: str) -> None:
    mark = newline_marks if encoding == "utf-8" else ""
    _load(world, _csv(tmp_path, f"1001,85123A,{said},1,2010-12-01,1,17850,UK", encoding=encoding, header=mark + HEADER))
    assert world.rows(OrderLine)[0]["description"] == said


@pytest.mark.parametrize("step", ["reading", "writing", "points"])
def test_an_import_that_fails_on_the_way_leaves_nothing(world: Any, tmp_path: Path, step: str) -> None:
    def fail(at: str, done: int, total: int | None) -> None:
        if at == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _load(world, _csv(tmp_path, *WEEK), progress=fail)
    assert sum(world.count(table) for table in (*RECORD, ImportRun)) == 0


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.parent.is_dir(), reason="no shared data")
def test_the_real_file_has_the_known_sums(world: Any) -> None:
    report = _load(world, REAL)
    assert _sums(report) == (541_909, 534_169, 2_477, 5_263)
    counted = [report.totals[name] for name in ("members", "orders", "order lines", "returns netted", "returns without their order")]
    assert counted == [4_372, 19_964, 524_918, 7_541, 1_710]
