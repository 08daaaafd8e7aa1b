"""What was said before?

Threads live in the record's own tables: bounded when read, whole turns when
written, each owned by one account. A killed process loses at most the turn it
was in, and the next one goes on from here.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

import tiktoken
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from sqlmodel import Session, col, delete, func, select, update

from assistant.embedded.turn import NOTE
from members.access import Caller
from members.errors import NotFound
from members.tables import Conversation, Message
from retrieval.words import has_han

# Turns a model is shown, newest last; older ones stay in the record.
TURNS = 12
_ENCODING = "o200k_base"


def open_thread(session: Session, caller: Caller, thread_id: str | None) -> Conversation:
    """The caller's thread of that id, or a new one. Raises NotFound for anybody else's."""
    if thread_id is None:
        thread = Conversation(account_id=caller.account_id, member_id=caller.member_id)
        session.add(thread)
        session.flush()
        return thread
    query = select(Conversation).where(Conversation.id == thread_id, Conversation.account_id == caller.account_id)
    found = session.exec(query).first()
    if found is None:
        raise NotFound("There is no such conversation.")
    return found


def threads(session: Session, caller: Caller, *, limit: int = 20) -> Sequence[Conversation]:
    """The caller's threads, the newest first."""
    query = select(Conversation).where(Conversation.account_id == caller.account_id)
    return session.exec(query.order_by(col(Conversation.updated_at).desc()).limit(limit)).all()


def stored(session: Session, thread_id: str, *, limit: int = 200) -> list[Message]:
    """A thread's newest messages, in order."""
    query = select(Message).where(Message.conversation_id == thread_id).order_by(col(Message.position).desc()).limit(limit)
    return list(reversed(session.exec(query).all()))


def spoken_since(session: Session, thread_id: str, instant: datetime) -> int:
    """How many messages the person wrote in a thread after an instant."""
    mine = (Message.conversation_id == thread_id, Message.kind == "human", col(Message.created_at) >= instant)
    return session.exec(select(func.count()).select_from(Message).where(*mine)).one()


def append(session: Session, thread: Conversation, messages: Sequence[AnyMessage], *, now: datetime, extras: dict[str, Any] | None = None) -> None:
    """Write messages at the end of a thread; the last one carries `extras`."""
    last = session.exec(select(func.max(Message.position)).where(Message.conversation_id == thread.id)).one() or 0
    for place, message in enumerate(messages, start=1):
        final = extras if extras and place == len(messages) else {}
        session.add(_row(thread.id, last + place, message, final, now))
    first = next((str(m.content) for m in messages if isinstance(m, HumanMessage)), "")
    title = thread.title or first[:60]
    session.exec(update(Conversation).where(col(Conversation.id) == thread.id).values(updated_at=now, title=title))


def append_staff(session: Session, thread_id: str, text: str, *, by: str, now: datetime) -> None:
    """Write a colleague's words at the end of a thread."""
    last = session.exec(select(func.max(Message.position)).where(Message.conversation_id == thread_id)).one() or 0
    session.add(Message(conversation_id=thread_id, position=last + 1, kind="staff", content=text, extras={"by": by}, created_at=now))
    session.exec(update(Conversation).where(col(Conversation.id) == thread_id).values(updated_at=now))


def lost_in_a_row(session: Session, thread_id: str, *, limit: int = 5) -> int:
    """How many of the newest answers in a thread answered nothing."""
    spoken = select(Message).where(Message.conversation_id == thread_id, col(Message.kind).in_(("ai", "staff")), Message.content != "")
    rows = session.exec(spoken.order_by(col(Message.position).desc()).limit(limit)).all()
    return next((n for n, row in enumerate(rows) if not row.extras.get("lost")), len(rows))


def history(session: Session, thread_id: str, *, budget: int) -> list[AnyMessage]:
    """The thread as a model is shown it: whole turns, the newest that fit the budget."""
    messages = [_message(row) for row in stored(session, thread_id)]
    turns: list[list[AnyMessage]] = []
    for message in messages:
        if isinstance(message, HumanMessage) or not turns:
            turns.append([])
        turns[-1].append(message)
    kept: list[list[AnyMessage]] = []
    spent = 0
    for turn in reversed(turns[-TURNS:]):
        spent += sum(tokens(f"{m.content}{getattr(m, 'tool_calls', '') or ''}") for m in turn)
        if kept and spent > budget:
            break
        kept.append(turn)
    return [message for turn in reversed(kept) for message in _whole(turn)]


def forget(session: Session, account_id: str) -> int:
    """Erase every thread of an account; returns how many."""
    ids = list(session.exec(select(Conversation.id).where(Conversation.account_id == account_id)))
    session.exec(delete(Message).where(col(Message.conversation_id).in_(ids)))
    session.exec(delete(Conversation).where(col(Conversation.id).in_(ids)))
    return len(ids)


def tokens(text: str) -> int:
    """Tokens of a text: counted when the encoding is on this machine, else estimated from above.

    The estimate takes four Latin characters or one Chinese character a token.
    """
    encoding = _encoding()
    if encoding is not None:
        return len(encoding.encode(text, disallowed_special=()))
    han = len(re.findall(r"[\u3400-\u9fff]", text)) if has_han(text) else 0
    return han + -(-(len(text) - han) // 4)


@cache
def _encoding() -> tiktoken.Encoding | None:
    """tiktoken fetches its tables at first use: offline there are none, and a chat must not stop for that."""
    try:
        return tiktoken.get_encoding(_ENCODING)
    except Exception:
        return None


def _row(thread_id: str, position: int, message: AnyMessage, extras: dict[str, Any], now: datetime) -> Message:
    head: dict[str, Any] = {"conversation_id": thread_id, "position": position, "created_at": now, "extras": extras}
    if isinstance(message, ToolMessage):
        return Message(kind="tool", content=str(message.content), call_id=message.tool_call_id, tool=message.name or "", **head)
    if isinstance(message, AIMessage):
        note = message.additional_kwargs.get(NOTE, {})
        calls = [{"name": c["name"], "args": c["args"], "id": c["id"], "type": "tool_call"} for c in message.tool_calls]
        return Message(kind="ai", content=str(message.content), calls=calls, **{**head, "extras": {**extras, **({NOTE: note} if note else {})}})
    return Message(kind="human", content=str(message.content), **head)


def _message(row: Message) -> AnyMessage:
    if row.kind == "tool":
        return ToolMessage(content=row.content, tool_call_id=row.call_id, name=row.tool)
    if row.kind == "staff":
        return AIMessage(content=f"({row.extras.get('by', 'colleague')}) {row.content}")
    if row.kind == "ai":
        note = row.extras.get(NOTE, {})
        return AIMessage(content=row.content, tool_calls=row.calls, additional_kwargs={NOTE: note} if note else {})
    return HumanMessage(content=row.content)


def _whole(turn: list[AnyMessage]) -> list[AnyMessage]:
    """A turn without calls that never got their result: an endpoint would refuse them."""
    answered = {m.tool_call_id for m in turn if isinstance(m, ToolMessage)}
    return [m for m in turn if not (isinstance(m, AIMessage) and m.tool_calls and any(c["id"] not in answered for c in m.tool_calls))]
