"""What will this member want next?

Scores products by what the member buys again and by what was bought by the same
members as theirs (cosine of co-occurrence). Popular things fill the list of a
newcomer. Knows nothing of stock: the caller filters.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import numpy as np
from scipy import sparse
from sqlmodel import Session, col, select

from members.tables import Order, OrderLine

_NEIGHBOURS = 60
_HALF_LIFE_DAYS = 120.0
Purchase = tuple[str, str, date]
Kind = Literal["again", "together", "popular"]


@dataclass(frozen=True)
class Suggestion:
    """One product to suggest, with the reason: bought again, bought together with `because`, or popular."""

    product_id: str
    score: float
    kind: Kind
    because: str = ""
    times: int = 0
    last_on: date | None = None


@dataclass
class Recommender:
    """Fitted neighbours and popularity; small enough to load whole."""

    product_ids: list[str] = field(default_factory=list)
    neighbours: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    popular: list[tuple[str, float]] = field(default_factory=list)

    @classmethod
    def fit(cls, purchases: Iterable[Purchase], *, as_of: date) -> "Recommender":
        """Learn from (member id, product id, day) up to `as_of`; later ones are not looked at."""
        rows, columns, recency = [], [], list[float]()
        members: dict[str, int] = {}
        products: dict[str, int] = {}
        for member_id, product_id, day in purchases:
            if day <= as_of:
                rows.append(members.setdefault(member_id, len(members)))
                columns.append(products.setdefault(product_id, len(products)))
                recency.append(0.5 ** ((as_of - day).days / _HALF_LIFE_DAYS))
        if not rows:
            return cls()
        shape = (len(members), len(products))
        bought = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
        bought.data[:] = 1.0
        names = list(products)
        heat = np.zeros(len(names))
        np.add.at(heat, columns, recency)
        top = [(names[int(n)], float(heat[n] / heat.max())) for n in np.argsort(-heat, kind="stable")[:200]]
        return cls(names, _neighbours(bought, names), top)

    def suggest(self, history: Sequence[tuple[str, date]], *, as_of: date, limit: int = 10) -> list[Suggestion]:
        """The best next products for a member who bought these on these days."""
        seen = [(product_id, day) for product_id, day in history if day <= as_of]
        times: dict[str, list[date]] = defaultdict(list)
        for product_id, day in seen:
            times[product_id].append(day)
        found: dict[str, Suggestion] = {}
        for product_id, days in times.items():
            if len(days) > 1:
                score = np.log1p(len(days)) * 0.5 ** ((as_of - max(days)).days / 365)
                _better(found, Suggestion(product_id, float(score), "again", times=len(days), last_on=max(days)))
        for product_id, days in times.items():
            weight = 0.5 ** ((as_of - max(days)).days / _HALF_LIFE_DAYS)
            for other, similarity in self.neighbours.get(product_id, ()):
                if other not in times:
                    _better(found, Suggestion(other, similarity * weight, "together", because=product_id, last_on=max(days)))
        for product_id, heat in self.popular:
            if product_id not in times:
                found.setdefault(product_id, Suggestion(product_id, heat * 0.01, "popular"))
        return sorted(found.values(), key=lambda s: (-s.score, s.product_id))[:limit]


def _better(found: dict[str, Suggestion], new: Suggestion) -> None:
    old = found.get(new.product_id)
    if old is None or new.score > old.score:
        found[new.product_id] = new


def _neighbours(bought: "sparse.csr_matrix", names: list[str]) -> dict[str, list[tuple[str, float]]]:
    together = (bought.T @ bought).tocsr()
    counts = together.diagonal()
    # A pair seen once or twice is chance: shrink towards nothing.
    found: dict[str, list[tuple[str, float]]] = {}
    for n, name in enumerate(names):
        row = together.getrow(n)
        others, shared = row.indices, row.data
        similarity = shared / np.sqrt(counts[n] * counts[others]) * shared / (shared + 5.0)
        similarity[others == n] = 0
        best = np.argsort(-similarity, kind="stable")[:_NEIGHBOURS]
        found[name] = [(names[int(others[b])], float(similarity[b])) for b in best if similarity[b] > 0]
    return found


def purchases(session: Session, *, until: date | None = None) -> list[Purchase]:
    """Every product a known member bought and kept, as (member id, product id, day)."""
    query = (
        select(Order.member_id, OrderLine.product_id, Order.ordered_at)
        .join(OrderLine, col(OrderLine.order_id) == Order.id)
        .where(
            col(Order.member_id).is_not(None),
            OrderLine.kind == "product",
            col(Order.status).not_in(("cancelled", "returned")),
            OrderLine.quantity > OrderLine.returned,
            col(Order.ordered_at).is_not(None),
        )
    )
    rows = ((m, p, at.date()) for m, p, at in session.execute(query))
    return [row for row in rows if until is None or row[2] <= until]


def history(session: Session, member_id: str) -> list[tuple[str, date]]:
    """What one member bought, newest first."""
    query = (
        select(OrderLine.product_id, Order.ordered_at)
        .join(Order, col(Order.id) == OrderLine.order_id)
        .where(
            Order.member_id == member_id,
            OrderLine.kind == "product",
            col(Order.status).not_in(("cancelled", "returned")),
            OrderLine.quantity > OrderLine.returned,
            col(Order.ordered_at).is_not(None),
        )
        .order_by(col(Order.ordered_at).desc())
    )
    return [(product_id, at.date()) for product_id, at in session.execute(query)]
