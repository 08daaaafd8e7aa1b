"""Does the shelf keep the last good model, whatever happens to the next one?"""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from analytics.shelf import Card, Shelf, today_version
from analytics.win_back import Response

CARD = Card("churn", "1", "orders until 2026-06-01", "2026-06-01", 100, {"auc": 0.8}, "first")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf")


def test_a_model_comes_back_with_its_card(shelf: Shelf) -> None:
    model = Response(100, 20, 30, 4)
    shelf.save(model, CARD)
    assert shelf.load("churn") == model
    assert shelf.card("churn") == CARD


def test_an_empty_shelf_has_nothing(shelf: Shelf) -> None:
    assert shelf.load("churn") is None and shelf.card("churn") is None and shelf.cards() == []


@pytest.mark.parametrize("left", [0, 1, 20, -40])
def test_a_damaged_model_is_as_good_as_none_and_its_card_stays(shelf: Shelf, left: int) -> None:
    path = shelf.save({"n": list(range(100))}, CARD) / "model.joblib"
    path.write_bytes(path.read_bytes()[:left])
    assert shelf.load("churn") is None and shelf.card("churn") == CARD


def test_a_newer_model_takes_the_place_whole(shelf: Shelf) -> None:
    shelf.save({"n": 1}, CARD)
    shelf.save({"n": 2}, replace(CARD, version="2"))
    assert shelf.load("churn") == {"n": 2}
    assert [card.version for card in shelf.cards()] == ["2"]
    assert [path.name for path in shelf.folder.iterdir()] == ["churn"]


def test_a_failed_save_leaves_the_last_good_model_and_card(shelf: Shelf) -> None:
    shelf.save({"n": 1}, CARD)
    with pytest.raises(Exception, match="pickle"):
        shelf.save({"n": 2, "cannot be kept": lambda: 0}, replace(CARD, version="2"))
    assert shelf.load("churn") == {"n": 1}
    assert shelf.cards() == [CARD]


def test_a_failed_card_leaves_the_last_good_model(shelf: Shelf) -> None:
    shelf.save({"n": 1}, CARD)
    with pytest.raises(TypeError):
        shelf.save({"n": 2}, replace(CARD, measures={"auc": object()}))  # type: ignore[dict-item]
    assert shelf.load("churn") == {"n": 1}
    shelf.save({"n": 3}, CARD)
    assert shelf.load("churn") == {"n": 3}


def test_a_first_save_that_fails_leaves_an_empty_shelf(shelf: Shelf) -> None:
    with pytest.raises(Exception, match="pickle"):
        shelf.save(lambda: 0, CARD)
    assert shelf.load("churn") is None and shelf.cards() == []


def test_models_lie_beside_each_other(shelf: Shelf) -> None:
    shelf.save(1, CARD)
    shelf.save(2, replace(CARD, name="again"))
    assert [card.name for card in shelf.cards()] == ["again", "churn"]
    assert (shelf.load("churn"), shelf.load("again")) == (1, 2)


def test_a_version_names_its_day_and_size() -> None:
    assert today_version(date(2026, 6, 1), 100) == "2026-06-01.100"
