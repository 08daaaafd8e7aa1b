"""What came of the tau retail tasks, as tables and figures?"""

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from eval import tau_chat, tau_retail
from eval.tau_chat import Talk
from eval.tau_retail import Done, Task, World
from members.errors import BadInput


def main(
    console: Console,
    db: Path,
    tasks: Path,
    states: Path | None,
    export: Path | None,
    *,
    chat: bool,
    model: str,
    base_url: str,
    trials: int,
    limit: int,
    home: Path | None,
) -> dict[str, Any]:
    """Run and print; the figures as plain values. Raises BadInput for files of another kind."""
    wanted = tau_retail.tasks(tasks)[: limit or None]
    reference = _reference(tasks, states)
    if chat and reference is None:
        raise BadInput("A chat is judged by the reference's final states: name them with --states.")
    world = World(db)
    console.print(f"{world.report.accepted} records imported, {len(wanted)} tasks")
    if export is not None:
        export.mkdir(parents=True, exist_ok=True)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("talking" if chat else "replaying", total=len(wanted))
        if not chat:
            done = tau_retail.run(world, wanted, reference, export, lambda n: bar.advance(task, n))
        else:
            desk = tau_chat.desk_for(world, home or Path(tempfile.mkdtemp(prefix="patron-tau-desk-")), model=model, base_url=base_url)
            talks = tau_chat.run(desk, world, wanted, reference or {}, trials=trials, progress=lambda n: bar.advance(task, n))
            desk.close()
    return _told_talks(console, talks, trials) if chat else _told_replay(console, done, reference is not None)


def _reference(tasks: Path, states: Path | None) -> dict[str, Any] | None:
    """The final states named, or those that lie beside the tasks."""
    beside = tasks.with_name(tasks.name.replace("tasks", "final_states"))
    path = states or (beside if beside != tasks and beside.is_file() else None)
    if path is None:
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path.name} holds no states: {error!r}") from error
    return found


def _told_replay(console: Console, done: list[Done], compared: bool) -> dict[str, Any]:
    refused = Counter(reason.partition(": ")[2] for one in done for reason in one.refused)
    figures = {"tasks": len(done), "with a refused action": sum(bool(one.refused) for one in done), "refusals": dict(refused)}
    if compared:
        figures |= {"equal as they are": sum(not one.differs for one in done), "equal but for the reference's slip": sum(not one.differs_truly for one in done)}
    table = Table("figure", "tasks", title="Ground truth through our tools", title_justify="left", header_style="bold")
    for name, value in figures.items():
        if isinstance(value, int):
            table.add_row(name, str(value))
    console.print(table)
    for reason, count in refused.most_common(5):
        console.print(f"refused {count}×: {reason}", markup=False, highlight=False)
    for one in [one for one in done if one.differs_truly][:10]:
        console.print(f"task {one.task.number} differs: {one.differs_truly[0][:300]}", markup=False, highlight=False)
    return figures


def _told_talks(console: Console, talks: list[list[Talk]], trials: int) -> dict[str, Any]:
    first = [one[0] for one in talks]
    rows: list[tuple[str, list[Talk]]] = [("all", first)]
    rows += [(f"{n} action{'s' if n > 1 else ''}", [t for t in first if _size(t.task) == n]) for n in (1, 2)]
    rows += [("1 or 2 actions", [t for t in first if _size(t.task) <= 2]), ("3 or more", [t for t in first if _size(t.task) >= 3])]
    table = Table(
        "tasks that ask for", "tasks", "right end state", "share", "wrong writes", "wrong cards", "turns a task", title="By chat", title_justify="left"
    )
    figures: dict[str, Any] = {}
    for name, some in rows:
        if some:
            right = sum(t.right for t in some)
            told = {"tasks": len(some), "right": right, "share": right / len(some)}
            told |= {"wrong writes": sum(len(t.wrong_writes) for t in some), "wrong cards": sum(len(t.wrong_cards) for t in some)}
            told["turns"] = sum(t.turns for t in some) / len(some)
            figures[name] = told
            table.add_row(name, str(len(some)), str(right), f"{told['share']:.1%}", str(told["wrong writes"]), str(told["wrong cards"]), f"{told['turns']:.1f}")
    console.print(table)
    if trials > 1:
        figures["pass^k"] = {k: tau_chat.pass_hat(talks, k) for k in range(1, min(4, trials) + 1)}
        console.print("  ".join(f"pass^{k} {v:.1%}" for k, v in figures["pass^k"].items()))
    return figures


def _size(task: Task) -> int:
    return len(task.actions)
