"""Which sentences of a passage answer the question?"""

import re

import numpy as np

from retrieval.embed import Embeds
from retrieval.words import gloss, has_han, terms

_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9“\"'£(])|(?<=[。！？])")
_LONGEST = {"en": 330, "zh": 150}


def sentences(text: str) -> list[str]:
    """A text's sentences, English and Chinese."""
    flat = " ".join(line.strip().lstrip("-* ") for line in text.splitlines() if line.strip())
    return [part.strip() for part in _END.split(flat) if part and part.strip()]


def excerpt(question: str, text: str, embed: Embeds) -> str:
    """The one to three sentences of a passage that bear most on the question, in their order."""
    parts = sentences(text)
    if len(parts) <= 2:
        return " ".join(parts)
    language = "zh" if has_han(text) else "en"
    scores = _by_words(question, parts)
    if language == "en" or embed.reads_chinese:
        asked = gloss(question) if has_han(question) and not embed.reads_chinese else question
        vectors = embed([asked, *parts])
        scores = scores + 1.5 * (vectors[1:] @ vectors[0])
    # The first sentence of a section usually states the rule.
    scores[0] += 0.15
    best = int(np.argmax(scores))
    chosen = {best}
    second = int(np.argsort(-scores)[1])
    if scores[second] >= scores[best] * 0.6 or abs(second - best) == 1:
        chosen.add(second)
    if best == 0 and len(parts) > 1 and 1 not in chosen and len(chosen) < 3 and len(parts[0]) < 60:
        chosen.add(1)
    kept = [parts[n] for n in sorted(chosen)]
    glue = "" if language == "zh" else " "
    while len(kept) > 1 and len(glue.join(kept)) > _LONGEST[language]:
        kept = [parts[best]]
    return glue.join(kept)


def _by_words(question: str, parts: list[str]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Share of the question's terms in each sentence, rare ones counting more."""
    wanted = set(terms(question))
    there = [set(terms(part)) for part in parts]
    weight = {term: 1.0 / (1 + sum(term in words for words in there)) for term in wanted}
    total = sum(weight.values()) or 1.0
    return np.array([sum(weight[t] for t in wanted & words) / total for words in there])
