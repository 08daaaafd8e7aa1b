"""What do the models say of this member? For support staff.

Reads scores, never makes them: every number comes from a fitted model or from the
record, with its date, its reasons and what it was compared with.
"""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlmodel import col, func, select

from analytics import scoring, segments, win_back
from analytics.churn import HORIZON_DAYS
from analytics.training import Fitted
from members import catalogue, people, program
from members.access import Role
from members.errors import BadInput, RuleBroken
from members.tables import Member, MemberScore, Order
from tools.bench import Bench, Record, money
from tools.gateway import tool
from tools.support import Who, named_member

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
        raise too_little()
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
        reasons=reasons_of(scored, "churn"),
        learned_until=models_of(bench).as_of,
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
        raise too_little()
    below = bench.session.exec(select(func.count()).select_from(MemberScore).where(col(MemberScore.value_cents) < scored.value_cents)).one()
    everyone = bench.session.exec(select(func.count()).select_from(MemberScore).where(col(MemberScore.value_cents).is_not(None))).one()
    model = models_of(bench).lifetime_value
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
        reasons=reasons_of(scored, "value"),
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
    model = models_of(bench).behaviour
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
    told: dict[str, Any] = {"reasons": [] if score == "segment" else reasons_of(scored, score)}
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
        raise too_little()
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


# --- inside -----------------------------------------------------------------------------


def models_of(bench: Bench) -> Fitted:
    """What was learned last. Raises RuleBroken before any training."""
    if bench.means.fitted is None:
        raise RuleBroken("Nothing was learned yet: `patron train` has to run first.", rule="not_trained")
    return bench.means.fitted


def too_little() -> RuleBroken:
    """The refusal of a shop whose history is too short."""
    return RuleBroken("The shop's history is too short for that.", rule="too_little")


def _scored(bench: Bench, who: str) -> tuple[Member, MemberScore]:
    """The member named and their scores of today. Raises NotFound, and RuleBroken for one who never ordered."""
    fitted = models_of(bench)
    member, _ = named_member(bench, who)
    scored = scoring.of_member(bench.session, fitted, bench.means.lake, member.id, today=bench.today)
    if scored is None:
        raise RuleBroken(f"{member.name or member.id} has not ordered yet: there is nothing to tell from.", rule="never_ordered", who=member.name or member.id)
    return member, scored


def reasons_of(scored: MemberScore, score: str, most: int = 3) -> list[Why]:
    """The strongest reasons of a stored score."""
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
    model = models_of(bench).segments
    if model is None:
        return []
    row = scoring.row(bench.session, bench.means.lake, member_id, today=bench.today)
    return segments.traits(model.explain(row).drop(columns="base").iloc[0])


def _compared(bench: Bench, member_id: str) -> Compared:
    member = people.get(bench.session, member_id)
    fitted = models_of(bench)
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
