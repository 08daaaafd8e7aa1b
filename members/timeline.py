"""What happened to this order, and by whose hand?"""

from datetime import date
from typing import Any

from sqlmodel import Session, col, select

from members.access import Actor
from members.tables import Order, OrderEvent


def note(session: Session, order: Order, kind: str, *, on: date, actor: Actor, **details: Any) -> None:
    """Write down one thing that happened, in the transaction of its effect."""
    event = OrderEvent(order_id=order.id, member_id=order.member_id, happened_on=on, kind=kind, details=details)
    event.by_role, event.by_account, event.why = actor.role.value, actor.account_id, actor.why
    session.add(event)


def of(session: Session, order_id: str) -> list[OrderEvent]:
    """Everything noted about an order, the oldest first."""
    return list(session.exec(select(OrderEvent).where(OrderEvent.order_id == order_id).order_by(col(OrderEvent.id))))
