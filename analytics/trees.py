"""How do a member's numbers add up to a prediction?

Gradient-boosted trees (LightGBM) over named columns, with the exact share each
column has in each prediction (Lundberg et al. 2020, "From local explanations to
global understanding", as LightGBM's own `pred_contrib` computes it). What is
learned, and from whom, is asked in the models.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
# Small trees and many of them: a shop of a few hundred members must not be learned by heart.
_GENTLE = {"num_leaves": 5, "learning_rate": 0.03, "feature_fraction": 0.5, "bagging_fraction": 0.7, "bagging_freq": 1, "lambda_l2": 10.0, "verbose": -1}
_THREADS = 2


@dataclass
class Trees:
    """A fitted ensemble over `columns`, in that order."""

    columns: list[str]
    booster: lightgbm.Booster

    @classmethod
    def fit(
        cls, rows: pd.DataFrame, target: Any, *, objective: str, rounds: int = 200, weight: Any = None, groups: Sequence[int] | None = None, **more: Any
    ) -> "Trees":
        """Learn `target` (a value a row) from numeric columns; empty cells are learned, too."""
        least = int(np.clip(len(rows) // 100, 5, 60))
        settings = {**_GENTLE, "min_data_in_leaf": least, "num_threads": _THREADS, "seed": 7, "deterministic": True, "force_row_wise": True, **more}
        data = lightgbm.Dataset(rows.to_numpy(np.float32), np.asarray(target), weight=weight, group=groups, free_raw_data=True)
        return cls(list(rows.columns), lightgbm.train({**settings, "objective": objective}, data, rounds))

    def predict(self, rows: pd.DataFrame, *, raw: bool = False, threads: int = _THREADS) -> Numbers:
        """A prediction a row, on the target's scale; `raw` before the objective's link."""
        found: Numbers = np.asarray(self.booster.predict(rows[self.columns].to_numpy(np.float32), raw_score=raw, num_threads=threads))
        return found

    def values(self, table: Any, *, first: int | None = None) -> Numbers:
        """Raw predictions of a bare array whose columns stand in order, by the `first` trees or all: for one short list at a time, on one thread."""
        found: Numbers = np.asarray(self.booster.predict(table, raw_score=True, num_threads=1, num_iteration=first))
        return found

    def shares(self, rows: pd.DataFrame, *, threads: int = _THREADS) -> pd.DataFrame:
        """What each column adds to each raw prediction, and the `base` all start from: a row's sum is its raw prediction."""
        found = self.booster.predict(rows[self.columns].to_numpy(np.float32), pred_contrib=True, num_threads=threads)
        return pd.DataFrame(np.asarray(found), index=rows.index, columns=[*self.columns, "base"])

    def importance(self) -> dict[str, float]:
        """Share of the whole gain that each column brought, largest first."""
        gain = self.booster.feature_importance("gain")
        total = float(gain.sum()) or 1.0
        return {self.columns[n]: float(gain[n] / total) for n in np.argsort(-gain, kind="stable")}
