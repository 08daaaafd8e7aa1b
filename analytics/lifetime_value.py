"""What is a member worth?

What they are expected to spend in the next 90 and 365 days, with an 80%
interval, and when their next order is due. Two ways compete: BG/NBD with
Gamma-Gamma (`buying`), and trees learned on earlier days; the one that was nearer
on a day held back for that serves.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from analytics import buying, measures
from analytics.buying import BGNBD, WEEK, GammaGamma, summary
from analytics.churn import with_rhythm
from analytics.history import History
from analytics.trees import Numbers, Trees

NAME = "lifetime_value"
HORIZON_DAYS, YEAR_DAYS = 90, 365
_LOW, _HIGH = 0.1, 0.9
_FEWEST = 60


@dataclass
class Learned:
    """Three trees over the same row, averaged: of the mean (Tweedie), of the root (twice), and of the median.

    The mean alone is pulled by the few who spend most, the median alone forgets them; on the validation day (2 June 2011 of
    the Online Retail data) the root erred least.
    """

    mean: Trees
    root: Trees
    median: Trees
    low: Trees
    high: Trees
    widen: float

    @classmethod
    def fit(cls, rows: pd.DataFrame, cents: Numbers) -> "Learned":
        """Learn amounts from rows that hold the rhythm, too."""
        spent = cents / 100
        fit = lambda objective, target, **more: Trees.fit(rows, target, objective=objective, rounds=300, num_leaves=7, lambda_l2=5.0, **more)  # noqa: E731
        made = cls(
            fit("tweedie", spent, tweedie_variance_power=1.5),
            fit("l2", np.sqrt(spent)),
            fit("l1", spent),
            fit("quantile", spent, alpha=_LOW),
            fit("quantile", spent, alpha=_HIGH),
            0.0,
        )
        return made

    def cents(self, rows: pd.DataFrame) -> Numbers:
        """Expected spend in minor units."""
        root = np.maximum(self.root.predict(rows), 0) ** 2
        found: Numbers = 25 * (self.mean.predict(rows) + 2 * root + np.maximum(self.median.predict(rows), 0))
        return found

    def bounds(self, rows: pd.DataFrame) -> tuple[Numbers, Numbers]:
        """The interval in minor units, widened as members held out asked for."""
        low, high = self.low.predict(rows) * 100, self.high.predict(rows) * 100
        return np.maximum(low - self.widen, 0.0), np.maximum(high + self.widen, low)

    def calibrate(self, rows: pd.DataFrame, cents: Numbers) -> None:
        """Widen the interval until it covers 80% of members it was not learned from (conformalised quantiles, Romano et al. 2019)."""
        low, high = self.low.predict(rows) * 100, self.high.predict(rows) * 100
        beyond = np.maximum(low - cents, cents - high)
        self.widen = float(np.quantile(beyond, min(1.0, (_HIGH - _LOW) * (1 + 1 / len(beyond)))))


@dataclass
class LifetimeValue:
    """Both ways as fitted at the as-of day, and which of them serves."""

    rhythm: BGNBD | None
    money: GammaGamma | None
    learned: Learned | None
    wait: Trees | None
    usual_cents: float
    serves: str
    choice: dict[str, float]

    @classmethod
    def fit(cls, history: History, *, as_of: date) -> "LifetimeValue | None":
        """Learn from days whose 90 days had passed by `as_of`; None without buyers."""
        buyers = history.buyers(as_of)
        if not len(buyers):
            return None
        rhythm, money = buying.habits(history, as_of)
        usual = float(buyers["order_cents"].median())
        cuts = history.cuts(as_of, days=HORIZON_DAYS)
        table = [learning(history, cut) for cut in cuts if len(history.buyers(cut)) >= _FEWEST]
        if not table:
            return cls(rhythm, money, None, None, usual, "BG/NBD and Gamma-Gamma", {})
        learned = _fit_learned(table)
        choice = _choose(history, table, cuts)
        better = "learned" if choice.get("learned MAE", 0.0) <= choice.get("BG/NBD MAE", np.inf) else "BG/NBD and Gamma-Gamma"
        return cls(rhythm, money, learned, _fit_wait(history, table, cuts), usual, better, choice)

    def score(self, rows: pd.DataFrame, *, as_of: date) -> pd.DataFrame:
        """A buyer's row each: value_90_cents, value_cents (365 days), low and high of the latter, next_order_on."""
        seen = summary(rows)
        quarter, low, high = self.quarter(rows)
        year_by_rhythm = self._by_rhythm(seen, YEAR_DAYS)
        quarter_by_rhythm = self._by_rhythm(seen, HORIZON_DAYS)
        # A year is the quarter, stretched as the member's own rhythm says: less than four times for one who may leave.
        stretch = np.clip(np.divide(year_by_rhythm, quarter_by_rhythm, out=np.full(len(rows), 3.0), where=quarter_by_rhythm > 1), 1.0, YEAR_DAYS / HORIZON_DAYS)
        year = quarter * stretch
        found = pd.DataFrame(
            {
                "value_90_cents": quarter,
                "value_cents": year,
                "value_low_cents": np.minimum(low * stretch, year),
                "value_high_cents": np.maximum(high * stretch, year),
            },
            index=rows.index,
        )
        found = found.round().astype("int64")
        found["next_order_on"] = self.next_order(rows, as_of=as_of)
        return found

    def quarter(self, rows: pd.DataFrame) -> tuple[Numbers, Numbers, Numbers]:
        """Expected spend in 90 days and its bounds, minor units, by the way that serves."""
        if self.learned is not None and self.serves == "learned":
            told = with_rhythm(rows, self.rhythm)
            return self.learned.cents(told), *self.learned.bounds(told)
        seen = summary(rows)
        expected = self._by_rhythm(seen, HORIZON_DAYS)
        orders = self.rhythm.expected(seen, weeks=HORIZON_DAYS / WEEK) if self.rhythm else np.zeros(len(rows))
        # Orders come as they come (Poisson): the bounds are those of their number.
        spread = expected / np.maximum(orders, 1e-9) * 1.28 * np.sqrt(np.maximum(orders, 0))
        return expected, np.maximum(expected - spread, 0), expected + spread

    def next_order(self, rows: pd.DataFrame, *, as_of: date) -> list[date]:
        """The day each member's next order is due if they come within the quarter; never before tomorrow."""
        if self.wait is not None:
            wait = self.wait.predict(with_rhythm(rows, self.rhythm))
        else:
            wait = rows["gap_median"].fillna(60.0).to_numpy() - rows["recency_days"].to_numpy()
        return [as_of + timedelta(days=int(round(min(max(days, 1.0), 3650)))) for days in wait]

    def explain(self, rows: pd.DataFrame) -> pd.DataFrame:
        """How much each column moves the expected spend of 90 days, in minor units; columns and `base` sum to it where trees serve."""
        if self.learned is None or self.serves != "learned":
            seen = summary(rows)
            return pd.DataFrame({"expected_orders": self._by_rhythm(seen, HORIZON_DAYS), "base": 0.0}, index=rows.index)
        told = with_rhythm(rows, self.rhythm)
        expected = self.learned.cents(told)
        shares = self.learned.root.shares(told)
        parts = shares.drop(columns="base")
        base = float(np.maximum(shares["base"].iloc[0], 0) ** 2) * 100 if len(shares) else 0.0
        total = parts.sum(axis=1).to_numpy()
        scale = np.divide(expected - base, total, out=np.zeros(len(rows)), where=np.abs(total) > 1e-9)
        return parts.mul(scale, axis=0).assign(base=base)

    def importance(self) -> dict[str, float]:
        """Share of what was learned that each column brought; empty where rhythm alone serves."""
        return self.learned.root.importance() if self.learned else {}

    def _by_rhythm(self, seen: pd.DataFrame, days: int) -> Numbers:
        if self.rhythm is None:
            return np.full(len(seen), self.usual_cents * days / YEAR_DAYS)
        each = self.money.mean_cents(seen, otherwise=self.usual_cents) if self.money else np.full(len(seen), self.usual_cents)
        return self.rhythm.expected(seen, weeks=days / WEEK) * each


def learning(history: History, cut: date) -> tuple[pd.DataFrame, Numbers]:
    """Buyers' rows of a day with the rhythm known by then, and what they spent in the 90 days after."""
    buyers = history.buyers(cut)
    rhythm, _ = buying.habits(history, cut)
    spent = history.after(cut, HORIZON_DAYS)["cents"].reindex(buyers.index).fillna(0).to_numpy(float)
    return with_rhythm(buyers, rhythm), spent


def _fit_learned(table: list[tuple[pd.DataFrame, Numbers]]) -> Learned:
    rows, cents = pd.concat([t[0] for t in table]), np.concatenate([t[1] for t in table])
    # A fifth of the members, all their days, says how wide the interval must be.
    apart = pd.util.hash_pandas_object(pd.Series(rows.index), index=False).to_numpy() % 5 == 0
    if apart.sum() > 20 and (~apart).sum() > 50:
        widen = Learned.fit(rows[~apart], cents[~apart])
        widen.calibrate(rows[apart], cents[apart])
        learned = Learned.fit(rows, cents)
        learned.widen = widen.widen
        return learned
    return Learned.fit(rows, cents)


def _fit_wait(history: History, table: list[tuple[pd.DataFrame, Numbers]], cuts: list[date]) -> Trees | None:
    """The median wait of those who ordered within the 90 days after a day learned from."""
    rows, waits = [], []
    for (told, _), cut in zip(table, cuts, strict=False):
        came = history.wait(cut, HORIZON_DAYS).reindex(told.index).dropna()
        rows.append(told.loc[came.index])
        waits.append(came.to_numpy(float))
    if sum(len(w) for w in waits) < _FEWEST:
        return None
    return Trees.fit(pd.concat(rows), np.concatenate(waits), objective="l1", rounds=150)


def _choose(history: History, table: list[tuple[pd.DataFrame, Numbers]], cuts: list[date]) -> dict[str, float]:
    """Mean error of both ways on the newest day learned from, each fitted only on what was over by then."""
    newest = cuts[0]
    older = [pair for pair, cut in zip(table, cuts, strict=False) if cut + timedelta(days=HORIZON_DAYS) <= newest]
    rows, spent = table[0]
    buyers = history.buyers(newest)
    rhythm, money = buying.habits(history, newest)
    bare = LifetimeValue(rhythm, money, None, None, float(buyers["order_cents"].median()), "", {})
    told = {"BG/NBD MAE": float(np.abs(bare._by_rhythm(summary(buyers), HORIZON_DAYS) - spent).mean()) / 100}
    if older:
        learned = Learned.fit(pd.concat([t[0] for t in older]), np.concatenate([t[1] for t in older]))
        told["learned MAE"] = float(np.abs(learned.cents(rows) - spent).mean()) / 100
    return told


def measure(model: LifetimeValue, history: History, *, as_of: date) -> dict[str, Any]:
    """Expected spend of a day held against the next 90 days, in whole units: both ways, run-rate, Tweedie alone, and zero."""
    rows = history.buyers(as_of, most=None)
    spent = history.after(as_of, HORIZON_DAYS)["cents"].reindex(rows.index).fillna(0).to_numpy(float) / 100
    expected, low, high = model.quarter(rows)
    seen = summary(rows)
    told = {f"model ({model.serves})": measures.amount(spent, expected / 100)}
    told["BG/NBD and Gamma-Gamma"] = measures.amount(spent, model._by_rhythm(seen, HORIZON_DAYS) / 100)
    if model.learned is not None:
        told["Tweedie trees alone"] = measures.amount(spent, model.learned.mean.predict(with_rhythm(rows, model.rhythm)))
    told["run rate"] = measures.amount(spent, (rows["spend"] / rows["first_days"].clip(lower=30) * HORIZON_DAYS / 100).to_numpy())
    told["always zero"] = measures.amount(spent, np.zeros(len(rows)))
    truth, guess = pd.Series(spent, rows.index), pd.Series(expected / 100, rows.index)
    covered = float(((spent * 100 >= low - 0.5) & (spent * 100 <= high + 0.5)).mean())
    groups = measures.by_group(measures.who(rows), lambda who: measures.amount(truth[who], guess[who]))
    return {
        "members": len(rows),
        "measures": told,
        "coverage of the 80% interval": covered,
        "groups": groups,
        "chosen on": model.choice,
        **due(model, history, rows, as_of=as_of),
    }


def due(model: LifetimeValue, history: History, rows: pd.DataFrame, *, as_of: date) -> dict[str, Any]:
    """How far the day an order was expected on lies from the day it came, for those who ordered within 90 days."""
    came = history.wait(as_of, HORIZON_DAYS).reindex(rows.index).dropna()
    if not len(came):
        return {}
    mine = rows.loc[came.index]
    told = np.array([(on - as_of).days for on in model.next_order(mine, as_of=as_of)])
    plain = np.maximum(mine["gap_median"].fillna(60.0) - mine["recency_days"], 1.0)
    return {"next order, mean days off": {"model": float(np.abs(told - came).mean()), "own median gap": float(np.abs(plain - came).mean())}}
