"""Does a ranking by uplift find whom a campaign changes, beside what one would otherwise use?

On any file of a randomised campaign, or on made-up campaigns whose true effects
are known. Learners are fitted and chosen on one part of the units and measured
on the rest. Whether chance really chose who was addressed cannot be told from a
file: the largest difference between the arms is named, no more.
"""

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from analytics import report as pages
from analytics import uplift
from analytics.shelf import Card
from analytics.uplift import Average, Flags, Numbers
from members.errors import BadInput
from members.importers import reading

POOLED = "any of them"
# Targets of the public e-mail challenge (64,000 rows) and of the public advertising uplift set: each is known only after the treatment.
TARGETS = frozenset({"visit", "conversion", "spend", "exposure"})
_FEWEST_IN_ARM = 200
_MOST_ARMS = 10
_CONTROL = re.compile(r"^(0|false|f|n)$|\b(no|not|none|control|ctrl|holdout|hold-out|untreated)\b")
_TRUTH = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
_COLOURS = ("#1f6f5c", "#c2703d", "#5a6fb0", "#8a5a9e", "#b0a27a", "#9a9a9a")
_MEASURES = ("Qini", *(f"uplift@{k:.0%}" for k in uplift.TOP_SHARES))


# --- a file -----------------------------------------------------------------------------


@dataclass
class Trial:
    """A campaign as read: a row a unit, its arm, its outcome, and what was left out."""

    rows: pd.DataFrame
    arm: "pd.Series[Any]"
    control: str
    outcome: Numbers
    notes: list[str] = field(default_factory=list)

    @property
    def arms(self) -> list[str]:
        """The treatments, largest first."""
        return [str(name) for name in self.arm.value_counts().index if name != self.control]


def read(path: Path, *, treatment: str, outcome: str, control: str | None = None, drop: Sequence[str] = ()) -> Trial:
    """Read a campaign from CSV (or TSV); raises BadInput when a column is missing or is not what it should be."""
    every = _table(path)
    missing = [name for name in (treatment, outcome, *drop) if name not in every]
    if missing:
        raise BadInput(f"{path.name} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; it has {', '.join(map(str, every.columns[:30]))}.")
    arm = reading.text_of(every[treatment])
    values = arm.value_counts()
    if "" in values:
        raise BadInput(f"Column {treatment} is empty in {values['']:,} rows, the first in line {_line(arm == '')}: nobody knows their arm.")
    if not 2 <= len(values) <= _MOST_ARMS:
        raise BadInput(f"Column {treatment} has {len(values):,} values; a treatment has two, or a control and up to {_MOST_ARMS - 1} arms.")
    small = values[values < _FEWEST_IN_ARM]
    if len(small):
        raise BadInput(f"{treatment} “{small.index[-1]}” has {small.iloc[-1]:,} rows: every arm needs {_FEWEST_IN_ARM} to be learned from and measured.")
    chosen = _control(treatment, [str(value) for value in values.index], control)
    target = _target(every[outcome], outcome)
    trial = Trial(every, arm, chosen, target)
    trial.rows = _features(every, trial, {treatment, outcome, *drop} | (TARGETS if outcome in TARGETS else set()))
    worst, apart = imbalance(trial.rows, (arm != chosen).to_numpy())
    trial.notes.append(f"Largest difference between the arms: {worst}, {apart:.3f} standard deviations{' — was it chance that chose?' if apart > 0.1 else ''}.")
    return trial


def _table(path: Path) -> pd.DataFrame:
    if not path.is_file() or not path.stat().st_size:
        raise BadInput(f"There is no file {path}, or it is empty.")
    if path.suffix.lower() in (".gz", ".zip", ".bz2", ".xz", ".zst", ".xlsx"):
        raise BadInput(f"{path.name} is packed: unpack it, or save it as CSV, first.")
    encoding = reading.guess_encoding(path)
    with path.open(encoding=encoding) as file:
        head = file.readline()
    try:
        found = pd.read_csv(path, sep=max(",;\t|", key=head.count), encoding=encoding, low_memory=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path.name} cannot be read as a table: {error}") from error
    found.columns = [str(name).strip() for name in found.columns]
    return found


def _line(where: "pd.Series[bool]") -> int:
    return int(np.flatnonzero(where)[0]) + 2


def _control(treatment: str, values: list[str], control: str | None) -> str:
    """The value that means “not addressed”: the one named, or the only one that says so."""
    if control is not None:
        named = [value for value in values if value.lower() == control.strip().lower()]
        if not named:
            raise BadInput(f"Column {treatment} has no value “{control}”; it has {', '.join(values)}.")
        return named[0]
    told = [value for value in values if _CONTROL.search(value.lower())]
    if len(told) != 1:
        raise BadInput(f"Which value of {treatment} means not addressed? Name it with --control: {', '.join(values)}.")
    return told[0]


def _target(column: "pd.Series[Any]", name: str) -> Numbers:
    """The outcome as numbers: 0 and 1, true and false, or an amount."""
    text = reading.text_of(column)
    told = reading.number_of(text.str.lower().map(_TRUTH).astype(object).where(text.str.lower().isin(_TRUTH), text))
    if told.isna().any():
        raise BadInput(f"Column {name}, line {_line(told.isna())}: “{text[told.isna()].iloc[0]}” is neither 0/1, true/false nor an amount.")
    if told.nunique() < 2:
        raise BadInput(f"Column {name} is {told.iloc[0]:g} in every row: there is nothing to measure.")
    found: Numbers = told.to_numpy(np.float64)
    return found


def _features(every: pd.DataFrame, trial: Trial, out: set[str]) -> pd.DataFrame:
    """What may be learned from: known before, varying, and no name of a single unit."""
    others = [name for name in every.columns if name in out]
    rows = every.drop(columns=others)
    single = [name for name in rows if not pd.api.types.is_numeric_dtype(rows[name]) and rows[name].nunique() > max(100, len(rows) // 50)]
    still = [name for name in rows if rows[name].nunique() < 2]
    rows = rows.drop(columns=[*single, *still])
    if not len(rows.columns):
        raise BadInput("No column is left to learn from.")
    trial.notes.append(f"Never learned from: {', '.join(others)}{'; too many values or only one: ' + ', '.join([*single, *still]) if single or still else ''}.")
    return rows


def imbalance(rows: pd.DataFrame, treated: Flags) -> tuple[str, float]:
    """The column (and value) whose means differ most between the arms, in standard deviations."""
    text = [name for name in rows if not pd.api.types.is_numeric_dtype(rows[name])]
    numbers = pd.get_dummies(rows, columns=text).astype(float)
    apart = ((numbers[treated].mean() - numbers[~treated].mean()) / numbers.std().replace(0, np.nan)).abs().fillna(0.0)
    return str(apart.idxmax()), float(apart.max())


# --- measuring --------------------------------------------------------------------------


@dataclass
class Compared:
    """One arm against the control: every way of ranking, on units none was learned from."""

    arm: str
    learned: int
    units: int
    chosen: str
    unadjusted: Average
    adjusted: Average
    table: dict[str, dict[str, float]]
    curves: dict[str, pd.DataFrame]
    deciles: pd.DataFrame
    importance: dict[str, float]


@dataclass
class Measured:
    """A campaign's comparisons, the pooled one last, and what should be known of the file."""

    outcome: str
    compared: list[Compared]
    notes: list[str]


def measure_csv(
    path: Path,
    *,
    treatment: str,
    outcome: str,
    control: str | None = None,
    drop: Sequence[str] = (),
    test_share: float = 0.3,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[str], None] = lambda step: None,
) -> Measured:
    """Every arm against the control, and all arms pooled where there are several."""
    if not 0.1 <= test_share <= 0.9:
        raise BadInput(f"A test share of {test_share} leaves too little on one side: take .1 to .9.")
    trial = read(path, treatment=treatment, outcome=outcome, control=control, drop=drop)
    arms = [(name, (trial.arm.isin([name, trial.control])).to_numpy()) for name in trial.arms]
    if len(arms) > 1:
        arms.append((POOLED, np.ones(len(trial.rows), bool)))
    told = Measured(outcome, [], [f"Control: {trial.control}.", *trial.notes])
    for name, who in arms:
        progress(name)
        treated = (trial.arm != trial.control).to_numpy()[who]
        told.compared.append(compare(name, trial.rows[who], treated, trial.outcome[who], test_share=test_share, seed=seed, threads=threads))
    return told


def compare(arm: str, rows: pd.DataFrame, treated: Flags, outcome: Numbers, *, test_share: float, seed: int, threads: int = 1) -> Compared:
    """Learn and choose on one part, measure on the other; both hold the arms in the same shares."""
    test = _split(treated, test_share, seed)
    choice = uplift.choose(rows[~test], treated[~test], outcome[~test], propensity=float(treated[~test].mean()), seed=seed, threads=threads)
    held, sent, did = rows[test], treated[test], outcome[test]
    told = {model.learner: model.effect(held) for model in choice.every.values()}
    ranked = {**told, **uplift.policies(choice.best, held, seed=seed)}
    draws = {way: uplift.resampled(effect, sent, did, seed=seed) for way, effect in ranked.items()}
    table = {way: {**uplift.measured(effect, sent, did), **_bounds(draws[way], draws["likely buyers"])} for way, effect in ranked.items()}
    return Compared(
        arm,
        int((~test).sum()),
        int(test.sum()),
        choice.best.learner,
        uplift.difference(sent, did),
        choice.best.adjusted,
        table,
        {way: uplift.qini_curve(effect, sent, did) for way, effect in ranked.items()},
        deciles(told[choice.best.learner], sent, did),
        choice.best.importance(),
    )


def _split(treated: Flags, share: float, seed: int) -> Flags:
    rng, test = np.random.default_rng(seed), np.zeros(len(treated), bool)
    for arm in (np.flatnonzero(treated), np.flatnonzero(~treated)):
        test[rng.permutation(arm)[: round(share * len(arm))]] = True
    return test


def _bounds(draws: pd.DataFrame, buyers: pd.DataFrame) -> dict[str, float]:
    """95% bounds of each measure, and in which share of the resamples the ranking beat that by likely buyers."""
    found = {f"{name} {side}": float(draws[name].quantile(q)) for name in _MEASURES for side, q in (("low", 0.025), ("high", 0.975))}
    return {**found, "beats likely buyers": float((draws["Qini"] > buyers["Qini"]).mean())}


def deciles(effect: Numbers, treated: Flags, outcome: Numbers) -> pd.DataFrame:
    """Ten equally large groups, highest told effect first: what was told, what was observed, and its error."""
    group = pd.qcut(pd.Series(-effect).rank(method="first"), 10, labels=False).to_numpy() + 1
    rows = []
    for n in range(1, 11):
        mine = group == n
        if min((treated & mine).sum(), (~treated & mine).sum()) >= 2:
            seen = uplift.difference(treated[mine], outcome[mine])
            rows.append({"decile": n, "told": float(effect[mine].mean()), "observed": seen.effect, "error": seen.error, "units": int(mine.sum())})
    return pd.DataFrame(rows)


# --- planted truth ----------------------------------------------------------------------


@dataclass(frozen=True)
class Planted:
    """A made-up randomised campaign and what it truly did to each unit."""

    rows: pd.DataFrame
    treated: Flags
    outcome: Numbers
    effect: Numbers
    unaddressed: Numbers


def planted(n: int, *, seed: int, world: str = "lapsing readers") -> Planted:
    """A campaign among `n` members, addressed at even chances; what drives buying (recency above all) is not what drives the effect.

    `lapsing readers`: deal-prone readers of mail who begin to lapse gain, members who complained and need no deal are driven away, most are indifferent.
    `channels`: one channel's deal-seekers gain, another channel loses. `gradual`: the effect rises evenly with reading and with silence.
    `spend`: the first, in money, which nearly nobody spends and few spend much of.
    """
    rng = np.random.default_rng(seed)
    active = rng.normal(size=n)
    rows = pd.DataFrame(
        {
            "recency_days": np.exp(3.5 - 0.6 * active + 0.6 * rng.normal(size=n)).clip(1, 720),
            "orders": rng.poisson(np.exp(0.9 + 0.5 * active)).astype(float),
            "opens": rng.beta(1.5, 3, n),
            "discount_share": rng.beta(1.2, 2.5, n),
            "tenure_days": rng.gamma(2, 300, n),
            "age": rng.normal(42, 13, n).clip(18, 85),
            "complaints": rng.poisson(0.25, n).astype(float),
            "channel": pd.Categorical(rng.choice(["app", "web", "store", "phone"], n, p=[0.3, 0.4, 0.2, 0.1])),
            "region": pd.Categorical(rng.choice([f"region {i}" for i in range(12)], n)),
        }
    )
    rows["spend"] = rows["orders"] * np.exp(3.6 + 0.5 * rng.normal(size=n))
    for extra in range(4):
        rows[f"unrelated_{extra}"] = rng.normal(size=n)
    silence = (np.log(rows["recency_days"]) - 3.5).to_numpy() / 0.85
    app = (rows["channel"] == "app").to_numpy()
    alone = _chance(-2.65 - 0.75 * silence + 0.35 * np.log1p(rows["orders"].to_numpy()) + 0.25 * app - 0.005 * (rows["age"].to_numpy() - 42))
    addressed = np.clip(alone + _WORLDS[world](rows, silence), 0.002, 0.98)
    treated = rng.random(n) < 0.5
    outcome = (rng.random(n) < np.where(treated, addressed, alone)).astype(float)
    effect, unaddressed = addressed - alone, alone
    if world == "spend":
        usual, spread = np.exp(2.9 + 0.4 * np.log1p(rows["orders"].to_numpy())), 0.7
        outcome = outcome * usual * np.exp(spread * rng.normal(size=n))
        effect, unaddressed = (value * usual * np.exp(spread**2 / 2) for value in (effect, alone))
    # Who opens mail is not known of everyone.
    rows["opens"] = rows["opens"].where(rng.random(n) > 0.15)
    return Planted(rows, treated, outcome, effect, unaddressed)


def _chance(log_odds: Any) -> Any:
    return 1 / (1 + np.exp(-log_odds))


def _lapsing(rows: pd.DataFrame, silence: Any) -> Any:
    pull = _chance(6 * (rows["opens"] - 0.35)) * _chance(5 * (rows["discount_share"] - 0.35)) * np.exp(-(((silence - 0.5) / 0.9) ** 2))
    push = (rows["complaints"] > 0) * _chance(-3 * (rows["discount_share"] - 0.4))
    return (0.004 + 0.15 * pull - 0.07 * push - 0.02 * (silence < -0.8)).to_numpy()


def _channels(rows: pd.DataFrame, silence: Any) -> Any:
    gains = (rows["channel"] == "app") & (rows["discount_share"] > 0.3)
    return (0.01 + 0.07 * gains - 0.05 * (rows["channel"] == "phone")).to_numpy()


def _gradual(rows: pd.DataFrame, silence: Any) -> Any:
    return (0.015 + 0.12 * (rows["opens"] - 0.33)).to_numpy() + 0.02 * silence


_WORLDS: dict[str, Callable[[pd.DataFrame, NDArray[np.float64]], Any]] = {
    "lapsing readers": _lapsing,
    "channels": _channels,
    "gradual": _gradual,
    "spend": _lapsing,
}
WORLDS = tuple(_WORLDS)


def measure_planted(
    n: int = 40_000, *, seed: int = 0, world: str = "lapsing readers", test_units: int = 40_000, threads: int = 1
) -> dict[str, dict[str, float]]:
    """Learn from `n` units, rank others: share of the oracle's Qini by true effects and by outcomes, and the true uplift of the first tenth to third."""
    seen, held = planted(n, seed=seed, world=world), planted(test_units, seed=seed + 10_000, world=world)
    choice = uplift.choose(seen.rows, seen.treated, seen.outcome, propensity=0.5, seed=seed, threads=threads)
    ranked = {model.learner: model.effect(held.rows) for model in choice.every.values()}
    ranked["chosen"] = choice.best.effect(held.rows)
    ranked |= {**uplift.policies(choice.best, held.rows, seed=seed), "oracle": held.effect}
    table = {}
    for way, effect in ranked.items():
        top = {f"true uplift@{k:.0%}": float(held.effect[np.argsort(-effect, kind="stable")[: int(k * test_units)]].mean()) for k in uplift.TOP_SHARES}
        table[way] = {
            "share of the oracle's Qini": uplift.oracle_share(effect, held.effect),
            "by outcomes": uplift.oracle_share(effect, held.effect, treated=held.treated, outcome=held.outcome),
            **(top if way != "everyone" else dict.fromkeys(top, float(held.effect.mean()))),
        }
    return table


# --- telling ----------------------------------------------------------------------------


def main(
    console: Console,
    path: Path,
    *,
    treatment: str,
    outcome: str,
    control: str | None = None,
    drop: Sequence[str] = (),
    test_share: float = 0.3,
    seed: int = 0,
    threads: int = 1,
    report: Path | None = None,
) -> dict[str, Any]:
    """Measure a file, print its tables, write the page where one is asked for; the figures as plain values. Raises BadInput."""
    with console.status("reading…") as status:
        told = measure_csv(
            path,
            treatment=treatment,
            outcome=outcome,
            control=control,
            drop=drop,
            test_share=test_share,
            seed=seed,
            threads=threads,
            progress=lambda step: status.update(f"{step}…"),
        )
    for one in told.compared:
        title = f"{one.arm}: {outcome}, learned from {one.learned:,}, measured on {one.units:,}; chosen there: {one.chosen}"
        table = Table("", *_MEASURES, "Qini normalised", "beats likely buyers", title=title, title_justify="left", header_style="bold")
        for way, values in one.table.items():
            table.add_row(way, *(_within(values, name) for name in _MEASURES), f"{values['Qini normalised']:.3f}", f"{values['beats likely buyers']:.0%}")
        console.print(table)
        console.print(f"  {_averages(one)}", highlight=False)
    for note in (*told.notes, _FORMULA):
        console.print(note, highlight=False, markup=False)
    if report is not None:
        console.print(f"Report: {write(report, told, title=f'Whom does it change? {path.name}: {outcome}')}")
    return {"notes": told.notes, "arms": {one.arm: _plain(one) for one in told.compared}}


_FORMULA = (
    "Qini: area between the Qini curve (Radcliffe 2007) and its chord, in outcome per unit of the whole, ×1000; uplift@k: mean effect of the first k, ×1000; "
    "brackets: 95% of 200 resamples within the arms. Everyone alike ranks nobody: its Qini is 0 and its uplift the mean effect."
)


def _within(values: dict[str, float], name: str) -> str:
    return f"{1000 * values[name]:.2f} \\[{1000 * values[name + ' low']:.2f}, {1000 * values[name + ' high']:.2f}]"


def _averages(one: Compared) -> str:
    a, b = one.unadjusted, one.adjusted
    return (
        f"mean effect: difference on the measured units {a.effect:.5f} [{a.low:.5f}, {a.high:.5f}], "
        f"doubly robust on the learned ones {b.effect:.5f} [{b.low:.5f}, {b.high:.5f}]"
    )


def _plain(one: Compared) -> dict[str, Any]:
    averages = {name: {"effect": a.effect, "low": a.low, "high": a.high} for name, a in (("difference", one.unadjusted), ("doubly robust", one.adjusted))}
    told = {"learned": one.learned, "units": one.units, "chosen": one.chosen, "mean effect": averages, "table": one.table}
    return {**told, "deciles": one.deciles.to_dict("records"), "importance": one.importance}


def planted_main(
    console: Console, *, sizes: Sequence[int] = (4_000, 40_000), seeds: int = 3, worlds: Sequence[str] = WORLDS, threads: int = 1
) -> dict[str, dict[str, dict[str, float]]]:
    """Measure the made-up campaigns and print each way's mean over `seeds`; world and size → way → measure."""
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for world in worlds:
        for n in sizes:
            with console.status(f"{world}, {n:,}…"):
                runs = [measure_planted(n, seed=seed, world=world, threads=threads) for seed in range(seeds)]
            mean = {way: {name: float(np.mean([run[way][name] for run in runs])) for name in values} for way, values in runs[0].items()}
            figures[f"{world}, {n}"] = mean
            head = list(mean["oracle"])
            table = Table("", *head, title=f"{world}: learned from {n:,}, mean of {seeds}", title_justify="left", header_style="bold")
            for way, values in mean.items():
                table.add_row(way, *(f"{values[name]:.4f}" if name.startswith("true") else f"{values[name]:.1%}" for name in head))
            console.print(table)
    return figures


def write(path: Path, told: Measured, *, title: str) -> Path:
    """The comparisons as a page: Qini curves, uplift by decile, tables, and what the effect rests on."""
    plots = "".join(f"<h2>{_safe(one.arm)}</h2><p>{_averages(one)}</p><div class='plots'>{_curves(one)}{_by_decile(one)}</div>" for one in told.compared)
    cards = [
        Card(
            one.arm,
            f"{one.chosen} (chosen on the learned units)",
            f"{one.learned:,} units",
            "",
            one.learned,
            measures={f"{way}: {name}": value for way, values in one.table.items() for name, value in _page_values(values).items()},
            importance=one.importance,
            measured_on=f"{one.units:,} others",
        )
        for one in told.compared
    ]
    notes = "".join(f"<p>{_safe(note)}</p>" for note in (*told.notes, _FORMULA))
    return pages.write(path, cards, title=title, extra=notes + plots)


def _page_values(values: dict[str, float]) -> dict[str, float]:
    """The page's columns: the measures with the Qini's bounds, ×1000 as in the terminal."""
    names = ("Qini", "Qini low", "Qini high", *_MEASURES[1:])
    return {**{name: 1000 * values[name] for name in names}, **{name: values[name] for name in ("Qini normalised", "beats likely buyers")}}


def _safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _curves(one: Compared) -> str:
    figure = go.Figure()
    for (way, curve), colour in zip(one.curves.items(), _COLOURS, strict=True):
        # A few hundred points draw the same line as all.
        kept = curve.iloc[np.unique(np.linspace(0, len(curve) - 1, 300).astype(int))]
        figure.add_scatter(x=kept["share"], y=kept["gain"], mode="lines", name=way, line={"color": colour, "dash": "dot" if way == "everyone" else "solid"})
    return pages.drawn(figure, "Gain by share addressed (Qini curve)", x="share addressed", y="gain per unit")


def _by_decile(one: Compared) -> str:
    figure, rows = go.Figure(), one.deciles
    figure.add_bar(x=rows["decile"], y=rows["observed"], error_y={"array": 1.96 * rows["error"]}, name="observed", marker_color=_COLOURS[0])
    figure.add_scatter(x=rows["decile"], y=rows["told"], mode="lines+markers", name="told", line={"color": _COLOURS[1]})
    return pages.drawn(figure, f"Effect by decile, {one.chosen}", x="decile by told effect", y="effect")
