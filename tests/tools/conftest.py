"""Calling a tool as somebody, each time in a turn of its own."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from assistant.desk import Desk
from members.access import Caller, Role
from tools.gateway import Gateway, Outcome

Ask = Callable[..., Outcome]


def turn(desk: Desk, who: str | Caller) -> Gateway:
    """A fresh turn of a login or a caller."""
    return desk.gateway(desk.caller_named(who) if isinstance(who, str) else who, uuid4().hex)


def as_member(member_id: str) -> Caller:
    """A caller who is that member."""
    return Caller(f"account of {member_id}", Role.MEMBER, member_id)


@pytest.fixture(scope="session")
def ask(desk: Desk) -> Ask:
    """Call one tool on the shared desk: `ask("lina", "points", aspect="history")`."""

    def call(who: str | Caller, tool: str, /, **arguments: Any) -> Outcome:
        return turn(desk, who).call(tool, arguments)

    return call


@pytest.fixture(scope="session")
def got(ask: Ask) -> Callable[..., dict[str, Any]]:
    """The record of a call that must succeed."""

    def call(who: str | Caller, tool: str, /, **arguments: Any) -> dict[str, Any]:
        outcome = ask(who, tool, **arguments)
        assert outcome.status == "ok", outcome.result
        return outcome.result

    return call
