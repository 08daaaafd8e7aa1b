"""How well does an entry fit the ideas of a wish?

How much of what was asked its texts cover, and whether it is the article that
was named or only mentions it: tent pegs are no tent. Knows nothing of vectors.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from retrieval.filters import Said
from retrieval.keywords import Keywords
from retrieval.words import has_han, kind_of, known_terms, normal, stem, synonyms, terms

_GOODS = ("product", "food")
# What stands after the article in a name: “Kettle with Lid, Set of 4” is a kettle.
_AFTER = re.compile(r",|\(|\bwith\b|\bfor\b|\bin\b")
_COUNT = re.compile(r"\b(?:set|kit|collection|pack|bundle|duo|trio|pair|box|assortment|ensemble|selection)s?\b|\bof\s+\w+$|\d+.*$")
# A wish of more ideas describes a need rather than naming an article.
_FEW = 3


@dataclass(frozen=True)
class Fit:
    """The share of what was asked that the entry covers, whether another article was named, and how vague the wish is (0 to 2)."""

    covered: float = 1.0
    other_article: bool = False
    vague: int = 0


def fit(said: Said, ideas: Sequence[Sequence[str]], keywords: Keywords) -> Fit:
    """The fit of one entry; rare ideas weigh more than common ones."""
    weights = [keywords.rarity(idea) for idea in ideas]
    there = [said.names(idea) for idea in ideas]
    covered = sum(weight for weight, has in zip(weights, there, strict=True) if has) / sum(weights) if weights else 0.0
    named = [idea for idea in ideas if any(_is_article(phrase) for phrase in idea)]
    other = bool(named) and len(ideas) <= _FEW and not any(_is_called(said, phrase) for idea in named for phrase in idea)
    return Fit(covered, other, (len(ideas) >= _FEW) + (len(ideas) > _FEW))


def _is_called(said: Said, phrase: str) -> bool:
    """Whether the entry's name ends with the phrase's last word: a Steel Kettle is a kettle."""
    for name in said.entry.titles.values():
        if has_han(phrase) and re.sub(r"[\s\d].*$", "", normal(name)).endswith(phrase):
            return True
        words = [] if has_han(phrase) else terms(phrase)
        if words and words[-1:] == terms(_COUNT.sub(" ", _AFTER.split(normal(name))[0]))[-1:]:
            return True
    return False


def _is_article(phrase: str) -> bool:
    return kind_of(phrase) in _GOODS if has_han(phrase) else _key(phrase) in _articles()


def _key(phrase: str) -> str:
    return " ".join(stem(word) for word in phrase.lower().split())


@cache
def _articles() -> frozenset[str]:
    """English names of articles, from the lexicon's other side."""
    return frozenset(_key(english) for term in known_terms() if kind_of(term) in _GOODS for english in synonyms(term))
