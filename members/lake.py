"""Where do views, carts and other happenings live?

Parquet files in one folder, one an import, named by their content so that the
same events written twice are one file. Read with DuckDB; the record knows
nothing of them.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

KINDS = ("view", "cart", "search", "order", "review")
SCHEMA = pa.schema([("member_id", pa.string()), ("kind", pa.string()), ("product_id", pa.string()), ("at", pa.timestamp("us"))])


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


def members_in(folder: Path) -> Iterator[str]:
    """Every member who left an event."""
    if any(folder.glob("*.parquet")):
        with duckdb.connect(":memory:") as lake:
            yield from (row[0] for row in lake.execute("SELECT DISTINCT member_id FROM read_parquet(?)", [str(folder / "*.parquet")]).fetchall())


def erase(folder: Path, member_id: str) -> int:
    """Write every file that names a member anew without them; returns how many events went."""
    gone = 0
    for path in sorted(folder.glob("*.parquet")):
        table = pq.read_table(path)
        kept = table.filter(pc.not_equal(table["member_id"], member_id))
        if kept.num_rows != table.num_rows:
            gone += table.num_rows - kept.num_rows
            write_events(folder, kept.to_pandas())
            path.unlink()
    return gone
