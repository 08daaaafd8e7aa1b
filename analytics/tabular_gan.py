"""Can a network learn to draw rows that might have been?

A conditional tabular GAN after Xu et al. 2019 (arXiv:1907.00503): a generator that
is told one column's mode and draws the rest by Gumbel softmax, against a critic that
sees ten rows at a time (PacGAN, Lin et al. 2018), by Wasserstein distance with a gradient
penalty (Gulrajani et al. 2017). Conditions are drawn by log frequency, so that rare modes
are learned.

Under a privacy budget the critic sees one row at a time, drawn independently, and its
gradients for real rows are clipped row by row and noised (Abadi et al. 2016); weights are
clipped in place of the penalty, which would look at real rows once more (Xie et al. 2018).
What the rows' columns look like is asked in tabular_columns.py, what a step costs in
privacy_budget.py.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from analytics import privacy_budget
from analytics.privacy_budget import Budget
from analytics.tabular_columns import Column

EPOCHS = 300
PAC = 10
_BATCH, _NOISE, _WIDTH = 200, 64, 192
_RATE, _DECAY, _TEMPERATURE, _PENALTY = 2e-4, 1e-6, 0.2, 10.0
# The generator that serves is a running mean of the last ones: single steps of a GAN wander.
_KEPT = 0.995
# With a budget: expected rows a step, critic steps a generator step, the row gradient's longest, the weights' largest.
_PRIVATE_BATCH, _CRITIC_STEPS, _LONGEST, _LARGEST, _PRIVATE_WIDTH = 128, 4, 1.0, 0.1, 128
Progress = Callable[[str], None]


class Generator(nn.Module):
    """Noise and condition to the raw numbers of a row, through two layers that keep what came in."""

    def __init__(self, given: int, made: int, width: int = _WIDTH) -> None:
        """`given` numbers in, `made` out."""
        super().__init__()
        self.first, self.second = nn.Linear(given, width), nn.Linear(given + width, width)
        self.calm, self.calmer = nn.BatchNorm1d(width), nn.BatchNorm1d(width)
        self.last = nn.Linear(given + 2 * width, made)

    def forward(self, given: Tensor) -> Tensor:
        """(rows, given) to (rows, made)."""
        seen = torch.cat([torch.relu(self.calm(self.first(given))), given], dim=1)
        seen = torch.cat([torch.relu(self.calmer(self.second(seen))), seen], dim=1)
        return self.last(seen)


@dataclass
class Gan:
    """What serves: the columns and the generator's weights as arrays. Holds no row."""

    columns: list[Column]
    weights: dict[str, NDArray[Any]]
    spent_epsilon: float | None = None

    def sample(self, size: int, *, seed: int) -> pd.DataFrame:
        """Rows drawn with conditions as frequent as in what was learned."""
        layout, rng = _Layout(self.columns), np.random.default_rng(seed)
        generator = Generator(_NOISE + layout.conditions, layout.width)
        generator.load_state_dict({name: torch.from_numpy(value) for name, value in self.weights.items()})
        generator.eval()
        told = []
        with _seeded(seed), torch.no_grad():
            for start in range(0, size, 2_000):
                given = layout.conditions_by_share(min(2_000, size - start), rng)[0]
                told.append(layout.drawn(generator(_given(given))).numpy())
        return layout.rows(np.concatenate(told) if told else np.empty((0, layout.width)))


def fit(
    rows: pd.DataFrame,
    columns: list[Column],
    *,
    epochs: int = EPOCHS,
    seed: int = 7,
    budget: Budget | None = None,
    spent: privacy_budget.Numbers | None = None,
    progress: Progress = lambda step: None,
) -> Gan:
    """Learn rows whose columns are known; `spent` is the divergence that knowing them has cost of the budget."""
    rng, layout = np.random.default_rng(seed), _Layout(columns)
    table, modes = layout.encoded(rows, rng)
    with _seeded(seed):
        generator = Generator(_NOISE + layout.conditions, layout.width)
        serving = torch.optim.swa_utils.AveragedModel(generator, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(_KEPT))
        if budget is None:
            _open(generator, serving, layout, table, modes, epochs, rng, progress)
            cost = None
        else:
            cost = _private(generator, serving, layout, table, modes, epochs, rng, budget, np.zeros(1) if spent is None else spent, progress)
        settled = serving.module
        _settle(settled, layout, rng)
    return Gan(columns, {name: value.numpy().copy() for name, value in settled.state_dict().items()}, cost)


# --- learning ---------------------------------------------------------------------------


def _open(generator: Generator, serving: Any, layout: "_Layout", table: Tensor, modes: Any, epochs: int, rng: Any, progress: Progress) -> None:
    size = max(PAC, min(_BATCH, len(table)) // PAC * PAC)
    pack = PAC * (layout.width + layout.conditions)
    critic = nn.Sequential(
        nn.Linear(pack, _WIDTH), nn.LeakyReLU(0.2), nn.Dropout(0.5), nn.Linear(_WIDTH, _WIDTH), nn.LeakyReLU(0.2), nn.Dropout(0.5), nn.Linear(_WIDTH, 1)
    )
    learns = torch.optim.Adam(generator.parameters(), lr=_RATE, betas=(0.5, 0.9), weight_decay=_DECAY)
    judges = torch.optim.Adam(critic.parameters(), lr=_RATE, betas=(0.5, 0.9), weight_decay=_DECAY)
    draw = _ByCondition(layout, modes)
    for epoch in range(epochs):
        progress(f"epoch {epoch + 1} of {epochs}")
        for _step in range(max(1, len(table) // size)):
            given, _wanted, real = draw(size, rng)
            shuffled = rng.permutation(size)
            with torch.no_grad():
                made = layout.drawn(generator(_given(given)))
            false = torch.cat([made, given], dim=1).reshape(-1, pack)
            true = torch.cat([table[real[shuffled]], given[shuffled]], dim=1).reshape(-1, pack)
            loss = critic(false).mean() - critic(true).mean() + _penalty(critic, true, false)
            judges.zero_grad()
            loss.backward()
            judges.step()
            given, wanted, _real = draw(size, rng)
            raw = generator(_given(given))
            fooled = critic(torch.cat([layout.drawn(raw), given], dim=1).reshape(-1, pack)).mean()
            learns.zero_grad()
            (layout.missed(raw, wanted) - fooled).backward()
            learns.step()
            serving.update_parameters(generator)


def _penalty(critic: nn.Module, true: Tensor, false: Tensor) -> Tensor:
    """How far the critic's slope between true and false packs is from one."""
    between = torch.lerp(false, true, torch.rand(len(true), 1)).requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return _PENALTY * ((slope.norm(dim=1) - 1) ** 2).mean()


def _private(
    generator: Generator, serving: Any, layout: "_Layout", table: Tensor, modes: Any, epochs: int, rng: Any, budget: Budget, spent: Any, progress: Progress
) -> float:
    """Learn under a budget; returns the epsilon spent, with what was spent before."""
    rate = min(1.0, _PRIVATE_BATCH / len(table))
    steps = max(1, round(epochs / rate))
    noise = budget.least_noise(lambda level: spent + privacy_budget.sampled_gaussian(rate, level, steps))
    critic = nn.Sequential(nn.Linear(layout.width + layout.conditions, _PRIVATE_WIDTH), nn.LeakyReLU(0.2), nn.Linear(_PRIVATE_WIDTH, 1))
    learns = torch.optim.Adam(generator.parameters(), lr=_RATE, betas=(0.5, 0.9))
    judges = torch.optim.Adam(critic.parameters(), lr=_RATE * 2, betas=(0.5, 0.9))
    held = dict(critic.named_parameters())

    def one(weights: dict[str, Tensor], row: Tensor) -> Tensor:
        return torch.func.functional_call(critic, weights, (row[None],)).squeeze()

    each = torch.func.vmap(torch.func.grad(one), in_dims=(None, 0))
    expected = rate * len(table)
    for step in range(steps):
        if step % max(1, steps // 100) == 0:
            progress(f"step {step + 1} of {steps}, noise {noise:.2f}")
        # Each row comes with its own chance: what the accountant counts on, and what a batch of fixed size would not be.
        real = np.flatnonzero(rng.random(len(table)) < rate)
        given, _wanted = layout.conditions_of(modes[real], rng)
        slopes = each({name: value.detach() for name, value in held.items()}, torch.cat([table[real], given], dim=1))
        length = torch.sqrt(sum((slope.flatten(1) ** 2).sum(dim=1) for slope in slopes.values()) + torch.zeros(len(real)))
        share = torch.clamp(_LONGEST / (length + 1e-9), max=1.0)
        given, _wanted = layout.conditions_by_share(_PRIVATE_BATCH, rng)
        with torch.no_grad():
            made = layout.drawn(generator(_given(given)))
        judges.zero_grad()
        critic(torch.cat([made, given], dim=1)).mean().backward()
        for name, value in held.items():
            told = torch.einsum("n,n...->...", share, slopes[name]) + noise * _LONGEST * torch.randn_like(value)
            assert value.grad is not None
            value.grad -= told / expected
        judges.step()
        with torch.no_grad():
            for value in held.values():
                value.clamp_(-_LARGEST, _LARGEST)
        if (step + 1) % _CRITIC_STEPS == 0:
            given, wanted = layout.conditions_by_share(_BATCH, rng)
            raw = generator(_given(given))
            learns.zero_grad()
            (layout.missed(raw, wanted) - critic(torch.cat([layout.drawn(raw), given], dim=1)).mean()).backward()
            learns.step()
            serving.update_parameters(generator)
    return budget.spent(spent + privacy_budget.sampled_gaussian(rate, noise, steps))


def _settle(generator: Generator, layout: "_Layout", rng: np.random.Generator) -> None:
    """Take the normalising layers' means over conditions as they are drawn later: the averaged weights never met any."""
    calm = [layer for layer in generator.modules() if isinstance(layer, nn.BatchNorm1d)]
    for layer in calm:
        layer.reset_running_stats()
        layer.momentum = None
    generator.train()
    with torch.no_grad():
        for _round in range(20):
            generator(_given(layout.conditions_by_share(500, rng)[0]))


def _given(conditions: Tensor) -> Tensor:
    return torch.cat([torch.randn(len(conditions), _NOISE), conditions], dim=1)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Torch's chance from a seed inside, as it was outside."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


# --- rows as numbers --------------------------------------------------------------------


class _Layout:
    """Where each column's place and modes stand in a row of numbers, and in the condition."""

    def __init__(self, columns: list[Column]) -> None:
        self.columns = columns
        self.width = sum(column.width for column in columns)
        starts = np.cumsum([0, *(column.width for column in columns)])
        self.places = [int(start) if column.width > column.modes else None for start, column in zip(starts, columns, strict=False)]
        self.modes = [slice(int(start) + column.width - column.modes, int(start) + column.width) for start, column in zip(starts, columns, strict=False)]
        self.offsets = np.cumsum([0, *(column.modes for column in columns)])
        self.conditions = int(self.offsets[-1])
        # A column that has one mode only is nothing to be told.
        self.told = np.array([n for n, column in enumerate(columns) if column.modes > 1], np.int64)

    def encoded(self, rows: pd.DataFrame, rng: np.random.Generator) -> tuple[Tensor, NDArray[np.int64]]:
        table, modes = np.zeros((len(rows), self.width), np.float32), np.zeros((len(rows), len(self.columns)), np.int64)
        for n, column in enumerate(self.columns):
            place, mode = column.encoded(rows[column.name], rng)
            if (at := self.places[n]) is not None:
                table[:, at] = place
            table[np.arange(len(rows)), self.modes[n].start + mode] = 1.0
            modes[:, n] = mode
        return torch.from_numpy(table), modes

    def drawn(self, raw: Tensor) -> Tensor:
        """The generator's raw numbers as rows: places by tanh, modes by Gumbel softmax."""
        parts = []
        for at, modes in zip(self.places, self.modes, strict=True):
            if at is not None:
                parts.append(torch.tanh(raw[:, at : at + 1]))
            parts.append(functional.gumbel_softmax(raw[:, modes], tau=_TEMPERATURE))
        return torch.cat(parts, dim=1)

    def rows(self, table: NDArray[Any]) -> pd.DataFrame:
        told = {}
        for column, at, modes in zip(self.columns, self.places, self.modes, strict=True):
            place = np.zeros(len(table)) if at is None else table[:, at].astype(np.float64)
            told[column.name] = column.decoded(place, table[:, modes].argmax(axis=1) if len(table) else np.empty(0, np.int64))
        return pd.DataFrame(told)

    def missed(self, raw: Tensor, wanted: NDArray[np.int64]) -> Tensor:
        """Cross entropy of the modes that were told: columns (n, 2) of column and mode."""
        loss = torch.zeros(())
        for n in np.unique(wanted[:, 0]):
            asked = np.flatnonzero(wanted[:, 0] == n)
            loss = loss + functional.cross_entropy(raw[asked, self.modes[n]], torch.from_numpy(wanted[asked, 1]), reduction="sum")
        return loss / max(1, len(wanted))

    def conditions_by_share(self, size: int, rng: np.random.Generator) -> tuple[Tensor, NDArray[np.int64]]:
        """A column at random and one of its modes as often as it comes."""
        return self._by(size, [column.shares for column in self.columns], rng)

    def conditions_of(self, modes: NDArray[np.int64], rng: np.random.Generator) -> tuple[Tensor, NDArray[np.int64]]:
        """For each row a column at random and the mode it has there."""
        wanted = np.zeros((len(modes), 2), np.int64)
        if len(self.told):
            wanted[:, 0] = rng.choice(self.told, len(modes))
            wanted[:, 1] = modes[np.arange(len(modes)), wanted[:, 0]]
        return self._hot(wanted), wanted

    def _by(self, size: int, shares: list[Any], rng: np.random.Generator) -> tuple[Tensor, NDArray[np.int64]]:
        wanted = np.zeros((size, 2), np.int64)
        if len(self.told):
            wanted[:, 0] = rng.choice(self.told, size)
            for n in np.unique(wanted[:, 0]):
                asked = wanted[:, 0] == n
                wanted[asked, 1] = rng.choice(len(shares[n]), asked.sum(), p=shares[n] / shares[n].sum())
        return self._hot(wanted), wanted

    def _hot(self, wanted: NDArray[np.int64]) -> Tensor:
        given = torch.zeros(len(wanted), self.conditions)
        if len(self.told):
            given[np.arange(len(wanted)), self.offsets[wanted[:, 0]] + wanted[:, 1]] = 1.0
        return given


class _ByCondition:
    """Training by sampling: a condition by log frequency, and a real row that meets it."""

    def __init__(self, layout: _Layout, modes: NDArray[np.int64]) -> None:
        self.layout, self.rows = layout, len(modes)
        self.order = np.argsort(modes, axis=0, kind="stable")
        self.counts = [np.bincount(modes[:, n], minlength=column.modes) for n, column in enumerate(layout.columns)]
        self.starts = [np.cumsum([0, *counts[:-1]]) for counts in self.counts]
        self.shares = [np.log1p(counts) for counts in self.counts]

    def __call__(self, size: int, rng: np.random.Generator) -> tuple[Tensor, NDArray[np.int64], NDArray[np.int64]]:
        given, wanted = self.layout._by(size, self.shares, rng)
        real = rng.integers(0, self.rows, size)
        for n in np.unique(wanted[:, 0]) if len(self.layout.told) else ():
            asked = np.flatnonzero(wanted[:, 0] == n)
            mode = wanted[asked, 1]
            real[asked] = self.order[self.starts[n][mode] + (rng.random(len(asked)) * self.counts[n][mode]).astype(np.int64), n]
        return given, wanted, real
