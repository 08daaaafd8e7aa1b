"""Why this score?

Gathers the exact shares of columns (`trees.shares`, spread by the model) into
reasons a person can check: a key, how much it moves the score, and the facts it
rests on, beside what is usual. Words are found elsewhere; no number is invented here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

# Which columns tell one story, and which facts a person would check it by. Everything else is `habits`.
_STORIES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "silence": (("recency_days", "silence", "silence_longest", "alive", "seen_days"), ("recency_days", "gap_median")),
    "trend": (("trend", "orders_30", "orders_90", "orders_before_90", "spend_30", "spend_90", "spend_before_90"), ("orders_90", "orders_before_90")),
    "rhythm": (
        (
            "gap_mean",
            "gap_median",
            "gap_std",
            "gap_last",
            "gap_longest",
            "order_days",
            "orders",
            "orders_180",
            "orders_365",
            "orders_before_365",
            "expected_orders",
        ),
        ("orders_365",),
    ),
    "spend": (("spend", "spend_180", "spend_365", "spend_before_365", "first_cents", "tier_rank", "missing", "spare", "spare_after", "pace"), ("spend_365",)),
    "basket": (("order_cents", "order_pieces", "unit_cents", "largest_order"), ("order_cents",)),
    "returns": (("returns", "returned_cents", "returns_90", "returned_365"), ("returns", "returns_90")),
    "views": (("views_30", "views_before_30", "views_90", "carts_30", "carts_90", "reviews"), ("views_30", "views_before_30")),
    "breadth": (("products", "products_again", "products_90", "products_new_90", "category_kinds", "top_category_share"), ("products", "products_again")),
    "tenure": (("tenure_days", "first_days", "tier_days", "tier_steps"), ("first_days",)),
    "discount": (("discount_share", "coupon_orders"), ("discount_share", "coupon_orders")),
    "season": (("orders_season", "spend_season", "q4_share"), ("spend_season", "q4_share")),
    "points": (("points", "points_expiring_90", "points_used"), ("points", "points_expiring_90")),
}
_STORY_OF = {column: key for key, (columns, _) in _STORIES.items() for column in columns}
# A reason that moves less than this share of all movement says nothing.
_TOO_SMALL = 0.06


@dataclass(frozen=True)
class Reason:
    """One thing that moves a score: by how much (the score's own unit), its facts, and what is usual for them."""

    key: str
    effect: float
    facts: dict[str, float | None] = field(default_factory=dict)
    usual: dict[str, float | None] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """As stored and sent."""
        return asdict(self)


def usual(rows: pd.DataFrame) -> dict[str, float]:
    """The median of every fact among all buyers."""
    facts = sorted({fact for _, facts in _STORIES.values() for fact in facts} & set(rows.columns))
    return {fact: float(value) for fact, value in rows[facts].median().items() if np.isfinite(value)}


def stories(shares: pd.DataFrame) -> pd.DataFrame:
    """Shares summed by story; together with `base` they still sum to the score."""
    parts = shares.drop(columns="base")
    names = [_STORY_OF.get(str(column), "habits") for column in parts.columns]
    told = parts.T.groupby(names).sum().T
    return told.assign(base=shares["base"])


def reasons(shares: pd.DataFrame, rows: pd.DataFrame, typical: Mapping[str, float], *, most: int = 4) -> list[list[dict[str, Any]]]:
    """The strongest reasons of each row, strongest first, as stored; at most `most`."""
    told = stories(shares).drop(columns="base")
    names, effects = list(told.columns), told.to_numpy()
    order = np.argsort(-np.abs(effects), axis=1)[:, :most]
    whole = np.abs(effects).sum(axis=1)
    facts = {fact: rows[fact].to_numpy() for _, wanted in _STORIES.values() for fact in wanted if fact in rows.columns}
    found = []
    for n in range(len(rows)):
        mine = []
        for place in order[n]:
            effect, key = float(effects[n, place]), names[place]
            if key == "habits" or abs(effect) < _TOO_SMALL * whole[n]:
                continue
            wanted = [fact for fact in _STORIES[key][1] if fact in facts]
            mine.append(Reason(key, round(effect, 4), {f: _plain(facts[f][n]) for f in wanted}, {f: _plain(typical.get(f)) for f in wanted}).data())
        found.append(mine)
    return found


def global_importance(by_column: Mapping[str, float]) -> dict[str, float]:
    """Importance of columns gathered by story, largest first."""
    found: dict[str, float] = {}
    for column, share in by_column.items():
        key = _STORY_OF.get(column, "habits")
        found[key] = found.get(key, 0.0) + share
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _plain(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 4)


def keys() -> Sequence[str]:
    """Every reason there is."""
    return list(_STORIES)
