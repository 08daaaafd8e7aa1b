"""Who is handed over to a person, and what happens while a colleague speaks."""

from collections.abc import Callable
from typing import Any

import pytest
from fakes.openai_server import OpenAIServer
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from assistant import handoff, memory
from assistant.desk import Desk
from assistant.settings import load
from eval import worlds
from members import accounts
from members.access import Caller, Role
from members.errors import BadInput, NotAllowed, NotFound, RuleBroken
from tools.tickets import TicketBrief

Turn = Callable[..., Any]
HUMAN = "I want to talk to a human about my late order"


@pytest.fixture
def support(fresh_desk: Desk) -> Caller:
    """The colleague at the desk."""
    return fresh_desk.caller_named("support")


@pytest.fixture
def member(fresh_desk: Desk) -> Caller:
    """M-10001 at a desk of this test's own."""
    return fresh_desk.caller_named("lina")


def ticket_of(desk: Desk, caller: Caller, member_id: str | None) -> TicketBrief:
    return next(t for t in desk.inbox.waiting(caller) if t.member_id == member_id)


# --- who needs a person -----------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "this is a scam, you are thieves!!!",
        "I'm fed up with waiting",
        "WHERE IS MY PARCEL ANSWER ME NOW!",
        "I will call my lawyer",
        "your bloody courier",
        "你们是骗子",
        "再不处理我就打12315",
        "气死我了！！！",
    ],
)
def test_anger_is_heard(text: str) -> None:
    assert handoff.is_angry(text)


@pytest.mark.parametrize(
    "text",
    [
        "Where is my order?",
        "How many points do I have!",
        "Is there anything against scratches on the teapot?",
        "NO",
        "O-23081 AND O-23064",
        "I never buy coffee, only tea",
        "滚筒洗衣袋有吗",
        "送我妈的生日礼物",
        "我的订单到哪了？",
        "谢谢！",
    ],
)
def test_calm_words_are_not_taken_for_anger(text: str) -> None:
    assert not handoff.is_angry(text)


def test_a_turn_is_lost_when_every_tool_failed_and_not_when_one_answered() -> None:
    failed = ToolMessage('{"outcome":"failed","fact":"x"}', tool_call_id="1")
    misread = ToolMessage('{"outcome":"refused","currency":"GBP","code":"bad_input","fact":"x"}', tool_call_id="2")
    ruled = ToolMessage('{"outcome":"refused","currency":"GBP","code":"rule_broken","fact":"x"}', tool_call_id="3")
    assert handoff.is_lost([failed, misread, AIMessage("sorry")], {})
    assert handoff.is_lost([AIMessage("Could you say it in other words?")], {"lost": True})
    assert not handoff.is_lost([failed, ruled], {})
    assert not handoff.is_lost([AIMessage("Hello.")], {})


def test_three_turns_that_led_nowhere_call_a_person_and_two_do_not(fresh_desk: Desk, member: Caller, support: Caller) -> None:
    with fresh_desk.database.write() as session:
        thread = memory.open_thread(session, member, None)
    for turns in (1, 2, 3):
        with fresh_desk.database.write() as session:
            memory.append(session, thread, [HumanMessage("hm"), AIMessage("?")], now=fresh_desk.now(), extras={"lost": True})
        with fresh_desk.database.read() as session:
            assert memory.lost_in_a_row(session, thread.id) == turns
    with fresh_desk.database.write() as session:
        memory.append(session, thread, [HumanMessage("points?"), AIMessage("2,611")], now=fresh_desk.now())
    with fresh_desk.database.read() as session:
        assert memory.lost_in_a_row(session, thread.id) == 0


def test_three_failures_in_a_row_open_one_ticket(asking: Desk, mei: Caller, endpoint: OpenAIServer, turn: Turn) -> None:
    caller, thread, opened = asking.caller_named("support"), None, []
    for _ in range(4):
        endpoint.calls(("order_status", {"order_id": ""}))
        endpoint.says("I could not find that out.")
        thread = turn(asking, mei, "where", thread).thread
        opened.append([t for t in asking.inbox.waiting(caller) if t.cause == "failures"])
    assert [len(tickets) for tickets in opened] == [0, 0, 1, 1]
    asking.inbox.close(caller, opened[-1][0].ticket_id, "solved")


# --- the ticket -------------------------------------------------------------------------


def test_a_ticket_brings_the_facts_the_next_step_and_the_chat(fresh_desk: Desk, member: Caller, support: Caller, turn: Turn) -> None:
    thread = turn(fresh_desk, member, "How many points do I have?").thread
    turn(fresh_desk, member, HUMAN, thread)
    opened = fresh_desk.inbox.open(support, ticket_of(fresh_desk, support, "M-10001").ticket_id)
    assert opened.brief.next_step and opened.facts["order_id"].startswith("O-") and opened.facts["points"] > 0
    assert opened.facts["said"] == ["How many points do I have?", HUMAN] and opened.facts["tried"] == []
    assert [line["from"] for line in opened.chat] == ["member", "patron", "member", "patron"]


def test_an_angry_member_is_moved_up_and_a_second_cry_opens_no_second_ticket(fresh_desk: Desk, member: Caller, support: Caller, turn: Turn) -> None:
    thread = turn(fresh_desk, member, HUMAN).thread
    calm = ticket_of(fresh_desk, support, "M-10001")
    turn(fresh_desk, member, "I am furious, this is a scam!!!", thread)
    angry = [t for t in fresh_desk.inbox.waiting(support) if t.member_id == "M-10001"]
    assert [t.ticket_id for t in angry] == [calm.ticket_id] and angry[0].priority < calm.priority


# --- a colleague speaks -----------------------------------------------------------------


def test_a_held_conversation_never_calls_a_model(asking: Desk, mei: Caller, endpoint: OpenAIServer, turn: Turn) -> None:
    endpoint.calls(("talk_to_person", {"about": HUMAN}))
    endpoint.says("A colleague is coming.")
    thread = turn(asking, mei, HUMAN).thread
    support = asking.caller_named("support")
    ticket = ticket_of(asking, support, "M-10001").ticket_id
    asking.inbox.take(support, ticket)
    before = len(endpoint.requests)
    held = turn(asking, mei, "cancel order O-23064", thread)
    assert len(endpoint.requests) == before and not held.of("tool_started") and held[-1].extras["held_by"] == "support"
    asking.inbox.reply(support, ticket, "I am looking into it.")
    asking.inbox.give_back(support, ticket)
    endpoint.says("With pleasure.")
    turn(asking, mei, "thanks", thread)
    assert len(endpoint.requests) == before + 1
    assert "I am looking into it." in str(endpoint.requests[-1])
    asking.inbox.close(support, ticket, "solved")


def test_a_colleagues_words_stand_in_the_chat_under_their_name(fresh_desk: Desk, member: Caller, support: Caller, turn: Turn) -> None:
    thread = turn(fresh_desk, member, HUMAN).thread
    ticket = ticket_of(fresh_desk, support, "M-10001").ticket_id
    fresh_desk.inbox.take(support, ticket)
    last = fresh_desk.thread(member, thread)[-1].position
    fresh_desk.inbox.reply(support, ticket, "  It left today.  ")
    fresh, held_by = fresh_desk.inbox.since(member, thread, last)
    assert [(line["from"], line["text"]) for line in handoff.chat_of(fresh)] == [("support", "It left today.")] and held_by == "support"
    with fresh_desk.database.read() as session:
        assert "It left today." in str(memory.history(session, thread, budget=4_000)[-1].content)


def test_only_who_took_a_ticket_may_answer_and_a_colleague_cannot_take_it_away(fresh_desk: Desk, member: Caller, support: Caller, turn: Turn) -> None:
    with fresh_desk.database.effect() as session:
        accounts.create(session, "colleague", worlds.PASSWORD, Role.SUPPORT)
    other = fresh_desk.caller_named("colleague")
    turn(fresh_desk, member, HUMAN)
    ticket = ticket_of(fresh_desk, support, "M-10001").ticket_id
    for words in ("", "   ", "x" * 5_000):
        with pytest.raises((BadInput, RuleBroken)):
            fresh_desk.inbox.reply(support, ticket, words)
    with pytest.raises(RuleBroken):
        fresh_desk.inbox.reply(support, ticket, "not taken yet")
    fresh_desk.inbox.take(support, ticket)
    for act in (
        lambda: fresh_desk.inbox.reply(other, ticket, "hello"),
        lambda: fresh_desk.inbox.take(other, ticket),
        lambda: fresh_desk.inbox.give_back(other, ticket),
        lambda: fresh_desk.inbox.close(other, ticket, "solved"),
    ):
        with pytest.raises(RuleBroken):
            act()
    assert fresh_desk.inbox.open(support, ticket).brief.assignee == "support"


@pytest.mark.parametrize("login", ["lina", "marketer"])
def test_the_inbox_is_for_support_alone(desk: Desk, login: str) -> None:
    caller, inbox = desk.caller_named(login), desk.inbox
    for act in (
        lambda: inbox.waiting(caller),
        lambda: inbox.open(caller, "T-162"),
        lambda: inbox.take(caller, "T-162"),
        lambda: inbox.reply(caller, "T-162", "hello"),
        lambda: inbox.give_back(caller, "T-162"),
        lambda: inbox.close(caller, "T-162", "solved"),
        lambda: inbox.digest(caller),
    ):
        with pytest.raises(NotAllowed):
            act()


def test_a_second_person_is_one_of_the_staff(desk: Desk) -> None:
    member = desk.caller_named("lina")
    for act in (lambda: desk.inbox.seconds(member), lambda: desk.inbox.decide_second(member, "any", yes=True)):
        with pytest.raises(NotAllowed):
            act()


def test_nobody_follows_the_conversation_of_somebody_else(fresh_desk: Desk, member: Caller, turn: Turn) -> None:
    thread = turn(fresh_desk, member, HUMAN).thread
    with pytest.raises(NotFound):
        fresh_desk.inbox.since(fresh_desk.caller_named("chenmo"), thread, 0)


# --- a new desk -------------------------------------------------------------------------


def test_nothing_is_lost_over_a_restart(fresh_desk: Desk, member: Caller, support: Caller, turn: Turn) -> None:
    thread = turn(fresh_desk, member, HUMAN).thread
    ticket = ticket_of(fresh_desk, support, "M-10001").ticket_id
    fresh_desk.inbox.take(support, ticket)
    fresh_desk.inbox.reply(support, ticket, "I am looking into it.")
    before = fresh_desk.inbox.open(support, ticket)
    fresh_desk.close()
    again = Desk(load(home=fresh_desk.settings.home, today=worlds.DAY))
    try:
        opened = again.inbox.open(support, ticket)
        assert (opened.chat, opened.facts, opened.brief.assignee) == (before.chat, before.facts, "support")
        assert again.inbox.unfinished(member) == thread and again.inbox.since(member, thread, 0)[1] == "support"
        assert turn(again, member, "Thank you", thread)[-1].extras["held_by"] == "support"
    finally:
        again.close()


def test_a_conversation_is_found_again_until_the_member_has_read_the_last_word(fresh_desk: Desk, member: Caller, support: Caller, turn: Turn) -> None:
    assert fresh_desk.inbox.unfinished(member) is None
    thread = turn(fresh_desk, member, HUMAN).thread
    ticket = ticket_of(fresh_desk, support, "M-10001").ticket_id
    assert fresh_desk.inbox.unfinished(member) == thread
    fresh_desk.inbox.take(support, ticket)
    fresh_desk.inbox.reply(support, ticket, "It is on its way.")
    fresh_desk.inbox.close(support, ticket, "solved")
    assert fresh_desk.inbox.unfinished(member) == thread
    turn(fresh_desk, member, "How many points do I have?", thread)
    assert fresh_desk.inbox.unfinished(member) is None
