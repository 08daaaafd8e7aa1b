"""How do time and memory grow with the shop?

A generated lake of the size of a small shop, ten and a hundred times as large:
seconds and peak memory from order lines to feature rows, beside one bare
scan-and-group of DuckDB over the same file. Each size runs in a process of its own.
"""

import resource
import time
from collections.abc import Sequence
from datetime import date
from math import log
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analytics import features
from members import lake
from members.lake import day_number

LINES, MEMBERS, PRODUCTS = 541_909, 4_372, 3_684
_TODAY = date(2026, 11, 22)


def generate(folder: Path, times: int, *, lines: int = LINES, seed: int = 7) -> int:
    """Write a lake of `times` shops of that many lines, members apart; returns its lines."""
    rng = np.random.default_rng(seed)
    members = max(2, lines * MEMBERS // LINES)
    # A few buy most: sizes of members and products both fall off like a power.
    who = (members * rng.random(lines) ** 2.2).astype(int)
    product = (PRODUCTS * rng.random(lines) ** 1.8).astype(int)
    order = who * 60 + rng.integers(0, 24, lines)
    day = day_number(_TODAY) - (order * 7919 % 373)
    cents = np.round(np.exp(rng.normal(6.2, 1.0, lines))).astype("int64")
    table = pd.DataFrame(
        {
            "member_id": [f"M-{n}" for n in who],
            "order_id": [f"O-{n}" for n in order],
            "product_id": [f"P-{n}" for n in product],
            "category": [f"c{n % 16}" for n in product],
            "channel": np.where(who % 3 == 0, "app", "web"),
            "day": day,
            "month": day // 30 % 12 + 1,
            "quantity": rng.integers(1, 12, lines),
            "cents": cents,
            "full_cents": cents,
            "coupon": rng.random(lines) < 0.1,
            "cancelled_day": pd.Series([pd.NA] * lines, dtype="Int32"),
        }
    )
    first = lake.path_of(folder, "lines")
    first.parent.mkdir(parents=True, exist_ok=True)
    base = folder / "base.pq"
    pq.write_table(pa.Table.from_pandas(table, schema=lake.TABLES["lines"], preserve_index=False), base)
    own = ", ".join(name for name in lake.TABLES["lines"].names if name not in ("member_id", "order_id"))
    with duckdb.connect(":memory:", config={"threads": 2, "preserve_insertion_order": False}) as engine:
        engine.execute("SET enable_progress_bar = false")
        copies = f"SELECT member_id || '-' || n AS member_id, order_id || '-' || n AS order_id, {own} FROM read_parquet('{base}'), range({times}) AS t(n)"
        engine.execute(f"COPY ({copies}) TO '{first}' (FORMAT parquet)")
        engine.execute(
            f"COPY (SELECT DISTINCT member_id, 'en' AS language, '' AS city, '' AS country, CAST(0 AS INTEGER) AS joined_day FROM read_parquet('{first}')) TO '{lake.path_of(folder, 'members')}' (FORMAT parquet)"
        )
    base.unlink()
    for name in ("returns", "points", "tiers"):
        pq.write_table(lake.TABLES[name].empty_table(), lake.path_of(folder, name))
    return lines * times


def measure(folder: Path, sizes: Sequence[int] = (1, 10, 100), *, lines: int = LINES, progress: Any = lambda step: None) -> dict[str, Any]:
    """Seconds and MiB of each size both ways, and the exponents of growth from the smallest to the largest."""
    rows: list[dict[str, float]] = []
    for times in sizes:
        place = folder / f"x{times}"
        progress(f"×{times}: generating")
        count = generate(place, times, lines=lines)
        told: dict[str, float] = {"times": times, "lines": count}
        for way in ("features", "bare"):
            progress(f"×{times}: {way}")
            with get_context("spawn").Pool(1) as pool:
                seconds, peak, found = pool.apply(_run, (str(place), way))
            told |= {f"{way} s": seconds, f"{way} MiB": peak, f"{way} rows": found}
        rows.append(told)
        for path in sorted(place.rglob("*.parquet")):
            path.unlink()
    first, last = rows[0], rows[-1]
    grown = log(last["lines"] / first["lines"]) if len(rows) > 1 else 1.0
    exponent = {way: log(last[f"{way} s"] / first[f"{way} s"]) / grown for way in ("features", "bare")}
    return {"rows": rows, "exponent": exponent}


def _run(place: str, way: str) -> tuple[float, float, int]:
    """One way over one lake: seconds, peak MiB of the process, rows found."""
    folder = Path(place)
    if way == "bare":
        with duckdb.connect(":memory:", config={"threads": 2}) as engine:
            engine.execute("SET enable_progress_bar = false")
            begun = time.perf_counter()
            query = "SELECT member_id, count(*), sum(cents), max(day) FROM read_parquet(?) GROUP BY member_id"
            found = len(engine.execute(query, [str(lake.path_of(folder, "lines"))]).df())
    else:
        backend = lake.connect(folder)
        begun = time.perf_counter()
        found = len(features.rows(backend, as_of=_TODAY))
    seconds = time.perf_counter() - begun
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, found
