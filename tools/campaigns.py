"""Who gets a campaign, with which words, and when does it go? For marketers."""

from collections.abc import Sequence
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
from tools.marketer import MARKETERS, MessageChannel, Name, Wanted, where_of
from tools.offers import AudienceName, OfferKind, UpliftEstimate, Value, amount_of, estimate, outlook, outlook_of_all, rows_of
from tools.wording import Occasion, Tone, facts_of, findings, person, write_copy


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
    wanted: Wanted | None = None,
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
    made = _plan(bench, kept, channel, language, offer, value, product, minimum, valid_until)
    words, warnings = _words(bench, made, tone=tone, occasion=occasion, product=product, texts=texts, variants=variants)
    sketch = _sketch(bench, kept, name, made, words, holdout_percent, budget, send_on)
    return _campaign_shown(bench, sketch, kept, warnings=warnings, everyone=discount_everyone)


def _kept_or_meant(bench: Bench, name: str, audience_name: str | None, wanted: Wanted | None) -> Audience:
    """The saved audience, or one of these conditions under the campaign's name, not kept yet. Raises NotFound for names the shop does not know."""
    if audience_name:
        return audience.get(bench.session, audience_name)
    unknown = list[str]()
    where = where_of(bench, wanted or Wanted(), None, None, unknown)
    if unknown:
        raise NotFound(f"The shop knows no {', '.join(unknown)[:80]}.", rule="audience_unknown", name=", ".join(unknown)[:80])
    if where == conditions.everyone():
        raise BadInput("For whom? Name a saved audience or say who they are.", rule="audience_empty")
    return Audience(id="", version=0, name=name.strip(), conditions=where.model_dump(exclude_none=True, exclude_defaults=True), channel="")


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
) -> _Plan:
    amount = amount_of(offer, value)
    shelf = product.strip().lower() if product and product.strip().lower() in audience.categories(bench.session) else ""
    if valid_until is not None and valid_until < bench.today:
        raise BadInput("The last day of the offer is over.", rule="offer_over", on=valid_until)
    speaks = {t for one in conditions.tests(audience.where_of(kept)) if one.field == "language" for t in one.any_of or ()}
    return _Plan(
        channel=channel or kept.channel or "email",
        language=language or (next(iter(speaks)) if len(speaks) == 1 else bench.caller.language or "en"),
        kind=offer,
        value=amount,
        category=shelf,
        minimum_cents=cents(minimum) if minimum else 0,
        until=valid_until or (None if offer == "none" else bench.today + timedelta(days=campaigns.DAYS)),
    )


def _words(bench: Bench, made: _Plan, *, tone: Any, occasion: Any, product: str | None, texts: list[Given] | None, variants: int) -> tuple[list[Words], int]:
    """The variants, written or given, with the number of warnings. Raises RuleBroken for words the check blocks."""
    with_code = made.kind in ("percent", "amount") and made.channel in ("sms", "email")
    copy = write_copy(
        bench,
        channel=made.channel,
        tone=tone,
        language=made.language,
        product=product,
        offer_percent=round(made.value) if made.kind == "percent" else None,
        amount_off=made.value if made.kind == "amount" else None,
        extra_points=round(made.value) if made.kind == "points" else None,
        free_shipping=made.kind == "benefit",
        minimum=made.minimum_cents / 100 or None,
        valid_until=made.until,
        occasion=occasion,
        with_code=with_code,
    )
    if not texts:
        written = [Words("ABC"[n], v.text, v.subject or "", v.preheader or "") for n, v in enumerate(copy.variants[: max(1, min(3, variants))])]
        return written, sum(f.level == "warning" for v in copy.variants for f in v.findings)
    given = [Words("ABC"[n], one.text, one.subject, one.preheader) for n, one in enumerate(texts[:3])]
    told: dict[str, Any] = {"percent": made.value if made.kind == "percent" else None, "amount": made.value if made.kind == "amount" else None}
    told |= {"minimum": money(made.minimum_cents) if made.minimum_cents else None, "code": "{code}" if with_code else None}
    found = [(one, f) for one in given for f in _findings_of(bench, one, made, told)]
    wrong = next(((one, f) for one, f in found if f.level == "error"), None)
    if wrong:
        place = wrong[1].place or wrong[1].rule
        raise RuleBroken(f"Variant {wrong[0].key}: “{place}”. {wrong[1].reason_en}", rule="copy_blocked", place=place, key=wrong[0].key, reason=wrong[1].rule)
    return given, len(found)


def _findings_of(bench: Bench, one: Words, made: _Plan, told: dict[str, Any]) -> list[Any]:
    facts = facts_of(bench, None, told, made.until)
    return findings(bench, one.text, channel=made.channel, language=made.language, facts=facts, subject=one.subject or None, preheader=one.preheader or None)


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


def drawn(bench: Bench, campaign: Campaign, kept: Audience, *, everyone: bool) -> tuple[campaigns.List, Outlook | None]:
    """Who a campaign concerns today, without those who would buy anyway and within its budget, and what is expected of those written to."""
    where = audience.where_of(kept)
    able = audience.ids(bench.session, where, on=bench.today, channel=campaign.channel, addressed=True)
    offer = Offer.of(campaign)
    value = offer.value / 100 if offer.kind in ("amount", "benefit") else float(offer.value)
    seen = outlook(bench, rows_of(bench, able), offer.kind, value) if bench.means.fitted is not None else None
    skip: set[str] = set()
    most = None
    if seen is not None:
        told = seen.by_member
        costs = offer.kind != "none"
        if costs and not everyone:
            # Whoever would buy anyway is not given money for it; whoever never ordered is unknown and stays in.
            skip = set(told.index[~told["worth"]])
        if campaign.budget_cents is not None and costs and len(told):
            each = float(told.loc[~told.index.isin(skip), "cost"].mean() or 0)
            most = int(campaign.budget_cents / each) if each > 0 else None
    predicted = seen.by_member["effect"].to_dict() if seen is not None else {}
    return campaigns.make_list(bench.session, campaign, where, on=bench.today, skip=skip, most=most, predicted=predicted), seen


def _campaign_shown(bench: Bench, campaign: Campaign, kept: Audience, *, warnings: int = 0, everyone: bool = False) -> CampaignShown:
    made, seen = drawn(bench, campaign, kept, everyone=everyone)
    offer = Offer.of(campaign)
    value = offer.value / 100 if offer.kind in ("amount", "benefit") else float(offer.value)
    written = [m for m, mine in made.members.items() if mine[0] == "treated"]
    told = None
    if seen is not None:
        rows = rows_of(bench, written)
        told = estimate(bench, kept.name, offer.kind, value, outlook_of_all(bench, rows, offer.kind, value))
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
        expected=told,
        warnings=warnings,
        second_over=money(over),
    )


@tool(*MARKETERS, preview=preview_campaign)
def create_campaign(
    bench: Bench,
    name: Name,
    audience_name: AudienceName = None,
    wanted: Annotated[Wanted | None, Field(description="conditions instead of a saved audience")] = None,
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
        kept = audience.save(bench.session, name, audience.where_of(kept), channel=channel, by=bench.caller.account_id, now=bench.now)
    made = _plan(bench, kept, channel, language, offer, value, product, minimum, valid_until)
    words, warnings = _words(bench, made, tone=tone, occasion=occasion, product=product, texts=texts, variants=variants)
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


def preview_send(bench: Bench, campaign: str) -> CampaignShown:
    """Whom the campaign would write to today. Refuses one that was sent or stopped."""
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
    shown = preview_send(bench, campaign)
    cost = cents(float(shown.expected.cost)) if shown.expected else 0
    return max(cost, cents(float(shown.budget)) if shown.budget and shown.offer != "none" else 0) > bench.rules.campaigns.second_over_cents


@tool(*MARKETERS, preview=preview_send, second=needs_second)
def send_campaign(
    bench: Bench, campaign: Annotated[str, Field(description="name or id of a campaign that was set up", min_length=1, max_length=60)]
) -> CampaignShown:
    """Send a campaign that was set up: the audience is worked out anew, a part held out, each message goes at its member's best hour. Waits for a yes."""
    found, kept = _draft(bench, campaign)
    everyone = bool(found.expected.get("everyone"))
    shown = _campaign_shown(bench, found, kept, everyone=everyone)
    made, seen = drawn(bench, found, kept, everyone=everyone)
    written = [m for m, mine in made.members.items() if mine[0] == "treated"]
    shop, _ = send_time.hours(bench.session, bench.means.lake, None, today=bench.today)
    whole, each = send_time.hours(bench.session, bench.means.lake, written, today=bench.today, like=shop)
    rules = bench.rules.campaigns

    def hour(member_id: str) -> int:
        return each.get(member_id, whole).best(lambda h: campaigns.quiet(h, rules))

    def word(member: Member, words: Words, code: str) -> tuple[str, str]:
        values = person(bench, member, code)
        return personal.fill(words.subject, values), personal.fill(words.text, values)

    predicted = seen.by_member["effect"].to_dict() if seen is not None else {}
    start = max(bench.now, datetime.combine(bench.today, bench.now.time()))
    sent = campaigns.send(bench.session, found, made, word=word, hour=hour, rules=rules, today=bench.today, now=start, predicted=predicted)
    first = min((m.send_at for m in campaigns.waiting(bench.session, found.id, limit=1)), default=None)
    return shown.model_copy(
        update={
            "status": "sent",
            "sent": sent,
            "campaign_id": found.id,
            "written_to": len(written),
            "held_out": made.count("holdout"),
            "first_at": first.isoformat(timespec="minutes") if first else None,
        }
    )
