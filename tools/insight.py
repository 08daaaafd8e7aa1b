"""What do the models say of members? For support staff, and for marketers where nobody is named.

Reads scores, never makes them: every number comes from a fitted model or from the
record, with its date, its reasons and what it was compared with.
"""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlmodel import and_, col, func, select

from analytics import scoring, segments, win_back
from analytics.churn import HORIZON_DAYS
from analytics.forecast import Forecast
from analytics.training import Fitted
from members import audience, catalogue, people, program
from members.access import Role
from members.errors import BadInput, NotFound, RuleBroken
from members.tables import Member, MemberScore, Order, Variant
from tools.bench import Bench, Record, money
from tools.gateway import tool
from tools.products import named_product
from tools.support import Who, named_member

STAFF = (Role.SUPPORT, Role.MARKETER)
Named = Annotated[Who, Field(description="member id, name, e-mail, phone ending or order id")]
Score = Literal["churn", "value", "tier", "segment"]


class Why(Record):
    """One reason: what it is about, how much it moves the score (percentage points, or money), and the facts to check it by."""

    key: str
    raises: bool
    points: int | None = None
    amount: str | None = None
    facts: dict[str, Any] = {}
    usual: dict[str, Any] = {}
    window_days: int | None = None


class ChurnRisk(Record):
    """One member's chance of no order in the next 90 days, beside that of their tier, with reasons."""

    member_id: str
    name: str
    as_of: date
    currency: str
    tier_name_en: str
    tier_name_zh: str
    chance_percent: int
    tier_average_percent: int | None
    shop_average_percent: int | None
    level: Literal["high", "middle", "low"]
    at_stake: str | None
    reasons: list[Why]
    learned_until: date
    horizon_days: int = HORIZON_DAYS
    stake_months: int = 12


@tool(Role.SUPPORT)
def churn_risk(bench: Bench, who: Named) -> ChurnRisk:
    """How likely one member is not to order in the next 90 days, why, and what is at stake."""
    member, scored = _scored(bench, who)
    if scored.churn is None:
        raise _too_little()
    tier, everyone = _averages(bench, member.tier)
    level = bench.rules.tier(member.tier) if member.tier else bench.rules.tiers.levels[0]
    stake = None if scored.value_cents is None else money(round(scored.churn * scored.value_cents))
    return ChurnRisk(
        member_id=member.id,
        name=member.name,
        as_of=scored.as_of,
        currency=bench.rules.currency,
        tier_name_en=level.name_en,
        tier_name_zh=level.name_zh,
        chance_percent=round(100 * scored.churn),
        tier_average_percent=tier,
        shop_average_percent=everyone,
        level="high" if scored.churn >= 0.6 else "middle" if scored.churn >= 0.35 else "low",
        at_stake=stake,
        reasons=_reasons(scored, "churn"),
        learned_until=_models(bench).as_of,
    )


class LifetimeValue(Record):
    """What a member is expected to spend, with an 80% interval, and how they stand among all."""

    member_id: str
    name: str
    as_of: date
    currency: str
    value_year: str
    value_year_low: str
    value_year_high: str
    value_quarter: str
    better_than_percent: int
    reasons: list[Why]
    serves: str
    months: int = 12
    quarter_days: int = HORIZON_DAYS
    interval_percent: int = 80


@tool(Role.SUPPORT)
def lifetime_value(bench: Bench, who: Named) -> LifetimeValue:
    """What one member is expected to spend in the coming year and quarter, with an interval, and why."""
    member, scored = _scored(bench, who)
    if scored.value_cents is None:
        raise _too_little()
    below = bench.session.exec(select(func.count()).select_from(MemberScore).where(col(MemberScore.value_cents) < scored.value_cents)).one()
    everyone = bench.session.exec(select(func.count()).select_from(MemberScore).where(col(MemberScore.value_cents).is_not(None))).one()
    model = _models(bench).lifetime_value
    return LifetimeValue(
        member_id=member.id,
        name=member.name,
        as_of=scored.as_of,
        currency=bench.rules.currency,
        value_year=money(scored.value_cents),
        value_year_low=money(scored.value_low_cents or 0),
        value_year_high=money(scored.value_high_cents or 0),
        value_quarter=money(scored.value_90_cents or 0),
        better_than_percent=round(100 * below / max(1, everyone)),
        reasons=_reasons(scored, "value"),
        serves=model.serves if model else "",
    )


class NextProduct(Record):
    """One product a member may buy next, and what speaks for it."""

    product_id: str
    name_en: str
    name_zh: str
    reason: str
    because_en: str = ""
    because_zh: str = ""
    times: int = 0


class NextPurchase(Record):
    """When a member's next order is due, how likely it is within 30 days, and what it may be."""

    member_id: str
    name: str
    as_of: date
    currency: str
    expected_on: date | None
    chance_30_days_percent: int | None
    last_order_on: date | None
    again: list[NextProduct]
    new: list[NextProduct]
    window_days: int = 30


@tool(Role.SUPPORT)
def next_purchase(bench: Bench, who: Named) -> NextPurchase:
    """When one member will probably order next, how likely within 30 days, and what they may buy."""
    member, scored = _scored(bench, who)
    row = scoring.row(bench.session, bench.means.lake, member.id, today=bench.today)
    model = _models(bench).behaviour
    # One member's row is read by the trees; the network, where it serves, reads whole histories in training.
    chance = None if model is None else round(100 * float(model.score(row).iloc[0]))
    last = bench.session.exec(
        select(func.max(Order.ordered_at)).where(Order.member_id == member.id, Order.status != "cancelled", col(Order.ordered_at).is_not(None))
    ).one()
    return NextPurchase(
        member_id=member.id,
        name=member.name,
        as_of=bench.today,
        currency=bench.rules.currency,
        expected_on=scored.next_order_on,
        chance_30_days_percent=chance,
        last_order_on=last.date() if last else None,
        again=_next_products(bench, member.id, "again"),
        new=_next_products(bench, member.id, "new"),
    )


class Explanation(Record):
    """Why a score is what it is: the score, its reasons strongest first, and who is usual."""

    member_id: str
    name: str
    as_of: date
    currency: str
    score: Score
    chance_percent: int | None = None
    amount: str | None = None
    tier_name_en: str | None = None
    tier_name_zh: str | None = None
    segment: str | None = None
    reasons: list[Why]
    traits: list[str] = []
    horizon_days: int = HORIZON_DAYS
    months: int = 12


@tool(Role.SUPPORT)
def why(bench: Bench, who: Named, score: Annotated[Score, Field(description="which score to explain")] = "churn") -> Explanation:
    """Explain one member's score: churn risk, value, coming tier, or segment, by the facts that move it most."""
    member, scored = _scored(bench, who)
    told: dict[str, Any] = {"reasons": [] if score == "segment" else _reasons(scored, score)}
    if score == "churn":
        told["chance_percent"] = None if scored.churn is None else round(100 * scored.churn)
    elif score == "value":
        told["amount"] = None if scored.value_cents is None else money(scored.value_cents)
    elif score == "tier":
        level = bench.rules.tier(scored.next_tier) if scored.next_tier else None
        told |= {"tier_name_en": level.name_en if level else None, "tier_name_zh": level.name_zh if level else None}
        told["chance_percent"] = None if scored.next_tier_chance is None else round(100 * scored.next_tier_chance)
    else:
        told |= {"segment": scored.segment, "traits": _own_traits(bench, member.id)}
    return Explanation(member_id=member.id, name=member.name, as_of=scored.as_of, currency=bench.rules.currency, score=score, **told)


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
    _models(bench)
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


class Offer(Record):
    """One possible offer with what it should bring and cost within two weeks, and the bounds of the net gain."""

    offer: str
    gain: str
    cost: str
    net: str
    net_low: str
    net_high: str


class WinBackOffer(Record):
    """What to offer one member, best first, and what that rests on."""

    member_id: str
    name: str
    as_of: date
    currency: str
    chance_percent: int
    usual_order: str
    worth_it: bool
    measured: bool
    treated: int
    held: int
    lift_points: str
    margin_percent: int
    offers: list[Offer]


@tool(Role.SUPPORT)
def win_back_offer(bench: Bench, who: Named) -> WinBackOffer:
    """What to offer one member so that they stay or come back, what each offer should gain and cost, and whether it pays at all."""
    member, scored = _scored(bench, who)
    if scored.churn is None:
        raise _too_little()
    row = scoring.row(bench.session, bench.means.lake, member.id, today=bench.today)
    usual = float(row["order_cents"].iloc[0])
    seen = win_back.response(bench.session, as_of=bench.today)
    level = bench.rules.tier(member.tier) if member.tier else bench.rules.tiers.levels[0]
    found = win_back.options(
        seen,
        churn=scored.churn,
        order_cents=usual,
        points_worth_cents=program.worth_cents(500, bench.rules),
        express_cents=bench.rules.shipping.express_cents,
        free_express=level.express_free,
    )
    return WinBackOffer(
        member_id=member.id,
        name=member.name,
        as_of=bench.today,
        currency=bench.rules.currency,
        chance_percent=round(100 * scored.churn),
        usual_order=money(round(usual)),
        worth_it=found[0].net_cents > 0,
        measured=seen.measured,
        treated=seen.treated,
        held=seen.held,
        lift_points=f"{100 * seen.lift[0]:.1f}",
        margin_percent=round(100 * win_back.GROSS_MARGIN),
        offers=[
            Offer(
                offer=o.offer,
                gain=money(o.gain_cents),
                cost=money(o.cost_cents),
                net=money(o.net_cents),
                net_low=money(o.net_low_cents),
                net_high=money(o.net_high_cents),
            )
            for o in found[:3]
        ],
    )


class Compared(Record):
    """One of the members compared."""

    member_id: str
    name: str
    tier_name_en: str
    tier_name_zh: str
    orders_year: int
    spend_year: str
    days_since_last: int | None
    chance_percent: int | None
    value_year: str | None
    at_stake: str | None
    segment: str
    returns: int


class Comparison(Record):
    """Members side by side, and whom to look after first: the one with most at stake."""

    as_of: date
    currency: str
    members: list[Compared]
    months: int = 12
    first: str | None
    most_valuable: str | None
    most_at_risk: str | None


@tool(Role.SUPPORT)
def compare_members(
    bench: Bench,
    members: Annotated[list[Named], Field(min_length=2, max_length=4, description="two to four members, each an id, name, e-mail, phone ending or order id")],
) -> Comparison:
    """Two to four members side by side: value, risk, habits, and whom to look after first."""
    found = list(dict.fromkeys(named_member(bench, who)[0].id for who in members))
    if len(found) < 2:
        raise BadInput("That names one member; name at least two.")
    told = [_compared(bench, member_id) for member_id in found]

    def best(value: Any) -> str | None:
        known = [one for one in told if value(one) is not None]
        return max(known, key=lambda one: float(value(one))).member_id if known else None

    return Comparison(
        as_of=bench.today,
        currency=bench.rules.currency,
        members=told,
        first=best(lambda one: one.at_stake),
        most_valuable=best(lambda one: one.value_year),
        most_at_risk=best(lambda one: one.chance_percent),
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
    fitted = _models(bench)
    told = bench.means.groups()
    if fitted.segments is None or not len(told):
        raise _too_little()
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
    _models(bench)
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
    model = _models(bench).forecast
    if model is None:
        raise _too_little()
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


def _models(bench: Bench) -> Fitted:
    if bench.means.fitted is None:
        raise RuleBroken("Nothing was learned yet: `patron train` has to run first.", rule="not_trained")
    return bench.means.fitted


def _too_little() -> RuleBroken:
    return RuleBroken("The shop's history is too short for that.", rule="too_little")


def _scored(bench: Bench, who: str) -> tuple[Member, MemberScore]:
    """The member named and their scores of today. Raises NotFound, and RuleBroken for one who never ordered."""
    fitted = _models(bench)
    member, _ = named_member(bench, who)
    scored = scoring.of_member(bench.session, fitted, bench.means.lake, member.id, today=bench.today)
    if scored is None:
        raise RuleBroken(f"{member.name or member.id} has not ordered yet: there is nothing to tell from.", rule="never_ordered", who=member.name or member.id)
    return member, scored


def _reasons(scored: MemberScore, score: str, most: int = 3) -> list[Why]:
    return [_reason(told, score) for told in scored.reasons.get(score, [])[:most]]


def _reason(told: dict[str, Any], score: str) -> Why:
    effect = float(told["effect"])
    how = {"points": round(100 * abs(effect))} if score == "churn" else {"amount": money(round(abs(effect)))} if score == "value" else {}
    # The window its facts are counted over, so that whoever words it need not know.
    window = {"views": 30, "trend": 90, "returns": 90, "points": 90}.get(told["key"])
    return Why(key=told["key"], raises=effect > 0, facts=_facts(told["facts"]), usual=_facts(told["usual"]), window_days=window, **how)


def _facts(facts: dict[str, float | None]) -> dict[str, Any]:
    """Facts as they are read: money as decimals, shares as percent, the rest as whole numbers."""
    found: dict[str, Any] = {}
    for name, value in facts.items():
        if value is None:
            found[name] = None
        elif name.startswith("spend_") or name.endswith("_cents"):
            found[name] = money(round(value))
        elif name.endswith("_share"):
            found[name] = round(100 * value)
        else:
            found[name] = round(value)
    return found


def flag_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """A flag's facts as they are read: money as decimals, shares as percent."""
    shown = {name: money(value) if name.endswith("_cents") else f"{100 * value:.1f}" if name.endswith("_share") else value for name, value in facts.items()}
    return shown


def _averages(bench: Bench, tier: str) -> tuple[int | None, int | None]:
    """Mean chance in percent of the member's tier and of all."""
    of_tier = bench.session.exec(select(func.avg(MemberScore.churn)).join(Member, col(Member.id) == MemberScore.member_id).where(Member.tier == tier)).one()
    of_all = bench.session.exec(select(func.avg(MemberScore.churn))).one()
    return (None if of_tier is None else round(100 * of_tier), None if of_all is None else round(100 * of_all))


def _next_products(bench: Bench, member_id: str, which: Literal["again", "new"]) -> list[NextProduct]:
    found = scoring.suggest(bench.session, bench.means.fitted, bench.means.lake, member_id, today=bench.today, limit=3, which=which)
    offers = {o.product.id: o for o in catalogue.some(bench.session, [p for s in found for p in (s.product_id, s.because) if p])}
    return [
        NextProduct(
            product_id=s.product_id,
            name_en=offers[s.product_id].name("en"),
            name_zh=offers[s.product_id].name("zh"),
            reason=s.kind,
            because_en=offers[s.because].name("en") if s.because in offers else "",
            because_zh=offers[s.because].name("zh") if s.because in offers else "",
            times=s.times,
        )
        for s in found
        if s.product_id in offers
    ]


def _own_traits(bench: Bench, member_id: str) -> list[str]:
    model = _models(bench).segments
    if model is None:
        return []
    row = scoring.row(bench.session, bench.means.lake, member_id, today=bench.today)
    return segments.traits(model.explain(row).drop(columns="base").iloc[0])


def _at_risk(bench: Bench, scored: MemberScore, member: Member, named: bool) -> AtRisk:
    level = bench.rules.tier(member.tier) if member.tier else bench.rules.tiers.levels[0]
    drives = [reason for reason in _reasons(scored, "churn") if reason.raises]
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


def _compared(bench: Bench, member_id: str) -> Compared:
    member = people.get(bench.session, member_id)
    fitted = _models(bench)
    scored = scoring.of_member(bench.session, fitted, bench.means.lake, member_id, today=bench.today)
    row = scoring.row(bench.session, bench.means.lake, member_id, today=bench.today).iloc[0]
    level = bench.rules.tier(member.tier) if member.tier else bench.rules.tiers.levels[0]
    chance = scored.churn if scored else None
    value = scored.value_cents if scored else None
    return Compared(
        member_id=member.id,
        name=member.name,
        tier_name_en=level.name_en,
        tier_name_zh=level.name_zh,
        orders_year=int(row["orders_365"]),
        spend_year=money(int(row["spend_365"])),
        days_since_last=None if row["orders"] == 0 else int(row["recency_days"]),
        chance_percent=None if chance is None else round(100 * chance),
        value_year=None if value is None else money(value),
        at_stake=None if chance is None or value is None else money(round(chance * value)),
        segment=scored.segment if scored else "",
        returns=int(row["returns"]),
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
