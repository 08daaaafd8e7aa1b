"""What would the programme have given for this history?

Replays each member's orders and returns, oldest first, through the rules and
writes points entries and tier changes. Used after an import; the same history
replayed twice books nothing new.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy import delete, insert
from sqlmodel import Session, and_, col, or_, select, update

from members import program
from members.database import advance_ids
from members.program import Program, Step, Tier
from members.tables import Member, Order, OrderLine, PointsEntry, Product, ReturnLine, TierChange

_AT_ONCE = 500


@dataclass
class History:
    """One member's days: baskets (day, order id, [(category, cents)]) and returns (day, order id, category, cents, note)."""

    baskets: list[tuple[date, str, list[tuple[str, int]]]] = field(default_factory=list)
    returns: list[tuple[date, str | None, str, int, str]] = field(default_factory=list)

    def up_to(self, day: date) -> "History":
        """What had happened by the end of a day."""
        return History([basket for basket in self.baskets if basket[0] <= day], [back for back in self.returns if back[0] <= day])

    def spends(self) -> list[tuple[date, int]]:
        """Product spend net of returns, as (day, cents).

        A return counts on the day of its purchase: if it left the window later, a tier would fall and rise again by itself.
        """
        bought = [(day, sum(cents for _, cents in lines)) for day, _, lines in self.baskets]
        return bought + [(day if basket is None else self.baskets[basket][0], -cents) for day, _, _, basket, cents in self.answers()]

    def answers(self) -> Iterator[tuple[date, str, str, int | None, int]]:
        """Returns in order of day, split over the baskets that answer for them: (day, category, note, index of the basket, cents).

        The index is None for goods of no known purchase. A credit may be for
        several purchases: what exceeds the order it names is of those before it.
        """
        place = {order_id: index for index, (_, order_id, _) in enumerate(self.baskets)}
        left = [max(0, sum(cents for _, cents in lines)) for _, _, lines in self.baskets]
        for day, order_id, category, cents, note in sorted(self.returns, key=lambda back: back[0]):
            for index in self._before(place.get(order_id or ""), day):
                part = min(cents, left[index])
                if part:
                    left[index] -= part
                    cents -= part
                    yield day, category, note, index, part
                if not cents:
                    break
            if cents:
                yield day, category, note, None, cents

    def _before(self, named: int | None, returned_on: date) -> Iterator[int]:
        """The basket named and then those before it, the latest first; none that was bought after the return."""
        if named is None or self.baskets[named][0] > returned_on:
            return
        yield named
        earlier = (i for i, (day, _, _) in enumerate(self.baskets) if i != named and day <= self.baskets[named][0])
        yield from sorted(earlier, key=lambda i: self.baskets[i][0], reverse=True)


def histories(session: Session, member_ids: Sequence[str]) -> dict[str, History]:
    """Histories of some members, dated orders only; a cancelled or returned order counts for nothing, nor do its returns."""
    category = dict(session.exec(select(Product.id, Product.category)).all()) if len(member_ids) > 50 else _Lookup(session)
    found: dict[str, History] = defaultdict(History)
    baskets: dict[str, tuple[str, date, int, list[tuple[str, int]]]] = {}
    for member_id, order_id, at, discount, product_id, quantity, unit in session.execute(_bought(member_ids)):
        basket = baskets.setdefault(order_id, (member_id, at.date(), discount, []))
        basket[3].append((category.get(product_id) or "", quantity * unit))
    for order_id, (member_id, day, discount, lines) in baskets.items():
        found[member_id].baskets.append((day, order_id, _less(lines, discount)))
    for line in session.scalars(_given_back(member_ids)):
        # Postage and corrections given back are no goods: they never earned anything.
        if line.returned_at and line.member_id and category.get(line.product_id) is not None:
            note = f"{line.credit_note}:{line.position}"
            found[line.member_id].returns.append((line.returned_at.date(), line.order_id, category.get(line.product_id) or "", line.refund_cents, note))
    return found


def _bought(member_ids: Sequence[str]) -> Any:
    order: tuple[Any, ...] = (Order.member_id, Order.id, Order.ordered_at, Order.discount_cents)
    line: tuple[Any, ...] = (OrderLine.product_id, OrderLine.quantity, OrderLine.unit_price_cents)
    lines = sa.select(*order, *line).join(OrderLine, col(OrderLine.order_id) == Order.id)
    mine = lines.where(col(Order.member_id).in_(member_ids), col(OrderLine.kind) == "product", _counts())
    return mine.order_by(col(Order.ordered_at), col(Order.id), col(OrderLine.position))


def _given_back(member_ids: Sequence[str]) -> Any:
    lines = select(ReturnLine).join(Order, col(Order.id) == ReturnLine.order_id, isouter=True)
    mine = lines.where(col(ReturnLine.member_id).in_(member_ids), or_(col(Order.id).is_(None), _counts()))
    return mine.order_by(col(ReturnLine.returned_at), col(ReturnLine.id))


def _counts() -> Any:
    return and_(col(Order.status).not_in(("cancelled", "returned")), col(Order.ordered_at).is_not(None))


class _Lookup:
    """Categories one at a time, for a single member's page; the whole table is for replays."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, product_id: str) -> str | None:
        product = self.session.get(Product, product_id)
        return product.category if product else None


def _less(lines: list[tuple[str, int]], discount: int) -> list[tuple[str, int]]:
    """The lines with the order's discount spread over them by value."""
    total = sum(cents for _, cents in lines)
    if not discount or total <= 0:
        return lines
    return [(category, cents - cents * discount // total) for category, cents in lines]


def replay(session: Session, member_ids: Iterable[str], rules: Program, *, until: date, progress: Callable[[int], None] = lambda n: None) -> int:
    """Write the book and the tier changes of these members anew where nothing was booked by hand.

    Returns the number of entries written. Members whose book already holds
    anything but replayed entries keep it: what a person did is never undone.
    """
    written = 0
    ids = iter(member_ids)
    while some := list(islice(ids, _AT_ONCE)):
        mine = _untouched(session, some)
        session.exec(delete(PointsEntry).where(col(PointsEntry.member_id).in_(mine), col(PointsEntry.lot_id).is_not(None)))  # type: ignore[call-overload]
        session.exec(delete(PointsEntry).where(col(PointsEntry.member_id).in_(mine)))  # type: ignore[call-overload]
        session.exec(delete(TierChange).where(col(TierChange.member_id).in_(mine)))  # type: ignore[call-overload]
        past = histories(session, mine)
        books = {member_id: _Book(past.get(member_id, History()), rules, until) for member_id in mine}
        written += _write_books(session, books)
        _write_tiers(session, {member_id: book.steps for member_id, book in books.items()}, rules)
        progress(len(some))
    return written


def _untouched(session: Session, member_ids: list[str]) -> list[str]:
    by_hand = col(PointsEntry.key).not_like("replay:%") & col(PointsEntry.member_id).in_(member_ids)
    touched = set(session.exec(select(PointsEntry.member_id).where(by_hand).distinct()))
    return [member_id for member_id in member_ids if member_id not in touched]


@dataclass
class _Kept:
    """An order as far as it was kept: its day, its lines and returns, the tier it earned at, its points and their lot."""

    day: date
    lines: list[tuple[str, int]]
    tier: Tier
    points: int
    lot: int


class _Book:
    """One member's replayed lots and what was drawn from them."""

    def __init__(self, history: History, rules: Program, until: date) -> None:
        past = history.up_to(until)
        self.steps = program.tier_steps(past.spends(), rules, until=until)
        self.lots: list[dict[str, Any]] = []
        self.draws: list[tuple[int, dict[str, Any]]] = []
        self._rules = rules
        self._kept: dict[int, _Kept] = {}
        acts: list[tuple[date, int, Callable[[], None]]] = []
        for index, (day, order_id, lines) in enumerate(past.baskets):
            acts.append((day, 0, partial(self._earn, index, day, order_id, lines)))
        for day, category, note, basket, cents in past.answers():
            acts.append((day, 1, partial(self._take_back, day, basket, category, cents, note)))
        for _, _, act in sorted(acts, key=lambda act: act[:2]):
            act()
        self._expire(until)

    def _tier_on(self, day: date) -> Tier:
        # An order earns at the tier held before it; the order that lifts a member earns at the old rate.
        reached, then = [step for step in self.steps if step.on < day], self._rules.on(day)
        return then.tier(reached[-1].tier) if reached else then.tiers.levels[0]

    def _earn(self, index: int, day: date, order_id: str, lines: list[tuple[str, int]]) -> None:
        tier = self._tier_on(day)
        points = program.points_for(lines, tier, self._rules.on(day))
        if points:
            self._kept[index] = _Kept(day, list(lines), tier, points, len(self.lots))
            until = program.expires_on(day, self._rules)
            self.lots.append({"points": points, "left": points, "booked_on": day, "expires_on": until, "order_id": order_id, "key": f"replay:earn:{order_id}"})

    def _take_back(self, day: date, basket: int | None, category: str, cents: int, note: str) -> None:
        self._expire(day)
        if basket is None:
            self._take_any(day, category, cents, note)
        elif basket in self._kept:
            self._take_own(self._kept[basket], day, category, cents, note)

    def _take_own(self, kept: _Kept, day: date, category: str, cents: int, note: str) -> None:
        """Leave an order the points its kept goods earned at the tier of their day; what lapsed is not taken again."""
        kept.lines.append((category, -cents))
        bare = sum(amount for _, amount in kept.lines) <= 0
        still = 0 if bare else min(kept.points, program.points_for(kept.lines, kept.tier, self._rules.on(kept.day)))
        self._reverse(kept.lot, kept.points - still, day, note)
        kept.points = still

    def _take_any(self, day: date, category: str, cents: int, note: str) -> None:
        """Goods of no known order: at the tier of the day, from the soonest to expire."""
        owed = program.points_for([(category, cents)], self._tier_on(day), self._rules.on(day))
        for index in sorted(range(len(self.lots)), key=lambda i: (self.lots[i]["expires_on"], i)):
            owed -= self._reverse(index, owed, day, note)

    def _reverse(self, index: int, owed: int, day: date, note: str) -> int:
        part: int = min(owed, self.lots[index]["left"])
        if part:
            # One note may take from a lot twice, for goods of its order and for others.
            key = f"replay:reverse:{note}:{len(self.draws)}"
            self._draw(index, part, day, "reverse", "order_undone", key, self.lots[index]["order_id"])
        return part

    def _expire(self, on: date) -> None:
        for index, lot in enumerate(self.lots):
            if lot["left"] and lot["expires_on"] < on:
                self._draw(index, lot["left"], lot["expires_on"] + timedelta(days=1), "expire", "expired", f"replay:expire:{lot['order_id']}", None)

    def _draw(self, index: int, points: int, day: date, kind: str, reason: str, key: str, order_id: str | None) -> None:
        self.lots[index]["left"] -= points
        self.draws.append((index, {"kind": kind, "points": -points, "booked_on": day, "order_id": order_id, "reason": reason, "key": key}))


def _write_books(session: Session, books: dict[str, _Book]) -> int:
    first = (session.exec(select(PointsEntry.id).order_by(col(PointsEntry.id).desc()).limit(1)).first() or 0) + 1
    rows: list[dict[str, Any]] = []
    totals: list[tuple[str, int]] = []
    for member_id, book in books.items():
        base = first + len(rows)
        for lot in book.lots:
            kept = {name: value for name, value in lot.items() if name != "left"}
            rows.append({"id": first + len(rows), "member_id": member_id, "kind": "earn", "reason": "order", "lot_id": None, **kept})
        for index, draw in book.draws:
            rows.append({"id": first + len(rows), "member_id": member_id, "expires_on": None, "lot_id": base + index, **draw})
        totals.append((member_id, sum(lot["left"] for lot in book.lots)))
    if rows:
        session.execute(insert(PointsEntry), rows)
        advance_ids(session, PointsEntry)
    for member_id, points in totals:
        session.exec(update(Member).where(col(Member.id) == member_id).values(points=points))
    return len(rows)


def _write_tiers(session: Session, steps: dict[str, list[Step]], rules: Program) -> None:
    changes = [
        {"member_id": member_id, "previous": s.previous, "tier": s.tier, "changed_on": s.on, "reason": s.reason}
        for member_id, mine in steps.items()
        for s in _last_of_day(mine)
    ]
    if changes:
        session.execute(insert(TierChange), changes)
    lowest = rules.tiers.levels[0].key
    for member_id, mine in steps.items():
        last = mine[-1] if mine else None
        values = {"tier": last.tier if last else lowest, "tier_since": last.on if last else None}
        session.exec(update(Member).where(col(Member.id) == member_id).values(**values))


def _last_of_day(steps: list[Step]) -> Iterator[Step]:
    """One change a day and tier: two rises on one day read as one."""
    seen: set[tuple[date, str]] = set()
    for step in steps:
        if (step.on, step.tier) not in seen:
            seen.add((step.on, step.tier))
            yield step
