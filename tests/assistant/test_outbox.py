"""Do messages reach the shop's own sender once, whole and signed, whatever it answers?"""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlmodel import select

from analytics.shelf import Shelf
from assistant.studio import Studio
from members import campaigns, program
from members.access import Caller, Role
from members.campaigns import Offer, Words
from members.database import Database
from members.errors import NotAllowed
from members.tables import Audience, Campaign, Consent, Contact, Member, Outgoing

NOON = datetime(2025, 9, 1, 12)
MEMBERS = [f"M-{n}" for n in range(3)]


@dataclass
class Sender:
    """A sender on loopback that keeps what it was handed and answers as it is told."""

    status: int = 200
    raw: bytes | None = None
    head: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    address: str = ""


@contextmanager
def _listening() -> Iterator[Sender]:
    sender = Sender()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sender.got.append((dict(self.headers), body))
            if sender.raw is not None:
                self.wfile.write(sender.raw)
                return
            self.send_response(sender.status)
            for name, value in sender.head.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sender.address = f"http://127.0.0.1:{server.server_address[1]}/in"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield sender
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture
def sender() -> Iterator[Sender]:
    """One sender."""
    with _listening() as one:
        yield one


def _fill(database: Database, *, until: date | None = None) -> None:
    with database.effect() as session:
        session.add_all([Member(id=m, name=m, tier="gold", language="en") for m in MEMBERS])
        session.flush()
        session.add_all(
            [row for m in MEMBERS for row in (Consent(member_id=m, channel="email", granted=True), Contact(member_id=m, kind="email", value=f"{m}@x"))]
        )
        rules, kept = program.load().campaigns, Audience(id="A-1", version=1, name="All")
        offer = Offer("percent", 10, until=until)
        made = campaigns.draft(session, "Tea", kept, [Words("A", "Hi", "Tea")], offer, channel="email", language="en", rules=rules, by="m", now=NOON)
        listed = campaigns.List(dict.fromkeys(MEMBERS, ("treated", "A", "")))
        at = NOON - timedelta(hours=2)
        campaigns.send(session, made, listed, word=lambda *_: ("Tea", "Hi 你好"), hour=lambda _: 11, rules=rules, today=NOON.date(), now=at)


@pytest.fixture
def studio(sqlite: Database, tmp_path: Path, sender: Sender) -> Callable[..., Studio]:
    """A studio whose outbox holds three messages that are due; `now` moves its clock."""
    _fill(sqlite, until=NOON.date() + timedelta(days=3))
    return lambda now=NOON, **told: Studio(
        sqlite,
        tmp_path,
        Shelf(tmp_path),
        program.load(),
        fitted=lambda: None,
        day=now.date,
        now=lambda: now,
        **{"webhook": sender.address, "secret": "shared", **told},
    )


def _states(database: Database) -> list[tuple[str, int]]:
    with database.read() as session:
        return [(one.status, one.tries) for one in session.exec(select(Outgoing).order_by(Outgoing.member_id))]  # type: ignore[arg-type]


def test_each_message_is_handed_over_once_signed_and_with_its_key(studio: Any, sender: Sender, sqlite: Database) -> None:
    assert [studio().deliver(), studio().deliver()] == [3, 0]
    assert sorted(json.loads(body)["address"] for _, body in sender.got) == [f"{m}@x" for m in MEMBERS]
    for head, body in sender.got:
        told = json.loads(body)
        assert told["text"] == "Hi 你好" and head["Idempotency-Key"] == f"{told['campaign_id']}:{told['member_id']}"
        assert head["X-Patron-Signature"] == "sha256=" + hmac.new(b"shared", body, hashlib.sha256).hexdigest()
    assert _states(sqlite) == [("delivered", 0)] * 3


def test_two_processes_hand_each_message_over_once(studio: Any, sender: Sender) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: studio().deliver(), range(4))) == 3
    assert len(sender.got) == 3


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failure_and_nothing_goes_elsewhere(studio: Any, sender: Sender, sqlite: Database, status: int) -> None:
    with _listening() as elsewhere:
        sender.status, sender.head = status, {"Location": elsewhere.address}
        assert studio().deliver() == 0
        assert elsewhere.got == [] and _states(sqlite) == [("waiting", 1)] * 3


@pytest.mark.parametrize("raw", [b"no http at all\r\n\r\n", b"", b"HTTP/1.1 999999 x\r\n\r\n"])
def test_an_answer_that_is_none_does_not_stop_the_other_messages(studio: Any, sender: Sender, sqlite: Database, raw: bytes) -> None:
    sender.raw = raw
    assert studio().deliver() == 0
    assert len(sender.got) == 3 and _states(sqlite) == [("waiting", 1)] * 3
    sender.raw = None
    later = studio(NOON + timedelta(minutes=5))
    assert later.deliver() == 3


def test_an_address_that_is_none_fails_like_a_sender_that_is_away(studio: Any, sqlite: Database) -> None:
    assert studio(webhook="not an address").deliver() == 0
    assert _states(sqlite) == [("waiting", 1)] * 3


def test_a_message_given_up_waits_once_more_when_a_marketer_says_so(studio: Any, sender: Sender, sqlite: Database) -> None:
    with sqlite.effect() as session:
        for one in session.exec(select(Outgoing)):
            one.status, one.tries = "failed", campaigns.LARGEST_TRIES
        key = session.exec(select(Campaign.id)).one()
    assert studio().deliver() == 0
    with pytest.raises(NotAllowed):
        studio().try_again(Caller("s", Role.SUPPORT), key)
    assert studio().try_again(Caller("m", Role.MARKETER), key) == 3
    assert studio().deliver() == 3 == len(sender.got)


def test_nobody_is_offered_what_has_ended(studio: Any, sender: Sender, sqlite: Database) -> None:
    assert studio(NOON + timedelta(days=4)).deliver() == 0
    assert sender.got == [] and _states(sqlite) == [("stopped", 0)] * 3


def test_a_run_ends_in_time_and_the_next_goes_on(studio: Any, sender: Sender) -> None:
    assert studio().deliver(seconds=0) == 0 == len(sender.got)
    assert studio().deliver() == 3
