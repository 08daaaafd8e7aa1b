"""What do colleagues do with tickets, and with what a second person must decide?

The one room behind the staff pages and the API. Every act takes the caller; tickets are
support's alone, and a second person must be one whose tool it is.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import Session

from assistant import handoff, memory
from assistant.handoff import Opened
from members import approvals, people, privacy, tickets
from members.access import Caller, Role
from members.database import Database
from members.errors import NotAllowed
from members.tables import Message
from tools.bench import Bench, Means
from tools.gateway import REGISTRY, Gateway, Outcome
from tools.tickets import TicketBrief, brief


@dataclass(frozen=True)
class Second:
    """A write that a colleague proposed and another must agree to."""

    approval_id: str
    tool: str
    by: str
    facts: dict[str, Any]
    expires_at: datetime


class Inbox:
    """Tickets of one shop, for one caller's face."""

    def __init__(self, database: Database, means: Callable[[], Means], gateway: Callable[[Caller, str], Gateway], now: Callable[[], datetime]) -> None:
        """Work on this record; means, gateways and the clock are the desk's."""
        self.database, self.means, self.gateway, self.now = database, means, gateway, now

    def waiting(self, caller: Caller) -> list[TicketBrief]:
        """Tickets not closed, the most pressing first."""
        handoff.must_be_support(caller)
        with self.database.read() as session:
            return [brief(self._bench(session, caller), ticket) for ticket in tickets.inbox(session)]

    def open(self, caller: Caller, ticket_id: str) -> Opened:
        """One ticket with its facts and its chat. Raises NotFound."""
        handoff.must_be_support(caller)
        with self.database.read() as session:
            return handoff.look(self._bench(session, caller), tickets.get(session, ticket_id))

    def take(self, caller: Caller, ticket_id: str) -> Opened:
        """Take a ticket; from now on the caller speaks in its chat. Raises RuleBroken when a colleague has it."""
        handoff.must_be_support(caller)
        with self.database.write() as session:
            tickets.take(session, ticket_id, caller, now=self.now())
        return self.open(caller, ticket_id)

    def reply(self, caller: Caller, ticket_id: str, text: str) -> Opened:
        """Say something to the member. Raises RuleBroken unless the caller has the ticket."""
        handoff.must_be_support(caller)
        with self.database.write() as session:
            handoff.reply(session, ticket_id, caller, text, now=self.now())
        return self.open(caller, ticket_id)

    def give_back(self, caller: Caller, ticket_id: str) -> Opened:
        """Let the assistant speak again; the ticket waits for somebody."""
        handoff.must_be_support(caller)
        with self.database.write() as session:
            tickets.give_back(session, ticket_id, caller)
        return self.open(caller, ticket_id)

    def close(self, caller: Caller, ticket_id: str, because: str) -> None:
        """Close a ticket with a reason; the assistant speaks again."""
        handoff.must_be_support(caller)
        with self.database.write() as session:
            tickets.close(session, ticket_id, caller, because.strip() or "solved", now=self.now())

    def digest(self, caller: Caller, days: int = 7) -> dict[str, Any]:
        """Causes and trend of the last days."""
        handoff.must_be_support(caller)
        with self.database.read() as session:
            return asdict(tickets.digest(session, until=self.means().today, days=days))

    def since(self, caller: Caller, thread_id: str, position: int) -> tuple[list[Message], str]:
        """What was said in the caller's own thread after a position, and which colleague has it, if one has."""
        with self.database.read() as session:
            thread = memory.open_thread(session, caller, thread_id)
            fresh = [m for m in memory.stored(session, thread_id, limit=50) if m.position > position]
            return fresh, thread.held_name if thread.held_by else ""

    def unfinished(self, caller: Caller) -> str | None:
        """The caller's newest conversation that a colleague has, is to have, or had the last word in."""
        with self.database.read() as session:
            return next((thread.id for thread in memory.threads(session, caller) if self._goes_on(session, thread.id)), None)

    def _goes_on(self, session: Session, thread_id: str) -> bool:
        last = memory.stored(session, thread_id, limit=1)
        return tickets.of_conversation(session, thread_id) is not None or (bool(last) and last[0].kind == "staff")

    # --- a second person ----------------------------------------------------------------

    def seconds(self, caller: Caller) -> list[Second]:
        """What waits for a second person that the caller may be: of tools that are theirs. Raises NotAllowed for members."""
        if caller.role is Role.MEMBER:
            raise NotAllowed("This is for the shop's staff.")
        with self.database.read() as session:
            found = [a for a in approvals.for_second(session, caller, now=self.now()) if caller.role in (*REGISTRY[a.tool].roles, Role.ADMIN)]
            return [Second(a.id, a.tool, people.account_name(session, a.account_id), a.card["facts"], a.expires_at) for a in found]

    def decide_second(self, caller: Caller, approval_id: str, *, yes: bool) -> Outcome:
        """Agree to, or turn down, what a colleague proposed. Raises NotFound for one's own."""
        if caller.role is Role.MEMBER:
            raise NotAllowed("This is for the shop's staff.")
        return self.gateway(caller, "").carry_out_second(approval_id, yes=yes)

    # --- data ---------------------------------------------------------------------------

    def export(self, caller: Caller) -> dict[str, Any]:
        """Everything held about the caller, for the file they download. Raises NotAllowed for staff."""
        with self.database.read() as session:
            return privacy.export(session, caller.own_member_id())

    def erase_due(self, on: date) -> list[str]:
        """Erase members whose cooling-off time is over."""
        with self.database.effect() as session:
            return privacy.erase_due(session, on=on)

    def _bench(self, session: Session, caller: Caller) -> Bench:
        return Bench(session, caller, self.means(), now=self.now())
