"""Whom to address, and in which words? For marketers."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

import prompts
from members import audience, catalogue
from members.access import Role
from members.catalogue import Offer
from members.conditions import Channel, Conditions
from members.errors import NotFound
from retrieval.search import answers
from retrieval.words import has_han
from tools.bench import Bench, Record, cents, money
from tools.gateway import tool

Tone = Literal["warm", "playful", "plain", "festive", "urgent"]
_NAMES = Annotated[list[str] | None, Field(max_length=10)]


class AudienceCount(Record):
    """How many members fit, how many may be addressed, and what was asked."""

    as_of: date
    currency: str
    matching: int
    without_consent: int
    contacted_this_week: int
    reachable: int
    members_in_all: int
    conditions: dict[str, Any]
    unknown: list[str]


@tool(Role.MARKETER)
def audience_count(
    bench: Bench,
    tiers: _NAMES = None,
    cities: _NAMES = None,
    languages: Annotated[list[Literal["en", "zh"]] | None, Field(max_length=2)] = None,
    categories: Annotated[list[str] | None, Field(description="bought from any of these product categories", max_length=10)] = None,
    bought_within_days: Annotated[int | None, Field(ge=1, le=3650)] = None,
    not_bought_for_days: Annotated[int | None, Field(ge=1, le=3650)] = None,
    spent_at_least: Annotated[float | None, Field(description="in the shop's currency, over spent_within_days", ge=0, le=1e7)] = None,
    spent_at_most: Annotated[float | None, Field(ge=0, le=1e7)] = None,
    spent_within_days: Annotated[int | None, Field(ge=1, le=3650)] = None,
    joined_within_days: Annotated[int | None, Field(ge=1, le=3650)] = None,
    consent: Annotated[Channel | None, Field(description="only those who agreed to this channel")] = None,
) -> AudienceCount:
    """Count the members who meet all conditions, and how many of them may be addressed."""
    unknown: list[str] = []
    conditions = Conditions(
        tiers=_known(tiers, [t.key for t in bench.rules.tiers.levels], unknown),
        cities=_known(cities, audience.cities(bench.session), unknown),
        languages=languages or [],
        categories=_known(categories, audience.categories(bench.session), unknown),
        bought_within_days=bought_within_days,
        not_bought_for_days=not_bought_for_days,
        spent_at_least_cents=None if spent_at_least is None else cents(spent_at_least),
        spent_at_most_cents=None if spent_at_most is None else cents(spent_at_most),
        spent_within_days=spent_within_days or 365,
        joined_within_days=joined_within_days,
        consent=consent,
    )
    counted = audience.count(bench.session, conditions.where(), on=bench.today, channel=consent)
    return AudienceCount(as_of=bench.today, currency=bench.rules.currency, conditions=_said(conditions), unknown=unknown, **counted.model_dump())


def _known(asked: list[str] | None, there: list[str], unknown: list[str]) -> list[str]:
    """Names as the record writes them; what it does not know is reported, not guessed."""
    by_name = {name.lower(): name for name in there}
    found = [by_name[name.strip().lower()] for name in asked or [] if name.strip().lower() in by_name]
    unknown += [name for name in asked or [] if name.strip().lower() not in by_name]
    # An unknown name must not widen the audience to everybody.
    return found or (["(none)"] if asked else [])


def _said(conditions: Conditions) -> dict[str, Any]:
    """The conditions as they were understood, money as decimals; None where nothing was asked."""
    said = {k: v or None for k, v in conditions.model_dump().items() if not k.endswith("_cents")}
    for name, value in (("spent_at_least", conditions.spent_at_least_cents), ("spent_at_most", conditions.spent_at_most_cents)):
        said[name] = None if value is None else money(value)
    return said


class Variant(Record):
    """One wording, with its length as the channel counts it."""

    subject: str | None = None
    text: str
    length: int
    parts: int | None = None
    fits: bool


class Copy(Record):
    """Variants of a message and the facts they may use."""

    channel: str
    tone: str
    language: str
    currency: str
    product_id: str | None
    product_name: str | None
    price: str | None
    offer_percent: int | None
    valid_until: date | None
    variants: list[Variant]
    written_by: str


@tool(Role.MARKETER)
def write_copy(
    bench: Bench,
    channel: Literal["sms", "email", "push", "wechat", "in_app"] = "email",
    tone: Tone = "warm",
    language: Annotated[Literal["en", "zh"] | None, Field(description="language of the message")] = None,
    product: Annotated[str | None, Field(description="id or name of a product, or the key of a category such as tea", max_length=120)] = None,
    offer_percent: Annotated[int | None, Field(ge=1, le=90)] = None,
    valid_until: Annotated[date | None, Field(description="last day of the offer, ISO")] = None,
    tier: Annotated[str | None, Field(description="the tier addressed, if any", max_length=20)] = None,
) -> Copy:
    """Write three variants of a campaign message from catalogue facts only; nothing is sent."""
    shelf = product.strip().lower() if product and product.strip().lower() in audience.categories(bench.session) else None
    offer = _meant(bench, product) if product and not shelf else None
    speech = language or ("zh" if product and has_han(product) else "en")
    named = next((t for t in bench.rules.tiers.levels if tier and t.key == tier.lower()), None)
    facts: dict[str, Any] = {
        "channel": channel,
        "tone": tone,
        "language": speech,
        "currency": bench.rules.currency,
        "product": offer.name(speech) if offer else prompts.shelf_name(shelf, speech) if shelf else None,
        "product_text": (offer.product.description_zh if speech == "zh" else offer.product.description_en) if offer else None,
        "price": money(offer.least_cents) if offer else None,
        "percent": offer_percent,
        "until": valid_until.isoformat() if valid_until else None,
        "tier": (named.name_zh if speech == "zh" else named.name_en) if named else None,
    }
    variants = bench.means.write(facts)
    return Copy(
        channel=channel,
        tone=tone,
        language=speech,
        currency=bench.rules.currency,
        product_id=offer.product.id if offer else None,
        product_name=facts["product"],
        price=facts["price"],
        offer_percent=offer_percent,
        valid_until=valid_until,
        variants=[_measured(v, channel) for v in variants],
        written_by=variants[0].get("written_by", "embedded") if variants else "embedded",
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
        return Variant(subject=variant.get("subject"), text=text, length=len(text), fits=len(text) <= 2000)
    # 3GPP TS 23.038: 160 characters of the GSM alphabet or 70 of UCS-2; joined messages lose a header.
    single, joined = (160, 153) if _is_gsm(text) else (70, 67)
    units = len(text) + sum(c in _GSM_EXTENDED for c in text) if _is_gsm(text) else len(text.encode("utf-16-be")) // 2
    parts = 1 if units <= single else -(-units // joined)
    return Variant(text=text, length=units, parts=parts, fits=parts == 1)


_GSM = set("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà")
_GSM_EXTENDED = set("^{}\\[~]|€")


def _is_gsm(text: str) -> bool:
    return set(text) <= _GSM | _GSM_EXTENDED
