"""What can be done from a terminal? The command `patron`.

Every verb opens a shop's home folder. Heavy libraries are imported by the verbs
that need them, so that `patron --help` answers at once.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from assistant.desk import Desk

app = typer.Typer(help="Patron: the assistant of an online shop's members and of those who look after them.", no_args_is_help=True, add_completion=False)
imports = typer.Typer(help="Bring a shop's files into the record. Importing twice changes nothing.", no_args_is_help=True)
users = typer.Typer(help="Accounts that may sign in.", no_args_is_help=True)
app.add_typer(imports, name="import")
app.add_typer(users, name="user")
_SYNTHETIC_AT_ONCE = 50_000
console = Console()
Home = Annotated[Path, typer.Option("--home", envvar="PATRON_HOME", help="Folder of all embedded stores; a second shop is a second folder.")]
Encoding = Annotated[str, typer.Option(help="Encoding of text files, when the guess is wrong, e.g. gb18030 or latin-1.")]
_VAR = Path("var")


class Kind(StrEnum):
    """What can be searched."""

    policy = "policy"
    products = "products"


class Mode(StrEnum):
    """Which part of the search answers."""

    fused = "fused"
    bm25 = "bm25"
    vectors = "vectors"


def main() -> None:
    """Run the command; a refusal is one clear line and exit code 2."""
    from members.errors import Refusal

    try:
        app()
    except Refusal as refusal:
        console.print(f"[red]{refusal.fact}[/red]", highlight=False)
        sys.exit(2)


# --- verbs ------------------------------------------------------------------------------


@app.command()
def demo(
    home: Home = _VAR,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="PORT", help="Port to listen on.")] = 8000,
    today: Annotated[str, typer.Option(help="The demo shop's last day, YYYY-MM-DD; today when left out.")] = "",
    serve_it: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve UI and API when it is built.")] = True,
) -> None:
    """Build the demo shop once, train, index, and serve it with a login for each role."""
    _build_demo(home, _day(today))
    if serve_it:
        serve(home, host, port)
        return
    with _desk(home) as desk:
        _first_logins(desk)


@app.command()
def serve(
    home: Home = _VAR,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="PORT", help="Port to listen on.")] = 8000,
) -> None:
    """Serve UI and API. The one owner of the home's search index while it runs."""
    started = time.perf_counter()
    with console.status("opening the shop…"), _desk(home) as desk:
        from ui import app as faces

        desk.embed.warm()
        _first_logins(desk)
        with _announced(desk, port):
            console.print(f"Ready after {time.perf_counter() - started:.1f} s: [bold]http://{host}:{port}[/bold]  (API: /docs, stop: Ctrl-C)", highlight=False)
            faces.serve(desk, host, port)


@app.command()
def train(
    home: Home = _VAR,
    measure: Annotated[bool, typer.Option("--measure/--no-measure", help="Measure each model on days held back, for its card; about half of the time.")] = True,
) -> None:
    """Learn from the record: features, every model with its card, and scores for all members. A failed training leaves the last good shelf."""
    running = _running(home)
    started = time.perf_counter()
    # A running server owns the search index; learning does not need it.
    with tempfile.TemporaryDirectory(prefix="patron-train-") as aside, _desk(home, Path(aside) if running else None) as desk, _steps() as bar:
        task = bar.add_task("opening", total=None)
        cards = desk.train(lambda step: bar.update(task, description=step), measure=measure)
        bar.update(task, description="done", total=1, completed=1)
    if running:
        _ask_server(running, "POST", "/api/v1/models/renew", None)
        console.print("The running server answers from the new models.")
    shown = [c for c in cards if c.name not in ("router", "usual")]
    _print_table(
        "On the shelf",
        ["model", "version", "measured", "best measure", "notes"],
        [[c.name, c.version, c.measured_on or "–", _headline(c), c.notes[:60]] for c in shown],
    )
    console.print(f"{time.perf_counter() - started:.0f} s. Cards with plots: {home / 'shelf' / 'cards.html'}", highlight=False)


def _headline(card: Any) -> str:
    """The first measure of a card."""
    return next((f"{name.partition(': ')[2]} {value:.3f}" for name, value in card.measures.items()), "–")


@app.command()
def index(home: Home = _VAR) -> None:
    """Bring the search index in step with policy documents and catalogue; only what changed is embedded."""
    running = _running(home)
    if running:
        changes = _ask_server(running, "POST", "/api/v1/index", None)
    else:
        with _desk(home) as desk, _bar() as bar:
            task = bar.add_task("embedding")
            changes = {
                k: c.__dict__ for k, c in desk.reindex(lambda kind, done, total: bar.update(task, description=kind, completed=done, total=total)).items()
            }
    _print_table(
        "Index",
        ["kind", "added", "changed", "removed", "unchanged"],
        [[k, *(str(c[n]) for n in ("added", "changed", "removed", "unchanged"))] for k, c in changes.items()],
    )


@app.command()
def search(
    question: Annotated[str, typer.Argument(help="What is looked for, in English or Chinese.")],
    home: Home = _VAR,
    kind: Annotated[Kind, typer.Option(help="What to search.")] = Kind.policy,
    mode: Annotated[Mode, typer.Option(help="Which part of the search.")] = Mode.fused,
    limit: Annotated[int, typer.Option(min=1, max=50)] = 5,
) -> None:
    """Search policy or products and show the score of each part."""
    asked = {"question": question, "kind": kind.value, "mode": mode.value, "limit": limit}
    running = _running(home)
    if running:
        hits = _ask_server(running, "POST", "/api/v1/search", asked)
    else:
        from retrieval.words import has_han

        with _desk(home) as desk:
            found = desk.search(question, kind=kind.value, mode=mode.value, limit=limit)  # type: ignore[arg-type]
            language = "zh" if has_han(question) else "en"
            hits = [
                {"id": h.entry.id, "citation": h.entry.citation(language), "score": h.score, "bm25": h.bm25, "cosine": h.cosine, "ranks": h.ranks}
                for h in found
            ]
    rows = [
        [h["id"], h["citation"], f"{h['score']:.3f}", f"{h['bm25']:.2f}", f"{h['cosine']:.2f}", " ".join(f"{k}#{v}" for k, v in h["ranks"].items())]
        for h in hits
    ]
    _print_table(f"“{question}”", ["id", "where", "fused", "BM25", "cosine", "ranks"], rows, empty="Nothing found. Is the index built? `patron index`")


@app.command()
def chat(
    login: Annotated[str, typer.Option("--as", help="Login of the account to speak as.")],
    say: Annotated[str, typer.Option(help="One message instead of a conversation.")] = "",
    home: Home = _VAR,
) -> None:
    """Talk to Patron as one account, in the terminal."""
    with _desk(home) as desk:
        caller = desk.caller_named(login)
        thread: str | None = None
        for text in [say] if say else _typed():
            thread = asyncio.run(_spoken(desk, caller, text, thread))


@app.command()
def export(
    member: Annotated[str, typer.Argument(help="Member id.")],
    home: Home = _VAR,
    to: Annotated[Path | None, typer.Option(help="File to write; the terminal when left out.")] = None,
) -> None:
    """Everything the shop holds about one member, as JSON."""
    with _database(home) as (database, settings):
        from members import lake, privacy

        with database.read() as session:
            held = privacy.export(session, member)
        held["events"] = [
            [at.isoformat(), kind, product] for at, kind, product in lake.recent(settings.home / "lake", member, until=datetime.max, limit=100_000)
        ]
    text = json.dumps(held, ensure_ascii=False, indent=1, default=str)
    if to is None:
        print(text)
    else:
        to.write_text(text, encoding="utf-8")
        console.print(f"{to}: {len(text):,} characters")


# --- import -----------------------------------------------------------------------------


@app.command()
def digest(days: Annotated[int, typer.Option(min=1, max=92, help="How many days, today included.")] = 7, home: Home = _VAR) -> None:
    """What people contacted the shop about: causes with counts and an example."""
    from members import tickets
    from ui.inbox import cause_name

    with _database(home) as (database, settings):
        with database.read() as session:
            found = tickets.digest(session, until=settings.shop_day(), days=days)
        console.print(f"{found.opened} tickets from {found.since} to {found.until}; {found.closed} closed, {found.waiting} waiting now")
        rows = [[cause_name(c.cause, "en"), str(c.count), str(c.before), f"{c.ticket_id} {c.example[:70]}"] for c in found.causes]
        _print_table("Causes", ["cause", "now", "before", "example"], rows, empty="Nobody wrote in these days.")


@app.command()
def synthesise(
    members: Annotated[int, typer.Option("-n", "--members", min=10, max=10_000_000, help="How many to invent.")] = 1_000,
    to: Annotated[Path, typer.Option(help="CSV to write.")] = Path("synthetic-members.csv"),
    method: Annotated[str, typer.Option(help="gan (minutes) or copula (seconds).")] = "gan",
    epsilon: Annotated[float, typer.Option(help="Differential-privacy budget; 0 for none.")] = 0.0,
    epochs: Annotated[int, typer.Option(min=1, help="Rounds of the GAN.")] = 300,
    seed: Annotated[int, typer.Option(help="Another seed, other members.")] = 7,
    again: Annotated[bool, typer.Option(help="Learn anew although something learned lies on the shelf.")] = False,
    home: Home = _VAR,
) -> None:
    """Invent members that resemble the shop's and are nobody: learned from feature rows, written as CSV."""
    from datetime import date

    from analytics import synthetic_members as made
    from analytics.history import History
    from analytics.shelf import Card, Shelf
    from assistant.studio import NAME
    from members.errors import BadInput

    if method not in ("gan", "copula"):
        raise BadInput("--method is gan or copula.")
    shelf = Shelf(home / "shelf")
    kept, card = shelf.load(NAME), shelf.card(NAME)
    asked = f"{method}, epsilon {epsilon or None}, {epochs if method == 'gan' else 0} rounds"
    if again or kept is None or card is None or card.notes != asked:
        try:
            rows = made.member_rows(History.of(home / "lake"))
        except FileNotFoundError as error:
            raise BadInput("There is nothing to learn from yet: import a shop and run `patron train` first.") from error
        with console.status("learning…") as status:
            kept = made.learn(rows, method=method, epochs=epochs, epsilon=epsilon or None, seed=seed, progress=lambda step: status.update(f"{step}…"))  # type: ignore[arg-type]
        shelf.save(kept, Card(NAME, f"{date.today().isoformat()}.{len(rows)}", f"{len(rows):,} feature rows", date.today().isoformat(), len(rows), notes=asked))
        console.print(f"Learned from {len(rows):,} members in {kept.seconds:.0f} s.")
    to.parent.mkdir(parents=True, exist_ok=True)
    with console.status("inventing…"):
        for start in range(0, members, _SYNTHETIC_AT_ONCE):
            number = min(_SYNTHETIC_AT_ONCE, members - start)
            some = made.with_invented_ids(made.mended(kept.sample(number, seed=seed + start)), first=start + 1)
            some.to_csv(to, index=False, mode="a" if start else "w", header=not start)
    spent = f" Privacy spent: epsilon {kept.spent_epsilon:.2f}." if kept.spent_epsilon is not None else ""
    console.print(f"{members:,} invented members in {to}.{spent}")


@app.command("erase-due")
def erase_due(home: Home = _VAR) -> None:
    """Erase members who left and whose cooling-off days are over; a running server does it daily by itself."""
    from members import privacy

    with _database(home) as (database, settings):
        with database.effect() as session:
            gone = privacy.erase_due(session, on=settings.shop_day())
        if gone:
            from analytics import training
            from analytics.shelf import Shelf

            training.forget(Shelf(home / "shelf"), home / "lake", gone)
        database.shrink()
        console.print(f"{len(gone)} erased." if gone else "Nobody is due.")


@imports.command("online-retail")
def import_online_retail(
    file: Annotated[Path, typer.Argument(help="Parquet, CSV or XLSX in the UCI Online Retail layout.")], home: Home = _VAR, encoding: Encoding = ""
) -> None:
    """Import order lines in the layout of the UCI "Online Retail" data."""
    from members.importers import online_retail

    _import(home, file, encoding, online_retail.load)


@imports.command("tau-retail")
def import_tau_retail(file: Annotated[Path, typer.Argument(help="The world's db.json.")], home: Home = _VAR, encoding: Encoding = "") -> None:
    """Import the tau retail world."""
    from members.importers import tau_retail

    _import(home, file, encoding, tau_retail.load)


@imports.command("files")
def import_files(
    mapping: Annotated[Path, typer.Argument(help="TOML that maps your files; see docs/examples/own-shop/mapping.toml.")],
    home: Home = _VAR,
    encoding: Encoding = "",
) -> None:
    """Import any shop's CSV, Parquet or XLSX files through a mapping."""
    from functools import partial

    from members.importers import mapping as mapped

    _import(home, mapping, encoding, partial(mapped.load, lake_folder=home / "lake"))


def _import(home: Path, file: Path, encoding: str, load: Callable[..., Any]) -> None:
    with _database(home) as (database, settings), _bar() as bar:
        tasks: dict[str, Any] = {}

        def tell(step: str, done: int, total: int | None) -> None:
            tasks[step] = tasks.get(step) if step in tasks else bar.add_task(step)
            bar.update(tasks[step], completed=done, total=total)

        started = time.perf_counter()
        report = load(database, file, settings.program(), today=settings.shop_day(), encoding=encoding or None, progress=tell)
        if report.last_day and not (home / "shop.toml").exists():
            # Old data has its own present: answers are as of its last day until said otherwise.
            (home / "shop.toml").write_text(f'name = "our shop"\ntoday = {report.last_day.isoformat()}\n', encoding="utf-8")
            console.print(f"The shop's day is set to {report.last_day} (the data's last) in {home / 'shop.toml'}.")
    _print_table(
        "Rows", ["read", "accepted", "rejected", "duplicates"], [[f"{n:,}" for n in (report.read, report.accepted, report.rejected, report.duplicates)]]
    )
    _print_table("Written", ["what", "rows"], [[name, f"{count:,}"] for name, count in report.totals.items()])
    if report.rejects:
        _print_rejects(home, report)
    console.print(f"{time.perf_counter() - started:.1f} s. Next: [bold]patron train[/bold] and [bold]patron index[/bold].")


def _print_rejects(home: Path, report: Any) -> None:
    from members.importers.report import SHOWN

    path = home / "rejects.csv"
    report.write_rejects(path)
    _print_table("Rejected, by reason", ["reason", "rows"], [[reason, f"{count:,}"] for reason, count in report.reasons().most_common()])
    _print_table(
        f"The first of {report.rejected:,}; all are in {path}", ["file", "line", "reason"], [[r.file, str(r.line), r.reason] for r in report.rejects[:SHOWN]]
    )


# --- users ------------------------------------------------------------------------------


@users.command("add")
def add_user(
    login: Annotated[str, typer.Argument()],
    role: Annotated[str, typer.Argument(help="member, support, marketer or admin")],
    home: Home = _VAR,
    member: Annotated[str, typer.Option(help="Member id, for role member.")] = "",
) -> None:
    """Add an account with a random password, shown once."""
    from members import accounts
    from members.access import Role
    from members.errors import BadInput

    if role not in list(Role):
        raise BadInput(f"There is no role “{role}”; there are {', '.join(Role)}.")
    password = accounts.random_password()
    with _database(home) as (database, _), database.effect() as session:
        accounts.create(session, login, password, Role(role), member_id=member or None)
    console.print(f"{login}  {password}  (shown once)", highlight=False)


@users.command("password")
def new_password(login: Annotated[str, typer.Argument()], home: Home = _VAR) -> None:
    """Give an account a new random password and end its sessions."""
    from members import accounts

    password = accounts.random_password()
    with _database(home) as (database, _), database.effect() as session:
        accounts.set_password(session, login, password)
    console.print(f"{login}  {password}  (shown once)", highlight=False)


@users.command("list")
def list_users(home: Home = _VAR) -> None:
    """Every account with its role."""
    from members import accounts

    with _database(home) as (database, _), database.read() as session:
        rows = [[a.login, a.role, a.member_id or "", "closed" if a.disabled else ""] for a in accounts.every(session)]
    _print_table("Accounts", ["login", "role", "member", ""], rows, empty="No accounts yet: `patron user add NAME ROLE`.")


# --- opening a home ---------------------------------------------------------------------


@contextmanager
def _desk(home: Path, index_folder: Path | None = None) -> Iterator["Desk"]:
    from assistant import settings as configured
    from assistant.desk import Desk
    from members.errors import RuleBroken
    from retrieval.index import IndexBusy

    try:
        desk = Desk(configured.load(home=home), index_folder=index_folder)
    except IndexBusy as busy:
        raise RuleBroken(f"{busy} `patron index` and `patron search` ask a running server by themselves.") from busy
    try:
        yield desk
    finally:
        desk.close()


@contextmanager
def _database(home: Path) -> Iterator[tuple[Any, Any]]:
    from assistant import settings as configured
    from members.database import Database

    settings = configured.load(home=home)
    home.mkdir(parents=True, exist_ok=True)
    database = Database(settings.record_url())
    database.migrate()
    try:
        yield database, settings
    finally:
        database.close()


def _day(text: str) -> date:
    """A day as typed; today when left out."""
    from members.errors import BadInput

    try:
        return date.fromisoformat(text) if text else date.today()
    except ValueError as error:
        raise BadInput(f"“{text}” is no day; write it as 2026-11-22.") from error


def _build_demo(home: Path, today: date) -> None:
    """Build what is not there yet; a second run finds everything and loses nothing."""
    from analytics import synthetic
    from members import catalogue

    shop = home / "shop.toml"
    with _database(home) as (database, settings):
        with database.read() as session:
            stocked = catalogue.size(session) > 0
        if not stocked:
            started = time.perf_counter()
            with console.status("building the demo shop…") as status:
                told = lambda step: status.update(f"building the demo shop: {step}…")  # noqa: E731
                truth = synthetic.build(database, settings.program(), today=today, lake_folder=home / "lake", progress=told)
            synthetic.save_truth(truth, home / "demo_truth.json")
            shop.write_text(f'name = "Harbour & Pine"\ntoday = {today.isoformat()}\ndemo = true\n', encoding="utf-8")
            console.print(f"The demo shop is built ({time.perf_counter() - started:.0f} s), as of {today}.")
    if not (home / "shelf" / "recommender").is_dir():
        train(home)
    if not (home / "index" / "products.jsonl").is_file():
        index(home)


def _first_logins(desk: "Desk") -> None:
    """Make a login for each role where there is none, and show the passwords this once."""
    from members import accounts
    from members.access import Role

    made: list[list[str]] = []
    with desk.database.effect() as session:
        if not accounts.every(session):
            wanted = [("admin", Role.ADMIN, None), ("support", Role.SUPPORT, None), ("marketer", Role.MARKETER, None)]
            if desk.settings.shop().get("demo"):
                wanted += [("lina", Role.MEMBER, "M-10001"), ("chenmo", Role.MEMBER, "M-10002")]
            for login, role, member_id in wanted:
                password = accounts.random_password()
                accounts.create(session, login, password, role, member_id=member_id)
                made.append([login, password, role.value, member_id or ""])
    if made:
        _print_table("Logins (shown once; `patron user password NAME` makes a new one)", ["login", "password", "role", "member"], made)


# --- a running server -------------------------------------------------------------------


@contextmanager
def _announced(desk: "Desk", port: int) -> Iterator[None]:
    """Leave word of this server for `patron index` and `patron search`, readable by the owner alone."""
    from members import accounts

    with desk.database.read() as session:
        admin = next((a for a in accounts.every(session) if a.role == "admin"), None)
    path = desk.settings.home / "server.json"
    if admin is not None:
        path.touch(mode=0o600)
        path.write_text(json.dumps({"port": port, "pid": os.getpid(), "account": admin.id, "epoch": admin.epoch}), encoding="utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _running(home: Path) -> dict[str, Any] | None:
    """The server that owns this home now, if one does."""
    path = home / "server.json"
    if not path.is_file():
        return None
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    try:
        os.kill(told["pid"], 0)
    except OSError:
        return None
    return {**told, "home": home}


def _ask_server(running: dict[str, Any], method: str, path: str, body: dict[str, Any] | None) -> Any:
    """Ask the server as the home's owner: whoever can read its secret may sign for its admin."""
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    from assistant.tokens import Tokens, secret_of
    from members.errors import RuleBroken
    from members.tables import Account

    token = Tokens(secret_of(running["home"])).issue(Account(id=running["account"], login="", password_hash="", role="admin", epoch=running["epoch"]))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = Request(f"http://127.0.0.1:{running['port']}{path}", json.dumps(body).encode() if body else b"", headers, method=method)
    try:
        with urlopen(request, timeout=600) as answer:
            return json.load(answer)
    except HTTPError as error:
        told = json.loads(error.read() or b"{}").get("detail", str(error))
        raise RuleBroken(f"The server refused: {told}") from error
    except URLError as error:
        raise RuleBroken(f"The server on port {running['port']} did not answer: {error}.") from error


# --- talking and printing ---------------------------------------------------------------


def _typed() -> Iterator[str]:
    console.print("Type a message; an empty line ends.")
    while text := console.input("[bold]> [/bold]").strip():
        yield text


async def _spoken(desk: "Desk", caller: Any, text: str, thread: str | None) -> str | None:
    from assistant.events import Answer, ApprovalWanted, Choices, Failed, ToolFinished

    async for event in desk.chat(caller, text, thread):
        if isinstance(event, ToolFinished):
            console.print(f"  · {event.tool} {event.status}", style="dim", highlight=False)
        elif isinstance(event, ApprovalWanted):
            console.print(f"  ┌ {event.text} [{event.yes}] [{event.no}]", markup=False)
        elif isinstance(event, Choices):
            console.print("  " + "  ".join(f"[{t}]" for t in event.texts), markup=False)
        elif isinstance(event, Answer | Failed):
            console.print(event.text, markup=False, highlight=False)
            thread = event.thread_id if isinstance(event, Answer) else thread
    return thread


def _steps() -> Progress:
    return Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console)


def _bar() -> Progress:
    return Progress(SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console)


def _print_table(title: str, columns: list[str], rows: list[list[str]], empty: str = "") -> None:
    if not rows and empty:
        console.print(empty)
        return
    table = Table(*columns, title=title, title_justify="left", header_style="bold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    main()
