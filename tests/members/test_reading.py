"""Does a file that cannot be read say so plainly, with nothing written, whatever is wrong with it?"""

import codecs
import contextlib
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from members.errors import BadInput
from members.importers import online_retail, reading
from members.importers.report import Report
from members.tables import ImportRun, Member, Order

HEADER = ",".join(online_retail.COLUMNS)
ROW = "1001,85123A,WHITE HOLDER,10,2010-12-01 08:26:00,2.55,17850,United Kingdom"


def _read(path: Path, *columns: str, **named: Any) -> list[list[Any]]:
    return [row for frame in reading.batches(path, columns, **named) for row in frame.astype(object).to_numpy().tolist()]


def _parquet(folder: Path, rows: int = 3000) -> bytes:
    path = folder / "whole.parquet"
    pd.DataFrame([ROW.split(",")] * rows, columns=HEADER.split(",")).to_parquet(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("shop.csv", None, "no file"),
        ("shop.csv", b"", "is empty"),
        ("shop.csv", b"\n", "lacks the columns"),
        ("shop.csv", HEADER.replace(",UnitPrice", "").encode(), "lacks the column UnitPrice; it has InvoiceNo, StockCode"),
        ("shop.csv", f'{HEADER}\n{ROW}\n1001,"broken'.encode(), "quote may be missing"),
        ("shop.csv", f"{HEADER}\n{ROW}".encode("utf-16")[:-1], "is not utf-16 text"),
        ("shop.pdf", b"%PDF", "cannot be read; use CSV, Parquet or XLSX"),
        ("shop", b"x", "cannot be read"),
        ("shop.parquet", b"PAR1 and no more", "not a whole Parquet file"),
        ("shop.xlsx", b"PK\x03\x04 and no more", "not a whole spreadsheet"),
        ("shop.xlsx", b"no archive at all", "not a whole spreadsheet"),
    ],
)
def test_a_broken_file_is_refused_in_words_and_leaves_no_trace(world: Any, tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=said):
        online_retail.load(world.database, path, world.rules, today=date(2012, 1, 1))
    assert [world.count(table) for table in (Member, Order, ImportRun)] == [0, 0, 0]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_parquet_file_cut_off_anywhere_is_refused(tmp_path: Path, share: float) -> None:
    whole = _parquet(tmp_path)
    path = tmp_path / "cut.parquet"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BadInput, match="not a whole Parquet file"):
        _read(path, "InvoiceNo")
    assert (reading.count_rows(path), reading.count_rows(tmp_path / "whole.parquet")) == (None, 3000)


def test_a_parquet_file_damaged_inside_is_refused(tmp_path: Path) -> None:
    whole = bytearray(_parquet(tmp_path))
    whole[8:200] = b"\xff" * 192
    path = tmp_path / "damaged.parquet"
    path.write_bytes(whole)
    with pytest.raises(BadInput, match="not a whole Parquet file"):
        _read(path, *online_retail.COLUMNS)


@pytest.mark.parametrize("encoding", ["klingon", "utf-16", "ascii"])
def test_an_encoding_named_wrongly_is_bad_input(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes("name,city\nZoë,Århus\n".encode())
    with pytest.raises(BadInput):
        _read(path, "name", encoding=encoding)


def test_only_a_header_is_a_file_without_rows(world: Any, tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text(HEADER)
    report = online_retail.load(world.database, path, world.rules, today=date(2012, 1, 1))
    assert (report.read, report.accepted, world.count(ImportRun)) == (0, 0, 0)


def test_columns_are_found_whatever_their_case_blanks_or_place(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("extra,unit price , invoice_NO\nx,2.5,7\n")
    assert _read(path, "InvoiceNo", "UnitPrice", optional=["Country"]) == [[2, "7", "2.5"]]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_usual_delimiters_are_recognised(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "shop.csv"
    path.write_text(f"a{mark}b\n1{mark}2\n")
    assert _read(path, "a", "b") == [[2, "1", "2"]]


def test_the_line_named_is_the_first_of_a_row_that_spans_several(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text('a,b\n1,"two\nlines"\n\n3,4\n')
    assert _read(path, "a", "b") == [[2, "1", "two\nlines"], [5, "3", "4"]]


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        (codecs.BOM_UTF8 + b"a", "utf-8-sig"),
        ("é".encode("utf-16"), "utf-16"),
        ("plain text".encode("utf-16-le"), "utf-16-le"),
        ("plain text".encode("utf-16-be"), "utf-16-be"),
        ("茶杯".encode(), "utf-8"),
        ("会员编号,姓名,城市".encode("gbk"), "gb18030"),
        ("Café crème à la carte".encode("latin-1"), "cp1252"),
        (b"a\x81b", "latin-1"),
        (b"plain", "utf-8"),
    ],
)
def test_the_encoding_is_guessed_from_marks_and_bytes(tmp_path: Path, raw: bytes, encoding: str) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(raw)
    assert reading.guess_encoding(path) == encoding


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.sampled_from(["csv", "parquet", "xlsx", "ods", "xls"]))
def test_no_bytes_whatever_make_the_reader_fail_in_any_way_but_bad_input(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / f"noise.{kind}"
    path.write_bytes(content if kind != "csv" else b"a,b\n" + content)
    with contextlib.suppress(BadInput):
        _read(path, "a")


def test_text_numbers_and_instants_are_read_and_the_rest_is_absent() -> None:
    text = reading.text_of(pd.Series([" a ", "12.0", None, "nan", "NULL", 3.0, "1.50"], dtype=object))
    assert text.tolist() == ["a", "12", "", "", "", "3", "1.50"]
    numbers = reading.number_of(pd.Series([" 1.5 ", "x", "inf", "1e400", None, "-2"], dtype=object))
    assert numbers.dropna().tolist() == [1.5, -2.0]
    at = reading.instant_of(pd.Series(["2010-12-01", "12/1/2010 8:26", "2010-12-01T08:26:00+01:00", "soon", ""], dtype=object))
    assert [str(t) for t in at] == ["2010-12-01 00:00:00", "2010-12-01 08:26:00", "2010-12-01 07:26:00", "NaT", "NaT"]


# --- the report -------------------------------------------------------------------------


def test_a_report_that_does_not_add_up_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="3 rows read"):
        Report("x", read=3, accepted=1, duplicates=1).check()


def test_rejected_rows_are_written_in_file_order_as_csv(tmp_path: Path) -> None:
    report = Report("x")
    report.reject("b.csv", [9], "price is negative")
    report.reject("a.csv", [7, 3], "user “A” is broken: KeyError(\"name, or 'id'\")")
    report.write_rejects(tmp_path / "rejects.csv")
    rows = pd.read_csv(tmp_path / "rejects.csv")
    assert rows[["file", "line"]].to_numpy().tolist() == [["a.csv", 3], ["a.csv", 7], ["b.csv", 9]]
    assert rows["reason"].tolist() == ["user “A” is broken: KeyError(\"name, or 'id'\")"] * 2 + ["price is negative"]
    assert report.reasons() == {"user": 2, "price is negative": 1}
