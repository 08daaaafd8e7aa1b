"""What answers this question?

The one public search: the question is read for limits and exclusions, put into
the catalogue's words, asked of BM25 and vectors over the kind asked for, fused
by weighted score, filtered, and cited. Knows nothing of who asks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from retrieval.documents import Entry
from retrieval.filters import Filters as Filters
from retrieval.filters import Said, passing, where
from retrieval.fitting import Fit, fit
from retrieval.index import Index
from retrieval.keywords import Keywords
from retrieval.query import read, tighter
from retrieval.spelling import Spelling
from retrieval.wording import word
from retrieval.words import has_han, normal

Kind = Literal["policy", "products"]
Mode = Literal["fused", "bm25", "vectors"]
# How many nearest entries the vectors name; the others count as far as the last of them.
_DEEP = 200
# Share of the vectors in the fused score, chosen on the even half of the search cases. Chinese questions reach
# them only as a gloss; wishes for goods are names more often than rules are.
_VECTOR_SHARE = {("policy", "en"): 0.85, ("policy", "zh"): 0.55, ("products", "en"): 0.65, ("products", "zh"): 0.55}
# BM25 has no scale of its own: its best hit counts as much as this cosine.
_BEST_WORDS = 0.5
_ANYTHING = Filters()


@dataclass(frozen=True)
class Hit:
    """One entry found, with its score by part: rank and strength in each list."""

    entry: Entry
    score: float
    bm25: float = 0.0
    cosine: float = 0.0
    ranks: dict[str, int] = field(default_factory=dict)
    fit: Fit = Fit()


# Rules: below both strengths (BM25, cosine) nothing answers. Shared Chinese characters score high in BM25 by themselves.
_WEAK = {"en": (3.2, 0.27), "zh": (9.0, 0.22)}
# Goods: a logistic regression of “the shop can answer this” on the even half of the product cases of two catalogues,
# cut where no more answerable wishes are turned away than by the cosine alone.
_FITS = {"cosine": 4.35, "covered": 4.04, "vague": 2.22, "other_article": -1.9, "cut": 3.66}


def answers(hit: Hit, question: str, kind: Kind) -> bool:
    """Whether a hit is strong enough to be taken for an answer rather than the nearest of what does not fit."""
    if kind == "policy":
        words, cosine = _WEAK["zh" if has_han(question) else "en"]
        return hit.bm25 >= words or hit.cosine >= cosine
    found = {"cosine": hit.cosine, "covered": hit.fit.covered, "vague": hit.fit.vague, "other_article": hit.fit.other_article}
    return sum(_FITS[name] * value for name, value in found.items()) >= _FITS["cut"]


# “1.2 L”, “220 克”, “5 件套”: what people leave off when they name a thing.
_MEASURE = re.compile(
    r"[\s,，]*\d[\d.x×]*\s*(?:l|ml|g|kg|cm|mm|m|w|升|毫升|克|千克|公斤|厘米|毫米|米|件套|片装?|只装?|个装?|支装?|包装?|袋|盒)\s*$", re.IGNORECASE
)


class Search:
    """Search over an open index. Rebuild with `refresh` after the index changed."""

    def __init__(self, index: Index) -> None:
        """Read the index's entries and build their keyword lists."""
        self.index = index
        self.refresh()

    def refresh(self) -> None:
        """Take up what the index holds now."""
        self._entries = {kind: list(entries) for kind, entries in self.index.entries.items()}
        self._place = {kind: {entry.id: n for n, entry in enumerate(entries)} for kind, entries in self._entries.items()}
        self._keywords = {kind: Keywords(entries) for kind, entries in self._entries.items()}
        self._said = {kind: [Said(entry) for entry in entries] for kind, entries in self._entries.items()}
        texts = (text for entries in self._entries.values() for entry in entries for text in (*entry.titles.values(), *entry.texts.values()))
        self._spelling = Spelling(found for text in texts for found in re.findall(r"[a-z]+", normal(text)))

    def names_product(self, text: str) -> str | None:
        """The id of a product whose name stands in the text, whole or without the measure at its end, the longest name first."""
        said = text.lower()
        found = []
        for entry in self._entries["products"]:
            for name in entry.titles.values():
                bare = _MEASURE.sub("", name)
                # “Kettle” alone names no product, “Cove Temperature Kettle” does.
                known = [name, *([bare] if len(bare) > (3 if has_han(bare) else 9) and (has_han(bare) or " " in bare) else [])]
                found += [(len(one), entry.id) for one in known if len(one) > 3 and one.lower() in said]
        return max(found)[1] if found else None

    def entry(self, kind: Kind, entry_id: str) -> Entry | None:
        """One entry by its id."""
        place = self._place[kind].get(entry_id)
        return None if place is None else self._entries[kind][place]

    def entries(self, kind: Kind) -> Sequence[Entry]:
        """All entries of a kind."""
        return self._entries[kind]

    def __call__(self, question: str, *, kind: Kind = "policy", limit: int = 5, mode: Mode = "fused", filters: Filters = _ANYTHING) -> list[Hit]:
        """The best entries for a question in English or Chinese, best first."""
        entries = self._entries[kind]
        if not entries or not question.strip():
            return []
        asked, filters = self._read(question, kind, filters)
        chinese, keywords = has_han(asked), self._keywords[kind]
        wording = word(asked, self._spelling, keywords.knows, without=filters.without)
        allowed = np.array(passing(self._said[kind], filters))
        # Chinese terms are counted with their character pairs; their ideas add the English.
        ideas = [*(idea[1:] if chinese else idea for idea in wording.ideas), wording.free]
        words = keywords.scores(asked if chinese else "", ideas=ideas) * allowed
        meant = wording.phrase if not chinese or not self.index.embed.reads_chinese else asked
        cosines = self._cosines(kind, meant, filters, allowed) if mode != "bm25" else {}
        hits = self._fuse(kind, words, cosines, mode, _VECTOR_SHARE[(kind, "zh" if chinese else "en")], limit)
        return [replace(hit, fit=fit(self._said[kind][self._place[kind][hit.entry.id]], wording.ideas, keywords)) for hit in hits]

    def _read(self, question: str, kind: Kind, filters: Filters) -> tuple[str, Filters]:
        """The words of a wish for goods, and the filters it names; rules are asked as they are put."""
        if kind == "policy":
            return question, filters
        asked = read(question)
        return asked.words or question, tighter(filters, asked.filters)

    def _cosines(self, kind: Kind, question: str, filters: Filters, allowed: NDArray[np.bool_]) -> dict[str, float]:
        if not question.strip() or not allowed.any():
            return {}
        vector = self.index.embed([question])[0]
        found = self.index.nearest(kind, vector, limit=_DEEP, where=where(filters))
        return {entry_id: value for entry_id, value in found.items() if entry_id in self._place[kind] and allowed[self._place[kind][entry_id]]}

    def _fuse(self, kind: Kind, words: NDArray[np.float32], cosines: dict[str, float], mode: Mode, share: float, limit: int) -> list[Hit]:
        """Weighted sum of cosine and scaled BM25 over everything either part named."""
        place, entries = self._place[kind], self._entries[kind]
        share = {"bm25": 0.0, "vectors": 1.0}.get(mode, share if cosines else 0.0)
        by_words = [entries[int(n)].id for n in np.argsort(-words, kind="stable")[:_DEEP] if words[n] > 0]
        by_vector = sorted(cosines, key=lambda e: -cosines[e])
        far, most = min(cosines.values(), default=0.0), float(words.max()) or 1.0
        named = by_words if share == 0 else by_vector if share == 1 else list(dict.fromkeys([*by_vector, *by_words]))
        scores = {e: share * cosines.get(e, far) + (1 - share) * _BEST_WORDS * float(words[place[e]]) / most for e in named}
        ranks = {name: {e: rank for rank, e in enumerate(order, start=1)} for name, order in (("bm25", by_words), ("vectors", by_vector))}
        return [
            Hit(entries[place[e]], scores[e], float(words[place[e]]), cosines.get(e, 0.0), ranks={name: mine[e] for name, mine in ranks.items() if e in mine})
            for e in sorted(scores, key=lambda e: (-scores[e], e))[:limit]
        ]
