"""Does the rule book keep what the club promises, day by day?"""

from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from members import program
from members.errors import BadInput
from members.program import PACKAGED, Program, Step

BOUGHT = date(2024, 1, 10)
LEAVES_WINDOW = date(2025, 1, 9)  # 365 days later the purchase no longer counts
LAPSES = date(2025, 3, 10)  # and 60 days after that the tier goes
RULES = program.load()
spends_lists = st.lists(st.tuples(st.integers(0, 800), st.integers(-150_000, 300_000)), max_size=8)


def _dated(spends: list[tuple[int, int]]) -> list[tuple[date, int]]:
    return [(BOUGHT + timedelta(days=day), cents) for day, cents in spends]


# --- tiers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cents", "key"),
    [(0, "bronze"), (49_999, "bronze"), (50_000, "silver"), (199_999, "silver"), (200_000, "gold"), (500_000, "platinum"), (9_999_999, "diamond")],
)
def test_a_tier_begins_exactly_at_its_threshold(rules: Program, cents: int, key: str) -> None:
    assert program.tier_for(cents, rules).key == key


def test_a_purchase_counts_on_its_day_and_for_365_days(rules: Program) -> None:
    spends = [(BOUGHT, 700)]
    counted = [program.spend_in_window(spends, day, rules) for day in (BOUGHT - timedelta(1), BOUGHT, LEAVES_WINDOW - timedelta(1), LEAVES_WINDOW)]
    assert counted == [0, 700, 700, 0]


def test_a_member_rises_at_once_and_falls_sixty_days_after_the_spend_left_the_window(rules: Program) -> None:
    steps = program.tier_steps([(BOUGHT, 60_000)], rules, until=date(2026, 1, 1))
    assert steps == [Step(BOUGHT, "bronze", "silver", "earned"), Step(LAPSES, "silver", "bronze", "lapsed")]


def test_the_day_before_grace_ends_nothing_has_happened(rules: Program) -> None:
    assert len(program.tier_steps([(BOUGHT, 60_000)], rules, until=LAPSES - timedelta(1))) == 1


def test_a_tier_regained_during_grace_is_kept_without_a_step(rules: Program) -> None:
    spends = [(BOUGHT, 60_000), (LAPSES - timedelta(1), 50_000)]
    assert program.tier_steps(spends, rules, until=date(2025, 12, 31)) == [Step(BOUGHT, "bronze", "silver", "earned")]


def test_one_day_too_late_the_tier_is_lost_and_earned_anew(rules: Program) -> None:
    steps = program.tier_steps([(BOUGHT, 60_000), (LAPSES + timedelta(1), 50_000)], rules, until=date(2025, 12, 31))
    assert [(s.on, s.tier) for s in steps[1:]] == [(LAPSES, "bronze"), (LAPSES + timedelta(1), "silver")]


def test_the_fall_goes_to_the_tier_the_spend_still_carries(rules: Program) -> None:
    spends = [(BOUGHT, 180_000), (BOUGHT + timedelta(100), 60_000)]
    steps = program.tier_steps(spends, rules, until=LAPSES)
    assert [s.tier for s in steps] == ["silver", "gold", "silver"]


def test_a_return_starts_the_grace_on_the_day_of_the_return(rules: Program) -> None:
    back = BOUGHT + timedelta(30)
    steps = program.tier_steps([(BOUGHT, 60_000), (back, -20_000)], rules, until=date(2024, 12, 1))
    assert steps[-1] == Step(back + timedelta(60), "silver", "bronze", "lapsed")


def _day_by_day(spends: list[tuple[date, int]], rules: Program, until: date) -> list[Step]:
    """The promise read out loud: look at every single day."""
    current, below_since, steps = rules.tiers.levels[0], None, []
    day = min((d for d, _ in spends), default=until)
    while day <= until:
        reached = program.tier_for(max(0, program.spend_in_window(spends, day, rules)), rules)
        if reached.threshold_cents >= current.threshold_cents:
            below_since = None
            if reached != current:
                steps.append(Step(day, current.key, reached.key, "earned"))
                current = reached
        else:
            below_since = below_since or day
            if (day - below_since).days >= rules.tiers.grace_days:
                steps.append(Step(day, current.key, reached.key, "lapsed"))
                current, below_since = reached, None
        day += timedelta(1)
    return steps


@given(spends_lists)
def test_looking_at_days_of_change_only_finds_the_same_steps_as_looking_at_every_day(spends: list[tuple[int, int]]) -> None:
    until = BOUGHT + timedelta(1300)
    assert program.tier_steps(_dated(spends), RULES, until=until) == _day_by_day(_dated(spends), RULES, until)


# --- standing ---------------------------------------------------------------------------


def test_standing_says_what_is_missing_and_until_when_the_tier_is_safe(rules: Program) -> None:
    now = program.standing([(BOUGHT, 60_000)], rules, on=date(2024, 6, 1))
    assert (now.tier.key, now.spend_cents, now.next_tier and now.next_tier.key, now.missing_cents) == ("silver", 60_000, "gold", 140_000)
    assert (now.kept_until, now.falls_to and now.falls_to.key) == (LAPSES - timedelta(1), "bronze")


def test_the_lowest_tier_is_never_lost_and_the_highest_has_nothing_above(rules: Program) -> None:
    lowest, highest = program.standing([], rules, on=BOUGHT), program.standing([(BOUGHT, 1_200_000)], rules, on=BOUGHT)
    assert (lowest.kept_until, lowest.falls_to, lowest.missing_cents) == (None, None, 50_000)
    assert (highest.tier.key, highest.next_tier, highest.missing_cents) == ("diamond", None, 0)


def test_standing_on_a_day_knows_nothing_of_later_purchases(rules: Program) -> None:
    assert program.standing([(BOUGHT, 60_000)], rules, on=BOUGHT - timedelta(1)).tier.key == "bronze"


@given(spends_lists, st.integers(0, 900))
def test_spending_what_is_missing_today_reaches_the_next_tier(spends: list[tuple[int, int]], after: int) -> None:
    on = BOUGHT + timedelta(after)
    now = program.standing(_dated(spends), RULES, on=on)
    if now.next_tier:
        then = program.what_if([s for s in _dated(spends) if s[0] <= on], RULES, on=on, extra_cents=now.missing_cents, by=on)
        assert then.tier.threshold_cents >= now.next_tier.threshold_cents


@given(st.lists(st.tuples(st.integers(0, 800), st.integers(0, 300_000)), max_size=8), st.integers(0, 900))
def test_the_tier_is_held_through_kept_until_and_gone_the_day_after(spends: list[tuple[int, int]], after: int) -> None:
    on = BOUGHT + timedelta(after)
    known = [s for s in _dated(spends) if s[0] <= on]
    now = program.standing(known, RULES, on=on)
    assert (now.kept_until is None) == (now.tier == RULES.tiers.levels[0])
    if now.kept_until:
        assert program.standing(known, RULES, on=now.kept_until).tier == now.tier
        assert program.standing(known, RULES, on=now.kept_until + timedelta(1)).tier == now.falls_to


def test_the_lowest_tier_has_no_last_day_even_when_a_return_will_leave_the_window(rules: Program) -> None:
    returned_then_bought = [(BOUGHT, -1), (BOUGHT + timedelta(1), 50_000)]
    now = program.standing(returned_then_bought, rules, on=BOUGHT + timedelta(1))
    assert (now.tier.key, now.kept_until, now.falls_to) == ("bronze", None, None)


def test_a_tier_ends_with_its_own_fall_not_with_that_of_a_rise_on_the_way(rules: Program) -> None:
    spends = [(BOUGHT, -1), (BOUGHT + timedelta(1), 200_000), (BOUGHT + timedelta(30), 60_000), (BOUGHT + timedelta(31), -60_000)]
    now = program.standing(spends, rules, on=BOUGHT + timedelta(1))
    assert (now.tier.key, now.falls_to and now.falls_to.key) == ("silver", "bronze")
    assert now.kept_until == LAPSES


def test_what_if_counts_what_will_have_left_the_window_by_then(rules: Program) -> None:
    spends, on = [(BOUGHT, 60_000)], date(2024, 12, 1)
    in_time = program.what_if(spends, rules, on=on, extra_cents=140_000, by=LEAVES_WINDOW - timedelta(1))
    too_late = program.what_if(spends, rules, on=on, extra_cents=140_000, by=LEAVES_WINDOW)
    assert (in_time.tier.key, in_time.spend_cents) == ("gold", 200_000)
    assert (too_late.tier.key, too_late.spend_cents, too_late.missing_cents) == ("silver", 140_000, 60_000)


@pytest.mark.parametrize(("by", "extra"), [(date(2024, 11, 30), 100), (date(2024, 12, 1), -1)])
def test_what_if_refuses_the_past_and_negative_money(rules: Program, by: date, extra: int) -> None:
    with pytest.raises(BadInput):
        program.what_if([], rules, on=date(2024, 12, 1), extra_cents=extra, by=by)


# --- points -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tier", "lines", "points"),
    [
        ("gold", [("home", 3560)], 52),
        ("silver", [("tea", 1000)], 25),
        ("bronze", [("home", 99)], 0),
        ("bronze", [("home", 150), ("home", 150)], 3),
        ("silver", [("home", 1050), ("tea", 1050)], 38),
        ("diamond", [("tea", 1000)], 50),
        ("gold", [("home", -500)], 0),
        ("gold", [], 0),
    ],
)
def test_points_follow_the_written_policy(rules: Program, tier: str, lines: list[tuple[str, int]], points: int) -> None:
    assert program.points_for(lines, rules.tier(tier), rules) == points


@given(st.lists(st.tuples(st.sampled_from(["tea", "home", "toys"]), st.integers(0, 50_000)), max_size=6), st.randoms())
def test_points_do_not_depend_on_the_order_of_lines_nor_on_how_they_are_split(lines: list[tuple[str, int]], chance: object) -> None:
    tier = RULES.tier("gold")
    split = [part for category, cents in lines for part in ((category, cents // 3), (category, cents - cents // 3))]
    chance.shuffle(split)  # type: ignore[attr-defined]
    assert program.points_for(split, tier, RULES) == program.points_for(lines, tier, RULES) >= 0


@given(st.integers(100, 300), st.integers(0, 100_000))
@example(115, 10_000)
def test_any_tier_rate_is_reckoned_exactly_before_it_is_rounded_down(percent: int, cents: int) -> None:
    tier = RULES.tier("gold").model_copy(update={"earning": percent / 100})
    assert program.points_for([("home", cents)], tier, RULES) == int(Fraction(percent, 100) * (cents // 100))


@pytest.mark.parametrize(
    ("earned", "last"), [(date(2024, 1, 1), date(2025, 1, 31)), (date(2023, 2, 10), date(2024, 2, 29)), (date(2024, 12, 31), date(2025, 12, 31))]
)
def test_points_lapse_at_the_end_of_the_month_twelve_months_later(rules: Program, earned: date, last: date) -> None:
    assert program.expires_on(earned, rules) == last


def test_a_hundred_points_are_worth_a_pound(rules: Program) -> None:
    assert [program.worth_cents(points, rules) for points in (0, 1, 99, 100, 250)] == [0, 1, 99, 100, 250]


def test_benefits_are_worth_only_what_the_tier_adds(rules: Program) -> None:
    gold = program.benefits_worth([3000, 5000], rules.tier("gold"), rules)
    assert gold == {"discount": 400, "postage": 395, "birthday_gift": 1000, "extra_points": 40}
    assert set(program.benefits_worth([3000, 5000], rules.tier("bronze"), rules).values()) == {0}


# --- the rule book as a file ------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("months = 12", "months = 0", "expiry.months"),
        ("step = 100", 'step = "many"', "redemption.step"),
        ("basket_share = 0.5", "basket_share = 1.5", "redemption.basket_share"),
        ("grace_days = 60", "grace_day = 60", "tiers.grace_day"),
        ("threshold_cents = 200000", "threshold_cents = 50000", "must start at 0 and rise"),
        ("earning = 1.25", "earning = nan", "earning"),
        ("earning = 1.25", "earning = inf", "earning"),
        ("tea = 2.0", "tea = inf", "tea"),
        ('key = "silver"', 'key = "bronze"', "key of its own"),
        ("[earning]", "[earning", "line"),
    ],
)
def test_a_rule_book_that_cannot_be_used_names_the_field(tmp_path: Path, old: str, new: str, named: str) -> None:
    path = tmp_path / "club.toml"
    path.write_text(PACKAGED.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BadInput, match=named):
        program.load(path)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00name"])
def test_a_rule_book_that_is_missing_or_no_text_is_bad_input(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "club.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput):
        program.load(path)
