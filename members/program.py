"""What does the club promise?

Tiers, earning, redemption and benefits as pure functions over a `Program` read
from TOML. Knows no database: histories are handed in as (day, cents) pairs.
"""

import calendar
import tomllib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from members.errors import BadInput

PACKAGED = Path(__file__).with_name("program.toml")
Spend = Sequence[tuple[date, int]]
_Factor = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tier(_Part):
    """One level of the club and what it brings; money in minor units, earning as a multiplier."""

    key: str
    name_en: str
    name_zh: str = ""
    threshold_cents: int = Field(ge=0)
    earning: float = Field(gt=0, le=100, allow_inf_nan=False)
    discount_percent: int = Field(default=0, ge=0, le=90)
    free_shipping_from_cents: int | None = None
    express_free: bool = False
    birthday_gift_cents: int = 0
    early_access_hours: int = 0
    priority_service: bool = False
    free_returns: bool = False


class Tiers(_Part):
    """The levels, lowest first, and how spend is counted."""

    window_days: int = Field(gt=0)
    grace_days: int = Field(ge=0)
    levels: tuple[Tier, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _rising(self) -> "Tiers":
        marks = [level.threshold_cents for level in self.levels]
        if marks[0] != 0 or any(a >= b for a, b in zip(marks, marks[1:], strict=False)):
            raise ValueError("tier thresholds must start at 0 and rise")
        if len({level.key for level in self.levels}) < len(self.levels):
            raise ValueError("every tier needs a key of its own")
        return self


class Earning(_Part):
    """Points for each full unit of currency, and the categories that earn more."""

    points_per_unit: int = Field(ge=0)
    categories: dict[str, _Factor] = {}


class Expiry(_Part):
    """Months until earned points lapse, at the end of that month."""

    months: int = Field(gt=0)


class Redemption(_Part):
    """What points are worth and how many may be used."""

    points_per_unit: int = Field(gt=0)
    minimum: int = Field(ge=0)
    step: int = Field(gt=0)
    basket_share: float = Field(gt=0, le=1)


class Shipping(_Part):
    """Postage without any benefit."""

    standard_cents: int
    express_cents: int
    free_from_cents: int


class Service(_Part):
    """What may be changed, sent back or taken back, and until when; 0 days means no limit."""

    return_days: int = Field(default=30, ge=0)
    return_label_cents: int = Field(default=0, ge=0)
    refund_working_days: tuple[int, int] = (5, 7)
    item_changes_once: bool = True
    voucher_days: int = Field(default=365, gt=0)
    cooling_off_days: int = Field(default=7, ge=0)
    staff_points_limit: int = Field(default=500, ge=0)


class Campaigns(_Part):
    """How members may be addressed: held out, at which hours, and what a second person must see."""

    holdout_percent: int = Field(default=10, ge=0, le=50)
    quiet_from: int = Field(default=21, ge=0, le=23)
    quiet_until: int = Field(default=9, ge=0, le=23)
    second_over_cents: int = Field(default=50_000, ge=0)
    # Share of an order's value left after goods and handling: what an extra order brings.
    gross_margin: float = Field(default=0.4, gt=0, le=1, allow_inf_nan=False)


class Program(_Part):
    """The whole rule book of one version.

    `before` are the rules until the day before `since`, and so on back: a history is judged by the rules of its
    days. A coming version is the whole with `since` ahead.
    """

    version: str
    currency: str
    earning: Earning
    expiry: Expiry
    redemption: Redemption
    tiers: Tiers
    shipping: Shipping
    service: Service = Service()
    campaigns: Campaigns = Campaigns()
    since: date | None = None
    before: "Program | None" = None

    def on(self, day: date) -> "Program":
        """The rules in force on a day."""
        return self if self.since is None or self.before is None or day >= self.since else self.before.on(day)

    def tier(self, key: str) -> Tier:
        """The level of that key; the lowest for an unknown one."""
        return next((level for level in self.tiers.levels if level.key == key), self.tiers.levels[0])

    def rank(self, key: str) -> int:
        """Position of a tier from the bottom, 0 first."""
        return self.tiers.levels.index(self.tier(key))


def versions(rules: Program) -> Iterator[Program]:
    """A rule book and those before it, newest first."""
    here: Program | None = rules
    while here is not None:
        yield here
        here = here.before


def load(path: Path = PACKAGED) -> Program:
    """Read a rule book. Raises BadInput naming the field that is wrong."""
    try:
        return Program.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise BadInput(f"{path.name} cannot be used: {error}") from error


# --- tiers ------------------------------------------------------------------------------


def spend_in_window(spends: Spend, on: date, rules: Program) -> int:
    """Cents spent on products in the rolling window that ends on `on`, that day included."""
    start = on - timedelta(days=rules.on(on).tiers.window_days)
    return sum(cents for day, cents in spends if start < day <= on)


def tier_for(spend_cents: int, rules: Program) -> Tier:
    """The highest tier whose threshold is reached."""
    return max((t for t in rules.tiers.levels if spend_cents >= t.threshold_cents), key=lambda t: t.threshold_cents)


@dataclass(frozen=True)
class Step:
    """A change of tier on a day, with the reason `earned` or `lapsed`."""

    on: date
    previous: str
    tier: str
    reason: str


def tier_steps(spends: Spend, rules: Program, *, until: date) -> list[Step]:
    """Every change of tier up to `until`: up at once, down after the grace period.

    Spend only changes on a day of purchase or return and when such a day leaves
    the window, so these days, the starts of new rules and the ends of grace are all that is looked at.
    """
    timeline = _Timeline(spends, rules)
    current, ends, steps = rules.on(date.min).tiers.levels[0].key, None, list[Step]()
    pending = sorted(d for d in timeline.days_of_change() if d <= until)
    while pending:
        day = pending.pop(0)
        reached = timeline.reached(day)
        rise = rules.rank(reached) - rules.rank(current)
        if rise > 0:
            steps.append(Step(day, current, reached, "earned"))
            current, ends = reached, None
        elif rise == 0:
            ends = None
        elif ends is None:
            # Grace is that of the rules it begins under: later ones neither cut it short nor draw it out.
            ends = day + timedelta(days=rules.on(day).tiers.grace_days)
            if ends <= until and ends not in pending:
                pending.insert(bisect_right(pending, ends), ends)
        if ends is not None and day >= ends:
            steps.append(Step(day, current, reached, "lapsed"))
            current, ends = reached, None
    return steps


class _Timeline:
    """Which tier a history reaches on a day, by the rules of that day.

    Who earned a tier under earlier rules keeps it as long as those rules would have
    let them, by what they spent while they were in force.
    """

    def __init__(self, spends: Spend, rules: Program) -> None:
        self._regimes: list[tuple[date, _Window]] = []
        here: Program | None = rules
        until: date | None = None
        while here is not None:
            known = spends if until is None else [(day, cents) for day, cents in spends if day < until]
            self._regimes.append((here.since or date.min, _Window(known, here)))
            until = here.since
            here = here.before
        self._rank = rules.rank

    def reached(self, day: date) -> str:
        """Key of the highest tier reached on a day."""
        found = [tier_for(max(0, window.spend(day)), window.rules).key for since, window in self._regimes if since <= day]
        return max(found, key=self._rank)

    def days_of_change(self) -> set[date]:
        """Every day on which something may change."""
        days = {since for since, _ in self._regimes if since != date.min}
        return days.union(*(window.days_of_change() for _, window in self._regimes))


class _Window:
    """Rolling sums over sorted spends, each in logarithmic time."""

    def __init__(self, spends: Spend, rules: Program) -> None:
        ordered = sorted(spends)
        self.rules = rules
        self.days = [day for day, _ in ordered]
        self.sums = [0, *accumulate(cents for _, cents in ordered)]
        self.length = timedelta(days=rules.tiers.window_days)

    def spend(self, on: date) -> int:
        return self.sums[bisect_right(self.days, on)] - self.sums[bisect_right(self.days, on - self.length)]

    def days_of_change(self) -> set[date]:
        return {*self.days, *(day + self.length for day in self.days)}


@dataclass(frozen=True)
class Standing:
    """Where a member stands on a day: tier, window spend, and the way to the next tier."""

    on: date
    tier: Tier
    spend_cents: int
    window_from: date
    next_tier: Tier | None
    missing_cents: int
    kept_until: date | None
    falls_to: Tier | None


def standing(spends: Spend, rules: Program, *, on: date) -> Standing:
    """Tier on a day, what the next one still needs, and until when the tier is safe.

    `kept_until` is the last day of the present tier if nothing more is bought;
    None for the lowest tier, which nobody falls out of.
    """
    known, then = [(day, cents) for day, cents in spends if day <= on], rules.on(on)
    steps = tier_steps(known, rules, until=on)
    tier = then.tier(steps[-1].tier) if steps else then.tiers.levels[0]
    spent = spend_in_window(known, on, rules)
    higher = then.tiers.levels[then.rank(tier.key) + 1 :]
    longest = max(book.tiers.window_days + book.tiers.grace_days for book in versions(rules))
    horizon = on + timedelta(days=longest + 1)
    ahead = (s for s in tier_steps(known, rules, until=horizon) if s.on > on)
    # A return that leaves the window may lift a member for a while: only a fall below the present tier ends it.
    fall = next((s for s in ahead if rules.rank(s.tier) < rules.rank(tier.key)), None)
    return Standing(
        on=on,
        tier=tier,
        spend_cents=spent,
        window_from=on - timedelta(days=then.tiers.window_days - 1),
        next_tier=higher[0] if higher else None,
        missing_cents=max(0, higher[0].threshold_cents - spent) if higher else 0,
        kept_until=fall.on - timedelta(days=1) if fall else None,
        falls_to=rules.on(fall.on).tier(fall.tier) if fall else None,
    )


def what_if(spends: Spend, rules: Program, *, on: date, extra_cents: int, by: date) -> Standing:
    """The standing on day `by` if `extra_cents` more are spent that day.

    Raises BadInput for a day already past or an amount below zero.
    """
    if by < on:
        raise BadInput("The day must not lie in the past.")
    if extra_cents < 0:
        raise BadInput("The amount must not be negative.")
    return standing([*spends, (by, extra_cents)], rules, on=by)


@dataclass(frozen=True)
class Climb:
    """What must still be spent to stand in a tier on a day, in all and month by month."""

    tier: Tier
    by: date
    missing_cents: int
    leaves_window_cents: int
    months: int
    monthly_cents: int
    holds_until: date | None


def climb(spends: Spend, rules: Program, *, on: date, by: date, tier: Tier) -> Climb:
    """The way to a tier by a day, counting what leaves the rolling window until then. Raises BadInput for a past day."""
    if by < on:
        raise BadInput("The day must not lie in the past.")
    # A tier is reached by the rules of that day, which may be coming ones.
    tier = rules.on(by).tier(tier.key)
    then, now = spend_in_window(spends, by, rules), spend_in_window(spends, on, rules)
    missing = max(0, tier.threshold_cents - then)
    months = max(1, (by.year - on.year) * 12 + by.month - on.month + (1 if by.day >= on.day else 0))
    reached = standing([*spends, (by, missing)], rules, on=by)
    return Climb(tier, by, missing, max(0, now - then), months, -(-missing // months), reached.kept_until)


# --- points -----------------------------------------------------------------------------


def points_for(lines: Iterable[tuple[str, int]], tier: Tier, rules: Program) -> int:
    """Points a basket of (category, cents after discount) earns in a tier.

    Full units of the whole basket count, a favoured category's full units count
    extra, the tier multiplies, and the result is rounded down once.
    """
    by_category: dict[str, int] = {}
    for category, cents in lines:
        by_category[category] = by_category.get(category, 0) + cents
    units = Fraction(max(0, sum(by_category.values())) // 100)
    for category, factor in rules.earning.categories.items():
        units += (_exact(factor) - 1) * (max(0, by_category.get(category, 0)) // 100)
    return int(units * rules.earning.points_per_unit * _exact(tier.earning))


@lru_cache(maxsize=256)
def _exact(factor: float) -> Fraction:
    """The number as the rule book writes it: 1.15 is 115/100, not the nearest binary fraction below."""
    return Fraction(str(factor))


def expires_on(earned: date, rules: Program) -> date:
    """The last day of the month in which points earned that day lapse, by the rules of that day."""
    months = earned.year * 12 + earned.month - 1 + rules.on(earned).expiry.months
    year, month = divmod(months, 12)
    return date(year, month + 1, calendar.monthrange(year, month + 1)[1])


def worth_cents(points: int, rules: Program) -> int:
    """What points are worth at redemption, in minor units, rounded down."""
    return points * 100 // rules.redemption.points_per_unit


# --- benefits ---------------------------------------------------------------------------


def postage_cents(basket_cents: int, tier: Tier, rules: Program) -> int:
    """Standard postage for a basket in a tier."""
    limits = [rules.shipping.free_from_cents]
    if tier.free_shipping_from_cents is not None:
        limits.append(tier.free_shipping_from_cents)
    return 0 if basket_cents >= min(limits) else rules.shipping.standard_cents


def benefits_worth(order_cents: Sequence[int], tier: Tier, rules: Program) -> Mapping[str, int]:
    """What a tier would have been worth on a year's orders, by benefit, in minor units.

    Postage counts only what the tier saves beyond what everyone gets.
    """
    base = rules.tiers.levels[0]
    saved = sum(postage_cents(c, base, rules) - postage_cents(c, tier, rules) for c in order_cents)
    spent = sum(order_cents)
    extra = int(spent * (_exact(tier.earning) - _exact(base.earning)) * rules.earning.points_per_unit / 100)
    return {
        "discount": spent * tier.discount_percent // 100,
        "postage": saved,
        "birthday_gift": tier.birthday_gift_cents,
        "extra_points": worth_cents(max(0, extra), rules),
    }


def benefits(tier: Tier) -> dict[str, Any]:
    """The tier's benefits as plain values, for wording."""
    return tier.model_dump(exclude={"key", "name_en", "name_zh", "threshold_cents"})
