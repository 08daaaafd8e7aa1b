"""Who is this member, and how are they doing? For support staff."""

from datetime import date
from typing import Annotated

from pydantic import Field, StringConstraints
from sqlmodel import select

from analytics.portrait import Portrait, portrait
from members import catalogue, ledger, people, program, returns, timeline
from members.access import Role
from members.errors import NotFound, RuleBroken
from members.replay import histories
from members.tables import Member, Ticket
from tools.bench import Bench, Record, money
from tools.gateway import OrderId, tool
from tools.orders import MyOrders, Status, list_orders

Who = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


class MemberBrief(Record):
    """A member in a list; contacts are masked."""

    member_id: str
    name: str
    tier: str
    city: str
    member_since: date | None
    email: str | None
    phone: str | None


class FoundMembers(Record):
    """Members that fit what was typed."""

    asked: str
    members: list[MemberBrief]


@tool(Role.SUPPORT)
def find_member(bench: Bench, who: Annotated[Who, Field(description="a name, member id, e-mail, phone number or its ending, or an order id")]) -> FoundMembers:
    """Find members by id, name, e-mail, phone ending or order."""
    found = people.find(bench.session, who)
    return FoundMembers(asked=who, members=[_brief(bench, member) for member in found])


class MemberInsight(Record):
    """Who a member is and how they are doing, as of a day. Observations, not a forecast."""

    member_id: str
    name: str
    as_of: date
    currency: str
    tier: str
    tier_name_en: str
    tier_name_zh: str
    city: str
    language: str
    member_since: date | None
    points: int
    orders: int
    spend: str
    spend_last_year: str
    spend_year_before: str
    average_order: str
    last_order_on: date | None
    days_since_last: int | None
    usual_gap_days: int | None
    returns: int
    favourite_categories: list[str]
    favourites_en: list[str]
    favourites_zh: list[str]
    open_tickets: int
    next_tier_en: str | None
    next_tier_zh: str | None
    missing_to_next: str | None
    signs: list[str]
    other_matches: list[MemberBrief]


@tool(Role.SUPPORT)
def member_insight(bench: Bench, who: Annotated[Who, Field(description="member id, name, e-mail, phone ending or order id")]) -> MemberInsight:
    """One member's profile: tier, worth, habits, tickets, and signs that they are drifting away or doing well."""
    member, others = named_member(bench, who)
    features = portrait(bench.session, member.id, as_of=bench.today)
    past = histories(bench.session, [member.id]).get(member.id)
    here = program.standing(past.up_to(bench.today).spends() if past else [], bench.rules, on=bench.today)
    tickets = bench.session.exec(select(Ticket).where(Ticket.member_id == member.id, Ticket.status == "open")).all()
    liked = catalogue.some(bench.session, [product_id for product_id, _ in features.favourites])
    return MemberInsight(
        member_id=member.id,
        name=member.name,
        as_of=bench.today,
        currency=bench.rules.currency,
        tier=here.tier.key,
        tier_name_en=here.tier.name_en,
        tier_name_zh=here.tier.name_zh,
        city=member.city or member.country,
        language=member.language,
        member_since=member.joined_on,
        points=ledger.balance(bench.session, member.id, as_of=bench.today),
        orders=features.orders,
        spend=money(features.spend_cents),
        spend_last_year=money(features.spend_year_cents),
        spend_year_before=money(features.spend_before_cents),
        average_order=money(features.average_order_cents),
        last_order_on=features.last_on,
        days_since_last=features.days_since_last,
        usual_gap_days=round(features.usual_gap_days) if features.usual_gap_days is not None else None,
        returns=features.returns,
        favourite_categories=[name for name, _ in features.categories],
        favourites_en=[o.name("en") for o in liked],
        favourites_zh=[o.name("zh") for o in liked],
        open_tickets=len(tickets),
        next_tier_en=here.next_tier.name_en if here.next_tier else None,
        next_tier_zh=here.next_tier.name_zh if here.next_tier else None,
        missing_to_next=money(here.missing_cents) if here.next_tier else None,
        signs=_signs(features, len(tickets)),
        other_matches=[_brief(bench, other) for other in others],
    )


class MemberOrders(MyOrders):
    """One member's orders, named."""

    member_id: str
    name: str


@tool(Role.SUPPORT)
def member_orders(
    bench: Bench,
    who: Annotated[Who, Field(description="member id, name, e-mail, phone ending or order id")],
    status: Annotated[Status | None, Field(description="only orders in this state")] = None,
    product: Annotated[str | None, Field(description="words of an article the order contains", max_length=120)] = None,
    since: Annotated[date | None, Field(description="ordered on or after this day, ISO")] = None,
    until: Annotated[date | None, Field(description="ordered on or before this day, ISO")] = None,
    limit: Annotated[int, Field(ge=1, le=10)] = 5,
) -> MemberOrders:
    """A member's orders, newest first, by state, time or article."""
    member, _ = named_member(bench, who)
    listed = list_orders(bench, member.id, status=status, product=product, since=since, until=until, limit=limit)
    return MemberOrders(member_id=member.id, name=member.name, **listed.model_dump())


# --- what only staff do -----------------------------------------------------------------


class PointsAdjusted(Record):
    """Points given or taken by hand, and the balance that leaves."""

    points: int
    balance_before: int
    balance: int
    limit: int
    waits_for_second: bool = False


def _over_limit(bench: Bench, points: int) -> bool:
    return abs(points) > bench.rules.service.staff_points_limit


def preview_adjust(bench: Bench, points: int) -> PointsAdjusted:
    """What the correction would leave; refuses to go below zero."""
    there = ledger.balance(bench.session, bench.me, as_of=bench.today)
    if not points or there + points < 0:
        raise RuleBroken(f"The balance is {there}; it cannot go below zero.", rule="below_zero", passage="points.if-your-points-look-wrong", balance=there)
    limit = bench.rules.service.staff_points_limit
    return PointsAdjusted(points=points, balance_before=there, balance=there + points, limit=limit, waits_for_second=_over_limit(bench, points))


@tool(Role.SUPPORT, preview=preview_adjust, second=_over_limit)
def adjust_points(bench: Bench, points: Annotated[int, Field(ge=-1_000_000, le=1_000_000, description="how many; negative to take away")]) -> PointsAdjusted:
    """Give a member points or take some away, with a reason. Waits for a yes; over the limit also for a second person's."""
    shown = preview_adjust(bench, points)
    ledger.adjust(bench.session, bench.me, points, on=bench.today, key=bench.key, rules=bench.rules, reason=f"staff: {bench.why}"[:120])
    return shown.model_copy(update={"balance": ledger.balance(bench.session, bench.me, as_of=bench.today), "waits_for_second": False})


class ParcelReceived(Record):
    """What was booked when a parcel came in."""

    order_id: str
    kind: str
    currency: str
    refund: str
    charged: str
    method: str
    points_taken: int
    points_given: int
    tier: str
    balance: int


def preview_received(bench: Bench, order_id: OrderId) -> ParcelReceived:
    """What was agreed for this parcel; refuses when none is expected."""
    request = returns.open_request(bench.session, bench.me, order_id)
    member = people.get(bench.session, bench.me)
    difference = request.difference_cents
    agreed = next((e.details.get("refund_cents", 0) for e in timeline.of(bench.session, request.order_id) if e.kind == "return_requested"), 0)
    return ParcelReceived(
        order_id=request.order_id,
        kind=request.kind,
        currency=bench.rules.currency,
        refund=money(max(0, -difference) if request.kind == "exchange" else agreed),
        charged=money(max(0, difference)),
        method=request.method_label,
        points_taken=0,
        points_given=0,
        tier=member.tier,
        balance=member.points,
    )


@tool(Role.SUPPORT, preview=preview_received)
def receive_return(bench: Bench, order_id: OrderId) -> ParcelReceived:
    """Book a returned or exchanged parcel that came in: money, points, stock and tier follow. Waits for a yes."""
    done = returns.receive(bench.session, bench.me, order_id, on=bench.today, key=bench.key, rules=bench.rules, actor=bench.actor)
    return ParcelReceived(
        order_id=done.order_id,
        kind=done.kind,
        currency=bench.rules.currency,
        refund=money(done.refund_cents),
        charged=money(done.charged_cents),
        method=done.method_label,
        points_taken=done.points_taken,
        points_given=done.points_given,
        tier=done.tier,
        balance=done.balance,
    )


# --- inside -----------------------------------------------------------------------------


def named_member(bench: Bench, who: str) -> tuple[Member, list[Member]]:
    """The best match and the others. Raises NotFound."""
    found = people.find(bench.session, who)
    if not found:
        raise NotFound(f"Nobody fits “{who}”.", instead="find_member")
    exact = found[0].id.lower() in (who.lower(), f"m-{who.lower()}")
    return found[0], [] if exact else found[1:4]


def _brief(bench: Bench, member: Member) -> MemberBrief:
    reach = people.contacts(bench.session, member.id)
    return MemberBrief(
        member_id=member.id,
        name=member.name,
        tier=member.tier,
        city=member.city or member.country,
        member_since=member.joined_on,
        **{kind: people.mask(kind, reach[kind]) if kind in reach else None for kind in ("email", "phone")},
    )


def _signs(features: Portrait, tickets: int) -> list[str]:
    """Plain observations by key, worded by the phrase files; each can be checked in the record."""
    signs: list[str] = []
    gap, silent = features.usual_gap_days, features.days_since_last
    if not features.orders:
        return ["never_ordered"]
    if gap and silent is not None and silent > max(45.0, 2.5 * gap):
        signs.append("silent_for_long")
    elif gap and silent is not None and silent <= max(14.0, gap):
        signs.append("active")
    if features.spend_before_cents and features.spend_year_cents < features.spend_before_cents * 0.6:
        signs.append("spends_less")
    if features.spend_before_cents and features.spend_year_cents > features.spend_before_cents * 1.4:
        signs.append("spends_more")
    if features.orders >= 4 and features.returns > features.orders * 0.3:
        signs.append("returns_often")
    if tickets:
        signs.append("open_ticket")
    return signs
