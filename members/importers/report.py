"""What became of every row?

The sums of one import and the first rows it turned down. Rows read are always
accepted, rejected or duplicates: `check` proves it before anything is kept.
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from members.tables import ImportRun

Progress = Callable[[str, int, int | None], None]
# What a person can still read; the file beside it holds all of them.
SHOWN = 20


def silent(step: str, done: int, total: int | None) -> None:
    """A progress callback for callers without a screen."""


@dataclass(frozen=True)
class Reject:
    """One row that was not taken."""

    file: str
    line: int
    reason: str


@dataclass
class Report:
    """Counts by table and the rejected rows, in file order."""

    layout: str
    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejects: list[Reject] = field(default_factory=list)
    totals: Counter[str] = field(default_factory=Counter)
    first_day: date | None = None
    last_day: date | None = None

    @property
    def rejected(self) -> int:
        """How many rows were turned down."""
        return len(self.rejects)

    def reject(self, file: str, lines: Iterable[int], reason: str) -> None:
        """Turn rows of a file down for one reason."""
        self.rejects.extend(Reject(file, int(line), reason) for line in lines)

    def reasons(self) -> Counter[str]:
        """How often each reason occurs, words in quotes left out."""
        return Counter(r.reason.split(" “")[0] for r in self.rejects)

    def check(self) -> None:
        """Every row read is accounted for, or the import is a bug and must not land."""
        assert self.read == self.accepted + self.rejected + self.duplicates, (
            f"{self.read} rows read, {self.accepted} + {self.rejected} + {self.duplicates} accounted for"
        )

    def run(self, source: str) -> ImportRun:
        """The row by which the record remembers this import."""
        return ImportRun(source=source, layout=self.layout, read=self.read, accepted=self.accepted, rejected=self.rejected, duplicates=self.duplicates)

    def write_rejects(self, path: Path) -> None:
        """All rejected rows as CSV: file, line, reason."""
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("file", "line", "reason"))
            table.writerows((r.file, r.line, r.reason) for r in sorted(self.rejects, key=lambda r: (r.file, r.line)))
