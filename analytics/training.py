"""How does a shop learn about its members?

Takes the record into the lake, fits every model as of the shop's day, measures
each on a day that lies one horizon back, and scores all members. Nothing is
kept until everything is fitted: a training that fails leaves the last good
shelf and the last good scores.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import insert
from sqlmodel import Session, delete

from analytics import behaviour, churn, explain, forecast, lifetime_value, reactions, recommender, report, risk, segments, tiers
from analytics.behaviour import Behaviour
from analytics.churn import Churn
from analytics.forecast import Forecast
from analytics.history import History
from analytics.lifetime_value import LifetimeValue
from analytics.reactions import Reactions
from analytics.recommender import Recommender
from analytics.risk import Risk
from analytics.segments import Segments
from analytics.shelf import Card, Shelf, today_version
from analytics.tiers import NextTier
from members import extract, lake
from members.database import Database
from members.program import Program
from members.tables import MemberScore

Progress = Callable[[str], None]
# Views and the like stay this long in the record before they move to the lake.
_SETTLE_AFTER_DAYS = 2
_AT_ONCE = 5_000
# The ranker that is measured for its card learns from fewer days than the one that serves: the card errs on the careful side.
_CUTS_FOR_A_CARD = 3
NAMES = (recommender.NAME, churn.NAME, lifetime_value.NAME, tiers.NAME, segments.NAME, behaviour.NAME, forecast.NAME, risk.NAME)


@dataclass
class Fitted:
    """Everything that was learned as of a day; a model a shop has too little for is None."""

    as_of: date
    recommender: Recommender
    churn: Churn | None
    lifetime_value: LifetimeValue | None
    tiers: NextTier | None
    segments: Segments | None
    behaviour: Behaviour | None
    forecast: Forecast | None
    risk: Risk | None
    usual: dict[str, float] = field(default_factory=dict)
    version: str = ""
    uplift: Reactions | None = None

    def models(self) -> dict[str, Any]:
        """Each model by its name on the shelf."""
        return {name: getattr(self, name) for name in NAMES}

    # --- one row or all of them ---------------------------------------------------------

    def scores(self, rows: pd.DataFrame, *, as_of: date, flags: Mapping[str, list[dict[str, Any]]] | None = None) -> pd.DataFrame:
        """What the models say of buyers' rows as of a day, in the columns of `MemberScore`; without the flags where none are given."""
        rows = rows[rows["orders"] > 0]
        made = pd.DataFrame(index=rows.index)
        reasons: list[dict[str, Any]] = [{} for _ in range(len(rows))]
        made["churn"] = np.nan
        if self.churn is not None:
            made["churn"] = self.churn.score(rows)
            _gather(reasons, "churn", explain.reasons(self.churn.explain(rows), rows, self.usual))
        if self.lifetime_value is not None:
            made = made.join(self.lifetime_value.score(rows, as_of=as_of))
            _gather(reasons, "value", explain.reasons(self.lifetime_value.explain(rows), rows, self.usual))
        made["next_tier"], made["next_tier_chance"] = "", np.nan
        if self.tiers is not None and len(rows):
            chance = self.tiers.score(rows)
            made["next_tier"], made["next_tier_chance"] = chance.idxmax(axis=1), chance.max(axis=1)
            _gather(reasons, "tier", explain.reasons(self.tiers.explain(rows), rows, self.usual))
        made["segment"] = self.segments.score(rows) if self.segments is not None else ""
        made["reasons"] = pd.Series(reasons, index=rows.index, dtype=object)
        if flags is not None:
            made["flags"] = [list(flags.get(str(member_id), [])) for member_id in rows.index]
        return made


def _gather(all_reasons: list[dict[str, Any]], score: str, found: list[list[dict[str, Any]]]) -> None:
    for mine, told in zip(all_reasons, found, strict=True):
        mine[score] = told


# --- fitting ----------------------------------------------------------------------------


def fit(history: History, rules: Program, *, as_of: date, vectors: Mapping[str, Any] | None = None, progress: Progress = lambda step: None) -> Fitted:
    """Every model as of a day."""

    def step(name: str, make: Callable[[], Any]) -> Any:
        progress(name)
        return make()

    buyers = history.buyers(as_of)
    return Fitted(
        as_of,
        recommender=step("recommender", lambda: Recommender.fit(history, as_of=as_of, vectors=vectors)),
        churn=step("churn", lambda: Churn.fit(history, as_of=as_of)),
        lifetime_value=step("lifetime value", lambda: LifetimeValue.fit(history, as_of=as_of)),
        tiers=step("tiers", lambda: NextTier.fit(history, rules, as_of=as_of)),
        segments=step("segments", lambda: Segments.fit(history, as_of=as_of)),
        behaviour=step("behaviour", lambda: Behaviour.fit(history, as_of=as_of)),
        forecast=step("forecast", lambda: Forecast.fit(history, as_of=as_of)),
        risk=step("risk", lambda: Risk.fit(history, as_of=as_of)),
        usual=explain.usual(buyers) if len(buyers) else {},
        version=today_version(as_of, len(buyers)),
    )


def measured(
    history: History, rules: Program, *, as_of: date, vectors: Mapping[str, Any] | None = None, progress: Progress = lambda step: None
) -> dict[str, dict[str, Any]]:
    """What each model was worth one horizon ago: fitted on what was known then, held against what came. Empty where there was too little."""
    told: dict[str, dict[str, Any]] = {}

    def back(name: str, days: int, make: Callable[[date], Any], judge: Callable[[Any, date], dict[str, Any]]) -> None:
        cut = as_of - timedelta(days=days)
        if history.span is None or cut <= history.span[0]:
            return
        progress(f"measuring {name.replace('_', ' ')}")
        model = make(cut)
        if model is not None:
            told[name] = {"as of": cut.isoformat(), "days": days, **judge(model, cut)}

    back(churn.NAME, churn.HORIZON_DAYS, lambda d: Churn.fit(history, as_of=d), lambda m, d: churn.measure(m, history, as_of=d))
    back(
        lifetime_value.NAME,
        lifetime_value.HORIZON_DAYS,
        lambda d: LifetimeValue.fit(history, as_of=d),
        lambda m, d: lifetime_value.measure(m, history, as_of=d),
    )
    back(tiers.NAME, tiers.HORIZON_DAYS, lambda d: NextTier.fit(history, rules, as_of=d), lambda m, d: tiers.measure(m, history, as_of=d))
    back(behaviour.NAME, behaviour.HORIZON_DAYS, lambda d: Behaviour.fit(history, as_of=d), lambda m, d: behaviour.measure(m, history, as_of=d))
    back(segments.NAME, 0, lambda d: Segments.fit(history, as_of=d), lambda m, d: segments.measure(m, history, as_of=d))
    back(risk.NAME, 0, lambda d: Risk.fit(history, as_of=d), lambda m, d: risk.measure(m, history, as_of=d))
    back(forecast.NAME, 7 * (forecast.WEEKS_AHEAD + 1), lambda d: d, lambda _m, d: forecast.measure(history, as_of=d))
    back(
        recommender.NAME,
        recommender.HORIZON_DAYS,
        lambda d: (lambda m: m if m.signals is not None else None)(Recommender.fit(history, as_of=d, vectors=vectors, cuts=_CUTS_FOR_A_CARD)),
        lambda m, d: recommender.measure(m, history, as_of=d),
    )
    return told


def train(
    database: Database,
    lake_folder: Path,
    shelf: Shelf,
    rules: Program,
    *,
    today: date,
    vectors: Mapping[str, Any] | None = None,
    measure: bool = True,
    progress: Progress = lambda step: None,
) -> Fitted:
    """Learn from the record as of today, put every model on the shelf with its card, and score all members.

    `measure=False` leaves the cards without measures, for a quick start.
    """
    progress("record to lake")
    with database.effect() as session:
        extract.settle_events(session, lake_folder, before=datetime.combine(today - timedelta(days=_SETTLE_AFTER_DAYS), time.min))
    with database.read() as session:
        counts = extract.write(session, lake_folder, progress=lambda table, rows: progress(f"record to lake: {rows:,} {table}"))
    history = History.of(lake_folder)
    fitted = fit(history, rules, as_of=today, vectors=vectors, progress=progress)
    with database.read() as session:
        fitted.uplift = reactions.fit(session, history, as_of=today, progress=progress)
    told = measured(history, rules, as_of=today, vectors=vectors, progress=progress) if measure else {}
    cards = {name: card_of(name, model, told.get(name, {}), fitted, counts["lines"]) for name, model in fitted.models().items() if model is not None}
    progress("scoring members")
    with database.effect() as session:
        score_all(session, fitted, history)
    # Only now: whatever failed above has left the shelf as it was.
    for name, card in cards.items():
        shelf.save(fitted.models()[name], card)
    shelf.save(fitted.usual, Card("usual", fitted.version, "medians of all buyers", today.isoformat(), counts["lines"]))
    shelf.save(fitted.uplift, _uplift_card(fitted))
    report.write(shelf.folder / "cards.html", shelf.cards(), title="How good are the models?")
    return fitted


def _uplift_card(fitted: Fitted) -> Card:
    """What past campaigns say of the next one; kept even where there were too few, so that an older model does not go on."""
    kept = fitted.uplift
    if kept is None:
        return Card(reactions.NAME, fitted.version, "past campaigns", fitted.as_of.isoformat(), 0, notes="too few members in past campaigns' arms")
    average, error = kept.average
    notes = f"serves: {kept.model.learner}; effect on all {average:.4f} orders a member, standard error {error:.4f}"
    flat = {f"{way}: {name}": float(value) for way, found in kept.table.items() for name, value in found.items()}
    data = f"{kept.campaigns} campaigns, {kept.treated:,} written to, {kept.held:,} held out"
    return Card(
        reactions.NAME, fitted.version, data, fitted.as_of.isoformat(), kept.treated + kept.held, measures=flat, notes=notes, importance=kept.importance()
    )


def forget(shelf: Shelf, lake_folder: Path, member_ids: Sequence[str], fitted: Fitted | None = None) -> None:
    """Take erased members out of the lake and out of what was learned by name; averages they took part in stay."""
    for member_id in member_ids:
        lake.erase(lake_folder, member_id)
    kept, card = fitted.recommender if fitted else shelf.load(recommender.NAME), shelf.card(recommender.NAME)
    if kept is None or card is None:
        return
    gone = [kept.forget(member_id) for member_id in member_ids]
    if any(gone):
        shelf.save(kept, card)


def from_shelf(shelf: Shelf) -> Fitted | None:
    """What the last training left; None when there was none, or when a model of it is damaged."""
    card, usual = shelf.card("usual"), shelf.load("usual")
    if card is None:
        return None
    loaded: dict[str, Any] = {name: shelf.load(name) for name in NAMES}
    if any(loaded[name] is None and shelf.card(name) is not None for name in NAMES):
        return None
    loaded[recommender.NAME] = loaded[recommender.NAME] or Recommender()
    return Fitted(date.fromisoformat(card.as_of), usual=usual or {}, version=card.version, uplift=shelf.load(reactions.NAME), **loaded)


def score_all(session: Session, fitted: Fitted, history: History) -> int:
    """Write every buyer's scores anew; returns how many."""
    rows = history.buyers(fitted.as_of, most=None)
    flags = fitted.risk.score(history, as_of=fitted.as_of, session=session) if fitted.risk else {}
    session.exec(delete(MemberScore))
    for start in range(0, len(rows), _AT_ONCE):
        made = fitted.scores(rows.iloc[start : start + _AT_ONCE], as_of=fitted.as_of, flags=flags)
        session.connection().execute(insert(MemberScore.__table__), stored(made, fitted.as_of, fitted.version))  # type: ignore[attr-defined]
    return len(rows)


def stored(scores: pd.DataFrame, as_of: date, version: str) -> list[dict[str, Any]]:
    """Scores as rows of `MemberScore`."""
    columns = [name for name in scores.columns if name in MemberScore.model_fields]
    rows = []
    for member_id, values in zip(scores.index, scores[columns].itertuples(index=False, name=None), strict=True):
        told = {name: _plain(value) for name, value in zip(columns, values, strict=True)}
        rows.append({"member_id": str(member_id), "as_of": as_of, "version": version, **told})
    return rows


def _plain(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else float(value)
    return int(value) if isinstance(value, np.integer) else value


def card_of(name: str, model: Any, told: dict[str, Any], fitted: Fitted, rows: int) -> Card:
    """A model's card: what it learned from, what it was worth, for whom, and what matters to it."""
    importance = explain.global_importance(model.importance()) if hasattr(model, "importance") else {}
    flat = {f"{way}: {measure}": float(value) for way, found in told.get("measures", {}).items() for measure, value in found.items()}
    serves = getattr(model, "serves", "")
    notes = [f"serves: {serves}"] if serves else []
    notes += [f"{key}: {value:.4f}" for key, value in (getattr(model, "choice", None) or {}).items()]
    if not told:
        notes.append("not measured: too short a history, or left out")
    tables = {key: value.to_dict("records") for key, value in told.items() if isinstance(value, pd.DataFrame)}
    return Card(
        name,
        fitted.version,
        f"{rows:,} order lines until {fitted.as_of.isoformat()}",
        fitted.as_of.isoformat(),
        rows,
        measures=flat,
        notes="; ".join(notes),
        measured_on=f"{told['as of']} and the {told['days']} days after" if told else "",
        groups=told.get("groups", {}),
        importance=importance,
        tables=tables,
    )
