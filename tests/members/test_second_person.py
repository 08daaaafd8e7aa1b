"""Is what needs a second person decided by another one, once, in time, and exactly as it was proposed?"""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, update

from members import accounts, approvals
from members.access import Caller, Role
from members.errors import NotFound, RuleBroken
from members.tables import Approval

NOW = datetime(2025, 9, 1, 12)
ARGUMENTS = {"who": "M1", "why": "sorry", "points": 900}


def _staff(world: Any) -> list[Caller]:
    world.member("M1")
    with world.database.effect() as session:
        made = [accounts.create(session, name, "long enough 1", Role.SUPPORT) for name in ("ann", "ben", "cat")]
        return [Caller(one.id, Role.SUPPORT, name=one.login) for one in made]


@pytest.fixture
def staff(world: Any) -> list[Caller]:
    """Ann, who proposes, Ben and Cat."""
    return _staff(world)


def handed_on(world: Any, ann: Caller, *, at: datetime = NOW, **changed: Any) -> str:
    """A proposal Ann has said yes to, which waits for another person."""
    with world.database.effect() as session:
        frozen = approvals.freeze(session, ann, "T1", "adjust_points", {**ARGUMENTS, **changed}, {"facts": {}}, now=at, member_id="M1")
        approvals.hand_on(session, approvals.claim(session, ann, frozen.id, now=at), now=at)
        return frozen.id


def decide(world: Any, caller: Caller, approval_id: str, status: str = "used", *, after: timedelta = timedelta(0)) -> Approval:
    with world.database.effect() as session:
        return approvals.claim_second(session, caller, approval_id, status, now=NOW + after)


def waiting(world: Any, caller: Caller, *, after: timedelta = timedelta(0)) -> list[str]:
    with world.database.read() as session:
        return [a.id for a in approvals.for_second(session, caller, now=NOW + after)]


def test_a_proposal_waits_for_everybody_but_its_proposer(world: Any, staff: list[Caller]) -> None:
    later, first = handed_on(world, staff[0]), handed_on(world, staff[0], at=NOW - timedelta(hours=1), points=800)
    assert [waiting(world, one) for one in staff] == [[], [first, later], [first, later]]


def test_nobody_is_their_own_second_person_and_it_reads_like_nothing(world: Any, staff: list[Caller]) -> None:
    proposal = handed_on(world, staff[0])
    said = []
    for approval_id in (proposal, "made up"):
        with pytest.raises(NotFound) as refused:
            decide(world, staff[0], approval_id)
        said.append(refused.value.fact)
    assert said[0] == said[1] and waiting(world, staff[1]) == [proposal]


@pytest.mark.parametrize("status", ["used", "declined"])
def test_another_person_decides_it_once(world: Any, staff: list[Caller], status: str) -> None:
    proposal = handed_on(world, staff[0])
    done = decide(world, staff[1], proposal, status)
    assert (done.status, done.second_by, done.account_id, done.arguments) == (status, staff[1].account_id, staff[0].account_id, ARGUMENTS)
    for one in staff:
        with pytest.raises(NotFound):
            decide(world, one, proposal)
    assert waiting(world, staff[2]) == []


def test_the_proposers_own_yes_does_not_count_twice(world: Any, staff: list[Caller]) -> None:
    proposal = handed_on(world, staff[0])
    with pytest.raises(RuleBroken, match="before"), world.database.effect() as session:
        approvals.claim(session, staff[0], proposal, now=NOW)
    with world.database.effect() as session:
        assert not approvals.close(session, staff[0], proposal, "declined", now=NOW)
    assert waiting(world, staff[1]) == [proposal]


def test_what_only_waits_for_its_own_callers_yes_is_nothing_for_a_second_person(world: Any, staff: list[Caller]) -> None:
    with world.database.effect() as session:
        frozen = approvals.freeze(session, staff[0], "T1", "adjust_points", ARGUMENTS, {}, now=NOW, member_id="M1")
    assert waiting(world, staff[1]) == []
    with pytest.raises(NotFound):
        decide(world, staff[1], frozen.id)


@pytest.mark.parametrize(("days", "in_time"), [(6.9, True), (7, False), (30, False)])
def test_a_second_person_has_seven_days(world: Any, staff: list[Caller], days: float, in_time: bool) -> None:
    proposal = handed_on(world, staff[0])
    assert waiting(world, staff[1], after=timedelta(days)) == ([proposal] if in_time else [])
    if in_time:
        assert decide(world, staff[1], proposal, after=timedelta(days)).status == "used"
    else:
        with pytest.raises(NotFound):
            decide(world, staff[1], proposal, after=timedelta(days))


@pytest.mark.parametrize("tampered", [{"arguments": {**ARGUMENTS, "points": 90_000}}, {"tool": "erase_me"}, {"conversation_id": "T2"}])
def test_what_was_changed_after_its_proposer_said_yes_is_refused(world: Any, staff: list[Caller], tampered: dict[str, Any]) -> None:
    proposal = handed_on(world, staff[0])
    with world.database.effect() as session:
        session.exec(update(Approval).where(col(Approval.id) == proposal).values(**tampered))
    with pytest.raises(RuleBroken, match="not what was shown"):
        decide(world, staff[1], proposal)
    assert waiting(world, staff[1]) == [proposal]


def test_a_failed_effect_leaves_it_waiting(world: Any, staff: list[Caller]) -> None:
    proposal = handed_on(world, staff[0])
    with pytest.raises(ZeroDivisionError), world.database.effect() as session:
        approvals.claim_second(session, staff[1], proposal, "used", now=NOW)
        raise ZeroDivisionError
    assert decide(world, staff[1], proposal).status == "used"


def test_what_is_shown_anew_is_kept_as_it_was_shown_last(world: Any, staff: list[Caller]) -> None:
    for balance in (100, 90):
        with world.database.effect() as session:
            frozen = approvals.freeze(session, staff[0], "T1", "adjust_points", ARGUMENTS, {"facts": {"balance": balance}}, now=NOW)
    assert frozen.card == {"facts": {"balance": 90}} and world.count(Approval) == 1


def test_of_twelve_second_people_at_once_one_decides(either: Any, world_of: Any) -> None:
    world = world_of(either)
    staff = _staff(world)
    proposal = handed_on(world, staff[0])

    def attempt(number: int) -> bool:
        try:
            return bool(decide(world, staff[1 + number % 2], proposal, "used" if number % 3 else "declined"))
        except NotFound:
            return False

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(attempt, range(12))) == 1
