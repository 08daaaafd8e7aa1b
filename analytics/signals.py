"""Which products might a member want, and what speaks for each?

Everything that is learned without a ranker, fitted on purchases up to a day:
own history and its rhythm, item similarity by EASE (Steck 2019, "Embarrassingly
Shallow Autoencoders"), members with the same taste, trend, and nearness of the
texts. One member at a time gives candidates with a row of numbers each; the same
code serves learning and answering, so that neither knows more than the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float32]
Places = NDArray[np.int64]
# Inverting grows with the cube of the products: in a larger catalogue the most bought are learned, texts and neighbours find the rest.
_MOST_PRODUCTS, _MOST_MEMBERS, _LONGEST_HISTORY = 6_000, 20_000, 300
_REGULAR, _REGULAR_RECENT, _RECENT_DAYS = 300.0, 200.0, 120
_NEIGHBOURS = 80
_TEXT_DIRECTIONS = 64
_FROM_EACH = 90
WINDOWS = (7, 30, 60, 365)


@dataclass(frozen=True)
class Past:
    """What one member did, as arrays of equal length: place of the product, day number, pieces; and what they looked at."""

    product: Places
    day: Places
    quantity: Places
    seen: Places = field(default_factory=lambda: np.empty(0, np.int64))
    seen_day: Places = field(default_factory=lambda: np.empty(0, np.int64))
    carted: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))


@dataclass
class Signals:
    """Fitted arrays over products (`ids` in order) as of day `now`."""

    ids: list[str]
    now: int
    core: Places
    similar: Floats
    similar_recent: Floats
    members: dict[str, int]
    taste: Any
    lately: Any
    recent: Any
    buyers: Floats
    popular: Floats
    windows: Floats
    age: Floats
    idle: Floats
    price: Floats
    repeats: Floats
    fresh_buyers: Floats
    vectors: Floats | None

    def __post_init__(self) -> None:
        """Keep the place of each product, and in the core of those learned together."""
        self.place = {product: n for n, product in enumerate(self.ids)}
        self._in_core = np.full(len(self.ids), -1, np.int64)
        self._in_core[self.core] = np.arange(len(self.core))
        # What everybody takes is the same for all who ask.
        self._for_all = np.unique(np.concatenate([_best(scores, _FROM_EACH) for scores in (self.popular, self.fresh_buyers)]))

    # --- fitting ------------------------------------------------------------------------

    @classmethod
    def fit(cls, bought: pd.DataFrame, *, now: int, vectors: Mapping[str, Any] | None = None) -> "Signals":
        """Learn from purchases (member_id, product_id, day, quantity, cents) up to day `now`; later ones are not looked at."""
        bought = bought[bought["day"] <= now]
        counts = bought["product_id"].value_counts()
        ids = sorted(counts.index)
        products = pd.Categorical(bought["product_id"], ids).codes.astype(np.int64)
        members, names = pd.factorize(bought["member_id"])
        days, size = bought["day"].to_numpy(np.int64), len(ids)
        shape = (len(names), size)

        def matrix(keep: Any, value: Any) -> Any:
            made = sparse.csr_matrix((value[keep].astype(np.float32), (members[keep], products[keep])), shape=shape)
            made.sum_duplicates()
            return made

        ago = now - days
        every, one = np.full(len(days), True), np.ones(len(days))
        held = matrix(every, one)
        held.data[:] = 1.0
        newest = pd.Series(days).groupby(members).max().to_numpy() if len(names) else np.empty(0)
        # Taste is looked for among the members who were here last.
        near = np.sort(np.argsort(-newest, kind="stable")[:_MOST_MEMBERS])
        rarity = 1 / np.log(2 + np.asarray(held.sum(axis=0)).ravel())
        recent = matrix(ago < 30, one)
        recent.data[:] = 1.0
        lately = matrix(ago < _RECENT_DAYS, one)
        lately.data[:] = 1.0
        counted = np.asarray(held.sum(axis=0)).ravel()
        core = np.sort(np.argsort(-counted, kind="stable")[:_MOST_PRODUCTS])
        first = pd.Series(days).groupby(products).min()
        pairs = pd.DataFrame({"m": members, "p": products, "d": days}).groupby(["m", "p"])["d"].agg(["min", "max"]).reset_index()
        again = (pairs["max"] > pairs["min"]).astype(float).groupby(pairs["p"]).mean()
        unit = pd.Series(bought["cents"].to_numpy() / np.maximum(bought["quantity"].to_numpy(), 1)).groupby(products).median()
        by_product = lambda series, otherwise=0.0: series.reindex(range(size), fill_value=otherwise).to_numpy(np.float32)  # noqa: E731
        return cls(
            ids=ids,
            now=now,
            core=core,
            similar=_ease(held[:, core], _REGULAR),
            similar_recent=_ease(lately[:, core], _REGULAR_RECENT),
            members={str(names[n]): place for place, n in enumerate(near)},
            taste=_unit_rows(held[near], rarity),
            lately=matrix(every, 0.5 ** (ago / 180))[near],
            recent=recent[near],
            buyers=counted.astype(np.float32),
            popular=np.bincount(products, 0.5 ** (ago / 20), minlength=size).astype(np.float32),
            windows=np.stack([_distinct_buyers(members, products, ago < days_back, size) for days_back in WINDOWS]),
            age=now - by_product(first, now),
            idle=now - by_product(pd.Series(days).groupby(products).max(), now),
            price=by_product(unit),
            repeats=by_product(again),
            fresh_buyers=np.bincount(pairs["p"][pairs["min"] > now - 30], minlength=size).astype(np.float32),
            vectors=_stacked(vectors, ids) if vectors and ids else None,
        )

    def forget(self, member_id: str) -> bool:
        """Empty a member's rows and drop their name; whether there was one."""
        row = self.members.pop(member_id, None)
        if row is None:
            return False
        for matrix in (self.taste, self.lately, self.recent):
            matrix.data[matrix.indptr[row] : matrix.indptr[row + 1]] = 0.0
        return True

    # --- one member ---------------------------------------------------------------------

    def candidates(self, past: Past, *, now: int | None = None, member_id: str = "") -> tuple[Places, Floats]:
        """Places of candidate products and their rows (candidates, len(COLUMNS)) for a member's past up to `now`.

        `member_id` keeps a member from being their own neighbour.
        """
        now = self.now if now is None else now
        keep = past.day <= now
        product, day, quantity = past.product[keep], past.day[keep], past.quantity[keep]
        own, spot, times = np.unique(product, return_inverse=True, return_counts=True)
        ago = (now - day).astype(np.float32)
        own_60, own_180 = np.bincount(spot, 0.5 ** (ago / 60), len(own)), np.bincount(spot, 0.5 ** (ago / 180), len(own))
        last, first = np.full(len(own), 1e9, np.float32), np.zeros(len(own), np.float32)
        np.minimum.at(last, spot, ago)
        np.maximum.at(first, spot, ago)
        pieces = np.log1p(np.bincount(spot, quantity, len(own)))
        lines = own if len(own) <= _LONGEST_HISTORY else own[np.argsort(last, kind="stable")[:_LONGEST_HISTORY]]
        weight = own_180 if len(lines) == len(own) else own_180[np.searchsorted(own, lines)]
        ease, ease_late, ease_recent = self._together(lines, weight)
        alike, alike_recent = self._alike(own, member_id)
        text = self._text(lines, weight)
        looked = past.seen_day <= now
        seen, seen_ago, carted = past.seen[looked], (now - past.seen_day[looked]).astype(np.float32), past.carted[looked]
        ranked = [ease, ease_late, ease_recent, alike, alike_recent, *([text] if self.vectors is not None and len(own) else [])]
        found = np.unique(np.concatenate([own, seen, self._for_all, *(_best(scores, _FROM_EACH) for scores in ranked)]))
        where = np.searchsorted(own, found)
        mine = (where < len(own)) & (own[np.minimum(where, max(len(own) - 1, 0))] == found) if len(own) else np.zeros(len(found), bool)

        def of_own(values: Any, otherwise: float = 0.0) -> Any:
            made = np.full(len(found), otherwise, np.float32)
            made[mine] = np.asarray(values)[where[mine]]
            return made

        orders = len(np.unique(day))
        silence, tenure = (float(ago.min()), float(ago.max())) if len(ago) else (999.0, 0.0)
        n, gone, since = of_own(times), of_own(last, np.nan), of_own(first, np.nan)
        gap = np.where(n > 1, (since - gone) / np.maximum(n - 1, 1), np.nan).astype(np.float32)
        usual = float(np.median(self.price[product])) if len(product) else 1.0
        looks = np.bincount(np.searchsorted(found, seen), 0.5 ** (seen_ago / 7), len(found)) if len(seen) else np.zeros(len(found))
        carts = np.bincount(np.searchsorted(found, seen[carted]), 0.5 ** (seen_ago[carted] / 7), len(found)) if len(seen) else np.zeros(len(found))
        w60, w180, q = of_own(own_60), of_own(own_180), of_own(pieces)
        spread = np.float32(len(found))
        columns = [
            *(mine, n, w60, w180, gone, since, q, gap, gone / np.maximum(gap, 1), n / max(orders, 1), gone - silence),
            *(
                n / max(times.max(initial=1), 1),
                w60 / max(own_60.max(initial=1e-9), 1e-9),
                w180 / max(own_180.max(initial=1e-9), 1e-9),
                _rank(n),
                _rank(w60),
                _rank(w180),
            ),
            *(ease[found], ease_late[found], ease_recent[found], alike[found], alike_recent[found]),
            *(_rank(scores[found]) / spread for scores in (ease, ease_recent, alike, alike_recent)),
            *(text[found], _rank(text[found]) / spread, *self._near(found, lines, weight)),
            *self.windows[:, found],
            *(self.popular[found], self.fresh_buyers[found], self.age[found], self.idle[found], self.buyers[found], self.repeats[found]),
            *(self.windows[1, found] / np.maximum(self.windows[3, found], 1), self.windows[0, found] / np.maximum(self.windows[1, found], 1)),
            *(self.price[found], self.price[found] / max(usual, 1.0), looks, carts),
            *(np.full(len(found), v) for v in (orders, silence, tenure, len(own), float((times > 1).mean()) if len(own) else 0.0, orders / max(tenure, 30.0))),
        ]
        return found, np.stack(columns, axis=1).astype(np.float32)

    def _together(self, lines: Places, weight: Any) -> tuple[Floats, Floats, Floats]:
        """What goes with what is owned: over all time, with decay, and by the shop's last months."""
        known = self._in_core[lines] >= 0
        rows = self._in_core[lines[known]]
        found = np.zeros((3, len(self.ids)), np.float32)
        if len(rows):
            mine = self.similar[rows]
            found[:, self.core] = mine.sum(axis=0), np.asarray(weight, np.float32)[known] @ mine, self.similar_recent[rows].sum(axis=0)
        return found[0], found[1], found[2]

    def _alike(self, own: Places, member_id: str) -> tuple[Floats, Floats]:
        """What members of the same taste bought, weighted by likeness: with decay, and in the last 30 days."""
        nothing = np.zeros(len(self.ids), np.float32)
        if not len(own) or not self.taste.shape[0]:
            return nothing, nothing
        mine = nothing.copy()
        mine[own] = 1.0
        likeness = self.taste @ mine
        if member_id in self.members:
            likeness[self.members[member_id]] = 0.0
        near = _best(likeness, _NEIGHBOURS)
        near = near[likeness[near] > 0]
        return _sum_of_rows(self.lately, near, likeness[near]), _sum_of_rows(self.recent, near, likeness[near])

    def _text(self, own: Places, weight: Any) -> Floats:
        if self.vectors is None or not len(own):
            return np.zeros(len(self.ids), np.float32)
        profile = np.asarray(weight, np.float32) @ self.vectors[own]
        return self.vectors @ (profile / max(float(np.linalg.norm(profile)), 1e-9))

    def _near(self, found: Places, own: Places, weight: Any) -> tuple[Floats, Floats]:
        """Nearness of each candidate's text to the nearest thing owned, and to all that are clearly near."""
        if self.vectors is None or not len(own):
            return np.zeros(len(found), np.float32), np.zeros(len(found), np.float32)
        near = self.vectors[found] @ self.vectors[own].T
        near[found[:, None] == own[None, :]] = 0.0
        return near.max(axis=1), np.maximum(near - 0.5, 0) @ np.asarray(weight, np.float32)


COLUMNS = [
    *"own times times_60 times_180 last_ago first_ago pieces gap due share after_last times_rel times_60_rel times_180_rel times_rank times_60_rank times_180_rank".split(),
    *"ease ease_late ease_recent alike alike_recent ease_rank ease_recent_rank alike_rank alike_recent_rank text text_rank text_nearest text_near".split(),
    *(f"buyers_{days}" for days in WINDOWS),
    *"popular fresh_buyers age idle buyers repeats trend trend_week price price_ratio looked carted orders silence tenure owned owned_again rate".split(),
]


def _ease(held: Any, regular: float) -> Floats:
    """Item-to-item weights (products, products) of EASE in closed form."""
    gram = (held.T @ held).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += regular
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights.astype(np.float32)


def _unit_rows(held: Any, rarity: Any) -> Any:
    """Rows whose product with an asker's 0/1 row is their cosine under rarity weights, up to the asker's own length."""
    length = np.sqrt(np.maximum(np.asarray(held.multiply(rarity).sum(axis=1)).ravel(), 1e-9))
    return (sparse.diags(1 / length) @ held.multiply(rarity)).tocsr().astype(np.float32)


def _distinct_buyers(members: Any, products: Any, keep: Any, size: int) -> Floats:
    pairs = np.unique(members[keep].astype(np.int64) * size + products[keep])
    return np.bincount(pairs % size, minlength=size).astype(np.float32) if size else np.empty(0, np.float32)


def _stacked(vectors: Mapping[str, Any], ids: list[str]) -> Floats:
    """A unit row a product in the few directions in which the texts differ most; zeros for one without text."""
    nothing = np.zeros(len(next(iter(vectors.values()))), np.float32)
    rows = np.stack([np.asarray(vectors.get(product, nothing), np.float32) for product in ids])
    if rows.shape[1] > _TEXT_DIRECTIONS:
        _, directions = np.linalg.eigh(rows.T @ rows)
        rows = rows @ directions[:, -_TEXT_DIRECTIONS:]
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def _sum_of_rows(matrix: Any, rows: Places, weight: Any) -> Floats:
    """The weighted sum of some rows of a sparse matrix, straight from its arrays: slicing it costs ten times as much."""
    lengths = matrix.indptr[rows + 1] - matrix.indptr[rows]
    spots = np.repeat(matrix.indptr[rows] - (lengths.cumsum() - lengths), lengths) + np.arange(lengths.sum())
    return np.bincount(matrix.indices[spots], matrix.data[spots] * np.repeat(weight, lengths), matrix.shape[1]).astype(np.float32)


def _best(scores: Any, most: int) -> Places:
    """Places of the highest scores, in no order."""
    if len(scores) <= most:
        return np.arange(len(scores))
    return np.argpartition(-scores, most)[:most]


def _rank(scores: Any) -> Any:
    """0 for the highest, ties as they stand."""
    order = np.argsort(-scores, kind="stable")
    ranks = np.empty(len(scores), np.float32)
    ranks[order] = np.arange(len(scores))
    return ranks
