"""What had each member done by a day?

One row of plain numbers a member as of a date, written once in Ibis over the
tables of the lake: nothing after the day is looked at. DuckDB runs it unless the
lake was opened on another engine. What the numbers are good for is asked in the
models.

Money in minor units, days as calendar days. Windows end with the day itself:
`spend_30` covers the day and the 29 before it.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

import duckdb
import ibis
import pandas as pd
import pyarrow as pa
from ibis import _

from members.lake import EVENTS, TABLES, day_number

WINDOWS = (30, 90, 180, 365)


def rows(backend: Any, *, as_of: date) -> pd.DataFrame:
    """Every member's row as of a day, indexed by member id in order."""
    return _framed(backend.execute(expression(as_of)))


def of_one(tables: Mapping[str, pa.Table], *, as_of: date) -> pd.DataFrame:
    """The row of the member whose tables these are, by the very statement that counts them all."""
    with duckdb.connect(":memory:", config={"threads": 1}) as engine:
        for name, table in tables.items():
            engine.register(name, table)
        return _framed(engine.execute(_statement(as_of)).df())


def expression(as_of: date) -> Any:
    """The rows as an Ibis expression over tables of the lake's names."""
    now = day_number(as_of)
    tables = {name: ibis.table(ibis.Schema.from_pyarrow(schema), name=name) for name, schema in {**TABLES, "events": EVENTS}.items()}
    parts = [
        _orders(tables["lines"], now),
        _gaps(tables["lines"], now),
        _goods(tables["lines"], now),
        _favourite(tables["lines"], now, "category"),
        _favourite(tables["lines"], now, "channel"),
        _returns(tables["returns"], now),
        _events(tables["events"], now),
        _points(tables["points"], now),
        _tier(tables["tiers"], now),
    ]
    # Whoever joined later is not a member yet; a day of joining that is not known, or lies after a first order, hides nobody.
    everyone = tables["members"].left_join(parts[0].select("member_id", ordered=ibis.literal(True)), "member_id")
    everyone = everyone.filter(_.joined_day.isnull() | (_.joined_day <= now) | _.ordered).select("member_id", "language", "city", "country", "joined_day")
    found = everyone.mutate(tenure_days=(now - _.joined_day).cast("float64")).drop("joined_day")
    for part in parts:
        found = found.left_join(part, "member_id").drop("member_id_right")
    return _filled(found, now)


@cache
def _statement(as_of: date) -> str:
    return str(ibis.to_sql(expression(as_of), dialect="duckdb"))


# --- parts ------------------------------------------------------------------------------


def _bought(lines: Any, now: int) -> Any:
    """Lines of known members by the day; an order that was cancelled later still stood."""
    return lines.filter(_.member_id != "", _.day <= now, _.quantity > 0, _.cancelled_day.isnull() | (_.cancelled_day > now))


def _within(day: Any, now: int, days: int, *, ending: int = 0) -> Any:
    return (day > now - ending - days) & (day <= now - ending)


def _orders(lines: Any, now: int) -> Any:
    order = _bought(lines, now).group_by("member_id", "order_id")
    orders = order.agg(
        day=_.day.min(), month=_.month.min(), cents=_.cents.sum(), full=_.full_cents.sum(), pieces=_.quantity.sum(), coupon=_.coupon.cast("int32").max()
    )
    counted = {f"orders_{days}": _.count(where=_within(_.day, now, days)) for days in WINDOWS}
    spent = {f"spend_{days}": _.cents.sum(where=_within(_.day, now, days)) for days in WINDOWS}
    return orders.group_by("member_id").agg(
        orders=_.count(),
        spend=_.cents.sum(),
        **counted,
        **spent,
        # The coming quarter a year ago, and the same days two quarters back: season and trend.
        orders_season=_.count(where=_within(_.day, now, 90, ending=275)),
        spend_season=_.cents.sum(where=_within(_.day, now, 90, ending=275)),
        orders_before_90=_.count(where=_within(_.day, now, 90, ending=90)),
        spend_before_90=_.cents.sum(where=_within(_.day, now, 90, ending=90)),
        orders_before_365=_.count(where=_within(_.day, now, 365, ending=365)),
        spend_before_365=_.cents.sum(where=_within(_.day, now, 365, ending=365)),
        full=_.full.sum(),
        pieces=_.pieces.sum(),
        coupon_orders=_.coupon.sum(),
        largest_order=_.cents.max(),
        q4_cents=_.cents.sum(where=_.month >= 10),
        weekend_orders=_.count(where=(_.day + 3) % 7 >= 5),
        months=_.day.max() - _.day.min(),
        last_day=_.day.max(),
        first_day=_.day.min(),
    )


def _gaps(lines: Any, now: int) -> Any:
    days = _bought(lines, now).group_by("member_id", "day").agg(cents=_.cents.sum())
    before = _.day.lag().over(group_by="member_id", order_by="day")
    steps = days.mutate(gap=_.day - before, back=ibis.row_number().over(group_by="member_id", order_by=ibis.desc("day")))
    return steps.group_by("member_id").agg(
        order_days=_.count(),
        gap_mean=_.gap.mean(),
        gap_median=_.gap.median(),
        gap_std=_.gap.cast("float64").std(how="pop"),
        gap_last=_.gap.max(where=_.back == 0),
        gap_longest=_.gap.max(),
        # What the first day brought: the repeat days alone say how much a member usually spends.
        first_cents=_.cents.sum(where=_.gap.isnull()),
    )


def _goods(lines: Any, now: int) -> Any:
    # Twice on one day is once: only another day says that something is bought again.
    one = _bought(lines, now).group_by("member_id", "product_id").agg(first=_.day.min(), last=_.day.max(), recent=(_.day > now - 90).cast("int32").max())
    return one.group_by("member_id").agg(
        products=_.count(), products_again=_.count(where=_.last > _.first), products_90=_.recent.sum(), products_new_90=_.count(where=_.first > now - 90)
    )


def _favourite(lines: Any, now: int, what: str) -> Any:
    """The category or channel most was spent on, and its share; the first by name where two are level."""
    spent = _bought(lines, now).group_by("member_id", what).agg(cents=_.cents.sum())
    ranked = spent.mutate(
        rank=ibis.row_number().over(group_by="member_id", order_by=[ibis.desc("cents"), what]),
        all_cents=_.cents.sum().over(group_by="member_id"),
        kinds=_.count().over(group_by="member_id"),
    )
    share = (_.cents / ibis.greatest(_.all_cents, 1)).cast("float64")
    return ranked.filter(_["rank"] == 0).select("member_id", **{f"top_{what}": _[what], f"top_{what}_share": share, f"{what}_kinds": _.kinds})


def _returns(returns: Any, now: int) -> Any:
    back = returns.filter(_.member_id != "", _.day <= now)
    return back.group_by("member_id").agg(
        returns=_.count(),
        returned_cents=_.cents.sum(),
        returns_90=_.count(where=_within(_.day, now, 90)),
        returned_365=_.cents.sum(where=_within(_.day, now, 365)),
    )


def _events(events: Any, now: int) -> Any:
    seen = events.filter(_.day <= now)
    return seen.group_by("member_id").agg(
        views_30=_.count(where=(_.kind == "view") & _within(_.day, now, 30)),
        views_before_30=_.count(where=(_.kind == "view") & _within(_.day, now, 30, ending=30)),
        views_90=_.count(where=(_.kind == "view") & _within(_.day, now, 90)),
        carts_30=_.count(where=(_.kind == "cart") & _within(_.day, now, 30)),
        carts_90=_.count(where=(_.kind == "cart") & _within(_.day, now, 90)),
        reviews=_.count(where=_.kind == "review"),
        seen_day=_.day.max(),
    )


def _points(points: Any, now: int) -> Any:
    lots = (
        points.filter(_.day <= now)
        .group_by("member_id", "lot")
        .agg(left=_.points.sum(), expires=_.expires_day.max(), used=_.points.sum(where=_.kind == "redeem"))
    )
    alive = lots.mutate(left=ibis.ifelse(_.expires < now, 0, _.left))
    return alive.group_by("member_id").agg(points=_.left.sum(), points_expiring_90=_.left.sum(where=_.expires <= now + 90), points_used=-_.used.sum())


def _tier(tiers: Any, now: int) -> Any:
    steps = tiers.filter(_.day <= now)
    newest = steps.mutate(
        back=ibis.row_number().over(group_by="member_id", order_by=[ibis.desc("day"), ibis.desc("place")]), steps=_.count().over(group_by="member_id")
    )
    return newest.filter(_.back == 0).select("member_id", "tier", tier_days=now - _.day, tier_steps=_.steps)


# --- the row ----------------------------------------------------------------------------


def _filled(found: Any, now: int) -> Any:
    counts = [*(f"orders_{d}" for d in WINDOWS), *(f"spend_{d}" for d in WINDOWS), "orders", "spend", "orders_season", "spend_season", "orders_before_90"]
    counts += (
        "spend_before_90 orders_before_365 spend_before_365 coupon_orders largest_order order_days products products_again products_90 products_new_90".split()
    )
    counts += "category_kinds channel_kinds returns returned_cents returns_90 returned_365 views_30 views_before_30 views_90 carts_30 carts_90 reviews".split()
    counts += "points points_expiring_90 points_used tier_steps first_cents".split()
    whole = {name: ibis.coalesce(found[name], 0).cast("int64") for name in counts}
    # The spread of gaps is the same number on every engine only up to its last digits.
    gaps = {name: found[name].cast("float64").round(6) for name in ("gap_mean", "gap_median", "gap_std", "gap_last", "gap_longest")}
    orders, spend = found.orders.cast("float64"), found.spend.cast("float64")
    return found.select(
        *("member_id", "language", "city", "country", "tenure_days"),
        **whole,
        **gaps,
        recency_days=(now - found.last_day).cast("float64"),
        first_days=(now - found.first_day).cast("float64"),
        seen_days=(now - ibis.greatest(found.seen_day, found.last_day)).cast("float64"),
        order_cents=spend / orders,
        order_pieces=found.pieces.cast("float64") / orders,
        unit_cents=spend / found.pieces.cast("float64"),
        discount_share=(1 - spend / ibis.greatest(found.full, 1).cast("float64")).round(6),
        q4_share=(ibis.coalesce(found.q4_cents, 0).cast("float64") / ibis.greatest(found.spend, 1)).round(6),
        weekend_share=found.weekend_orders.cast("float64") / orders,
        top_category=ibis.coalesce(found.top_category, ""),
        top_category_share=found.top_category_share.round(6),
        top_channel=ibis.coalesce(found.top_channel, ""),
        tier=ibis.coalesce(found.tier, ""),
        tier_days=found.tier_days.cast("float64"),
    )


def _framed(found: pd.DataFrame) -> pd.DataFrame:
    framed = found.set_index("member_id").sort_index()
    numbers = [name for name in framed.columns if name not in TEXTS]
    framed[numbers] = framed[numbers].astype("float64")
    return framed


TEXTS = ("language", "city", "country", "top_category", "top_channel", "tier")


def columns(found: pd.DataFrame, leaving_out: Sequence[str] = ()) -> list[str]:
    """The numeric columns of rows, for models."""
    return [name for name in found.columns if name not in TEXTS and name not in leaving_out]
