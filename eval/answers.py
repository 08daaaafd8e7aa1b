"""Does each role get the right answer, action or refusal?

Plays written cases through the desk (tools called, arguments, facts said,
source cited, refusal, end state of the record) and prints a table by role and
language. Data: the demo shop of fixed seed and day; expected figures are read
from the record, not typed in.
"""

import asyncio
import json
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.desk import Desk
from assistant.events import Answer, ApprovalWanted, Citation, Failed, ToolFinished
from eval import facts, worlds
from members.tables import Order

CASES = Path(__file__).parent / "cases"
# What `make eval` must reach: a little under the last measured share.
FLOOR = 0.80
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
    thread: str | None = None
    checked: list[Checked] = []
    blanks = facts.blanks(desk, caller.member_id)
    for turn in case["turns"]:
        text = turn["say"]
        for name, value in blanks.items():
            text = text.replace("{" + name + "}", value)
        started = time.perf_counter()
        events = [event async for event in desk.chat(caller, text, thread)]
        spent = (time.perf_counter() - started) * 1000
        answer = next((e.text for e in events if isinstance(e, Answer | Failed)), "")
        thread = next((e.thread_id for e in events if isinstance(e, Answer)), thread)
        wrong = check(desk, turn, events, answer, case["language"], caller.member_id or case.get("about", "M-10001"), blanks)
        checked.append(Checked(case["id"], case["role"], case["language"], text, answer, wrong, spent))
    return checked


def check(desk: Desk, turn: dict[str, Any], events: list[Any], answer: str, language: str, member_id: str, blanks: dict[str, str]) -> list[str]:
    """Everything a turn was to do and did not."""
    wrong: list[str] = []
    finished = [e for e in events if isinstance(e, ToolFinished)]
    called = [e.tool for e in finished]
    if "tools" in turn and not set(turn["tools"]) <= set(called):
        wrong.append(f"called {called or 'nothing'}, not {turn['tools']}")
    if turn.get("tools") == [] and called:
        wrong.append(f"called {called}, should have called nothing")
    for tool, arguments in turn.get("arguments", {}).items():
        given = [e.arguments for e in finished if e.tool == tool]
        if not any(all(_same(g.get(k), _filled(v, blanks)) for k, v in arguments.items()) for g in given):
            wrong.append(f"{tool} got {given}, not {arguments}")
    for name in turn.get("facts", []):
        expected = facts.value(desk, name, member_id, language)
        if expected not in answer.replace("*", ""):
            wrong.append(f"{name} is {expected!r}, not said")
    wrong += [f"{words!r} not said" for words in turn.get("says", []) if _filled(words, blanks).lower() not in answer.lower().replace("*", "")]
    wrong += [f"{words!r} said" for words in turn.get("never", []) if _filled(words, blanks).lower() in answer.lower().replace("*", "")]
    if "cites" in turn and not any(e.passage_id.startswith(turn["cites"]) for e in events if isinstance(e, Citation)):
        wrong.append(f"cited {[e.passage_id for e in events if isinstance(e, Citation)]}, not {turn['cites']}")
    if turn.get("refuses") and not any(sign in answer.lower() for sign in _REFUSED):
        wrong.append("did not refuse")
    if turn.get("waits") is True and not any(isinstance(e, ApprovalWanted) for e in events):
        wrong.append("no approval card")
    if turn.get("waits") is False and any(isinstance(e, ApprovalWanted) for e in events):
        wrong.append("an approval card where none belongs")
    for order, status in turn.get("state", {}).items():
        with desk.database.read() as session:
            now = session.get_one(Order, _filled(order, blanks)).status
        if now != status:
            wrong.append(f"order {order} is {now}, not {status}")
    return wrong


def _filled(value: Any, blanks: dict[str, str]) -> Any:
    return value.format_map(blanks) if isinstance(value, str) and "{" in value else value


def _same(given: Any, expected: Any) -> bool:
    if isinstance(expected, str) and isinstance(given, str):
        return expected.lower() in given.lower()
    if isinstance(expected, int | float) and isinstance(given, int | float):
        return abs(given - expected) < 0.01
    return bool(given == expected)


async def run(home: Path | None = None, **settings: object) -> list[Checked]:
    """Play all cases; those that write get a fresh copy of the shop each."""
    desk = worlds.demo_desk(home, **settings)
    checked: list[Checked] = []
    try:
        for case in cases():
            if case.get("writes"):
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
    """Share right by role and language, whole cases and single turns."""
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
        rows.append([role, language, str(len(by_case)), f"{sum(by_case.values()) / len(by_case):.1%}", str(len(mine)), f"{right / len(mine):.1%}"])
    return rows


def main(home: Path | None, **settings: object) -> tuple[list[Checked], float]:
    """Run and give the share of cases that are right throughout."""
    checked = asyncio.run(run(home, **settings))
    by_case: dict[str, bool] = {}
    for one in checked:
        by_case[one.case] = by_case.get(one.case, True) and not one.wrong
    return checked, sum(by_case.values()) / max(1, len(by_case))
