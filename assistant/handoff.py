"""When does a person take over, and what do they find?

Reads from a turn whether somebody is angry or got nowhere three times, opens
the ticket, and gathers for it what was said and tried. While a colleague holds
a conversation, their words are written into it and no model answers.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from langchain_core.messages import AnyMessage
from sqlmodel import Session

from assistant import memory
from members import tickets
from members.access import Caller, Role
from members.errors import BadInput, NotAllowed
from members.tables import Message, Ticket
from tools.bench import Bench
from tools.gateway import clean
from tools.tickets import TicketBrief, TicketOpened, brief, gathered, opened

# So many turns in a row without an answer, and a person is called.
LOST_TURNS = 3
LONGEST_REPLY = 4_000
_ANGRY = re.compile(
    r"\b(?:furious|disgust(?:ed|ing)|outrage(?:d|ous)?|appalling|pathetic|scam(?:mers)?|rip[- ]?off|thie(?:f|ves)|fraud|useless (?:bot|robot|company|lot)|"
    r"worst (?:shop|service|company|customer)|(?:fed|sick) up with|sick of (?:this|you|waiting)|absolute(?:ly)? (?:joke|ridiculous|shambles)|bloody|fuck\w*|ffs|wtf|shit|bullshit|"
    r"(?:see|call(?:ing)?|get) (?:a |my )?(?:lawyer|solicitor)|sue you|trading standards|never (?:buy|order|shop)\w* (?:here |from you )?again)\b"
    r"|垃圾|骗子|坑人|坑爹|气死|气炸|火大|太过分|太离谱|什么玩意|欺骗|忽悠|黑店|无良|要?起诉|12315|工商局|消协|曝光你们|受够了|忍无可忍|再也不(?:买|来)|(?:^|[真太都是你]|[，。,！!\s])他?妈的|操你|滚(?:蛋|开|吧|远|[！!。，,]|$)",
    re.IGNORECASE,
)


def is_angry(text: str) -> bool:
    """Whether somebody is angry at the shop: strong words, or shouting with several marks."""
    shouted = len(text) > 12 and sum(c.isupper() for c in text) > 0.7 * sum(c.isalpha() and c.isascii() for c in text) > 8 and "!" in text
    return _ANGRY.search(text) is not None or shouted or re.search(r"[!！]{3,}", text) is not None


def is_lost(fresh: Sequence[AnyMessage], note: dict[str, Any]) -> bool:
    """Whether a turn gave no answer: the model asked for other words, or every tool it called failed."""
    if note.get("lost"):
        return True
    results = [_result(str(m.content)) for m in fresh if m.type == "tool"]
    return bool(results) and all(r.get("outcome") == "failed" or r.get("code") == "bad_input" for r in results)


def open_for(bench: Bench, cause: str, text: str) -> TicketOpened:
    """Open, or raise, this conversation's ticket by code rather than on request."""
    facts, next_step = gathered(bench, None, text)
    return opened(bench, cause, text, None, facts, next_step)


def enrich(session: Session, ticket_id: str, thread_id: str, newest: str) -> None:
    """Write into a ticket what was said and what the tools found, so that nobody has to ask again."""
    ticket = tickets.get(session, ticket_id)
    rows = memory.stored(session, thread_id, limit=40)
    said = [row.content for row in rows if row.kind == "human"][-4:] + [newest]
    tried = [told for row in rows if row.kind == "tool" and (told := _refused(row.content))][-5:]
    ticket.facts = {**ticket.facts, "said": [line[:300] for line in said], "tried": tried}
    session.add(ticket)


def _refused(content: str) -> str:
    """Why a tool did nothing, if it did nothing; what it found stands in the chat already."""
    result = _result(content)
    return str(result.get("fact", ""))[:160] if result.get("outcome") in ("refused", "failed") else ""


def _result(content: str) -> dict[str, Any]:
    """A tool's result; empty when it was too long to be kept whole."""
    try:
        return dict(json.loads(content))
    except ValueError:
        return {}


# --- the desk's side --------------------------------------------------------------------


@dataclass(frozen=True)
class Opened:
    """A ticket as a colleague opens it: the brief, the facts, and the chat so far."""

    brief: TicketBrief
    body: str
    facts: dict[str, Any]
    chat: list[dict[str, str]]
    answer_by: datetime


def must_be_support(caller: Caller) -> None:
    """Raise NotAllowed for everybody but support and admin."""
    if caller.role not in (Role.SUPPORT, Role.ADMIN):
        raise NotAllowed("This is for support staff.")


def look(bench: Bench, ticket: Ticket) -> Opened:
    """Everything about a ticket for whoever may take it."""
    rows = memory.stored(bench.session, ticket.conversation_id, limit=60) if ticket.conversation_id else []
    tier = brief(bench, ticket).tier
    return Opened(brief(bench, ticket), ticket.body, ticket.facts, chat_of(rows), tickets.answer_by(ticket, tier, bench.rules))


def chat_of(rows: Sequence[Message]) -> list[dict[str, str]]:
    """What people read of a thread: who spoke (`member`, `patron`, or a colleague's name) and what was said."""
    told = [row for row in rows if row.kind in ("human", "staff") or (row.kind == "ai" and row.content)]
    who = {"human": "member", "ai": "patron"}
    return [
        {
            "from": who.get(row.kind, str(row.extras.get("by", "staff"))),
            "kind": row.kind,
            "text": row.content,
            "at": row.created_at.isoformat(),
            "position": str(row.position),
        }
        for row in told
    ]


def reply(session: Session, ticket_id: str, caller: Caller, text: str, *, now: datetime) -> None:
    """Say something in the member's chat as the colleague who took the ticket. Raises RuleBroken or BadInput."""
    text = clean(text).strip()
    if not text or len(text) > LONGEST_REPLY:
        raise BadInput(f"A reply has between 1 and {LONGEST_REPLY:,} characters.")
    ticket = tickets.mine(session, ticket_id, caller)
    if not ticket.conversation_id:
        raise BadInput(f"Ticket {ticket.id} did not come from a chat; please use the member's contacts.")
    memory.append_staff(session, ticket.conversation_id, text, by=caller.name, now=now)
