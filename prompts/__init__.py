"""Which words does Patron use?

Loads the system prompts and the embedded model's phrases strictly: a value a
text asks for and does not get is an error, never an empty slot.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from prompts import formats

FOLDER = Path(__file__).parent
LANGUAGES = ("en", "zh")


@cache
def _texts() -> Environment:
    texts = Environment(loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    texts.globals.update(shelf=category_name)
    texts.filters.update(money=formats.money, day=formats.day, n=formats.number, either=formats.either)
    return texts


def render(name: str, /, **values: Any) -> str:
    """A text file of this folder with its values filled in. Raises UndefinedError for a missing one."""
    return _texts().get_template(name).render(**values).strip()


def phrase(language: str, name: str, /, *, turn: int = 0, **values: Any) -> str:
    """One of the embedded model's answers, from the macro of that name in the language's file."""
    module = _phrases(language).make_module({"language": language, "pick": _picker(turn), **values})
    macro: Callable[[], str] = getattr(module, name)
    return _tidy(str(macro()))


def phrase_of(language: str, name: str, key: str) -> str:
    """What a macro of one argument says of a key, such as a segment's or a trait's name."""
    blank: dict[str, Any] = {"r": {}, "a": {}, "today": "", "name": "", "role": "", "shown": 0, "said": "", "cited": ""}
    macro: Callable[[str], str] = getattr(_phrases(language).make_module({"language": language, "pick": _picker(0), **blank}), name)
    return str(macro(key)).strip()


def phrases_source(language: str) -> str:
    """All phrase files of a language as one text."""
    return "\n".join((FOLDER / "embedded" / f"{part}.{language}.jinja").read_text(encoding="utf-8") for part in ("answers", "service", "foresight", "studio"))


@cache
def _phrases(language: str) -> Template:
    return _texts().from_string(phrases_source(language))


def has_phrase(language: str, name: str) -> bool:
    """Whether the language has a macro of that name."""
    return f"macro {name}(" in phrases_source(language)


@cache
def _refusals() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((FOLDER / "embedded" / "refusals.toml").read_text(encoding="utf-8"))


def refusal(language: str, record: Mapping[str, Any], *, today: str) -> str | None:
    """Why a rule says no, what is possible instead, and where it is written; None for a rule without words of its own."""
    place, said = LANGUAGES.index(language), _refusals()
    wordings = said["rule"].get(str(record.get("rule", "")))
    if wordings is None:
        return None
    states = said["state"]
    values = {
        "r": defaultdict(str, record),
        "d": lambda on: formats.day(on, language, today) if on else "",
        "state_word": lambda state: states[state][place] if state in states else str(state).replace("_", " "),
    }
    instead = said["instead"].get(str(record.get("instead", "")), ["", ""])[place]
    text = (" " if language == "en" else "").join(part for part in (wordings[place], instead) if part)
    cited = record.get(f"citation_{language}")
    mark = "" if not cited else f" [{cited}]" if language == "en" else f"［{cited}］"
    return _tidy(_texts().from_string(text).render(**values) + mark)


def _picker(turn: int) -> Callable[..., str]:
    """Wordings take turns, so that the same sentence is never said twice in a row."""

    def pick(*wordings: str) -> str:
        return wordings[turn % len(wordings)]

    return pick


def _tidy(text: str) -> str:
    lines = [" ".join(line.split()) for line in text.strip().splitlines()]
    kept = [line for n, line in enumerate(lines) if line or (n and lines[n - 1])]
    return "\n".join(kept).strip()


def system_prompt(role: str, values: Mapping[str, Any]) -> str:
    """The system prompt of a role."""
    return render(f"{role}.md", **values)


@cache
def _categories() -> dict[str, dict[str, str]]:
    return tomllib.loads((FOLDER / "categories.toml").read_text(encoding="utf-8"))


def category_name(key: str, language: str) -> str:
    """A category as people read it; its key where no name is written."""
    return _categories().get(key, {}).get(language) or key.replace("_", " ").replace("-", " ")


def shelf_name(key: str, language: str) -> str:
    """A category as a message to customers names it."""
    name = category_name(key, language)
    return f"{name}用品" if language == "zh" and len(name) < 3 and key not in ("tea", "coffee") else name if language == "zh" else f"our {name.lower()} shelf"


def names_category(key: str, text: str) -> bool:
    """Whether a text uses a word for the category."""
    words = _categories().get(key, {}).get("words") or re.escape(key.lower())
    return any(re.search(rf"\b(?:{word})\b" if word.isascii() else word, text.lower()) for word in words.split("|"))


def examples() -> dict[str, list[tuple[str, str, str]]]:
    """What people say for each thing the embedded model can do: label → (author, language, message)."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for path in sorted((FOLDER / "embedded" / "examples").glob("*.tsv")):
        rows: Sequence[str] = path.read_text(encoding="utf-8").splitlines()
        found[path.stem] = [tuple(row.split("\t", 2)) for row in rows if row.strip()]  # type: ignore[misc]
    return found


@cache
def _behind() -> dict[str, str]:
    return tomllib.loads((FOLDER / "embedded" / "labels.toml").read_text(encoding="utf-8"))


def tool_of(label: str) -> str:
    """The tool behind a label of the examples: the one of that name unless the file says another."""
    return _behind().get(label, label)
