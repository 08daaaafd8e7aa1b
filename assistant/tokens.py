"""Who sent this request?

Short-lived signed tokens for accounts, and a brake on guessing passwords. The
signing secret lies in the home folder, readable by its owner alone.
"""

import secrets
import time
from collections import defaultdict, deque
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt

from members.tables import Account

LIFETIME = timedelta(minutes=30)
_ALGORITHM = "HS256"
# Wrong passwords allowed for one login before a pause.
_TRIES, _PAUSE_SECONDS = 8, 300.0


def secret_of(home: Path) -> str:
    """The home's signing secret, made at first use."""
    path = home / "secret.key"
    if not path.is_file():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48), encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()


class Tokens:
    """Issues and reads tokens with one secret."""

    def __init__(self, secret: str) -> None:
        """Sign with this secret."""
        self._secret = secret

    def issue(self, account: Account) -> str:
        """A token for an account, good for half an hour."""
        return self._sign(account.id, account.epoch)

    def renewed(self, token: str) -> str | None:
        """A fresh token for one past half its life; None when it is young or bad."""
        found = self._claims(token)
        if found is None or found["exp"] - datetime.now(UTC).timestamp() > LIFETIME.total_seconds() / 2:
            return None
        return self._sign(str(found["sub"]), int(found["epoch"]))

    def read(self, token: str) -> tuple[str, int] | None:
        """Account id and epoch of a valid token, else None."""
        found = self._claims(token)
        return (str(found["sub"]), int(found["epoch"])) if found else None

    def _sign(self, account_id: str, epoch: int) -> str:
        return jwt.encode({"sub": account_id, "epoch": epoch, "exp": datetime.now(UTC) + LIFETIME}, self._secret, _ALGORITHM)

    def _claims(self, token: str) -> dict[str, float] | None:
        try:
            return jwt.decode(token, self._secret, algorithms=[_ALGORITHM], options={"require": ["exp", "sub", "epoch"]})
        except jwt.InvalidTokenError:
            return None


class Brake:
    """Counts wrong passwords by login; too many, and the login rests."""

    def __init__(self) -> None:
        """Start with nobody braked."""
        self._wrong: dict[str, deque[float]] = defaultdict(deque)

    def allows(self, login: str) -> bool:
        """Whether another try may be made now."""
        tries = self._wrong[login.lower()[:80]]
        while tries and time.monotonic() - tries[0] > _PAUSE_SECONDS:
            tries.popleft()
        return len(tries) < _TRIES

    def wrong(self, login: str) -> None:
        """Note a wrong password."""
        self._wrong[login.lower()[:80]].append(time.monotonic())
