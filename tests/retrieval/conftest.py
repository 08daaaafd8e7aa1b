"""Vectors a hand can check, the real ones, and a shelf of a few goods."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.documents import Entry
from retrieval.embed import SentenceVectors, Vectors
from retrieval.index import Index
from retrieval.search import Search


class LetterVectors:
    """Unit vectors of letter counts; remembers what it was given."""

    reads_chinese = True
    name = "letters"

    def __init__(self) -> None:
        """Start with nothing given."""
        self.given: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """One row a text."""
        self.given += texts
        rows = np.array([[1 + text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts], np.float32)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def letters() -> LetterVectors:
    """The embedder whose work can be counted."""
    return LetterVectors()


@pytest.fixture(scope="session")
def sentences() -> SentenceVectors:
    """The packaged model, loaded once."""
    return SentenceVectors()


def thing(entry_id: str, name: str, text: str = "", zh: tuple[str, str] | None = None, **facts: Any) -> Entry:
    """A product entry, Chinese only where it is given."""
    titles, texts = {"en": name}, {"en": text or name}
    if zh:
        titles["zh"], texts["zh"] = zh
    return Entry(entry_id, titles, texts, {}, {"price_cents": 1000, "category": "home", "in_stock": True, **facts})


GOODS = [
    thing("P-1", "Iron Kettle", "A kettle for boiling water, cast iron", ("铁壶", "烧水的铸铁壶"), price_cents=4000, category="kitchen"),
    thing("P-2", "Glass Kettle", "A kettle of glass for boiling water", ("玻璃壶", "烧水的玻璃壶"), price_cents=2500, category="kitchen", in_stock=False),
    thing("P-3", "Steel Kettle", "A light steel kettle for boiling water", ("钢壶", "烧水的不锈钢壶"), price_cents=1500, category="camping"),
    thing("P-4", "Wool Blanket", "A warm blanket of lambswool", ("羊毛毯", "保暖的羊毛毯子"), price_cents=6000),
    thing("P-5", "Desk Lamp", "A reading lamp for the desk", ("台灯", "书桌上的阅读灯"), price_cents=3500, category="lighting"),
]


@pytest.fixture(scope="session")
def shelf(sentences: SentenceVectors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Search]:
    """Five goods under the real vectors; only read."""
    index = Index(tmp_path_factory.mktemp("index"), sentences)
    index.update("products", GOODS)
    yield Search(index)
    index.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a test's own index lies."""
    return tmp_path / "index"
