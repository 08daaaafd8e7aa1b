"""Can a network learn to draw rows that might have been?

A conditional tabular GAN after Xu et al. 2019 (arXiv:1907.00503): a generator that
is told one column's mode and draws the rest by Gumbel softmax, against a critic that
sees ten rows at a time (PacGAN, Lin et al. 2018), by Wasserstein distance with a gradient
penalty (Gulrajani et al. 2017). Conditions are drawn by log frequency, so that rare modes
are learned.

Under a privacy budget the critic sees one row at a time, drawn independently, and its
gradients for real rows are clipped row by row and noised (Abadi et al. 2016); what goes
together two by two comes from a noisy sum; weights are
clipped in place of the penalty, which would look at real rows once more (Xie et al. 2018).
How rows become numbers is asked in tabular_layout.py, what a step costs in
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

from analytics import privacy_budget
from analytics.privacy_budget import Budget
from analytics.tabular_columns import Column
from analytics.tabular_layout import ByCondition, Layout

EPOCHS = 300
PAC = 10
_BATCH, _NOISE, _WIDTH = 200, 64, 192
_RATE, _DECAY, _PENALTY, _TOGETHER = 1e-3, 1e-6, 10.0, 10.0
# The generator that serves is a running mean of the last ones: single steps of a GAN wander.
_KEPT = 0.995
# Rows drawn to see how the generator's columns lie.
_RULED = 10_000
# With a budget: expected rows a step, the row gradient's longest, the weights' largest, the critic's width, and so many times fewer epochs, as each costs.
_PRIVATE_BATCH, _LONGEST, _LARGEST, _PRIVATE_WIDTH, _FEWER = 128, 1.0, 0.1, 128, 3
# What columns one by one and two by two may cost of a budget in all, the rest going to the critic's steps.
_PAIRED = 0.6
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
    """What serves: the columns, the generator's weights as arrays, and the quantiles it draws each column with. Holds no row."""

    columns: list[Column]
    weights: dict[str, NDArray[Any]]
    rulers: list[NDArray[np.float64] | None]
    spent_epsilon: float | None = None

    def sample(self, size: int, *, seed: int) -> pd.DataFrame:
        """Rows drawn with conditions as frequent as in what was learned, each number put by its rank among drawn ones to that among learned."""
        layout = Layout(self.columns)
        return layout.rows(self._table(layout, size, seed), self.rulers)

    def _table(self, layout: Layout, size: int, seed: int) -> NDArray[Any]:
        rng = np.random.default_rng(seed)
        generator = Generator(_NOISE + layout.conditions, layout.width)
        generator.load_state_dict({name: torch.from_numpy(value) for name, value in self.weights.items()})
        generator.eval()
        told = []
        with _seeded(seed), torch.no_grad():
            for start in range(0, size, 2_000):
                given = layout.conditions_by_share(min(2_000, size - start), rng)[0]
                told.append(layout.drawn(generator(_given(given))).numpy())
        return np.concatenate(told) if told else np.empty((0, layout.width))

    def ruled(self, *, seed: int) -> "Gan":
        """The same with the quantiles of what it draws: a generator's columns alone are never quite those learned."""
        layout = Layout(self.columns)
        table = self._table(layout, _RULED, seed)
        self.rulers = [layout.ruler(n, table) for n in range(len(self.columns))]
        return self


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
    rng, layout = np.random.default_rng(seed), Layout(columns)
    table, modes = layout.encoded(rows, rng)
    with _seeded(seed):
        generator = Generator(_NOISE + layout.conditions, layout.width)
        serving = torch.optim.swa_utils.AveragedModel(generator, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(_KEPT))
        if budget is None:
            _open(generator, serving, layout, table, modes, epochs, rng, progress)
            cost = None
        else:
            cost = _private(generator, serving, layout, table, modes, epochs, rng, budget, np.zeros(1) if spent is None else spent, progress)
        _settle(serving.module, layout, rng)
    weights = {name: value.numpy().copy() for name, value in serving.module.state_dict().items()}
    return Gan(columns, weights, [None] * len(columns), cost).ruled(seed=seed)


# --- learning ---------------------------------------------------------------------------


def _open(generator: Generator, serving: Any, layout: Layout, table: Tensor, modes: Any, epochs: int, rng: Any, progress: Progress) -> None:
    # A small table has small batches, or it would see too few steps.
    size = max(PAC, min(_BATCH, len(table) // 5) // PAC * PAC)
    pack = PAC * (layout.width + len(layout.columns) + layout.conditions)
    views = layout.view(table)
    critic = nn.Sequential(
        nn.Linear(pack, _WIDTH), nn.LeakyReLU(0.2), nn.Dropout(0.5), nn.Linear(_WIDTH, _WIDTH), nn.LeakyReLU(0.2), nn.Dropout(0.5), nn.Linear(_WIDTH, 1)
    )
    learns = torch.optim.Adam(generator.parameters(), lr=_RATE, betas=(0.5, 0.9), weight_decay=_DECAY)
    judges = torch.optim.Adam(critic.parameters(), lr=_RATE, betas=(0.5, 0.9), weight_decay=_DECAY)
    draw = ByCondition(layout, modes).draw
    for epoch in range(epochs):
        progress(f"epoch {epoch + 1} of {epochs}")
        for _step in range(max(1, len(table) // size)):
            given, _wanted, real = draw(size, rng)
            shuffled = rng.permutation(size)
            with torch.no_grad():
                made = layout.drawn(generator(_given(given)))
            false = torch.cat([made, layout.view(made), given], dim=1).reshape(-1, pack)
            chosen = real[shuffled]
            true = torch.cat([table[chosen], views[chosen], given[shuffled]], dim=1).reshape(-1, pack)
            loss = critic(false).mean() - critic(true).mean() + _penalty(critic, true, false)
            judges.zero_grad()
            loss.backward()
            judges.step()
            given, wanted, real = draw(size, rng)
            raw = generator(_given(given))
            made = layout.drawn(raw)
            view = layout.view(made)
            fooled = critic(torch.cat([made, view, given], dim=1).reshape(-1, pack)).mean()
            learns.zero_grad()
            (layout.missed(raw, wanted) + _TOGETHER * _apart(view, views[real].mean(dim=0), views[real].T @ views[real] / size) - fooled).backward()
            learns.step()
            serving.update_parameters(generator)


def _apart(made: Tensor, means: Tensor, products: Tensor) -> Tensor:
    """How far a batch is from means of columns and of their products two by two (an information loss; Park et al. 2018)."""
    return ((made.mean(dim=0) - means) ** 2).mean() + ((made.T @ made / len(made) - products) ** 2).mean()


def _penalty(critic: nn.Module, true: Tensor, false: Tensor) -> Tensor:
    """How far the critic's slope between true and false packs is from one."""
    between = torch.lerp(false, true, torch.rand(len(true), 1)).requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return _PENALTY * ((slope.norm(dim=1) - 1) ** 2).mean()


def _private(
    generator: Generator, serving: Any, layout: Layout, table: Tensor, modes: Any, epochs: int, rng: Any, budget: Budget, spent: Any, progress: Progress
) -> float:
    """Learn under a budget; returns the epsilon spent, with what was spent before."""
    rate = min(1.0, _PRIVATE_BATCH / len(table))
    steps = max(1, round(epochs / rate / _FEWER))
    paired = Budget(_PAIRED * budget.epsilon, budget.delta).least_noise(lambda level: spent + privacy_budget.gaussian(level))
    spent = spent + privacy_budget.gaussian(paired)
    products = torch.from_numpy(privacy_budget.products(layout.view(table).numpy().astype(np.float64), noise=paired, rng=rng).astype(np.float32))
    noise = budget.least_noise(lambda level: spent + privacy_budget.sampled_gaussian(rate, level, steps))
    critic = nn.Sequential(nn.Linear(layout.width + len(layout.columns) + layout.conditions, _PRIVATE_WIDTH), nn.LeakyReLU(0.2), nn.Linear(_PRIVATE_WIDTH, 1))
    learns = torch.optim.Adam(generator.parameters(), lr=_RATE, betas=(0.5, 0.9))
    judges = torch.optim.Adam(critic.parameters(), lr=_RATE * 2, betas=(0.5, 0.9))
    held, views = dict(critic.named_parameters()), layout.view(table)

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
        slopes = each({name: value.detach() for name, value in held.items()}, torch.cat([table[real], views[real], given], dim=1))
        length = torch.sqrt(sum((slope.flatten(1) ** 2).sum(dim=1) for slope in slopes.values()) + torch.zeros(len(real)))
        share = torch.clamp(_LONGEST / (length + 1e-9), max=1.0)
        given, _wanted = layout.conditions_by_share(_PRIVATE_BATCH, rng)
        with torch.no_grad():
            made = layout.drawn(generator(_given(given)))
        judges.zero_grad()
        critic(torch.cat([made, layout.view(made), given], dim=1)).mean().backward()
        for name, value in held.items():
            told = torch.einsum("n,n...->...", share, slopes[name]) + noise * _LONGEST * torch.randn_like(value)
            assert value.grad is not None
            value.grad -= told / expected
        judges.step()
        with torch.no_grad():
            for value in held.values():
                value.clamp_(-_LARGEST, _LARGEST)
        given, wanted = layout.conditions_by_share(_BATCH, rng)
        raw = generator(_given(given))
        made = layout.drawn(raw)
        learns.zero_grad()
        view = layout.view(made)
        (
            layout.missed(raw, wanted) + _TOGETHER * _apart(view, torch.zeros(len(products)), products) - critic(torch.cat([made, view, given], dim=1)).mean()
        ).backward()
        learns.step()
        serving.update_parameters(generator)
    return budget.spent(spent + privacy_budget.sampled_gaussian(rate, noise, steps))


def _settle(generator: nn.Module, layout: Layout, rng: np.random.Generator) -> None:
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
