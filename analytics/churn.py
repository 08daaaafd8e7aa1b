"""Who is drifting away?

The chance of no order in the next 90 days, from one feature row, calibrated on
members held out. Learned at several earlier days, each with its own aftermath.
Knows nothing of campaigns: who can be won back is asked in `win_back`.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from analytics import buying, measures
from analytics.buying import BGNBD, summary
from analytics.features import columns
from analytics.history import History
from analytics.trees import Numbers, Trees

NAME = "churn"
HORIZON_DAYS = 90
# A day to learn from needs so many buyers, and some of either outcome.
_FEWEST = 60


@dataclass
class Churn:
    """Trees over the row and the rhythm (BG/NBD), and the line that calibrates their log-odds."""

    trees: Trees
    rhythm: BGNBD | None
    intercept: float
    slope: float
    average: float

    @classmethod
    def fit(cls, history: History, *, as_of: date) -> "Churn | None":
        """Learn from days whose 90 days had passed by `as_of`; None when there is too little to learn from."""
        found = _learning(history, as_of)
        if found is None:
            return None
        rows, gone = found
        # Members apart, never rows: the same member stands there once a day learned from.
        chance = np.zeros(len(rows))
        for learn, held in GroupKFold(5).split(rows, groups=rows.index):
            chance[held] = Trees.fit(rows.iloc[learn], gone[learn], objective="binary").predict(rows.iloc[held], raw=True)
        # All seasons set the level: one quarter's mood would be taken for the next one's.
        line = LogisticRegression(C=1e6).fit(chance[:, None], gone)
        slope = float(np.clip(line.coef_[0, 0], 0.3, 3.0))
        trees = Trees.fit(rows, gone, objective="binary")
        rhythm, _ = buying.habits(history, as_of)
        return cls(trees, rhythm, float(line.intercept_[0]), slope, float(gone.mean()))

    def score(self, rows: pd.DataFrame) -> pd.Series:
        """Chance of no order in the next 90 days, a buyer's row each."""
        raw = self.trees.predict(with_rhythm(rows, self.rhythm), raw=True)
        return pd.Series(expit(self.intercept + self.slope * raw), index=rows.index, name=NAME)

    def explain(self, rows: pd.DataFrame) -> pd.DataFrame:
        """How much each column moves each chance away from the common start, in chance; columns and `base` sum to the score."""
        shares = self.trees.shares(with_rhythm(rows, self.rhythm))
        return spread(shares, lambda raw: expit(self.intercept + self.slope * raw))

    def importance(self) -> dict[str, float]:
        """Share of what was learned that each column brought."""
        return self.trees.importance()


def measure(model: Churn, history: History, *, as_of: date) -> dict[str, Any]:
    """How the chances of a day held against its next 90 days: measures, baselines, reliability, and by group.

    `RFM logistic` is learned here, on the same days as the model, from recency, frequency and money alone.
    """
    rows = history.buyers(as_of, most=None)
    gone = _gone(history, rows, as_of)
    chance = model.score(rows)
    simple = rfm_logistic(history, as_of=as_of)
    told = {"model": measures.binary(gone, chance)}
    if simple is not None:
        told["RFM logistic"] = measures.binary(gone, simple.predict_proba(_rfm(rows))[:, 1])
    told["longest silence first"] = {"AUC": measures.auc(gone, rows["recency_days"])}
    truth = pd.Series(gone, index=rows.index)
    groups = measures.by_group(measures.who(rows), lambda who: measures.binary(truth[who], chance[who]))
    return {"members": len(rows), "positive": float(gone.mean()), "measures": told, "reliability": measures.reliability(gone, chance), "groups": groups}


def rfm_logistic(history: History, *, as_of: date) -> Any:
    """The baseline: a logistic regression on log recency, frequency and money; None when there is too little."""
    found = _learning(history, as_of)
    if found is None:
        return None
    rows, gone = found
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(_rfm(rows), gone)


def spread(shares: pd.DataFrame, link: Any) -> pd.DataFrame:
    """Shares of a raw prediction as shares of the linked one: each column's part of the way from the base to the score."""
    base = link(shares["base"].to_numpy())
    parts = shares.drop(columns="base")
    total = parts.sum(axis=1).to_numpy()
    way = link(shares["base"].to_numpy() + total) - base
    # The way is divided as the raw shares divide it, so that the parts still sum to the whole.
    scale = np.divide(way, total, out=np.zeros_like(way), where=np.abs(total) > 1e-12)
    return parts.mul(scale, axis=0).assign(base=base)


def with_rhythm(rows: pd.DataFrame, rhythm: BGNBD | None) -> pd.DataFrame:
    """The numeric columns, with what the member's own rhythm says beside them."""
    made = rows[columns(rows, leaving_out=("tenure_days", "seen_days"))].copy()
    usual = rows["gap_mean"].fillna(rows["first_days"].clip(lower=30.0))
    made["silence"] = rows["recency_days"] / usual.clip(lower=1.0)
    made["silence_longest"] = rows["recency_days"] / rows["gap_longest"].clip(lower=1.0)
    made["trend"] = np.log1p(rows["orders_90"]) - np.log1p(rows["orders_before_90"])
    seen = summary(rows)
    made["alive"] = rhythm.alive(seen) if rhythm else np.nan
    made["expected_orders"] = rhythm.expected(seen, weeks=HORIZON_DAYS / 7) if rhythm else np.nan
    return made


# --- learning ---------------------------------------------------------------------------


def _learning(history: History, as_of: date) -> tuple[pd.DataFrame, Numbers] | None:
    """Rows of every day learned from, and whether each member was gone after it."""
    rows, gone = [], []
    for cut in history.cuts(as_of, days=HORIZON_DAYS):
        buyers = history.buyers(cut)
        if len(buyers) >= _FEWEST:
            rows.append(with_rhythm(buyers, buying.habits(history, cut)[0]))
            gone.append(_gone(history, buyers, cut))
    if not rows or not 0 < float(np.concatenate(gone).mean()) < 1:
        return None
    return pd.concat(rows), np.concatenate(gone)


def _gone(history: History, rows: pd.DataFrame, as_of: date) -> Any:
    return (~rows.index.isin(history.after(as_of, HORIZON_DAYS).index)).astype(int)


def _rfm(rows: pd.DataFrame) -> Any:
    return np.log1p(rows[["recency_days", "orders", "spend"]].clip(lower=0).to_numpy())
