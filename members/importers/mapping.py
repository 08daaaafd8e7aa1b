"""How does any shop's own export become a record?

A TOML file says which file and column holds which of our fields, and what the
file's own words mean in ours; this module reads the files in the order members, products, orders, lines, events, reviews,
judges every row, and writes all of it in one transaction.
"""

import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import insert
from sqlmodel import Session, col, func, select, update

from members import lake, replay
from members.database import Database
from members.errors import BadInput
from members.importers import reading, records
from members.importers.report import Progress, Report, silent
from members.program import Program
from members.tables import Consent, Contact, Member, Order, OrderLine, Product, Review, Variant

_OPTIONS = ("encoding", "language", "decimal", "date_format")
_EARLIEST, _OLDEST_BIRTH = date(1990, 1, 1), date(1901, 1, 1)


@dataclass(frozen=True)
class Field:
    """One of our fields: its kind, and whether a row without it is rejected."""

    kind: str = "text"
    required: bool = False


_T, _ID = Field(), Field("text", True)
FIELDS: dict[str, dict[str, Field]] = {
    "members": {
        "id": _ID,
        "name": _T,
        "email": _T,
        "phone": _T,
        "language": _T,
        "birthday": Field("birthday"),
        "joined_on": Field("day"),
        "city": _T,
        "country": _T,
        "consent_email": Field("flag"),
        "consent_sms": Field("flag"),
        "consent_wechat": Field("flag"),
        "consent_phone": Field("flag"),
    },
    "products": {
        "id": _ID,
        "name_en": _T,
        "name_zh": _T,
        "description_en": _T,
        "description_zh": _T,
        "category": _T,
        "price": Field("money", True),
        "stock": Field("count"),
        "tags_en": _T,
        "tags_zh": _T,
        "warranty_months": Field("count"),
    },
    "orders": {
        "id": _ID,
        "member_id": _T,
        "ordered_at": Field("instant", True),
        "status": _T,
        "discount": Field("money"),
        "shipping": Field("money"),
        "channel": _T,
    },
    "lines": {"order_id": _ID, "product_id": _ID, "variant_id": _T, "description": _T, "quantity": Field("whole", True), "unit_price": Field("money", True)},
    "events": {"member_id": _ID, "kind": _ID, "product_id": _T, "at": Field("instant", True)},
    "reviews": {"member_id": _ID, "product_id": _ID, "rating": Field("rating", True), "text": _T, "written_on": Field("day")},
}
STATUSES = ("pending", "processed", "shipped", "delivered", "cancelled", "returned")
_UNIQUE = {
    "members": ("id",),
    "products": ("id",),
    "orders": ("id",),
    "lines": (),
    "events": ("member_id", "kind", "product_id", "at"),
    "reviews": ("member_id", "product_id", "written_on"),
}
_YES, _NO = {"1", "true", "yes", "y", "是", "t"}, {"0", "false", "no", "n", "否", "f", ""}


def load(
    database: Database, path: Path, rules: Program, *, today: date, encoding: str | None = None, progress: Progress = silent, lake_folder: Path | None = None
) -> Report:
    """Import every file the mapping at `path` names, whole or not at all.

    Raises BadInput for a broken mapping, an unreadable file, a missing column, or events without a folder for them.
    """
    tables = read_mapping(path)
    report = Report("mapping")
    events: list[pd.DataFrame] = []
    with database.effect() as session:
        for name in FIELDS:
            if name in tables:
                _load_table(session, name, tables[name], path.parent, report, today, encoding, progress, events, lake_folder)
        touched = sorted(set(session.info.get("touched", ())))
        report.totals["points entries"] = replay.replay(session, touched, rules, until=today, progress=lambda n: progress("points", n, len(touched)))
        report.check()
        if report.accepted:
            session.add(report.run(path.name))
        if events and lake_folder:
            lake.write_events(lake_folder, pd.concat(events))
    return report


def read_mapping(path: Path) -> dict[str, dict[str, Any]]:
    """The mapping's tables. Raises BadInput naming what is unknown or missing in it."""
    if not path.is_file():
        raise BadInput(f"There is no mapping {path}.")
    try:
        tables: dict[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise BadInput(f"{path.name} is not a TOML file: {error}") from error
    unknown = set(tables) - set(FIELDS)
    if unknown or not tables:
        raise BadInput(f"{path.name} has the tables {', '.join(sorted(unknown)) or 'none'}; known are {', '.join(FIELDS)}.")
    for name, table in tables.items():
        _must_be_typed(path.name, name, table)
        columns = table.get("columns", {})
        extra, lacking = set(columns) - set(FIELDS[name]), [f for f, spec in FIELDS[name].items() if spec.required and f not in columns]
        if "file" not in table or extra or lacking:
            raise BadInput(
                f"{path.name}, [{name}]: needs `file`; unknown fields: {', '.join(sorted(extra)) or 'none'}; missing fields: {', '.join(lacking) or 'none'}."
            )
    return tables


def _must_be_typed(file: str, name: str, table: Any) -> None:
    if not isinstance(table, dict) or not isinstance(table.get("columns", {}), dict):
        raise BadInput(f"{file}: [{name}] and [{name}.columns] must be tables.")
    columns, values = table.get("columns", {}), table.get("values", {})
    told = {**{key: table[key] for key in ("file", *_OPTIONS) if key in table}, **columns}
    wrong = [key for key, value in told.items() if not isinstance(value, str) and not (key in columns and _is_texts(value, FIELDS[name].get(key)))]
    if wrong:
        raise BadInput(f"{file}, [{name}]: {', '.join(wrong)} must be text.")
    if not isinstance(values, dict) or any(
        key not in columns or not isinstance(words, dict) or not _is_texts([*words.values()]) for key, words in values.items()
    ):
        raise BadInput(f"{file}: [{name}.values] needs a table of words for each field, and only for fields in [{name}.columns].")
    try:
        reading.instant_of(pd.Series([""]), table.get("date_format"))
    except ValueError as error:
        raise BadInput(f"{file}, [{name}]: date_format cannot be used: {error}") from error


def _is_texts(value: Any, spec: Field | None = Field()) -> bool:
    """Whether it is a list of texts; several columns can only be joined to a text."""
    return spec is not None and spec.kind == "text" and isinstance(value, list) and all(isinstance(part, str) for part in value)


# --- one table --------------------------------------------------------------------------


def _load_table(
    session: Session,
    name: str,
    table: dict[str, Any],
    folder: Path,
    report: Report,
    today: date,
    encoding: str | None,
    progress: Progress,
    events: list[pd.DataFrame],
    lake_folder: Path | None,
) -> None:
    path = folder / str(table["file"])
    columns = {field: [told] if isinstance(told, str) else told for field, told in table["columns"].items()}
    names = list(dict.fromkeys(name for told in columns.values() for name in told))
    seen: dict[tuple[Any, ...], tuple[int, Any]] = {}
    write = _Writer(session, report, table, events, lake_folder)
    done, total = 0, reading.count_rows(path)
    batches = records.batches if path.suffix.lower() in records.KINDS else reading.batches
    for frame in batches(path, names, encoding=encoding or table.get("encoding")):
        report.read += len(frame)
        rows = _judge(frame, name, columns, table, path, report, today)
        fresh = list(_once(rows, _UNIQUE[name], seen, report, path.name))
        getattr(write, name)(fresh, path.name)
        progress(name, done := done + len(frame), total)


def _judge(
    frame: pd.DataFrame, name: str, columns: dict[str, list[str]], table: dict[str, Any], path: Path, report: Report, today: date
) -> list[dict[str, Any]]:
    """Typed rows of those that make sense; the first reason found rejects a row."""
    values, left = {"line": frame[reading.LINE]}, pd.Series(True, index=frame.index)
    misshapen = reading.misshapen(path, frame)
    report.reject(path.name, frame.loc[misshapen, reading.LINE], "the row does not have as many cells as the header")
    left &= ~misshapen
    for field, told in columns.items():
        spec, column = FIELDS[name][field], " and ".join(told)
        cells = _cells(frame, told, table.get("values", {}).get(field, {}))
        read, wrong = _READERS[spec.kind](cells, table, today)
        absent = reading.text_of(cells) == ""
        bad = (absent & spec.required) | (wrong & ~absent)
        for reason, mask in ((f"{column} is empty", absent & spec.required), (f"{column} {_WANTED[spec.kind]}", wrong & ~absent)):
            report.reject(path.name, frame.loc[left & mask, reading.LINE], reason)
            left &= ~mask
        values[field] = read.where(~(absent | bad), None) if spec.kind != "text" else read
    typed = pd.DataFrame(values)[left].astype(object)
    return [{str(k): (None if v is not None and v != v else v) for k, v in row.items()} for row in typed.to_dict("records")]


def _cells(frame: pd.DataFrame, columns: list[str], words: dict[str, str]) -> "pd.Series[Any]":
    """A field's cells: one column or several joined, the file's own words put into ours."""
    parts = [reading.text_of(frame[name]).replace(words) if words else frame[name] for name in columns]
    if len(parts) == 1:
        return parts[0]
    texts = pd.concat([reading.text_of(part) for part in parts], axis=1)
    return texts.apply(lambda row: ", ".join(text for text in row if text), axis=1).astype(object)


def _once(
    rows: list[dict[str, Any]], unique: tuple[str, ...], seen: dict[tuple[Any, ...], tuple[int, Any]], report: Report, file: str
) -> Iterator[dict[str, Any]]:
    for row in rows:
        line = row.pop("line")
        key = tuple(row.get(name) for name in unique)
        first = seen.get(key) if unique else None
        if first is None:
            seen[key] = (line, row) if unique else (0, None)
            yield {**row, "line": line}
        elif first[1] == row:
            report.duplicates += 1
        else:
            report.reject(file, [line], f"the same {' and '.join(unique)} as line {first[0]}, with other values")


# --- reading one cell -------------------------------------------------------------------


def _decimal(values: "pd.Series[Any]", table: dict[str, Any]) -> "pd.Series[Any]":
    if values.dtype != object or table.get("decimal", ".") == ".":
        return values
    return values.astype(str).str.replace(".", "", regex=False).str.replace(",", ".", regex=False)


def _money(values: "pd.Series[Any]", table: dict[str, Any], _: date) -> tuple[Any, Any]:
    numbers = reading.number_of(_decimal(values, table))
    return (numbers * 100).round().astype("Int64"), numbers.isna() | (numbers < 0) | (numbers > 1e8)


def _whole(least: int, most: float) -> Callable[..., tuple[Any, Any]]:
    def read(values: "pd.Series[Any]", table: dict[str, Any], _: date) -> tuple[Any, Any]:
        numbers = reading.number_of(_decimal(values, table))
        wrong = numbers.isna() | (numbers % 1 != 0) | (numbers < least) | (numbers > most)
        return numbers.where(~wrong).astype("Int64"), wrong

    return read


def _instant(earliest: date, ahead_days: int, *, whole_day: bool) -> Callable[..., tuple[Any, Any]]:
    def read(values: "pd.Series[Any]", table: dict[str, Any], today: date) -> tuple[Any, Any]:
        at = reading.instant_of(values, table.get("date_format"))
        wrong = at.isna() | (at < pd.Timestamp(earliest)) | (at > pd.Timestamp(today) + timedelta(days=ahead_days))
        python = pd.Series(
            [None if bad else (t.date() if whole_day else t.to_pydatetime()) for t, bad in zip(at, wrong, strict=True)], index=at.index, dtype=object
        )
        return python, wrong

    return read


def _flag(values: "pd.Series[Any]", _: dict[str, Any], __: date) -> tuple[Any, Any]:
    text = reading.text_of(values).str.lower()
    return text.isin(_YES), ~text.isin(_YES | _NO)


def _text(values: "pd.Series[Any]", _: dict[str, Any], __: date) -> tuple[Any, Any]:
    text = reading.text_of(values)
    return text, text.str.contains("\x00", regex=False)


_READERS: dict[str, Callable[..., tuple[Any, Any]]] = {
    "text": _text,
    "money": _money,
    "whole": _whole(1, 1e7),
    "count": _whole(0, 1e9),
    "rating": _whole(1, 5),
    "flag": _flag,
    "instant": _instant(_EARLIEST, 2, whole_day=False),
    "day": _instant(_EARLIEST, 2, whole_day=True),
    "birthday": _instant(_OLDEST_BIRTH, 0, whole_day=True),
}
_WANTED = {
    "text": "holds characters that are no text",
    "money": "is not an amount of zero or more",
    "whole": "is not a whole number from 1",
    "count": "is not a whole number from 0",
    "rating": "is not a rating from 1 to 5",
    "flag": "is neither yes nor no",
    "instant": "is not a date between 1990 and now",
    "day": "is not a date between 1990 and now",
    "birthday": "is not a date of birth",
}


# --- writing ----------------------------------------------------------------------------


class _Writer:
    """Writes judged rows of each table; what was known before counts as duplicate."""

    def __init__(self, session: Session, report: Report, table: dict[str, Any], events: list[pd.DataFrame], lake_folder: Path | None) -> None:
        self.session, self.report, self.table, self.event_frames, self.lake_folder = session, report, table, events, lake_folder
        self.touched: set[str] = session.info.setdefault("touched", set())
        self.positions: Counter[str] = Counter()
        self.taken: dict[str, int] = {}

    def members(self, rows: list[dict[str, Any]], _: str) -> None:
        new = self._unknown(Member, rows)
        self.touched.update(row["id"] for row in new)
        base = {"name": "", "language": self.table.get("language", "en"), "city": "", "country": ""}
        keep = ("id", "name", "language", "birthday", "joined_on", "city", "country")
        self._insert(Member, [{**base, **{k: row[k] for k in keep if row.get(k) not in (None, "")}} for row in new])
        reach = [(row["id"], kind, _reach(kind, row.get(kind) or "")) for row in new for kind in ("email", "phone")]
        self._insert(Contact, [{"member_id": m, "kind": kind, "value": value} for m, kind, value in reach if value])
        agreed = [
            (row["id"], channel, row[f"consent_{channel}"])
            for row in new
            for channel in ("email", "sms", "wechat", "phone")
            if row.get(f"consent_{channel}") is not None
        ]
        self._insert(Consent, [{"member_id": m, "channel": channel, "granted": bool(yes)} for m, channel, yes in agreed])

    def products(self, rows: list[dict[str, Any]], _: str) -> None:
        new = self._unknown(Product, rows)
        texts = ("name_en", "name_zh", "description_en", "description_zh", "category")
        products = [
            {
                "id": row["id"],
                **{k: row.get(k) or "" for k in texts},
                "tags_en": _tags(row.get("tags_en")),
                "tags_zh": _tags(row.get("tags_zh")),
                "warranty_months": row.get("warranty_months"),
                "rating_count": 0,
            }
            for row in new
        ]
        self._insert(Product, products)
        variants = [
            {
                "id": r["id"],
                "product_id": r["id"],
                "options_en": {},
                "options_zh": {},
                "price_cents": r["price"],
                "stock": r.get("stock"),
                "available": r.get("stock") != 0,
            }
            for r in new
        ]
        self._insert(Variant, variants)

    def orders(self, rows: list[dict[str, Any]], file: str) -> None:
        known = set(self.session.exec(select(Member.id)))
        rows = self._reject_unless(rows, file, "member_id is not a known member", lambda row: not row.get("member_id") or row["member_id"] in known)
        rows = self._reject_unless(rows, file, f"status is none of {', '.join(STATUSES)}", lambda row: (row.get("status") or "delivered").lower() in STATUSES)
        new = self._unknown(Order, rows)
        self.touched.update(row["member_id"] for row in new if row.get("member_id"))
        orders = [
            {
                "id": row["id"],
                "member_id": row.get("member_id") or None,
                "status": (row.get("status") or "delivered").lower(),
                "ordered_at": row["ordered_at"],
                "discount_cents": row.get("discount") or 0,
                "shipping_cents": row.get("shipping") or 0,
                "total_cents": (row.get("shipping") or 0) - (row.get("discount") or 0),
                "channel": row.get("channel") or "",
                "ship_to": {},
                "tracking": [],
            }
            for row in new
        ]
        self._insert(Order, orders)
        self.session.info.setdefault("new_orders", set()).update(row["id"] for row in new)

    def lines(self, rows: list[dict[str, Any]], file: str) -> None:
        """Lines join orders of this import; those of an order known before are duplicates."""
        owners = dict(self.session.exec(select(Order.id, Order.member_id)).all())
        goods = set(self.session.exec(select(Product.id)))
        rows = self._reject_unless(rows, file, "order_id is not a known order", lambda row: row["order_id"] in owners)
        rows = self._reject_unless(rows, file, "product_id is not a known product", lambda row: row["product_id"] in goods)
        fresh = self.session.info.get("new_orders", set())
        new = [row for row in rows if row["order_id"] in fresh]
        self.report.duplicates += len(rows) - len(new)
        self.report.accepted += len(new)
        written: list[dict[str, Any]] = []
        totals: Counter[str] = Counter()
        for row in new:
            self.positions[row["order_id"]] += 1
            totals[row["order_id"]] += row["quantity"] * row["unit_price"]
            written.append(
                {
                    "order_id": row["order_id"],
                    "position": self.positions[row["order_id"]],
                    "product_id": row["product_id"],
                    "variant_id": row.get("variant_id") or row["product_id"],
                    "kind": "product",
                    "description": row.get("description") or "",
                    "quantity": row["quantity"],
                    "unit_price_cents": row["unit_price"],
                    "returned": 0,
                }
            )
        self._insert(OrderLine, written)
        for order_id, cents in totals.items():
            self.session.exec(update(Order).where(col(Order.id) == order_id).values(total_cents=Order.total_cents + cents))

    def events(self, rows: list[dict[str, Any]], file: str) -> None:
        if rows and self.lake_folder is None:
            raise BadInput(f"{file} holds events: they are kept as Parquet files beside the record, and no lake_folder was given for them.")
        people = set(self.session.exec(select(Member.id)))
        rows = self._reject_unless(rows, file, f"kind is none of {', '.join(lake.KINDS)}", lambda row: row["kind"] in lake.KINDS)
        rows = self._reject_unless(rows, file, "member_id is not a known member", lambda row: row["member_id"] in people)
        frame = pd.DataFrame(rows).reindex(columns=lake.SCHEMA.names)
        frame["product_id"] = frame["product_id"].fillna("")
        new = lake.unknown(self.lake_folder, frame) if self.lake_folder else frame
        self.report.accepted += len(new)
        self.report.duplicates += len(frame) - len(new)
        self.report.totals["events"] += len(new)
        if len(new):
            self.event_frames.append(new)

    def reviews(self, rows: list[dict[str, Any]], file: str) -> None:
        people, goods = set(self.session.exec(select(Member.id))), set(self.session.exec(select(Product.id)))
        rows = self._reject_unless(rows, file, "member_id or product_id is not known", lambda row: row["member_id"] in people and row["product_id"] in goods)
        unique: tuple[Any, ...] = (Review.member_id, Review.product_id, Review.written_on)
        known = {tuple(row) for row in self.session.execute(sa.select(*unique))}
        new = [row for row in rows if (row["member_id"], row["product_id"], row.get("written_on")) not in known]
        self.report.duplicates += len(rows) - len(new)
        self.report.accepted += len(new)
        keep = ("member_id", "product_id", "rating", "text", "written_on")
        self._insert(Review, [{k: row.get(k) if k != "text" else row.get(k) or "" for k in keep} for row in new])
        averages = select(Review.product_id, func.avg(Review.rating), func.count()).group_by(Review.product_id)
        for product_id, mean, count in self.session.exec(averages).all() if new else []:
            self.session.exec(update(Product).where(col(Product.id) == product_id).values(rating=round(float(mean), 2), rating_count=count))

    def _unknown(self, table: Any, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        ids = [row["id"] for row in rows]
        known: set[str] = set()
        for start in range(0, len(ids), 500):
            known.update(self.session.exec(select(table.id).where(col(table.id).in_(ids[start : start + 500]))))
        new = [row for row in rows if row["id"] not in known]
        self.report.duplicates += len(rows) - len(new)
        self.report.accepted += len(new)
        return new

    def _reject_unless(self, rows: list[dict[str, Any]], file: str, reason: str, test: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        good = [row for row in rows if test(row)]
        if len(good) < len(rows):
            self.report.reject(file, [row["line"] for row in rows if not test(row)], reason)
        return good

    def _insert(self, table: Any, rows: list[dict[str, Any]]) -> None:
        # Rows may lack different fields; one statement needs the same ones in each.
        names = sorted({name for row in rows for name in row})
        if rows:
            self.session.connection().execute(insert(table.__table__), [{n: row.get(n) for n in names} for row in rows])
        self.report.totals[str(table.__tablename__)] += len(rows)


def _reach(kind: str, value: str) -> str:
    return value.strip().lower() if kind == "email" else "".join(c for c in value if c.isdigit())


def _tags(text: str | None) -> list[str]:
    return [tag.strip() for tag in (text or "").replace("，", ",").replace(";", ",").replace("|", ",").split(",") if tag.strip()]
