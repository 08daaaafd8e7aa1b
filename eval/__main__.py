"""Which measurement? `python -m eval NAME`; each prints a table and, with --json FILE, the same figures for programs."""

import json
import sys
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
    head = ["role", "language", "cases", "right", "turns", "right turns"]
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
def routing(json_to: Json = None, sets: Annotated[str, typer.Option(help="Message sets, comma-separated.")] = "validation,test") -> None:
    """Accuracy of the embedded model's router on messages by authors it never learned from."""
    from assistant.embedded.model import train
    from eval import routing as measured
    from eval import worlds  # noqa: F401  (declares the tools)
    from retrieval.embed import SentenceVectors

    with console.status("learning from the examples…"):
        router = train(SentenceVectors())
    figures = {name: measured.measure(router, name) for name in sets.split(",")}
    names = ["messages", "all", "en", "zh", "among first two", "out-of-scope recall"]
    _table("Routing", ["set", *names], [[k, *(f"{v[n]:.3f}" if isinstance(v[n], float) else str(v[n]) for n in names)] for k, v in figures.items()])
    _json(json_to, figures)


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


def _table(title: str, head: list[str], rows: list[list[str]]) -> None:
    table = Table(*head, title=title, title_justify="left", header_style="bold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _json(path: Path | None, figures: Any) -> None:
    if path is not None:
        path.write_text(json.dumps(figures, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    app()
