"""Which members never were, and yet might have been?

Learns a table of feature rows and draws new ones, to show, share or test with where
real members must not leave the house: by a conditional GAN (tabular_gan.py) or a
Gaussian copula (copula.py), with a differential-privacy budget or without. How like the
real ones they are, and whether they give anyone away, is asked in synthetic_report.py.

Without a budget nothing is promised, only measured. With one, a row is a member: what
privacy_budget.py takes as public stays so.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import joblib
import numpy as np
import pandas as pd

from analytics import copula, privacy_budget, tabular_columns, tabular_gan
from analytics.history import History
from analytics.privacy_budget import Budget
from members.errors import BadInput

Method = Literal["gan", "copula"]
FEWEST_ROWS = 60
HORIZON_DAYS = 90
TARGET = f"ordered_next_{HORIZON_DAYS}"
# What the columns one by one may cost of a budget, the rest going to what goes together.
_ALONE = {"gan": 0.35, "copula": 0.5}

# What a marketer knows a member by; identifiers, cities and day-by-day doubles stay out.
TEXTS = ("country", "tier", "top_channel", "top_category")
COUNTS = "orders orders_365 orders_90 orders_before_90 spend spend_365 spend_90 largest_order products products_again returns returned_cents views_90 carts_90 points points_expiring_90".split()
NUMBERS = "first_days recency_days gap_median gap_last discount_share top_category_share tier_days".split()


@dataclass
class Synthesiser:
    """What was learned: columns and weights, no row; plain to pickle."""

    method: Method
    model: tabular_gan.Gan | copula.Copula
    learned_from: int
    seconds: float

    @property
    def spent_epsilon(self) -> float | None:
        """The epsilon spent, None where there was no budget."""
        return self.model.spent_epsilon

    def sample(self, n: int, *, seed: int) -> pd.DataFrame:
        """`n` new rows with the columns and dtypes of those learned; the same for the same seed."""
        return self.model.sample(n, seed=seed)

    def save(self, path: Path) -> Path:
        """Write it to a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        joblib.dump(self, path, compress=3)
        return path

    @classmethod
    def load(cls, path: Path) -> "Synthesiser":
        """Read what `save` wrote. A pickle: only files this program wrote are ever loaded."""
        found = joblib.load(path)
        if not isinstance(found, cls):
            raise BadInput(f"{path} holds no synthesiser.")
        return found


def learn(
    rows: pd.DataFrame,
    *,
    method: Method = "gan",
    epochs: int = tabular_gan.EPOCHS,
    seed: int = 7,
    epsilon: float | None = None,
    delta: float = 1e-5,
    progress: Callable[[str], None] = lambda step: None,
) -> Synthesiser:
    """Learn a table whose index and identifiers have been dropped: numbers, days, texts, booleans, missing or not.

    `epsilon` is a differential-privacy budget at `delta` for one row added or removed. Raises BadInput for fewer than
    sixty rows, no or doubled columns, or a budget that is none.
    """
    if len(rows) < FEWEST_ROWS:
        raise BadInput(f"{len(rows)} rows are too few to learn from; {FEWEST_ROWS} are needed.")
    if not rows.shape[1] or rows.columns.has_duplicates:
        raise BadInput("The rows need columns, each name once.")
    if epsilon is not None and not (epsilon > 0 and 0 < delta < 1):
        raise BadInput("A privacy budget is an epsilon above 0, with a delta between 0 and 1.")
    begun, rows = time.perf_counter(), rows.reset_index(drop=True)
    alone, budget, spent = None, None, np.zeros(1)
    if epsilon is not None:
        progress("columns one by one")
        budget = Budget(epsilon, delta)
        first = Budget(_ALONE[method] * epsilon, delta)
        noise = first.least_noise(privacy_budget.gaussian)
        spent = privacy_budget.gaussian(noise)
        alone = privacy_budget.marginals(rows, noise=noise, delta=delta / 2, rng=np.random.default_rng(seed))
    columns = tabular_columns.fit(rows if alone is None else alone, seed=seed, like=rows)
    model: tabular_gan.Gan | copula.Copula
    if method == "gan":
        model = tabular_gan.fit(rows, columns, epochs=epochs, seed=seed, budget=budget, spent=spent, progress=progress)
    else:
        model = copula.fit(rows, columns, alone=alone, budget=budget, spent=spent, seed=seed + 1)
    return Synthesiser(method, model, len(rows), time.perf_counter() - begun)


# --- members ----------------------------------------------------------------------------


def member_rows(history: History, *, as_of: date | None = None, most: int | None = None) -> pd.DataFrame:
    """A row for each member who had ordered by `as_of`, without ids, and whether an order came in the next 90 days.

    `as_of` is the last day whose 90 days have passed when left out; `most` takes a fixed sample. Raises BadInput where
    nothing was bought.
    """
    if history.span is None:
        raise BadInput("There are no purchases by known members.")
    as_of = as_of or history.span[1] - timedelta(days=HORIZON_DAYS)
    if as_of > history.span[1] - timedelta(days=HORIZON_DAYS):
        raise BadInput(f"What came in the {HORIZON_DAYS} days after {as_of} is not known yet: purchases end on {history.span[1]}.")
    found = history.buyers(as_of, most=most)
    told = found[[*TEXTS, *COUNTS, *NUMBERS]].astype({**dict.fromkeys(COUNTS, "int64"), **dict.fromkeys(TEXTS, "object")})
    told[TARGET] = found.index.isin(history.after(as_of, HORIZON_DAYS).index).astype("int64")
    # By what they hold, so that not even the order of ids is left.
    return told.sort_values(list(told.columns), ignore_index=True)


def mended(rows: pd.DataFrame) -> pd.DataFrame:
    """Member rows whose numbers agree with each other: a quarter is part of a year, whoever bought within it spent within it."""
    told = rows.copy()
    told["orders"] = told["orders"].clip(lower=1)
    told["recency_days"] = np.minimum(told["recency_days"], told["first_days"])
    once = told["orders"] == 1
    told.loc[once, ["gap_median", "gap_last"]] = np.nan
    told.loc[once, "recency_days"] = told.loc[once, "first_days"]
    for days in (365, 90):
        orders, spend = told[f"orders_{days}"], told[f"spend_{days}"]
        inside = told["recency_days"] < days
        above = told[["orders", "spend"] if days == 365 else ["orders_365", "spend_365"]].to_numpy()
        young = told["first_days"] < days
        told[f"orders_{days}"] = np.where(inside, np.where(young, above[:, 0], np.clip(orders, 1, above[:, 0])), 0)
        each = (above[:, 1] / np.maximum(above[:, 0], 1)).round().astype("int64")
        part = np.where(spend > 0, np.minimum(spend, above[:, 1]), np.minimum(each * told[f"orders_{days}"], above[:, 1]))
        told[f"spend_{days}"] = np.where(inside, np.where(young, above[:, 1], part), 0)
    told["orders_before_90"] = np.minimum(told["orders_before_90"], told["orders"] - told["orders_90"])
    for part, whole in (("largest_order", "spend"), ("products_again", "products"), ("points_expiring_90", "points"), ("tier_days", "first_days")):
        told[part] = np.minimum(told[part], told[whole])
    told.loc[told["returns"] == 0, "returned_cents"] = 0
    told.loc[told["tier"] == "", "tier_days"] = np.nan
    return told.astype(rows.dtypes.to_dict())


def with_invented_ids(rows: pd.DataFrame, *, first: int = 1) -> pd.DataFrame:
    """Rows to write to a CSV, each with a `member_id` that is nobody's: S-000001, S-000002, …"""
    ids = [f"S-{number:06d}" for number in range(first, first + len(rows))]
    told = rows.drop(columns=["member_id"], errors="ignore").reset_index(drop=True)
    told.insert(0, "member_id", ids)
    return told
