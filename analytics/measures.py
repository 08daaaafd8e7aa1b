"""How good is a prediction?

Measures by the names the field gives them, with an interval by bootstrap where
a figure would otherwise look surer than it is, and the same measures by group,
so that nobody is served worse unseen.
"""

from collections.abc import Callable, Mapping, Sequence
from math import log2
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score

Numbers = NDArray[np.float64]
# A group of fewer is named with its size and not measured.
SMALLEST_GROUP = 40


def ndcg_at_k(ranked: Sequence[Any], wanted: set[Any], k: int = 20) -> float:
    """Normalised discounted cumulative gain of binary relevance (Järvelin and Kekäläinen 2002)."""
    gained = sum(1 / log2(place + 2) for place, item in enumerate(ranked[:k]) if item in wanted)
    return gained / sum(1 / log2(place + 2) for place in range(min(k, len(wanted))))


def recall_at_k(ranked: Sequence[Any], wanted: set[Any], k: int = 20) -> float:
    """Share of what was wanted among the first k, of at most k."""
    return len(set(ranked[:k]) & wanted) / min(k, len(wanted))


def auc(truth: Any, chance: Any) -> float:
    """Area under the ROC curve; .5 where one of the outcomes is missing."""
    return float(roc_auc_score(truth, chance)) if len(np.unique(truth)) == 2 else 0.5


def brier(truth: Any, chance: Any) -> float:
    """Mean squared distance between chance and outcome."""
    return float(np.mean((np.asarray(chance) - np.asarray(truth)) ** 2))


def reliability(truth: Any, chance: Any, *, bins: int = 10) -> pd.DataFrame:
    """Mean chance and observed share in equally large groups by chance, with the group's size."""
    told = pd.DataFrame({"chance": np.asarray(chance, float), "observed": np.asarray(truth, float)})
    told["bin"] = pd.qcut(told["chance"].rank(method="first"), min(bins, max(1, len(told))), labels=False)
    return told.groupby("bin").agg(chance=("chance", "mean"), observed=("observed", "mean"), members=("chance", "size")).reset_index(drop=True)


def calibration_error(truth: Any, chance: Any) -> float:
    """Mean distance of chance and observed share over ten equally large groups (expected calibration error)."""
    found = reliability(truth, chance)
    return float(((found["chance"] - found["observed"]).abs() * found["members"]).sum() / max(1, found["members"].sum()))


def binary(truth: Any, chance: Any) -> dict[str, float]:
    """Measures of a chance of something that happened or not."""
    truth = np.asarray(truth)
    return {
        "AUC": auc(truth, chance),
        "average precision": float(average_precision_score(truth, chance)) if truth.any() else 0.0,
        "Brier": brier(truth, chance),
        "calibration error": calibration_error(truth, chance),
    }


def amount(truth: Any, told: Any) -> dict[str, float]:
    """Measures of a predicted amount, in the amount's own unit."""
    truth, told = np.asarray(truth, float), np.asarray(told, float)
    rank = float(spearmanr(truth, told).statistic) if len(truth) > 2 and np.ptp(told) > 0 and np.ptp(truth) > 0 else 0.0
    return {"MAE": float(np.abs(truth - told).mean()), "Spearman": rank, "mean told": float(told.mean()), "mean true": float(truth.mean())}


def classes(truth: Any, told: Any, names: Sequence[str]) -> pd.DataFrame:
    """Precision, recall, F1 and support of each class."""
    precision, recall, f1, support = precision_recall_fscore_support(truth, told, labels=list(names), zero_division=0)
    return pd.DataFrame({"class": list(names), "precision": precision, "recall": recall, "F1": f1, "members": support})


def mase(truth: Any, told: Any, past: Any, *, season: int) -> float:
    """Mean absolute scaled error (Hyndman and Koehler 2006): against the past's own step of one season."""
    past = np.asarray(past, float)
    scale = float(np.abs(past[season:] - past[:-season]).mean()) if len(past) > season else float(np.abs(np.diff(past)).mean()) if len(past) > 1 else 0.0
    return float(np.abs(np.asarray(truth) - np.asarray(told)).mean() / scale) if scale else float("nan")


def interval(values: Any, statistic: Callable[[Numbers], float] = np.mean, *, rounds: int = 400, seed: int = 7) -> tuple[float, float]:
    """95% bootstrap interval of a statistic of one value a member."""
    values, rng = np.asarray(values, float), np.random.default_rng(seed)
    drawn = [statistic(values[rng.integers(0, len(values), len(values))]) for _ in range(rounds)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def by_group(groups: Mapping[str, pd.Series], measure: Callable[[pd.Index], dict[str, float]]) -> dict[str, dict[str, dict[str, float]]]:
    """The same measures for the members of each group: grouping → group → measure."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, group in groups.items():
        sizes = group.value_counts()
        told = {
            str(value): {"members": float(count), **(measure(group.index[group == value]) if count >= SMALLEST_GROUP else {})}
            for value, count in sizes.head(8).items()
        }
        found[name] = told
    return found


def who(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """The groups every score is measured for: country, tier, and how long a member."""
    tenure = pd.cut(rows["first_days"], [-1, 90, 365, 1e9], labels=["under 90 days", "90 days to a year", "over a year"]).astype(str)
    return {"country": rows["country"].replace("", "unknown"), "tier": rows["tier"].replace("", "none"), "tenure": tenure}
