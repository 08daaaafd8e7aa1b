"""What would be proposed for a file of messages, or of dialogues?

Reads JSON lines and writes JSON lines; nothing is run. A line that cannot be
read is reported by its number and leaves the others alone.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage

from assistant.embedded.model import EmbeddedModel
from assistant.embedded.propose import Proposal, propose
from eval.routing import DAY
from members.access import Role
from members.errors import BadInput

# Who speaks in a dialogue's other turns.
_NOT_THE_PERSON = frozenset(("assistant", "agent", "system", "bot", "tool", "patron"))
Line = tuple[int, dict[str, Any] | BadInput]


def lines(path: Path) -> Iterator[Line]:
    """Each line that is not empty with its number: its record, or what is wrong with it."""
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                yield number, BadInput(f"line {number}: no JSON ({error}).")
                continue
            yield number, record if isinstance(record, dict) else BadInput(f"line {number}: an object is needed.")


def of_message(model: EmbeddedModel, record: dict[str, Any], number: int) -> dict[str, Any]:
    """The proposal of one message: {id, role, text}. Raises BadInput with the line."""
    found = propose(model, _text(record.get("text"), number), _role(record, number), today=DAY)
    return {"id": record.get("id", number), **_told(found)}


def of_dialogue(model: EmbeddedModel, record: dict[str, Any], number: int) -> dict[str, Any]:
    """The proposals of a dialogue's turns: {id, role, turns}. Raises BadInput with the line."""
    turns = record.get("turns")
    if not isinstance(turns, list):
        raise BadInput(f"line {number}: turns must be a list.")
    role, history, told = _role(record, number), list[BaseMessage](), []
    for text in [_text(_said(turn), number) for turn in turns if _is_the_persons(turn)]:
        found = propose(model, text, role, history=history, today=DAY)
        history += found.messages
        told.append({"text": text, **_told(found)})
    return {"id": record.get("id", number), "turns": told}


def _told(found: Proposal) -> dict[str, Any]:
    return {"calls": found.calls, "language": found.language, "confidence": found.confidence}


def _text(value: Any, number: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"line {number}: a text is needed.")
    return value


def _role(record: dict[str, Any], number: int) -> Role:
    try:
        return Role(record.get("role") or "member")
    except ValueError:
        raise BadInput(f"line {number}: {record.get('role')!r} is no role; they are {', '.join(Role)}.") from None


def _said(turn: Any) -> Any:
    return turn.get("text", turn.get("content")) if isinstance(turn, dict) else turn


def _is_the_persons(turn: Any) -> bool:
    """Whether the person says it. A role such as support names the person; only an assistant's words are skipped."""
    speaker = turn.get("speaker") or turn.get("role") or "" if isinstance(turn, dict) else ""
    return str(speaker).lower() not in _NOT_THE_PERSON
