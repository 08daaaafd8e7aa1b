"""What is true of the shop, worked out apart from the tools?

Cases name facts (`balance`, `tier`, `missing`); this module reads them from the
record, so that no expected figure is typed in by hand.
"""

from collections.abc import Callable
from datetime import date
from typing import Any

from sqlmodel import Session, col, select

from assistant.desk import Desk
from members import audience, ledger, program
from members.replay import histories
from members.tables import Member, Order, OrderLine, Product
from prompts import formats


def blanks(desk: Desk, member_id: str | None) -> dict[str, str]:
    """Ids to fill into a case's words: `{pending}`, `{delivered}`, `{latest}`, `{foreign}` …"""
    with desk.database.read() as session:
        mine = session.exec(select(Order).where(Order.member_id == (member_id or "M-10001")).order_by(col(Order.ordered_at).desc())).all()
        foreign = session.exec(select(Order).where(Order.member_id == "M-10050", Order.status == "delivered").order_by(col(Order.ordered_at).desc())).first()
        found = {"latest": mine[0].id, "foreign": foreign.id if foreign else "O-99999"}
        for status in ("pending", "shipped", "delivered", "cancelled"):
            order = next((o for o in mine if o.status == status), None)
            if order:
                found[status] = order.id
                line = session.exec(
                    select(Product).join(OrderLine, col(OrderLine.product_id) == Product.id).where(OrderLine.order_id == order.id).order_by(OrderLine.position)
                ).first()
                found[f"{status}_thing"] = line.name_en if line else ""
                found[f"{status}_thing_zh"] = line.name_zh if line else ""
    return found


def value(desk: Desk, name: str, member_id: str, language: str) -> str:
    """A fact as the answer must say it. Raises KeyError for an unknown name."""
    with desk.database.read() as session:
        return _FACTS[name](desk, session, member_id, language)


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
        audience.count(s, audience.Conditions(tiers=["silver"], cities=["London"], not_bought_for_days=60), on=d.today).matching
    ),
    "silver_shanghai_60": lambda d, s, m, _: str(
        audience.count(s, audience.Conditions(tiers=["silver"], cities=["Shanghai"], not_bought_for_days=60), on=d.today).matching
    ),
}
NAMES = tuple(_FACTS)
