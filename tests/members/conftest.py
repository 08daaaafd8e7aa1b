"""Tiny worlds for the members floor: a migrated SQLite file, a fresh Postgres database, and a shop of a few rows."""

import os
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url
from sqlmodel import SQLModel, func, select

from members import ledger, program
from members.database import Database
from members.program import Program
from members.tables import Member, Order, OrderLine, Payment, PointsEntry, Product, Variant

POSTGRES = os.environ.get("PATRON_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


@pytest.fixture(scope="session")
def rules() -> Program:
    """The packaged rule book."""
    return program.load()


@pytest.fixture
def postgres() -> Iterator[Database]:
    """An empty record in a random Postgres database, dropped afterwards."""
    server = make_url(POSTGRES)
    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        admin = psycopg.connect(plain, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        if os.environ.get("CI"):
            pytest.fail(f"Postgres must be there in CI: {error}")
        pytest.skip(f"no Postgres: {error}")
    name = f"patron_test_{uuid4().hex[:12]}"
    with admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        database = Database(server.set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False))
        try:
            database.migrate()
            yield database
        finally:
            database.close()
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgres"])
def either(request: pytest.FixtureRequest) -> Database:
    """Each kind of record in turn."""
    database: Database = request.getfixturevalue(request.param)
    return database


class World:
    """A shop one can count on the fingers: rows are added at once, numbers are read back."""

    def __init__(self, database: Database, rules: Program) -> None:
        """Keep the record and the rules."""
        self.database, self.rules = database, rules

    def add(self, *rows: SQLModel) -> None:
        """Write rows in the order given."""
        with self.database.effect() as session:
            for row in rows:
                session.add(row)
                session.flush()

    def member(self, member_id: str = "M1", **fields: Any) -> str:
        """A bronze member with no points unless told otherwise."""
        self.add(Member(**{"id": member_id, "tier": "bronze", **fields}))
        return member_id

    def product(self, product_id: str, category: str = "home", *, cents: int = 1000, stock: int | None = 10) -> str:
        """A product with one variant of the same id."""
        self.add(Product(id=product_id, name_en=product_id, category=category), Variant(id=product_id, product_id=product_id, price_cents=cents, stock=stock))
        return product_id

    def order(
        self,
        order_id: str,
        member_id: str | None,
        on: date | None,
        *goods: tuple[str, int, int],
        status: str = "pending",
        paid: str = "Visa ··1111",
        **fields: Any,
    ) -> str:
        """An order of (product, quantity, unit cents), paid in full by one method; `paid=""` leaves it unpaid."""
        total = sum(quantity * cents for _, quantity, cents in goods)
        at = datetime.combine(on, time(12)) if on else None
        rows: list[SQLModel] = [Order(**{"id": order_id, "member_id": member_id, "status": status, "ordered_at": at, "total_cents": total, **fields})]
        for position, (product_id, quantity, cents) in enumerate(goods, start=1):
            line: dict[str, Any] = {"product_id": product_id, "variant_id": product_id, "quantity": quantity, "unit_price_cents": cents}
            rows.append(OrderLine(order_id=order_id, position=position, **line))
        if paid:
            rows.append(Payment(order_id=order_id, kind="payment", amount_cents=total, method_label=paid, booked_on=on, key="pay"))
        self.add(*rows)
        return order_id

    def earn(self, member_id: str, points: int, on: date, *, key: str = "", order_id: str | None = None) -> None:
        """Book points in a transaction of its own."""
        with self.database.effect() as session:
            ledger.earn(session, member_id, points, on=on, key=key or uuid4().hex, rules=self.rules, order_id=order_id)

    def redeem(self, member_id: str, points: int, on: date, *, key: str = "", order_id: str | None = None) -> bool:
        """Use points in a transaction of its own."""
        with self.database.effect() as session:
            return ledger.redeem(session, member_id, points, on=on, key=key or uuid4().hex, rules=self.rules, order_id=order_id)

    def balance(self, member_id: str, on: date) -> int:
        """Points of a member on a day."""
        with self.database.read() as session:
            return ledger.balance(session, member_id, as_of=on)

    def lots(self, member_id: str, on: date) -> list[tuple[int, date | None]]:
        """What is left of each lot and until when, the soonest to expire first."""
        with self.database.read() as session:
            return [(lot.left, lot.expires_on) for lot in ledger.lots(session, member_id, as_of=on)]

    def guard(self, member_id: str) -> int:
        """`members.points`, after seeing that it is the sum of the book and not negative."""
        with self.database.read() as session:
            points = session.get_one(Member, member_id).points
            booked = session.exec(select(func.coalesce(func.sum(PointsEntry.points), 0)).where(PointsEntry.member_id == member_id)).one()
        assert points == booked >= 0
        return points

    def rows(self, table: type[SQLModel]) -> list[dict[str, Any]]:
        """All rows of a table as plain values, sorted; serial numbers and clock times, which differ between equal records, are left out."""
        with self.database.read() as session:
            found = [row.model_dump() for row in session.exec(select(table))]
        kept = [{name: value for name, value in row.items() if not (name in {"id", "line_id", "lot_id"} and isinstance(value, int))} for row in found]
        return sorted(kept, key=repr)

    def of(self, member_id: str) -> Member:
        """A member as they now stand."""
        with self.database.read() as session:
            return session.get_one(Member, member_id)

    def count(self, table: type[SQLModel]) -> int:
        """How many rows a table has."""
        return len(self.rows(table))


@pytest.fixture
def world(sqlite: Database, rules: Program) -> World:
    """An empty shop on SQLite."""
    return World(sqlite, rules)


@pytest.fixture
def world_of(rules: Program) -> Callable[[Database], World]:
    """An empty shop on the database handed in."""
    return lambda database: World(database, rules)
