"""Does a write wait for its own caller's yes, and happen once?"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import Session, col, select

from assistant.desk import Desk
from members import approvals
from members.access import Caller
from members.errors import NotFound, Refusal, RuleBroken
from members.tables import Approval, AuditEntry, Member, Order, Payment, PointsEntry, Variant
from tools.gateway import Gateway


@pytest.fixture
def lina_here(fresh_desk: Desk) -> Caller:
    return fresh_desk.caller_named("lina")


@pytest.fixture
def pending(fresh_desk: Desk, lina_here: Caller) -> str:
    """An order of Lina's that can be cancelled."""
    with fresh_desk.database.read() as session:
        mine = select(Order.id).where(Order.member_id == lina_here.member_id, Order.status == "pending").order_by(col(Order.id))
        return session.exec(mine).first() or pytest.fail("the demo shop has no pending order")


@pytest.fixture
def gateway(fresh_desk: Desk, lina_here: Caller) -> Gateway:
    return fresh_desk.gateway(lina_here, uuid4().hex)


def _world(session: Session) -> list[Any]:
    """Everything a cancellation may touch."""
    tables = (Order, Payment, PointsEntry, Variant, Member)
    return [row.model_dump() for table in tables for row in session.exec(select(table).order_by(table.id))]


def _all(desk: Desk) -> list[Any]:
    with desk.database.read() as session:
        return _world(session)


def _refunds(desk: Desk, order_id: str) -> int:
    with desk.database.read() as session:
        return len(session.exec(select(Payment).where(Payment.order_id == order_id, Payment.kind == "refund")).all())


def _ask(gateway: Gateway, order_id: str) -> str:
    outcome = gateway.call("cancel_order", {"order_id": order_id})
    assert outcome.status == "waiting_for_yes", outcome.result
    return str(outcome.result["approval_id"])


def test_asking_changes_nothing_and_shows_what_would_happen(fresh_desk: Desk, gateway: Gateway, pending: str) -> None:
    before = _all(fresh_desk)
    outcome = gateway.call("cancel_order", {"order_id": pending, "reason": "ordered_by_mistake"})
    assert outcome.status == "waiting_for_yes"
    assert outcome.result["facts"]["order_id"] == pending and outcome.result["facts"]["points_balance"] is None
    assert _all(fresh_desk) == before


def test_a_yes_does_what_was_shown(fresh_desk: Desk, gateway: Gateway, pending: str) -> None:
    shown = gateway.call("cancel_order", {"order_id": pending})
    done = gateway.carry_out(shown.result["approval_id"])
    assert done.status == "done"
    assert {**done.result, "points_balance": None} == shown.result["facts"]
    with fresh_desk.database.read() as session:
        assert session.get_one(Order, pending).status == "cancelled"
        assert session.get_one(Member, "M-10001").points == done.result["points_balance"]


def test_a_second_yes_gives_the_first_ones_result_and_no_second_effect(fresh_desk: Desk, gateway: Gateway, pending: str) -> None:
    approval = _ask(gateway, pending)
    first = gateway.carry_out(approval)
    after = _all(fresh_desk)
    assert gateway.carry_out(approval) == first
    assert _all(fresh_desk) == after and _refunds(fresh_desk, pending) == 1


def test_many_yeses_at_once_have_one_effect(fresh_desk: Desk, gateway: Gateway, pending: str, lina_here: Caller) -> None:
    approval = _ask(gateway, pending)

    def yes(_: int) -> str:
        try:
            return fresh_desk.gateway(lina_here, gateway.conversation_id).carry_out(approval).status
        except Refusal as refusal:
            return refusal.code

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(yes, range(8)))
    assert _refunds(fresh_desk, pending) == 1
    assert said.count("done") >= 1 and set(said) <= {"done", "rule_broken"}
    with fresh_desk.database.read() as session:
        assert session.get_one(Approval, approval).status == "used"


def test_another_accounts_yes_finds_nothing(fresh_desk: Desk, gateway: Gateway, pending: str) -> None:
    approval = _ask(gateway, pending)
    for login in ("chenmo", "support", "admin"):
        other = fresh_desk.gateway(fresh_desk.caller_named(login), gateway.conversation_id)
        with pytest.raises(NotFound) as foreign:
            other.carry_out(approval)
        with pytest.raises(NotFound) as missing:
            other.carry_out("no such approval")
        assert foreign.value.fact == missing.value.fact
    with fresh_desk.database.read() as session:
        assert session.get_one(Order, pending).status == "pending"
        assert session.get_one(Approval, approval).status == "open"


def test_a_yes_after_five_minutes_does_nothing(fresh_desk: Desk, lina_here: Caller, pending: str) -> None:
    clock = [fresh_desk.now()]
    gateway = Gateway(fresh_desk.database, lina_here, fresh_desk.means(), uuid4().hex, lambda: clock[0])
    approval = _ask(gateway, pending)
    clock[0] += timedelta(minutes=5, seconds=1)
    before = _all(fresh_desk)
    with pytest.raises(RuleBroken, match="five minutes"):
        gateway.carry_out(approval)
    assert _all(fresh_desk) == before


def test_a_yes_within_five_minutes_counts(fresh_desk: Desk, lina_here: Caller, pending: str) -> None:
    clock = [fresh_desk.now()]
    gateway = Gateway(fresh_desk.database, lina_here, fresh_desk.means(), uuid4().hex, lambda: clock[0])
    approval = _ask(gateway, pending)
    clock[0] += timedelta(minutes=4, seconds=59)
    assert gateway.carry_out(approval).status == "done"


def test_arguments_changed_behind_the_card_are_not_carried_out(fresh_desk: Desk, gateway: Gateway, pending: str) -> None:
    approval = _ask(gateway, pending)
    with fresh_desk.database.write() as session:
        stored = session.get_one(Approval, approval)
        stored.arguments = {**stored.arguments, "order_id": "O-20001"}
        session.add(stored)
    before = _all(fresh_desk)
    with pytest.raises(RuleBroken):
        gateway.carry_out(approval)
    assert _all(fresh_desk) == before


def test_a_declined_write_cannot_be_carried_out_later(fresh_desk: Desk, gateway: Gateway, lina_here: Caller, pending: str) -> None:
    approval = _ask(gateway, pending)

    with fresh_desk.database.effect() as session:
        assert approvals.close(session, lina_here, approval, "declined", now=fresh_desk.now())
    with pytest.raises(RuleBroken):
        gateway.carry_out(approval)
    assert _refunds(fresh_desk, pending) == 0


def test_asking_the_same_again_in_a_thread_waits_under_one_id(fresh_desk: Desk, gateway: Gateway, lina_here: Caller, pending: str) -> None:
    first = _ask(gateway, pending)
    assert _ask(fresh_desk.gateway(lina_here, gateway.conversation_id), pending) == first
    assert _ask(fresh_desk.gateway(lina_here, uuid4().hex), pending) != first


def test_what_cannot_be_cancelled_is_refused_when_asked_not_after_the_yes(fresh_desk: Desk, gateway: Gateway) -> None:
    with fresh_desk.database.read() as session:
        sent = session.exec(select(Order.id).where(Order.member_id == "M-10001", Order.status == "delivered")).first()
    outcome = gateway.call("cancel_order", {"order_id": sent})
    assert (outcome.status, outcome.result["code"], outcome.result["state"]) == ("refused", "rule_broken", "delivered")


def test_an_order_sent_between_card_and_yes_stays(fresh_desk: Desk, gateway: Gateway, pending: str) -> None:
    approval = _ask(gateway, pending)
    with fresh_desk.database.write() as session:
        order = session.get_one(Order, pending)
        order.status = "shipped"
        session.add(order)
    with pytest.raises(RuleBroken):
        gateway.carry_out(approval)
    assert _refunds(fresh_desk, pending) == 0


def _outcomes(desk: Desk, thread: str) -> Iterator[str]:
    with desk.database.read() as session:
        yield from session.exec(select(AuditEntry.outcome).where(AuditEntry.conversation_id == thread).order_by(col(AuditEntry.id)))


def test_the_audit_tells_asking_doing_and_refusing_apart(fresh_desk: Desk, gateway: Gateway, pending: str) -> None:
    gateway.carry_out(_ask(gateway, pending))
    gateway.call("cancel_order", {"order_id": pending, "reason": "ordered_by_mistake"})
    assert list(_outcomes(fresh_desk, gateway.conversation_id)) == ["waiting_for_yes", "done", "refused"]
