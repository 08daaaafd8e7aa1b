"""What stands in this YAML or JSON file?

Reads a list of records, or one line of JSON a record, as the same batches that
tables give. Knows nothing of what the fields mean.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from members.errors import BadInput
from members.importers.reading import LINE, ROWS_AT_ONCE

KINDS = {".yaml", ".yml", ".json", ".jsonl"}


def batches(path: Path, columns: Sequence[str], *, encoding: str | None = None) -> Iterator[pd.DataFrame]:
    """The named fields of each record with its place in `LINE`; a field a record lacks is empty.

    Raises BadInput for a file that is missing or broken, and for a field that no record has.
    """
    found = records(path, encoding=encoding)
    there = {name for record in found for name in record}
    missing = [name for name in columns if name not in there]
    if missing:
        raise BadInput(f"{path.name} lacks {', '.join(missing)}; its records have {', '.join(sorted(there)[:20]) or 'nothing'}.")
    for start in range(0, len(found), ROWS_AT_ONCE):
        part = found[start : start + ROWS_AT_ONCE]
        rows = [(place, *(_cell(record.get(name)) for name in columns)) for place, record in enumerate(part, start=start + 1)]
        yield pd.DataFrame(rows, columns=[LINE, *columns], dtype=object)


def records(path: Path, *, encoding: str | None = None) -> list[dict[str, Any]]:
    """Every record of a file. Raises BadInput when it holds none."""
    if not path.is_file():
        raise BadInput(f"There is no file {path}.")
    try:
        found = _parsed(path.read_text(encoding=encoding or "utf-8-sig"), path.suffix.lower())
    except (ValueError, LookupError) as error:
        raise BadInput(f"{path.name} cannot be read: {str(error).splitlines()[0]}") from error
    if isinstance(found, dict):
        # {"products": [...]}: the one list in it is meant.
        lists = [value for value in found.values() if isinstance(value, list)]
        found = lists[0] if len(lists) == 1 else found
    if not isinstance(found, list) or not found or not all(isinstance(record, dict) for record in found):
        raise BadInput(f"{path.name} is not a list of records.")
    return found


def _parsed(text: str, kind: str) -> Any:
    if kind == ".jsonl":
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    if kind == ".json":
        return json.loads(text)
    import yaml  # type: ignore[import-untyped]

    try:
        # BaseLoader leaves 007 and “no” the text they are; the C one is ten times faster where there is one.
        return yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except yaml.YAMLError as error:
        raise ValueError(f"it is not YAML: {' '.join(str(error).split())}") from error


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return ", ".join(str(part) for part in value) if isinstance(value, list) else value
