"""The marketer's page in a real Chromium: from a sentence to a campaign, its result, and other rules."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from looking import ask, expect, fits, reply

from assistant.desk import Desk

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]


def fill(page: Any, field: str, text: str) -> None:
    """Type into a field of the page."""
    page.fill(f"{field} textarea, {field} input", text)


def tab(page: Any, name: str) -> None:
    """Open a tab of the studio."""
    page.get_by_role("tab", name=name).click()


def test_a_sentence_becomes_conditions_that_can_be_changed(visit: Visit) -> None:
    page = visit("marketer", "/marketer")
    fill(page, "#sentence", "silver members in London who haven't bought for 30 days but not tea buyers")
    page.locator("#understand").click()
    expect(page.locator("#tiers")).to_contain_text("Silver")
    expect(page.locator("#cities")).to_contain_text("London")
    expect(page.locator("#not-categories")).to_contain_text("tea")
    expect(page.locator("#count")).to_contain_text("may be addressed")
    before = page.locator("#count .soft").first.inner_text()
    page.fill("#quiet input", "1")
    page.locator("#quiet input").press("Tab")
    expect(page.locator("#count .soft").first).not_to_have_text(before)


def test_nothing_a_sentence_says_is_lost_on_the_page(visit: Visit) -> None:
    page = visit("marketer", "/marketer")
    fill(page, "#sentence", "members in the UK with 100 points or more outside Leeds but not tea buyers")
    page.locator("#understand").click()
    expect(page.locator("#countries")).to_contain_text("United Kingdom")
    expect(page.locator("#not-categories")).to_contain_text("tea")
    for words in ("at least 100 points", "but not", "Leeds", "bought tea"):
        expect(page.locator("#count")).to_contain_text(words)
    page.locator("#estimate").click()
    expect(page.locator("#outlook .card")).to_contain_text(re.compile("pays|does not pay"))


def test_from_an_audience_to_a_campaign_that_was_sent(visit: Visit, faced: Desk) -> None:
    page = visit("marketer", "/marketer")
    fill(page, "#sentence", "members who bought in the last 365 days")
    page.locator("#understand").click()
    expect(page.locator("#count .big")).to_have_text(re.compile(r"[1-9]"))
    fill(page, "#audience-name", "Page test")
    page.locator("#save-audience").click()
    expect(page.locator("#studio-card")).to_contain_text("Page test")
    page.locator("#studio-yes").click()
    expect(page.locator("#studio-done")).to_contain_text("Saved")
    page.locator("#saved input").fill("Page test")
    page.locator("#saved input").press("Enter")
    page.locator("#estimate").click()
    expect(page.locator("#outlook .card")).to_contain_text(re.compile("pays|does not pay"))
    fill(page, "#product", "tea")
    page.locator("#write").click()
    expect(page.locator("#copies .phone")).to_have_count(3)
    expect(page.locator("#copies")).to_contain_text("Nothing to object to")
    fill(page, "#campaign-name", "Page campaign")
    page.locator("#everyone input").check()
    page.locator("#set-up").click()
    expect(page.locator("#studio-card")).to_contain_text("Page campaign")
    page.locator("#studio-yes").click()
    expect(page.locator("#studio-done")).to_contain_text("Nothing has been sent")
    assert faced.studio.names(faced.caller_named("marketer"))[1] == ["Page campaign"]
    page.locator("#send-out").click()
    expect(page.locator("#studio-card")).to_contain_text("would go out now")
    page.locator("#studio-no").click()
    expect(page.locator("#studio-done")).to_contain_text("Nothing was changed")


def test_free_shipping_is_told_in_the_words_written(visit: Visit) -> None:
    page = visit("marketer", "/marketer")
    page.locator("#kind input").fill("Free shipping")
    page.locator("#kind input").press("Enter")
    page.locator("#write").click()
    expect(page.locator("#copies .phone")).to_have_count(3)
    expect(page.locator("#copies .phone").first).to_contain_text(re.compile("shipping|postage|deliver", re.IGNORECASE))


def test_words_of_ones_own_are_checked_place_by_place(visit: Visit) -> None:
    page = visit("marketer", "/marketer")
    fill(page, "#own", "The best tea ever, only today!")
    page.locator("#check").click()
    expect(page.locator("#checked")).to_contain_text("must change")
    expect(page.locator("#checked")).to_contain_text("The best")


def test_a_result_is_a_sentence_and_a_plot(visit: Visit) -> None:
    page = visit("marketer", "/marketer")
    tab(page, "Results")
    expect(page.locator("#results-told .card")).to_contain_text(re.compile("No effect|worked|did harm|too few"))
    expect(page.locator("#results-outbox a")).to_have_attribute("href", re.compile(r"/api/v1/campaigns/C-\d+\.csv"))


def test_the_lab_plays_a_year_and_draws_who_moves(visit: Visit) -> None:
    page = visit("marketer", "/marketer")
    tab(page, "Policy lab")
    fill(page, "#lab-sentence", "what if silver starts at 300 and points expire after 18 months")
    page.locator("#lab-sentence textarea, #lab-sentence input").press("Enter")
    expect(page.locator("#lab-told")).to_contain_text("Silver starts at £300.00 instead of £500.00")
    for name in ("moves", "money", "reach", "groups"):
        expect(page.locator(f"#lab-{name} .js-plotly-plot")).to_be_visible()
    expect(page.locator("#lab-rules")).to_contain_text("300")
    fill(page, "#lab-starts", "2027-01-01")
    page.locator("#lab-adopt").click()
    expect(page.locator("#lab-card")).to_contain_text("A colleague has to agree as well")
    page.locator("#lab-no").click()


def test_the_page_reads_in_chinese_on_a_phone(visit: Visit) -> None:
    page = visit("marketer", "/marketer", width=390)
    page.locator("#language").get_by_text("中文").click()
    expect(page.locator("#understand")).to_have_text("理解")
    assert fits(page)
    tab(page, "政策实验室")
    expect(page.locator("#lab-play")).to_have_text("推演一年")
    assert fits(page)


def test_the_chat_beside_the_steps_answers_too(visit: Visit) -> None:
    page = visit("marketer", "/marketer")
    ask(page, "上次活动效果怎么样")
    expect(reply(page)).to_contain_text(re.compile("看不出效果|有效果|反作用|没法对照"))
