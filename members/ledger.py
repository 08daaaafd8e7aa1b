"""How many points, from where, until when?

An append-only book. Points are earned in lots; every entry that takes points
names the lots it draws from, the soonest to expire first, so that a reversal
gives them back with their old expiry. `members.points` is the guard of the book:
it moves by a conditional update in the same transaction as the entries, and is
always their sum. What an order earns is decided in program.py.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlmodel import Session, col, func, or_, select, update

from members import program
from members.errors import BadInput, NotFound, RuleBroken
from members.program import Program
from members.tables import Member, PointsEntry

# A lot still counts on its last day; it is booked out on the day after.
_NEXT_DAY = timedelta(days=1)
# The reason of the entry that takes everything from who leaves.
LEFT_CLUB = "left_club"
_OTHER_POINTS = "This key was used before for another number of points."


@dataclass(frozen=True)
class Lot:
    """Points earned together that are still there."""

    entry_id: int
    left: int
    earned_on: date
    expires_on: date | None
    order_id: str | None
    kind: str = "earn"


@dataclass(frozen=True)
class Undoing:
    """What undoing an order does to the book: points it earned, those of them no longer there, and points used at it."""

    earned: int
    short: int
    returned: int


def balance(session: Session, member_id: str, *, as_of: date) -> int:
    """Points on a day: everything booked by then, less what had expired unbooked."""
    return sum(lot.left for lot in lots(session, member_id, as_of=as_of))


def lots(session: Session, member_id: str, *, as_of: date) -> list[Lot]:
    """What is left of each lot on a day, the soonest to expire first; expired lots are left out."""
    return _alive(_open_lots(session, member_id, as_of, drawn_by=as_of), as_of)


def entries(session: Session, member_id: str, *, limit: int = 50) -> list[PointsEntry]:
    """The newest entries first."""
    query = select(PointsEntry).where(PointsEntry.member_id == member_id)
    return list(session.exec(query.order_by(col(PointsEntry.booked_on).desc(), col(PointsEntry.id).desc()).limit(limit)))


def earn(session: Session, member_id: str, points: int, *, on: date, key: str, rules: Program, order_id: str | None = None, reason: str = "order") -> bool:
    """Book a new lot. Returns False when this key was booked before with the same points."""
    _lock(session, member_id)
    if points <= 0 or _known(session, member_id, key, points):
        return False
    until = program.expires_on(on, rules)
    _book(session, PointsEntry(member_id=member_id, kind="earn", points=points, booked_on=on, expires_on=until, order_id=order_id, reason=reason, key=key))
    return True


def redeem(session: Session, member_id: str, points: int, *, on: date, key: str, rules: Program, order_id: str | None = None) -> bool:
    """Use points, the soonest to expire first.

    Raises RuleBroken when they do not suffice or break the step; returns False
    when this key was booked before with the same points.
    """
    rule = rules.redemption
    if points <= 0 or points < rule.minimum or points % rule.step:
        raise RuleBroken(f"Points are used from {rule.minimum} upwards, in steps of {rule.step}.", passage="points")
    _lock(session, member_id)
    if _known(session, member_id, key, -points):
        return False
    expire_due(session, member_id, on=on)
    _draw(session, member_id, points, on=on, key=key, kind="redeem", reason="redeemed", order_id=order_id)
    return True


def adjust(session: Session, member_id: str, points: int, *, on: date, key: str, rules: Program, reason: str) -> bool:
    """Correct by a signed number of points with a reason; never below zero."""
    _lock(session, member_id)
    if not points or _known(session, member_id, key, points):
        return False
    if points > 0:
        until = program.expires_on(on, rules)
        _book(session, PointsEntry(member_id=member_id, kind="adjust", points=points, booked_on=on, expires_on=until, reason=reason, key=key))
    else:
        expire_due(session, member_id, on=on)
        _draw(session, member_id, -points, on=on, key=key, kind="adjust", reason=reason)
    return True


def expire_due(session: Session, member_id: str, *, on: date) -> int:
    """Book out every lot that lapsed before `on`; returns how many points went."""
    lapsed = [lot for lot in _open_lots(session, member_id, on) if lot.expires_on and lot.expires_on < on]
    for lot in sorted(lapsed, key=_soonest):
        assert lot.expires_on is not None
        _take(session, member_id, lot.left)
        gone = PointsEntry(member_id=member_id, kind="expire", points=-lot.left, booked_on=lot.expires_on + _NEXT_DAY, key=f"expire:{lot.entry_id}")
        gone.lot_id, gone.reason = lot.entry_id, "expired"
        _book(session, gone, counted=True)
    return sum(lot.left for lot in lapsed)


def take_back(session: Session, order_id: str, member_id: str, points: int, *, on: date, key: str) -> int:
    """Take back what an order earned; returns the points that were no longer there.

    Its own lot goes first, then the soonest to expire: spending the points before
    cancelling must not make them a gift, so the caller settles the rest in money.
    A key booked before takes nothing and returns the same shortfall.
    """
    _lock(session, member_id)
    if points <= 0:
        return 0
    taken = _booked(session, member_id, key)
    if taken is not None:
        return _shortfall(points, -taken)
    expire_due(session, member_id, on=on)
    # Points given back at this order name it, too, but were not earned by it: taking them first would renew the others.
    open_lots = sorted(_drawable(session, member_id, on), key=lambda lot: (lot.kind != "earn" or lot.order_id != order_id, *_soonest(lot)))
    there = min(points, sum(lot.left for lot in open_lots))
    if there:
        _draw(session, member_id, there, on=on, key=key, kind="reverse", reason="order_undone", order_id=order_id, from_lots=open_lots)
    else:
        # Without a trace the same key would take later points for what was settled in money.
        _book(session, PointsEntry(member_id=member_id, kind="reverse", points=0, booked_on=on, order_id=order_id, reason="order_undone", key=key))
    return points - there


def give_back(session: Session, order_id: str, member_id: str, *, on: date, key: str, points: int | None = None) -> int:
    """Give back what was redeemed at an order (up to `points` of it), each lot with its old expiry.

    What has expired meanwhile returns and lapses again at once: a cancellation
    must not renew points. Who has left the club gets none back.
    """
    _lock(session, member_id)
    if _booked(session, member_id, key) is not None or _left(session, member_id):
        return 0
    returned = 0
    for spent, lot, left in _spent_at(session, order_id, member_id):
        part = left if points is None else min(left, points - returned)
        if part > 0:
            back = PointsEntry(member_id=member_id, kind="reverse", points=part, booked_on=on, expires_on=lot.expires_on, key=f"{key}#{spent.id}")
            back.order_id, back.reason = order_id, "order_undone"
            _book(session, back)
            returned += part
    expire_due(session, member_id, on=on)
    return returned


def undoing(session: Session, order_id: str, member_id: str, *, on: date) -> Undoing:
    """What `undo` would do that day; books nothing."""
    return owed(session, order_id, member_id, 0, on=on, given=0 if _left(session, member_id) else used_at(session, order_id, member_id))


def undo(session: Session, order_id: str, member_id: str, *, on: date, key: str) -> Undoing:
    """Give back what was used at an order, then take back what it earned."""
    _lock(session, member_id)
    planned = undoing(session, order_id, member_id, on=on)
    returned = give_back(session, order_id, member_id, on=on, key=f"{key}-back")
    short = take_back(session, order_id, member_id, planned.earned, on=on, key=f"{key}-take")
    done = Undoing(planned.earned, short, returned)
    assert done == planned, f"shown {planned}, done {done}"
    return done


def owed(session: Session, order_id: str, member_id: str, should: int, *, on: date, given: int = 0) -> Undoing:
    """What `settle_order` would take back for an order that should have earned `should` points, after `give_back` of `given`; books nothing."""
    surplus = max(0, earned_by(session, order_id, member_id) - should)
    there, coming = sum(lot.left for lot in _drawable(session, member_id, on)), given
    for _, lot, left in _spent_at(session, order_id, member_id):
        part = min(left, coming)
        coming -= part
        # What comes back is there to be taken again, unless it has lapsed meanwhile.
        there += part if lot.expires_on is None or lot.expires_on >= on else 0
    return Undoing(earned=surplus, short=max(0, surplus - there), returned=given)


def earned_by(session: Session, order_id: str, member_id: str) -> int:
    """Points an order has earned so far, less what was taken back for it or lost by leaving the club."""
    mine = (PointsEntry.member_id == member_id, PointsEntry.order_id == order_id)
    booked = session.exec(select(PointsEntry).where(*mine)).all()
    lots = [e.id for e in booked if e.kind == "earn"]
    lost = select(func.coalesce(func.sum(PointsEntry.points), 0)).where(col(PointsEntry.lot_id).in_(lots), PointsEntry.reason == LEFT_CLUB)
    earned = sum(e.points for e in booked if e.kind == "earn" or (e.kind == "reverse" and e.points < 0))
    # Lost points were not used: they are not asked for a second time, in money.
    return max(0, earned + session.exec(lost).one())


def settle_order(session: Session, order_id: str, member_id: str, should: int, *, on: date, key: str, rules: Program) -> int:
    """Bring what an order earned to `should` points; returns the points that could not be taken back."""
    booked = earned_by(session, order_id, member_id)
    if should > booked:
        if _left(session, member_id):
            return 0
        earn(session, member_id, should - booked, on=on, key=key, rules=rules, order_id=order_id)
        return 0
    return take_back(session, order_id, member_id, booked - should, on=on, key=key)


def settle(session: Session, member_ids: Iterable[str]) -> None:
    """Set the guard of each member to the sum of the book, after a bulk replay."""
    for member_id in member_ids:
        total = session.exec(select(func.coalesce(func.sum(PointsEntry.points), 0)).where(PointsEntry.member_id == member_id)).one()
        session.exec(update(Member).where(col(Member.id) == member_id).values(points=total))


# --- inside the book --------------------------------------------------------------------


def _lock(session: Session, member_id: str) -> None:
    """Queue behind other writers of this member's book (SQLite's write lock already does)."""
    if session.exec(select(Member.id).where(Member.id == member_id).with_for_update()).first() is None:
        raise NotFound(f"There is no member {member_id}.")


def _left(session: Session, member_id: str) -> bool:
    """Whether the member has left the club: their points went at once and none follow."""
    return session.exec(select(Member.id).where(Member.id == member_id, col(Member.left_on).is_not(None))).first() is not None


def _soonest(lot: Lot) -> tuple[date, int]:
    return lot.expires_on or date.max, lot.entry_id


def _alive(open_lots: list[Lot], on: date) -> list[Lot]:
    return sorted((lot for lot in open_lots if lot.expires_on is None or lot.expires_on >= on), key=_soonest)


def _drawable(session: Session, member_id: str, on: date) -> list[Lot]:
    """Lots points may be drawn from that day: a draw booked for a later day has used them up as well."""
    return _alive(_open_lots(session, member_id, on), on)


def _open_lots(session: Session, member_id: str, opened_by: date, *, drawn_by: date = date.max) -> list[Lot]:
    booked = session.exec(select(PointsEntry).where(PointsEntry.member_id == member_id).order_by(col(PointsEntry.id))).all()
    left: dict[int, int] = defaultdict(int)
    for entry in booked:
        if entry.lot_id is not None and entry.booked_on <= drawn_by:
            left[entry.lot_id] += entry.points
    opened = ((e.id or 0, e) for e in booked if e.points > 0 and e.booked_on <= opened_by)
    return [Lot(i, e.points + left[i], e.booked_on, e.expires_on, e.order_id, e.kind) for i, e in opened if e.points + left[i] > 0]


def used_at(session: Session, order_id: str, member_id: str) -> int:
    """Points used at an order that were not given back."""
    return sum(left for _, _, left in _spent_at(session, order_id, member_id))


def _spent_at(session: Session, order_id: str, member_id: str) -> list[tuple[PointsEntry, PointsEntry, int]]:
    """What was redeemed at an order: each entry, the lot it drew from, and how much of it was not given back yet."""
    mine = (PointsEntry.member_id == member_id, PointsEntry.order_id == order_id)
    spent = session.exec(select(PointsEntry).where(*mine, PointsEntry.kind == "redeem").order_by(col(PointsEntry.id))).all()
    back: dict[int, int] = defaultdict(int)
    for entry in session.exec(select(PointsEntry).where(*mine, PointsEntry.kind == "reverse", col(PointsEntry.points) > 0)):
        # What came back names the entry it answers behind the #.
        back[int(entry.key.rsplit("#", 1)[1])] += entry.points
    return [(e, session.get_one(PointsEntry, e.lot_id), -e.points - back[e.id or 0]) for e in spent]


def _known(session: Session, member_id: str, key: str, points: int) -> bool:
    """Whether the key was booked; with other points it is refused, as it is not the same act."""
    booked = _booked(session, member_id, key)
    if booked is not None and booked != points:
        raise RuleBroken(_OTHER_POINTS)
    return booked is not None


def _booked(session: Session, member_id: str, key: str) -> int | None:
    """The points booked under a key, in one entry or in parts `key#…`; None for a new key."""
    if "#" in key:
        raise BadInput("A key of the book must not contain “#”, which numbers its parts.")
    # Compared by substr: LIKE disregards case on SQLite, and collations reorder ranges on Postgres.
    part = func.substr(PointsEntry.key, 1, len(key) + 1) == f"{key}#"
    found = session.exec(select(PointsEntry.points).where(PointsEntry.member_id == member_id, or_(col(PointsEntry.key) == key, part))).all()
    return sum(found) if found else None


def _shortfall(points: int, taken: int) -> int:
    if taken > points:
        raise RuleBroken(_OTHER_POINTS)
    return points - taken


def _take(session: Session, member_id: str, points: int) -> None:
    """Lower the guard if it suffices: the one statement two redeemers cannot both pass."""
    guard = update(Member).where(col(Member.id) == member_id, col(Member.points) >= points).values(points=Member.points - points)
    if session.exec(guard).rowcount != 1:
        raise RuleBroken(f"There are fewer than {points} points on the account.", passage="points")


def _draw(
    session: Session,
    member_id: str,
    points: int,
    *,
    on: date,
    key: str,
    kind: str,
    reason: str,
    order_id: str | None = None,
    from_lots: Sequence[Lot] | None = None,
) -> None:
    open_lots = from_lots or _drawable(session, member_id, on)
    if sum(lot.left for lot in open_lots) < points:
        raise RuleBroken(f"There are fewer than {points} points on the account.", passage="points")
    _take(session, member_id, points)
    for position, lot in enumerate(open_lots):
        part = min(points, lot.left)
        drawn = PointsEntry(member_id=member_id, kind=kind, points=-part, booked_on=on, lot_id=lot.entry_id, key=f"{key}#{position}")
        drawn.order_id, drawn.reason = order_id, reason
        _book(session, drawn, counted=True)
        points -= part
        if not points:
            return


def _book(session: Session, entry: PointsEntry, *, counted: bool = False) -> None:
    session.add(entry)
    session.flush()
    if not counted:
        session.exec(update(Member).where(col(Member.id) == entry.member_id).values(points=Member.points + entry.points))
