"""Which words does a text hold, in either language?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.words import gloss, has_han, normal, stem, synonyms, terms


@pytest.mark.parametrize(
    ("text", "there", "gone"),
    [
        ("The kettles are boiling", {"kettle", "boil"}, {"the", "are", "kettles"}),
        ("What is the price of lamps?", {"price", "lamp"}, {"what", "is", "of"}),
        ("my order O-20031", {"order", "20031"}, {"my"}),
        ("我想买一个茶壶", {"茶壶"}, {"我", "想", "个"}),
        ("退货的运费", {"退货", "运费"}, {"的"}),
        ("蓝牙 headphones 多少钱", {"蓝牙", "headphone"}, set()),
        ("ＫＥＴＴＬＥ", {"kettle"}, set()),
        ("", set(), set()),
        ("!!! …", set(), set()),
    ],
)
def test_terms_are_what_says_something(text: str, there: set[str], gone: set[str]) -> None:
    found = set(terms(text))
    assert there <= found
    assert not gone & found


def test_chinese_has_character_pairs_too_so_that_a_wrong_cut_still_meets() -> None:
    assert {"铸铁", "铁壶"} <= set(terms("铸铁壶"))


@pytest.mark.parametrize(
    ("words", "one"),
    [
        (("kettle", "kettles", "kettle's"), "kettle"),
        (("box", "boxes"), "box"),
        (("glass", "glasses"), "glass"),
        (("berry", "berries"), "berry"),
        (("brush", "brushes"), "brush"),
        (("watch", "watches"), "watch"),
        (("boil", "boiling", "boiled"), "boil"),
        (("gas",), "gas"),
        (("ring",), "ring"),
        (("red",), "red"),
    ],
)
def test_forms_of_a_word_share_a_stem(words: tuple[str, ...], one: str) -> None:
    assert {stem(word) for word in words} == {one}


@pytest.mark.parametrize(
    ("chinese", "english"),
    [("炒锅", "wok"), ("面包刀", "bread knife"), ("电饭煲", "rice cooker"), ("平底锅", "frying pan")],
)
def test_the_longest_term_of_the_lexicon_gives_the_gloss(chinese: str, english: str) -> None:
    assert gloss(chinese) == english
    assert english in synonyms(chinese)


def test_the_gloss_keeps_english_and_figures() -> None:
    made = gloss("要一个 Heron 炒锅 30 cm")
    assert "heron" in made and "wok" in made and "30 cm" in made


@pytest.mark.parametrize(("text", "there"), [("kettle", False), ("壶", True), ("Li Na 的订单", True), ("", False), ("£12", False), ("カタカナ", False)])
def test_chinese_is_noticed(text: str, there: bool) -> None:
    assert has_han(text) is there


@given(st.text(max_size=60))
def test_terms_never_fail_and_do_not_depend_on_case_or_width(text: str) -> None:
    assert terms(text) == terms(normal(text))
    assert all(terms(text))


@given(st.text(max_size=60))
def test_a_gloss_holds_no_chinese(text: str) -> None:
    assert not has_han(gloss(text))


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12))
def test_a_stem_is_never_empty_and_never_longer(word: str) -> None:
    assert 0 < len(stem(word)) <= len(word) + 1
