"""What is a finding, and which of several are one?

Puts what a rule hit into words and into places of the original.
Knows nothing of what is looked for: that stands in claims.py, figures.py, days.py, products.py and fields.py.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from prompts.compliance.reading import HAN, Read, rule_file

PARTS: tuple["Part", ...] = ("subject", "preheader", "text")
Part = Literal["text", "subject", "preheader"]
Level = Literal["error", "warning"]
RULES = (
    *("superlative", "health_claim", "finance_claim", "missing_opt_out", "price_basis", "untrue_urgency", "empty_field"),
    *("coupon_terms", "wrong_fact", "brand_word", "profanity", "personal_data", "length"),
)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: `place` is what stands from `start` to `end` in the part as it was handed in."""

    rule: str
    level: Level
    part: Part
    start: int
    end: int
    place: str
    reason_en: str
    reason_zh: str
    suggestion: str


class Hit(NamedTuple):
    """A finding in places of the text as read, with its reason in both languages; its `level` is its rule's where none is told."""

    rule: str
    start: int
    end: int
    reason: tuple[str, str]
    instead: str
    level: Level | None = None


def breach(rule: str, start: int, end: int, case: str, instead: str, **values: object) -> Hit:
    """A hit whose reason stands in the file under `case`, with `values` filled in."""
    english, chinese = rule_file()["said"][case]["reason"]
    return Hit(rule, start, end, (english.format(**values), chinese.format(**values)), instead)


def finding(hit: Hit, part: Part, original: str, read: Read | None) -> Finding:
    """A hit in places of the original: those it has already, or those of the text as read."""
    start, end = read.place(hit.start, hit.end) if read else (hit.start, hit.end)
    level: Level = hit.level or ("warning" if hit.rule in rule_file()["level"] else "error")
    return Finding(hit.rule, level, part, start, end, original[start:end], *hit.reason, hit.instead)


# Rules whose claims are spun out over a sentence: what stands this near, in characters, is one claim.
_SPUN = {"health_claim": (40, 12), "finance_claim": (40, 12)}


def merged(hits: Iterable[Hit], text: str) -> list[Hit]:
    """Findings of one rule that overlap, or spin out one claim, are one."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.rule, h.start, -h.end)):
        if kept and kept[-1].rule == hit.rule and _is_one(kept[-1], hit, text):
            kept[-1] = kept[-1]._replace(end=max(kept[-1].end, hit.end))
        else:
            kept.append(hit)
    # A figure that is part of another finding, such as a promised income, is no price of the product.
    others = [one for one in kept if one.rule != "wrong_fact"]
    return [one for one in kept if one.rule != "wrong_fact" or not any(o.start < one.end and one.start < o.end for o in others)]


def _is_one(first: Hit, then: Hit, text: str) -> bool:
    if then.start < first.end:
        return True
    between = text[first.end : then.start]
    apart = _SPUN.get(first.rule, (0, 0))[HAN.search(text[first.start : then.end]) is not None]
    return len(between) < apart and not re.search(r"[.。！？!?\n]", between)
