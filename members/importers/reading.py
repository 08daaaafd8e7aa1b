"""What stands in this file?

Reads CSV, Parquet and XLSX in batches of strings with their line numbers,
whatever the encoding, and says plainly why a file cannot be read. Knows nothing
of what the columns mean.
"""

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, TextIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineWorkbook

from members.errors import BadInput

LINE = "__line__"
ROWS_AT_ONCE = 65_536
_PARQUET = {".parquet", ".pq"}
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# A cell longer than this is a broken quote, not a value.
_LONGEST_CELL = 1_000_000
# The 3,755 everyday characters of GB2312's first level take these lead bytes.
_EVERYDAY = range(0xB0, 0xD8)


def batches(path: Path, columns: Sequence[str], *, optional: Sequence[str] = (), encoding: str | None = None) -> Iterator[pd.DataFrame]:
    """The named columns in batches, with the file's own line in `LINE`.

    Cells are strings (Parquet keeps its types). Raises BadInput for a missing,
    empty, truncated or undecodable file and for missing columns.
    """
    if not path.is_file():
        raise BadInput(f"There is no file {path}.")
    if path.stat().st_size == 0:
        raise BadInput(f"{path.name} is empty.")
    kind = path.suffix.lower()
    if kind in _PARQUET:
        yield from _parquet(path, columns, optional)
    elif kind in {".xlsx", ".xls", ".ods"}:
        yield from _sheet(path, columns, optional)
    elif kind in {".csv", ".tsv", ".txt"}:
        yield from _csv(path, columns, optional, encoding or guess_encoding(path))
    else:
        raise BadInput(f"{path.name}: files of kind “{kind or 'none'}” cannot be read; use CSV, Parquet or XLSX.")


def count_rows(path: Path) -> int | None:
    """How many rows to expect, where that is cheap to know."""
    try:
        return pq.read_metadata(path).num_rows if path.suffix.lower() in _PARQUET else None
    except (pa.ArrowException, OSError):
        return None


def misshapen(path: Path, frame: pd.DataFrame) -> "pd.Series[bool]":
    """Rows of a text file or a sheet with fewer or more cells than the header; Parquet has absent values instead."""
    if path.suffix.lower() in _PARQUET:
        return pd.Series(False, index=frame.index)
    return frame.drop(columns=[LINE]).isna().any(axis=1)


def guess_encoding(path: Path) -> str:
    """The encoding of a text file: by its mark, else UTF-8 if it decodes whole, else GB18030 or Latin-1."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
        for mark, name in _BOMS:
            if head.startswith(mark):
                return name
        if head.count(b"\0") > len(head) // 4:
            return "utf-16-le" if head[1::2].count(b"\0") > head[::2].count(b"\0") else "utf-16-be"
        file.seek(0)
        return "utf-8" if _decodes(file, "utf-8") else _legacy(path)


def _decodes(file: IO[bytes], encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while piece := file.read(1 << 20):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _legacy(path: Path) -> str:
    """Chinese text in GB18030 is mostly everyday characters; Western bytes that happen to decode are not."""
    with path.open("rb") as file:
        if not _decodes(file, "gb18030"):
            return "cp1252" if _fits_cp1252(path) else "latin-1"
        file.seek(0)
        foreign: list[bytes] = re.findall(rb"[\x81-\xfe][\x40-\xfe]|[\x80-\xff]", file.read(1 << 20))
    everyday = sum(len(piece) == 2 and piece[0] in _EVERYDAY for piece in foreign)
    return "gb18030" if foreign and everyday / len(foreign) > 0.6 else ("cp1252" if _fits_cp1252(path) else "latin-1")


def _fits_cp1252(path: Path) -> bool:
    with path.open("rb") as file:
        return _decodes(file, "cp1252")


# --- one reader a kind ------------------------------------------------------------------


def _csv(path: Path, columns: Sequence[str], optional: Sequence[str], encoding: str) -> Iterator[pd.DataFrame]:
    csv.field_size_limit(_LONGEST_CELL)
    with _text_file(path, encoding) as file:
        try:
            reader = csv.reader(file, delimiter=_delimiter(file), strict=True)
            header = [name.strip().lstrip("\ufeff") for name in next(reader, [])]
            where = _where(path, header, columns, optional)
            rows: list[tuple[Any, ...]] = []
            # A quoted newline makes a row span lines; its first line names it.
            before = reader.line_num
            for row in reader:
                if row:
                    rows.append((before + 1, *_cells(row, header, where)))
                before = reader.line_num
                if len(rows) >= ROWS_AT_ONCE:
                    yield _frame(rows, where)
                    rows = []
        except UnicodeError as error:
            place = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
            raise BadInput(f"{path.name} is not {encoding} text{place}; name its encoding with --encoding.") from error
        except csv.Error as error:
            raise BadInput(f"{path.name}, line {reader.line_num}: {error}. A quote may be missing, or the file may be cut off.") from error
        yield _frame(rows, where)


def _text_file(path: Path, encoding: str) -> TextIO:
    try:
        return path.open(encoding=encoding, newline="")
    except (LookupError, ValueError) as error:
        raise BadInput(f"{path.name} cannot be read: there is no encoding “{encoding}”.") from error


def _cells(row: list[str], header: list[str], where: dict[str, int]) -> list[str | None]:
    # None marks a cell the row does not have: a short row is a broken row, not an empty value.
    return [row[index] if index < len(row) and len(row) <= len(header) else None for index in where.values()]


def _delimiter(file: IO[str]) -> str:
    first = file.readline()
    file.seek(0)
    return max(",;\t|", key=first.count)


def _parquet(path: Path, columns: Sequence[str], optional: Sequence[str]) -> Iterator[pd.DataFrame]:
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            where = _where(path, names, columns, optional)
            line = 1
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=[names[place] for place in where.values()]):
                frame = pd.DataFrame({name: batch.column(names[place]).to_pandas() for name, place in where.items()})
                frame.insert(0, LINE, range(line, line + len(frame)))
                line += len(frame)
                yield frame
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{path.name} is not a whole Parquet file: {str(error).splitlines()[0]}") from error


def _sheet(path: Path, columns: Sequence[str], optional: Sequence[str]) -> Iterator[pd.DataFrame]:
    try:
        workbook = CalamineWorkbook.from_path(str(path))
        rows = workbook.get_sheet_by_index(0).iter_rows()
    except Exception as error:  # the reader raises its own kinds and bare ones for broken archives
        raise BadInput(f"{path.name} is not a whole spreadsheet: {error}") from error
    header = [str(name).strip() for name in next(rows, [])]
    where = _where(path, header, columns, optional)
    batch: list[tuple[Any, ...]] = []
    for line, row in enumerate(rows, start=2):
        if any(cell != "" for cell in row):
            batch.append((line, *(row[index] for index in where.values())))
        if len(batch) >= ROWS_AT_ONCE:
            yield _frame(batch, where)
            batch = []
    yield _frame(batch, where)


def _frame(rows: list[tuple[Any, ...]], where: dict[str, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[LINE, *where], dtype=object)


def _where(path: Path, header: Sequence[str], columns: Sequence[str], optional: Sequence[str]) -> dict[str, int]:
    """Wanted column to its place; names are matched without regard to case, blanks and underscores."""
    places = {_plain(name): index for index, name in reversed(list(enumerate(header)))}
    missing = [name for name in columns if _plain(name) not in places]
    if missing:
        there = ", ".join(str(name) for name in header[:20]) or "nothing"
        raise BadInput(f"{path.name} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; it has {there}.")
    return {name: places[_plain(name)] for name in [*columns, *optional] if _plain(name) in places}


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", "", name).lower()


def text_of(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Trimmed text; whole floats lose their `.0`, absent values become empty."""
    absent = values.isna()
    text = values.astype(str).str.strip().str.replace(r"^(-?\d+)\.0$", r"\1", regex=True)
    return text.mask(absent | text.isin(["nan", "NaN", "None", "NULL", "null", "<NA>", "NaT"]), "")


def number_of(values: "pd.Series[Any]") -> "pd.Series[float]":
    """Finite numbers; anything else becomes NaN."""
    numbers = pd.to_numeric(values if values.dtype != object else values.astype(str).str.strip(), errors="coerce").astype(float)
    return numbers.where(numbers.abs() < 1e15)


def instant_of(values: "pd.Series[Any]", pattern: str | None = None) -> "pd.Series[Any]":
    """Instants; anything unreadable becomes NaT. ISO first, then what pandas recognises."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.dt.tz_localize(None) if values.dt.tz is not None else values
    text = values.astype(str).str.strip()
    if pattern:
        return pd.to_datetime(text, format=pattern, errors="coerce")
    iso = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None)
    if iso.notna().all():
        return iso
    return iso.fillna(pd.to_datetime(text.where(iso.isna()), format="%m/%d/%Y %H:%M", errors="coerce"))
