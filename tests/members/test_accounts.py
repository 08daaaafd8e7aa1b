"""Is only the right password let in, and is nobody let in who should no longer be?"""

from datetime import date
from typing import Any

import pytest
from sqlmodel import col, select, update

from members import accounts
from members.access import Caller, Role
from members.errors import BadInput, NotAllowed, NotFound
from members.tables import Account

PASSWORD = "correct horse battery"


def _create(world: Any, login: str = "ada", password: str = PASSWORD, role: Role = Role.SUPPORT, **fields: Any) -> Account:
    with world.database.effect() as session:
        return accounts.create(session, login, password, role, **fields)


def _verify(world: Any, login: str, password: str) -> Account | None:
    with world.database.read() as session:
        return accounts.verify(session, login, password)


def _change(world: Any, **values: Any) -> None:
    with world.database.effect() as session:
        session.exec(update(Account).where(col(Account.login) == "ada").values(**values))


def _caller(world: Any, account: Account, *, epoch: int | None = None) -> Caller | None:
    with world.database.read() as session:
        return accounts.caller(session, account.id, account.epoch if epoch is None else epoch)


@pytest.mark.parametrize(
    ("login", "password", "let_in"),
    [("ada", PASSWORD, True), (" ADA ", PASSWORD, True), ("ada", PASSWORD + "!", False), ("bob", PASSWORD, False), ("", "", False)],
)
def test_only_the_right_login_and_password_are_let_in(world: Any, login: str, password: str, let_in: bool) -> None:
    _create(world)
    assert (_verify(world, login, password) is not None) == let_in


def test_the_password_itself_is_nowhere_in_the_record(world: Any) -> None:
    _create(world)
    _create(world, "bob")
    hashes = [row["password_hash"] for row in world.rows(Account)]
    assert all(h.startswith("$argon2id$v=19$m=19456,t=2,p=1$") and PASSWORD not in h for h in hashes)
    assert hashes[0] != hashes[1]


def test_the_longest_password_works_as_well_as_any_and_a_longer_one_is_neither_set_nor_let_in(world: Any) -> None:
    with pytest.raises(BadInput, match="up to 1024"):
        _create(world, password="x" * 1025)
    _create(world, password="x" * 1024)
    assert _verify(world, "ada", "x" * 1024)
    assert _verify(world, "ada", "x" * 1025) is None
    with world.database.effect() as session, pytest.raises(BadInput):
        accounts.set_password(session, "ada", "x" * 1025)


@pytest.mark.parametrize(("login", "password"), [("ADA ", PASSWORD), ("", PASSWORD), ("  ", PASSWORD), ("bob", "short")])
def test_a_taken_or_empty_login_and_a_short_password_are_refused(world: Any, login: str, password: str) -> None:
    _create(world)
    with pytest.raises(BadInput):
        _create(world, login, password)
    assert world.count(Account) == 1


@pytest.mark.parametrize("member_id", [None, "nobody"])
def test_a_members_account_needs_a_member(world: Any, member_id: str | None) -> None:
    with pytest.raises(BadInput):
        _create(world, role=Role.MEMBER, member_id=member_id)


def test_a_caller_carries_the_members_own_id_name_and_language(world: Any) -> None:
    world.member("M1", name="Ada", language="zh")
    account = _create(world, role=Role.MEMBER, member_id="M1")
    assert _caller(world, account) == Caller(account.id, Role.MEMBER, "M1", "Ada", "zh")


def test_staff_have_no_record_of_their_own(world: Any) -> None:
    caller = _caller(world, _create(world))
    assert caller and (caller.name, caller.member_id) == ("ada", None)
    with pytest.raises(NotAllowed):
        caller.own_member_id()


def test_a_new_password_ends_the_sessions_of_the_old(world: Any) -> None:
    account = _create(world)
    with world.database.effect() as session:
        accounts.set_password(session, "Ada", "another long one")
    assert (_verify(world, "ada", PASSWORD), bool(_verify(world, "ada", "another long one"))) == (None, True)
    assert (_caller(world, account), bool(_caller(world, account, epoch=1))) == (None, True)


def test_setting_a_password_says_what_is_wrong(world: Any) -> None:
    _create(world)
    for login, password, error in (("nobody", PASSWORD, NotFound), ("ada", "short", BadInput)):
        with world.database.effect() as session, pytest.raises(error):
            accounts.set_password(session, login, password)
    assert _verify(world, "ada", PASSWORD)


def test_a_disabled_account_is_let_in_nowhere(world: Any) -> None:
    account = _create(world)
    _change(world, disabled=True)
    assert (_verify(world, "ada", PASSWORD), _caller(world, account)) == (None, None)


def test_a_hash_that_is_none_lets_nobody_in(world: Any) -> None:
    _create(world)
    _change(world, password_hash="plain")
    assert _verify(world, "ada", "plain") is None


def test_a_member_who_left_is_nobodys_caller(world: Any) -> None:
    world.member("M1", left_on=date(2025, 1, 1))
    account = _create(world, role=Role.MEMBER, member_id="M1")
    assert _caller(world, account) is None


def test_an_unknown_account_is_nobody(world: Any) -> None:
    with world.database.read() as session:
        assert accounts.caller(session, "made up", 0) is None
        assert session.exec(select(Account)).all() == []


def test_random_passwords_are_long_enough_and_never_the_same() -> None:
    made = {accounts.random_password() for _ in range(50)}
    assert len(made) == 50
    assert min(map(len, made)) >= accounts.MINIMUM_LENGTH
