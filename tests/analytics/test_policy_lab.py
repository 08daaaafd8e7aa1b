"""Does a year under other rules do what its rules say, and nothing else?"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import club as clubs
from analytics import policy_lab
from analytics.club import Club
from analytics.history import History
from analytics.policy_lab import MEASURES, Assumption, Comparison, begun, compare, replayed, search
from members import extract, program, rulebooks
from members.program import Program

TODAY = date(2026, 11, 22)
RULES = program.load()
KEYS = [level.key for level in RULES.tiers.levels]
BRONZE, SILVER, GOLD = 0, 1, 2
# Nobody reacts to anything: what changes is what the rules themselves do.
STILL = {
    key: Assumption(key, value, value, value, "assumed")
    for key, value in {"response": 0.0, "loss": 0.0, "pull": 0.0, "leaving": 1.0, "used": 0.03, "lapsing": 0.2}.items()
}


def rules_with(changes: dict[str, Any], *, of: Program = RULES) -> Program:
    """The rule book with some values replaced."""
    return rulebooks.changed(of, changes, version="proposed")


def by_factor(first: str, factor: float, *, of: Program = RULES) -> Program:
    """Thresholds from a tier on, times a factor; those below stay."""
    marks = {f"tiers.{level.key}.threshold_cents": int(level.threshold_cents * factor) for level in of.tiers.levels[of.rank(first) :]}
    return rules_with(marks, of=of)


def ranks(spent: np.ndarray[Any, Any], of: Program = RULES) -> np.ndarray[Any, Any]:
    """The tier a year's spend reaches."""
    return (np.searchsorted([level.threshold_cents for level in of.tiers.levels], spent, side="right") - 1).astype(np.int8)


def crowd(members: int = 600, *, seed: int = 1) -> Club:
    """Members of all paces and purses, standing where their last year put them."""
    rng = np.random.default_rng(seed)
    order, pace = rng.gamma(4, 3_000, members).astype(np.float32), rng.gamma(1.2, 0.6, members).astype(np.float32)
    spent = (rng.poisson(pace[:, None], (members, clubs.PAST)) * order[:, None]).astype(np.float32)
    points = np.zeros((members, clubs.POINT_MONTHS), np.float32)
    points[:, :12] = rng.gamma(1, 20, (members, 12))
    return Club(
        as_of=TODAY,
        spent=spent,
        orders_a_month=pace,
        order_cents=order,
        order_cv=0.8,
        gone=np.zeros(members, np.float32),
        leaving=0.01,
        tier=ranks(spent[:, :12].sum(1)),
        points=points,
        shares=np.zeros((members, 0), np.float32),
        categories=(),
        season=np.ones(12, np.float32),
        used_monthly=0.03,
        segment=np.full(members, ""),
    )


def alike(spent: dict[int, float], *, tier: int, members: int = 10, pace: float = 0.0, points: dict[int, float] | None = None) -> Club:
    """Members of one kind: what they spent by month back, in cents, and their points by months until they lapse. At pace 0 nobody buys any more."""
    made = crowd(members)
    past, lots = np.zeros((members, clubs.PAST), np.float32), np.zeros((members, clubs.POINT_MONTHS), np.float32)
    for month, cents in spent.items():
        past[:, month] = cents
    for month, number in (points or {}).items():
        lots[:, month] = number
    ranked, paced = np.full(members, tier, np.int8), np.full(members, pace, np.float32)
    return replace(made, spent=past, points=lots, tier=ranked, orders_a_month=paced, order_cents=np.full(members, 5_000, np.float32), leaving=0.0)


def played(club: Club, proposed: Program, *, present: Program = RULES, told: dict[str, Assumption] | None = STILL, **more: Any) -> Comparison:
    """Both rule books, without the ranges' ends."""
    return compare(club, present, proposed, told=told, **{"reach": False, **more})


@pytest.fixture(scope="module")
def people() -> Club:
    """Six hundred of all kinds."""
    return crowd()


# --- nothing comes of nothing -----------------------------------------------------------


@pytest.mark.parametrize("again", [RULES, begun(RULES, RULES)], ids=["as if always", "as they would begin"])
def test_the_same_rules_twice_change_nothing_at_all(people: Club, again: Program) -> None:
    seen = compare(people, RULES, again, months=24)
    assert {name: (r.value, r.low, r.high) for name, r in seen.change.items()} == dict.fromkeys(MEASURES, (0.0, 0.0, 0.0))
    assert np.array_equal(seen.moves, np.diag(seen.present.tiers)) and seen.present.tiers == seen.proposed.tiers
    assert (seen.downgraded_share, seen.upgraded_share) == (0, 0)
    assert set(seen.reach.values()) == {(0.0, 0.0)}
    assert all((better, worse, change) == (0, 0, 0.0) for part in seen.groups.values() for _, better, worse, change in part.values())


def test_the_same_rules_twice_change_nothing_when_they_were_others_before(people: Club) -> None:
    old = by_factor("silver", 0.5)
    present = RULES.model_copy(update={"before": old, "since": TODAY - timedelta(days=120)})
    seen = played(people, begun(rules_with({}), present), present=present, told=None)
    assert {r.value for r in seen.change.values()} == {0.0}


def test_everybody_is_somewhere_in_every_table(people: Club) -> None:
    seen = played(people, by_factor("gold", 1.5))
    for table in (seen.moves, seen.now, seen.history):
        assert table.shape == (len(KEYS), len(KEYS)) and table.sum() == len(people)
    assert tuple(seen.moves.sum(1)) == seen.present.tiers and tuple(seen.moves.sum(0)) == seen.proposed.tiers
    assert tuple(seen.now.sum(1)) == tuple(np.bincount(people.tier, minlength=len(KEYS)))


# --- thresholds -------------------------------------------------------------------------

# A lower discount means more paid for the same goods, and grace begins anew with every fall: both may lift somebody
# on their own account, so the bare property is asked of rules without them.
BARE = rules_with({**{f"tiers.{key}.discount_percent": 0 for key in KEYS}, "tiers.grace_days": 0})


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(KEYS[1:4]), st.floats(1.0, 4.0), st.booleans())
def test_raising_thresholds_never_lifts_anybody(first: str, factor: float, kept: bool) -> None:
    higher = by_factor(first, factor, of=BARE)
    seen = played(crowd(80), begun(higher, BARE) if kept else higher, present=BARE)
    assert seen.upgraded_share == 0 and np.tril(seen.moves).sum() == 80


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(KEYS[1:]), st.floats(0.3, 1.0))
def test_lowering_thresholds_never_lowers_anybody(first: str, factor: float) -> None:
    # From a tier on down to just above the one below it.
    below = BARE.tiers.levels[BARE.rank(first) - 1].threshold_cents
    least = (below + 1_000) / BARE.tier(first).threshold_cents
    seen = played(crowd(80), by_factor(first, max(factor, least), of=BARE), present=BARE)
    assert seen.downgraded_share == 0 and np.triu(seen.moves).sum() == 80


@pytest.mark.parametrize("first", KEYS[1:3])
def test_with_discounts_and_grace_next_to_nobody_is_lifted_by_higher_thresholds(first: str) -> None:
    seen = played(crowd(5_000), by_factor(first, 2.4))
    assert seen.upgraded_share < 0.002 < seen.downgraded_share


@pytest.mark.parametrize(("months", "tier"), [(1, SILVER), (11, SILVER), (13, SILVER), (14, BRONZE)])
def test_what_was_earned_is_kept_until_its_spend_has_left_the_window_and_grace_is_over(months: int, tier: int) -> None:
    # 600 pounds last month were silver at 500 and would not be at 1,000.
    seen = played(alike({0: 60_000}, tier=SILVER), begun(by_factor("silver", 2.0), RULES), months=months)
    assert seen.proposed.tiers[tier] == 10


@pytest.mark.parametrize(("months", "tier"), [(2, SILVER), (3, BRONZE)])
def test_without_a_beginning_only_the_grace_holds(months: int, tier: int) -> None:
    seen = played(alike({0: 60_000}, tier=SILVER), by_factor("silver", 2.0), months=months)
    assert seen.proposed.tiers[tier] == 10 and seen.present.tiers[SILVER] == 10


def test_older_spend_holds_a_tier_for_a_shorter_time() -> None:
    kept = begun(by_factor("silver", 2.0), RULES)
    assert played(alike({9: 60_000}, tier=SILVER), kept, months=4).proposed.tiers[SILVER] == 10
    assert played(alike({9: 60_000}, tier=SILVER), kept, months=5).proposed.tiers[BRONZE] == 10


def test_spend_under_rules_that_had_ended_earns_nothing_by_them() -> None:
    # Silver began at 500 until half a year ago, since then at 1,000; who stands in silver does so by its grace.
    present = by_factor("silver", 2.0).model_copy(update={"before": RULES, "since": TODAY - timedelta(days=183)})
    since, before = alike({2: 60_000}, tier=SILVER), alike({8: 60_000}, tier=SILVER)
    assert played(since, present, present=present, months=3).present.tiers[BRONZE] == 10
    assert played(before, present, present=present, months=3).present.tiers[SILVER] == 10


def test_a_lower_threshold_lifts_whoever_spent_so_much_already() -> None:
    seen = played(alike({0: 45_000}, tier=BRONZE), begun(by_factor("silver", 0.8), RULES), months=1)
    assert seen.moves[BRONZE, SILVER] == 10 and seen.upgraded_share == 1


# --- money ------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(KEYS[1:3]), st.integers(1, 30))
def test_a_higher_discount_costs_more_discount(key: str, more: int) -> None:
    deeper = rules_with({f"tiers.{key}.discount_percent": RULES.tier(key).discount_percent + more, "tiers.grace_days": 365})
    seen = played(crowd(80), deeper, present=rules_with({"tiers.grace_days": 365}))
    assert seen.change["discount_cents"].value > 0 > seen.change["revenue_cents"].value
    assert seen.change["net_cents"].value < 0


def test_money_of_one_kind_of_member_by_hand() -> None:
    club = replace(alike({0: 60_000}, tier=SILVER, members=4_000, pace=1.0), order_cv=0.05)
    totals = played(club, RULES, months=1).present.totals
    full = totals["revenue_cents"].value + totals["points_cost_cents"].value + totals["discount_cents"].value
    # What they spent before was paid after the tier's 2 per cent.
    assert full == pytest.approx(4_000 * 5_000 / 0.98, rel=0.05)
    assert totals["discount_cents"].value == pytest.approx(0.02 * full, rel=1e-4)
    # Orders of about 50 pounds are free of postage for everybody, the gift comes once a year.
    assert totals["postage_cents"].value == 0 and totals["gift_cents"].value == pytest.approx(4_000 * 500 / 12, rel=1e-4)
    assert totals["points_issued"].value == pytest.approx(1.25 * (full - totals["discount_cents"].value) / 100, rel=1e-4)
    benefits = sum(totals[name].value for name in ("discount_cents", "postage_cents", "gift_cents", "points_cost_cents"))
    assert totals["benefit_cents"].value == pytest.approx(benefits, rel=1e-4)
    assert totals["net_cents"].value == pytest.approx(0.4 * full - benefits, rel=1e-4)


def test_groups_say_who_wins_and_who_loses(people: Club) -> None:
    named = replace(people, segment=np.where(people.tier == BRONZE, "new", "old"))
    seen = played(named, rules_with({"tiers.silver.discount_percent": 10, "tiers.gold.discount_percent": 0}))
    members, better, worse, change = seen.groups["tier"]["silver"]
    assert members == (people.tier == SILVER).sum() and better > 0.5 * members > worse and change > 0
    assert seen.groups["tier"]["gold"][2] > 0 > seen.groups["tier"]["gold"][3]
    assert seen.groups["segment"]["new"][0] + seen.groups["segment"]["old"][0] == len(people)


def test_a_reach_spans_what_is_likely(people: Club) -> None:
    seen = compare(people, RULES, rules_with({"tiers.gold.discount_percent": 15}))
    assert set(seen.reach) == set(policy_lab.assumptions(people))
    low, high = seen.reach["response"]
    assert low < seen.change["net_cents"].value < high


# --- points -----------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 30), st.integers(1, 24), st.integers(0, 1_000))
def test_points_are_neither_made_nor_lost(expiry: int, months: int, seed: int) -> None:
    club = crowd(200, seed=seed)
    seen = played(club, rules_with({"expiry.months": expiry}), months=months, told=None)
    for side in (seen.present, seen.proposed):
        points = {name: side.totals[f"points_{name}"].value for name in ("issued", "used", "lapsed", "open")}
        assert float(club.points.sum()) + points["issued"] == pytest.approx(points["used"] + points["lapsed"] + points["open"], rel=1e-4)
        assert min(points.values()) >= 0


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 17), st.integers(1, 17))
def test_a_longer_expiry_lapses_no_more_points(first: int, second: int) -> None:
    short, long = sorted((first, second))
    seen = played(crowd(200), rules_with({"expiry.months": long}), present=rules_with({"expiry.months": short}), months=18)
    assert seen.change["points_lapsed"].value <= 1e-6 * seen.present.totals["points_lapsed"].value


def test_a_longer_expiry_lapses_fewer_points_where_some_would_have_lapsed(people: Club) -> None:
    seen = played(people, rules_with({"expiry.months": 12}), present=rules_with({"expiry.months": 3}))
    assert seen.change["points_lapsed"].high < 0 < seen.change["points_open"].low


def test_whoever_buys_nothing_loses_points_month_by_month() -> None:
    club = alike({}, tier=BRONZE, points={0: 30, 2: 50, 5: 70})
    assert [played(club, RULES, months=m).present.totals["points_lapsed"].value for m in (1, 2, 3, 6)] == [300, 300, 800, 1_500]


# --- size and luck ----------------------------------------------------------------------


def test_totals_grow_with_the_club() -> None:
    club = crowd(3_000)
    proposed = rules_with({"tiers.silver.discount_percent": 5})
    small, large = played(club, proposed), played(club.grown(12_000), proposed)
    for name in ("revenue_cents", "discount_cents", "net_cents", "points_issued", "tier_share", "active"):
        assert large.present.totals[name].value == pytest.approx(4 * small.present.totals[name].value, rel=0.06), name
    assert large.change["discount_cents"].value == pytest.approx(4 * small.change["discount_cents"].value, rel=0.08)


def test_intervals_hold_their_value_and_shrink_with_more_members() -> None:
    proposed = rules_with({"tiers.silver.discount_percent": 6})
    few, many = played(crowd(200), proposed), played(crowd(4_000), proposed)
    for seen in (few, many):
        for one in [*seen.present.totals.values(), *seen.proposed.totals.values(), *seen.change.values()]:
            assert one.low <= one.value + 1e-6 and one.value - 1e-6 <= one.high
    for name in ("revenue_cents", "benefit_cents", "net_cents"):
        wide, narrow = ((seen.change[name].high - seen.change[name].low) / abs(seen.change[name].value) for seen in (few, many))
        assert narrow < wide / 2


def test_intervals_are_about_as_wide_as_other_luck_and_other_members_would_have_it() -> None:
    draws = [played(crowd(120, seed=seed), RULES, seed=seed).present.totals["revenue_cents"] for seed in range(30)]
    spread = float(np.std([one.value for one in draws]))
    told = float(np.mean([one.high - one.low for one in draws])) / (2 * 1.96)
    assert told == pytest.approx(spread, rel=0.35)


def test_the_same_seed_gives_the_same_year_and_another_seed_another(people: Club) -> None:
    proposed = by_factor("gold", 1.3)
    first, again, other = (played(people, proposed, seed=seed, told=None) for seed in (3, 3, 4))
    assert (first.present, first.proposed, first.change, first.groups) == (again.present, again.proposed, again.change, again.groups)
    assert np.array_equal(first.moves, again.moves)
    assert first.present.totals["revenue_cents"] != other.present.totals["revenue_cents"]


def test_a_club_of_two_hundred_thousand_can_be_played(people: Club) -> None:
    told: list[tuple[str, int, int]] = []
    seen = played(people.grown(200_000), by_factor("silver", 1.2), progress=lambda *step: told.append(step))
    assert seen.members == sum(seen.proposed.tiers) == 200_000
    assert told[-1] == ("members", 200_000, 200_000)


# --- the past year ----------------------------------------------------------------------


def histories(members: int, *, seed: int) -> list[list[tuple[date, int]]]:
    """Two years of purchases each."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(members):
        number, size = rng.poisson(rng.gamma(1.5, 8)), rng.gamma(2, 6_000)
        found.append([(TODAY - timedelta(days=int(back)), int(rng.gamma(2, size / 2))) for back in rng.integers(0, 730, number)])
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rules", [RULES, rules_with({"tiers.silver.threshold_cents": 90_000, "tiers.window_days": 183})], ids=["as they are", "others"])
def test_tiers_by_the_month_are_mostly_those_by_the_day(rules: Program, seed: int) -> None:
    """Measured: 98 of 100 members stand where the ledger's own replay puts them; the rest are within days of a change."""
    lives = histories(1_000, seed=seed)
    spent, tier = np.zeros((len(lives), clubs.PAST), np.float32), np.zeros(len(lives), np.int8)
    for place, life in enumerate(lives):
        for on, cents in life:
            spent[place, int((TODAY - on).days / clubs.MONTH_DAYS)] += cents
        steps = program.tier_steps(life, rules, until=TODAY)
        tier[place] = rules.rank(steps[-1].tier) if steps else BRONZE
    table = replayed(replace(crowd(len(lives)), spent=spent, tier=tier), rules, rules)
    assert np.trace(table) / table.sum() >= 0.95
    # Nobody is off by more than one tier.
    assert np.triu(table, 2).sum() + np.tril(table, -2).sum() <= 0.005 * table.sum()


# --- searching --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wasteful() -> tuple[Club, Program]:
    """Silver gives a fifth off from 500 pounds a year, and nearly everybody spends some 550 by themselves."""
    rules = rules_with({"tiers.silver.discount_percent": 20, "tiers.gold.discount_percent": 20, "tiers.platinum.discount_percent": 20})
    rng = np.random.default_rng(5)
    spent = rng.normal(55_000 / 12, 100, (600, clubs.PAST)).astype(np.float32)
    club = replace(
        crowd(600), spent=spent, orders_a_month=np.full(600, 2.0, np.float32), order_cents=np.full(600, 2_300, np.float32), tier=np.full(600, SILVER, np.int8)
    )
    return club, rules


def at_present(club: Club, rules: Program) -> dict[str, float]:
    """Today's rules played on."""
    return {name: one.value for name, one in compare(club, rules, begun(rules, rules), reach=False).present.totals.items()}


def test_a_search_finds_the_threshold_that_wastes_discount(wasteful: tuple[Club, Program]) -> None:
    club, rules = wasteful
    found = search(club, rules, downgraded_most=1.0)
    assert found.thresholds["silver"] >= 60_000
    assert found.net_cents > at_present(club, rules)["net_cents"] and found.downgraded_share > 0.5
    assert found.feasible == found.tried > 1


@pytest.mark.parametrize("most", [0.0, 0.05, 0.3])
def test_a_search_takes_no_more_from_members_than_allowed(wasteful: tuple[Club, Program], most: float) -> None:
    found = search(*wasteful, downgraded_most=most)
    assert found.downgraded_share <= most and found.feasible >= 1
    assert found.net_cents >= at_present(*wasteful)["net_cents"] * (1 - 1e-6)


def test_a_search_stays_within_its_budget(wasteful: tuple[Club, Program]) -> None:
    budget = 0.9 * at_present(*wasteful)["benefit_cents"]
    found = search(*wasteful, budget_cents=budget, downgraded_most=1.0)
    assert found.benefit_cents <= budget and 1 <= found.feasible < found.tried


def test_a_search_that_can_keep_no_limit_comes_as_near_as_it_can(wasteful: tuple[Club, Program]) -> None:
    found = search(*wasteful, budget_cents=1.0, downgraded_most=1.0)
    assert found.feasible == 0 and found.benefit_cents < at_present(*wasteful)["benefit_cents"]


def test_thresholds_found_rise_in_whole_steps(wasteful: tuple[Club, Program]) -> None:
    tried: list[int] = []
    found = search(*wasteful, downgraded_most=1.0, rounds=2, progress=tried.append)
    marks = list(found.thresholds.values())
    assert list(found.thresholds) == KEYS[1:] and marks == sorted(set(marks)) and all(mark % 10_000 == 0 for mark in marks)
    assert tried == list(range(1, found.tried + 1))


# --- clubs ------------------------------------------------------------------------------


def rows_of(**columns: Sequence[Any]) -> pd.DataFrame:
    """Feature rows with the columns given."""
    made = pd.DataFrame(columns)
    made.index = pd.Index([f"M{n}" for n in range(len(made))], name="member_id")
    return made


def test_a_club_of_feature_rows_spreads_what_lies_between_the_windows() -> None:
    rows = rows_of(spend_30=[100], spend_90=[300], spend_180=[300], spend_365=[900], spend_before_365=[1_200], tier=["gold"], points=[240], order_cents=[50])
    club = clubs.of_rows(rows, RULES, as_of=TODAY)
    assert club.spent[0].tolist() == [100, *[100] * 2, *[0] * 3, *[100] * 6, *[100] * 12]
    assert club.tier.tolist() == [GOLD] and club.order_cents.tolist() == [50]
    assert club.points[0].tolist() == [20] * 12 + [0] * 24


def test_windows_that_are_missing_are_filled_from_the_wider_ones() -> None:
    rows = pd.DataFrame(
        {"spend_90": [30.0, 0], "spend_365": [120.0, 240], "spend": [240.0, 240], "first_days": [730, 200], "orders_365": [4, 4], "orders": [8, 4]}
    )
    club = clubs.of_rows(rows, RULES, as_of=TODAY)
    assert club.spent[:, :3].sum(1) == pytest.approx([30, 0]) and club.spent[:, :12].sum(1) == pytest.approx([120, 240])
    assert club.spent[0, :12] == pytest.approx([10] * 12, rel=0.01)
    assert club.spent[:, 12:24].sum(1) == pytest.approx([120, 0], rel=0.02)
    assert club.order_cents.tolist() == [30, 60]


def test_feature_rows_may_lack_columns_and_hold_strangers() -> None:
    club = clubs.of_rows(rows_of(tier=["tin", "silver"], points=[-5, np.nan], top_category=["tea", None], top_category_share=[0.5, np.nan]), RULES, as_of=TODAY)
    assert club.tier.tolist() == [BRONZE, SILVER] and club.points.sum() == club.spent.sum() == 0
    tea = club.categories.index("tea")
    assert club.shares[:, tea].tolist() == [0.5, 0]
    assert sum(played(club, by_factor("silver", 2.0)).proposed.tiers) == 2


def test_a_pace_is_drawn_towards_the_clubs_own() -> None:
    club = clubs.of_rows(rows_of(orders_365=[1, 0, 12], first_days=[30, 365, 365]), RULES, as_of=TODAY)
    new, none, often = club.orders_a_month
    assert 0 < none < new < often < 1


def test_who_is_quiet_for_long_is_likelier_gone_and_a_model_knows_better() -> None:
    rows = rows_of(orders_365=[6, 6, 6], first_days=[365] * 3, recency_days=[5, 120, 330])
    by_silence = clubs.of_rows(rows, RULES, as_of=TODAY).gone
    assert 0 < by_silence[0] < by_silence[1] < by_silence[2] < 1
    told = clubs.of_rows(rows, RULES, as_of=TODAY, churn=pd.Series([1.0, 0.0], index=["M0", "M2"])).gone
    # The chance of three silent months is that of being gone, or of staying and ordering nothing; whom the model does not know is the average.
    assert told[0] == pytest.approx(0.995) and told[2] == 0 and 0 < told[1] < told[0]


def test_segments_go_along_by_member() -> None:
    club = clubs.of_rows(rows_of(points=[1, 2]), RULES, as_of=TODAY, segment=pd.Series({"M1": "regulars"}))
    assert club.segment.tolist() == ["", "regulars"]


def test_a_sample_is_fixed_and_a_grown_club_is_drawn_from_its_members(people: Club) -> None:
    some = people.sampled(100)
    assert len(some) == 100 and np.array_equal(some.spent, people.sampled(100).spent) and people.sampled(600) is people
    large = people.grown(5_000, seed=1)
    assert len(large) == len(large.spent) == len(large.segment) == 5_000 and large.invented and not people.invented
    assert large.spent.sum() / 5_000 == pytest.approx(people.spent.sum() / len(people), rel=0.05)
    assert not np.array_equal(large.spent, people.grown(5_000, seed=2).spent)


def test_a_club_of_the_record_counts_months_back_and_takes_off_what_was_given_back(counter: Any, tmp_path: Any) -> None:
    counter.sell("O1", "M1", TODAY, "tea-1", cents=1_000)
    counter.sell("O2", "M1", TODAY - timedelta(days=31), "tea-1", "cup-1", cents=1_000)
    counter.sell("O3", "M1", TODAY - timedelta(days=400), "tea-1", cents=1_000)
    counter.sell("O4", "M1", TODAY - timedelta(days=800), "tea-1", cents=1_000)
    counter.sell("O5", "M1", TODAY + timedelta(days=1), "tea-1", cents=1_000)
    club = clubs.of_history(_lake(counter, tmp_path), RULES, as_of=TODAY)
    assert {n: float(v) for n, v in enumerate(club.spent[0]) if v} == {0: 1_000, 1: 2_000, 13: 1_000}
    # Three of the four pieces of two years are tea, this member's first; cups are nobody's.
    assert club.categories == ("tea",) and club.shares.tolist() == [[0.75]] and club.season.tolist() == [1] * 12


def test_the_month_that_was_busy_two_years_running_is_busy_again(counter: Any, tmp_path: Any) -> None:
    # Eleven and twenty-three months back are the thirty days that follow today's date.
    for back in range(24):
        for number in range(6 if back in (11, 23) else 1):
            counter.sell(f"O{back}-{number}", "M1", TODAY - timedelta(days=int((back + 0.5) * clubs.MONTH_DAYS) + number), "tea-1")
    club = clubs.of_history(_lake(counter, tmp_path), RULES, as_of=TODAY).grown(2_000)
    first, year = (played(club, RULES, months=months).present.totals["revenue_cents"].value for months in (1, 12))
    assert first > 2 * year / 12


def _lake(counter: Any, folder: Any) -> History:
    with counter.database.read() as session:
        extract.write(session, folder / "lake")
    return History.of(folder / "lake")
