"""What may members learn and do about their orders?

Lists, one order's whereabouts, and cancelling. The rules stand in
members/orders; a write first shows what it would do.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from members import orders, payments, timeline
from members.access import Role
from members.errors import NotFound
from members.tables import Order, OrderLine, Product
from tools.bench import Bench, Record, money
from tools.gateway import OrderId, tool

Status = Literal["pending", "processed", "shipped", "delivered", "cancelled", "return_requested", "exchange_requested", "returned"]


class Line(Record):
    """One article of an order."""

    product_id: str
    name_en: str
    name_zh: str
    quantity: int
    price: str
    returned: int


class OrderBrief(Record):
    """An order in a list."""

    order_id: str
    status: str
    ordered_on: date | None
    delivered_on: date | None
    total: str
    articles: list[Line]
    more_articles: int


class MyOrders(Record):
    """Orders, newest first; `total_found` may be more than are listed."""

    currency: str
    as_of: date
    total_found: int
    orders: list[OrderBrief]
    asked: dict[str, str | None]


class Event(Record):
    """Something that happened to an order, and whether a colleague did it."""

    on: date
    kind: str
    by_staff: bool


class OrderDetail(Record):
    """One order: what, where it is, what was paid."""

    order_id: str
    status: str
    currency: str
    as_of: date
    ordered_on: date | None
    promised_on: date | None
    shipped_on: date | None
    delivered_on: date | None
    cancelled_on: date | None
    days_late: int | None
    tracking: list[str]
    ship_to: str
    total: str
    discount: str
    shipping: str
    paid_with: str
    refunded: str
    refund_to: str
    refund_on: date | None
    can_cancel: bool
    items_changed: bool
    events: list[Event]
    articles: list[Line]
    more_articles: int


class CancelledOrder(Record):
    """What cancelling does, or did."""

    order_id: str
    currency: str
    refund: str
    refund_to: str
    refund_days: list[int]
    points_taken_back: int
    points_given_back: int
    taken_off_refund_for_spent_points: str | None
    reason: str
    ordered_on: date | None
    articles: list[Line]
    more_articles: int
    points_balance: int | None = None


@tool(Role.MEMBER)
def my_orders(
    bench: Bench,
    status: Annotated[Status | None, Field(description="only orders in this state")] = None,
    product: Annotated[str | None, Field(description="words of an article the order contains", max_length=120)] = None,
    since: Annotated[date | None, Field(description="ordered on or after this day, ISO")] = None,
    until: Annotated[date | None, Field(description="ordered on or before this day, ISO")] = None,
    limit: Annotated[int, Field(ge=1, le=10)] = 5,
) -> MyOrders:
    """The member's own orders, newest first, by state, time or an article they contain."""
    return list_orders(bench, bench.me, status=status, product=product, since=since, until=until, limit=limit)


@tool(Role.MEMBER)
def order_status(bench: Bench, order_id: Annotated[OrderId | None, Field(description="leave out for the latest order")] = None) -> OrderDetail:
    """Where one of the member's own orders is: state, dates, tracking, what was paid and refunded."""
    return order_detail(bench, bench.me, order_id)


def preview_cancel(bench: Bench, order_id: OrderId, reason: str = "changed_mind") -> CancelledOrder:
    """What cancelling would do; refuses where the rules do."""
    plan = orders.plan_cancel(bench.session, bench.me, order_id, on=bench.today, rules=bench.rules)
    return _cancelled(bench, plan, reason, None)


@tool(Role.MEMBER, preview=preview_cancel, staff=True)
def cancel_order(
    bench: Bench,
    order_id: OrderId,
    reason: Annotated[Literal["changed_mind", "ordered_by_mistake"], Field(description="why, as the member said")] = "changed_mind",
) -> CancelledOrder:
    """Cancel one of the member's own orders that has not been shipped; money and points go back. Waits for the member's yes."""
    done, balance = orders.cancel(bench.session, bench.me, order_id, reason, on=bench.today, key=bench.key, rules=bench.rules, actor=bench.actor)
    return _cancelled(bench, done, reason, balance)


def _cancelled(bench: Bench, plan: orders.CancelPlan, reason: str, balance: int | None) -> CancelledOrder:
    order = orders.get(bench.session, bench.me, plan.order_id)
    short = plan.points_short * 100 // bench.rules.redemption.points_per_unit
    articles, more = _articles(bench, order.id)
    return CancelledOrder(
        order_id=plan.order_id,
        currency=bench.rules.currency,
        refund=money(plan.refund_cents),
        refund_to=plan.refund_to,
        refund_days=list(plan.days),
        points_taken_back=plan.points_back,
        points_given_back=plan.points_returned,
        taken_off_refund_for_spent_points=money(short) if short else None,
        reason=reason,
        ordered_on=order.ordered_at.date() if order.ordered_at else None,
        articles=articles,
        more_articles=more,
        points_balance=balance,
    )


def list_orders(bench: Bench, member_id: str, *, status: str | None, product: str | None, since: date | None, until: date | None, limit: int) -> MyOrders:
    """Orders of one member, for the member's own list and for support."""
    wanted = _products_meant(bench, product) if product else []
    found, total = orders.find(bench.session, member_id, status=status, since=since, until=until, product_ids=wanted, words=product or "", limit=limit)
    asked = {k: str(v) if v else None for k, v in (("status", status), ("product", product), ("since", since), ("until", until))}
    return MyOrders(currency=bench.rules.currency, as_of=bench.today, total_found=total, orders=[_brief(bench, order) for order in found], asked=asked)


# A product is meant when its words say so clearly; a mere neighbour in meaning is not.
_MEANT_BM25 = 4.0


def _products_meant(bench: Bench, words: str) -> list[str]:
    hits = bench.means.search(words, kind="products", limit=8)
    best = max((hit.bm25 for hit in hits), default=0.0)
    return [hit.entry.id for hit in hits if hit.bm25 >= max(_MEANT_BM25, best * 0.75)]


def order_detail(bench: Bench, member_id: str, order_id: str | None) -> OrderDetail:
    """One order of one member; the latest where no id is given."""
    order = orders.get(bench.session, member_id, order_id) if order_id else _latest(bench, member_id)
    paid = payments.of(bench.session, order.id)
    refunds = [p for p in paid if p.kind == "refund"]
    articles, more = _articles(bench, order.id)
    day = order.delivered_on or bench.today
    late = (day - order.promised_on).days if order.promised_on and order.status in ("pending", "processed", "shipped", "delivered") else 0
    return OrderDetail(
        order_id=order.id,
        status=order.status,
        currency=bench.rules.currency,
        as_of=bench.today,
        ordered_on=order.ordered_at.date() if order.ordered_at else None,
        promised_on=order.promised_on,
        shipped_on=order.shipped_on,
        delivered_on=order.delivered_on,
        cancelled_on=order.cancelled_on,
        days_late=late if late > 0 else None,
        tracking=order.tracking,
        ship_to=", ".join(str(order.ship_to[k]) for k in ("line1", "city", "country") if order.ship_to.get(k)),
        total=money(order.total_cents),
        discount=money(order.discount_cents),
        shipping=money(order.shipping_cents),
        paid_with=next((p.method_label for p in paid if p.kind == "payment"), ""),
        refunded=money(sum(p.amount_cents for p in refunds)),
        refund_to=refunds[-1].method_label if refunds else "",
        refund_on=refunds[-1].booked_on if refunds else None,
        can_cancel=order.status == orders.OPEN and not order.items_changed,
        items_changed=order.items_changed,
        events=[Event(on=e.happened_on, kind=e.kind, by_staff=e.by_role != "member") for e in timeline.of(bench.session, order.id)][-6:],
        articles=articles,
        more_articles=more,
    )


def _latest(bench: Bench, member_id: str) -> Order:
    found, _ = orders.find(bench.session, member_id, limit=1)
    if not found:
        raise NotFound("There is no order on this account yet.", instead="search_products")
    return found[0]


def _brief(bench: Bench, order: Order) -> OrderBrief:
    articles, more = _articles(bench, order.id)
    return OrderBrief(
        order_id=order.id,
        status=order.status,
        ordered_on=order.ordered_at.date() if order.ordered_at else None,
        delivered_on=order.delivered_on,
        total=money(order.total_cents),
        articles=articles,
        more_articles=more,
    )


def _articles(bench: Bench, order_id: str, shown: int = 6) -> tuple[list[Line], int]:
    """The first articles of an order, and how many more there are."""
    goods = [line for line in orders.lines(bench.session, order_id) if line.kind == "product"]
    return [line_of(bench, line) for line in goods[:shown]], max(0, len(goods) - shown)


def line_of(bench: Bench, line: OrderLine) -> Line:
    """A line of an order as records show it."""
    product = bench.session.get(Product, line.product_id)
    english = (product.name_en if product else "") or line.description
    chinese = (product.name_zh if product else "") or english
    return Line(
        product_id=line.product_id, name_en=english, name_zh=chinese, quantity=line.quantity, price=money(line.unit_price_cents), returned=line.returned
    )
