"""Whose goods and rules are searched?

Makes a desk of anyone's catalogue and policy documents: the catalogue through a
mapping, or through one guessed from its column names.
"""

import json
import re
import tempfile
from pathlib import Path

import pandas as pd

from assistant.desk import Desk
from assistant.settings import load
from eval.worlds import DAY
from members.errors import BadInput
from members.importers import mapping, reading
from members.importers.records import KINDS, records
from retrieval.documents import Entry, load_knowledge
from retrieval.words import has_han

# Our fields and what others call them, the likeliest first.
_CALLED = {
    "id": ("id", "product_id", "sku", "code", "item_id", "article"),
    "name": ("name", "title", "product_name", "name_en", "name_zh"),
    "description": ("description", "desc", "text", "details", "body", "description_en", "description_zh"),
    "category": ("category", "department", "product_type", "type", "group"),
    "price": ("price", "unit_price", "price_usd", "list_price", "amount"),
    "stock": ("stock", "current_stock", "in_stock", "inventory"),
    "tags": ("tags", "style", "keywords", "labels", "subcategory", "material", "brand", "colour", "color"),
}


def desk_of(catalogue: Path | None, documents: Path | None, *, told: Path | None = None, home: Path | None = None) -> Desk:
    """A desk whose search holds these files, in `home` or a temporary folder. Raises BadInput for files that cannot be read."""
    home = home or Path(tempfile.mkdtemp(prefix="patron-eval-"))
    home.mkdir(parents=True, exist_ok=True)
    passages = _passages(documents) if documents else []
    desk = Desk(load(home=home, today=DAY))
    if catalogue:
        mapped = home / "catalogue.toml"
        mapped.write_text(_pointed(told, catalogue) if told else guessed(catalogue), encoding="utf-8")
        report = mapping.load(desk.database, mapped, desk.rules, today=DAY, lake_folder=home / "lake")
        if not report.accepted and not report.duplicates:
            reasons = sorted({str(reject) for reject in report.rejects[:3]})
            raise BadInput(f"No row of {catalogue.name} could be taken: {'; '.join(reasons)}")
        desk.reindex()
    if documents:
        desk.index.update("policy", passages)
        desk.search.refresh()
    return desk


def _pointed(told: Path, catalogue: Path) -> str:
    """A mapping of products alone, reading the file that was named beside it."""
    if set(mapping.read_mapping(told)) != {"products"}:
        raise BadInput(f"{told.name} must map products and nothing else: only they are searched.")
    named = f"file = {json.dumps(str(catalogue.resolve()), ensure_ascii=False)}"
    return re.sub(r"^file\s*=.*$", lambda _: named, told.read_text(encoding="utf-8"), count=1, flags=re.MULTILINE)


def guessed(catalogue: Path) -> str:
    """A mapping for a products file by its column names. Raises BadInput when there is no id, name or price."""
    head = _head(catalogue)
    plain = {str(column).strip().lower().replace(" ", "_"): str(column) for column in head.columns}
    found = {ours: [plain[name] for name in names if name in plain] for ours, names in _CALLED.items()}
    missing = [ours for ours in ("id", "name", "price") if not found[ours]]
    if missing:
        raise BadInput(f"{catalogue.name} has no column that looks like {', '.join(missing)}; it has {', '.join(plain.values())}. Give a --mapping.")
    language = "zh" if has_han("".join(map(str, head[found["name"][0]]))) else "en"
    columns: dict[str, str | list[str]] = {ours: found[ours][0] for ours in ("id", "category", "price", "stock") if found[ours]}
    columns |= {f"{ours}_{language}": found[ours][0] for ours in ("name", "description") if found[ours]}
    columns |= {f"tags_{language}": found["tags"]} if found["tags"] else {}
    lines = [f"{ours} = {json.dumps(theirs, ensure_ascii=False)}" for ours, theirs in columns.items()]
    return "\n".join(["[products]", f"file = {json.dumps(str(catalogue.resolve()), ensure_ascii=False)}", "[products.columns]", *lines, ""])


def _head(catalogue: Path) -> pd.DataFrame:
    if not catalogue.is_file():
        raise BadInput(f"There is no file {catalogue}.")
    if catalogue.suffix.lower() in KINDS:
        return pd.DataFrame(records(catalogue)[:50])
    try:
        if catalogue.suffix.lower() == ".parquet":
            return pd.read_parquet(catalogue).head(50)
        if catalogue.suffix.lower() == ".xlsx":
            return pd.read_excel(catalogue, nrows=50, engine="calamine")
        return pd.read_csv(catalogue, nrows=50, sep=None, engine="python", encoding=reading.guess_encoding(catalogue))
    except (ValueError, OSError, pd.errors.ParserError) as error:
        raise BadInput(f"{catalogue.name} cannot be read: {error}") from error


def _passages(documents: Path) -> list[Entry]:
    if not documents.is_dir():
        raise BadInput(f"There is no folder {documents}.")
    try:
        found = load_knowledge(documents)
    except (ValueError, OSError) as error:
        raise BadInput(f"{documents}: {error}") from error
    if not found:
        raise BadInput(f"{documents} holds no Markdown documents, neither by itself nor in a folder for each language.")
    return found
