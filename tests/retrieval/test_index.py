"""Does the index hold exactly what it was given, and embed no more than it must?"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from retrieval.documents import Entry
from retrieval.index import Changes, Index, IndexBusy

ROOT = Path(__file__).resolve().parents[2]


def entry(entry_id: str, text: str = "", **facts: Any) -> Entry:
    return Entry(entry_id, {"en": entry_id}, {"en": text or entry_id}, {}, facts)


def test_the_first_run_adds_everything_and_the_second_embeds_nothing(folder: Path, letters: Any) -> None:
    index = Index(folder, letters)
    assert index.update("products", [entry("a"), entry("b")]) == Changes(2, 0, 0, 0)
    spent = len(letters.given)
    assert index.update("products", [entry("a"), entry("b")]) == Changes(0, 0, 0, 2)
    assert len(letters.given) == spent
    index.close()


def test_only_what_changed_is_embedded(folder: Path, letters: Any) -> None:
    index = Index(folder, letters)
    index.update("products", [entry("a", "old"), entry("b", "same")])
    letters.given.clear()
    assert index.update("products", [entry("a", "new"), entry("b", "same"), entry("c", "third")]) == Changes(1, 1, 0, 1)
    assert sorted(letters.given) == ["a. new", "c. third"]
    index.close()


def test_a_changed_fact_counts_as_a_change(folder: Path, letters: Any) -> None:
    index = Index(folder, letters)
    index.update("products", [entry("a", "x", price_cents=100)])
    assert index.update("products", [entry("a", "x", price_cents=90)]).changed == 1
    vector = letters(["x"])[0]
    assert index.nearest("products", vector, limit=5, where={"price_cents": {"$lte": 95}}).keys() == {"a"}
    index.close()


def test_what_is_gone_from_the_list_is_gone_from_the_vectors(folder: Path, letters: Any) -> None:
    index = Index(folder, letters)
    index.update("products", [entry("a"), entry("b"), entry("c")])
    assert index.update("products", [entry("b")]) == Changes(0, 0, 2, 1)
    assert set(index.nearest("products", letters(["a"])[0], limit=9)) == {"b"}
    assert [e.id for e in index.entries["products"]] == ["b"]
    assert index.update("products", []) == Changes(0, 0, 1, 0)
    assert index.nearest("products", letters(["a"])[0], limit=9) == {}
    index.close()


def test_the_kinds_do_not_touch_each_other(folder: Path, letters: Any) -> None:
    index = Index(folder, letters)
    index.update("policy", [entry("rule")])
    index.update("products", [entry("thing")])
    assert set(index.nearest("policy", letters(["thing"])[0], limit=5)) == {"rule"}
    index.close()


def test_a_directory_opened_again_has_its_entries_and_vectors(folder: Path, letters: Any) -> None:
    first = Index(folder, letters)
    first.update("products", [entry("kettle", category="kitchen"), entry("lamp")])
    near = first.nearest("products", letters(["kettle"])[0], limit=2)
    first.close()
    letters.given.clear()
    again = Index(folder, letters)
    assert [e.id for e in again.entries["products"]] == ["kettle", "lamp"]
    assert again.entries["products"][0].facts == {"category": "kitchen"}
    assert again.update("products", [entry("kettle", category="kitchen"), entry("lamp")]).unchanged == 2
    assert letters.given == []
    found = again.nearest("products", letters(["kettle"])[0], limit=2)
    assert found == pytest.approx(near) and max(found, key=lambda name: found[name]) == "kettle"
    again.close()


def test_other_vectors_mean_everything_is_embedded_anew(folder: Path, letters: Any) -> None:
    index = Index(folder, letters)
    index.update("products", [entry("a")])
    letters.name = "other letters"
    assert index.update("products", [entry("a")]).changed == 1
    index.close()


def test_a_second_owner_is_refused_with_the_reason(folder: Path, letters: Any) -> None:
    first = Index(folder, letters)
    with pytest.raises(IndexBusy, match="Another process owns"):
        Index(folder, letters)
    first.close()
    Index(folder, letters).close()


def test_another_process_is_refused_and_let_in_when_the_owner_has_gone(folder: Path, letters: Any) -> None:
    script = (
        "import sys; from pathlib import Path\nfrom retrieval.index import _own, IndexBusy\n"
        "try: _own(Path(sys.argv[1]) / 'owner.lock'); print('mine')\nexcept IndexBusy: print('busy')\n"
    )

    def attempt() -> str:
        return subprocess.run([sys.executable, "-c", script, str(folder)], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    owner = Index(folder, letters)
    assert attempt() == "busy"
    owner.close()
    assert attempt() == "mine"


def test_progress_is_told_to_the_end(folder: Path, letters: Any) -> None:
    index, seen = Index(folder, letters), list[tuple[int, int]]()
    index.update("products", [entry(f"e{n}") for n in range(300)], lambda done, total: seen.append((done, total)))
    assert seen == [(256, 300), (300, 300)]
    index.close()
