"""Is the demo shop the same every time, possible, and does it show what was planted?"""

from collections import Counter, defaultdict
from datetime import date, timedelta
from itertools import combinations
from statistics import mean
from typing import Any

import pytest
from sqlmodel import SQLModel, func, select

from members import lake
from members.tables import CampaignMember, Coupon, Member, Order, OrderLine, Payment, PointsEntry, Product, ReturnLine, Review, Ticket, Variant

TODAY = date(2026, 11, 22)
ALL = [Member, Product, Variant, Order, OrderLine, Payment, PointsEntry, ReturnLine, Review, Ticket, Coupon, CampaignMember]


def _rows(shop: Any, table: type[SQLModel]) -> list[dict[str, Any]]:
    keys = list(table.__table__.primary_key)  # type: ignore[attr-defined]
    with shop.database.read() as session:
        return [row.model_dump() for row in session.exec(select(table).order_by(*keys))]


@pytest.fixture(scope="module")
def orders(shop: Any) -> list[Order]:
    """Every order, cancelled ones too."""
    with shop.database.read() as session:
        return list(session.exec(select(Order)))


@pytest.fixture(scope="module")
def joined(shop: Any) -> dict[str, date]:
    """Since when each member belongs."""
    return {row["id"]: row["joined_on"] for row in _rows(shop, Member)}


def test_the_same_seed_makes_the_same_shop_and_another_one_another(small: Any) -> None:
    one, again, other = ([[_rows(shop, table) for table in ALL], shop.truth] for shop in (small(3), small(3), small(4)))
    assert one == again
    assert one != other


# --- possible ---------------------------------------------------------------------------


def test_every_state_of_an_order_occurs(orders: list[Order]) -> None:
    assert {order.status for order in orders} == {"pending", "shipped", "delivered", "cancelled"}


def test_nobody_orders_before_joining_or_after_today(orders: list[Order], joined: dict[str, date]) -> None:
    assert all(joined[str(order.member_id)] <= order.ordered_at.date() <= TODAY for order in orders if order.ordered_at)


def test_an_orders_days_follow_each_other(orders: list[Order]) -> None:
    for order in orders:
        days = [order.ordered_at.date() if order.ordered_at else None, order.shipped_on, order.delivered_on]
        known = [day for day in days if day]
        assert known == sorted(known) and known[-1] <= TODAY
        assert (order.status == "delivered") == (order.delivered_on is not None)
        assert (order.status == "cancelled") == (order.cancelled_on is not None)


def test_orders_are_numbered_as_they_came(orders: list[Order]) -> None:
    by_time = sorted(orders, key=lambda o: (o.ordered_at, o.id))
    numbers = [int(order.id.removeprefix("O-")) for order in by_time]
    assert numbers == list(range(20001, 20001 + len(numbers)))


def test_what_was_paid_is_what_the_order_came_to(shop: Any, orders: list[Order]) -> None:
    goods: dict[str, int] = defaultdict(int)
    for line in _rows(shop, OrderLine):
        goods[line["order_id"]] += line["quantity"] * line["unit_price_cents"]
    paid = {row["order_id"]: row["amount_cents"] for row in _rows(shop, Payment) if row["kind"] == "payment"}
    for order in orders:
        assert paid[order.id] == order.total_cents == goods[order.id] - order.discount_cents + order.shipping_cents


def test_no_refund_is_more_than_was_paid(shop: Any) -> None:
    moved: dict[tuple[str, str], int] = defaultdict(int)
    for row in _rows(shop, Payment):
        moved[row["order_id"], row["kind"]] += row["amount_cents"]
    over = {order: cents - moved[order, "payment"] for (order, kind), cents in list(moved.items()) if kind == "refund" and cents > moved[order, "payment"]}
    assert over == {}


def test_returns_come_after_delivery_and_are_counted_on_their_line(shop: Any, orders: list[Order]) -> None:
    delivered = {order.id: order.delivered_on for order in orders}
    lines = {line["id"]: line for line in _rows(shop, OrderLine)}
    back = _rows(shop, ReturnLine)
    assert back
    for row in back:
        assert row["returned_at"].date() >= delivered[row["order_id"]]
        assert lines[row["line_id"]]["returned"] == row["quantity"] <= lines[row["line_id"]]["quantity"]


def test_the_points_guard_is_the_sum_of_the_book(shop: Any) -> None:
    with shop.database.read() as session:
        booked = dict(session.exec(select(PointsEntry.member_id, func.sum(PointsEntry.points)).group_by(PointsEntry.member_id)).all())
    members = _rows(shop, Member)
    assert all(row["points"] == booked.get(row["id"], 0) >= 0 for row in members)
    assert sum(row["points"] > 0 for row in members) > len(members) / 2


def test_ratings_of_a_product_are_the_mean_of_its_reviews(shop: Any) -> None:
    stars: dict[str, list[int]] = defaultdict(list)
    for row in _rows(shop, Review):
        stars[row["product_id"]].append(row["rating"])
    for row in _rows(shop, Product):
        assert row["rating_count"] == len(stars[row["id"]])
        assert row["rating"] is None or abs(row["rating"] - mean(stars[row["id"]])) <= 0.051


def test_every_event_is_somebodys_and_about_a_product(shop: Any, joined: dict[str, date]) -> None:
    from pyarrow import dataset

    table = dataset.dataset(sorted(str(path) for path in shop.lake.glob("*.parquet")), format="parquet").to_table().to_pydict()
    products = {row["id"] for row in _rows(shop, Product)}
    names = lake.SCHEMA.names
    assert set(table[names[0]]) <= set(joined) and set(table[names[2]]) <= products
    assert Counter(table[names[1]])["view"] > Counter(table[names[1]])["cart"] > 0


# --- planted truth shows ----------------------------------------------------------------


def test_who_drifts_away_orders_much_less_afterwards(shop: Any, orders: list[Order], joined: dict[str, date]) -> None:
    days: dict[str, list[date]] = defaultdict(list)
    for order in orders:
        days[str(order.member_id)].append(order.ordered_at.date())  # type: ignore[union-attr]
    before = after = span_before = span_after = 0
    for member_id, on in shop.truth.drifts_on.items():
        turn = date.fromisoformat(on)
        start = max(joined[member_id], TODAY - timedelta(days=729))
        if (turn - start).days < 60:
            continue
        before, span_before = before + sum(day < turn for day in days[member_id]), span_before + (turn - start).days
        after, span_after = after + sum(day >= turn for day in days[member_id]), span_after + (TODAY - turn).days
    assert len(shop.truth.drifts_on) > 100
    assert after / span_after < 0.35 * before / span_before


def test_coupons_move_the_persuadable_more_than_anybody_else(shop: Any, orders: list[Order]) -> None:
    coupons = {row["code"]: row for row in _rows(shop, Coupon)}
    sent, used = Counter[str](), Counter[str]()
    for coupon in coupons.values():
        kind = shop.truth.coupon_type[coupon["member_id"]]
        sent[kind] += 1
        used[kind] += coupon["used_order_id"] is not None
    assert set(sent) == {"persuadable", "sure", "lost_cause", "sleeping_dog"}
    shares = {kind: used[kind] / sent[kind] for kind in sent}
    assert shares["persuadable"] > 0.08
    assert all(shares["persuadable"] > shares[kind] + 0.05 for kind in shares if kind != "persuadable"), shares


def test_what_goes_together_is_bought_together_far_more_than_chance(shop: Any) -> None:
    baskets: dict[str, set[str]] = defaultdict(set)
    for line in _rows(shop, OrderLine):
        baskets[line["order_id"]].add(line["product_id"])
    alone, pairs = Counter[str](), Counter[frozenset[str]]()
    for basket in baskets.values():
        alone.update(basket)
        pairs.update(frozenset(pair) for pair in combinations(basket, 2))
    planted = {frozenset((product, other)) for product, others in shop.truth.goes_with.items() for other in others if other != product}
    seen = sum(pairs[pair] for pair in planted)
    chance = sum(alone[a] * alone[b] / len(baskets) for a, b in (tuple(pair) for pair in planted))
    assert seen > 5 * chance


def test_what_runs_out_is_bought_again_far_more_than_what_lasts(shop: Any, orders: list[Order]) -> None:
    on = {order.id: (order.member_id, order.ordered_at.date()) for order in orders if order.ordered_at}
    days: dict[tuple[Any, str], list[date]] = defaultdict(list)
    for line in _rows(shop, OrderLine):
        member_id, day = on[line["order_id"]]
        days[member_id, line["product_id"]].append(day)

    def again(products: Any) -> float:
        bought = [len(found) > 1 for (_, product_id), found in days.items() if product_id in products]
        return sum(bought) / len(bought)

    refills = set(shop.truth.refill_days)
    others = {product_id for _, product_id in days} - refills
    assert again(refills) > 2.5 * again(others)
