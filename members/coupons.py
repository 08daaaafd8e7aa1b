"""What can be taken off, by which coupon or points?

Coupons and vouchers of one member: their conditions, what each would save on a
basket, and using one, or points, on an order that has not left. One coupon an
order; the tier discount comes first, then the coupon, then points.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlmodel import Session, col, or_, select, update

from members import changes, ledger, orders, payments, program, timeline
from members.access import Actor
from members.errors import NotFound, RuleBroken
from members.orders import BY_MEMBER
from members.program import Program
from members.tables import Campaign, CampaignMember, Coupon, Member, Order, Product

# A basket is what its goods cost by category, after the tier discount.
Basket = Sequence[tuple[str, int]]


def mine(session: Session, member_id: str) -> list[Coupon]:
    """A member's coupons and those for everybody, the soonest to end first; personal ones end with the membership."""
    shared = col(Coupon.member_id).is_(None)
    left = session.exec(select(Member.id).where(Member.id == member_id, col(Member.left_on).is_not(None))).first() is not None
    owned = shared if left else or_(Coupon.member_id == member_id, shared)
    return list(session.exec(select(Coupon).where(owned).order_by(col(Coupon.ends_on).nulls_last(), Coupon.code)))


def state(coupon: Coupon, on: date) -> str:
    """`usable`, `used`, `expired` or `not_yet`."""
    if coupon.used_order_id:
        return "used"
    if coupon.ends_on and coupon.ends_on < on:
        return "expired"
    return "not_yet" if coupon.starts_on and coupon.starts_on > on else "usable"


def find(session: Session, member_id: str, code: str) -> Coupon:
    """A coupon the member may use, by its code in any case. Raises NotFound; somebody else's reads the same."""
    wanted = code.strip().upper()
    found = next((c for c in mine(session, member_id) if c.code.upper() == wanted), None)
    if found is None:
        raise NotFound(
            f"There is no coupon {wanted[:30]} on this account.",
            rule="no_such_coupon",
            instead="my_coupons",
            passage="coupons.cancelled-orders-and-lost-coupons",
        )
    return found


def saving_cents(coupon: Coupon, basket: Basket, *, on: date) -> int:
    """What a coupon takes off a basket. Raises RuleBroken with the condition that is not met."""
    known = state(coupon, on)
    told: dict[str, Any] = {"code": coupon.code}
    if known != "usable":
        fact = {"used": "was used before", "expired": "has expired", "not_yet": "is not valid yet"}[known]
        day = coupon.ends_on if known == "expired" else coupon.starts_on
        raise RuleBroken(f"Coupon {coupon.code} {fact}.", rule=f"coupon_{known}", passage="coupons.when-coupons-expire", instead="my_coupons", on=day, **told)
    fits = [cents for category, cents in basket if category != payments.GIFT_CARDS and (not coupon.category or category == coupon.category)]
    value = sum(cents for category, cents in basket)
    if value < coupon.minimum_cents:
        raise RuleBroken(
            f"Coupon {coupon.code} needs a basket of at least {coupon.minimum_cents / 100:.2f}.",
            rule="coupon_minimum",
            passage="coupons.minimum-basket",
            instead="my_coupons",
            minimum_cents=coupon.minimum_cents,
            basket_cents=value,
            **told,
        )
    if not fits:
        fact = f"Coupon {coupon.code} is not valid for these products."
        raise RuleBroken(
            fact, rule="coupon_category", passage="coupons.what-coupons-cannot-be-used-for", instead="my_coupons", category=coupon.category, **told
        )
    return min(sum(fits), coupon.value) if coupon.kind == "amount" else sum(fits) * coupon.value // 100


@dataclass(frozen=True)
class Saving:
    """What one coupon would do for a basket: what it saves, or the rule that stands in its way."""

    coupon: Coupon
    cents: int
    obstacle: RuleBroken | None = None


def savings(session: Session, member_id: str, basket: Basket, *, on: date) -> list[Saving]:
    """Every coupon not used up, the one that saves most first."""
    found: list[Saving] = []
    for coupon in mine(session, member_id):
        if state(coupon, on) in ("used", "expired"):
            continue
        try:
            found.append(Saving(coupon, saving_cents(coupon, basket, on=on)))
        except RuleBroken as obstacle:
            found.append(Saving(coupon, 0, obstacle))
    return sorted(found, key=lambda saving: (-saving.cents, saving.coupon.ends_on or date.max, saving.coupon.code))


def basket_of(session: Session, order: Order) -> list[tuple[str, int]]:
    """What an order's goods cost by category, after its other discounts and before points, which always come last."""
    goods = [line for line in orders.lines(session, order.id) if line.kind == "product"]
    category = dict(session.exec(select(Product.id, Product.category).where(col(Product.id).in_({g.product_id for g in goods}))).all())
    price = sum(g.quantity * g.unit_price_cents for g in goods)
    paid = price - max(0, order.discount_cents - _points_worth(session, order))
    basket: list[tuple[str, int]] = []
    for line in goods:
        value = line.quantity * line.unit_price_cents
        share = paid * value // price if price > 0 else 0
        basket.append((category.get(line.product_id, ""), share))
        price, paid = price - value, paid - share
    return basket


def _points_worth(session: Session, order: Order) -> int:
    """What the points used on an order have paid of it, as its timeline tells."""
    return sum(event.details["saved_cents"] for event in timeline.of(session, order.id) if event.kind == "points_used")


@dataclass(frozen=True)
class Taken:
    """What comes off an order that was paid already: it goes back to what paid for it."""

    order_id: str
    cents: int
    refund_to: str
    total_cents: int
    points: int = 0


def plan_apply(session: Session, member_id: str, order_id: str, code: str, *, on: date) -> Taken:
    """What using a coupon on an unshipped order would save. Raises NotFound or RuleBroken."""
    order = orders.get(session, member_id, order_id)
    orders.must_be_open(order, "coupon")
    coupon = find(session, member_id, code)
    if order.coupon_code:
        fact = f"Order {order.id} has coupon {order.coupon_code} already; there is one coupon an order."
        raise RuleBroken(fact, rule="one_coupon", passage="coupons.combining-coupons", instead="my_coupons", order_id=order.id, code=order.coupon_code)
    if _points_worth(session, order):
        # Points come last, for a part of what the coupon leaves: that part was measured without it.
        fact = f"Points were used on order {order.id} already; a coupon comes before them."
        raise RuleBroken(fact, rule="points_used_before", passage="coupons.combining-coupons", instead="next_order", order_id=order.id, code=coupon.code)
    return _taken(session, order, saving_cents(coupon, basket_of(session, order), on=on))


def apply(session: Session, member_id: str, order_id: str, code: str, *, on: date, key: str, rules: Program, actor: Actor = BY_MEMBER) -> Taken:
    """Use a coupon on an unshipped order: what it saves goes back to what paid."""
    order = changes.locked(session, member_id, order_id, "coupon")
    done = plan_apply(session, member_id, order.id, code, on=on)
    coupon = find(session, member_id, code)
    # Two uses of one coupon: the second finds it used.
    claimed = update(Coupon).where(col(Coupon.code) == coupon.code, col(Coupon.used_order_id).is_(None))
    if session.exec(claimed.values(used_order_id=done.order_id)).rowcount != 1:
        raise RuleBroken(f"Coupon {coupon.code} was used before.", rule="coupon_used", passage="coupons.when-coupons-expire", code=coupon.code)
    order.coupon_code = coupon.code
    _take_off(session, order, done, on=on, key=key, rules=rules)
    timeline.note(session, order, "coupon_applied", on=on, actor=actor, code=coupon.code, saved_cents=done.cents)
    return done


def campaigns_of(session: Session, member_id: str, *, on: date, days: int) -> list[Campaign]:
    """Campaigns that were sent to a member of late, the newest first; a holdout was sent nothing."""
    since = on - timedelta(days=days)
    query = select(Campaign).join(CampaignMember, col(CampaignMember.campaign_id) == Campaign.id)
    mine = query.where(CampaignMember.member_id == member_id, CampaignMember.arm != "holdout", col(Campaign.sent_on) >= since, col(Campaign.sent_on) <= on)
    return list(session.exec(mine.order_by(col(Campaign.sent_on).desc(), Campaign.id)))


# --- points into money ------------------------------------------------------------------


def plan_voucher(session: Session, member_id: str, points: int, *, on: date, rules: Program) -> tuple[int, date]:
    """What a voucher for so many points is worth and until when. Raises RuleBroken when they cannot be used."""
    must_be_redeemable(session, member_id, points, on=on, rules=rules)
    return program.worth_cents(points, rules), on + timedelta(days=rules.service.voucher_days)


def voucher(session: Session, member_id: str, points: int, *, on: date, key: str, rules: Program) -> Coupon:
    """Turn points into a voucher of the member's own."""
    worth, ends = plan_voucher(session, member_id, points, on=on, rules=rules)
    fresh = ledger.redeem(session, member_id, points, on=on, key=key, rules=rules)
    # The name comes from the key: the same act has the same voucher.
    code = f"V-{hashlib.sha256(key.encode()).hexdigest()[:8].upper()}"
    if not fresh:
        return find(session, member_id, code)
    made = Coupon(code=code, member_id=member_id, kind="amount", value=worth, starts_on=on, ends_on=ends)
    session.add(made)
    session.flush()
    return made


def plan_points(session: Session, member_id: str, order_id: str, points: int, *, on: date, rules: Program) -> Taken:
    """What using points on an unshipped order would save. Raises NotFound or RuleBroken."""
    order = orders.get(session, member_id, order_id)
    orders.must_be_open(order, "points")
    must_be_redeemable(session, member_id, points, on=on, rules=rules)
    worth = program.worth_cents(points, rules)
    able = most_points(session, order, rules=rules)
    if points > able:
        raise RuleBroken(
            f"Points may pay for a part of the basket only: up to {able} points on order {order.id}.",
            rule="points_share",
            passage="points.what-points-are-worth",
            instead="fewer_points",
            order_id=order.id,
            most_points=able,
        )
    taken = _taken(session, order, worth)
    return Taken(taken.order_id, taken.cents, taken.refund_to, taken.total_cents, points)


def most_points(session: Session, order: Order, *, rules: Program) -> int:
    """Points that may still pay for an order: a part of its goods without gift cards, less what points have paid already."""
    basket = sum(cents for category, cents in basket_of(session, order) if category != payments.GIFT_CARDS)
    most = max(0, int(basket * rules.redemption.basket_share) - _points_worth(session, order))
    return most * rules.redemption.points_per_unit // 100 // rules.redemption.step * rules.redemption.step


def use_points(session: Session, member_id: str, order_id: str, points: int, *, on: date, key: str, rules: Program, actor: Actor = BY_MEMBER) -> Taken:
    """Pay a part of an unshipped order with points: their worth goes back to what paid."""
    order = changes.locked(session, member_id, order_id, "points")
    done = plan_points(session, member_id, order.id, points, on=on, rules=rules)
    if not ledger.redeem(session, member_id, points, on=on, key=key, rules=rules, order_id=order.id):
        # The same key is the same act: its money went back before.
        return done
    _take_off(session, order, done, on=on, key=key, rules=rules)
    timeline.note(session, order, "points_used", on=on, actor=actor, points=points, saved_cents=done.cents)
    return done


def must_be_redeemable(session: Session, member_id: str, points: int, *, on: date, rules: Program) -> None:
    """Raise RuleBroken when so many points cannot be used."""
    rule, there = rules.redemption, ledger.balance(session, member_id, as_of=on)
    usable = there // rule.step * rule.step
    told: dict[str, Any] = {"points": points, "balance": there, "usable": usable, "minimum": rule.minimum, "step": rule.step}
    if points < rule.minimum or points % rule.step:
        fact = f"Points are used from {rule.minimum} upwards, in steps of {rule.step}."
        raise RuleBroken(fact, rule="points_step", passage="points.what-points-are-worth", instead="fewer_points", **told)
    if points > there:
        fact = f"There are {there} points on the account."
        raise RuleBroken(fact, rule="too_few_points", passage="points.what-points-are-worth", instead="fewer_points", **told)


# --- inside -----------------------------------------------------------------------------


def _taken(session: Session, order: Order, cents: int) -> Taken:
    held = payments.held(payments.of(session, order.id))
    if sum(one.cents for one in held) < cents:
        fact = f"Order {order.id} is not paid yet, so nothing can come back from it."
        raise RuleBroken(fact, rule="not_paid", instead="talk_to_person", passage="payment.when-a-payment-fails", order_id=order.id)
    return Taken(order.id, cents, ", ".join(dict.fromkeys(one.label for one in held)), order.total_cents - cents)


def _take_off(session: Session, order: Order, done: Taken, *, on: date, key: str, rules: Program) -> None:
    order.discount_cents += done.cents
    order.total_cents -= done.cents
    session.add(order)
    session.flush()
    payments.give_back(session, order.id, done.cents, on=on, key=key)
    assert order.member_id is not None
    orders.settle_points(session, order, on=on, key=key, rules=rules)
    orders.refresh_tier(session, order.member_id, on=on, rules=rules)
