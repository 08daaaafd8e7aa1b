"""Where does the record live?

Opens SQLite (WAL) or Postgres by URL and hands out sessions: `read`, `write`
for chat state, and `effect` for the ledger and orders, which waits until the
disk has it. Schema changes go through Alembic, from the first table.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event
from sqlmodel import Session, SQLModel

_MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """An engine and its three kinds of session."""

    def __init__(self, url: str) -> None:
        """Connect lazily to `url`: `sqlite:///path` or `postgresql+psycopg://…`."""
        self.url = url
        self.engine = _engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session whose changes are thrown away."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction for chat state; committed at the end, rolled back on any error."""
        with self._transaction("NORMAL") as session:
            yield session

    @contextmanager
    def effect(self) -> Iterator[Session]:
        """One transaction for points, orders and approvals, durable before it returns."""
        with self._transaction("FULL") as session:
            yield session

    @contextmanager
    def _transaction(self, synchronous: str) -> Iterator[Session]:
        engine = self.engine.execution_options(patron_write=synchronous)
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self) -> None:
        """Bring the schema to the newest revision; a fresh file gets every table."""
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        with self.engine.execution_options(patron_write="FULL").begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def shrink(self) -> None:
        """Let erased rows leave the file, too; Postgres does so by itself."""
        if self.is_sqlite:
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("COMMIT")
                connection.exec_driver_sql("VACUUM")

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def advance_ids(session: Session, table: type[SQLModel]) -> None:
    """Move a table's counter past ids that were written explicitly (Postgres counts apart)."""
    if session.get_bind().dialect.name == "postgresql":
        name = table.__tablename__
        session.connection().exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{name}','id'), (SELECT max(id) FROM {name}))")


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite file, its folder made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path}"


def _engine(url: str) -> Engine:
    # Parameters are people's data: they stay out of error texts and logs.
    if not url.startswith("sqlite"):
        return create_engine(url, hide_parameters=True, pool_pre_ping=True, pool_size=10, max_overflow=30)
    engine = create_engine(url, hide_parameters=True, connect_args={"check_same_thread": False, "timeout": 30}, pool_size=20, max_overflow=60)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # The driver's own transaction handling starts too late: BEGIN is ours, below.
    connection.isolation_level = None
    # SQLite's own lower() knows English letters only; ilike() and icontains() are built on it, too.
    connection.create_function("lower", 1, _lower, deterministic=True)
    connection.executescript("PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON; PRAGMA busy_timeout=30000;")


def _lower(value: Any) -> str | None:
    return None if value is None else str(value).lower()


def _begin_sqlite(connection: Connection) -> None:
    # A write takes its lock at once: two readers that both turn writer would deadlock.
    synchronous = connection.get_execution_options().get("patron_write")
    if synchronous:
        connection.exec_driver_sql(f"PRAGMA synchronous={synchronous}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if synchronous else "BEGIN")
