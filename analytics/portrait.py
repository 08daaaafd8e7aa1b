"""What has this member been doing?

One member's habits as staff read them, as of a date: the feature row's numbers
in words' order, with what they like and what they spent month by month. Money
net of returns. Nothing after the date is looked at.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session

from members import extract
from members.lake import day_number, day_of


@dataclass(frozen=True)
class Portrait:
    """One member as of a day. Money in minor units, net of returns; days are calendar days."""

    member_id: str
    as_of: date
    orders: int
    first_on: date | None
    last_on: date | None
    days_since_last: int | None
    usual_gap_days: float | None
    spend_cents: int
    spend_year_cents: int
    spend_before_cents: int
    average_order_cents: int
    returns: int
    categories: tuple[tuple[str, int], ...]
    favourites: tuple[tuple[str, int], ...]
    by_month: tuple[tuple[str, int], ...]


def portrait(session: Session, member_id: str, *, as_of: date) -> Portrait:
    """The portrait of one member; zeros and None where nothing was bought."""
    tables = extract.of_member(session, member_id)
    now = day_number(as_of)
    lines = [
        line
        for line in tables["lines"].to_pylist()
        # An order that was cancelled later still stood on the day.
        if line["day"] <= now and line["quantity"] > 0 and (line["cancelled_day"] is None or line["cancelled_day"] > now)
    ]
    # Goods of an order that stood nevermore go back for nothing.
    back = [line for line in tables["returns"].to_pylist() if line["day"] <= now]
    days = sorted({line["day"] for line in lines})
    gaps = sorted(b - a for a, b in zip(days, days[1:], strict=False))
    middle = len(gaps) // 2
    net = [*((line["day"], line["cents"]) for line in lines), *((line["day"], -line["cents"]) for line in back)]
    orders = len({line["order_id"] for line in lines})
    return Portrait(
        member_id=member_id,
        as_of=as_of,
        orders=orders,
        first_on=day_of(days[0]) if days else None,
        last_on=day_of(days[-1]) if days else None,
        days_since_last=now - days[-1] if days else None,
        usual_gap_days=float(gaps[middle] if len(gaps) % 2 else (gaps[middle - 1] + gaps[middle]) / 2) if gaps else None,
        spend_cents=sum(c for _, c in net),
        spend_year_cents=sum(c for day, c in net if day > now - 365),
        spend_before_cents=sum(c for day, c in net if now - 730 < day <= now - 365),
        average_order_cents=sum(line["cents"] for line in lines) // orders if orders else 0,
        returns=len(back),
        categories=_top(lines, "category"),
        favourites=_top(lines, "product_id"),
        by_month=_by_month(net, as_of),
    )


def _top(lines: list[dict[str, object]], what: str, limit: int = 3) -> tuple[tuple[str, int], ...]:
    """The most bought categories or products with how many pieces; the first by name where two are level."""
    pieces: Counter[str] = Counter()
    for line in lines:
        if line[what]:
            pieces[str(line[what])] += int(str(line["quantity"]))
    return tuple(sorted(pieces.items(), key=lambda item: (-item[1], item[0]))[:limit])


def _by_month(net: list[tuple[int, int]], as_of: date, months: int = 24) -> tuple[tuple[str, int], ...]:
    """Net spend of each of the last months, empty months included."""
    spent: Counter[str] = Counter()
    for day, cents in net:
        spent[f"{day_of(day):%Y-%m}"] += cents
    last = as_of.year * 12 + as_of.month - 1
    names = [f"{m // 12}-{m % 12 + 1:02d}" for m in range(last - months + 1, last + 1)]
    return tuple((name, spent[name]) for name in names)
