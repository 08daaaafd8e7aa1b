"""What is held about this member, and how is it taken away?

Every table of the record that names a member is listed here, or a test fails.
The lake and the conversations' account have their own erasers.
"""

from datetime import date, timedelta
from typing import Any

from sqlmodel import Session, SQLModel, col, delete, select, update

from members import ledger, people
from members.errors import RuleBroken
from members.program import Program
from members.tables import (
    Account,
    Address,
    Approval,
    AuditEntry,
    CampaignMember,
    Consent,
    Contact,
    Conversation,
    Coupon,
    Member,
    MemberScore,
    MemberTaste,
    Message,
    Order,
    OrderEvent,
    OrderLine,
    Outgoing,
    Payment,
    PaymentMethod,
    PointsEntry,
    ReturnLine,
    ReturnRequest,
    Review,
    ShopEvent,
    Ticket,
    TierChange,
)

# Tables with a member_id, in the order erasing needs; orders are kept without their owner.
OWNED: tuple[type[SQLModel], ...] = (
    Contact,
    Address,
    PaymentMethod,
    Consent,
    Review,
    PointsEntry,
    TierChange,
    Coupon,
    Outgoing,
    CampaignMember,
    ReturnRequest,
    OrderEvent,
    ShopEvent,
    MemberScore,
    MemberTaste,
    Ticket,
    Approval,
    Conversation,
    Account,
)
KEPT_WITHOUT_OWNER: tuple[type[SQLModel], ...] = (Order, ReturnLine, AuditEntry)
REACHED_THROUGH_OWNER: tuple[type[SQLModel], ...] = (OrderLine, Payment, Message)


def leave(session: Session, member_id: str, *, on: date, key: str, rules: Program) -> date:
    """Close a membership: points go at once, the rest on the day returned, unless it is taken back before.

    Raises RuleBroken when that was asked for already.
    """
    member = people.get(session, member_id)
    if member.erase_on is not None:
        raise RuleBroken(
            "The account is being closed already.", rule="leaving_already", instead="keep_account", passage="leaving.changing-your-mind", on=member.erase_on
        )
    there = ledger.balance(session, member_id, as_of=on)
    if there:
        ledger.adjust(session, member_id, -there, on=on, key=key, rules=rules, reason=ledger.LEFT_CLUB)
    session.refresh(member)
    member.left_on, member.erase_on = on, on + timedelta(days=rules.service.cooling_off_days)
    session.add(member)
    return member.erase_on


def stay(session: Session, member_id: str) -> None:
    """Take back the wish to leave. Raises RuleBroken when there was none."""
    member = people.get(session, member_id)
    if member.erase_on is None:
        raise RuleBroken("Nothing is being closed: the account goes on.", rule="not_leaving", passage="leaving.changing-your-mind")
    member.left_on = member.erase_on = None
    session.add(member)


def erase_due(session: Session, *, on: date) -> list[str]:
    """Erase everyone whose cooling-off time is over; returns their ids."""
    due = list(session.exec(select(Member.id).where(col(Member.erase_on) < on)))
    for member_id in due:
        erase(session, member_id)
    return due


def export(session: Session, member_id: str) -> dict[str, Any]:
    """All rows about a member, by table. Raises NotFound. Password hashes stay out."""
    held: dict[str, Any] = {"member": people.get(session, member_id).model_dump(mode="json")}
    for table in (*OWNED, *KEPT_WITHOUT_OWNER):
        rows = session.exec(select(table).where(table.member_id == member_id)).all()  # type: ignore[attr-defined]
        held[str(table.__tablename__)] = [row.model_dump(mode="json", exclude={"password_hash"}) for row in rows]
    orders = [row["id"] for row in held["orders"]]
    threads = [row["id"] for row in held["conversations"]]
    held["order_lines"] = [r.model_dump(mode="json") for r in session.exec(select(OrderLine).where(col(OrderLine.order_id).in_(orders)))]
    held["payments"] = [r.model_dump(mode="json") for r in session.exec(select(Payment).where(col(Payment.order_id).in_(orders)))]
    held["messages"] = [r.model_dump(mode="json") for r in session.exec(select(Message).where(col(Message.conversation_id).in_(threads)))]
    return held


def erase(session: Session, member_id: str) -> None:
    """Remove a member: orders stay as anonymous trade records, the rest goes. Raises NotFound."""
    people.get(session, member_id)
    threads = select(Conversation.id).where(Conversation.member_id == member_id)
    session.exec(delete(Message).where(col(Message.conversation_id).in_(threads)))
    session.exec(update(Order).where(col(Order.member_id) == member_id).values(member_id=None, ship_to={}, coupon_code=""))
    for kept in (ReturnLine, AuditEntry):
        session.exec(update(kept).where(col(kept.member_id) == member_id).values(member_id=None))
    methods = select(PaymentMethod.id).where(PaymentMethod.member_id == member_id)
    session.exec(update(Payment).where(col(Payment.method_id).in_(methods)).values(method_id=None, method_label=""))
    session.exec(delete(PointsEntry).where(col(PointsEntry.member_id) == member_id, col(PointsEntry.lot_id).is_not(None)))
    for table in OWNED:
        session.exec(delete(table).where(table.member_id == member_id))  # type: ignore[attr-defined]
    session.exec(delete(Member).where(col(Member.id) == member_id))
