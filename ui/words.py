"""What do buttons and labels say, in English and Chinese?"""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

_PLACE = {"en": 0, "zh": 1}


@cache
def _texts() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))


def say(key: str, language: str) -> str:
    """One interface text. Raises KeyError for an unknown key."""
    return str(_texts()[key][_PLACE[language]])


def state(status: str, language: str) -> str:
    """Where an order is, in words; a status without any stays as it is."""
    pair = _texts().get(f"state_{status}")
    return str(pair[_PLACE[language]]) if pair else status


def working(tool: str, language: str) -> str:
    """The sign of life while a tool works."""
    texts = _texts()
    return str(texts.get(f"working_{tool}", texts["thinking"])[_PLACE[language]])


def suggestions(role: str, language: str) -> list[str]:
    """Questions to start with."""
    return [pair[_PLACE[language]] for pair in _texts()["suggest"][role]]
