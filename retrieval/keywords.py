"""Which entries share words with the question?

BM25 over the terms of both languages of an entry, names counted more than
descriptions. An idea with several wordings counts once, by its best one.
Small enough to be built when the index is opened.
"""

from collections.abc import Sequence

import bm25s
import numpy as np
from numpy.typing import NDArray

from retrieval.documents import Entry
from retrieval.words import every_gloss, terms

# A word in the heading or name says more than one in the text.
_TITLE_WEIGHT = 3
# Another word for an idea is a weaker sign than the word that was said.
_OTHER_WORD = 0.7
_REMEMBERED = 2_000
Scores = NDArray[np.float32]


class Keywords:
    """BM25 scores of every entry, in the order the entries were given."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        """Index the entries' words."""
        self._size = len(entries)
        self._bm25 = bm25s.BM25(k1=1.2, b=0.6)
        self._known: set[str] = set()
        self._by_term: dict[str, Scores] = {}
        if entries:
            self._bm25.index([_terms_of(entry) for entry in entries], show_progress=False)
            self._known = set(self._bm25.vocab_dict)

    def knows(self, phrase: str) -> bool:
        """Whether every word of a phrase stands somewhere in the entries."""
        wanted = terms(phrase)
        return bool(wanted) and all(term in self._known for term in wanted)

    def scores(self, question: str, *, ideas: Sequence[Sequence[str]] = ()) -> Scores:
        """One score an entry, zero where no word is shared: the question's own terms, and each idea by its best wording."""
        total = self._of(terms(question))
        for idea in ideas:
            total = total + self.idea(idea)
        return total

    def idea(self, wordings: Sequence[str]) -> Scores:
        """The score of the best wording of an idea; the first one is the word that was said."""
        found = [self._of(terms(wording)) * (1.0 if place == 0 else _OTHER_WORD) for place, wording in enumerate(wordings)]
        return np.max(found, axis=0) if found else np.zeros(self._size, np.float32)

    def rarity(self, wordings: Sequence[str]) -> float:
        """How much an idea tells, from how few entries have it: highest for one that none has."""
        found = np.max([self._all_of(terms(wording)) for wording in wordings], axis=0) if wordings and self._size else np.zeros(0)
        return float(np.log(1 + self._size / (1 + found.sum())))

    def _all_of(self, wanted: Sequence[str]) -> NDArray[np.bool_]:
        """Which entries have every term."""
        if not wanted or any(term not in self._known for term in wanted):
            return np.zeros(self._size, np.bool_)
        return np.asarray(np.logical_and.reduce([self._term(term) > 0 for term in wanted]), np.bool_)

    def _of(self, wanted: Sequence[str]) -> Scores:
        total = np.zeros(self._size, np.float32)
        for term in wanted:
            if term in self._known:
                total = total + self._term(term)
        return total

    def _term(self, term: str) -> Scores:
        if term not in self._by_term:
            if len(self._by_term) >= _REMEMBERED:
                self._by_term.clear()
            self._by_term[term] = np.asarray(self._bm25.get_scores([term]), np.float32)
        return self._by_term[term]


def _terms_of(entry: Entry) -> list[str]:
    titles = [*entry.titles.values(), *entry.document.values()]
    texts = [*entry.texts.values()]
    if not entry.texts.get("en"):
        # A catalogue in Chinese alone is found in English by its gloss.
        titles, texts = [*titles, *map(every_gloss, titles)], [*texts, *map(every_gloss, texts)]
    return [term for text in titles for term in terms(text)] * _TITLE_WEIGHT + [term for text in texts for term in terms(text)]
