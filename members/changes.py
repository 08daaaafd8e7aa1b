"""What may still be changed about an order that has not left?

Its address, how it is paid, and which variant of a product comes. Each change
is planned first, so that a card can show it, and done by the same plan. An
order whose articles were changed once is final.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, col, update

from members import orders, payments, timeline
from members.access import Actor
from members.errors import NotFound, RuleBroken
from members.orders import BY_MEMBER
from members.program import Program
from members.tables import Order, OrderLine, PaymentMethod, Variant

ADDRESS = ("line1", "line2", "city", "region", "postcode", "country")


@dataclass(frozen=True)
class Pick:
    """An article of an order by its variant; all pieces of it when no quantity is given."""

    variant_id: str
    quantity: int | None = None


@dataclass(frozen=True)
class Swap:
    """An article and the variant of the same product that should come instead."""

    variant_id: str
    new_variant_id: str
    quantity: int | None = None


@dataclass(frozen=True)
class Part:
    """So many pieces of one line; `new` is what comes instead, where something does."""

    line: OrderLine
    quantity: int
    new: Variant | None = None


@dataclass(frozen=True)
class Changed:
    """What a change of articles costs: positive is paid by the member, negative comes back."""

    order_id: str
    parts: tuple[Part, ...]
    difference_cents: int
    method_label: str
    days: tuple[int, int]


# --- address ----------------------------------------------------------------------------


def change_address(session: Session, member_id: str, order_id: str, place: dict[str, str], *, on: date, actor: Actor = BY_MEMBER) -> Order:
    """Send an unshipped order elsewhere. Raises NotFound or RuleBroken."""
    order = orders.get(session, member_id, order_id)
    orders.must_be_open(order, "address")
    before = dict(order.ship_to)
    order.ship_to = {part: place.get(part, "") for part in ADDRESS}
    session.add(order)
    timeline.note(session, order, "address_changed", on=on, actor=actor, before=before.get("line1", ""), after=place.get("line1", ""))
    return order


# --- payment ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Repayment:
    """Paying an order another way: what the new method pays and the old one gets back."""

    order_id: str
    cents: int
    new: PaymentMethod
    old_id: str | None
    old_label: str
    days: tuple[int, int]


def plan_payment(session: Session, member_id: str, order_id: str, method_id: str, *, rules: Program) -> Repayment:
    """What paying this order another way would do. Raises NotFound or RuleBroken."""
    order = orders.get(session, member_id, order_id)
    orders.must_be_open(order, "payment")
    new = payments.method(session, member_id, method_id)
    paid = payments.of(session, order.id)
    held = payments.net(paid)
    if len(held) != 1:
        fact = f"Order {order.id} was not paid by one method alone, so a colleague has to change it."
        raise RuleBroken(fact, rule="several_payments", instead="talk_to_person", passage="payment.changing-how-you-pay", order_id=order.id)
    old_id, cents = next(iter(held.items()))
    if old_id == new.id:
        fact = f"Order {order.id} is paid with {new.label} already."
        raise RuleBroken(fact, rule="same_method", instead="another_method", passage="payment.changing-how-you-pay", order_id=order.id, method=new.label)
    payments.must_cover(new, cents)
    label = next(p.method_label for p in paid if p.method_id == old_id)
    return Repayment(order.id, cents, new, old_id, label, _days(session, old_id, rules))


def change_payment(
    session: Session, member_id: str, order_id: str, method_id: str, *, on: date, key: str, rules: Program, actor: Actor = BY_MEMBER
) -> Repayment:
    """Charge the new method and give the old one its money back, in the caller's transaction."""
    order = _locked(session, member_id, order_id, "payment")
    done = plan_payment(session, member_id, order.id, method_id, rules=rules)
    payments.charge(session, order.id, done.new, done.cents, on=on, key=f"{key}:new")
    payments.refund(session, order.id, done.old_id, done.old_label, done.cents, on=on, key=f"{key}:old")
    timeline.note(session, order, "payment_changed", on=on, actor=actor, to=done.new.label, before=done.old_label)
    return done


# --- articles ---------------------------------------------------------------------------


def plan_items(session: Session, member_id: str, order_id: str, swaps: Sequence[Swap], method_id: str | None, *, rules: Program) -> Changed:
    """What changing articles of an unshipped order would do. Raises NotFound or RuleBroken."""
    order = orders.get(session, member_id, order_id)
    orders.must_be_open(order, "items")
    # After delivery the same again makes sense, for a faulty piece; before, it would only use up the one change.
    if any(swap.variant_id.strip() == swap.new_variant_id.strip() for swap in swaps):
        fact = "That is the variant the order has already."
        raise RuleBroken(fact, rule="same_variant", instead="another_variant", passage="returns.exchanging-size-or-colour", order_id=order.id)
    return planned(session, order, swapped(session, order, swaps), method_id, rules=rules)


def change_items(
    session: Session,
    member_id: str,
    order_id: str,
    swaps: Sequence[Swap],
    method_id: str | None,
    *,
    on: date,
    key: str,
    rules: Program,
    actor: Actor = BY_MEMBER,
) -> Changed:
    """Put other variants into an unshipped order, once, and settle what they cost more or less."""
    order = _locked(session, member_id, order_id, "items")
    done = plan_items(session, member_id, order.id, swaps, method_id, rules=rules)
    settle(session, order, done, payer(session, order, method_id), on=on, key=key)
    order.items_changed = rules.service.item_changes_once
    for part in done.parts:
        assert part.new is not None
        orders.take_from_stock(session, part.new.id, part.quantity)
        orders.restock(session, part.line.variant_id, part.quantity)
        put_in_place(session, part)
    session.add(order)
    session.flush()
    orders.settle_points(session, order, on=on, key=key, rules=rules)
    orders.refresh_tier(session, member_id, on=on, rules=rules)
    timeline.note(session, order, "items_changed", on=on, actor=actor, difference_cents=done.difference_cents, articles=told(done.parts))
    return done


def picked(session: Session, order: Order, picks: Sequence[Pick]) -> list[Part]:
    """Pieces of the order's lines that the picks mean. Raises NotFound or RuleBroken for what is not there."""
    taken: dict[int, int] = {}
    return _some([part for pick in picks for part in _take(session, order, pick.variant_id, pick.quantity, taken)], order)


def swapped(session: Session, order: Order, swaps: Sequence[Swap]) -> list[Part]:
    """Pieces and what comes instead of each: a variant of the same product that can be had."""
    taken: dict[int, int] = {}
    parts = [(part, swap) for swap in swaps for part in _take(session, order, swap.variant_id, swap.quantity, taken)]
    return _some([Part(part.line, part.quantity, _variant(session, part.line, swap.new_variant_id)) for part, swap in parts], order)


def planned(session: Session, order: Order, parts: Sequence[Part], method_id: str | None, *, rules: Program) -> Changed:
    """What other variants cost more or less, and whether the method can pay it."""
    goods = orders.lines(session, order.id)
    dearer = sum(part.quantity * (part.new.price_cents - part.line.unit_price_cents) for part in parts if part.new)
    difference = orders.net_cents(order, goods, dearer)
    card = payer(session, order, method_id)
    if card is not None and difference > 0:
        payments.must_cover(card, difference)
    label = card.label if card else payments.first_method(session, order.id)[1]
    return Changed(order.id, tuple(parts), difference, label, _days(session, card.id if card else None, rules))


def settle(session: Session, order: Order, done: Changed, card: PaymentMethod | None, *, on: date, key: str) -> None:
    """Move the price difference and bring the order's sums in step."""
    dearer = sum(part.quantity * (part.new.price_cents - part.line.unit_price_cents) for part in done.parts if part.new)
    order.total_cents += done.difference_cents
    order.discount_cents += dearer - done.difference_cents
    if done.difference_cents > 0 and card is not None:
        payments.charge(session, order.id, card, done.difference_cents, on=on, key=f"{key}:difference")
    elif card is not None:
        payments.refund(session, order.id, card.id, card.label, -done.difference_cents, on=on, key=f"{key}:difference")
    elif done.difference_cents < 0:
        payments.give_back(session, order.id, -done.difference_cents, on=on, key=f"{key}:difference")


def put_in_place(session: Session, part: Part) -> None:
    """Let the line hold the new variant; pieces that stay as they were become a line of their own."""
    assert part.new is not None
    if part.quantity < part.line.quantity:
        last = max(line.position for line in orders.lines(session, part.line.order_id))
        kept = OrderLine(**part.line.model_dump(exclude={"id"}))
        kept.position, kept.quantity = last + 1, part.line.quantity - part.quantity
        session.add(kept)
        part.line.quantity, part.line.returned = part.quantity, 0
    part.line.variant_id, part.line.unit_price_cents = part.new.id, part.new.price_cents
    session.add(part.line)
    session.flush()


def known_variant(session: Session, variant_id: str | None) -> Variant | None:
    """The variant of an id that was checked before."""
    return session.get_one(Variant, variant_id) if variant_id else None


def payer(session: Session, order: Order, method_id: str | None) -> PaymentMethod | None:
    """The method that pays or receives a difference: the one named, or what the order was first paid with."""
    if method_id is not None:
        return payments.method(session, order.member_id or "", method_id)
    first, _ = payments.first_method(session, order.id)
    return session.get(PaymentMethod, first) if first else None


# --- inside -----------------------------------------------------------------------------


def _locked(session: Session, member_id: str, order_id: str, doing: str) -> Order:
    """The order, its row held so that two changes of it queue, and still open."""
    order = orders.get(session, member_id, order_id)
    session.exec(update(Order).where(col(Order.id) == order.id).values(status=col(Order.status)))
    session.refresh(order)
    orders.must_be_open(order, doing)
    return order


def _take(session: Session, order: Order, variant_id: str, quantity: int | None, taken: dict[int, int]) -> list[Part]:
    """Pieces of a variant that nothing before has taken; all of them when no quantity is given."""
    goods = [line for line in orders.lines(session, order.id) if line.kind == "product" and line.variant_id == variant_id.strip()]
    free = [(line, line.quantity - line.returned - taken.get(line.position, 0)) for line in goods]
    wanted = quantity if quantity is not None else sum(there for _, there in free)
    parts: list[Part] = []
    for line, there in free:
        part = min(there, wanted)
        if part > 0:
            parts.append(Part(line, part))
            taken[line.position] = taken.get(line.position, 0) + part
            wanted -= part
    if wanted or not parts:
        raise NotFound(f"Order {order.id} holds no such article, or not so many of it.", rule="not_in_order", instead="order_options", order_id=order.id)
    return parts


def _some(parts: list[Part], order: Order) -> list[Part]:
    if not parts:
        raise RuleBroken("Which articles is not said.", rule="no_articles", instead="order_options", order_id=order.id)
    return parts


def _variant(session: Session, line: OrderLine, variant_id: str) -> Variant:
    variant = session.get(Variant, variant_id.strip())
    if variant is None or variant.product_id != line.product_id:
        raise RuleBroken(
            "Only another variant of the same product can come instead.",
            rule="other_product",
            instead="return_and_reorder",
            passage="returns.exchanging-size-or-colour",
        )
    if not variant.available or variant.stock == 0:
        raise RuleBroken("That variant is sold out.", rule="sold_out", instead="another_variant", passage="products-and-stock.sold-out-and-pre-orders")
    return variant


def _days(session: Session, method_id: str | None, rules: Program) -> tuple[int, int]:
    card = session.get(PaymentMethod, method_id) if method_id else None
    return (0, 0) if card is not None and card.kind == payments.GIFT_CARD else rules.service.refund_working_days


def told(parts: Sequence[Part]) -> list[list[str | int]]:
    """Parts as a timeline keeps them: variant, pieces, new variant."""
    return [[part.line.variant_id, part.quantity, part.new.id if part.new else ""] for part in parts]
