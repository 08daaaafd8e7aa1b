"""Who gets a campaign, with which words, and when does it go? For marketers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from analytics import send_time
from analytics.reactions import Outlook
from members import audience, campaigns, conditions
from members.campaigns import Offer, Words
from members.errors import BadInput, NotFound, RuleBroken
from members.tables import Audience, Campaign, Member
from prompts import personal
from tools.bench import Bench, Record, cents, money
from tools.gateway import tool
from tools.marketer import MARKETERS, MessageChannel, Name, Whom, where_of
from tools.offers import AudienceName, OfferKind, UpliftEstimate, Value, amount_of, costs, estimate, outlook, outlook_of_all, rows_of
from tools.wording import Brief, Occasion, Tone, blocks, brief, drawn, judged, person


class Message(Record):
    """One variant as the campaign keeps it."""

    key: str
    subject: str
    preheader: str
    text: str


class CampaignShown(Record):
    """A campaign: whom it writes to, with what, who is held out, and what is expected of it."""

    as_of: date
    currency: str
    campaign_id: str | None
    name: str
    status: str
    audience: str
    audience_version: int
    channel: str
    language: str
    offer: OfferKind
    value: float | None
    category: str
    minimum: str | None
    valid_until: date | None
    variants: list[Message]
    reachable: int
    written_to: int
    held_out: int
    holdout_percent: int
    would_buy_anyway: int
    over_budget: int
    budget: str | None
    send_on: date | None
    cost: str
    expected: UpliftEstimate | None
    warnings: int
    second_over: str
    needs_second: bool = False
    waits_for_second: bool = False
    sent: int = 0
    first_at: str | None = None


class Given(Record):
    """Words of one's own for a variant."""

    text: Annotated[str, Field(min_length=1, max_length=4000)]
    subject: Annotated[str, Field(max_length=200)] = ""
    preheader: Annotated[str, Field(max_length=200)] = ""


def preview_campaign(
    bench: Bench,
    name: str,
    audience_name: str | None = None,
    wanted: Whom | None = None,
    channel: Any = None,
    language: Any = None,
    tone: Any = "warm",
    occasion: Any = None,
    offer: Any = "percent",
    value: float | None = None,
    product: str | None = None,
    minimum: float | None = None,
    valid_until: date | None = None,
    texts: list[Given] | None = None,
    variants: int = 2,
    holdout_percent: int | None = None,
    budget: float | None = None,
    send_on: date | None = None,
    discount_everyone: bool = False,
) -> CampaignShown:
    """The campaign as it would be kept, its words written and checked; refuses words that break a rule."""
    kept = _kept_or_meant(bench, name, audience_name, wanted)
    made = _plan(bench, kept, channel, language, offer, value, product, minimum, valid_until, send_on)
    told = _brief(bench, made, tone=tone, occasion=occasion, product=product)
    words, warnings = _words(bench, told, texts or _written(bench, told, variants))
    sketch = _sketch(bench, kept, name, made, words, holdout_percent, budget, send_on)
    return _campaign_shown(bench, sketch, kept, warnings=warnings, everyone=discount_everyone)


def _kept_or_meant(bench: Bench, name: str, audience_name: str | None, wanted: Whom | None) -> Audience:
    """The saved audience, or one of these conditions under the campaign's name, not kept yet. Raises NotFound for names the shop does not know."""
    if audience_name:
        return audience.get(bench.session, audience_name)
    unknown = list[str]()
    wanted = wanted or Whom()
    where = where_of(bench, wanted, wanted.or_also, wanted.but_not, unknown)
    if unknown:
        raise NotFound(f"The shop knows no {', '.join(unknown)[:80]}.", rule="audience_unknown", name=", ".join(unknown)[:80])
    if where == conditions.everyone():
        raise BadInput("For whom? Name a saved audience or say who they are.", rule="audience_empty")
    # People of the campaign's own are no next version of an audience that happens to bear its name.
    named = name.strip() if audience.saved(bench.session, name) is None else f"{name.strip()[:45]} · {bench.today}"
    return Audience(id="", version=0, name=named, conditions=where.model_dump(exclude_none=True, exclude_defaults=True), channel="")


class _Plan(Record):
    channel: Any
    language: Any
    kind: Any
    value: float
    category: str
    minimum_cents: int
    until: date | None


def _plan(
    bench: Bench,
    kept: Audience,
    channel: str | None,
    language: str | None,
    offer: str,
    value: float | None,
    product: str | None,
    minimum: float | None,
    valid_until: date | None,
    send_on: date | None,
) -> _Plan:
    amount = amount_of(offer, value)
    shelf = product.strip().lower() if product and product.strip().lower() in audience.categories(bench.session) else ""
    if valid_until is not None and valid_until < bench.today:
        raise BadInput("The last day of the offer is over.", rule="offer_over", on=valid_until)
    latest = bench.today + timedelta(days=366 * campaigns.LONGEST_YEARS)
    if send_on is not None and send_on > latest:
        raise BadInput("Nothing is planned that far ahead.", rule="send_too_far", years=campaigns.LONGEST_YEARS)
    if valid_until is not None and valid_until > latest:
        raise BadInput("No offer lasts that long.", rule="offer_too_long", years=campaigns.LONGEST_YEARS)
    if send_on is not None and valid_until is not None and valid_until < send_on:
        raise BadInput("The offer ends before it is sent.", rule="offer_over", on=valid_until)
    speaks = {t for one in conditions.tests(audience.where_of(kept)) if one.field == "language" for t in one.any_of or ()}
    return _Plan(
        channel=channel or kept.channel or "email",
        language=language or (next(iter(speaks)) if len(speaks) == 1 else bench.caller.language or "en"),
        kind=offer,
        value=amount,
        category=shelf,
        minimum_cents=cents(minimum) if minimum else 0,
        until=valid_until or (None if offer == "none" else max(send_on or bench.today, bench.today) + timedelta(days=campaigns.DAYS)),
    )


def _brief(bench: Bench, made: _Plan, *, tone: Any, occasion: Any, product: str | None) -> Brief:
    return brief(
        bench,
        channel=made.channel,
        tone=tone,
        language=made.language,
        product=product,
        percent=round(made.value) if made.kind == "percent" else None,
        amount=made.value if made.kind == "amount" else None,
        points=round(made.value) if made.kind == "points" else None,
        free_shipping=made.kind == "benefit",
        minimum=made.minimum_cents / 100 or None,
        until=made.until,
        occasion=occasion,
        with_code=made.kind in ("percent", "amount") and made.channel in ("sms", "email"),
    )


def _words(bench: Bench, told: Brief, texts: Sequence[Given]) -> tuple[list[Words], int]:
    """The variants and the number of warnings. Raises RuleBroken for words the check blocks."""
    warnings, words = 0, [Words("ABC"[n], one.text, one.subject, one.preheader) for n, one in enumerate(texts[:3])]
    for one in words:
        found = judged(bench, told, one.text, subject=one.subject or None, preheader=one.preheader or None)
        wrong = blocks(found)
        if wrong:
            place = wrong.place or wrong.rule
            raise RuleBroken(f"Variant {one.key}: “{place}”. {wrong.reason_en}", rule="copy_blocked", place=place, key=one.key, reason=wrong.rule)
        warnings += len(found)
    return words, warnings


def _written(bench: Bench, told: Brief, variants: int) -> list[Given]:
    """So many wordings that the check lets pass; where none does, one that will be refused with its reason."""
    made = [variant for variant, _ in drawn(bench, told)]
    good = [one for one in made if not blocks(one.findings)] or made[:1]
    return [Given(text=one.text, subject=one.subject or "", preheader=one.preheader or "") for one in good[: max(1, min(3, variants))]]


def _sketch(
    bench: Bench, kept: Audience, name: str, made: _Plan, words: Sequence[Words], holdout: int | None, budget: float | None, send_on: date | None
) -> Campaign:
    """The campaign before it is kept."""
    value = cents(made.value) if made.kind in ("amount", "benefit") else round(made.value)
    offer = Offer(made.kind, value, made.minimum_cents, made.category, made.until)
    return Campaign(
        id=f"preview of {name.strip().lower()}",
        name_en=name.strip(),
        name_zh=name.strip(),
        channel=made.channel,
        language=made.language,
        offer=offer.as_json(),
        status="draft",
        audience_id=kept.id,
        audience_version=kept.version,
        variants=[one.as_json() for one in words],
        holdout_percent=bench.rules.campaigns.holdout_percent if holdout is None else holdout,
        budget_cents=None if budget is None else cents(budget),
        send_from=datetime.combine(send_on, time.min) if send_on else None,
    )


@dataclass(frozen=True)
class _Drawn:
    """Who a campaign concerns, what its offer is expected to cost for each, and what is expected of them."""

    people: campaigns.List
    costs: dict[str, float]
    seen: Outlook | None

    @property
    def written(self) -> list[str]:
        """Those written to."""
        return [member_id for member_id, mine in self.people.members.items() if mine[0] == "treated"]

    @property
    def cost(self) -> int:
        """What the offer is expected to cost, in minor units."""
        return math.ceil(sum(self.costs.get(member_id, 0.0) for member_id in self.written))

    @property
    def predicted(self) -> dict[str, float]:
        """Orders added by member, of those the models know."""
        return {} if self.seen is None else dict(self.seen.by_member["effect"])


def _drawn_for(bench: Bench, campaign: Campaign, kept: Audience, *, everyone: bool) -> _Drawn:
    """Who a campaign concerns today, without those who would buy anyway and within its budget."""
    where = audience.where_of(kept)
    able = audience.ids(bench.session, where, on=bench.today, channel=campaign.channel, addressed=True)
    offer = Offer.of(campaign)
    value = offer.value / 100 if offer.kind in ("amount", "benefit") else float(offer.value)
    seen = outlook(bench, rows_of(bench, able), offer.kind, value) if bench.means.fitted is not None else None
    each = costs(bench, able, offer.kind, value, seen)
    # Whoever would buy anyway is not given money for it; whoever never ordered is unknown and stays in.
    skip = set(seen.by_member.index[~seen.by_member["worth"]]) if seen is not None and each and not everyone else set()
    found = _Drawn(campaigns.List(), each, seen)
    return replace(found, people=campaigns.make_list(bench.session, campaign, where, on=bench.today, skip=skip, costs=each, predicted=found.predicted))


def _campaign_shown(bench: Bench, campaign: Campaign, kept: Audience, *, warnings: int = 0, everyone: bool = False) -> CampaignShown:
    return _shown(bench, campaign, kept, _drawn_for(bench, campaign, kept, everyone=everyone), warnings=warnings)


def _shown(bench: Bench, campaign: Campaign, kept: Audience, found: _Drawn, *, warnings: int = 0) -> CampaignShown:
    made, written, offer = found.people, found.written, Offer.of(campaign)
    value = offer.value / 100 if offer.kind in ("amount", "benefit") else float(offer.value)
    told = None
    if found.seen is not None:
        told = estimate(bench, kept.name, offer.kind, value, outlook_of_all(bench, rows_of(bench, written), offer.kind, value))
    over = bench.rules.campaigns.second_over_cents
    return CampaignShown(
        as_of=bench.today,
        currency=bench.rules.currency,
        campaign_id=None if campaign.id.startswith("preview") else campaign.id,
        name=campaign.name_en,
        status=campaign.status,
        audience=kept.name,
        audience_version=kept.version,
        channel=campaign.channel,
        language=campaign.language,
        offer=offer.kind,  # type: ignore[arg-type]
        value=value or None,
        category=offer.category,
        minimum=money(offer.minimum_cents) if offer.minimum_cents else None,
        valid_until=offer.until,
        variants=[Message(**one) for one in campaign.variants],
        reachable=len(made.members) + made.left_out.get("would_buy_anyway", 0) + made.left_out.get("over_budget", 0),
        written_to=len(written),
        held_out=made.count("holdout"),
        holdout_percent=campaign.holdout_percent,
        would_buy_anyway=made.left_out.get("would_buy_anyway", 0),
        over_budget=made.left_out.get("over_budget", 0),
        budget=None if campaign.budget_cents is None else money(campaign.budget_cents),
        send_on=campaign.send_from.date() if campaign.send_from else None,
        cost=money(found.cost),
        expected=told,
        warnings=warnings,
        second_over=money(over),
    )


def settled_campaign(bench: Bench, *, name: str, audience_name: str | None, product: str | None, texts: list[Given] | None, **asked: Any) -> dict[str, Any]:
    """The audience meant now, and the words as they are written now: what is shown is what will be sent."""
    kept = _kept_or_meant(bench, name, audience_name, asked["wanted"])
    if not texts:
        terms = {name: asked[name] for name in ("channel", "language", "offer", "value", "minimum", "valid_until", "send_on")}
        made = _plan(bench, kept, product=product, **terms)
        texts = _written(bench, _brief(bench, made, tone=asked["tone"], occasion=asked["occasion"], product=product), asked["variants"])
    return {"texts": texts, **({"audience_name": kept.id} if kept.id else {})}


@tool(*MARKETERS, preview=preview_campaign, settle=settled_campaign)
def create_campaign(
    bench: Bench,
    name: Name,
    audience_name: AudienceName = None,
    wanted: Annotated[Whom | None, Field(description="conditions instead of a saved audience")] = None,
    channel: MessageChannel | None = None,
    language: Annotated[Literal["en", "zh"] | None, Field(description="language of the message")] = None,
    tone: Tone = "warm",
    occasion: Occasion | None = None,
    offer: OfferKind = "percent",
    value: Value = None,
    product: Annotated[str | None, Field(description="product or category the message is about", max_length=120)] = None,
    minimum: Annotated[float | None, Field(ge=0, le=1e6)] = None,
    valid_until: Annotated[date | None, Field(description="last day of the offer, ISO")] = None,
    texts: Annotated[list[Given] | None, Field(description="own words; written when left out", max_length=3)] = None,
    variants: Annotated[int, Field(ge=1, le=3, description="how many wordings to try against each other")] = 2,
    holdout_percent: Annotated[int | None, Field(ge=0, le=50)] = None,
    budget: Annotated[float | None, Field(gt=0, le=1e9, description="the most the offer may cost")] = None,
    send_on: Annotated[date | None, Field(description="first day of sending, ISO")] = None,
    discount_everyone: Annotated[bool, Field(description="also those who would buy anyway")] = False,
) -> CampaignShown:
    """Set up a campaign for an audience: offer, checked words, holdout, budget. Nothing is sent yet. Waits for a yes."""
    kept = _kept_or_meant(bench, name, audience_name, wanted)
    if not kept.id:
        kept = audience.save(bench.session, kept.name, audience.where_of(kept), channel=channel, by=bench.caller.account_id, now=bench.now)
    made = _plan(bench, kept, channel, language, offer, value, product, minimum, valid_until, send_on)
    told = _brief(bench, made, tone=tone, occasion=occasion, product=product)
    words, warnings = _words(bench, told, texts or _written(bench, told, variants))
    sketch = _sketch(bench, kept, name, made, words, holdout_percent, budget, send_on)
    shown = _campaign_shown(bench, sketch, kept, warnings=warnings, everyone=discount_everyone)
    expected = shown.expected.model_dump(mode="json") if shown.expected else {}
    kept_campaign = campaigns.draft(
        bench.session,
        sketch.name_en,
        kept,
        words,
        Offer.of(sketch),
        channel=made.channel,
        language=made.language,
        rules=bench.rules.campaigns,
        holdout_percent=sketch.holdout_percent,
        budget_cents=sketch.budget_cents,
        expected={**expected, "everyone": discount_everyone},
        send_from=sketch.send_from,
        by=bench.caller.account_id,
        now=bench.now,
    )
    return shown.model_copy(update={"campaign_id": kept_campaign.id})


# --- sending ----------------------------------------------------------------------------

# How much dearer sending may have become since somebody agreed to it.
_DEARER = 1.1


def named_now(bench: Bench, campaign: str) -> dict[str, Any]:
    """The campaign that is meant now: its name may mean another one when the yes is said."""
    return {"campaign": campaigns.get(bench.session, campaign).id}


def preview_send(bench: Bench, campaign: str) -> CampaignShown:
    """Whom the campaign would write to today. Refuses one that was sent or stopped, and one of which nobody is left."""
    found, kept = _draft(bench, campaign)
    shown = _campaign_shown(bench, found, kept, everyone=bool(found.expected.get("everyone")))
    if not shown.written_to:
        raise RuleBroken("Nobody is left to write to.", rule="campaign_nobody")
    return shown


def _draft(bench: Bench, named: str) -> tuple[Campaign, Audience]:
    found = campaigns.get(bench.session, named)
    if found.status != "draft":
        raise RuleBroken(f"“{found.name_en}” was {found.status} already.", rule=f"campaign_{found.status}", name=found.name_en, on=found.sent_on)
    kept = audience.saved(bench.session, found.audience_id, version=found.audience_version)
    if kept is None:
        raise NotFound("The campaign's audience is gone.", rule="no_such_audience", name=found.audience_id)
    return found, kept


def needs_second(bench: Bench, campaign: str) -> bool:
    """Whether a campaign may cost so much that another person must agree."""
    found, kept = _draft(bench, campaign)
    if Offer.of(found).kind == "none":
        return False
    cost = _drawn_for(bench, found, kept, everyone=bool(found.expected.get("everyone"))).cost
    return max(cost, found.budget_cents or 0) > bench.rules.campaigns.second_over_cents


@tool(*MARKETERS, preview=preview_send, second=needs_second, settle=named_now)
def send_campaign(
    bench: Bench, campaign: Annotated[str, Field(description="name or id of a campaign that was set up", min_length=1, max_length=60)]
) -> CampaignShown:
    """Send a campaign that was set up: the audience is worked out anew, a part held out, each message goes at its member's best hour. Waits for a yes."""
    found, kept = _draft(bench, campaign)
    list_ = _drawn_for(bench, found, kept, everyone=bool(found.expected.get("everyone")))
    _still_agreed(bench, list_)
    shown = _shown(bench, found, kept, list_)
    shop, _ = send_time.hours(bench.session, bench.means.lake, None, today=bench.today)
    whole, each = send_time.hours(bench.session, bench.means.lake, list_.written, today=bench.today, like=shop)
    rules = bench.rules.campaigns

    def hour(member_id: str) -> int:
        return each.get(member_id, whole).best(lambda h: campaigns.quiet(h, rules))

    def word(member: Member, words: Words, code: str) -> tuple[str, str]:
        values = person(bench, member, code)
        return personal.fill(words.subject, values), personal.fill(words.text, values)

    start = max(bench.now, datetime.combine(bench.today, bench.now.time()))
    sent = campaigns.send(bench.session, found, list_.people, word=word, hour=hour, rules=rules, today=bench.today, now=start, predicted=list_.predicted)
    first = min((m.send_at for m in campaigns.waiting(bench.session, found.id, limit=1)), default=None)
    return shown.model_copy(update={"status": "sent", "sent": sent, "first_at": first.isoformat(timespec="minutes") if first else None})


def _still_agreed(bench: Bench, list_: _Drawn) -> None:
    """Days may pass between a proposal and its second yes. Raises RuleBroken where the campaign has grown much dearer since it was shown."""
    agreed = bench.agreed.get("cost")
    if agreed is not None and list_.cost > math.ceil(_DEARER * cents(float(agreed))):
        told = {"cost": money(list_.cost), "agreed": str(agreed)}
        raise RuleBroken(f"It would cost {told['cost']} now, {told['agreed']} was agreed to; propose it again.", rule="campaign_dearer", **told)
