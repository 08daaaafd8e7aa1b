"""What came of a campaign? For marketers."""

from datetime import date, timedelta
from typing import Annotated

from pydantic import Field

from analytics import campaign_results as results
from analytics.campaign_results import Effect
from members import campaigns
from members.campaigns import Offer
from members.errors import NotFound
from members.tables import Campaign
from tools.bench import Bench, Record, money
from tools.gateway import tool
from tools.marketer import MARKETERS
from tools.offers import Range


class Part(Record):
    """The effect in one variant or group: orders more a hundred members, with its interval."""

    name: str
    treated: int
    held: int
    lift_points: Range
    seen: bool


class CampaignResult(Record):
    """What a campaign changed against its holdout, with 95% intervals; `verdict` is effect, harm, none, too_early, no_holdout or broken."""

    as_of: date
    currency: str
    campaign_id: str
    name_en: str
    name_zh: str
    channel: str
    offer: str
    value: float | None
    sent_on: date | None
    until: date
    window_days: int = results.WINDOW_DAYS
    treated: int
    held: int
    verdict: str
    treated_rate: str
    held_rate: str
    lift_points: Range | None
    revenue: Range | None
    net: Range | None
    adjusted: bool
    sharper_percent: int
    least_seen_points: str | None
    predicted_points: str | None
    variants: list[Part]
    tiers: list[Part]
    languages: list[Part]
    coupons_used: int
    mismatch: bool
    interval_percent: int = 95
    per_members: int = 100
    others: list[str]


@tool(*MARKETERS)
def campaign_results(
    bench: Bench, campaign: Annotated[str | None, Field(description="name or id; the latest that can be measured when left out", max_length=60)] = None
) -> CampaignResult:
    """What a campaign changed against its holdout: orders, revenue and what was left, with intervals, by variant and group, in one honest sentence."""
    found = campaigns.get(bench.session, campaign) if campaign else _latest(bench)
    seen = results_of(bench, found)
    orders = seen.effects.get("orders")
    offer = Offer.of(found)
    return CampaignResult(
        as_of=bench.today,
        currency=bench.rules.currency,
        campaign_id=found.id,
        name_en=found.name_en,
        name_zh=found.name_zh or found.name_en,
        channel=found.channel,
        offer=offer.kind,
        value=(offer.value / 100 if offer.kind in ("amount", "benefit") else float(offer.value)) or None,
        sent_on=found.sent_on,
        until=seen.until,
        treated=seen.treated,
        held=seen.held,
        verdict=seen.verdict,
        treated_rate=f"{100 * orders.treated_mean:.1f}" if orders else "0",
        held_rate=f"{100 * orders.held_mean:.1f}" if orders else "0",
        lift_points=_points(orders) if orders else None,
        revenue=_sums(seen.effects["revenue_cents"], seen.treated) if orders else None,
        net=_sums(seen.effects["margin_cents"], seen.treated) if orders else None,
        adjusted=orders.adjusted if orders else False,
        sharper_percent=round(100 * orders.sharper) if orders else 0,
        least_seen_points=f"{100 * seen.least_seen:.1f}" if seen.least_seen is not None else None,
        predicted_points=f"{100 * seen.predicted:.1f}" if seen.predicted is not None else None,
        variants=_parts(seen.variants),
        tiers=_parts(seen.segments.get("tier", {})),
        languages=_parts(seen.segments.get("language", {})),
        coupons_used=seen.coupons_used,
        mismatch=seen.verdict == "broken",
        others=[c.name_en for c in campaigns.every(bench.session) if c.id != found.id and c.sent_on][:4],
    )


def results_of(bench: Bench, campaign: Campaign) -> results.Result:
    """A campaign's result as of today."""
    return results.measure(bench.session, campaign, as_of=bench.today, margin=bench.rules.campaigns.gross_margin)


def _latest(bench: Bench) -> Campaign:
    sent = [c for c in campaigns.every(bench.session) if c.sent_on is not None and c.sent_on <= bench.today]
    over = [c for c in sent if c.sent_on is not None and c.sent_on <= bench.today - timedelta(days=results.WINDOW_DAYS)]
    if not sent:
        raise NotFound("No campaign was sent yet. Start from an audience.", rule="no_campaigns")
    return (over or sent)[0]


def _points(effect: Effect) -> Range:
    return Range(expected=f"{100 * effect.lift:.1f}", low=f"{100 * effect.low:.1f}", high=f"{100 * effect.high:.1f}")


def _sums(effect: Effect, members: int) -> Range:
    return Range(**{name: money(round(value * members)) for name, value in (("expected", effect.lift), ("low", effect.low), ("high", effect.high))})


def _parts(found: dict[str, Effect]) -> list[Part]:
    return [Part(name=name, treated=e.treated, held=e.held, lift_points=_points(e), seen=e.seen) for name, e in found.items()]
