"""Tickets, a second person and one's own data over the API."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from fakes.web import MARK, problem
from sqlmodel import select
from test_api import events

from assistant.desk import Desk
from eval import worlds
from members import accounts
from members.access import Role
from members.tables import Account

Client = Callable[..., httpx.Client]
HUMAN = "I want to talk to a human about my late order"


@pytest.fixture
def thread(client: Client, served_desk: Desk) -> Iterator[str]:
    """A conversation of lina's that waits for a person; its ticket is closed in the end."""
    found = events(client("lina"), HUMAN)[-1][1]["thread_id"]
    yield found
    admin = served_desk.caller_named("admin")
    for ticket in served_desk.inbox.waiting(admin):
        with served_desk.database.write() as session:
            held = session.exec(select(Account).where(Account.login == ticket.assignee)).first()
        if ticket.member_id == "M-10001":
            served_desk.inbox.close(served_desk.caller_named(held.login) if held else admin, ticket.ticket_id, "solved")


@pytest.fixture
def ticket(client: Client, thread: str) -> str:
    """The ticket of that conversation."""
    return str(next(t["ticket_id"] for t in client("support").get("/api/v1/tickets").json() if t["member_id"] == "M-10001"))


@pytest.fixture(scope="module")
def second(client: Client, served_desk: Desk) -> httpx.Client:
    """A colleague of support's."""
    with served_desk.database.effect() as session:
        accounts.create(session, "support2", worlds.PASSWORD, Role.SUPPORT)
    return client("support2")


# --- a handoff --------------------------------------------------------------------------


def test_a_handoff_from_the_cry_to_the_close(client: Client, thread: str, ticket: str) -> None:
    lina, support = client("lina"), client("support")
    taken = support.post(f"/api/v1/tickets/{ticket}/take").json()
    assert taken["status"] == "taken" and taken["assignee"] == "support" and taken["facts"]["said"] == [HUMAN]
    position = int(taken["chat"][-1]["position"])
    support.post(f"/api/v1/tickets/{ticket}/reply", json={"text": "I am looking into it."})
    heard = lina.get(f"/api/v1/threads/{thread}/since/{position}").json()
    assert heard["held_by"] == "support" and [(m["from"], m["text"]) for m in heard["messages"]] == [("support", "I am looking into it.")]
    said = events(lina, "how many points do I have", thread)
    assert [name for name, _ in said] == ["answer"] and "points" not in said[-1][1]["text"]
    assert support.get(f"/api/v1/tickets/{ticket}").json()["chat"][-1]["text"] == "how many points do I have"
    assert support.post(f"/api/v1/tickets/{ticket}/give-back").json()["status"] == "open"
    assert "points" in events(lina, "how many points do I have", thread)[-1][1]["text"]
    assert support.post(f"/api/v1/tickets/{ticket}/close", json={"because": "solved"}).json() == {"ticket_id": ticket, "status": "closed"}
    assert ticket not in [t["ticket_id"] for t in support.get("/api/v1/tickets").json()]
    problem(support.post(f"/api/v1/tickets/{ticket}/take"), 409)


def test_a_colleagues_ticket_is_theirs(client: Client, second: httpx.Client, ticket: str) -> None:
    assert client("support").post(f"/api/v1/tickets/{ticket}/take").status_code == 200
    problem(second.post(f"/api/v1/tickets/{ticket}/take"), 409)
    problem(second.post(f"/api/v1/tickets/{ticket}/reply", json={"text": "hello"}), 409)
    problem(second.post(f"/api/v1/tickets/{ticket}/close", json={"because": "solved"}), 409)


@pytest.mark.parametrize("login", ["lina", "marketer"])
def test_tickets_are_for_support_alone(client: Client, login: str) -> None:
    caller = client(login)
    for path in ("tickets", "tickets/T-162", "digest"):
        problem(caller.get(f"/api/v1/{path}"), 403)
    for path in ("take", "give-back"):
        problem(caller.post(f"/api/v1/tickets/T-162/{path}"), 403)
    problem(caller.post("/api/v1/tickets/T-162/reply", json={"text": MARK}), 403)
    problem(caller.post("/api/v1/tickets/T-162/close", json={"because": MARK}), 403)


def test_a_second_person_is_one_of_the_staff_and_sees_only_what_is_theirs_to_decide(client: Client) -> None:
    problem(client("lina").get("/api/v1/second"), 403)
    problem(client("lina").post("/api/v1/second/any", json={"decision": "yes"}), 403)
    assert client("marketer").get("/api/v1/second").json() == []
    problem(client("marketer").post("/api/v1/second/any", json={"decision": "yes"}), 404)


def test_nobody_reads_them_without_a_token(client: Client) -> None:
    for path in ("tickets", "tickets/T-162", "digest", "second", "me/export", "threads/any/since/0"):
        problem(client().get(f"/api/v1/{path}"), 401)


def test_a_ticket_that_is_none_and_words_that_are_none_are_refused(client: Client, ticket: str) -> None:
    support = client("support")
    problem(support.get("/api/v1/tickets/T-0"), 404)
    support.post(f"/api/v1/tickets/{ticket}/take")
    for body in ({"text": ""}, {"text": "x" * 5_000}, {"text": "hello", "by": "admin"}, {}):
        problem(support.post(f"/api/v1/tickets/{ticket}/reply", json=body), 422)
    problem(support.post(f"/api/v1/tickets/{ticket}/reply", json={"text": "   "}), 422)


def test_a_conversation_is_followed_by_its_owner_alone(client: Client, thread: str) -> None:
    problem(client("chenmo").get(f"/api/v1/threads/{thread}/since/0"), 404)
    problem(client("support").get(f"/api/v1/threads/{thread}/since/0"), 404)


def test_the_digest_counts_by_cause_and_day(client: Client) -> None:
    found = client("support").get("/api/v1/digest", params={"days": 30}).json()
    assert found["opened"] == sum(cause["count"] for cause in found["causes"]) == sum(count for _, _, count in found["by_day"])
    late = next(cause for cause in found["causes"] if cause["cause"] == "late")
    assert late["count"] > 1 and late["example"]


# --- a second person --------------------------------------------------------------------


def proposed(client: Client) -> None:
    """Points over the limit, with the yes of who proposes them."""
    said = events(client("support"), "give M-10005 5000 points for the broken teapot")
    assert "approval_wanted" in [name for name, _ in said]
    events(client("support"), "yes", said[-1][1]["thread_id"])


def balance(desk: Desk) -> int:
    return int(desk.gateway(desk.caller_named("support"), "").call("member_insight", {"who": "M-10005"}).result["points"])


@pytest.mark.parametrize("decision", ["no", "yes"])
def test_what_is_over_the_limit_waits_for_a_second_person(client: Client, second: httpx.Client, served_desk: Desk, decision: str) -> None:
    before = balance(served_desk)
    proposed(client)
    assert client("support").get("/api/v1/second").json() == [] and balance(served_desk) == before
    waiting = second.get("/api/v1/second").json()
    assert [(w["tool"], w["by"], w["facts"]["points"]) for w in waiting] == [("adjust_points", "support", 5_000)]
    place = f"/api/v1/second/{waiting[0]['approval_id']}"
    problem(client("support").post(place, json={"decision": "yes"}), 404)
    assert second.post(place, json={"decision": decision}).status_code == 200
    assert balance(served_desk) == before + (5_000 if decision == "yes" else 0)
    problem(second.post(place, json={"decision": "yes"}), 404)
    assert second.get("/api/v1/second").json() == []


# --- one's own data ---------------------------------------------------------------------


def test_the_export_is_a_file_of_ones_own_data_alone(client: Client) -> None:
    answer = client("lina").get("/api/v1/me/export")
    assert answer.headers["content-disposition"].startswith('attachment; filename="patron-M-10001-') and answer.headers["cache-control"] == "no-store"
    assert "M-10001" in answer.text and "陈默" not in answer.text and "M-10002" not in answer.text
    assert "argon2" not in answer.text and "password" not in answer.text


def test_staff_have_no_data_of_their_own_to_export(client: Client) -> None:
    problem(client("support").get("/api/v1/me/export"), 403)
