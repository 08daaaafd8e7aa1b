"""When is a member likely to look?

Hours of the day from a member's own orders and visits, drawn towards the shop's
as far as there are few of them, and smoothed round the clock. Nothing is
learned of which message was opened: only of when somebody was about.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlmodel import Session, col, select

from members import lake
from members.tables import Order

# As many hours of the shop's as a member brings of their own weigh the same.
_PRIOR = 8.0
_YEAR = 365
_AT_ONCE = 2_000
_NEAR = np.array([0.25, 0.5, 0.25])
_UNKNOWN = 10


@dataclass(frozen=True)
class Hours:
    """Chance of each of the 24 hours for somebody, and of each weekday (Monday first), with how much was seen."""

    chance: NDArray[np.float64]
    weekdays: NDArray[np.float64]
    seen: int

    def best(self, quiet: Callable[[int], bool]) -> int:
        """The likeliest hour that is not quiet."""
        return max((hour for hour in range(24) if not quiet(hour)), key=lambda hour: (self.chance[hour], -hour), default=_UNKNOWN)

    def share(self, hour: int, *, width: int = 3) -> float:
        """How much of what they do falls into the hours from one on."""
        return float(sum(self.chance[(hour + step) % 24] for step in range(width)))


def hours(session: Session, folder: Path, member_ids: Sequence[str] | None, *, today: date, like: Hours | None = None) -> tuple[Hours, Mapping[str, Hours]]:
    """The hours of all these members together (of the shop, when none are named), drawn towards `like`, and of each by their own past year."""
    seen: dict[str, list[datetime]] = {}
    since = datetime.combine(today - timedelta(days=_YEAR), datetime.min.time())
    end = datetime.combine(today + timedelta(days=1), datetime.min.time())
    when = (col(Order.ordered_at) >= since, col(Order.ordered_at) < end, col(Order.member_id).is_not(None))
    groups = [None] if member_ids is None else [list(member_ids[n : n + _AT_ONCE]) for n in range(0, len(member_ids), _AT_ONCE)]
    for some in groups:
        query = select(Order.member_id, Order.ordered_at).where(*when)
        for member_id, at in session.exec(query.where(col(Order.member_id).in_(some)) if some is not None else query):
            if member_id is not None and at is not None:
                seen.setdefault(member_id, []).append(at)
        for member_id, _, _, at in lake.events_of(folder, some, until=end) if some is not None else ():
            if at >= since:
                seen.setdefault(member_id, []).append(at)
    whole = _hours([at for mine in seen.values() for at in mine], like)
    return whole, {member_id: _hours(mine, whole) for member_id, mine in seen.items()}


def _hours(at: Sequence[datetime], shop: Hours | None) -> Hours:
    counts = np.bincount([one.hour for one in at], minlength=24).astype(float)
    days = np.bincount([one.weekday() for one in at], minlength=7).astype(float)
    smooth = sum(weight * np.roll(counts, step) for weight, step in zip(_NEAR, (-1, 0, 1), strict=True))
    base = shop.chance if shop is not None else np.full(24, 1 / 24)
    week = shop.weekdays if shop is not None else np.full(7, 1 / 7)
    return Hours((smooth + _PRIOR * base) / (len(at) + _PRIOR), (days + _PRIOR * week) / (len(at) + _PRIOR), len(at))
