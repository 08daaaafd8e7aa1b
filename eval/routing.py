"""Is each message read as what it asks for?

Accuracy of the router by language on messages by authors it never learned from:
`validation` (thresholds were chosen on it) and `test` (looked at only to
report). Roles limit the labels, as they do in the chat.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import prompts
from assistant.embedded.model import COMMON
from assistant.embedded.model import labels_of as labels_behind
from assistant.embedded.router import Router
from members.access import Role
from tools.gateway import allowed

MESSAGES = Path(__file__).parent / "cases" / "messages"


@dataclass(frozen=True)
class Message:
    """One message of a set: what it asks for, by whom, and the arguments a perfect reader would take out, where written."""

    label: str
    language: str
    text: str
    role: Role
    arguments: dict[str, Any] | None = None


def messages(name: str) -> list[Message]:
    """The messages of a set."""
    rows = (MESSAGES / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    return [_message(row.split("\t")) for row in rows if row.strip()]


def _message(row: list[str]) -> Message:
    label, language, text, *more = row
    role = Role(more[0]) if more and more[0] else role_of(label)
    return Message(label, language, text, role, json.loads(more[1]) if len(more) > 1 else None)


def labels_of(role: Role, known: Sequence[str] = ()) -> list[str]:
    """What a role's messages may be read as."""
    return labels_behind(known or [*COMMON, *prompts.examples()], [tool.name for tool in allowed(role)])


def role_of(label: str) -> Role:
    """The role a label's messages come from; members where several would."""
    return next((role for role in (Role.MEMBER, Role.SUPPORT, Role.MARKETER) if label in labels_of(role)), Role.MEMBER)


def measure(router: Router, name: str) -> dict[str, Any]:
    """Accuracy by language, out-of-scope recall, and how often the right label is among the first two."""
    rows = messages(name)
    margins = router.margins([row.text for row in rows])
    allowed_to = {role: labels_of(role, router.labels) for role in Role}
    ranked = [router.rank(row, allowed_to[m.role]) for row, m in zip(margins, rows, strict=True)]
    right = [guesses[0].label == m.label for guesses, m in zip(ranked, rows, strict=True)]
    second = [m.label in [g.label for g in guesses[:2]] for guesses, m in zip(ranked, rows, strict=True)]

    def share(of: list[bool], keep: list[bool]) -> float:
        kept = [value for value, k in zip(of, keep, strict=True) if k]
        return sum(kept) / max(1, len(kept))

    everything = [True] * len(rows)
    outside = [m.label == "out_of_scope" for m in rows]
    return {
        "messages": len(rows),
        "all": share(right, everything),
        "en": share(right, [m.language == "en" for m in rows]),
        "zh": share(right, [m.language == "zh" for m in rows]),
        "among first two": share(second, everything),
        "out-of-scope recall": share(right, outside),
    }
