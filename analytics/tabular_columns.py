"""How does a table look to a network, and how does it come back?

Each column is a choice among modes: missing, a value that many rows share (all
of a text, the zero of a spend, the small counts), or one of the bells of a variational
Gaussian mixture over the rest, with a place within the bell (mode-specific
normalisation, Xu et al. 2019, arXiv:1907.00503). Knows nothing of what goes
together.

What fewer than five rows share is not kept by itself: such texts become "other", and the
ends of a column are means of its five outermost values. A categorical dtype's list of
names is kept as it was declared.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
FEWEST = 5
OTHER = "other"
# A value is a mode of its own from this share of rows on.
_SHARED = 0.03
_BELLS, _LEAST_WEIGHT, _SAMPLE = 6, 0.02, 5_000
# Where quantiles are kept.
PLACES: Numbers = np.linspace(0, 1, 101)
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Column:
    """What is known of one column; modes stand in the order missing, points, bells, with `shares` of rows; `quantiles` are of what lies in the bells."""

    name: str
    dtype: Any
    kind: str
    decimals: int | None
    missing: bool
    points: tuple[Any, ...]
    low: float
    high: float
    logs: bool
    means: Numbers
    spreads: Numbers
    weights: Numbers
    quantiles: Numbers
    shares: Numbers

    @property
    def modes(self) -> int:
        """How many modes there are."""
        return int(self.missing) + len(self.points) + len(self.means)

    @property
    def width(self) -> int:
        """How many numbers stand for a value: a one-hot of the modes, and before it a place where there are bells."""
        return self.modes + (len(self.means) > 0)

    @property
    def looks(self) -> tuple[Numbers, Numbers]:
        """For each mode the middle and the reach of a place of 1, standardised over rows; a text's names by how common they are."""
        first = int(self.missing)
        points = -np.log(np.maximum(self.shares[first:], 1e-4)) if self.kind == "text" else self._scaled(np.array(self.points, np.float64))
        middle = np.r_[np.zeros(first), points, self.means]
        spread = np.r_[np.zeros(first + len(self.points)), self.spreads]
        known = self.shares[first:] / max(1e-12, self.shares[first:].sum())
        mean = float((known * middle[first:]).sum())
        size = float(np.sqrt((known * ((middle[first:] - mean) ** 2 + spread[first:] ** 2)).sum())) or 1.0
        # What is missing lies in the middle.
        middle[:first] = mean
        return (middle - mean) / size, 4 * spread / size

    def encoded(self, values: pd.Series, rng: np.random.Generator) -> tuple[Numbers, NDArray[np.int64]]:
        """Place within the bell (0 for other modes) and mode of each value; a bell is drawn by how well it explains the value."""
        raw = plain(values, self.kind)
        if self.kind == "text":
            return np.zeros(len(raw)), _told_apart(raw, self)
        found, place, mode = raw.astype(np.float64), np.zeros(len(raw)), np.zeros(len(raw), np.int64)
        left = ~np.isnan(found)
        if not self.missing:
            # Only where a column was learned elsewhere: what cannot be said is the commonest instead.
            mode[~left] = int(np.argmax(self.shares))
        for n, point in enumerate(self.points):
            mode[found == point] = int(self.missing) + n
            left &= found != point
        if left.any() and len(self.means):
            scaled = self._scaled(found[left])[:, None]
            fit = np.log(self.weights) - np.log(self.spreads) - (scaled - self.means) ** 2 / (2 * self.spreads**2)
            bell = (fit + rng.gumbel(size=fit.shape)).argmax(axis=1)
            mode[left] = int(self.missing) + len(self.points) + bell
            place[left] = np.clip((scaled[:, 0] - self.means[bell]) / (4 * self.spreads[bell]), -0.99, 0.99)
        elif left.any() and self.points:
            mode[left] = int(self.missing) + np.abs(found[left][:, None] - np.array(self.points, float)).argmin(axis=1)
        return place, mode

    def decoded(self, place: Numbers, mode: NDArray[np.int64], *, ruler: Numbers | None = None) -> pd.Series:
        """Values in the column's own dtype; those in bells by rank where a `ruler` has the quantiles as they were drawn."""
        first = int(self.missing)
        if self.kind == "text":
            names = np.array([np.nan] * first + list(self.points), dtype=object)
            return typed(names[mode], self)
        told = np.full(len(mode), np.nan)
        for n, point in enumerate(self.points):
            told[mode == first + n] = point
        inside = mode >= first + len(self.points)
        if inside.any():
            raw = self.values(place[inside], mode[inside])
            told[inside] = np.clip(raw, self.low, self.high) if ruler is None else np.interp(raw, ruler, self.quantiles)
        return typed(told, self)

    def values(self, place: Numbers, mode: NDArray[np.int64]) -> Numbers:
        """Numbers at places within bells, wherever these lead."""
        bell = mode - int(self.missing) - len(self.points)
        scaled = self.means[bell] + 4 * self.spreads[bell] * place
        # A wild place in a logarithm's bell would overflow.
        return np.expm1(np.minimum(scaled, np.log1p(max(self.high, 0)) + 3)) if self.logs else scaled

    def _scaled(self, values: Numbers) -> Numbers:
        return np.log1p(np.maximum(values, 0)) if self.logs else values


def fit(rows: pd.DataFrame, *, seed: int, like: pd.DataFrame | None = None) -> list[Column]:
    """The columns of a table; `like` has the dtypes and decimals where the rows themselves are drawn ones."""
    return [_fit(rows[name], (rows if like is None else like)[name], seed) for name in rows]


def plain(values: pd.Series, kind: str) -> NDArray[Any]:
    """Texts as objects with None for missing, days and numbers as floats with NaN."""
    if kind == "text":
        told: NDArray[Any] = values.astype(object).to_numpy(copy=True)
        told[values.isna().to_numpy()] = None
        return told
    if kind == "day":
        days = (values - pd.Timestamp("1970-01-01", tz=values.dt.tz)) / _DAY if pd.api.types.is_datetime64_any_dtype(values) else values
        return np.asarray(days, np.float64)
    return values.to_numpy(np.float64, na_value=np.nan)


def kind_of(values: pd.Series) -> str:
    """`text` (booleans and categories, too), `day` or `number`."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return "day"
    return "number" if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values) else "text"


def blurred(values: Numbers) -> Numbers:
    """Sorted values as means of five neighbours: nobody's own number is kept."""
    groups = np.minimum(np.arange(len(values)) // FEWEST, max(0, len(values) // FEWEST - 1))
    return (np.bincount(groups, weights=values) / np.bincount(groups))[groups] if len(values) else values


def typed(values: NDArray[Any], column: Column) -> pd.Series:
    """Objects or numbers as a series of the column's dtype, rounded to its decimals."""
    if column.kind == "text":
        return _of_text(pd.Series(values, name=column.name, dtype=object), column.dtype)
    told = values if column.decimals is None else np.round(values, column.decimals)
    if column.kind == "day":
        days = pd.Series(pd.Timestamp("1970-01-01") + pd.to_timedelta(told, unit="D"), name=column.name)
        tz = getattr(column.dtype, "tz", None)
        return (days.dt.tz_localize("UTC").dt.tz_convert(tz) if tz else days).astype(column.dtype)
    return pd.Series(told, name=column.name).astype(column.dtype)


# --- one column -------------------------------------------------------------------------


def _fit(values: pd.Series, like: pd.Series, seed: int) -> Column:
    kind = kind_of(like)
    raw = plain(values, kind)
    gone = pd.isna(raw)
    known: Any = raw[~gone] if kind == "text" else raw[~gone].astype(np.float64)
    counted = pd.Series(known, dtype=object if kind == "text" else float).value_counts()
    dtype, decimals = like.dtype, None if kind == "text" else _decimals(plain(like, kind))
    empty = np.empty(0)
    if kind == "text":
        # That there is a yes and a no is nobody's secret.
        fewest = 1 if pd.api.types.is_bool_dtype(dtype) else FEWEST
        points = sorted(counted.index[counted >= fewest], key=str)
        if counted[counted < fewest].sum() and OTHER not in points:
            points.append(OTHER)
        rest, bells, low, high, logs = empty, (empty, empty, empty), 0.0, 0.0, False
        mode_of = {point: n for n, point in enumerate(points)}
        sizes = np.bincount([mode_of.get(value, len(points) - 1) for value in known], minlength=len(points)) if len(points) else np.empty(0)
    else:
        points = sorted(counted.index[counted >= max(FEWEST, _SHARED * len(raw))])
        rest = known[~np.isin(known, points)]
        rest = rest if len(rest) >= FEWEST else rest[:0]
        ends = np.sort(rest)
        low, high = (float(ends[:FEWEST].mean()), float(ends[-FEWEST:].mean())) if len(rest) else (0.0, 0.0)
        logs = bool(len(rest) and ends[0] >= 0 and ends[-1] > 5 * np.median(ends))
        bells = _bells(np.log1p(rest) if logs else rest, seed)
        sizes = np.r_[[(known == point).sum() for point in points], len(rest) * bells[2]]
    shares = np.r_[[gone.sum()] if gone.any() else [], sizes].astype(np.float64)
    return Column(
        str(values.name), dtype, kind, decimals, bool(gone.any()), tuple(points), low, high, logs, *bells, _quantiles(rest), shares / max(1.0, shares.sum())
    )


def _quantiles(values: Numbers) -> Numbers:
    return np.quantile(blurred(np.sort(values)), PLACES) if len(values) else values


def _bells(values: Numbers, seed: int) -> tuple[Numbers, Numbers, Numbers]:
    """Means, spreads and weights of the mixture's bells that carry something."""
    if not len(values):
        return np.empty(0), np.empty(0), np.empty(0)
    spread = float(values.std())
    if len(values) < 4 * FEWEST or spread == 0:
        return np.array([values.mean()]), np.array([max(spread, 1e-6)]), np.ones(1)
    from sklearn.mixture import BayesianGaussianMixture

    shown = values if len(values) <= _SAMPLE else np.random.default_rng(seed).choice(values, _SAMPLE, replace=False)
    mixture = BayesianGaussianMixture(n_components=min(_BELLS, len(shown) // FEWEST), weight_concentration_prior=1e-3, max_iter=60, random_state=seed)
    with warnings.catch_warnings():
        # A mixture that has not quite settled is a good enough ruler.
        warnings.simplefilter("ignore")
        mixture.fit(((shown - values.mean()) / spread)[:, None])
    kept = mixture.weights_ > _LEAST_WEIGHT
    weights = mixture.weights_[kept] / mixture.weights_[kept].sum()
    return mixture.means_[kept, 0] * spread + values.mean(), np.sqrt(mixture.covariances_[kept, 0, 0]) * spread, weights


def _told_apart(raw: NDArray[Any], column: Column) -> NDArray[np.int64]:
    first = int(column.missing)
    places = {point: first + n for n, point in enumerate(column.points)}
    unknown = places.get(OTHER, int(np.argmax(column.shares)))
    return np.array([(0 if column.missing else unknown) if value is None else places.get(value, unknown) for value in raw], np.int64)


def _decimals(values: Numbers) -> int | None:
    """The fewest decimals that say every value, None beyond six."""
    known = values[~np.isnan(values)]
    return next((places for places in range(7) if np.allclose(known, np.round(known, places), rtol=0, atol=1e-9)), None)


def _of_text(values: pd.Series, dtype: Any) -> pd.Series:
    if isinstance(dtype, pd.CategoricalDtype):
        names: Sequence[Any] = [*dtype.categories, *([OTHER] if OTHER not in dtype.categories and (values == OTHER).any() else [])]
        return values.astype(pd.CategoricalDtype(names, ordered=dtype.ordered))
    return values.astype(dtype)
