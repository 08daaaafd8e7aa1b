"""How does the demo shop go on after a campaign?

Lets its members live two weeks more by the habits that were planted: their own
pace, and what a coupon does to whom. So a campaign on the demo shop has a true
effect to hold predictions and measurements against.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import pandas as pd
from sqlmodel import Session, col, select

from analytics.synthetic import COUPON_EFFECT, Truth
from members.tables import Campaign, CampaignMember, Coupon, Order, OrderLine, Payment

_PACE_DAYS = 365
# Whoever has drifted away keeps so much of their pace, and reacts as much less.
_DRIFTED = 0.07
_QUIETENED = 3.0


def live_on(session: Session, truth: Truth, campaign: Campaign, *, days: int = 14, seed: int = 0) -> pd.DataFrame:
    """Write the orders of the `days` after a campaign; returns, a member a row: `true`, the orders it adds, `arm`, and `orders` they placed."""
    assert campaign.sent_on is not None
    rng = np.random.default_rng([seed, campaign.sent_on.toordinal()])
    arms = dict(session.exec(select(CampaignMember.member_id, CampaignMember.arm).where(CampaignMember.campaign_id == campaign.id)).all())
    codes = {c.member_id: c for c in session.exec(select(Coupon).where(Coupon.campaign_id == campaign.id))}
    past = _past(session, campaign.sent_on)
    number = max((int(i.removeprefix("O-")) for i in session.exec(select(Order.id)) if i.removeprefix("O-").isdigit()), default=20_000)
    rows = []
    for member_id in sorted(set(truth.coupon_type)):
        orders, arm = past.get(member_id, []), arms.get(member_id, "")
        adds, anyway, written = _either_way(rng, truth, member_id, len(orders), campaign.sent_on, days)
        treated = arm not in ("", "holdout")
        placed = [""] * min(anyway, written if treated else anyway)
        if treated and written > anyway:
            placed.append(codes[member_id].code if member_id in codes else "")
        for code in placed:
            if not orders:
                break
            number += 1
            at = campaign.sent_on + timedelta(days=int(rng.integers(1, days + 1)))
            _order(session, f"O-{number}", member_id, at, orders[int(rng.integers(len(orders)))], codes.get(member_id) if code else None, rng)
        rows.append((member_id, adds if orders else 0.0, arm, len(placed) if orders else 0))
    return pd.DataFrame(rows, columns=["member_id", "true", "arm", "orders"]).set_index("member_id")


def _either_way(rng: np.random.Generator, truth: Truth, member_id: str, orders: int, sent_on: date, days: int) -> tuple[float, int, int]:
    """What a campaign truly adds for a member with so many orders in the year before, and a draw of their orders without it and with it."""
    drifted = (sent_on - date.fromisoformat(truth.drifts_on.get(member_id, "9999-12-31"))).days
    mood = _DRIFTED if drifted >= 0 else 1.0
    # The year behind holds days at full pace and days after drifting: only the former say what that pace was.
    pace = mood * orders / (_PACE_DAYS - (1 - mood) * min(drifted, _PACE_DAYS)) * days
    effect = COUPON_EFFECT[truth.coupon_type[member_id]]
    anyway = int(rng.poisson(pace))
    adds = effect * min(1.0, mood * 1.2) if effect >= 0 else effect * _QUIETENED * pace
    quiet, moved = rng.random() < -effect * _QUIETENED, rng.random() < adds
    return adds, anyway, 0 if effect < 0 and quiet else anyway + (1 if effect > 0 and moved else 0)


def lived_again(
    session: Session, truth: Truth, campaign: Campaign, member_ids: Sequence[str], *, times: int, days: int = 14, seed: int = 1
) -> Iterator[pd.DataFrame]:
    """The days after a campaign once more, so many times, nothing written: a member a row, with `true` and orders `without` and `with_it`."""
    assert campaign.sent_on is not None
    number = {member_id: len(orders) for member_id, orders in _past(session, campaign.sent_on).items()}
    for n in range(times):
        rng = np.random.default_rng([seed, n])
        rows = [_either_way(rng, truth, m, number.get(m, 0), campaign.sent_on, days) if number.get(m) else (0.0, 0, 0) for m in member_ids]
        yield pd.DataFrame(rows, columns=["true", "without", "with_it"], index=list(member_ids))


def _past(session: Session, on: date) -> dict[str, list[list[OrderLine]]]:
    """What each member ordered in the year before, order by order."""
    since = datetime.combine(on - timedelta(days=_PACE_DAYS), time.min)
    query = select(Order.member_id, OrderLine).join(OrderLine, col(OrderLine.order_id) == Order.id)
    taken = query.where(
        col(Order.ordered_at) >= since, col(Order.ordered_at) <= datetime.combine(on, time.max), Order.status != "cancelled", OrderLine.kind == "product"
    )
    by_order: dict[tuple[str, str], list[OrderLine]] = defaultdict(list)
    for member_id, line in session.exec(taken.order_by(col(OrderLine.order_id), col(OrderLine.position))):
        by_order[str(member_id), line.order_id].append(line)
    found: dict[str, list[list[OrderLine]]] = defaultdict(list)
    for (member_id, _), lines in by_order.items():
        found[member_id].append(lines)
    return found


def _order(session: Session, order_id: str, member_id: str, on: date, like: list[OrderLine], coupon: Coupon | None, rng: Any) -> None:
    value = sum(line.quantity * line.unit_price_cents for line in like)
    usable = coupon if coupon and value >= coupon.minimum_cents and coupon.used_order_id is None else None
    off = 0 if usable is None else min(value, usable.value) if usable.kind == "amount" else value * usable.value // 100
    at = datetime.combine(on, time(int(rng.integers(8, 22)), int(rng.integers(60))))
    session.add(
        Order(
            id=order_id,
            member_id=member_id,
            status="pending",
            ordered_at=at,
            total_cents=value - off,
            discount_cents=off,
            coupon_code=usable.code if usable else "",
        )
    )
    session.flush()
    for line in like:
        copied = line.model_dump(include={"position", "product_id", "variant_id", "kind", "description", "quantity", "unit_price_cents"})
        session.add(OrderLine(order_id=order_id, **copied))
    session.add(Payment(order_id=order_id, kind="payment", amount_cents=value - off, booked_on=on, key="payment"))
    if usable is not None:
        usable.used_order_id = order_id
        session.add(usable)
