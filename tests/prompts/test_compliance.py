"""Is a message held back for what is wrong with it, and for nothing else?"""

import time
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval import compliance as measured
from members.errors import BadInput
from prompts.compliance import Facts, Finding, check, load_brand

TODAY = date(2026, 11, 25)
BARE = Facts(currency="GBP", today=TODAY)
OFFER = Facts(
    **{"currency": "GBP", "today": TODAY, "product": "Ceylon tea 100 g", "price": Decimal("12.90"), "was": Decimal("15.90"), "stock": 14},
    **{"percent": Decimal(10), "code": "TEA10", "minimum": Decimal("30.00"), "valid_until": date(2026, 12, 1)},
)
OFFER_ZH = Facts(
    **{"currency": "CNY", "today": TODAY, "product": "锡兰红茶100克", "price": Decimal("99.00"), "was": Decimal("129.00"), "stock": 140},
    **{"percent": Decimal(20), "amount_off": Decimal(20), "minimum": Decimal(100), "valid_until": date(2026, 12, 1)},
)


def found(text: str, facts: Facts = BARE, *, channel: str = "push", language: str = "", subject: str | None = None) -> list[Finding]:
    """The findings of a text, in Chinese where it has no Latin start."""
    return check(text, channel=channel, language=language or ("en" if text[:1].isascii() else "zh"), facts=facts, subject=subject)


def rules(text: str, facts: Facts = BARE, **more: str) -> set[str]:
    return {one.rule for one in found(text, facts, **more) if one.rule != "length"}


BROKEN = [
    ("superlative", "You will not find a lower price anywhere."),
    ("superlative", "The N0.1 tea in town."),
    ("superlative", "Guaranteed to please."),
    ("superlative", "No shop in England will sell you a softer towel."),
    ("superlative", "全网第一的茶，没有之一。"),
    ("superlative", "最*好的茶"),
    ("superlative", "您再也找不到更低的价格"),
    ("superlative", "國家級品質"),
    ("health_claim", "Say goodbye to back pain."),
    ("health_claim", "One cup, and this winter's colds will pass you by."),
    ("health_claim", "喝出好睡眠"),
    ("health_claim", "感冒绕着你走"),
    ("finance_claim", "Guaranteed returns on every tin."),
    ("finance_claim", "Earn £50 a week from your sofa."),
    ("finance_claim", "老茶饼越放越值钱，稳赚不赔"),
    ("price_basis", "Was £20.00, now less."),
    ("price_basis", "Save £10 today."),
    ("price_basis", "比专柜便宜一大截"),
    ("price_basis", "原价199元"),
    ("untrue_urgency", "Ends tonight!"),
    ("untrue_urgency", "T1ll midnight only."),
    ("untrue_urgency", "Only 3 left."),
    ("untrue_urgency", "仅剩3件"),
    ("untrue_urgency", "今晚24点截止"),
    ("empty_field", "Hello {name}."),
    ("empty_field", "Hello {nmae|friend}."),
    ("empty_field", "Hello {name|friend."),
    ("coupon_terms", "20% off with WRONG20."),
    ("coupon_terms", "A quarter off, this once."),
    ("coupon_terms", "全场八折"),
    ("coupon_terms", "满100减20"),
    ("wrong_fact", "The tea costs £11.00."),
    ("brand_word", "A d3al for you guys."),
    ("brand_word", "亲，快来薅羊毛"),
    ("profanity", "It is f*cking cold."),
    ("profanity", "别当傻X"),
    ("personal_data", "Ring Sue on 07700 900123."),
    ("personal_data", "Write to sue.parker82@example.com."),
    ("personal_data", "加微信同号：一三九-0012-3456"),
    ("personal_data", "身份证110101198506123427"),
]


@pytest.mark.parametrize(("rule", "text"), BROKEN)
def test_what_is_wrong_is_found_with_a_reason_and_a_suggestion(rule: str, text: str) -> None:
    mine = [one for one in found(text) if one.rule == rule]
    assert mine
    for one in mine:
        assert one.reason_en and one.reason_zh and one.suggestion
        assert one.level == ("warning" if rule == "brand_word" else "error")


FINE = [
    "Best wishes, and best before March 2027.",
    "We did our best; at least it is your first order.",
    "Dry-cured ham and pain au chocolat.",
    "Takes the headache out of gift wrapping.",
    "Not a medicine: just peppermint.",
    "Earn points on every order; a wealth of colour.",
    "All profits go to the hospice.",
    "Order by 2pm today for delivery tomorrow.",
    "The last of the autumn light.",
    "Shiitake and Scunthorpe.",
    "A great deal of thought by an ideal dealer. No hurry.",
    "Call us on 0800 123 4567 or see teashop.example.",
    "ISBN 978-0-14-143951-8, printed in 1998.",
    "Hello {name|friend}, your {tier} points: {points}.",
    "最近天冷，第一次下单没有最低消费，最后一公里我们送。",
    "保健柜子和治愈系小夜灯",
    "亲手做的亲子陶杯，献给父亲",
    "送礼头疼？这盒卡片帮您挑好了。",
    "最佳赏味期三十天",
    "恭喜发财，可开增值税发票",
    "客服热线400-820-1234",
    "数量有限",
    "While stocks last.",
]


@pytest.mark.parametrize("text", FINE)
def test_innocent_words_are_let_out(text: str) -> None:
    assert rules(text) == set()


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("10% off with TEA10 over £30 until 1 December.", OFFER),
        ("Ceylon tea 100 g is £12.90, was £15.90: you save £3.00.", OFFER),
        ("Only 14 left on the shelf.", OFFER),
        ("Last 7 days of 10% off.", OFFER),
        ("Ends 1st Dec.", OFFER),
        ("Ends Tuesday.", OFFER),
        ("原价129元，现价99元，立省30元。", OFFER_ZH),
        ("八折，满100减20，12月1日前有效。", OFFER_ZH),
        ("8 折，截至2026-12-01。", OFFER_ZH),
    ],
)
def test_what_the_facts_bear_out_is_let_out(text: str, facts: Facts) -> None:
    assert rules(text, facts) == set()


@pytest.mark.parametrize(
    ("rule", "text", "facts"),
    [
        ("coupon_terms", "10% off with TEA20.", OFFER),
        ("coupon_terms", "10% off over £25.", OFFER),
        ("coupon_terms", "10% off until 12 December.", OFFER),
        ("coupon_terms", "No minimum spend.", OFFER),
        ("price_basis", "Ceylon tea 100 g, was £18.00.", OFFER),
        ("untrue_urgency", "10% off ends tomorrow.", OFFER),
        ("untrue_urgency", "最后三天，八折。", OFFER_ZH),
        ("untrue_urgency", "手慢无，仅剩5件。", OFFER_ZH),
        ("wrong_fact", "Assam tea 100 g for £12.90.", OFFER),
        ("wrong_fact", "锡兰红茶250克，99元。", OFFER_ZH),
        ("wrong_fact", "现货500件。", OFFER_ZH),
        ("coupon_terms", "全场9.2折。", OFFER_ZH),
    ],
)
def test_what_differs_from_the_facts_is_found(rule: str, text: str, facts: Facts) -> None:
    assert rule in rules(text, facts)


def test_a_products_own_name_is_never_a_violation() -> None:
    facts = Facts(currency="GBP", today=TODAY, product="The Best of British Bakes", names=("Cheap Eats of London",))
    assert rules("The Best of British Bakes and Cheap Eats of London are back.", facts) == set()
    assert "superlative" in rules("The best of them all is back.", facts)


@pytest.mark.parametrize(
    ("channel", "text", "missing"),
    [
        ("sms", "Tea is back.", True),
        ("sms", "Tea is back. Reply STOP to opt out", False),
        ("sms", "新茶到店，退订回T", False),
        ("sms", "新茶到店，拒收请回复R", False),
        ("sms", "新茶到店", True),
        ("email", "Tea is back.", True),
        ("email", "Tea is back. {unsubscribe}", False),
        ("email", "Tea is back. Unsubscribe: https://tea.example/out", False),
        ("push", "Tea is back.", False),
    ],
)
def test_only_texts_and_mails_need_a_way_to_stop(channel: str, text: str, missing: bool) -> None:
    assert ("missing_opt_out" in rules(text, channel=channel)) is missing


def test_positions_refer_to_the_text_as_handed_in() -> None:
    text = "喝吧，全网​最 * 好的茶，ｔ１ｌｌ midnight only"
    for one in found(text, language="zh"):
        assert text[one.start : one.end] == one.place
    assert any("最 * 好" in one.place for one in found(text, language="zh") if one.rule == "superlative")


def test_findings_come_by_place_subject_first() -> None:
    one, *rest = found("Cheap, and the best tea. {unsubscribe}", channel="email", subject="Unbeatable tea")
    assert (one.part, one.place) == ("subject", "Unbeatable")
    assert [(r.part, r.start) for r in rest] == sorted((r.part, r.start) for r in rest)


@pytest.mark.parametrize(
    ("text", "facts", "suggestion"),
    [
        ("Ends tonight.", OFFER, "until 1 December"),
        ("Only 3 left.", BARE, "while stocks last"),
        ("仅剩3件", Facts(currency="CNY", today=TODAY), "数量有限"),
        ("Was £20.00.", OFFER, "£12.90, was £15.90"),
        ("Hello {name}.", BARE, "{name|friend}"),
    ],
)
def test_a_suggestion_uses_the_facts_at_hand(text: str, facts: Facts, suggestion: str) -> None:
    assert suggestion in [one.suggestion for one in found(text, facts)]


@pytest.mark.parametrize(
    ("channel", "text", "long"),
    [
        ("sms", "a" * 146 + " Reply STOP to", False),
        ("sms", "a" * 160 + " Reply STOP", True),
        ("sms", "茶" * 64 + "退订回T", False),
        ("sms", "茶" * 70 + "退订回T", True),
        ("push", "a" * 121, True),
        ("push", "茶" * 51, True),
        ("wechat", "茶" * 500, False),
    ],
)
def test_a_message_longer_than_its_channel_is_warned_of(channel: str, text: str, long: bool) -> None:
    mine = [one for one in found(text, channel=channel) if one.rule == "length"]
    assert bool(mine) is long
    assert all(one.level == "warning" for one in mine)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ("[[word", "brand.toml"),
        ("words = 1", r"\[\[word\]\]"),
        ('[[word]]\navoid = "x"\ninstead_en = "y"', "instead_zh"),
        ('[[word]]\navoid = ""\ninstead_en = "y"\ninstead_zh = "z"', "avoid"),
        ('[[word]]\navoid = "x"\ninstead_en = "y"\ninstead_zh = "z"\nwhy = "w"', "why"),
        ('[[word]]\navoid = "x"\ninstead_en = "y"\ninstead_zh = "z"\nalso = "w"', "also"),
    ],
)
def test_a_brand_file_says_what_is_wrong_with_it(tmp_path: Path, content: str, wrong: str) -> None:
    path = tmp_path / "brand.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=wrong):
        load_brand(path)


def test_a_shops_own_brand_replaces_ours(tmp_path: Path) -> None:
    path = tmp_path / "brand.toml"
    path.write_text('[[word]]\navoid = "yummy"\nfine = ["yummy mummy"]\ninstead_en = "good"\ninstead_zh = "好"', encoding="utf-8")
    mine = check("Yummy cheap cake for a yummy mummy.", channel="push", language="en", facts=BARE, brand=load_brand(path))
    assert [(one.rule, one.place, one.suggestion) for one in mine] == [("brand_word", "Yummy", "good")]


PIECES = st.sampled_from(
    [
        "最",
        "*",
        "好",
        "£",
        "10",
        "%",
        " off ",
        "{name",
        "}",
        "|",
        "折",
        "元",
        "满",
        "until ",
        "31 ",
        "Feb",
        "月",
        "日",
        "\u200b",
        "f*ck",
        "Ⅷ",
        "½",
        "99999999999999",
    ]
)


@settings(max_examples=150, deadline=None)
@given(text=st.one_of(st.text(max_size=120), st.lists(PIECES, max_size=25).map("".join)), channel=st.sampled_from(["sms", "email", "push"]))
def test_any_text_is_read_and_places_are_slices_of_it(text: str, channel: str) -> None:
    for language, facts in (("en", OFFER), ("zh", OFFER_ZH)):
        for one in check(text, channel=channel, language=language, facts=facts, subject=text, preheader=text):
            assert 0 <= one.start <= one.end <= len(text)
            assert text[one.start : one.end] == one.place


def test_the_developers_cases_are_judged_as_labelled() -> None:
    figures = measured.measure(measured.DEV)
    assert figures["rules"]["all"]["all"]["F1"] > 0.93
    assert figures["messages"]["all"]["false alarms"] < 0.05


def test_an_expected_finding_is_met_by_overlap_and_a_clean_message_by_silence(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    row = '{{"text": "{}", "channel": "push", "language": "en", "facts": {{"currency": "GBP"}}, "expect": [{}]}}'
    path.write_text(row.format("The best tea.", '{"rule": "superlative", "place": "best tea"}') + "\n" + row.format("Tea.", ""), encoding="utf-8")
    figures = measured.measure(path)
    assert figures["rules"]["superlative"]["en"]["F1"] == 1
    assert figures["messages"]["all"]["blocked rightly"] == 1
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(BadInput, match="line 1"):
        measured.measure(path)


def test_a_message_takes_a_few_milliseconds_at_most() -> None:
    text = "Dear {name|reader}, the Ceylon tea 100 g is £12.90 until 1 December. " * 12
    found(text, OFFER)
    begun = time.perf_counter()
    for _ in range(5):
        found(text, OFFER)
    assert (time.perf_counter() - begun) / 5 < 0.05


def test_messages_of_an_author_who_had_not_seen_the_check_are_judged_nearly_as_well() -> None:
    figures = measured.measure(measured.CASES)["rules"]["all"]["all"]
    assert len(measured.cases(measured.CASES)) >= 150
    assert figures["precision"] >= 0.78 and figures["recall"] >= 0.75, figures


@pytest.mark.parametrize(
    ("today", "until"), [(date(2026, 11, 25), date(2026, 12, 31)), (date(2026, 12, 10), date(2027, 1, 31)), (date(2026, 2, 3), date(2026, 2, 28))]
)
def test_the_end_of_a_named_month_is_that_months_last_day_in_any_month(today: date, until: date) -> None:
    facts = Facts(currency="CNY", today=today, percent=Decimal(20), valid_until=until)
    assert "coupon_terms" not in rules(f"八折，{until.month}月底截止", facts)
    assert "coupon_terms" in rules(f"八折，{(until.month % 12) + 1}月底截止", facts)
    assert "coupon_terms" not in rules("八折，13月底截止", facts)


@pytest.mark.parametrize(
    "text",
    [
        *("锡兰红茶100克标价 £12.90，现享 9 折。", "端端正正：£12.90。", "折前 £12.90，9 折。", "叉勺取自同一块板，木纹相连。", "留出一块空地。"),
        *("最好在草地上玩。", "最大 40 公斤，精度 50 克。", "最低档约亮 12 小时。", "三折带扣带。", "Fire-retardant casing, brass contacts."),
        *("Usually £12.90, now 10% off.", "We keep Ceylon tea 100 g in the shop."),
    ],
)
def test_what_a_shop_says_of_its_goods_and_todays_price_is_no_breach(text: str) -> None:
    assert not {"price_basis", "superlative", "wrong_fact", "coupon_terms", "profanity"} & rules(text, OFFER)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("price_basis", "原价 £19.90，现 9 折。"),
        ("price_basis", "标价 £19.90。"),
        ("superlative", "最好的茶在这里。"),
        ("superlative", "全国最大的茶店。"),
        ("profanity", "Are you retarded?"),
    ],
)
def test_and_what_stands_beside_it_still_is(rule: str, text: str) -> None:
    assert rule in rules(text, OFFER)


def test_the_number_in_a_products_name_is_no_count_of_its_stock() -> None:
    bags = Facts(currency="GBP", today=TODAY, product="Vacuum storage bags, six", stock=40)
    assert "wrong_fact" not in rules("You can see the Vacuum storage bags, six in the shop.", bags)
    assert {"wrong_fact", "untrue_urgency"} & rules("There are six in the shop.", bags)
