"""Do new rules begin on their day, and do members keep what they earned under the old ones?

Most histories here are one or two purchases, so that every day can be counted by hand. START is the day new
rules begin: 100 days after BOUGHT, in the middle of the first purchase's year.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from members import program, replay, rulebooks
from members.database import Database
from members.errors import BadInput, RuleBroken
from members.program import Program, Step
from members.rulebooks import Change, changed
from members.tables import Member, PointsEntry, ProgramVersion, TierChange

BOUGHT = date(2024, 1, 10)
START = BOUGHT + timedelta(100)
LEAVES_WINDOW = BOUGHT + timedelta(365)
LAPSES = LEAVES_WINDOW + timedelta(60)
FAR = BOUGHT + timedelta(1500)
NOW = datetime(2024, 3, 1, 10)
OLD = program.load()
RAISED = {"tiers.silver.threshold_cents": 80_000, "tiers.gold.threshold_cents": 300_000}
LOWERED = {"tiers.silver.threshold_cents": 40_000, "tiers.gold.threshold_cents": 100_000}
Spends = list[tuple[date, int]]


def _after(before: Program, changes: dict[str, Any], *, since: date = START, version: str = "2024-2") -> Program:
    """The rules that follow others from a day on."""
    return changed(before, changes, version=version).model_copy(update={"since": since, "before": before})


def _steps(spends: Spends, rules: Program) -> list[tuple[date, str]]:
    return [(step.on, step.tier) for step in program.tier_steps(spends, rules, until=FAR)]


def _held(steps: Sequence[Step], day: date) -> int:
    """Rank of the tier held on a day, 0 for the lowest."""
    past = [step.tier for step in steps if step.on <= day]
    return OLD.rank(past[-1]) if past else 0


def _ranks(spends: Spends, rules: Program) -> list[int]:
    """The tier held on each day from BOUGHT on."""
    steps, far = program.tier_steps(spends, rules, until=FAR), (FAR - BOUGHT).days
    return [_held(steps, BOUGHT + timedelta(n)) for n in range(0, far, 5)]


purchases = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 300_000)), max_size=7).map(
    lambda some: [(BOUGHT + timedelta(day), cents) for day, cents in some]
)


# --- the rules of a day -----------------------------------------------------------------


def test_each_day_has_the_rules_of_its_version() -> None:
    second = _after(OLD, RAISED)
    third = _after(second, LOWERED, since=START + timedelta(50), version="2024-3")
    days = [date.min, START - timedelta(1), START, START + timedelta(49), START + timedelta(50), date.max]
    assert [third.on(day).version for day in days] == ["2026-1", "2026-1", "2024-2", "2024-2", "2024-3", "2024-3"]
    assert list(program.versions(third)) == [third, second, OLD]


def test_what_is_bought_before_and_after_the_start_counts_together_under_the_new_rules() -> None:
    rules = _after(OLD, RAISED)
    assert _steps([(BOUGHT, 40_000), (START + timedelta(1), 40_000)], rules)[0] == (START + timedelta(1), "silver")
    assert _steps([(BOUGHT, 40_000), (START + timedelta(1), 39_999)], rules) == []


# --- raised thresholds ------------------------------------------------------------------


def test_who_earned_silver_before_it_became_dearer_keeps_it_as_long_as_the_old_rules_say() -> None:
    assert _steps([(BOUGHT, 60_000)], _after(OLD, RAISED)) == [(BOUGHT, "silver"), (LAPSES, "bronze")]


def test_whoever_buys_as_much_on_the_day_of_the_start_does_not_reach_it() -> None:
    rules = _after(OLD, RAISED)
    assert _steps([(START - timedelta(1), 60_000)], rules)[0] == (START - timedelta(1), "silver")
    assert _steps([(START, 60_000)], rules) == []


def test_purchases_after_the_start_do_not_prolong_an_old_tier_below_the_new_threshold() -> None:
    spends = [(BOUGHT, 60_000), (START + timedelta(1), 60_000), (LEAVES_WINDOW, 15_000)]
    assert _steps(spends, _after(OLD, RAISED)) == [(BOUGHT, "silver"), (LAPSES, "bronze")]
    assert LAPSES not in [day for day, _ in _steps(spends, OLD)]


def test_standing_under_raised_thresholds_names_the_new_way_up_and_the_old_last_day() -> None:
    rules = _after(OLD, RAISED)
    now = program.standing([(BOUGHT, 60_000)], rules, on=START)
    assert (now.tier.key, now.tier.threshold_cents) == ("silver", 80_000)
    assert (now.next_tier and now.next_tier.key, now.missing_cents) == ("gold", 240_000)
    assert (now.kept_until, now.falls_to and now.falls_to.key) == (LAPSES - timedelta(1), "bronze")


@given(purchases, st.integers(0, 500))
def test_nobody_falls_on_the_day_raised_thresholds_start_whom_the_old_ones_would_hold(spends: Spends, after: int) -> None:
    start = BOUGHT + timedelta(after)
    known = [spend for spend in spends if spend[0] <= start]
    before = program.tier_steps([spend for spend in known if spend[0] < start], OLD, until=start)
    assert _held(program.tier_steps(known, _after(OLD, RAISED, since=start), until=start), start) >= _held(before, start)


@given(purchases)
def test_who_buys_nothing_more_stands_on_every_later_day_where_the_old_rules_would_have_them(spends: Spends) -> None:
    known = [spend for spend in spends if spend[0] < START]
    assert _steps(known, _after(OLD, RAISED)) == _steps(known, OLD)


def _two_levels(threshold_cents: int) -> Program:
    """Silver alone above bronze: with levels between, a fall goes to what the spend carries that day, whichever rules there are."""
    levels = [OLD.tiers.levels[0], OLD.tier("silver").model_copy(update={"threshold_cents": threshold_cents})]
    return OLD.model_copy(update={"tiers": OLD.tiers.model_copy(update={"levels": tuple(levels)})})


@given(purchases, st.integers(1, 200_000), st.integers(0, 100_000))
def test_a_later_tier_is_at_least_what_was_earned_before_and_at_most_what_one_of_the_rule_books_gives(spends: Spends, mark: int, more: int) -> None:
    before = _two_levels(mark)
    alone = _two_levels(mark + more)
    rules = alone.model_copy(update={"since": START, "before": before})
    earned = [spend for spend in spends if spend[0] < START]
    for tier, kept, old, new in zip(*(_ranks(s, r) for s, r in ((spends, rules), (earned, before), (spends, before), (spends, alone))), strict=True):
        assert kept <= tier <= max(old, new)


def _reached(spends: Spends, rules: Program, day: date) -> int:
    """Rank of what is reached on a day, by each rule book with what was spent under it."""
    found, until = 0, date.max
    for book in program.versions(rules):
        start = day - timedelta(book.tiers.window_days)
        spent = sum(cents for on, cents in spends if start < on <= day and on < until)
        if (book.since or date.min) <= day:
            found = max(found, OLD.rank(program.tier_for(max(0, spent), book).key))
        until = book.since or date.max
    return found


def _day_by_day(spends: Spends, rules: Program, until: date) -> list[tuple[date, int]]:
    """The promise read out loud: every single day; a grace is that of the rules it begins under."""
    tier, ends, found = 0, None, []
    for day in (BOUGHT + timedelta(n) for n in range((until - BOUGHT).days + 1)):
        reached = _reached(spends, rules, day)
        if reached >= tier:
            ends = None
        elif ends is None:
            ends = day + timedelta(rules.on(day).tiers.grace_days)
        if reached > tier or (ends is not None and day >= ends):
            tier, ends = reached, None
            found.append((day, tier))
    return found


some_changes = st.fixed_dictionaries(
    {},
    optional={
        "tiers.silver.threshold_cents": st.integers(20_000, 100_000),
        "tiers.gold.threshold_cents": st.integers(100_001, 400_000),
        "tiers.window_days": st.integers(100, 500),
        "tiers.grace_days": st.integers(0, 120),
    },
)


@settings(max_examples=60, deadline=None)
@given(purchases, some_changes, some_changes, st.integers(1, 400), st.integers(1, 300))
@example([(BOUGHT, 60_000)], {"tiers.grace_days": 90}, {}, 375, 300)
@example([(BOUGHT, 60_000)], {"tiers.grace_days": 30}, {}, 375, 300)
def test_three_versions_looked_at_on_days_of_change_give_the_steps_of_every_single_day(
    spends: Spends, first: dict[str, int], then: dict[str, int], start: int, further: int
) -> None:
    second = _after(OLD, first, since=BOUGHT + timedelta(start))
    third = _after(second, then, since=BOUGHT + timedelta(start + further), version="2024-3")
    until = BOUGHT + timedelta(1200)
    steps = program.tier_steps(spends, third, until=until)
    assert [(step.on, OLD.rank(step.tier)) for step in steps] == _day_by_day(spends, third, until)


def test_in_a_chain_of_three_each_keeps_what_was_earned_under_it() -> None:
    second = _after(OLD, {"tiers.silver.threshold_cents": 80_000})
    third = _after(second, {"tiers.silver.threshold_cents": 150_000}, since=START + timedelta(100), version="2024-3")
    under_second, under_third = START + timedelta(50), START + timedelta(150)
    year = timedelta(365 + 60)
    assert _steps([(BOUGHT, 60_000)], third) == [(BOUGHT, "silver"), (LAPSES, "bronze")]
    assert _steps([(under_second, 60_000)], third) == []
    assert _steps([(under_second, 90_000)], third) == [(under_second, "silver"), (under_second + year, "bronze")]
    assert _steps([(under_third, 90_000)], third) == []
    assert _steps([(under_third, 150_000)], third) == [(under_third, "silver"), (under_third + year, "bronze")]


@given(purchases, st.integers(1, 500))
def test_new_rules_that_leave_the_tiers_alone_move_nobody(spends: Spends, after: int) -> None:
    rules = _after(OLD, {"expiry.months": 24, "earning.points_per_unit": 2}, since=BOUGHT + timedelta(after))
    assert _steps(spends, rules) == _steps(spends, OLD)


# --- lowered thresholds, window and grace -----------------------------------------------


def test_a_lowered_threshold_lifts_on_the_day_it_starts_and_not_before() -> None:
    steps = program.tier_steps([(BOUGHT, 45_000)], _after(OLD, LOWERED), until=FAR)
    assert steps == [Step(START, "bronze", "silver", "earned"), Step(LAPSES, "silver", "bronze", "lapsed")]
    assert program.standing([(BOUGHT, 45_000)], _after(OLD, LOWERED), on=START - timedelta(1)).tier.key == "bronze"


@given(purchases)
def test_lowered_thresholds_lift_everybody_who_reaches_them_at_once_and_drop_nobody(spends: Spends) -> None:
    known = [spend for spend in spends if spend[0] <= START]
    held = _held(program.tier_steps(known, _after(OLD, LOWERED), until=START), START)
    reached = program.tier_for(program.spend_in_window(known, START, OLD), changed(OLD, LOWERED, version="x"))
    assert held == max(OLD.rank(reached.key), _held(program.tier_steps(known, OLD, until=START), START))


def test_what_had_left_the_window_is_not_brought_back_by_lowered_thresholds() -> None:
    assert _steps([(BOUGHT, 45_000)], _after(OLD, LOWERED, since=LEAVES_WINDOW)) == []
    assert _steps([(BOUGHT, 45_000)], _after(OLD, {**LOWERED, "tiers.window_days": 730}, since=LEAVES_WINDOW))[0] == (LEAVES_WINDOW, "silver")


@pytest.mark.parametrize("grace", [0, 10, 30, 60, 90, 365])
@pytest.mark.parametrize("bought_meanwhile", [False, True])
def test_a_grace_that_runs_when_rules_change_ends_on_the_day_it_was_to_end(grace: int, bought_meanwhile: bool) -> None:
    rules = _after(OLD, {"tiers.grace_days": grace}, since=LEAVES_WINDOW + timedelta(10))
    spends = [(BOUGHT, 60_000), *([(LEAVES_WINDOW + timedelta(35), 1)] if bought_meanwhile else [])]
    assert _steps(spends, rules) == [(BOUGHT, "silver"), (LAPSES, "bronze")]


def test_a_grace_that_begins_under_new_rules_is_theirs() -> None:
    assert _steps([(BOUGHT, 60_000)], _after(OLD, {"tiers.grace_days": 90}))[-1] == (LEAVES_WINDOW + timedelta(90), "bronze")


def test_the_way_to_a_tier_is_reckoned_by_the_rules_of_the_day_it_is_to_be_reached() -> None:
    rules, on = _after(OLD, RAISED), START - timedelta(10)
    ways = [program.climb([(BOUGHT, 30_000)], rules, on=on, by=by, tier=OLD.tier("silver")).missing_cents for by in (on, START)]
    assert ways == [20_000, 50_000]


# --- points -----------------------------------------------------------------------------


@pytest.mark.parametrize(("earned", "last"), [(START - timedelta(1), date(2025, 4, 30)), (START, date(2026, 4, 30)), (date(2024, 12, 31), date(2026, 12, 31))])
def test_points_earned_before_keep_their_last_day_and_points_after_get_the_new_one(earned: date, last: date) -> None:
    assert program.expires_on(earned, _after(OLD, {"expiry.months": 24})) == last


def _replayed(world: Any, rules: Program, until: date = START + timedelta(30)) -> int:
    with world.database.effect() as session:
        return replay.replay(session, ["M1"], rules, until=until)


def _lots(world: Any) -> list[tuple[date, int, date | None]]:
    with world.database.read() as session:
        query = select(PointsEntry).where(PointsEntry.kind == "earn").order_by(col(PointsEntry.booked_on))
        return [(e.booked_on, e.points, e.expires_on) for e in session.exec(query)]


@pytest.fixture
def shop(either: Database, world_of: Any) -> Any:
    """M1 spent 600.00 before the start and 100.00 after it, on each kind of record."""
    world = world_of(either)
    world.member()
    world.product("board", "home")
    world.order("O1", "M1", BOUGHT, ("board", 1, 60_000), status="delivered")
    world.order("O2", "M1", START, ("board", 1, 10_000), status="delivered")
    return world


def test_a_replayed_history_earns_by_the_rules_of_its_days_and_replaying_it_again_books_the_same(shop: Any) -> None:
    rules = _after(OLD, {**RAISED, "expiry.months": 6, "earning.points_per_unit": 2})
    assert _replayed(shop, rules) == 2
    # The second order earns at silver, kept from the old rules: 100 × 2 × 1.25.
    booked = [(BOUGHT, 600, date(2025, 1, 31)), (START, 250, date(2024, 10, 31))]
    assert _lots(shop) == booked
    first = (shop.rows(PointsEntry), shop.rows(TierChange), shop.rows(Member))
    assert _replayed(shop, rules) == 2
    assert (shop.rows(PointsEntry), shop.rows(TierChange), shop.rows(Member)) == first
    assert (shop.guard("M1"), shop.of("M1").tier, shop.of("M1").tier_since) == (850, "silver", BOUGHT)


def test_rules_that_are_to_come_change_nothing_of_a_replay_up_to_the_day_before(shop: Any) -> None:
    _replayed(shop, OLD, START - timedelta(1))
    plain = (shop.rows(PointsEntry), shop.rows(TierChange), shop.rows(Member))
    _replayed(shop, _after(OLD, {**LOWERED, "expiry.months": 6, "earning.points_per_unit": 9}), START - timedelta(1))
    assert (shop.rows(PointsEntry), shop.rows(TierChange), shop.rows(Member)) == plain


# --- changing values --------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "",
        "expiry",
        "expiry.days",
        "expiry.months.more",
        "nothing.here",
        "version",
        "currency.code",
        "before.version",
        "earning.categories",
        "tiers.levels",
        "service.refund_working_days",
        "tiers.wooden.threshold_cents",
        "tiers.gold.key",
        "tiers.gold.nothing",
    ],
)
def test_a_value_the_rule_book_does_not_have_is_named(path: str) -> None:
    with pytest.raises(BadInput) as refused:
        changed(OLD, {path: 3}, version="x")
    assert refused.value.details == {"rule": "policy_unknown", "path": path}


@pytest.mark.parametrize(
    "changes",
    [
        {"expiry.months": 0},
        {"expiry.months": "a year"},
        {"expiry.months": None},
        {"expiry.months": [12]},
        {"tiers.window_days": 1.5},
        {"tiers.grace_days": -1},
        {"tiers.bronze.threshold_cents": 1},
        {"tiers.silver.threshold_cents": 200_000},
        {"tiers.gold.threshold_cents": 1_200_001},
        {"tiers.gold.earning": float("nan")},
        {"tiers.gold.discount_percent": 91},
        {"redemption.basket_share": 1.1},
    ],
)
def test_rules_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="cannot be") as refused:
        changed(OLD, changes, version="x")
    assert refused.value.details["rule"] == "policy_impossible"


def test_changing_rules_leaves_the_old_ones_as_they_were_and_the_new_ones_without_a_past() -> None:
    second = _after(OLD, RAISED)
    third = changed(second, {"expiry.months": 6}, version="2024-3")
    assert (third.version, third.since, third.before, third.expiry.months, second.expiry.months) == ("2024-3", None, None, 6, 12)
    assert third.tier("gold").threshold_cents == 300_000 and program.load() == OLD


def test_the_difference_names_each_value_before_and_after() -> None:
    changes = {"tiers.gold.threshold_cents": 300_000, "expiry.months": 24, "tiers.silver.free_shipping_from_cents": None}
    assert rulebooks.difference(OLD, changed(OLD, changes, version="x")) == [
        Change("expiry.months", 12, 24),
        Change("tiers.silver.free_shipping_from_cents", 2500, None),
        Change("tiers.gold.threshold_cents", 200_000, 300_000),
    ]


@given(some_changes)
def test_the_differences_applied_to_the_old_rules_give_the_new_ones(changes: dict[str, int]) -> None:
    made = changed(OLD, changes, version="x")
    told = rulebooks.difference(OLD, made)
    assert {one.path for one in told} <= set(changes)
    assert changed(OLD, {one.path: one.after for one in told}, version="x") == made
    assert rulebooks.difference(made, _after(made, {})) == []


# --- adopting ---------------------------------------------------------------------------


def _adopt(session: Session, rules: Program, before: Program = OLD, *, on: date = START, today: date = BOUGHT) -> ProgramVersion:
    return rulebooks.adopt(session, rules, starts_on=on, today=today, before=before, by="m", now=NOW, why="dearer goods")


def _books(session: Session) -> list[Program]:
    return rulebooks.chain(OLD, rulebooks.adopted(session))


def test_an_adopted_version_keeps_who_why_and_what_changed_and_counts_from_its_day(either: Database) -> None:
    with either.effect() as session:
        _adopt(session, changed(OLD, RAISED, version="2024-2"))
    with either.effect() as session:
        third = changed(_books(session)[-1], {"expiry.months": 24}, version="2024-3")
        _adopt(session, third, _books(session)[-1], on=START + timedelta(50))
    with either.read() as session:
        kept, books = rulebooks.adopted(session), _books(session)
    assert [(one.version, one.starts_on, one.adopted_by, one.why) for one in kept] == [
        ("2024-2", START, "m", "dearer goods"),
        ("2024-3", START + timedelta(50), "m", "dearer goods"),
    ]
    assert kept[0].changes[0] == {"path": "tiers.silver.threshold_cents", "before": 50_000, "after": 80_000}
    assert [change["path"] for change in kept[1].changes] == ["expiry.months"]
    assert [book.version for book in program.versions(books[-1])] == ["2024-3", "2024-2", "2026-1"]
    assert books[-1].tier("silver").threshold_cents == 80_000


@pytest.mark.parametrize(
    ("days", "now", "to_come"),
    [(-1, "2026-1", "2024-3"), (0, "2024-2", "2024-3"), (49, "2024-2", "2024-3"), (50, "2024-3", None), (500, "2024-3", None)],
)
def test_the_rules_in_force_and_those_to_come_on_a_day(days: int, now: str, to_come: str | None) -> None:
    second = _after(OLD, RAISED)
    books = [OLD, second, _after(second, {}, since=START + timedelta(50), version="2024-3")]
    ahead = rulebooks.coming(books, START + timedelta(days))
    assert rulebooks.in_force(books, START + timedelta(days)).version == now
    assert (ahead.version if ahead else None) == to_come


def test_with_the_packaged_rules_alone_they_are_in_force_and_nothing_is_to_come() -> None:
    assert rulebooks.in_force([OLD], date.min) == OLD and rulebooks.coming([OLD], date.min) is None


def _fewer() -> Program:
    return OLD.model_copy(update={"version": "2024-9", "tiers": OLD.tiers.model_copy(update={"levels": OLD.tiers.levels[:-1]})})


@pytest.mark.parametrize(
    ("rules", "on", "rule"),
    [
        (changed(OLD, RAISED, version="2024-9"), BOUGHT, "policy_too_early"),
        (changed(OLD, RAISED, version="2024-9"), BOUGHT - timedelta(1), "policy_too_early"),
        (changed(OLD, RAISED, version="2024-9"), START, "policy_order"),
        (changed(OLD, RAISED, version="2024-9"), START - timedelta(1), "policy_order"),
        (changed(OLD, RAISED, version="2024-2"), START + timedelta(1), "policy_version"),
        (changed(OLD, RAISED, version="2026-1"), START + timedelta(1), "policy_version"),
        (_fewer(), START + timedelta(1), "policy_tiers"),
        (changed(OLD, {"expiry.months": 24}, version="2024-9"), START + timedelta(1), "policy_same"),
    ],
)
def test_a_version_that_cannot_begin_is_refused_and_nothing_is_kept(sqlite: Database, rules: Program, on: date, rule: str) -> None:
    with sqlite.effect() as session:
        _adopt(session, changed(OLD, {"expiry.months": 24}, version="2024-2"))
    with pytest.raises(RuleBroken) as refused, sqlite.effect() as session:
        _adopt(session, rules, _books(session)[-1], on=on)
    assert refused.value.details["rule"] == rule
    with sqlite.read() as session:
        assert [one.version for one in rulebooks.adopted(session)] == ["2024-2"]


@pytest.mark.parametrize(
    ("kept", "year", "present", "name"),
    [
        ([], 2026, "2026-1", "2026-2"),
        ([], 2027, "2026-1", "2027-1"),
        (["2026-2"], 2026, "2026-1", "2026-3"),
        (["2026-2"], 2026, "2026-2", "2026-3"),
        (["2026-2", "2026-10"], 2026, "2026-2", "2026-11"),
        (["2026-2", "2027-1"], 2027, "2027-1", "2027-2"),
        (["2026-spring", "winter"], 2026, "winter", "2026-1"),
    ],
)
def test_the_next_version_has_a_name_nobody_had(kept: list[str], year: int, present: str, name: str) -> None:
    there = [ProgramVersion(version=version, starts_on=START) for version in kept]
    assert rulebooks.next_version(there, date(year, 6, 1), present) == name


# --- members on the day -----------------------------------------------------------------


def _refreshed(world: Any, rules: Program, on: date) -> int:
    with world.database.effect() as session:
        return rulebooks.refresh_tiers(session, rules, on=on)


def _crowd(world: Any) -> Any:
    """A spent 450.00, B 600.00, C nothing; D spent 450.00 and has left, E has no tier."""
    world.product("board", "home")
    for member_id, tier, cents in (("A", "bronze", 45_000), ("B", "silver", 60_000), ("C", "bronze", 0), ("D", "bronze", 45_000), ("E", "", 45_000)):
        world.member(member_id, tier=tier, left_on=BOUGHT if member_id == "D" else None)
        if cents:
            world.order(f"O{member_id}", member_id, BOUGHT, ("board", 1, cents), status="delivered")
    return world


def test_on_the_night_new_rules_start_each_member_moves_once_and_it_is_written_down_once(either: Database, world_of: Any) -> None:
    world, rules = _crowd(world_of(either)), _after(OLD, LOWERED)
    assert _refreshed(world, rules, START - timedelta(1)) == 0
    assert [_refreshed(world, rules, START) for _ in range(3)] == [1, 0, 0]
    assert world.rows(TierChange) == [{"member_id": "A", "previous": "bronze", "tier": "silver", "changed_on": START, "reason": "earned"}]
    assert [(world.of(who).tier, world.of(who).tier_since) for who in "ABCDE"] == [
        ("silver", START),
        ("silver", None),
        ("bronze", None),
        ("bronze", None),
        ("", None),
    ]


def test_raised_thresholds_move_nobody_on_the_night_and_the_old_grace_ends_as_it_would_have(world: Any) -> None:
    rules = _after(OLD, RAISED)
    _crowd(world)
    assert [_refreshed(world, rules, day) for day in (START, LAPSES - timedelta(1), LAPSES, LAPSES)] == [0, 0, 1, 0]
    assert world.rows(TierChange) == [{"member_id": "B", "previous": "silver", "tier": "bronze", "changed_on": LAPSES, "reason": "lapsed"}]


def test_a_tier_no_history_explains_goes_back_to_the_lowest(world: Any) -> None:
    world.member("A", tier="gold")
    assert _refreshed(world, OLD, START) == 1
    assert world.rows(TierChange) == [{"member_id": "A", "previous": "gold", "tier": "bronze", "changed_on": START, "reason": "rules"}]


def test_a_move_that_a_replay_wrote_already_is_not_written_again(world: Any) -> None:
    _crowd(world)
    rules = _after(OLD, LOWERED)
    world.add(TierChange(member_id="A", previous="bronze", tier="silver", changed_on=START, reason="earned"))
    assert _refreshed(world, rules, START) == 1
    assert world.count(TierChange) == 1


def test_more_members_than_are_read_at_once_are_all_moved(world: Any) -> None:
    world.add(*[Member(id=f"X{n:04}", tier="gold") for n in range(rulebooks._AT_ONCE + 3)])
    assert _refreshed(world, OLD, START) == rulebooks._AT_ONCE + 3
    assert {row["tier"] for row in world.rows(Member)} == {"bronze"}
