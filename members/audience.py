"""How many members are like this, and who of them may be addressed?

Conditions (see `conditions`) become one SQL statement: nothing a model writes is
ever part of the query text. Saved audiences keep every version and are worked
out anew each time they are used.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel
from sqlmodel import Session, and_, case, col, func, not_, select

from members.conditions import Channel, Test, Where, everyone, matches, test
from members.errors import NotFound, RuleBroken
from members.naming import nearest
from members.tables import Audience, Campaign, CampaignMember, Consent, Contact, Member, Product, Ticket, new_id

__all__ = [
    "CONTACT_PAUSE_DAYS",
    "Channel",
    "Count",
    "Removed",
    "categories",
    "cities",
    "count",
    "ids",
    "names",
    "overlap",
    "removed",
    "sample",
    "save",
    "saved",
]
# A member addressed within a week is left alone.
CONTACT_PAUSE_DAYS = 7
# By which kind of contact a channel reaches a member; the others need none that is kept here.
ADDRESSED_BY = {"email": "email", "sms": "phone", "phone": "phone"}


class Removed(BaseModel):
    """Members who match and are not addressed, each for the first reason that holds."""

    without_consent: int = 0
    no_address: int = 0
    contacted_this_week: int = 0
    open_complaint: int = 0

    @property
    def all(self) -> int:
        """How many are left out."""
        return self.without_consent + self.no_address + self.contacted_this_week + self.open_complaint


class Count(BaseModel):
    """How many match, how many of them may be addressed on the channel today, and why the others may not."""

    matching: int
    without_consent: int
    no_address: int
    contacted_this_week: int
    open_complaint: int
    reachable: int
    members_in_all: int


def count(session: Session, where: Where, *, on: date, channel: str | None = None) -> Count:
    """Count the members who match, and who of them may be addressed on a channel (any, when none is named)."""
    left_out = _reasons(channel, on)
    sums = (func.coalesce(func.sum(case((reason, 1), else_=0)), 0) for reason in left_out.values())
    row = session.execute(sa.select(func.count(), *sums).select_from(Member).where(matches(where, on))).one()
    matching, *refused = (int(value) for value in row)
    told = dict(zip(left_out, refused, strict=True))
    in_all = session.exec(select(func.count()).select_from(Member).where(col(Member.left_on).is_(None))).one()
    return Count(matching=matching, **told, reachable=matching - sum(refused), members_in_all=in_all)


def removed(session: Session, where: Where, *, on: date, channel: str | None = None) -> Removed:
    """Who matches and is left out, by reason."""
    return Removed(**count(session, where, on=on, channel=channel).model_dump(include=set(Removed.model_fields)))


def ids(session: Session, where: Where, *, on: date, channel: str | None = None, addressed: bool = False) -> list[str]:
    """Ids of the members who match, in order; `addressed` leaves out whoever may not be addressed."""
    tests = [matches(where, on)]
    if addressed:
        tests += [not_(reason) for reason in _reasons(channel, on).values()]
    return list(session.exec(select(Member.id).where(and_(*tests)).order_by(col(Member.id))))


def sample(session: Session, where: Where, *, on: date, limit: int = 5) -> list[Member]:
    """A few who match, the same few every time."""
    return list(session.exec(select(Member).where(matches(where, on)).order_by(col(Member.id)).limit(limit)))


def overlap(session: Session, where: Where, other: Where, *, on: date) -> int:
    """How many match both."""
    return session.exec(select(func.count()).select_from(Member).where(matches(where, on), matches(other, on))).one()


def cities(session: Session) -> list[str]:
    """Every city members live in, most members first."""
    query = select(Member.city).where(Member.city != "").group_by(Member.city).order_by(func.count().desc(), Member.city)
    return list(session.exec(query))


def countries(session: Session) -> list[str]:
    """Every country members live in, most members first."""
    query = select(Member.country).where(Member.country != "").group_by(Member.country).order_by(func.count().desc(), Member.country)
    return list(session.exec(query))


def categories(session: Session) -> list[str]:
    """Every category of the catalogue."""
    return list(session.exec(select(Product.category).where(Product.category != "").distinct().order_by(Product.category)))


# --- saved audiences --------------------------------------------------------------------


def save(session: Session, name: str, where: Where, *, channel: str | None, by: str, now: datetime) -> Audience:
    """Keep an audience under a name; the same name again is its next version. Raises RuleBroken for conditions that ask nothing."""
    if where == everyone():
        raise RuleBroken("An audience needs at least one condition.", rule="audience_empty")
    before = saved(session, name)
    kept = Audience(
        id=before.id if before else f"A-{new_id()[:6].upper()}",
        version=before.version + 1 if before else 1,
        name=before.name if before else name.strip(),
        conditions=where.model_dump(exclude_none=True, exclude_defaults=True),
        channel=channel or "",
        made_by=by,
        made_at=now,
    )
    if before and before.conditions == kept.conditions and before.channel == kept.channel:
        return before
    session.add(kept)
    session.flush()
    return kept


def saved(session: Session, named: str, *, version: int | None = None) -> Audience | None:
    """An audience by name or id, its newest version unless one is named."""
    wanted = named.strip()
    for meant in (col(Audience.id) == wanted.upper(), func.lower(Audience.name) == wanted.lower()):
        query = select(Audience).where(meant, *(() if version is None else (Audience.version == version,)))
        found = session.exec(query.order_by(col(Audience.version).desc()).limit(1)).first()
        if found is not None:
            return found
    return None


def get(session: Session, named: str) -> Audience:
    """An audience by name or id, or by what is nearly its name. Raises NotFound."""
    found = saved(session, named)
    if found is None:
        meant = nearest(named, {kept.id: kept.name for kept in names(session)})
        found = saved(session, meant) if meant else None
    if found is None:
        raise NotFound(f"There is no audience “{named.strip()[:60]}”.", rule="no_such_audience", name=named.strip()[:60])
    return found


def where_of(kept: Audience) -> Where:
    """The conditions of a saved audience."""
    return Where.model_validate(kept.conditions)


def names(session: Session) -> Sequence[Audience]:
    """The newest version of every saved audience, the latest first."""
    newest = select(Audience.id, func.max(Audience.version).label("version")).group_by(Audience.id).subquery()
    query = select(Audience).join(newest, and_(col(Audience.id) == newest.c.id, col(Audience.version) == newest.c.version))
    return session.exec(query.order_by(col(Audience.made_at).desc())).all()


# --- who may not be addressed -----------------------------------------------------------


def _reasons(channel: str | None, on: date) -> dict[str, Any]:
    """Why a member is left out, in the order asked: each reason without those before it."""
    tests = {
        "without_consent": not_(_agreed(channel)),
        "no_address": _unreachable(channel),
        "contacted_this_week": _contacted(on),
        "open_complaint": _complains(),
    }
    found: dict[str, Any] = {}
    for name, reason in tests.items():
        found[name] = and_(reason, *(not_(before) for before in list(tests.values())[: len(found)]))
    return found


def _agreed(channel: str | None) -> Any:
    if channel == "in_app":
        # What stands in the shop's own app is seen by whoever opens it.
        return col(Member.id).is_not(None)
    if channel is None:
        return col(Member.id).in_(select(Consent.member_id).where(col(Consent.granted).is_(True)))
    return matches(everyone().model_copy(update={"test": test("consent", any_of=[channel])}), date.min)


def _unreachable(channel: str | None) -> Any:
    kind = ADDRESSED_BY.get(channel or "")
    if kind is None:
        return col(Member.id).is_(None)
    return col(Member.id).not_in(select(Contact.member_id).where(Contact.kind == kind))


def _contacted(on: date) -> Any:
    recent = (
        select(CampaignMember.member_id)
        .join(Campaign, col(Campaign.id) == CampaignMember.campaign_id)
        .where(col(Campaign.sent_on) > on - timedelta(days=CONTACT_PAUSE_DAYS), col(Campaign.sent_on) <= on, CampaignMember.arm != "holdout")
    )
    return col(Member.id).in_(recent)


def _complains() -> Any:
    return col(Member.id).in_(select(Ticket.member_id).where(Ticket.status != "closed", Ticket.cause == "complaint"))


def single(named: Test) -> Where:
    """One condition as a whole."""
    return Where(test=named)
