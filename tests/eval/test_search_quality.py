"""Are search's figures what a hand works out, on anyone's queries and files?"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval.__main__ import app
from eval.own_files import guessed, search_of
from eval.search_quality import Graded, _figures, _named, belongs, measure, packaged, read_queries, silence
from members.errors import BadInput
from retrieval.search import Search

GOODS = "sku,title,price,colour\nA1,Red Kettle,20,red\nA2,Blue Mug,5,blue\nA3,Oak Table,90,brown\n"
QUERIES = [
    {"qid": 1, "lang": "en", "query": "kettle under 30", "kind": "price"},
    {"qid": 2, "lang": "zh", "query": "蓝色的马克杯"},
    {"qid": 3, "lang": "en", "query": "how long can I return something"},
    {"qid": 4, "lang": "en", "query": "washing machine"},
]
QRELS = "qid\tid\tgrade\n1\tA1\t2\n1\tA2\t0\n2\tA2\t1\n3\treturns.md\t1\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue, a document, queries and grades as somebody may have them."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "goods.csv").write_text(GOODS, encoding="utf-8")
    (folder / "q.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in QUERIES), encoding="utf-8")
    (folder / "qrels.tsv").write_text(QRELS, encoding="utf-8")
    (folder / "rules").mkdir()
    (folder / "rules" / "returns.md").write_text("# Returns\n\n## Time limits\nYou have 30 days to return something.\n\n## Cost\nFree.\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def own(files: Path) -> Iterator[Search]:
    """A search over those files."""
    search = search_of(files / "goods.csv", files / "rules", home=files / "home")
    yield search
    search.index.close()


# --- the figures ------------------------------------------------------------------------


def test_the_figures_are_those_of_the_definitions() -> None:
    figures = _figures(["x", "a", "b"], {"a": 2, "b": 1})
    assert figures["recall@1"] == 0 and figures["recall@5"] == 1 and figures["MRR"] == 0.5 and figures["hit@1"] == 0
    assert figures["nDCG@10"] == pytest.approx((3 / 1.58496 + 1 / 2) / (3 + 1 / 1.58496), abs=1e-4)


def test_grades_may_name_whole_documents() -> None:
    assert _named(["returns.time", "returns.cost", "points.x"], {"returns.md": 1}) == ["returns.md", "points.x"]
    assert _named(["returns.time", "returns.cost"], {"returns.cost": 1}) == ["returns.time", "returns.cost"]


def test_queries_go_to_what_answers_them_and_their_figures_are_by_language_and_kind(own: Search, files: Path) -> None:
    by_kind, unknown = belongs(own, read_queries(files / "q.jsonl", files / "qrels.tsv"))
    assert {kind: [query.qid for query in mine] for kind, mine in by_kind.items()} == {"products": ["1", "2", "4"], "policy": ["3"]}
    assert unknown == []
    found = measure(own, "products", by_kind["products"])
    assert {key[1:] for key in found} == {("en", "price"), ("all", "price"), ("en", "all"), ("zh", "all"), ("all", "all")}
    assert found[("fused", "all", "all")]["queries"] == 2 and found[("fused", "all", "all")]["MRR"] == 1
    assert measure(own, "policy", by_kind["policy"])[("fused", "en", "all")]["nDCG@10"] == 1
    assert silence(own, "products", by_kind["products"]) == {"without an answer": 1, "silent": 1.0, "answered": 1.0}


def test_an_id_that_nothing_has_is_told(own: Search) -> None:
    assert belongs(own, [Graded("1", "en", "kettle", relevant={"A1": 1, "gone": 1})])[1] == ["gone"]


@pytest.mark.parametrize("kind", ["policy", "products"])
def test_the_packaged_queries_are_in_both_languages(kind: str) -> None:
    assert {query.lang for query in packaged(kind)} == {"en", "zh"}


# --- anyone's files ---------------------------------------------------------------------


@pytest.mark.parametrize("text", ["1\tA1\t2\n2\tA2\t1\n", "1 0 A1 2\n2 0 A2 1\n", "\ufeffqid\tid\tgrade\n1\tA1\t2\n\n2\tA2\t1\n", "1\t0\tA1\t2\n2\t0\tA2\t1\n"])
def test_grades_are_read_with_or_without_a_header_and_as_trec_writes_them(tmp_path: Path, files: Path, text: str) -> None:
    (tmp_path / "qrels").write_text(text, encoding="utf-8")
    assert [query.relevant for query in read_queries(files / "q.jsonl", tmp_path / "qrels")] == [{"A1": 2}, {"A2": 1}, {}, {}]


@pytest.mark.parametrize(
    ("queries", "qrels", "told"),
    [
        ("{", "", "not JSON lines"),
        ('{"qid": 1, "query": "x"}', "", "query 1: lacks lang"),
        ("3", "", "query 1: lacks qid, lang, query"),
        ('{"qid": 1, "lang": "en", "query": "x"}\n{"qid": "1", "lang": "en", "query": "y"}', "", "stands twice"),
        ("", "", "holds no queries"),
        ('{"qid": 1, "lang": "en", "query": "x"}', "1\tA\t1\n2\tA\t1\n", "grades queries .* 2"),
        ('{"qid": 1, "lang": "en", "query": "x"}', "1\tA\t1\n1\tA\tgood\n", "line 2: needs qid, id and a whole grade"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, queries: str, qrels: str, told: str) -> None:
    (tmp_path / "q.jsonl").write_text(queries, encoding="utf-8")
    (tmp_path / "r.tsv").write_text(qrels, encoding="utf-8")
    with pytest.raises(BadInput, match=told):
        read_queries(tmp_path / "q.jsonl", tmp_path / "r.tsv")


def test_a_mapping_is_guessed_from_the_column_names(files: Path, tmp_path: Path) -> None:
    made = guessed(files / "goods.csv")
    assert 'id = "sku"' in made and 'name_en = "title"' in made and 'tags_en = ["colour"]' in made
    (tmp_path / "goods.json").write_text(json.dumps([{"id": 1, "name": "水壶", "price": 3}], ensure_ascii=False), encoding="utf-8")
    assert 'name_zh = "name"' in guessed(tmp_path / "goods.json")


@pytest.mark.parametrize(("text", "told"), [("a,b\n1,2\n", "no column that looks like id, name, price; it has a, b"), ("", "goods.csv")])
def test_a_catalogue_that_cannot_be_guessed_says_what_it_has(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "goods.csv").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=told):
        guessed(tmp_path / "goods.csv")


def test_the_command_prints_the_table_and_writes_the_figures(files: Path, tmp_path: Path) -> None:
    named = {"--catalogue": "goods.csv", "--documents": "rules", "--queries": "q.jsonl", "--qrels": "qrels.tsv"}
    arguments = [part for option, name in named.items() for part in (option, str(files / name))]
    done = CliRunner().invoke(app, ["search", *arguments, "--json", str(tmp_path / "out.json")])
    assert done.exit_code == 0, done.output
    assert "recall@20" in done.output and "silent on 100% of 1" in done.output
    figures = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert figures["products"]["measures"]["fused/all/all"]["MRR"] == 1


@pytest.mark.parametrize("arguments", [["--catalogue", "x.csv"], ["--queries", "x"], ["--mapping", "x", "--queries", "x", "--qrels", "x"]])
def test_files_that_do_not_belong_together_are_refused_before_anything_is_built(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, ["search", *arguments])
    assert done.exit_code == 2 and "--queries" in done.output
