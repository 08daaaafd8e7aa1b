"""Which words claim too much, or are not the brand's?

Holds a text against the groups of words in copy/compliance.toml and in a brand's file.
Knows nothing of figures, and nothing of the meaning between the words: irony is taken at its word.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from prompts.compliance.facts import TRUE_WHEN, Facts, Lines
from prompts.compliance.findings import RULES, Hit, breach
from prompts.compliance.reading import COPY, HAN, Read, in_a_name, rule_file, sentence, spelling


@dataclass(frozen=True)
class _Group:
    """Patterns of one rule with one reason, each perhaps needing another near it; `true_when` names the facts under which their words are true."""

    rule: str
    patterns: tuple[tuple[re.Pattern[str], re.Pattern[str] | None], ...]
    reason: tuple[str, str]
    instead: tuple[str, str]
    true_when: str | None


@cache
def _groups() -> tuple[_Group, ...]:
    return tuple(
        _Group(rule, _pairs(group), tuple(group["reason"]), tuple(group["instead"]), group.get("true_when"))
        for rule in RULES
        for group in rule_file().get(rule, ())
    )


@cache
def _fine() -> dict[str, tuple[re.Pattern[str], ...]]:
    return {rule: _compiled([p for group in rule_file()[rule] for p in group.get("fine", ())]) for rule in RULES if rule in rule_file()}


def _pairs(group: Mapping[str, Any]) -> tuple[tuple[re.Pattern[str], re.Pattern[str] | None], ...]:
    """A group's patterns by language, each with what must stand in the same sentence, if anything."""
    return tuple(
        (pattern, next(iter(_compiled(group.get(f"near_{language}", []))), None)) for language in ("en", "zh") for pattern in _compiled(group.get(language, []))
    )


# Letters of a word, or digits of a number, in a pattern. Without an end, each one of a run of thousands would be a start that reads on to its end.
_LONGEST_WORD = 64
_WORD_OF_ANY_LENGTH = re.compile(r"(\\w|\\d|\[\\w-\]|\[\\d[^\]]*\])([+*])")


def _compiled(patterns: list[str]) -> tuple[re.Pattern[str], ...]:
    """English patterns as whole words, Chinese ones as they are."""
    patterns = [_WORD_OF_ANY_LENGTH.sub(lambda m: f"{m[1]}{{{int(m[2] == '+')},{_LONGEST_WORD}}}", p) for p in patterns]
    han = [p for p in patterns if HAN.search(p)]
    latin = [re.sub(" (?=[?*+{])", lambda _: r"\s", p).replace(" ", r"\s+") for p in patterns if p not in han]
    found = [re.compile(rf"(?<![a-z0-9])(?:{'|'.join(latin)})(?![a-z0-9])")] if latin else []
    return (*found, *([re.compile("|".join(han))] if han else []))


def claims_made(read: Read, language: str, facts: Facts) -> Iterator[Hit]:
    """Words of the file's groups that neither the facts nor their context allow."""
    fine: dict[str, list[tuple[int, int]]] = {}
    lines, has_han = Lines(language, facts), HAN.search(read.lower) is not None
    for group in _groups():
        if group.true_when and TRUE_WHEN[group.true_when](facts):
            continue
        wanted = (pair for pair in group.patterns if has_han or not HAN.search(pair[0].pattern))
        for start, end in (span for pattern, near in wanted for span in _spans(pattern, near, read.lower)):
            if group.rule not in fine:
                fine[group.rule] = [m.span() for pattern in _fine()[group.rule] for m in pattern.finditer(read.lower)]
            if start < end and not _within(start, end, fine[group.rule]) and not in_a_name(read, start, end, facts):
                yield Hit(group.rule, start, end, group.reason, lines.fill(group.instead[language == "zh"]))


# How far apart, in characters, two expressions of one sentence still speak of one another.
_NEAR = {True: 70, False: 24}


def _spans(pattern: re.Pattern[str], near: re.Pattern[str] | None, text: str) -> Iterator[tuple[int, int]]:
    """Where a pattern stands; with a second one, where both stand in one sentence, from the first to the last of the two."""
    for match in pattern.finditer(text):
        start, end = match.span()
        if near is None:
            yield start, end
            continue
        reach = _NEAR[match[0].isascii()]
        before, after = sentence(text[max(0, start - reach) : start], last=True), sentence(text[end : end + reach])
        if found := near.search(after):
            yield start, end + found.end()
        elif found := near.search(before):
            yield start - len(before) + found.start(), end


def _within(start: int, end: int, spans: list[tuple[int, int]]) -> bool:
    """Whether at least half of a stretch lies in one of the spans."""
    return any(2 * (min(end, b) - max(start, a)) >= end - start for a, b in spans)


@dataclass(frozen=True)
class BrandWord:
    """A word the brand does not use, and what it says instead in each language."""

    pattern: re.Pattern[str]
    instead_en: str
    instead_zh: str


@dataclass(frozen=True)
class Brand:
    """The words a brand does not use."""

    words: tuple[BrandWord, ...]


def brand_words(read: Read, language: str, facts: Facts, brand: Brand) -> Iterator[Hit]:
    """Words the brand does not use."""
    for word in brand.words:
        for match in word.pattern.finditer(read.lower):
            if match["word"] and not in_a_name(read, *match.span("word"), facts):
                yield breach("brand_word", *match.span("word"), "brand", word.instead_zh if language == "zh" else word.instead_en)


@cache
def packaged_brand() -> Brand:
    """The brand words of copy/brand.toml."""
    return load_brand(COPY / "brand.toml")


def load_brand(path: Path) -> Brand:
    """The brand's words from a TOML file of [[word]] tables. Raises ValueError naming the file, the word and what is wrong with it."""
    try:
        told = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ValueError(f"{path}: {error}") from error
    words = told.get("word")
    if set(told) != {"word"} or not isinstance(words, list):
        raise ValueError(f"{path}: it must hold [[word]] tables and nothing else.")
    return Brand(tuple(_brand_word(path, number, word) for number, word in enumerate(words, 1)))


def _brand_word(path: Path, number: int, word: Any) -> BrandWord:
    where = f"{path}, word {number}"
    if not isinstance(word, dict):
        raise ValueError(f"{where}: it must be a table.")
    for key in ("avoid", "instead_en", "instead_zh"):
        if not isinstance(word.get(key), str) or not word[key].strip():
            raise ValueError(f"{where}: “{key}” is missing or no text.")
    if unknown := set(word) - {"avoid", "also", "fine", "instead_en", "instead_zh"}:
        raise ValueError(f"{where} ({word['avoid']}): “{sorted(unknown)[0]}” is not known.")
    for key in ("also", "fine"):
        if not isinstance(word.get(key, []), list) or not all(isinstance(one, str) and one.strip() for one in word.get(key, [])):
            raise ValueError(f"{where} ({word['avoid']}): “{key}” must be a list of words.")
    said = sorted((spelling(one) for one in (word["avoid"], *word.get("also", ()))), key=len, reverse=True)
    fine = sorted((spelling(one) for one in word.get("fine", ())), key=len, reverse=True)
    # What is fine is read first and passed over.
    pattern = "|".join((*fine, f"(?P<word>{'|'.join(said)})"))
    return BrandWord(re.compile(pattern), word["instead_en"], word["instead_zh"])
