"""Which words stand in a text?

Splits English and Chinese into search terms and turns a Chinese question into
a rough English one with the shopping lexicon, because the packaged vectors
cannot read Chinese at all.
"""

import logging
import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

import jieba

LEXICON = Path(__file__).with_name("lexicon.tsv")
_HAN = re.compile(r"[\u3400-\u9fff]+")
_LATIN = re.compile(r"[a-z0-9]+(?:[’'.][a-z0-9]+)*")
# Words so common that they say nothing about what is wanted.
STOP_EN = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "for",
        "from",
        "get",
        "got",
        "had",
        "has",
        "have",
        "how",
        "i",
        "if",
        "in",
        "is",
        "it",
        "its",
        "just",
        "like",
        "me",
        "my",
        "of",
        "on",
        "or",
        "our",
        "please",
        "so",
        "some",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "will",
        "with",
        "would",
        "you",
        "your",
        "am",
        "any",
        "about",
        "want",
        "need",
        "looking",
        "something",
        "anything",
        "im",
        "ive",
        "id",
    ]
)
STOP_ZH = frozenset(
    [
        "的",
        "了",
        "吗",
        "呢",
        "吧",
        "啊",
        "我",
        "你",
        "您",
        "他",
        "她",
        "它",
        "是",
        "在",
        "有",
        "和",
        "与",
        "就",
        "都",
        "也",
        "还",
        "要",
        "想",
        "请",
        "给",
        "把",
        "被",
        "跟",
        "很",
        "这",
        "那",
        "个",
        "们",
        "呀",
        "嘛",
        "哦",
        "么",
        "一个",
        "一下",
        "什么",
        "怎么",
        "可以",
        "能",
        "会",
        "请问",
        "想要",
        "有没有",
    ]
)
jieba.setLogLevel(logging.WARNING)


def has_han(text: str) -> bool:
    """Whether any Chinese character occurs."""
    return _HAN.search(text) is not None


def normal(text: str) -> str:
    """Full-width to half-width, lower case, one kind of apostrophe."""
    return unicodedata.normalize("NFKC", text).lower().replace("’", "'")


def terms(text: str) -> list[str]:
    """Search terms: stemmed English words, Chinese words and their character pairs."""
    text = normal(text)
    found = [stem(word) for word in _LATIN.findall(text) if word not in STOP_EN]
    for run in _HAN.findall(text):
        found += [word for word in _cut(run) if word not in STOP_ZH]
        found += [f"{a}{b}" for a, b in zip(run, run[1:], strict=False)]
    return found


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """A light English stem: plural and possessive endings, `-ing` and `-ed` on longer words."""
    word = word.removesuffix("'s")
    for ending, instead, least in (
        ("sses", "ss", 6),
        ("ies", "y", 5),
        ("ches", "ch", 6),
        ("shes", "sh", 6),
        ("xes", "x", 5),
        ("s", "", 4),
        ("ing", "", 7),
        ("ed", "", 6),
    ):
        if word.endswith(ending) and len(word) >= least and not word.endswith("ss"):
            return word[: -len(ending)] + instead
    return word


def gloss(text: str) -> str:
    """A Chinese text as rough English, longest lexicon term first; English parts stay."""
    return " ".join(synonyms(piece)[0] if synonyms(piece) else piece for piece in pieces(text) if synonyms(piece) or not has_han(piece))


def every_gloss(text: str) -> str:
    """All the English the lexicon has for a Chinese text: to be found by, not to be read."""
    return " ".join(english for piece in pieces(text) for english in synonyms(piece))


def pieces(text: str) -> list[str]:
    """A text cut into terms of the lexicon, longest first, unknown Chinese runs and the rest."""
    known, longest = _lexicon()
    out: list[str] = []
    place, before = 0, 0
    text = normal(text)
    while place < len(text):
        size = next((n for n in range(min(longest, len(text) - place), 0, -1) if text[place : place + n] in known), 0) if _HAN.match(text[place]) else 0
        if size:
            out += [*_runs(text[before:place]), text[place : place + size]]
            before = place + size
        place += size or 1
    return [*out, *_runs(text[before:])]


def _runs(text: str) -> list[str]:
    return [run.strip() for run in re.findall(r"[\u3400-\u9fff]+|[^\u3400-\u9fff]+", text) if run.strip()]


def synonyms(term: str) -> tuple[str, ...]:
    """The English words the lexicon gives for a Chinese term; none for an unknown one."""
    return _lexicon()[0].get(term, ())


def known_terms() -> Iterable[str]:
    """Every Chinese term of the lexicon."""
    return _lexicon()[0].keys()


def kind_of(term: str) -> str:
    """What kind of thing a Chinese term of the lexicon is: product, city, person …; empty for an unknown one."""
    return _kinds().get(term, "")


@cache
def _kinds() -> dict[str, str]:
    rows = (line.split("\t") for line in LEXICON.read_text(encoding="utf-8").splitlines() if line.strip())
    return {row[0]: row[2] for row in rows}


@lru_cache(maxsize=50_000)
def _cut(run: str) -> tuple[str, ...]:
    _taught()
    return tuple(jieba.cut_for_search(run))


@cache
def _taught() -> bool:
    """Teach the segmenter the lexicon's terms, so that it does not cut through them."""
    jieba.initialize()
    for term in _lexicon()[0]:
        jieba.add_word(term)
    return True


@cache
def _lexicon() -> tuple[dict[str, tuple[str, ...]], int]:
    rows = (line.split("\t") for line in LEXICON.read_text(encoding="utf-8").splitlines() if line.strip())
    known = {row[0]: tuple(row[1].split("|")) for row in rows}
    return known, max(map(len, known), default=0)
