"""Do our tools change a world from elsewhere as its own environment does?

Loads the tau retail world (MIT, sierra-research/tau2-bench) with our importer and
gives every task a copy of its own. The ground truth is replayed through the
gateway as that user, each approval granted by code; the state afterwards is
compared with, or written for, the reference environment's.
"""

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
from sqlmodel import select

from eval import tau_world
from eval.worlds import DAY
from members import program
from members.access import Caller, Role
from members.database import Database, sqlite_url
from members.errors import BadInput, Refusal
from members.importers import tau_retail
from members.program import Program
from members.tables import Account, Member, Order
from tools import member, orders, service  # noqa: F401  (declares the tools)
from tools.bench import Means
from tools.gateway import Gateway

# The reading actions of that environment change nothing; only these are replayed.
_ADDRESS = {"address1": "line1", "address2": "line2", "city": "city", "state": "region", "country": "country", "zip": "postcode"}
_OURS = {theirs: ours for ours, theirs in tau_world.REASONS.items()}


@dataclass(frozen=True)
class Action:
    """One step of the ground truth."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Task:
    """Who asks for what, and what should be done."""

    number: str
    member_id: str
    instruction: str
    actions: tuple[Action, ...]


@dataclass
class Done:
    """What became of a task: the calls refused, where the state differs from the reference, and where it does beyond the reference's slip."""

    task: Task
    refused: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)
    differs_truly: list[str] = field(default_factory=list)


def tasks(path: Path) -> list[Task]:
    """Tasks of either layout: `actions[{name,kwargs}]`, or tau2's `evaluation_criteria.actions[{name,arguments}]`.

    Raises BadInput for a file of another kind.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        rows = rows if isinstance(rows, list) else rows["tasks"]
        return [_task(place, row) for place, row in enumerate(rows)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path.name} holds no tasks of this kind: {error!r}") from error


def _task(place: int, row: dict[str, Any]) -> Task:
    wanted = (row.get("evaluation_criteria") or {}).get("actions") if "evaluation_criteria" in row else row["actions"]
    actions = tuple(Action(a["name"], a.get("kwargs") or a.get("arguments") or {}) for a in wanted or [])
    if "user_id" in row:
        return Task(str(place), row["user_id"], row.get("instruction", ""), actions)
    told = (row.get("user_scenario") or {}).get("instructions") or {}
    said = told if isinstance(told, str) else "\n".join(str(told[part]) for part in ("reason_for_call", "known_info", "task_instructions") if told.get(part))
    return Task(str(row.get("id", place)), "", said, actions)


class World:
    """A world imported once; `copy` gives a task one of its own."""

    def __init__(self, db: Path, folder: Path | None = None, rules: Program | None = None) -> None:
        """Import `db.json` with our importer. Raises BadInput when it is none."""
        self.folder = folder or Path(tempfile.mkdtemp(prefix="patron-tau-"))
        self.rules = rules or program.load()
        self.file = self.folder / "world.db"
        database = Database(sqlite_url(self.file))
        database.migrate()
        self.report = tau_retail.load(database, db, self.rules, today=DAY)
        with database.effect() as session:
            # Nobody signs in here: an account without a password, for the foreign keys.
            for member_id in session.exec(select(Member.id)):
                session.add(Account(id=f"account-{member_id}", login=member_id, password_hash="-", role=Role.MEMBER.value, member_id=member_id))
        database.close()
        with sqlite3.connect(self.file) as whole:
            whole.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def copy(self) -> Iterator[Database]:
        """A fresh copy for one task, thrown away afterwards."""
        path = self.folder / "task.db"
        for leftover in self.folder.glob("task.db*"):
            leftover.unlink()
        shutil.copy(self.file, path)
        database = Database(sqlite_url(path))
        try:
            yield database
        finally:
            database.close()


def replay(database: Database, rules: Program, task: Task) -> tuple[list[Action], list[str]]:
    """Carry the ground truth out through our gateway; returns what was done and the refusals."""
    done: list[Action] = []
    refused: list[str] = []
    member_id = task.member_id or _owner(database, task)
    caller = Caller(f"account-{member_id}", Role.MEMBER, member_id)
    for place, action in enumerate(task.actions):
        call = our_call(action)
        if call is None:
            continue
        gateway = Gateway(database, caller, _means(rules), f"task-{place}", now)
        outcome = gateway.call(*call)
        if outcome.status == "waiting_for_yes":
            try:
                outcome = gateway.carry_out(outcome.result["approval_id"])
            except Refusal as refusal:
                refused.append(f"{action.name}: {refusal.fact}")
                continue
        if outcome.status == "done":
            done.append(action)
        else:
            refused.append(f"{action.name}: {outcome.result.get('fact')}")
    return done, refused


def our_call(action: Action) -> tuple[str, dict[str, Any]] | None:
    """Our tool and arguments for one of their actions; None for one that only reads or says something."""
    given = action.arguments
    build: dict[str, Callable[[], tuple[str, dict[str, Any]]]] = {
        "cancel_pending_order": lambda: ("cancel_order", {"order_id": given["order_id"], "reason": _OURS.get(given["reason"], given["reason"])}),
        "modify_pending_order_address": lambda: ("change_order_address", {"order_id": given["order_id"], **_address(given)}),
        "modify_pending_order_payment": lambda: ("change_order_payment", {"order_id": given["order_id"], "method_id": given["payment_method_id"]}),
        "modify_pending_order_items": lambda: ("change_order_items", {**_exchanges(given), "method_id": given["payment_method_id"]}),
        "exchange_delivered_order_items": lambda: ("exchange_items", {**_exchanges(given), "method_id": given["payment_method_id"]}),
        "return_delivered_order_items": lambda: (
            "return_items",
            {
                "order_id": given["order_id"],
                "items": [{"variant_id": i, "quantity": 1} for i in given["item_ids"]],
                "refund_to": given["payment_method_id"],
            },
        ),
        "modify_user_address": lambda: ("change_default_address", _address(given)),
    }
    return build[action.name]() if action.name in build else None


def _address(given: dict[str, Any]) -> dict[str, Any]:
    return {ours: given[theirs] for theirs, ours in _ADDRESS.items() if theirs in given}


def _exchanges(given: dict[str, Any]) -> dict[str, Any]:
    pairs = zip(given["item_ids"], given["new_item_ids"], strict=False)
    return {"order_id": given["order_id"], "exchanges": [{"variant_id": a, "new_variant_id": b, "quantity": 1} for a, b in pairs]}


def _owner(database: Database, task: Task) -> str:
    """Whose task it is, where the file does not say: the owner of the first order or user it names."""
    for action in task.actions:
        if "user_id" in action.arguments:
            return str(action.arguments["user_id"])
        with database.read() as session:
            order = session.get(Order, action.arguments.get("order_id", ""))
            if order is not None and order.member_id:
                return order.member_id
    raise BadInput(f"Task {task.number} names nobody.")


def now() -> datetime:
    """The instant approvals are counted from."""
    return datetime.now(UTC).replace(tzinfo=None)


def _means(rules: Program) -> Means:
    """What the service tools need: rules and a day; nothing is searched or written here."""
    silent: Any = SimpleNamespace(entry=lambda kind, id: None)
    return Means(rules=rules, today=DAY, search=silent, lake=Path(), fitted=None, groups=lambda: pd.DataFrame(), write=lambda facts: [])  # type: ignore[arg-type]


def run(world: World, wanted: list[Task], reference: dict[str, Any] | None, export: Path | None, progress: Callable[[int], None]) -> list[Done]:
    """Every task on a copy of its own: replayed, written to `export`, compared with `reference` where there is one."""
    found: list[Done] = []
    with world.copy() as untouched:
        before = tau_world.world(untouched)
    for task in wanted:
        with world.copy() as database:
            carried_out, refused = replay(database, world.rules, task)
            after = tau_world.world(database)
        one = Done(task, refused)
        as_there = tau_world.with_slip(after, [a.arguments for a in carried_out if a.name == "modify_pending_order_items"])
        if export is not None:
            (export / f"{task.number}.json").write_text(json.dumps(as_there, ensure_ascii=False), encoding="utf-8")
        if reference is not None and task.number in reference:
            one.differs = compared(before, after, reference[task.number])
            one.differs_truly = compared(before, as_there, reference[task.number]) if one.differs else []
        found.append(one)
        progress(1)
    return found


def compared(before: tau_world.State, after: tau_world.State, changed: dict[str, Any]) -> list[str]:
    """Where the world differs from the one before with the reference's changed records in it."""
    found: list[str] = []
    for part in ("products", "users", "orders"):
        should = {**before[part], **changed.get(part, {})}
        for key, record in should.items():
            if after[part].get(key) != record:
                found += tau_world.differences(after[part].get(key), record, f"{part}.{key}")
    return found
