"""What came after a day?

The past as models learn from it: feature rows as of any day, and what the same
members did in the days that followed. Whoever learns asks only for days whose
aftermath had ended by its own as-of date.
"""

from collections.abc import Callable
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ibis import _

from analytics import features
from members import lake
from members.lake import day_number, day_of

# Members that are enough to learn from; a larger shop's models see a fixed sample.
ENOUGH = 200_000


class History:
    """The tables of a lake on some engine, and the rows counted from them so far."""

    def __init__(self, backend: Any) -> None:
        """Use an Ibis backend that holds the lake's tables by name; see `lake.connect`."""
        self.backend = backend
        self._rows: dict[date, pd.DataFrame] = {}
        self._made: dict[tuple[str, date], Any] = {}

    @classmethod
    def of(cls, folder: Path) -> "History":
        """The history in a lake's folder."""
        return cls(lake.connect(folder))

    @cached_property
    def span(self) -> tuple[date, date] | None:
        """The first and last day anything was bought by a known member; None where nothing was."""
        lines = self.backend.table("lines").filter(_.member_id != "")
        first, last = self.backend.execute(lines.agg(first=_.day.min(), last=_.day.max())).iloc[0]
        return None if pd.isna(first) else (day_of(int(first)), day_of(int(last)))

    def rows(self, as_of: date) -> pd.DataFrame:
        """Feature rows of all members as of a day, kept for the next who asks."""
        if as_of not in self._rows:
            self._rows[as_of] = features.rows(self.backend, as_of=as_of)
        return self._rows[as_of]

    def once(self, name: str, as_of: date, make: Callable[[], Any]) -> Any:
        """Something worked out from a day's past, kept for the next model that needs the same."""
        if (name, as_of) not in self._made:
            self._made[name, as_of] = make()
        return self._made[name, as_of]

    def buyers(self, as_of: date, *, most: int | None = ENOUGH) -> pd.DataFrame:
        """Rows of members who had ordered by a day; a fixed sample where there are more than `most`."""
        found = self.rows(as_of)
        found = found[found["orders"] > 0]
        if most is None or len(found) <= most:
            return found
        # By the id's own hash: the same members at every day and on every machine.
        place = pd.util.hash_pandas_object(pd.Series(found.index), index=False).to_numpy()
        return found[place <= np.partition(place, most - 1)[most - 1]]

    def after(self, as_of: date, days: int) -> pd.DataFrame:
        """What each member bought in the `days` after a day: `orders` and `cents`; those who bought nothing are missing."""
        counted = self._bought_within(as_of, days).group_by("member_id").agg(orders=_.order_id.nunique(), cents=_.cents.sum())
        return self.backend.execute(counted).set_index("member_id")

    def wait(self, as_of: date, days: int) -> pd.Series:
        """Days from a day to each member's next order, for those who ordered within `days`."""
        bought = self._bought_within(as_of, days)
        first = self.backend.execute(bought.group_by("member_id").agg(first=_.day.min()))
        return first.set_index("member_id")["first"] - day_number(as_of)

    def _bought_within(self, as_of: date, days: int) -> Any:
        """Lines of the days after a day that still stood when these were over: a later cancellation is not known by then."""
        start, end = day_number(as_of), day_number(as_of) + days
        return self.backend.table("lines").filter(
            _.member_id != "", _.quantity > 0, _.day > start, _.day <= end, _.cancelled_day.isnull() | (_.cancelled_day > end)
        )

    def cuts(self, as_of: date, *, days: int, most: int = 8, step: int = 15, least_past: int = 70) -> list[date]:
        """Days to learn from, newest first: each has `days` of known aftermath before `as_of` and `least_past` days behind it."""
        if self.span is None:
            return []
        newest = as_of - timedelta(days=days)
        found = [newest - timedelta(days=step * n) for n in range(most)]
        return [day for day in found if day >= self.span[0] + timedelta(days=least_past)]

    def purchases(self, until: date) -> pd.DataFrame:
        """Who bought what on which day up to `until`, known members and what stood then: member_id, product_id, day, quantity, cents."""
        now = day_number(until)
        lines = self.backend.table("lines")
        stood = lines.filter(_.member_id != "", _.day <= now, _.quantity > 0, _.cancelled_day.isnull() | (_.cancelled_day > now))
        daily = stood.group_by("member_id", "product_id", "day").agg(quantity=_.quantity.sum(), cents=_.cents.sum())
        found = self.backend.execute(daily)
        return found.astype({"day": "int64", "quantity": "int64", "cents": "int64"}).sort_values(["member_id", "product_id", "day"], ignore_index=True)

    def looks(self, until: date, *, days: int = 365) -> pd.DataFrame:
        """Who viewed or put in the cart what on which day, in the `days` up to `until`: member_id, product_id, kind, day."""
        now = day_number(until)
        events = self.backend.table("events").filter(_.kind.isin(["view", "cart"]), _.day <= now, _.day > now - days)
        found = self.backend.execute(events.select("member_id", "product_id", "kind", "day"))
        return found.sort_values(["member_id", "day", "product_id", "kind"], ignore_index=True)


def sold(backend: Any, until: date) -> pd.DataFrame:
    """Pieces sold of each product on each day up to `until`, guests' included: product_id, category, day, quantity, cents."""
    now = day_number(until)
    lines = backend.table("lines").filter(_.day <= now, _.quantity > 0, _.cancelled_day.isnull() | (_.cancelled_day > now))
    daily = lines.group_by("product_id", "category", "day").agg(quantity=_.quantity.sum(), cents=_.cents.sum())
    return backend.execute(daily).sort_values(["product_id", "day"], ignore_index=True)
