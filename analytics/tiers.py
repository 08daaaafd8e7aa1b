"""Who is about to rise or fall?

The chance of each tier a quarter ahead, by trees over the feature row and the
member's place between the thresholds. The rules of the club stay the rules: what
a tier needs is asked in `members.program`; this only says where habits lead.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from analytics import measures
from analytics.features import columns
from analytics.history import History
from analytics.trees import Trees
from members.program import Program

NAME = "tiers"
HORIZON_DAYS = 90
_FEWEST = 60


@dataclass
class NextTier:
    """Trees over as many classes as were seen, by tier key, lowest first."""

    trees: Trees
    keys: list[str]
    marks: dict[str, int]

    @classmethod
    def fit(cls, history: History, rules: Program, *, as_of: date) -> "NextTier | None":
        """Learn from days whose quarter had passed by `as_of`; None when there is too little, or only one tier."""
        marks = {level.key: level.threshold_cents for level in rules.tiers.levels}
        rows, later = [], []
        for cut in history.cuts(as_of, days=HORIZON_DAYS):
            buyers = history.buyers(cut)
            if len(buyers) >= _FEWEST:
                rows.append(_told(buyers, marks))
                later.append(_tier(history.rows(cut + timedelta(days=HORIZON_DAYS)).reindex(buyers.index), marks))
        if not rows:
            return None
        target = pd.concat(later)
        keys = [key for key in marks if (target == key).any()]
        if len(keys) < 2:
            return None
        places = target.map({key: n for n, key in enumerate(keys)}).to_numpy(int)
        return cls(Trees.fit(pd.concat(rows), places, objective="multiclass", rounds=120, num_class=len(keys)), keys, marks)

    def score(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Chance of each tier in 90 days, a column a tier; rows sum to one."""
        chance = np.asarray(self.trees.predict(_told(rows, self.marks))).reshape(len(rows), len(self.keys))
        return pd.DataFrame(chance, index=rows.index, columns=self.keys)

    def explain(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What each column adds to the log-odds of each member's likeliest tier."""
        told = _told(rows, self.marks)
        likeliest = self.score(rows).to_numpy().argmax(axis=1)
        shares = np.asarray(self.trees.booster.predict(told[self.trees.columns].to_numpy(np.float32), pred_contrib=True)).reshape(len(rows), len(self.keys), -1)
        return pd.DataFrame(shares[np.arange(len(rows)), likeliest], index=rows.index, columns=[*self.trees.columns, "base"])

    def importance(self) -> dict[str, float]:
        """Share of what was learned that each column brought."""
        return self.trees.importance()


def measure(model: NextTier, history: History, *, as_of: date) -> dict[str, Any]:
    """Told tiers of a day held against those 90 days later: by class, overall, and beside “everybody stays”."""
    rows = history.buyers(as_of, most=None)
    truth = _tier(history.rows(as_of + timedelta(days=HORIZON_DAYS)).reindex(rows.index), model.marks)
    now = _tier(rows, model.marks)
    chance = model.score(rows)
    told = chance.idxmax(axis=1)
    names = list(model.marks)
    by_class = measures.classes(truth, told, names)
    moved = truth != now
    rank = {key: n for n, key in enumerate(names)}
    # A class nobody belongs to has no F1 to average.
    there = [n for n, key in enumerate(names) if (truth == key).any()]
    stay = measures.classes(truth, now, names)
    told_move = 1 - chance.to_numpy()[np.arange(len(rows)), [model.keys.index(k) if k in model.keys else 0 for k in now]]
    groups = measures.by_group(measures.who(rows), lambda who: {"accuracy": float((truth[who] == told[who]).mean())})
    return {
        "members": len(rows),
        "measures": {
            "model": {
                "accuracy": float((truth == told).mean()),
                "macro F1": float(by_class["F1"].iloc[there].mean()),
                "AUC of moving": measures.auc(moved, told_move),
            },
            "everybody stays": {"accuracy": float((truth == now).mean()), "macro F1": float(stay["F1"].iloc[there].mean()), "AUC of moving": 0.5},
        },
        "moved": float(moved.mean()),
        "rose": float((truth.map(rank) > now.map(rank)).mean()),
        "fell": float((truth.map(rank) < now.map(rank)).mean()),
        "classes": by_class,
        "groups": groups,
    }


def _tier(rows: pd.DataFrame, marks: dict[str, int]) -> pd.Series:
    lowest = next(iter(marks))
    return rows["tier"].where(rows["tier"].isin(list(marks)), lowest)


def _told(rows: pd.DataFrame, marks: dict[str, int]) -> pd.DataFrame:
    """The numeric columns and the place between thresholds: what is missing above, what is spare below, what leaves the year soon."""
    made = rows[columns(rows)].copy()
    thresholds = np.array(list(marks.values()), float)
    spent, rank = rows["spend_365"].to_numpy(), _tier(rows, marks).map({key: n for n, key in enumerate(marks)}).to_numpy(int)
    above = np.append(thresholds, np.inf)[rank + 1]
    made["tier_rank"] = rank
    made["missing"] = np.where(np.isfinite(above), above - spent, np.nan)
    made["spare"] = spent - thresholds[rank]
    made["spare_after"] = spent - rows["spend_season"].to_numpy() - thresholds[rank]
    made["pace"] = np.where(np.isfinite(above), (above - spent + rows["spend_season"].to_numpy()) / np.maximum(rows["spend_90"].to_numpy(), 100.0), np.nan)
    return made
