"""Which rule book counts, and from which day does the next one?

An adopted version is a whole rule book with the day it starts. It is never
changed; what members earned under an earlier one is judged by that one. What a
change would do is tried in the policy lab.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session, col, select, update

from members import program
from members.errors import BadInput, RuleBroken
from members.program import Program, Step
from members.replay import histories
from members.tables import Member, ProgramVersion, TierChange

# What a change may touch: the path of a value in the rule book.
_TIER_FIELDS = ("threshold_cents", "earning", "discount_percent", "free_shipping_from_cents", "birthday_gift_cents", "early_access_hours")
_AT_ONCE = 500
# How far ahead rules may be adopted: whatever starts later blocks every version before it.
LONGEST_YEARS = 2


@dataclass(frozen=True)
class Change:
    """One value of the rule book: its path (`tiers.gold.threshold_cents`), what it was and what it becomes."""

    path: str
    before: Any
    after: Any


def changed(rules: Program, changes: dict[str, Any], *, version: str) -> Program:
    """The rule book with some values replaced, by path; without `before` and `since`.

    Paths: `expiry.months`, `earning.points_per_unit`, `tiers.window_days`, `tiers.grace_days`,
    `redemption.points_per_unit`, `shipping.free_from_cents`, and `tiers.KEY.FIELD`. Raises BadInput for a path
    that does not exist, a value of another kind, or thresholds that do not rise.
    """
    plain = rules.model_dump(mode="json", exclude={"before", "since"})
    for path, value in changes.items():
        _put(plain, path, value)
    plain["version"] = version
    try:
        return Program.model_validate(plain)
    except ValidationError as error:
        told = "; ".join(str(one["msg"]).removeprefix("Value error, ") for one in error.errors()[:3])
        raise BadInput(f"These rules cannot be: {told}.", rule="policy_impossible") from error


def _put(plain: dict[str, Any], path: str, value: Any) -> None:
    parts = path.split(".")
    if parts[0] == "tiers" and len(parts) == 3:
        level = next((one for one in plain["tiers"]["levels"] if one["key"] == parts[1]), None)
        if level is None or parts[2] not in _TIER_FIELDS:
            raise BadInput(f"There is no {path} in the rule book.", rule="policy_unknown", path=path)
        level[parts[2]] = value
        return
    section = plain.get(parts[0])
    if len(parts) != 2 or not isinstance(section, dict) or parts[1] not in section or isinstance(section[parts[1]], dict | list):
        raise BadInput(f"There is no {path} in the rule book.", rule="policy_unknown", path=path)
    section[parts[1]] = value


def difference(before: Program, after: Program) -> list[Change]:
    """Every value that differs, in reading order."""
    old, new = _flat(before), _flat(after)
    return [Change(path, old.get(path), new.get(path)) for path in dict.fromkeys([*old, *new]) if old.get(path) != new.get(path)]


def _flat(rules: Program) -> dict[str, Any]:
    plain = rules.model_dump(mode="json", exclude={"before", "since", "version"})
    found: dict[str, Any] = {}
    for section, values in plain.items():
        if not isinstance(values, dict):
            found[section] = values
            continue
        for name, value in values.items():
            if name == "levels":
                found |= {f"tiers.{level['key']}.{key}": v for level in value for key, v in level.items() if key != "key"}
            else:
                found[f"{section}.{name}"] = value
    return found


# --- versions ---------------------------------------------------------------------------


def adopted(session: Session) -> Sequence[ProgramVersion]:
    """Every adopted version, the first to start first."""
    return session.exec(select(ProgramVersion).order_by(col(ProgramVersion.starts_on), col(ProgramVersion.adopted_at))).all()


def chain(packaged: Program, kept: Iterable[ProgramVersion]) -> list[Program]:
    """The rule book from the file and every adopted one after it, each knowing those before."""
    books = [packaged]
    for one in kept:
        books.append(Program.model_validate(one.rules).model_copy(update={"since": one.starts_on, "before": books[-1]}))
    return books


def in_force(books: Sequence[Program], on: date) -> Program:
    """The rules of a day, knowing those before."""
    return next(book for book in reversed(books) if book.since is None or book.since <= on)


def coming(books: Sequence[Program], on: date) -> Program | None:
    """The last rules that start after a day, knowing all before; None when nothing is to come."""
    return books[-1] if books[-1].since is not None and books[-1].since > on else None


def may_start(session: Session, starts_on: date, *, today: date) -> None:
    """Whether new rules may start on a day. Raises RuleBroken for one that has begun, or one before a version that is coming already."""
    if starts_on <= today:
        raise RuleBroken("New rules start tomorrow at the earliest: what members earned today counts by today's.", rule="policy_too_early", on=starts_on)
    if starts_on > today + timedelta(days=366 * LONGEST_YEARS):
        raise RuleBroken("New rules start within two years.", rule="policy_too_far", years=LONGEST_YEARS)
    kept = adopted(session)
    if any(one.starts_on >= starts_on for one in kept):
        raise RuleBroken(
            f"Version {kept[-1].version} starts on {kept[-1].starts_on} already; a later day is needed.", rule="policy_order", on=kept[-1].starts_on
        )


def adopt(session: Session, rules: Program, *, starts_on: date, today: date, before: Program, by: str, now: datetime, why: str = "") -> ProgramVersion:
    """Put a rule book into force from a day.

    Raises RuleBroken for a day that has begun, one before a version that is coming already, a version name
    that is taken, or tiers that are not those members stand in.
    """
    may_start(session, starts_on, today=today)
    if session.get(ProgramVersion, rules.version) is not None or rules.version in {book.version for book in program.versions(before)}:
        raise RuleBroken(f"Version {rules.version} exists already.", rule="policy_version", version=rules.version)
    if [level.key for level in rules.tiers.levels] != [level.key for level in before.tiers.levels]:
        raise RuleBroken("A new version keeps the tiers members stand in; their conditions may change.", rule="policy_tiers")
    told = [{"path": c.path, "before": c.before, "after": c.after} for c in difference(before, rules)]
    if not told:
        raise RuleBroken("Nothing would change.", rule="policy_same")
    plain = rules.model_dump(mode="json", exclude={"before", "since"})
    made = ProgramVersion(version=rules.version, starts_on=starts_on, rules=plain, changes=told, why=why, adopted_by=by, adopted_at=now)
    session.add(made)
    session.flush()
    return made


def next_version(kept: Sequence[ProgramVersion], starts_on: date, present: str) -> str:
    """A free name for the version that starts on a day: its year and a number, past every number used, also by versions no longer in force."""
    year = f"{starts_on.year}-"
    taken = [name.removeprefix(year) for name in (present, *(one.version for one in kept)) if name.startswith(year)]
    return f"{year}{max((int(number) for number in taken if number.isdecimal()), default=0) + 1}"


# --- members on the day -----------------------------------------------------------------


def refresh_tiers(session: Session, rules: Program, *, on: date) -> int:
    """Bring every member's tier to what the rules say of a day; how many changed. For the night new rules start."""
    moved, last = 0, ""
    while some := list(session.exec(select(Member.id).where(Member.id > last, col(Member.left_on).is_(None)).order_by(col(Member.id)).limit(_AT_ONCE))):
        last = some[-1]
        past = histories(session, some)
        held = dict(session.exec(select(Member.id, Member.tier).where(col(Member.id).in_(some))).all())
        for member_id in some:
            steps = program.tier_steps(past[member_id].up_to(on).spends(), rules, until=on) if member_id in past else []
            tier = steps[-1].tier if steps else rules.tiers.levels[0].key
            if tier != held[member_id] and held[member_id]:
                moved += 1
                _move(session, member_id, Step(on, held[member_id], tier, "rules" if not steps else steps[-1].reason))
    return moved


def _move(session: Session, member_id: str, step: Step) -> None:
    session.exec(update(Member).where(col(Member.id) == member_id).values(tier=step.tier, tier_since=step.on))
    known = select(TierChange.id).where(TierChange.member_id == member_id, TierChange.changed_on == step.on, TierChange.tier == step.tier)
    if session.exec(known).first() is None:
        session.add(TierChange(member_id=member_id, previous=step.previous, tier=step.tier, changed_on=step.on, reason=step.reason))
