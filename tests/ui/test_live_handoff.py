"""A colleague in a member's chat, seen from both sides, and the cards that wait for a yes."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fakes.web import served
from langchain_core.messages import AIMessage, HumanMessage
from looking import ask, done, expect, fits, reply

from assistant import memory
from assistant.desk import Desk
from assistant.settings import load
from eval import worlds
from members import accounts
from members.access import Role
from members.tables import Order
from ui import app

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]
HUMAN = "I want to talk to a human about my late order"
HEARD = "Hello Li Na, I am looking into it."


def balance(desk: Desk, who: str) -> int:
    return int(desk.gateway(desk.caller_named("support"), "").call("member_insight", {"who": who}).result["points"])


def inbox(page: Any) -> Any:
    """Open the inbox."""
    page.get_by_role("tab", name="Inbox").click()
    return page.locator("#tickets")


def pick(page: Any, name: str) -> None:
    """Pick a member's ticket and wait until it is open."""
    inbox(page).locator("label", has_text=name).first.click()
    expect(page.locator("#ticket h3")).to_contain_text(name)


def say_to_member(page: Any, text: str) -> None:
    page.locator("#reply textarea").fill(text)
    page.locator("#reply-send").click()
    expect(page.locator("#ticket .chatlog")).to_contain_text(text)
    expect(page.locator("#reply textarea")).to_have_value("")


@pytest.fixture
def no_tickets(faced: Desk) -> Iterator[None]:
    """In the end nobody's conversation waits or is held, so that other tests find a fresh page."""
    yield
    for ticket in faced.inbox.waiting(faced.caller_named("support")):
        if ticket.has_chat:
            faced.inbox.close(faced.caller_named(ticket.assignee or "support"), ticket.ticket_id, "solved")
    for login in ("lina", "chenmo"):
        caller = faced.caller_named(login)
        with faced.database.write() as session:
            if thread := faced.inbox.unfinished(caller):
                memory.append(session, memory.open_thread(session, caller, thread), [HumanMessage("thanks"), AIMessage("With pleasure.")], now=faced.now())


# --- the card ---------------------------------------------------------------------------


def test_the_card_is_one_frame_and_nothing_of_it_is_cut(visit: Visit) -> None:
    for width in (1280, 390):
        page = visit("lina", "/member", width=width)
        ask(page, "cancel order O-23064")
        card = page.locator("#approval")
        expect(card).to_have_count(1)
        framed = "e => [e, ...e.querySelectorAll('*')].filter(x => parseFloat(getComputedStyle(x).borderTopWidth) >= 2).length"
        cut = "e => [e, ...e.querySelectorAll('*')].filter(x => x.scrollWidth > x.clientWidth + 1 && getComputedStyle(x).display !== 'inline').length"
        assert card.evaluate(framed) == 1 and card.evaluate(cut) == 0 and fits(page)
        page.locator("#decline").click()
        expect(card).to_be_hidden()


def test_a_return_is_set_up_by_its_button(visit: Visit, faced: Desk) -> None:
    page = visit("lina", "/member")
    ask(page, "I want to return my order O-22994")
    expect(page.locator("#approval")).to_contain_text("O-22994")
    page.locator("#approve").click()
    expect(page.locator("#approval")).to_be_hidden()
    expect(reply(page)).to_contain_text("label")
    with faced.database.read() as session:
        assert session.get_one(Order, "O-22994").status == "return_requested"


@pytest.mark.parametrize(("word", "status"), [("cancel it", "delivered"), ("yes", "return_requested")])
def test_a_word_decides_a_return_and_cancel_it_calls_it_off(visit: Visit, faced: Desk, word: str, status: str) -> None:
    page = visit("lina", "/member")
    ask(page, "I want to return my order O-22942")
    expect(page.locator("#approval")).to_contain_text("O-22942")
    ask(page, word)
    expect(page.locator("#approval")).to_be_hidden()
    with faced.database.read() as session:
        assert session.get_one(Order, "O-22942").status == status


# --- a live handoff ---------------------------------------------------------------------


def test_a_handoff_from_the_cry_to_the_close(visit: Visit, no_tickets: None) -> None:
    lina, support = visit("lina", "/member"), visit("support", "/support")
    ask(lina, HUMAN)
    expect(reply(lina)).to_contain_text("colleague")
    pick(support, "Li Na")
    ticket = support.locator("#ticket")
    for fact in ("M-10001", "Gold", HUMAN, "Suggested next step", "O-"):
        expect(ticket).to_contain_text(fact)
    assert "**" not in ticket.inner_text() and "talk_to_person" not in ticket.inner_text()
    support.locator("#take").click()
    expect(support.locator("#give-back")).to_be_visible()
    expect(lina.locator("#handoff")).to_contain_text("talking with support")
    # The page looks around every three seconds: what is being written stays.
    support.locator("#reply textarea").fill("half a sen")
    support.wait_for_timeout(3_500)
    expect(support.locator("#reply textarea")).to_have_value("half a sen")
    say_to_member(support, HEARD)
    expect(reply(lina)).to_have_text(f"support: {HEARD}")
    ask(lina, "Thank you, it is O-23064")
    expect(support.locator("#ticket .chatlog")).to_contain_text("it is O-23064")
    lina.reload()
    expect(lina.locator("#member-chat")).to_contain_text(HEARD)
    expect(lina.locator("#member-chat")).to_contain_text("it is O-23064")
    support.locator("#give-back").click()
    expect(support.locator("#take")).to_be_visible()
    expect(lina.locator("#handoff")).to_contain_text("assistant is with you again")
    ask(lina, "how many points do I have")
    expect(reply(lina)).to_contain_text("points")
    support.locator("#close-ticket").click()
    expect(support.locator("#tickets")).not_to_contain_text("Li Na")
    expect(support.locator("#ticket")).to_contain_text("Pick a ticket")


def test_a_colleagues_words_appear_though_the_member_writes_at_that_moment(visit: Visit, faced: Desk, no_tickets: None) -> None:
    lina, support = visit("lina", "/member"), faced.caller_named("support")
    ask(lina, HUMAN)
    ticket = next(t.ticket_id for t in faced.inbox.waiting(support) if t.member_id == "M-10001")
    faced.inbox.take(support, ticket)
    for n in range(3):
        lina.locator("#box textarea").fill(f"and number {n}?")
        lina.locator("#box textarea").press("Enter")
        faced.inbox.reply(support, ticket, f"answer {n}")
        done(lina)
    for n in range(3):
        expect(lina.locator("#member-chat")).to_contain_text(f"answer {n}")
    assert lina.locator(".message.bot", has_text="support: answer").count() == 3


def test_what_a_colleague_writes_is_shown_as_text(visit: Visit, faced: Desk, no_tickets: None) -> None:
    lina, support = visit("lina", "/member"), faced.caller_named("support")
    ask(lina, HUMAN)
    ticket = next(t.ticket_id for t in faced.inbox.waiting(support) if t.member_id == "M-10001")
    faced.inbox.take(support, ticket)
    faced.inbox.reply(support, ticket, "See <b>this</b> ![x](https://evil.example/a.png)")
    expect(reply(lina)).to_contain_text("See")
    assert lina.locator("[src*='evil'], [href*='evil']").count() == 0


def test_a_complaint_in_chinese_reaches_the_inbox_in_chinese(visit: Visit, no_tickets: None) -> None:
    chenmo, support = visit("chenmo", "/member"), visit("support", "/support", width=390)
    ask(chenmo, "我要投诉，你们送来的杯子是碎的")
    expect(reply(chenmo)).to_contain_text("T-")
    support.locator("#language").get_by_text("中文").click()
    support.get_by_role("tab", name="收件箱").click()
    support.locator("#tickets label", has_text="陈默").click()
    expect(support.locator("#ticket")).to_contain_text("杯子是碎的")
    expect(support.locator("#ticket")).to_contain_text("投诉")
    assert fits(support)


def test_causes_are_shown_with_their_trend(visit: Visit) -> None:
    page = visit("support", "/support")
    page.get_by_role("tab", name="Causes").click()
    expect(page.locator("#causes table")).to_contain_text("late delivery")
    expect(page.locator(".js-plotly-plot:visible")).to_have_count(1)


# --- a second person and one's own data -------------------------------------------------


def test_points_over_the_limit_wait_for_a_colleagues_yes(visit: Visit, faced: Desk) -> None:
    with faced.database.effect() as session:
        accounts.create(session, "support2", worlds.PASSWORD, Role.SUPPORT)
    before = balance(faced, "M-10005")
    support, other = visit("support", "/support"), visit("support2", "/support")
    ask(support, "give M-10005 5000 points for the broken teapot")
    support.locator("#approve").click()
    expect(support.locator("#approval")).to_be_hidden()
    inbox(support), inbox(other)
    expect(other.locator("#seconds")).to_contain_text("Needs a second person")
    expect(other.locator("#second-pick")).to_contain_text("5,000")
    expect(support.locator("#second-yes")).to_be_hidden()
    assert balance(faced, "M-10005") == before
    other.locator("#second-yes").click()
    expect(other.locator("#second-yes")).to_be_hidden()
    assert balance(faced, "M-10005") == before + 5_000


def test_the_download_holds_ones_own_data_alone(visit: Visit) -> None:
    page = visit("lina", "/member")
    ask(page, "export my data")
    with page.expect_download() as begun:
        page.locator("a.download").click()
    text = begun.value.path().read_text(encoding="utf-8")
    assert "M-10001" in json.dumps(json.loads(text)) and "M-10002" not in text and begun.value.suggested_filename.startswith("patron-M-10001")


# --- a restart --------------------------------------------------------------------------


def test_a_restart_loses_neither_ticket_nor_conversation(faced: Desk, chromium: Any, tmp_path: Any) -> None:
    first = Desk(load(home=worlds.copy_of(faced.settings, tmp_path / "shop"), today=worlds.DAY))
    for begun in (True, False):
        desk = first if begun else Desk(load(home=first.settings.home, today=worlds.DAY))
        with served(app.build(desk)) as url:
            context = chromium.new_context(base_url=url)
            context.request.post("/login", form={"login": "chenmo", "password": worlds.PASSWORD}, max_redirects=0)
            page = context.new_page()
            page.goto("/member")
            if begun:
                ask(page, "我想找人工客服")
                support = desk.caller_named("support")
                ticket = next(t.ticket_id for t in desk.inbox.waiting(support) if t.member_id == "M-10002")
                desk.inbox.take(support, ticket)
                desk.inbox.reply(support, ticket, "您好，我来处理。")
            expect(page.locator("#member-chat")).to_contain_text("您好，我来处理。")
            expect(page.locator("#handoff")).to_contain_text("support")
            assert desk.inbox.open(support, ticket).brief.assignee == "support"
            context.close()
        desk.close()
