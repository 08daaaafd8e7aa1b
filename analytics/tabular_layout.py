"""Where does each column stand in a row of numbers?

A table's columns side by side as a network reads and writes them (places and one-hot
modes), the condition that tells one column's mode, and training by sampling (Xu et al.
2019): a condition by log frequency with a real row that meets it. What a mode is, is
asked in tabular_columns.py.
"""

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from analytics.tabular_columns import PLACES, Column

TEMPERATURE = 0.2


class Layout:
    """Where each column's place and modes stand in a row of numbers, and in the condition."""

    def __init__(self, columns: list[Column]) -> None:
        """Set columns side by side in their order."""
        self.columns = columns
        self.width = sum(column.width for column in columns)
        starts = np.cumsum([0, *(column.width for column in columns)])
        self.places = [int(start) if column.width > column.modes else None for start, column in zip(starts, columns, strict=False)]
        self.modes = [slice(int(start) + column.width - column.modes, int(start) + column.width) for start, column in zip(starts, columns, strict=False)]
        self.offsets = np.cumsum([0, *(column.modes for column in columns)])
        self.conditions = int(self.offsets[-1])
        self.first_mode = np.array([modes.start for modes in self.modes])
        self.owner = torch.from_numpy(np.repeat(np.arange(len(columns)), [column.width for column in columns]))
        self.member = functional.one_hot(self.owner, len(columns)).float()
        self.is_place = torch.zeros(self.width, dtype=torch.bool)
        self.is_place[[at for at in self.places if at is not None]] = True
        self.shares = np.zeros((len(columns), max(column.modes for column in columns)))
        for n, column in enumerate(columns):
            self.shares[n, : column.modes] = column.shares
        self.looks = torch.zeros(self.width, len(columns))
        self.spans = torch.zeros(self.width, len(columns))
        for n, (column, at, modes) in enumerate(zip(columns, self.places, self.modes, strict=True)):
            self.looks[modes, n], spans = (torch.from_numpy(told.astype(np.float32)) for told in column.looks)
            if at is not None:
                self.spans[modes, n] = spans
        # A column that has one mode only is nothing to be told.
        self.told = np.array([n for n, column in enumerate(columns) if column.modes > 1], np.int64)

    def encoded(self, rows: pd.DataFrame, rng: np.random.Generator) -> tuple[Tensor, NDArray[np.int64]]:
        """Rows as numbers (rows, width) and their modes (rows, columns)."""
        table, modes = np.zeros((len(rows), self.width), np.float32), np.zeros((len(rows), len(self.columns)), np.int64)
        for n, column in enumerate(self.columns):
            place, mode = column.encoded(rows[column.name], rng)
            if (at := self.places[n]) is not None:
                table[:, at] = place
            table[np.arange(len(rows)), self.modes[n].start + mode] = 1.0
            modes[:, n] = mode
        return torch.from_numpy(table), modes

    def drawn(self, raw: Tensor) -> Tensor:
        """The generator's raw numbers as rows: places by tanh, modes by Gumbel softmax (all columns at once)."""
        noise = -torch.log(-torch.log(torch.rand_like(raw).clamp(1e-9, 1 - 1e-7)))
        parts, _total = self._softmax((raw + noise) / TEMPERATURE)
        return torch.where(self.is_place, torch.tanh(raw), parts)

    def _softmax(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Shares within each column, and the logarithm of each column's sum."""
        raw = raw.masked_fill(self.is_place, -torch.inf)
        peak = torch.full((len(raw), len(self.columns)), -torch.inf).scatter_reduce(1, self.owner.expand(len(raw), -1), raw.detach(), "amax")
        high = torch.exp(raw - peak[:, self.owner])
        total = high @ self.member
        return high / total[:, self.owner], torch.log(total) + peak

    def view(self, table: Tensor) -> Tensor:
        """Rows as one standardised number a column, by which a critic sees at once what goes with what: (rows, columns)."""
        steep = torch.zeros(len(table), len(self.columns))
        if (inside := [n for n, at in enumerate(self.places) if at is not None]) != []:
            steep[:, inside] = table[:, [self.places[n] for n in inside]]
        return table @ self.looks + (table @ self.spans) * steep

    def rows(self, table: NDArray[Any], rulers: list[Any]) -> pd.DataFrame:
        """Numbers read back as a table."""
        return pd.DataFrame({column.name: column.decoded(*self._read(n, table), ruler=rulers[n]) for n, column in enumerate(self.columns)})

    def ruler(self, n: int, table: NDArray[Any]) -> NDArray[np.float64] | None:
        """Quantiles of what a column draws in its bells, None where it has none or draws too little."""
        column, (place, mode) = self.columns[n], self._read(n, table)
        inside = mode >= column.modes - len(column.means)
        return np.quantile(column.values(place[inside], mode[inside]), PLACES) if inside.sum() >= len(PLACES) else None

    def _read(self, n: int, table: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        at = self.places[n]
        place = np.zeros(len(table)) if at is None else table[:, at].astype(np.float64)
        return place, table[:, self.modes[n]].argmax(axis=1) if len(table) else np.empty(0, np.int64)

    def missed(self, raw: Tensor, wanted: NDArray[np.int64]) -> Tensor:
        """Cross entropy of the modes that were told: columns (n, 2) of column and mode."""
        if not len(self.told):
            return torch.zeros(())
        row, at = torch.arange(len(raw)), torch.from_numpy(self.first_mode[wanted[:, 0]] + wanted[:, 1])
        return (self._softmax(raw)[1][row, torch.from_numpy(wanted[:, 0])] - raw[row, at]).mean()

    def conditions_by_share(self, size: int, rng: np.random.Generator) -> tuple[Tensor, NDArray[np.int64]]:
        """A column at random and one of its modes as often as it comes."""
        return self.conditions_by(self.shares, size, rng)

    def conditions_of(self, modes: NDArray[np.int64], rng: np.random.Generator) -> tuple[Tensor, NDArray[np.int64]]:
        """For each row a column at random and the mode it has there."""
        wanted = np.zeros((len(modes), 2), np.int64)
        if len(self.told):
            wanted[:, 0] = rng.choice(self.told, len(modes))
            wanted[:, 1] = modes[np.arange(len(modes)), wanted[:, 0]]
        return self._hot(wanted), wanted

    def conditions_by(self, shares: NDArray[np.float64], size: int, rng: np.random.Generator) -> tuple[Tensor, NDArray[np.int64]]:
        """A column at random and one of its modes by shares (columns, modes)."""
        wanted = np.zeros((size, 2), np.int64)
        if len(self.told):
            wanted[:, 0] = rng.choice(self.told, size)
            steps = np.cumsum(shares, axis=1)[wanted[:, 0]]
            wanted[:, 1] = (steps <= rng.random(size)[:, None] * steps[:, -1:]).sum(axis=1)
        return self._hot(wanted), wanted

    def _hot(self, wanted: NDArray[np.int64]) -> Tensor:
        given = torch.zeros(len(wanted), self.conditions)
        if len(self.told):
            given[np.arange(len(wanted)), self.offsets[wanted[:, 0]] + wanted[:, 1]] = 1.0
        return given


class ByCondition:
    """Training by sampling: a condition by log frequency, and a real row that meets it."""

    def __init__(self, layout: Layout, modes: NDArray[np.int64]) -> None:
        """Sort real rows, whose modes these are, by each column's mode."""
        self.layout, self.rows = layout, len(modes)
        self.order = np.argsort(modes, axis=0, kind="stable")
        self.counts = np.stack([np.bincount(modes[:, n], minlength=layout.shares.shape[1]) for n in range(modes.shape[1])])
        self.starts = np.cumsum(self.counts, axis=1) - self.counts

    def draw(self, size: int, rng: np.random.Generator) -> tuple[Tensor, NDArray[np.int64], NDArray[np.int64]]:
        """Conditions, the column and mode of each, and a real row for each."""
        given, wanted = self.layout.conditions_by(np.log1p(self.counts), size, rng)
        column, mode = wanted.T
        if not len(self.layout.told):
            return given, wanted, rng.integers(0, self.rows, size)
        place = self.starts[column, mode] + (rng.random(size) * self.counts[column, mode]).astype(np.int64)
        return given, wanted, self.order[place, column]
