"""How does a file in the UCI "Online Retail" layout become a record?

Columns InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice,
CustomerID, Country (Chen 2012, doi 10.1057/dbm.2012.17). Invoices become
orders, those that start with C become returns netted against the customer's
own earlier purchase of the same article, and lines without a customer stay as
guests' orders. Staged in DuckDB so that memory does not grow with the file.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import sqlalchemy as sa
from sqlalchemy import Table, insert
from sqlmodel import Session, SQLModel, col, func, select, update

from members import replay
from members.database import Database
from members.importers import reading
from members.importers.report import Progress, Report, silent
from members.program import Program
from members.tables import Member, Order, OrderLine, Product, ReturnLine, Variant

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
# Codes of articles; the others are postage, fees, samples and corrections.
_ARTICLE = r"^(\d{5}|DCGS|PADS)"
_EARLIEST = pd.Timestamp("1990-01-01")
_CHUNK = 20_000
_Columns = tuple[Any, ...]


def load(database: Database, path: Path, rules: Program, *, today: date, encoding: str | None = None, progress: Progress = silent) -> Report:
    """Import a file whole or not at all; the report's sums are proved before the commit.

    Raises BadInput when the file cannot be read as this layout.
    """
    report = Report("online-retail")
    with duckdb.connect(":memory:") as stage:
        stage.execute("SET memory_limit='600MB'; SET threads=2")
        _stage(stage, path, report, encoding, today, progress)
        _drop_repeats(stage, report)
        with database.effect() as session:
            _drop_known(stage, session, report)
            report.accepted = _one(stage, "SELECT count(*) FROM lines")
            report.check()
            if report.accepted:
                _write(stage, session, report, progress)
                _replay(stage, session, rules, report, progress)
                session.add(report.run(path.name))
    return report


# --- 1. read and judge every row --------------------------------------------------------


def _stage(stage: duckdb.DuckDBPyConnection, path: Path, report: Report, encoding: str | None, today: date, progress: Progress) -> None:
    stage.execute(
        "CREATE TABLE lines (line BIGINT, invoice VARCHAR, code VARCHAR, description VARCHAR, quantity BIGINT, stamp TIMESTAMP, cents BIGINT, customer VARCHAR, country VARCHAR)"
    )
    total = reading.count_rows(path)
    for frame in reading.batches(path, COLUMNS, encoding=encoding):
        report.read += len(frame)
        good = _judge(frame, path.name, report, pd.Timestamp(today) + timedelta(days=2))
        stage.register("good", good)
        stage.execute("INSERT INTO lines SELECT * FROM good")
        stage.unregister("good")
        progress("reading", report.read, total)


def _judge(frame: pd.DataFrame, file: str, report: Report, latest: pd.Timestamp) -> pd.DataFrame:
    """The rows that make sense, in the stage's columns; the first reason found rejects a row."""
    text = {name: reading.text_of(frame[name]) for name in ("InvoiceNo", "StockCode", "Description", "CustomerID", "Country")}
    invoice, code = text["InvoiceNo"].str.upper(), text["StockCode"].str.upper()
    quantity, price = reading.number_of(frame["Quantity"]), reading.number_of(frame["UnitPrice"])
    at = reading.instant_of(frame["InvoiceDate"])
    credit = invoice.str.startswith("C")
    wrong = [
        ("a cell holds characters that are no text", pd.concat([cell.str.contains("\x00", regex=False) for cell in text.values()], axis=1).any(axis=1)),
        ("no invoice number", invoice == ""),
        ("no stock code", code == ""),
        ("quantity is not a whole number", quantity.isna() | (quantity % 1 != 0)),
        ("quantity is zero", quantity == 0),
        ("quantity is out of bounds", quantity.abs() > 1e7),
        ("price is not a number", price.isna()),
        ("price is negative", price < 0),
        ("price is out of bounds", price > 1e7),
        ("date cannot be read", at.isna()),
        (f"date lies before {_EARLIEST.date()} or in the future", (at < _EARLIEST) | (at > latest)),
        ("no price and no customer: a stock correction", (price == 0) & (text["CustomerID"] == "")),
        ("negative quantity outside a cancellation", (quantity < 0) & ~credit),
        ("positive quantity on a cancellation", (quantity > 0) & credit),
    ]
    left = pd.Series(True, index=frame.index)
    for reason, mask in wrong:
        report.reject(file, frame.loc[left & mask, reading.LINE], reason)
        left &= ~mask
    return pd.DataFrame(
        {
            "line": frame[reading.LINE].astype("int64"),
            "invoice": invoice,
            "code": code,
            "description": text["Description"],
            "quantity": quantity.fillna(0).astype("int64"),
            "stamp": at.astype("datetime64[us]"),
            "cents": (price.fillna(0).clip(-1e7, 1e7) * 100).round().astype("int64"),
            "customer": text["CustomerID"],
            "country": text["Country"],
        }
    )[left]


# --- 2. what was there already ----------------------------------------------------------


def _drop_repeats(stage: duckdb.DuckDBPyConnection, report: Report) -> None:
    """Of rows that agree in every column the first stays."""
    before = _one(stage, "SELECT count(*) FROM lines")
    stage.execute("""CREATE OR REPLACE TABLE lines AS SELECT * FROM lines
        QUALIFY row_number() OVER (PARTITION BY invoice, code, description, quantity, stamp, cents, customer, country ORDER BY line) = 1""")
    report.duplicates += before - _one(stage, "SELECT count(*) FROM lines")


def _drop_known(stage: duckdb.DuckDBPyConnection, session: Session, report: Report) -> None:
    """Rows of an earlier import go; a known invoice may still gain new rows."""
    stage.execute("CREATE TABLE known (invoice VARCHAR, code VARCHAR, description VARCHAR, quantity BIGINT, cents BIGINT)")
    orders: _Columns = (OrderLine.order_id, OrderLine.variant_id, OrderLine.description, OrderLine.quantity, OrderLine.unit_price_cents)
    credits: _Columns = (ReturnLine.credit_note, ReturnLine.product_id, ReturnLine.reason, -ReturnLine.quantity, ReturnLine.refund_cents)
    for columns, cents in ((orders, "cents"), (credits, "CAST(round(cents / -quantity) AS BIGINT)")):
        for chunk in session.execute(sa.select(*columns)).partitions(_CHUNK):
            rows = pd.DataFrame([tuple(row) for row in chunk], columns=["invoice", "code", "description", "quantity", "cents"])
            stage.register("rows", rows)
            stage.execute(f"INSERT INTO known SELECT invoice, code, description, quantity, {cents} FROM rows")
            stage.unregister("rows")
    before = _one(stage, "SELECT count(*) FROM lines")
    stage.execute(
        """DELETE FROM lines WHERE EXISTS (SELECT 1 FROM known k WHERE k.invoice = lines.invoice AND k.code = lines.code
           AND k.description = lines.description AND k.quantity = lines.quantity AND k.cents = lines.cents)"""
    )
    report.duplicates += before - _one(stage, "SELECT count(*) FROM lines")


# --- 3. write ---------------------------------------------------------------------------


def _write(stage: duckdb.DuckDBPyConnection, session: Session, report: Report, progress: Progress) -> None:
    _write_members(stage, session, report)
    _write_products(stage, session, report)
    _write_orders(stage, session, report, progress)
    _write_returns(stage, session, report)
    days = stage.execute("SELECT min(stamp)::DATE, max(stamp)::DATE FROM lines").fetchone()
    report.first_day, report.last_day = days or (None, None)


def _write_members(stage: duckdb.DuckDBPyConnection, session: Session, report: Report) -> None:
    known = set(session.exec(select(Member.id)))
    rows = stage.execute(
        "SELECT customer, min(stamp)::DATE, arg_max(country, stamp) FROM lines WHERE customer != '' GROUP BY customer ORDER BY customer"
    ).fetchall()
    new = [{"id": c, "name": "", "language": "en", "joined_on": day, "country": country} for c, day, country in rows if c not in known]
    _bulk(session, Member, new, report, "members")


def _write_products(stage: duckdb.DuckDBPyConnection, session: Session, report: Report) -> None:
    """An article is called what most of its lines call it, and costs what it cost last."""
    known = set(session.exec(select(Product.id)))
    rows = stage.execute(
        """SELECT code, mode(description) FILTER (description != '' AND description = upper(description)),
                  arg_max(cents, stamp) FILTER (cents > 0), min(stamp)::DATE, any_value(description)
           FROM lines WHERE regexp_matches(code, ?) GROUP BY code ORDER BY code""",
        [_ARTICLE],
    ).fetchall()
    new = [row for row in rows if row[0] not in known]
    products = [
        {"id": code, "name_en": _readable(name or other or code), "tags_en": [], "tags_zh": [], "listed_on": day, "rating_count": 0}
        for code, name, _, day, other in new
    ]
    _bulk(session, Product, products, report, "products")
    variants = [
        {"id": code, "product_id": code, "options_en": {}, "options_zh": {}, "price_cents": cents or 0, "available": True} for code, _, cents, _, _ in new
    ]
    _bulk(session, Variant, variants, report, "variants")


def _readable(shouted: str) -> str:
    """`WHITE HANGING HEART T-LIGHT HOLDER` as a shop would print it."""
    return " ".join(word if any(c.isdigit() for c in word) else word.capitalize() for word in shouted.split())


def _write_orders(stage: duckdb.DuckDBPyConnection, session: Session, report: Report, progress: Progress) -> None:
    known = set(session.exec(select(Order.id)))
    heads = stage.execute(
        """SELECT invoice, min(stamp), arg_max(customer, stamp), sum(quantity * cents),
                  sum(quantity * cents) FILTER (NOT regexp_matches(code, ?)), any_value(country)
           FROM lines WHERE NOT invoice LIKE 'C%' GROUP BY invoice ORDER BY min(stamp), invoice""",
        [_ARTICLE],
    ).fetchall()
    new = [
        {
            "id": invoice,
            "member_id": customer or None,
            "status": "delivered",
            "ordered_at": at,
            "total_cents": total,
            "shipping_cents": charges or 0,
            "discount_cents": 0,
            "ship_to": {"country": country},
            "tracking": [],
        }
        for invoice, at, customer, total, charges, country in heads
        if invoice not in known
    ]
    _bulk(session, Order, new, report, "orders")
    for invoice, _, _, total, charges, _ in heads:
        if invoice in known:
            more = {"total_cents": Order.total_cents + total, "shipping_cents": Order.shipping_cents + (charges or 0)}
            session.exec(update(Order).where(col(Order.id) == invoice).values(**more))
    taken = dict(session.exec(select(OrderLine.order_id, func.max(OrderLine.position)).group_by(OrderLine.order_id)).all()) if known else {}
    expected = _one(stage, "SELECT count(*) FROM lines WHERE NOT invoice LIKE 'C%'")
    cursor = stage.execute(
        """SELECT invoice, row_number() OVER (PARTITION BY invoice ORDER BY line) AS position, code, regexp_matches(code, ?) AS article, description, quantity, cents
           FROM lines WHERE NOT invoice LIKE 'C%' ORDER BY line""",
        [_ARTICLE],
    )
    done = 0
    while chunk := cursor.fetchmany(_CHUNK):
        rows = [
            {
                "order_id": invoice,
                "position": taken.get(invoice, 0) + position,
                "product_id": code,
                "variant_id": code,
                "kind": "product" if article else "charge",
                "description": description,
                "quantity": quantity,
                "unit_price_cents": cents,
                "returned": 0,
            }
            for invoice, position, code, article, description, quantity, cents in chunk
        ]
        _bulk(session, OrderLine, rows, report, "order lines")
        progress("writing", done := done + len(rows), expected)


def _write_returns(stage: duckdb.DuckDBPyConnection, session: Session, report: Report) -> None:
    """Net each cancelled article against the customer's latest earlier purchases of it."""
    credits = stage.execute(
        """SELECT invoice, row_number() OVER (PARTITION BY invoice ORDER BY line), code, -quantity, cents, customer, stamp, description
           FROM lines WHERE invoice LIKE 'C%' ORDER BY stamp, line"""
    ).fetchall()
    bought = _purchases(session, {(customer, code) for _, _, code, _, _, customer, _, _ in credits if customer})
    taken = dict(session.exec(select(ReturnLine.credit_note, func.max(ReturnLine.position)).group_by(ReturnLine.credit_note)).all())
    rows: list[dict[str, Any]] = []
    netted: dict[int, int] = defaultdict(int)
    for note, position, code, quantity, cents, customer, at, description in credits:
        matched = list(_match(bought.get((customer, code), deque()), quantity, at))
        # Several purchases may answer for one credit: the first is named, each is netted.
        for line_id, _, part in matched:
            netted[line_id] += part
        report.totals["returns netted" if matched else "returns without their order"] += 1
        rows.append(
            {
                "credit_note": note,
                "position": taken.get(note, 0) + position,
                "line_id": matched[0][0] if matched else None,
                "order_id": matched[0][1] if matched else None,
                "member_id": customer or None,
                "product_id": code,
                "quantity": quantity,
                "refund_cents": quantity * cents,
                "returned_at": at,
                "reason": description,
            }
        )
    _bulk(session, ReturnLine, rows, report, "return lines")
    for line_id, part in netted.items():
        session.exec(update(OrderLine).where(col(OrderLine.id) == line_id).values(returned=OrderLine.returned + part))


def _purchases(session: Session, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], deque[list[Any]]]:
    """Unreturned purchases by (customer, code), oldest first: [line id, order id, instant, left]."""
    found: dict[tuple[str, str], deque[list[Any]]] = defaultdict(deque)
    if not wanted:
        return found
    columns: _Columns = (Order.member_id, OrderLine.variant_id, OrderLine.id, Order.id, Order.ordered_at, OrderLine.quantity - OrderLine.returned)
    query = (
        sa.select(*columns)
        .join(Order, col(Order.id) == OrderLine.order_id)
        .where(col(Order.member_id).in_({customer for customer, _ in wanted}))
        .order_by(col(Order.ordered_at), col(OrderLine.id))
    )
    for customer, code, line_id, order_id, at, left in session.execute(query):
        if (customer, code) in wanted and left > 0:
            found[(customer, code)].append([line_id, order_id, at, left])
    return found


def _match(purchases: deque[list[Any]], quantity: int, at: Any) -> Iterator[tuple[int, str, int]]:
    for purchase in reversed(purchases):
        line_id, order_id, bought_at, left = purchase
        if bought_at <= at and left > 0 and quantity > 0:
            part = min(left, quantity)
            purchase[3] -= part
            quantity -= part
            yield line_id, order_id, part


# --- 4. points and tiers ----------------------------------------------------------------


def _replay(stage: duckdb.DuckDBPyConnection, session: Session, rules: Program, report: Report, progress: Progress) -> None:
    members = [row[0] for row in stage.execute("SELECT DISTINCT customer FROM lines WHERE customer != '' ORDER BY 1").fetchall()]
    # An older file may come later: the points of what was known already stay.
    until = max(day for day in (report.last_day, *_last_days(session)) if day)
    done = 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        progress("points", done, len(members))

    report.totals["points entries"] = replay.replay(session, members, rules, until=until, progress=tell)


def _last_days(session: Session) -> Iterator[date | None]:
    for instant in (Order.ordered_at, ReturnLine.returned_at):
        last = session.exec(select(func.max(instant))).one()
        yield last.date() if last else None


# --- small ------------------------------------------------------------------------------


def _one(stage: duckdb.DuckDBPyConnection, query: str) -> int:
    row = stage.execute(query).fetchone()
    return int(row[0]) if row else 0


def _bulk(session: Session, table: type[SQLModel], rows: list[dict[str, Any]], report: Report, name: str) -> None:
    target: Table = table.__table__  # type: ignore[attr-defined]
    for start in range(0, len(rows), _CHUNK):
        session.connection().execute(insert(target), rows[start : start + _CHUNK])
    report.totals[name] += len(rows)
