"""How much could one person's row have changed what was learned?

Differential privacy by Rényi divergence (Mironov 2017, arXiv:1702.07476; Mironov,
Talwar and Zhang 2019, arXiv:1908.10530, for the sampled Gaussian mechanism): what
noisy steps cost, how much noise a budget asks for, what noisy counts tell of a table's
columns one by one, and what a noisy sum tells of them two by two. Neighbouring tables
differ by one row added or removed.

Taken as public: the names, kinds and decimals of columns, the names that a categorical
dtype declares, and how many rows there are. The noise comes from an ordinary seeded generator: whoever knows the seed can subtract it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp
from scipy.stats import norm

from analytics.tabular_columns import OTHER, kind_of, plain

Numbers = NDArray[np.float64]
ORDERS: Numbers = np.r_[np.arange(2, 64), np.arange(64, 257, 8), 320, 384, 512, 1024].astype(np.float64)
# Edges of counting that no data chose: five a decade, from a thousandth to ten thousand million.
_EDGES = 10.0 ** (np.arange(-15, 51) / 5)
# Counts beyond so many standard deviations of noise say where a column begins and ends, and between the two what is left out.
_SURE, _HEARD = 3.5, 1.0
_LONGEST = 1.2


@dataclass(frozen=True)
class Budget:
    """The most that may be spent: `epsilon` at `delta`, half of which guards the names of categories."""

    epsilon: float
    delta: float = 1e-5

    def spent(self, divergence: Numbers) -> float:
        """Epsilon of a Rényi divergence told for each of `ORDERS`."""
        return epsilon_of(divergence, self.delta / 2)

    def least_noise(self, divergence: Callable[[float], Numbers]) -> float:
        """The smallest noise, to a thousandth, whose divergence (noise → value an order) stays within the budget."""
        low, high = 0.01, 1.0
        while self.spent(divergence(high)) > self.epsilon:
            low, high = high, high * 2
            if high > 1e7:
                raise ValueError(f"No noise keeps epsilon {self.epsilon} at delta {self.delta}.")
        while high - low > high / 1000:
            middle = (low + high) / 2
            low, high = (middle, high) if self.spent(divergence(middle)) > self.epsilon else (low, middle)
        return high


def gaussian(noise: float) -> Numbers:
    """Divergence of a Gaussian mechanism whose standard deviation is `noise` times its L2 sensitivity (Mironov 2017, prop. 7)."""
    return ORDERS / (2 * noise**2)


def sampled_gaussian(rate: float, noise: float, steps: int) -> Numbers:
    """Divergence of `steps` such mechanisms, each on rows drawn independently at `rate` (Mironov et al. 2019, section 3.3, whole orders)."""
    if rate >= 1:
        return steps * gaussian(noise)
    told = np.empty(len(ORDERS))
    for n, order in enumerate(ORDERS.astype(int)):
        k = np.arange(order + 1)
        ways = gammaln(order + 1) - gammaln(k + 1) - gammaln(order - k + 1)
        told[n] = logsumexp(ways + k * np.log(rate) + (order - k) * np.log1p(-rate) + (k * k - k) / (2 * noise**2)) / (order - 1)
    return steps * np.maximum(told, 0)


def epsilon_of(divergence: Numbers, delta: float) -> float:
    """The best epsilon over all orders (Canonne, Kamath and Steinke 2020, arXiv:2004.00010, prop. 12)."""
    told = divergence + np.log1p(-1 / ORDERS) - (np.log(delta) + np.log(ORDERS)) / (ORDERS - 1)
    return max(0.0, float(told.min()))


def products(rows: Numbers, *, noise: float, rng: np.random.Generator) -> Numbers:
    """The mean outer product of standardised rows (columns, columns), each row cut off at 1.2 times its usual length √columns."""
    size = rows.shape[1]
    longest = _LONGEST * np.sqrt(size)
    cut = rows * np.minimum(1, longest / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
    # One row adds at most longest² to the matrix in the Frobenius norm, and so to its upper half.
    told = np.triu(rng.normal(0, noise * longest**2, (size, size)))
    return (cut.T @ cut + told + np.triu(told, 1).T) / len(rows)


# --- columns one by one -----------------------------------------------------------------


def marginals(rows: pd.DataFrame, *, noise: float, delta: float, rng: np.random.Generator) -> pd.DataFrame:
    """As many rows as there are, every column drawn alone from its noisy counts: what goes together is lost.

    `noise` is a multiple of the whole table's sensitivity, √columns, as a row is counted once in each. Numbers are counted
    between fixed edges; a category's name is told only where its count is beyond what one row could make it (with `delta`
    over all columns; Korolova et al. 2009), else it is "other". A calendar day is told as coarsely as any number: learn ages instead.
    """
    spread = noise * np.sqrt(rows.shape[1])
    texts = max(1, sum(kind_of(rows[name]) == "text" for name in rows))
    named = 1 + spread * float(norm.isf(delta / texts))
    return pd.DataFrame({name: (_text if kind_of(rows[name]) == "text" else _number)(rows[name], spread, named, rng) for name in rows})


def _drawn(shares: Numbers, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    total = shares.sum()
    return rng.choice(len(shares), size, p=shares / total if total > 0 else np.full(len(shares), 1 / len(shares)))


def _text(column: pd.Series, spread: float, named: float, rng: np.random.Generator) -> pd.Series:
    counted = column.value_counts(dropna=False).sort_index()
    if pd.api.types.is_bool_dtype(column):
        counted, named = counted.reindex([False, True], fill_value=0), -np.inf
    heard = (counted + rng.normal(0, spread, len(counted))).clip(lower=0 if named == -np.inf else None)
    kept = heard[heard > named]
    rest = max(0.0, len(column) - kept.sum())
    names = [*kept.index, OTHER] if (rest > spread and named > 0) or not len(kept) else list(kept.index)
    shares = np.array([*kept, rest][: len(names)], float)
    return pd.Series(np.array(names, dtype=object)[_drawn(shares, len(column), rng)], index=column.index, dtype=object)


def _number(column: pd.Series, spread: float, _named: float, rng: np.random.Generator) -> pd.Series:
    values = plain(column, kind_of(column))
    edges = np.r_[-_EDGES[::-1], _EDGES]
    # Between the two smallest edges lies zero, and nothing else is counted there.
    place = np.where(np.isnan(values), len(edges) + 1, np.digitize(values, edges))
    counted = np.bincount(place, minlength=len(edges) + 2) + rng.normal(0, spread, len(edges) + 2)
    # Whole numbers that can be missing are of another dtype.
    able = not (isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu")
    missing = counted[-1] if able and counted[-1] > _SURE * spread else 0.0
    sure = np.flatnonzero(counted[:-1] > _SURE * spread)
    counted[counted < _HEARD * spread] = 0
    counted[: sure[0] if len(sure) else -1] = 0
    counted[(sure[-1] + 1 if len(sure) else 0) :] = 0
    counted[-1] = missing
    if not counted.any():
        counted[len(_EDGES)] = 1
    bounds = np.r_[edges[0], edges, edges[-1]]
    drawn = _drawn(counted, len(values), rng)
    low, high = bounds[np.minimum(drawn, len(edges))], bounds[np.minimum(drawn + 1, len(edges) + 1)]
    told = low + rng.random(len(drawn)) * (high - low)
    if (np.isnan(values) | (values == np.round(values))).all():
        # Whole numbers of [low, high), each as likely.
        first, last = np.ceil(low), np.maximum(np.ceil(low), np.ceil(high) - 1)
        told = first + np.floor(rng.random(len(drawn)) * (last - first + 1))
    told[drawn == len(_EDGES)] = 0.0
    told[drawn == len(edges) + 1] = np.nan
    return pd.Series(told, index=column.index)
