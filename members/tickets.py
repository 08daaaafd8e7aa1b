"""Which matters need a person, and who has them in hand?

Tickets are opened by the assistant or by code, taken by one colleague, answered
in the member's own chat, and closed with a reason. One open ticket a
conversation: a second cry for help raises the first one's priority.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Integer, cast
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, func, or_, select, update

from members.access import Caller
from members.errors import NotFound, RuleBroken
from members.program import Program
from members.tables import Conversation, Member, Ticket

CLOSINGS = ("solved", "refused", "duplicate", "no_answer")
OPEN = ("open", "taken")


def open_one(
    session: Session,
    member_id: str,
    *,
    cause: str,
    subject: str,
    summary: str,
    now: datetime,
    rules: Program,
    conversation_id: str | None = None,
    order_id: str | None = None,
    facts: dict[str, Any] | None = None,
    next_step: str = "",
) -> Ticket:
    """Open a ticket, or add to the one this conversation already has."""
    member = session.get_one(Member, member_id)
    priority = priority_of(cause, member.tier, rules)
    if conversation_id:
        # Two cries at once queue here: the second finds the first one's ticket.
        session.exec(select(Conversation.id).where(Conversation.id == conversation_id).with_for_update())
    found = of_conversation(session, conversation_id) if conversation_id else None
    if found is not None:
        found.priority = min(found.priority, priority)
        found.body = "\n".join(part for part in dict.fromkeys((found.body, summary)) if part)
        found.facts = {**found.facts, **(facts or {})}
        found.order_id = found.order_id or order_id
        session.add(found)
        session.flush()
        return found
    ticket = Ticket(id="", member_id=member_id, subject=subject[:200], body=summary, cause=cause, priority=priority, opened_at=now)
    ticket.conversation_id, ticket.order_id, ticket.facts, ticket.next_step = conversation_id, order_id, facts or {}, next_step
    return _numbered(session, ticket)


def priority_of(cause: str, tier: str, rules: Program) -> int:
    """1 is looked at first: anger and tiers with priority service move a ticket up."""
    priority = 3 - (cause in ("anger", "complaint", "damaged")) - rules.tier(tier).priority_service
    return max(1, priority + (cause == "advice"))


def answer_by(ticket: Ticket, tier: str, rules: Program) -> datetime:
    """When the first answer is promised: two hours for tiers with priority, else the next working day."""
    if rules.tier(tier).priority_service:
        return ticket.opened_at + timedelta(hours=2)
    due = ticket.opened_at + timedelta(days=1)
    while due.weekday() >= 5:
        due += timedelta(days=1)
    return due


def inbox(session: Session, *, limit: int = 50) -> list[Ticket]:
    """Tickets not closed, the most pressing and then the oldest first."""
    query = select(Ticket).where(col(Ticket.status).in_(OPEN)).order_by(col(Ticket.priority), col(Ticket.opened_at), Ticket.id)
    return list(session.exec(query.limit(limit)))


def waiting(session: Session) -> int:
    """How many tickets nobody has taken."""
    return session.exec(select(func.count()).select_from(Ticket).where(Ticket.status == "open")).one()


def get(session: Session, ticket_id: str) -> Ticket:
    """One ticket. Raises NotFound."""
    wanted = ticket_id.strip().upper()
    found = session.exec(select(Ticket).where(or_(Ticket.id == ticket_id.strip(), Ticket.id == wanted))).first()
    if found is None:
        raise NotFound(f"There is no ticket {ticket_id.strip()[:20]}.", instead="inbox")
    return found


def of_conversation(session: Session, conversation_id: str) -> Ticket | None:
    """The open ticket of a conversation."""
    query = select(Ticket).where(Ticket.conversation_id == conversation_id, col(Ticket.status).in_(OPEN))
    return session.exec(query.order_by(col(Ticket.opened_at).desc())).first()


def take(session: Session, ticket_id: str, caller: Caller, *, now: datetime) -> Ticket:
    """Make a ticket the caller's and let them speak in its chat. Raises RuleBroken when a colleague has it."""
    ticket = get(session, ticket_id)
    free = or_(col(Ticket.status) == "open", col(Ticket.assignee) == caller.account_id)
    taken = update(Ticket).where(col(Ticket.id) == ticket.id, col(Ticket.status).in_(OPEN), free)
    values = {"status": "taken", "assignee": caller.account_id, "assignee_name": caller.name, "taken_at": now}
    if session.exec(taken.values(**values)).rowcount != 1:
        session.refresh(ticket)
        by = f"{ticket.assignee_name or 'a colleague'} has it" if ticket.status == "taken" else "it is closed"
        raise RuleBroken(f"Ticket {ticket.id} cannot be taken: {by}.", rule="ticket_taken")
    if ticket.conversation_id:
        session.exec(update(Conversation).where(col(Conversation.id) == ticket.conversation_id).values(held_by=caller.account_id, held_name=caller.name))
    session.refresh(ticket)
    return ticket


def mine(session: Session, ticket_id: str, caller: Caller) -> Ticket:
    """A ticket the caller has taken. Raises RuleBroken for any other."""
    ticket = get(session, ticket_id)
    if ticket.status != "taken" or ticket.assignee != caller.account_id:
        raise RuleBroken(f"Take ticket {ticket.id} first.", rule="ticket_not_mine")
    return ticket


def give_back(session: Session, ticket_id: str, caller: Caller) -> Ticket:
    """Let the assistant speak again; the ticket waits for somebody to take it."""
    ticket = mine(session, ticket_id, caller)
    _release(session, ticket)
    ticket.status, ticket.assignee, ticket.assignee_name = "open", None, ""
    session.add(ticket)
    return ticket


def close(session: Session, ticket_id: str, caller: Caller, because: str, *, now: datetime) -> Ticket:
    """Close a ticket with a reason; the assistant speaks again in its chat."""
    ticket = get(session, ticket_id)
    if ticket.status not in OPEN:
        raise RuleBroken(f"Ticket {ticket.id} is closed already.", rule="ticket_closed")
    if ticket.assignee not in (None, caller.account_id):
        raise RuleBroken(f"Ticket {ticket.id} cannot be closed: {ticket.assignee_name or 'a colleague'} has it.", rule="ticket_taken")
    free = or_(col(Ticket.assignee).is_(None), col(Ticket.assignee) == caller.account_id)
    closed = update(Ticket).where(col(Ticket.id) == ticket.id, col(Ticket.status).in_(OPEN), free)
    values = {"status": "closed", "closed_at": now, "closed_because": because[:200], "assignee": caller.account_id, "assignee_name": caller.name}
    # Somebody may take it at this moment: they would be left holding a chat without a ticket.
    if session.exec(closed.values(**values)).rowcount != 1:
        raise RuleBroken(f"Ticket {ticket.id} cannot be closed: a colleague has just taken it.", rule="ticket_taken")
    _release(session, ticket)
    session.refresh(ticket)
    return ticket


@dataclass(frozen=True)
class Cause:
    """How often one cause came up in a period, beside the period before, with an example."""

    cause: str
    count: int
    before: int
    example: str
    ticket_id: str


@dataclass(frozen=True)
class Digest:
    """What people contacted the shop about: causes, and how many tickets each day brought."""

    since: date
    until: date
    opened: int
    closed: int
    waiting: int
    hours_to_close: float | None
    causes: list[Cause] = field(default_factory=list)
    by_day: list[tuple[date, str, int]] = field(default_factory=list)


def digest(session: Session, *, until: date, days: int = 7) -> Digest:
    """The `days` days that end on `until`, that day included, beside the same span before."""
    since = until - timedelta(days=days - 1)
    now, before = _opened(session, since, until), _opened(session, since - timedelta(days=days), since - timedelta(days=1))
    earlier = Counter(ticket.cause for ticket in before)
    causes = Counter(ticket.cause for ticket in now)
    newest = {ticket.cause: ticket for ticket in now}
    by_day = Counter((ticket.opened_at.date(), ticket.cause) for ticket in now)
    took = [(t.closed_at - t.opened_at).total_seconds() / 3600 for t in now if t.closed_at]
    return Digest(
        since=since,
        until=until,
        opened=len(now),
        closed=len(took),
        waiting=waiting(session),
        hours_to_close=round(sorted(took)[len(took) // 2], 1) if took else None,
        causes=[Cause(cause, count, earlier[cause], newest[cause].body[:200], newest[cause].id) for cause, count in causes.most_common()],
        by_day=[(day, cause, count) for (day, cause), count in sorted(by_day.items())],
    )


# --- inside -----------------------------------------------------------------------------


def _opened(session: Session, since: date, until: date) -> Sequence[Ticket]:
    start, end = datetime.combine(since, time.min), datetime.combine(until + timedelta(days=1), time.min)
    return session.exec(select(Ticket).where(Ticket.opened_at >= start, Ticket.opened_at < end).order_by(col(Ticket.opened_at))).all()


def _release(session: Session, ticket: Ticket) -> None:
    if ticket.conversation_id:
        session.exec(update(Conversation).where(col(Conversation.id) == ticket.conversation_id).values(held_by=None, held_name=""))


def _numbered(session: Session, ticket: Ticket) -> Ticket:
    """Write a ticket under the next number: T-1, T-2, …; people read these aloud, so they are short."""
    number = func.max(cast(func.substr(Ticket.id, 3), Integer))
    for _ in range(50):
        ticket.id = f"T-{(session.exec(select(number).where(col(Ticket.id).like('T-%'))).one() or 100) + 1}"
        try:
            with session.begin_nested():
                session.add(ticket)
            return ticket
        except IntegrityError:
            # Somebody took the number meanwhile.
            continue
    raise RuleBroken("Too many tickets at once; please try again.")
