"""Who needs a person, and why? Calling for one, for members; the inbox and its causes, for support."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field

from members import orders, people, tickets
from members.access import Role
from members.errors import NotFound
from members.tables import Order, Ticket
from tools.bench import Bench, Record, money
from tools.gateway import OrderId, ShortText, tool


class TicketOpened(Record):
    """A matter that a person will look at: its number, and by when the first answer is promised."""

    ticket_id: str
    cause: str
    priority: int
    answer_by: datetime
    within_hours: int | None
    waiting_before: int
    order_id: str | None


@tool(Role.MEMBER, at_once=True)
def talk_to_person(
    bench: Bench,
    about: Annotated[ShortText, Field(description="what the member needs, in their own words")],
    order_id: Annotated[OrderId | None, Field(description="the order it is about, if one was named")] = None,
) -> TicketOpened:
    """Call a colleague into this chat: when the member asks for a person, or a rule needs one."""
    return _opened(bench, "asked", about, order_id)


@tool(Role.MEMBER, at_once=True)
def file_complaint(
    bench: Bench,
    about: Annotated[ShortText, Field(description="what went wrong, in the member's own words")],
    order_id: Annotated[OrderId | None, Field(description="the order it is about, if one was named")] = None,
) -> TicketOpened:
    """Register a complaint under a number and hand it to a colleague."""
    return _opened(bench, "complaint", about, order_id)


def _opened(bench: Bench, cause: str, about: str, order_id: str | None) -> TicketOpened:
    order = _order_meant(bench, order_id)
    facts, next_step = gathered(bench, order, about)
    return opened(bench, cause, about, order, facts, next_step)


def opened(bench: Bench, cause: str, about: str, order: Order | None, facts: dict[str, Any], next_step: str) -> TicketOpened:
    """Open the ticket and say what its member may expect."""
    session = bench.session
    own = tickets.of_conversation(session, bench.conversation_id) if bench.conversation_id else None
    # Nobody waits behind their own ticket.
    before = tickets.waiting(session) - (own is not None and own.status == "open")
    ticket = tickets.open_one(
        session,
        bench.me,
        cause=cause,
        subject=about[:120],
        summary=about,
        now=bench.now,
        rules=bench.rules,
        conversation_id=bench.conversation_id or None,
        order_id=order.id if order else None,
        facts=facts,
        next_step=next_step,
    )
    member = people.get(session, bench.me)
    quick = bench.rules.tier(member.tier).priority_service
    return TicketOpened(
        ticket_id=ticket.id,
        cause=ticket.cause,
        priority=ticket.priority,
        answer_by=tickets.answer_by(ticket, member.tier, bench.rules),
        within_hours=2 if quick else None,
        waiting_before=before,
        order_id=ticket.order_id,
    )


def _order_meant(bench: Bench, order_id: str | None) -> Order | None:
    try:
        return orders.get(bench.session, bench.me, order_id) if order_id else None
    except NotFound:
        # A cry for help is heard, whatever number it named.
        return None


def gathered(bench: Bench, order: Order | None, about: str) -> tuple[dict[str, Any], str]:
    """What a colleague would look up first, and what they would do next."""
    found, _ = orders.find(bench.session, bench.me, limit=3)
    order = order or next((o for o in found if o.status in ("pending", "processed", "shipped")), None)
    member = people.get(bench.session, bench.me)
    facts: dict[str, Any] = {"tier": member.tier, "points": member.points, "language": member.language}
    if order is None:
        return facts, "ask_what_is_needed"
    late = (bench.today - order.promised_on).days if order.promised_on and order.delivered_on is None else 0
    facts |= {"order_id": order.id, "order_state": order.status, "order_total": money(order.total_cents), "days_late": max(0, late)}
    if order.status in ("return_requested", "exchange_requested"):
        return facts, "check_return"
    if late > 0:
        return facts, "chase_courier"
    return facts, {"pending": "check_order", "processed": "check_order", "shipped": "chase_courier", "delivered": "offer_return"}.get(
        order.status, "ask_what_is_needed"
    )


# --- the desk ---------------------------------------------------------------------------


class TicketBrief(Record):
    """A ticket in the inbox."""

    ticket_id: str
    member_id: str
    name: str
    tier: str
    cause: str
    subject: str
    priority: int
    status: str
    assignee: str
    opened_at: datetime
    waited_hours: float
    order_id: str | None
    next_step: str
    has_chat: bool


class Inbox(Record):
    """What waits for a person, the most pressing first."""

    as_of: date
    waiting: int
    taken: int
    tickets: list[TicketBrief]


@tool(Role.SUPPORT)
def inbox(bench: Bench, limit: Annotated[int, Field(ge=1, le=20)] = 8) -> Inbox:
    """Tickets and chats that wait for a person, the most pressing first."""
    found = tickets.inbox(bench.session, limit=200)
    return Inbox(
        as_of=bench.today,
        waiting=sum(t.status == "open" for t in found),
        taken=sum(t.status == "taken" for t in found),
        tickets=[brief(bench, ticket) for ticket in found[:limit]],
    )


def brief(bench: Bench, ticket: Ticket) -> TicketBrief:
    """A ticket as lists show it."""
    member = people.get(bench.session, ticket.member_id)
    return TicketBrief(
        ticket_id=ticket.id,
        member_id=member.id,
        name=member.name,
        tier=member.tier,
        cause=ticket.cause,
        subject=(ticket.body or ticket.subject)[:160],
        priority=ticket.priority,
        status=ticket.status,
        assignee=ticket.assignee_name,
        opened_at=ticket.opened_at,
        waited_hours=round(max(0.0, (bench.now - ticket.opened_at).total_seconds() / 3600), 1),
        order_id=ticket.order_id,
        next_step=ticket.next_step,
        has_chat=ticket.conversation_id is not None,
    )


class CauseCount(Record):
    """One cause with how often it came up, now and in the span before, and an example."""

    cause: str
    count: int
    before: int
    example: str
    ticket_id: str


class DayCount(Record):
    """Tickets of one cause on one day."""

    on: date
    cause: str
    count: int


class TicketDigest(Record):
    """What people contacted the shop about in a span of days."""

    since: date
    until: date
    days: int
    opened: int
    closed: int
    waiting: int
    hours_to_close: float | None
    causes: list[CauseCount]
    by_day: list[DayCount]


@tool(Role.SUPPORT)
def ticket_digest(bench: Bench, days: Annotated[int, Field(ge=1, le=92, description="how many days, today included")] = 7) -> TicketDigest:
    """What people contacted the shop about: causes with counts and examples, and the trend by day."""
    found = tickets.digest(bench.session, until=bench.today, days=days)
    return TicketDigest(
        since=found.since,
        until=found.until,
        days=days,
        opened=found.opened,
        closed=found.closed,
        waiting=found.waiting,
        hours_to_close=found.hours_to_close,
        causes=[CauseCount(cause=c.cause, count=c.count, before=c.before, example=c.example, ticket_id=c.ticket_id) for c in found.causes[:6]],
        by_day=[DayCount(on=day, cause=cause, count=count) for day, cause, count in found.by_day],
    )
