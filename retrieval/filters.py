"""What must an entry be?

Price, category, stock, audience and excluded words, as one value; and whether
an entry meets it. A text that says “without leather” does not name leather.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from retrieval.alike import excluded, lacking
from retrieval.documents import Entry
from retrieval.words import has_han, normal, terms

_DENIED = re.compile(
    r"\b(?:without|no|not|non|free (?:of|from)|never|zero)[\s-]+(?:(?:any|added|artificial|a|an)\s+)?[a-z]+(?:\s+or\s+[a-z]+)?|\b[a-z]+[- ]free\b|(?:不含|不带|不加|不用|无|没有|免|零)[\u3400-\u9fff]{1,3}"
)
_AUDIENCE = {
    "women": re.compile(r"\b(?:for (?:women|her|ladies)|women's|ladies'?|womens)\b|女士|女款|女式"),
    "men": re.compile(r"\b(?:for (?:men|him|gentlemen)|men's|gentlem[ea]n'?s?|mens)\b|男士|男款|男式"),
}


@dataclass(frozen=True)
class Filters:
    """What an entry must be; empty fields ask nothing. Money in minor units, `whom` is women or men."""

    least_cents: int | None = None
    most_cents: int | None = None
    category: str = ""
    in_stock: bool = False
    without: tuple[str, ...] = ()
    whom: str = ""


class Said:
    """One entry and what its texts say, worked out when first asked."""

    def __init__(self, entry: Entry) -> None:
        """Take the entry as it is."""
        self.entry = entry

    @cached_property
    def text(self) -> str:
        """Every text of the entry without what it says it is not."""
        return _DENIED.sub(" ", self._whole)

    @cached_property
    def _whole(self) -> str:
        return normal(" . ".join([*self.entry.titles.values(), *self.entry.texts.values()]))

    @cached_property
    def terms(self) -> frozenset[str]:
        """The search terms of that text."""
        return frozenset(terms(self.text))

    @cached_property
    def audience(self) -> frozenset[str]:
        """For whom it says it is: women, men, both or nobody in particular."""
        return frozenset(name for name, pattern in _AUDIENCE.items() if pattern.search(self.text))

    def names(self, phrases: Sequence[str]) -> bool:
        """Whether it names one of the phrases, in either language."""
        return any(self._names(phrase) for phrase in phrases)

    def lacks(self, phrases: Sequence[str]) -> bool:
        """Whether it says of itself that it is free of a thing: decaf, unscented, 无香."""
        return any(re.search(re.escape(phrase) if has_han(phrase) else rf"\b{re.escape(phrase)}\b", self._whole) for phrase in phrases)

    def _names(self, phrase: str) -> bool:
        if has_han(phrase):
            # One character is part of too many words: only a word that ends with it counts, 真皮 for 皮.
            return phrase in self.text if len(phrase) > 1 else any(term.endswith(phrase) for term in self.terms)
        wanted = terms(phrase)
        return bool(wanted) and self.terms.issuperset(wanted)


def passing(said: Sequence[Said], filters: Filters) -> list[bool]:
    """For each entry whether it is what the filters ask."""
    banned = [(excluded(word), lacking(word)) for word in filters.without]
    return [_passes(one, filters, banned) for one in said]


def _passes(one: Said, filters: Filters, banned: Sequence[tuple[Sequence[str], Sequence[str]]]) -> bool:
    facts = one.entry.facts
    price = facts.get("price_cents")
    if filters.most_cents is not None and (not isinstance(price, int) or price > filters.most_cents):
        return False
    if filters.least_cents is not None and (not isinstance(price, int) or price < filters.least_cents):
        return False
    if filters.category and facts.get("category") != filters.category:
        return False
    if filters.in_stock and not facts.get("in_stock"):
        return False
    if filters.whom and one.audience and filters.whom not in one.audience:
        return False
    return not any(one.names(named) and not one.lacks(free) for named, free in banned)


def where(filters: Filters) -> dict[str, Any] | None:
    """The same filters for Chroma as far as it knows the facts, so that its nearest entries mostly pass."""
    tests: list[dict[str, Any]] = []
    if filters.most_cents is not None:
        tests.append({"price_cents": {"$lte": filters.most_cents}})
    if filters.least_cents is not None:
        tests.append({"price_cents": {"$gte": filters.least_cents}})
    if filters.category:
        tests.append({"category": filters.category})
    if filters.in_stock:
        tests.append({"in_stock": True})
    return None if not tests else tests[0] if len(tests) == 1 else {"$and": tests}
