"""Does any shop's own export become a record by its mapping, with every row judged?"""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from members import lake
from members.errors import BadInput
from members.importers import mapping
from members.importers.report import Report
from members.tables import Consent, Contact, ImportRun, Member, Order, OrderLine, PointsEntry, Product, Review, TierChange, Variant

EXAMPLE = Path(__file__).parents[2] / "docs/examples/own-shop/mapping.toml"
TODAY = date(2026, 9, 1)
RECORD = (Member, Contact, Consent, Product, Variant, Order, OrderLine, Review, PointsEntry, TierChange)
FILES = {
    "members": "id,name,birthday,joined_on,email,phone,consent_email\nM1,Ada,1990-02-28,2025-01-01,Ada@X.org,+44 77,yes\nM2,Bo,,,,,\n",
    "products": "id,name_en,category,price,stock,tags_en,warranty_months\nP1,Board,home,28.50,5,oak; wood,24\nP2,Sencha,tea,10,,,\n",
    "orders": "id,member_id,ordered_at,status,discount,shipping\nO1,M1,2026-03-02 10:15,delivered,1.00,3.95\nO2,,2026-03-03,Pending,,\n",
    "lines": "order_id,product_id,quantity,unit_price\nO1,P1,2,28.50\nO2,P2,1,10\n",
    "events": "member_id,kind,product_id,at\nM1,view,P1,2026-03-01 09:00\nM1,search,,2026-03-01 09:01\n",
    "reviews": "member_id,product_id,rating,text,written_on\nM1,P1,4,Good,2026-03-20\nM2,P1,5,,\n",
}
KEYS = {name: text.split("\n")[0].split(",") for name, text in FILES.items()}


def _shop(folder: Path, *, suffix: str = "csv", extra: str = "", **changed: str) -> Path:
    """The small shop above as files; a changed table is written in place of the old one."""
    folder.mkdir(exist_ok=True)
    toml = []
    for name, text in {**FILES, **changed}.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        columns = "\n".join(f'{key} = "{key}"' for key in KEYS[name])
        toml.append(f'[{name}]\nfile = "{name}.{suffix}"\n{extra}\n[{name}.columns]\n{columns}\n')
    (folder / "mapping.toml").write_text("\n".join(toml), encoding="utf-8")
    return folder / "mapping.toml"


def _load(world: Any, path: Path, **named: Any) -> Report:
    return mapping.load(world.database, path, world.rules, today=TODAY, lake_folder=path.parent / "lake", **named)


def _record(world: Any) -> list[Any]:
    return [world.rows(table) for table in RECORD]


# --- what becomes of the files ----------------------------------------------------------


def test_the_example_in_the_documents_is_imported(world: Any, tmp_path: Path) -> None:
    report = mapping.load(world.database, EXAMPLE, world.rules, today=TODAY, lake_folder=tmp_path)
    assert (report.read, report.accepted, report.rejects) == (17, 17, [])
    assert [world.count(table) for table in (Member, Product, Order, OrderLine, Review)] == [3, 3, 3, 4, 1]
    assert {order["id"]: order["total_cents"] for order in world.rows(Order)} == {"9001": 5225, "9002": 4800, "9003": 3245}
    assert [world.guard(member_id) for member_id in ("C100", "C101", "C102")] == [96, 0, 28]
    assert {c["value"] for c in world.rows(Contact)} >= {"maeve@example.org", "447700900123", "13800004821"}
    assert sorted((c["member_id"], c["granted"]) for c in world.rows(Consent)) == [("C100", True), ("C101", False), ("C102", True)]
    assert lake.recent(tmp_path, "C102", until=datetime(2026, 9, 1))[0] == (datetime(2026, 8, 9, 8, 3), "cart", "A1")


def test_empty_cells_stay_empty_and_numbers_keep_their_unit(world: Any, tmp_path: Path) -> None:
    report = _load(world, _shop(tmp_path))
    assert (report.read, report.accepted, report.rejects) == (12, 12, [])
    assert (world.of("M1").birthday, world.of("M2").birthday, world.of("M2").joined_on) == (date(1990, 2, 28), None, None)
    assert sorted((v["id"], v["price_cents"], v["stock"]) for v in world.rows(Variant)) == [("P1", 2850, 5), ("P2", 1000, None)]
    assert sorted((p["id"], p["tags_en"], p["warranty_months"], p["rating"], p["rating_count"]) for p in world.rows(Product)) == [
        ("P1", ["oak", "wood"], 24, 4.5, 2),
        ("P2", [], None, None, 0),
    ]
    assert sorted((o["id"], o["member_id"], o["status"], o["total_cents"]) for o in world.rows(Order)) == [
        ("O1", "M1", "delivered", 5995),
        ("O2", None, "pending", 1000),
    ]
    assert [(c["member_id"], c["granted"]) for c in world.rows(Consent)] == [("M1", True)]
    assert world.guard("M1") == 56


def test_importing_twice_changes_nothing(world: Any, tmp_path: Path) -> None:
    path = _shop(tmp_path)
    _load(world, path)
    before, held = _record(world), sorted(p.name for p in (tmp_path / "lake").iterdir())
    again = _load(world, path)
    assert (again.read, again.accepted, again.duplicates) == (12, 0, 12)
    assert (_record(world), sorted(p.name for p in (tmp_path / "lake").iterdir())) == (before, held)
    assert world.count(ImportRun) == 1


def test_a_later_export_adds_what_is_new_and_its_points(world: Any, tmp_path: Path) -> None:
    _load(world, _shop(tmp_path))
    more = {"orders": FILES["orders"] + "O3,M1,2026-05-01,delivered,,\n", "lines": FILES["lines"] + "O3,P2,3,10\n"}
    again = _load(world, _shop(tmp_path, **more))
    assert (again.accepted, again.duplicates) == (2, 12)
    assert world.guard("M1") == 56 + 60


def test_the_same_files_are_the_same_record_on_postgres(world: Any, postgres: Any, world_of: Any, tmp_path: Path) -> None:
    other = world_of(postgres)
    for database, folder in ((world, tmp_path / "a"), (other, tmp_path / "b")):
        _load(database, _shop(folder))
    assert _record(world) == _record(other)


def test_parquet_gives_the_same_record_as_csv(world: Any, sqlite: Any, world_of: Any, tmp_path: Path) -> None:
    path = _shop(tmp_path, suffix="parquet")
    for name in FILES:
        pd.read_csv(tmp_path / f"{name}.csv", dtype=str).to_parquet(tmp_path / f"{name}.parquet")
    _load(world, path)
    assert _load(world, _shop(tmp_path)).duplicates == 12


def test_decimals_dates_and_encodings_of_other_countries_are_read_as_told(world: Any, tmp_path: Path) -> None:
    path = _shop(tmp_path, extra='decimal = ","\ndate_format = "%d.%m.%Y"\nencoding = "gb18030"')
    tables = {
        "members": "id;name;birthday;joined_on;email;phone;consent_email\nM1;陈雨桐;28.02.1990;;;;是\n",
        "products": 'id;name_en;category;price;stock;tags_en;warranty_months\nP1;Board;home;"1.028,50";;;\n',
        "orders": "id;member_id;ordered_at;status;discount;shipping\nO1;M1;02.03.2026;;;\n",
    }
    for name, text in {**{name: KEYS[name][0] for name in FILES}, **tables}.items():
        (tmp_path / f"{name}.csv").write_bytes((text if name in tables else ";".join(KEYS[name])).encode("gb18030"))
    report = _load(world, path)
    assert (report.accepted, report.rejects) == (3, [])
    assert (world.of("M1").name, world.of("M1").birthday, world.rows(Variant)[0]["price_cents"]) == ("陈雨桐", date(1990, 2, 28), 102_850)
    assert (world.rows(Order)[0]["ordered_at"], world.rows(Order)[0]["status"]) == (datetime(2026, 3, 2), "delivered")


def test_a_failure_on_the_way_leaves_nothing(world: Any, tmp_path: Path) -> None:
    (path := _shop(tmp_path)).parent.joinpath("reviews.csv").unlink()
    with pytest.raises(BadInput, match="no file"):
        _load(world, path)
    assert sum(world.count(table) for table in (*RECORD, ImportRun)) == 0
    assert not (tmp_path / "lake").exists()


# --- rows -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "row", "reason"),
    [
        ("members", ",Cy,,,,,", "id is empty"),
        ("members", "M1,Somebody else,,,,,", "the same id as line 2, with other values"),
        ("members", "M3,Cy,1900-01-01,,,,", "birthday is not a date of birth"),
        ("members", "M3,Cy,2030-01-01,,,,", "birthday is not a date of birth"),
        ("members", "M3,Cy,,soon,,,", "joined_on is not a date"),
        ("members", "M3,Cy,,,,,perhaps", "consent_email is neither yes nor no"),
        ("members", "M3,Cy\0,,,,,", "name holds characters that are no text"),
        ("members", "M3,Cy", "the row does not have as many cells"),
        ("members", "M3,Cy,,,,,,,,", "the row does not have as many cells"),
        ("products", "P3,Mug,home,,,,", "price is empty"),
        ("products", "P3,Mug,home,-1,,,", "price is not an amount"),
        ("products", "P3,Mug,home,NaN,,,", "price is empty"),
        ("products", "P3,Mug,home,1e12,,,", "price is not an amount"),
        ("products", "P3,Mug,home,1,1.5,,", "stock is not a whole number"),
        ("products", "P3,Mug,home,1,,,-2", "warranty_months is not a whole number"),
        ("orders", "O3,M9,2026-03-02,,,", "member_id is not a known member"),
        ("orders", "O3,M1,1900-01-01,,,", "ordered_at is not a date"),
        ("orders", "O3,M1,9999-12-31,,,", "ordered_at is not a date"),
        ("orders", "O3,M1,,,,", "ordered_at is empty"),
        ("orders", "O3,M1,2026-03-02,lost,,", "status is none of"),
        ("orders", "O3,M1,2026-03-02,,-1,", "discount is not an amount"),
        ("lines", "O9,P1,1,1", "order_id is not a known order"),
        ("lines", "O1,P9,1,1", "product_id is not a known product"),
        ("lines", "O1,P1,0,1", "quantity is not a whole number"),
        ("lines", "O1,P1,1,free", "unit_price is not an amount"),
        ("events", "M1,dance,,2026-03-01", "kind is none of"),
        ("events", "M9,view,,2026-03-01", "member_id is not a known member"),
        ("reviews", "M1,P2,6,,", "rating is not a rating"),
        ("reviews", "M1,P2,4.5,,", "rating is not a rating"),
        ("reviews", "M9,P2,4,,", "member_id or product_id is not known"),
    ],
)
def test_a_row_that_makes_no_sense_is_listed_and_the_others_are_kept(world: Any, tmp_path: Path, table: str, row: str, reason: str) -> None:
    report = _load(world, _shop(tmp_path, **{table: f"{FILES[table]}{row}\n"}))
    assert [(r.file, r.line, r.reason[: len(reason)]) for r in report.rejects] == [(f"{table}.csv", 4, reason)]
    assert (report.read, report.accepted) == (13, 12)


def test_a_row_said_twice_is_a_duplicate_but_two_equal_lines_are_two(world: Any, tmp_path: Path) -> None:
    report = _load(world, _shop(tmp_path, members=FILES["members"] + "M2,Bo,,,,,\n", lines=FILES["lines"] + "O2,P2,1,10\n"))
    assert (report.duplicates, report.accepted, world.count(OrderLine)) == (1, 13, 3)


def test_events_without_a_folder_for_them_are_refused_and_leave_nothing(world: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="lake_folder"):
        mapping.load(world.database, _shop(tmp_path), world.rules, today=TODAY)
    assert sum(world.count(table) for table in RECORD) == 0


def test_an_absent_value_in_parquet_is_no_missing_cell(world: Any, tmp_path: Path) -> None:
    path = _shop(tmp_path, suffix="parquet")
    for name in FILES:
        pd.read_csv(tmp_path / f"{name}.csv", dtype=str).to_parquet(tmp_path / f"{name}.parquet")
    report = _load(world, path)
    assert (report.accepted, report.rejects) == (12, [])


# --- the mapping itself -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no mapping"),
        ("", "tables none"),
        ("[members", "not a TOML file"),
        ("[people]\nfile = 'x.csv'", "tables people"),
        ("[members]\n[members.columns]\nid = 'id'", "needs `file`"),
        ("[members]\nfile = 'members.csv'", "missing fields: id"),
        ("[members]\nfile = 'members.csv'\n[members.columns]\nid = 'id'\nshoe_size = 'x'", "unknown fields: shoe_size"),
        ("[members]\nfile = 'members.csv'\n[members.columns]\nid = 'number'", "lacks the column number"),
        ("[members]\nfile = 'members.csv'\nencoding = 'klingon'\n[members.columns]\nid = 'id'", "klingon"),
        ("members = 'members.csv'", "members"),
        ("[members]\nfile = 'members.csv'\ncolumns = 'id'", "members"),
        ("[members]\nfile = 'members.csv'\n[members.columns]\nid = 3", "members"),
        ("[members]\nfile = 'members.csv'\ndate_format = '%Q'\n[members.columns]\nid = 'id'", "date_format"),
        ("[members]\nfile = 'members.csv'\ndecimal = 5\n[members.columns]\nid = 'id'", "decimal must be text"),
        ("[members]\nfile = '.'\n[members.columns]\nid = 'id'", "no file"),
    ],
)
def test_a_mapping_that_cannot_be_used_says_why(world: Any, tmp_path: Path, text: str | None, said: str) -> None:
    path = _shop(tmp_path)
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(BadInput, match=said):
        _load(world, path)
    assert world.count(Member) == 0
