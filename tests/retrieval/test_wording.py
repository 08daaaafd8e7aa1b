"""Are misspelt, foreign and British words put into those of the catalogue, and exclusions understood with their kinds?"""

from pathlib import Path

import pytest

from retrieval.alike import TABLE, excluded, kinds, lacking, same
from retrieval.documents import Entry
from retrieval.filters import Filters, Said, passing
from retrieval.fitting import fit
from retrieval.keywords import Keywords
from retrieval.search import Search
from retrieval.spelling import Spelling, mend_chinese
from retrieval.wording import word
from retrieval.words import LEXICON


def thing(entry_id: str, name: str, text: str) -> Entry:
    return Entry(entry_id, {"en": name}, {"en": text}, {}, {"price_cents": 1000, "in_stock": True})


SHOP = [
    thing("s", "Canvas Sneakers", "Sneakers for women"),
    thing("k", "Steel Kettle", "A kettle for water"),
    thing("p", "Tent Pegs, Set of 12", "Pegs for a tent"),
    thing("b", "Suede Bag", "A bag of suede"),
    thing("c", "Canvas Bag", "A bag without leather"),
    thing("d", "Decaf Beans", "Beans with the caffeine taken out"),
]
KEYWORDS = Keywords(SHOP)


@pytest.mark.parametrize(("wrong", "right"), [("snekaers", "sneakers"), ("ketle", "kettle"), ("canvass", "canvas")])
def test_a_misspelt_word_is_mended_to_one_of_the_catalogue(wrong: str, right: str) -> None:
    assert Spelling(["sneakers", "sneakers", "kettle", "canvas", "canvas"]).mend(wrong) == right


@pytest.mark.parametrize("real", ["kettles", "cattle", "laptop", "cosy", "jumper", "tea", "x2000", "qwertzuiop"])
def test_a_real_word_or_one_like_nothing_is_left_alone(real: str) -> None:
    assert Spelling(["kettle", "kettle", "copy", "copy", "number", "number", "laptops"]).mend(real) == real


@pytest.mark.parametrize(("wrong", "right"), [("太阳境", "太阳镜"), ("行礼箱", "行李箱"), ("保温悲", "保温杯"), ("浇水胡", "浇水壶"), ("牛皮腰代", "牛皮腰带")])
def test_a_chinese_word_written_by_its_sound_is_mended(wrong: str, right: str) -> None:
    assert mend_chinese(wrong) == right


@pytest.mark.parametrize("text", ["太阳镜", "孩子用的碗勺", "猫抓的那种柱子", "怎么退货", "", "kettle"])
def test_what_is_written_right_stays(text: str) -> None:
    assert mend_chinese(text) == text


def test_a_word_the_catalogue_lacks_is_asked_in_the_one_it_has() -> None:
    made = word("canvas trainers", Spelling([]), KEYWORDS.knows)
    assert made.phrase == "canvas sneakers" and "sneakers" in made.ideas[1]
    assert word("球鞋", Spelling([]), KEYWORDS.knows).phrase == "sneakers"


def test_an_exclusion_means_synonyms_and_kinds_in_both_languages() -> None:
    assert {"leather", "suede"} <= set(excluded("皮")) and "suede" in excluded("leather")
    assert "merino" in excluded("羊毛") and "gray" in same("grey") and "almond" in kinds("nuts")
    assert "decaf" in lacking("咖啡因")


def test_what_says_it_is_free_of_a_thing_does_not_name_it() -> None:
    said = [Said(entry) for entry in SHOP]
    assert passing(said, Filters(without=("leather",))) == [True, True, True, False, True, True]
    assert passing(said, Filters(without=("caffeine",)))[-1] is True
    assert passing(said, Filters(whom="men"))[0] is False and passing(said, Filters(whom="women"))[0] is True


def test_what_only_mentions_the_article_named_is_another_article() -> None:
    ideas = word("tent", Spelling([]), KEYWORDS.knows).ideas
    assert fit(Said(SHOP[2]), ideas, KEYWORDS).other_article
    ideas = word("kettle", Spelling([]), KEYWORDS.knows).ideas
    assert not fit(Said(SHOP[1]), ideas, KEYWORDS).other_article and fit(Said(SHOP[1]), ideas, KEYWORDS).covered == 1
    assert fit(Said(SHOP[1]), word("kettle umbrella", Spelling([]), KEYWORDS.knows).ideas, KEYWORDS).covered < 0.5


def test_a_catalogue_in_chinese_alone_is_found_in_english() -> None:
    only = [Entry("z", {"zh": "烧水壶"}, {"zh": "烧水的壶"})]
    assert Keywords(only).scores("", ideas=[("kettle",)])[0] > 0


def test_a_raw_sentence_is_obeyed_by_the_search_itself(shelf: Search) -> None:
    assert [hit.entry.id for hit in shelf("kettle under 30, not glass", kind="products", limit=5)][0] == "P-3"
    assert "P-2" not in [hit.entry.id for hit in shelf("不要玻璃的水壶", kind="products", limit=5)]
    assert [hit.entry.id for hit in shelf("woll blankt", kind="products", limit=1)] == ["P-4"]


@pytest.mark.parametrize(("path", "columns", "least"), [(LEXICON, 3, 2_000), (TABLE, 2, 150)])
def test_the_tables_are_whole(path: Path, columns: int, least: int) -> None:
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")]
    assert len(rows) >= least and {len(row) for row in rows} == {columns} and all(all(row) for row in rows)
    assert columns == 2 or len({row[0] for row in rows}) == len(rows)
