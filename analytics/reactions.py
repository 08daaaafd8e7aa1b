"""Whom would the next campaign change, and what would it leave over?

Learns from the shop's own past campaigns that held somebody out: rows as of the
day before each, how often the member ordered in the two weeks after it. An offer's
gain is what it adds; its cost is what it gives, also to those who would have
bought anyway. How effects are learned stands in uplift.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlmodel import Session, col, select

from analytics import uplift, win_back
from analytics.history import History
from analytics.uplift import Uplift
from members.tables import Campaign, CampaignMember

NAME = "uplift"
WINDOW_DAYS = win_back.WINDOW_DAYS
LEAST_TREATED, LEAST_HELD = 300, 60
# One member with ten orders in two weeks must not speak for everybody.
_MOST_ORDERS = 3
Numbers = NDArray[np.float64]
# What moves whether somebody reacts: their rhythm and money, how they took earlier offers, what they look at.
COLUMNS = (
    *("recency_days", "first_days", "orders_30", "orders_90", "orders_365", "spend_90", "spend_365", "order_cents", "gap_median", "gap_std"),
    *("coupon_orders", "discount_share", "views_30", "views_90", "carts_30", "products_90", "points", "orders_before_90", "tier", "language"),
)


@dataclass
class Reactions:
    """What was learned: the effect model, from how many campaigns and members, and the offer these gave on average."""

    model: Uplift
    table: dict[str, dict[str, float]]
    campaigns: int
    treated: int
    held: int
    percent: float
    as_of: date

    def score(self, rows: pd.DataFrame) -> pd.DataFrame:
        """For each member's row: `effect`, the orders a campaign like the past ones adds within two weeks, and `anyway`, those without it."""
        told = _columns(rows)
        moved = self.model.effect(told) + self.average[0] - self.model.adjusted.effect
        return pd.DataFrame({"effect": moved, "anyway": np.clip(self.model.baseline(told), 0, None)}, index=rows.index)

    @property
    def average(self) -> tuple[float, float]:
        """The mean effect and its standard error, drawn towards what campaigns of this kind usually do as far as it is uncertain."""
        seen, prior = self.model.adjusted, win_back.ASSUMED_SPREAD
        weight = prior**2 / (prior**2 + seen.error**2)
        return weight * seen.effect + (1 - weight) * win_back.ASSUMED_LIFT, float(np.sqrt(weight)) * seen.error

    def explain(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What each column adds to each effect."""
        return self.model.shares(_columns(rows))

    def importance(self) -> dict[str, float]:
        """Share of the effect's gain by column."""
        return self.model.importance()


def _columns(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[[name for name in COLUMNS if name in rows]]


def fit(session: Session, history: History, *, as_of: date, progress: Callable[[str], None] = lambda step: None) -> Reactions | None:
    """Learn from every campaign with a holdout whose two weeks are over; None where there are too few members in an arm."""
    sent = session.exec(select(Campaign).where(col(Campaign.sent_on) <= as_of - timedelta(days=WINDOW_DAYS)).order_by(col(Campaign.sent_on))).all()
    parts, percents = [], []
    for campaign in sent:
        assert campaign.sent_on is not None
        arms = dict(session.exec(select(CampaignMember.member_id, CampaignMember.arm).where(CampaignMember.campaign_id == campaign.id)).all())
        if "holdout" not in arms.values():
            continue
        rows = history.rows(campaign.sent_on - timedelta(days=1))
        rows = rows[rows.index.isin(arms) & (rows["orders"] > 0)]
        after = history.after(campaign.sent_on, WINDOW_DAYS)
        told = _columns(rows).copy()
        told["__treated"] = [arms[member_id] != "holdout" for member_id in rows.index]
        told["__orders"] = after["orders"].reindex(rows.index).fillna(0).clip(upper=_MOST_ORDERS).to_numpy(float)
        parts.append(told)
        percents.append(float(campaign.offer.get("percent") or 0))
    if not parts:
        return None
    whole = pd.concat(parts)
    treated = whole.pop("__treated").to_numpy(bool)
    ordered = whole.pop("__orders").to_numpy(float)
    if treated.sum() < LEAST_TREATED or (~treated).sum() < LEAST_HELD or ordered[~treated].std() == 0:
        return None
    progress("whom campaigns change")
    choice = uplift.choose(whole, treated, ordered)
    percent = float(np.mean([p for p in percents if p] or [10.0]))
    return Reactions(choice.best, choice.table, len(parts), int(treated.sum()), int((~treated).sum()), percent, as_of)


# --- an offer's worth -------------------------------------------------------------------


@dataclass(frozen=True)
class Outlook:
    """What an offer to some members is expected to do within two weeks; money in minor units, 95% intervals.

    `net` by member, and over those it pays for: how many (`worth`), orders added, orders that use it (`redeemed`), gain, cost, net. `measured` is False
    where the shop has no campaign to learn from and an assumption stands in.
    """

    measured: bool
    members: int
    worth: int
    lift: tuple[float, float, float]
    anyway: float
    orders: float
    redeemed: float
    gain: float
    cost: float
    net: tuple[float, float, float]
    by_member: pd.DataFrame


def outlook(
    rows: pd.DataFrame,
    reactions: Reactions | None,
    *,
    kind: str,
    value: float,
    margin: float,
    points_worth: float = 0.0,
    everyone: bool = False,
    instead: pd.Series | None = None,
) -> Outlook:
    """The expected effect of an offer on members' rows.

    kind: percent (value per cent), amount (minor units an order), points (their worth in `points_worth`), benefit (value in minor
    units an order) or none. A deeper discount pulls with the root of its depth against the past campaigns' average: an assumption.
    An offer is worth it for a member when it leaves more than nothing, and more than what else could be done (`instead`, net by member).
    """
    rows = rows[rows["orders"] > 0]
    error, told = _effects(rows, reactions)
    value_cents = rows["order_cents"].fillna(rows["order_cents"].median()).to_numpy(float) if len(rows) else np.zeros(0)
    average = reactions.percent if reactions else 10.0
    depth = _depth(kind, value, points_worth, value_cents)
    pull = np.where(depth > 0, np.sqrt(np.clip(100 * depth / average, 0.05, 4)), 0.35)
    effect = told["effect"].to_numpy(float) * pull
    anyway = told["anyway"].to_numpy(float)
    give = depth * value_cents
    gain = effect * value_cents * margin
    cost = np.maximum(anyway + effect, 0) * give
    net = gain - cost
    other = np.zeros(len(net)) if instead is None else np.maximum(instead.reindex(rows.index).fillna(0.0).to_numpy(float), 0)
    worth = np.ones(len(net), bool) if everyone else net > other
    made = pd.DataFrame({"effect": effect, "anyway": anyway, "gain": gain, "cost": cost, "net": net, "worth": worth}, index=rows.index)
    mine = made[made["worth"]]
    # The average effect's error is everybody's: all are wrong together.
    slip = 1.96 * error * float((pull[worth] * value_cents[worth] * (margin - depth[worth])).sum()) if len(mine) else 0.0
    lift, wide = (float(mine["effect"].mean()), 1.96 * error * float(pull[worth].mean())) if len(mine) else (0.0, 0.0)
    return Outlook(
        measured=reactions is not None,
        members=len(made),
        worth=len(mine),
        lift=(lift, lift - wide, lift + wide),
        anyway=float(mine["anyway"].mean()) if len(mine) else 0.0,
        orders=float(mine["effect"].sum()),
        redeemed=float(np.maximum(mine["anyway"] + mine["effect"], 0).sum()) if kind != "none" else 0.0,
        gain=float(mine["gain"].sum()),
        cost=float(mine["cost"].sum()),
        net=(float(mine["net"].sum()), float(mine["net"].sum()) - abs(slip), float(mine["net"].sum()) + abs(slip)),
        by_member=made,
    )


def _effects(rows: pd.DataFrame, reactions: Reactions | None) -> tuple[float, pd.DataFrame]:
    if reactions is not None:
        return reactions.average[1], reactions.score(rows) if len(rows) else pd.DataFrame({"effect": [], "anyway": []})
    # No campaign to learn from: the assumed lift for everybody, and their own pace.
    pace = rows["orders_90"].to_numpy(float) * WINDOW_DAYS / 90
    return win_back.ASSUMED_SPREAD, pd.DataFrame({"effect": win_back.ASSUMED_LIFT, "anyway": pace}, index=rows.index)


def _depth(kind: str, value: float, points_worth: float, order_cents: Numbers) -> Numbers:
    """What an offer gives, as a share of an order."""
    usual = np.maximum(order_cents, 1)
    if kind == "percent":
        return np.full(len(usual), value / 100)
    if kind in ("amount", "benefit"):
        return np.minimum(value / usual, 0.9)
    if kind == "points":
        return np.minimum(points_worth / usual, 0.9)
    return np.zeros(len(usual))


@dataclass(frozen=True)
class Choice:
    """One discount for some members: its outlook over those it beats a bare message for, and what is left `in_all` with such a message to the others."""

    percent: int
    seen: Outlook
    in_all: float


def best_offer(
    rows: pd.DataFrame, reactions: Reactions | None, *, margin: float, percents: tuple[int, ...] = (5, 8, 10, 12, 15, 20)
) -> tuple[Outlook, list[Choice]]:
    """A bare message to some members, and discounts for those they beat it for, most left over in all first."""
    bare = outlook(rows, reactions, kind="none", value=0, margin=margin)
    message = bare.by_member["net"].clip(lower=0)
    found = []
    for percent in percents:
        seen = outlook(rows, reactions, kind="percent", value=percent, margin=margin, instead=message)
        mine = seen.by_member["worth"]
        found.append(Choice(percent, seen, float(message[~mine].sum() + seen.by_member.loc[mine, "net"].sum())))
    return bare, sorted(found, key=lambda one: -one.in_all)
