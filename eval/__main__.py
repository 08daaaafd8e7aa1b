"""Which measurement? `python -m eval NAME`; each prints a table and, with --json FILE, the same figures for programs."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)
console = Console()
Home = Annotated[Path | None, typer.Option("--home", help="Reuse (or build) the demo shop in this folder; a temporary one when left out.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures here as JSON, too.")]


@app.command()
def answers(
    home: Home = None,
    json_to: Json = None,
    report: Annotated[Path, typer.Option(help="HTML report to write.")] = Path("eval-report.html"),
    model: Annotated[str, typer.Option(help="A chat model at --base-url instead of the embedded one.")] = "embedded",
    base_url: Annotated[str, typer.Option(help="An OpenAI-compatible endpoint; its key in PATRON_API_KEY.")] = "",
    floor: Annotated[float, typer.Option(help="Least share of right cases; below it the exit code is 1.")] = -1.0,
) -> None:
    """Written cases in both languages: tools, arguments, facts, sources, refusals, end state. On the demo shop."""
    from eval import answers as measured
    from eval.report import write

    with console.status("playing the cases…"):
        checked, share = measured.main(home, model=model, base_url=base_url)
    head = list(measured.HEAD)
    rows = measured.table(checked)
    _table("Answers", head, rows)
    for one in checked:
        if one.wrong:
            console.print(f"[red]{one.case}[/red] “{one.said}” → {one.answer[:160]!r}\n   {'; '.join(one.wrong)}", markup=True, highlight=False)
    write(report, checked, head, rows, model)
    console.print(f"Report: {report}")
    _json(json_to, {"share": share, "rows": [dict(zip(head, row, strict=True)) for row in rows]})
    least = measured.FLOOR if floor < 0 else floor
    if share < least:
        console.print(f"[red]{share:.1%} of cases are right; the floor is {least:.0%}.[/red]")
        sys.exit(1)


@app.command()
def search(
    home: Home = None,
    json_to: Json = None,
    catalogue: Annotated[Path | None, typer.Option(help="Your products (YAML, JSON, CSV, Parquet, XLSX) instead of the demo shop.")] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="TOML that maps them, as for `patron import files`; guessed from the column names when left out.")
    ] = None,
    documents: Annotated[Path | None, typer.Option(help="A folder of your policy documents in Markdown.")] = None,
    queries: Annotated[Path | None, typer.Option(help="Your queries, JSON lines: qid, lang, query, perhaps kind.")] = None,
    qrels: Annotated[Path | None, typer.Option(help="Their answers, tab-separated: qid, id, grade.")] = None,
) -> None:
    """recall@k, nDCG@10, MRR of BM25, vectors and fused, by language and kind of query, on ours or your graded queries."""
    from eval import own_files, search_quality, worlds
    from members.errors import BadInput

    try:
        if (queries is None) != (qrels is None) or ((catalogue or documents) and queries is None) or (mapping and not catalogue):
            raise BadInput("Give --queries and --qrels together; --catalogue and --documents need both, and --mapping needs --catalogue.")
        asked = search_quality.read_queries(queries, qrels) if queries and qrels else None
        shop = own_files.search_of(catalogue, documents, told=mapping, home=home) if catalogue or documents else worlds.demo_desk(home).search
        if asked is None:
            by_kind, unknown = {kind: search_quality.packaged(kind) for kind in search_quality.KINDS}, []
        else:
            given = {"policy": documents or not catalogue, "products": catalogue or not documents}
            by_kind, unknown = search_quality.belongs(shop, asked, [kind for kind in search_quality.KINDS if given[kind]])
    except BadInput as error:
        console.print(f"[red]{error}[/red]", highlight=False)
        sys.exit(2)
    if unknown:
        console.print(f"[yellow]{len(unknown)} graded ids are not there, such as {', '.join(unknown[:3])}: nothing can find them.[/yellow]", highlight=False)
    # In a file or a pipe there is room for every column.
    console.width = console.width if console.is_terminal else 110
    figures: dict[str, Any] = {}
    for kind, mine in by_kind.items():
        found = search_quality.measure(shop, kind, mine)
        _table(f"Search: {kind}", ["language", "query", "queries", "mode", *search_quality.MEASURES], _search_rows(found))
        heard = search_quality.silence(shop, kind, mine)
        console.print(
            f"{kind}: silent on {heard['silent']:.0%} of {heard['without an answer']:.0f} without an answer, not on {heard['answered']:.0%} of the others."
        )
        figures[kind] = {"measures": {"/".join(key): values for key, values in found.items()}, "silence": heard}
    shop.index.close()
    _json(json_to, figures)


def _search_rows(found: dict[tuple[str, str, str], dict[str, float]]) -> list[list[str]]:
    """A row for each language, kind of query and mode, “all” last."""
    from eval import search_quality

    order = {mode: place for place, mode in enumerate(search_quality.MODES)}
    keys = sorted(found, key=lambda key: (key[1] == "all", key[1], key[2] == "all", key[2], order[key[0]]))
    return [
        [lang, what, f"{found[(mode, lang, what)]['queries']:.0f}", mode, *(f"{found[(mode, lang, what)][n]:.3f}" for n in search_quality.MEASURES)]
        for mode, lang, what in keys
    ]


@app.command()
def routing(
    json_to: Json = None,
    sets: Annotated[str, typer.Option(help="Message sets, comma-separated.")] = "validation,test",
    train: Annotated[Path | None, typer.Option(help="With --test: your own labelled messages to learn from, CSV with columns text and label.")] = None,
    test: Annotated[Path | None, typer.Option(help="Labelled messages to try what was learned from --train on, CSV alike.")] = None,
    messages: Annotated[
        Path | None, typer.Option(help="Messages as JSON lines (id, role, text): writes what would be called to --out. Nothing is run.")
    ] = None,
    dialogues: Annotated[Path | None, typer.Option(help="Dialogues as JSON lines (id, role, turns): writes the calls turn by turn to --out.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where --messages or --dialogues are answered, JSON lines.")] = None,
) -> None:
    """Accuracy and arguments of the embedded model's reading on messages by authors it never learned from; or on your files."""
    from eval import routing as measured
    from members.errors import BadInput
    from retrieval.embed import SentenceVectors

    asked = messages or dialogues
    try:
        if (train is None) != (test is None) or (messages and dialogues) or (asked is None) != (out is None):
            raise BadInput("Give --train with --test, and --out with one of --messages or --dialogues.")
        for path in (train, test, asked):
            if path and not path.is_file():
                raise BadInput(f"{path} is not a file.")
        if train and test:
            figures = measured.classified(SentenceVectors(), train, test)
            _table("Classified", list(figures), [[_figure(value) for value in figures.values()]])
            _json(json_to, figures)
            return
    except (BadInput, UnicodeDecodeError) as error:
        console.print(f"[red]{error}[/red]", highlight=False)
        sys.exit(2)
    model = _reader()
    if asked and out:
        sys.exit(1 if _proposed(model, asked, out, dialogues is not None) else 0)
    by_set = {name: measured.measure(model, name) for name in sets.split(",")}
    rows = [[name, lang, *(_figure(v.get(m)) for m in measured.MEASURES)] for name, by_lang in by_set.items() for lang, v in by_lang.items()]
    _table("Routing", ["set", "language", *measured.MEASURES], rows)
    _json(json_to, by_set)


def _reader() -> Any:
    """The embedded model freshly learned, without a shop."""
    from assistant.embedded.model import EmbeddedModel, train
    from assistant.embedded.propose import sells
    from eval import worlds  # noqa: F401  (declares the tools)
    from retrieval.embed import SentenceVectors

    embed = SentenceVectors()
    with console.status("learning from the examples…"):
        return EmbeddedModel(router=train(embed), embed=embed, sells=sells, names=lambda _: False)


def _proposed(model: Any, asked: Path, out: Path, dialogues: bool) -> int:
    """Write the proposals of a file; how many of its lines could not be read."""
    from eval import proposals
    from members.errors import BadInput

    of_one = proposals.of_dialogue if dialogues else proposals.of_message
    done = wrong = 0
    with out.open("w", encoding="utf-8") as file:
        for number, record in proposals.lines(asked):
            try:
                if isinstance(record, BadInput):
                    raise record
                file.write(json.dumps(of_one(model, record, number), ensure_ascii=False) + "\n")
                done += 1
            except BadInput as error:
                wrong += 1
                console.print(f"[red]{error}[/red]", highlight=False)
            if (done + wrong) % 500 == 0:
                console.print(f"{done + wrong} lines…")
    console.print(f"{done} lines answered in {out}, {wrong} could not be read.")
    return wrong


def _figure(value: float | None) -> str:
    return "" if value is None or value != value else str(value) if isinstance(value, int) else f"{value:.3f}"


@app.command()
def uplift(
    json_to: Json = None,
    data: Annotated[
        Path | None, typer.Option(help="CSV of a randomised campaign; made-up campaigns with planted effects when left out.", exists=True, dir_okay=False)
    ] = None,
    treatment: Annotated[str, typer.Option(help="Column that says who was written to: 0/1, true/false, or names of arms.")] = "",
    outcome: Annotated[str, typer.Option(help="Column of what followed: 0/1 or an amount.")] = "",
    control: Annotated[str, typer.Option(help="Name of the arm left alone; guessed from words such as “no” or “control” when left out.")] = "",
    drop: Annotated[list[str] | None, typer.Option(help="A column that is no feature; may be given again.")] = None,
    test_share: Annotated[float, typer.Option(help="Share of rows that are ranked and never learned from.")] = 0.3,
    sizes: Annotated[list[int] | None, typer.Option(help="Members learned from in the made-up campaigns.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=20, help="Made-up campaigns a world.")] = 3,
    report: Annotated[Path | None, typer.Option(help="HTML report to write, with --data.")] = None,
) -> None:
    """Whom a campaign changes: T-, X- and DR-learners beside everyone, likely buyers and random; Qini, uplift at 10, 20, 30%."""
    from eval import uplift_quality as measured
    from members.errors import BadInput

    console.width = console.width if console.is_terminal else 150
    try:
        if data is None:
            _json(json_to, measured.planted_main(console, sizes=sizes or (4_000, 40_000), seeds=seeds))
            return
        if not treatment or not outcome:
            raise BadInput("Name the columns: --treatment and --outcome.")
        found = measured.main(
            console, data, treatment=treatment, outcome=outcome, control=control or None, drop=drop or [], test_share=test_share, report=report
        )
        _json(json_to, found)
    except BadInput as error:
        console.print(f"[red]{error}[/red]", highlight=False)
        sys.exit(2)


@app.command()
def synthetic(
    home: Home = None,
    json_to: Json = None,
    data: Annotated[Path | None, typer.Option(help="A file in the Online Retail layout instead of a shop.", exists=True, dir_okay=False)] = None,
    epsilon: Annotated[float, typer.Option(help="Also with this differential-privacy budget; 0 for none.")] = 0.0,
    epochs: Annotated[int, typer.Option(min=1, help="Rounds of the GAN.")] = 300,
    report: Annotated[Path | None, typer.Option(help="HTML report to write.")] = None,
) -> None:
    """Members who never were: marginals, pairs, train-on-synthetic AUC, nearest records, membership inference; GAN beside copula."""
    from eval import synthetic_quality as measured
    from eval import worlds
    from members.errors import BadInput

    console.width = console.width if console.is_terminal else 150
    try:
        folder = None if data else home or Path(tempfile.mkdtemp(prefix="patron-eval-"))
        if folder is not None:
            worlds.demo_desk(folder).close()
        told = measured.measure(folder, data, epsilon=epsilon or None, epochs=epochs, report=report, console=console)
    except BadInput as error:
        console.print(f"[red]{error}[/red]", highlight=False)
        sys.exit(2)
    _json(json_to, measured.figures(told))


@app.command()
def compliance(
    json_to: Json = None,
    cases: Annotated[Path | None, typer.Option(help="Labelled messages (JSON lines); ours when left out.", exists=True, dir_okay=False)] = None,
) -> None:
    """The copy check on labelled messages by an author who had not seen it: precision and recall by rule and language."""
    from eval import compliance as measured

    _json(json_to, measured.main(cases))


@app.command()
def policy(
    home: Home = None,
    json_to: Json = None,
    members: Annotated[int, typer.Option(min=1_000, help="Size of the club that is timed.")] = 1_000_000,
) -> None:
    """The policy lab: a year of a large club timed, and the shop's last half year played against the one that was lived."""
    from eval import policy_quality as measured
    from eval import worlds

    folder = home or Path(tempfile.mkdtemp(prefix="patron-eval-"))
    worlds.demo_desk(folder).close()
    with console.status("…") as status:
        found = measured.measure(folder / "lake", members=members, progress=lambda step: status.update(f"{step}…"))
    _table("Speed", list(found["speed"]), [[_figure(value) for value in found["speed"].values()]])
    head = ["played", "low", "high", "lived"]
    _table("The last half year", ["", *head], [[what, *(_figure(values.get(name)) for name in head)] for what, values in found["backtest"].items()])
    _json(json_to, found)


@app.command()
def campaign(
    home: Home = None,
    json_to: Json = None,
    members: Annotated[int, typer.Option(min=500, help="Members of the demo shop.")] = 10_000,
) -> None:
    """One campaign from a chat sentence to a measured lift: predicted, measured and true effect in one table."""
    from dataclasses import asdict

    from eval import campaign_story as measured

    with console.status("…") as status:
        story = measured.play(home or Path(tempfile.mkdtemp(prefix="patron-eval-")), members=members, progress=lambda step: status.update(step))
    for said, answer in story.turns:
        console.print(f"[bold]{said}[/bold]\n{answer}\n", highlight=False)
    title = f"Orders more per 100 members: {story.treated:,} written to, {story.held:,} held out of a shop of {story.members:,} ({story.verdict})"
    _table(title, ["", "effect"], [list(row) for row in measured.table(story)])
    _json(json_to, asdict(story))


@app.command()
def models(
    home: Home = None,
    json_to: Json = None,
    data: Annotated[
        Path | None, typer.Option(help="A file in the Online Retail layout (Parquet, CSV, XLSX); the demo shop when left out.", exists=True, dir_okay=False)
    ] = None,
    train_until: Annotated[str, typer.Option(help="Last day lists are learned from, YYYY-MM-DD; 100 days before the file's last when left out.")] = "",
    test_days: Annotated[int, typer.Option(min=7, max=120, help="Days after it on which lists are measured.")] = 30,
    churn_at: Annotated[
        str, typer.Option(help="First of the 90 days foretold for churn, value and tiers, YYYY-MM-DD; 99 days before the last when left out.")
    ] = "",
    transactions: Annotated[
        Path | None, typer.Option(help="Only BG/NBD and Gamma-Gamma, on a CSV of customer, date, amount.", exists=True, dir_okay=False)
    ] = None,
    report: Annotated[Path, typer.Option(help="HTML report to write.")] = Path("models-report.html"),
) -> None:
    """Every model beside its baselines in one run: lists, churn, value, tiers, behaviour, segments, demand."""
    from eval import model_quality as measured
    from members.errors import BadInput

    try:
        if transactions is not None:
            found = measured.transactions(transactions, until=_date(train_until))
            for name, value in found.items():
                shown = "  ".join(f"{k} {v:.4f}" for k, v in value.items()) if isinstance(value, dict) else value
                console.print(f"[bold]{name}[/bold]: {shown}", highlight=False)
            console.print("Time is in weeks; r, alpha, a, b as in Fader, Hardie and Lee (2005), p, q, gamma as in Fader and Hardie (2013).")
            _json(json_to, found)
            return
        with console.status("…") as status:
            told = _models_of(measured, home, data, _date(train_until), test_days, _date(churn_at), lambda step: status.update(f"{step}…"))
    except BadInput as error:
        console.print(f"[red]{error}[/red]", highlight=False)
        sys.exit(2)
    console.width = console.width if console.is_terminal else 150
    for name, table in told.tables.items():
        head = list(dict.fromkeys(measure for values in table.values() for measure in values))
        rows = [[way, *(_figure(values.get(measure)) for measure in head)] for way, values in table.items()]
        size = told.details[name].get("members")
        _table(f"{name} ({size:,} members, {told.seconds[name]:.0f} s)" if size else f"{name} ({told.seconds[name]:.0f} s)", ["", *head], rows)
        for key, value in told.details[name].items():
            if isinstance(value, dict) and key != "groups":
                console.print(f"  {key}: {value}", highlight=False)
            elif isinstance(value, float):
                console.print(f"  {key}: {value:.3f}", highlight=False)
    for note in told.notes:
        console.print(note, highlight=False)
    console.print(f"Report: {measured.write(report, told, title='How well do the models predict?')}")
    _json(json_to, {"tables": told.tables, "seconds": told.seconds, "notes": told.notes})


def _models_of(measured: Any, home: Path | None, data: Path | None, train_until: Any, test_days: int, churn_at: Any, progress: Any) -> Any:
    """The measurements on a file of their own lake, or on the demo shop's."""
    import tempfile

    from analytics.history import History
    from eval import worlds
    from members import extract
    from retrieval.embed import SentenceVectors

    dates = {"train_until": train_until, "test_days": test_days, "churn_at": churn_at, "progress": progress}
    if data is not None:
        with tempfile.TemporaryDirectory(prefix="patron-models-") as folder:
            progress("reading")
            history, texts = measured.lake_of_file(data, Path(folder))
            return measured.measure(history, texts, SentenceVectors(), **dates)
    desk = worlds.demo_desk(home)
    with desk.database.read() as session:
        extract.write(session, desk.lake)
    texts = {entry.id: f"{entry.titles.get('en', '')} {entry.texts.get('en', '')}" for entry in desk.index.entries["products"]}
    told = measured.measure(History.of(desk.lake), texts, desk.embed, **dates)
    desk.close()
    return told


def _date(text: str) -> Any:
    from datetime import date

    from members.errors import BadInput

    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise BadInput(f"“{text}” is no day; write it as 2011-08-31.") from error


@app.command()
def scale(
    json_to: Json = None,
    sizes: Annotated[str, typer.Option(help="How many times the small shop, comma-separated.")] = "1,10,100",
    lines: Annotated[int, typer.Option(min=1000, help="Order lines of the small shop.")] = 541_909,
    folder: Annotated[Path | None, typer.Option(help="Where the lakes are generated (5 GB for ×100); a temporary folder when left out.")] = None,
) -> None:
    """Time and memory from order lines to feature rows as the lake grows, beside one bare scan-and-group over the same file."""
    import tempfile

    from eval import scale as measured

    with tempfile.TemporaryDirectory(prefix="patron-scale-", dir=folder) as place, console.status("…") as status:
        told = measured.measure(Path(place), [int(n) for n in sizes.split(",")], lines=lines, progress=lambda step: status.update(f"{step}…"))
    head = ["times", "lines", "features s", "features MiB", "bare s", "bare MiB", "features/bare"]
    rows = [[f"{r['times']:.0f}", f"{r['lines']:,.0f}", *(f"{r[k]:.2f}" for k in head[2:6]), f"{r['features s'] / r['bare s']:.1f}×"] for r in told["rows"]]
    _table("From order lines to feature rows", head, rows)
    console.print(f"Exponent of growth: features {told['exponent']['features']:.2f}, bare scan-and-group {told['exponent']['bare']:.2f}.", highlight=False)
    _json(json_to, told)


@app.command()
def speed(home: Home = None, json_to: Json = None, rounds: Annotated[int, typer.Option(min=2, max=200)] = 10) -> None:
    """Milliseconds of a one-tool turn of the embedded model through the API, beside a bare loop."""
    from eval import speed as measured
    from eval import worlds

    desk = worlds.demo_desk(home)
    figures = measured.measure(desk, rounds=rounds)
    bare = figures["bare loop"]["p50"]
    _table(
        "Turn time, ms",
        ["way", "turns", "p50", "p95", "p50 against bare"],
        [[k, f"{v['turns']:.0f}", f"{v['p50']:.1f}", f"{v['p95']:.1f}", f"{v['p50'] / bare:.1f}×"] for k, v in figures.items()],
    )
    desk.close()
    _json(json_to, figures)


@app.command()
def transcripts(home: Home = None, out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("docs/transcripts")) -> None:
    """Ten conversations with the embedded model, word for word, as Markdown. Takes a fresh demo shop: they change things."""
    from eval import transcripts as told
    from eval import worlds

    desk = worlds.demo_desk(home)
    for path in told.write(desk, out):
        console.print(str(path))
    desk.close()


@app.command("tau-retail")
def tau_retail(
    db: Annotated[Path, typer.Option(help="The world: db.json.", exists=True, dir_okay=False)],
    tasks: Annotated[Path, typer.Option(help="Its tasks, in the layout of tau-bench or of tau2.", exists=True, dir_okay=False)],
    states: Annotated[Path | None, typer.Option(help="The reference's final states; final_states_… beside the tasks when left out.")] = None,
    export_states: Annotated[Path | None, typer.Option(help="Write the world after each task here, in db.json's layout.")] = None,
    chat: Annotated[bool, typer.Option(help="Let a scripted person ask for it, instead of replaying the ground truth.")] = False,
    model: Annotated[str, typer.Option(help="A chat model at --base-url instead of the embedded one; its key in PATRON_API_KEY.")] = "embedded",
    base_url: Annotated[str, typer.Option(help="An OpenAI-compatible endpoint.")] = "",
    trials: Annotated[int, typer.Option(min=1, max=16, help="With --chat: how often each task is tried, for pass^k.")] = 1,
    limit: Annotated[int, typer.Option(min=0, help="Only so many tasks; all when 0.")] = 0,
    home: Home = None,
    json_to: Json = None,
) -> None:
    """A retail world from elsewhere: the ground truth through our tools, or asked for in a chat; the end state held against the reference's."""
    from eval import tau_report

    figures = tau_report.main(console, db, tasks, states, export_states, chat=chat, model=model, base_url=base_url, trials=trials, limit=limit, home=home)
    _json(json_to, figures)


def _table(title: str, head: list[str], rows: list[list[str]]) -> None:
    table = Table(*head, title=title, title_justify="left", header_style="bold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _json(path: Path | None, figures: Any) -> None:
    if path is not None:
        # NumPy's numbers are numbers, too.
        path.write_text(json.dumps(figures, ensure_ascii=False, indent=1, default=lambda value: value.item()), encoding="utf-8")


if __name__ == "__main__":
    app()
