"""How does a text read, tricks undone, and where does each of its characters stand?

Full width, accents, look-alikes, traditional characters, separators and leetspeak are undone; every place is known in the original.
Cuts sentences and clauses, and tells a product's own name. Knows nothing of what is allowed.
"""

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from prompts.compliance.facts import Facts

COPY = Path(__file__).parents[1] / "copy"
# Characters of one part that are read: no channel carries more, and a longer one would only cost time.
READ_AT_MOST = 6000


@dataclass(frozen=True)
class Read:
    """A text as it is read, in `lower` case and as `cased`, and where each of its characters stands in the original, of which `end` characters were read."""

    lower: str
    cased: str
    at: tuple[int, ...]
    end: int

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Where a stretch of the text as read stands in the original."""
        return (self.at[start], self.at[end - 1] + 1) if start < end else (self.at[start - 1] + 1 if start else 0,) * 2

    @cached_property
    def titles(self) -> tuple[tuple[int, int], ...]:
        """Where titles of works stand."""
        return tuple(m.span() for m in _TITLE.finditer(self.lower))


_LOOKALIKES = str.maketrans("’‘＇´`“”–—‑‐−аеорсхіуАЕОРСХІ。", "'''''\"\"-----aeopcxiyAEOPCXI。")
_SIMPLE = str.maketrans(
    "價優國級頂極絕無雙療癒減賺穩險專櫃網類個萬現買賣後僅剩時點這裡體歷證純見靈藥養壓風財資領終場價標殺後將結還會員錢過續來當沒與爆瘋親寶貝買舊漲專爲",
    "价优国级顶极绝无双疗愈减赚稳险专柜网类个万现买卖后仅剩时点这里体历证纯见灵药养压风财资领终场价标杀后将结还会员钱过续来当没与爆疯亲宝贝买旧涨专为",
)
HAN = re.compile(r"[\u3400-\u9fff]")
_BETWEEN_HAN = re.compile(r"(?<=[\u3400-\u9fff])(?:[ \t]|[ \t]*[*·•._\-|/\\~^+#=&@]{1,3}[ \t]*)(?=[\u3400-\u9fff])")
_SPELT = re.compile(r"(?<![a-z0-9])[a-z](?:([ .*_\-·])[a-z])(?:\1[a-z])+(?![a-z0-9])")
# The title of a work is quoted, not claimed.
_TITLE = re.compile(r"《[^》\n]*》|\"[^\"\n]{3,60}\",? (?:by|edited|translated) ")
_LAST_LETTERS = re.compile(r"[a-z]*\Z")
_FIRST_LETTERS = re.compile(r"\A[a-z]*")
_LEET = re.compile(r"(?<![\w£$€¥.])(?=\w*[a-z])(?=[a-z@$!*]*[0134578@$!*])[a-z0-9@$!*€]{4,}(?![a-z0-9])")
_LEET_OF = {"0": "o", "1": "il", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "@": "a", "$": "s", "!": "i", "€": "e"}


def as_read(original: str) -> Read:
    """Full width, accents, look-alikes and invisible characters undone; separators inside words and leetspeak, too."""
    cased: list[str] = []
    at: list[int] = []
    end = 0
    for place, char in enumerate(original[:READ_AT_MOST]):
        # One character may be read as eighteen.
        if len(at) >= READ_AT_MOST:
            break
        end = place + 1
        if char.isascii():
            cased.append(char)
            at.append(place)
            continue
        for one in unicodedata.normalize("NFKD", char):
            if unicodedata.category(one) not in ("Mn", "Cf", "Me"):
                cased.append(one)
                at.append(place)
    told = "".join(cased).translate(_LOOKALIKES).translate(_SIMPLE)
    lower = "".join(low if len(low := c.lower()) == 1 else c for c in told)
    drop = {n for m in _BETWEEN_HAN.finditer(lower) for n in range(*m.span())}
    drop |= {n for m in _SPELT.finditer(lower) for n in range(*m.span()) if lower[n] == m[1]}
    for match in _split_words().finditer(lower):
        if not match[1]:
            drop |= {n for n in range(*match.span()) if not lower[n].isalpha()}
            continue
        # No further than the longest word reaches, or a long run of letters takes its square in steps.
        head, tail = lower[max(0, match.start() - _longest()) : match.start()], lower[match.end() : match.end() + _longest()]
        twice = f"{_LAST_LETTERS.findall(head)[0]}{match[1] * 2}{_FIRST_LETTERS.findall(tail)[0]}" in masked()
        drop |= set(range(match.start() + 1 + twice, match.end()))
    if drop:
        kept = [n for n in range(len(lower)) if n not in drop]
        lower, told, at = "".join(lower[n] for n in kept), "".join(told[n] for n in kept), [at[n] for n in kept]
    return Read(_LEET.sub(lambda m: _unmasked(m[0]), lower), told, tuple(at), end)


@cache
def _split_words() -> re.Pattern[str]:
    """The masked words with one separator somewhere inside, or a letter more than twice."""
    cuts = (f"{word[:n]}[ .*_·-]{word[n:]}" for word in masked() for n in range(1, len(word)) if word[n:] not in ("s", "ed", "er", "est"))
    return re.compile(rf"(?<![a-z0-9'])(?:{'|'.join(re.escape(cut).replace(re.escape('[ .*_·-]'), '[ .*_·-]') for cut in cuts)})(?![a-z0-9])|([a-z])\1{{2,}}")


def _unmasked(word: str) -> str:
    """A masked word as the one of the file it hides, of the same length; itself where it hides none."""
    shape = "".join("[a-z]" if c == "*" else f"[{_LEET_OF[c]}]" if c in _LEET_OF else re.escape(c) for c in word)
    return next((known for known in masked() if len(known) == len(word) and re.fullmatch(shape, known)), word)


@cache
def rule_file() -> dict[str, Any]:
    """What stands in copy/compliance.toml."""
    return tomllib.loads((COPY / "compliance.toml").read_text(encoding="utf-8"))


@cache
def masked() -> tuple[str, ...]:
    """The words that are looked for behind leetspeak and separators."""
    return tuple(rule_file()["masked"].split())


@cache
def _longest() -> int:
    return max(map(len, masked()))


@cache
def spelling(word: str) -> str:
    """A pattern for a word as it is read; a Latin one as a whole word."""
    read = re.escape(as_read(word.strip()).lower).replace(r"\ ", r"\s+")
    return rf"(?<![a-z0-9]){read}(?![a-z0-9])" if read[0].isascii() else read


def sentence(text: str, *, last: bool = False) -> str:
    """The stretch of a text within its sentence: after the last full stop, or before the first."""
    return re.split(r"[。！？!?;；\n]|\.(?=\s|$)", text)[-1 if last else 0]


def clause(text: str, *, last: bool = False) -> str:
    """The stretch of a text within its clause: after the last stop, or before the first."""
    pieces = re.split(r"[。！？!?;；\n]|(?<=[a-z\u3400-\u9fff])[.,，](?=\s|[\u3400-\u9fff])", text)
    return pieces[-1] if last else pieces[0]


def in_a_name(read: Read, start: int, end: int, facts: Facts) -> bool:
    """Whether words are part of a product's own name: more of the name stands around them, or they are all of it; or of another title."""
    text = read.lower
    words = text[start:end].strip()
    if any(a <= start and end <= b for a, b in read.titles):
        return True
    for name in map(name_as_read, facts.all_names):
        at = name.find(words)
        while at >= 0:
            before, after = at, at + len(words)
            left, right = start, start + len(words)
            while before and left and name[before - 1] == text[left - 1]:
                before, left = before - 1, left - 1
            while after < len(name) and right < len(text) and name[after] == text[right]:
                after, right = after + 1, right + 1
            shared = name[before:after]
            around = shared.replace(words, " ", 1)
            if shared == name or re.search(r"[\u3400-\u9fff]{2}", around) or re.search(r"\b[a-z]{4,}\b", around):
                return True
            at = name.find(words, at + 1)
    return False


@cache
def name_as_read(name: str) -> str:
    """A product's name as it is read, in lower case."""
    return as_read(name).lower
