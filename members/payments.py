"""What was paid, and how does money move?

Payments and refunds of orders, and the gift cards they draw from. A card or
account is charged by the shop's payment provider; what is booked here is what
the provider is asked to do. A gift card moves at once, by a conditional update.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, col, select, update

from members.errors import NotFound, RuleBroken
from members.tables import Payment, PaymentMethod

GIFT_CARD = "gift_card"
# The category of gift cards as goods, which no coupon, no points and no return touch.
GIFT_CARDS = "gift_cards"


def of(session: Session, order_id: str) -> list[Payment]:
    """Money that moved for an order, oldest first."""
    return list(session.exec(select(Payment).where(Payment.order_id == order_id).order_by(col(Payment.id))))


def method(session: Session, member_id: str, method_id: str) -> PaymentMethod:
    """One of the member's own payment methods. Raises NotFound for any other id."""
    query = select(PaymentMethod).where(PaymentMethod.id == method_id.strip(), PaymentMethod.member_id == member_id)
    found = session.exec(query).first()
    if found is None:
        raise NotFound("There is no such payment method on this account.", instead="my_profile", rule="no_such_method")
    return found


@dataclass(frozen=True)
class Held:
    """Money of an order that one method has paid and not got back."""

    method_id: str | None
    label: str
    cents: int


def held(paid: Sequence[Payment]) -> list[Held]:
    """What the shop holds of each method, the first to pay first.

    Methods without an id are told apart by their label. What went back to a method
    that had paid less counts against the latest others: their sum is all there is.
    """
    sums: dict[tuple[str | None, str], int] = defaultdict(int)
    labels: dict[tuple[str | None, str], str] = {}
    for payment in paid:
        which = (payment.method_id, "" if payment.method_id else payment.method_label)
        sums[which] += payment.amount_cents if payment.kind == "payment" else -payment.amount_cents
        labels[which] = payment.method_label
    over = -sum(cents for cents in sums.values() if cents < 0)
    for which in reversed(sums):
        part = min(over, max(0, sums[which]))
        sums[which] -= part
        over -= part
    return [Held(which[0], labels[which], cents) for which, cents in sums.items() if cents > 0]


def net(paid: Sequence[Payment]) -> dict[str | None, int]:
    """What each method has paid, less what went back to it; methods at zero are left out."""
    sums: dict[str | None, int] = defaultdict(int)
    for one in held(paid):
        sums[one.method_id] += one.cents
    return dict(sums)


def first_method(session: Session, order_id: str) -> tuple[str | None, str]:
    """Id and label of the method that pays for an order: the first that still does, or else that ever did."""
    paid = of(session, order_id)
    if there := held(paid):
        return there[0].method_id, there[0].label
    first = next((p for p in paid if p.kind == "payment"), None)
    return (first.method_id, first.method_label) if first else (None, "")


def must_cover(card: PaymentMethod, cents: int) -> None:
    """Raise RuleBroken when a gift card holds less than that."""
    if card.kind == GIFT_CARD and (card.balance_cents or 0) < cents:
        held = card.balance_cents or 0
        raise RuleBroken(
            f"{card.label} holds less than this needs.",
            rule="gift_card_short",
            instead="another_method",
            passage="gift-cards.using-a-gift-card",
            method=card.label,
            held_cents=held,
            needed_cents=cents,
        )


def charge(session: Session, order_id: str, card: PaymentMethod, cents: int, *, on: date, key: str) -> None:
    """Take money for an order. Raises RuleBroken when a gift card does not hold it."""
    if card.kind == GIFT_CARD:
        enough = update(PaymentMethod).where(col(PaymentMethod.id) == card.id, col(PaymentMethod.balance_cents) >= cents)
        if session.exec(enough.values(balance_cents=col(PaymentMethod.balance_cents) - cents)).rowcount != 1:
            must_cover(session.get_one(PaymentMethod, card.id, populate_existing=True), cents)
            raise RuleBroken(f"{card.label} was used elsewhere just now; please try again.", rule="gift_card_short", instead="another_method")
    _book(session, order_id, "payment", cents, card.id, card.label, on, key)


def refund(session: Session, order_id: str, method_id: str | None, label: str, cents: int, *, on: date, key: str) -> None:
    """Give money back to a method; a gift card has it at once."""
    card = update(PaymentMethod).where(col(PaymentMethod.id) == method_id, col(PaymentMethod.kind) == GIFT_CARD, col(PaymentMethod.balance_cents).is_not(None))
    session.exec(card.values(balance_cents=col(PaymentMethod.balance_cents) + cents))
    _book(session, order_id, "refund", cents, method_id, label, on, key)


def give_back(session: Session, order_id: str, cents: int, *, on: date, key: str) -> None:
    """Give money back to whatever paid for the order, each method up to what it paid, the latest first."""
    parts: list[tuple[Held, int]] = []
    for one in reversed(held(of(session, order_id))):
        parts.append((one, min(cents, one.cents)))
        cents -= parts[-1][1]
    for place, (one, part) in enumerate(reversed(parts)):
        if part > 0:
            refund(session, order_id, one.method_id, one.label, part, on=on, key=f"{key}:{place}")


def _book(session: Session, order_id: str, kind: str, cents: int, method_id: str | None, label: str, on: date, key: str) -> None:
    moved = Payment(order_id=order_id, kind=kind, amount_cents=cents, booked_on=on, key=key)
    moved.method_id, moved.method_label = method_id, label
    session.add(moved)
    session.flush()
