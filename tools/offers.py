"""What does an offer change, for whom does it pay, and when should it be sent? For marketers."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import Field

from analytics import reactions, send_time
from analytics.reactions import Outlook
from members import audience, campaigns, conditions, orders, people, program
from members.conditions import Where
from members.errors import BadInput, RuleBroken
from members.tables import Member
from tools.bench import Bench, Record, cents, money
from tools.gateway import Who, tool
from tools.marketer import MARKETERS, Whom, where_of

OfferKind = Literal["percent", "amount", "points", "benefit", "none"]
AudienceName = Annotated[str | None, Field(description="name or id of a saved audience", max_length=60)]
Value = Annotated[float | None, Field(description="per cent, a sum, or points, as the kind says", gt=0, le=1e6)]
_DEFAULT_PERCENT = 10.0


class Range(Record):
    """An expected figure with its 95% interval."""

    expected: str
    low: str
    high: str


class UpliftEstimate(Record):
    """What an offer to an audience is expected to change in two weeks, against leaving them alone."""

    as_of: date
    currency: str
    audience: str
    offer: OfferKind
    value: float | None
    members: int
    worth_it: int
    would_buy_anyway: int
    lift_points: Range
    anyway_percent: int
    extra_orders: int
    redemptions: str
    gain: str
    cost: str
    net: Range
    measured: bool
    campaigns: int
    treated: int
    held: int
    margin_percent: int
    window_days: int = reactions.WINDOW_DAYS
    interval_percent: int = 95
    per_members: int = 100


@tool(*MARKETERS)
def estimate_uplift(
    bench: Bench,
    audience_name: AudienceName = None,
    wanted: Annotated[Whom | None, Field(description="conditions instead of a saved audience")] = None,
    offer: OfferKind = "percent",
    value: Value = None,
) -> UpliftEstimate:
    """How many more orders an offer to an audience brings than leaving them alone, what it costs and leaves over, and for how many it pays."""
    name, where, channel = meant(bench, audience_name, wanted)
    rows = rows_of(bench, audience.ids(bench.session, where, on=bench.today, channel=channel, addressed=True))
    amount = amount_of(offer, value)
    return estimate(bench, name, offer, amount, outlook(bench, rows, offer, amount))


def meant(bench: Bench, audience_name: str | None, wanted: Whom | None) -> tuple[str, Where, str | None]:
    """An audience by name, or by conditions, or everybody who may be written to."""
    if audience_name:
        kept = audience.get(bench.session, audience_name)
        return kept.name, audience.where_of(kept), kept.channel or None
    if wanted is not None:
        return "", where_of(bench, wanted, wanted.or_also, wanted.but_not, []), None
    return "", conditions.everyone(), None


def amount_of(kind: str, value: float | None) -> float:
    """How much an offer is worth; ten per cent where a discount says nothing. Raises BadInput for an amount that cannot be."""
    if kind == "none":
        return 0.0
    if value is None and kind == "percent":
        return _DEFAULT_PERCENT
    if value is None:
        raise BadInput("How much is the offer worth?", rule="offer_value")
    if kind == "percent" and not 1 <= value <= 90:
        raise BadInput("A discount lies between 1 and 90 per cent.", rule="offer_percent")
    if kind in ("percent", "points") and value != round(value):
        raise BadInput("Per cent and points are whole numbers.", rule="offer_whole")
    if kind in ("amount", "benefit") and cents(value) < 1:
        raise BadInput("The offer rounds to nothing.", rule="offer_value")
    return value


def rows_of(bench: Bench, member_ids: Sequence[str]) -> pd.DataFrame:
    """Feature rows of today for some members. Raises RuleBroken before anything was learned."""
    if bench.means.fitted is None:
        raise RuleBroken("Nothing was learned of the members yet: run `patron train`.", rule="not_trained")
    whole = bench.means.rows()
    return whole[whole.index.isin(set(member_ids))]


def outlook(bench: Bench, rows: pd.DataFrame, kind: str, value: float) -> Outlook:
    """What an offer is expected to do for members' rows."""
    fitted = bench.means.fitted
    worth = program.worth_cents(round(value), bench.rules) if kind == "points" else 0
    amount = cents(value) if kind in ("amount", "benefit") else value
    model = fitted.uplift if fitted else None
    return reactions.outlook(rows, model, kind=kind, value=amount, margin=bench.rules.campaigns.gross_margin, points_worth=worth)


def costs(bench: Bench, member_ids: Sequence[str], kind: str, value: float, seen: Outlook | None) -> dict[str, float]:
    """What an offer is expected to cost for each member, in minor units; empty for one that costs nothing.

    Whoever the models know nothing of is reckoned with like the average of those they know; where nothing was learned,
    as if everybody used the offer on an order of the usual size. Raises RuleBroken where there is no order to tell its size.
    """
    if kind == "none" or not value:
        return {}
    known = {} if seen is None else seen.by_member["cost"].to_dict()
    if known:
        unknown = sum(known.values()) / len(known)
    elif kind == "percent":
        usual = orders.usual_cents(bench.session)
        if usual is None:
            raise RuleBroken("There is no order yet that would say what a share of one costs: give a sum instead.", rule="no_usual_order")
        unknown = usual * value / 100
    else:
        unknown = float(program.worth_cents(round(value), bench.rules) if kind == "points" else cents(value))
    return {member_id: known.get(member_id, unknown) for member_id in member_ids}


def estimate(bench: Bench, name: str, kind: Any, value: float, seen: Outlook) -> UpliftEstimate:
    """An outlook as a record."""
    model = bench.means.fitted.uplift if bench.means.fitted else None
    return UpliftEstimate(
        as_of=bench.today,
        currency=bench.rules.currency,
        audience=name,
        offer=kind,
        value=value or None,
        members=seen.members,
        worth_it=seen.worth,
        would_buy_anyway=seen.members - seen.worth,
        lift_points=Range(expected=f"{100 * seen.lift[0]:.1f}", low=f"{100 * seen.lift[1]:.1f}", high=f"{100 * seen.lift[2]:.1f}"),
        anyway_percent=round(100 * min(1.0, seen.anyway)),
        extra_orders=round(seen.orders),
        redemptions=f"{seen.redeemed:.1f}",
        gain=money(round(seen.gain)),
        cost=money(round(seen.cost)),
        net=Range(expected=money(round(seen.net[0])), low=money(round(seen.net[1])), high=money(round(seen.net[2]))),
        measured=seen.measured,
        campaigns=model.campaigns if model else 0,
        treated=model.treated if model else 0,
        held=model.held if model else 0,
        margin_percent=round(100 * bench.rules.campaigns.gross_margin),
    )


class CouponAdvice(Record):
    """Discounts for an audience or one member, most left over `in_all` first, each for whom it beats a message without an offer; the others get that message."""

    as_of: date
    currency: str
    audience: str
    member_id: str | None
    member_name: str
    options: list[UpliftEstimate]
    best: OfferKind
    best_value: float | None
    discount_pays: bool
    in_all: str
    message_alone: str


@tool(*MARKETERS)
def recommend_coupon(
    bench: Bench,
    audience_name: AudienceName = None,
    wanted: Annotated[Whom | None, Field(description="conditions instead of a saved audience")] = None,
    who: Annotated[Who | None, Field(description="one member instead of an audience")] = None,
) -> CouponAdvice:
    """Which discount leaves most over for an audience or one member, whom it pays for, and who would buy anyway."""
    member: Member | None = people.one(bench.session, who) if who else None
    name, where, channel = meant(bench, audience_name, wanted)
    chosen = [member.id] if member else audience.ids(bench.session, where, on=bench.today, channel=channel, addressed=True)
    rows = rows_of(bench, chosen)
    if not len(rows):
        raise RuleBroken("Nobody of them has ordered yet: there is nothing to reckon with.", rule="nobody_ordered")
    model = bench.means.fitted.uplift if bench.means.fitted else None
    bare, found = reactions.best_offer(rows, model, margin=bench.rules.campaigns.gross_margin)
    options = [estimate(bench, name, "percent", float(one.percent), one.seen) for one in found]
    best, alone = options[0], bare.net[0]
    pays = best.worth_it > 0 and round(found[0].in_all) > round(alone)
    return CouponAdvice(
        as_of=bench.today,
        currency=bench.rules.currency,
        audience=name,
        member_id=member.id if member else None,
        member_name=member.name if member else "",
        options=options[:4],
        best=best.offer if pays else "none",
        best_value=best.value if pays else None,
        discount_pays=pays,
        in_all=money(round(found[0].in_all if pays else alone)),
        message_alone=money(round(alone)),
    )


class SendTime(Record):
    """When to write, by the shop's clock; `hours` are thousandths of what they do by hour of the day. The hour most of them are about outside the quiet ones, and the weekday; per member each gets their own."""

    as_of: date
    audience: str
    member_id: str | None
    member_name: str
    members: int
    from_time: str
    until_time: str
    share_percent: int
    weekday: int
    seen: int
    quiet_from: str
    quiet_until: str
    hours: list[int]


@tool(*MARKETERS)
def best_send_time(
    bench: Bench,
    audience_name: AudienceName = None,
    wanted: Annotated[Whom | None, Field(description="conditions instead of a saved audience")] = None,
    who: Annotated[Who | None, Field(description="one member instead of an audience")] = None,
) -> SendTime:
    """At what hour and on which weekday a member, an audience or the shop's members are likeliest to look, outside the quiet hours."""
    member: Member | None = people.one(bench.session, who) if who else None
    name, where, channel = meant(bench, audience_name, wanted)
    some = [member.id] if member else audience.ids(bench.session, where, on=bench.today, channel=channel) if audience_name or wanted else None
    shop, _ = send_time.hours(bench.session, bench.means.lake, None, today=bench.today)
    whole, each = send_time.hours(bench.session, bench.means.lake, some, today=bench.today, like=shop) if some is not None else (shop, {})
    found = each.get(member.id, whole) if member else whole
    rules = bench.rules.campaigns
    hour = found.best(lambda h: campaigns.quiet(h, rules))
    return SendTime(
        as_of=bench.today,
        audience=name,
        member_id=member.id if member else None,
        member_name=member.name if member else "",
        members=1 if member else len(some) if some is not None else 0,
        from_time=f"{hour}:00",
        until_time=f"{(hour + 1) % 24}:00",
        share_percent=round(100 * found.share(hour, width=1)),
        weekday=int(found.weekdays.argmax()),
        seen=found.seen,
        quiet_from=f"{rules.quiet_from}:00",
        quiet_until=f"{rules.quiet_until}:00",
        hours=[round(1000 * chance) for chance in found.chance],
    )


def outlook_of_all(bench: Bench, rows: pd.DataFrame, kind: str, value: float) -> Outlook:
    """What an offer does for all of these, those it does not pay for included."""
    fitted = bench.means.fitted
    worth = program.worth_cents(round(value), bench.rules) if kind == "points" else 0
    amount = cents(value) if kind in ("amount", "benefit") else value
    margin = bench.rules.campaigns.gross_margin
    return reactions.outlook(rows, fitted.uplift if fitted else None, kind=kind, value=amount, margin=margin, points_worth=worth, everyone=True)
