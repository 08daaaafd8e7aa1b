"""The API on a real server: tokens, chat as events, approvals, and what strict reading refuses."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from fakes.web import MARK, problem
from sqlmodel import select

from assistant.desk import Desk
from assistant.tokens import secret_of
from eval import worlds
from members.tables import Account, Approval, Order, PointsEntry

Client = Callable[..., httpx.Client]


def events(client: httpx.Client, text: str, thread: str | None = None) -> list[tuple[str, dict[str, Any]]]:
    """One turn as its server-sent events."""
    found = []
    with client.stream("POST", "/api/v1/chat", json={"text": text, "thread_id": thread}) as answer:
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
        for block in "".join(answer.iter_text()).strip().split("\n\n"):
            name, data = block.split("\n", 1)
            found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


# --- signing in -------------------------------------------------------------------------


def test_a_token_stands_for_its_account(client: Client) -> None:
    assert client("lina").get("/api/v1/me").json() == {"role": "member", "member_id": "M-10001", "name": "Li Na", "language": "en"}
    assert client("admin").get("/api/v1/me").json()["role"] == "admin"


def test_a_wrong_password_and_an_unknown_login_read_the_same(client: Client) -> None:
    answers = [client().post("/api/v1/token", json={"login": login, "password": MARK}) for login in ("lina", "nobody-here")]
    assert problem(answers[0], (401, 422)) == problem(answers[1], (401, 422))


def test_after_eight_wrong_passwords_the_login_rests(client: Client) -> None:
    for _ in range(8):
        assert client().post("/api/v1/token", json={"login": "locked", "password": MARK}).status_code != 200
    for login in ("locked", "LOCKED"):
        answer = client().post("/api/v1/token", json={"login": login, "password": worlds.PASSWORD})
        assert "wait" in problem(answer, (409, 429))["detail"]
    assert client().post("/api/v1/token", json={"login": "locked2", "password": worlds.PASSWORD}).status_code == 200


def test_a_token_of_an_earlier_epoch_counts_no_more(client: Client, site: str, served_desk: Desk) -> None:
    with served_desk.database.read() as session:
        account = session.exec(select(Account).where(Account.login == "lina")).one()
    forged = {
        "nothing": "none",
        "noise": "abc.def.ghi",
        "another secret": _token(account, "not the secret of this shop, not at all"),
        "expired": _token(account, secret_of(served_desk.settings.home), minutes=-1),
        "earlier epoch": _token(account, secret_of(served_desk.settings.home), epoch=account.epoch - 1),
        "unknown account": _token(Account(id="nobody", login="", password_hash="", role="admin", epoch=0), secret_of(served_desk.settings.home)),
        "no algorithm": jwt.encode({"sub": account.id, "epoch": account.epoch, "exp": datetime.now(UTC) + timedelta(minutes=5)}, "", "none"),
        "without end": jwt.encode({"sub": account.id, "epoch": account.epoch}, secret_of(served_desk.settings.home), "HS256"),
    }
    for name, token in forged.items():
        answer = httpx.get(f"{site}/api/v1/me", headers={"Authorization": f"Bearer {token}"})
        assert problem(answer, 401)["title"] and answer.headers["www-authenticate"] == "Bearer", name
    good = _token(account, secret_of(served_desk.settings.home))
    assert httpx.get(f"{site}/api/v1/me", headers={"Authorization": f"Bearer {good}"}).status_code == 200


def _token(account: Account, secret: str, *, minutes: int = 5, epoch: int | None = None) -> str:
    claims = {"sub": account.id, "epoch": account.epoch if epoch is None else epoch, "exp": datetime.now(UTC) + timedelta(minutes=minutes)}
    return jwt.encode(claims, secret, "HS256")


@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/threads", "/api/v1/threads/x", "/api/v1/threads/x/approvals"])
def test_nothing_is_read_without_a_token(client: Client, path: str) -> None:
    problem(client().get(path), 401)


@pytest.mark.parametrize("path", ["/api/v1/chat", "/api/v1/search", "/api/v1/index", "/api/v1/approvals/x"])
def test_nothing_is_done_without_a_token(client: Client, path: str) -> None:
    problem(client().post(path, json={"text": MARK}), 401)


# --- chat -------------------------------------------------------------------------------


def test_a_turn_comes_as_events_in_order(client: Client) -> None:
    found = events(client("lina"), "how many points do I have")
    names = [name for name, _ in found]
    assert names[:2] == ["tool_started", "tool_finished"] and names[-1] == "answer" and set(names[2:-1]) == {"text_delta"}
    answer = found[-1][1]
    balance = next(data["result"]["balance"] for name, data in found if name == "tool_finished")
    assert f"{balance:,}" in answer["text"] and answer["thread_id"]
    assert "".join(data["text"] for name, data in found if name == "text_delta").strip() == answer["text"]


def test_a_thread_is_its_owners(client: Client) -> None:
    thread = events(client("lina"), "how many points do I have")[-1][1]["thread_id"]
    said = client("lina").get(f"/api/v1/threads/{thread}").json()
    assert [s["from"] for s in said] == ["you", "patron"] and said[0]["text"] == "how many points do I have"
    assert thread in [t["thread_id"] for t in client("lina").get("/api/v1/threads").json()]
    for login in ("chenmo", "support", "admin"):
        theirs, absent = client(login).get(f"/api/v1/threads/{thread}"), client(login).get("/api/v1/threads/nope")
        assert problem(theirs, 404) == problem(absent, 404)
        assert thread not in client(login).get("/api/v1/threads").text
        assert client(login).get(f"/api/v1/threads/{thread}/approvals").json() in ([], problem(absent, 404))
        problem(client(login).post("/api/v1/chat", json={"text": "and?", "thread_id": thread}), 404)


def test_two_presses_of_yes_have_one_effect(client: Client, served_desk: Desk) -> None:
    lina = client("lina")
    found = events(lina, "cancel order O-23081")
    wanted = next(data for name, data in found if name == "approval_wanted")
    thread = found[-1][1]["thread_id"]
    assert [a["approval_id"] for a in lina.get(f"/api/v1/threads/{thread}/approvals").json()] == [wanted["approval_id"]]
    assert "O-23081" in wanted["text"] and _booked(served_desk, "O-23081")[0] == "pending"
    for login in ("chenmo", "support", "admin"):
        foreign = client(login).post(f"/api/v1/approvals/{wanted['approval_id']}", json={"decision": "yes"})
        assert problem(foreign, 404) == problem(client(login).post("/api/v1/approvals/none", json={"decision": "yes"}), 404)
    first = lina.post(f"/api/v1/approvals/{wanted['approval_id']}", json={"decision": "yes"})
    after = _booked(served_desk, "O-23081")
    second = lina.post(f"/api/v1/approvals/{wanted['approval_id']}", json={"decision": "yes"})
    assert first.status_code == 200 and first.json() == second.json() and "O-23081" in first.json()["text"]
    assert after[0] == "cancelled" and _booked(served_desk, "O-23081") == after
    lina.post(f"/api/v1/approvals/{wanted['approval_id']}", json={"decision": "no"})
    assert _booked(served_desk, "O-23081") == after and lina.get(f"/api/v1/threads/{thread}/approvals").json() == []


def _booked(desk: Desk, order_id: str) -> tuple[str, list[int]]:
    with desk.database.read() as session:
        points = session.exec(select(PointsEntry.points).where(PointsEntry.order_id == order_id).order_by(PointsEntry.id)).all()
        return session.get_one(Order, order_id).status, list(points)


# --- staff ------------------------------------------------------------------------------


@pytest.mark.parametrize(("login", "search", "index"), [("lina", 403, 403), ("support", 200, 403), ("marketer", 200, 403), ("admin", 200, 200)])
def test_staff_routes_open_by_role(client: Client, login: str, search: int, index: int) -> None:
    found = client(login).post("/api/v1/search", json={"question": "how long may I return things", "kind": "policy", "limit": 3})
    built = client(login).post("/api/v1/index")
    assert (found.status_code, built.status_code) == (search, index)
    for answer in (found, built):
        if answer.status_code == 403:
            problem(answer, 403)
    if search == 200:
        assert found.json()[0]["id"] == "returns.time-limits" and len(found.json()) <= 3


# --- the rest ---------------------------------------------------------------------------


def test_health_and_the_description_are_open(client: Client) -> None:
    health = client().get("/health").json()
    assert health["status"] == "ok" and health["model"] == "embedded" and health["index"]["policy"] > 10
    paths = client().get("/openapi.json").json()["paths"]
    assert {"/api/v1/token", "/api/v1/chat", "/api/v1/approvals/{approval_id}", "/api/v1/search", "/health"} <= set(paths)
    assert paths["/api/v1/chat"]["post"]["requestBody"]["content"]["application/json"]["schema"]["required"] == ["text"]
    page = client().get("/docs")
    assert page.status_code == 200 and "text/html" in page.headers["content-type"]


def test_the_description_page_needs_no_other_host(client: Client) -> None:
    assert "://" not in client().get("/docs").text


def test_an_unknown_path_or_method_is_a_problem_too(client: Client) -> None:
    problem(client("lina").get("/api/v1/nothing"), 404)
    problem(client("lina").get("/api/v1/chat"), 405)


def test_every_answer_forbids_sniffing_and_framing(client: Client) -> None:
    for path in ("/health", "/api/v1/me", "/docs"):
        headers = client().get(path).headers
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "SAMEORIGIN"


def test_a_bug_tells_nobody_what_it_met(client: Client, served_desk: Desk) -> None:
    found = events(client("chenmo"), "取消我的订单")
    thread = found[-1][1]["thread_id"]
    approval_id = next(data["approval_id"] for name, data in found if name == "approval_wanted")
    with served_desk.database.effect() as session:
        session.get_one(Approval, approval_id).card = {MARK: "damaged on disk"}
    problem(client("chenmo").get(f"/api/v1/threads/{thread}/approvals"), 500)
