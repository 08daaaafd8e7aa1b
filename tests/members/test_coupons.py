"""What does a coupon or a handful of points take off, and is each used once?"""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, select

from members import changes, coupons, ledger, orders, privacy, timeline
from members.access import Actor, Role
from members.errors import NotFound, RuleBroken
from members.tables import Coupon, Order, Payment, PaymentMethod

BEFORE, ORDERED, TODAY = date(2025, 1, 10), date(2025, 6, 1), date(2025, 6, 2)
ONE = timedelta(1)


def coupon(code: str = "TEN", **fields: Any) -> Coupon:
    return Coupon(**{"code": code, "member_id": "M1", "kind": "percent", "value": 10, **fields})


@pytest.fixture
def shop(world: Any) -> Any:
    return _fill(world)


def _fill(world: Any) -> Any:
    """M1 has a pending order O1 of three boards (30.00) and a gift card as goods in O2 (20.00 with a board of 20.00)."""
    world.member("M1")
    world.member("M2")
    world.product("board")
    world.product("fifty", "gift_cards")
    world.add(PaymentMethod(id="visa", member_id="M1", kind="credit_card", label="Visa"))
    for order_id, goods in (("O1", [("board", 3, 1000)]), ("O2", [("board", 1, 2000), ("fifty", 1, 2000)])):
        world.order(order_id, "M1", ORDERED, *goods, paid="")
        total = sum(quantity * cents for _, quantity, cents in goods)
        world.add(Payment(order_id=order_id, kind="payment", amount_cents=total, method_id="visa", method_label="Visa", key="pay"))
    return world


def apply(world: Any, code: str = "TEN", order_id: str = "O1", key: str = "yes", on: date = TODAY) -> coupons.Taken:
    with world.database.effect() as session:
        return coupons.apply(session, "M1", order_id, code, on=on, key=key, rules=world.rules, actor=Actor(Role.SUPPORT, "A7", "was forgotten"))


def use(world: Any, points: int, order_id: str = "O1", key: str = "yes") -> coupons.Taken:
    with world.database.effect() as session:
        return coupons.use_points(session, "M1", order_id, points, on=TODAY, key=key, rules=world.rules)


def voucher(world: Any, points: int, key: str = "yes") -> Coupon:
    with world.database.effect() as session:
        return coupons.voucher(session, "M1", points, on=TODAY, key=key, rules=world.rules)


def state(session: Session, order_id: str) -> tuple[int, int, int]:
    """Total, discount, and the money held for an order."""
    order = session.get_one(Order, order_id)
    paid = session.exec(select(Payment).where(Payment.order_id == order_id)).all()
    return order.total_cents, order.discount_cents, sum(p.amount_cents if p.kind == "payment" else -p.amount_cents for p in paid)


def sums(world: Any, order_id: str = "O1") -> tuple[int, int, int]:
    with world.database.read() as session:
        return state(session, order_id)


# --- conditions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "basket", "saved"),
    [
        ({}, [("tea", 1990), ("home", 1000)], 299),
        ({"kind": "amount", "value": 500}, [("tea", 2000)], 500),
        ({"kind": "amount", "value": 500}, [("tea", 300)], 300),
        ({"category": "tea"}, [("tea", 1000), ("home", 9000)], 100),
        ({}, [("gift_cards", 5000), ("home", 1000)], 100),
        ({"minimum_cents": 3000}, [("tea", 2000), ("home", 1000)], 300),
        ({"starts_on": TODAY, "ends_on": TODAY}, [("tea", 1000)], 100),
    ],
)
def test_what_a_coupon_saves_on_a_basket(fields: dict[str, Any], basket: list[tuple[str, int]], saved: int) -> None:
    assert coupons.saving_cents(coupon(**fields), basket, on=TODAY) == saved


@pytest.mark.parametrize(
    ("fields", "basket", "rule"),
    [
        ({"minimum_cents": 5000}, [("tea", 4798)], "coupon_minimum"),
        ({"category": "tea"}, [("home", 1000)], "coupon_category"),
        ({}, [("gift_cards", 5000)], "coupon_category"),
        ({"ends_on": TODAY - ONE}, [("tea", 1000)], "coupon_expired"),
        ({"starts_on": TODAY + ONE}, [("tea", 1000)], "coupon_not_yet"),
        ({"used_order_id": "O9"}, [("tea", 1000)], "coupon_used"),
        ({}, [], "coupon_category"),
    ],
)
def test_a_condition_that_is_not_met_is_named(fields: dict[str, Any], basket: list[tuple[str, int]], rule: str) -> None:
    with pytest.raises(RuleBroken) as refused:
        coupons.saving_cents(coupon(**fields), basket, on=TODAY)
    assert refused.value.details["rule"] == rule and refused.value.passage.startswith("coupons.")


def test_a_members_coupons_are_theirs_and_everybodys_the_soonest_to_end_first(shop: Any) -> None:
    ends = {"NEVER": None, "LATE": TODAY + 9 * ONE, "SOON": TODAY + ONE}
    shop.add(*(coupon(code, ends_on=day) for code, day in ends.items()), coupon("ALL", member_id=None, ends_on=TODAY), coupon("THEIRS", member_id="M2"))
    with shop.database.read() as session:
        assert [c.code for c in coupons.mine(session, "M1")] == ["ALL", "SOON", "LATE", "NEVER"]
        assert coupons.find(session, "M1", " soon ").code == "SOON"


def test_somebody_elses_coupon_reads_like_one_that_does_not_exist(shop: Any) -> None:
    shop.add(coupon("THEIRS", member_id="M2"))
    said = []
    for code in ("THEIRS", "NOBODY"):
        with pytest.raises(NotFound) as refused:
            apply(shop, code)
        said.append((refused.value.fact.replace(code, "…"), refused.value.details))
    assert said[0] == said[1]


def test_the_coupon_that_saves_most_comes_first_and_obstacles_last(shop: Any) -> None:
    shop.add(coupon("A"), coupon("B", value=20), coupon("C", minimum_cents=99_999), coupon("D", ends_on=BEFORE))
    with shop.database.read() as session:
        found = coupons.savings(session, "M1", [("home", 1000)], on=TODAY)
    assert [(s.coupon.code, s.cents) for s in found] == [("B", 200), ("A", 100), ("C", 0)]
    assert found[2].obstacle and found[2].obstacle.details["rule"] == "coupon_minimum"


# --- on an order ------------------------------------------------------------------------


def test_what_a_coupon_saves_goes_back_to_what_paid(shop: Any) -> None:
    shop.add(coupon())
    shop.earn("M1", 30, ORDERED, order_id="O1")
    done = apply(shop)
    assert (done.cents, done.refund_to, done.total_cents, sums(shop), shop.guard("M1")) == (300, "Visa", 2700, (2700, 300, 2700), 27)
    with shop.database.read() as session:
        assert (session.get_one(Coupon, "TEN").used_order_id, session.get_one(Order, "O1").coupon_code) == ("O1", "TEN")
        (noted,) = timeline.of(session, "O1")
        assert (noted.kind, noted.details, noted.by_role, noted.why) == ("coupon_applied", {"code": "TEN", "saved_cents": 300}, "support", "was forgotten")


def test_there_is_one_coupon_an_order_and_one_order_a_coupon(shop: Any) -> None:
    shop.add(coupon(), coupon("FIVE"))
    apply(shop)
    for code, order_id, rule in (("FIVE", "O1", "one_coupon"), ("TEN", "O2", "coupon_used")):
        with pytest.raises(RuleBroken) as refused:
            apply(shop, code, order_id)
        assert refused.value.details["rule"] == rule


def test_a_coupon_comes_back_when_the_order_is_cancelled(shop: Any) -> None:
    shop.add(coupon())
    shop.earn("M1", 30, ORDERED, order_id="O1")
    apply(shop)
    with shop.database.effect() as session:
        done, points = orders.cancel(session, "M1", "O1", "changed_mind", on=TODAY, key="c", rules=shop.rules)
    assert (done.refund_cents, sums(shop)[2], points) == (2700, 0, 0)
    assert apply(shop, order_id="O2").cents == 200


def test_cancelling_takes_back_what_the_order_earned_and_no_more(shop: Any) -> None:
    shop.add(coupon(value=50))
    shop.earn("M1", 30, ORDERED, order_id="O1")
    shop.earn("M1", 100, BEFORE)
    apply(shop)
    with shop.database.effect() as session:
        done, points = orders.cancel(session, "M1", "O1", "changed_mind", on=TODAY, key="c", rules=shop.rules)
    assert (done.points_back, points) == (15, 100)


@pytest.mark.parametrize("status", ["processed", "shipped", "delivered", "cancelled"])
def test_nothing_is_taken_off_an_order_that_has_left(shop: Any, status: str) -> None:
    shop.add(coupon())
    shop.earn("M1", 300, BEFORE)
    shop.order("O3", "M1", ORDERED, ("board", 1, 4000), status=status)
    for act in (lambda: apply(shop, order_id="O3"), lambda: use(shop, 100, "O3")):
        with pytest.raises(RuleBroken) as refused:
            act()
        assert refused.value.details["state"] == status
    assert shop.guard("M1") == 300


def test_an_order_nobody_paid_yet_uses_up_neither_points_nor_coupons(shop: Any) -> None:
    shop.add(coupon())
    shop.earn("M1", 300, BEFORE)
    shop.order("O3", "M1", ORDERED, ("board", 1, 4000), paid="")
    for act in (lambda: apply(shop, order_id="O3"), lambda: use(shop, 100, "O3")):
        with pytest.raises(RuleBroken, match="not paid"):
            act()
    assert shop.guard("M1") == 300


def test_points_do_not_lower_the_value_counted_for_the_minimum(shop: Any) -> None:
    shop.earn("M1", 1500, BEFORE)
    use(shop, 1500)
    with shop.database.read() as session:
        assert sum(cents for _, cents in coupons.basket_of(session, session.get_one(Order, "O1"))) == 3000


def test_a_coupon_comes_before_points_and_not_after(shop: Any) -> None:
    shop.add(coupon(value=50))
    shop.earn("M1", 1500, BEFORE)
    use(shop, 1500)
    with pytest.raises(RuleBroken, match="before them"):
        apply(shop)
    assert sums(shop) == (1500, 1500, 1500)


# --- points -----------------------------------------------------------------------------


def test_points_pay_for_a_part_of_the_order_and_that_money_goes_back(shop: Any) -> None:
    shop.earn("M1", 1000, BEFORE)
    done = use(shop, 500)
    assert (done.cents, done.points, done.refund_to, sums(shop), shop.guard("M1")) == (500, 500, "Visa", (2500, 500, 2500), 500)


@pytest.mark.parametrize(("points", "rule"), [(50, "points_step"), (150, "points_step"), (0, "points_step"), (-100, "points_step"), (2100, "too_few_points")])
def test_points_are_used_in_steps_and_only_if_they_are_there(shop: Any, points: int, rule: str) -> None:
    shop.earn("M1", 2000, BEFORE)
    for act in (lambda: use(shop, points), lambda: voucher(shop, points)):
        with pytest.raises(RuleBroken) as refused:
            act()
        assert refused.value.details["rule"] == rule
    assert shop.guard("M1") == 2000


def test_points_pay_for_half_of_the_basket_at_most_however_often_they_are_used(shop: Any) -> None:
    shop.earn("M1", 4000, BEFORE)
    with pytest.raises(RuleBroken) as refused:
        use(shop, 1600)
    assert refused.value.details["most_points"] == 1500
    use(shop, 1000, key="a")
    with pytest.raises(RuleBroken) as refused:
        use(shop, 600, key="b")
    assert refused.value.details["most_points"] == 500
    use(shop, 500, key="c")
    assert sums(shop) == (1500, 1500, 1500)


def test_points_pay_for_half_of_what_the_coupon_leaves(shop: Any) -> None:
    shop.add(coupon(value=20))
    shop.earn("M1", 4000, BEFORE)
    apply(shop)
    with shop.database.read() as session:
        assert coupons.most_points(session, session.get_one(Order, "O1"), rules=shop.rules) == 1200


def test_points_do_not_buy_gift_cards(shop: Any) -> None:
    shop.earn("M1", 4000, BEFORE)
    with pytest.raises(RuleBroken) as refused:
        use(shop, 1100, "O2")
    assert refused.value.details["most_points"] == 1000


def test_points_used_on_an_order_come_back_with_it(shop: Any) -> None:
    shop.earn("M1", 1000, BEFORE)
    shop.earn("M1", 30, ORDERED, order_id="O1")
    use(shop, 1000)
    with shop.database.effect() as session:
        done, points = orders.cancel(session, "M1", "O1", "changed_mind", on=TODAY, key="c", rules=shop.rules)
    assert (done.refund_cents, done.points_returned, points, sums(shop)[2]) == (2000, 1000, 1000, 0)
    assert shop.lots("M1", TODAY) == [(1000, date(2026, 1, 31))]


def test_a_voucher_is_worth_its_points_and_belongs_to_who_made_it(shop: Any) -> None:
    shop.earn("M1", 500, BEFORE)
    made = voucher(shop, 500)
    assert (made.kind, made.value, made.member_id, made.starts_on, made.ends_on) == ("amount", 500, "M1", TODAY, TODAY + 365 * ONE)
    assert shop.guard("M1") == 0
    assert apply(shop, made.code).cents == 500


def test_a_plan_says_what_is_done(shop: Any) -> None:
    shop.add(coupon())
    shop.earn("M1", 500, BEFORE)
    with shop.database.read() as session:
        taken = coupons.plan_apply(session, "M1", "O1", "TEN", on=TODAY)
        worth, ends = coupons.plan_voucher(session, "M1", 300, on=TODAY, rules=shop.rules)
    made = voucher(shop, 300)
    assert apply(shop) == taken and (made.value, made.ends_on) == (worth, ends)
    with shop.database.read() as session:
        planned = coupons.plan_points(session, "M1", "O1", 200, on=TODAY, rules=shop.rules)
    assert use(shop, 200, key="p") == planned


def test_the_same_key_twice_makes_one_voucher_and_uses_points_once(shop: Any) -> None:
    shop.earn("M1", 1000, BEFORE)
    assert voucher(shop, 200).code == voucher(shop, 200).code
    use(shop, 200, key="p")
    use(shop, 200, key="p")
    assert (sums(shop), shop.guard("M1"), shop.count(Coupon)) == ((2800, 200, 2800), 600, 1)


def test_who_has_left_has_no_personal_coupons_until_they_come_back(shop: Any) -> None:
    shop.add(coupon(), coupon("ALL", member_id=None))
    with shop.database.effect() as session:
        privacy.leave(session, "M1", on=TODAY, key="leave", rules=shop.rules)
        assert [c.code for c in coupons.mine(session, "M1")] == ["ALL"]
        privacy.stay(session, "M1")
        assert len(coupons.mine(session, "M1")) == 2


# --- at the same time -------------------------------------------------------------------


@pytest.mark.parametrize("what", ["coupons", "points", "both orders"])
def test_at_once_one_coupon_an_order_half_by_points_and_one_order_a_coupon(either: Any, world_of: Any, what: str) -> None:
    world = _fill(world_of(either))
    world.add(*(coupon(f"C{n}") for n in range(8)))
    world.earn("M1", 4000, BEFORE)

    def attempt(number: int) -> bool:
        try:
            if what == "points":
                return bool(use(world, 500, key=f"k{number}"))
            if what == "coupons":
                return bool(apply(world, f"C{number}", key=f"k{number}"))
            return bool(apply(world, "C0", f"O{1 + number % 2}", key=f"k{number}"))
        except RuleBroken:
            return False

    with ThreadPoolExecutor(8) as pool:
        done = sum(pool.map(attempt, range(8)))
    assert done == (3 if what == "points" else 1)
    for order_id, value in (("O1", 3000), ("O2", 4000)):
        total, discount, held = sums(world, order_id)
        assert total == value - discount == held
    with world.database.read() as session:
        used = [c.code for c in session.exec(select(Coupon).where(col(Coupon.used_order_id).is_not(None)))]
        assert len(used) == (0 if what == "points" else 1)
        assert ledger.used_at(session, "O1", "M1") == (1500 if what == "points" else 0)


def test_a_coupon_and_a_cancellation_at_once_leave_no_money_behind(either: Any, world_of: Any) -> None:
    world = _fill(world_of(either))
    world.add(coupon())
    world.earn("M1", 1000, BEFORE)

    def attempt(number: int) -> None:
        try:
            if number == 0:
                with world.database.effect() as session:
                    orders.cancel(session, "M1", "O1", "changed_mind", on=TODAY, key="c", rules=world.rules)
            elif number == 1:
                apply(world)
            elif number == 2:
                use(world, 500, key="p")
            else:
                with world.database.effect() as session:
                    changes.change_address(session, "M1", "O1", {"line1": "1"}, on=TODAY)
        except RuleBroken:
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(attempt, range(4)))
    with world.database.read() as session:
        assert session.get_one(Order, "O1").status == "cancelled"
        assert state(session, "O1")[2] == 0
        assert session.get_one(Coupon, "TEN").used_order_id is None
    assert world.guard("M1") == 1000
