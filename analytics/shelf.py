"""Where do trained models wait?

A folder of models, each with a card that says on what, when and how well it was
trained. A model is written aside and moved into place whole, so that a failed
training leaves the last good one.
"""

import json
import logging
import shutil
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import joblib

log = logging.getLogger("patron.shelf")


@dataclass(frozen=True)
class Card:
    """What a person should know before trusting a model."""

    name: str
    version: str
    trained_on: str
    as_of: str
    rows: int
    measures: dict[str, float] = field(default_factory=dict)
    notes: str = ""
    measured_on: str = ""
    groups: dict[str, Any] = field(default_factory=dict)
    importance: dict[str, float] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


class Shelf:
    """Models by name under one folder."""

    def __init__(self, folder: Path) -> None:
        """Use a folder; it is made at the first save."""
        self.folder = folder

    def save(self, model: Any, card: Card) -> Path:
        """Put a model and its card in place of the former one."""
        place, fresh = self.folder / card.name, self.folder / f".{card.name}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        joblib.dump(model, fresh / "model.joblib", compress=3)
        (fresh / "card.json").write_text(json.dumps(asdict(card), ensure_ascii=False, indent=1), encoding="utf-8")
        old = self.folder / f".{card.name}.old"
        shutil.rmtree(old, ignore_errors=True)
        if place.exists():
            place.rename(old)
        fresh.rename(place)
        shutil.rmtree(old, ignore_errors=True)
        return place

    def load(self, name: str) -> Any | None:
        """A model, or None when none was trained or its file is damaged. Only files this program wrote are ever loaded."""
        path = self.folder / name / "model.joblib"
        if not path.is_file():
            return None
        try:
            return joblib.load(path)
        except Exception as error:  # a damaged file fails in as many ways as it has bytes; a shop goes on without it
            log.error("the model %s cannot be read (%s): run `patron train`", name, type(error).__name__)
            return None

    def card(self, name: str) -> Card | None:
        """A model's card, or None."""
        path = self.folder / name / "card.json"
        return Card(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None

    def cards(self) -> list[Card]:
        """Every card, by name."""
        found = [self.card(path.parent.name) for path in sorted(self.folder.glob("[!.]*/card.json"))]
        return [card for card in found if card is not None]


def today_version(on: date, rows: int) -> str:
    """A version a person can read: the day and the size of what was learned."""
    return f"{on.isoformat()}.{rows}"
