"""Whom does a campaign write to, and who is left alone so that its effect can be seen?

A campaign is drafted, then sent once: the audience is worked out on that day,
a stratified share is held out, the rest is split over the variants, coupons are
made, and one message a member goes to the outbox for an hour outside the quiet
ones. Which words and which hour is handed in. What came of it is measured in
analytics.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import accumulate, takewhile
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, func, or_, select, update

from members import audience
from members.conditions import Where
from members.errors import NotFound, RuleBroken
from members.naming import nearest
from members.program import Campaigns
from members.tables import Audience, Campaign, CampaignMember, Coupon, Member, MemberScore, Outgoing, new_id

_AT_ONCE = 1_000
# Days an offer lasts that names no last one.
DAYS = 14
# How far ahead a campaign may be planned and an offer may last.
LONGEST_YEARS = 2
# Twelve tries, ever farther apart, take about a day.
LARGEST_TRIES = 12
_LONGEST_PAUSE = timedelta(hours=4)
# How long whoever took a message to hand it over has it alone.
LEASE = timedelta(minutes=10)


@dataclass(frozen=True)
class Offer:
    """What a campaign gives: `value` per cent, minor units or points by `kind`; until which day, from which basket on, for which category."""

    kind: str
    value: int = 0
    minimum_cents: int = 0
    category: str = ""
    until: date | None = None
    benefit: str = ""

    def as_json(self) -> dict[str, Any]:
        """As the record keeps it."""
        plain = {"kind": self.kind, "value": self.value, "minimum_cents": self.minimum_cents, "category": self.category, "benefit": self.benefit}
        if self.kind == "percent":
            plain["percent"] = self.value
        return plain | {"until": self.until.isoformat() if self.until else None}

    @classmethod
    def of(cls, campaign: Campaign) -> "Offer":
        """A campaign's offer."""
        told = campaign.offer
        until = date.fromisoformat(told["until"]) if told.get("until") else None
        value = int(told.get("value") or told.get("percent") or 0)
        return cls(told.get("kind", "none"), value, int(told.get("minimum_cents") or 0), told.get("category", ""), until, told.get("benefit", ""))


@dataclass(frozen=True)
class Words:
    """One variant's words, with its fields unfilled."""

    key: str
    text: str
    subject: str = ""
    preheader: str = ""

    def as_json(self) -> dict[str, Any]:
        """As the record keeps it."""
        return {"key": self.key, "text": self.text, "subject": self.subject, "preheader": self.preheader}


def variants(campaign: Campaign) -> list[Words]:
    """A campaign's variants."""
    return [Words(v["key"], v["text"], v.get("subject", ""), v.get("preheader", "")) for v in campaign.variants]


def draft(
    session: Session,
    name: str,
    kept: Audience,
    words: Sequence[Words],
    offer: Offer,
    *,
    channel: str,
    language: str,
    rules: Campaigns,
    holdout_percent: int | None = None,
    budget_cents: int | None = None,
    expected: Mapping[str, Any] | None = None,
    send_from: datetime | None = None,
    by: str,
    now: datetime,
) -> Campaign:
    """Keep a campaign that nobody has been written to yet. Raises RuleBroken for a name in use, no words, or an offer that has ended."""
    if not words:
        raise RuleBroken("A campaign needs at least one variant of its words.", rule="campaign_no_words")
    if session.exec(select(Campaign.id).where(or_(func.lower(Campaign.name_en) == name.lower(), Campaign.name_zh == name))).first():
        raise RuleBroken(f"There is a campaign called “{name}” already.", rule="campaign_name_taken", name=name)
    if offer.until and offer.until < max(now, send_from or now).date():
        raise RuleBroken("The offer has ended before it begins.", rule="offer_over", on=offer.until)
    made = Campaign(
        id=_free_id(session),
        name_en=name,
        name_zh=name,
        channel=channel,
        language=language,
        offer=offer.as_json(),
        status="draft",
        audience_id=kept.id,
        audience_version=kept.version,
        variants=[one.as_json() for one in words],
        holdout_percent=rules.holdout_percent if holdout_percent is None else holdout_percent,
        budget_cents=budget_cents,
        expected=dict(expected or {}),
        send_from=send_from,
        made_by=by,
        made_at=now,
    )
    session.add(made)
    session.flush()
    return made


def _free_id(session: Session) -> str:
    while session.get(Campaign, made := f"C-{new_id()[:6].upper()}") is not None:
        continue
    return made


def get(session: Session, named: str) -> Campaign:
    """A campaign by id or name in either language, the latest where several fit. Raises NotFound with the latest ones."""
    wanted = named.strip()
    if not wanted:
        raise NotFound("Which campaign? Name it.", rule="no_such_campaign", name="")
    by_name = or_(func.lower(Campaign.name_en) == wanted.lower(), col(Campaign.name_zh) == wanted)
    found = session.get(Campaign, wanted.upper()) or session.exec(select(Campaign).where(by_name).order_by(col(Campaign.sent_on).desc())).first()
    if found is None:
        there = every(session)
        meant = nearest(wanted, {c.id: c.name_en for c in there}) or nearest(wanted, {c.id: c.name_zh for c in there})
        found = session.get(Campaign, meant) if meant else None
    if found is None:
        raise NotFound(f"There is no campaign “{wanted[:60]}”.", rule="no_such_campaign", name=wanted[:60])
    return found


def every(session: Session) -> Sequence[Campaign]:
    """All campaigns: drafts first, then the latest sent."""
    return session.exec(select(Campaign).order_by(col(Campaign.sent_on).desc().nulls_first(), col(Campaign.made_at).desc(), Campaign.id)).all()


# --- who is written to ------------------------------------------------------------------


@dataclass
class List:
    """Everybody a campaign concerns: id → (arm, variant, stratum), and who matched but is left out, by reason."""

    members: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)

    def count(self, arm: str) -> int:
        """How many are in an arm."""
        return sum(mine[0] == arm for mine in self.members.values())


def make_list(
    session: Session,
    campaign: Campaign,
    where: Where,
    *,
    on: date,
    skip: Iterable[str] = (),
    costs: Mapping[str, float] | None = None,
    predicted: Mapping[str, float] | None = None,
) -> List:
    """Work the audience out as of a day and draw the holdout.

    `skip` are members who would buy anyway; `costs` what the offer is expected to cost for each, in minor units, kept within
    the campaign's budget: whom it changes most for the money first, by `predicted`. The same campaign draws the same
    people the same way.
    """
    able = audience.ids(session, where, on=on, channel=campaign.channel, addressed=True)
    left_out = audience.removed(session, where, on=on, channel=campaign.channel).model_dump()
    unwanted = set(skip)
    wanted = [member_id for member_id in able if member_id not in unwanted]
    left_out["would_buy_anyway"] = len(able) - len(wanted)
    strata = _strata(session, wanted)
    assigned = _assigned(campaign, strata)
    if campaign.budget_cents is not None and costs and _spent(assigned, costs) > campaign.budget_cents:
        order = sorted(wanted, key=lambda who: (-(predicted or {}).get(who, 0.0) / max(costs.get(who, 0.0), 1.0), _draw(campaign.id, who)))
        room = _affordable(order, costs, campaign.budget_cents, 1 - campaign.holdout_percent / 100)
        while (spent := _spent(assigned := _of(campaign, strata, order[:room]), costs)) > campaign.budget_cents:
            room = min(room - 1, math.floor(room * campaign.budget_cents / spent))
        left_out["over_budget"] = len(wanted) - room
    return List(assigned, left_out)


_Arms = dict[str, tuple[str, str, str]]


def _spent(assigned: _Arms, costs: Mapping[str, float]) -> float:
    return sum(costs.get(who, 0.0) for who, mine in assigned.items() if mine[0] == "treated")


def _affordable(order: Sequence[str], costs: Mapping[str, float], budget: float, share: float) -> int:
    """For how many of the first a budget is about enough: those held out cost nothing, so the whole group counts with the share written to."""
    within = accumulate(costs.get(who, 0.0) * share for who in order)
    return sum(1 for _ in takewhile(lambda spent: spent <= budget + 1e-6, within))


def _of(campaign: Campaign, strata: Mapping[str, Sequence[str]], some: Sequence[str]) -> _Arms:
    chosen = set(some)
    return _assigned(campaign, {name: [who for who in all_of_it if who in chosen] for name, all_of_it in strata.items()})


def _strata(session: Session, member_ids: Sequence[str]) -> dict[str, list[str]]:
    """Members by tier and by how likely they are to stay away, so that both arms are alike in what matters most."""
    found: dict[str, list[str]] = defaultdict(list)
    for start in range(0, len(member_ids), _AT_ONCE):
        some = member_ids[start : start + _AT_ONCE]
        rows = session.exec(
            select(Member.id, Member.tier, MemberScore.churn)
            .join(MemberScore, col(MemberScore.member_id) == Member.id, isouter=True)
            .where(col(Member.id).in_(some))
        )
        for member_id, tier, churn in rows:
            risk = "?" if churn is None else "low" if churn < 1 / 3 else "mid" if churn < 2 / 3 else "high"
            found[f"{tier}/{risk}"].append(member_id)
    return found


def _draw(campaign_id: str, member_id: str) -> str:
    return hashlib.sha256(f"{campaign_id}:{member_id}".encode()).hexdigest()


def _assigned(campaign: Campaign, strata: Mapping[str, Sequence[str]]) -> _Arms:
    """Arms in exact shares: every stratum gives its part, what is left over by rounding goes from stratum to stratum."""
    keys = [one["key"] for one in campaign.variants] or ["A"]
    found: _Arms = {}
    owed, turn = 0.0, 0
    for stratum in sorted(strata):
        mixed = sorted(strata[stratum], key=lambda who: _draw(campaign.id, who))
        owed += len(mixed) * campaign.holdout_percent / 100
        held = math.floor(owed + 1e-9)
        owed -= held
        for place, member_id in enumerate(mixed):
            if place < held:
                found[member_id] = ("holdout", "", stratum)
            else:
                found[member_id] = ("treated", keys[turn % len(keys)], stratum)
                turn += 1
    return found


# --- sending ----------------------------------------------------------------------------

Wording = Callable[[Member, Words, str], tuple[str, str]]
"""(member, variant, coupon code) → (subject, text), fields filled."""


def send(
    session: Session,
    campaign: Campaign,
    made: List,
    *,
    word: Wording,
    hour: Callable[[str], int],
    rules: Campaigns,
    today: date,
    now: datetime,
    predicted: Mapping[str, float] | None = None,
) -> int:
    """Put one message a member into the outbox and make the coupons; how many. A campaign that was sent sends nothing again.

    Raises RuleBroken when nobody is left to write to or the offer has ended.
    """
    claimed = sa.update(Campaign).where(col(Campaign.id) == campaign.id, col(Campaign.status) == "draft").values(status="sent", sent_on=today)
    if session.connection().execute(claimed).rowcount != 1:
        return 0
    written = [member_id for member_id, mine in made.members.items() if mine[0] == "treated"]
    if not written:
        raise RuleBroken("Nobody is left to write to.", rule="campaign_nobody")
    offer, words = Offer.of(campaign), {one.key: one for one in variants(campaign)}
    if offer.until and offer.until < today:
        raise RuleBroken("The offer ended while the campaign was a draft.", rule="offer_over", on=offer.until)
    arms = [
        {"campaign_id": campaign.id, "member_id": m, "arm": arm, "opened": False, "variant": variant, "stratum": stratum, "predicted": (predicted or {}).get(m)}
        for m, (arm, variant, stratum) in made.members.items()
    ]
    session.connection().execute(sa.insert(CampaignMember.__table__), arms)  # type: ignore[attr-defined]
    start = max(campaign.send_from or now, now)
    short = len({_tail(member_id) for member_id in written}) == len(written)
    for begin in range(0, len(written), _AT_ONCE):
        some = written[begin : begin + _AT_ONCE]
        coupons = _coupons(campaign, offer, some, today, short=short)
        if coupons:
            session.connection().execute(sa.insert(Coupon.__table__), coupons)  # type: ignore[attr-defined]
        codes = {row["member_id"]: row["code"] for row in coupons}
        rows = []
        for member in session.exec(select(Member).where(col(Member.id).in_(some)).order_by(col(Member.id))):
            subject, text = word(member, words[made.members[member.id][1]], codes.get(member.id, ""))
            at = allowed_at(start, hour(member.id), rules)
            rows.append(
                {
                    "campaign_id": campaign.id,
                    "member_id": member.id,
                    "channel": campaign.channel,
                    "subject": subject,
                    "text": text,
                    "send_at": at,
                    "status": "waiting",
                    "tries": 0,
                }
            )
        session.connection().execute(sa.insert(Outgoing.__table__), rows)  # type: ignore[attr-defined]
    session.expire_all()
    return len(written)


def _tail(member_id: str) -> str:
    return member_id.rpartition("-")[2] or member_id


def _coupons(campaign: Campaign, offer: Offer, member_ids: Sequence[str], today: date, *, short: bool) -> list[dict[str, Any]]:
    if offer.kind not in ("percent", "amount"):
        return []
    head = {
        "kind": offer.kind,
        "value": offer.value,
        "minimum_cents": offer.minimum_cents,
        "category": offer.category,
        "starts_on": today,
        "ends_on": offer.until or today + timedelta(days=DAYS),
        "used_order_id": None,
        "campaign_id": campaign.id,
    }
    # A member's number makes a code to type; where two share one, the whole id does.
    return [{"code": f"{campaign.id}-{_tail(member_id) if short else member_id}", "member_id": member_id, **head} for member_id in member_ids]


def allowed_at(start: datetime, hour: int, rules: Campaigns) -> datetime:
    """The first instant from `start` on at that hour of a day, moved out of the quiet hours."""
    hour = hour if not quiet(hour, rules) else rules.quiet_until
    at = datetime.combine(start.date(), time(hour))
    return at if at >= start else at + timedelta(days=1)


def quiet(hour: int, rules: Campaigns) -> bool:
    """Whether nobody is written to at an hour."""
    if rules.quiet_from <= rules.quiet_until:
        return rules.quiet_from <= hour < rules.quiet_until
    return hour >= rules.quiet_from or hour < rules.quiet_until


def stop(session: Session, campaign_id: str) -> int:
    """Keep back what has not left yet; how many messages."""
    session.exec(update(Campaign).where(col(Campaign.id) == campaign_id, col(Campaign.status) == "draft").values(status="stopped"))
    waiting = update(Outgoing).where(col(Outgoing.campaign_id) == campaign_id, col(Outgoing.status) == "waiting").values(status="stopped")
    return int(session.exec(waiting).rowcount)


def due(session: Session, *, now: datetime, rules: Campaigns, limit: int = 200) -> Sequence[Outgoing]:
    """Messages whose hour has come, none within the quiet hours."""
    if quiet(now.hour, rules):
        return []
    query = select(Outgoing).where(Outgoing.status == "waiting", Outgoing.send_at <= now).order_by(col(Outgoing.send_at), col(Outgoing.id))
    return session.exec(query.limit(limit)).all()


def claim(session: Session, message_id: int, *, seen: datetime, now: datetime) -> bool:
    """Take a due message for a while so that nobody else hands it over, too; False when somebody did. `seen` is its hour as it was read."""
    mine = (col(Outgoing.id) == message_id, col(Outgoing.status) == "waiting", col(Outgoing.send_at) == seen)
    return session.exec(update(Outgoing).where(*mine).values(send_at=now + LEASE)).rowcount == 1


def delivered(session: Session, message_id: int, *, now: datetime) -> bool:
    """Mark a message as gone; False when it was not waiting any more."""
    mine = (col(Outgoing.id) == message_id, col(Outgoing.status) == "waiting")
    return session.exec(update(Outgoing).where(*mine).values(status="delivered", send_at=now, delivered_at=now)).rowcount == 1


def withdrawn(session: Session, message_id: int) -> None:
    """Keep a message back: its member has left or no longer agrees, or its offer has ended."""
    session.exec(update(Outgoing).where(col(Outgoing.id) == message_id, col(Outgoing.status) == "waiting").values(status="stopped"))


def failed(session: Session, message_id: int, *, now: datetime) -> None:
    """Try a message again in a while, ever later, and give it up after about a day."""
    kept = session.get(Outgoing, message_id)
    if kept is not None and kept.status == "waiting":
        kept.tries += 1
        kept.send_at = now + min(timedelta(minutes=2**kept.tries), _LONGEST_PAUSE)
        kept.status = "failed" if kept.tries >= LARGEST_TRIES else "waiting"
        session.add(kept)


def try_again(session: Session, campaign_id: str, *, now: datetime) -> int:
    """Let a campaign's messages that were given up wait once more; how many."""
    lost = update(Outgoing).where(col(Outgoing.campaign_id) == campaign_id, col(Outgoing.status) == "failed")
    return int(session.exec(lost.values(status="waiting", tries=0, send_at=now)).rowcount)


def waiting(session: Session, campaign_id: str, *, limit: int) -> Sequence[Outgoing]:
    """A campaign's messages that have not left, the soonest first."""
    query = select(Outgoing).where(Outgoing.campaign_id == campaign_id, Outgoing.status == "waiting").order_by(col(Outgoing.send_at), col(Outgoing.id))
    return session.exec(query.limit(limit)).all()


def outbox(session: Session, campaign_id: str) -> dict[str, int]:
    """How many of a campaign's messages wait, left, failed or were stopped."""
    rows = session.exec(select(Outgoing.status, func.count()).where(Outgoing.campaign_id == campaign_id).group_by(Outgoing.status))
    return {status: int(number) for status, number in rows}
