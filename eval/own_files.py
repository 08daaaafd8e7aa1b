"""Whose goods and rules are searched?

Makes a search of anyone's catalogue and policy documents: the catalogue through a
mapping, or through one guessed from its column names.
"""

import csv
import json
import re
import tempfile
from pathlib import Path

import pandas as pd

from eval.worlds import DAY
from members import catalogue as offers
from members import program
from members.database import Database, sqlite_url
from members.errors import BadInput
from members.importers import mapping, reading
from members.importers.records import KINDS, records
from retrieval.documents import Entry, load_knowledge
from retrieval.embed import SentenceVectors
from retrieval.index import Index
from retrieval.search import Search
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


def search_of(catalogue: Path | None, documents: Path | None, *, told: Path | None = None, home: Path | None = None) -> Search:
    """A search over these files alone, kept in `home` or a temporary folder. Raises BadInput for files that cannot be read."""
    home = home or Path(tempfile.mkdtemp(prefix="patron-eval-"))
    home.mkdir(parents=True, exist_ok=True)
    passages = _passages(documents) if documents else []
    goods = _goods(catalogue, told, home) if catalogue else []
    index = Index(home / "index", SentenceVectors())
    index.update("policy", passages)
    index.update("products", goods)
    return Search(index)


def _goods(catalogue: Path, told: Path | None, home: Path) -> list[Entry]:
    """The catalogue as the shop would hold it: imported into a record, then described as the desk does."""
    mapped = home / "catalogue.toml"
    mapped.write_text(_pointed(told, catalogue) if told else guessed(catalogue), encoding="utf-8")
    database = Database(sqlite_url(home / "catalogue.db"))
    database.migrate()
    try:
        report = mapping.load(database, mapped, program.load(), today=DAY)
        if not report.accepted and not report.duplicates:
            raise BadInput(f"No row of {catalogue.name} could be taken: {'; '.join(sorted({str(reject) for reject in report.rejects[:3]}))}")
        with database.read() as session:
            return [_entry(offer) for offer in offers.every(session)]
    finally:
        database.close()


def _entry(offer: offers.Offer) -> Entry:
    product = offer.product
    parts = {
        "en": (product.name_en, product.description_en, [*product.tags_en, product.category]),
        "zh": (product.name_zh, product.description_zh, product.tags_zh),
    }
    named = {language: part for language, part in parts.items() if part[0]} or {"en": (product.id, "", [])}
    texts = {language: " ".join(word for word in (text, *tags) if word) for language, (_, text, tags) in named.items()}
    facts: dict[str, str | int | float | bool] = {"price_cents": offer.least_cents, "category": product.category, "in_stock": offer.in_stock}
    return Entry(product.id, {language: part[0] for language, part in named.items()}, texts, {}, facts)


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
    except (ValueError, OSError, csv.Error, pd.errors.ParserError) as error:
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
