"""Yes and no by message, and what is remembered: bounded, durable, whole."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.openai_server import OpenAIServer
from sqlmodel import select

from assistant.desk import Desk
from assistant.settings import load
from eval import worlds
from members.access import Caller
from members.tables import Approval, Order

Turn = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]


def state(desk: Desk, order_id: str) -> str:
    with desk.database.read() as session:
        return str(session.get_one(Order, order_id).status)


def pending(desk: Desk, caller: Caller) -> list[str]:
    with desk.database.read() as session:
        return list(session.exec(select(Order.id).where(Order.member_id == caller.member_id, Order.status == "pending").order_by(Order.id)))


def approvals(desk: Desk, thread: str) -> list[str]:
    with desk.database.read() as session:
        return [a.status for a in session.exec(select(Approval).where(Approval.conversation_id == thread))]


def wish(desk: Desk, caller: Caller, endpoint: OpenAIServer, turn: Turn, order_id: str, thread: str | None = None) -> str:
    """A turn that ends with an open approval; returns its thread."""
    endpoint.calls(("cancel_order", {"order_id": order_id}))
    endpoint.says("Shall I?")
    return str(turn(desk, caller, f"I no longer want {order_id}", thread).thread)


# --- a yes and a no ---------------------------------------------------------------------


def test_a_yes_carries_out_what_waits_without_asking_the_model(asking: Desk, mei: Caller, endpoint: OpenAIServer, turn: Turn) -> None:
    order_id = pending(asking, mei)[0]
    thread = wish(asking, mei, endpoint, turn, order_id)
    asked = len(endpoint.requests)
    events = turn(asking, mei, "yes please", thread)
    assert state(asking, order_id) == "cancelled" and order_id in events.text and events[-1].model == "server"
    assert len(endpoint.requests) == asked and approvals(asking, thread) == ["used"]
    endpoint.says("Nothing waits.")
    turn(asking, mei, "yes", thread)
    assert approvals(asking, thread) == ["used"] and len(endpoint.requests) == asked + 1


@pytest.mark.parametrize("no", ["no", "不要了", "keep it"])
def test_a_no_leaves_everything_as_it_was(asking: Desk, mei: Caller, endpoint: OpenAIServer, turn: Turn, no: str) -> None:
    order_id = pending(asking, mei)[0]
    thread = wish(asking, mei, endpoint, turn, order_id)
    turn(asking, mei, no, thread)
    assert state(asking, order_id) == "pending" and approvals(asking, thread) == ["declined"]


@pytest.mark.parametrize("text", ["yes, but first tell me about the refund", "ok what about my points?", "不知道", "maybe"])
def test_a_message_that_is_more_than_a_yes_decides_nothing(asking: Desk, mei: Caller, endpoint: OpenAIServer, turn: Turn, text: str) -> None:
    order_id = pending(asking, mei)[0]
    thread = wish(asking, mei, endpoint, turn, order_id)
    endpoint.says("Sure.")
    turn(asking, mei, text, thread)
    assert state(asking, order_id) == "pending" and approvals(asking, thread) == ["open"]


def test_with_two_approvals_open_a_bare_yes_decides_nothing(asking: Desk, mei: Caller, endpoint: OpenAIServer, turn: Turn) -> None:
    one, two = pending(asking, mei)[:2]
    thread = wish(asking, mei, endpoint, turn, one)
    wish(asking, mei, endpoint, turn, two, thread)
    said = turn(asking, mei, "yes", thread).text
    assert one in said and two in said and "yes to all" in said
    assert approvals(asking, thread) == ["open", "open"] and state(asking, one) == state(asking, two) == "pending"


def test_a_no_declines_everything_that_waits(asking: Desk, mei: Caller, endpoint: OpenAIServer, turn: Turn) -> None:
    one, two = pending(asking, mei)[:2]
    thread = wish(asking, mei, endpoint, turn, one)
    wish(asking, mei, endpoint, turn, two, thread)
    turn(asking, mei, "no thanks", thread)
    assert approvals(asking, thread) == ["declined", "declined"]


def test_a_yes_to_a_later_question_does_not_decide_an_earlier_card(asking: Desk, mei: Caller, endpoint: OpenAIServer, turn: Turn) -> None:
    order_id = pending(asking, mei)[0]
    thread = wish(asking, mei, endpoint, turn, order_id)
    endpoint.says("We have calm teas. Shall I look for more of them?")
    turn(asking, mei, "tell me about tea first", thread)
    endpoint.says("Here are more.")
    turn(asking, mei, "yes", thread)
    assert state(asking, order_id) == "pending"


def test_a_yes_in_another_thread_decides_nothing(asking: Desk, mei: Caller, endpoint: OpenAIServer, turn: Turn) -> None:
    thread = wish(asking, mei, endpoint, turn, pending(asking, mei)[0])
    endpoint.says("To what?")
    turn(asking, mei, "yes")
    assert approvals(asking, thread) == ["open"]


# --- what is remembered -----------------------------------------------------------------


def test_a_model_is_shown_the_newest_turns_only(asking: Desk, mei: Caller, endpoint: OpenAIServer, turn: Turn) -> None:
    thread = None
    for n in range(15):
        endpoint.says("Right.")
        thread = turn(asking, mei, f"this is message {'abcdefghijklmno'[n]}", thread).thread
    users = [m["content"] for m in endpoint.requests[-1]["messages"] if m["role"] == "user"]
    assert len(users) == 13 and users[-1].endswith(" o") and users[0].endswith(" c")
    assert len(asking.thread(mei, thread)) == 30


def test_long_turns_are_bounded_by_the_token_budget(asking: Desk, mei: Caller, endpoint: OpenAIServer, turn: Turn) -> None:
    thread = None
    for _ in range(6):
        endpoint.says("tea and calm " * 1_800)
        thread = turn(asking, mei, "go on", thread).thread
    weight = sum(len(m["content"] or "") for m in endpoint.requests[-1]["messages"] if m["role"] != "system")
    assert weight <= 4.5 * asking.settings.token_budget


def test_what_a_tool_said_is_known_in_the_next_turn(asking: Desk, mei: Caller, endpoint: OpenAIServer, turn: Turn) -> None:
    endpoint.calls(("points", {}))
    endpoint.says("Looked up.")
    thread = turn(asking, mei, "my points?").thread
    has = endpoint.results()[0]["balance"]
    endpoint.says(f"As I saw, {has:,}.")
    assert turn(asking, mei, "so how many?", thread).text == f"As I saw, {has:,}."
    sent = endpoint.requests[-1]["messages"]
    assert [m["role"] for m in sent] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert sent[2]["tool_calls"][0]["id"] == sent[3]["tool_call_id"]


# --- what survives ----------------------------------------------------------------------

CHILD = """
import asyncio, sys
from assistant.desk import Desk
from assistant.settings import load
from eval import worlds
desk = Desk(load(home=sys.argv[1], today=worlds.DAY, model="fake-1", base_url=sys.argv[2], turn_seconds=120))
caller = desk.caller_named("lina")
async def say(text, thread):
    return [event async for event in desk.chat(caller, text, thread)][-1].thread_id
thread = asyncio.run(say("my points?", None))
asyncio.run(say("and my orders?", thread))
"""


def test_a_thread_survives_kill_9_in_the_middle_of_a_turn_and_a_restart(built_home: Path, tmp_path: Path, endpoint: OpenAIServer, turn: Turn) -> None:
    home = worlds.copy_of(load(home=built_home), tmp_path / "shop")
    endpoint.calls(("points", {}))
    endpoint.says("Looked up.")
    endpoint.calls(("cancel_order", {"order_id": "O-23081"}))
    endpoint.hangs()
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(home), endpoint.url], cwd=ROOT, stderr=subprocess.PIPE)
    try:
        endpoint.wait_for(4, seconds=180)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
    endpoint.reset()

    def opened() -> Desk:
        return Desk(load(home=home, today=worlds.DAY, model="fake-1", base_url=endpoint.url))

    desk = opened()
    mei = desk.caller_named("lina")
    with desk.database.read() as session:
        (waiting,) = session.exec(select(Approval)).all()
    thread = waiting.conversation_id
    assert [m.kind for m in desk.thread(mei, thread)] == ["human", "ai", "tool", "ai"]
    assert state(desk, "O-23081") == "pending"
    endpoint.says("Where were we?")
    turn(desk, mei, "still there?", thread)
    sent = endpoint.requests[-1]["messages"]
    assert [m["role"] for m in sent] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert json.loads(sent[3]["content"])["outcome"] == "ok"
    wish(desk, mei, endpoint, turn, "O-23081", thread)
    desk.close()

    again = opened()
    events = turn(again, mei, "yes", thread)
    assert state(again, "O-23081") == "cancelled" and events[-1].model == "server"
    endpoint.says("That was it.")
    turn(again, mei, "what was that?", thread)
    assert len([m for m in endpoint.requests[-1]["messages"] if m["role"] == "user"]) == 5
    again.close()
