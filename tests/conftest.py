"""What tests of every floor start from: a small demo shop built once a session, and an empty record."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.desk import Desk
from assistant.settings import load
from eval import worlds
from members.access import Caller
from members.database import Database, sqlite_url

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MEMBERS = 150


@pytest.fixture(scope="session")
def built_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built demo shop of 150 members; never written to by a test."""
    home = tmp_path_factory.mktemp("shop")
    worlds.demo_desk(home, members=MEMBERS).close()
    return home


@pytest.fixture(scope="session")
def desk(built_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk shared by tests that only read and talk."""
    home = tmp_path_factory.mktemp("shared")
    worlds.copy_of(load(home=built_home), home)
    opened = Desk(load(home=home, today=worlds.DAY))
    yield opened
    opened.close()


@pytest.fixture
def fresh_desk(built_home: Path, tmp_path: Path) -> Iterator[Desk]:
    """A desk of this test's own, for tests that change the record."""
    home = tmp_path / "shop"
    worlds.copy_of(load(home=built_home), home)
    opened = Desk(load(home=home, today=worlds.DAY))
    yield opened
    opened.close()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def lina(desk: Desk) -> Caller:
    """The English-speaking member whose id is M-10001."""
    return desk.caller_named("lina")


@pytest.fixture(scope="session")
def _migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "empty.db"
    database = Database(sqlite_url(path))
    database.migrate()
    database.close()
    return path


@pytest.fixture
def sqlite(tmp_path: Path, _migrated: Path) -> Iterator[Database]:
    """An empty record in a file of its own: a copy of one that went through every migration."""
    path = tmp_path / "record.db"
    shutil.copy(_migrated, path)
    database = Database(sqlite_url(path))
    yield database
    database.close()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The optional folder of real data beside the checkout; skips where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip("no data folder beside the checkout")
    return REAL_DATA


@pytest.fixture(scope="session")
def say() -> Callable[..., list[Any]]:
    """Say something to a desk and get all events of the turn."""

    def run(desk: Desk, caller: Caller, text: str, thread: str | None = None) -> list[Any]:
        async def gather() -> list[Any]:
            return [event async for event in desk.chat(caller, text, thread)]

        return asyncio.run(gather())

    return run
