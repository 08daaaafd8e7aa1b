"""What is there to buy? Search, one product's details, and suggestions."""

from datetime import date, timedelta
from typing import Annotated

from pydantic import Field

from analytics import scoring
from analytics.recommender import Suggestion
from members import catalogue, people
from members.access import Role
from members.catalogue import Offer
from members.errors import NotFound
from retrieval.search import Filters, answers
from tools.bench import Bench, Record, cents, money
from tools.gateway import ShortText, tool

# Share of the best score that still counts as fitting.
_NEARLY = 0.72
_SOON_DAYS = 45
EVERYBODY = (Role.MEMBER, Role.SUPPORT, Role.MARKETER)


class Card(Record):
    """A product as it is shown in a row of cards."""

    product_id: str
    name_en: str
    name_zh: str
    category: str
    price: str
    price_to: str | None
    stock: int | None
    in_stock: bool
    rating: float | None
    rating_count: int
    reason: str = ""
    because_en: str = ""
    because_zh: str = ""
    times: int = 0
    last_on: date | None = None
    due_on: date | None = None


class Found(Record):
    """Products for a wish, best first. `close_match` is false when the shop has nothing that fits."""

    currency: str
    asked: str
    max_price: str | None
    min_price: str | None
    close_match: bool
    products: list[Card]


@tool(*EVERYBODY)
def search_products(
    bench: Bench,
    wish: Annotated[ShortText, Field(description="what is looked for, in the person's words, without the price")],
    max_price: Annotated[float | None, Field(ge=0, le=1_000_000)] = None,
    min_price: Annotated[float | None, Field(ge=0, le=1_000_000)] = None,
    without: Annotated[list[str] | None, Field(description="words the product must not have, such as a material", max_length=5)] = None,
    in_stock: Annotated[bool, Field(description="only what can be bought now")] = True,
) -> Found:
    """Find products by name, use, material or for whom, within price limits."""
    filters = Filters(
        least_cents=None if min_price is None else cents(min_price),
        most_cents=None if max_price is None else cents(max_price),
        in_stock=in_stock,
        without=tuple(without or ()),
    )
    hits = bench.means.search(wish, kind="products", limit=6, filters=filters)
    # If the best fits at all, those nearly as good may be shown beside it.
    strong = [h for h in hits if h.score >= hits[0].score * _NEARLY] if any(answers(h, wish, "products") for h in hits[:2]) else []
    offers = catalogue.some(bench.session, [h.entry.id for h in strong[:4]])
    return Found(
        currency=bench.rules.currency,
        asked=wish,
        max_price=None if max_price is None else money(cents(max_price)),
        min_price=None if min_price is None else money(cents(min_price)),
        close_match=bool(strong),
        products=[card(offer) for offer in offers],
    )


class VariantFacts(Record):
    """One buyable form."""

    options_en: dict[str, str]
    options_zh: dict[str, str]
    price: str
    stock: int | None
    available: bool


class Opinion(Record):
    """A buyer's words."""

    rating: int
    text: str
    written_on: date | None


class ProductDetails(Record):
    """Everything the shop says about one product."""

    product_id: str
    currency: str
    name_en: str
    name_zh: str
    description_en: str
    description_zh: str
    category: str
    price: str
    price_to: str | None
    member_price: str | None
    member_discount_percent: int
    in_stock: bool
    stock: int | None
    variants: list[VariantFacts]
    weight_g: int | None
    warranty_months: int | None
    rating: float | None
    rating_count: int
    reviews: list[Opinion]
    also: list[str]


@tool(*EVERYBODY)
def product_details(bench: Bench, product: Annotated[ShortText, Field(description="the product's id, or its name in the person's words")]) -> ProductDetails:
    """One product: price, stock, colours and sizes, material, weight, warranty, reviews."""
    offer, others = named_product(bench, product)
    return _details(bench, offer, others)


def named_product(bench: Bench, product: str) -> tuple[Offer, list[str]]:
    """The product meant by an id or words, and others the words may mean. Raises NotFound."""
    hits = bench.means.search(product, kind="products", limit=3)
    exact = bench.means.search.entry("products", product.strip().upper())
    strong = [h for h in hits if answers(h, product, "products")]
    if exact is None and not strong:
        raise NotFound(f"The shop has no product called “{product[:60]}”.", instead="search_products")
    offer = catalogue.get(bench.session, exact.id if exact else strong[0].entry.id)
    return offer, [] if exact else [h.entry.id for h in strong[1:]]


def _details(bench: Bench, offer: Offer, others: list[str]) -> ProductDetails:
    product, percent = offer.product, _discount(bench)
    return ProductDetails(
        product_id=product.id,
        currency=bench.rules.currency,
        name_en=offer.name("en"),
        name_zh=offer.name("zh"),
        description_en=product.description_en,
        description_zh=product.description_zh,
        category=product.category,
        price=money(offer.least_cents),
        price_to=money(offer.most_cents) if offer.most_cents > offer.least_cents else None,
        member_price=money(offer.least_cents * (100 - percent) // 100) if percent else None,
        member_discount_percent=percent,
        in_stock=offer.in_stock,
        stock=offer.stock,
        variants=[
            VariantFacts(options_en=v.options_en, options_zh=v.options_zh, price=money(v.price_cents), stock=v.stock, available=v.available and v.stock != 0)
            for v in offer.variants[:12]
        ],
        weight_g=product.weight_g,
        warranty_months=product.warranty_months,
        rating=product.rating,
        rating_count=product.rating_count,
        reviews=[Opinion(rating=r.rating, text=r.text, written_on=r.written_on) for r in catalogue.reviews(bench.session, product.id, limit=2)],
        also=others,
    )


def _discount(bench: Bench) -> int:
    if bench.caller.member_id is None:
        return 0
    return bench.rules.tier(people.get(bench.session, bench.caller.member_id).tier).discount_percent


class Suggestions(Record):
    """Products to suggest, each with its reason."""

    currency: str
    as_of: date
    products: list[Card]


@tool(Role.MEMBER)
def recommend_for_me(
    bench: Bench,
    wish: Annotated[str | None, Field(description="what they should be for, if said", max_length=300)] = None,
    max_price: Annotated[float | None, Field(ge=0, le=1_000_000)] = None,
) -> Suggestions:
    """Suggest products from what the member bought and looked at, with a reason for each."""
    suggested = scoring.suggest(bench.session, bench.means.fitted, bench.means.lake, bench.me, today=bench.today, limit=80)
    if wish:
        near = {hit.entry.id: rank for rank, hit in enumerate(bench.means.search(wish, kind="products", limit=40))}
        suggested = sorted((s for s in suggested if s.product_id in near), key=lambda s: near[s.product_id])
    limit = None if max_price is None else cents(max_price)
    offers, able = _able(bench, suggested, limit)
    return Suggestions(currency=bench.rules.currency, as_of=bench.today, products=[_reasoned(bench, offers, s) for s in _varied(able, offers)])


@tool(Role.MEMBER)
def buy_again(bench: Bench) -> Suggestions:
    """What the member buys again and again and may need now, with when each is due by their own rhythm."""
    suggested = scoring.suggest(bench.session, bench.means.fitted, bench.means.lake, bench.me, today=bench.today, limit=40, which="again")
    offers, able = _able(bench, suggested, None)
    # What was bought once is no habit, and what comes round once a year need not be said today.
    soon = bench.today + timedelta(days=_SOON_DAYS)
    regular = [s for s in able if s.times > 1 and (due := _due(s)) is not None and due <= soon] or [s for s in able if s.times > 1] or able
    return Suggestions(currency=bench.rules.currency, as_of=bench.today, products=[_reasoned(bench, offers, s) for s in regular[:4]])


class Similar(Record):
    """Products like one, nearest first."""

    currency: str
    product_id: str
    name_en: str
    name_zh: str
    price: str
    in_stock: bool
    products: list[Card]


@tool(*EVERYBODY)
def similar_products(
    bench: Bench,
    product: Annotated[ShortText, Field(description="the product's id, or its name in the person's words")],
    max_price: Annotated[float | None, Field(ge=0, le=1_000_000)] = None,
) -> Similar:
    """Products like a given one: of the same kind, or taken by the same people. Only what can be bought now."""
    offer, _ = named_product(bench, product)
    likest = bench.means.fitted.recommender.similar(offer.product.id, limit=40) if bench.means.fitted else []
    # Before anything was learned, and for a product newer than that, the texts still say what is near.
    ids = [product_id for product_id, _ in likest] or [
        h.entry.id for h in bench.means.search(offer.name("en"), kind="products", limit=8) if h.entry.id != offer.product.id
    ]
    limit = None if max_price is None else cents(max_price)
    able = [o for o in catalogue.some(bench.session, ids) if o.in_stock and (limit is None or o.least_cents <= limit)]
    # Of another shelf only where the own one holds too few.
    same = [o for o in able if o.product.category == offer.product.category]
    chosen = (same + [o for o in able if o not in same])[:4] if len(same) < 2 else same[:4]
    return Similar(
        currency=bench.rules.currency,
        product_id=offer.product.id,
        name_en=offer.name("en"),
        name_zh=offer.name("zh"),
        price=money(offer.least_cents),
        in_stock=offer.in_stock,
        products=[card(one) for one in chosen],
    )


def _able(bench: Bench, suggested: list[Suggestion], limit: int | None) -> tuple[dict[str, Offer], list[Suggestion]]:
    """The offers behind suggestions, and the suggestions that can be bought now within a price."""
    offers = {o.product.id: o for o in catalogue.some(bench.session, [s.product_id for s in suggested])}
    able = [s for s in suggested if s.product_id in offers and offers[s.product_id].in_stock and (limit is None or offers[s.product_id].least_cents <= limit)]
    return offers, able


def _varied(suggested: list[Suggestion], offers: dict[str, Offer], limit: int = 4) -> list[Suggestion]:
    """At most two of a category, two bought again, and nothing had within the month that is not due."""
    taken: list[Suggestion] = []
    for suggestion in suggested:
        if suggestion.kind == "again" and suggestion.times < 2:
            # Bought once: they own it. What is owned is no suggestion until it has become a habit.
            continue
        same = [t for t in taken if offers[t.product_id].product.category == offers[suggestion.product_id].product.category]
        again = [t for t in taken if t.kind == "again"]
        if len(same) < 2 and (suggestion.kind != "again" or len(again) < 2):
            taken.append(suggestion)
    return taken[:limit]


def _reasoned(bench: Bench, offers: dict[str, Offer], suggestion: Suggestion) -> Card:
    because = catalogue.some(bench.session, [suggestion.because]) if suggestion.because else []
    shown = card(offers[suggestion.product_id])
    return shown.model_copy(
        update={
            "reason": suggestion.kind,
            "because_en": because[0].name("en") if because else "",
            "because_zh": because[0].name("zh") if because else "",
            "times": suggestion.times,
            "last_on": suggestion.last_on,
            "due_on": _due(suggestion),
        }
    )


def _due(suggestion: Suggestion) -> date | None:
    """When something bought with a rhythm is due again."""
    if suggestion.last_on is None or not suggestion.usual_gap_days or suggestion.times < 2:
        return None
    return suggestion.last_on + timedelta(days=max(1, round(suggestion.usual_gap_days)))


def card(offer: Offer) -> Card:
    """A product as a card."""
    return Card(
        product_id=offer.product.id,
        name_en=offer.name("en"),
        name_zh=offer.name("zh"),
        category=offer.product.category,
        price=money(offer.least_cents),
        price_to=money(offer.most_cents) if offer.most_cents > offer.least_cents else None,
        stock=offer.stock,
        in_stock=offer.in_stock,
        rating=offer.product.rating,
        rating_count=offer.product.rating_count,
    )
