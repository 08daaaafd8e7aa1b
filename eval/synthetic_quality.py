"""Are the members who never were any good, and do they give anyone away?

The GAN and the copula (and either under a privacy budget, when asked) learn seven tenths
of a shop's members in the same run; the other three tenths, which nothing was learned
from, say how like the real ones the invented are. Works on a Patron home's lake or on
any file in the Online Retail layout.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from rich.console import Console
from rich.table import Table

from analytics import report as pages
from analytics import synthetic_members, synthetic_report, tabular_gan
from analytics.history import History
from analytics.shelf import Card
from analytics.synthetic_report import Report
from eval import model_quality
from members.errors import BadInput

_LEARNED = 0.7
_WORST = 12
_ACCENT, _PALE = "#1f6f5c", "#c9c5bb"


@dataclass
class Measured:
    """A report and the seconds of learning and drawing by way, and some invented rows of each to look at."""

    members: int
    reports: dict[str, Report] = field(default_factory=dict)
    seconds: dict[str, tuple[float, float]] = field(default_factory=dict)
    spent: dict[str, float | None] = field(default_factory=dict)
    mended: dict[str, float] = field(default_factory=dict)
    shown: dict[str, pd.DataFrame] = field(default_factory=dict)


def measure(
    home: Path | None = None,
    data: Path | None = None,
    *,
    as_of: date | None = None,
    epsilon: float | None = None,
    epochs: int = tabular_gan.EPOCHS,
    seed: int = 7,
    most: int | None = None,
    report: Path | None = None,
    console: Console | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Measured:
    """Measure a home's lake (or `data`, a file in the Online Retail layout), print the tables and write a page to `report`.

    Raises BadInput where neither is given, nothing was extracted yet or there is too little.
    """
    with tempfile.TemporaryDirectory(prefix="patron-synthetic-") as folder:
        progress("reading")
        told = of_rows(
            synthetic_members.member_rows(_history(home, data, Path(folder)), as_of=as_of, most=most),
            epsilon=epsilon,
            epochs=epochs,
            seed=seed,
            progress=progress,
        )
    show(told, console or Console())
    if report is not None:
        write(report, told)
    return told


def of_rows(
    rows: pd.DataFrame,
    *,
    epsilon: float | None = None,
    epochs: int = tabular_gan.EPOCHS,
    seed: int = 7,
    progress: Callable[[str], None] = lambda step: None,
) -> Measured:
    """Every way on the same seven tenths of member rows, held beside the same three tenths."""
    turn = np.random.default_rng(seed).permutation(len(rows))
    learned, held = (rows.iloc[part].reset_index(drop=True) for part in np.split(turn, [round(_LEARNED * len(rows))]))
    told = Measured(len(rows))
    for method in ("gan", "copula"):
        for budget in (None, epsilon) if epsilon is not None else (None,):
            name = {"gan": "GAN", "copula": "copula"}[method] + (f", ε = {budget:g}" if budget is not None else "")
            _one(told, name, method, learned, held, budget, epochs, seed, progress)
    return told


def _one(
    told: Measured, name: str, method: Any, learned: pd.DataFrame, held: pd.DataFrame, epsilon: float | None, epochs: int, seed: int, progress: Any
) -> None:
    model = synthetic_members.learn(learned, method=method, epochs=epochs, seed=seed, epsilon=epsilon, progress=lambda step: progress(f"{name}: {step}"))
    begun = time.perf_counter()
    drawn = model.sample(len(learned), seed=seed + 1)
    made = synthetic_members.mended(drawn)
    told.seconds[name] = model.seconds, time.perf_counter() - begun
    told.mended[name] = float(((drawn != made) & ~(drawn.isna() & made.isna())).any(axis=1).mean())
    told.spent[name] = model.spent_epsilon
    progress(f"{name}: report")
    told.reports[name] = synthetic_report.report(learned, held, made, target=synthetic_members.TARGET, seed=seed)
    told.shown[name] = synthetic_members.with_invented_ids(made)


def _history(home: Path | None, data: Path | None, folder: Path) -> History:
    if data is not None:
        return model_quality.lake_of_file(data, folder)[0]
    if home is None:
        raise BadInput("A home or a file is needed.")
    try:
        return History.of(home / "lake")
    except FileNotFoundError as error:
        raise BadInput(f"{home} has no lake yet: train it once.") from error


# --- shown ------------------------------------------------------------------------------


def tables(told: Measured) -> dict[str, tuple[list[str], list[list[str]]]]:
    """What there is to print, by title: head and rows."""
    ways = list(told.reports)
    figures = {way: told.reports[way].figures for way in ways}

    def rows(*names: str) -> list[list[str]]:
        return [[way, *(f"{figures[way].get(name, float('nan')):.3f}" for name in names)] for way in ways]

    likeness = ["marginals", "marginals, worst", "marginals, holdout", "pairs", "pairs, holdout"]
    use = ["AUC from real", "AUC from synthetic", "AUC ratio"]
    near = ["nearest learned row, median", "nearest holdout row, median", "share closer to learned", "membership AUC", "membership AUC, chance"]
    copies = [[f"{figures[way]['exact copies']:.0f}", _epsilon(told.spent[way])] for way in ways]
    took = [[way, f"{told.seconds[way][0]:.1f}", f"{told.seconds[way][1]:.2f}", f"{told.reports[way].seconds:.1f}", f"{told.mended[way]:.0%}"] for way in ways]
    return {
        f"Likeness ({told.members:,} members; distance of columns and of pairs, 0 is alike)": (["", *likeness], rows(*likeness)),
        f"Use: an order in the next {synthetic_members.HORIZON_DAYS} days, foretold for real members (ratio wanted ≥ {synthetic_report.WANTED_RATIO})": (
            ["", *use],
            rows(*use),
        ),
        f"Who is given away (membership AUC wanted ≤ {synthetic_report.WANTED_ATTACK})": (
            ["", *near, "exact copies", "ε spent"],
            [row + more for row, more in zip(rows(*near), copies, strict=True)],
        ),
        "Seconds": (["", "learning", "drawing as many", "report", "rows whose arithmetic was mended"], took),
    }


def _epsilon(spent: float | None) -> str:
    return "no promise" if spent is None else f"{spent:.2f}"


def show(told: Measured, console: Console) -> None:
    """Print the tables."""
    for title, (head, rows) in tables(told).items():
        table = Table(*head, title=title, title_justify="left", header_style="bold")
        for row in rows:
            table.add_row(*row)
        console.print(table)


def figures(told: Measured) -> dict[str, Any]:
    """Everything measured, to be written as JSON."""
    return {
        way: {**found.figures, "seconds": told.seconds[way][0], "rows mended": told.mended[way], "epsilon spent": told.spent[way]}
        for way, found in told.reports.items()
    }


def write(path: Path, told: Measured) -> Path:
    """The tables as a page with plots: columns, pairs, and some invented members."""
    parts = [f"<section><h2>{title}</h2>{pages.table(head, rows)}</section>" for title, (head, rows) in tables(told).items()]
    for way, found in told.reports.items():
        plots = pages.drawn(_by_column(found), "Distance of each column") + pages.drawn(_by_pair(found), "Association of pairs", x="real", y="synthetic")
        worst, some = found.pairs.nlargest(_WORST, "difference"), told.shown[way].head(5)
        pairs = pages.table(list(worst.columns), worst.to_numpy().tolist())
        people = pages.table(list(some.columns), some.astype(object).where(some.notna(), "").to_numpy().tolist())
        parts.append(
            f'<section><h2>{way}</h2><div class="plots">{plots}</div><p>Pairs furthest from real</p>{pairs}'
            f'<p>Five who never were (money in minor units)</p><div style="overflow-x:auto">{people}</div></section>'
        )
    cards = [
        Card(f"{way}, all figures", f"{told.seconds[way][0]:.0f} s", f"{told.members:,} members", "", 0, measures=found.figures)
        for way, found in told.reports.items()
    ]
    return pages.write(path, cards, title="Members who never were", extra="".join(parts))


def _by_column(found: Report) -> go.Figure:
    shown = found.columns.sort_values("distance")
    figure = go.Figure()
    for name, colour in (("holdout", _PALE), ("distance", _ACCENT)):
        figure.add_bar(y=shown["column"], x=shown[name], orientation="h", name="real, held back" if name == "holdout" else "synthetic", marker_color=colour)
    return figure


def _by_pair(found: Report) -> go.Figure:
    figure = go.Figure()
    figure.add_scatter(x=[-1, 1], y=[-1, 1], mode="lines", line={"color": _PALE, "dash": "dot"}, showlegend=False)
    for measure, pairs in found.pairs.groupby("measure"):
        figure.add_scatter(x=pairs["real"], y=pairs["synthetic"], mode="markers", name=str(measure), text=pairs["a"] + " × " + pairs["b"])
    return figure
