"""Does search find what was asked for?

recall@k, nDCG@10 and MRR of BM25, vectors and both fused, by language, on
queries with graded answers. Data: eval/cases/search_*.jsonl, written by an
author who saw the documents but not the search.
"""

import json
import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assistant.desk import Desk
from retrieval.search import Filters, Search

MODES = ("bm25", "vectors", "fused")
_CASES = Path(__file__).parent / "cases"


def queries(kind: str) -> list[dict[str, Any]]:
    """The graded queries of a kind: policy or products."""
    path = _CASES / f"search_{kind}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def measure(search: Search, kind: str, progress: Callable[[int], None] = lambda n: None) -> dict[tuple[str, str], dict[str, float]]:
    """Mean measures by (mode, language); queries without an answer are left out."""
    sums: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for query in queries(kind):
        if not query["relevant"]:
            continue
        most = query.get("max_price")
        filters = Filters(most_cents=int(most * 100)) if most else Filters()
        for mode in MODES:
            found = [hit.entry.id for hit in search(query["query"], kind=kind, limit=20, mode=mode, filters=filters)]  # type: ignore[arg-type]
            for language in (query["lang"], "all"):
                for name, figure in _figures(found, query["relevant"]).items():
                    sums[(mode, language)][name].append(figure)
        progress(1)
    return {key: {name: sum(v) / len(v) for name, v in figures.items()} for key, figures in sums.items()}


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


def silence(desk: Desk) -> dict[str, float]:
    """How often a question without an answer gets none, by kind, through the tools' own thresholds."""
    gateway = desk.gateway(desk.caller_named("lina"), "")
    found: dict[str, float] = {}
    for kind, tool, argument, answer in (("policy", "ask_policy", "question", "passages"), ("products", "search_products", "wish", "products")):
        empty = [q for q in queries(kind) if not q["relevant"]]
        quiet = 0
        for query in empty:
            gateway.calls = 0
            quiet += not gateway.call(tool, {argument: query["query"]}).result.get(answer)
        found[kind] = quiet / len(empty) if empty else 1.0
    return found
