"""Which other words mean the same, or a kind of it?

British and American words, everyday synonyms, and what counts as leather or as
nuts, from a data file; Chinese words by the lexicon. Knows nothing of the catalogue.
"""

from functools import cache
from pathlib import Path

from retrieval.words import gloss, has_han, pieces, stem, synonyms

TABLE = Path(__file__).with_name("synonyms.tsv")
_OMITTED = ("", "色", "革", "动", "制", "质")


def same(phrase: str) -> tuple[str, ...]:
    """Other words for an English phrase: `trainers` → sneakers, running shoes."""
    return tuple(other for other in _groups().get(_key(phrase), ()) if _key(other) != _key(phrase))


def kinds(phrase: str) -> tuple[str, ...]:
    """Kinds of a thing: `wool` → merino, cashmere, lambswool."""
    return _kinds().get(_key(phrase), ())


def excluded(word: str) -> tuple[str, ...]:
    """Every phrase that an excluded word rules out, in both languages."""
    wider = [phrase for one in _english(word) for phrase in (one, *same(one))]
    return tuple(dict.fromkeys([word, *wider, *(kind for phrase in wider for kind in kinds(phrase))]))


def lacking(word: str) -> tuple[str, ...]:
    """How a thing without it is called: `caffeine` → decaf, caffeine-free."""
    known = [phrase for one in _english(word) for key in (one, *same(one)) for phrase in _lacking().get(_key(key), ())]
    return tuple(dict.fromkeys([*known, *(f"{one}-free" for one in _english(word) if " " not in one)]))


def _english(word: str) -> tuple[str, ...]:
    """English for an excluded word; a Chinese one may leave out its last character, 皮 for 皮革."""
    if not has_han(word):
        return (word,)
    found = next((synonyms(f"{word}{rest}") for rest in _OMITTED if synonyms(f"{word}{rest}")), ())
    return found or ((gloss(word),) if all(synonyms(piece) for piece in pieces(word)) else ())


def _key(phrase: str) -> str:
    return " ".join(stem(word) for word in phrase.lower().split())


@cache
def _rows() -> list[tuple[str, list[str]]]:
    rows = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")]
    return [(relation, words.split("|")) for relation, words in rows]


@cache
def _groups() -> dict[str, tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = {}
    for relation, words in _rows():
        if relation == "same":
            for word in words:
                groups[_key(word)] = tuple(dict.fromkeys([*groups.get(_key(word), ()), *words]))
    return groups


@cache
def _kinds() -> dict[str, tuple[str, ...]]:
    return {_key(words[0]): tuple(words[1:]) for relation, words in _rows() if relation == "kinds"}


@cache
def _lacking() -> dict[str, tuple[str, ...]]:
    return {_key(words[0]): tuple(words[1:]) for relation, words in _rows() if relation == "lacks"}
