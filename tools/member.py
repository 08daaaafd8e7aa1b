"""What may members learn about themselves? Profile, points, tier and benefits.

No function here takes a member: the caller is the member.
"""

from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import Field

from members import ledger, orders, people, program
from members.access import Role
from members.replay import histories
from members.tables import Member, PointsEntry
from tools.bench import Bench, Record, cents, money
from tools.gateway import tool

_SOON_DAYS = 90


class MyProfile(Record):
    """The record's facts about the caller."""

    name: str
    member_id: str
    member_since: date | None
    birthday: date | None
    email: str | None
    phone: str | None
    language: str
    address: str | None
    address_parts: dict[str, str] | None
    pays_with: list[str]
    agreed_to: list[str]
    not_agreed_to: list[str]


@tool(Role.MEMBER)
def my_profile(bench: Bench) -> MyProfile:
    """The member's own details on file: name, contacts, address, birthday, language, consents."""
    session, member = bench.session, people.get(bench.session, bench.me)
    reach, home, agreed = people.contacts(session, member.id), people.default_address(session, member.id), people.consents(session, member.id)
    place = ", ".join(part for part in (home.line1, home.line2, home.city, home.postcode) if part) if home else None
    return MyProfile(
        name=member.name,
        member_id=member.id,
        member_since=member.joined_on,
        birthday=member.birthday,
        email=reach.get("email"),
        phone=people.mask("phone", reach["phone"]) if "phone" in reach else None,
        language=member.language,
        address=place,
        address_parts={part: getattr(home, part) for part in ("line1", "line2", "city", "region", "postcode", "country")} if home else None,
        pays_with=[m.label or m.kind for m in people.payment_methods(session, member.id)],
        agreed_to=sorted(c for c, yes in agreed.items() if yes),
        not_agreed_to=sorted(c for c, yes in agreed.items() if not yes),
    )


class Lapse(Record):
    """Points that lapse together."""

    points: int
    on: date
    worth: str


class Booking(Record):
    """One line of the points book."""

    on: date
    points: int
    kind: str
    reason: str
    order_id: str | None


class PointsReason(Record):
    """Why an order earned its points: goods after discounts, the tier's multiplier, favoured categories, the rules' version."""

    order_id: str
    points: int
    goods: str
    tier_en: str
    tier_zh: str
    multiplier: float
    favoured: dict[str, float]
    favoured_goods: str
    rules: str


class Points(Record):
    """Balance, what it is worth, what lapses when, and the newest bookings."""

    balance: int
    worth: str
    currency: str
    as_of: date
    points_for_one_unit: int
    expiring_soon: list[Lapse]
    later: Lapse | None
    history: list[Booking]
    reason: PointsReason | None
    aspect: str


@tool(Role.MEMBER)
def points(
    bench: Bench,
    aspect: Annotated[Literal["balance", "history", "expiring"], Field(description="what the question is about")] = "balance",
    order_id: Annotated[str | None, Field(description="only bookings of this order", max_length=40)] = None,
    number: Annotated[int | None, Field(ge=1, le=10_000_000, description="a number of points the question is about, as in “why did I get 120?”")] = None,
) -> Points:
    """The member's points: the balance and its worth, where points came from and went, and when they expire."""
    session, rules = bench.session, bench.rules
    open_lots = ledger.lots(session, bench.me, as_of=bench.today)
    total = sum(lot.left for lot in open_lots)
    by_day: dict[date, int] = {}
    for lot in open_lots:
        if lot.expires_on:
            by_day[lot.expires_on] = by_day.get(lot.expires_on, 0) + lot.left
    lapses = [Lapse(points=n, on=day, worth=money(program.worth_cents(n, rules))) for day, n in sorted(by_day.items())]
    soon = [lapse for lapse in lapses if lapse.on <= bench.today + timedelta(days=_SOON_DAYS)]
    after = [lapse for lapse in lapses if lapse not in soon]
    booked = [e for e in ledger.entries(session, bench.me, limit=200) if e.booked_on <= bench.today]
    if order_id:
        wanted = order_id.strip().lstrip("#").upper()
        booked = [e for e in booked if (e.order_id or "").lstrip("#").upper() == wanted]
    lines = _bookings(booked)
    if number:
        lines = [line for line in lines if abs(line.points) == number] or lines
    return Points(
        balance=total,
        worth=money(program.worth_cents(total, rules)),
        currency=rules.currency,
        as_of=bench.today,
        points_for_one_unit=rules.redemption.points_per_unit,
        expiring_soon=soon,
        later=after[0] if after else None,
        history=lines[:6],
        reason=_reason(bench, lines[0]) if aspect == "history" and (number or order_id) and lines else None,
        aspect=aspect,
    )


def _reason(bench: Bench, line: Booking) -> PointsReason | None:
    """How the points of an order came about; nothing for what was not earned by one."""
    if line.kind != "earn" or not line.order_id:
        return None
    order = orders.get(bench.session, bench.me, line.order_id)
    if order.ordered_at is None:
        return None
    basis = orders.points_basis(bench.session, order, bench.rules)
    favoured = {c: f for c, f in bench.rules.earning.categories.items() if any(category == c for category, _ in basis.lines)}
    return PointsReason(
        order_id=order.id,
        points=line.points,
        goods=money(sum(value for _, value in basis.lines)),
        tier_en=basis.tier.name_en,
        tier_zh=basis.tier.name_zh or basis.tier.name_en,
        multiplier=basis.tier.earning,
        favoured=favoured,
        favoured_goods=money(sum(value for category, value in basis.lines if category in favoured)),
        rules=bench.rules.version,
    )


def _bookings(booked: list[PointsEntry]) -> list[Booking]:
    """Bookings as a member sees them: what one act drew from several lots is one line."""
    found: dict[tuple[object, ...], Booking] = {}
    for e in booked:
        act = (e.booked_on, e.kind, e.order_id, e.points > 0)
        before = found.get(act)
        points = e.points + (before.points if before else 0)
        found[act] = Booking(on=e.booked_on, points=points, kind=e.kind, reason=e.reason, order_id=e.order_id)
    return [line for line in found.values() if line.points]


class TierFacts(Record):
    """A tier's name, threshold and benefits."""

    key: str
    name_en: str
    name_zh: str
    threshold: str
    earning: float
    discount_percent: int
    free_shipping_from: str | None
    express_free: bool
    birthday_gift: str | None
    early_access_hours: int
    priority_service: bool


class WhatIf(Record):
    """Where a further purchase would lead."""

    spend: str
    by: date
    tier: TierFacts
    changes: bool
    window_spend_then: str
    still_missing: str | None
    next_tier: TierFacts | None
    points_earned: int


class Plan(Record):
    """What to spend to stand in a tier on a day: in all, a month, and what leaves the window meanwhile."""

    tier: TierFacts
    by: date
    missing: str
    monthly: str
    months: int
    leaves_window: str | None
    holds_until: date | None
    there_already: bool


class Coming(Record):
    """Rules adopted for a later day, as far as they touch tiers: each threshold then, and what the member's own tier would need."""

    starts_on: date
    thresholds: list[TierFacts]
    tier_keeps: bool


class TierAndBenefits(Record):
    """The caller's standing: tier, spend in the window, the way up, and until when the tier is safe."""

    as_of: date
    currency: str
    tier: TierFacts
    window_spend: str
    window_from: date
    next_tier: TierFacts | None
    missing: str | None
    reached_at_pace: date | None
    kept_until: date | None
    falls_to: TierFacts | None
    benefits_worth_last_year: str
    what_if: WhatIf | None
    plan: Plan | None = None
    tiers: list[TierFacts] | None = None
    coming: Coming | None = None


@tool(Role.MEMBER)
def tier_and_benefits(
    bench: Bench,
    spend: Annotated[float | None, Field(description="an amount the member thinks of spending, in the shop's currency", ge=0, le=1_000_000)] = None,
    by: Annotated[date | None, Field(description="the day by which it would be spent, ISO")] = None,
    tier: Annotated[str | None, Field(description="a tier the question is about: bronze, silver, gold, platinum, diamond", max_length=20)] = None,
) -> TierAndBenefits:
    """The member's tier, benefits and the way to the next tier; with `spend` what that purchase would change, with only `by` a plan to get there by then."""
    rules, today = bench.rules, bench.today
    past = histories(bench.session, [bench.me]).get(bench.me)
    spends = past.up_to(today).spends() if past else []
    here = program.standing(spends, rules, on=today)
    # The book's own tier is kept by the replay and by grace; both follow the same rules.
    worth = program.benefits_worth(
        [sum(c for _, c in lines) for day, _, lines in (past.baskets if past else []) if day > today - timedelta(days=365)], here.tier, rules
    )
    wanted = [t for t in rules.tiers.levels if tier and t.key == tier.strip().lower()]
    target = wanted[0] if wanted and wanted[0].threshold_cents > here.tier.threshold_cents else here.next_tier
    missing = max(0, target.threshold_cents - here.spend_cents) if target else None
    return TierAndBenefits(
        as_of=today,
        currency=rules.currency,
        tier=_facts(here.tier),
        window_spend=money(here.spend_cents),
        window_from=here.window_from,
        next_tier=_facts(target) if target else None,
        missing=money(missing) if missing is not None else None,
        reached_at_pace=_at_pace(here.spend_cents, missing, today),
        kept_until=here.kept_until,
        falls_to=_facts(here.falls_to) if here.falls_to else None,
        benefits_worth_last_year=money(sum(worth.values())),
        what_if=_what_if(spends, bench, spend, by or today) if spend is not None else None,
        plan=_plan(spends, bench, by, wanted[0] if wanted else target) if by is not None and spend is None else None,
        tiers=[_facts(t) for t in wanted] or None,
        coming=_coming(bench, spends, here.tier),
    )


def _coming(bench: Bench, spends: list[tuple[date, int]], tier: program.Tier) -> Coming | None:
    """What adopted rules change of the tiers; None where nothing is to come or tiers stay as they are."""
    rules = bench.means.coming
    if rules is None or rules.since is None:
        return None
    changed = [t for t, now in zip(rules.tiers.levels, bench.rules.tiers.levels, strict=True) if t != now]
    if not changed:
        return None
    then = program.standing(spends, rules, on=rules.since)
    return Coming(starts_on=rules.since, thresholds=[_facts(t) for t in changed], tier_keeps=rules.rank(then.tier.key) >= rules.rank(tier.key))


def _plan(spends: list[tuple[date, int]], bench: Bench, by: date, tier: program.Tier | None) -> Plan | None:
    if tier is None:
        return None
    way = program.climb(spends, bench.means.coming or bench.rules, on=bench.today, by=by, tier=tier)
    return Plan(
        tier=_facts(tier),
        by=by,
        missing=money(way.missing_cents),
        monthly=money(way.monthly_cents),
        months=way.months,
        leaves_window=money(way.leaves_window_cents) if way.leaves_window_cents else None,
        holds_until=way.holds_until,
        there_already=way.missing_cents == 0,
    )


def _facts(tier: program.Tier) -> TierFacts:
    free = tier.free_shipping_from_cents
    return TierFacts(
        key=tier.key,
        name_en=tier.name_en,
        name_zh=tier.name_zh or tier.name_en,
        threshold=money(tier.threshold_cents),
        earning=tier.earning,
        discount_percent=tier.discount_percent,
        free_shipping_from=None if free is None else money(free),
        express_free=tier.express_free,
        birthday_gift=money(tier.birthday_gift_cents) if tier.birthday_gift_cents else None,
        early_access_hours=tier.early_access_hours,
        priority_service=tier.priority_service,
    )


def _at_pace(spent: int, missing: int | None, today: date) -> date | None:
    """The day the next tier comes within reach if spending goes on as in the past year."""
    if not missing or spent <= 0:
        return None
    days = missing * 365 // spent
    # Further than a year the window itself moves on; a date would be a guess.
    return today + timedelta(days=days) if days <= 365 else None


def _what_if(spends: list[tuple[date, int]], bench: Bench, spend: float, by: date) -> WhatIf:
    rules, extra = bench.rules, cents(spend)
    now = program.standing(spends, rules, on=bench.today)
    then = program.what_if(spends, bench.means.coming or rules, on=bench.today, extra_cents=extra, by=by)
    return WhatIf(
        spend=money(extra),
        by=by,
        tier=_facts(then.tier),
        changes=then.tier.key != now.tier.key,
        window_spend_then=money(then.spend_cents),
        still_missing=money(then.missing_cents) if then.next_tier else None,
        next_tier=_facts(then.next_tier) if then.next_tier else None,
        points_earned=program.points_for([("", extra)], now.tier, rules),
    )


def member_name(member: Member) -> str:
    """A name to address a member by; the id where the shop knows none."""
    return member.name or member.id
