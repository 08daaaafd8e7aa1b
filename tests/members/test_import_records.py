"""Do lists in YAML and JSON, joined columns and translated words become a record?"""

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from members.errors import BadInput
from members.importers import mapping
from members.importers.records import batches, records
from members.tables import Product, Variant

EXAMPLE = Path(__file__).parents[2] / "docs/examples/retail-demo-store/mapping.toml"
GOODS = [
    {"id": "a", "name": "Red boots", "price": 80, "style": "boot", "for": "F"},
    {"id": "b", "name": "Kettle", "price": "25.50", "style": "kitchen", "also": ["pot", "jug"]},
]
MAPPING = """
[products]
file = "goods{suffix}"
[products.columns]
id = "id"
name_en = "name"
price = "price"
tags_en = ["style", "for", "also"]
[products.values.tags_en]
F = "for women"
"""


def _goods(folder: Path, suffix: str) -> Path:
    texts = {
        ".json": json.dumps({"goods": GOODS}),
        ".jsonl": "\n".join(json.dumps(row) for row in GOODS),
        ".yaml": "- {id: a, name: Red boots, price: 80, style: boot, for: F}\n- {id: b, name: Kettle, price: 25.50, style: kitchen, also: [pot, jug]}\n",
    }
    (folder / f"goods{suffix}").write_text(texts[suffix], encoding="utf-8")
    (folder / "mapping.toml").write_text(MAPPING.format(suffix=suffix), encoding="utf-8")
    return folder / "mapping.toml"


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".yaml"])
def test_a_list_of_records_is_imported_with_joined_columns_and_our_words(world: Any, tmp_path: Path, suffix: str) -> None:
    report = mapping.load(world.database, _goods(tmp_path, suffix), world.rules, today=date(2026, 9, 1))
    assert (report.read, report.accepted, report.rejects) == (2, 2, [])
    assert {row["id"]: row["tags_en"] for row in world.rows(Product)} == {"a": ["boot", "for women"], "b": ["kitchen", "pot", "jug"]}
    assert {row["id"]: row["price_cents"] for row in world.rows(Variant)} == {"a": 8000, "b": 2550}


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.yaml", "- {"), ("a.yaml", "just words"), ("a.yaml", ""), ("a.json", "[1, 2]"), ("a.json", "{}"), ("a.jsonl", "{"), ("a.json", '{"a": [], "b": []}')],
)
def test_what_is_no_list_of_records_is_refused_by_name(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=name):
        records(tmp_path / name)


def test_a_field_that_no_record_has_is_named_with_those_there_are(tmp_path: Path) -> None:
    _goods(tmp_path, ".json")
    with pytest.raises(BadInput, match=r"lacks colour; its records have .*name"):
        list(batches(tmp_path / "goods.json", ["colour"]))


@pytest.mark.parametrize(
    ("columns", "values"),
    [
        ('price = ["a", "b"]', ""),
        ("name_en = 3", ""),
        ('name_en = ["a", 3]', ""),
        ('name_en = "a"', 'category = "x"'),
        ('name_en = "a"', "[products.values.name_en]\nF = 3"),
    ],
)
def test_columns_and_words_of_the_wrong_shape_are_refused(tmp_path: Path, columns: str, values: str) -> None:
    price = "" if columns.startswith("price") else 'price = "p"\n'
    values = f"[products.values]\n{values}" if "=" in values and "[" not in values else values
    (tmp_path / "m.toml").write_text(f'[products]\nfile = "f.csv"\n[products.columns]\nid = "i"\n{price}{columns}\n{values}\n', encoding="utf-8")
    with pytest.raises(BadInput, match=r"m\.toml"):
        mapping.read_mapping(tmp_path / "m.toml")


@pytest.mark.real_data
def test_the_real_catalogue_becomes_a_shop(world: Any, tmp_path: Path, real_data: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    shutil.copy(real_data / "catalog" / "products.yaml", tmp_path)
    report = mapping.load(world.database, tmp_path / EXAMPLE.name, world.rules, today=date(2026, 9, 1))
    assert (report.read, report.accepted, report.rejected) == (2465, 2465, 0)
    goods = world.rows(Product)
    assert sum("for women" in row["tags_en"] for row in goods) == 431 and sum("for men" in row["tags_en"] for row in goods) == 318
    again = mapping.load(world.database, tmp_path / EXAMPLE.name, world.rules, today=date(2026, 9, 1))
    assert (again.accepted, again.duplicates) == (0, 2465)
