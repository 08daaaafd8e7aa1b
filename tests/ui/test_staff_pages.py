"""The pages of support and marketing in a real Chromium."""

from collections.abc import Callable
from typing import Any

import pytest
from looking import ask, choose, expect, find, reply

from assistant.desk import Desk

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]


def figures(desk: Desk) -> tuple[str, str]:
    """Points and spend of M-10001, as the record has them."""
    r = desk.gateway(desk.caller_named("support"), "").call("member_insight", {"who": "M-10001"}).result
    return f"{r['points']:,}", f"£{float(r['spend']):,.2f}"


def test_support_finds_a_member_and_sees_who_they_are(visit: Visit, faced: Desk) -> None:
    page = visit("support", "/support")
    expect(page.locator("#profile")).to_contain_text("Find a member")
    find(page, "M-10001")
    profile = page.locator("#profile")
    for fact in ("Li Na", "M-10001", "Gold", "London", *figures(faced), "What stands out"):
        expect(profile).to_contain_text(fact)
    expect(page.locator("#orders table")).to_contain_text("O-23081")
    assert page.locator("#orders tr").count() == 11
    for plot in range(3):
        expect(page.locator(".js-plotly-plot").nth(plot)).to_be_visible()


@pytest.mark.parametrize("words", ["Li Na", "O-23081"])
def test_support_finds_a_member_by_name_or_order(visit: Visit, words: str) -> None:
    page = visit("support", "/support")
    find(page, words)
    expect(page.locator("#profile")).to_contain_text("M-10001")


def test_support_is_told_when_nobody_fits(visit: Visit) -> None:
    page = visit("support", "/support")
    find(page, "zzzz-nobody")
    expect(page.locator("#profile")).to_contain_text("Nobody fits")
    expect(page.locator("#orders table")).to_have_count(0)


def test_the_chat_beside_a_member_answers_about_them(visit: Visit, faced: Desk) -> None:
    page = visit("support", "/support")
    find(page, "M-10001")
    expect(page.locator("#profile")).to_contain_text("Li Na")
    ask(page, "How is M-10001 doing?")
    expect(reply(page)).to_contain_text("Li Na")
    for figure in figures(faced):
        expect(reply(page)).to_contain_text(figure)
    ask(page, "What has she bought this year?")
    expect(reply(page)).to_contain_text("O-23081")


def test_support_in_chinese_keeps_the_member_in_view(visit: Visit) -> None:
    page = visit("support", "/support")
    find(page, "M-10001")
    expect(page.locator("#profile")).to_contain_text("Li Na")
    page.locator("#language").get_by_text("中文").click()
    expect(page.locator("#profile")).to_contain_text("值得注意")
    expect(page.locator("#profile")).to_contain_text("M-10001")


def test_the_count_follows_the_conditions(visit: Visit, faced: Desk) -> None:
    tool = faced.gateway(faced.caller_named("marketer"), "")
    page = visit("marketer", "/marketer")
    count = page.locator("#count .big")
    expect(count).to_have_text(str(tool.call("audience_count", {}).result["reachable"]))
    choose(page, "#tiers", "Gold")
    expect(count).to_have_text(str(tool.call("audience_count", {"tiers": ["gold"]}).result["reachable"]))
    choose(page, "#cities", "London")
    narrow = {"tiers": ["gold"], "cities": ["London"]}
    expect(count).to_have_text(str(tool.call("audience_count", narrow).result["reachable"]))
    page.fill("#most input", "2500")
    page.locator("#most input").press("Tab")
    expect(count).to_have_text(str(tool.call("audience_count", {**narrow, "spent_at_most": 2500.0}).result["reachable"]))


def test_three_wordings_stand_side_by_side(visit: Visit) -> None:
    page = visit("marketer", "/marketer")
    expect(page.locator("#count .big")).to_be_visible()
    page.fill("#product textarea, #product input", "tea")
    page.fill("#percent input", "10")
    page.locator("#write").click()
    phones = page.locator("#copies .phone")
    expect(phones).to_have_count(3)
    texts = [phone.locator(".bubble").inner_text() for phone in phones.all()]
    assert len(set(texts)) == 3 and all("10" in text for text in texts)
    expect(page.locator("#copies")).to_contain_text("Nothing is sent")


def test_a_day_that_is_none_is_pointed_at(visit: Visit) -> None:
    page = visit("marketer", "/marketer")
    page.fill("#until textarea, #until input", "soon")
    page.locator("#write").click()
    expect(page.locator("#copies .warn")).to_contain_text("YYYY-MM-DD")


@pytest.mark.parametrize(("login", "text"), [("support", "How is M-10001 doing?"), ("marketer", "how many gold members are there")])
def test_no_button_is_ever_without_words(visit: Visit, login: str, text: str) -> None:
    page = visit(login, f"/{login}")
    ask(page, text)
    assert all(button.inner_text().strip() for button in page.locator("button.starter").all() if button.is_visible())
