"""What did they order, and what may still happen to it?

Finds orders of one owner and cancels the unshipped ones. Ownership stands in
every WHERE: a foreign order and a missing one read the same. Rules are checked
by a plan that changes nothing, then applied by the same plan.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, case, col, or_, select, update
from sqlmodel.sql.expression import SelectOfScalar

from members import ledger, program
from members.errors import NotFound, RuleBroken
from members.program import Program
from members.replay import histories
from members.tables import Coupon, Member, Order, OrderLine, Payment, PaymentMethod, Product, TierChange, Variant

CANCELLABLE = "pending"
CANCEL_REASONS = ("changed_mind", "ordered_by_mistake")


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


def payments(session: Session, order_id: str) -> list[Payment]:
    """Money that moved for an order, oldest first."""
    return list(session.exec(select(Payment).where(Payment.order_id == order_id).order_by(col(Payment.id))))


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
    _must_be_pending(order)
    return _plan(order, _paid(session, order.id), ledger.undoing(session, order.id, member_id, on=on), rules)


def cancel(session: Session, member_id: str, order_id: str, reason: str, *, on: date, key: str, rules: Program) -> tuple[CancelPlan, int]:
    """Cancel an unshipped order in the caller's transaction; returns what was done and the new balance.

    Refunds the payment, takes back earned points, gives back used ones with
    their old expiry, restocks, frees the coupon and works the tier out anew.
    What is done is the plan of this moment, whoever booked since it was shown.
    """
    order = get(session, member_id, order_id)
    # Two cancellations of one order: the second finds no pending row to change.
    changed = update(Order).where(col(Order.id) == order.id, col(Order.status) == CANCELLABLE)
    if session.exec(changed.values(status="cancelled", cancelled_on=on, cancel_reason=reason)).rowcount != 1:
        _must_be_pending(session.get_one(Order, order.id, populate_existing=True))
    paid = _paid(session, order.id)
    done = _plan(order, paid, ledger.undo(session, order.id, member_id, on=on, key=key), rules)
    _refund(session, paid, done.refund_cents, on=on, key=key)
    session.exec(update(Coupon).where(col(Coupon.used_order_id) == order.id).values(used_order_id=None))
    _restock(session, order.id)
    refresh_tier(session, member_id, on=on, rules=rules)
    return done, session.get_one(Member, member_id, populate_existing=True).points


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


def _paid(session: Session, order_id: str) -> list[Payment]:
    return [payment for payment in payments(session, order_id) if payment.kind == "payment"]


def _plan(order: Order, paid: list[Payment], undoing: ledger.Undoing, rules: Program) -> CancelPlan:
    """The one calculation behind what is shown and what is done."""
    refund = sum(payment.amount_cents for payment in paid) or order.total_cents
    at_once = bool(paid) and all("gift" in payment.method_label.lower() for payment in paid)
    return CancelPlan(
        order_id=order.id,
        total_cents=order.total_cents,
        refund_cents=max(0, refund - program.worth_cents(undoing.short, rules)),
        refund_to=paid[0].method_label if paid else "",
        points_back=undoing.earned - undoing.short,
        points_short=undoing.short,
        points_returned=undoing.returned,
        days=(0, 0) if at_once else (5, 7),
    )


def _refund(session: Session, paid: list[Payment], cents: int, *, on: date, key: str) -> None:
    """Pay back to each method up to what it paid; a gift card has it at once."""
    for payment in paid:
        part = min(cents, payment.amount_cents)
        back = Payment(order_id=payment.order_id, kind="refund", amount_cents=part, booked_on=on, key=f"{key}:{payment.id}")
        back.method_id, back.method_label = payment.method_id, payment.method_label
        session.add(back)
        card = and_(col(PaymentMethod.id) == payment.method_id, col(PaymentMethod.kind) == "gift_card", col(PaymentMethod.balance_cents).is_not(None))
        session.exec(update(PaymentMethod).where(card).values(balance_cents=col(PaymentMethod.balance_cents) + part))
        cents -= part


def _restock(session: Session, order_id: str) -> None:
    """Put counted goods back on the shelf; what was sold out can be bought again."""
    stock = col(Variant.stock)
    for line in lines(session, order_id):
        again = case((and_(stock <= 0, stock + line.quantity > 0), True), else_=col(Variant.available))
        counted = update(Variant).where(col(Variant.id) == line.variant_id, stock.is_not(None))
        session.exec(counted.values(stock=stock + line.quantity, available=again))


def _must_be_pending(order: Order) -> None:
    if order.status == CANCELLABLE:
        return
    if order.status == "cancelled":
        raise RuleBroken(f"Order {order.id} is already cancelled.", passage="returns", order_id=order.id, state=order.status, on=order.cancelled_on)
    shipped = order.shipped_on
    raise RuleBroken(
        f"Order {order.id} can no longer be cancelled: it is {order.status}.",
        instead="return",
        passage="returns",
        order_id=order.id,
        state=order.status,
        on=order.delivered_on or shipped,
    )


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
