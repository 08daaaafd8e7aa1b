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
def search(home: Home = None, json_to: Json = None) -> None:
    """recall@k, nDCG@10, MRR of BM25, vectors and fused, by language, on graded policy and product queries."""
    from eval import search_quality, worlds

    desk = worlds.demo_desk(home)
    figures: dict[str, Any] = {}
    names = ["recall@1", "recall@5", "recall@20", "nDCG@10", "MRR", "hit@1"]
    for kind in ("policy", "products"):
        found = search_quality.measure(desk.search, kind)
        rows = [[mode, language, *(f"{found[(mode, language)][n]:.3f}" for n in names)] for mode in search_quality.MODES for language in ("en", "zh", "all")]
        _table(f"Search: {kind}", ["mode", "language", *names], rows)
        figures[kind] = {f"{mode}/{language}": values for (mode, language), values in found.items()}
    figures["silence"] = search_quality.silence(desk)
    console.print("Nothing found where there is nothing: " + ", ".join(f"{k} {v:.0%}" for k, v in figures["silence"].items()))
    desk.close()
    _json(json_to, figures)


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
