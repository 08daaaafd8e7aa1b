"""How does a message speak to one person?

Fields in braces, each with words for whoever has none: `{name|friend}`. What a
field holds is handed in; a field that nobody knows, or that would come out empty,
is an error.
"""

import re
import unicodedata
from collections.abc import Mapping

# Every member has a tier and points; a name or a city may be missing.
ALWAYS = ("tier", "points")
FIELDS = ("name", "city", *ALWAYS, "code", "unsubscribe")
# Unicode's control, format, surrogate and private characters, line and paragraph separators.
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
# Persian names and emoji are written with these.
_JOINERS = "\u200c\u200d"
_FIELD = re.compile(r"\{(\w+)(?:\|([^{}|]*))?\}")


def fields(text: str) -> list[tuple[str, str | None]]:
    """The fields of a text with their fallbacks, in order."""
    return [(m[1], m[2]) for m in _FIELD.finditer(text)]


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its fields filled. Raises KeyError for a field without a value or a fallback."""

    def filled(m: re.Match[str]) -> str:
        value = _one_line(values.get(m[1], "")) or (m[2] or "").strip()
        if not value:
            raise KeyError(m[1])
        return value

    return _FIELD.sub(filled, text)


def _one_line(value: str) -> str:
    """What people call themselves, without breaks, control characters and those that turn a line around."""
    return " ".join("".join(c if c in _JOINERS or unicodedata.category(c) not in _UNSEEN else " " for c in value).split())


def with_fallback(text: str, language: str) -> str:
    """A text whose bare {name} has words for whoever has none."""
    return text.replace("{name}", "{name|朋友}" if language == "zh" else "{name|friend}")
