"""What must be known of every member to play a year of the club forward?

Arrays, one row a member: what they spent month by month, how often they order,
how likely they are to have gone, their tier, their points by the month these
lapse in. Counted from the lake, or from feature rows alone, invented ones
included; grown to any size by drawing members again. The playing is done in
policy_lab.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from ibis import _
from numpy.typing import NDArray

from analytics.history import History
from members.lake import day_number
from members.program import Program

# Whole months back from the day; windows and terms are counted in these.
MONTH_DAYS = 365 / 12
PAST = 24
# Buckets of points by months until they lapse; what lives longer lies in the last.
POINT_MONTHS = 36
Floats = NDArray[np.float32]
Places = NDArray[np.int8]


@dataclass(frozen=True)
class Club:
    """N members as of a day. Money in minor units.

    `spent` (N, 24): product spend after discounts by month back, the latest first; `orders_a_month` (N,) at a member's own pace
    while they are there; `order_cents` (N,) and its spread `order_cv`; `gone` (N,) chance of having left for good; `leaving` chance a month of
    whoever is there to leave; `tier` (N,) rank; `points` (N, 36) by months until they lapse; `extra` (N,) share of spend in favoured
    categories weighted by what these earn beyond one, under the rules handed in; `season` (12,) by calendar month.
    """

    as_of: date
    spent: Floats
    orders_a_month: Floats
    order_cents: Floats
    order_cv: float
    gone: Floats
    leaving: float
    tier: Places
    points: Floats
    shares: Floats
    categories: tuple[str, ...]
    season: Floats
    used_monthly: float
    segment: NDArray[Any]
    invented: bool = False

    def __len__(self) -> int:
        """How many members."""
        return len(self.tier)

    def take(self, places: NDArray[Any]) -> "Club":
        """The members at these places, in that order."""
        per_member = {f.name: getattr(self, f.name)[places] for f in fields(self) if f.name in _PER_MEMBER}
        return replace(self, **per_member)

    def sampled(self, most: int, *, seed: int = 0) -> "Club":
        """A fixed sample of at most so many members."""
        if len(self) <= most:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(len(self), most, replace=False)))

    def grown(self, members: int, *, seed: int = 0) -> "Club":
        """A club of that size: members drawn again, their money moved by a tenth so that no threshold meets a crowd on one spot."""
        rng = np.random.default_rng(seed)
        found = self.take(rng.integers(0, len(self), members))
        blur = np.exp(rng.normal(0, 0.1, members)).astype(np.float32)
        return replace(found, spent=found.spent * blur[:, None], order_cents=found.order_cents * blur, invented=True)


_PER_MEMBER = ("spent", "orders_a_month", "order_cents", "gone", "tier", "points", "shares", "segment")


def of_history(history: History, rules: Program, *, as_of: date, churn: pd.Series | None = None, segment: pd.Series | None = None) -> Club:
    """The club as the lake knows it. `churn` (chance of no order in 90 days) and `segment` by member id where models were learned."""
    rows = history.rows(as_of)
    base = of_rows(rows, rules, as_of=as_of, churn=churn, segment=segment)
    ids = rows.index
    return replace(
        base,
        spent=_months(history, ids, as_of),
        points=_points(history, ids, as_of),
        shares=_shares(history, ids, as_of, base.categories),
        season=_season(history, as_of),
        used_monthly=_used(rows),
        order_cv=_spread(history, as_of),
        leaving=_leaving(rows),
    )


def of_rows(rows: pd.DataFrame, rules: Program, *, as_of: date, churn: pd.Series | None = None, segment: pd.Series | None = None) -> Club:
    """The club from feature rows alone: months between the ends of the windows there are, are filled evenly, points lapse as if earned evenly."""
    n = len(rows)
    number = lambda name: np.nan_to_num(pd.to_numeric(rows[name], errors="coerce").to_numpy(np.float32)) if name in rows else np.zeros(n, np.float32)  # noqa: E731
    spent = np.zeros((n, PAST), np.float32)
    before, first = np.zeros(n, np.float32), 0
    for name, last in (("spend_30", 1), ("spend_90", 3), ("spend_180", 6), ("spend_365", 12)):
        if name in rows:
            whole = np.maximum(number(name), before)
            spent[:, first:last] = ((whole - before) / (last - first))[:, None]
            before, first = whole, last
    spent[:, 12:24] = (number("spend_before_365") / 12)[:, None]
    if "spend_before_365" not in rows and "spend" in rows:
        # What is older than a year, at the pace of the months there were.
        older = np.maximum(number("first_days") / MONTH_DAYS - 12, 0)
        spent[:, 12:24] = np.where(older > 0, np.maximum(number("spend") - before, 0) / np.maximum(older, 12), 0)[:, None]
    months = np.clip(np.where(number("first_days") > 0, number("first_days"), number("tenure_days")) / MONTH_DAYS, 1, 12)
    # Drawn towards the club's own pace: one order in a month is not twelve a year.
    mean = float(number("orders_365").sum() / max(1.0, months.sum()))
    pace = (number("orders_365") + 2 * mean) / (months + 2)
    usual = (
        number("order_cents")
        if "order_cents" in rows
        else np.divide(number("spend"), number("orders"), out=np.zeros(n, np.float32), where=number("orders") > 0)
    )
    typical = float(np.median(usual[usual > 0])) if (usual > 0).any() else 0.0
    keys = [level.key for level in rules.tiers.levels]
    tier = np.array([keys.index(t) if t in keys else 0 for t in rows["tier"].astype(str)] if "tier" in rows else [0] * n, np.int8)
    points = np.zeros((n, POINT_MONTHS), np.float32)
    lives = min(rules.expiry.months, POINT_MONTHS)
    points[:, :lives] = (np.maximum(number("points"), 0) / lives)[:, None]
    categories = tuple(sorted({*rows["top_category"].dropna().astype(str)} - {"", "nan"})) if "top_category" in rows else ()
    shares = np.zeros((n, len(categories)), np.float32)
    for place, name in enumerate(categories):
        mine = rows["top_category"].astype(str).to_numpy() == name
        shares[mine, place] = number("top_category_share")[mine]
    return Club(
        as_of=as_of,
        spent=spent,
        orders_a_month=pace.astype(np.float32),
        order_cents=np.where(usual > 0, usual, typical).astype(np.float32),
        order_cv=0.8,
        gone=_gone(rows, pace.astype(np.float32), churn),
        leaving=_leaving(rows),
        tier=tier,
        points=points,
        shares=shares,
        categories=categories,
        season=np.ones(12, np.float32),
        used_monthly=_used(rows),
        segment=segment.reindex(rows.index).fillna("").to_numpy(str) if segment is not None else np.full(n, "", dtype="<U1"),
    )


def _gone(rows: pd.DataFrame, pace: Floats, churn: pd.Series | None) -> Floats:
    """How likely a member has left for good, so that three months at their pace give the chance of silence the models see."""
    silent = np.exp(-3 * pace.astype(np.float64))
    if churn is None:
        # By their silence alone: the chance that somebody of their pace who is still there would be quiet so long.
        quiet = np.nan_to_num(rows["recency_days"].to_numpy(float), nan=365.0) / MONTH_DAYS if "recency_days" in rows else np.zeros(len(rows))
        alive = np.exp(-pace * np.maximum(0, quiet - 1))
        return (1 - alive / (alive + 0.25)).astype(np.float32)
    chance = churn.reindex(rows.index).fillna(churn.mean()).to_numpy(float)
    found: Floats = np.clip((chance - silent) / np.maximum(1 - silent, 1e-6), 0, 0.995).astype(np.float32)
    return found


def _leaving(rows: pd.DataFrame) -> float:
    """The chance a month to leave, of members who had ordered between one and two years ago and who of them did not in the past year."""
    if "orders_before_365" not in rows:
        return 0.02
    earlier = rows[rows["orders_before_365"] > 1]
    if len(earlier) < 50:
        return 0.02
    stayed = float((earlier["orders_365"] > 0).mean())
    return float(np.clip(1 - max(stayed, 0.05) ** (1 / 12), 0.002, 0.2))


def _used(rows: pd.DataFrame) -> float:
    """Share of the points at hand that are used in a month: those ever used against those left, over the time members have been there."""
    if "points_used" not in rows or "first_days" not in rows:
        return 0.03
    used, left = float(rows["points_used"].clip(lower=0).sum()), float(rows["points"].clip(lower=0).sum())
    months = float(np.nanmean(rows["first_days"])) / MONTH_DAYS if rows["first_days"].notna().any() else 12.0
    held = (left + used / 2) * max(months, 1.0) / 2
    return float(np.clip(used / held, 0.002, 0.5)) if held > 0 and used > 0 else 0.03


def _months(history: History, ids: pd.Index, as_of: date) -> Floats:
    now = day_number(as_of)
    lines = history.backend.table("lines")
    stood = lines.filter(_.member_id != "", _.day <= now, _.quantity > 0, _.cancelled_day.isnull() | (_.cancelled_day > now))
    back = ((now - _.day) / MONTH_DAYS).floor().cast("int32")
    table = history.backend.execute(stood.mutate(back=back).filter(_.back < PAST).group_by("member_id", "back").agg(cents=_.cents.sum()))
    given = history.backend.table("returns").filter(_.member_id != "", _.day <= now)
    refunds = history.backend.execute(
        given.mutate(back=((now - _.day) / MONTH_DAYS).floor().cast("int32")).filter(_.back < PAST).group_by("member_id", "back").agg(cents=_.cents.sum())
    )
    found = np.zeros((len(ids), PAST), np.float32)
    for part, sign in ((table, 1.0), (refunds, -1.0)):
        place = ids.get_indexer(part["member_id"])
        known = place >= 0
        np.add.at(found, (place[known], part["back"].to_numpy(int)[known]), sign * part["cents"].to_numpy(np.float32)[known])
    return np.maximum(found, 0)


def _points(history: History, ids: pd.Index, as_of: date) -> Floats:
    now = day_number(as_of)
    entries = history.backend.table("points").filter(_.day <= now)
    lots = entries.group_by("member_id", "lot").agg(left=_.points.sum(), expires=_.expires_day.max()).filter(_.left > 0)
    table = history.backend.execute(lots)
    found = np.zeros((len(ids), POINT_MONTHS), np.float32)
    place = ids.get_indexer(table["member_id"])
    months = np.nan_to_num((table["expires"].to_numpy(float) - now) / MONTH_DAYS, nan=POINT_MONTHS - 1)
    bucket = np.clip(months, 0, POINT_MONTHS - 1).astype(int)
    known = (place >= 0) & (months >= 0)
    np.add.at(found, (place[known], bucket[known]), table["left"].to_numpy(np.float32)[known])
    return found


def _shares(history: History, ids: pd.Index, as_of: date, categories: tuple[str, ...]) -> Floats:
    now = day_number(as_of)
    lines = history.backend.table("lines").filter(_.member_id != "", _.day <= now, _.day > now - 730, _.quantity > 0)
    table = history.backend.execute(lines.group_by("member_id", "category").agg(cents=_.cents.sum()))
    found = np.zeros((len(ids), len(categories)), np.float32)
    where: Mapping[str, int] = {name: n for n, name in enumerate(categories)}
    place, column = ids.get_indexer(table["member_id"]), table["category"].map(where).fillna(-1).to_numpy(int)
    known = (place >= 0) & (column >= 0)
    np.add.at(found, (place[known], column[known]), table["cents"].to_numpy(np.float32)[known])
    whole = np.zeros(len(ids), np.float32)
    everything = place >= 0
    np.add.at(whole, place[everything], table["cents"].to_numpy(np.float32)[everything])
    shares: Floats = np.divide(found, whole[:, None], out=np.zeros_like(found), where=whole[:, None] > 0)
    return shares


def _season(history: History, as_of: date) -> Floats:
    """Orders of a calendar month against the shop's own trend; flat until two years show which months return.

    With one year a busy month and a growing shop cannot be told apart.
    """
    now = day_number(as_of)
    if history.span is None or (as_of - history.span[0]).days < 700:
        return np.ones(12, np.float32)
    lines = history.backend.table("lines").filter(_.member_id != "", _.day <= now, _.quantity > 0)
    back = ((now - _.day) / MONTH_DAYS).floor().cast("int32")
    table = history.backend.execute(lines.mutate(back=back).filter(_.back < PAST).group_by("back").agg(orders=_.order_id.nunique()))
    orders = np.ones(PAST)
    orders[table["back"].to_numpy(int)] = np.maximum(1, table["orders"].to_numpy(float))
    when = -np.arange(PAST, dtype=float)
    trend = np.exp(np.polyval(np.polyfit(when, np.log(orders), 1), when))
    found = np.ones(12)
    for month in range(12):
        places = [n for n in range(PAST) if (as_of.month - 1 - n) % 12 == month]
        found[month] = float(np.mean(orders[places] / trend[places]))
    return np.clip(found / found.mean(), 0.25, 4).astype(np.float32)


def _spread(history: History, as_of: date) -> float:
    """How much one member's orders differ in value: deviation against mean, typical of those with five or more."""
    now = day_number(as_of)
    lines = history.backend.table("lines").filter(_.member_id != "", _.day <= now, _.quantity > 0)
    orders = lines.group_by("member_id", "order_id").agg(cents=_.cents.sum())
    each = history.backend.execute(orders.group_by("member_id").agg(n=_.count(), mean=_.cents.mean(), sd=_.cents.std()).filter(_.n >= 5, _.mean > 0))
    return float(np.clip((each["sd"] / each["mean"]).median(), 0.2, 2.0)) if len(each) else 0.8
