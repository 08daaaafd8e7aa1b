"""How fast is the policy lab, and does its year look like the year that came?

Times a year of a large club under two rule books, and plays the last months of a
shop from the day before them, without what came, to hold its revenue, orders and
tiers against the record's. What a change of rules would do cannot be held against
anything: nobody has lived it.
"""

import resource
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ibis import _

from analytics import club as clubs
from analytics import policy_lab as lab
from analytics.churn import Churn
from analytics.history import History
from members import program, rulebooks
from members.lake import day_number
from members.program import Program

CHANGE = {"tiers.gold.threshold_cents": 400_000, "expiry.months": 18}
_BACK_MONTHS = 6


def speed(lake: Path, rules: Program, *, members: int = 1_000_000, progress: Callable[[str], None] = lambda step: None) -> dict[str, float]:
    """Seconds and memory for a club of that size to be grown and played for a year under two rule books."""
    history = History.of(lake)
    assert history.span is not None
    small = clubs.of_history(history, rules, as_of=history.span[1])
    begun = time.perf_counter()
    progress("growing")
    club = small.grown(members)
    grown = time.perf_counter() - begun
    progress("playing")
    begun = time.perf_counter()
    proposed = lab.begun(rulebooks.changed(rules, CHANGE, version="proposed"), rules)
    seen = lab.compare(club, rules, proposed)
    played = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"members": members, "months": seen.months, "grown in s": grown, "played in s": played, "peak GiB": peak, "lower": seen.downgraded_share}


def backtest(lake: Path, rules: Program, *, months: int = _BACK_MONTHS) -> dict[str, dict[str, float]]:
    """Played against lived: revenue and active members of the last months, and members by tier at their end."""
    history = History.of(lake)
    assert history.span is not None
    end = history.span[1]
    cut = end - timedelta(days=round(months * clubs.MONTH_DAYS))
    model = Churn.fit(history, as_of=cut)
    buyers = history.buyers(cut)
    churn = pd.Series(model.score(buyers), index=buyers.index) if model is not None else None
    club = clubs.of_history(history, rules, as_of=cut, churn=churn)
    seen = lab.compare(club, rules, lab.begun(rules, rules), months=months, reach=False)
    lines = history.backend.table("lines")
    lived = lines.filter(_.member_id != "", _.quantity > 0, _.day > day_number(cut), _.day <= day_number(end), _.cancelled_day.isnull())
    ids = history.rows(cut).index
    table = history.backend.execute(lived.group_by("member_id").agg(cents=_.cents.sum()))
    mine = table[table["member_id"].isin(ids)]
    # Newcomers are nobody's to play: only members there on the day are held against it.
    revenue = seen.present.totals["revenue_cents"]
    spent = clubs.of_history(history, rules, as_of=end).spent[history.rows(end).index.get_indexer(ids)]
    marks = np.array([level.threshold_cents for level in rules.tiers.levels])
    true = np.bincount(np.searchsorted(marks, spent[:, :12].sum(1), side="right") - 1, minlength=len(marks))
    found = {
        "revenue": {"played": revenue.value / 100, "low": revenue.low / 100, "high": revenue.high / 100, "lived": float(mine["cents"].sum()) / 100},
    }
    for level, played, there in zip(rules.tiers.levels, seen.present.tiers, true, strict=True):
        found[f"in {level.name_en}"] = {"played": played, "lived": int(there)}
    return found


def measure(lake: Path, *, members: int, progress: Callable[[str], None] = lambda step: None) -> dict[str, Any]:
    """Both, with the packaged rules."""
    rules = program.load()
    return {"speed": speed(lake, rules, members=members, progress=progress), "backtest": backtest(lake, rules)}
