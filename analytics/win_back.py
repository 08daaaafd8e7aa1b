"""What should a member be offered, and what is it worth?

Each possible offer with its expected gain and cost, from what members of the
same kind did in past campaigns against those held out. Where the shop has no
such campaign the answer rests on a stated assumption and says so. Whom a campaign
changes, member by member, is not asked here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
from sqlmodel import Session, col, select

from members.tables import Campaign, CampaignMember, Order

WINDOW_DAYS = 14
OfferKind = Literal["free_express", "percent_5", "percent_10", "percent_15", "points_500"]
# Share of an order's value that is left after goods and handling; a shop that knows better sets its own.
GROSS_MARGIN = 0.4
# Assumed lift of a coupon until a campaign with a holdout has been measured, and how wrong it may be.
ASSUMED_LIFT, ASSUMED_SPREAD = 0.03, 0.03
# How an offer's pull relates to that of a ten-percent coupon: an assumption, shown as one.
_PULL: Mapping[str, float] = {"free_express": 0.8, "percent_5": 0.6, "percent_10": 1.0, "percent_15": 1.25, "points_500": 0.7}


@dataclass(frozen=True)
class Response:
    """Orders within 14 days of past campaigns: treated and held out, and the lift with its standard error."""

    treated: int
    treated_ordered: int
    held: int
    held_ordered: int

    @property
    def measured(self) -> bool:
        """Whether there were enough on both sides to say anything."""
        return self.treated >= 100 and self.held >= 30

    @property
    def lift(self) -> tuple[float, float]:
        """Difference of the shares that ordered, and its standard error, drawn towards the assumption as far as it is uncertain."""
        if not self.measured:
            return ASSUMED_LIFT, ASSUMED_SPREAD
        p, q = self.treated_ordered / self.treated, self.held_ordered / self.held
        error = np.sqrt(p * (1 - p) / self.treated + q * (1 - q) / self.held)
        weight = ASSUMED_SPREAD**2 / (ASSUMED_SPREAD**2 + error**2)
        return float(weight * (p - q) + (1 - weight) * ASSUMED_LIFT), float(np.sqrt(weight) * error)


@dataclass(frozen=True)
class Option:
    """One offer with what it is expected to bring and cost over its window, in minor units, and the bounds of the net gain (80%)."""

    offer: str
    gain_cents: int
    cost_cents: int
    net_cents: int
    net_low_cents: int
    net_high_cents: int


def response(session: Session, *, as_of: date) -> Response:
    """What past campaigns with a holdout did, all together."""
    over = session.exec(select(Campaign).where(col(Campaign.sent_on) <= as_of - timedelta(days=WINDOW_DAYS)))
    sent = {campaign.id: campaign.sent_on for campaign in over if campaign.sent_on is not None}
    arms = [(c, m, arm) for c, m, arm in session.exec(select(CampaignMember.campaign_id, CampaignMember.member_id, CampaignMember.arm)) if c in sent]
    measured = {c for c, _, arm in arms if arm == "holdout"}
    ordered: set[tuple[str, str]] = set()
    for campaign_id in measured:
        start = sent[campaign_id]
        within = select(Order.member_id).where(
            col(Order.member_id).is_not(None),
            col(Order.ordered_at) > start,
            col(Order.ordered_at) <= start + timedelta(days=WINDOW_DAYS + 1),
            Order.status != "cancelled",
        )
        ordered |= {(campaign_id, str(who)) for who in session.exec(within)}
    counts = {"treated": [0, 0], "holdout": [0, 0]}
    for campaign_id, member_id, arm in arms:
        if campaign_id in measured:
            side = counts["holdout" if arm == "holdout" else "treated"]
            side[0] += 1
            side[1] += (campaign_id, member_id) in ordered
    return Response(*counts["treated"], *counts["holdout"])


def options(
    seen: Response,
    *,
    churn: float,
    order_cents: float,
    points_worth_cents: int,
    express_cents: int,
    free_express: bool = False,
    margin: float = GROSS_MARGIN,
) -> Sequence[Option]:
    """Offers for one member, best net gain first.

    `churn` is their chance of no order in 90 days, `order_cents` their usual order.
    A member likely to buy anyway is given money for nothing: what the offer costs on
    orders that would have come is part of its cost.
    """
    lift, error = seen.lift
    # Orders that come anyway within the window, at the pace the chance of staying implies.
    anyway = 1 - churn ** (WINDOW_DAYS / 90)
    found = []
    for offer, pull in _PULL.items():
        if offer == "free_express" and free_express:
            continue
        give = {"free_express": express_cents, "points_500": points_worth_cents}.get(
            offer, order_cents * int(offer.rpartition("_")[2] if offer.startswith("percent") else 0) / 100
        )
        # Whoever is nearly sure to come, or nearly sure not to, moves less: most at even chances.
        moved, wobble = lift * pull * 4 * churn * (1 - churn), error * pull * 4 * churn * (1 - churn)
        gain = moved * order_cents * margin
        cost = (anyway + max(moved, 0)) * give
        spread = 1.2816 * wobble * (order_cents * margin - give)
        net = gain - cost
        found.append(Option(offer, round(gain), round(cost), round(net), round(net - abs(spread)), round(net + abs(spread))))
    return sorted(found, key=lambda option: -option.net_cents)
