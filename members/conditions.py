"""What must be true of a member?

Typed tests joined by all, any and not. A test names a field of the record or of
the models' scores and what it must be; `matches` makes one SQL expression of the
whole, in which every value is a bound parameter.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Literal, Optional

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlmodel import and_, case, col, extract, func, not_, or_, select

from members.tables import Consent, Member, MemberScore, Order, OrderLine, Product

Channel = Literal["email", "sms", "wechat", "phone", "push", "in_app"]
FieldName = Literal[
    "tier",
    "city",
    "country",
    "language",
    "category",
    "taste",
    "segment",
    "consent",
    "birthday_month",
    "silent_days",
    "bought_days",
    "joined_days",
    "orders",
    "spent_cents",
    "points",
    "churn_percent",
    "value_cents",
]
MOST_TESTS, DEEPEST = 24, 4
# From which share of their spend on goods on a member's taste is said to be a category's.
TASTE_SHARE = 0.4


class Test(BaseModel):
    """One thing that must be true: `any_of` for names, `at_least` and `at_most` for numbers, over `days` where a window makes sense.

    Fields: tier, city, country, language, category (bought from), taste (much of their spend goes there), segment,
    consent (a channel), birthday_month; silent_days (no order for at least that long), bought_days (an order within),
    joined_days (a member for), orders and spent_cents (within `days`), points; churn_percent, value_cents (next twelve months).
    """

    __test__ = False
    model_config = ConfigDict(extra="forbid", frozen=True)

    field: FieldName
    any_of: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=30)
    at_least: int | None = Field(default=None, ge=0, le=10**12)
    at_most: int | None = Field(default=None, ge=0, le=10**12)
    days: int | None = Field(default=None, ge=1, le=3650)

    @model_validator(mode="after")
    def _asks_what_the_field_can_answer(self) -> "Test":
        named = self.field in _NAMED
        if named and (self.any_of is None or self.at_least is not None or self.at_most is not None):
            raise ValueError(f"{self.field} takes any_of, a list of names")
        if not named and (self.any_of is not None or (self.at_least is None and self.at_most is None)):
            raise ValueError(f"{self.field} takes at_least, at_most or both")
        if self.days is not None and self.field not in _WINDOWED:
            raise ValueError(f"{self.field} has no window of days")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"{self.field}: at_least is above at_most")
        return self


class Where(BaseModel):
    """A test, or several joined: exactly one of `test`, `all`, `any`, `none` is given; nothing at all means every member."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    test: Test | None = None
    all: tuple["Where", ...] | None = Field(default=None, min_length=1, max_length=20, description="every one of these is true")
    any: tuple["Where", ...] | None = Field(default=None, min_length=1, max_length=20, description="at least one of these is true")
    none: Optional["Where"] = Field(default=None, description="this is not true")

    @model_validator(mode="after")
    def _is_one_thing_and_not_endless(self) -> "Where":
        if sum(part is not None for part in (self.test, self.all, self.any, self.none)) > 1:
            raise ValueError("give one of test, all, any and none")
        if len(list(tests(self))) > MOST_TESTS:
            raise ValueError(f"more than {MOST_TESTS} conditions")
        if _depth(self) > DEEPEST:
            raise ValueError(f"more than {DEEPEST} levels of conditions")
        return self


def everyone() -> Where:
    """The condition that asks nothing."""
    return Where()


def test(name: FieldName, **what: Any) -> Test:
    """A test by its field."""
    if isinstance(what.get("any_of"), list):
        what["any_of"] = tuple(what["any_of"])
    return Test(field=name, **what)


test.__test__ = False  # type: ignore[attr-defined]


def every(*named: Test | Where) -> Where:
    """All of these; one by itself stays bare, none at all means every member."""
    parts = tuple(one if isinstance(one, Where) else Where(test=one) for one in named)
    return parts[0] if len(parts) == 1 else Where(all=parts) if parts else everyone()


def either(*named: Where) -> Where:
    """At least one of these."""
    return named[0] if len(named) == 1 else Where(any=named)


def but_not(where: Where, unwanted: Where) -> Where:
    """The first without the second."""
    out = Where(none=unwanted)
    if where.all is not None:
        return Where(all=(*where.all, out))
    return out if where == everyone() else Where(all=(where, out))


def tests(where: Where) -> Iterator[Test]:
    """Every test of a condition, in reading order."""
    if where.test is not None:
        yield where.test
    for part in (*(where.all or ()), *(where.any or ()), *((where.none,) if where.none else ())):
        yield from tests(part)


def _depth(where: Where) -> int:
    parts = (*(where.all or ()), *(where.any or ()), *((where.none,) if where.none else ()))
    return 1 + max((_depth(part) for part in parts), default=0)


# --- asked in words ---------------------------------------------------------------------


class Conditions(BaseModel):
    """What a sentence about members asks, all of it true; an empty field asks nothing. Money in minor units.

    The flat form that is easily said; `where` is the same as a condition.
    """

    model_config = ConfigDict(extra="forbid")

    tiers: list[str] = Field(default_factory=list, max_length=10, description="tier keys")
    cities: list[str] = Field(default_factory=list, max_length=20, description="city names as the shop writes them")
    countries: list[str] = Field(default_factory=list, max_length=20, description="country names as the shop writes them")
    languages: list[Literal["en", "zh"]] = Field(default_factory=list, max_length=2)
    categories: list[str] = Field(default_factory=list, max_length=20, description="bought from any of these product categories")
    tastes: list[str] = Field(default_factory=list, max_length=20, description="much of their spend goes to one of these categories")
    segments: list[str] = Field(default_factory=list, max_length=10, description="groups the shop knows, such as sleeping")
    bought_within_days: int | None = Field(default=None, ge=1, le=3650)
    not_bought_for_days: int | None = Field(default=None, ge=1, le=3650)
    spent_at_least_cents: int | None = Field(default=None, ge=0)
    spent_at_most_cents: int | None = Field(default=None, ge=0)
    spent_within_days: int = Field(default=365, ge=1, le=3650)
    joined_within_days: int | None = Field(default=None, ge=1, le=3650)
    orders_at_least: int | None = Field(default=None, ge=0, le=10_000)
    orders_at_most: int | None = Field(default=None, ge=0, le=10_000)
    points_at_least: int | None = Field(default=None, ge=0)
    churn_from_percent: int | None = Field(default=None, ge=0, le=100, description="chance of no order in 90 days, at least")
    churn_to_percent: int | None = Field(default=None, ge=0, le=100)
    worth_at_least_cents: int | None = Field(default=None, ge=0, description="expected spend of the next twelve months, at least")
    birthday_months: list[int] = Field(default_factory=list, max_length=12)
    consent: Channel | None = Field(default=None, description="the channel they are to be addressed on")

    def where(self) -> Where:
        """The same as a condition; the channel is asked when they are addressed, not here."""
        found: list[Test] = []
        named: dict[FieldName, list[str]] = {
            "tier": self.tiers,
            "city": self.cities,
            "country": self.countries,
            "language": list(self.languages),
            "category": self.categories,
            "taste": self.tastes,
            "segment": self.segments,
            "birthday_month": [str(month) for month in self.birthday_months],
        }
        found += [test(name, any_of=values) for name, values in named.items() if values]
        bounded: dict[FieldName, tuple[int | None, int | None]] = {
            "bought_days": (None, self.bought_within_days),
            "silent_days": (self.not_bought_for_days, None),
            "joined_days": (None, self.joined_within_days),
            "points": (self.points_at_least, None),
            "churn_percent": (self.churn_from_percent, self.churn_to_percent),
            "value_cents": (self.worth_at_least_cents, None),
            "orders": (self.orders_at_least, self.orders_at_most),
        }
        found += [test(name, at_least=low, at_most=high) for name, (low, high) in bounded.items() if low is not None or high is not None]
        if self.spent_at_least_cents is not None or self.spent_at_most_cents is not None:
            found.append(test("spent_cents", at_least=self.spent_at_least_cents, at_most=self.spent_at_most_cents, days=self.spent_within_days))
        return every(*found)


# --- as SQL -----------------------------------------------------------------------------


def matches(where: Where, on: date) -> Any:
    """The condition as one SQL expression over Member, as of a day. Whoever has left matches nothing."""
    return and_(col(Member.left_on).is_(None), _sql(where, on))


def _sql(where: Where, on: date) -> Any:
    if where.test is not None:
        return _TESTS[where.test.field](where.test, on)
    if where.all is not None:
        return and_(*(_sql(part, on) for part in where.all))
    if where.any is not None:
        return or_(*(_sql(part, on) for part in where.any))
    if where.none is not None:
        # A member the models know nothing of is not “not at risk”: an unknown is no match either way.
        return not_(func.coalesce(_sql(where.none, on), False))
    return col(Member.id).is_not(None)


def _bounded(value: Any, asked: Test) -> Any:
    bounds = []
    if asked.at_least is not None:
        bounds.append(value >= asked.at_least)
    if asked.at_most is not None:
        bounds.append(value <= asked.at_most)
    return and_(*bounds)


def _one_of(column: Any) -> Callable[[Test, date], Any]:
    return lambda asked, on: func.lower(column).in_([name.strip().lower() for name in asked.any_of or ()])


def _birthday(asked: Test, on: date) -> Any:
    return extract("month", Member.birthday).in_([int(month) for month in asked.any_of or () if month.isdigit()])  # type: ignore[arg-type]


def _consents(asked: Test, on: date) -> Any:
    return col(Member.id).in_(select(Consent.member_id).where(col(Consent.channel).in_(asked.any_of or ()), col(Consent.granted).is_(True)))


def _within(on: date, days: int) -> Any:
    start, end = datetime.combine(on - timedelta(days=days - 1), time.min), datetime.combine(on + timedelta(days=1), time.min)
    return and_(col(Order.ordered_at) >= start, col(Order.ordered_at) < end)


def _by_then(on: date) -> Any:
    # A world without dates has buyers, too.
    return or_(col(Order.ordered_at).is_(None), col(Order.ordered_at) < datetime.combine(on + timedelta(days=1), time.min))


def _ordered(when: Any) -> Any:
    return select(Order.member_id).where(when, Order.status != "cancelled", col(Order.member_id).is_not(None))


def _silent(asked: Test, on: date) -> Any:
    # Silent for at least n days: no order within n; at most n: an order within n, or as near as that.
    tests_of = []
    if asked.at_least:
        tests_of.append(col(Member.id).not_in(_ordered(_within(on, asked.at_least))))
    if asked.at_most is not None:
        tests_of.append(col(Member.id).in_(_ordered(_within(on, asked.at_most + 1))))
    return and_(*tests_of) if tests_of else col(Member.id).is_not(None)


def _bought(asked: Test, on: date) -> Any:
    newest, oldest = asked.at_least or 0, asked.at_most
    when = _within(on - timedelta(days=newest), (oldest or 3650) - newest) if newest else _within(on, oldest or 3650)
    return col(Member.id).in_(_ordered(when))


def _joined(asked: Test, on: date) -> Any:
    bounds = []
    if asked.at_most is not None:
        bounds.append(col(Member.joined_on) > on - timedelta(days=asked.at_most))
    if asked.at_least is not None:
        bounds.append(col(Member.joined_on) <= on - timedelta(days=asked.at_least))
    return and_(*bounds)


def _lines(on: date) -> Any:
    lines = select(Order.member_id).join(OrderLine, col(OrderLine.order_id) == Order.id).join(Product, col(Product.id) == OrderLine.product_id)
    return lines.where(Order.status != "cancelled", col(Order.member_id).is_not(None), _by_then(on))


def _buys(asked: Test, on: date) -> Any:
    lines = _lines(on).where(col(Product.category).in_([name.strip().lower() for name in asked.any_of or ()]))
    return col(Member.id).in_(lines.where(_within(on, asked.days)) if asked.days else lines)


def _tastes(asked: Test, on: date) -> Any:
    cents = OrderLine.quantity * OrderLine.unit_price_cents
    inside = case((col(Product.category).in_([name.strip().lower() for name in asked.any_of or ()]), cents), else_=0)
    lines = _lines(on).where(OrderLine.kind == "product")
    keen = lines.group_by(col(Order.member_id)).having(func.sum(inside) >= TASTE_SHARE * func.sum(cents), func.sum(inside) > 0)
    return col(Member.id).in_(keen)


def _orders(asked: Test, on: date) -> Any:
    number = (
        select(func.count())
        .select_from(Order)
        .where(Order.member_id == Member.id, Order.status != "cancelled", _within(on, asked.days or 3650))
        .correlate(Member)
    )
    return _bounded(number.scalar_subquery(), asked)


def _spent(asked: Test, on: date) -> Any:
    # Net of goods given back; no order in the window counts as nothing spent.
    net = func.sum((OrderLine.quantity - OrderLine.returned) * OrderLine.unit_price_cents)
    paid = (
        select(net)
        .join(Order, col(Order.id) == OrderLine.order_id)
        .where(Order.member_id == Member.id, OrderLine.kind == "product", Order.status != "cancelled", _within(on, asked.days or 365))
        .correlate(Member)
        .scalar_subquery()
    )
    return _bounded(func.coalesce(paid, 0), asked)


def _scored(asked: Test, column: Any, *, scale: float = 1.0) -> Any:
    bounds = []
    if asked.at_least is not None:
        bounds.append(column >= asked.at_least * scale)
    if asked.at_most is not None:
        bounds.append(column <= asked.at_most * scale)
    return col(Member.id).in_(select(MemberScore.member_id).where(*bounds))


def _segment(asked: Test, on: date) -> Any:
    return col(Member.id).in_(select(MemberScore.member_id).where(col(MemberScore.segment).in_([name.strip().lower() for name in asked.any_of or ()])))


_NAMED = {"tier", "city", "country", "language", "category", "taste", "segment", "consent", "birthday_month"}
_WINDOWED = {"category", "orders", "spent_cents"}
_TESTS: dict[str, Callable[[Test, date], Any]] = {
    "tier": _one_of(Member.tier),
    "city": _one_of(Member.city),
    "country": _one_of(Member.country),
    "language": _one_of(Member.language),
    "category": _buys,
    "taste": _tastes,
    "segment": _segment,
    "consent": _consents,
    "birthday_month": _birthday,
    "silent_days": _silent,
    "bought_days": _bought,
    "joined_days": _joined,
    "orders": _orders,
    "spent_cents": _spent,
    "points": lambda asked, on: _bounded(Member.points, asked),
    "churn_percent": lambda asked, on: _scored(asked, MemberScore.churn, scale=0.01),
    "value_cents": lambda asked, on: _scored(asked, MemberScore.value_cents),
}
