"""Which articles and variants does a message mean? On an order one can read at a glance."""

from typing import Any

import pytest

from assistant.embedded import articles


def _article(variant_id: str, en: str, zh: str, options: dict[str, str], *variants: dict[str, str], chinese: dict[str, str] | None = None) -> dict[str, Any]:
    choices = [{"variant_id": f"{variant_id}-{n}", "options_en": o, "options_zh": {}, "price": f"{20 + n}.00"} for n, o in enumerate(variants)]
    own = {"variant_id": variant_id, "options_en": options, "options_zh": chinese or {}, "price": "20.00"}
    return {**own, "name_en": en, "name_zh": zh, "quantity": 1, "variants": [own, *choices]}


KETTLE = _article(
    "K",
    "Electric Kettle 1.7 L",
    "电热水壶 1.7 升",
    {"color": "white", "material": "glass"},
    {"color": "black", "material": "glass"},
    {"color": "black", "material": "steel"},
)
SHIRT = _article(
    "S", "T-Shirt", "短袖", {"color": "blue", "size": "M"}, {"color": "blue", "size": "L"}, {"color": "red", "size": "L"}, {"color": "red", "size": "M"}
)
WATCH = _article(
    "W",
    "Wristwatch",
    "手表",
    {"strap color": "black", "dial color": "white"},
    {"strap color": "black", "dial color": "black"},
    {"strap color": "brown", "dial color": "black"},
)
ORDER = [KETTLE, SHIRT, WATCH]


def _meant(text: str, *, changing: bool = False) -> list[str]:
    return [m.article["variant_id"] for m in articles.meant(text, ORDER, changing=changing)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("the kettle", ["K"]),
        ("I want to send back the electric kettle and the t-shirt", ["K", "S"]),
        ("the wirstwatch please", ["W"]),
        ("everything", ["K", "S", "W"]),
        ("everything except the wristwatch", ["K", "S"]),
        ("the blue one", ["S"]),
        ("热水壶和手表", ["K", "W"]),
        ("那个水壶", ["K"]),
        ("something nice", []),
    ],
)
def test_articles_are_meant_by_name_part_option_or_all(text: str, found: list[str]) -> None:
    assert _meant(text) == found


@pytest.mark.parametrize(
    ("wanted", "article", "variant"),
    [
        ("black", KETTLE, "K-0"),
        ("the steel one", KETTLE, "K-1"),
        ("black dial", WATCH, "W-0"),
        ("brown strap", WATCH, "W-1"),
        ("size L", SHIRT, "S-0"),
        ("red, size L", SHIRT, "S-1"),
        ("a large red one", SHIRT, "S-1"),
        ("the same one again", KETTLE, "K"),
    ],
)
def test_options_named_must_match_and_the_others_stay(wanted: str, article: dict[str, Any], variant: str) -> None:
    picked = articles.variant(wanted, article)
    assert picked.variant is not None and picked.variant["variant_id"] == variant


def test_a_later_word_replaces_an_earlier_one_of_the_same_option() -> None:
    assert articles.variant("red\nno, blue in L", SHIRT).variant == SHIRT["variants"][1]


@pytest.mark.parametrize("wanted", ["green", "purple steel"])
def test_what_cannot_be_had_is_never_guessed(wanted: str) -> None:
    assert articles.variant(wanted, SHIRT).variant is None


def test_each_article_keeps_its_own_wish() -> None:
    found = articles.meant("exchange the kettle (white) for black, and the t-shirt to red in size L", ORDER, changing=True)
    chosen = [articles.variant(m.wanted, m.article).variant for m in found]
    assert [v and v["variant_id"] for v in chosen] == ["K-0", "S-1"]


METHODS = [
    {"method_id": "credit_card_1", "kind": "credit_card", "label": "Visa ··1234", "used_here": True},
    {"method_id": "credit_card_2", "kind": "credit_card", "label": "Mastercard ··9876", "used_here": False},
    {"method_id": "paypal_3", "kind": "paypal", "label": "PayPal", "used_here": False},
]


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("put it on paypal", "paypal_3"),
        ("my visa", "credit_card_1"),
        ("the card ending 9876", "credit_card_2"),
        ("my other card", "credit_card_2"),
        ("用PayPal付", "paypal_3"),
        ("credit_card_2 please", "credit_card_2"),
        ("a gift card", None),
        ("a card", None),
    ],
)
def test_a_payment_method_is_meant_by_kind_digits_or_not_at_all(text: str, method: str | None) -> None:
    card, _ = articles.method(text, METHODS)
    assert (card["method_id"] if card else None) == method
