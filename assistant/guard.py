"""May this text be sent?

Checks every amount, number, date, tier and id in a reply against what the
tools returned, redacts what must never leave, and takes active content out.
Knows nothing of how the text came about.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from members.program import Program
from prompts.formats import MONTHS
from retrieval.numbers import EN_NUMERAL, ZH_NUMERAL, chinese, english
from tools.gateway import clean

# ASCII: a Chinese character beside an id is no part of it.
_ID = re.compile(r"(?<![\w#])(?:#?[A-Za-z]-?\d{3,}|#\d+)(?!\w)", re.ASCII)
_ISO = re.compile(r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")
_ZH_DAY = re.compile(r"(?:(\d{4})\s*年\s*)?(\d{1,2})\s*月\s*(\d{1,2})\s*[日号]")
_NAMES = "|".join([*MONTHS, *(m[:3] for m in MONTHS), "Sept"])
_EN_DAY = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?({_NAMES})\b\.?(?:,?\s+(\d{{4}}))?|\b({_NAMES})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(\d{{4}}))?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.])\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
# A spelled number matters when it measures something.
_UNIT_EN = r"(?:points?|pounds?|pence|dollars?|euros?|yuan|percent|per cent|days?|weeks?|months?|years?|orders?|members?|hours?|pieces?)"
_SPELLED_EN = re.compile(rf"\b({EN_NUMERAL})\s*{_UNIT_EN}\b", re.IGNORECASE)
_SPELLED_ZH = re.compile(rf"({ZH_NUMERAL})\s*(?:分|积分|元|块|镑|英镑|天|周|个月|年|单|笔|位|人|小时|件)(?!之)")
_PERCENT_ZH = re.compile(rf"百分之({ZH_NUMERAL})")
# 一下, 一个: not a quantity anybody checks.
_HARMLESS_ZH = {"一", "两", "十", "百", "千", "万"}
_LIST_MARK = re.compile(r"(?m)^\s*\d{1,2}(?:[.)]\s|、)")
_IMAGE, _LINK = re.compile(r"!\[[^\]]*\]\([^)]*\)"), re.compile(r"\[([^\]]*)\]\((?:[^)]*)\)")
_URL, _TAG = re.compile(r"(?:https?|ftp|data|javascript):\S+|www\.\S+", re.IGNORECASE), re.compile(r"</?[a-zA-Z!][^>\n]{0,200}>")
_CARD = re.compile(r"(?<![\d-])(?:\d[ -]?){12,18}\d(?![\d-])")
_ZH_IDENTITY = re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)")


@dataclass
class Facts:
    """What tools said: numbers, days and the texts they stand in."""

    numbers: set[Decimal] = field(default_factory=set)
    days: set[tuple[int, int]] = field(default_factory=set)
    full_days: set[tuple[int, int, int]] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    text: str = ""

    @classmethod
    def of(cls, results: Iterable[str]) -> "Facts":
        """Facts of tool results, given as the JSON texts the model read."""
        facts = cls()
        for result in results:
            facts.text += result.lower() + "\n"
            try:
                facts._take(json.loads(result, parse_float=Decimal))
            except ValueError:
                facts._take(result)
        return facts

    def _take(self, value: Any) -> None:
        if isinstance(value, dict):
            for part in value.values():
                self._take(part)
        elif isinstance(value, list):
            for part in value:
                self._take(part)
        elif isinstance(value, bool) or value is None:
            return
        elif isinstance(value, int | Decimal):
            self.numbers.add(abs(Decimal(value)))
        else:
            self._take_text(str(value))

    def _take_text(self, text: str) -> None:
        rest, days = _days(text)
        for year, month, day in days:
            self.days.add((month, day))
            if year:
                self.full_days.add((year, month, day))
                self.numbers.add(Decimal(year))
        self.ids |= {found.group().lower().lstrip("#") for found in _ID.finditer(rest)}
        # A digit of an id is no amount.
        self.numbers |= {n for _, n in _numbers(_ID.sub(" ", rest))} | {Decimal(value) for _, value in _spelled(rest)}


def unbacked(text: str, facts: Facts, rules: Program) -> list[str]:
    """The figures, days, tiers and ids of a text that no tool returned; empty when all are."""
    wrong: list[str] = []
    rest = _LIST_MARK.sub(" ", text)
    for found in _ID.finditer(rest):
        if found.group().lower().lstrip("#") not in facts.ids:
            wrong.append(found.group())
    rest, days = _days(_ID.sub(" ", rest))
    for year, month, day in days:
        known = (year, month, day) in facts.full_days if year else (month, day) in facts.days
        if not known:
            wrong.append(f"{year or ''}-{month}-{day}")
    wrong += [raw for raw, number in _numbers(rest) if number not in facts.numbers]
    wrong += [raw for raw, value in _spelled(rest) if Decimal(value) not in facts.numbers]
    for tier in rules.tiers.levels:
        names = [n for n in (tier.name_en, tier.name_zh) if n]
        said = any(re.search(rf"\b{re.escape(n)}\b", text) if n.isascii() else n in text for n in names)
        if said and not any(n.lower() in facts.text for n in [*names, tier.key]):
            wrong.append(tier.name_en)
    return wrong


def _days(text: str) -> tuple[str, list[tuple[int, int, int]]]:
    """The days a text names as (year or 0, month, day), and the text without them."""
    found: list[tuple[int, int, int]] = []

    def iso(m: re.Match[str]) -> str:
        found.append((int(m[1]), int(m[2]), int(m[3])))
        return " "

    def han(m: re.Match[str]) -> str:
        found.append((int(m[1] or 0), int(m[2]), int(m[3])))
        return " "

    def english_day(m: re.Match[str]) -> str:
        day, name, year = (m[1], m[2], m[3]) if m[1] else (m[5], m[4], m[6])
        found.append((int(year or 0), [n[:3].lower() for n in MONTHS].index(name[:3].lower()) + 1, int(day)))
        return " "

    return _EN_DAY.sub(english_day, _ZH_DAY.sub(han, _ISO.sub(iso, text))), found


def _numbers(text: str) -> list[tuple[str, Decimal]]:
    found: list[tuple[str, Decimal]] = []
    for m in _NUMBER.finditer(text):
        try:
            found.append((m.group(), Decimal(m.group().replace(",", ""))))
        except InvalidOperation:
            continue
    return found


def _spelled(text: str) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for m in _PERCENT_ZH.finditer(text):
        value = chinese(m[1])
        if value is not None:
            found.append((m.group(), value))
    for pattern, read in ((_SPELLED_EN, english), (_SPELLED_ZH, chinese)):
        for m in pattern.finditer(text):
            value = read(m[1].strip())
            if value is not None and m[1] not in _HARMLESS_ZH and m[1].strip().lower() not in ("one", "zero"):
                found.append((m[1].strip(), value))
    return found


def plain(text: str) -> str:
    """Text without images, links, HTML and invisible characters; card and identity numbers hidden."""
    before, text = "", clean(text)
    # What is taken out may have held a tag apart: look again until nothing is left.
    while before != text:
        before, text = text, _TAG.sub("", _URL.sub("", _LINK.sub(r"\1", _IMAGE.sub("", text))))
    return redact(text)


def redact(text: str) -> str:
    """Card numbers (Luhn) and Chinese identity numbers as dots. No word boundary: Chinese has none."""
    text = _ZH_IDENTITY.sub("••••", text)
    return _CARD.sub(lambda m: "••••" if _luhn(re.sub(r"\D", "", m.group())) else m.group(), text)


def _luhn(digits: str) -> bool:
    odd = [int(d) for d in digits[-1::-2]]
    even = [sum(divmod(2 * int(d), 10)) for d in digits[-2::-2]]
    return (sum(odd) + sum(even)) % 10 == 0


class Sentences:
    """Cuts a stream of text into sentences, so that each can be checked before it is sent."""

    def __init__(self) -> None:
        """Start with nothing held back."""
        self._held = ""

    def push(self, piece: str) -> list[str]:
        """Sentences that are complete now."""
        self._held += piece
        parts = re.split(r"(?<=[。！？\n])|(?<=[.!?])(?=\s)", self._held)
        self._held = parts.pop()
        return [part for part in parts if part]

    def rest(self) -> str:
        """What is left at the end."""
        left, self._held = self._held, ""
        return left
