"""Whom does a campaign change?

The effect of being addressed, unit by unit, learned from a campaign with a
holdout: T- and X-learner (Künzel et al. 2019) and the doubly robust learner
(Kennedy 2023), all on small trees, with the measures that say whether a ranking
by effect is worth anything. Two outcomes of one unit are never seen, so no
single effect can be checked: only groups can. Without chance in who was
addressed, what moved both the choice and the outcome is taken for effect.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from members.errors import BadInput

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]
Method = Literal["t", "x", "dr"]
METHODS: dict[Method, str] = {"t": "T-learner", "x": "X-learner", "dr": "DR-learner"}
TOP_SHARES = (0.1, 0.2, 0.3)
FEWEST_IN_ARM = 50
# An estimated chance of being addressed is kept away from 0 and 1: its inverse weighs the unit.
_CLIP = 0.05
_TREES = {
    "learning_rate": 0.03,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "verbose": -1,
    "deterministic": True,
    "force_row_wise": True,
}
# A category with few units says little by itself.
_CATEGORIES = {"cat_smooth": 50.0, "cat_l2": 50.0, "max_cat_threshold": 8}


# --- the model --------------------------------------------------------------------------


@dataclass(frozen=True)
class Average:
    """The mean effect of all units with its standard error and 95% interval, in the outcome's unit."""

    effect: float
    error: float

    @property
    def low(self) -> float:
        """Lower bound of the 95% interval."""
        return self.effect - 1.96 * self.error

    @property
    def high(self) -> float:
        """Upper bound of the 95% interval."""
        return self.effect + 1.96 * self.error


@dataclass
class Uplift:
    """A learned effect. Everything named out-of-fold was told by models that never saw the unit.

    `effects` and `baselines` are out-of-fold, a value a training unit; `scores` are their doubly robust scores, whose mean is the mean effect.
    """

    method: Method
    columns: "Columns"
    effects: Numbers
    baselines: Numbers
    scores: Numbers
    difference: Average
    adjusted: Average
    _effect: "Sum" = field(repr=False)
    _baseline: lightgbm.Booster = field(repr=False)

    @property
    def learner(self) -> str:
        """The learner's usual name."""
        return METHODS[self.method]

    def effect(self, rows: pd.DataFrame) -> Numbers:
        """What being addressed adds to each unit's outcome; below zero where it harms."""
        return self._effect.predict(self.columns.table(rows))

    def baseline(self, rows: pd.DataFrame) -> Numbers:
        """Each unit's expected outcome when left alone."""
        return np.asarray(self._baseline.predict(self.columns.table(rows), num_threads=1))

    def shares(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What each column adds to each effect, and the `base` all start from (TreeSHAP); a row's sum is its effect, but log-odds for a T-learner's yes and no."""
        return pd.DataFrame(self._effect.shares(self.columns.table(rows)), index=rows.index, columns=[*self.columns.names, "base"])

    def importance(self) -> dict[str, float]:
        """Share of the effect models' gain that each column brought, largest first."""
        gain = self._effect.gain()
        total = float(gain.sum()) or 1.0
        return {self.columns.names[n]: float(gain[n] / total) for n in np.argsort(-gain, kind="stable")}


@dataclass(frozen=True)
class Columns:
    """Which columns were learned from, and what values their categories had."""

    names: list[str]
    values: dict[str, list[Any]]

    @classmethod
    def of(cls, rows: pd.DataFrame) -> "Columns":
        """Numbers stay numbers; anything else is a category."""
        told = {name: rows[name] for name in rows.columns if not pd.api.types.is_numeric_dtype(rows[name].dtype)}
        return cls(list(rows.columns), {name: list(pd.Categorical(column).categories) for name, column in told.items()})

    def table(self, rows: pd.DataFrame) -> NDArray[np.float32]:
        """The bare array models read; missing values and categories never seen are NaN."""
        made = np.full((len(rows), len(self.names)), np.nan, np.float32)
        for place, name in enumerate(self.names):
            if name in self.values:
                codes = pd.Categorical(rows[name], self.values[name]).codes
                made[:, place] = np.where(codes >= 0, codes, np.nan)
            else:
                made[:, place] = pd.to_numeric(rows[name]).to_numpy(np.float32, na_value=np.nan)
        return made

    @property
    def categories(self) -> list[int]:
        """Places of the categories."""
        return [place for place, name in enumerate(self.names) if name in self.values]


@dataclass(frozen=True)
class Sum:
    """Models added up with weights, and a constant: an effect is a difference or a mean of them."""

    parts: list[tuple[float, lightgbm.Booster]]
    constant: float = 0.0

    def scaled(self, slope: float, constant: float) -> "Sum":
        """Stretched by `slope` and moved by `constant`."""
        return Sum([(slope * weight, model) for weight, model in self.parts], slope * self.constant + constant)

    def predict(self, table: NDArray[np.float32]) -> Numbers:
        """The weighted sum of the parts."""
        return self.constant + np.sum([weight * model.predict(table, num_threads=1) for weight, model in self.parts], axis=0)

    def shares(self, table: NDArray[np.float32]) -> Numbers:
        """The weighted sum of the parts' contributions, the base last."""
        found = np.sum([weight * model.predict(table, pred_contrib=True, num_threads=1) for weight, model in self.parts], axis=0)
        found[:, -1] += self.constant
        return found

    def gain(self) -> Numbers:
        """Gain of each column, over all parts."""
        return np.sum([abs(weight) * model.feature_importance("gain") for weight, model in self.parts], axis=0)


# --- learning ---------------------------------------------------------------------------


def fit(
    rows: pd.DataFrame,
    treated: Flags,
    outcome: Numbers,
    *,
    method: Method = "x",
    propensity: float | None = None,
    folds: int = 5,
    seed: int = 0,
    threads: int = 1,
) -> Uplift:
    """Learn the effect of being addressed, one row a unit.

    `propensity` is the share that chance addressed; it is estimated from the rows when left out. `outcome` is 0 and 1, or an amount.
    Raises BadInput where one arm is all but empty or the outcome never varies.
    """
    return _learned(_Folds.of(rows, treated, outcome, propensity=propensity, folds=folds, seed=seed, threads=threads), method)


@dataclass(frozen=True)
class Choice:
    """All learners on the same folds, and the one kept."""

    best: Uplift
    every: dict[Method, Uplift]
    table: dict[str, dict[str, float]]


def choose(
    rows: pd.DataFrame,
    treated: Flags,
    outcome: Numbers,
    *,
    propensity: float | None = None,
    folds: int = 5,
    seed: int = 0,
    threads: int = 1,
) -> Choice:
    """Fit every learner and compare the gain of their out-of-fold rankings over the doubly robust scores, less noisy than outcomes (Yadlowsky et al. 2021).

    The X-learner is kept unless another gains more by two standard errors of the difference: with few units the best gain is mostly luck.
    """
    work = _Folds.of(rows, treated, outcome, propensity=propensity, folds=folds, seed=seed, threads=threads)
    every = {method: _learned(work, method) for method in METHODS}
    table = {}
    for model in every.values():
        table[model.learner] = {"DR gain": gain(model.effects, model.scores), **measured(model.effects, work.treated, work.outcome, propensity=work.chance({}))}
    best = max(every.values(), key=lambda model: _ahead(model, every["x"]))
    return Choice(best if _ahead(best, every["x"]) > 2 else every["x"], every, table)


def _ahead(model: Uplift, other: Uplift) -> float:
    """By how many standard errors the gain of one's ranking lies above the other's: a gain is the mean score times height in the ranking."""
    height = [rankdata(one.effects) / len(one.effects) for one in (model, other)]
    more = (model.scores - model.scores.mean()) * (height[0] - height[1])
    error = float(more.std() / np.sqrt(len(more)))
    return float(more.mean()) / error if error > 0 else 0.0


@dataclass
class _Folds:
    """The units in folds, and each model of outcome or chance by what it must not see; learned when first asked for.

    To score fold k, pseudo-outcomes of fold l come from models that saw neither: the unit scored took no part in any number learned from.
    """

    columns: Columns
    table: NDArray[np.float32]
    treated: Flags
    outcome: Numbers
    fold: NDArray[np.int64]
    known: float | None
    seed: int
    threads: int
    made: dict[tuple[str, frozenset[int]], lightgbm.Booster] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: pd.DataFrame, treated: Any, outcome: Any, *, propensity: float | None, folds: int, seed: int, threads: int) -> "_Folds":
        treated, outcome = np.asarray(treated, bool), np.asarray(outcome, float)
        fewest = int(min(treated.sum(), (~treated).sum()))
        if fewest < FEWEST_IN_ARM:
            raise BadInput(f"{treated.sum():,} were addressed and {(~treated).sum():,} were not: either needs {FEWEST_IN_ARM} to learn from.")
        if not np.isfinite(outcome).all():
            raise BadInput("The outcome has missing or infinite values.")
        if np.ptp(outcome) == 0:
            raise BadInput("The outcome never varies: there is nothing to learn.")
        if propensity is not None and not 0 < propensity < 1:
            raise BadInput(f"A share of {propensity} addressed leaves nobody to compare with.")
        rng, fold = np.random.default_rng(seed), np.zeros(len(rows), int)
        for arm in (treated, ~treated):
            fold[arm] = rng.permutation(int(arm.sum())) % folds
        columns = Columns.of(rows)
        return cls(columns, columns.table(rows), treated, outcome, fold, propensity, seed, threads)

    @property
    def yes_or_no(self) -> bool:
        return bool(np.isin(self.outcome, (0.0, 1.0)).all())

    def without(self, *unseen: int) -> Flags:
        return ~np.isin(self.fold, unseen)

    def train(self, who: Flags, target: Numbers, *, objective: str, **more: Any) -> lightgbm.Booster:
        """One small ensemble; `target` and `who` a value a unit."""
        least = int(np.clip(who.sum() // 100, 10, 400))
        settings = {**_TREES, **_CATEGORIES, "min_data_in_leaf": least, "num_threads": self.threads, "seed": self.seed + 7, "objective": objective, **more}
        rounds = settings.pop("rounds")
        data = lightgbm.Dataset(self.table[who], target[who], categorical_feature=self.columns.categories)
        return lightgbm.train(settings, data, rounds)

    def model(self, what: str, unseen: frozenset[int]) -> lightgbm.Booster:
        """The model of the `treated` outcome, the `control` outcome or the `chance` of being addressed."""
        if (what, unseen) not in self.made:
            who = self.without(*unseen)
            arm = {"treated": who & self.treated, "control": who & ~self.treated, "chance": who}[what]
            target = self.treated.astype(float) if what == "chance" else self.outcome
            objective = "binary" if what == "chance" or self.yes_or_no else "regression"
            # The fewer there are, the sooner a tree learns them by heart.
            rounds = int(np.clip(arm.sum() // 130, 100, 150))
            # A chance told too even would leave in the effect what moved both the choice and the outcome.
            rate = 0.1 if what == "chance" else 0.06
            self.made[what, unseen] = self.train(arm, target, objective=objective, rounds=rounds, learning_rate=rate, num_leaves=4, lambda_l2=10.0)
        return self.made[what, unseen]

    def told(self, what: str, unseen: set[int]) -> Numbers:
        """Each unit by a model that saw neither its fold nor `unseen`."""
        found = np.zeros(len(self.outcome))
        for k in np.unique(self.fold):
            mine = self.fold == k
            found[mine] = self.model(what, frozenset({int(k), *unseen})).predict(self.table[mine], num_threads=self.threads)
        return found

    def chance(self, unseen: Any) -> Numbers:
        """Each unit's chance of being addressed, known or estimated."""
        if self.known is not None:
            return np.full(len(self.outcome), self.known)
        return np.clip(self.told("chance", set(unseen)), _CLIP, 1 - _CLIP)

    def scores(self, unseen: set[int]) -> Numbers:
        """Doubly robust scores (Robins et al. 1994): the effect the two models tell, put right by what each unit did."""
        one, none, chance = self.told("treated", unseen), self.told("control", unseen), self.chance(unseen)
        missed = np.where(self.treated, (self.outcome - one) / chance, -(self.outcome - none) / (1 - chance))
        return one - none + missed


def _learned(work: _Folds, method: Method) -> Uplift:
    effects, baselines = np.zeros(len(work.outcome)), work.told("control", set())
    for k in np.unique(work.fold):
        mine = work.fold == k
        effects[mine] = _effect(work, method, {int(k)}).predict(work.table[mine])
    scores = work.scores(set())
    slope, constant = _line(effects, scores)
    return Uplift(
        method,
        work.columns,
        constant + slope * effects,
        baselines,
        scores,
        difference(work.treated, work.outcome),
        Average(float(scores.mean()), float(scores.std(ddof=1) / np.sqrt(len(scores)))),
        _effect(work, method, set()).scaled(slope, constant),
        work.model("control", frozenset()),
    )


def _line(effects: Numbers, scores: Numbers) -> tuple[float, float]:
    """Slope and constant that bring out-of-fold effects to the scale of the scores (best linear predictor, Chernozhukov et al. 2018).

    Small trees rank well and tell too little. The slope stays above zero, so the ranking is what was learned.
    """
    spread = float(effects.var())
    slope = float(np.clip(np.cov(effects, scores, ddof=0)[0, 1] / spread, 0.1, 3.0)) if spread > 0 else 1.0
    return slope, float(scores.mean() - slope * effects.mean())


def _effect(work: _Folds, method: Method, unseen: set[int]) -> Sum:
    """The effect learned without the folds `unseen`."""
    who, whole = work.without(*unseen), frozenset(unseen)
    if method == "t":
        return Sum([(1.0, work.model("treated", whole)), (-1.0, work.model("control", whole))])
    gentle: dict[str, Any] = {"objective": "regression", "rounds": 60, "num_leaves": 4, "lambda_l2": 1.0}
    if method == "dr":
        return Sum([(1.0, work.train(who, work.scores(unseen), **gentle, path_smooth=_smooth(who, 3000)))])
    one, none = who & work.treated, who & ~work.treated
    on_treated = work.train(one, work.outcome - work.told("control", unseen), **gentle, path_smooth=_smooth(one, 1000))
    on_control = work.train(none, work.told("treated", unseen) - work.outcome, **gentle, path_smooth=_smooth(none, 1000))
    # The smaller arm's effects lean on the larger arm's better model.
    share = float(work.chance(unseen).mean())
    return Sum([(1 - share, on_treated), (share, on_control)])


def _smooth(who: Flags, most: int) -> float:
    """How many units a leaf needs to weigh as much as the branch above it."""
    return float(min(most, who.sum() / 4))


def difference(treated: Flags, outcome: Numbers) -> Average:
    """Mean outcome of those addressed less that of the others (Neyman's error)."""
    one, none = outcome[treated], outcome[~treated]
    return Average(float(one.mean() - none.mean()), float(np.sqrt(one.var(ddof=1) / len(one) + none.var(ddof=1) / len(none))))


# --- measures ---------------------------------------------------------------------------


def qini_curve(effect: Numbers, treated: Flags, outcome: Numbers, *, propensity: Numbers | float | None = None) -> pd.DataFrame:
    """What addressing the first `share` of units by effect would have brought, per unit of the whole: columns share, gain.

    gain = (R_T − R_C·N_T/N_C) / N_T(all) over the first units (Radcliffe 2007), counts weighted by the inverse chance of the arm
    where `propensity` is given. The last gain is the mean effect. Units of one effect are one step, so a constant ranks nobody.
    """
    return _curve(_Ranked.of(effect, treated, outcome, propensity), None)


def qini(effect: Numbers, treated: Flags, outcome: Numbers, *, propensity: Numbers | float | None = None, normalised: bool = False) -> float:
    """Area between the Qini curve and the straight line to its end, in outcome per unit of the whole; 0 ranks like chance.

    `normalised` divides by the same area when units are sorted by what they did (treated who did first, control who did last), which no model reaches
    (Radcliffe 2007; Devriendt, Van Belle, Guns and Verbeke 2020).
    """
    area = _area(qini_curve(effect, treated, outcome, propensity=propensity))
    if not normalised:
        return area
    best = _area(qini_curve(np.where(treated, outcome, -np.asarray(outcome, float)), treated, outcome, propensity=propensity))
    return area / best if best > 0 else 0.0


def uplift_at_k(effect: Numbers, treated: Flags, outcome: Numbers, *, k: float = 0.1, propensity: Numbers | float | None = None) -> float:
    """Mean effect among the share `k` with the highest effect: treated less control there; ties count in part."""
    return _at(_Ranked.of(effect, treated, outcome, propensity), None, k)


def gain(ranking: Numbers, worth: Numbers) -> float:
    """The Qini area of a ranking when each unit's `worth` is known: true effects, or doubly robust scores."""
    order, ends = _steps(ranking)
    reached = np.concatenate([[0.0], np.cumsum(np.asarray(worth, float)[order])[ends]]) / len(order)
    return _area(pd.DataFrame({"share": np.concatenate([[0.0], (ends + 1) / len(order)]), "gain": reached}))


def oracle_share(effect: Numbers, true_effect: Numbers, *, treated: Flags | None = None, outcome: Numbers | None = None) -> float:
    """Qini of our ranking over that of the true effect's ranking: on the true effects, or on outcomes (noisier) where these are given."""
    if treated is None or outcome is None:
        return gain(effect, true_effect) / gain(true_effect, true_effect)
    return qini(effect, treated, outcome) / qini(true_effect, treated, outcome)


def measured(effect: Numbers, treated: Flags, outcome: Numbers, *, propensity: Numbers | float | None = None) -> dict[str, float]:
    """The measures of one ranking by their usual names."""
    told = {"Qini": qini(effect, treated, outcome, propensity=propensity), "Qini normalised": 0.0}
    told["Qini normalised"] = qini(effect, treated, outcome, propensity=propensity, normalised=True)
    return told | {f"uplift@{k:.0%}": uplift_at_k(effect, treated, outcome, k=k, propensity=propensity) for k in TOP_SHARES}


def resampled(
    effect: Numbers, treated: Flags, outcome: Numbers, *, propensity: Numbers | float | None = None, rounds: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Qini and uplift@k over `rounds` bootstrap samples drawn within each arm; the same seed draws the same units for every ranking."""
    ranked, rng = _Ranked.of(effect, treated, outcome, propensity), np.random.default_rng(seed)
    arms = [np.flatnonzero(treated), np.flatnonzero(~np.asarray(treated, bool))]
    found = []
    for _ in range(rounds):
        drawn = np.zeros(len(ranked.order))
        for arm in arms:
            drawn[arm] = np.bincount(rng.integers(0, len(arm), len(arm)), minlength=len(arm))
        found.append({"Qini": _area(_curve(ranked, drawn)), **{f"uplift@{k:.0%}": _at(ranked, drawn, k) for k in TOP_SHARES}})
    return pd.DataFrame(found)


def policies(model: Uplift, rows: pd.DataFrame, *, seed: int = 0) -> dict[str, Numbers]:
    """Rankings one would otherwise address by: those likely to act anyway, chance, and everyone alike."""
    return {"likely buyers": model.baseline(rows), "random": np.random.default_rng(seed).random(len(rows)), "everyone": np.zeros(len(rows))}


@dataclass(frozen=True)
class _Ranked:
    """Units by falling effect: their order, the last place of each step, and the arms' weights and weighted outcomes."""

    order: NDArray[np.int64]
    ends: NDArray[np.int64]
    parts: Sequence[Numbers]

    @classmethod
    def of(cls, effect: Numbers, treated: Flags, outcome: Numbers, propensity: Numbers | float | None) -> "_Ranked":
        treated, outcome = np.asarray(treated, bool), np.asarray(outcome, float)
        if treated.all() or not treated.any():
            raise BadInput("A ranking is measured on units of both arms.")
        chance = np.full(len(outcome), 0.5) if propensity is None else np.broadcast_to(np.asarray(propensity, float), outcome.shape)
        one, none = treated / chance, ~treated / (1 - chance)
        order, ends = _steps(effect)
        return cls(order, ends, [part[order] for part in (one, none, one * outcome, none * outcome)])

    def sums(self, drawn: Numbers | None) -> tuple[Numbers, list[Numbers]]:
        """Share of units and the four sums at the end of each step, from zero."""
        times = np.ones(len(self.order)) if drawn is None else drawn[self.order]
        until = lambda values: np.concatenate([[0.0], np.cumsum(values)[self.ends]])  # noqa: E731
        return until(times) / times.sum(), [until(times * part) for part in self.parts]


def _steps(effect: Numbers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    effect = np.asarray(effect, float)
    order = np.argsort(-effect, kind="stable")
    return order, np.flatnonzero(np.append(np.diff(effect[order]) != 0, True))


def _curve(ranked: _Ranked, drawn: Numbers | None) -> pd.DataFrame:
    share, (one, none, won, alone) = ranked.sums(drawn)
    expected = np.divide(alone * one, none, out=np.zeros_like(none), where=none > 0)
    return pd.DataFrame({"share": share, "gain": (won - expected) / one[-1]})


def _area(curve: pd.DataFrame) -> float:
    share, reached = curve["share"].to_numpy(), curve["gain"].to_numpy()
    return float(np.trapezoid(reached - share * reached[-1], share))


def _at(ranked: _Ranked, drawn: Numbers | None, k: float) -> float:
    share, sums = ranked.sums(drawn)
    one, none, won, alone = (float(np.interp(k, share, part)) for part in sums)
    return won / one - alone / none if one > 0 and none > 0 else float("nan")
