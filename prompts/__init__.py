"""Which words does Patron use?

Loads the system prompts and the embedded model's phrases strictly: a value a
text asks for and does not get is an error, never an empty slot.
"""

import re
import tomllib
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
    texts.filters.update(money=formats.money, day=formats.day, n=formats.number, either=formats.either)
    return texts


def render(name: str, /, **values: Any) -> str:
    """A text file of this folder with its values filled in. Raises UndefinedError for a missing one."""
    return _texts().get_template(name).render(**values).strip()


def phrase(language: str, name: str, /, *, turn: int = 0, **values: Any) -> str:
    """One of the embedded model's answers, from the macro of that name in the language's file."""
    template: Template = _texts().get_template(f"embedded/answers.{language}.jinja")
    module = template.make_module({"language": language, "pick": _picker(turn), **values})
    macro: Callable[[], str] = getattr(module, name)
    return _tidy(str(macro()))


def has_phrase(language: str, name: str) -> bool:
    """Whether the language's file has a macro of that name."""
    return f"macro {name}(" in (FOLDER / "embedded" / f"answers.{language}.jinja").read_text(encoding="utf-8")


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
