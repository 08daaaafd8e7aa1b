"""Is a write carried out only after its own caller said yes to exactly it, once, in time?"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, update

from members import accounts, approvals
from members.access import Caller, Role
from members.errors import NotFound, RuleBroken
from members.tables import Approval

NOW = datetime(2025, 9, 1, 12)
ARGUMENTS = {"order_id": "O1", "reason": "changed_mind"}


def _people(world: Any) -> tuple[Caller, Caller]:
    world.member("M1")
    world.member("M2")
    with world.database.effect() as session:
        made = [accounts.create(session, member_id, "long enough 1", Role.MEMBER, member_id=member_id) for member_id in ("M1", "M2")]
        return Caller(made[0].id, Role.MEMBER, "M1"), Caller(made[1].id, Role.MEMBER, "M2")


@pytest.fixture
def people(world: Any) -> tuple[Caller, Caller]:
    """Two members with accounts: Ada and Bob."""
    return _people(world)


def _freeze(world: Any, caller: Caller, *, thread: str = "T1", at: datetime = NOW, **changed: Any) -> Approval:
    with world.database.effect() as session:
        return approvals.freeze(session, caller, thread, "cancel_order", {**ARGUMENTS, **changed}, {"title": "Cancel"}, now=at)


def _claim(world: Any, caller: Caller, approval: Approval, *, after: timedelta = timedelta(0)) -> Approval:
    with world.database.effect() as session:
        return approvals.claim(session, caller, approval.id, now=NOW + after)


def _tamper(world: Any, **values: Any) -> None:
    with world.database.effect() as session:
        session.exec(update(Approval).where(col(Approval.status) == "open").values(**values))


def test_a_yes_is_used_once(world: Any, people: Any) -> None:
    waiting = _freeze(world, people[0])
    assert _claim(world, people[0], waiting).arguments == ARGUMENTS
    with pytest.raises(RuleBroken, match="before"):
        _claim(world, people[0], waiting)


def test_of_twelve_claims_at_once_one_succeeds(either: Any, world_of: Callable[[Any], Any]) -> None:
    world = world_of(either)
    ada, _ = _people(world)
    waiting = _freeze(world, ada)

    def attempt(_: int) -> bool:
        try:
            return bool(_claim(world, ada, waiting))
        except RuleBroken:
            return False

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(attempt, range(12))) == 1


@pytest.mark.parametrize(("seconds", "in_time"), [(0, True), (299, True), (300, False), (86_400, False)])
def test_a_yes_counts_for_five_minutes(world: Any, people: Any, seconds: int, in_time: bool) -> None:
    waiting = _freeze(world, people[0])
    if in_time:
        assert _claim(world, people[0], waiting, after=timedelta(seconds=seconds)).id == waiting.id
    else:
        with pytest.raises(RuleBroken, match="five minutes"):
            _claim(world, people[0], waiting, after=timedelta(seconds=seconds))


def test_a_failed_effect_does_not_use_the_yes_up(world: Any, people: Any) -> None:
    waiting = _freeze(world, people[0])
    with pytest.raises(ZeroDivisionError), world.database.effect() as session:
        approvals.claim(session, people[0], waiting.id, now=NOW)
        raise ZeroDivisionError
    assert _claim(world, people[0], waiting).id == waiting.id


def test_somebody_elses_yes_reads_like_one_that_does_not_exist(world: Any, people: Any) -> None:
    waiting = _freeze(world, people[0])
    said = []
    for approval_id in (waiting.id, "made up"):
        with world.database.effect() as session, pytest.raises(NotFound) as refused:
            approvals.claim(session, people[1], approval_id, now=NOW)
        said.append(str(refused.value))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    "tampered",
    [{"arguments": {**ARGUMENTS, "order_id": "O2"}}, {"tool": "erase_me"}, {"conversation_id": "T2"}, {"digest": "0" * 64}],
    ids=["arguments", "tool", "thread", "digest"],
)
def test_what_was_changed_after_it_was_shown_is_refused(world: Any, people: Any, tampered: dict[str, Any]) -> None:
    waiting = _freeze(world, people[0])
    _tamper(world, **tampered)
    with pytest.raises(RuleBroken, match="not what was shown"):
        _claim(world, people[0], waiting)


def test_what_was_moved_to_another_account_is_refused(world: Any, people: Any) -> None:
    waiting = _freeze(world, people[0])
    _tamper(world, account_id=people[1].account_id)
    with pytest.raises(RuleBroken, match="not what was shown"):
        _claim(world, people[1], waiting)


def test_asking_for_the_same_twice_waits_once_and_for_something_else_twice(world: Any, people: Any) -> None:
    first = _freeze(world, people[0])
    assert _freeze(world, people[0]).id == first.id
    others = [
        _freeze(world, people[0], order_id="O2"),
        _freeze(world, people[0], thread="T2"),
        _freeze(world, people[1]),
        _freeze(world, people[0], at=NOW + approvals.LIFETIME),
    ]
    assert len({first.id, *(other.id for other in others)}) == 5


def test_a_thread_shows_only_what_still_waits_for_its_own_caller(world: Any, people: Any) -> None:
    used, declined, waiting = (_freeze(world, people[0], order_id=f"O{n}", at=NOW + timedelta(seconds=n)) for n in range(3))
    _freeze(world, people[1])
    _freeze(world, people[0], thread="T2")
    _claim(world, people[0], used)
    with world.database.effect() as session:
        assert approvals.close(session, people[0], declined.id, "declined", now=NOW)
    with world.database.read() as session:
        assert [a.id for a in approvals.open_in(session, people[0], "T1", now=NOW)] == [waiting.id]
        assert approvals.open_in(session, people[0], "T1", now=NOW + timedelta(minutes=6)) == []


def test_a_declined_write_cannot_be_claimed_nor_declined_again_nor_by_another(world: Any, people: Any) -> None:
    waiting = _freeze(world, people[0])
    with world.database.effect() as session:
        closed = [approvals.close(session, who, waiting.id, "declined", now=NOW) for who in (people[1], people[0], people[0])]
    assert closed == [False, True, False]
    with pytest.raises(RuleBroken, match="before"):
        _claim(world, people[0], waiting)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(st.dictionaries(st.text(max_size=5), values, max_size=4), st.text(max_size=5), st.text(max_size=5))
def test_the_digest_depends_on_every_part_and_on_no_order_of_keys(arguments: dict[str, Any], account_id: str, thread: str) -> None:
    bound = approvals.digest("tool", arguments, account_id, thread)
    assert bound == approvals.digest("tool", dict(reversed(arguments.items())), account_id, thread)
    changed = [
        ("tools", arguments, account_id, thread),
        ("tool", {**arguments, "more!!": 1}, account_id, thread),
        ("tool", arguments, account_id + "x", thread),
    ]
    assert bound not in {approvals.digest(*parts) for parts in [*changed, ("tool", arguments, account_id, thread + "x")]}
