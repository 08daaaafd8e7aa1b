"""Is a search sentence read for its price, its exclusions and for whom it is?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.filters import Filters
from retrieval.query import read, tighter


@pytest.mark.parametrize(
    ("text", "words", "least", "most"),
    [
        ("sofa under $700", "sofa", None, 70_000),
        ("acoustic guitar below 300 dollars", "acoustic guitar", None, 30_000),
        ("sofa throw, 50 max", "sofa throw", None, 5_000),
        ("teapot under thirty pounds", "teapot", None, 3_000),
        ("a jacket, £1,000 or less", "jacket", None, 100_000),
        ("laptop over $1k", "laptop", 100_000, None),
        ("backpack between 40 and 80", "backpack", 4_000, 8_000),
        ("$40-$80 backpack", "backpack", 4_000, 8_000),
        ("watch about 100 dollars", "watch", 7_500, 12_500),
        ("两百以内的音响", "音响", None, 20_000),
        ("不超过200的茶几", "茶几", None, 20_000),
        ("咖啡豆，十镑以内", "咖啡豆", None, 1_000),
        ("五百以上的餐桌", "餐桌", 50_000, None),
        ("40到80之间的双肩包", "双肩包", 4_000, 8_000),
        ("50-100元的礼物", "礼物", 5_000, 10_000),
        ("一百块左右的手表", "手表", 7_500, 12_500),
    ],
)
def test_a_price_limit_is_read_and_taken_out(text: str, words: str, least: int | None, most: int | None) -> None:
    found = read(text)
    assert (found.words, found.filters.least_cents, found.filters.most_cents) == (words, least, most)


@pytest.mark.parametrize(
    "text",
    ["toys for kids over 3 years", "toy for ages 8 and up", "tent for 4 people", "10 to 12 year old", "pan under 28 cm", "三人以上的帐篷", "六岁以上的玩具"],
)
def test_a_measure_an_age_or_a_number_of_people_is_no_price(text: str) -> None:
    assert read(text).filters == Filters()


@pytest.mark.parametrize(
    ("text", "words", "without"),
    [
        ("messenger bag, not leather", "messenger bag", ("leather",)),
        ("soap with no perfume", "soap", ("perfume",)),
        ("tea without caffeine or sugar", "tea", ("caffeine", "sugar")),
        ("nut-free chocolate", "chocolate", ("nut",)),
        ("dog food that isn't beef", "dog food", ("beef",)),
        ("armchair except in yellow", "armchair", ("yellow",)),
        ("socks, anything but striped", "socks", ("striped",)),
        ("邮差包 不要皮的", "邮差包", ("皮",)),
        ("扶手椅，除了黄色都行", "扶手椅", ("黄色",)),
        ("没有香味的蜡烛", "蜡烛", ("香味",)),
        ("耳机 不要入耳式", "耳机", ("入耳式",)),
        ("包 不要皮的和黑色的", "包", ("皮", "黑色")),
    ],
)
def test_exclusions_are_read_and_taken_out(text: str, words: str, without: tuple[str, ...]) -> None:
    found = read(text)
    assert (found.words, found.filters.without) == (words, without)


@pytest.mark.parametrize("text", ["有没有雨伞", "非洲鼓", "无线耳机", "not too expensive bag", "no idea what to get"])
def test_what_only_sounds_like_an_exclusion_is_none(text: str) -> None:
    assert read(text).filters.without == ()


@pytest.mark.parametrize(
    ("text", "whom"),
    [("watch for men", "men"), ("女士太阳镜", "women"), ("送女朋友的包包", "women"), ("shaving kit for dad", "men"), ("lamp", ""), ("for mum and dad", "")],
)
def test_for_whom_is_read_when_it_is_one_of_both(text: str, whom: str) -> None:
    assert read(text).filters.whom == whom


def test_chatter_before_the_thing_is_left_out() -> None:
    assert read("Hi, do you have any red kettles?").words == "red kettles"
    assert read("请问有没有铁壶？").words == "铁壶"


def test_two_filters_together_are_as_strict_as_both() -> None:
    both = tighter(Filters(most_cents=500, in_stock=True, without=("wool",)), Filters(most_cents=300, least_cents=100, without=("silk", "wool"), whom="men"))
    assert both == Filters(100, 300, in_stock=True, without=("wool", "silk"), whom="men")


@given(st.text(max_size=60))
def test_any_sentence_is_read(text: str) -> None:
    found = read(text).filters
    assert found.least_cents is None or found.least_cents >= 0
