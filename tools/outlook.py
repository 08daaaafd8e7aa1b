"""What do the models say of members as a whole? For support staff, and for marketers where nobody is named.

Who may leave, which groups there are, what looks odd, what will sell. Reads
scores and forecasts, never makes them.
"""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlmodel import and_, col, func, select

from analytics import segments
from analytics.churn import HORIZON_DAYS
from analytics.forecast import Forecast
from members import audience, catalogue, program
from members.access import Role
from members.errors import NotFound, RuleBroken
from members.tables import Member, MemberScore, Variant
from tools.bench import Bench, Record, money
from tools.gateway import tool
from tools.insight import Why, models_of, reasons_of, too_little
from tools.products import named_product
from tools.support import Who, named_member

STAFF = (Role.SUPPORT, Role.MARKETER)


class AtRisk(Record):
    """One member in an early-warning list; a marketer sees no name."""

    member_id: str
    name: str
    tier_name_en: str
    tier_name_zh: str
    chance_percent: int
    value_year: str
    at_stake: str
    main_reason: Why | None


class AtRiskMembers(Record):
    """Members worth most that are likely to leave, by what is at stake (chance × expected spend)."""

    as_of: date | None
    currency: str
    asked: dict[str, Any]
    from_percent: int
    total_found: int
    horizon_days: int = HORIZON_DAYS
    at_stake_in_all: str
    members: list[AtRisk]


@tool(*STAFF)
def at_risk_members(
    bench: Bench,
    tier: Annotated[str | None, Field(description="only this tier", max_length=20)] = None,
    city: Annotated[str | None, Field(description="only this city", max_length=60)] = None,
    from_percent: Annotated[int, Field(ge=1, le=99, description="from which chance of leaving on")] = 60,
    limit: Annotated[int, Field(ge=1, le=20)] = 5,
) -> AtRiskMembers:
    """Early warning: the members likely to leave, those with most spend at stake first."""
    models_of(bench)
    tests: list[Any] = [col(MemberScore.churn) >= from_percent / 100, col(Member.left_on).is_(None)]
    if tier:
        tests.append(col(Member.tier) == tier.strip().lower())
    if city:
        tests.append(func.lower(Member.city) == city.strip().lower())
    stake = col(MemberScore.churn) * func.coalesce(col(MemberScore.value_cents), 0)
    joined = select(MemberScore, Member).join(Member, col(Member.id) == MemberScore.member_id).where(and_(*tests))
    total, at_stake = bench.session.exec(
        select(func.count(), func.sum(stake)).select_from(MemberScore).join(Member, col(Member.id) == MemberScore.member_id).where(and_(*tests))
    ).one()
    found = bench.session.exec(joined.order_by(stake.desc(), MemberScore.member_id).limit(limit)).all()
    newest = bench.session.exec(select(func.max(MemberScore.as_of))).one()
    named = bench.caller.role is not Role.MARKETER
    return AtRiskMembers(
        as_of=newest,
        currency=bench.rules.currency,
        asked={"tier": tier, "city": city},
        from_percent=from_percent,
        total_found=total,
        at_stake_in_all=money(round(at_stake or 0)),
        members=[_at_risk(bench, scored, member, named) for scored, member in found],
    )


class Group(Record):
    """One segment: size, means, traits, and a typical member."""

    segment: str
    members: int
    share_percent: int
    spend_share_percent: int
    orders_year: str
    spend_year: str
    usual_order: str
    days_since_last: int
    churn_percent: int | None
    value_year: str | None
    top_category: str
    traits: list[str]
    typical_member: str | None


class SegmentOverview(Record):
    """The named groups of members, by share of spend; or the one that was asked for."""

    as_of: date
    currency: str
    members: int
    never_ordered: int
    groups_in_all: int
    groups: list[Group]


@tool(*STAFF)
def segment_overview(
    bench: Bench, segment: Annotated[str | None, Field(description=f"one of {', '.join(segments.PATTERNS)}; all when left out", max_length=40)] = None
) -> SegmentOverview:
    """The named groups (segments) of members: how many, what sets each apart, spend, risk, and a typical member."""
    fitted = models_of(bench)
    told = bench.means.groups()
    if fitted.segments is None or not len(told):
        raise too_little()
    wanted = segment.strip().lower().replace(" ", "_") if segment else None
    chosen = told[told["segment"] == wanted] if wanted else told
    if not len(chosen):
        raise NotFound(f"There is no segment “{(segment or '')[:40]}”. There are {', '.join(told['segment'])}.")
    named = bench.caller.role is not Role.MARKETER
    everyone = bench.session.exec(select(func.count()).select_from(Member).where(col(Member.left_on).is_(None))).one()
    buyers = int(told["members"].sum())
    return SegmentOverview(
        as_of=fitted.as_of,
        currency=bench.rules.currency,
        members=buyers,
        never_ordered=max(0, everyone - buyers),
        groups_in_all=len(told),
        groups=[_group(row, named) for row in chosen.to_dict("records")],
    )


class RiskFlag(Record):
    """Something a person should look at, with the numbers it rests on."""

    key: str
    facts: dict[str, Any]


class Flagged(Record):
    """One member with flags."""

    member_id: str
    name: str
    flags: list[RiskFlag]


class RiskFlags(Record):
    """Flags of one member, or the members with any. A flag is a question, never a penalty."""

    as_of: date | None
    currency: str
    asked: str | None
    total_found: int
    members: list[Flagged]


@tool(Role.SUPPORT)
def risk_flags(
    bench: Bench,
    who: Annotated[Who | None, Field(description="one member; everybody who is flagged when left out")] = None,
    kind: Annotated[Literal["returns", "coupons", "points_burst", "shared_address"] | None, Field(description="only this kind")] = None,
) -> RiskFlags:
    """Signs of abuse or oddities (returns, coupons, points, accounts at one address) of one member or of all, to be checked by a person."""
    models_of(bench)
    newest = bench.session.exec(select(func.max(MemberScore.as_of))).one()
    query = select(MemberScore, Member).join(Member, col(Member.id) == MemberScore.member_id)
    member = named_member(bench, who)[0] if who else None
    rows = bench.session.exec(
        query.where(MemberScore.member_id == member.id) if member else query.where(func.json_array_length(col(MemberScore.flags)) > 0)
    ).all()
    found = [
        Flagged(
            member_id=owner.id, name=owner.name, flags=[RiskFlag(key=f["key"], facts=flag_facts(f["facts"])) for f in scored.flags if kind in (None, f["key"])]
        )
        for scored, owner in rows
    ]
    found = sorted((one for one in found if one.flags), key=lambda one: (-len(one.flags), one.member_id))
    return RiskFlags(
        as_of=newest, currency=bench.rules.currency, asked=(member.name or member.id) if member else None, total_found=len(found), members=found[:8]
    )


class Week(Record):
    """One coming week: expected pieces (or points) and the bounds of an 80% interval."""

    week_of: date
    expected: int
    low: int
    high: int


class DemandForecast(Record):
    """What will be sold of something, or points outstanding, week by week; and when stock runs out."""

    as_of: date
    currency: str
    what: Literal["product", "category", "all", "points"]
    name_en: str
    name_zh: str
    weeks_ahead: int
    weeks: list[Week]
    total: int
    total_low: int
    total_high: int
    # Of how many weeks the two figures below are: words say it, so the record does.
    span_weeks: int = 4
    last_4_weeks: int
    before_4_weeks: int
    year_ago: int | None
    stock: int | None
    runs_out_on: date | None
    runs_out_early: date | None
    points_worth: str | None
    interval_percent: int = 80
    method: str


@tool(*STAFF)
def forecast_demand(
    bench: Bench,
    product: Annotated[
        str | None, Field(description="id or name of a product, or the key of a category such as tea; the whole shop when left out", max_length=120)
    ] = None,
    weeks: Annotated[int, Field(ge=1, le=8)] = 4,
    points: Annotated[bool, Field(description="points outstanding instead of goods")] = False,
) -> DemandForecast:
    """How many pieces of a product, a category or the whole shop will sell in the coming weeks, with an interval and the day stock runs out; or points outstanding."""
    model = models_of(bench).forecast
    if model is None:
        raise too_little()
    shelf = product.strip().lower() if product and product.strip().lower() in audience.categories(bench.session) else None
    offer = None
    if points:
        what, series = "points", "points"
    elif shelf:
        what, series = "category", f"category:{shelf}"
    elif product:
        offer, _ = named_product(bench, product)
        what, series = "product", f"product:{offer.product.id}"
    else:
        what, series = "all", "all"
    ahead = model.score(series).head(weeks)
    if not len(ahead):
        raise RuleBroken("That sold too seldom to say how it will go on.", rule="too_seldom")
    return _forecast(bench, model, what, series, ahead, offer, shelf)


# --- inside -----------------------------------------------------------------------------


def flag_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """A flag's facts as they are read: money as decimals, shares as percent."""
    shown = {name: money(value) if name.endswith("_cents") else f"{100 * value:.1f}" if name.endswith("_share") else value for name, value in facts.items()}
    return shown


def _at_risk(bench: Bench, scored: MemberScore, member: Member, named: bool) -> AtRisk:
    level = bench.rules.tier(member.tier) if member.tier else bench.rules.tiers.levels[0]
    drives = [reason for reason in reasons_of(scored, "churn") if reason.raises]
    value, chance = scored.value_cents or 0, scored.churn or 0.0
    return AtRisk(
        member_id=member.id,
        name=member.name if named else "",
        tier_name_en=level.name_en,
        tier_name_zh=level.name_zh,
        chance_percent=round(100 * chance),
        value_year=money(value),
        at_stake=money(round(chance * value)),
        main_reason=drives[0] if drives else None,
    )


def _group(row: dict[str, Any], named: bool) -> Group:
    churn, value = (None if row[name] != row[name] else row[name] for name in ("churn", "value_cents"))
    return Group(
        segment=row["segment"],
        members=int(row["members"]),
        share_percent=round(100 * row["share"]),
        spend_share_percent=round(100 * row["spend_share"]),
        orders_year=f"{row['orders_365']:.1f}",
        spend_year=money(round(row["spend_365"])),
        usual_order=money(round(row["order_cents"])),
        days_since_last=round(row["recency_days"]),
        churn_percent=None if churn is None else round(100 * churn),
        value_year=None if value is None else money(round(value)),
        top_category=row["top_category"],
        traits=list(row["traits"]),
        typical_member=row["typical_member"] if named else None,
    )


def _forecast(bench: Bench, model: Forecast, what: Any, series: str, ahead: Any, offer: catalogue.Offer | None, shelf: str | None) -> DemandForecast:
    known = model.explain(series)
    stock = _stock(bench, offer, shelf) if what in ("product", "category") else None
    out, early = model.runs_out(series, stock) if stock is not None else (None, None)
    told = [
        Week(week_of=w.date(), expected=round(m), low=round(lo), high=round(hi))
        for w, m, lo, hi in zip(ahead["week"], ahead["mean"], ahead["low"], ahead["high"], strict=True)
    ]
    # Points outstanding are a level, not a sum of weeks.
    total = told[-1] if what == "points" else None
    return DemandForecast(
        as_of=model.as_of,
        currency=bench.rules.currency,
        what=what,
        name_en=offer.name("en") if offer else shelf or "",
        name_zh=offer.name("zh") if offer else shelf or "",
        weeks_ahead=len(told),
        weeks=told,
        total=total.expected if total else sum(w.expected for w in told),
        total_low=total.low if total else sum(w.low for w in told),
        total_high=total.high if total else sum(w.high for w in told),
        last_4_weeks=_rounded(known["last_4_weeks"]) or 0,
        before_4_weeks=_rounded(known["before_4_weeks"]) or 0,
        year_ago=_rounded(known["year_ago"]),
        stock=stock,
        runs_out_on=out,
        runs_out_early=early,
        points_worth=money(program.worth_cents(max(0, told[-1].expected), bench.rules)) if what == "points" else None,
        method=model.methods.get(series.partition(":")[0], ""),
    )


def _stock(bench: Bench, offer: catalogue.Offer | None, shelf: str | None) -> int | None:
    if offer is not None:
        return offer.stock
    return bench.session.exec(select(func.sum(Variant.stock)).where(col(Variant.product_id).in_(catalogue.ids_of(bench.session, shelf or "")))).one()


def _rounded(value: float) -> int | None:
    return None if value != value else round(value)
