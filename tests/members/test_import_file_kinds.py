"""Are CSV, Parquet and XLSX files of the same rows the same record?"""

import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pandas as pd
import pytest

from members.importers import online_retail
from members.tables import Member, Order, OrderLine, PointsEntry, Product, ReturnLine, Variant

WEEK = [
    "1001,85123A,WHITE HOLDER,10,2010-12-01 08:26:00,2.55,17850,United Kingdom",
    "1001,POST,POSTAGE,1,2010-12-01 08:26:00,18,17850,United Kingdom",
    "1003,71053,LANTERN,2,2010-12-02 10:00:00,3.39,,France",
    "C1004,85123A,WHITE HOLDER,-6,2010-12-03 11:00:00,2.55,17850,United Kingdom",
]
RECORD = (Member, Product, Variant, Order, OrderLine, ReturnLine, PointsEntry)


def _sums_of(world: Any, path: Path) -> tuple[int, int, int, int]:
    report = online_retail.load(world.database, path, world.rules, today=date(2012, 1, 1))
    return report.read, report.accepted, report.rejected, report.duplicates


def _xlsx(path: Path, rows: list[list[Any]]) -> Path:
    def cell(value: Any) -> str:
        if isinstance(value, datetime):
            return f'<c s="1"><v>{(value - datetime(1899, 12, 30)).total_seconds() / 86_400!r}</v></c>'
        if isinstance(value, int | float):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>' if value else "<c/>"

    main, office = "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    kinds, links = "application/vnd.openxmlformats-officedocument.spreadsheetml", "http://schemas.openxmlformats.org/package/2006"
    sheet = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{links}/content-types">'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/><Override PartName="/xl/s.xml" ContentType="{kinds}.worksheet+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{kinds}.styles+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{links}/relationships">'
        f'<Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{links}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="s.xml"/>'
        f'<Relationship Id="r2" Type="{office}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>',
        "xl/s.xml": f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as book:
        for name, text in parts.items():
            book.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')
    return path


def _week_as(kind: str, folder: Path) -> Path:
    if kind == "csv":
        path = folder / "week.csv"
        path.write_text("\n".join([",".join(online_retail.COLUMNS), *WEEK, ""]))
        return path
    cells = [row.split(",") for row in WEEK]
    rows = [
        [int(i) if i.isdigit() else i, c, d, int(q), datetime.fromisoformat(at), float(p), int(m) if m else None, land] for i, c, d, q, at, p, m, land in cells
    ]
    if kind == "xlsx":
        return _xlsx(folder / "week.xlsx", [list(online_retail.COLUMNS), *[[cell if cell is not None else "" for cell in row] for row in rows]])
    frame = pd.DataFrame(rows, columns=list(online_retail.COLUMNS)).astype({"InvoiceNo": str})
    frame.to_parquet(folder / "week.parquet")
    return folder / "week.parquet"


@pytest.mark.parametrize("kind", ["parquet", "xlsx"])
def test_the_same_rows_in_another_kind_of_file_are_known_already(world: Any, tmp_path: Path, kind: str) -> None:
    assert _sums_of(world, _week_as("csv", tmp_path)) == (4, 4, 0, 0)
    assert _sums_of(world, _week_as(kind, tmp_path)) == (4, 0, 0, 4)


@pytest.mark.parametrize("kind", ["parquet", "xlsx"])
def test_every_kind_of_file_alone_gives_the_same_record_as_csv(world: Any, postgres: Any, world_of: Any, tmp_path: Path, kind: str) -> None:
    other = world_of(postgres)
    _sums_of(other, _week_as("csv", tmp_path))
    assert _sums_of(world, _week_as(kind, tmp_path)) == (4, 4, 0, 0)
    assert [world.rows(table) for table in RECORD] == [other.rows(table) for table in RECORD]
