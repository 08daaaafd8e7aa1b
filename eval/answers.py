"""Does each role get the right answer, action or refusal?

Plays written cases through the desk (tools called, arguments, facts said,
source cited, refusal, end state of the record) and prints a table by role and
language. Data: the demo shop of fixed seed and day; expected figures are read
from the record, not typed in. A case may be `given` more than the shop holds
(facts.GIVEN), and says with `does` which writes a turn must carry out; every
other one, and every ticket nobody asked for, is counted as a wrong write.
"""

import asyncio
import json
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from assistant.desk import Desk
from assistant.events import Answer, ApprovalWanted, Citation, Failed, ToolFinished
from eval import facts, worlds
from members.tables import Approval, Order, Ticket

CASES = Path(__file__).parent / "cases"
# What `make eval` must reach: a little under the last measured share.
FLOOR = 0.82
HEAD = ("role", "language", "cases", "right", "turns", "right turns", "wrong writes")
_TICKET_TOOLS = {"asked": "talk_to_person", "complaint": "file_complaint"}
_REFUSED = (
    "refused",
    "can't",
    "cannot",
    "couldn't",
    "can only",
    "isn't",
    "outside",
    "not something",
    "nothing waiting",
    "no ",
    "不能",
    "没有",
    "帮不上",
    "只能",
    "范围",
    "不懂",
    "还不能",
    "无法",
)


@dataclass
class Checked:
    """One turn's outcome: what went wrong, and what was said."""

    case: str
    role: str
    language: str
    said: str
    answer: str
    wrong: list[str] = field(default_factory=list)
    milliseconds: float = 0.0
    wrong_writes: int = 0


def cases() -> list[dict[str, Any]]:
    """Every written case."""
    found = []
    for role in ("member", "support", "marketer"):
        path = CASES / f"{role}.jsonl"
        found += [{"role": role, **json.loads(line)} for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return found


async def play(desk: Desk, case: dict[str, Any]) -> list[Checked]:
    """One case in a thread of its own."""
    caller = desk.caller_named(case.get("login") or case["role"])
    member_id = caller.member_id or case.get("about", "M-10001")
    facts.furnish(desk, case.get("given", []), member_id)
    thread: str | None = None
    checked: list[Checked] = []
    blanks = facts.blanks(desk, member_id)
    # Where no turn is to ask for a yes, none may.
    quiet = not any(turn.get("card") or turn.get("waits") for turn in case["turns"])
    for turn in case["turns"]:
        text = turn["say"]
        for name, value in blanks.items():
            text = text.replace("{" + name + "}", value)
        before = written(desk)
        started = time.perf_counter()
        events = [event async for event in desk.chat(caller, text, thread)]
        spent = (time.perf_counter() - started) * 1000
        answer = next((e.text for e in events if isinstance(e, Answer | Failed)), "")
        thread = next((e.thread_id for e in events if isinstance(e, Answer)), thread)
        done = [tool for key, tool in written(desk).items() if key not in before]
        told = {"waits": False, **turn} if quiet else turn
        wrong = check(desk, told, events, answer, case["language"], member_id, blanks)
        more, wrong_writes = _against(done, turn)
        checked.append(Checked(case["id"], case["role"], case["language"], text, answer, wrong + more, spent, wrong_writes))
    return checked


def written(desk: Desk) -> dict[str, str]:
    """What was said yes to, and the tickets opened, so far: an id each and the tool that did it."""
    with desk.database.read() as session:
        used = session.exec(select(Approval.id, Approval.tool).where(col(Approval.status).in_(("used", "second")))).all()
        opened = session.exec(select(Ticket.id, Ticket.cause)).all()
    return {**dict(used), **{ticket: _TICKET_TOOLS.get(cause, f"a ticket for {cause}") for ticket, cause in opened}}


def _against(done: list[str], turn: dict[str, Any]) -> tuple[list[str], int]:
    """Writes a turn was to carry out and did not, or did unasked; and how many of the latter. `may` names those that are neither."""
    left, wrong = list(done), []
    for tool in turn.get("does", []):
        if tool in left:
            left.remove(tool)
        else:
            wrong.append(f"{tool} was not carried out")
    unasked = [tool for tool in left if tool not in turn.get("may", [])]
    return wrong + [f"{tool} was carried out unasked" for tool in unasked], len(unasked)


def check(desk: Desk, turn: dict[str, Any], events: list[Any], answer: str, language: str, member_id: str, blanks: dict[str, str]) -> list[str]:
    """Everything a turn was to do and did not."""
    finished = [e for e in events if isinstance(e, ToolFinished)]
    cards = [e for e in events if isinstance(e, ApprovalWanted)]
    wrong = _called(turn, finished, blanks)
    # A card's words are read like the answer's.
    shown = "\n".join([answer, *(card.text for card in cards)]).replace("*", "")
    for name in turn.get("facts", []):
        expected = facts.value(desk, _filled(name, blanks), member_id, language)
        if expected not in shown:
            wrong.append(f"{name} is {expected!r}, not said")
    wrong += [f"{words!r} not said" for words in turn.get("says", []) if _filled(words, blanks).lower() not in shown.lower()]
    wrong += [f"{words!r} said" for words in turn.get("never", []) if _filled(words, blanks).lower() in shown.lower()]
    if "cites" in turn and not any(e.passage_id.startswith(turn["cites"]) for e in events if isinstance(e, Citation)):
        wrong.append(f"cited {[e.passage_id for e in events if isinstance(e, Citation)]}, not {turn['cites']}")
    if turn.get("refuses") and not any(sign in answer.lower() for sign in _REFUSED):
        wrong.append("did not refuse")
    wrong += _asked(turn, [card.tool for card in cards])
    for name, expected in turn.get("state", {}).items():
        now = _state(desk, _filled(name, blanks), member_id, blanks)
        if now != _filled(expected, blanks):
            wrong.append(f"{name} is {now}, not {_filled(expected, blanks)}")
    return wrong


def _called(turn: dict[str, Any], finished: list[ToolFinished], blanks: dict[str, str]) -> list[str]:
    """Tools and arguments that are not as they should be."""
    wrong, called = [], [e.tool for e in finished]
    if "tools" in turn and not set(turn["tools"]) <= set(called):
        wrong.append(f"called {called or 'nothing'}, not {turn['tools']}")
    if turn.get("tools") == [] and called:
        wrong.append(f"called {called}, should have called nothing")
    for tool, arguments in turn.get("arguments", {}).items():
        given = [e.arguments for e in finished if e.tool == tool]
        if not any(_same(g, _filled(arguments, blanks)) for g in given):
            wrong.append(f"{tool} got {given}, not {_filled(arguments, blanks)}")
    return wrong


def _asked(turn: dict[str, Any], cards: list[str]) -> list[str]:
    """Approval cards that are missing or too many. `card` names the tools a yes is wanted for, and no others."""
    if "card" in turn:
        return [] if sorted(cards) == sorted(turn["card"]) else [f"approval cards for {cards or 'nothing'}, not {turn['card']}"]
    if turn.get("waits") is True and not cards:
        return ["no approval card"]
    if turn.get("waits") is False and cards:
        return ["an approval card where none belongs"]
    return []


def _state(desk: Desk, name: str, member_id: str, blanks: dict[str, str]) -> str:
    """The status of an order, or one of facts.STATES of the record now; `moved` is by how many points the balance did."""
    with desk.database.read() as session:
        order = session.get(Order, name)
        if order is not None:
            return order.status
    if name == "moved":
        return str(facts.balance_of(desk, member_id) - int(blanks["balance_before"]))
    return facts.state(desk, name, member_id)


def _filled(value: Any, blanks: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, blanks) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, blanks) for inner in value]
    return value.format_map(blanks) if isinstance(value, str) and "{" in value else value


def _same(given: Any, expected: Any) -> bool:
    """Does an argument hold what is expected of it? Lists as sets, records by the keys named."""
    if isinstance(expected, bool) or isinstance(given, bool):
        return given is expected
    if isinstance(expected, dict) and isinstance(given, dict):
        return all(_same(given.get(key), inner) for key, inner in expected.items())
    if isinstance(expected, list) and isinstance(given, list):
        return len(given) == len(expected) and all(any(_same(one, inner) for one in given) for inner in expected)
    if isinstance(expected, str) and isinstance(given, str):
        return expected.lower() in given.lower()
    if isinstance(expected, int | float) and isinstance(given, int | float):
        return abs(given - expected) < 0.01
    return bool(given == expected)


def writes(case: dict[str, Any]) -> bool:
    """Whether a case needs a shop of its own: it changes something, or is given more than the shop holds."""
    return bool(case.get("writes") or case.get("given") or any(turn.get("does") or turn.get("may") for turn in case["turns"]))


async def run(home: Path | None = None, **settings: object) -> list[Checked]:
    """Play all cases; those that write get a fresh copy of the shop each."""
    desk = worlds.demo_desk(home, **settings)
    checked: list[Checked] = []
    try:
        for case in cases():
            if writes(case):
                with tempfile.TemporaryDirectory() as folder:
                    copy = Desk(desk.settings.model_copy(update={"home": worlds.copy_of(desk.settings, Path(folder))}))
                    checked += await play(copy, case)
                    copy.close()
            else:
                checked += await play(desk, case)
    finally:
        desk.close()
    return checked


def table(checked: list[Checked]) -> list[list[str]]:
    """Share right by role and language, whole cases and single turns, and how many writes nobody asked for."""
    groups: dict[tuple[str, str], list[Checked]] = defaultdict(list)
    for one in checked:
        for key in ((one.role, one.language), (one.role, "all"), ("all", one.language), ("all", "all")):
            groups[key].append(one)
    rows = []
    for (role, language), mine in sorted(groups.items()):
        by_case: dict[str, bool] = {}
        for one in mine:
            by_case[one.case] = by_case.get(one.case, True) and not one.wrong
        right = sum(not one.wrong for one in mine)
        shares = [str(len(by_case)), f"{sum(by_case.values()) / len(by_case):.1%}", str(len(mine)), f"{right / len(mine):.1%}"]
        rows.append([role, language, *shares, str(sum(one.wrong_writes for one in mine))])
    return rows


def main(home: Path | None, **settings: object) -> tuple[list[Checked], float]:
    """Run and give the share of cases that are right throughout."""
    checked = asyncio.run(run(home, **settings))
    by_case: dict[str, bool] = {}
    for one in checked:
        by_case[one.case] = by_case.get(one.case, True) and not one.wrong
    return checked, sum(by_case.values()) / max(1, len(by_case))
