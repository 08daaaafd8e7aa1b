"""Are campaign messages let out and held back rightly?

Precision, recall and F1 of prompts/compliance by rule and language on labelled messages (JSON lines). A finding is right
when an expected one of its rule overlaps it; of missing_opt_out there is no place to compare; `length` is not judged.
Says nothing of how good the suggestions are.
"""

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from statistics import mean
from typing import Any

from rich.console import Console
from rich.table import Table

from members.errors import BadInput
from prompts.compliance import Facts, Finding, check

# By an author who had not seen the check, nor it them; DEV is what it was made with.
CASES = Path(__file__).parent / "cases" / "compliance.jsonl"
DEV = CASES.with_name("compliance_dev.jsonl")
DAY = date(2026, 11, 25)
MEASURES = ("expected", "found", "precision", "recall", "F1")
MESSAGE_MEASURES = ("messages", "blocked rightly", "false alarms", "ms")
UNJUDGED = frozenset({"length"})


@dataclass(frozen=True)
class Case:
    """A labelled message: its arguments for `check`, and the (rule, place) pairs that are wrong with it."""

    language: str
    arguments: dict[str, Any]
    expect: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Judged:
    """A message with what was found, what of it is wrong, and what was missed."""

    case: Case
    found: tuple[Finding, ...]
    wrong: tuple[Finding, ...]
    missed: tuple[tuple[str, str], ...]
    ms: float


def cases(path: Path) -> list[Case]:
    """The messages of a file. Raises BadInput with the line at fault."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            try:
                found.append(_case(json.loads(line)))
            except (ValueError, KeyError, TypeError, ArithmeticError) as error:
                raise BadInput(f"{path}, line {number}: {error!r}") from error
    return found


def _case(row: dict[str, Any]) -> Case:
    told = row["facts"]
    amounts: dict[str, Any] = {name: Decimal(str(told[name])) for name in ("price", "was", "percent", "amount_off", "minimum") if told.get(name) is not None}
    until = date.fromisoformat(told["valid_until"]) if told.get("valid_until") else None
    facts = Facts(
        today=DAY, currency=told["currency"], product=told.get("product"), stock=told.get("stock"), code=told.get("code"), valid_until=until, **amounts
    )
    arguments = {name: row.get(name) for name in ("text", "channel", "language", "subject", "preheader")} | {"facts": facts}
    return Case(row["language"], arguments, tuple((one["rule"], one["place"]) for one in row["expect"]))


def judged(case: Case) -> Judged:
    """A message checked and held against its labels."""
    begun = time.perf_counter()
    found = tuple(one for one in check(**case.arguments) if one.rule not in UNJUDGED)
    ms = 1000 * (time.perf_counter() - begun)
    wrong = tuple(one for one in found if not any(_meets(one, rule, place, case) for rule, place in case.expect))
    missed = tuple((rule, place) for rule, place in case.expect if not any(_meets(one, rule, place, case) for one in found))
    return Judged(case, found, wrong, missed, ms)


def _meets(one: Finding, rule: str, place: str, case: Case) -> bool:
    """Whether a finding is the expected one: same rule, places overlap."""
    if one.rule != rule or not place:
        return one.rule == rule
    text = case.arguments[one.part] or ""
    at = text.find(place)
    while at >= 0:
        if one.start < at + len(place) and at < one.end:
            return True
        at = text.find(place, at + 1)
    return False


def measure(path: Path) -> dict[str, Any]:
    """`rules`: rule → language (`all` first) → measures; `messages`: language → message-level measures."""
    told = cases(path)
    for case in told[:1]:
        judged(case)  # The first one reads the patterns.
    said = [judged(case) for case in told]
    languages = ("all", *sorted({one.case.language for one in said}))
    of = {language: [one for one in said if language in ("all", one.case.language)] for language in languages}
    rules = sorted({rule for one in said for rule, _ in one.case.expect} | {f.rule for one in said for f in one.found})
    by_rule = {rule: {language: _figures(of[language], rule) for language in languages} for rule in ("all", *rules)}
    return {"rules": by_rule, "messages": {language: _message_figures(of[language]) for language in languages}}


def _figures(said: Sequence[Judged], rule: str) -> dict[str, float]:
    counts: Counter[str] = Counter()
    for one in said:
        counts["expected"] += sum(rule in ("all", r) for r, _ in one.case.expect)
        counts["missed"] += sum(rule in ("all", r) for r, _ in one.missed)
        counts["found"] += sum(rule in ("all", f.rule) for f in one.found)
        counts["wrong"] += sum(rule in ("all", f.rule) for f in one.wrong)
    expected, found = counts["expected"], counts["found"]
    precision = (found - counts["wrong"]) / found if found else float("nan")
    recall = (expected - counts["missed"]) / expected if expected else float("nan")
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else float("nan")
    return {"expected": expected, "found": found, "precision": precision, "recall": recall, "F1": f1}


def _message_figures(said: Sequence[Judged]) -> dict[str, float]:
    """Of messages with an expected error, how many are held back for one of those; of clean ones, how many have any finding."""
    clean = [bool(one.found) for one in said if not one.case.expect]
    faulty = [one for one in said if any(rule != "brand_word" for rule, _ in one.case.expect)]
    blocked = [any(f.level == "error" and f not in one.wrong for f in one.found) for one in faulty]
    return {
        "messages": len(said),
        "blocked rightly": mean(blocked) if blocked else float("nan"),
        "false alarms": mean(clean) if clean else float("nan"),
        "ms": mean(one.ms for one in said) if said else float("nan"),
    }


def main(path: Path | None = None) -> dict[str, Any]:
    """Measure a file, ours when left out, and print the tables."""
    figures = measure(path or CASES)
    console = Console()
    console.width = console.width if console.is_terminal else 110
    head = [f"{measure} {language}" for language in figures["messages"] for measure in MEASURES[2:]]
    table = Table("rule", "expected", *head, title="Findings", title_justify="left", header_style="bold")
    for rule, by_language in figures["rules"].items():
        cells = [_cell(values[name]) for values in by_language.values() for name in MEASURES[2:]]
        table.add_row(rule, str(by_language["all"]["expected"]), *cells)
    console.print(table)
    whole = Table("language", *MESSAGE_MEASURES, title="Messages", title_justify="left", header_style="bold")
    for language, values in figures["messages"].items():
        whole.add_row(language, *(_cell(values[name]) for name in MESSAGE_MEASURES))
    console.print(whole)
    return figures


def _cell(value: float) -> str:
    return "" if value != value else str(value) if isinstance(value, int) else f"{value:.2f}"
