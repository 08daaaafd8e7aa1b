"""What is a member's taste, in words' own space?

The time-decayed mean of the vectors of what they bought, put in a cart, viewed
and wrote. Kept as a sum, a weight and the time of the newest event, so that one
event at a time gives the same as all at once, in any order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
HALF_LIFE_DAYS = 90.0
WEIGHTS = {"order": 3.0, "cart": 2.0, "review": 2.0, "view": 1.0}


@dataclass(frozen=True)
class Taste:
    """A decayed sum of vectors and of weights, both as of `at`."""

    total: Vector
    weight: float
    at: datetime

    @property
    def mean(self) -> Vector:
        """The taste itself; zeros when nothing was seen."""
        return self.total / self.weight if self.weight > 0 else self.total

    def seen(self, kind: str, vector: Any, at: datetime) -> "Taste":
        """The taste after one more event, which may be older than the newest. Raises KeyError for an unknown kind."""
        newest = max(self.at, at)
        kept, fresh = _decay(self.at, newest), WEIGHTS[kind] * _decay(at, newest)
        return Taste(self.total * kept + np.asarray(vector, np.float64) * fresh, self.weight * kept + fresh, newest)


def of_events(events: Iterable[tuple[str, Any, datetime]]) -> Taste | None:
    """The taste of all events (kind, vector, instant) at once; None for none."""
    known = list(events)
    if not known:
        return None
    newest = max(at for _, _, at in known)
    weights = np.array([WEIGHTS[kind] * _decay(at, newest) for kind, _, at in known])
    vectors = np.stack([np.asarray(vector, np.float64) for _, vector, _ in known])
    return Taste(weights @ vectors, float(weights.sum()), newest)


def packed(taste: Taste) -> bytes:
    """The vector as stored: little-endian 32-bit floats."""
    return taste.total.astype("<f4").tobytes()


def unpacked(vector: bytes, weight: float, at: datetime) -> Taste:
    """A stored taste."""
    return Taste(np.frombuffer(vector, "<f4").astype(np.float64), weight, at)


def _decay(then: datetime, now: datetime) -> float:
    return float(0.5 ** ((now - then).total_seconds() / 86_400 / HALF_LIFE_DAYS))
