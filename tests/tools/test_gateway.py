"""Does the one door hold, for every tool there is?"""

import math
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import col, func, select

from assistant.desk import DECLARED, Desk
from members.access import Caller, Role
from members.tables import Approval, AuditEntry
from tools.gateway import CALLS_A_TURN, REGISTRY, Gateway, Tool, allowed

assert DECLARED  # importing the desk declares every tool
TOOLS = pytest.mark.parametrize("tool", REGISTRY.values(), ids=list(REGISTRY))
LOGINS = {Role.MEMBER: "lina", Role.SUPPORT: "support", Role.MARKETER: "marketer", Role.ADMIN: "admin"}
IDENTITY = re.compile(r"member|account|role|tenant|caller|user|owner|approv|customer|login", re.IGNORECASE)


def _gateway(desk: Desk, role: Role) -> Gateway:
    return desk.gateway(desk.caller_named(LOGINS[role]), uuid4().hex)


def _own(desk: Desk, tool: Tool) -> Gateway:
    return _gateway(desk, sorted(tool.roles)[0])


def _fields(tool: Tool) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each parameter with the shapes its schema allows."""
    for name, shape in tool.schema.model_json_schema().get("properties", {}).items():
        yield name, [part for part in shape.get("anyOf", [shape]) if part.get("type") != "null"]


def _least(tool: Tool) -> dict[str, Any]:
    """The smallest arguments the schema takes."""
    schema = tool.schema.model_json_schema()
    sample: dict[str, Any] = {"string": "O-1", "integer": 1, "number": 1.0, "boolean": True, "array": [], "date": "2027-01-01", "record": {}}
    shapes = {name: parts[0] for name, parts in _fields(tool)}

    def least(shape: dict[str, Any]) -> Any:
        kind = "record" if "$ref" in shape else "date" if shape.get("format") == "date" else shape.get("type", "string")
        return shape.get("enum", [sample[kind]])[0]

    return {name: least(shapes[name]) for name in schema.get("required", [])}


def _code(gateway: Gateway, tool: Tool, arguments: dict[str, Any]) -> str:
    outcome = gateway.call(tool.name, arguments)
    return str(outcome.result.get("code", outcome.status))


def _audit(desk: Desk, thread: str) -> list[AuditEntry]:
    with desk.database.read() as session:
        return list(session.exec(select(AuditEntry).where(AuditEntry.conversation_id == thread).order_by(col(AuditEntry.id))))


@TOOLS
def test_a_tool_tells_the_model_what_it_does(tool: Tool) -> None:
    assert len(tool.description) > 20 and tool.description.endswith(".")
    assert tool.roles and Role.ADMIN not in tool.roles


@TOOLS
def test_a_schema_is_closed_and_strict(tool: Tool) -> None:
    assert tool.schema.model_config["extra"] == "forbid" and tool.schema.model_config["strict"] is True
    assert tool.schema.model_json_schema()["additionalProperties"] is False


def test_arguments_nested_beyond_reading_are_bad_input_not_a_fault(desk: Desk) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    outcome = _gateway(desk, Role.MARKETER).call("audience_count", {"tiers": deep})
    assert (outcome.status, outcome.result["code"]) == ("refused", "bad_input")


@TOOLS
def test_an_extra_key_is_refused(desk: Desk, tool: Tool) -> None:
    for key in ("member_id", "role", "bench", "key", "note"):
        assert _code(_own(desk, tool), tool, {**_least(tool), key: "M-10002"}) == "bad_input"


@TOOLS
def test_a_value_of_another_type_is_refused(desk: Desk, tool: Tool) -> None:
    wrong: dict[str, list[Any]] = {
        "string": [5, True, ["a"], {"a": 1}],
        "integer": [True, False, "5", 2.5, math.nan, [1]],
        "number": [True, "5", math.nan, math.inf, -math.inf, [1.0]],
        "boolean": [1, 0, "true", "yes"],
        "array": ["a", 1, {"a": 1}, [True]],
        "object": ["a", 1, True, [{}], {"no such key": 1}],
    }
    for name, parts in _fields(tool):
        for part in parts:
            # A nested record is a reference to its own closed schema.
            kind = "string" if "enum" in part else "object" if "$ref" in part else part["type"]
            more: list[Any] = [] if kind != "array" else [["a"]] if part["items"].get("type") == "integer" else [[5]]
            for value in [*wrong[kind], *more]:
                assert _code(_own(desk, tool), tool, {**_least(tool), name: value}) == "bad_input", (name, value)


@TOOLS
def test_a_word_outside_a_list_and_a_text_without_end_are_refused(desk: Desk, tool: Tool) -> None:
    for name, parts in _fields(tool):
        part = parts[0]
        if "enum" in part:
            assert _code(_own(desk, tool), tool, {**_least(tool), name: "drop table"}) == "bad_input"
        elif part.get("type") == "string" and part.get("format") != "date":
            assert _code(_own(desk, tool), tool, {**_least(tool), name: "x" * 100_000}) == "bad_input", f"{name} has no end"
        elif part.get("format") == "date":
            for value in ("yesterday", "2026-02-30", "22.11.2026", ""):
                assert _code(_own(desk, tool), tool, {**_least(tool), name: value}) == "bad_input", (name, value)


@TOOLS
def test_no_tool_of_members_lets_the_model_say_who_is_asking(tool: Tool) -> None:
    if Role.MEMBER in tool.roles:
        assert [name for name, _ in _fields(tool) if IDENTITY.search(name)] == []


@TOOLS
def test_a_tool_is_refused_to_every_other_role_like_one_that_does_not_exist(desk: Desk, tool: Tool) -> None:
    for role in set(Role) - tool.roles:
        there = _gateway(desk, role).call(tool.name, _least(tool))
        absent = _gateway(desk, role).call("no_such_tool", _least(tool))
        assert there.status == "refused" and there.text() == absent.text()
        assert tool not in allowed(role)


@TOOLS
def test_a_call_leaves_one_audit_entry_without_its_content(desk: Desk, tool: Tool) -> None:
    own, foreign = _own(desk, tool), _gateway(desk, Role.ADMIN)
    for gateway in (own, foreign):
        outcome = gateway.call(tool.name, {**_least(tool)})
        gateway.call(tool.name, {**_least(tool), "secret": "4242 hunter2"})
        first, second = _audit(desk, gateway.conversation_id)
        assert (first.tool, first.outcome, first.account_id, first.role) == (tool.name, outcome.status, gateway.caller.account_id, gateway.caller.role)
        assert second.outcome == "refused" and first.digest != second.digest
        assert "hunter2" not in str(second.model_dump())


@pytest.mark.parametrize("name", ["", "no_such_tool", "__class__", "points; drop table", "x" * 5000, "积分"])
def test_an_unknown_tool_is_refused_and_audited(desk: Desk, name: str) -> None:
    gateway = _gateway(desk, Role.MEMBER)
    assert gateway.call(name, {}).result["code"] == "not_allowed"
    assert [entry.outcome for entry in _audit(desk, gateway.conversation_id)] == ["refused"]


def test_half_a_character_in_an_argument_is_refused_not_a_crash(desk: Desk) -> None:
    outcome = _gateway(desk, Role.MEMBER).call("search_products", {"wish": "kettle \ud83d"})
    assert outcome.result["code"] == "bad_input"


def test_a_turn_has_eight_calls(desk: Desk) -> None:
    gateway = _gateway(desk, Role.MEMBER)
    for n in range(CALLS_A_TURN):
        assert gateway.call("my_orders", {"limit": n + 1}).status == "ok"
    over = gateway.call("points", {})
    assert (over.status, over.result["code"]) == ("refused", "rule_broken")
    assert len(_audit(desk, gateway.conversation_id)) == CALLS_A_TURN + 1 == 9


def test_refused_calls_count_against_the_turn(desk: Desk) -> None:
    gateway = _gateway(desk, Role.MEMBER)
    for n in range(CALLS_A_TURN):
        gateway.call("no_such_tool", {"n": n})
    assert gateway.call("points", {}).status == "refused"


def test_the_same_call_twice_runs_once(desk: Desk) -> None:
    gateway = _gateway(desk, Role.MEMBER)
    first = gateway.call("points", {"aspect": "history", "order_id": "O-1"})
    assert gateway.call("points", {"order_id": "O-1", "aspect": "history"}) is first
    assert gateway.calls == 1


def test_staff_are_no_members(desk: Desk) -> None:
    nobody = desk.gateway(Caller("a", Role.MEMBER, None), uuid4().hex)
    assert nobody.call("points", {}).result["code"] == "not_allowed"


@TOOLS
def test_only_a_write_leaves_something_that_waits(desk: Desk, tool: Tool) -> None:
    gateway = _own(desk, tool)
    outcome = gateway.call(tool.name, _least(tool))
    with desk.database.read() as session:
        waiting = session.exec(select(func.count()).select_from(Approval).where(Approval.conversation_id == gateway.conversation_id)).one()
    assert tool.writes == (tool.preview is not None)
    assert waiting == (outcome.status == "waiting_for_yes")
    assert tool.writes or waiting == 0


def test_what_the_model_reads_is_capped_and_free_of_hidden_characters(desk: Desk) -> None:
    outcome = _gateway(desk, Role.SUPPORT).call("find_member", {"who": "ev\u200bil\u202e"})
    assert not re.search("[\u200b\u202e]", outcome.text()) and len(outcome.text()) <= 12_000
