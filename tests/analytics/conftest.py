"""A made-up shop of six hundred, and an empty one to fill by hand."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path

import pytest

from analytics import synthetic
from analytics.synthetic import Truth
from members import program
from members.database import Database, sqlite_url
from members.program import Program
from members.tables import Member, Order, OrderLine, Product, Variant

TODAY = date(2026, 11, 22)


@dataclass
class Shop:
    """A record, what was planted in it, and its folder of events."""

    database: Database
    truth: Truth
    lake: Path
    rules: Program


def built(folder: Path, *, seed: int = 7, members: int = 600) -> Shop:
    """A demo shop of that seed and size."""
    database, rules = Database(sqlite_url(folder / "shop.db")), program.load()
    database.migrate()
    truth = synthetic.build(database, rules, today=TODAY, lake_folder=folder / "lake", seed=seed, members=members)
    return Shop(database, truth, folder / "lake", rules)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Six hundred members; only read."""
    made = built(tmp_path_factory.mktemp("synthetic"))
    yield made
    made.database.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[[int], Shop]]:
    """Make shops of 25 members by seed."""
    made: list[Shop] = []

    def make(seed: int) -> Shop:
        made.append(built(tmp_path / str(len(made)), seed=seed, members=25))
        return made[-1]

    yield make
    for shop in made:
        shop.database.close()


class Counter:
    """A shop written by hand."""

    def __init__(self, database: Database) -> None:
        """Keep the record."""
        self.database = database

    def sell(self, order_id: str, member_id: str, on: date, *product_ids: str, cents: int = 1000, status: str = "delivered", returned: int = 0) -> None:
        """One piece each of some products; members and products appear as they are named."""
        with self.database.effect() as session:
            if session.get(Member, member_id) is None:
                session.add(Member(id=member_id, name=member_id, tier="bronze"))
            for product_id in product_ids:
                if session.get(Product, product_id) is None:
                    session.add(Product(id=product_id, name_en=product_id, category=product_id.split("-")[0]))
                    session.flush()
                    session.add(Variant(id=product_id, product_id=product_id, price_cents=cents, stock=9))
            session.flush()
            at = datetime.combine(on, time(12))
            session.add(Order(id=order_id, member_id=member_id, status=status, ordered_at=at, total_cents=cents * len(product_ids)))
            session.flush()
            for place, product_id in enumerate(product_ids, start=1):
                goods = {"product_id": product_id, "variant_id": product_id, "quantity": 1, "unit_price_cents": cents, "returned": returned}
                session.add(OrderLine(order_id=order_id, position=place, **goods))


@pytest.fixture
def counter(sqlite: Database) -> Counter:
    """An empty shop of a test's own."""
    return Counter(sqlite)
