"""The pages in a real Chromium: sign in, ask, see, press, switch, leave."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from looking import ask, done, expect, find, fits, reply
from sqlmodel import select

from assistant.desk import Desk
from eval import worlds
from members.tables import Approval, Order, OrderLine, Product

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]


def state(desk: Desk, order_id: str) -> str:
    with desk.database.read() as session:
        return str(session.get_one(Order, order_id).status)


# --- the door ---------------------------------------------------------------------------


def test_a_wrong_password_says_so_and_the_right_one_opens_the_page(visit: Visit, faced: Desk) -> None:
    page = visit()
    expect(page).to_have_url(re.compile("/login$"))
    for password, then in (("not this one", "/login$"), (worlds.PASSWORD, "/member/?$")):
        page.fill("#login", "lina")
        page.fill("#password", password)
        page.click("button[type=submit]")
        expect(page).to_have_url(re.compile(then))
        if then == "/login$":
            expect(page.locator("[role=alert]")).to_contain_text("wrong")
    expect(page.locator("#member-card")).to_contain_text("Li Na")
    points = faced.gateway(faced.caller_named("lina"), "").call("points", {}).result["balance"]
    expect(page.locator("#member-card")).to_contain_text(f"{points:,}")


@pytest.mark.parametrize(
    ("login", "path"), [("lina", "/support"), ("lina", "/marketer"), ("marketer", "/support"), ("support", "/member"), ("admin", "/member")]
)
def test_a_page_opens_for_its_role_alone(visit: Visit, login: str, path: str) -> None:
    page = visit(login, path)
    expect(page).to_have_url(re.compile("/login$"))
    assert page.request.get(f"{path}/gradio_api/info").status == 401 and page.request.get(f"{path}/config").status == 401


def test_signing_out_ends_it(visit: Visit) -> None:
    page = visit("lina", "/member")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/login$"))
    page.goto("/member")
    expect(page).to_have_url(re.compile("/login$"))


# --- the member -------------------------------------------------------------------------


def test_products_appear_as_cards(visit: Visit) -> None:
    page = visit("lina", "/member")
    ask(page, "show me some tea")
    expect(page.locator("#goods .one").first).to_be_visible()
    assert 2 <= page.locator("#goods .one").count() <= 6
    expect(page.locator("#goods .one").first).to_contain_text("£")
    expect(page.locator("#goods .one svg").first).to_be_visible()
    ask(page, "how many points do I have")
    expect(reply(page)).to_contain_text("points")


def test_a_press_on_yes_cancels_and_the_card_goes(visit: Visit, faced: Desk) -> None:
    page = visit("chenmo", "/member")
    mine, card = page.locator("#member-card"), page.locator("#approval").first
    expect(mine).to_contain_text("陈默")
    before = mine.inner_text()
    ask(page, "取消订单 O-23066")
    expect(card).to_contain_text("O-23066")
    with faced.database.read() as session:
        cents = session.get_one(Order, "O-23066").total_cents
    expect(card).to_contain_text(f"£{cents / 100:,.2f}")
    assert state(faced, "O-23066") == "pending"
    page.locator("#approve").click()
    expect(card).to_be_hidden()
    expect(reply(page)).to_contain_text("O-23066")
    assert state(faced, "O-23066") == "cancelled"
    expect(mine).not_to_have_text(before)


def test_a_press_on_no_keeps_the_order(visit: Visit, faced: Desk) -> None:
    page = visit("lina", "/member")
    ask(page, "cancel order O-23064")
    page.locator("#decline").click()
    expect(page.locator("#approval").first).to_be_hidden()
    done(page)
    assert state(faced, "O-23064") == "pending"


def test_a_card_is_in_sight_exactly_while_its_approval_is_open(visit: Visit, faced: Desk) -> None:
    page = visit("lina", "/member")
    ask(page, "cancel order O-23081")
    card = page.locator("#approval").first
    expect(card).to_be_visible()
    ask(page, "how many points do I have")
    with faced.database.read() as session:
        newest = session.exec(select(Approval).order_by(Approval.created_at.desc())).first()
    assert card.is_visible() == (newest.status == "open")


def test_sources_fold_out_under_the_answer(visit: Visit) -> None:
    page = visit("lina", "/member")
    ask(page, "how long may something be returned?")
    expect(reply(page)).to_contain_text("30 days")
    passage = page.locator("#sources").get_by_text("counted from the day it was delivered").first
    expect(passage).to_be_hidden()
    page.locator("#sources button").first.click()
    expect(passage).to_be_visible()


def test_switching_the_language_keeps_the_conversation(visit: Visit) -> None:
    page = visit("lina", "/member")
    ask(page, "how many points do I have")
    page.locator("#language").get_by_text("中文").click()
    expect(page.locator("#send")).to_have_text("发送")
    expect(page.locator("#person")).to_have_text("找人工")
    expect(page.locator("#member-card")).to_contain_text("积分")
    expect(page.locator(".message.user").first).to_contain_text("how many points do I have")
    expect(reply(page)).to_contain_text("points")
    ask(page, "那什么时候过期？")
    expect(reply(page)).to_contain_text("到期")
    assert page.locator(".message.user").count() == 2


def test_a_chinese_member_is_met_in_chinese(visit: Visit) -> None:
    page = visit("chenmo", "/member")
    expect(page.locator("#send")).to_have_text("发送")
    expect(page.locator("#member-card")).to_contain_text("陈默")


def test_suggested_questions_are_answered(visit: Visit) -> None:
    page = visit("lina", "/member")
    first = page.locator("button.starter").first
    expect(first).to_contain_text("next tier")
    first.click()
    expect(reply(page)).to_contain_text("Platinum")
    done(page)


def test_a_person_is_always_in_sight(visit: Visit) -> None:
    page = visit("lina", "/member")
    page.locator("#person").click()
    expect(page.locator("#box textarea")).to_have_value("I'd like to talk to a person")


def test_what_is_typed_is_shown_as_text(visit: Visit) -> None:
    page = visit("lina", "/member")
    box = page.locator("#box textarea")
    expect(page.locator("#member-card")).to_contain_text("Li Na")
    box.fill('<img src=x onerror="document.title=1"> <b>bold</b>')
    box.press("Enter")
    done(page)
    assert page.locator(".message.user img, .message.user b").count() == 0 and page.title() != "1"


def test_markup_in_the_record_stays_text(visit: Visit, faced: Desk) -> None:
    planted = "Tea <img src='https://evil.example/a.png'> ![x](https://evil.example/b.png) [win](https://evil.example/)"
    with faced.database.effect() as session:
        line = session.exec(select(OrderLine).where(OrderLine.order_id == "O-23063", OrderLine.kind == "product")).first()
        product_id, name = line.product_id, session.get_one(Product, line.product_id).name_en
        session.get_one(Product, product_id).name_en = planted
    try:
        page = visit("lina", "/member")
        ask(page, "cancel order O-23063")
        expect(page.locator("#approval").first).to_be_visible()
        page.locator("#decline").click()
        done(page)
        ask(page, "where is order O-23063")
        assert page.locator("[src*='evil'], [href*='evil']").count() == 0
    finally:
        with faced.database.effect() as session:
            session.get_one(Product, product_id).name_en = name


# --- narrow -----------------------------------------------------------------------------


@pytest.mark.parametrize(("login", "path"), [("", "/login"), ("lina", "/member"), ("support", "/support"), ("marketer", "/marketer")])
def test_a_page_is_usable_at_390_pixels(visit: Visit, login: str, path: str) -> None:
    page = visit(login, path, width=390)
    if login:
        expect(page.locator("#send")).to_be_visible()
        ask(page, "show me some tea" if login == "lina" else "How long may something be returned?")
        expect(reply(page)).to_be_visible()
    if login == "support":
        find(page, "M-10001")
        expect(page.locator("#profile")).to_contain_text("Li Na")
    assert fits(page)
