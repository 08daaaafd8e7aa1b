"""Does talking bring about what the ground truth says?

A scripted person asks for each thing in their own words over several turns and
says yes to the right card; the state afterwards must be the reference's. A
write is wrong when the ground truth does not hold it, and so is a card offered.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from math import comb
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from assistant.desk import Desk
from assistant.events import Answer, Failed
from assistant.settings import load
from eval import tau_world
from eval.tau_retail import Action, Task, World, compared, now, our_call
from eval.tau_user import Wish, wishes
from eval.worlds import DAY
from members import approvals, payments
from members.access import Caller, Role
from members.tables import Approval, OrderLine, PaymentMethod

_YES = ("yes", "yes please", "go ahead", "Yes, do it", "ok")


@dataclass
class Talk:
    """How one task went: whether the state is right, what was written, what was offered, and what was said."""

    task: Task
    right: bool = False
    wrong_writes: list[str] = field(default_factory=list)
    wrong_cards: list[str] = field(default_factory=list)
    turns: int = 0
    said: list[tuple[str, str]] = field(default_factory=list)


def desk_for(world: World, home: Path, *, model: str = "embedded", base_url: str = "") -> Desk:
    """A desk on the world: its catalogue indexed, its record swapped for a copy by each task."""
    asked: dict[str, Any] = {"model": model, "base_url": base_url} if model != "embedded" else {}
    desk = Desk(load(home=home, today=DAY, **asked))
    desk.database.close()
    with world.copy() as database:
        desk.database = database
        desk.reindex()
    return desk


async def talk(desk: Desk, world: World, task: Task, before: tau_world.State, reference: dict[str, Any], *, trial: int = 0) -> Talk:
    """One task from the first word to the comparison of the state."""
    with world.copy() as database:
        desk.database = database
        one = Talk(task)
        caller = Caller(f"account-{task.member_id}", Role.MEMBER, task.member_id)
        right = [call for action in task.actions if (call := our_call(action)) is not None]
        await _person(desk, caller, task, right, one, trial)
        with database.read() as session:
            used = session.exec(select(Approval).where(Approval.status == "used").order_by(col(Approval.decided_at))).all()
            one.wrong_writes = [f"{a.tool} {a.arguments}" for a in used if not _is_one_of(session, a.tool, a.arguments, right)]
        done = [a.arguments for a in task.actions if a.name == "modify_pending_order_items" and _was_done(used, a)]
        after = tau_world.with_slip(tau_world.world(database), done)
        one.right = not compared(before, after, reference)
    return one


def _was_done(used: Any, action: Action) -> bool:
    call = our_call(action)
    return call is not None and any(a.tool == call[0] and str(a.arguments.get("order_id")).lstrip("#") == call[1]["order_id"].lstrip("#") for a in used)


async def _person(desk: Desk, caller: Caller, task: Task, right: list[tuple[str, dict[str, Any]]], one: Talk, trial: int) -> None:
    with desk.database.read() as session:
        methods = {m.id: _method_words(m) for m in session.exec(select(PaymentMethod).where(PaymentMethod.member_id == task.member_id))}
    thread: str | None = None
    for wish in wishes(task.instruction, methods, _seed(task) + trial):
        thread = await _pursue(desk, caller, wish, right, one, thread)


async def _pursue(desk: Desk, caller: Caller, wish: Wish, right: list[tuple[str, dict[str, Any]]], one: Talk, thread: str | None) -> str | None:
    """Say a wish piece by piece until its card is there; once more as a whole when it is not; then let it be."""
    for line in (*wish.pieces, f"No, {wish.whole[0].lower()}{wish.whole[1:]}" if wish.kind != "free" else ""):
        if not line:
            continue
        thread = await _say(desk, caller, line, one, thread)
        cards = _cards(desk, caller, thread)
        fitting = [c for c in cards if _fits(desk, c, right)]
        if fitting and len(fitting) == len(cards):
            thread = await _say(desk, caller, _YES[one.turns % len(_YES)], one, thread)
            if not _cards(desk, caller, thread):
                return thread
        if line == wish.pieces[-1]:
            # What is offered once everything was said is what the assistant would have done.
            one.wrong_cards += [f"{c.tool} {c.arguments}" for c in cards if c not in fitting]
    if _cards(desk, caller, thread):
        thread = await _say(desk, caller, "no", one, thread)
    return thread


async def _say(desk: Desk, caller: Caller, text: str, one: Talk, thread: str | None) -> str | None:
    answer = ""
    async for event in desk.chat(caller, text, thread):
        if isinstance(event, Answer):
            answer, thread = event.text, event.thread_id
        elif isinstance(event, Failed):
            answer = event.text
    one.turns += 1
    one.said.append((text, answer))
    return thread


def _cards(desk: Desk, caller: Caller, thread: str | None) -> list[Approval]:
    if thread is None:
        return []
    with desk.database.read() as session:
        return list(approvals.open_in(session, caller, thread, now=now()))


def _fits(desk: Desk, card: Approval, right: list[tuple[str, dict[str, Any]]]) -> bool:
    with desk.database.read() as session:
        return _is_one_of(session, card.tool, card.arguments, right)


def _is_one_of(session: Session, tool: str, arguments: dict[str, Any], right: list[tuple[str, dict[str, Any]]]) -> bool:
    mine = _canonical(session, tool, arguments)
    return any(tool == name and mine == _canonical(session, name, given) for name, given in right)


def _canonical(session: Session, tool: str, arguments: dict[str, Any]) -> str:
    """A call with its defaults filled in and its lists in order, so that two that do the same are equal."""
    order = f"#{str(arguments.get('order_id', '')).lstrip('#')}"
    told = {k: str(v).lstrip("#") for k, v in arguments.items() if k not in ("items", "exchanges", "refund_to", "method_id", "reason") and v not in (None, "")}
    if tool in ("return_items", "exchange_items", "change_order_items"):
        first, _ = payments.first_method(session, order)
        told["method"] = str(arguments.get("refund_to") or arguments.get("method_id") or first)
    elif "method_id" in arguments:
        told["method"] = str(arguments["method_id"])
    if tool == "cancel_order":
        told["reason"] = str(arguments.get("reason", "changed_mind"))
    pieces = [
        (p["variant_id"], p.get("new_variant_id", ""))
        for p in arguments.get("items", arguments.get("exchanges", []))
        for _ in range(p.get("quantity") or _all_of(session, order, p["variant_id"]))
    ]
    return f"{tool} {sorted(told.items())} {sorted(pieces)}"


def _all_of(session: Session, order_id: str, variant_id: str) -> int:
    """How many pieces a call without a quantity means."""
    mine = select(OrderLine).where(OrderLine.order_id == order_id, OrderLine.variant_id == variant_id)
    return sum(line.quantity for line in session.exec(mine)) or 1


def _method_words(method: PaymentMethod) -> str:
    if method.kind == "credit_card":
        brand, _, last = method.label.partition(" ··")
        return f"my {brand} ending in {last}"
    return {"paypal": "my PayPal", "gift_card": "my gift card"}.get(method.kind, method.id)


def _seed(task: Task) -> int:
    return int(task.number) if task.number.isdigit() else sum(map(ord, task.number))


def run(
    desk: Desk, world: World, wanted: list[Task], reference: dict[str, Any], *, trials: int = 1, progress: Callable[[int], None] = lambda n: None
) -> list[list[Talk]]:
    """Every task, `trials` times over."""
    with world.copy() as untouched:
        before = tau_world.world(untouched)
    found: list[list[Talk]] = []
    for task in wanted:
        found.append([asyncio.run(talk(desk, world, task, before, reference.get(task.number, {}), trial=n)) for n in range(trials)])
        progress(1)
    return found


def pass_hat(talks: list[list[Talk]], k: int) -> float:
    """The chance that k independent trials of a task all succeed, over all tasks (tau-bench, Yao et al. 2024)."""
    shares = [comb(sum(t.right for t in one), k) / comb(len(one), k) for one in talks if len(one) >= k]
    return sum(shares) / len(shares) if shares else 0.0
