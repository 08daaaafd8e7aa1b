"""What does the shop know about its members, beyond one answer?

Joins events, models and the record for programs and pages: takes what channels
tell and lets it count at once, keeps tastes, and gives the figures that staff's
pages draw.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

import pandas as pd
from sqlmodel import Session, select

from analytics import overview, scoring, segments
from analytics.history import History
from analytics.portrait import portrait
from analytics.taste import of_events
from members import happenings, ledger, program
from members.access import Caller, Role
from members.database import Database
from members.errors import NotAllowed
from members.happenings import Happening
from members.replay import histories
from members.tables import Member, MemberScore, MemberTaste, TierChange
from retrieval.embed import SentenceVectors
from retrieval.words import gloss, has_han
from tools.bench import Means, money

MOST_EVENTS = 500
_AT_ONCE = 500


@dataclass(frozen=True)
class Told:
    """What became of one event, and the member's chance of leaving after it."""

    outcome: str
    reason: str = ""
    member_id: str = ""
    churn_percent: int | None = None


class Knowing:
    """One desk's knowledge of members; `means` gives rules, day and models as they are now."""

    def __init__(
        self,
        database: Database,
        lake: Path,
        means: Callable[[], Means],
        vectors: Callable[[], dict[str, Any]],
        embed: SentenceVectors,
        now: Callable[[], datetime],
    ) -> None:
        """Use these stores."""
        self._database, self._lake, self._means, self._vectors, self._embed, self._now = database, lake, means, vectors, embed, now
        self._kept: dict[str, tuple[Any, Any]] = {}

    # --- events as they happen ----------------------------------------------------------

    def take(self, caller: Caller, told: Sequence[Happening]) -> list[Told]:
        """Take events of the shop's channels: write them, update tastes, and score their members anew, without a training.

        Raises NotAllowed for anybody but an admin, whose token the shop's own systems hold.
        """
        if caller.role is not Role.ADMIN:
            raise NotAllowed("Events come from the shop's own systems: an admin's token is needed.")
        happenings.check(len(told), MOST_EVENTS)
        means = self._means()
        with self._database.effect() as session:
            taken = happenings.take(session, told, now=self._now(), today=means.today)
            fresh = [one for one in taken if one.event is not None]
            self._taste(session, fresh)
            chances = {member_id: self._rescored(session, member_id, means) for member_id in dict.fromkeys(one.event.member_id for one in fresh if one.event)}
        return [
            Told(one.outcome, one.reason, one.event.member_id if one.event else "", chances.get(one.event.member_id) if one.event else None) for one in taken
        ]

    def _taste(self, session: Session, fresh: Sequence[happenings.Taken]) -> None:
        products = self._products() if fresh else {}
        for one in fresh:
            event = one.event
            assert event is not None
            vector = self._words(one.text) if event.kind == "review" and one.text else None
            vector = products.get(event.product_id) if vector is None else vector
            if vector is None:
                continue
            before = scoring.taste_of(session, event.member_id, vectors=self._embed.name)
            after = before.seen(event.kind, vector, event.at) if before else of_events([(event.kind, vector, event.at)])
            assert after is not None
            scoring.keep_taste(session, event.member_id, after, vectors=self._embed.name)
            session.flush()

    def _rescored(self, session: Session, member_id: str, means: Means) -> int | None:
        if means.fitted is None:
            return None
        made = scoring.refresh(session, means.fitted, self._lake, member_id, today=means.today)
        return None if made is None or made.churn is None else round(100 * made.churn)

    # --- tastes -------------------------------------------------------------------------

    def keep_all_tastes(self) -> int:
        """Work out every member's taste from all they did; returns how many have one."""
        self._kept.pop("products", None)
        products, today, kept = self._products(), self._means().today, 0
        with self._database.read() as session:
            ids = list(session.exec(select(Member.id).order_by(Member.id)))
        for start in range(0, len(ids), _AT_ONCE):
            with self._database.effect() as session:
                for member_id, taste in scoring.tastes_from_all(session, self._lake, ids[start : start + _AT_ONCE], products, self._words, today=today):
                    scoring.keep_taste(session, member_id, taste, vectors=self._embed.name)
                    kept += 1
        return kept

    def taste(self, member_id: str) -> MemberTaste | None:
        """A member's kept taste."""
        with self._database.read() as session:
            return session.get(MemberTaste, member_id)

    def _words(self, text: str) -> Any:
        """A text's vector; Chinese through its gloss where the vectors cannot read it, None where nothing is left."""
        readable = gloss(text) if has_han(text) and not self._embed.reads_chinese else text
        return self._embed([readable])[0] if readable.strip() else None

    def _products(self) -> dict[str, Any]:
        if "products" not in self._kept:
            self._kept["products"] = (None, self._vectors())
        products: dict[str, Any] = self._kept["products"][1]
        return products

    # --- what pages draw ----------------------------------------------------------------

    def groups(self) -> pd.DataFrame:
        """The segments' table as of the last training; empty before one."""
        return self._once("groups", self._make_groups)

    def renew(self) -> None:
        """Work out anew what was kept of members: somebody was erased."""
        self._kept.clear()

    def insight(self, caller: Caller) -> dict[str, Any]:
        """Everything the insight page draws: tables by name, each as it can be downloaded. Raises NotAllowed for members."""
        if caller.role is Role.MEMBER:
            raise NotAllowed("This is for the shop's staff.")
        found: dict[str, Any] = self._once("insight", self._make_insight)
        return found

    def member(self, caller: Caller, member_id: str) -> dict[str, Any]:
        """Series about one member for support's page: spend by month, points after each booking, the way up, tier path, orders. Raises NotAllowed for others."""
        if caller.role not in (Role.SUPPORT, Role.ADMIN):
            raise NotAllowed("This is for support staff.")
        means = self._means()
        with self._database.read() as session:
            drawn = portrait(session, member_id, as_of=means.today)
            past = histories(session, [member_id]).get(member_id)
            booked = sorted(ledger.entries(session, member_id, limit=2_000), key=lambda e: (e.booked_on, e.id or 0))
            steps = session.exec(select(TierChange).where(TierChange.member_id == member_id).order_by(TierChange.changed_on, TierChange.id)).all()  # type: ignore[arg-type]
            scored = scoring.of_member(session, means.fitted, self._lake, member_id, today=means.today) if means.fitted else None
            timeline = scoring.timeline(session, self._lake, member_id, today=means.today)
        here = program.standing(past.up_to(means.today).spends() if past else [], means.rules, on=means.today)
        balances = accumulate(entry.points for entry in booked)
        return {
            "months": list(drawn.by_month),
            "points": [(entry.booked_on.isoformat(), balance) for entry, balance in zip(booked, balances, strict=True)],
            "standing": {"window_spend": money(here.spend_cents)},
            "tiers": [{"key": t.key, "name_en": t.name_en, "name_zh": t.name_zh, "threshold": money(t.threshold_cents)} for t in means.rules.tiers.levels],
            "tier_path": [(step.changed_on.isoformat(), step.tier) for step in steps],
            "timeline": timeline,
            "scores": _shown(scored),
        }

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        """Something worked out from the last training, kept until the next one."""
        fitted = self._means().fitted
        kept = self._kept.get(name)
        if kept is None or kept[0] is not fitted:
            self._kept[name] = (fitted, make())
        return self._kept[name][1]

    def _make_groups(self) -> pd.DataFrame:
        fitted = self._means().fitted
        if fitted is None or fitted.segments is None:
            return pd.DataFrame()
        rows = History.of(self._lake).buyers(fitted.as_of, most=None)
        scores = self._scores()
        return segments.overview(rows, fitted.segments.score(rows), churn=scores["churn"], value=scores["value_cents"])

    def _make_insight(self) -> dict[str, Any]:
        fitted = self._means().fitted
        if fitted is None:
            return {}
        history = History.of(self._lake)
        return overview.tables(history, fitted, self._scores(), groups=self.groups())

    def _scores(self) -> pd.DataFrame:
        with self._database.read() as session:
            told = session.exec(select(MemberScore.member_id, MemberScore.churn, MemberScore.value_cents, MemberScore.segment)).all()
        return (
            pd.DataFrame(told, columns=["member_id", "churn", "value_cents", "segment"])
            .set_index("member_id")
            .astype({"churn": "float64", "value_cents": "float64"})
        )


def _shown(scored: MemberScore | None) -> dict[str, Any] | None:
    if scored is None:
        return None
    return {
        "churn": scored.churn,
        "value": None if scored.value_cents is None else money(scored.value_cents),
        "value_low": money(scored.value_low_cents or 0),
        "value_high": money(scored.value_high_cents or 0),
        "next_order_on": scored.next_order_on.isoformat() if scored.next_order_on else None,
        "next_tier": scored.next_tier,
        "next_tier_chance": scored.next_tier_chance,
        "segment": scored.segment,
        "flags": scored.flags,
    }


def told_as_data(told: Sequence[Told]) -> list[dict[str, Any]]:
    """Answers to events as the API sends them."""
    return [{name: value for name, value in asdict(one).items() if value not in ("", None)} for one in told]
