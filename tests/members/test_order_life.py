"""Whatever happens to an order in whatever order, do its goods, money and points stay right?"""

import contextlib
from collections.abc import Callable
from datetime import date, timedelta
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from members import changes, coupons, ledger, orders, payments, returns
from members.access import Actor
from members.changes import Pick, Swap
from members.errors import Refusal
from members.tables import Coupon, Member, Order, Payment, PaymentMethod, Product, ReturnLine, Variant

START = date(2025, 1, 28)
_shops = count()


def _acts(*kinds: str) -> st.SearchStrategy[tuple[str, int, int, int]]:
    return st.tuples(st.sampled_from(kinds), st.integers(0, 5), st.integers(1, 4), st.sampled_from([0, 0, 0, 3, 200]))


# An order is changed before it leaves, and what came may go back; points come and go all the time.
before = st.lists(_acts("earn", "voucher", "use", "use", "coupon", "repay", "items", "cancel"), max_size=5)
after = st.lists(_acts("earn", "voucher", "return", "return", "exchange", "receive", "receive", "receive", "use"), max_size=8)


class Life:
    """One member with one order of four boards and two tins, paid by Visa or partly by gift card, and everything that may happen to it."""

    def __init__(self, world: Any, discount: int, by_card: int) -> None:
        self.world, self.on, self.n, self.withheld = world, START, next(_shops), 0
        self.member, self.order = world.member(f"L{self.n}"), f"LO{self.n}"
        self.goods = {self.id(name): cents for name, cents in (("oak", 1333), ("pine", 777), ("ash", 2501), ("tin", 499), ("box", 899))}
        world.add(Product(id=self.id("board"), category="home"), Product(id=self.id("can"), category="tea"))
        for place, (name, cents) in enumerate(self.goods.items()):
            world.add(Variant(id=name, product_id=self.id("board" if place < 3 else "can"), price_cents=cents, stock=3))
        for name, kind, balance in (("visa", "credit_card", None), ("gift", "gift_card", 9000)):
            world.add(PaymentMethod(id=self.id(name), member_id=self.member, kind=kind, label=name, balance_cents=balance))
        for code, kind, value in (("TEN", "percent", 10), ("BIG", "amount", 1500)):
            world.add(Coupon(code=self.id(code), member_id=self.member, kind=kind, value=value))
        first, second = self.id("oak"), self.id("tin")
        world.order(self.order, self.member, START, (first, 4, 1333), (second, 2, 499), paid="", discount_cents=discount, shipping_cents=395)
        with world.database.effect() as session:
            placed = session.get_one(Order, self.order)
            for line, product in zip(orders.lines(session, placed.id), ("board", "can"), strict=True):
                line.product_id = self.id(product)
            placed.total_cents += 395 - discount
            for name, cents in (("gift", by_card), ("visa", placed.total_cents - by_card)):
                if cents:
                    session.add(Payment(order_id=placed.id, kind="payment", amount_cents=cents, method_id=self.id(name), method_label=name, key=name))
            session.flush()
            ledger.earn(session, self.member, 1000, on=START - timedelta(300), key="before", rules=world.rules)
            ledger.earn(session, self.member, orders.points_due(session, placed, world.rules), on=START, key="order", rules=world.rules, order_id=placed.id)

    def id(self, name: str) -> str:
        return f"{name}{self.n}"

    def do(self, session: Session, kind: str, which: int, many: int, key: str) -> None:
        """One act, as any of the tools would do it."""
        common: dict[str, Any] = {"on": self.on, "key": key, "rules": self.world.rules}
        names, here = list(self.goods), [line.variant_id for line in orders.lines(session, self.order) if line.quantity > line.returned]
        first = here[which % len(here)] if here else ""
        kin = names[:3] if first in names[:3] else names[3:]
        # Before it leaves, the same again would change nothing; afterwards it may come for a faulty piece.
        kin = kin if kind == "exchange" else [name for name in kin if name != first]
        mine = (session, self.member, self.order)
        swap = [Swap(first, kin[many % len(kin)], many if many < 3 else None)]
        if which == 5:
            swap = [Swap(first, kin[0], 1), Swap(first, kin[-1], 1)]
        method = (None, self.id("visa"), self.id("gift"))[which % 3]
        todo: dict[str, Callable[[], Any]] = {
            "earn": lambda: ledger.earn(session, self.member, 400 * many, **common),
            "voucher": lambda: coupons.voucher(session, self.member, 100 * many, **common),
            "use": lambda: coupons.use_points(*mine, 300 * many, **common),
            "coupon": lambda: coupons.apply(*mine, self.id(("TEN", "BIG")[which % 2]), **common),
            "repay": lambda: changes.change_payment(*mine, self.id(("visa", "gift")[which % 2]), **common),
            "items": lambda: changes.change_items(*mine, swap, method, **common),
            "leave the shelf": lambda: self._deliver(session),
            "return": lambda: returns.request_return(
                *mine, [Pick(first, many if many < 3 else None)], (None, self.id("gift"))[many % 2], ("faulty", "not_wanted")[which % 2], **common
            ),
            "exchange": lambda: returns.request_exchange(*mine, swap, method, **common),
            "receive": lambda: self._receive(session, common),
            "cancel": lambda: orders.cancel(*mine, "changed_mind", **common),
        }
        todo[kind]()

    def _deliver(self, session: Session) -> None:
        order = session.get_one(Order, self.order)
        if order.status == "pending":
            order.status, order.delivered_on = "delivered", self.on

    def _receive(self, session: Session, common: dict[str, Any]) -> None:
        agreed = returns.open_request(session, self.member, self.order).difference_cents
        before = self._refunded(session)
        done = returns.receive(session, self.member, self.order, actor=Actor(), **common)
        due = max(0, -agreed) if done.kind == "exchange" else self._refunded(session) - before
        assert 0 <= done.refund_cents <= due
        self.withheld += due - done.refund_cents

    def _refunded(self, session: Session) -> int:
        return sum(session.exec(select(ReturnLine.refund_cents).where(ReturnLine.order_id == self.order)))

    def state(self) -> Any:
        """Everything that may not change when an act comes a second time."""
        with self.world.database.read() as session:
            order = session.get_one(Order, self.order).model_dump()
            lines = [line.model_dump() for line in orders.lines(session, self.order)]
            paid = [p.model_dump() for p in payments.of(session, self.order)]
            shelf = [session.get_one(Variant, name).model_dump() for name in self.goods]
            return order, lines, paid, shelf, session.get_one(Member, self.member).points, self._card(session)

    def _card(self, session: Session) -> int:
        return session.get_one(PaymentMethod, self.id("gift")).balance_cents or 0

    def check(self) -> None:
        """What must be true at any time."""
        assert self.world.balance(self.member, self.on) <= self.world.guard(self.member)
        with self.world.database.read() as session:
            order, lines = session.get_one(Order, self.order), orders.lines(session, self.order)
            assert order.total_cents == sum(line.quantity * line.unit_price_cents for line in lines) - order.discount_cents + order.shipping_cents
            assert all(0 <= line.returned <= line.quantity and line.quantity > 0 for line in lines)
            assert sum(line.quantity for line in lines) == 6
            held = sum(p.amount_cents if p.kind == "payment" else -p.amount_cents for p in payments.of(session, order.id))
            assert held >= 0 and sum(one.cents for one in payments.held(payments.of(session, order.id))) == held
            if order.status != "cancelled":
                assert held == order.total_cents - self._refunded(session) + self.withheld
            if order.status == "returned":
                assert order.total_cents - self._refunded(session) == order.shipping_cents and ledger.used_at(session, order.id, self.member) == 0
            if order.status in ("cancelled", "returned"):
                assert ledger.earned_by(session, order.id, self.member) <= 0 or self.world.balance(self.member, self.on) == 0
            assert all((session.get_one(Variant, name).stock or 0) >= 0 for name in self.goods)
            assert self._card(session) >= 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before, after, st.sampled_from([0, 1, 633]), st.sampled_from([0, 0, 2000]))
def test_goods_money_and_points_of_an_order_stay_right(world: Any, first: Any, then: Any, discount: int, by_card: int) -> None:
    life = Life(world, discount, by_card)
    life.check()
    for place, (kind, which, many, wait) in enumerate([*first, ("leave the shelf", 0, 1, 0), *then]):
        # What is under way is not waited for: the time to send something back would be over.
        life.on += timedelta(wait if place < len(first) else wait % 9)
        try:
            with world.database.effect() as session:
                life.do(session, kind, which, many, f"{life.n}-{place}")
        except Refusal:
            pass
        else:
            done = life.state()
            withheld = life.withheld
            # The database itself refuses a second payment under one key; nothing of such a transaction stays.
            with contextlib.suppress(Refusal, IntegrityError), world.database.effect() as session:
                life.do(session, kind, which, many, f"{life.n}-{place}")
            assert life.state() == done and life.withheld == withheld
        life.check()
