"""What should a person look at?

Flags of possible abuse and of oddities, each with the numbers it rests on and
how rare they would be in this shop by chance. A flag is a question, never a
penalty: nothing reads it but staff.
"""

from collections import defaultdict
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from ibis import _
from scipy.stats import binom
from sqlmodel import Session, select

from analytics.history import History
from members.lake import day_number, day_of
from members.tables import Address

NAME = "risk"
# So rare by chance that one in a thousand honest members would be named.
_RARE = 1e-3
_FEWEST_RETURNS, _FEWEST_COUPONS, _FEWEST_AT_ADDRESS = 4, 4, 4


@dataclass(frozen=True)
class Flag:
    """One thing to look at: its key, the facts a person can check, and the chance of as much without a cause."""

    key: str
    facts: dict[str, Any] = field(default_factory=dict)
    chance: float = 0.0

    def data(self) -> dict[str, Any]:
        """As stored and sent."""
        return asdict(self)


@dataclass
class Risk:
    """What is usual in this shop: shares by which the unusual is told."""

    return_share: float
    coupon_share: float
    points_day: float

    @classmethod
    def fit(cls, history: History, *, as_of: date) -> "Risk | None":
        """Learn what is usual up to a day; None without buyers."""
        rows = history.buyers(as_of)
        if not len(rows):
            return None
        pieces = _pieces(history, as_of)
        orders = float(rows["orders"].sum())
        daily = _points_days(history, as_of)
        usual = float(np.quantile(daily["points"], 0.999)) if len(daily) >= 200 else float(daily["points"].max()) * 2 if len(daily) else np.inf
        return cls(float(pieces["returned"].sum() / max(pieces["bought"].sum(), 1)), float(rows["coupon_orders"].sum() / max(orders, 1)), usual)

    def score(self, history: History, *, as_of: date, session: Session | None = None) -> dict[str, list[dict[str, Any]]]:
        """Flags of every member who has any, by member id."""
        found: dict[str, list[Flag]] = defaultdict(list)
        for member_id, flag in (
            *self._returns(history, as_of),
            *self._coupons(history, as_of),
            *self._points(history, as_of),
            *(_addresses(session) if session else ()),
        ):
            found[member_id].append(flag)
        return {member_id: [flag.data() for flag in flags] for member_id, flags in found.items()}

    def explain(self, flags: list[dict[str, Any]]) -> list[str]:
        """The keys of a member's flags, the rarest first."""
        return [flag["key"] for flag in sorted(flags, key=lambda flag: flag["chance"])]

    # --- kinds --------------------------------------------------------------------------

    def _returns(self, history: History, as_of: date) -> list[tuple[str, Flag]]:
        """Far more pieces sent back than chance gives at twice the shop's share: honest bad luck is not named."""
        pieces = _pieces(history, as_of)
        many = pieces[pieces["returned"] >= _FEWEST_RETURNS]
        expected = min(0.6, 2 * self.return_share)
        chance = binom.sf(many["returned"].to_numpy() - 1, np.maximum(many["bought"], many["returned"]).to_numpy(), expected)
        facts = zip(many.index, many["bought"], many["returned"], many["refund"], chance, strict=True)
        return [
            (
                str(who),
                Flag(
                    "returns", {"returned": int(back), "bought": int(all_of), "refund_cents": int(cents), "shop_share": round(self.return_share, 4)}, float(p)
                ),
            )
            for who, all_of, back, cents, p in facts
            if p < _RARE
        ]

    def _coupons(self, history: History, as_of: date) -> list[tuple[str, Flag]]:
        """Hardly an order without a coupon, where others seldom use one."""
        rows = history.buyers(as_of, most=None)
        many = rows[rows["coupon_orders"] >= _FEWEST_COUPONS]
        chance = binom.sf(many["coupon_orders"].to_numpy() - 1, many["orders"].to_numpy().astype(int), min(0.6, 2 * self.coupon_share))
        return [
            (str(who), Flag("coupons", {"coupon_orders": int(used), "orders": int(all_of), "shop_share": round(self.coupon_share, 4)}, float(p)))
            for who, used, all_of, p in zip(many.index, many["coupon_orders"], many["orders"], chance, strict=True)
            if p < _RARE
        ]

    def _points(self, history: History, as_of: date) -> list[tuple[str, Flag]]:
        """More points booked on a day than on all but one in a thousand member days."""
        daily = _points_days(history, as_of)
        burst = daily[daily["points"] > max(self.points_day, 1_000)].sort_values("points", ascending=False).drop_duplicates("member_id")
        return [
            (str(r.member_id), Flag("points_burst", {"points": int(r.points), "on": day_of(int(r.day)).isoformat(), "usual_most": int(self.points_day)}, _RARE))
            for r in burst.itertuples()
        ]


def measure(model: Risk, history: History, *, as_of: date, planted: dict[str, str] | None = None) -> dict[str, Any]:
    """How many are named, by kind; with planted truth (member → kind) also precision and recall."""
    found = model.score(history, as_of=as_of)
    members = len(history.buyers(as_of, most=None))
    kinds = pd.Series([flag["key"] for flags in found.values() for flag in flags]).value_counts()
    told: dict[str, float] = {
        "named": float(len(found)),
        "share named": len(found) / max(members, 1),
        **{f"named for {kind}": float(n) for kind, n in kinds.items()},
    }
    if planted:
        right = sum(1 for who, kind in planted.items() if any(flag["key"] == kind for flag in found.get(who, [])))
        told |= {"recall of planted": right / len(planted), "precision": right / max(1, len(found))}
    return {"members": members, "measures": {"model": told}}


def _addresses(session: Session) -> list[tuple[str, Flag]]:
    """Several accounts at one address to the letter."""
    shared: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for who, *place in session.exec(select(Address.member_id, Address.line1, Address.city, Address.postcode)):
        line, city, code = ("".join(str(part).lower().split()) for part in place)
        if line:
            shared[line, city, code].add(who)
    return [
        (who, Flag("shared_address", {"accounts": len(together), "others": sorted(together - {who})[:5]}, _RARE))
        for together in shared.values()
        if len(together) >= _FEWEST_AT_ADDRESS
        for who in sorted(together)
    ]


def _pieces(history: History, as_of: date) -> pd.DataFrame:
    now = day_number(as_of)
    lines, returns = history.backend.table("lines"), history.backend.table("returns")
    bought = lines.filter(_.member_id != "", _.day <= now, _.quantity > 0, _.cancelled_day.isnull() | (_.cancelled_day > now))
    back = returns.filter(_.member_id != "", _.day <= now)
    # Lines, not pieces: a wholesaler's crate is one decision.
    counted = history.backend.execute(bought.group_by("member_id").agg(bought=_.count())).set_index("member_id")
    given = history.backend.execute(back.group_by("member_id").agg(returned=_.count(), refund=_.cents.sum())).set_index("member_id")
    return counted.join(given, how="left").fillna(0).astype("int64")


def _points_days(history: History, as_of: date) -> pd.DataFrame:
    booked = history.backend.table("points").filter(_.day <= day_number(as_of), _.points > 0)
    return history.backend.execute(booked.group_by("member_id", "day").agg(points=_.points.sum()))
