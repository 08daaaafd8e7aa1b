"""Does leaving the club take what it must, can it be taken back, and is nothing left when it is over?"""

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlmodel import SQLModel, select

from members import accounts, database, ledger, orders, people, privacy, tickets, timeline
from members.access import Actor, Role
from members.database import Database
from members.errors import BadInput, NotFound, RuleBroken
from members.tables import (
    Account,
    Address,
    Approval,
    AuditEntry,
    Campaign,
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

BEFORE, TODAY = date(2025, 1, 10), date(2025, 6, 2)
ONE = timedelta(1)
HOME = {"line1": "1 Pine Row", "city": "Leeds", "postcode": "LS1", "country": "GB"}


def leave(world: Any, member_id: str = "M1", on: date = TODAY, key: str = "leave") -> date:
    with world.database.effect() as session:
        return privacy.leave(session, member_id, on=on, key=key, rules=world.rules)


def stay(world: Any) -> None:
    with world.database.effect() as session:
        privacy.stay(session, "M1")


def erase_due(world: Any, on: date) -> list[str]:
    with world.database.effect() as session:
        return privacy.erase_due(session, on=on)


@pytest.fixture
def club(world: Any) -> Any:
    """M1 is gold with 300 points of two days; M2 has 100."""
    world.member("M1", tier="gold", name="Ada")
    world.member("M2")
    world.earn("M1", 200, BEFORE)
    world.earn("M1", 100, TODAY)
    world.earn("M2", 100, TODAY)
    return world


# --- leaving ----------------------------------------------------------------------------


def test_points_go_at_once_and_the_rest_after_seven_days(club: Any) -> None:
    assert leave(club) == TODAY + 7 * ONE
    assert (club.guard("M1"), club.balance("M1", TODAY), club.guard("M2")) == (0, 0, 100)
    with club.database.read() as session:
        assert {(e.kind, e.reason) for e in ledger.entries(session, "M1", limit=2)} == {("adjust", ledger.LEFT_CLUB)}
    assert (club.of("M1").left_on, club.of("M1").name) == (TODAY, "Ada")


def test_points_that_lapsed_are_not_counted_as_lost(club: Any) -> None:
    leave(club, on=date(2026, 2, 1))
    assert (club.guard("M1"), club.balance("M1", date(2026, 2, 1))) == (0, 0)


def test_who_has_no_points_may_leave_too(club: Any) -> None:
    club.member("M3")
    assert leave(club, "M3") and club.count(Member) == 3


def test_leaving_twice_is_refused_with_the_day_it_ends(club: Any) -> None:
    leave(club)
    with pytest.raises(RuleBroken) as refused:
        leave(club, key="again")
    assert (refused.value.details["on"], refused.value.instead) == (TODAY + 7 * ONE, "keep_account")


def test_who_changes_their_mind_keeps_everything_but_the_points(club: Any) -> None:
    leave(club)
    stay(club)
    member = club.of("M1")
    assert (member.left_on, member.erase_on, member.tier, club.guard("M1")) == (None, None, "gold", 0)
    assert erase_due(club, TODAY + 30 * ONE) == []
    club.earn("M1", 50, TODAY)
    assert club.guard("M1") == 50


def test_only_who_is_leaving_can_stay(club: Any) -> None:
    with pytest.raises(RuleBroken, match="goes on"):
        stay(club)


def test_leaving_again_after_staying_takes_what_was_earned_since(club: Any) -> None:
    leave(club)
    stay(club)
    club.earn("M1", 50, TODAY)
    leave(club, key="second time")
    assert club.guard("M1") == 0


def test_an_order_cancelled_after_leaving_is_refunded_in_full_and_brings_no_points(club: Any) -> None:
    club.product("board")
    club.order("O1", "M1", TODAY, ("board", 1, 10_000))
    club.redeem("M1", 100, TODAY, order_id="O1")
    club.earn("M1", 100, TODAY, order_id="O1")
    leave(club)
    with club.database.effect() as session:
        done, points = orders.cancel(session, "M1", "O1", "changed_mind", on=TODAY, key="c", rules=club.rules)
    assert (done.refund_cents, done.points_returned, points, club.guard("M1")) == (10_000, 0, 0, 0)


def test_points_spent_before_leaving_are_still_settled_in_money(club: Any) -> None:
    club.product("board")
    club.order("O1", "M1", TODAY, ("board", 1, 10_000))
    club.earn("M1", 100, BEFORE, order_id="O1")
    club.redeem("M1", 300, TODAY)
    leave(club)
    with club.database.effect() as session:
        done, _ = orders.cancel(session, "M1", "O1", "changed_mind", on=TODAY, key="c", rules=club.rules)
    assert done.refund_cents == 9_900


# --- erasing ----------------------------------------------------------------------------


def _everything(world: Any) -> None:
    """One row about M1 in every table that names a member."""
    at = datetime.combine(TODAY, time(12))
    world.product("board")
    world.order("O1", "M1", TODAY, ("board", 1, 1000), ship_to=HOME, coupon_code="TEN")
    world.add(PaymentMethod(id="visa", member_id="M1", kind="credit_card", label="Visa ··1"))
    world.add(
        Payment(order_id="O1", kind="payment", amount_cents=1, method_id="visa", method_label="Visa ··1", key="two"),
        Campaign(id="C", name_en="C", channel="sms"),
    )
    with world.database.effect() as session:
        mine = accounts.create(session, "m1", "long enough 1", Role.MEMBER, member_id="M1")
        staff = accounts.create(session, "ann", "long enough 1", Role.SUPPORT)
        timeline.note(session, session.get_one(Order, "O1"), "note", on=TODAY, actor=Actor())
    world.add(
        ShopEvent(key="e", member_id="M1", kind="view", product_id="board", at=at),
        MemberScore(member_id="M1", as_of=TODAY, version="v", churn=0.5),
        MemberTaste(member_id="M1", vectors="v", vector=b"\xff\x00", weight=1.0, at=at),
    )
    world.add(Conversation(id="T1", account_id=mine.id, member_id="M1"), Message(conversation_id="T1", position=1, kind="human", content="I am Ada"))
    for account_id, approval_id in ((mine.id, "a"), (staff.id, "b")):
        frozen: dict[str, Any] = {"conversation_id": "T1", "tool": "x", "digest": "d", "created_at": at, "expires_at": at}
        world.add(Approval(id=approval_id, account_id=account_id, member_id="M1", status="second", **frozen))
    world.add(
        Contact(member_id="M1", kind="email", value="a@b.c"),
        Address(member_id="M1", line1="1", city="Leeds"),
        Consent(member_id="M1", channel="sms", granted=True),
        Review(member_id="M1", product_id="board", rating=5),
        TierChange(member_id="M1", tier="gold", changed_on=TODAY),
        Coupon(code="TEN", member_id="M1", kind="percent", value=10, used_order_id="O1"),
        CampaignMember(campaign_id="C", member_id="M1", arm="treated"),
        Outgoing(campaign_id="C", member_id="M1", channel="email", text="Dear Ada", send_at=at),
        ReturnRequest(id="r", order_id="O1", member_id="M1", kind="return", requested_on=TODAY),
        ReturnLine(credit_note="R", position=1, order_id="O1", member_id="M1", product_id="board", quantity=1, refund_cents=1),
        Ticket(id="T-1", member_id="M1", subject="Ada", opened_at=at, conversation_id="T1"),
        AuditEntry(account_id=mine.id, role="member", member_id="M1", tool="x", outcome="ok"),
    )


def test_after_the_cooling_off_days_nothing_names_the_member_but_the_trade_stays(either: Database, world_of: Any) -> None:
    world = world_of(either)
    world.member("M1", name="Ada")
    world.member("M2")
    for member_id in ("M1", "M2"):
        world.earn(member_id, 300, BEFORE)
    world.redeem("M1", 100, TODAY)
    _everything(world)
    due = leave(world)
    assert erase_due(world, due) == []
    with world.database.read() as session:
        held = privacy.export(session, "M1")
        tables = {str(t.__tablename__) for t in (*privacy.OWNED, *privacy.KEPT_WITHOUT_OWNER, *privacy.REACHED_THROUGH_OWNER)}
        assert {name for name, rows in held.items() if not rows} == set() and tables <= set(held)
    assert erase_due(world, due + ONE) == ["M1"] and erase_due(world, due + ONE) == []
    with world.database.read() as session:
        for table in SQLModel.metadata.sorted_tables:
            if "member_id" in table.c:
                assert not session.execute(select(table).where(table.c.member_id == "M1")).all(), table.name
        order = session.get_one(Order, "O1")
        assert (order.member_id, order.ship_to, order.coupon_code, order.total_cents) == (None, {}, "", 1000)
        paid = session.exec(select(Payment)).all()
        assert len(paid) == 2 and [p.method_label for p in paid if p.key == "two"] == [""]
        assert not session.exec(select(Message)).all() and not session.exec(select(OrderEvent)).all()
        assert [a.login for a in session.exec(select(Account))] == ["ann"]
        assert {e.member_id for e in session.exec(select(PointsEntry))} == {"M2"}
        with pytest.raises(NotFound):
            tickets.get(session, "T-1")


def test_only_those_whose_time_is_over_are_erased(club: Any) -> None:
    leave(club)
    leave(club, "M2", on=TODAY + ONE)
    assert erase_due(club, TODAY + 8 * ONE) == ["M1"]
    assert [m["id"] for m in club.rows(Member)] == ["M2"]
    # The id is free again: who joins anew starts with nothing.
    club.member("M1")
    assert (club.guard("M1"), club.of("M1").tier) == (0, "bronze")


# --- own facts --------------------------------------------------------------------------


def test_a_new_default_address_replaces_the_old_one_in_place(club: Any) -> None:
    club.add(Address(member_id="M1", line1="9 Old Lane", line2="Flat 2", city="York"), Address(member_id="M1", line1="Work", city="Hull", is_default=True))
    with club.database.effect() as session:
        people.set_default_address(session, "M1", HOME)
    with club.database.read() as session:
        home = people.default_address(session, "M1")
        assert home and (home.line1, home.line2, home.city, home.is_default) == ("1 Pine Row", "", "Leeds", True)
    assert sorted(a["line1"] for a in club.rows(Address)) == ["1 Pine Row", "9 Old Lane"]
    assert (club.of("M1").city, club.of("M1").country) == ("Leeds", "GB")


def test_a_first_address_is_the_default(club: Any) -> None:
    with club.database.effect() as session:
        people.set_default_address(session, "M1", {"line1": "1", "city": "Leeds"})
    assert [(a["member_id"], a["is_default"]) for a in club.rows(Address)] == [("M1", True)]


@pytest.mark.parametrize("language", ["en", "zh", "fr", ""])
def test_the_shop_writes_in_the_languages_it_speaks(club: Any, language: str) -> None:
    with club.database.effect() as session:
        if language in people.LANGUAGES:
            people.set_language(session, "M1", language)
        else:
            with pytest.raises(BadInput):
                people.set_language(session, "M1", language)
    assert (club.of("M1").language, club.of("M2").language) == (language if language in people.LANGUAGES else "en", "en")


@pytest.mark.parametrize(
    ("channels", "granted", "after"),
    [
        (["sms"], True, {"email": True, "sms": True}),
        (["sms", "sms"], True, {"email": True, "sms": True}),
        (["wechat", "wechat"], True, {"email": True, "sms": False, "wechat": True}),
        ([], False, {"email": False, "sms": False}),
        ([], True, {"email": True, "sms": True}),
        (["email"], True, None),
        (["phone"], False, None),
    ],
)
def test_each_channel_is_agreed_to_or_stopped_on_its_own(club: Any, channels: list[str], granted: bool, after: dict[str, bool] | None) -> None:
    club.add(Consent(member_id="M1", channel="email", granted=True), Consent(member_id="M1", channel="sms", granted=False))
    with club.database.effect() as session:
        if after is None:
            with pytest.raises(RuleBroken):
                people.set_consents(session, "M1", channels, granted, on=TODAY)
        else:
            assert people.set_consents(session, "M1", channels, granted, on=TODAY) == after
    if after:
        assert {c["changed_on"] for c in club.rows(Consent)} <= {None, TODAY}


@pytest.mark.parametrize(
    ("text", "found"),
    [("M1", "M1"), ("m1", "M1"), ("Ada", "M1"), (" Bob ", "M3"), ("Li Na", None), ("2345", None), ("M-2345", "M-2345"), ("", None), ("%", None)],
)
def test_staffs_word_means_one_member_or_nobody(club: Any, text: str, found: str | None) -> None:
    club.member("M3", name="Bob")
    club.member("M4", name="Li Na")
    club.member("M-2345", name="Li Na")
    club.add(Contact(member_id="M4", kind="phone", value="447700902345"))
    with club.database.read() as session:
        if found:
            assert people.one(session, text).id == found
        else:
            with pytest.raises(NotFound):
                people.one(session, text)


# --- the schema of all this -------------------------------------------------------------


def _to(record: Database, revision: str, *, down: bool = False) -> None:
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    with record.engine.execution_options(patron_write="FULL").begin() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, revision)


_OLD_ROWS = """
INSERT INTO accounts (id, login, password_hash, role, disabled, epoch, created_at) VALUES ('A1', 'm1', '-', 'member', {false}, 0, '2025-01-01 00:00:00');
INSERT INTO members (id, name, language, city, country, tier, points) VALUES ('M1', 'Ada', 'en', '', '', 'gold', 100);
INSERT INTO orders (id, member_id, status, cancel_reason, total_cents, discount_cents, shipping_cents, coupon_code, channel, ship_to, tracking)
  VALUES ('O1', 'M1', 'pending', '', 1000, 0, 0, '', '', '{{}}', '[]');
INSERT INTO points_entries (id, member_id, kind, points, booked_on, order_id, reason, key) VALUES (1, 'M1', 'earn', 100, '2025-01-10', 'O1', 'order', 'k');
INSERT INTO conversations (id, account_id, member_id, title, language, created_at, updated_at)
  VALUES ('C1', 'A1', 'M1', '', '', '2025-01-01 00:00:00', '2025-01-01 00:00:00');
INSERT INTO tickets (id, member_id, subject, body, cause, status, priority, conversation_id, opened_at)
  VALUES ('T-1', 'M1', 'help', '', 'asked', 'open', 3, 'C1', '2025-01-01 00:00:00');
INSERT INTO approvals (id, account_id, member_id, conversation_id, tool, arguments, digest, card, status, created_at, expires_at, result)
  VALUES ('a', 'A1', 'M1', 'C1', 'cancel_order', '{{}}', 'd', '{{}}', 'open', '2025-01-01 00:00:00', '2025-01-01 00:05:00', '{{}}')
"""


def _shape(record: Database) -> dict[str, list[str]]:
    found = inspect(record.engine)
    return {name: sorted(c["name"] for c in found.get_columns(name)) for name in sorted(found.get_table_names())}


def test_a_record_of_before_is_brought_up_with_its_rows_and_down_again(either: Database, world_of: Any) -> None:
    _to(either, "0001", down=True)
    before = _shape(either)
    assert "return_requests" not in before
    with either.effect() as session:
        for line in _OLD_ROWS.format(false="false").split(";\n"):
            session.connection().exec_driver_sql(line)
    either.migrate()
    world = world_of(either)
    assert (world.of("M1").erase_on, world.guard("M1")) == (None, 100)
    with either.read() as session:
        assert session.get_one(Order, "O1").items_changed is False
        ticket = session.get_one(Ticket, "T-1")
        assert (ticket.facts, ticket.next_step, ticket.assignee, ticket.closed_because) == ({}, "", None, "")
        assert session.get_one(Conversation, "C1").held_by is None and session.get_one(Approval, "a").second_by is None
        drift = compare_metadata(MigrationContext.configure(session.connection()), SQLModel.metadata)
        assert [
            d for d in drift if isinstance(d, tuple) and d[0] in ("add_table", "remove_table", "add_column", "remove_column", "add_index", "remove_index")
        ] == []
    with either.effect() as session:
        timeline.note(session, session.get_one(Order, "O1"), "note", on=TODAY, actor=Actor())
    _to(either, "0001", down=True)
    assert _shape(either) == before
    with either.read() as session:
        for table in ("members", "orders", "tickets", "conversations", "approvals", "points_entries", "accounts"):
            assert session.connection().execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 1, table
    either.migrate()
    assert world.of("M1").name == "Ada"
