"""One campaign from a sentence to a measured lift, beside what was planted.

Builds a demo shop, talks to it as a marketer would (audience, offer, words,
campaign, sending, each with its yes), lets its members live two weeks by their
planted habits, and sets predicted, measured and true effect side by side.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from sqlmodel import Session

from analytics import campaign_results, synthetic_campaigns
from analytics.synthetic import Truth
from assistant.desk import Desk
from assistant.events import Answer
from assistant.settings import load
from eval import worlds
from members import campaigns
from members.tables import Campaign

# Three sentences and the yes to each card; the holdout is large, so that a shop of some thousand members can show an effect.
SAYS = (
    "Save everyone who has ordered within the last 365 days as an audience called “Active year”",
    "yes",
    "What would 10% off change for the “Active year” audience?",
    "Set up an email campaign called “Autumn test” for the “Active year” audience with 10% off, also those who would buy anyway, hold out 40%",
    "yes",
    "send the “Autumn test” campaign",
    "yes",
)
_DAYS = campaign_results.WINDOW_DAYS
# One result is one draw: whether its interval is honest shows in many.
_AGAIN = 200


@dataclass(frozen=True)
class Story:
    """What was said and answered, and the effect in orders per 100 members: predicted, measured with its interval, true."""

    turns: list[tuple[str, str]]
    members: int
    treated: int
    held: int
    predicted: float | None
    measured: campaign_results.Effect | None
    true: float
    verdict: str
    held_the_truth: float | None = None


def play(home: Path, *, members: int, progress: Callable[[str], None] = lambda step: None) -> Story:
    """The whole story on a demo shop of that many members, built in `home`."""
    progress("building and training the shop")
    worlds.demo_desk(home, members=members).close()
    desk = Desk(load(home=home, today=worlds.DAY), now=_clock())
    try:
        return _played(desk, members, progress)
    finally:
        desk.close()


def _clock() -> Callable[[], datetime]:
    """Ten in the morning of the shop's day, going on from there."""
    begun = perf_counter()
    return lambda: datetime.combine(worlds.DAY, time(10)) + timedelta(seconds=perf_counter() - begun)


def _played(desk: Desk, members: int, progress: Callable[[str], None]) -> Story:
    turns = []
    caller, thread = desk.caller_named("marketer"), None
    for text in SAYS:
        progress(text)
        answer = asyncio.run(_said(desk, caller, text, thread))
        thread = answer.thread_id
        turns.append((text, answer.text))
    for waiting in desk.inbox.seconds(desk.caller_named("admin")):
        # It may cost more than one person decides.
        told = desk.inbox.decide_second(desk.caller_named("admin"), waiting.approval_id, yes=True)
        turns.append(("(a second person agrees)", f"{told.result.get('sent', 0):,} messages are in the outbox."))
    truth = Truth(**json.loads((desk.settings.home / "demo_truth.json").read_text(encoding="utf-8")))
    with desk.database.effect() as session:
        campaign = campaigns.get(session, "Autumn test")
        if campaign.sent_on is None:
            raise RuntimeError(f"the campaign was not sent: {turns[-1][1]}")
        progress("two weeks pass")
        lived = synthetic_campaigns.live_on(session, truth, campaign, days=_DAYS)
    with desk.database.read() as session:
        campaign = campaigns.get(session, "Autumn test")
        until = worlds.DAY + timedelta(days=_DAYS)
        seen = campaign_results.measure(session, campaign, as_of=until, margin=desk.rules.campaigns.gross_margin)
        progress(f"the two weeks {_AGAIN} times more")
        held = _coverage(session, truth, campaign, until)
    written = lived[(lived["arm"] != "") & (lived["arm"] != "holdout")]
    return Story(turns, members, seen.treated, seen.held, seen.predicted, seen.effects.get("orders"), float(written["true"].mean()), seen.verdict, held)


def _coverage(session: Session, truth: Truth, campaign: Campaign, until: date) -> float:
    """In what share of replays, each with arms drawn anew, the measured interval holds the true effect."""
    rows = campaign_results.outcomes(session, campaign, until=until, margin=1.0)
    before, share, rng = rows["before_orders"].to_numpy(float), float((rows["arm"] != "holdout").mean()), np.random.default_rng(3)
    hits = []
    for lived in synthetic_campaigns.lived_again(session, truth, campaign, list(rows.index), times=_AGAIN, days=_DAYS):
        treated = rng.permutation(len(lived)) < share * len(lived)
        orders = np.where(treated, lived["with_it"], lived["without"]).astype(float)
        told = campaign_results.difference(orders[treated], orders[~treated], before_treated=before[treated], before_held=before[~treated])
        hits.append(told.low <= float(lived["true"][treated].mean()) <= told.high)
    return float(np.mean(hits))


async def _said(desk: Desk, caller: Any, text: str, thread: str | None) -> Answer:
    found = [event async for event in desk.chat(caller, text, thread) if isinstance(event, Answer)]
    return found[-1]


def table(story: Story) -> list[tuple[str, str]]:
    """The three effects in one table: orders more per 100 members written to."""
    rows = [("predicted before sending", "–" if story.predicted is None else f"{100 * story.predicted:.1f}")]
    if story.measured is not None:
        m = story.measured
        rows.append(("measured against the holdout", f"{100 * m.lift:.1f} ({100 * m.low:.1f} to {100 * m.high:.1f})"))
    rows.append(("true, as planted", f"{100 * story.true:.1f}"))
    if story.held_the_truth is not None:
        rows.append((f"interval held the truth in {_AGAIN} replays", f"{100 * story.held_the_truth:.0f}%"))
    return rows
