"""Which entries share words with the question?

BM25 over the terms of both languages of an entry, names counted more than
descriptions. Small enough to be built when the index is opened.
"""

from collections.abc import Sequence

import bm25s
import numpy as np
from numpy.typing import NDArray

from retrieval.documents import Entry
from retrieval.words import terms

# A word in the heading or name says more than one in the text.
_TITLE_WEIGHT = 3


class Keywords:
    """BM25 scores of every entry, in the order the entries were given."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        """Index the entries' words."""
        self._size = len(entries)
        self._bm25 = bm25s.BM25(k1=1.2, b=0.6)
        if entries:
            self._bm25.index([_terms_of(entry) for entry in entries], show_progress=False)
            self._known = set(self._bm25.vocab_dict)

    def scores(self, question: str, *, also: Sequence[str] = ()) -> NDArray[np.float32]:
        """One score an entry, zero where no word is shared; `also` are further terms such as a gloss."""
        wanted = [term for term in [*terms(question), *(t for text in also for t in terms(text))] if self._size and term in self._known]
        if not wanted:
            return np.zeros(self._size, np.float32)
        return np.asarray(self._bm25.get_scores(wanted), np.float32)


def _terms_of(entry: Entry) -> list[str]:
    titles = [*entry.titles.values(), *entry.document.values()]
    return [term for text in titles for term in terms(text)] * _TITLE_WEIGHT + [term for text in entry.texts.values() for term in terms(text)]
