"""Is the thing that was meant found by its name, by a part of it, or by nearly its name, and nothing by mere guessing?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.naming import nearest

NAMES = {"K1": "Spring tea week", "K2": "Winter clearance", "K3": "春茶周", "K4": "Straße", "K5": "  "}


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("Spring tea week", "K1"),
        ("  spring TEA week ", "K1"),
        ("clearance", "K2"),
        ("the winter clearance, please", "K2"),
        ("winter clearence", "K2"),
        ("tea week spring", "K1"),
        ("春茶", "K3"),
        ("STRASSE", "K4"),
        ("summer sale", None),
        ("", None),
        ("   ", None),
    ],
)
def test_a_name_is_found_whole_in_part_in_another_order_or_nearly(words: str, key: str | None) -> None:
    assert nearest(words, NAMES) == key


@pytest.mark.parametrize("words", ["tea", "tea week", "tea weekk"])
def test_two_that_are_as_near_name_nothing(words: str) -> None:
    assert nearest(words, {"a": "Tea week 2024", "b": "Tea week 2025"}) is None


def test_two_of_the_very_same_name_name_nothing() -> None:
    assert nearest("tea week", {"a": "Tea week", "b": "TEA WEEK "}) is None


def test_an_exact_name_wins_over_a_longer_one_that_holds_it() -> None:
    assert nearest("tea week", {"a": "Tea week", "b": "Tea week 2025"}) == "a"


def test_without_names_nothing_is_meant() -> None:
    assert nearest("tea", {}) is None
    assert nearest("tea", {"a": "", "b": " "}) is None


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=12), max_size=5), st.text(max_size=12))
def test_what_is_found_is_one_of_the_keys_and_every_name_of_its_own_finds_itself(names: dict[str, str], words: str) -> None:
    assert nearest(words, names) in {None, *names}
    plain = [name.strip().casefold() for name in names.values()]
    for key, name in names.items():
        if name.strip() and plain.count(name.strip().casefold()) == 1:
            assert nearest(name, names) == key
