"""What may be done about an order: cancel, change, send back, exchange; by the member, or by staff for them.

Every write first shows what it would do. The rules stand in members/orders,
changes and returns; here they get names, descriptions and small records.
"""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlmodel import select

from members import changes, orders, payments, people, returns
from members.access import Role
from members.changes import Changed, Part, Pick, Swap
from members.errors import RuleBroken
from members.tables import Order, PaymentMethod, Product, Variant
from tools.bench import Bench, Record, money
from tools.gateway import OrderId, tool
from tools.orders import Line, line_of

MethodId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), Field(description="id of one of the member's payment methods")]
VariantId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
AddressPart = Annotated[str, StringConstraints(strip_whitespace=True, max_length=120)]
Reason = Literal["not_wanted", "wrong_size", "not_as_described", "faulty", "wrong_item"]


class Piece(BaseModel):
    """An article by its variant id; all pieces of it when no quantity is given."""

    model_config = ConfigDict(extra="forbid", strict=True)
    variant_id: VariantId
    quantity: int | None = Field(default=None, ge=1, le=999)


class Exchange(BaseModel):
    """An article by its variant id, and the variant of the same product that should come instead."""

    model_config = ConfigDict(extra="forbid", strict=True)
    variant_id: VariantId
    new_variant_id: VariantId
    quantity: int | None = Field(default=None, ge=1, le=999)


Pieces = Annotated[list[Piece], Field(min_length=1, max_length=40, description="which articles, by variant id from order_options")]
Exchanges = Annotated[
    list[Exchange], Field(min_length=1, max_length=40, description="every article to change, with what comes instead: it can be done only once")
]


# --- what is possible -------------------------------------------------------------------


class Choice(Record):
    """A variant of the same product that can be had."""

    variant_id: str
    options_en: dict[str, str]
    options_zh: dict[str, str]
    price: str


class OrderArticle(Record):
    """One article of an order, and what it could be exchanged for."""

    variant_id: str
    product_id: str
    name_en: str
    name_zh: str
    options_en: dict[str, str]
    options_zh: dict[str, str]
    quantity: int
    price: str
    variants: list[Choice]


class Method(Record):
    """A way to pay; `balance` only for gift cards."""

    method_id: str
    kind: str
    label: str
    balance: str | None
    used_here: bool


class OrderOptions(Record):
    """Everything needed to change, send back or exchange articles of one order."""

    order_id: str
    status: str
    currency: str
    can: list[str]
    why_not: dict[str, Any] | None
    last_day_to_return: date | None
    articles: list[OrderArticle]
    methods: list[Method]
    ship_to: str
    ship_to_parts: dict[str, str]


@tool(Role.MEMBER, staff=True)
def order_options(bench: Bench, order_id: OrderId) -> OrderOptions:
    """What can still be done with one of the member's own orders: its articles with variant ids, the variants they could become, and ways to pay."""
    session = bench.session
    order = orders.get(session, bench.me, order_id)
    can, why_not = _able(bench, order)
    first, _ = payments.first_method(session, order.id)
    last = None
    if order.delivered_on and bench.rules.service.return_days:
        last = date.fromordinal(order.delivered_on.toordinal() + bench.rules.service.return_days)
    goods = [line for line in orders.lines(session, order.id) if line.kind == "product" and line.quantity > line.returned]
    return OrderOptions(
        order_id=order.id,
        status=order.status,
        currency=bench.rules.currency,
        can=can,
        why_not=why_not,
        last_day_to_return=last,
        articles=[_article(bench, line) for line in goods[:12]],
        methods=[_method(card, first) for card in people.payment_methods(session, bench.me)],
        ship_to=place_of(order.ship_to),
        ship_to_parts={part: str(order.ship_to.get(part, "")) for part in changes.ADDRESS},
    )


def _able(bench: Bench, order: Order) -> tuple[list[str], dict[str, Any] | None]:
    try:
        if order.status == orders.OPEN:
            orders.must_be_open(order, "items")
            return ["cancel", "change_address", "change_payment", "change_items"], None
        returns.must_be_returnable(order, "return", on=bench.today, rules=bench.rules)
        return ["return", "exchange"], None
    except RuleBroken as rule:
        return [], {"rule": rule.details.get("rule", ""), "fact": rule.fact, "passage": rule.passage}


def _article(bench: Bench, line: Any) -> OrderArticle:
    session = bench.session
    product, mine = session.get(Product, line.product_id), session.get(Variant, line.variant_id)
    others = session.exec(select(Variant).where(Variant.product_id == line.product_id).order_by(Variant.id)).all()
    named = line_of(bench, line)
    return OrderArticle(
        variant_id=line.variant_id,
        product_id=line.product_id,
        name_en=(product.name_en if product else "") or named.name_en,
        name_zh=(product.name_zh if product else "") or named.name_zh,
        options_en=mine.options_en if mine else {},
        options_zh=mine.options_zh if mine else {},
        quantity=line.quantity - line.returned,
        price=money(line.unit_price_cents),
        variants=[
            Choice(variant_id=v.id, options_en=v.options_en, options_zh=v.options_zh, price=money(v.price_cents))
            for v in others
            if v.available and v.stock != 0
        ][:20],
    )


def _method(card: PaymentMethod, first: str | None) -> Method:
    balance = money(card.balance_cents) if card.balance_cents is not None else None
    return Method(method_id=card.id, kind=card.kind, label=card.label or card.kind, balance=balance, used_here=card.id == first)


# --- address and payment ----------------------------------------------------------------


class ChangedAddress(Record):
    """Where an order, or with no order everything from now on, goes."""

    order_id: str | None
    before: str
    after: str
    open_orders: list[str]


def _place(line1: str, line2: str, city: str, region: str, postcode: str, country: str) -> dict[str, str]:
    return {"line1": line1, "line2": line2, "city": city, "region": region, "postcode": postcode, "country": country}


def place_of(place: dict[str, Any]) -> str:
    """An address in one line."""
    return ", ".join(str(place[part]) for part in ("line1", "line2", "city", "region", "postcode", "country") if place.get(part))


def preview_order_address(bench: Bench, order_id: OrderId, line1: str, city: str, line2: str, region: str, postcode: str, country: str) -> ChangedAddress:
    """What changing the address would do; refuses where the rules do."""
    order = orders.get(bench.session, bench.me, order_id)
    orders.must_be_open(order, "address")
    after = _place(line1, line2, city, region, postcode, country)
    return ChangedAddress(order_id=order.id, before=place_of(order.ship_to), after=place_of(after), open_orders=[])


@tool(Role.MEMBER, preview=preview_order_address, staff=True)
def change_order_address(
    bench: Bench,
    order_id: OrderId,
    line1: Annotated[AddressPart, Field(min_length=1, description="street and number")],
    city: Annotated[AddressPart, Field(min_length=1)],
    line2: AddressPart = "",
    region: Annotated[AddressPart, Field(description="state or county")] = "",
    postcode: AddressPart = "",
    country: AddressPart = "",
) -> ChangedAddress:
    """Send an order that has not left to another address. Waits for the member's yes."""
    before = place_of(orders.get(bench.session, bench.me, order_id).ship_to)
    place = _place(line1, line2, city, region, postcode, country)
    order = changes.change_address(bench.session, bench.me, order_id, place, on=bench.today, actor=bench.actor)
    return ChangedAddress(order_id=order.id, before=before, after=place_of(place), open_orders=[])


def preview_default_address(bench: Bench, line1: str, city: str, line2: str, region: str, postcode: str, country: str) -> ChangedAddress:
    """What the new default would replace, and which orders still go to the old one."""
    home = people.default_address(bench.session, bench.me)
    found, _ = orders.find(bench.session, bench.me, status=orders.OPEN, limit=5)
    before = place_of(home.model_dump()) if home else ""
    after = place_of(_place(line1, line2, city, region, postcode, country))
    return ChangedAddress(order_id=None, before=before, after=after, open_orders=[order.id for order in found])


@tool(Role.MEMBER, preview=preview_default_address, staff=True)
def change_default_address(
    bench: Bench,
    line1: Annotated[AddressPart, Field(min_length=1, description="street and number")],
    city: Annotated[AddressPart, Field(min_length=1)],
    line2: AddressPart = "",
    region: Annotated[AddressPart, Field(description="state or county")] = "",
    postcode: AddressPart = "",
    country: AddressPart = "",
) -> ChangedAddress:
    """Change the address future orders go to; orders already placed keep theirs. Waits for the member's yes."""
    place = _place(line1, line2, city, region, postcode, country)
    shown = preview_default_address(bench, **place)
    people.set_default_address(bench.session, bench.me, place)
    return shown


class ChangedPayment(Record):
    """What the new method pays and the old one gets back."""

    order_id: str
    currency: str
    amount: str
    pays_now: str
    refund_to: str
    refund_days: list[int]


def preview_payment(bench: Bench, order_id: OrderId, method_id: MethodId) -> ChangedPayment:
    """What paying another way would do; refuses where the rules do."""
    return _repaid(bench, changes.plan_payment(bench.session, bench.me, order_id, method_id, rules=bench.rules))


@tool(Role.MEMBER, preview=preview_payment, staff=True)
def change_order_payment(bench: Bench, order_id: OrderId, method_id: MethodId) -> ChangedPayment:
    """Pay an order that has not left by another of the member's methods; the old one gets its money back. Waits for the member's yes."""
    done = changes.change_payment(bench.session, bench.me, order_id, method_id, on=bench.today, key=bench.key, rules=bench.rules, actor=bench.actor)
    return _repaid(bench, done)


def _repaid(bench: Bench, done: changes.Repayment) -> ChangedPayment:
    return ChangedPayment(
        order_id=done.order_id,
        currency=bench.rules.currency,
        amount=money(done.cents),
        pays_now=done.new.label,
        refund_to=done.old_label,
        refund_days=list(done.days),
    )


# --- articles ---------------------------------------------------------------------------


class Exchanged(Record):
    """One article and what comes instead."""

    name_en: str
    name_zh: str
    quantity: int
    from_en: dict[str, str]
    from_zh: dict[str, str]
    to_en: dict[str, str]
    to_zh: dict[str, str]
    same: bool


class ChangedItems(Record):
    """What comes instead of what, and what that costs (`to_pay`) or brings back (`to_refund`)."""

    order_id: str
    currency: str
    exchanges: list[Exchanged]
    to_pay: str | None
    to_refund: str | None
    method: str
    days: list[int]
    final: bool


def preview_items(bench: Bench, order_id: OrderId, exchanges: list[Exchange], method_id: str | None = None) -> ChangedItems:
    """What other variants would cost; refuses where the rules do."""
    return _changed(bench, changes.plan_items(bench.session, bench.me, order_id, _swaps(exchanges), method_id, rules=bench.rules))


@tool(Role.MEMBER, preview=preview_items, staff=True)
def change_order_items(bench: Bench, order_id: OrderId, exchanges: Exchanges, method_id: MethodId | None = None) -> ChangedItems:
    """Put other variants of the same products into an order that has not left; can be done once. Waits for the member's yes."""
    shown = _changed(bench, changes.plan_items(bench.session, bench.me, order_id, _swaps(exchanges), method_id, rules=bench.rules))
    changes.change_items(bench.session, bench.me, order_id, _swaps(exchanges), method_id, on=bench.today, key=bench.key, rules=bench.rules, actor=bench.actor)
    return shown


def preview_exchange(bench: Bench, order_id: OrderId, exchanges: list[Exchange], method_id: str | None = None) -> ChangedItems:
    """What an exchange would cost; refuses where the rules do."""
    return _changed(bench, returns.plan_exchange(bench.session, bench.me, order_id, _swaps(exchanges), method_id, on=bench.today, rules=bench.rules))


@tool(Role.MEMBER, preview=preview_exchange, staff=True)
def exchange_items(bench: Bench, order_id: OrderId, exchanges: Exchanges, method_id: MethodId | None = None) -> ChangedItems:
    """Exchange delivered articles for other variants of the same products; the label is sent by e-mail. Waits for the member's yes."""
    done = returns.request_exchange(
        bench.session, bench.me, order_id, _swaps(exchanges), method_id, on=bench.today, key=bench.key, rules=bench.rules, actor=bench.actor
    )
    return _changed(bench, done)


def _swaps(exchanges: list[Exchange]) -> list[Swap]:
    return [Swap(e.variant_id, e.new_variant_id, e.quantity) for e in exchanges]


def _changed(bench: Bench, done: Changed) -> ChangedItems:
    difference = done.difference_cents
    return ChangedItems(
        order_id=done.order_id,
        currency=bench.rules.currency,
        exchanges=[_exchanged(bench, part) for part in done.parts],
        to_pay=money(difference) if difference > 0 else None,
        to_refund=money(-difference) if difference < 0 else None,
        method=done.method_label,
        days=list(done.days),
        final=bench.rules.service.item_changes_once,
    )


def _exchanged(bench: Bench, part: Part) -> Exchanged:
    named, old, new = line_of(bench, part.line), bench.session.get(Variant, part.line.variant_id), part.new
    assert new is not None
    before = old or Variant(id="", product_id="", price_cents=0)
    return Exchanged(
        name_en=named.name_en,
        name_zh=named.name_zh,
        quantity=part.quantity,
        from_en=before.options_en,
        from_zh=before.options_zh or before.options_en,
        to_en=new.options_en,
        to_zh=new.options_zh or new.options_en,
        same=new.id == part.line.variant_id,
    )


# --- sending back -----------------------------------------------------------------------


class ReturnedItems(Record):
    """What goes back, what it brings, and by when the parcel must be handed in."""

    order_id: str
    currency: str
    articles: list[Line]
    reason: str
    goods: str
    label_cost: str | None
    refund: str
    refund_to: str
    refund_days: list[int]
    points_taken_back: int
    points_given_back: int
    taken_off_refund_for_spent_points: str | None


def preview_return(bench: Bench, order_id: OrderId, items: list[Piece], refund_to: str | None = None, reason: str = "not_wanted") -> ReturnedItems:
    """What a return would bring; refuses where the rules do."""
    plan = returns.plan_return(bench.session, bench.me, order_id, _picks(items), refund_to, reason, on=bench.today, rules=bench.rules)
    return _going_back(bench, plan, reason)


@tool(Role.MEMBER, preview=preview_return, staff=True)
def return_items(
    bench: Bench,
    order_id: OrderId,
    items: Pieces,
    refund_to: Annotated[MethodId | None, Field(description="the method it was paid with, or a gift card; left out: as it was paid")] = None,
    reason: Annotated[Reason, Field(description="why, as the member said")] = "not_wanted",
) -> ReturnedItems:
    """Send articles of a delivered order back; the label is sent by e-mail and money follows when the parcel is in. Waits for the member's yes."""
    plan = returns.request_return(
        bench.session, bench.me, order_id, _picks(items), refund_to, reason, on=bench.today, key=bench.key, rules=bench.rules, actor=bench.actor
    )
    return _going_back(bench, plan, reason)


def _picks(items: list[Piece]) -> list[Pick]:
    return [Pick(item.variant_id, item.quantity) for item in items]


def _going_back(bench: Bench, plan: returns.ReturnPlan, reason: str) -> ReturnedItems:
    short = plan.points_short * 100 // bench.rules.redemption.points_per_unit
    return ReturnedItems(
        order_id=plan.order_id,
        currency=bench.rules.currency,
        articles=[line_of(bench, part.line).model_copy(update={"quantity": part.quantity}) for part in plan.parts],
        reason=reason,
        goods=money(plan.goods_cents),
        label_cost=money(plan.label_cents) if plan.label_cents else None,
        refund=money(plan.refund_cents),
        refund_to=plan.method_label,
        refund_days=list(plan.days),
        points_taken_back=plan.points_back,
        points_given_back=plan.points_returned,
        taken_off_refund_for_spent_points=money(short) if short else None,
    )
