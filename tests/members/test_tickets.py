"""Does a cry for help reach one person, and is the chat free again afterwards?"""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from members import accounts, tickets
from members.access import Caller, Role
from members.errors import NotFound, RuleBroken
from members.tables import Conversation, Ticket

# A Wednesday.
NOW = datetime(2025, 9, 3, 12)
HOUR = timedelta(hours=1)
ANN, BEN = Caller("A-ann", Role.SUPPORT, name="Ann"), Caller("A-ben", Role.SUPPORT, name="Ben")


@pytest.fixture
def desk(world: Any) -> Any:
    return _fill(world)


def _fill(world: Any) -> Any:
    """M1 is bronze, M2 platinum; M1 has the chats C1 and C2."""
    world.member("M1")
    world.member("M2", tier="platinum")
    with world.database.effect() as session:
        account = accounts.create(session, "m1", "long enough 1", Role.MEMBER, member_id="M1")
        session.add_all([Conversation(id=thread, account_id=account.id, member_id="M1") for thread in ("C1", "C2")])
    return world


def cry(world: Any, cause: str = "asked", *, member_id: str = "M1", at: datetime = NOW, thread: str | None = "C1", **fields: Any) -> Ticket:
    given = {"subject": "help", "summary": "help me", **fields}
    with world.database.effect() as session:
        return tickets.open_one(session, member_id, cause=cause, now=at, rules=world.rules, conversation_id=thread, **given)


def act(world: Any, function: Any, ticket: Ticket, caller: Caller, *rest: Any, **named: Any) -> Ticket:
    with world.database.effect() as session:
        done: Ticket = function(session, ticket.id, caller, *rest, **named)
        return done


def take(world: Any, ticket: Ticket, caller: Caller = ANN) -> Ticket:
    return act(world, tickets.take, ticket, caller, now=NOW + HOUR)


def close(world: Any, ticket: Ticket, caller: Caller = ANN, at: datetime = NOW + 2 * HOUR) -> Ticket:
    return act(world, tickets.close, ticket, caller, "solved", now=at)


def holder(world: Any, thread: str = "C1") -> tuple[str | None, str]:
    with world.database.read() as session:
        chat = session.get_one(Conversation, thread)
        return chat.held_by, chat.held_name


# --- opening ----------------------------------------------------------------------------


def test_numbers_are_short_and_follow_each_other_whatever_else_was_imported(desk: Any) -> None:
    assert [cry(desk, thread=None).id for _ in range(2)] == ["T-101", "T-102"]
    desk.add(Ticket(id="OLD-9000", member_id="M1", subject="old", opened_at=NOW))
    assert cry(desk, thread=None).id == "T-103"


@pytest.mark.parametrize(
    ("cause", "bronze", "platinum"), [("asked", 3, 2), ("anger", 2, 1), ("complaint", 2, 1), ("damaged", 2, 1), ("advice", 4, 3), ("late", 3, 2)]
)
def test_anger_and_tiers_with_priority_move_up_and_advice_moves_down(desk: Any, cause: str, bronze: int, platinum: int) -> None:
    assert (tickets.priority_of(cause, "bronze", desk.rules), tickets.priority_of(cause, "platinum", desk.rules)) == (bronze, platinum)


@pytest.mark.parametrize(
    ("opened", "tier", "due"),
    [
        (NOW, "bronze", NOW + 24 * HOUR),
        (NOW, "platinum", NOW + 2 * HOUR),
        (datetime(2025, 9, 5, 17), "gold", datetime(2025, 9, 8, 17)),
        (datetime(2025, 9, 6, 9), "bronze", datetime(2025, 9, 8, 9)),
        (datetime(2025, 9, 7, 9), "bronze", datetime(2025, 9, 8, 9)),
    ],
)
def test_a_first_answer_is_promised_for_the_next_working_day_or_in_two_hours(desk: Any, opened: datetime, tier: str, due: datetime) -> None:
    assert tickets.answer_by(Ticket(id="T", member_id="M1", subject="", opened_at=opened), tier, desk.rules) == due


def test_a_second_cry_in_a_chat_joins_the_first_and_raises_it(desk: Any) -> None:
    first = cry(desk, facts={"points": 5}, order_id=None)
    second = cry(desk, "anger", summary="now!", facts={"late": 3}, order_id="O1", at=NOW + HOUR)
    calm = cry(desk, "advice", summary="and a lamp?")
    assert first.id == second.id == calm.id
    assert (calm.priority, calm.body, calm.facts, calm.order_id) == (2, "help me\nnow!\nand a lamp?", {"points": 5, "late": 3}, "O1")
    assert calm.opened_at == NOW and desk.count(Ticket) == 1


def test_another_chat_and_a_chat_whose_ticket_is_closed_open_anew(desk: Any) -> None:
    first = cry(desk)
    close(desk, first)
    assert len({first.id, cry(desk).id, cry(desk, thread="C2").id, cry(desk, thread=None).id, cry(desk, thread=None).id}) == 5


def test_the_inbox_shows_the_most_pressing_and_then_the_oldest_first(desk: Any) -> None:
    wanted = [
        cry(desk, "anger", member_id="M2", at=NOW + HOUR, thread=None),
        cry(desk, "anger", thread=None, at=NOW),
        cry(desk, thread=None, at=NOW - HOUR),
        cry(desk, thread=None, at=NOW),
        cry(desk, "advice", thread=None, at=NOW - 9 * HOUR),
    ]
    close(desk, cry(desk, "anger", thread=None))
    take(desk, wanted[1])
    with desk.database.read() as session:
        assert [t.id for t in tickets.inbox(session)] == [t.id for t in wanted]
        assert tickets.waiting(session) == 4


# --- in a colleague's hands -------------------------------------------------------------


def test_who_takes_a_ticket_speaks_in_its_chat_until_it_is_given_back_or_closed(desk: Any) -> None:
    ticket = cry(desk)
    assert (take(desk, ticket).assignee_name, holder(desk)) == ("Ann", ("A-ann", "Ann"))
    back = act(desk, tickets.give_back, ticket, ANN)
    assert (back.status, back.assignee, holder(desk)) == ("open", None, (None, ""))
    take(desk, ticket, BEN)
    done = close(desk, ticket, BEN)
    assert (done.status, done.closed_because, done.assignee_name, done.closed_at, holder(desk)) == ("closed", "solved", "Ben", NOW + 2 * HOUR, (None, ""))


def test_a_ticket_in_hand_is_not_taken_given_back_or_closed_by_another(desk: Any) -> None:
    ticket = cry(desk)
    take(desk, ticket)
    for attempt in (lambda: take(desk, ticket, BEN), lambda: act(desk, tickets.give_back, ticket, BEN), lambda: close(desk, ticket, BEN)):
        with pytest.raises(RuleBroken):
            attempt()
    assert take(desk, ticket).assignee == "A-ann" and holder(desk) == ("A-ann", "Ann")


def test_a_closed_ticket_stays_closed(desk: Any) -> None:
    ticket = cry(desk)
    close(desk, ticket)
    for attempt in (lambda: take(desk, ticket), lambda: close(desk, ticket), lambda: act(desk, tickets.give_back, ticket, ANN)):
        with pytest.raises(RuleBroken):
            attempt()
    assert holder(desk) == (None, "")


def test_a_ticket_is_found_however_its_number_is_written(desk: Any) -> None:
    number = cry(desk).id
    with desk.database.read() as session:
        assert tickets.get(session, f" {number.lower()} ").id == number
        with pytest.raises(NotFound):
            tickets.get(session, "T-999")


@pytest.mark.parametrize("act_of", ["take", "take and close"])
def test_of_two_colleagues_at_once_one_has_the_ticket_and_the_chat_is_theirs_or_free(either: Any, world_of: Any, act_of: str) -> None:
    world = _fill(world_of(either))
    for _ in range(5):
        ticket = cry(world)

        def attempt(number: int, ticket: Ticket = ticket) -> bool:
            try:
                if number % 2 and act_of != "take":
                    return bool(close(world, ticket, BEN))
                return bool(take(world, ticket, Caller(f"A{number}", Role.SUPPORT, name=str(number))))
            except RuleBroken:
                return False

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(attempt, range(4))) == 1
        with world.database.read() as session:
            now = tickets.get(session, ticket.id)
        assert holder(world)[0] == (now.assignee if now.status == "taken" else None)
        if now.status == "taken":
            close(world, ticket, Caller(now.assignee or "", Role.SUPPORT))


def test_twelve_cries_at_once_have_twelve_numbers_and_of_one_chat_one_ticket(either: Any, world_of: Any) -> None:
    world = _fill(world_of(either))
    with ThreadPoolExecutor(12) as pool:
        apart = list(pool.map(lambda _: cry(world, thread=None).id, range(12)))
        together = list(pool.map(lambda n: cry(world, summary=f"cry {n}").id, range(12)))
    assert len(set(apart)) == 12 and len(set(together)) == 1
    with world.database.read() as session:
        (body,) = session.exec(select(Ticket.body).where(Ticket.id == together[0]))
    assert sorted(body.split("\n")) == sorted(f"cry {n}" for n in range(12))


# --- the digest -------------------------------------------------------------------------


def test_the_digest_counts_causes_beside_the_week_before(desk: Any) -> None:
    for days, cause in ((0, "late"), (6, "late"), (3, "points"), (7, "late"), (13, "refund"), (14, "late")):
        cry(desk, cause, at=NOW - timedelta(days), thread=None, summary=f"{cause} {days}")
    with desk.database.read() as session:
        first = session.exec(select(Ticket).where(Ticket.body == "late 0")).one()
    close(desk, first, at=NOW + 3 * HOUR)
    with desk.database.read() as session:
        told = tickets.digest(session, until=NOW.date())
    assert (told.since, told.until, told.opened, told.closed, told.waiting, told.hours_to_close) == (date(2025, 8, 28), NOW.date(), 3, 1, 5, 3.0)
    assert [(c.cause, c.count, c.before, c.example) for c in told.causes] == [("late", 2, 1, "late 0"), ("points", 1, 0, "points 3")]
    assert told.by_day == [(date(2025, 8, 28), "late", 1), (date(2025, 8, 31), "points", 1), (date(2025, 9, 3), "late", 1)]


def test_a_week_without_tickets_has_an_empty_digest(desk: Any) -> None:
    with desk.database.read() as session:
        told = tickets.digest(session, until=NOW.date())
    assert (told.opened, told.closed, told.hours_to_close, told.causes, told.by_day) == (0, 0, None, [], [])
