"""Does search find what was asked for?

recall@k, nDCG@10 and MRR of BM25, vectors and both fused, by language and kind
of query, on queries with graded answers; and how often search is silent where
there is nothing. The sentences go in as they were typed.
"""

import csv
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from members.errors import BadInput
from retrieval.search import Kind, Search, answers

MODES = ("bm25", "vectors", "fused")
MEASURES = ("recall@1", "recall@5", "recall@20", "nDCG@10", "MRR", "hit@1")
KINDS: tuple[Kind, ...] = ("policy", "products")
_CASES = Path(__file__).parent / "cases"
# As many of the best hits are looked at before a wish counts as answered.
_SHOWN = 2


@dataclass(frozen=True)
class Graded:
    """One query and the grades of what answers it; no grades mean that nothing does."""

    qid: str
    lang: str
    query: str
    kind: str = ""
    relevant: dict[str, int] = field(default_factory=dict)


def packaged(kind: str) -> list[Graded]:
    """Our own graded queries on the demo shop, by an author who saw the documents but not the search."""
    rows = _lines(_CASES / f"search_{kind}.jsonl")
    return [Graded(row["qid"], row["lang"], row["query"], row.get("kind", ""), row["relevant"]) for row in rows]


def read_queries(queries: Path, qrels: Path) -> list[Graded]:
    """Anyone's queries (JSON lines: qid, lang, query, perhaps kind) and grades (qid, id, grade; or TREC's four columns).

    Raises BadInput that names the line which cannot be read, and grades of unknown queries.
    """
    grades = _grades(qrels)
    found: dict[str, Graded] = {}
    for number, row in enumerate(_lines(queries), start=1):
        missing = [name for name in ("qid", "lang", "query") if not isinstance(row, dict) or not row.get(name)]
        if missing:
            raise BadInput(f"{queries.name}, query {number}: lacks {', '.join(missing)}.")
        qid = str(row["qid"])
        if qid in found:
            raise BadInput(f"{queries.name}, query {number}: the qid {qid} stands twice.")
        found[qid] = Graded(qid, str(row["lang"]), str(row["query"]), str(row.get("kind") or ""), grades.pop(qid, {}))
    if grades:
        raise BadInput(f"{qrels.name} grades queries that {queries.name} does not have: {', '.join(sorted(grades)[:5])}.")
    if not found:
        raise BadInput(f"{queries.name} holds no queries.")
    return list(found.values())


def _lines(path: Path) -> list[Any]:
    if not path.is_file():
        raise BadInput(f"There is no file {path}.")
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except ValueError as error:
        raise BadInput(f"{path.name} is not JSON lines: {error}") from error


def _grades(path: Path) -> dict[str, dict[str, int]]:
    if not path.is_file():
        raise BadInput(f"There is no file {path}.")
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    text = path.read_text(encoding="utf-8-sig")
    rows = csv.reader(text.splitlines(), delimiter="\t") if "\t" in text else (line.split() for line in text.splitlines())
    for number, row in enumerate(rows, start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or (number == 1 and not cells[-1].lstrip("-").isdigit()):
            continue
        if len(cells) not in (3, 4) or not cells[-1].lstrip("-").isdigit():
            raise BadInput(f"{path.name}, line {number}: needs qid, id and a whole grade.")
        if int(cells[-1]) > 0:
            grades[cells[0]][cells[-2]] = int(cells[-1])
    return grades


def belongs(search: Search, queries: Sequence[Graded], kinds: Iterable[Kind] = KINDS) -> tuple[dict[Kind, list[Graded]], list[str]]:
    """The queries by what their answers are, rules or goods, and the graded ids that nothing has."""
    there = {kind: {name for entry in search.entries(kind) for name in (entry.id, *_document(entry.id))} for kind in kinds}
    found: dict[Kind, list[Graded]] = {kind: [] for kind in there}
    for query in queries:
        best = max(there, key=lambda kind: (len(there[kind] & set(query.relevant)), kind))
        found[best].append(query)
    known = set().union(*there.values())
    return {kind: mine for kind, mine in found.items() if mine}, sorted({name for query in queries for name in query.relevant} - known)


def measure(
    search: Search, kind: Kind, queries: Sequence[Graded], progress: Callable[[int], None] = lambda n: None
) -> dict[tuple[str, str, str], dict[str, float]]:
    """Mean measures by (mode, language, kind of query); “all” stands for any. Queries without an answer are left out."""
    sums: dict[tuple[str, str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for query in queries:
        for mode in MODES if query.relevant else ():
            hits = search(query.query, kind=kind, limit=20, mode=mode)  # type: ignore[arg-type]
            figures = _figures(_named([hit.entry.id for hit in hits], query.relevant), query.relevant)
            for key in {(mode, lang, what) for lang in (query.lang, "all") for what in (query.kind or "all", "all")}:
                for name, figure in figures.items():
                    sums[key][name].append(figure)
        progress(1)
    return {key: {"queries": len(figures["MRR"]), **{name: sum(v) / len(v) for name, v in figures.items()}} for key, figures in sums.items()}


def silence(search: Search, kind: Kind, queries: Sequence[Graded]) -> dict[str, float]:
    """The share of queries without an answer that get none, and of the others that get some."""
    heard: dict[bool, list[bool]] = {True: [], False: []}
    for query in queries:
        hits = search(query.query, kind=kind, limit=_SHOWN)
        heard[bool(query.relevant)].append(any(answers(hit, query.query, kind) for hit in hits))
    none, some = heard[False], heard[True]
    return {"without an answer": len(none), "silent": 1 - sum(none) / len(none) if none else 1.0, "answered": sum(some) / len(some) if some else 1.0}


def _document(passage: str) -> tuple[str, str]:
    """A passage's document as grades may name it: `returns.time-limits` is in returns and returns.md."""
    name = passage.split(".")[0]
    return name, f"{name}.md"


def _named(found: list[str], relevant: dict[str, int]) -> list[str]:
    """The list in the names that the grades use, each document once."""
    return list(dict.fromkeys(next((name for name in (entry_id, *_document(entry_id)) if name in relevant), entry_id) for entry_id in found))


def _figures(found: list[str], relevant: dict[str, int]) -> dict[str, float]:
    gains = [relevant.get(entry_id, 0) for entry_id in found[:10]]
    best = sorted(relevant.values(), reverse=True)[:10]
    first = next((rank for rank, entry_id in enumerate(found, start=1) if entry_id in relevant), None)
    return {
        **{f"recall@{k}": len(set(found[:k]) & set(relevant)) / len(relevant) for k in (1, 5, 20)},
        "nDCG@10": _dcg(gains) / _dcg(best),
        "MRR": 1 / first if first else 0.0,
        "hit@1": float(bool(found) and found[0] in relevant),
    }


def _dcg(gains: list[int]) -> float:
    return sum((2**gain - 1) / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))
