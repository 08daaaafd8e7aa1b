"""Has the caller said yes to exactly this?

A write is frozen here with a digest of its arguments, its caller and its
thread. Claiming it is one conditional update inside the transaction of the
effect, so that it is used once or not at all.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select, update

from members.access import Caller
from members.errors import NotFound, RuleBroken
from members.tables import Approval

LIFETIME = timedelta(minutes=5)
# A colleague is not always at the desk.
SECOND_LIFETIME = timedelta(days=7)


def digest(tool: str, arguments: dict[str, Any], account_id: str, conversation_id: str) -> str:
    """What the yes is bound to."""
    frozen = json.dumps([tool, arguments, account_id, conversation_id], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(frozen.encode("utf-8", "backslashreplace")).hexdigest()


def freeze(
    session: Session,
    caller: Caller,
    conversation_id: str,
    tool: str,
    arguments: dict[str, Any],
    card: dict[str, Any],
    *,
    now: datetime,
    member_id: str | None = None,
) -> Approval:
    """Store a write that waits for its caller; an equal one still open is handed back."""
    bound = digest(tool, arguments, caller.account_id, conversation_id)
    for waiting in open_in(session, caller, conversation_id, now=now):
        if waiting.digest == bound:
            # Shown anew, it counts from now, and with what was shown now.
            waiting.created_at, waiting.expires_at, waiting.card = now, now + LIFETIME, card
            session.add(waiting)
            return waiting
    approval = Approval(
        account_id=caller.account_id,
        member_id=member_id or caller.member_id,
        conversation_id=conversation_id,
        tool=tool,
        arguments=arguments,
        digest=bound,
        card=card,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    session.add(approval)
    session.flush()
    return approval


def open_in(session: Session, caller: Caller, conversation_id: str, *, now: datetime) -> Sequence[Approval]:
    """What waits for this caller in this thread, oldest first."""
    mine = (Approval.account_id == caller.account_id, Approval.conversation_id == conversation_id)
    query = select(Approval).where(*mine, Approval.status == "open", col(Approval.expires_at) > now)
    return session.exec(query.order_by(col(Approval.created_at))).all()


def get(session: Session, caller: Caller, approval_id: str) -> Approval:
    """The caller's own approval. Raises NotFound for anybody else's."""
    query = select(Approval).where(Approval.id == approval_id, Approval.account_id == caller.account_id)
    approval = session.exec(query).first()
    if approval is None:
        raise NotFound("There is nothing waiting for a yes under this id.")
    return approval


def claim(session: Session, caller: Caller, approval_id: str, *, now: datetime) -> Approval:
    """Use an approval up, in the transaction of its effect.

    Raises RuleBroken when it was used, declined or has expired, or when its
    arguments are not the ones that were shown.
    """
    approval = get(session, caller, approval_id)
    if digest(approval.tool, approval.arguments, caller.account_id, approval.conversation_id) != approval.digest:
        raise RuleBroken("What waits here is not what was shown.")
    mine = (col(Approval.id) == approval_id, col(Approval.status) == "open", col(Approval.expires_at) > now)
    if session.exec(update(Approval).where(*mine).values(status="used", decided_at=now)).rowcount != 1:
        session.refresh(approval)
        raise RuleBroken("This was confirmed or declined before." if approval.status != "open" else "The five minutes to confirm are over; please ask again.")
    return approval


def close(session: Session, caller: Caller, approval_id: str, status: str, *, now: datetime) -> bool:
    """Decline or retire an open approval; False when it was not open any more."""
    mine = (col(Approval.id) == approval_id, col(Approval.account_id) == caller.account_id, col(Approval.status) == "open")
    return session.exec(update(Approval).where(*mine).values(status=status, decided_at=now)).rowcount == 1


# --- a second person --------------------------------------------------------------------


def hand_on(session: Session, approval: Approval, *, now: datetime) -> None:
    """Let another person decide what its proposer has said yes to."""
    approval.status, approval.decided_at, approval.expires_at = "second", now, now + SECOND_LIFETIME
    session.add(approval)


def for_second(session: Session, caller: Caller, *, now: datetime) -> Sequence[Approval]:
    """What waits for a second person that the caller may be: never what they proposed themselves."""
    waiting = (Approval.status == "second", Approval.account_id != caller.account_id, Approval.expires_at > now)
    return session.exec(select(Approval).where(*waiting).order_by(col(Approval.created_at))).all()


def claim_second(session: Session, caller: Caller, approval_id: str, status: str, *, now: datetime) -> Approval:
    """Take an approval as its second person, to carry it out (`used`) or not (`declined`).

    Raises NotFound for what the caller proposed, for what somebody decided and for what is over,
    and RuleBroken when its arguments are not the ones its proposer said yes to.
    """
    free = (col(Approval.id) == approval_id, col(Approval.status) == "second", col(Approval.account_id) != caller.account_id, col(Approval.expires_at) > now)
    taken = update(Approval).where(*free).values(status=status, decided_at=now, second_by=caller.account_id)
    if session.exec(taken).rowcount != 1:
        raise NotFound("Nothing waits for you under this id: it was decided, is over, or was proposed by yourself.")
    approval = session.get_one(Approval, approval_id, populate_existing=True)
    if digest(approval.tool, approval.arguments, approval.account_id, approval.conversation_id) != approval.digest:
        raise RuleBroken("What waits here is not what was shown.")
    return approval
