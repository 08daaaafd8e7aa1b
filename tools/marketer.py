"""Whom to address, and in which words? For marketers."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

import prompts
from members import audience, campaigns, catalogue, conditions
from members.access import Role
from members.catalogue import Offer
from members.conditions import Channel, Conditions, Where
from members.errors import NotFound
from members.tables import Audience, Member
from prompts import compliance, personal
from retrieval.search import answers
from retrieval.words import has_han
from tools.bench import Bench, Record, cents, money
from tools.gateway import tool

MARKETERS = (Role.MARKETER,)
Tone = Literal["warm", "playful", "plain", "festive", "urgent"]
Occasion = Literal["offer", "win_back", "new_arrival", "back_in_stock", "thank_you", "points", "birthday", "season"]
MessageChannel = Literal["sms", "email", "push", "wechat", "in_app"]
_NAMES = Annotated[list[str] | None, Field(max_length=10)]
Name = Annotated[str, Field(min_length=1, max_length=60)]


class Wanted(BaseModel):
    """What a member must be, all of it; money in the shop's currency."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tiers: _NAMES = None
    cities: _NAMES = None
    languages: Annotated[list[Literal["en", "zh"]] | None, Field(max_length=2)] = None
    categories: Annotated[list[str] | None, Field(description="bought from any of these product categories", max_length=10)] = None
    tastes: Annotated[list[str] | None, Field(description="much of their spend goes to one of these categories", max_length=10)] = None
    segments: Annotated[list[str] | None, Field(description="groups the shop knows, such as sleeping or champions", max_length=8)] = None
    bought_within_days: Annotated[int | None, Field(ge=1, le=3650)] = None
    not_bought_for_days: Annotated[int | None, Field(ge=1, le=3650)] = None
    spent_at_least: Annotated[float | None, Field(ge=0, le=1e7)] = None
    spent_at_most: Annotated[float | None, Field(ge=0, le=1e7)] = None
    spent_within_days: Annotated[int | None, Field(ge=1, le=3650)] = None
    joined_within_days: Annotated[int | None, Field(ge=1, le=3650)] = None
    orders_at_least: Annotated[int | None, Field(ge=0, le=10_000)] = None
    points_at_least: Annotated[int | None, Field(ge=0, le=10**9)] = None
    churn_from_percent: Annotated[int | None, Field(ge=1, le=100, description="chance of no order in 90 days, at least")] = None
    worth_at_least: Annotated[float | None, Field(ge=0, le=1e7, description="expected spend of the next twelve months, at least")] = None
    birthday_months: Annotated[list[int] | None, Field(max_length=12)] = None


def conditions_of(bench: Bench, wanted: Wanted, unknown: list[str]) -> Conditions:
    """What was asked as conditions of the record; names it does not know go to `unknown`."""
    shelves = audience.categories(bench.session)
    return Conditions(
        tiers=_known(wanted.tiers, [t.key for t in bench.rules.tiers.levels], unknown),
        cities=_known(wanted.cities, audience.cities(bench.session), unknown),
        languages=wanted.languages or [],
        categories=_known(wanted.categories, shelves, unknown),
        tastes=_known(wanted.tastes, shelves, unknown),
        segments=[name.strip().lower() for name in wanted.segments or []],
        bought_within_days=wanted.bought_within_days,
        not_bought_for_days=wanted.not_bought_for_days,
        spent_at_least_cents=None if wanted.spent_at_least is None else cents(wanted.spent_at_least),
        spent_at_most_cents=None if wanted.spent_at_most is None else cents(wanted.spent_at_most),
        spent_within_days=wanted.spent_within_days or 365,
        joined_within_days=wanted.joined_within_days,
        orders_at_least=wanted.orders_at_least,
        points_at_least=wanted.points_at_least,
        churn_from_percent=wanted.churn_from_percent,
        worth_at_least_cents=None if wanted.worth_at_least is None else cents(wanted.worth_at_least),
        birthday_months=wanted.birthday_months or [],
    )


def where_of(bench: Bench, wanted: Wanted, or_also: Sequence[Wanted] | None, but_not: Wanted | None, unknown: list[str]) -> Where:
    """The whole condition: what is wanted, or any of the others, without what is not."""
    parts = [conditions_of(bench, one, unknown).where() for one in (wanted, *(or_also or ()))]
    where = conditions.either(*parts)
    return conditions.but_not(where, conditions_of(bench, but_not, unknown).where()) if but_not else where


class AudienceCount(Record):
    """How many members fit, how many may be addressed, and what was asked."""

    as_of: date
    currency: str
    matching: int
    without_consent: int
    no_address: int
    contacted_this_week: int
    open_complaint: int
    reachable: int
    members_in_all: int
    conditions: dict[str, Any]
    or_also: list[dict[str, Any]]
    but_not: dict[str, Any] | None
    unknown: list[str]


_OrAlso = Annotated[list[Wanted] | None, Field(description="others who count as well", max_length=4)]
_ButNot = Annotated[Wanted | None, Field(description="whoever is all of this is left out")]


@tool(*MARKETERS)
def audience_count(
    bench: Bench,
    tiers: _NAMES = None,
    cities: _NAMES = None,
    languages: Annotated[list[Literal["en", "zh"]] | None, Field(max_length=2)] = None,
    categories: Annotated[list[str] | None, Field(description="bought from any of these product categories", max_length=10)] = None,
    tastes: Annotated[list[str] | None, Field(description="much of their spend goes to one of these categories", max_length=10)] = None,
    segments: Annotated[list[str] | None, Field(description="groups the shop knows, such as sleeping", max_length=8)] = None,
    bought_within_days: Annotated[int | None, Field(ge=1, le=3650)] = None,
    not_bought_for_days: Annotated[int | None, Field(ge=1, le=3650)] = None,
    spent_at_least: Annotated[float | None, Field(description="in the shop's currency, over spent_within_days", ge=0, le=1e7)] = None,
    spent_at_most: Annotated[float | None, Field(ge=0, le=1e7)] = None,
    spent_within_days: Annotated[int | None, Field(ge=1, le=3650)] = None,
    joined_within_days: Annotated[int | None, Field(ge=1, le=3650)] = None,
    orders_at_least: Annotated[int | None, Field(ge=0, le=10_000)] = None,
    points_at_least: Annotated[int | None, Field(ge=0, le=10**9)] = None,
    churn_from_percent: Annotated[int | None, Field(ge=1, le=100)] = None,
    worth_at_least: Annotated[float | None, Field(ge=0, le=1e7)] = None,
    birthday_months: Annotated[list[int] | None, Field(max_length=12)] = None,
    or_also: _OrAlso = None,
    but_not: _ButNot = None,
    consent: Annotated[Channel | None, Field(description="only those who agreed to this channel")] = None,
) -> AudienceCount:
    """Count the members who meet all conditions, and how many of them may be addressed."""
    asked = {name: value for name, value in locals().items() if name in Wanted.model_fields and value is not None}
    wanted, unknown = Wanted(**asked), list[str]()
    where = where_of(bench, wanted, or_also, but_not, unknown)
    counted = audience.count(bench.session, where, on=bench.today, channel=consent)
    told = {**said_of(wanted), "consent": consent}
    return AudienceCount(
        as_of=bench.today,
        currency=bench.rules.currency,
        conditions=told,
        or_also=[said_of(one) for one in or_also or ()],
        but_not=said_of(but_not) if but_not else None,
        unknown=unknown,
        **counted.model_dump(),
    )


def _known(asked: list[str] | None, there: list[str], unknown: list[str]) -> list[str]:
    """Names as the record writes them; what it does not know is reported, not guessed."""
    by_name = {name.lower(): name for name in there}
    found = [by_name[name.strip().lower()] for name in asked or [] if name.strip().lower() in by_name]
    unknown += [name for name in asked or [] if name.strip().lower() not in by_name]
    # An unknown name must not widen the audience to everybody.
    return found or (["(none)"] if asked else [])


def said_of(wanted: Wanted) -> dict[str, Any]:
    """The conditions as they were understood, money as decimals; None where nothing was asked."""
    said = wanted.model_dump()
    for name in ("spent_at_least", "spent_at_most", "worth_at_least"):
        said[name] = None if said[name] is None else money(cents(said[name]))
    said["spent_within_days"] = said["spent_within_days"] or 365
    return {name: value or None for name, value in said.items()}


# --- a saved audience -------------------------------------------------------------------


class Share(Record):
    """How often something is found among an audience and among all members, in whole per cent."""

    what: str
    percent: int
    of_all_percent: int


class AudienceShown(Record):
    """An audience: who fits, who may be written to, why the others may not, what they are like, and which others share members with it."""

    as_of: date
    currency: str
    audience_id: str | None
    version: int | None
    name: str
    channel: str | None
    conditions: dict[str, Any]
    or_also: list[dict[str, Any]]
    but_not: dict[str, Any] | None
    unknown: list[str]
    matching: int
    without_consent: int
    no_address: int
    contacted_this_week: int
    open_complaint: int
    reachable: int
    members_in_all: int
    sample: list[str]
    traits: list[Share]
    overlaps: list[tuple[str, int]]


def preview_audience(
    bench: Bench, name: str, wanted: Wanted, or_also: list[Wanted] | None = None, but_not: Wanted | None = None, channel: MessageChannel | None = None
) -> AudienceShown:
    """The audience as it stands today."""
    unknown = list[str]()
    where = where_of(bench, wanted, or_also, but_not, unknown)
    if unknown:
        raise NotFound(f"The shop knows no {', '.join(unknown)[:80]}.", rule="audience_unknown", name=", ".join(unknown)[:80])
    shown = _shown(bench, where, name=name.strip(), channel=channel)
    return shown.model_copy(
        update={"conditions": said_of(wanted), "or_also": [said_of(one) for one in or_also or ()], "but_not": said_of(but_not) if but_not else None}
    )


@tool(*MARKETERS, preview=preview_audience)
def audience_build(
    bench: Bench,
    name: Name,
    wanted: Wanted,
    or_also: _OrAlso = None,
    but_not: _ButNot = None,
    channel: Annotated[MessageChannel | None, Field(description="the channel they are to be written to on")] = None,
) -> AudienceShown:
    """Save an audience under a name, to use in campaigns; the same name again is its next version. Waits for a yes."""
    shown = preview_audience(bench, name, wanted, or_also, but_not, channel)
    where = where_of(bench, wanted, or_also, but_not, [])
    kept = audience.save(bench.session, name, where, channel=channel, by=bench.caller.account_id, now=bench.now)
    return shown.model_copy(update={"audience_id": kept.id, "version": kept.version})


def save_where(bench: Bench, name: str, where: Where, channel: str | None) -> Audience:
    """Keep an audience from a whole condition, as the studio's page does."""
    return audience.save(bench.session, name, where, channel=channel, by=bench.caller.account_id, now=bench.now)


def _shown(bench: Bench, where: Where, *, name: str, channel: str | None, kept: Audience | None = None) -> AudienceShown:
    counted = audience.count(bench.session, where, on=bench.today, channel=channel)
    overlaps = [
        (other.name, audience.overlap(bench.session, where, audience.where_of(other), on=bench.today))
        for other in list(audience.names(bench.session))[:6]
        if kept is None or other.id != kept.id
    ]
    return AudienceShown(
        as_of=bench.today,
        currency=bench.rules.currency,
        audience_id=kept.id if kept else None,
        version=kept.version if kept else None,
        name=name,
        channel=channel,
        conditions={},
        or_also=[],
        but_not=None,
        unknown=[],
        sample=[f"{m.name or m.id} ({m.id})" for m in audience.sample(bench.session, where, on=bench.today, limit=4)],
        traits=_traits(bench, where),
        overlaps=[(other, both) for other, both in overlaps if both and other.lower() != name.lower()][:3],
        **counted.model_dump(),
    )


def _traits(bench: Bench, where: Where) -> list[Share]:
    """What sets an audience apart: shares that differ most from all members'."""
    candidates: dict[str, Where] = {f"tier:{t.key}": conditions.every(conditions.test("tier", any_of=[t.key])) for t in bench.rules.tiers.levels}
    candidates |= {f"language:{one}": conditions.every(conditions.test("language", any_of=[one])) for one in ("en", "zh")}
    candidates |= {f"city:{city}": conditions.every(conditions.test("city", any_of=[city.lower()])) for city in audience.cities(bench.session)[:5]}
    asked = {one.field for one in conditions.tests(where)}
    candidates |= {
        "risk:high": conditions.every(conditions.test("churn_percent", at_least=60)),
        "lately": conditions.every(conditions.test("bought_days", at_most=30)),
    }
    # What was asked for sets nobody apart.
    own = {"tier": {"tier"}, "language": {"language"}, "city": {"city"}, "risk": {"churn_percent"}, "lately": {"silent_days", "bought_days"}}
    candidates = {what: trait for what, trait in candidates.items() if not own[what.partition(":")[0]] & asked}
    everyone = conditions.everyone()
    mine, of_all = (max(1, audience.count(bench.session, w, on=bench.today).matching) for w in (where, everyone))
    found = []
    for what, trait in candidates.items():
        both, all_of = audience.overlap(bench.session, where, trait, on=bench.today), audience.overlap(bench.session, everyone, trait, on=bench.today)
        found.append(Share(what=what, percent=round(100 * both / mine), of_all_percent=round(100 * all_of / of_all)))
    return sorted((one for one in found if abs(one.percent - one.of_all_percent) >= 3), key=lambda one: -abs(one.percent - one.of_all_percent))[:4]


class AudienceFile(Record):
    """A list of members as a file to download while signed in: ids and what the channel needs, never more."""

    download: str
    name: str
    rows: int
    left_out: int
    channel: str | None


@tool(*MARKETERS)
def audience_export(
    bench: Bench,
    audience_name: Annotated[str, Field(description="name or id of a saved audience, or of a campaign", min_length=1, max_length=60)],
) -> AudienceFile:
    """The list of an audience, or a campaign's send list, as a spreadsheet-safe CSV file to download."""
    kept = audience.saved(bench.session, audience_name)
    if kept is None:
        return campaign_file(bench, audience_name)
    where, channel = audience.where_of(kept), kept.channel or None
    counted = audience.count(bench.session, where, on=bench.today, channel=channel)
    return AudienceFile(
        download=f"/api/v1/audiences/{kept.id}.csv", name=kept.name, rows=counted.reachable, left_out=counted.matching - counted.reachable, channel=channel
    )


def campaign_file(bench: Bench, named: str) -> AudienceFile:
    """A campaign's send list as a file. Raises NotFound."""
    found = campaigns.get(bench.session, named)
    rows = sum(campaigns.outbox(bench.session, found.id).values())
    return AudienceFile(download=f"/api/v1/campaigns/{found.id}.csv", name=found.name_en, rows=rows, left_out=0, channel=found.channel)


class Finding(Record):
    """One thing the check found: the rule, whether it blocks, the words, why, and what to say instead."""

    rule: str
    level: Literal["error", "warning"]
    part: str
    place: str
    reason_en: str
    reason_zh: str
    suggestion: str


class Variant(Record):
    """One wording, with its length as the channel counts it, what the check found, and how it reads to two members."""

    subject: str | None = None
    preheader: str | None = None
    text: str
    length: int
    parts: int | None = None
    fits: bool
    findings: list[Finding] = []
    previews: list[str] = []


class Copy(Record):
    """Variants of a message and the facts they may use."""

    channel: str
    tone: str
    occasion: str | None
    language: str
    currency: str
    product_id: str | None
    product_name: str | None
    price: str | None
    offer_percent: int | None
    valid_until: date | None
    variants: list[Variant]
    written_by: str


@tool(*MARKETERS)
def write_copy(
    bench: Bench,
    channel: MessageChannel = "email",
    tone: Tone = "warm",
    language: Annotated[Literal["en", "zh"] | None, Field(description="language of the message")] = None,
    product: Annotated[str | None, Field(description="id or name of a product, or the key of a category such as tea", max_length=120)] = None,
    offer_percent: Annotated[int | None, Field(ge=1, le=90)] = None,
    amount_off: Annotated[float | None, Field(ge=0.01, le=1e5, description="a sum off instead of per cent")] = None,
    extra_points: Annotated[int | None, Field(ge=1, le=10**6)] = None,
    free_shipping: bool = False,
    minimum: Annotated[float | None, Field(ge=0, le=1e6, description="least basket for the offer")] = None,
    valid_until: Annotated[date | None, Field(description="last day of the offer, ISO")] = None,
    tier: Annotated[str | None, Field(description="the tier addressed, if any", max_length=20)] = None,
    occasion: Annotated[Occasion | None, Field(description="what the message is about, when it is not the offer itself")] = None,
    with_code: Annotated[bool, Field(description="each member gets a coupon code of their own")] = False,
    again: Annotated[int, Field(ge=0, le=50, description="other wordings of the same: 1, 2, …")] = 0,
) -> Copy:
    """Write three variants of a campaign message from catalogue facts only, checked; nothing is sent."""
    shelf = product.strip().lower() if product and product.strip().lower() in audience.categories(bench.session) else None
    offer = _meant(bench, product) if product and not shelf else None
    speech = language or ("zh" if product and has_han(product) else "en")
    named = next((t for t in bench.rules.tiers.levels if tier and t.key == tier.lower()), None)
    facts: dict[str, Any] = {
        "channel": channel,
        "tone": tone,
        "language": speech,
        "currency": bench.rules.currency,
        "product": offer.name(speech) if offer else None,
        "shelf": _shelf(shelf, speech) if shelf else None,
        "category": shelf or (offer.product.category if offer else None),
        "product_text": (offer.product.description_zh if speech == "zh" else offer.product.description_en) if offer else None,
        "price": money(offer.least_cents) if offer else None,
        "percent": offer_percent,
        "amount": None if amount_off is None else money(cents(amount_off)),
        "points": extra_points,
        "benefit": "free_shipping" if free_shipping else None,
        "minimum": None if not minimum else money(cents(minimum)),
        "until": valid_until.isoformat() if valid_until else None,
        "tier": (named.name_zh if speech == "zh" else named.name_en) if named else None,
        "occasion": occasion,
        "code": "{code}" if with_code else None,
        "again": again or None,
    }
    provable = facts_of(bench, offer, facts, valid_until)
    variants = [_checked(bench, v, channel, speech, provable) for v in bench.means.write(facts)]
    return Copy(
        channel=channel,
        tone=tone,
        occasion=occasion,
        language=speech,
        currency=bench.rules.currency,
        product_id=offer.product.id if offer else None,
        product_name=facts["product"] or facts["shelf"],
        price=facts["price"],
        offer_percent=offer_percent,
        valid_until=valid_until,
        variants=[variant for variant, _ in variants],
        written_by=variants[0][1] if variants else "embedded",
    )


def _shelf(key: str, language: str) -> str:
    name = prompts.category_name(key, language)
    return name if language == "zh" else name.lower()


def facts_of(bench: Bench, offer: Offer | None, told: dict[str, Any], until: date | None) -> compliance.Facts:
    """What can be proved of a message: the catalogue's price and stock, and the offer's own terms."""

    def number(name: str) -> Decimal | None:
        return Decimal(str(told[name])) if told.get(name) else None

    # A code of one's own is a field until it is sent.
    fields = frozenset(personal.FIELDS) if told.get("code") else frozenset(personal.FIELDS) - {"code"}
    return compliance.Facts(
        currency=bench.rules.currency,
        today=bench.today,
        product=told.get("product"),
        price=number("price"),
        stock=offer.stock if offer else None,
        percent=number("percent"),
        amount_off=number("amount"),
        minimum=number("minimum"),
        valid_until=until,
        code=told.get("code"),
        fields=fields,
        filled=frozenset({*personal.ALWAYS, "code", "unsubscribe"}) & fields,
        names=tuple(name for name in (told.get("shelf"),) if name),
    )


def _checked(bench: Bench, variant: dict[str, str], channel: str, language: str, facts: compliance.Facts) -> tuple[Variant, str]:
    found = findings(
        bench, variant["text"], channel=channel, language=language, facts=facts, subject=variant.get("subject"), preheader=variant.get("preheader")
    )
    made = _measured(variant, channel)
    return made.model_copy(update={"findings": found, "previews": previews(bench, variant["text"])}), variant.get("written_by", "embedded")


def findings(
    bench: Bench, text: str, *, channel: str, language: str, facts: compliance.Facts, subject: str | None = None, preheader: str | None = None
) -> list[Finding]:
    """What the check says of a message."""
    found = compliance.check(text, channel=channel, language=language, facts=facts, subject=subject, preheader=preheader, brand=bench.means.brand)
    return [
        Finding(rule=f.rule, level=f.level, part=f.part, place=f.place, reason_en=f.reason_en, reason_zh=f.reason_zh, suggestion=f.suggestion) for f in found
    ]


def previews(bench: Bench, text: str) -> list[str]:
    """How a text reads to two members, one with and one perhaps without a name."""
    some = audience.sample(bench.session, conditions.everyone(), on=bench.today, limit=2)
    made = []
    for member in some:
        try:
            made.append(personal.fill(text, person(bench, member)))
        except KeyError:
            continue
    return made


def person(bench: Bench, member: Member, code: str = "") -> dict[str, str]:
    """What the fields of a message hold for a member."""
    tier = bench.rules.tier(member.tier)
    return {
        "name": member.name,
        "city": member.city,
        "tier": (tier.name_zh or tier.name_en) if member.language == "zh" else tier.name_en,
        "points": f"{member.points:,}",
        "code": code or "WELCOME-1",
        "unsubscribe": "退订链接" if member.language == "zh" else "[unsubscribe]",
    }


class CopyCheck(Record):
    """What the check found in a message: errors block it, warnings need a look."""

    channel: str
    language: str
    text: str
    errors: int
    warnings: int
    findings: list[Finding]
    length: int
    parts: int | None


@tool(*MARKETERS)
def check_copy(
    bench: Bench,
    text: Annotated[str, Field(description="the message, word for word", min_length=1, max_length=4000)],
    channel: MessageChannel = "email",
    language: Annotated[Literal["en", "zh"] | None, Field(description="language of the message")] = None,
    subject: Annotated[str | None, Field(max_length=200)] = None,
    preheader: Annotated[str | None, Field(max_length=200)] = None,
    product: Annotated[str | None, Field(description="id or name of the product it is about", max_length=120)] = None,
    offer_percent: Annotated[int | None, Field(ge=1, le=90)] = None,
    amount_off: Annotated[float | None, Field(ge=0.01, le=1e5)] = None,
    minimum: Annotated[float | None, Field(ge=0, le=1e6)] = None,
    code: Annotated[str | None, Field(max_length=40)] = None,
    valid_until: Annotated[date | None, Field(description="last day of the offer, ISO")] = None,
) -> CopyCheck:
    """Check a message against advertising law, the offer's facts and the brand's words; each finding with a rewording."""
    speech = language or ("zh" if has_han(text) else "en")
    try:
        offer = _meant(bench, product) if product else None
    except NotFound:
        offer = None
    told = {
        "product": offer.name(speech) if offer else product,
        "price": money(offer.least_cents) if offer else None,
        "percent": offer_percent,
        "amount": None if amount_off is None else money(cents(amount_off)),
        "minimum": None if not minimum else money(cents(minimum)),
        "code": code,
    }
    found = findings(bench, text, channel=channel, language=speech, facts=facts_of(bench, offer, told, valid_until), subject=subject, preheader=preheader)
    made = _measured({"text": text, "subject": subject or ""}, channel)
    return CopyCheck(
        channel=channel,
        language=speech,
        text=text,
        errors=sum(f.level == "error" for f in found),
        warnings=sum(f.level == "warning" for f in found),
        findings=found,
        length=made.length,
        parts=made.parts,
    )


def _meant(bench: Bench, product: str) -> Offer:
    exact = bench.means.search.entry("products", product.strip().upper())
    hits = [] if exact else bench.means.search(product, kind="products", limit=1)
    if exact is None and not any(answers(h, product, "products") for h in hits):
        raise NotFound(f"The shop has no product called “{product[:60]}”.", instead="search_products")
    return catalogue.get(bench.session, exact.id if exact else hits[0].entry.id)


def _measured(variant: dict[str, str], channel: str) -> Variant:
    text = variant["text"]
    if channel != "sms":
        return Variant(subject=variant.get("subject"), preheader=variant.get("preheader"), text=text, length=len(text), fits=len(text) <= 2000)
    # 3GPP TS 23.038: 160 characters of the GSM alphabet or 70 of UCS-2; joined messages lose a header.
    single, joined = (160, 153) if _is_gsm(text) else (70, 67)
    units = len(text) + sum(c in _GSM_EXTENDED for c in text) if _is_gsm(text) else len(text.encode("utf-16-be")) // 2
    parts = 1 if units <= single else -(-units // joined)
    return Variant(text=text, length=units, parts=parts, fits=parts == 1)


_GSM = set("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà")
_GSM_EXTENDED = set("^{}\\[~]|€")


def _is_gsm(text: str) -> bool:
    return set(text) <= _GSM | _GSM_EXTENDED
