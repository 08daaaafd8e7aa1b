"""Which kinds of members are there?

Named groups learned on recency, frequency, money, basket, tenure and discounts
(k-means on standardised logarithms), each named after the pattern it is nearest
to, so that a group keeps its name from one training to the next. Beside them
stands the classic grid of recency, frequency and money by fifths.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

from analytics.history import History

NAME = "segments"
AXES = ("recency_days", "orders_365", "spend_365", "order_cents", "first_days", "discount_share")
# Where a name belongs, in standard deviations along the axes.
PATTERNS: dict[str, tuple[float, ...]] = {
    "champions": (-0.9, 1.5, 1.5, 0.5, 0.4, 0.0),
    "regulars": (-0.7, 0.7, 0.6, 0.0, 0.3, 0.0),
    "big_baskets": (0.0, -0.2, 0.7, 1.6, 0.0, 0.0),
    "bargain_hunters": (0.0, 0.0, -0.1, -0.2, 0.0, 1.5),
    "newcomers": (-0.6, -0.5, -0.4, 0.0, -1.6, 0.0),
    "small_baskets": (0.0, 0.0, -0.6, -1.4, 0.1, 0.0),
    "drifting": (0.7, -0.4, -0.3, 0.0, 0.5, 0.0),
    "sleeping": (1.3, -1.6, -1.6, -0.2, 0.6, 0.0),
}
_FEWEST_A_GROUP = 12
_SAMPLE = 5_000


@dataclass
class Segments:
    """Centres in standardised space and the name of each."""

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    means: NDArray[np.float64]
    names: list[str]

    @classmethod
    def fit(cls, history: History, *, as_of: date) -> "Segments | None":
        """Learn the groups of all buyers of a day; None for fewer than could fill three."""
        return cls.of_rows(history.buyers(as_of))

    @classmethod
    def of_rows(cls, rows: pd.DataFrame, *, seed: int = 7) -> "Segments | None":
        """Learn from rows; the number of groups is the one whose groups stand apart best (silhouette), a few more rather than fewer."""
        if len(rows) < 3 * _FEWEST_A_GROUP:
            return None
        points = _points(rows)
        centre, scale = points.mean(axis=0), np.maximum(points.std(axis=0), 1e-9)
        standard = np.clip((points - centre) / scale, -3.5, 3.5)
        few = np.random.default_rng(seed).permutation(len(standard))[:_SAMPLE]
        best: tuple[float, Any] | None = None
        for groups in range(5, len(PATTERNS) + 1):
            if len(rows) < groups * _FEWEST_A_GROUP:
                break
            found = KMeans(groups, n_init=10, random_state=seed).fit(standard[few])
            # A finer picture is worth a little blur to whoever has to write to these people.
            apart = float(silhouette_score(standard[few], found.labels_)) + 0.01 * groups
            if best is None or apart > best[0]:
                best = (apart, found)
        found = best[1] if best else KMeans(3, n_init=10, random_state=seed).fit(standard[few])
        return cls(centre, scale, found.cluster_centers_, _named(found.cluster_centers_))

    def score(self, rows: pd.DataFrame) -> pd.Series:
        """The name of each buyer's group."""
        standard = np.clip((_points(rows) - self.centre) / self.scale, -3.5, 3.5)
        near = ((standard[:, None, :] - self.means[None, :, :]) ** 2).sum(axis=2).argmin(axis=1) if len(rows) else np.empty(0, int)
        return pd.Series([self.names[n] for n in near], index=rows.index, name=NAME)

    def explain(self, rows: pd.DataFrame) -> pd.DataFrame:
        """How far each member lies from the average of all along each axis, in standard deviations."""
        return pd.DataFrame(np.clip((_points(rows) - self.centre) / self.scale, -3.5, 3.5), index=rows.index, columns=list(AXES)).assign(base=0.0)

    def importance(self) -> dict[str, float]:
        """How much of the difference between the groups each axis carries."""
        spread = self.means.var(axis=0)
        order = np.argsort(-spread, kind="stable")
        return {AXES[n]: float(spread[n] / max(spread.sum(), 1e-9)) for n in order}


def measure(model: Segments, history: History, *, as_of: date, rounds: int = 5) -> dict[str, Any]:
    """Stability: agreement (adjusted Rand) of groups learned anew on resampled members; and how they stand apart."""
    rows = history.buyers(as_of)
    mine, rng = model.score(rows), np.random.default_rng(7)
    again = []
    for number in range(rounds):
        drawn = rows.iloc[rng.integers(0, len(rows), len(rows))]
        other = Segments.of_rows(drawn, seed=100 + number)
        if other is not None:
            again.append((float(adjusted_rand_score(mine, other.score(rows))), float((mine == other.score(rows)).mean())))
    standard = model.explain(rows)[list(AXES)].to_numpy()
    few = rng.permutation(len(rows))[:_SAMPLE]
    apart = float(silhouette_score(standard[few], mine.iloc[few])) if mine.iloc[few].nunique() > 1 else 0.0
    agree = [a for a, _ in again] or [0.0]
    return {
        "members": len(rows),
        "measures": {
            "model": {
                "groups": float(len(model.names)),
                "stability (adjusted Rand)": float(np.mean(agree)),
                "same name": float(np.mean([s for _, s in again] or [0.0])),
                "silhouette": apart,
            }
        },
    }


def overview(rows: pd.DataFrame, segment: pd.Series, *, churn: pd.Series | None = None, value: pd.Series | None = None) -> pd.DataFrame:
    """One row a group, largest spend first: size, means, its standing traits, and a typical member (the nearest to the group's middle)."""
    told = []
    whole = _points(rows)
    centre, scale = whole.mean(axis=0), np.maximum(whole.std(axis=0), 1e-9)
    standard = pd.DataFrame((whole - centre) / scale, index=rows.index, columns=list(AXES))
    for name, mine in rows.groupby(segment.reindex(rows.index)):
        middle = standard.loc[mine.index].mean()
        typical = ((standard.loc[mine.index] - middle) ** 2).sum(axis=1).idxmin()
        told.append(
            {
                "segment": str(name),
                "members": len(mine),
                "share": len(mine) / len(rows),
                "spend_share": float(mine["spend_365"].sum() / max(rows["spend_365"].sum(), 1)),
                "recency_days": float(mine["recency_days"].median()),
                "orders_365": float(mine["orders_365"].mean()),
                "spend_365": float(mine["spend_365"].mean()),
                "order_cents": float(mine["order_cents"].mean()),
                "discount_share": float(mine["discount_share"].mean()),
                "top_category": _commonest(mine["top_category"]),
                "traits": traits(middle),
                "typical_member": str(typical),
                "churn": float(churn.reindex(mine.index).mean()) if churn is not None else float("nan"),
                "value_cents": float(value.reindex(mine.index).mean()) if value is not None else float("nan"),
            }
        )
    return pd.DataFrame(told).sort_values("spend_share", ascending=False, ignore_index=True)


def traits(middle: pd.Series, *, most: int = 3) -> list[str]:
    """What sets a group apart, strongest first, as keys such as `orders_365:high`; what lies near the average is no trait."""
    strong = middle[middle.abs() > 0.35].abs().sort_values(ascending=False).index[:most]
    return [f"{axis}:{'high' if middle[axis] > 0 else 'low'}" for axis in strong]


def rfm(rows: pd.DataFrame) -> pd.DataFrame:
    """The classic grid: recency, frequency and money by fifths, 5 the best; ties share the better fifth."""

    def fifth(values: pd.Series, *, rising: bool) -> pd.Series:
        rank = values.rank(method="max" if rising else "min", ascending=True, pct=True)
        place = np.ceil(rank * 5).clip(1, 5)
        return (place if rising else 6 - place).astype(int)

    return pd.DataFrame(
        {"R": fifth(rows["recency_days"], rising=False), "F": fifth(rows["orders_365"], rising=True), "M": fifth(rows["spend_365"], rising=True)},
        index=rows.index,
    )


def _points(rows: pd.DataFrame) -> NDArray[np.float64]:
    made = np.log1p(rows[list(AXES[:5])].fillna(0).clip(lower=0).to_numpy(float))
    return np.column_stack([made, rows["discount_share"].fillna(0).clip(0, 1).to_numpy(float)])


def _named(means: NDArray[np.float64]) -> list[str]:
    """Each group takes the pattern it is nearest to; no name twice (Hungarian assignment)."""
    patterns = np.array(list(PATTERNS.values()))
    cost = ((means[:, None, :] - patterns[None, :, :]) ** 2).sum(axis=2)
    groups, chosen = linear_sum_assignment(cost)
    names = list(PATTERNS)
    return [names[chosen[list(groups).index(n)]] for n in range(len(means))]


def _commonest(values: pd.Series) -> str:
    counts = values[values != ""].value_counts()
    return str(counts.index[0]) if len(counts) else ""
