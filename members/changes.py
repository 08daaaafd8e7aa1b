"""What may still be changed about an order that has not left?

Its address, how it is paid, and which variant of a product comes. Each change
is planned first, so that a card can show it, and done by the same plan. An
order whose articles were changed once is final.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, col, select, update

from members import ledger, orders, payments, program, timeline
from members.access import Actor
from members.errors import NotFound, RuleBroken
from members.orders import BY_MEMBER
from members.program import Program
from members.tables import Coupon, Order, OrderLine, PaymentMethod, ReturnLine, Variant

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
    order = locked(session, member_id, order_id, "address")
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
    held = payments.held(payments.of(session, order.id))
    if len(held) != 1:
        fact = f"Order {order.id} was not paid by one method alone, so a colleague has to change it."
        raise RuleBroken(fact, rule="several_payments", instead="talk_to_person", passage="payment.changing-how-you-pay", order_id=order.id)
    old = held[0]
    if old.method_id == new.id:
        fact = f"Order {order.id} is paid with {new.label} already."
        raise RuleBroken(fact, rule="same_method", instead="another_method", passage="payment.changing-how-you-pay", order_id=order.id, method=new.label)
    payments.must_cover(new, old.cents)
    return Repayment(order.id, old.cents, new, old.method_id, old.label, days(session, [old.method_id], rules))


def change_payment(
    session: Session, member_id: str, order_id: str, method_id: str, *, on: date, key: str, rules: Program, actor: Actor = BY_MEMBER
) -> Repayment:
    """Charge the new method and give the old one its money back, in the caller's transaction."""
    order = locked(session, member_id, order_id, "payment")
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
        raise RuleBroken(fact, rule="same_variant", instead="another_variant", passage="shipping.changing-what-is-in-an-order", order_id=order.id)
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
    order = locked(session, member_id, order_id, "items")
    done = plan_items(session, member_id, order.id, swaps, method_id, rules=rules)
    move(session, order.id, done, payer(session, order, method_id), on=on, key=key)
    order.total_cents, order.discount_cents = sums_after(order, done)
    order.items_changed = rules.service.item_changes_once
    articles = told(done.parts)
    for part in done.parts:
        assert part.new is not None
        orders.take_from_stock(session, part.new.id, part.quantity)
        orders.restock(session, part.line.variant_id, part.quantity)
    put_in_place(session, done.parts)
    session.add(order)
    session.flush()
    orders.settle_points(session, order, on=on, key=key, rules=rules)
    orders.refresh_tier(session, member_id, on=on, rules=rules)
    timeline.note(session, order, "items_changed", on=on, actor=actor, difference_cents=done.difference_cents, articles=articles)
    return done


def picked(session: Session, order: Order, picks: Sequence[Pick]) -> list[Part]:
    """Pieces of the order's lines that the picks mean, one part a line. Raises NotFound or RuleBroken for what is not there."""
    taken: dict[int, int] = {}
    parts = _some([part for pick in picks for part in _take(session, order, pick.variant_id, pick.quantity, taken)], order)
    by_position = {part.line.position: part.line for part in parts}
    return [Part(line, taken[position]) for position, line in by_position.items()]


def swapped(session: Session, order: Order, swaps: Sequence[Swap]) -> list[Part]:
    """Pieces and what comes instead of each: a variant of the same product that can be had."""
    taken: dict[int, int] = {}
    parts = [(part, swap) for swap in swaps for part in _take(session, order, swap.variant_id, swap.quantity, taken)]
    return _some([Part(part.line, part.quantity, _variant(session, part.line, swap.new_variant_id)) for part, swap in parts], order)


def planned(session: Session, order: Order, parts: Sequence[Part], method_id: str | None, *, rules: Program) -> Changed:
    """What other variants cost more or less, and whether the method can pay it."""
    dearer = sum(part.quantity * (part.new.price_cents - part.line.unit_price_cents) for part in parts if part.new)
    difference = _difference(session, order, dearer, rules)
    card = payer(session, order, method_id)
    if difference > 0:
        if card is None:
            fact = f"Order {order.id} costs more with this, and what paid for it is no longer on the account."
            raise RuleBroken(fact, rule="no_such_method", instead="another_method", passage="payment.ways-to-pay", order_id=order.id)
        payments.must_cover(card, difference)
    label = card.label if card else payments.first_method(session, order.id)[1]
    return Changed(order.id, tuple(parts), difference, label, days(session, [card.id if card else None], rules))


def kept(session: Session, order: Order) -> tuple[int, int]:
    """Price of the goods that did not go back, and what was paid for them and not refunded."""
    goods = [line for line in orders.lines(session, order.id) if line.kind == "product"]
    refunded = sum(session.exec(select(ReturnLine.refund_cents).where(ReturnLine.order_id == order.id)))
    paid = sum(line.quantity * line.unit_price_cents for line in goods) - order.discount_cents - refunded
    return sum((line.quantity - line.returned) * line.unit_price_cents for line in goods), max(0, paid)


def _difference(session: Session, order: Order, dearer: int, rules: Program) -> int:
    """What goods that are so much dearer cost more: a discount in percent follows the price, a fixed sum does not.

    Points have one worth: if their share grew with the price, they would pay for more than they are.
    """
    price, paid = kept(session, order)
    coupon = session.get(Coupon, order.coupon_code) if order.coupon_code else None
    fixed = coupon.value if coupon is not None and coupon.kind == "amount" else 0
    if order.member_id is not None:
        fixed += program.worth_cents(ledger.used_at(session, order.id, order.member_id), rules)
    percent = max(0, price - paid - fixed)
    return max(-paid, dearer - dearer * percent // price if price > 0 else dearer)


def sums_after(order: Order, done: Changed) -> tuple[int, int]:
    """Total and discount of an order when other variants are in it."""
    dearer = sum(part.quantity * (part.new.price_cents - part.line.unit_price_cents) for part in done.parts if part.new)
    return order.total_cents + done.difference_cents, order.discount_cents + dearer - done.difference_cents


def move(session: Session, order_id: str, done: Changed, card: PaymentMethod | None, *, on: date, key: str, withheld_cents: int = 0) -> int:
    """Move the price difference; returns what was refunded, which is less by what is withheld for points that were gone."""
    back = max(0, -done.difference_cents - withheld_cents)
    if done.difference_cents > 0 and card is not None:
        payments.charge(session, order_id, card, done.difference_cents, on=on, key=f"{key}:difference")
    elif card is not None:
        payments.refund(session, order_id, card.id, card.label, back, on=on, key=f"{key}:difference")
    elif back:
        payments.give_back(session, order_id, back, on=on, key=f"{key}:difference")
    return back


def put_in_place(session: Session, parts: Sequence[Part]) -> None:
    """Let the lines hold the new variants; pieces that stay as they were become a line of their own."""
    rest: dict[int, OrderLine] = {}
    for part in parts:
        assert part.new is not None
        # Of one line several variants may come: the next is taken from what the one before left.
        line = rest.get(part.line.position, part.line)
        if part.quantity < line.quantity:
            last = max(line.position for line in orders.lines(session, line.order_id))
            stays = OrderLine(**line.model_dump(exclude={"id"}))
            stays.position, stays.quantity = last + 1, line.quantity - part.quantity
            session.add(stays)
            session.flush()
            session.exec(update(ReturnLine).where(col(ReturnLine.line_id) == line.id).values(line_id=stays.id))
            line.quantity, line.returned = part.quantity, 0
            rest[part.line.position] = stays
        line.variant_id, line.unit_price_cents = part.new.id, part.new.price_cents
        session.add(line)
        session.flush()


def known_variant(session: Session, variant_id: str | None) -> Variant | None:
    """The variant of an id that was checked before."""
    return session.get_one(Variant, variant_id) if variant_id else None


def payer(session: Session, order: Order, method_id: str | None) -> PaymentMethod | None:
    """The method that pays or receives a difference: the one named, or what the order is paid with."""
    if method_id is not None:
        return payments.method(session, order.member_id or "", method_id)
    first, _ = payments.first_method(session, order.id)
    return session.get(PaymentMethod, first) if first else None


def locked(session: Session, member_id: str, order_id: str, doing: str) -> Order:
    """The order, its row held so that two changes of it queue, and still open."""
    order = orders.get(session, member_id, order_id)
    session.exec(update(Order).where(col(Order.id) == order.id).values(status=col(Order.status)))
    session.refresh(order)
    orders.must_be_open(order, doing)
    return order


def days(session: Session, method_ids: Sequence[str | None], rules: Program) -> tuple[int, int]:
    """When a refund arrives: at once where all of it goes to gift cards."""
    cards = [session.get(PaymentMethod, method_id) if method_id else None for method_id in method_ids]
    at_once = cards and all(card is not None and card.kind == payments.GIFT_CARD for card in cards)
    return (0, 0) if at_once else rules.service.refund_working_days


# --- inside -----------------------------------------------------------------------------


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


def told(parts: Sequence[Part]) -> list[list[str | int]]:
    """Parts as a timeline keeps them: variant, pieces, new variant."""
    return [[part.line.variant_id, part.quantity, part.new.id if part.new else ""] for part in parts]
