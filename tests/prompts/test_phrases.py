"""Is every situation worded in both languages, from the record alone?"""

import itertools
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

import prompts
from assistant import guard
from assistant.desk import DECLARED, Desk
from assistant.embedded import model as embedded
from assistant.embedded.skills import SKILLS
from members.access import Caller, Role
from prompts import formats
from retrieval.words import has_han
from tools.gateway import FOR_MEMBER, REGISTRY, Tool

ROOT = Path(__file__).resolve().parents[2]
assert DECLARED
LANGUAGES = pytest.mark.parametrize("language", ["en", "zh"])


def _macros(language: str) -> dict[str, str]:
    return dict(re.findall(r"macro (\w+)\((.*?)\)", prompts.phrases_source(language)))


def test_every_english_phrase_has_its_chinese_twin_with_the_same_parameters() -> None:
    english, chinese = _macros("en"), _macros("zh")
    assert set(english) - set(chinese) == set()
    assert {name: chinese[name] for name in english} == english


@LANGUAGES
@pytest.mark.parametrize("tool", REGISTRY.values(), ids=list(REGISTRY))
def test_every_tool_has_its_phrase(tool: Tool, language: str) -> None:
    name = tool.name.removesuffix(FOR_MEMBER)
    wanted = [f"{name}_{part}" for part in ("waiting", "done", "card", "yes", "no")] if tool.writes else [name]
    assert [name for name in wanted if not prompts.has_phrase(language, name)] == []


@LANGUAGES
@pytest.mark.parametrize("role", ["member", "support", "marketer"])
def test_what_is_said_of_itself_needs_no_source(desk: Desk, role: str, language: str) -> None:
    asked = {"r": {}, "a": {}, "today": "", "name": "", "role": role, "shown": 0, "said": "", "cited": ""}
    for name in (f"what_can_you_do_{role}", "out_of_scope", "unsure", "nothing_waiting"):
        told = prompts.phrase(language, name, **asked)
        assert guard.unbacked(told, guard.Facts.of([]), desk.rules) == []


# --- real results -----------------------------------------------------------------------

ORDER_STATES = ["pending", "shipped", "delivered", "cancelled"]
MEMBER_CALLS: list[tuple[str, dict[str, Any]]] = [
    *(("points", {"aspect": aspect}) for aspect in ("balance", "history", "expiring")),
    ("points", {"aspect": "history", "order_id": "O-1"}),
    *(("tier_and_benefits", asked) for asked in ({}, {"spend": 120.0}, {"spend": 9000.0, "by": "2026-12-31"}, {"tier": "diamond"}, {"tier": "bronze"})),
    ("my_profile", {}),
    *(("my_orders", {"status": status}) for status in ORDER_STATES),
    ("my_orders", {}),
    ("my_orders", {"product": "flying carpet", "since": "2026-01-01", "until": "2026-02-01"}),
    ("my_orders", {"limit": 1, "since": "2026-11-22"}),
    ("order_status", {}),
    ("order_status", {"order_id": "O-99999"}),
    ("cancel_order", {"order_id": "O-99999"}),
    *(("search_products", asked) for asked in ({"wish": "kettle"}, {"wish": "茶"}, {"wish": "a used car"}, {"wish": "lamp", "max_price": 1.0})),
    *(("product_details", {"product": name}) for name in ("P-1177", "P-1001", "P-1340", "a used car")),
    ("recommend_for_me", {}),
    ("recommend_for_me", {"max_price": 0.5}),
    ("buy_again", {}),
    *(("similar_products", asked) for asked in ({"product": "P-1001"}, {"product": "P-1001", "max_price": 0.5}, {"product": "a used car"})),
    *(("ask_policy", {"question": question}) for question in ("how long do I have to return something", "积分会过期吗", "asdf qwer")),
]
STAFF_CALLS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "support": [
        *(("find_member", {"who": who}) for who in ("Li Na", "a", "nobody at all")),
        *(("member_insight", {"who": f"M-{10001 + n}"}) for n in range(0, 150, 9)),
        ("member_insight", {"who": "a"}),
        ("member_orders", {"who": "M-10001"}),
        ("member_orders", {"who": "M-10001", "status": "processed"}),
        ("product_details", {"product": "P-1177"}),
        *((tool, {"who": f"M-{10001 + n}"}) for tool in ("churn_risk", "lifetime_value", "next_purchase", "why", "win_back_offer") for n in range(0, 150, 29)),
        *(("why", {"who": "M-10001", "score": score}) for score in ("value", "tier", "segment")),
        ("compare_members", {"who": ["M-10001", "M-10002", "M-10030"]}),
        *(("at_risk_members", asked) for asked in ({}, {"from_percent": 10, "limit": 20}, {"tier": "diamond"}, {"city": "London", "from_percent": 20})),
        *(("segment_overview", asked) for asked in ({}, {"segment": "sleeping"}, {"segment": "astronauts"})),
        *(("risk_flags", asked) for asked in ({}, {"who": "M-10001"}, {"kind": "returns"}, {"kind": "points_burst"})),
        *(("forecast_demand", asked) for asked in ({}, {"product": "tea"}, {"points": True, "weeks": 8}, {"product": "P-1001"})),
    ],
    "marketer": [
        *(
            ("audience_count", asked)
            for asked in ({}, {"cities": ["Atlantis"]}, {"tiers": ["gold"], "consent": "sms"}, {"not_bought_for_days": 90, "spent_at_least": 100.0})
        ),
        ("audience_count", {"categories": ["tea"], "languages": ["zh"], "joined_within_days": 60, "bought_within_days": 30, "spent_at_most": 50.0}),
        *(
            ("write_copy", {"channel": channel, "product": "P-1177", "offer_percent": 10, "valid_until": "2026-12-31"})
            for channel in ("sms", "email", "wechat")
        ),
        ("write_copy", {"language": "zh", "product": "tea", "tier": "gold"}),
        *(
            ("write_copy", {"channel": channel, "language": language, "tone": tone, "amount_off": 5.0, "minimum": 30.0, "with_code": True})
            for channel, language, tone in (("push", "en", "playful"), ("in_app", "zh", "festive"), ("sms", "zh", "urgent"))
        ),
        ("audience_count", {"tiers": ["gold"], "or_also": [{"churn_from_percent": 60}], "but_not": {"categories": ["tea"], "segments": ["sleeping"]}}),
        ("audience_count", {"but_not": [{"tiers": ["gold"]}, {"countries": ["United Kingdom"], "cities": ["Leeds"]}]}),
        ("audience_build", {"name": "Quiet", "wanted": {"not_bought_for_days": 60, "points_at_least": 1000}, "channel": "email"}),
        *(("audience_build", {"name": "Few", "wanted": asked}) for asked in ({"points_at_least": 500}, {"countries": ["United Kingdom"]}, {"tiers": ["gold"]})),
        ("audience_build", {"name": "Nowhere", "wanted": {"cities": ["Atlantis"]}}),
        ("audience_build", {"name": "All", "wanted": {}}),
        ("audience_export", {"audience_name": "nothing like it"}),
        ("audience_export", {"audience_name": "Back to school"}),
        *(("check_copy", {"text": text, "channel": "sms"}) for text in ("Tea is in. Reply STOP to opt out", "The best tea, today only!", "全网最低价的茶")),
        *(
            ("estimate_uplift", asked)
            for asked in (
                {},
                {"value": 8.0},
                {"offer": "none"},
                {"offer": "points", "value": 500.0},
                {"wanted": {"cities": ["London"]}, "offer": "amount", "value": 5.0},
            )
        ),
        ("recommend_coupon", {}),
        ("recommend_coupon", {"who": "M-10001"}),
        *(("best_send_time", asked) for asked in ({}, {"who": "M-10001"}, {"wanted": {"tiers": ["silver"]}})),
        *(
            ("create_campaign", {"name": "Sale", "wanted": {"tiers": ["silver"]}, **asked})
            for asked in (
                {},
                {"offer": "none", "channel": "push"},
                {"value": 5.0, "discount_everyone": True, "budget": 100.0, "language": "zh"},
                {"value": 120.0},
            )
        ),
        ("create_campaign", {"name": "Sale", "wanted": {"tiers": ["silver"]}, "texts": [{"text": "The best tea, today only!"}]}),
        ("create_campaign", {"name": "Back to school", "wanted": {"tiers": ["silver"]}}),
        ("send_campaign", {"campaign": "Back to school"}),
        ("send_campaign", {"campaign": "nothing like it"}),
        *(("campaign_results", asked) for asked in ({}, {"campaign": "C-101"}, {"campaign": "Early gifts"}, {"campaign": "nothing like it"})),
        *(
            ("policy_what_if", asked)
            for asked in (
                {"rules": {"thresholds": {"gold": 4000.0}, "expiry_months": 18}},
                {"rules": {"discounts": {"silver": 3}, "earning": {"gold": 2.0}, "free_shipping_from": 60.0, "grace_days": 30}},
                {"rules": {}},
                {"rules": {"thresholds": {"gold": 100.0}}},
                {"rules": {"thresholds": {"wooden": 100.0}}},
                {"search": True, "budget": 20_000.0},
            )
        ),
        ("compare_policies", {"first": {"thresholds": {"gold": 4000.0}}, "second": {"thresholds": {"gold": 1500.0}}}),
        ("compare_policies", {"first": {"points_per_unit": 2}}),
        ("adopt_policy", {"rules": {"thresholds": {"gold": 4000.0}}, "starts_on": "2027-01-01"}),
        ("adopt_policy", {"rules": {"thresholds": {"gold": 4000.0}}, "starts_on": "2026-11-01"}),
        ("synthesise_members", {"members": 50}),
    ],
}
ABOUT = [None, "benefits", "keep", "address", "email", "birthday", "since", "consents", "refund", "reviews", "warranty", "weight", "options", "stock", "price"]


def _results(desk: Desk) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Tool, arguments and result of many calls of many callers."""
    members = [Caller("a", Role.MEMBER, f"M-{10001 + n}") for n in (0, 1, 7, 20, 33, 60, 99, 149)]
    told = [(caller, MEMBER_CALLS) for caller in members] + [(desk.caller_named(login), asked) for login, asked in STAFF_CALLS.items()]
    for caller, asked in told:
        for tool, arguments in asked:
            yield tool, arguments, desk.gateway(caller, uuid4().hex).call(tool, arguments).text()


@pytest.fixture(scope="module")
def results(desk: Desk) -> list[tuple[str, dict[str, Any], str]]:
    """Every result worded below, made once."""
    return list(_results(desk))


@LANGUAGES
def test_real_results_read_well_and_every_figure_in_them_is_the_records(desk: Desk, results: Any, language: str) -> None:
    wrong = []
    for (tool, arguments, text), turn in itertools.product(results, range(2)):
        for about in ABOUT if turn == 0 and tool in ("tier_and_benefits", "my_profile", "order_status", "product_details") else [None]:
            said = embedded.worded(tool, {**arguments, "about": about}, text, language=language, today=desk.today.isoformat(), turn=turn)
            facts = guard.Facts.of([text, str(arguments)])
            odd = re.findall(r"\bNone\b(?! of)|\{\{|\}\}|Undefined|\[\]|  |\bnan\b|,,|\. \.|，，|。。", said) + guard.unbacked(said, facts, desk.rules)
            if odd or not said.strip():
                wrong.append((tool, arguments, about, odd, said[:160]))
    assert wrong == [], f"{len(wrong)}: {wrong[:5]}"


@LANGUAGES
def test_names_come_in_the_language_of_the_answer(desk: Desk, language: str) -> None:
    text = desk.gateway(desk.caller_named("lina"), uuid4().hex).call("search_products", {"wish": "bamboo steamer"}).text()
    said = embedded.worded("search_products", {"wish": "x"}, text, language=language, today=desk.today.isoformat())
    assert ("双层竹蒸笼" in said) == (language == "zh") and ("Two-Tier Bamboo Steamer" in said) == (language == "en")


@LANGUAGES
@pytest.mark.parametrize("part", ["card", "yes", "no", "done"])
def test_a_write_is_worded_from_its_facts(desk: Desk, language: str, part: str) -> None:
    waiting = desk.gateway(desk.caller_named("lina"), uuid4().hex).call("cancel_order", {"order_id": "O-23081"})
    facts = {**waiting.result["facts"], "points_balance": 12}
    said = embedded.outcome_text("cancel_order", facts, language=language, today=desk.today.isoformat(), suffix=part)
    assert said and has_han(said) == (language == "zh") and (part in ("yes", "no") or "O-23081" in said)


# What somebody may ask of the rules about each service.
POLICY_TOPIC = {
    "return_item": {"en": "how to send something back", "zh": "怎么退货"},
    "exchange_item": {"en": "exchange for another size or colour", "zh": "换货 换尺码颜色"},
    "change_address": {"en": "change the delivery address of an order", "zh": "修改收货地址"},
    "change_payment": {"en": "change the payment method of a pending order", "zh": "待发货订单换支付方式"},
    "change_items": {"en": "exchange for another variant of the product", "zh": "换成同款的其他规格"},
    "coupons": {"en": "where to enter and how to use a coupon", "zh": "优惠券怎么用"},
    "redeem_points": {"en": "what points are worth and how to redeem them", "zh": "积分怎么用 值多少钱"},
    "change_consent": {"en": "withdraw consent for marketing messages", "zh": "取消接收营销消息 撤回同意"},
    "export_data": {"en": "a copy of all my data", "zh": "导出我的个人数据"},
    "erase_me": {"en": "how to leave the club", "zh": "怎么退出会员"},
    "campaigns_for_me": {"en": "coupons and early access to sales", "zh": "优惠券 提前进特卖"},
    "talk_to_person": {"en": "how to complain and who answers", "zh": "怎么联系人工客服"},
    "complaint": {"en": "how to complain and when you hear from us", "zh": "怎么投诉 多久答复"},
}


@LANGUAGES
@pytest.mark.parametrize("label", POLICY_TOPIC)
def test_what_is_not_done_here_is_answered_from_the_rules(desk: Desk, label: str, language: str) -> None:
    asked = {"question": POLICY_TOPIC[label][language]}
    assert desk.gateway(desk.caller_named("lina"), uuid4().hex).call("ask_policy", asked).result["passages"]


# --- formats ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [("1312.40", "GBP", "£1,312.40"), ("0", "GBP", "£0.00"), ("-5", "GBP", "-£5.00"), (7, "CNY", "¥7.00"), ("1", "CHF", "CHF 1.00"), ("0.1", "USD", "$0.10")],
)
def test_money(amount: Any, currency: str, written: str) -> None:
    assert formats.money(amount, currency) == written


@pytest.mark.parametrize(
    ("language", "today", "written"),
    [("en", "2026-11-22", "31 December"), ("zh", "2026-11-22", "12月31日"), ("en", "2027-01-01", "31 December 2026"), ("zh", "", "2026年12月31日")],
)
def test_days(language: str, today: str, written: str) -> None:
    assert formats.day("2026-12-31", language, today) == written
    assert formats.day(date(2026, 12, 31), language, today) == written


@given(st.decimals(min_value=-(10**6), max_value=10**6, places=3))
def test_a_number_is_written_so_that_it_reads_back(value: Decimal) -> None:
    written = formats.number(float(value))
    assert not written.endswith(".")
    assert abs(Decimal(written.replace(",", "")) - value) <= Decimal("0.006")


def test_the_other_language_serves_where_one_is_missing() -> None:
    assert formats.either({"name_en": "Kettle", "name_zh": ""}, "name", "zh") == "Kettle"
    assert formats.either({"name_zh": "茶壶"}, "name", "en") == "茶壶"
    assert formats.either({}, "name", "en") == ""


# --- the loader and the examples --------------------------------------------------------


@pytest.mark.parametrize("role", ["member", "support", "marketer"])
def test_a_system_prompt_without_its_values_is_an_error(role: str) -> None:
    with pytest.raises(UndefinedError):
        prompts.system_prompt(role, {"shop": "x"})


@LANGUAGES
def test_a_phrase_without_its_record_is_an_error(language: str) -> None:
    with pytest.raises(UndefinedError):
        prompts.phrase(language, "points")
    with pytest.raises(UndefinedError):
        prompts.phrase(language, "points", r={"aspect": "balance"}, a={}, today="2026-11-22")


@pytest.mark.parametrize("path", sorted(prompts.FOLDER.glob("*.md")), ids=lambda path: path.stem)
def test_the_tools_a_prompt_names_exist_and_are_that_roles(path: Path) -> None:
    named = re.findall(r"`(\w+)`", path.read_text(encoding="utf-8"))
    named = [name for name in named if name != FOR_MEMBER]
    assert [name for name in named if name not in REGISTRY or Role(path.stem) not in REGISTRY[name].roles] == []


@pytest.mark.parametrize("label", sorted(prompts.examples()))
def test_every_label_has_examples_in_both_languages_by_two_authors_at_least(label: str) -> None:
    rows = prompts.examples()[label]
    for language in prompts.LANGUAGES:
        assert len({author for author, lang, _ in rows if lang == language}) >= 2, language
    assert all(message.strip() and lang in prompts.LANGUAGES for _, lang, message in rows)


def test_no_example_is_a_message_of_the_evaluation() -> None:
    files = (ROOT / "eval" / "cases" / "messages").glob("*.tsv")
    asked = {line.split("\t")[2].strip().casefold() for path in files for line in path.read_text(encoding="utf-8").splitlines() if line.strip()}
    taught = {message.strip().casefold() for rows in prompts.examples().values() for _, _, message in rows}
    assert len(asked) > 100 and taught & asked == set()


def test_every_label_has_a_story_and_every_button_a_label() -> None:
    # A label without a story of its own is a tool's name: its arguments are filled by their names.
    assert set(SKILLS) <= set(prompts.examples()) and {prompts.tool_of(label) for label in set(prompts.examples()) - set(SKILLS)} <= set(REGISTRY)
    offered = tomllib.loads((prompts.FOLDER / "embedded" / "choices.toml").read_text(encoding="utf-8"))
    assert set(offered) <= set(SKILLS) and all(len(texts) == 2 and has_han(texts[1]) and not has_han(texts[0]) for texts in offered.values())
