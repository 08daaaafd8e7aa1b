"""Are the things a message names read as people mean them, in both languages?"""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.embedded import audiences, slots, wish

TODAY = date(2026, 11, 22)  # a Sunday


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("where is order O-20031", {"order_ids": ("O-20031",)}),
        ("订单o-20031到哪了", {"order_ids": ("O-20031",)}),
        ("order number 20031", {"order_ids": ("20031",)}),
        ("#W2378156 and #W1234567", {"order_ids": ("#W2378156", "#W1234567")}),
        ("member M-10042", {"member_ids": ("M-10042",), "order_ids": ()}),
        ("m10042的订单", {"member_ids": ("M10042",)}),
        ("sara_doe_496", {"member_ids": ("sara_doe_496",)}),
        ("mail ada@example.org about it", {"emails": ("ada@example.org",), "order_ids": ()}),
        ("phone ending 0123", {"phones": ("0123",)}),
        ("尾号0123的会员", {"phones": ("0123",)}),
        ("under £40", {"amounts": (40.0,), "most": 40.0}),
        ("40镑以内", {"most": 40.0, "amounts": (40.0,)}),
        ("五十块以下", {"most": 50.0}),
        ("over 100 pounds", {"least": 100.0}),
        ("between 20 and 50 pounds", {"least": 20.0, "most": 50.0}),
        ("20到50英镑之间", {"least": 20.0, "most": 50.0}),
        ("£1,250.50", {"amounts": (1250.5,)}),
        ("two hundred pounds", {"amounts": (200.0,)}),
        ("三百块", {"amounts": (300.0,)}),
        ("£2k", {"amounts": (2000.0,)}),
        ("15% off", {"percent": 15}),
        ("打九折", {"percent": 10}),
        ("八五折", {"percent": 15}),
        ("百分之二十", {"percent": 20}),
        ("haven't bought for 90 days", {"days": 90, "days_negated": True}),
        ("bought in the last 30 days", {"days": 30, "days_negated": False}),
        ("三个月没买", {"days": 90, "days_negated": True}),
        ("半年没下单", {"days_negated": True}),
        ("gold members", {"tiers": ("gold",)}),
        ("黄金和铂金会员", {"tiers": ("gold", "platinum")}),
        ("golden kettle", {"tiers": ()}),
        ("a playful SMS", {"channel": "sms", "tone": "playful"}),
        ("写一条俏皮的短信", {"channel": "sms", "tone": "playful"}),
        ("my pending orders", {"state": "pending"}),
        ("待发货的订单", {"state": "pending"}),
        ("已取消的", {"state": "cancelled"}),
        ("a kettle, not glass", {"without": ("glass",)}),
        ("不要玻璃的茶壶", {"without": ("玻璃",)}),
        ("no more than £30", {"most": 30.0, "without": ()}),
        ("in London or leeds", {"cities": ("London", "Leeds")}),
        ("within 30 days", {"most": None, "days": 30}),
        ("30天内", {"most": None, "days": 30}),
    ],
)
def test_what_a_message_names(text: str, named: dict[str, Any]) -> None:
    found = slots.read(text, TODAY, cities=["London", "Leeds", "Shanghai"])
    assert {name: getattr(found, name) for name in named} == named


@given(st.text(max_size=80))
def test_any_message_can_be_read_and_masked(text: str) -> None:
    slots.kinds(slots.read(text, TODAY))
    assert not any(c.isascii() and c.isdigit() for c in slots.mask(text))
    wish.of_product(text, slots.read(text, TODAY))
    wish.of_order(text)
    wish.of_person(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("where is O-20031", "where is O-99999"),
        ("cancel order 20031", "cancel order 77777"),
        ("if I spend £200", "if I spend £1,350.50"),
        ("订单O-20031到哪了", "订单O-20055到哪了"),
        ("再花三百块", "再花两千块"),
        ("member M-10042", "member M-10001"),
        ("not bought for 90 days", "not bought for 3 months"),
    ],
)
def test_messages_that_differ_only_in_what_they_name_are_one_sentence(one: str, other: str) -> None:
    assert slots.mask(one) == slots.mask(other)


# --- what is left is the wish -----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("show me kettles under £40", "kettles"),
        ("do you have a bamboo steamer?", "bamboo steamer"),
        ("I'm looking for a wool blanket, not grey", "wool blanket"),
        ("有没有竹蒸笼", "竹蒸笼"),
        ("想买个茶壶，五十块以内", "茶壶"),
        ("推荐一款电饭煲", "电饭煲"),
        ("what have you got", ""),
    ],
)
def test_the_article_is_what_is_left(text: str, left: str) -> None:
    assert wish.of_product(text, slots.read(text, TODAY)) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("where is the kettle I ordered", "kettle"),
        ("cancel the blanket order", "blanket"),
        ("买茶壶的那单到哪了", "茶壶"),
        ("my orders from last month", ""),
        ("where's my parcel", ""),
    ],
)
def test_the_article_of_an_order(text: str, left: str) -> None:
    assert wish.of_order(text) == left


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("how is Li Na doing?", "Li Na"),
        ("find Sarah Brown", "Sarah Brown"),
        ("陈默最近怎么样", "陈默"),
        ("查一下王芳的订单", "王芳"),
        ("show me her orders", ""),
    ],
)
def test_the_person_a_message_is_about(text: str, name: str) -> None:
    assert wish.of_person(text) == name


@pytest.mark.parametrize(
    ("text", "number"), [("my last three orders", 3), ("最近五单", 5), ("latest 2 purchases", 2), ("my orders", None), ("the last 40 orders", 10)]
)
def test_how_many_orders(text: str, number: int | None) -> None:
    assert wish.how_many(text) == number


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("How many members outside the UK?", {"but_not": [{"countries": ["United Kingdom"]}]}),
        ("gold members not in London", {"wanted": {"tiers": ["gold"]}, "but_not": [{"cities": ["London"]}]}),
        ("people from Ireland or France", {"wanted": {"countries": ["Ireland", "France"]}}),
        (
            "gold members outside the UK or Ireland who haven't bought for 60 days",
            {"wanted": {"tiers": ["gold"], "not_bought_for_days": 60}, "but_not": [{"countries": ["United Kingdom", "Ireland"]}]},
        ),
        (
            "silver members, but not tea buyers, outside Leeds",
            {"wanted": {"tiers": ["silver"]}, "but_not": [{"categories": ["tea"]}, {"cities": ["Leeds"]}]},
        ),
        ("白银会员里不要买过茶的，送300积分", {"wanted": {"tiers": ["silver"]}, "but_not": [{"categories": ["tea"]}]}),
        ("gold members with 500 points or more: give them 300 points", {"wanted": {"tiers": ["gold"], "points_at_least": 500}}),
        ("啥优惠也不给，光提醒一声呢", {}),
        ("优惠敏感的会员", {"wanted": {"segments": ["bargain_hunters"]}}),
        ("which discount should silver members in Leeds get", {"wanted": {"tiers": ["silver"], "cities": ["Leeds"]}}),
        ("members who live in the States", {"wanted": {"countries": ["USA"]}}),
        ("英国以外的金卡会员", {"wanted": {"tiers": ["gold"]}, "but_not": [{"countries": ["United Kingdom"]}]}),
        ("除了伦敦以外的会员", {"but_not": [{"cities": ["London"]}]}),
    ],
)
def test_who_lives_where_or_elsewhere_is_read_from_a_sentence(text: str, meant: dict[str, Any]) -> None:
    assert audiences.understood(text, today=TODAY, cities=["London", "Leeds"], countries=["United Kingdom", "USA"], categories=["tea"]) == meant
