"""Is every figure, day, tier and id that no tool returned caught, and nothing else?"""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.guard import Facts, Sentences, plain, redact, unbacked
from members import program

RULES = program.load()
RECORD = {
    "outcome": "ok",
    "balance": 2611,
    "worth": "26.11",
    "total": "1312.40",
    "order_id": "O-23081",
    "delivered_on": "2026-11-22",
    "expires": "2027-06-30",
    "tier": {"key": "gold", "name_en": "Gold", "discount_percent": 5},
    "text": "Send it back within 30 days. 满500英镑升白银。",
    "points": -2600,
    "flag": True,
}
FACTS = Facts.of([json.dumps(RECORD, ensure_ascii=False)])


@pytest.mark.parametrize(
    "text",
    [
        "You have 2,611 points, worth £26.11.",
        "您有2611积分，值26.11英镑。",
        "It came to £1,312.40 (1312.4).",
        "2600 points were used.",
        "Order O-23081 was delivered on 22 November.",
        "Order o-23081 arrived on November 22nd, 2026.",
        "delivered 22 Nov 2026, the 22nd of November",
        "订单O-23081于11月22日送达，积分2027年6月30日到期。",
        "2026-11-22",
        "As Gold you get 5% off; 黄金会员享5%优惠。",
        "Send it back within thirty days.",
        "Send it back within 三十天.",
        "Silver starts at £500: 白银。",
        "1. First\n2. Second\n3、第三",
        "Nothing to report.",
        "",
    ],
)
def test_what_the_tools_said_may_be_said(text: str) -> None:
    assert unbacked(text, FACTS, RULES) == []


@pytest.mark.parametrize(
    ("text", "caught"),
    [
        ("You have 2,612 points.", "2,612"),
        ("Worth £26.12.", "26.12"),
        ("It came to £1,312.41.", "1,312.41"),
        ("您有2612积分", "2612"),
        ("You get 6% off.", "6"),
        ("Delivered on 23 November.", "-11-23"),
        ("Delivered on November 23rd.", "-11-23"),
        ("22 November 2025", "2025-11-22"),
        ("11月23日送达", "-11-23"),
        ("2025年11月22日", "2025-11-22"),
        ("2026-11-23", "2026-11-23"),
        ("Order O-23082 is on its way.", "O-23082"),
        ("Order #W2378156 is on its way.", "#W2378156"),
        ("Order #23082", "#23082"),
        ("You are Platinum now.", "Platinum"),
        ("您已升为铂金会员", "Platinum"),
        ("You have six hundred points.", "six hundred"),
        ("You have two thousand six hundred and twelve points.", "two thousand six hundred and twelve"),
        ("您有五百二十分", "五百二十"),
        ("一共两千六百积分多一点，再加三天", "三"),
        ("Wait forty days.", "forty"),
        ("还要等四十天", "四十"),
        ("7. is not a list mark in 7.5 of them", "7.5"),
    ],
)
def test_what_no_tool_said_is_caught(text: str, caught: str) -> None:
    assert caught in unbacked(text, FACTS, RULES)


@pytest.mark.parametrize("text", ["五百分", "您有五百分。", "five hundred points", "百分之六", "六个月内", "ten per cent", "twenty-five pounds", "two weeks"])
def test_a_spelled_number_with_a_unit_counts_like_a_figure(text: str) -> None:
    nothing = Facts.of(["{}"])
    assert unbacked(text, nothing, RULES)


@pytest.mark.parametrize("text", ["Give me one second.", "one of these", "一下", "十分抱歉", "百分百放心", "a hundred thanks", "You two", "一起看看"])
def test_a_spelled_number_that_measures_nothing_is_let_be(text: str) -> None:
    assert unbacked(text, Facts.of(["{}"]), RULES) == []


def test_a_day_without_a_year_matches_any_known_year_but_a_year_must_be_right() -> None:
    assert unbacked("30 June", FACTS, RULES) == []
    assert unbacked("30 June 2027", FACTS, RULES) == []
    assert unbacked("30 June 2026", FACTS, RULES) == ["2026-6-30"]


def test_a_digit_of_an_id_backs_no_amount() -> None:
    facts = Facts.of([json.dumps({"order_id": "O-23081"})])
    assert unbacked("You have 23081 points", facts, RULES) == ["23081"]


def test_an_id_between_chinese_characters_is_read_as_an_id() -> None:
    assert unbacked("会员M-23081的订单", FACTS, RULES) == ["M-23081"]
    assert unbacked("您的订单O-23081已送达", FACTS, RULES) == []


def test_part_of_an_id_backs_no_id() -> None:
    facts = Facts.of([json.dumps({"order_id": "O-230815"})])
    assert unbacked("Order O-23081 is late.", facts, RULES) == ["O-23081"]


@given(st.integers(0, 10**9), st.sets(st.integers(0, 10**9), max_size=8))
def test_any_whole_number_not_among_the_facts_is_caught(said: int, known: set[int]) -> None:
    facts = Facts.of([json.dumps({"numbers": sorted(known)})])
    for text in (f"You have {said} points.", f"You have {said:,} points.", f"您有{said}积分。", f"£{said}", f"约{said}。", f"({said})", f"{said}%"):
        assert (unbacked(text, facts, RULES) == []) == (said in known), text


@given(st.decimals(min_value=0, max_value=10**6, places=2, allow_nan=False), st.lists(st.decimals(min_value=0, max_value=10**6, places=2), max_size=5))
def test_any_amount_not_among_the_facts_is_caught(said: Decimal, known: list[Decimal]) -> None:
    facts = Facts.of([json.dumps({"amounts": [str(amount) for amount in known]})])
    for text in (f"That is £{said:,.2f}.", f"共{said:.2f}英镑"):
        assert (unbacked(text, facts, RULES) == []) == (said in known), text


@given(st.dates(), st.dates())
def test_any_day_not_among_the_facts_is_caught(said: object, known: object) -> None:
    facts = Facts.of([json.dumps({"on": str(known)})])
    assert (unbacked(f"on {said}", facts, RULES) == []) == (said == known)


@given(st.text(max_size=80))
def test_no_text_breaks_the_guard(text: str) -> None:
    unbacked(text, Facts.of([text, json.dumps({"text": text})]), RULES)
    plain(text)


# --- sentences --------------------------------------------------------------------------


@given(st.text(alphabet="ab. !?。！\n中1", max_size=60), st.lists(st.integers(1, 5), max_size=30))
def test_sentences_are_the_whole_text_however_it_is_cut(text: str, sizes: list[int]) -> None:
    cutter, out, rest = Sentences(), list[str](), text
    for size in [*sizes, len(text)]:
        out += cutter.push(rest[:size])
        rest = rest[size:]
    assert "".join([*out, cutter.rest()]) == text


def test_a_sentence_is_sent_when_it_is_over_and_not_before() -> None:
    cutter = Sentences()
    assert cutter.push("You have £26") == []
    assert cutter.push(".11 left. And") == ["You have £26.11 left."]
    assert cutter.push(" more。好的") == [" And more。"]
    assert cutter.rest() == "好的" and cutter.rest() == ""


# --- what must never leave --------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("see ![x](https://evil.example/?q=1) here", "see  here"),
        ("see [the rules](https://evil.example) here", "see the rules here"),
        ("a <img src=x onerror=alert(1)> b", "a  b"),
        ("a <script>alert(1)</script> b", "a alert(1) b"),
        ("go to https://evil.example/a?b=c now", "go to  now"),
        ("go to www.evil.example now", "go to  now"),
        ("javascript:alert(1) x", " x"),
        ("in\u200bvis\u202eible\u2066", "invisible"),
        ("h\u200bttps://evil.example", ""),
        ("[Returns and refunds › Time limits]", "[Returns and refunds › Time limits]"),
        ("points < 100 and > 50", "points < 100 and > 50"),
        ("两行\n还在\t这里", "两行\n还在\t这里"),
    ],
)
def test_active_content_does_not_leave(text: str, left: str) -> None:
    assert plain(text) == left


@pytest.mark.parametrize("nested", ["![a](b)](https://evil.example)", "<<b>img src=x>", "[x](javascript:alert(1))", "hthttp://ttps://evil.example"])
def test_nothing_active_is_left_after_taking_out_what_hid_it(nested: str) -> None:
    left = plain(nested)
    assert "![" not in left and "<img" not in left and "https://" not in left


@pytest.mark.parametrize(
    "card", ["4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4242", "378282246310005", "卡号4242424242424242。", "5555555555554444，"]
)
def test_card_numbers_are_hidden(card: str) -> None:
    assert "••••" in redact(card) and "4242424" not in redact(card) and not any(part in redact(card) for part in ("3782", "5555"))


@pytest.mark.parametrize("text", ["身份证11010519491231002X的", "11010519491231002x", "号码110105194912310021。"])
def test_chinese_identity_numbers_are_hidden(text: str) -> None:
    assert "1010519491231" not in redact(text) and "••••" in redact(text)


@pytest.mark.parametrize("text", ["O-23081", "HP123456789", "2026-11-22", "1234567890123456", "+44 7700 900000", "£1,312.40", "P-1177 and P-1340"])
def test_other_figures_stay(text: str) -> None:
    assert redact(text) == text


@given(st.text(max_size=60))
def test_plain_twice_is_plain_once(text: str) -> None:
    assert plain(plain(text)) == plain(text)
