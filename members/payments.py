"""What was paid, and how does money move?

Payments and refunds of orders, and the gift cards they draw from. A card or
account is charged by the shop's payment provider; what is booked here is what
the provider is asked to do. A gift card moves at once, by a conditional update.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from sqlmodel import Session, col, select, update

from members.errors import NotFound, RuleBroken
from members.tables import Payment, PaymentMethod

GIFT_CARD = "gift_card"


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


def net(paid: Sequence[Payment]) -> dict[str | None, int]:
    """What each method has paid, less what went back to it; methods at zero are left out."""
    sums: dict[str | None, int] = defaultdict(int)
    for payment in paid:
        sums[payment.method_id] += payment.amount_cents if payment.kind == "payment" else -payment.amount_cents
    return {method_id: cents for method_id, cents in sums.items() if cents > 0}


def first_method(session: Session, order_id: str) -> tuple[str | None, str]:
    """Id and label of the method an order was first paid with."""
    paid = next((p for p in of(session, order_id) if p.kind == "payment"), None)
    return (paid.method_id, paid.method_label) if paid else (None, "")


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
    _book(session, order_id, "payment", cents, card.id, card.label, on, key)


def refund(session: Session, order_id: str, method_id: str | None, label: str, cents: int, *, on: date, key: str) -> None:
    """Give money back to a method; a gift card has it at once."""
    card = update(PaymentMethod).where(col(PaymentMethod.id) == method_id, col(PaymentMethod.kind) == GIFT_CARD, col(PaymentMethod.balance_cents).is_not(None))
    session.exec(card.values(balance_cents=col(PaymentMethod.balance_cents) + cents))
    _book(session, order_id, "refund", cents, method_id, label, on, key)


def give_back(session: Session, order_id: str, cents: int, *, on: date, key: str) -> None:
    """Give money back to whatever paid for the order, each method up to what it paid, the latest first."""
    paid = of(session, order_id)
    labels = {payment.method_id: payment.method_label for payment in paid}
    for place, (method_id, held) in enumerate(reversed(net(paid).items())):
        part = min(cents, held)
        if part > 0:
            refund(session, order_id, method_id, labels[method_id], part, on=on, key=f"{key}:{place}")
        cents -= part


def _book(session: Session, order_id: str, kind: str, cents: int, method_id: str | None, label: str, on: date, key: str) -> None:
    moved = Payment(order_id=order_id, kind=kind, amount_cents=cents, booked_on=on, key=key)
    moved.method_id, moved.method_label = method_id, label
    session.add(moved)
    session.flush()
