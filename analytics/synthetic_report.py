"""Are invented rows like the real ones, and do they give anyone away?

Held beside rows that nothing was learned from: each column alone, each pair of columns,
what a model learned from invented rows tells of real ones, and how well an attacker
tells who was learned from by the distance to the nearest invented row. A measured
attack that fails is no proof that none succeeds.

Distances are means over columns: ranks for numbers, same or not for texts, and missing
beside present as far apart as can be.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from analytics import measures
from analytics.tabular_columns import kind_of, plain
from analytics.trees import Trees
from members.errors import BadInput

Numbers = NDArray[np.float64]
WANTED_RATIO, WANTED_ATTACK = 0.95, 0.53


@dataclass(frozen=True)
class Report:
    """Tables by column and by pair, and figures by name; `holdout` is what rows never learned from come to."""

    columns: pd.DataFrame
    pairs: pd.DataFrame
    utility: dict[str, float]
    privacy: dict[str, float]
    seconds: float

    @property
    def figures(self) -> dict[str, float]:
        """All of it on one line."""
        told = {"marginals": self.columns["distance"].mean(), "marginals, worst": self.columns["distance"].max()}
        told["marginals, holdout"] = self.columns["holdout"].mean()
        if len(self.pairs):
            told |= {"pairs": self.pairs["difference"].mean(), "pairs, holdout": self.pairs["holdout difference"].mean()}
        return {name: float(value) for name, value in told.items()} | self.utility | self.privacy


def report(real_train: pd.DataFrame, real_test: pd.DataFrame, synthetic: pd.DataFrame, *, target: str, seed: int) -> Report:
    """Measure invented rows against those they were learned from and those they were not.

    `target` is a column of 0 and 1 (or booleans). Raises BadInput where tables have other columns or too few rows.
    """
    begun = time.perf_counter()
    names = list(real_train.columns)
    if set(names) != set(real_test.columns) or set(names) != set(synthetic.columns):
        raise BadInput("The tables to compare must have the same columns.")
    if target not in names or len(names) < 2:
        raise BadInput(f"There is no column “{target}” beside others.")
    if min(len(real_train), len(real_test), len(synthetic)) < 20:
        raise BadInput("Each table needs at least 20 rows.")
    real_test, synthetic = real_test[names], synthetic[names]
    return Report(
        _columns(real_train, real_test, synthetic),
        _pairs(real_train, real_test, synthetic),
        _utility(real_train, real_test, synthetic, target=target, seed=seed),
        _privacy(real_train, real_test, synthetic, seed=seed),
        time.perf_counter() - begun,
    )


# --- likeness ---------------------------------------------------------------------------


def _columns(train: pd.DataFrame, test: pd.DataFrame, synthetic: pd.DataFrame) -> pd.DataFrame:
    told = []
    for name in train:
        kind = kind_of(train[name])
        apart = total_variation if kind == "text" else kolmogorov_smirnov
        real, other, made = (plain(rows[name], kind) for rows in (train, test, synthetic))
        told.append({"column": name, "measure": "TV" if kind == "text" else "KS", "distance": apart(real, made), "holdout": apart(real, other)})
    return pd.DataFrame(told)


def kolmogorov_smirnov(one: Numbers, other: Numbers) -> float:
    """The largest distance of two cumulative shares; what is missing counts as below everything."""
    one, other = np.sort(np.nan_to_num(one, nan=-np.inf)), np.sort(np.nan_to_num(other, nan=-np.inf))
    places = np.concatenate([one, other])
    return float(np.abs(np.searchsorted(one, places, side="right") / len(one) - np.searchsorted(other, places, side="right") / len(other)).max())


def total_variation(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Half the summed distance of two shares of categories, missing being one."""
    shares = [pd.Series(_words(values)).value_counts(normalize=True) for values in (one, other)]
    return float(shares[0].sub(shares[1], fill_value=0).abs().sum() / 2)


def _pairs(train: pd.DataFrame, test: pd.DataFrame, synthetic: pd.DataFrame) -> pd.DataFrame:
    """Association of each pair of columns that vary: correlation of ranks, Cramér's V, or correlation ratio of ranks."""
    kinds = {name: kind_of(train[name]) for name in train if train[name].nunique(dropna=False) > 1}
    tables = [{name: _prepared(rows[name], kind) for name, kind in kinds.items()} for rows in (train, synthetic, test)]
    told = []
    for a, b in combinations(kinds, 2):
        texts = (kinds[a] == "text") + (kinds[b] == "text")
        first, second = (a, b) if kinds[a] == "text" or texts == 0 else (b, a)
        measure: Callable[[Any, Any], float] = (correlation, correlation_ratio, cramers_v)[texts]
        real, made, other = (measure(table[first], table[second]) for table in tables)
        kind = ("correlation", "correlation ratio", "Cramér's V")[texts]
        told.append((a, b, kind, real, made, abs(made - real), abs(other - real)))
    return pd.DataFrame(told, columns=["a", "b", "measure", "real", "synthetic", "difference", "holdout difference"])


def _prepared(values: pd.Series, kind: str) -> NDArray[Any]:
    raw = plain(values, kind)
    if kind == "text":
        return pd.factorize(_words(raw))[0]
    return pd.Series(raw).rank(pct=True).to_numpy(np.float64)


def correlation(one: Numbers, other: Numbers) -> float:
    """Pearson's, over rows where both are known; 0 where one does not vary."""
    both = ~(np.isnan(one) | np.isnan(other))
    one, other = one[both], other[both]
    return float(np.corrcoef(one, other)[0, 1]) if len(one) > 2 and np.ptp(one) > 0 and np.ptp(other) > 0 else 0.0


def correlation_ratio(groups: NDArray[np.int64], values: Numbers) -> float:
    """The share of a number's spread that lies between groups, as a root (Fisher's eta)."""
    known = ~np.isnan(values)
    groups, values = groups[known], values[known]
    if len(values) < 3 or np.ptp(values) == 0:
        return 0.0
    sizes = np.bincount(groups)
    means = np.bincount(groups, weights=values) / np.maximum(sizes, 1)
    return float(np.sqrt((sizes * (means - values.mean()) ** 2).sum() / ((values - values.mean()) ** 2).sum()))


def cramers_v(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Cramér's V of two columns of codes, with Bergsma's (2013) correction for chance."""
    counts = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(counts, (one, other), 1)
    total, (rows, columns) = counts.sum(), counts.shape
    if min(rows, columns) < 2:
        return 0.0
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0, keepdims=True) / total
    phi = max(0.0, ((counts - expected) ** 2 / expected).sum() / total - (rows - 1) * (columns - 1) / (total - 1))
    least = min(rows - (rows - 1) ** 2 / (total - 1), columns - (columns - 1) ** 2 / (total - 1)) - 1
    return float(min(1.0, np.sqrt(phi / least))) if least > 0 else 0.0


# --- use --------------------------------------------------------------------------------


def _utility(train: pd.DataFrame, test: pd.DataFrame, synthetic: pd.DataFrame, *, target: str, seed: int) -> dict[str, float]:
    """AUC of the same trees on real rows held back, learned from real and from invented rows."""
    tables = [_numbers(rows.drop(columns=[target]), like=train) for rows in (train, synthetic, test)]
    truths = [rows[target].astype("float64").to_numpy() for rows in (train, synthetic, test)]
    if not set(np.unique(np.concatenate(truths))) <= {0.0, 1.0}:
        raise BadInput(f"“{target}” must be 0 or 1 to be foretold.")
    real, made = (
        measures.auc(truths[2], Trees.fit(table, truth, objective="binary", num_threads=1, seed=seed).predict(tables[2], threads=1))
        if len(np.unique(truth)) == 2
        else 0.5
        for table, truth in zip(tables[:2], truths[:2], strict=True)
    )
    return {"AUC from real": real, "AUC from synthetic": made, "AUC ratio": made / real if real else float("nan")}


def _numbers(rows: pd.DataFrame, *, like: pd.DataFrame) -> pd.DataFrame:
    told = {}
    for name in rows:
        kind = kind_of(like[name])
        raw = plain(rows[name], kind)
        if kind != "text":
            told[name] = raw
            continue
        told |= {f"{name}={value}": (raw == value).astype(float) for value in pd.Series(plain(like[name], kind)).dropna().unique()}
    return pd.DataFrame(told)


# --- who is given away ------------------------------------------------------------------


def _privacy(train: pd.DataFrame, test: pd.DataFrame, synthetic: pd.DataFrame, *, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    learned, held, made = _placed(train, test, synthetic)
    # As many of the one as of the other, or the larger crowd would be nearer by its size alone.
    size = min(len(learned), len(held))
    some, others = learned[rng.permutation(len(learned))[:size]], held[rng.permutation(len(held))[:size]]
    to_train, to_holdout = nearest(made, some), nearest(made, others)
    closer = (to_train < to_holdout).mean() + (to_train == to_holdout).mean() / 2
    attack = membership_auc(learned, held, made)
    seen = set(_keys(train))
    return {
        "nearest learned row, median": float(np.median(to_train)),
        "nearest holdout row, median": float(np.median(to_holdout)),
        "nearest learned row, 5%": float(np.quantile(to_train, 0.05)),
        "nearest holdout row, 5%": float(np.quantile(to_holdout, 0.05)),
        "share closer to learned": float(closer),
        "membership AUC": attack,
        # What an attacker who guesses reaches at most, 97.5 times in a hundred (Mann and Whitney 1947).
        "membership AUC, chance": 0.5 + float(norm.ppf(0.975)) * float(np.sqrt((len(learned) + len(held) + 1) / (12 * len(learned) * len(held)))),
        "exact copies": float(sum(key in seen for key in _keys(synthetic))),
        "exact copies in holdout": float(sum(key in seen for key in _keys(test))),
    }


def membership_auc(learned: Numbers, held: Numbers, made: Numbers) -> float:
    """How well nearness to an invented row tells rows learned from and not (Chen et al. 2020, GAN-Leaks, full black box): .5 is not at all."""
    near = np.concatenate([nearest(learned, made), nearest(held, made)])
    return measures.auc(np.r_[np.ones(len(learned)), np.zeros(len(held))], -near)


def nearest(rows: Numbers, others: Numbers) -> Numbers:
    """Distance of each row to the nearest of others."""
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=1, metric="manhattan", algorithm="brute").fit(others).kneighbors(rows)[0]
    return np.asarray(found[:, 0], np.float64)


def _placed(train: pd.DataFrame, test: pd.DataFrame, synthetic: pd.DataFrame) -> list[Numbers]:
    """Tables as points whose Manhattan distance is the mean over columns."""
    # Ranks among all real rows: ranks among those learned from would tell these by how evenly they lie.
    parts: list[list[Numbers]] = [[], [], []]
    for name in train:
        kind = kind_of(train[name])
        raws = [plain(rows[name], kind) for rows in (train, test, synthetic)]
        if kind == "text":
            names = pd.unique(_words(np.concatenate(raws[:2])))
            for part, raw in zip(parts, raws, strict=True):
                part.append((_words(raw)[:, None] == names).astype(np.float64) / 2)
            continue
        known = np.sort(np.concatenate(raws[:2]))
        known = known[~np.isnan(known)]
        for part, raw in zip(parts, raws, strict=True):
            rank = (np.searchsorted(known, raw, side="left") + np.searchsorted(known, raw, side="right")) / (2 * max(1, len(known)))
            gone = np.isnan(raw)
            part.append(np.stack([np.where(gone, 0.5, rank), gone / 2], axis=1))
    return [np.concatenate(part, axis=1) / len(train.columns) for part in parts]


def _words(values: NDArray[Any]) -> NDArray[Any]:
    return np.array(["missing" if value is None else str(value) for value in values], dtype=object)


def _keys(rows: pd.DataFrame) -> list[tuple[Any, ...]]:
    plainly = {name: pd.Series(plain(rows[name], kind_of(rows[name]))).astype(object).where(rows[name].notna().to_numpy(), None) for name in rows}
    return list(pd.DataFrame(plainly).itertuples(index=False, name=None))
