"""Where do views, carts and order lines wait to be counted?

Parquet in one folder. Events are files of their own, one an import, named by
their content so that the same events written twice are one file. Beside them
lie the record's tables as `extract` wrote them last. Everything is read through
Ibis, on DuckDB unless another backend is handed in; days are counted from
1970-01-01, so that every engine counts alike.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

KINDS = ("view", "cart", "search", "order", "review")
SCHEMA = pa.schema([("member_id", pa.string()), ("kind", pa.string()), ("product_id", pa.string()), ("at", pa.timestamp("us"))])

_TEXT, _DAY, _COUNT, _MONEY = pa.string(), pa.int32(), pa.int32(), pa.int64()
# What the record is counted from. A guest's lines have the member ""; `cents` is what was paid for the line
# after the order's discount, `full_cents` before it.
TABLES = {
    "lines": pa.schema(
        [
            *(("member_id", _TEXT), ("order_id", _TEXT), ("product_id", _TEXT), ("category", _TEXT), ("channel", _TEXT), ("day", _DAY)),
            *(("month", _COUNT), ("quantity", _COUNT), ("cents", _MONEY), ("full_cents", _MONEY), ("coupon", pa.bool_()), ("cancelled_day", _DAY)),
        ]
    ),
    "returns": pa.schema(
        [("member_id", _TEXT), ("product_id", _TEXT), ("day", _DAY), ("quantity", _COUNT), ("cents", _MONEY), ("reason", _TEXT), ("bought_day", _DAY)]
    ),
    "members": pa.schema([("member_id", _TEXT), ("language", _TEXT), ("city", _TEXT), ("country", _TEXT), ("joined_day", _DAY)]),
    "points": pa.schema([("member_id", _TEXT), ("lot", pa.int64()), ("kind", _TEXT), ("points", _MONEY), ("day", _DAY), ("expires_day", _DAY)]),
    "tiers": pa.schema([("member_id", _TEXT), ("place", pa.int64()), ("day", _DAY), ("tier", _TEXT)]),
}
EVENTS = pa.schema([("member_id", _TEXT), ("kind", _TEXT), ("product_id", _TEXT), ("day", _DAY)])


def day_number(on: date) -> int:
    """Days since 1970-01-01, as the tables count them."""
    return on.toordinal() - _EPOCH


def day_of(number: int) -> date:
    """The calendar day of a number."""
    return date.fromordinal(int(number) + _EPOCH)


_EPOCH = date(1970, 1, 1).toordinal()


def path_of(folder: Path, table: str) -> Path:
    """Where a table of the record lies."""
    return folder / "record" / f"{table}.parquet"


def connect(folder: Path, backend: Any = None) -> Any:
    """An Ibis backend in which each table of `TABLES` and `events` stands by its name; DuckDB when none is given.

    Raises FileNotFoundError when the record was never extracted.
    """
    # A large shop's counting spills to disk rather than grow beyond a small machine.
    backend = backend or ibis.duckdb.connect(memory_limit="3GB", temp_directory=str(folder / ".spill"), preserve_insertion_order=False)
    if backend.name == "duckdb":
        backend.raw_sql("SET enable_progress_bar = false")
    for name in TABLES:
        path = path_of(folder, name)
        if not path.is_file():
            raise FileNotFoundError(f"{path} is not there: the record was not extracted into the lake yet.")
        backend.read_parquet(str(path), table_name=name)
    files = sorted(str(path) for path in folder.glob("*.parquet")) or [str(_no_events(folder))]
    raw = backend.read_parquet(files if len(files) > 1 else files[0], table_name="raw_events")
    # The same event may lie in two files: it is one.
    events = raw.select(*SCHEMA.names).distinct().select("member_id", "kind", "product_id", day=(raw.at.epoch_seconds() // 86_400).cast("int32"))
    backend.create_view("events", events, overwrite=True)
    return backend


def _no_events(folder: Path) -> Path:
    path = path_of(folder, "no_events")
    pq.write_table(SCHEMA.empty_table(), path)
    return path


def append(folder: Path, rows: Sequence[tuple[Any, ...]]) -> Path:
    """Add events given as (member_id, kind, product_id, at) rows."""
    return write_events(folder, pd.DataFrame(list(rows), columns=SCHEMA.names))


def write_events(folder: Path, events: pd.DataFrame) -> Path:
    """Add events (member_id, kind, product_id, at) as one file; written whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pandas(events[SCHEMA.names].sort_values(SCHEMA.names), schema=SCHEMA, preserve_index=False)
    digest = hashlib.sha256()
    for batch in table.to_batches():
        digest.update(batch.serialize())
    path = folder / f"{digest.hexdigest()[:32]}.parquet"
    part = path.with_suffix(".part")
    pq.write_table(table, part)
    part.replace(path)
    return path


def unknown(folder: Path, events: pd.DataFrame) -> pd.DataFrame:
    """Those of the events that no file holds yet."""
    if events.empty or not any(folder.glob("*.parquet")):
        return events
    with duckdb.connect(":memory:") as lake:
        lake.register("fresh", events)
        query = 'SELECT * FROM fresh ANTI JOIN read_parquet(?) AS held USING (member_id, kind, product_id, "at")'
        return lake.execute(query, [str(folder / "*.parquet")]).df()[list(events.columns)]


def recent(folder: Path, member_id: str, *, until: datetime, limit: int = 200) -> list[tuple[datetime, str, str]]:
    """A member's newest events up to an instant, as (at, kind, product id)."""
    if not any(folder.glob("*.parquet")):
        return []
    query = 'SELECT DISTINCT "at", kind, product_id FROM read_parquet(?) WHERE member_id = ? AND "at" <= ? ORDER BY "at" DESC LIMIT ?'
    with duckdb.connect(":memory:") as lake:
        rows: list[tuple[datetime, str, str]] = lake.execute(query, [str(folder / "*.parquet"), member_id, until, limit]).fetchall()
        return rows


def events_of(folder: Path, member_ids: Sequence[str], *, until: datetime) -> list[tuple[str, str, str, datetime]]:
    """All events of some members up to an instant, as (member, kind, product id, at)."""
    if not any(folder.glob("*.parquet")):
        return []
    query = 'SELECT DISTINCT member_id, kind, product_id, "at" FROM read_parquet(?) WHERE list_contains(?, member_id) AND "at" <= ? ORDER BY ALL'
    with duckdb.connect(":memory:") as lake:
        rows: list[tuple[str, str, str, datetime]] = lake.execute(query, [str(folder / "*.parquet"), list(member_ids), until]).fetchall()
        return rows


def members_in(folder: Path) -> Iterator[str]:
    """Every member who left an event."""
    if any(folder.glob("*.parquet")):
        with duckdb.connect(":memory:") as lake:
            yield from (row[0] for row in lake.execute("SELECT DISTINCT member_id FROM read_parquet(?)", [str(folder / "*.parquet")]).fetchall())


def erase(folder: Path, member_id: str) -> int:
    """Write every file that names a member anew without them; returns how many events went.

    In the record's tables their lines and returns stay as a guest's, for what was sold.
    """
    for name in TABLES:
        _forget_in(path_of(folder, name), member_id, keep=name in ("lines", "returns"))
    gone = 0
    for path in sorted(folder.glob("*.parquet")):
        table = pq.read_table(path)
        kept = table.filter(pc.not_equal(table["member_id"], member_id))
        if kept.num_rows != table.num_rows:
            gone += table.num_rows - kept.num_rows
            write_events(folder, kept.to_pandas())
            path.unlink()
    return gone


def _forget_in(path: Path, member_id: str, *, keep: bool) -> None:
    if not path.is_file():
        return
    table = pq.read_table(path)
    mine = pc.equal(table["member_id"], member_id)
    if not pc.any(mine).as_py():
        return
    if keep:
        place = table.schema.get_field_index("member_id")
        table = table.set_column(place, table.schema.field(place), pc.if_else(mine, pa.scalar(""), table["member_id"]))
    else:
        table = table.filter(pc.invert(mine))
    part = path.with_suffix(".part")
    pq.write_table(table, part)
    part.replace(path)
