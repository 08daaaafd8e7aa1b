"""How does the record become tables for counting?

Writes the record's order lines, returns, members, points and tiers as Parquet
beside the events (`lake.TABLES` says in which columns), or hands over one
member's rows of the same tables. Nothing is judged here: what counts as of a day
is decided by whoever reads.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlmodel import Session, col

from members import lake
from members.lake import day_number
from members.tables import Member, Order, OrderLine, PointsEntry, Product, ReturnLine, ShopEvent, TierChange

_AT_ONCE = 50_000
Rows = Iterator[tuple[Any, ...]]


def write(session: Session, folder: Path, *, progress: Callable[[str, int], None] = lambda table, rows: None) -> dict[str, int]:
    """Write every table of the record anew, each whole or not at all; returns their rows."""
    written: dict[str, int] = {}
    for name, rows in _SOURCES.items():
        written[name] = _parquet(lake.path_of(folder, name), lake.TABLES[name], rows(session, None))
        progress(name, written[name])
    return written


def of_member(session: Session, member_id: str) -> dict[str, pa.Table]:
    """One member's rows of each table of the record."""
    return {name: _table(lake.TABLES[name], list(rows(session, member_id))) for name, rows in _SOURCES.items()}


def of_member_events(session: Session, folder: Path, member_id: str, *, until: datetime) -> pa.Table:
    """One member's events from the lake's files and from the record's newest."""
    old = lake.recent(folder, member_id, until=until, limit=20_000)
    fresh = session.execute(
        _select(ShopEvent.kind, ShopEvent.product_id, ShopEvent.at).where(col(ShopEvent.member_id) == member_id, col(ShopEvent.at) <= until)
    )
    happened = {(kind, product, at) for at, kind, product in old} | {(kind, product or "", at) for kind, product, at in fresh}
    rows = [(member_id, kind, product, day_number(at.date())) for kind, product, at in sorted(happened)]
    return _table(lake.EVENTS, rows)


def settle_events(session: Session, folder: Path, *, before: datetime) -> int:
    """Move events older than an instant from the record into the lake; returns how many.

    Orders stay until the order itself is in the record. The file is written before
    the rows go: a crash between leaves both, and reading counts equal events once.
    """
    old = (col(ShopEvent.at) < before, col(ShopEvent.kind) != "order")
    columns: tuple[Any, ...] = (ShopEvent.member_id, ShopEvent.kind, ShopEvent.product_id, ShopEvent.at)
    rows = [tuple(row) for row in session.execute(_select(*columns).where(*old))]
    if rows:
        lake.append(folder, rows)
        session.execute(sa.delete(ShopEvent).where(*old))
    arrived = _select(Order.id)
    session.execute(sa.delete(ShopEvent).where(col(ShopEvent.kind) == "order", col(ShopEvent.order_id).in_(arrived)))
    return len(rows)


def _select(*columns: Any) -> Any:
    """A select whose columns are more than the overloads can tell apart."""
    return sa.select(*columns)


# --- the tables of the record -----------------------------------------------------------


def _lines(session: Session, member_id: str | None) -> Rows:
    columns: tuple[Any, ...] = (
        *(Order.member_id, Order.id, OrderLine.product_id, Product.category, Order.channel, Order.ordered_at, Order.status, Order.cancelled_on),
        *(Order.coupon_code, Order.discount_cents, OrderLine.quantity, OrderLine.unit_price_cents),
    )
    query = (
        _select(*columns)
        .join(OrderLine, col(OrderLine.order_id) == Order.id)
        .join(Product, col(Product.id) == OrderLine.product_id, isouter=True)
        .where(col(OrderLine.kind) == "product", col(Order.ordered_at).is_not(None))
    )
    totals = _order_values(session, member_id)
    for who, order, product, category, channel, at, status, cancelled_on, coupon, discount, quantity, unit in _read(session, query, Order.member_id, member_id):
        full = quantity * unit
        # An order's discount is spread over its lines by value.
        paid = full - (full * discount // totals[order] if discount and totals.get(order) else 0)
        # A cancellation without a day is as old as its order.
        gone = day_number(cancelled_on or at.date()) if status == "cancelled" else None
        yield (who or "", order, product, category or "", channel, day_number(at.date()), at.month, quantity, paid, full, bool(coupon), gone)
    yield from _announced(session, member_id)


def _order_values(session: Session, member_id: str | None) -> dict[str, int]:
    value = sa.func.sum(OrderLine.quantity * OrderLine.unit_price_cents)
    query = (
        _select(OrderLine.order_id, value)
        .join(Order, col(Order.id) == OrderLine.order_id)
        .where(col(Order.discount_cents) > 0, col(OrderLine.kind) == "product")
        .group_by(OrderLine.order_id)
    )
    if member_id is not None:
        query = query.where(Order.member_id == member_id)
    return {order: int(cents) for order, cents in session.execute(query)}


def _announced(session: Session, member_id: str | None) -> Rows:
    """Orders told as events whose order is not in the record yet: they count until it is."""
    columns: tuple[Any, ...] = (ShopEvent.member_id, ShopEvent.order_id, ShopEvent.product_id, Product.category, ShopEvent.channel, ShopEvent.at)
    query = (
        _select(*columns, ShopEvent.quantity, ShopEvent.cents)
        .join(Product, col(Product.id) == ShopEvent.product_id, isouter=True)
        .join(Order, col(Order.id) == ShopEvent.order_id, isouter=True)
        .where(col(ShopEvent.kind) == "order", col(Order.id).is_(None))
    )
    for who, order, product, category, channel, at, quantity, cents in _read(session, query, ShopEvent.member_id, member_id):
        yield (who, order, product or "", category or "", channel, day_number(at.date()), at.month, quantity, cents, cents, False, None)


def _returns(session: Session, member_id: str | None) -> Rows:
    columns: tuple[Any, ...] = (
        ReturnLine.member_id,
        ReturnLine.product_id,
        ReturnLine.returned_at,
        ReturnLine.quantity,
        ReturnLine.refund_cents,
        ReturnLine.reason,
    )
    query = (
        _select(*columns, Order.ordered_at)
        .join(Order, col(Order.id) == ReturnLine.order_id, isouter=True)
        # Postage and corrections given back are no goods.
        .join(Product, col(Product.id) == ReturnLine.product_id)
        .where(col(ReturnLine.returned_at).is_not(None))
    )
    for who, product, at, quantity, cents, reason, ordered in _read(session, query, ReturnLine.member_id, member_id):
        bought = day_number(ordered.date()) if ordered else None
        yield (who or "", product, day_number(at.date()), quantity, cents, reason[:60], bought)


def _members(session: Session, member_id: str | None) -> Rows:
    query = _select(*(Member.id, Member.language, Member.city, Member.country, Member.joined_on))
    for who, language, city, country, joined in _read(session, query, Member.id, member_id):
        yield (who, language, city, country, day_number(joined) if joined else None)


def _points(session: Session, member_id: str | None) -> Rows:
    columns: tuple[Any, ...] = (PointsEntry.member_id, PointsEntry.id, PointsEntry.lot_id, PointsEntry.kind, PointsEntry.points, PointsEntry.booked_on)
    query = _select(*columns, PointsEntry.expires_on)
    for who, entry, lot, kind, points, on, until in _read(session, query, PointsEntry.member_id, member_id):
        yield (who, lot or entry, kind, points, day_number(on), day_number(until) if until else None)


def _tiers(session: Session, member_id: str | None) -> Rows:
    query = _select(*(TierChange.member_id, TierChange.id, TierChange.changed_on, TierChange.tier))
    for who, place, on, tier in _read(session, query, TierChange.member_id, member_id):
        yield (who, place, day_number(on), tier)


_SOURCES: dict[str, Callable[[Session, str | None], Rows]] = {"lines": _lines, "returns": _returns, "members": _members, "points": _points, "tiers": _tiers}


# --- reading and writing ----------------------------------------------------------------


def _read(session: Session, query: Any, owner: Any, member_id: str | None) -> Iterable[Any]:
    if member_id is not None:
        query = query.where(col(owner) == member_id)
    return session.execute(query, execution_options={"yield_per": _AT_ONCE})


def _table(schema: pa.Schema, rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.Table.from_arrays([pa.array(values, kind.type) for values, kind in zip(columns, schema, strict=True)], schema=schema)


def _parquet(path: Path, schema: pa.Schema, rows: Rows) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    part, count, waiting = path.with_suffix(".part"), 0, list[tuple[Any, ...]]()
    with pq.ParquetWriter(part, schema) as file:
        for row in rows:
            waiting.append(row)
            if len(waiting) == _AT_ONCE:
                file.write_table(_table(schema, waiting))
                count, waiting = count + len(waiting), []
        file.write_table(_table(schema, waiting))
    part.replace(path)
    return count + len(waiting)
