"""How much will be sold, and when does it run out?

Weekly pieces of each product and category, and points outstanding, some weeks
ahead with an 80% interval, by statsforecast. Which method serves is chosen on
weeks held back; seasonal naive stands beside it in the same run.
"""

import logging
import warnings
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from ibis import _

from analytics import measures
from analytics.history import History, sold
from members.lake import day_number

NAME = "forecast"
WEEKS_AHEAD = 8
_YEAR_WEEKS = 52
_LEVEL = 80
# A product sold in fewer weeks has no rhythm to learn: it is told by the mean of its recent weeks.
_FEWEST_WEEKS = 10
_MOST_PRODUCTS = 1_500
_ORIGINS, _MANY = 4, 20
SERIES = ["series", "week", "pieces"]


@dataclass
class Forecast:
    """Weekly forecasts by series (`product:…`, `category:…`, `all`, `points`): week, mean, low, high; and what was known."""

    as_of: date
    ahead: pd.DataFrame
    past: pd.DataFrame
    methods: dict[str, str] = field(default_factory=dict)
    errors: dict[str, dict[str, float]] = field(default_factory=dict)

    @classmethod
    def fit(cls, history: History, *, as_of: date) -> "Forecast | None":
        """Learn from whole weeks up to `as_of`; None for fewer than ten weeks of sales."""
        past = weekly(history, as_of)
        if past["week"].nunique() < 10:
            return None
        ahead, methods, errors = [], {}, {}
        for kind, mine in past.groupby(past["series"].str.partition(":")[0]):
            if not len(_long_enough(mine)):
                continue
            chosen, told = _choose(mine)
            methods[str(kind)], errors[str(kind)] = chosen, told
            ahead.append(_with_bounds(_ahead(mine, [chosen], WEEKS_AHEAD).rename(columns={chosen: "mean"}), mine, chosen))
        return cls(as_of, pd.concat(ahead, ignore_index=True), past, methods, errors) if ahead else None

    def score(self, series: str) -> pd.DataFrame:
        """The coming weeks of one series: week (its Monday), mean, low, high; empty for one that never sold."""
        return self.ahead[self.ahead["series"] == series].drop(columns="series").reset_index(drop=True)

    def explain(self, series: str) -> dict[str, float]:
        """What a forecast rests on: mean pieces of the last four weeks, of the four before, and of the same weeks a year ago."""
        mine = self.past[self.past["series"] == series].sort_values("week")["pieces"].to_numpy(float)
        year = mine[-_YEAR_WEEKS : -_YEAR_WEEKS + WEEKS_AHEAD] if len(mine) >= _YEAR_WEEKS else np.empty(0)
        mean = lambda part: float(part.mean()) if len(part) else float("nan")  # noqa: E731
        return {"last_4_weeks": mean(mine[-4:]), "before_4_weeks": mean(mine[-8:-4]), "year_ago": mean(year), "weeks_known": float(len(mine))}

    def runs_out(self, series: str, stock: float) -> tuple[date | None, date | None]:
        """The day the stock is gone if sales come as expected, and if they come at the upper bound; None beyond the weeks told."""
        told = self.score(series)
        return _empty_on(told, "mean", stock, self.as_of), _empty_on(told, "high", stock, self.as_of)


def weekly(history: History, as_of: date) -> pd.DataFrame:
    """Pieces a whole week (Monday to Sunday) of each series up to `as_of`, quiet weeks as zero: series, week, pieces."""
    lines = sold(history.backend, as_of)
    if not len(lines):
        return pd.DataFrame({"series": pd.Series(dtype=str), "week": pd.Series(dtype="datetime64[ns]"), "pieces": pd.Series(dtype=float)})
    # 1970-01-01 was a Thursday.
    lines = lines.assign(week=(lines["day"] + 3) // 7 * 7 - 3)
    last = (day_number(as_of) + 4) // 7 * 7 - 10
    lines = lines[lines["week"] <= last]
    busiest = lines.groupby("product_id")["quantity"].sum().nlargest(_MOST_PRODUCTS).index
    parts = [
        lines[lines["product_id"].isin(busiest)].assign(series="product:" + lines["product_id"]),
        lines[lines["category"] != ""].assign(series="category:" + lines["category"]),
        lines.assign(series="all"),
    ]
    counted = pd.concat(parts).groupby(["series", "week"])["quantity"].sum().rename("pieces").reset_index()
    counted = _whole_weeks(counted, int(lines["week"].min()), last)
    points = _points_by_week(history, int(lines["week"].min()), last)
    found = pd.concat([counted, points], ignore_index=True)
    found["week"] = pd.to_datetime(found["week"], unit="D")
    return found.astype({"pieces": "float64"})


def measure(history: History, *, as_of: date, weeks: int = WEEKS_AHEAD) -> dict[str, Any]:
    """Forecasts made at `as_of` held against the weeks after it, each kind of series beside naive and seasonal naive: MASE, coverage."""
    model = Forecast.fit(history, as_of=as_of)
    if model is None:
        return {"members": 0, "measures": {}}
    later = weekly(history, as_of + timedelta(days=7 * (weeks + 1)))
    cut = pd.Timestamp(model.past["week"].max())
    told: dict[str, dict[str, float]] = {}
    for kind, method in model.methods.items():
        past, ahead = model.past[_kind(model.past) == kind], model.ahead[_kind(model.ahead) == kind]
        season = _season(past)
        naive = _ahead(past, ["naive", *(["seasonal naive"] if season > 1 else [])], weeks)
        truth = later[(_kind(later) == kind) & (later["week"] > cut)]
        both = truth.merge(ahead, on=["series", "week"]).merge(naive, on=["series", "week"])
        for name, column in {f"{kind}: {method}": "mean", **{f"{kind}: {n}": n for n in ("naive", "seasonal naive") if n in both}}.items():
            told[name] = {"MASE": _mase(both, past, column, season), "series": float(both["series"].nunique())}
        inside = (both["pieces"] >= both["low"] - 0.5) & (both["pieces"] <= both["high"] + 0.5)
        told[f"{kind}: {method}"]["coverage of 80%"] = float(inside.mean())
    return {"weeks": weeks, "measures": told}


# --- methods ----------------------------------------------------------------------------

METHODS = ("smoothing", "croston", "recent mean", "theta", "seasonal naive")


def _choose(past: pd.DataFrame) -> tuple[str, dict[str, float]]:
    """The method with the least error on the last weeks, learned on those before; by mean MASE over the series."""
    weeks = sorted(past["week"].unique())
    held = min(WEEKS_AHEAD, len(weeks) // 4)
    cut = weeks[-held - 1]
    before, after = past[past["week"] <= cut], past[past["week"] > cut]
    season = _season(before)
    able = [name for name in METHODS if (name != "seasonal naive" or season > 1) and (name != "theta" or past["series"].nunique() <= 60)]
    if not len(_long_enough(before)):
        return "recent mean", {}
    told = after.merge(_ahead(before, able, held), on=["series", "week"])
    errors = {name: _mase(told, before, name, season) for name in able}
    known = {name: error for name, error in errors.items() if not np.isnan(error)}
    return (min(known, key=lambda name: known[name]) if known else "recent mean"), errors


def _ahead(past: pd.DataFrame, names: list[str], weeks: int) -> pd.DataFrame:
    """The next `weeks` of each series by each method, never below zero."""
    from statsforecast import StatsForecast
    from statsforecast.models import CrostonSBA, DynamicOptimizedTheta, Naive, SeasonalNaive, SimpleExponentialSmoothingOptimized, WindowAverage

    past = _long_enough(past)
    if not len(past):
        return pd.DataFrame(columns=["series", "week", *names])
    length = int(past.groupby("series").size().min())
    make = {
        "smoothing": lambda: SimpleExponentialSmoothingOptimized(alias="smoothing"),
        "croston": lambda: CrostonSBA(alias="croston"),
        "recent mean": lambda: WindowAverage(min(8, length), alias="recent mean"),
        "theta": lambda: DynamicOptimizedTheta(season_length=1, alias="theta"),
        "naive": lambda: Naive(alias="naive"),
        "seasonal naive": lambda: SeasonalNaive(min(_YEAR_WEEKS, length), alias="seasonal naive"),
    }
    logging.getLogger("statsforecast").setLevel(logging.ERROR)
    table = past.rename(columns={"series": "unique_id", "week": "ds", "pieces": "y"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        engine = StatsForecast(models=[make[name]() for name in names], freq=pd.offsets.Week(weekday=0), n_jobs=1)
        found = engine.forecast(df=table, h=weeks)
    found = found.rename(columns={"unique_id": "series", "ds": "week"})
    numbers = [name for name in found.columns if name not in ("series", "week")]
    found[numbers] = found[numbers].clip(lower=0)
    return found


def _with_bounds(ahead: pd.DataFrame, past: pd.DataFrame, method: str) -> pd.DataFrame:
    """The mean with an 80% interval: how far the method lay off at several earlier origins, in steps of each series' own past, all series together."""
    weeks, off = sorted(past["week"].unique()), list[Any]()
    for back in range(1, _ORIGINS + 1):
        place = len(weeks) - 1 - back * WEEKS_AHEAD // 2
        if place < _FEWEST_WEEKS:
            break
        before = past[past["week"] <= weeks[place]]
        told = past[past["week"] > weeks[place]].merge(_ahead(before, [method], WEEKS_AHEAD), on=["series", "week"])
        off.append(((told["pieces"] - told[method]) / told["series"].map(_steps(before))).to_numpy())
    known = np.concatenate(off) if off else np.empty(0)
    known = known[np.isfinite(known)]
    if past["series"].nunique() >= _MANY and len(known) >= 8:
        low, high = np.quantile(known, [0.5 - _LEVEL / 200, 0.5 + _LEVEL / 200])
    else:
        # Few series lie all above or all below at the same time: how far off they were says more than to which side.
        high = float(np.quantile(np.abs(known), _LEVEL / 100)) if len(known) >= 8 else 1.5
        low = -high
    step = ahead["series"].map(_steps(past)).fillna(0.0)
    return ahead.assign(low=(ahead["mean"] + min(low, 0.0) * step).clip(lower=0), high=ahead["mean"] + max(high, 0.0) * step)


def _steps(past: pd.DataFrame) -> pd.Series:
    """The mean step from one week to the next of each series; NaN where it never moved."""
    moved = past.sort_values("week").groupby("series")["pieces"].agg(lambda pieces: float(np.abs(np.diff(pieces)).mean()) if len(pieces) > 1 else np.nan)
    return moved.where(moved > 0)


def _long_enough(past: pd.DataFrame) -> pd.DataFrame:
    """The series with weeks enough for every method; the others have nothing to go on with."""
    return past[past.groupby("series")["week"].transform("size") >= _FEWEST_WEEKS]


def _season(past: pd.DataFrame) -> int:
    return _YEAR_WEEKS if past["week"].nunique() >= _YEAR_WEEKS + WEEKS_AHEAD else 1


def _mase(told: pd.DataFrame, past: pd.DataFrame, name: str, season: int) -> float:
    """Mean over the series of the error against the past's own step; series without any step are left out."""
    by_series = {series: mine.sort_values("week")["pieces"].to_numpy() for series, mine in past.groupby("series")}
    errors = [measures.mase(mine["pieces"], mine[name], by_series[series], season=season) for series, mine in told.groupby("series") if series in by_series]
    known = [error for error in errors if np.isfinite(error)]
    return float(np.mean(known)) if known else float("nan")


def _kind(table: pd.DataFrame) -> pd.Series:
    return table["series"].str.partition(":")[0]


def _whole_weeks(counted: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    """Every week from a series' first sale on; before it there was nothing to sell."""
    weeks = np.arange(first, last + 1, 7)
    wide = counted.pivot(index="week", columns="series", values="pieces").reindex(weeks)
    started = wide.notna().cumsum() > 0
    long = wide.fillna(0.0).where(started).melt(ignore_index=False, var_name="series", value_name="pieces").dropna().reset_index(names="week")
    enough = long.groupby("series")["week"].transform("size") >= _FEWEST_WEEKS
    return long.loc[enough, SERIES]


def _points_by_week(history: History, first: int, last: int) -> pd.DataFrame:
    """Points outstanding at the end of each week."""
    booked = history.backend.execute(history.backend.table("points").group_by("day").agg(points=_.points.sum()))
    if not len(booked):
        return pd.DataFrame(columns=SERIES)
    daily = booked.set_index("day")["points"].sort_index().cumsum()
    weeks = np.arange(first, last + 1, 7)
    balance = daily.reindex(range(int(min(daily.index.min(), first)), last + 7)).ffill().fillna(0.0)
    return pd.DataFrame({"series": "points", "week": weeks, "pieces": balance.reindex(weeks + 6).to_numpy()})


def _empty_on(told: pd.DataFrame, column: str, stock: float, as_of: date) -> date | None:
    """The day the sum of a column passes the stock, sales spread evenly over each week."""
    left = float(stock)
    for week, pieces in zip(told["week"], told[column], strict=True):
        start = max(week.date(), as_of)
        days = 7 - (start - week.date()).days
        daily = pieces / 7
        if daily > 0 and daily * days >= left:
            return start + timedelta(days=int(left / daily))
        left -= daily * max(days, 0)
    return None
