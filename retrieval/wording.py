"""In which other words could the catalogue have it?

Cuts what is wanted into ideas, each with its alternatives: mended spelling,
synonyms, and the lexicon's English for Chinese. The vectors get one phrase in
words the catalogue uses, the keywords all alternatives.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jieba

from retrieval.alike import lacking, same
from retrieval.spelling import Spelling, mend_chinese
from retrieval.words import STOP_EN, STOP_ZH, has_han, normal, pieces, synonyms, terms

_LATIN = re.compile(r"[a-z0-9]+(?:['.][a-z0-9]+)*")
_LONGEST_PHRASE = 3


@dataclass(frozen=True)
class Wording:
    """What is wanted: each idea as its alternative phrases, one English phrase, and how goods free of what is excluded are called."""

    ideas: tuple[tuple[str, ...], ...]
    phrase: str
    free: tuple[str, ...] = ()


def word(text: str, spelling: Spelling, known: Callable[[str], bool], *, without: Sequence[str] = ()) -> Wording:
    """The wording of a wish for goods without some things; `known` says whether the catalogue has every word of a phrase."""
    ideas: list[tuple[str, ...]] = []
    phrase: list[str] = []
    for piece in pieces(mend_chinese(normal(text))):
        if has_han(piece):
            found = _chinese(piece, known)
            ideas += found
            # The vectors read a phrase with its little words better than without.
            phrase += [_first_english(idea, known) for idea in found] if found else list(synonyms(piece)[:1])
        else:
            said = [spelling.mend(one) for one in _LATIN.findall(piece)]
            found = _english(said)
            ideas += found
            phrase += _rewritten(piece, said, found, known)
    # What is excluded still says what is wanted: tea without caffeine is herbal or decaf.
    free = tuple(named for one in without for named in lacking(one) if known(named))
    leading = next((named for named in free if not has_han(named)), "")
    return Wording(tuple(ideas), " ".join(part for part in [leading, *phrase] if part), free)


def _english(words: list[str]) -> list[tuple[str, ...]]:
    """Ideas of English words, the longest phrase of the synonym table first."""
    ideas: list[tuple[str, ...]] = []
    place = 0
    while place < len(words):
        size = next((n for n in range(min(_LONGEST_PHRASE, len(words) - place), 1, -1) if same(" ".join(words[place : place + n]))), 1)
        said = " ".join(words[place : place + size])
        if size > 1 or said not in STOP_EN:
            ideas.append((said, *same(said)))
        place += size
    return ideas


def _rewritten(piece: str, words: list[str], ideas: list[tuple[str, ...]], known: Callable[[str], bool]) -> list[str]:
    """The piece as it was put, but for mended words and those that only have another name here."""
    text = piece
    for before, after in zip(_LATIN.findall(piece), words, strict=True):
        text = re.sub(rf"\b{re.escape(before)}\b", after, text) if before != after else text
    for idea in ideas:
        instead = next((other for other in idea[1:] if known(other)), "") if not known(idea[0]) else ""
        text = re.sub(rf"\b{re.escape(idea[0])}\b", instead, text) if instead else text
    return [text]


def _chinese(piece: str, known: Callable[[str], bool]) -> list[tuple[str, ...]]:
    """Ideas of a Chinese piece: a lexicon term with its English, or the words of an unknown run."""
    if piece in STOP_ZH:
        return []
    english = synonyms(piece)
    if not english:
        return [(run,) for run in jieba.cut(piece) if run not in STOP_ZH and (len(run) > 1 or known(run))]
    # The lexicon's first English word is the likeliest, unless only another one is sold here.
    english = english if any(map(known, english)) else tuple(dict.fromkeys([*english, *(other for one in english for other in same(one))]))
    ordered = sorted(english, key=lambda one: not known(one))
    return [(piece, *ordered)]


def _first_english(idea: tuple[str, ...], known: Callable[[str], bool]) -> str:
    english = [phrase for phrase in idea if not has_han(phrase) and terms(phrase)]
    return next((phrase for phrase in english if known(phrase)), english[0] if english else "")
