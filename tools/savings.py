"""What can a member save by coupons and points? Lists, the best for a basket, and using them."""

from datetime import date
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from members import catalogue, coupons, ledger, orders, people, program
from members.access import Role
from members.errors import RuleBroken
from members.tables import Coupon
from retrieval.search import answers
from tools.bench import Bench, Record, cents, money
from tools.gateway import OrderId, ShortText, tool

Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=40), Field(description="the coupon's code")]
PointsNumber = Annotated[int, Field(ge=1, le=10_000_000)]


class CouponFacts(Record):
    """A coupon with its conditions; `worth` for a fixed amount, `percent` otherwise."""

    code: str
    percent: int | None
    worth: str | None
    minimum: str | None
    category: str
    starts_on: date | None
    ends_on: date | None
    state: str
    used_order_id: str | None


class MyCoupons(Record):
    """Coupons that can be used, and how many are used up or over."""

    as_of: date
    currency: str
    usable: list[CouponFacts]
    used: int
    expired: int
    one_an_order: bool = True


def facts_of(coupon: Coupon, on: date) -> CouponFacts:
    """A coupon as records show it."""
    amount = coupon.kind == "amount"
    return CouponFacts(
        code=coupon.code,
        percent=None if amount else coupon.value,
        worth=money(coupon.value) if amount else None,
        minimum=money(coupon.minimum_cents) if coupon.minimum_cents else None,
        category=coupon.category,
        starts_on=coupon.starts_on,
        ends_on=coupon.ends_on,
        state=coupons.state(coupon, on),
        used_order_id=coupon.used_order_id,
    )


@tool(Role.MEMBER, staff=True)
def my_coupons(bench: Bench) -> MyCoupons:
    """The member's coupons and vouchers: worth, conditions, until when."""
    held = [facts_of(coupon, bench.today) for coupon in coupons.mine(bench.session, bench.me)]
    return MyCoupons(
        as_of=bench.today,
        currency=bench.rules.currency,
        usable=[c for c in held if c.state in ("usable", "not_yet")][:8],
        used=sum(c.state == "used" for c in held),
        expired=sum(c.state == "expired" for c in held),
    )


class CouponChoice(Record):
    """What one coupon saves on the basket, or why it does not count for it."""

    coupon: CouponFacts
    saves: str
    rule: str | None


class BestCoupon(Record):
    """Coupons for one basket, the one that saves most first."""

    as_of: date
    currency: str
    basket: str
    basket_of: str
    order_id: str | None
    choices: list[CouponChoice]
    usable_points: int
    points_worth: str


@tool(Role.MEMBER, staff=True)
def best_coupon(
    bench: Bench,
    order_id: Annotated[OrderId | None, Field(description="an order not shipped yet; left out with an amount or a product")] = None,
    product: Annotated[ShortText | None, Field(description="a product they think of buying")] = None,
    amount: Annotated[float | None, Field(ge=0, le=1_000_000, description="what the basket comes to, in the shop's currency")] = None,
) -> BestCoupon:
    """Which of the member's coupons saves most on a basket: of an order, a product, or an amount. One coupon an order."""
    basket, named, order = _basket(bench, order_id, product, amount)
    total = sum(value for _, value in basket)
    found = coupons.savings(bench.session, bench.me, basket, on=bench.today)
    rule = bench.rules.redemption
    there = ledger.balance(bench.session, bench.me, as_of=bench.today)
    share = int(total * rule.basket_share) * rule.points_per_unit // 100
    usable = min(there, share) // rule.step * rule.step
    return BestCoupon(
        as_of=bench.today,
        currency=bench.rules.currency,
        basket=money(total),
        basket_of=named,
        order_id=order,
        choices=[
            CouponChoice(coupon=facts_of(s.coupon, bench.today), saves=money(s.cents), rule=str(s.obstacle.details.get("rule", "")) if s.obstacle else None)
            for s in found[:4]
        ],
        usable_points=usable,
        points_worth=money(program.worth_cents(usable, bench.rules)),
    )


def _basket(bench: Bench, order_id: str | None, product: str | None, amount: float | None) -> tuple[list[tuple[str, int]], str, str | None]:
    """What is meant to be bought, after the tier discount; without any word of it, the newest order not shipped."""
    percent = bench.rules.tier(people.get(bench.session, bench.me).tier).discount_percent
    if product:
        hits = [h for h in bench.means.search(product, kind="products", limit=1) if answers(h, product, "products")]
        if hits:
            offer = catalogue.get(bench.session, hits[0].entry.id)
            return [(offer.product.category, offer.least_cents * (100 - percent) // 100)], offer.name("en"), None
    if amount is not None:
        return [("", cents(amount) * (100 - percent) // 100)], "", None
    pending, _ = orders.find(bench.session, bench.me, status=orders.OPEN, limit=1)
    if order_id is None and not pending:
        raise RuleBroken("There is no order that has not left; name an amount or a product.", rule="no_basket", instead="name_a_basket")
    order = orders.get(bench.session, bench.me, order_id) if order_id else pending[0]
    return coupons.basket_of(bench.session, order), "", order.id


# --- using them -------------------------------------------------------------------------


class Saved(Record):
    """What comes off an order and goes back to what paid for it."""

    order_id: str
    currency: str
    code: str
    points: int
    saved: str
    refund_to: str
    new_total: str
    points_balance: int


def preview_coupon(bench: Bench, code: str, order_id: OrderId) -> Saved:
    """What the coupon would save; refuses where the rules do."""
    return _saved(bench, coupons.plan_apply(bench.session, bench.me, order_id, code, on=bench.today), code)


@tool(Role.MEMBER, preview=preview_coupon, staff=True)
def apply_coupon(bench: Bench, code: Code, order_id: OrderId) -> Saved:
    """Use one of the member's coupons on an order that has not left; what it saves is paid back. Waits for the member's yes."""
    done = coupons.apply(bench.session, bench.me, order_id, code, on=bench.today, key=bench.key, rules=bench.rules, actor=bench.actor)
    return _saved(bench, done, code)


def _saved(bench: Bench, done: coupons.Taken, code: str) -> Saved:
    return Saved(
        order_id=done.order_id,
        currency=bench.rules.currency,
        code=code.upper() if code else "",
        points=done.points,
        saved=money(done.cents),
        refund_to=done.refund_to,
        new_total=money(done.total_cents),
        points_balance=ledger.balance(bench.session, bench.me, as_of=bench.today),
    )


class Redeemed(Record):
    """Points turned into money: a voucher with its code once made, or off an order."""

    points: int
    currency: str
    worth: str
    order_id: str | None
    refund_to: str
    new_total: str | None
    code: str | None
    ends_on: date | None
    points_balance: int


def preview_redeem(bench: Bench, points: int | None = None, order_id: str | None = None) -> Redeemed:
    """What using the points would bring; refuses where the rules do."""
    wanted = _how_many(bench, points, order_id)
    left = ledger.balance(bench.session, bench.me, as_of=bench.today) - wanted
    if order_id:
        taken = coupons.plan_points(bench.session, bench.me, order_id, wanted, on=bench.today, rules=bench.rules)
        return _redeemed(bench, wanted, left, order_id=taken.order_id, refund_to=taken.refund_to, new_total=money(taken.total_cents))
    _, ends = coupons.plan_voucher(bench.session, bench.me, wanted, on=bench.today, rules=bench.rules)
    return _redeemed(bench, wanted, left, ends_on=ends)


@tool(Role.MEMBER, preview=preview_redeem, staff=True)
def redeem_points(
    bench: Bench,
    points: Annotated[PointsNumber | None, Field(description="how many; left out: as many as can be used")] = None,
    order_id: Annotated[OrderId | None, Field(description="an order not shipped yet to use them on; left out: a voucher is made")] = None,
) -> Redeemed:
    """Turn points into a voucher, or use them on an order that has not left. Waits for the member's yes."""
    session, wanted = bench.session, _how_many(bench, points, order_id)
    if order_id:
        taken = coupons.use_points(session, bench.me, order_id, wanted, on=bench.today, key=bench.key, rules=bench.rules, actor=bench.actor)
        left = ledger.balance(session, bench.me, as_of=bench.today)
        return _redeemed(bench, wanted, left, order_id=taken.order_id, refund_to=taken.refund_to, new_total=money(taken.total_cents))
    made = coupons.voucher(session, bench.me, wanted, on=bench.today, key=bench.key, rules=bench.rules)
    return _redeemed(bench, wanted, ledger.balance(session, bench.me, as_of=bench.today), code=made.code, ends_on=made.ends_on)


def _how_many(bench: Bench, points: int | None, order_id: str | None) -> int:
    if points is not None:
        return points
    rule = bench.rules.redemption
    there = ledger.balance(bench.session, bench.me, as_of=bench.today)
    if order_id:
        order = orders.get(bench.session, bench.me, order_id)
        there = min(there, coupons.most_points(bench.session, order, rules=bench.rules))
    return there // rule.step * rule.step


def _redeemed(bench: Bench, points: int, left: int, **more: Any) -> Redeemed:
    empty: dict[str, Any] = {"order_id": None, "refund_to": "", "new_total": None, "code": None, "ends_on": None}
    worth = money(program.worth_cents(points, bench.rules))
    return Redeemed(points=points, currency=bench.rules.currency, worth=worth, points_balance=left, **{**empty, **more})


# --- what is on -------------------------------------------------------------------------


class CampaignFacts(Record):
    """A campaign that was for this member."""

    name_en: str
    name_zh: str
    channel: str
    percent: int | None
    sent_on: date | None


class ForMe(Record):
    """Offers for this member now: campaigns of late, coupons that can be used, and what the tier opens."""

    as_of: date
    currency: str
    campaigns: list[CampaignFacts]
    coupons: list[CouponFacts]
    tier_name_en: str
    tier_name_zh: str
    early_access_hours: int
    discount_percent: int


_LATELY_DAYS = 60


@tool(Role.MEMBER)
def campaigns_for_me(bench: Bench) -> ForMe:
    """Which offers and campaigns are for the member now: recent campaigns, usable coupons, early access and tier discount."""
    tier = bench.rules.tier(people.get(bench.session, bench.me).tier)
    sent = coupons.campaigns_of(bench.session, bench.me, on=bench.today, days=_LATELY_DAYS)
    held = [facts_of(c, bench.today) for c in coupons.mine(bench.session, bench.me)]
    return ForMe(
        as_of=bench.today,
        currency=bench.rules.currency,
        campaigns=[
            CampaignFacts(name_en=c.name_en, name_zh=c.name_zh or c.name_en, channel=c.channel, percent=c.offer.get("percent"), sent_on=c.sent_on)
            for c in sent[:4]
        ],
        coupons=[c for c in held if c.state == "usable"][:4],
        tier_name_en=tier.name_en,
        tier_name_zh=tier.name_zh or tier.name_en,
        early_access_hours=tier.early_access_hours,
        discount_percent=tier.discount_percent,
    )
