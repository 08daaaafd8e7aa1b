"""What is true of the shop, worked out apart from the tools?

Cases name facts (`balance`, `tier`, `missing`) and states of the record after a
turn (`consent.sms`, `pays.O-1`); this module reads them from the record, so that
no expected figure is typed in by hand. `furnish` gives a member what a case
presupposes and the demo shop does not hold.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlmodel import Session, col, select

from assistant.desk import Desk
from members import audience, changes, coupons, ledger, orders, people, privacy, program, returns, timeline
from members.conditions import Conditions
from members.replay import histories
from members.tables import Coupon, Member, Order, OrderLine, Payment, PaymentMethod, Product, ReturnRequest, Ticket, Variant
from prompts import formats

# --- what a case presupposes ------------------------------------------------------------


def furnish(desk: Desk, given: list[str], member_id: str) -> None:
    """Give the member these things (GIVEN) before the case begins."""
    for name in given:
        with desk.database.effect() as session:
            GIVEN[name](desk, session, member_id)


def _coupons(desk: Desk, session: Session, member_id: str) -> None:
    """Five pounds off from twenty, ten per cent off, and one that is over."""
    until = {name: desk.today + timedelta(days=days) for name, days in (("PINE5-GIVEN", 10), ("TENTH-GIVEN", 30), ("SPRING-GIVEN", -40))}
    session.add(Coupon(code="PINE5-GIVEN", member_id=member_id, kind="amount", value=500, minimum_cents=2000, ends_on=until["PINE5-GIVEN"]))
    session.add(Coupon(code="TENTH-GIVEN", member_id=member_id, kind="percent", value=10, ends_on=until["TENTH-GIVEN"]))
    session.add(Coupon(code="SPRING-GIVEN", member_id=member_id, kind="percent", value=20, ends_on=until["SPRING-GIVEN"]))


def _cards(_: Desk, session: Session, member_id: str) -> None:
    """A Visa card and a gift card with plenty on it."""
    session.add(PaymentMethod(id=f"{member_id}-visa", member_id=member_id, kind="visa", label="Visa ··4821"))
    session.add(PaymentMethod(id=f"{member_id}-gift", member_id=member_id, kind="gift_card", label="Gift card ··7730", balance_cents=20_000))


def _second_pending(desk: Desk, session: Session, member_id: str) -> None:
    """An older order that has not left either: a silk pillowcase in pearl."""
    percent = desk.rules.tier(people.get(session, member_id).tier).discount_percent
    price = session.get_one(Variant, "P-1055-1").price_cents
    total = price * (100 - percent) // 100
    on = desk.today - timedelta(days=2)
    home = people.default_address(session, member_id)
    place = {part: str(getattr(home, part, "")) for part in changes.ADDRESS}
    order = Order(id="O-90001", member_id=member_id, status="pending", ordered_at=datetime.combine(on, time(9)), promised_on=on + timedelta(days=5))
    order.total_cents, order.discount_cents, order.ship_to = total, price - total, place
    session.add(order)
    session.flush()
    session.add(OrderLine(order_id=order.id, position=1, product_id="P-1055", variant_id="P-1055-1", quantity=1, unit_price_cents=price))
    card = people.payment_methods(session, member_id)[0]
    session.add(Payment(order_id=order.id, kind="payment", amount_cents=total, method_id=card.id, method_label=card.label, booked_on=on, key="payment"))


def _coming_back(desk: Desk, session: Session, member_id: str) -> None:
    """The first article of the newest delivered order is on its way back."""
    order = next(o for o in _orders(session, member_id) if o.status == "delivered")
    line = _goods(session, order.id)[0][0]
    picks = [changes.Pick(line.variant_id, 1)]
    returns.request_return(session, member_id, order.id, picks, None, "not_wanted", on=desk.today, key="given", rules=desk.rules)


def _leaving(desk: Desk, session: Session, member_id: str) -> None:
    """The member asked to leave today."""
    privacy.leave(session, member_id, on=desk.today, key="given", rules=desk.rules)


GIVEN: dict[str, Callable[[Desk, Session, str], None]] = {
    "coupons": _coupons,
    "cards": _cards,
    "second_pending": _second_pending,
    "coming_back": _coming_back,
    "leaving": _leaving,
}


# --- what to fill in --------------------------------------------------------------------


def blanks(desk: Desk, member_id: str | None) -> dict[str, str]:
    """Ids and names to fill into a case's words.

    Orders: `{latest}`, `{foreign}`, by status `{pending}`, `{shipped}`, `{delivered}`, `{cancelled}` and the second newest
    `{delivered_2}`, `{return_requested}`, and `{too_late}`, past the days to return. Of each of these articles by position: `{delivered_thing}` and
    `{delivered_thing_zh}` for the first, `{delivered_thing_3}`, `{delivered_thing_3_zh}`, `{delivered_variant_3}` for others.
    Of what was given: `{visa}`, `{gift_card}`, `{coupon_amount}`, `{coupon_percent}`, `{coupon_old}`.
    """
    me = member_id or "M-10001"
    found = {"visa": f"{me}-visa", "gift_card": f"{me}-gift", "balance_before": str(balance_of(desk, me))}
    found |= {"coupon_amount": "PINE5-GIVEN", "coupon_percent": "TENTH-GIVEN", "coupon_old": "SPRING-GIVEN"}
    with desk.database.read() as session:
        mine = _orders(session, me)
        foreign = session.exec(select(Order).where(Order.member_id == "M-10050", Order.status == "delivered").order_by(col(Order.ordered_at).desc())).first()
        found |= {"latest": mine[0].id, "foreign": foreign.id if foreign else "O-99999"}
        named: dict[str, Order] = {}
        for status in ("pending", "shipped", "delivered", "cancelled", "return_requested"):
            for place, order in enumerate([o for o in mine if o.status == status][:2], start=1):
                named[status if place == 1 else f"{status}_{place}"] = order
        last = desk.today - timedelta(days=desk.rules.service.return_days)
        late = next((o for o in mine if o.status == "delivered" and o.delivered_on and o.delivered_on < last), None)
        for name, order in {**named, **({"too_late": late} if late else {})}.items():
            found[name] = order.id
            for place, (line, product) in enumerate(_goods(session, order.id), start=1):
                found |= {f"{name}_thing_{place}": product.name_en, f"{name}_thing_{place}_zh": product.name_zh, f"{name}_variant_{place}": line.variant_id}
            found |= {f"{name}_thing": found.get(f"{name}_thing_1", ""), f"{name}_thing_zh": found.get(f"{name}_thing_1_zh", "")}
    return found


def _orders(session: Session, member_id: str) -> list[Order]:
    return list(session.exec(select(Order).where(Order.member_id == member_id).order_by(col(Order.ordered_at).desc())).all())


def _goods(session: Session, order_id: str) -> list[tuple[OrderLine, Product]]:
    joined = select(OrderLine, Product).join(Product, col(OrderLine.product_id) == Product.id)
    return list(session.exec(joined.where(OrderLine.order_id == order_id).order_by(col(OrderLine.position))).all())


# --- facts of an answer -----------------------------------------------------------------


def value(desk: Desk, name: str, member_id: str, language: str) -> str:
    """A fact as the answer must say it: `balance`, or `earned.O-1` of an order, `worth.500` of a number. Raises KeyError for an unknown name."""
    kind, _, of = name.partition(".")
    with desk.database.read() as session:
        return _FACTS_OF[kind](desk, session, member_id, of) if of else _FACTS[name](desk, session, member_id, language)


def balance_of(desk: Desk, member_id: str) -> int:
    """A member's points now."""
    with desk.database.read() as session:
        return ledger.balance(session, member_id, as_of=desk.today)


def _standing(desk: Desk, session: Session, member_id: str) -> program.Standing:
    past = histories(session, [member_id]).get(member_id)
    return program.standing(past.up_to(desk.today).spends() if past else [], desk.rules, on=desk.today)


def _money(desk: Desk, cents: int) -> str:
    return formats.money(f"{cents / 100:.2f}", desk.rules.currency)


def _name(tier: Any, language: str) -> str:
    return str(tier.name_zh if language == "zh" else tier.name_en)


def _day(on: date | None, desk: Desk, language: str) -> str:
    return formats.day(on, language, desk.today) if on else ""


def _first_lapse(desk: Desk, session: Session, member_id: str) -> tuple[date | None, int]:
    lots = [lot for lot in ledger.lots(session, member_id, as_of=desk.today) if lot.expires_on]
    first = min((lot.expires_on for lot in lots if lot.expires_on), default=None)
    return first, sum(lot.left for lot in lots if lot.expires_on == first)


def _latest(session: Session, member_id: str) -> Order:
    return session.exec(select(Order).where(Order.member_id == member_id).order_by(col(Order.ordered_at).desc())).first()  # type: ignore[return-value]


_FACTS: dict[str, Callable[[Desk, Session, str, str], str]] = {
    "balance": lambda d, s, m, _: formats.number(ledger.balance(s, m, as_of=d.today)),
    "worth": lambda d, s, m, _: _money(d, program.worth_cents(ledger.balance(s, m, as_of=d.today), d.rules)),
    "first_expiry_day": lambda d, s, m, lang: _day(_first_lapse(d, s, m)[0], d, lang),
    "first_expiry_points": lambda d, s, m, _: formats.number(_first_lapse(d, s, m)[1]),
    "tier": lambda d, s, m, lang: _name(_standing(d, s, m).tier, lang),
    "next_tier": lambda d, s, m, lang: _name(_standing(d, s, m).next_tier, lang),
    "missing": lambda d, s, m, _: _money(d, _standing(d, s, m).missing_cents),
    "window_spend": lambda d, s, m, _: _money(d, _standing(d, s, m).spend_cents),
    "kept_until": lambda d, s, m, lang: _day(_standing(d, s, m).kept_until, d, lang),
    "latest_order": lambda d, s, m, _: _latest(s, m).id,
    "latest_total": lambda d, s, m, _: _money(d, _latest(s, m).total_cents),
    "name": lambda d, s, m, _: s.get_one(Member, m).name,
    "silver_london_60": lambda d, s, m, _: str(
        audience.count(s, Conditions(tiers=["silver"], cities=["London"], not_bought_for_days=60).where(), on=d.today).matching
    ),
    "silver_shanghai_60": lambda d, s, m, _: str(
        audience.count(s, Conditions(tiers=["silver"], cities=["Shanghai"], not_bought_for_days=60).where(), on=d.today).matching
    ),
}
# Of something named after a full stop.
_FACTS_OF: dict[str, Callable[[Desk, Session, str, str], str]] = {
    "worth": lambda d, s, m, points: _money(d, program.worth_cents(int(points), d.rules)),
    "earned": lambda d, s, m, order: formats.number(ledger.earned_by(s, order, m)),
    "total": lambda d, s, m, order: _money(d, s.get_one(Order, order).total_cents),
    "best_coupon": lambda d, s, m, order: _best(d, s, m, order).coupon.code,
    "best_saving": lambda d, s, m, order: _money(d, _best(d, s, m, order).cents),
}
NAMES = (*_FACTS, *_FACTS_OF)


def _best(desk: Desk, session: Session, member_id: str, order_id: str) -> coupons.Saving:
    basket = coupons.basket_of(session, orders.get(session, member_id, order_id))
    return max(coupons.savings(session, member_id, basket, on=desk.today), key=lambda saving: saving.cents)


# --- states of the record ---------------------------------------------------------------


def state(desk: Desk, name: str, member_id: str) -> str:
    """How the record stands: `consent.sms`, `language`, `city`, `leaving`, `ship_to.ORDER` … Raises KeyError for an unknown name."""
    kind, _, of = name.partition(".")
    with desk.database.read() as session:
        return STATES[kind](session, member_id, of)


def _yes(so: object) -> str:
    return "yes" if so else "no"


def _city(session: Session, member_id: str) -> str:
    home = people.default_address(session, member_id)
    return home.city if home else ""


def _pays(session: Session, order_id: str) -> str:
    paid = session.exec(select(Payment).where(Payment.order_id == order_id, Payment.kind == "payment").order_by(col(Payment.id).desc())).first()
    return (paid.method_id or "") if paid else ""


def _returning(session: Session, order_id: str) -> str:
    """The variants on their way back, by id."""
    request = session.exec(select(ReturnRequest).where(ReturnRequest.order_id == order_id, ReturnRequest.status == "open")).first()
    return ",".join(sorted(str(one["variant_id"]) for one in request.articles)) if request else "none"


STATES: dict[str, Callable[[Session, str, str], str]] = {
    "consent": lambda s, m, channel: _yes(people.consents(s, m).get(channel, False)),
    "language": lambda s, m, _: people.get(s, m).language,
    "city": lambda s, m, _: _city(s, m),
    "leaving": lambda s, m, _: _yes(people.get(s, m).erase_on),
    "ship_to": lambda s, m, order: str(s.get_one(Order, order).ship_to.get("city", "")),
    "pays": lambda s, m, order: _pays(s, order),
    "coupon": lambda s, m, order: s.get_one(Order, order).coupon_code or "none",
    "points_used": lambda s, m, order: str(sum(e.details["points"] for e in timeline.of(s, order) if e.kind == "points_used")),
    "variants": lambda s, m, order: ",".join(sorted(line.variant_id for line, _ in _goods(s, order))),
    "returning": lambda s, m, order: _returning(s, order),
    "tickets": lambda s, m, _: str(len(s.exec(select(Ticket.id).where(Ticket.member_id == m, Ticket.status == "open")).all())),
}
