"""In which words, and may they go out? For marketers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

import prompts
from members import audience, catalogue, conditions
from members.catalogue import Offer
from members.errors import NotFound
from members.tables import Member
from prompts import compliance, personal
from retrieval.search import answers
from retrieval.words import has_han
from tools.bench import Bench, Record, cents, money
from tools.gateway import tool
from tools.marketer import MARKETERS, MessageChannel

Tone = Literal["warm", "playful", "plain", "festive", "urgent"]
Occasion = Literal["offer", "win_back", "new_arrival", "back_in_stock", "thank_you", "points", "birthday", "season"]


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
    told = brief(
        bench,
        channel=channel,
        tone=tone,
        language=language,
        product=product,
        percent=offer_percent,
        amount=amount_off,
        points=extra_points,
        free_shipping=free_shipping,
        minimum=minimum,
        until=valid_until,
        tier=tier,
        occasion=occasion,
        with_code=with_code,
        again=again,
    )
    variants = drawn(bench, told)
    return Copy(
        channel=channel,
        tone=tone,
        occasion=occasion,
        language=told.language,
        currency=bench.rules.currency,
        product_id=told.offer.product.id if told.offer else None,
        product_name=told.facts["product"] or told.facts["shelf"],
        price=told.facts["price"],
        offer_percent=offer_percent,
        valid_until=valid_until,
        variants=[variant for variant, _ in variants],
        written_by=variants[0][1] if variants else "embedded",
    )


@dataclass(frozen=True)
class Brief:
    """What a message is to say, for its writer, and what of it can be proved, for the check."""

    facts: dict[str, Any]
    offer: Offer | None
    provable: compliance.Facts

    @property
    def channel(self) -> str:
        """How it goes out."""
        return str(self.facts["channel"])

    @property
    def language(self) -> str:
        """The language it is written in."""
        return str(self.facts["language"])


def brief(
    bench: Bench,
    *,
    channel: str,
    tone: str = "warm",
    language: str | None = None,
    product: str | None = None,
    percent: int | None = None,
    amount: float | None = None,
    points: int | None = None,
    free_shipping: bool = False,
    minimum: float | None = None,
    until: date | None = None,
    tier: str | None = None,
    occasion: str | None = None,
    with_code: bool = False,
    again: int = 0,
) -> Brief:
    """The facts of a message, from the catalogue and the offer. Raises NotFound for a product the shop does not have."""
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
        "percent": percent,
        "amount": None if amount is None else money(cents(amount)),
        "points": points,
        "benefit": "free_shipping" if free_shipping else None,
        "minimum": None if not minimum else money(cents(minimum)),
        "until": until.isoformat() if until else None,
        "tier": (named.name_zh if speech == "zh" else named.name_en) if named else None,
        "occasion": occasion,
        "code": "{code}" if with_code else None,
        "again": again or None,
    }
    return Brief(facts, offer, facts_of(bench, offer, facts, until))


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


def drawn(bench: Bench, told: Brief) -> list[tuple[Variant, str]]:
    """Three variants and who wrote each. For one that breaks a rule of the check the embedded writer draws another, as long as it finds any."""
    made = [_checked(bench, told, one) for one in bench.means.write(told.facts)]
    for n in range(1, _DRAWS):
        places = [place for place, (variant, _) in enumerate(made) if blocks(variant.findings)]
        if not places:
            break
        others = bench.means.write(told.facts | {"again": f"{told.facts['again'] or 0}.{n}", "by": "embedded"})
        for place in places:
            if place < len(others) and not blocks((other := _checked(bench, told, others[place]))[0].findings):
                made[place] = other
    return made


def blocks(found: Sequence[Finding]) -> Finding | None:
    """The first finding for which a message may not go out."""
    return next((one for one in found if one.level == "error"), None)


def _checked(bench: Bench, told: Brief, variant: dict[str, str]) -> tuple[Variant, str]:
    found = judged(bench, told, variant["text"], subject=variant.get("subject"), preheader=variant.get("preheader"))
    made = _measured(variant, told.channel)
    return made.model_copy(update={"findings": found, "previews": previews(bench, variant["text"])}), variant.get("written_by", "embedded")


def judged(bench: Bench, told: Brief, text: str, *, subject: str | None = None, preheader: str | None = None) -> list[Finding]:
    """What the check says of words for a brief."""
    return findings(bench, text, channel=told.channel, language=told.language, facts=told.provable, subject=subject, preheader=preheader)


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


# How often the embedded writer may try again for a variant that its own check blocks.
_DRAWS = 6
_GSM = set("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà")
_GSM_EXTENDED = set("^{}\\[~]|€")


def _is_gsm(text: str) -> bool:
    return set(text) <= _GSM | _GSM_EXTENDED
