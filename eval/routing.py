"""Is each message read as what it asks for?

Accuracy of the router by language on messages by authors it never learned from:
`validation` (everything was chosen on it) and `test` (looked at only to
report). Roles limit the labels, as they do in the chat. The tool is right when
it is the one behind the label: points_balance and points_expiring are one tool.
`in_words` says how a proposal's arguments are compared with the set's.
"""

import csv
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import mean
from typing import Any

import prompts
from assistant.embedded.model import COMMON, EmbeddedModel
from assistant.embedded.model import labels_of as labels_behind
from assistant.embedded.propose import propose
from assistant.embedded.router import Guess, Router
from members.access import Role
from members.errors import BadInput
from retrieval.embed import Embeds
from retrieval.words import normal
from tools.gateway import allowed

MESSAGES = Path(__file__).parent / "cases" / "messages"
DAY = date(2026, 11, 22)
MEASURES = ("messages", "tool", "label", "argument F1", "out-of-scope recall", "ms")


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


# --- tools and labels -------------------------------------------------------------------


@dataclass(frozen=True)
class Read:
    """A message, what the router reads it as, and how long that took."""

    message: Message
    guesses: list[Guess]
    ms: float

    @property
    def right(self) -> bool:
        """Whether the tool is the one meant."""
        return prompts.tool_of(self.guesses[0].label) == prompts.tool_of(self.message.label)


def measure(model: EmbeddedModel, name: str) -> dict[str, dict[str, float]]:
    """The measures of a set by language, `all` first; each message is read by itself, as in the chat."""
    model.router.guess("warm", model.router.labels)
    read = [_read(model.router, message) for message in messages(name)]
    return {
        language: _figures(model, [one for one in read if language in ("all", one.message.language)])
        for language in ("all", *sorted({one.message.language for one in read}))
    }


def _read(router: Router, message: Message) -> Read:
    labels = labels_of(message.role, router.labels)
    begun = time.perf_counter()
    guesses = router.guess(message.text, labels)
    return Read(message, guesses, 1000 * (time.perf_counter() - begun))


def _figures(model: EmbeddedModel, read: Sequence[Read]) -> dict[str, float]:
    outside = [one.right for one in read if one.message.label == "out_of_scope"]
    found = {
        "messages": len(read),
        "tool": mean(one.right for one in read),
        "label": mean(one.guesses[0].label == one.message.label for one in read),
        "out-of-scope recall": mean(outside) if outside else float("nan"),
        "ms": mean(one.ms for one in read),
    }
    written = [one.message for one in read if one.message.arguments is not None]
    return found | (argument_f1(model, written) if written else {})


# --- arguments --------------------------------------------------------------------------


def argument_f1(model: EmbeddedModel, rows: Sequence[Message]) -> dict[str, float]:
    """Precision, recall and F1 of all (key, value) pairs together, whatever the tool proposed."""
    hits = said = wanted = 0
    for row in rows:
        calls = propose(model, row.text, row.role, today=DAY).calls
        mine = {pair for call in calls for pair in _pairs(in_words(call["tool"], call["arguments"]))}
        truth = set(_pairs(row.arguments or {}))
        hits, said, wanted = hits + len(mine & truth), said + len(mine), wanted + len(truth)
    precision, recall = hits / max(1, said), hits / max(1, wanted)
    return {"argument precision": precision, "argument recall": recall, "argument F1": 2 * hits / max(1, said + wanted)}


def in_words(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A call's arguments under the set's keys.

    who, to → member (or order_id, when staff's member is named by an order); method_id, refund_to → method;
    wish → product; spend → amount; offer_percent → percent; the first of channels, tiers, cities, consent →
    channel, tier, city; valid_until → by; since and until, or a period → period; negative points → points.
    Only a write, the tools of savings and those of a tier compare words (product, new_option) at all. Free texts
    (why, about, question, reason), ids of variants, parts of an address, limits, days and aspects have no
    key in the set and are not compared.
    """
    found = {key: arguments[key] for key in _SAME if key in arguments}
    for name, key in _CALLED.items():
        if arguments.get(name) not in (None, "", []) and key not in found:
            found[key] = arguments[name][0] if isinstance(arguments[name], list) else arguments[name]
    who = str(arguments.get("who") or "")
    if who:
        found["order_id" if who.upper().startswith("O-") else "member"] = who
    if arguments.get("since") and arguments.get("until"):
        found["period"] = {"since": arguments["since"], "until": arguments["until"]}
    return found


_SAME = ("order_id", "product", "new_option", "amount", "points", "percent", "channel", "language", "code", "tier", "by", "method", "city", "period")
_CALLED = {
    "to": "member",
    "method_id": "method",
    "refund_to": "method",
    "wish": "product",
    "spend": "amount",
    "offer_percent": "percent",
    "channels": "channel",
    "tiers": "tier",
    "cities": "city",
    "consent": "channel",
    "valid_until": "by",
}


def _pairs(arguments: dict[str, Any]) -> list[tuple[str, str]]:
    return [(key, _written(key, value)) for key, value in arguments.items()]


def _written(key: str, value: Any) -> str:
    """A value as the set writes it: bare order numbers with their prefix, points positive, words without case and articles."""
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{abs(value):g}"
    text = " ".join(normal(str(value)).split())
    if key == "order_id":
        return f"o-{text}" if text.isdigit() else text
    text = text.removeprefix("the ").removeprefix("my ").removeprefix("a ")
    return text.removesuffix("s") if key == "product" and text.isascii() else text


# --- any labelled messages --------------------------------------------------------------


def classified(embed: Embeds, train: Path, test: Path) -> dict[str, float]:
    """The router's classifier on anyone's labelled messages (CSV with columns text, label)."""
    learned, asked = read_csv(train), read_csv(test)
    begun = time.perf_counter()
    router = Router(embed).fit(learned)
    trained = time.perf_counter()
    margins = router.margins([text for text, _ in asked])
    done = time.perf_counter()
    said = [router.labels[int(row.argmax())] for row in margins]
    wanted = [label for _, label in asked]
    return {
        "training messages": len(learned),
        "messages": len(asked),
        "labels": len(router.labels),
        "accuracy": mean(a == b for a, b in zip(said, wanted, strict=True)),
        "macro F1": _macro_f1(wanted, said),
        "training seconds": trained - begun,
        "ms": 1000 * (done - trained) / len(asked),
    }


def _macro_f1(wanted: Sequence[str], said: Sequence[str]) -> float:
    """The mean over the wanted labels of each one's F1."""
    hits = Counter(a for a, b in zip(wanted, said, strict=True) if a == b)
    there, told = Counter(wanted), Counter(said)
    return mean(2 * hits[label] / (there[label] + told[label]) for label in there)


def read_csv(path: Path) -> list[tuple[str, str]]:
    """(text, label) rows of a CSV with those columns. Raises BadInput with the line at fault."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if not {"text", "label"} <= set(rows.fieldnames or ()):
            raise BadInput(f"{path}: the first line must name the columns text and label.")
        found = []
        for row in rows:
            if not (row["text"] or "").strip() or not (row["label"] or "").strip():
                raise BadInput(f"{path}, line {rows.line_num}: a text and a label are needed.")
            found.append((row["text"], row["label"]))
    if not found:
        raise BadInput(f"{path} has no rows.")
    return found
