"""What will this member want next?

A learned ranker over the candidates that `signals` finds: two ensembles of trees,
one for the chance and one for the order of a list, averaged. What is bought again and
what is new are lists of their own. Each suggestion says why: what speaks for
it most, and which earlier purchase that rests on. Knows nothing of stock: the
caller filters.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd

from analytics import measures
from analytics.history import History
from analytics.signals import COLUMNS, Past, Places, Signals
from analytics.trees import Trees
from members.lake import day_number, day_of

NAME = "recommender"
HORIZON_DAYS = 30
_CUTS, _STEP = 8, 15
# Members to learn from at each day, and the share of candidates not bought that is kept: the rest says the same.
_MOST_A_CUT, _KEPT = 800, 0.25
_RANKER: dict[str, Any] = {"num_leaves": 31, "learning_rate": 0.06, "feature_fraction": 0.5, "lambda_l2": 5.0, "max_bin": 127, "min_data_in_leaf": 40}
_ROUNDS = 200
# All candidates are looked at by so many trees, the best of them by all: nothing below these comes into a list of twenty.
_FIRST_TREES, _LOOKED_AT_WHOLE = 40, 80
Kind = Literal["again", "together", "alike", "looked", "similar", "popular"]
Which = Literal["all", "again", "new"]


@dataclass(frozen=True)
class Suggestion:
    """One product to suggest, with what speaks for it: bought again, bought with `because`, by members alike, looked at, near in kind, or popular."""

    product_id: str
    score: float
    kind: Kind
    because: str = ""
    times: int = 0
    last_on: date | None = None
    usual_gap_days: float | None = None


@dataclass
class Recommender:
    """Signals as of the day they were fitted, and the rankers; without rankers the signals alone decide."""

    signals: Signals | None = None
    chance: Trees | None = None
    order: Trees | None = None

    @classmethod
    def fit(cls, history: History, *, as_of: date, vectors: Mapping[str, Any] | None = None, cuts: int = _CUTS) -> "Recommender":
        """Learn from up to `cuts` days whose 30 days had passed by `as_of`, then take the signals of the day itself."""
        bought, looked = history.purchases(as_of), history.looks(as_of)
        tables = [
            _learned_from(bought, looked, day_number(cut), vectors) for cut in history.cuts(as_of, days=HORIZON_DAYS, most=cuts, step=_STEP, least_past=60)
        ]
        tables = [table for table in tables if table[1].any()]
        signals = Signals.fit(bought, now=day_number(as_of), vectors=vectors) if len(bought) else None
        if not tables or signals is None:
            return cls(signals)
        rows = pd.DataFrame(np.concatenate([t[0] for t in tables]), columns=COLUMNS)
        wanted = np.concatenate([t[1] for t in tables])
        groups = np.concatenate([t[2] for t in tables])
        settings = {**_RANKER, "min_data_in_leaf": min(_RANKER["min_data_in_leaf"], max(5, len(rows) // 500))}
        chance = Trees.fit(rows, wanted, objective="binary", rounds=_ROUNDS, **settings)
        order = Trees.fit(rows, wanted, objective="rank_xendcg", rounds=_ROUNDS, groups=groups.tolist(), **settings)
        return cls(signals, chance, order)

    def score(self, past: Past, *, now: int | None = None, member_id: str = "") -> tuple[Places, Any, Any]:
        """Candidates of a member, best first: their places, scores, and rows by `COLUMNS`."""
        assert self.signals is not None
        found, rows = self.signals.candidates(past, now=now, member_id=member_id)
        scores = self._scores(rows)
        order = np.argsort(-scores, kind="stable")
        return found[order], scores[order], rows[order]

    def _scores(self, rows: Any) -> Any:
        """A first look at all candidates by a few trees, a whole one at the best of them; the rest stay behind those."""
        if self.chance is None or self.order is None:
            told = dict(zip(COLUMNS, rows.T, strict=True))
            # Untrained: own rhythm first, then what goes with it, then what everybody takes.
            return told["times_180"] + told["ease_late"] + 0.01 * told["alike"] + 1e-4 * told["popular"]
        scores = self.chance.values(rows, first=_FIRST_TREES)
        best = np.argsort(-scores, kind="stable")[:_LOOKED_AT_WHOLE]
        whole = 0.5 * self.chance.values(rows[best]) + 0.5 * self.order.values(rows[best])
        scores = scores - scores.max(initial=0.0) + whole.min(initial=0.0) - 1.0
        scores[best] = whole
        return scores

    def suggest(
        self,
        history: Sequence[tuple[str, date]],
        *,
        as_of: date,
        limit: int = 10,
        which: Which = "all",
        looked: Sequence[tuple[str, date, bool]] = (),
        member_id: str = "",
    ) -> list[Suggestion]:
        """The best next products for a member who bought these on these days and `looked` at those (product, day, put in the cart)."""
        if self.signals is None:
            return []
        past = self.past_of([(p, on) for p, on in history if on <= as_of], [look for look in looked if look[1] <= as_of])
        places, scores, rows = self.score(past, now=day_number(as_of), member_id=member_id)
        own = rows[:, COLUMNS.index("own")] > 0
        keep = own if which == "again" else ~own if which == "new" else np.full(len(own), True)
        chosen = np.flatnonzero(keep)[:limit]
        return [self._reasoned(int(places[n]), float(scores[n]), rows[n], past) for n in chosen]

    def similar(self, product_id: str, *, limit: int = 10) -> list[tuple[str, float]]:
        """Products most like one: by text, and by what the same members take with it; best first."""
        signals = self.signals
        if signals is None or product_id not in signals.place:
            return []
        n = signals.place[product_id]
        likeness = np.zeros(len(signals.ids), np.float32)
        if signals.vectors is not None:
            likeness = signals.vectors @ signals.vectors[n]
        together, _, _ = signals._together(np.array([n]), np.ones(1))
        top = float(together.max(initial=0.0))
        # Texts say what it is; what is bought together breaks ties between near texts.
        found = likeness + (0.3 if signals.vectors is not None else 1.0) * (together / top if top > 0 else together)
        found[n] = -np.inf
        best = np.argsort(-found, kind="stable")[:limit]
        return [(signals.ids[int(m)], float(found[m])) for m in best if found[m] > 0.05]

    def past_of(self, history: Sequence[tuple[str, date]], looked: Sequence[tuple[str, date, bool]] = ()) -> Past:
        """A member's past as arrays; products this fit never saw are left out."""
        assert self.signals is not None
        place = self.signals.place
        mine = [(place[p], day_number(on)) for p, on in history if p in place]
        seen = [(place[p], day_number(on), cart) for p, on, cart in looked if p in place]
        column = lambda pairs, n: np.array([pair[n] for pair in pairs], np.int64)  # noqa: E731
        return Past(
            column(mine, 0), column(mine, 1), np.ones(len(mine), np.int64), column(seen, 0), column(seen, 1), np.array([c for _, _, c in seen], np.bool_)
        )

    def forget(self, member_id: str) -> bool:
        """Take a member out of those whose taste others are compared with; whether they were among them."""
        return self.signals is not None and self.signals.forget(member_id)

    # --- inside -------------------------------------------------------------------------

    def _reasoned(self, place: int, score: float, row: Any, past: Past) -> Suggestion:
        """What speaks for a product, in the order a person would say it."""
        assert self.signals is not None
        signals, told = self.signals, dict(zip(COLUMNS, row.tolist(), strict=True))
        product_id = signals.ids[place]
        if told["own"]:
            gap = None if np.isnan(told["gap"]) else float(told["gap"])
            last = day_of(int(past.day[past.product == place].max()))
            return Suggestion(product_id, score, "again", times=int(told["times"]), last_on=last, usual_gap_days=gap)
        if told["looked"] > 0:
            return Suggestion(product_id, score, "looked", last_on=day_of(int(past.seen_day[past.seen == place].max())))
        because = self._because(place, past)
        if because is not None:
            source, kind = because
            return Suggestion(product_id, score, kind, because=signals.ids[source], last_on=day_of(int(past.day[past.product == source].max())))
        return Suggestion(product_id, score, "alike" if told["alike_recent"] > 0 else "popular")

    def _because(self, place: int, past: Past) -> tuple[int, Kind] | None:
        """The purchase that speaks most for a product: bought with it by others, or close to it in kind."""
        assert self.signals is not None
        signals, own = self.signals, np.unique(past.product)
        core, here = signals._in_core[own], signals._in_core[place]
        known = own[core >= 0]
        if here >= 0 and len(known):
            weight = signals.similar[signals._in_core[known], here]
            if weight.max() > 0.01:
                return int(known[int(weight.argmax())]), "together"
        if signals.vectors is not None and len(own):
            near = signals.vectors[own] @ signals.vectors[place]
            if near.max() > 0.5:
                return int(own[int(near.argmax())]), "similar"
        return None


# --- learning ---------------------------------------------------------------------------


def _learned_from(bought: pd.DataFrame, looked: pd.DataFrame, cut: int, vectors: Mapping[str, Any] | None) -> tuple[Any, Any, Any]:
    """Candidates' rows of members who bought in the 30 days after a day, whether each was bought, and rows a member."""
    signals = Signals.fit(bought, now=cut, vectors=vectors)
    after = bought[(bought["day"] > cut) & (bought["day"] <= cut + HORIZON_DAYS)]
    wanted = after[after["product_id"].isin(signals.place)].groupby("member_id")["product_id"].agg(set)
    pasts = pasts_by_member(signals, bought[bought["member_id"].isin(wanted.index)], looked, cut)
    rng = np.random.default_rng(7)
    members = [m for m in wanted.index if m in pasts]
    if len(members) > _MOST_A_CUT:
        members = [members[n] for n in np.sort(rng.choice(len(members), _MOST_A_CUT, replace=False))]
    rows, hits, sizes = [], [], []
    for member_id in members:
        found, table = signals.candidates(pasts[member_id], now=cut, member_id=member_id)
        hit = np.isin(found, [signals.place[p] for p in wanted[member_id]])
        keep = hit | (rng.random(len(found)) < _KEPT)
        rows.append(table[keep])
        hits.append(hit[keep])
        sizes.append(int(keep.sum()))
    if not rows:
        return np.empty((0, len(COLUMNS)), np.float32), np.empty(0), np.empty(0, np.int64)
    return np.concatenate(rows), np.concatenate(hits).astype(np.float32), np.array(sizes)


def pasts_by_member(signals: Signals, bought: pd.DataFrame, looked: pd.DataFrame, cut: int) -> dict[str, Past]:
    """The pasts of members up to day `cut`, by id; those who had bought nothing by then are missing."""
    bought = bought[(bought["day"] <= cut) & bought["product_id"].isin(signals.place)]
    place = bought["product_id"].map(signals.place).to_numpy(np.int64)
    looks = looked[(looked["day"] <= cut) & (looked["day"] > cut - 60) & looked["product_id"].isin(signals.place)]
    seen = dict(iter(looks.groupby("member_id"))) if len(looks) else {}
    found: dict[str, Past] = {}
    for member_id, where in bought.groupby("member_id").indices.items():
        mine = Past(place[where], bought["day"].to_numpy()[where], bought["quantity"].to_numpy()[where])
        if member_id in seen:
            g = seen[member_id]
            mine = Past(
                mine.product,
                mine.day,
                mine.quantity,
                g["product_id"].map(signals.place).to_numpy(np.int64),
                g["day"].to_numpy(np.int64),
                (g["kind"] == "cart").to_numpy(),
            )
        found[str(member_id)] = mine
    return found


# --- measuring --------------------------------------------------------------------------


def measure(model: Recommender, history: History, *, as_of: date) -> dict[str, Any]:
    """Lists of a day held against the purchases of the next 30: recall@20, nDCG@20 over all and on products new to the member."""
    signals = model.signals
    truth, pasts = aftermath(signals, history, as_of=as_of)
    assert signals is not None
    if not truth:
        return {"members": 0, "measures": {}}
    now = day_number(as_of)
    ranked = {m: model.score(pasts[m], now=now, member_id=m)[0] for m in truth}
    told = {"model": judge(ranked, truth, pasts)}
    told |= {name: judge(lists, truth, pasts) for name, lists in simple(signals, pasts, truth, now).items()}
    return {"members": len(truth), "products": len(signals.ids), "measures": told}


def simple(signals: Signals, pasts: Mapping[str, Past], members: Iterable[str], now: int) -> dict[str, dict[str, Any]]:
    """Whole rankings of all products by the signals alone: EASE, personal frequency with ties by popularity, and popularity."""
    found: dict[str, dict[str, Any]] = {"EASE": {}, "personal frequency": {}, "popularity": {}}
    heat = signals.popular / max(float(signals.popular.max(initial=0.0)), 1e-9)
    popular = np.argsort(-heat, kind="stable")
    for member_id in members:
        past = pasts[member_id]
        own = np.unique(past.product)
        together, _, _ = signals._together(own, np.ones(len(own)))
        times = np.bincount(past.product, minlength=len(signals.ids)) + 0.5 * heat
        found["EASE"][member_id] = np.argsort(-together, kind="stable")
        found["personal frequency"][member_id] = np.argsort(-times, kind="stable")
        found["popularity"][member_id] = popular
    return found


def aftermath(signals: Signals | None, history: History, *, as_of: date, days: int = HORIZON_DAYS) -> tuple[dict[str, set[int]], dict[str, Past]]:
    """What members with a past bought in the `days` after a day, of the products known by then; and their pasts."""
    assert signals is not None
    now = day_number(as_of)
    bought = history.purchases(day_of(now + days))
    after = bought[(bought["day"] > now) & bought["product_id"].isin(signals.place)]
    wanted = after.groupby("member_id")["product_id"].agg(lambda ids: {signals.place[p] for p in ids})
    pasts = pasts_by_member(signals, bought[bought["member_id"].isin(wanted.index)], history.looks(as_of), now)
    return {str(m): wanted[m] for m in wanted.index if m in pasts}, pasts


def judge(ranked: Mapping[str, Any], truth: Mapping[str, set[int]], pasts: Mapping[str, Past], k: int = 20) -> dict[str, float]:
    """Mean measures of ranked lists (places of products) against what was bought."""
    recall, ndcg, fresh = [], [], []
    for member_id, wanted in truth.items():
        places = [int(n) for n in ranked[member_id]]
        recall.append(measures.recall_at_k(places, wanted, k))
        ndcg.append(measures.ndcg_at_k(places, wanted, k))
        own = set(pasts[member_id].product.tolist())
        if wanted - own:
            fresh.append(measures.ndcg_at_k([n for n in places if n not in own], wanted - own, k))
    low, high = measures.interval(ndcg)
    return {
        "recall@20": float(np.mean(recall)),
        "nDCG@20": float(np.mean(ndcg)),
        "nDCG@20 low": low,
        "nDCG@20 high": high,
        "nDCG@20 new": float(np.mean(fresh)) if fresh else 0.0,
    }
