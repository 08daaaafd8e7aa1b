"""How many members are like this?

Typed conditions become one SQL statement: nothing a model writes is ever part
of the query text. Counts say who may be addressed, too.
"""

from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, and_, case, col, func, not_, or_, select

from members.tables import Campaign, CampaignMember, Consent, Member, Order, OrderLine, Product

Channel = Literal["email", "sms", "wechat", "phone", "push"]
# A member addressed within a week is left alone.
CONTACT_PAUSE_DAYS = 7


class Conditions(BaseModel):
    """What must be true of a member, all of it; an empty field asks nothing. Money in minor units."""

    model_config = ConfigDict(extra="forbid")

    tiers: list[str] = Field(default_factory=list, max_length=10, description="tier keys")
    cities: list[str] = Field(default_factory=list, max_length=20, description="city names as the shop writes them")
    languages: list[Literal["en", "zh"]] = Field(default_factory=list, max_length=2)
    categories: list[str] = Field(default_factory=list, max_length=20, description="bought from any of these product categories")
    bought_within_days: int | None = Field(default=None, ge=1, le=3650)
    not_bought_for_days: int | None = Field(default=None, ge=1, le=3650)
    spent_at_least_cents: int | None = Field(default=None, ge=0)
    spent_at_most_cents: int | None = Field(default=None, ge=0)
    spent_within_days: int = Field(default=365, ge=1, le=3650)
    joined_within_days: int | None = Field(default=None, ge=1, le=3650)
    consent: Channel | None = Field(default=None, description="only those who agreed to this channel")


class Count(BaseModel):
    """How many match, and how many of them may be addressed on the channel today."""

    matching: int
    without_consent: int
    contacted_this_week: int
    reachable: int
    members_in_all: int


def count(session: Session, conditions: Conditions, *, on: date) -> Count:
    """Count the members who match; reachable leaves out refusals and the recently addressed."""
    test = _matches(conditions, on)
    agreed = _agreed(conditions.consent)
    recent = _contacted(on)
    row = session.exec(
        select(
            func.count(),
            func.coalesce(func.sum(case((not_(agreed), 1), else_=0)), 0),
            func.coalesce(func.sum(case((and_(agreed, recent), 1), else_=0)), 0),
        )
        .select_from(Member)
        .where(test)
    ).one()
    everyone = session.exec(select(func.count()).select_from(Member).where(col(Member.left_on).is_(None))).one()
    matching, refused, contacted = (int(value) for value in row)
    return Count(
        matching=matching,
        without_consent=refused,
        contacted_this_week=contacted,
        reachable=matching - refused - contacted,
        members_in_all=everyone,
    )


def sample(session: Session, conditions: Conditions, *, on: date, limit: int = 5) -> list[Member]:
    """A few who match, the same few every time."""
    return list(session.exec(select(Member).where(_matches(conditions, on)).order_by(col(Member.id)).limit(limit)))


def cities(session: Session) -> list[str]:
    """Every city members live in, most members first."""
    query = select(Member.city).where(Member.city != "").group_by(Member.city).order_by(func.count().desc(), Member.city)
    return list(session.exec(query))


def categories(session: Session) -> list[str]:
    """Every category of the catalogue."""
    return list(session.exec(select(Product.category).where(Product.category != "").distinct().order_by(Product.category)))


# --- conditions as SQL ------------------------------------------------------------------


def _matches(c: Conditions, on: date) -> Any:
    tests: list[Any] = [col(Member.left_on).is_(None)]
    if c.tiers:
        tests.append(col(Member.tier).in_(c.tiers))
    if c.cities:
        tests.append(func.lower(Member.city).in_([city.strip().lower() for city in c.cities]))
    if c.languages:
        tests.append(col(Member.language).in_(c.languages))
    if c.categories:
        tests.append(col(Member.id).in_(_buyers(c.categories, on)))
    if c.bought_within_days:
        tests.append(col(Member.id).in_(_ordered_since(on, c.bought_within_days)))
    if c.not_bought_for_days:
        tests.append(col(Member.id).not_in(_ordered_since(on, c.not_bought_for_days)))
    if c.joined_within_days:
        tests.append(col(Member.joined_on) > on - timedelta(days=c.joined_within_days))
    if c.spent_at_least_cents is not None or c.spent_at_most_cents is not None:
        tests.append(_spent_between(c, on))
    return and_(*tests)


def _ordered_since(on: date, days: int) -> Any:
    counted = and_(_ordered_within(on, days), Order.status != "cancelled", col(Order.member_id).is_not(None))
    return select(Order.member_id).where(counted)


def _ordered_within(on: date, days: int) -> Any:
    start, end = datetime.combine(on - timedelta(days=days - 1), time.min), datetime.combine(on + timedelta(days=1), time.min)
    return and_(col(Order.ordered_at) >= start, col(Order.ordered_at) < end)


def _buyers(categories: list[str], on: date) -> Any:
    # A world without dates has buyers, too.
    by_then = or_(col(Order.ordered_at).is_(None), col(Order.ordered_at) < datetime.combine(on + timedelta(days=1), time.min))
    lines = select(Order.member_id).join(OrderLine, col(OrderLine.order_id) == Order.id).join(Product, col(Product.id) == OrderLine.product_id)
    return lines.where(col(Product.category).in_(categories), Order.status != "cancelled", col(Order.member_id).is_not(None), by_then)


def _spent_between(c: Conditions, on: date) -> Any:
    # Net of goods given back; no order in the window counts as nothing spent.
    net = func.sum((OrderLine.quantity - OrderLine.returned) * OrderLine.unit_price_cents)
    paid = (
        select(net)
        .join(Order, col(Order.id) == OrderLine.order_id)
        .where(Order.member_id == Member.id, OrderLine.kind == "product", Order.status != "cancelled", _ordered_within(on, c.spent_within_days))
        .correlate(Member)
        .scalar_subquery()
    )
    spent = func.coalesce(paid, 0)
    tests = []
    if c.spent_at_least_cents is not None:
        tests.append(spent >= c.spent_at_least_cents)
    if c.spent_at_most_cents is not None:
        tests.append(spent <= c.spent_at_most_cents)
    return and_(*tests)


def _agreed(channel: str | None) -> Any:
    if channel is None:
        any_channel = select(Consent.member_id).where(col(Consent.granted).is_(True))
        return col(Member.id).in_(any_channel)
    return col(Member.id).in_(select(Consent.member_id).where(Consent.channel == channel, col(Consent.granted).is_(True)))


def _contacted(on: date) -> Any:
    recent = (
        select(CampaignMember.member_id)
        .join(Campaign, col(Campaign.id) == CampaignMember.campaign_id)
        .where(col(Campaign.sent_on) > on - timedelta(days=CONTACT_PAUSE_DAYS), col(Campaign.sent_on) <= on, CampaignMember.arm != "holdout")
    )
    return or_(col(Member.id).in_(recent))
