"""Is each message read as what it asks for?

Accuracy of the router by language on messages by authors it never learned from:
`validation` (thresholds were chosen on it) and `test` (looked at only to
report). Roles limit the labels, as they do in the chat.
"""

from pathlib import Path
from typing import Any

from assistant.embedded.model import _BEHIND, _COMMON
from assistant.embedded.router import Router
from members.access import Role
from tools.gateway import allowed

MESSAGES = Path(__file__).parent / "cases" / "messages"


def messages(name: str) -> list[tuple[str, str, str]]:
    """(label, language, message) of a set."""
    rows = (MESSAGES / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    return [tuple(row.split("\t", 2)) for row in rows if row.strip()]  # type: ignore[misc]


def labels_of(role: Role) -> list[str]:
    """What a role's messages may be read as."""
    return [*_COMMON, *(label for tool in allowed(role) for label in _BEHIND.get(tool.name, (tool.name,)))]


def role_of(label: str) -> Role:
    """The role a label's messages come from; members where several would."""
    return next((role for role in (Role.MEMBER, Role.SUPPORT, Role.MARKETER) if label in labels_of(role)), Role.MEMBER)


def measure(router: Router, name: str) -> dict[str, Any]:
    """Accuracy by language, out-of-scope recall, and how often the right label is among the first two."""
    rows = messages(name)
    margins = router.margins([text for _, _, text in rows])
    ranked = [router.rank(row, labels_of(role_of(label))) for row, (label, _, _) in zip(margins, rows, strict=True)]
    right = [guesses[0].label == label for guesses, (label, _, _) in zip(ranked, rows, strict=True)]
    second = [label in [g.label for g in guesses[:2]] for guesses, (label, _, _) in zip(ranked, rows, strict=True)]

    def share(of: list[bool], keep: list[bool]) -> float:
        kept = [value for value, k in zip(of, keep, strict=True) if k]
        return sum(kept) / max(1, len(kept))

    everything = [True] * len(rows)
    outside = [label == "out_of_scope" for label, _, _ in rows]
    return {
        "messages": len(rows),
        "all": share(right, everything),
        "en": share(right, [lang == "en" for _, lang, _ in rows]),
        "zh": share(right, [lang == "zh" for _, lang, _ in rows]),
        "among first two": share(second, everything),
        "out-of-scope recall": share(right, outside),
    }
