"""What if columns only knew of each other through ranks?

A Gaussian copula for mixed tables (Nelsen 2006; Patki, Wedge and Veeramachaneni
2016): each column by its own quantiles, and one matrix of correlations between latent
normal scores. Texts stand on thresholds, in an order that follows the numbers. Learns
in a blink; what is not monotone between two columns it cannot say.

Under a privacy budget the matrix is a noisy one (as in Li, Xiong and Jiang 2014) and
the columns are those that noisy counts told.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from analytics import privacy_budget
from analytics.privacy_budget import Budget
from analytics.tabular_columns import FEWEST, OTHER, Column, blurred, plain, typed

Numbers = NDArray[np.float64]
_STEPS = 1_001


@dataclass(frozen=True)
class Scale:
    """One column as heights between 0 and 1: texts one above the other, or numbers by quantiles with the missing below or above them."""

    order: NDArray[Any]
    tops: Numbers
    quantiles: Numbers
    missing: float
    above: bool

    def values(self, height: Numbers) -> NDArray[Any]:
        """What stands at each height."""
        if len(self.order):
            return self.order[np.minimum(np.searchsorted(self.tops, height, side="right"), len(self.order) - 1)]
        if not len(self.quantiles):
            return np.full(len(height), np.nan)
        known, base = 1 - self.missing, 0.0 if self.above else self.missing
        told = np.interp((height - base) / known, np.linspace(0, 1, len(self.quantiles)), self.quantiles)
        return np.where((height < base) | (height > base + known), np.nan, told)

    def scores(self, raw: NDArray[Any]) -> Numbers:
        """The mean of a standard normal over the stretch of heights that each value takes."""
        low, high = self._stretch(raw)
        wide = np.maximum(high - low, 1e-9)
        return (norm.pdf(norm.ppf(low)) - norm.pdf(norm.ppf(np.minimum(low + wide, 1)))) / wide

    def _stretch(self, raw: NDArray[Any]) -> tuple[Numbers, Numbers]:
        if len(self.order):
            place = {value: n for n, value in enumerate(self.order)}
            at = np.array([place.get(value, place.get(OTHER, 0)) for value in raw], np.int64)
            return np.r_[0.0, self.tops[:-1]][at], self.tops[at]
        known, base, steps = 1 - self.missing, 0.0 if self.above else self.missing, max(1, len(self.quantiles))
        low, high = (np.searchsorted(self.quantiles, raw, side=side) / steps for side in ("left", "right"))
        # A value between two quantiles has a stretch, too.
        low, high = np.where(low == high, np.maximum(low - 0.5 / steps, 0), low), np.where(low == high, np.minimum(high + 0.5 / steps, 1), high)
        gone = np.isnan(raw)
        return np.where(gone, known if self.above else 0.0, base + low * known), np.where(gone, 1.0 if self.above else self.missing, base + high * known)


@dataclass
class Copula:
    """Columns, their scales, and the latent scores' correlations. Holds no row."""

    columns: list[Column]
    scales: list[Scale]
    correlation: Numbers
    spent_epsilon: float | None = None

    def sample(self, size: int, *, seed: int) -> pd.DataFrame:
        """Rows of correlated normal scores, each read back through its column."""
        rng, (values, vectors) = np.random.default_rng(seed), np.linalg.eigh(self.correlation)
        scores = rng.normal(size=(size, len(values))) @ (vectors * np.sqrt(np.maximum(values, 0))).T
        heights = norm.cdf(scores)
        pairs = zip(self.columns, self.scales, strict=True)
        return pd.DataFrame({column.name: typed(scale.values(heights[:, n]), column) for n, (column, scale) in enumerate(pairs)})


def fit(
    rows: pd.DataFrame, columns: list[Column], *, alone: pd.DataFrame | None = None, budget: Budget | None = None, spent: Any = 0.0, seed: int = 7
) -> Copula:
    """Learn rows whose columns are known; under a budget from `alone`, columns drawn one by one, and `spent` is what these cost."""
    shown = rows if alone is None else alone
    raws = [plain(shown[column.name], column.kind) for column in columns]
    lean = None if budget else _lean(columns, raws)
    scales = [_scale(column, raw, lean) for column, raw in zip(columns, raws, strict=True)]
    scores = np.stack([scale.scores(raw) for scale, raw in zip(scales, raws, strict=True)], axis=1)
    # A score over a stretch varies less than what lies behind it: cov / (var · var) is the latent correlation (polyserial; Drasgow 1986).
    spread = np.maximum(scores.var(axis=0), 1e-6)
    if budget is None:
        together, cost = np.cov(scores, rowvar=False, bias=True).reshape(len(columns), len(columns)), None
    else:
        real = np.stack([scale.scores(plain(rows[column.name], column.kind)) for scale, column in zip(scales, columns, strict=True)], axis=1)
        noise = budget.least_noise(lambda level: spent + privacy_budget.gaussian(level))
        cost = budget.spent(spent + privacy_budget.gaussian(noise))
        together = privacy_budget.products(real / np.sqrt(spread), noise=noise, rng=np.random.default_rng(seed))
        together = together * np.sqrt(np.outer(spread, spread))
    return Copula(columns, scales, _correlation(together / np.outer(spread, spread)), cost)


# --- learning ---------------------------------------------------------------------------


def _scale(column: Column, raw: NDArray[Any], lean: Numbers | None) -> Scale:
    nothing: Numbers = np.empty(0)
    if column.kind == "text":
        told = [value if value is None or value in column.points else OTHER for value in raw]
        names = [*([None] if column.missing else []), *column.points]
        share = np.array([sum(value == name for value in told) for name in names], float) / len(told)
        if lean is not None:
            means = [float(np.mean(lean[[value == name for value in told]])) if share[n] else 0.0 for n, name in enumerate(names)]
            turn = np.argsort(means, kind="stable")
            names, share = [names[n] for n in turn], share[turn]
        order = np.empty(len(names), dtype=object)
        order[:] = names
        return Scale(order, np.cumsum(share / share.sum()), nothing, 0.0, False)
    gone = np.isnan(raw)
    known: Numbers = np.sort(raw[~gone])
    loose = ~np.isin(known, column.points)
    known[loose] = blurred(known[loose])
    above = bool(lean is not None and gone.any() and not gone.all() and (lean[gone].mean() - lean[~gone].mean()) * _slope(lean[~gone], raw[~gone]) > 0)
    quantiles = np.quantile(known, np.linspace(0, 1, _STEPS), method="nearest") if len(known) >= FEWEST else nothing
    return Scale(np.empty(0, dtype=object), nothing, quantiles, float(gone.mean()) if len(quantiles) else 1.0, above)


def _lean(columns: list[Column], raws: list[NDArray[Any]]) -> Numbers | None:
    """The first principal component of the numbers' ranks: the order that texts are put into."""
    ranks = [pd.Series(raw).rank(pct=True).fillna(0.5).to_numpy() for column, raw in zip(columns, raws, strict=True) if column.kind != "text"]
    kept = [rank - rank.mean() for rank in ranks if rank.std() > 0]
    return np.linalg.svd(np.stack(kept, axis=1), full_matrices=False)[0][:, 0] if kept else None


def _slope(lean: Numbers, raw: Numbers) -> float:
    return float(np.cov(lean, pd.Series(raw).rank().to_numpy())[0, 1]) if len(raw) > 1 else 0.0


def _correlation(told: Numbers) -> Numbers:
    """The nearest thing to `told` that is a matrix of correlations."""
    told = np.clip(told, -0.99, 0.99)
    np.fill_diagonal(told, 1.0)
    values, vectors = np.linalg.eigh(told)
    mended = (vectors * np.maximum(values, 1e-6)) @ vectors.T
    size = np.sqrt(np.diag(mended))
    return mended / np.outer(size, size)
