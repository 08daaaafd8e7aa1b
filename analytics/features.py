"""What has this member been doing?

One row of plain numbers about a member as of a date: recency, frequency, spend
and taste. Nothing after the date is looked at.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from statistics import median

from sqlmodel import Session, col, func, select

from members.replay import histories
from members.tables import Order, OrderLine, Product, ReturnLine


@dataclass(frozen=True)
class MemberFeatures:
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


def member_features(session: Session, member_id: str, *, as_of: date) -> MemberFeatures:
    """The feature row of one member; zeros and None where nothing was bought."""
    past = histories(session, [member_id]).get(member_id)
    # Only what had happened by then: a later return is not seen.
    past = past.up_to(as_of) if past else None
    baskets = [(day, sum(c for _, c in lines)) for day, _, lines in past.baskets if day <= as_of] if past else []
    back = [(day, cents) for day, _, _, cents, _ in past.returns if day <= as_of] if past else []
    days = sorted({day for day, _ in baskets})
    gaps = [(b - a).days for a, b in zip(days, days[1:], strict=False)]
    net = [*baskets, *((day, -cents) for day, cents in back)]
    year, before = as_of - timedelta(days=365), as_of - timedelta(days=730)
    return MemberFeatures(
        member_id=member_id,
        as_of=as_of,
        orders=len(baskets),
        first_on=days[0] if days else None,
        last_on=days[-1] if days else None,
        days_since_last=(as_of - days[-1]).days if days else None,
        usual_gap_days=float(median(gaps)) if gaps else None,
        spend_cents=sum(c for _, c in net),
        spend_year_cents=sum(c for day, c in net if day > year),
        spend_before_cents=sum(c for day, c in net if before < day <= year),
        average_order_cents=sum(c for _, c in baskets) // len(baskets) if baskets else 0,
        returns=session.exec(
            select(func.count()).select_from(ReturnLine).where(ReturnLine.member_id == member_id, col(ReturnLine.returned_at) < _end(as_of))
        ).one(),
        categories=_top(session, member_id, as_of, Product.category),
        favourites=_top(session, member_id, as_of, Product.id),
        by_month=_by_month(net, as_of),
    )


def _top(session: Session, member_id: str, as_of: date, what: str, limit: int = 3) -> tuple[tuple[str, int], ...]:
    """The most bought categories or products with how many pieces."""
    pieces = func.sum(OrderLine.quantity)
    query = (
        select(what, pieces)
        .join(OrderLine, col(OrderLine.product_id) == Product.id)
        .join(Order, col(Order.id) == OrderLine.order_id)
        .where(Order.member_id == member_id, Order.status != "cancelled", col(Order.ordered_at) < _end(as_of), what != "")
        .group_by(what)
        .having(pieces > 0)
        .order_by(pieces.desc(), what)
        .limit(limit)
    )
    return tuple((str(name), int(count)) for name, count in session.exec(query).all())  # type: ignore[call-overload]


def _by_month(net: list[tuple[date, int]], as_of: date, months: int = 24) -> tuple[tuple[str, int], ...]:
    """Net spend of each of the last months, empty months included."""
    spent: Counter[str] = Counter()
    for day, cents in net:
        spent[f"{day:%Y-%m}"] += cents
    last = as_of.year * 12 + as_of.month - 1
    names = [f"{m // 12}-{m % 12 + 1:02d}" for m in range(last - months + 1, last + 1)]
    return tuple((name, spent[name]) for name in names)


def _end(as_of: date) -> datetime:
    return datetime.combine(as_of + timedelta(days=1), time.min)
