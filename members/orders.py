"""What did they order, and may it be called off?

Finds orders of one owner and cancels the unshipped ones. Ownership stands in
every WHERE: a foreign order and a missing one read the same. Rules are checked
by a plan that changes nothing, then applied by the same plan. Other changes to
an unshipped order are in changes.py, what comes back after delivery in returns.py.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, case, col, func, or_, select, update
from sqlmodel.sql.expression import SelectOfScalar

from members import ledger, payments, program, timeline
from members.access import Actor
from members.errors import NotFound, RuleBroken
from members.program import Program, Tier
from members.replay import histories
from members.tables import Coupon, Member, Order, OrderLine, Payment, PaymentMethod, Product, TierChange, Variant

OPEN = "pending"
BY_MEMBER = Actor()
# The policy passage that says what may be done to an order that has not left yet.
_PASSAGES = {
    "cancel": "payment.when-you-are-charged",
    "address": "shipping.changing-the-address",
    "payment": "payment.changing-how-you-pay",
    "items": "shipping.changing-what-is-in-an-order",
    "coupon": "coupons.where-to-enter-a-coupon",
    "points": "points.what-points-are-worth",
}


def usual_cents(session: Session) -> float | None:
    """What an order comes to on average, in minor units, those called off left aside; None where there is none."""
    found = session.exec(select(func.avg(Order.total_cents)).where(Order.status != "cancelled")).one()
    return None if found is None else float(found)


def get(session: Session, member_id: str, order_id: str) -> Order:
    """One order of this member's. Raises NotFound for any other id."""
    query = select(Order).where(col(Order.id).in_(_spellings(order_id)), Order.member_id == member_id)
    order = session.exec(query).first()
    if order is None:
        raise NotFound(f"There is no order {order_id.strip()[:40]} on this account.", instead="my_orders")
    return order


def lines(session: Session, order_id: str) -> list[OrderLine]:
    """The lines of an order, in order."""
    return list(session.exec(select(OrderLine).where(OrderLine.order_id == order_id).order_by(col(OrderLine.position))))


def find(
    session: Session,
    member_id: str,
    *,
    status: str | None = None,
    since: date | None = None,
    until: date | None = None,
    product_ids: list[str] | None = None,
    words: str = "",
    limit: int = 5,
    skip: int = 0,
) -> tuple[list[Order], int]:
    """Orders of a member, newest first, with how many match in all.

    `words` are looked for in line descriptions and product names; `product_ids`
    (from a search) widen them.
    """
    query = select(Order).where(Order.member_id == member_id)
    if status:
        query = query.where(Order.status == status)
    if since:
        query = query.where(col(Order.ordered_at) >= datetime.combine(since, time.min))
    if until:
        query = query.where(col(Order.ordered_at) < datetime.combine(until + timedelta(days=1), time.min))
    if words.strip() or product_ids:
        query = query.where(col(Order.id).in_(_containing(words.strip(), product_ids or [])))
    found = list(session.exec(query.order_by(col(Order.ordered_at).desc().nulls_last(), col(Order.id).desc())))
    return found[skip : skip + limit], len(found)


def must_be_open(order: Order, doing: str) -> None:
    """Raise RuleBroken unless the order may still be changed: not shipped, and its articles not changed before.

    `doing` is what was wanted: cancel, address, payment, items, coupon or points.
    """
    if order.status == OPEN and not order.items_changed:
        return
    told: dict[str, Any] = {"order_id": order.id, "state": order.status, "doing": doing}
    if order.status == OPEN:
        fact = f"The articles of order {order.id} were changed once; after that an order is final."
        raise RuleBroken(fact, rule="changed_before", instead="return_when_there", passage="shipping.changing-what-is-in-an-order", **told)
    if order.status == "cancelled":
        raise RuleBroken(f"Order {order.id} is already cancelled.", rule="already_cancelled", passage=_PASSAGES[doing], on=order.cancelled_on, **told)
    instead = "return_when_there" if order.status in ("processed", "shipped") else "return_or_exchange" if order.status == "delivered" else "talk_to_person"
    fact = f"Order {order.id} can no longer be changed: it is {order.status.replace('_', ' ')}."
    raise RuleBroken(
        fact,
        rule="not_pending",
        instead=instead,
        passage=_PASSAGES[doing],
        on={"delivered": order.delivered_on, "shipped": order.shipped_on}.get(order.status),
        **told,
    )


@dataclass(frozen=True)
class CancelPlan:
    """What cancelling would do, worked out before anything is done."""

    order_id: str
    total_cents: int
    refund_cents: int
    refund_to: str
    points_back: int
    points_short: int
    points_returned: int
    days: tuple[int, int]


def plan_cancel(session: Session, member_id: str, order_id: str, *, on: date, rules: Program) -> CancelPlan:
    """What cancelling this order would do. Raises NotFound or RuleBroken when it may not be."""
    order = get(session, member_id, order_id)
    must_be_open(order, "cancel")
    return _plan(session, order, payments.of(session, order.id), ledger.undoing(session, order.id, member_id, on=on), rules)


def cancel(
    session: Session, member_id: str, order_id: str, reason: str, *, on: date, key: str, rules: Program, actor: Actor = BY_MEMBER
) -> tuple[CancelPlan, int]:
    """Cancel an unshipped order in the caller's transaction; returns what was done and the new balance.

    Refunds the payment, takes back earned points, gives back used ones with
    their old expiry, restocks, frees the coupon and works the tier out anew.
    What is done is the plan of this moment, whoever booked since it was shown.
    """
    order = get(session, member_id, order_id)
    # Two cancellations of one order: the second finds no pending row to change.
    changed = update(Order).where(col(Order.id) == order.id, col(Order.status) == OPEN, col(Order.items_changed).is_(False))
    if session.exec(changed.values(status="cancelled", cancelled_on=on, cancel_reason=reason)).rowcount != 1:
        must_be_open(session.get_one(Order, order.id, populate_existing=True), "cancel")
    paid = payments.of(session, order.id)
    done = _plan(session, order, paid, ledger.undo(session, order.id, member_id, on=on, key=key), rules)
    payments.give_back(session, order.id, done.refund_cents, on=on, key=key)
    session.exec(update(Coupon).where(col(Coupon.used_order_id) == order.id).values(used_order_id=None))
    for line in lines(session, order.id):
        restock(session, line.variant_id, line.quantity)
    refresh_tier(session, member_id, on=on, rules=rules)
    timeline.note(session, order, "cancelled", on=on, actor=actor, reason=reason, refund_cents=done.refund_cents, points=-done.points_back)
    return done, session.get_one(Member, member_id, populate_existing=True).points


def net_cents(order: Order, goods: list[OrderLine], cents: int) -> int:
    """What was really paid for goods of that price: less their share of the order's discount."""
    value = sum(line.quantity * line.unit_price_cents for line in goods if line.kind == "product")
    return cents - cents * order.discount_cents // value if order.discount_cents and value > 0 else cents


@dataclass(frozen=True)
class Basis:
    """What an order's points are worked out from: kept goods by category in cents after discounts, and the tier of its day."""

    lines: list[tuple[str, int]]
    tier: Tier


def points_basis(session: Session, order: Order, rules: Program) -> Basis:
    """What an order earns by: what is kept of it, at the tier held before its day."""
    assert order.member_id is not None and order.ordered_at is not None
    goods = [line for line in lines(session, order.id) if line.kind == "product"]
    category = dict(session.exec(select(Product.id, Product.category).where(col(Product.id).in_({g.product_id for g in goods}))).all())
    kept = [(category.get(g.product_id, ""), net_cents(order, goods, (g.quantity - g.returned) * g.unit_price_cents)) for g in goods]
    return Basis(kept, _tier_before(session, order.member_id, order.ordered_at.date(), rules))


def points_due(session: Session, order: Order, rules: Program) -> int:
    """Points the order should have earned by what is kept of it."""
    if order.member_id is None or order.ordered_at is None:
        return 0
    basis = points_basis(session, order, rules)
    return program.points_for(basis.lines, basis.tier, rules.on(order.ordered_at.date()))


def settle_points(session: Session, order: Order, *, on: date, key: str, rules: Program) -> int:
    """Bring the order's points to what is kept of it; returns the points that were no longer there.

    An order that never earned any (a world without dates) is left alone.
    """
    if order.member_id is None or not ledger.earned_by(session, order.id, order.member_id):
        return 0
    return ledger.settle_order(session, order.id, order.member_id, points_due(session, order, rules), on=on, key=f"{key}-settle", rules=rules)


def restock(session: Session, variant_id: str, quantity: int) -> None:
    """Put counted goods back on the shelf; what was sold out can be bought again."""
    stock = col(Variant.stock)
    again = case((and_(stock <= 0, stock + quantity > 0), True), else_=col(Variant.available))
    counted = update(Variant).where(col(Variant.id) == variant_id, stock.is_not(None))
    session.exec(counted.values(stock=stock + quantity, available=again))


def take_from_stock(session: Session, variant_id: str, quantity: int) -> None:
    """Take goods from the shelf. Raises RuleBroken when there are not so many."""
    stock = col(Variant.stock)
    there = update(Variant).where(col(Variant.id) == variant_id, col(Variant.available), or_(stock.is_(None), stock >= quantity))
    if session.exec(there.values(stock=stock - quantity)).rowcount != 1:
        raise RuleBroken("That variant is sold out.", rule="sold_out", instead="another_variant", passage="products-and-stock.sold-out-and-pre-orders")


def refresh_tier(session: Session, member_id: str, *, on: date, rules: Program) -> None:
    """Set the member's tier to what the history now gives; a change is written down."""
    member = session.get_one(Member, member_id)
    past = histories(session, [member_id]).get(member_id)
    tier = program.standing(past.up_to(on).spends() if past else [], rules, on=on).tier.key
    if member.tier and tier != member.tier:
        same_day = select(TierChange).where(TierChange.member_id == member_id, TierChange.changed_on == on, TierChange.tier == tier)
        if session.exec(same_day).first() is None:
            session.add(TierChange(member_id=member_id, previous=member.tier, tier=tier, changed_on=on, reason="order_undone"))
        session.exec(update(Member).where(col(Member.id) == member_id).values(tier=tier, tier_since=on))


# --- inside -----------------------------------------------------------------------------


def _plan(session: Session, order: Order, paid: list[Payment], undoing: ledger.Undoing, rules: Program) -> CancelPlan:
    """The one calculation behind what is shown and what is done."""
    held = payments.net(paid)
    labels = {payment.method_id: payment.method_label for payment in paid}
    gifts = set(session.exec(select(PaymentMethod.id).where(col(PaymentMethod.id).in_(held), PaymentMethod.kind == payments.GIFT_CARD)))
    at_once = bool(held) and all(method_id in gifts or "gift" in labels[method_id].lower() for method_id in held)
    return CancelPlan(
        order_id=order.id,
        total_cents=order.total_cents,
        refund_cents=max(0, (sum(held.values()) or order.total_cents) - program.worth_cents(undoing.short, rules)),
        refund_to=", ".join(dict.fromkeys(labels[method_id] for method_id in held)),
        points_back=undoing.earned - undoing.short,
        points_short=undoing.short,
        points_returned=undoing.returned,
        days=(0, 0) if at_once else rules.service.refund_working_days,
    )


def _tier_before(session: Session, member_id: str, day: date, rules: Program) -> Tier:
    """The tier held before a day: an order that lifts a member earns at the old rate."""
    earlier = select(TierChange.tier).where(TierChange.member_id == member_id, TierChange.changed_on < day)
    held = session.exec(earlier.order_by(col(TierChange.changed_on).desc(), col(TierChange.id).desc())).first()
    return rules.on(day).tier(held or "")


def _spellings(order_id: str) -> list[str]:
    bare = order_id.strip().lstrip("#").strip()
    # The figures alone are how people name an order.
    return sorted({bare, bare.upper(), f"#{bare}", f"#{bare.upper()}", f"O-{bare}", f"#W{bare}"})


def _containing(words: str, product_ids: list[str]) -> SelectOfScalar[str]:
    """Ids of orders with a line that names the words or one of the products."""
    query = select(OrderLine.order_id).join(Product, col(Product.id) == OrderLine.product_id, isouter=True)
    tests: list[ColumnElement[bool]] = [col(OrderLine.product_id).in_(product_ids)] if product_ids else []
    if words:
        tests += [col(text).icontains(words, autoescape=True) for text in (OrderLine.description, Product.name_en, Product.name_zh)]
    return query.where(or_(*tests))
