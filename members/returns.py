"""What may come back after delivery, and what happens when it is there?

A return or an exchange is agreed first; money, points, stock and tier move when
the parcel is in, which a colleague or the warehouse says by `receive`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlmodel import Session, col, select, update

from members import changes, ledger, orders, payments, program, timeline
from members.access import Actor
from members.changes import Changed, Part, Pick, Swap
from members.errors import NotFound, RuleBroken
from members.orders import BY_MEMBER
from members.program import Program
from members.tables import Member, Order, Product, ReturnLine, ReturnRequest

REASONS = ("not_wanted", "wrong_size", "not_as_described", "faulty", "wrong_item")
# What the shop did wrong costs the member nothing to send back.
_OUR_FAULT = ("faulty", "wrong_item")


@dataclass(frozen=True)
class ReturnPlan:
    """What a return would bring once the parcel is in."""

    order_id: str
    parts: tuple[Part, ...]
    goods_cents: int
    label_cents: int
    points_back: int
    points_short: int
    points_returned: int
    refund_cents: int
    method_id: str | None
    method_label: str
    days: tuple[int, int]


def plan_return(
    session: Session, member_id: str, order_id: str, picks: Sequence[Pick], method_id: str | None, reason: str, *, on: date, rules: Program
) -> ReturnPlan:
    """What sending these articles back would do. Raises NotFound or RuleBroken when they may not come back."""
    order = orders.get(session, member_id, order_id)
    must_be_returnable(order, "return", on=on, rules=rules)
    parts = _returnable(session, order, changes.picked(session, order, picks))
    return _return_plan(session, order, parts, _refund_to(session, order, method_id), reason, on=on, rules=rules)


def request_return(
    session: Session,
    member_id: str,
    order_id: str,
    picks: Sequence[Pick],
    method_id: str | None,
    reason: str,
    *,
    on: date,
    key: str,
    rules: Program,
    actor: Actor = BY_MEMBER,
) -> ReturnPlan:
    """Agree to a return in the caller's transaction; the refund follows when the parcel is in."""
    order = _claimed(session, member_id, order_id, "return_requested", on=on, rules=rules)
    parts = _returnable(session, order, changes.picked(session, order, picks))
    plan = _return_plan(session, order, parts, _refund_to(session, order, method_id), reason, on=on, rules=rules)
    request = ReturnRequest(id=key, order_id=order.id, member_id=member_id, kind="return", articles=_articles(parts), requested_on=on)
    request.method_id, request.method_label, request.reason, request.label_cents = plan.method_id, plan.method_label, reason, plan.label_cents
    session.add(request)
    timeline.note(session, order, "return_requested", on=on, actor=actor, reason=reason, refund_cents=plan.refund_cents, articles=changes.told(parts))
    return plan


def plan_exchange(session: Session, member_id: str, order_id: str, swaps: Sequence[Swap], method_id: str | None, *, on: date, rules: Program) -> Changed:
    """What exchanging these articles would cost. Raises NotFound or RuleBroken when it may not be."""
    order = orders.get(session, member_id, order_id)
    must_be_returnable(order, "exchange", on=on, rules=rules)
    return changes.planned(session, order, _returnable(session, order, changes.swapped(session, order, swaps)), method_id, rules=rules)


def request_exchange(
    session: Session,
    member_id: str,
    order_id: str,
    swaps: Sequence[Swap],
    method_id: str | None,
    *,
    on: date,
    key: str,
    rules: Program,
    reason: str = "",
    actor: Actor = BY_MEMBER,
) -> Changed:
    """Agree to an exchange; the new variants are set aside now, the difference is settled when the parcel is in."""
    order = _claimed(session, member_id, order_id, "exchange_requested", on=on, rules=rules)
    plan = changes.planned(session, order, _returnable(session, order, changes.swapped(session, order, swaps)), method_id, rules=rules)
    for part in plan.parts:
        assert part.new is not None
        orders.take_from_stock(session, part.new.id, part.quantity)
    card = changes.payer(session, order, method_id)
    request = ReturnRequest(id=key, order_id=order.id, member_id=member_id, kind="exchange", articles=_articles(plan.parts), requested_on=on)
    request.method_id, request.method_label = card.id if card else None, plan.method_label
    request.reason, request.difference_cents = reason, plan.difference_cents
    session.add(request)
    timeline.note(session, order, "exchange_requested", on=on, actor=actor, difference_cents=plan.difference_cents, articles=changes.told(plan.parts))
    return plan


@dataclass(frozen=True)
class Received:
    """What was done when a parcel came in."""

    order_id: str
    kind: str
    refund_cents: int
    charged_cents: int
    method_label: str
    points_taken: int
    points_given: int
    tier: str
    balance: int


def open_request(session: Session, member_id: str, order_id: str) -> ReturnRequest:
    """The return or exchange of an order that waits for its parcel. Raises NotFound."""
    order = orders.get(session, member_id, order_id)
    query = select(ReturnRequest).where(ReturnRequest.order_id == order.id, ReturnRequest.status == "open")
    found = session.exec(query).first()
    if found is None:
        raise NotFound(f"No return or exchange of order {order.id} waits for a parcel.", rule="no_open_return", instead="order_status", order_id=order.id)
    return found


def receive(session: Session, member_id: str, order_id: str, *, on: date, key: str, rules: Program, actor: Actor) -> Received:
    """Book what came in: stock, money, points and tier. Raises NotFound when nothing was expected."""
    request = open_request(session, member_id, order_id)
    closed = update(ReturnRequest).where(col(ReturnRequest.id) == request.id, col(ReturnRequest.status) == "open")
    if session.exec(closed.values(status="done", closed_on=on)).rowcount != 1:
        raise RuleBroken(f"The parcel of order {request.order_id} was booked before.", rule="booked_before", order_id=request.order_id)
    order = session.get_one(Order, request.order_id)
    by_line = {line.id: line for line in orders.lines(session, order.id)}
    parts = [Part(by_line[a["line_id"]], a["quantity"], changes.known_variant(session, a.get("new_variant_id"))) for a in request.articles]
    for part in parts:
        orders.restock(session, part.line.variant_id, part.quantity)
    done = (
        _exchanged(session, order, request, parts, on, key, rules) if request.kind == "exchange" else _returned(session, order, request, parts, on, key, rules)
    )
    orders.refresh_tier(session, member_id, on=on, rules=rules)
    member = session.get_one(Member, member_id, populate_existing=True)
    timeline.note(session, order, f"{request.kind}_received", on=on, actor=actor, refund_cents=done.refund_cents, charged_cents=done.charged_cents)
    return Received(**{**done.__dict__, "tier": member.tier, "balance": member.points})


def must_be_returnable(order: Order, doing: str, *, on: date, rules: Program) -> None:
    """Raise RuleBroken unless the order was delivered, its time limit is not over, and nothing of it is on its way back."""
    told: dict[str, Any] = {"order_id": order.id, "state": order.status, "doing": doing}
    if order.status in ("return_requested", "exchange_requested"):
        fact = f"A {order.status.split('_')[0]} of order {order.id} is under way; another can follow when its parcel is in."
        raise RuleBroken(fact, rule="on_its_way_back", instead="talk_to_person", passage="returns.how-to-send-something-back", **told)
    if order.status != "delivered":
        instead = {"pending": "cancel_or_change", "processed": "when_there", "shipped": "when_there"}.get(order.status, "")
        fact = f"Order {order.id} was not delivered: it is {order.status}."
        raise RuleBroken(fact, rule="not_delivered", instead=instead, passage="returns.time-limits", **told)
    limit = rules.service.return_days
    if limit and order.delivered_on is not None and (on - order.delivered_on).days > limit:
        days = (on - order.delivered_on).days
        fact = f"Order {order.id} arrived {days} days ago; returns and exchanges close after {limit} days."
        raise RuleBroken(
            fact, rule="return_window", instead="warranty_if_faulty", passage="returns.time-limits", on=order.delivered_on, days=days, limit=limit, **told
        )


# --- inside -----------------------------------------------------------------------------


def _claimed(session: Session, member_id: str, order_id: str, status: str, *, on: date, rules: Program) -> Order:
    """The order, moved on by the one statement that two requests cannot both pass."""
    order = orders.get(session, member_id, order_id)
    must_be_returnable(order, status.split("_")[0], on=on, rules=rules)
    moved = update(Order).where(col(Order.id) == order.id, col(Order.status) == "delivered").values(status=status)
    if session.exec(moved).rowcount != 1:
        session.refresh(order)
        must_be_returnable(order, status.split("_")[0], on=on, rules=rules)
    session.refresh(order)
    return order


def _returnable(session: Session, order: Order, parts: list[Part]) -> list[Part]:
    """The parts, when all of them may come back unless faulty. Raises RuleBroken for gift cards."""
    for part in parts:
        product = session.get(Product, part.line.product_id)
        if product is not None and product.category == payments.GIFT_CARDS:
            fact = "Gift cards cannot be returned or exchanged."
            raise RuleBroken(fact, rule="not_returnable", instead="talk_to_person", passage="returns.what-can-be-returned", order_id=order.id)
    return parts


@dataclass(frozen=True)
class _Way:
    """Where a refund goes; without an id each part goes back to where it came from."""

    method_id: str | None
    label: str
    cards: tuple[str | None, ...]


def _refund_to(session: Session, order: Order, method_id: str | None) -> _Way:
    """Where a refund goes: what the order was paid with, or a gift card of the member's."""
    held = payments.held(payments.of(session, order.id))
    first, label = payments.first_method(session, order.id)
    if method_id is None:
        if len(held) < 2:
            return _Way(first, label, (first,))
        return _Way(None, ", ".join(dict.fromkeys(one.label for one in held)), tuple(one.method_id for one in held))
    card = payments.method(session, order.member_id or "", method_id)
    if card.id not in {first, *(one.method_id for one in held)} and card.kind != payments.GIFT_CARD:
        raise RuleBroken(
            "A refund goes to what the order was paid with, or to a gift card.",
            rule="refund_method",
            instead="original_or_gift_card",
            passage="returns.when-the-refund-arrives",
            order_id=order.id,
            method=card.label,
            original=label,
        )
    return _Way(card.id, card.label, (card.id,))


def _worth(session: Session, order: Order, parts: Sequence[Part]) -> list[int]:
    """What was really paid for each part: its share of what was paid for all that is kept, so that all parts together are the whole."""
    price, paid = changes.kept(session, order)
    found: list[int] = []
    for part in parts:
        leaves = part.quantity * part.line.unit_price_cents
        found.append(paid * leaves // price if price > 0 else 0)
        price, paid = price - leaves, paid - found[-1]
    return found


def _return_plan(session: Session, order: Order, parts: Sequence[Part], way: _Way, reason: str, *, on: date, rules: Program) -> ReturnPlan:
    member = session.get_one(Member, order.member_id)
    value = sum(_worth(session, order, parts))
    back = _points_after(session, order, parts, on=on, rules=rules)
    free = reason in _OUR_FAULT or rules.tier(member.tier).free_returns
    label_cents = 0 if free else min(rules.service.return_label_cents, value)
    return ReturnPlan(
        order_id=order.id,
        parts=tuple(parts),
        goods_cents=value,
        label_cents=label_cents,
        points_back=back.earned - back.short,
        points_short=back.short,
        points_returned=back.returned,
        refund_cents=max(0, value - label_cents - program.worth_cents(back.short, rules)),
        method_id=way.method_id,
        method_label=way.label,
        days=changes.days(session, way.cards, rules),
    )


def _points_after(session: Session, order: Order, parts: Sequence[Part], *, on: date, rules: Program) -> ledger.Undoing:
    """Points taken back and given back if these pieces were gone."""
    if order.member_id is None:
        return ledger.Undoing(0, 0, 0)
    value, _ = changes.kept(session, order)
    leaves = sum(part.quantity * part.line.unit_price_cents for part in parts)
    # Who has left the club gets no points back.
    used = 0 if session.get_one(Member, order.member_id).left_on else ledger.used_at(session, order.id, order.member_id)
    given = used if leaves == value else used * leaves // value
    if not ledger.earned_by(session, order.id, order.member_id):
        return ledger.Undoing(0, 0, given)
    # Only thought of: nothing of this may reach the record.
    with session.no_autoflush:
        for part in parts:
            part.line.returned += part.quantity
        should = orders.points_due(session, order, rules)
        for part in parts:
            part.line.returned -= part.quantity
    return ledger.owed(session, order.id, order.member_id, should, on=on, given=given)


def _returned(session: Session, order: Order, request: ReturnRequest, parts: list[Part], on: date, key: str, rules: Program) -> Received:
    assert order.member_id is not None
    way = _Way(request.method_id, request.method_label, (request.method_id,))
    plan = _return_plan(session, order, parts, way, request.reason, on=on, rules=rules)
    goods = orders.lines(session, order.id)
    for place, (part, worth) in enumerate(zip(parts, _worth(session, order, parts), strict=True), start=1):
        back = ReturnLine(credit_note=f"R-{request.id}", position=place, product_id=part.line.product_id, quantity=part.quantity, refund_cents=worth)
        back.line_id, back.order_id, back.member_id, back.reason = part.line.id, order.id, order.member_id, request.reason
        back.returned_at = datetime.combine(on, time(12))
        part.line.returned += part.quantity
        session.add_all([back, part.line])
    order.status = "returned" if all(line.returned >= line.quantity for line in goods if line.kind == "product") else "delivered"
    session.add(order)
    session.flush()
    given = ledger.give_back(session, order.id, order.member_id, on=on, key=f"{key}-back", points=plan.points_returned)
    orders.settle_points(session, order, on=on, key=key, rules=rules)
    refund = max(0, plan.goods_cents - request.label_cents - program.worth_cents(plan.points_short, rules))
    if request.method_id is None:
        payments.give_back(session, order.id, refund, on=on, key=f"{key}:return")
    else:
        payments.refund(session, order.id, request.method_id, request.method_label, refund, on=on, key=f"{key}:return")
    return Received(order.id, "return", refund, 0, request.method_label, plan.points_back, given, "", 0)


def _exchanged(session: Session, order: Order, request: ReturnRequest, parts: list[Part], on: date, key: str, rules: Program) -> Received:
    # The price that was agreed holds, whatever the new variant costs by now.
    done = Changed(order.id, tuple(parts), request.difference_cents, request.method_label, (0, 0))
    order.total_cents, order.discount_cents = changes.sums_after(order, done)
    changes.put_in_place(session, parts)
    order.status = "delivered"
    session.add(order)
    session.flush()
    before = ledger.earned_by(session, order.id, order.member_id or "")
    short = orders.settle_points(session, order, on=on, key=key, rules=rules)
    after = ledger.earned_by(session, order.id, order.member_id or "")
    card = changes.payer(session, order, request.method_id)
    back = changes.move(session, order.id, done, card, on=on, key=key, withheld_cents=program.worth_cents(short, rules))
    charged = max(0, request.difference_cents)
    return Received(order.id, "exchange", back, charged, request.method_label, max(0, before - after), max(0, after - before), "", 0)


def _articles(parts: Sequence[Part]) -> list[dict[str, object]]:
    return [{"line_id": p.line.id, "variant_id": p.line.variant_id, "quantity": p.quantity, "new_variant_id": p.new.id if p.new else None} for p in parts]
