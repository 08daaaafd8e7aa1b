"""Does support act for one member exactly, by the member's own rules, with its hand and reason on record?"""

from datetime import date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from sqlmodel import SQLModel, col, select

from members import ledger, payments, program, timeline
from members.access import Caller, Role
from members.database import Database
from members.errors import NotFound, Refusal, RuleBroken
from members.tables import Account, Approval, AuditEntry, Contact, Member, Order, OrderLine, Payment, PaymentMethod, PointsEntry, Product, Variant
from tools import member, orders, rights, savings, service, support, tickets  # noqa: F401  (declares the tools)
from tools.bench import Means
from tools.gateway import FOR_MEMBER, REGISTRY, Gateway, Outcome

TODAY = date(2025, 6, 10)
NOW = datetime.combine(TODAY, time(12))
WHY = "the member phoned"


class Desk:
    """A shop of three members, two of one name, and the people who serve them."""

    def __init__(self, database: Database) -> None:
        self.database, self.rules, self.clock = database, program.load(), [NOW]
        silent: Any = SimpleNamespace(entry=lambda kind, id: None)
        self.means = Means(rules=self.rules, today=TODAY, search=silent, lake=Path(), fitted=None, groups=lambda: pd.DataFrame(), write=lambda facts: [])  # type: ignore[arg-type]
        self.add(
            Product(id="board"),
            Variant(id="white", product_id="board", price_cents=1000, stock=9),
            Variant(id="oak", product_id="board", price_cents=1500, stock=9),
        )
        for member_id, name in (("M-1", "Ada Lee"), ("M-2", "Li Na"), ("M-3", "Li Na")):
            self.add(
                Member(id=member_id, name=name, tier="bronze"), PaymentMethod(id=f"visa {member_id}", member_id=member_id, kind="credit_card", label="Visa")
            )
            self.add(Contact(member_id=member_id, kind="phone", value=f"44770090{member_id[-1] * 4}"))
            for order_id, status in ((f"O-{member_id[-1]}1", "pending"), (f"O-{member_id[-1]}2", "delivered")):
                at = datetime.combine(TODAY - timedelta(5), time(9))
                self.add(
                    Order(
                        id=order_id,
                        member_id=member_id,
                        status=status,
                        ordered_at=at,
                        total_cents=2000,
                        delivered_on=at.date() if status == "delivered" else None,
                    )
                )
                self.add(OrderLine(order_id=order_id, position=1, product_id="board", variant_id="white", quantity=2, unit_price_cents=1000))
                self.add(Payment(order_id=order_id, kind="payment", amount_cents=2000, method_id=f"visa {member_id}", method_label="Visa", key="pay"))
        # Nobody signs in here: accounts without a password.
        made = {login: Account(id=f"A-{login}", login=login, password_hash="-", role=Role.SUPPORT) for login in ("ann", "ben")}
        made["ada"] = Account(id="A-ada", login="ada", password_hash="-", role=Role.MEMBER, member_id="M-1")
        self.people = {login: Caller(one.id, Role(one.role), one.member_id, name=login) for login, one in made.items()}
        self.add(*made.values())

    def add(self, *rows: SQLModel) -> None:
        with self.database.effect() as session:
            for row in rows:
                session.add(row)
                session.flush()

    def gateway(self, login: str = "ann", thread: str = "T1") -> Gateway:
        return Gateway(self.database, self.people[login], self.means, thread, lambda: self.clock[0])

    def call(self, tool: str, /, *, login: str = "ann", **arguments: Any) -> Outcome:
        return self.gateway(login).call(tool, arguments)

    def ask(self, tool: str, /, *, login: str = "ann", **arguments: Any) -> str:
        outcome = self.call(tool, login=login, **arguments)
        assert outcome.status == "waiting_for_yes", outcome.result
        return str(outcome.result["approval_id"])

    def audit(self) -> list[AuditEntry]:
        with self.database.read() as session:
            return list(session.exec(select(AuditEntry).order_by(col(AuditEntry.id))))

    def status(self, order_id: str) -> str:
        with self.database.read() as session:
            return str(session.get_one(Order, order_id).status)

    def points(self, member_id: str) -> int:
        with self.database.read() as session:
            booked = session.exec(select(PointsEntry.points).where(PointsEntry.member_id == member_id)).all()
            assert sum(booked) == session.get_one(Member, member_id).points
            return sum(booked)


@pytest.fixture
def desk(sqlite: Database) -> Desk:
    return Desk(sqlite)


def cancel(desk: Desk, **changed: Any) -> Outcome:
    return desk.call("cancel_order_for_member", **{"who": "M-1", "why": WHY, "order_id": "O-11", "reason": "changed_mind", **changed})


# --- whom it is about -------------------------------------------------------------------


@pytest.mark.parametrize("who", ["M-1", "m-1", "Ada Lee", "ada", "O-12", "#o-12", "447700901111", "1111", " M-1 "])
def test_the_member_is_found_by_what_is_at_hand_and_frozen_by_id(desk: Desk, who: str) -> None:
    outcome = cancel(desk, who=who)
    assert (outcome.status, outcome.arguments["who"]) == ("waiting_for_yes", "M-1")
    assert (outcome.result["facts"]["member_id"], outcome.result["facts"]["member_name"], outcome.result["facts"]["why"]) == ("M-1", "Ada Lee", WHY)


@pytest.mark.parametrize("who", ["Li Na", "Li", "M-", "nobody at all", "%", "77009"])
def test_words_that_fit_several_or_nobody_are_refused(desk: Desk, who: str) -> None:
    for outcome in (cancel(desk, who=who), desk.call("my_coupons_for_member", who=who)):
        assert (outcome.status, outcome.result["code"], outcome.result["instead"]) == ("refused", "not_found", "find_member")
    assert {entry.member_id for entry in desk.audit()} == {None}


def test_what_is_frozen_stays_with_the_member_it_was_shown_for(desk: Desk) -> None:
    waiting = cancel(desk, who="Ada Lee").result["approval_id"]
    with desk.database.effect() as session:
        session.get_one(Member, "M-1").name = "Somebody else"
        session.get_one(Member, "M-2").name = "Ada Lee"
    assert desk.gateway().carry_out(waiting).result["member_id"] == "M-1"
    assert (desk.status("O-11"), desk.status("O-21")) == ("cancelled", "pending")


def test_another_members_order_reads_like_one_that_does_not_exist(desk: Desk) -> None:
    writes: list[tuple[str, dict[str, Any]]] = [
        ("cancel_order", {}),
        ("change_order_address", {"line1": "1", "city": "Leeds"}),
        ("change_order_payment", {"method_id": "visa M-1"}),
        ("change_order_items", {"exchanges": [{"variant_id": "white", "new_variant_id": "oak"}]}),
        ("exchange_items", {"exchanges": [{"variant_id": "white", "new_variant_id": "oak"}]}),
        ("return_items", {"items": [{"variant_id": "white"}]}),
    ]
    for tool, arguments in writes:
        said = []
        for order_id in ("O-21", "O-99"):
            outcome = desk.call(tool + FOR_MEMBER, who="M-1", why=WHY, order_id=order_id, **arguments)
            assert outcome.status == "refused"
            said.append(repr(outcome.result).replace(order_id, "…"))
        assert said[0] == said[1] and "not_found" in said[0], tool


def test_another_members_payment_method_is_not_charged(desk: Desk) -> None:
    outcome = desk.call("change_order_payment_for_member", who="M-1", why=WHY, order_id="O-11", method_id="visa M-2")
    assert (outcome.status, outcome.result["code"]) == ("refused", "not_found")


# --- who may ----------------------------------------------------------------------------


def test_what_members_do_for_themselves_names_no_member_and_what_staff_do_names_one_and_why() -> None:
    for name, tool in REGISTRY.items():
        fields = set(tool.schema.model_fields)
        if Role.MEMBER in tool.roles:
            assert not fields & {"who", "why", "member_id"}, name
        if tool.for_member:
            assert "who" in fields and tool.roles == {Role.SUPPORT} and ("why" in fields or not tool.writes), name


def test_a_member_has_no_staff_tool_and_staff_no_members(desk: Desk) -> None:
    theirs = [name for name, tool in REGISTRY.items() if tool.for_member]
    assert len(theirs) > 8
    for name in theirs:
        assert desk.call(name, login="ada", who="M-2", why=WHY).result["code"] == "not_allowed", name
    assert desk.call("cancel_order", order_id="O-11").result["code"] == "not_allowed"


@pytest.mark.parametrize("why", ["", "  ", "ok", "x" * 301, None])
def test_no_write_without_a_reason(desk: Desk, why: str | None) -> None:
    assert cancel(desk, why=why).result["code"] == "bad_input"


def test_a_colleagues_yes_does_not_count_for_what_one_has_asked(desk: Desk) -> None:
    waiting = cancel(desk).result["approval_id"]
    for login in ("ben", "ada"):
        with pytest.raises(NotFound):
            desk.gateway(login).carry_out(waiting)
    assert desk.status("O-11") == "pending"


# --- what is on record ------------------------------------------------------------------


def test_the_audit_names_the_member_and_the_hand(desk: Desk) -> None:
    waiting = cancel(desk, who="Ada Lee").result["approval_id"]
    desk.gateway().carry_out(waiting)
    desk.call("my_coupons_for_member", who="M-3")
    told = [(e.tool, e.outcome, e.role, e.account_id, e.member_id) for e in desk.audit()]
    hand = ("support", desk.people["ann"].account_id)
    assert told == [
        ("cancel_order_for_member", "waiting_for_yes", *hand, "M-1"),
        ("cancel_order_for_member", "done", *hand, "M-1"),
        ("my_coupons_for_member", "ok", *hand, "M-3"),
    ]


def test_the_timeline_names_the_hand_and_the_reason_and_the_members_own_has_none(desk: Desk) -> None:
    desk.gateway().carry_out(desk.ask("change_order_address_for_member", who="M-1", why=WHY, order_id="O-11", line1="1 Pine Row", city="Leeds"))
    desk.gateway("ada").carry_out(desk.ask("cancel_order", login="ada", order_id="O-11"))
    with desk.database.read() as session:
        told = [(e.kind, e.by_role, e.by_account, e.why, e.member_id) for e in timeline.of(session, "O-11")]
    assert told == [
        ("address_changed", "support", desk.people["ann"].account_id, WHY, "M-1"),
        ("cancelled", "member", desk.people["ada"].account_id, "", "M-1"),
    ]


def test_a_return_is_agreed_for_a_member_and_booked_when_it_is_in(desk: Desk) -> None:
    desk.gateway().carry_out(
        desk.ask("return_items_for_member", who="M-1", why=WHY, order_id="O-12", items=[{"variant_id": "white", "quantity": 1}], reason="faulty")
    )
    assert desk.call("receive_return", who="M-1", why=WHY, order_id="O-22").status == "refused"
    done = desk.gateway("ben").carry_out(desk.ask("receive_return", login="ben", who="O-12", why="parcel in", order_id="O-12"))
    assert (done.result["refund"], done.result["member_id"], desk.status("O-12")) == ("10.00", "M-1", "delivered")
    with desk.database.read() as session:
        assert payments.net(payments.of(session, "O-12")) == {"visa M-1": 1000}


# --- a second person --------------------------------------------------------------------


def adjust(desk: Desk, points: int, **changed: Any) -> Outcome:
    return desk.gateway().carry_out(desk.ask("adjust_points", **{"who": "M-1", "why": WHY, "points": points, **changed}))


def second(desk: Desk, approval_id: str, login: str = "ben", *, yes: bool = True) -> Outcome:
    return desk.gateway(login, "another thread").carry_out_second(approval_id, yes=yes)


def proposal(desk: Desk) -> str:
    with desk.database.read() as session:
        return session.exec(select(Approval.id).where(Approval.status == "second")).one()


@pytest.mark.parametrize(("points", "waits"), [(500, False), (501, True)])
def test_one_colleague_may_book_up_to_the_limit(desk: Desk, points: int, waits: bool) -> None:
    done = adjust(desk, points)
    assert (done.result["waits_for_second"], desk.points("M-1")) == (waits, 0 if waits else points)


@pytest.mark.parametrize("yes", [True, False])
def test_more_is_booked_once_another_person_says_yes(desk: Desk, yes: bool) -> None:
    adjust(desk, 900)
    waiting = proposal(desk)
    with pytest.raises(NotFound):
        second(desk, waiting, "ann")
    assert second(desk, waiting, yes=yes).status == ("done" if yes else "declined")
    for login in ("ann", "ben"):
        with pytest.raises(Refusal):
            second(desk, waiting, login)
    assert desk.points("M-1") == (900 if yes else 0)
    booked = [(e.tool, e.account_id, e.member_id) for e in desk.audit() if e.detail == "second"]
    assert booked == [("adjust_points", desk.people["ben"].account_id, "M-1")]


def test_the_proposers_second_yes_books_nothing(desk: Desk) -> None:
    waiting = desk.ask("adjust_points", who="M-1", why=WHY, points=900)
    assert [desk.gateway().carry_out(waiting).status for _ in range(2)] == ["done", "done"]
    assert desk.points("M-1") == 0


def test_a_member_is_nobodys_second_person(desk: Desk) -> None:
    adjust(desk, 900)
    waiting = proposal(desk)
    with pytest.raises(Refusal):
        second(desk, waiting, "ada")
    assert desk.points("M-1") == 0 and proposal(desk) == waiting


def test_a_second_yes_that_can_no_longer_be_done_changes_nothing(desk: Desk) -> None:
    with desk.database.effect() as session:
        ledger.earn(session, "M-1", 900, on=TODAY, key="e", rules=desk.rules)
    adjust(desk, -900)
    with desk.database.effect() as session:
        ledger.redeem(session, "M-1", 500, on=TODAY, key="r", rules=desk.rules)
    with pytest.raises(RuleBroken):
        second(desk, proposal(desk))
    assert desk.points("M-1") == 400


# --- at once ----------------------------------------------------------------------------


def test_a_cry_for_a_person_needs_no_yes_and_is_audited(desk: Desk) -> None:
    outcome = desk.call("talk_to_person", login="ada", about="where is it?")
    assert (outcome.status, outcome.result["ticket_id"]) == ("ok", "T-101")
    assert [(e.tool, e.outcome, e.member_id) for e in desk.audit()] == [("talk_to_person", "ok", "M-1")]
