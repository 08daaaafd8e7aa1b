"""How is the shop doing with its members, at a glance?

The tables behind the insight page, each small enough to download and plain
enough to check: cohorts, segments, risk by tier, value by tenth, demand.
"""

from typing import Any

import numpy as np
import pandas as pd
from ibis import _

from analytics import segments
from analytics.history import History
from analytics.training import Fitted
from members.lake import day_number

_MAPPED = 1_500
_COHORTS = 12


def tables(history: History, fitted: Fitted, scores: pd.DataFrame, *, groups: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Every table by name: cohorts, segments, segment_map, churn_by_tier, value_by_tenth, demand, points."""
    rows = history.buyers(fitted.as_of, most=None)
    told = rows.join(scores[["churn", "value_cents"]])
    found = {
        "cohorts": cohorts(history, fitted),
        "segments": groups.drop(columns=["traits"], errors="ignore"),
        "segment_map": segment_map(rows, fitted),
        "rfm": _rfm_grid(rows),
        "churn_by_tier": _by_tier(told, next(iter(fitted.tiers.marks)) if fitted.tiers else "none"),
        "value_by_tenth": _tenths(told),
        "demand": _demand(fitted, "all", "category:"),
        "points": _demand(fitted, "points"),
    }
    return {name: table for name, table in found.items() if len(table)}


def cohorts(history: History, fitted: Fitted) -> pd.DataFrame:
    """Share of each quarter's newcomers who ordered again in the n-th quarter (90 days) after their first order: cohort, members, q1, q2, …"""
    now = day_number(fitted.as_of)
    lines = history.backend.table("lines").filter(_.member_id != "", _.day <= now, _.cancelled_day.isnull())
    days = history.backend.execute(lines.select("member_id", "day").distinct())
    if not len(days):
        return pd.DataFrame()
    days["first"] = days.groupby("member_id")["day"].transform("min")
    days["quarter"] = (days["day"] - days["first"]) // 90
    day = pd.to_datetime(days["first"], unit="D")
    days["cohort"] = day.dt.year.astype(str) + " Q" + day.dt.quarter.astype(str)
    sizes = days.groupby("cohort")["member_id"].nunique()
    back = days[days["quarter"] > 0].groupby(["cohort", "quarter"])["member_id"].nunique().unstack(fill_value=0)
    oldest = days.groupby("cohort")["first"].max()
    told = back.div(sizes.reindex(back.index), axis=0)
    for quarter in told.columns:
        # A quarter that is not over for the cohort's last newcomer would look like a loss.
        told.loc[oldest.reindex(told.index) + 90 * (int(quarter) + 1) > now + 1, quarter] = np.nan
    told = told.dropna(axis=1, how="all").rename(columns=lambda quarter: f"q{int(quarter)}")
    told.insert(0, "members", sizes.reindex(told.index))
    return told.reset_index().sort_values("cohort").tail(_COHORTS)


def segment_map(rows: pd.DataFrame, fitted: Fitted) -> pd.DataFrame:
    """A fixed sample of members as points: segment, days since the last order, spend of a year, orders of a year."""
    if fitted.segments is None:
        return pd.DataFrame()
    few = rows.sample(min(_MAPPED, len(rows)), random_state=7)
    return pd.DataFrame(
        {"segment": fitted.segments.score(few), "recency_days": few["recency_days"], "spend_365": few["spend_365"] / 100, "orders_365": few["orders_365"]}
    ).reset_index(drop=True)


def _rfm_grid(rows: pd.DataFrame) -> pd.DataFrame:
    """Members and mean spend of a year in each cell of recency and frequency by fifths."""
    grid = segments.rfm(rows).assign(spend=rows["spend_365"] / 100)
    return grid.groupby(["R", "F"]).agg(members=("M", "size"), spend=("spend", "mean")).reset_index()


def _by_tier(told: pd.DataFrame, lowest: str) -> pd.DataFrame:
    """Mean chance of leaving, its quartiles, members and spend at stake by tier; whoever never rose is in the lowest."""
    known = told.dropna(subset=["churn"]).assign(tier=told["tier"].replace("", lowest))
    if not len(known):
        return pd.DataFrame()
    known["stake"] = known["churn"] * known["value_cents"].fillna(0) / 100
    by = known.groupby("tier")
    found = pd.DataFrame(
        {
            "members": by.size(),
            "churn": by["churn"].mean(),
            "low": by["churn"].quantile(0.25),
            "high": by["churn"].quantile(0.75),
            "at_stake": by["stake"].sum(),
        }
    )
    return found.reset_index()


def _tenths(told: pd.DataFrame) -> pd.DataFrame:
    """Members in tenths by expected spend: mean and share of the whole."""
    known = told["value_cents"].dropna() / 100
    if len(known) < 10:
        return pd.DataFrame()
    tenth = np.ceil(known.rank(method="first", ascending=False, pct=True) * 10).astype(int)
    by = known.groupby(tenth)
    return pd.DataFrame({"members": by.size(), "value": by.mean(), "share": by.sum() / max(known.sum(), 1e-9)}).rename_axis("tenth").reset_index()


def _demand(fitted: Fitted, *wanted: str) -> pd.DataFrame:
    """Past weeks and coming ones of some series: series, week, pieces (past) or mean, low, high (ahead)."""
    if fitted.forecast is None:
        return pd.DataFrame()
    model: Any = fitted.forecast
    of_mine = lambda table: table["series"].map(lambda name: any(name == w or (w.endswith(":") and name.startswith(w)) for w in wanted))  # noqa: E731
    past = model.past[of_mine(model.past)]
    past = past[past["week"] > past["week"].max() - pd.Timedelta(weeks=52)]
    both = pd.concat([past, model.ahead[of_mine(model.ahead)]], ignore_index=True)
    both["week"] = both["week"].dt.strftime("%Y-%m-%d")
    return both.sort_values(["series", "week"], ignore_index=True)
