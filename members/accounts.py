"""Who may log in?

Accounts with argon2id hashes. Tokens are made one floor up; this room only
knows whether a password is right and whether an account still counts.
"""

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlmodel import Session, select

from members.access import Caller, Role
from members.errors import BadInput, NotFound
from members.tables import Account, Member

# OWASP's password storage cheat sheet: argon2id, 19 MiB, two passes, one lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Compared against when a login is unknown, so that the answer takes as long.
_NOBODY = _HASHER.hash("nobody has this password")
MINIMUM_LENGTH, LONGEST = 10, 1024


def random_password() -> str:
    """A password to be shown once."""
    return secrets.token_urlsafe(9)


def create(session: Session, login: str, password: str, role: Role, *, member_id: str | None = None) -> Account:
    """Add an account. Raises BadInput for a taken login, a password of a wrong length or an unknown member."""
    login = login.strip().lower()
    if not login or session.exec(select(Account).where(Account.login == login)).first():
        raise BadInput(f"The login “{login}” is empty or taken.")
    _must_fit(password)
    if role is Role.MEMBER and (member_id is None or session.get(Member, member_id) is None):
        raise BadInput("A member's account needs the id of an existing member.")
    account = Account(login=login, password_hash=_HASHER.hash(password), role=role.value, member_id=member_id)
    session.add(account)
    session.flush()
    return account


def set_password(session: Session, login: str, password: str) -> None:
    """Give an account a new password and end its sessions. Raises NotFound or BadInput."""
    account = session.exec(select(Account).where(Account.login == login.strip().lower())).first()
    if account is None:
        raise NotFound(f"There is no account “{login}”.")
    _must_fit(password)
    account.password_hash, account.epoch = _HASHER.hash(password), account.epoch + 1
    session.add(account)


def verify(session: Session, login: str, password: str) -> Account | None:
    """The account if login and password are right, else None; both take the same time."""
    account = session.exec(select(Account).where(Account.login == login.strip().lower())).first()
    try:
        # One character more than any password has: whatever was cut off, it does not match.
        _HASHER.verify(account.password_hash if account else _NOBODY, password[: LONGEST + 1])
    except (VerifyMismatchError, InvalidHashError):
        return None
    return account if account and not account.disabled else None


def caller(session: Session, account_id: str, epoch: int) -> Caller | None:
    """The caller behind a verified token, unless its account was closed or its sessions ended."""
    account = session.get(Account, account_id)
    if account is None or account.disabled or account.epoch != epoch:
        return None
    member = session.get(Member, account.member_id) if account.member_id else None
    if account.role == Role.MEMBER and (member is None or (member.left_on and not member.erase_on)):
        return None
    return Caller(account.id, Role(account.role), account.member_id, member.name if member else account.login, member.language if member else "en")


def every(session: Session) -> list[Account]:
    """All accounts, by login."""
    return list(session.exec(select(Account).order_by(Account.login)))


def _must_fit(password: str) -> None:
    if len(password) < MINIMUM_LENGTH:
        raise BadInput(f"A password needs at least {MINIMUM_LENGTH} characters.")
    if len(password) > LONGEST:
        raise BadInput(f"A password may have up to {LONGEST} characters.")
