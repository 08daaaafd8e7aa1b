"""Did a campaign change anything?

Compares those written to with those held out: orders, money and what is left of
it, each a member, with 95% intervals; adjusted by what the same members did
before (CUPED: Deng, Xu, Kohavi, Walker 2013) where that makes the answer
sharper; per variant and segment; with a check that the arms have the sizes they
were drawn with. Says nothing of single members: whom it changed is asked in uplift.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import sqlalchemy as sa
from numpy.typing import NDArray
from scipy import stats
from sqlmodel import Session, col, func, select

from members.tables import Campaign, CampaignMember, Coupon, Member, Order, OrderLine

WINDOW_DAYS, BEFORE_DAYS = 14, 180
# Fabijan et al. 2019: a sample-ratio mismatch is called at a thousandth, or every tenth campaign would seem broken.
MISMATCH = 0.001
# Below this many in either arm nothing is said of a part.
LEAST = 20
METRICS = ("orders", "revenue_cents", "margin_cents")


@dataclass(frozen=True)
class Effect:
    """What one member more or less does because of the campaign: the difference of the arms' means, with its 95% interval.

    `adjusted` says whether it rests on CUPED; `sharper` is the share of variance that took away.
    """

    treated: int
    held: int
    treated_mean: float
    held_mean: float
    lift: float
    low: float
    high: float
    adjusted: bool = False
    sharper: float = 0.0

    @property
    def seen(self) -> bool:
        """Whether the interval leaves out nothing-at-all."""
        return self.low > 0 or self.high < 0

    @property
    def error(self) -> float:
        """The standard error of the lift."""
        return (self.high - self.low) / (2 * 1.96)


@dataclass(frozen=True)
class Result:
    """A campaign's result as of a day: effects by metric, by variant, by segment, and the check of the arms' sizes.

    `verdict` is effect, harm, none, too_early, no_holdout or broken. Money in minor units a member; `net_cents` is what is left
    over all who were written to, after goods and discounts, with its interval.
    """

    campaign_id: str
    as_of: date
    until: date
    sent_on: date | None
    treated: int
    held: int
    verdict: str
    effects: dict[str, Effect] = field(default_factory=dict)
    variants: dict[str, Effect] = field(default_factory=dict)
    segments: dict[str, dict[str, Effect]] = field(default_factory=dict)
    mismatch: float | None = None
    least_seen: float | None = None
    coupons_used: int = 0
    discount_cents: int = 0
    predicted: float | None = None

    @property
    def net_cents(self) -> tuple[float, float, float] | None:
        """What the campaign left over in all: expected, lowest, highest; None without a holdout."""
        effect = self.effects.get("margin_cents")
        return None if effect is None else (effect.lift * self.treated, effect.low * self.treated, effect.high * self.treated)


def difference(treated: NDArray[Any], held: NDArray[Any], *, before_treated: NDArray[Any] | None = None, before_held: NDArray[Any] | None = None) -> Effect:
    """The difference of means with its 95% interval (Welch); CUPED by what was before, where that takes variance away.

    Shapes (treated,) and (held,). The coefficient is the pooled one, so it knows nothing of the arms.
    """
    n, m = len(treated), len(held)
    y, arm = np.concatenate([treated, held]).astype(float), np.concatenate([np.ones(n), np.zeros(m)])
    sharper = 0.0
    adjusted = y
    if before_treated is not None and before_held is not None:
        x = np.concatenate([before_treated, before_held]).astype(float)
        spread = x.var()
        if spread > 0 and y.var() > 0:
            theta = np.cov(y, x, bias=True)[0, 1] / spread
            adjusted = y - theta * (x - x.mean())
            sharper = max(0.0, 1 - adjusted.var() / y.var())
    used = adjusted if sharper > 0.01 else y
    a, b = used[arm == 1], used[arm == 0]
    lift = float(a.mean() - b.mean())
    error = float(np.sqrt(a.var(ddof=1) / n + b.var(ddof=1) / m)) if min(n, m) > 1 else float("inf")
    freedom = _welch(a, b) if min(n, m) > 1 else 1.0
    reach = float(stats.t.ppf(0.975, freedom)) * error if np.isfinite(error) else float("inf")
    return Effect(n, m, float(treated.mean()), float(held.mean()), lift, lift - reach, lift + reach, sharper > 0.01, sharper if sharper > 0.01 else 0.0)


def _welch(a: NDArray[Any], b: NDArray[Any]) -> float:
    u, v = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    below = u**2 / (len(a) - 1) + v**2 / (len(b) - 1)
    return float((u + v) ** 2 / below) if below > 0 else float(len(a) + len(b) - 2)


def sample_ratio(counts: Mapping[str, int], shares: Mapping[str, float]) -> float:
    """The chance of arms as uneven as these if they were drawn with those shares (chi-square)."""
    seen = np.array([counts.get(name, 0) for name in shares], dtype=float)
    wanted = np.array(list(shares.values())) * seen.sum()
    return float(stats.chisquare(seen, wanted).pvalue) if seen.sum() and (wanted > 0).all() else 1.0


def measure(session: Session, campaign: Campaign, *, as_of: date, margin: float, window_days: int = WINDOW_DAYS) -> Result:
    """The result of a sent campaign as of a day, over the days after it was sent."""
    sent = campaign.sent_on
    until = min(as_of, sent + timedelta(days=window_days)) if sent else as_of
    rows = outcomes(session, campaign, until=until, margin=margin) if sent else pd.DataFrame()
    treated = rows[rows["arm"] != "holdout"] if len(rows) else rows
    held = rows[rows["arm"] == "holdout"] if len(rows) else rows
    used, discount = _coupons(session, campaign.id, as_of)
    head: dict[str, Any] = {
        "campaign_id": campaign.id,
        "as_of": as_of,
        "until": until,
        "sent_on": sent,
        "treated": len(treated),
        "held": len(held),
        "coupons_used": used,
        "discount_cents": discount,
    }
    if sent is None or until <= sent:
        return Result(**head, verdict="too_early")
    if len(held) < LEAST or len(treated) < LEAST:
        return Result(**head, verdict="no_holdout")
    effects = {metric: _effect(treated, held, metric) for metric in METRICS}
    mismatch = _mismatch(campaign, rows)
    named = [name for name in sorted(set(treated["variant"])) if name]
    parts = {name: _effect(treated[treated["variant"] == name], held, "orders") for name in named if (treated["variant"] == name).sum() >= LEAST}
    predicted = treated["predicted"].dropna()
    return Result(
        **head,
        verdict=_verdict(effects["orders"], mismatch),
        effects=effects,
        variants=parts if len(named) > 1 else {},
        segments={by: _by(treated, held, by) for by in ("tier", "language")},
        mismatch=mismatch,
        # What would have been seen in four of five such campaigns.
        least_seen=(1.96 + 0.84) * effects["orders"].error,
        predicted=float(predicted.mean()) if len(predicted) >= LEAST else None,
    )


def _effect(treated: pd.DataFrame, held: pd.DataFrame, metric: str) -> Effect:
    before = f"before_{metric}"
    return difference(
        treated[metric].to_numpy(float), held[metric].to_numpy(float), before_treated=treated[before].to_numpy(float), before_held=held[before].to_numpy(float)
    )


def _by(treated: pd.DataFrame, held: pd.DataFrame, by: str) -> dict[str, Effect]:
    found = {}
    for name in sorted(set(treated[by]) & set(held[by])):
        mine, others = treated[treated[by] == name], held[held[by] == name]
        if min(len(mine), len(others)) >= LEAST and name:
            found[str(name)] = _effect(mine, others, "orders")
    return found


def _mismatch(campaign: Campaign, rows: pd.DataFrame) -> float | None:
    if not campaign.holdout_percent:
        return None
    share = campaign.holdout_percent / 100
    keys = [one["key"] for one in campaign.variants] or [""]
    counts = {
        name: int(number) for name, number in rows.assign(where=rows["variant"].where(rows["arm"] != "holdout", "holdout")).groupby("where").size().items()
    }
    return sample_ratio(counts, {"holdout": share, **dict.fromkeys(keys, (1 - share) / len(keys))})


def _verdict(orders: Effect, mismatch: float | None) -> str:
    if mismatch is not None and mismatch < MISMATCH:
        return "broken"
    if not orders.seen:
        return "none"
    return "effect" if orders.lift > 0 else "harm"


# --- what the record says ---------------------------------------------------------------


def outcomes(session: Session, campaign: Campaign, *, until: date, margin: float) -> pd.DataFrame:
    """A row a member of the campaign: arm, variant, tier, language, and orders, paid and left money after it and in the time before.

    What is left of an order is what was paid for goods less the goods themselves: `paid - (1 - margin) × full price`.
    """
    assert campaign.sent_on is not None
    query = (
        sa.select(*_columns(CampaignMember, "member_id", "arm", "variant", "predicted"), *_columns(Member, "tier", "language"))
        .join(Member, col(Member.id) == CampaignMember.member_id)
        .where(col(CampaignMember.campaign_id) == campaign.id)
    )
    rows = pd.DataFrame(session.execute(query).all(), columns=["member_id", "arm", "variant", "predicted", "tier", "language"]).set_index("member_id")
    rows["predicted"] = rows["predicted"].astype(float)
    start = campaign.sent_on
    after = _orders(session, campaign.id, start + timedelta(days=1), until, margin)
    before = _orders(session, campaign.id, start - timedelta(days=BEFORE_DAYS), start - timedelta(days=1), margin).add_prefix("before_")
    return rows.join(after).join(before).fillna(dict.fromkeys([*METRICS, *(f"before_{m}" for m in METRICS)], 0.0)).sort_index()


def _columns(table: Any, *names: str) -> list[Any]:
    return [col(getattr(table, name)) for name in names]


def _orders(session: Session, campaign_id: str, first: date, last: date, margin: float) -> pd.DataFrame:
    value = func.sum(OrderLine.quantity * OrderLine.unit_price_cents)
    goods = (
        select(Order.member_id, Order.id, Order.discount_cents, value.label("value"))
        .join(OrderLine, col(OrderLine.order_id) == Order.id)
        .join(CampaignMember, (col(CampaignMember.member_id) == Order.member_id) & (col(CampaignMember.campaign_id) == campaign_id))
        .where(
            OrderLine.kind == "product",
            Order.status != "cancelled",
            col(Order.ordered_at) >= datetime.combine(first, time.min),
            col(Order.ordered_at) < datetime.combine(last + timedelta(days=1), time.min),
        )
        .group_by(col(Order.member_id), col(Order.id), col(Order.discount_cents))
    )
    rows = pd.DataFrame(session.exec(goods).all(), columns=["member_id", "order_id", "discount", "value"])
    rows = rows.astype({"discount": float, "value": float})
    rows["revenue_cents"] = rows["value"] - rows["discount"]
    rows["margin_cents"] = rows["revenue_cents"] - (1 - margin) * rows["value"]
    found = rows.groupby("member_id").agg(orders=("order_id", "count"), revenue_cents=("revenue_cents", "sum"), margin_cents=("margin_cents", "sum"))
    return found.astype(float)


def _coupons(session: Session, campaign_id: str, as_of: date) -> tuple[int, int]:
    used = select(func.count(), func.coalesce(func.sum(Order.discount_cents), 0)).select_from(Order).join(Coupon, col(Coupon.code) == Order.coupon_code)
    by_then = (Order.status != "cancelled", col(Order.ordered_at) < datetime.combine(as_of + timedelta(days=1), time.min))
    number, cents = session.exec(used.where(Coupon.campaign_id == campaign_id, *by_then)).one()
    return int(number), int(cents)


# --- to look at -------------------------------------------------------------------------


def figure(rows: Sequence[tuple[str, Effect]], *, title: str, unit: str) -> go.Figure:
    """Lifts with their intervals beside the line of no effect, in percentage points."""
    names = [name for name, _ in rows][::-1]
    lifts = np.array([100 * effect.lift for _, effect in rows][::-1])
    low = np.array([100 * (effect.lift - effect.low) for _, effect in rows][::-1])
    high = np.array([100 * (effect.high - effect.lift) for _, effect in rows][::-1])
    colours = ["#1f6f5c" if effect.low > 0 else "#9a3412" if effect.high < 0 else "#8a8f8c" for _, effect in rows][::-1]
    marks = {"color": colours, "size": 11}
    drawn = go.Figure(
        go.Scatter(x=lifts, y=names, mode="markers", marker=marks, error_x={"type": "data", "array": high, "arrayminus": low, "color": "#8a8f8c"})
    )
    drawn.add_vline(x=0, line_color="#26302c", line_width=1)
    drawn.update_layout(title=title, xaxis_title=unit, template="plotly_white", height=120 + 44 * len(rows), margin={"l": 10, "r": 20, "t": 48, "b": 40})
    return drawn
