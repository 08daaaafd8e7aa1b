"""Are orders listed as asked, and is a foreign one as absent as a missing one?"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlmodel import col, func, select

from assistant.desk import Desk
from members.tables import Order, OrderLine, Payment

Got = Callable[..., dict[str, Any]]
STATES = ["pending", "processed", "shipped", "delivered", "cancelled"]


def _count(desk: Desk, *tests: Any) -> int:
    with desk.database.read() as session:
        return session.exec(select(func.count()).select_from(Order).where(Order.member_id == "M-10001", *tests)).one()


def test_orders_come_newest_first_five_at_a_time_with_their_number_in_all(desk: Desk, got: Got) -> None:
    said = got("lina", "my_orders")
    days = [order["ordered_on"] for order in said["orders"]]
    assert len(days) == 5 and days == sorted(days, reverse=True)
    assert said["total_found"] == _count(desk)


@pytest.mark.parametrize("limit", [1, 2, 10])
def test_as_many_as_asked_for(got: Got, limit: int) -> None:
    assert len(got("lina", "my_orders", limit=limit)["orders"]) == limit


@pytest.mark.parametrize("limit", [0, 11, -1])
def test_no_more_than_ten_at_once(ask: Any, limit: int) -> None:
    assert ask("lina", "my_orders", limit=limit).result["code"] == "bad_input"


@pytest.mark.parametrize("status", STATES)
def test_a_state_narrows_the_list_to_that_state(desk: Desk, got: Got, status: str) -> None:
    said = got("lina", "my_orders", status=status, limit=10)
    assert {order["status"] for order in said["orders"]} <= {status}
    assert said["total_found"] == _count(desk, Order.status == status)
    assert said["asked"]["status"] == status


def test_days_are_both_included(desk: Desk, got: Got) -> None:
    day = date.fromisoformat(got("lina", "my_orders")["orders"][2]["ordered_on"])
    on = got("lina", "my_orders", since=day.isoformat(), until=day.isoformat())
    assert on["total_found"] >= 1 and {order["ordered_on"] for order in on["orders"]} == {day.isoformat()}
    before = got("lina", "my_orders", until=(day - timedelta(days=1)).isoformat())["total_found"]
    after = got("lina", "my_orders", since=(day + timedelta(days=1)).isoformat())["total_found"]
    assert before + on["total_found"] + after == _count(desk)


def test_a_span_that_ends_before_it_begins_holds_nothing(got: Got) -> None:
    assert got("lina", "my_orders", since="2026-11-01", until="2026-10-01")["total_found"] == 0


@pytest.mark.parametrize(("english", "chinese"), [("bamboo steamer", "竹蒸笼"), ("gooseneck kettle", "手冲壶")])
def test_an_article_named_in_either_language_finds_the_orders_that_hold_it(desk: Desk, got: Got, english: str, chinese: str) -> None:
    for words in (english, chinese):
        found = got("lina", "my_orders", product=words, limit=10)
        assert found["total_found"] >= 1
        with desk.database.read() as session:
            for order in found["orders"]:
                lines = session.exec(select(OrderLine.description).where(OrderLine.order_id == order["order_id"])).all()
                assert any(english.split()[-1] in line.lower() for line in lines), (words, lines)


def test_an_article_never_bought_finds_nothing(got: Got) -> None:
    assert got("lina", "my_orders", product="flying carpet")["total_found"] == 0


def test_an_order_shows_three_articles_and_counts_the_rest(desk: Desk, got: Got) -> None:
    with desk.database.read() as session:
        for order in got("lina", "my_orders", limit=10)["orders"]:
            goods = session.exec(select(func.count()).select_from(OrderLine).where(OrderLine.order_id == order["order_id"])).one()
            assert len(order["articles"]) == min(6, goods) and order["more_articles"] == max(0, goods - 6)


# --- one order --------------------------------------------------------------------------


def test_without_an_id_it_is_the_latest(got: Got) -> None:
    assert got("lina", "order_status")["order_id"] == got("lina", "my_orders")["orders"][0]["order_id"]


def test_an_id_is_read_however_it_is_typed(got: Got) -> None:
    order = got("lina", "order_status")["order_id"]
    for typed in (order.lower(), f"#{order}", f" {order} "):
        outcome = got("lina", "order_status", order_id=typed)
        assert outcome["order_id"] == order, typed


def test_the_figures_of_an_order_id_are_enough(got: Got) -> None:
    order = got("lina", "order_status")["order_id"]
    assert got("lina", "order_status", order_id=order.removeprefix("O-"))["order_id"] == order


def test_only_what_has_not_left_can_be_cancelled(got: Got) -> None:
    for order in got("lina", "my_orders", limit=10)["orders"]:
        detail = got("lina", "order_status", order_id=order["order_id"])
        assert detail["can_cancel"] == (detail["status"] == "pending")


def test_money_given_back_is_the_refunds_of_the_record(desk: Desk, got: Got) -> None:
    with desk.database.read() as session:
        mine = select(Payment.order_id, func.sum(Payment.amount_cents)).join(Order, col(Order.id) == Payment.order_id)
        rows = session.exec(mine.where(Order.member_id == "M-10001", Payment.kind == "refund").group_by(Payment.order_id)).all()
    assert rows
    for order_id, cents in rows:
        detail = got("lina", "order_status", order_id=order_id)
        assert detail["refunded"] == f"{cents / 100:.2f}" and detail["refund_to"] and detail["refund_on"]


def test_lateness_is_counted_from_the_promise(desk: Desk, got: Got) -> None:
    with desk.database.read() as session:
        late = select(Order).where(Order.member_id == "M-10001", col(Order.delivered_on) > Order.promised_on)
        order = session.exec(late).first()
        assert order and order.delivered_on and order.promised_on
    assert got("lina", "order_status", order_id=order.id)["days_late"] == (order.delivered_on - order.promised_on).days


@pytest.mark.parametrize("tool", ["order_status", "cancel_order"])
def test_a_foreign_order_and_a_missing_one_read_the_same_byte_for_byte(desk: Desk, ask: Any, tool: str) -> None:
    with desk.database.read() as session:
        foreign = session.exec(select(Order.id).where(Order.member_id == "M-10002", Order.status == "pending")).first()
    assert foreign
    missing = "O-99999"
    there, absent = ask("lina", tool, order_id=foreign), ask("lina", tool, order_id=missing)
    assert there.status == absent.status == "refused"
    assert there.text().replace(foreign, missing).encode() == absent.text().encode()


def test_points_of_a_foreign_order_are_as_absent_as_of_a_missing_one(got: Got) -> None:
    foreign = got("chenmo", "my_orders")["orders"][0]["order_id"]
    assert got("lina", "points", aspect="history", order_id=foreign) == got("lina", "points", aspect="history", order_id="O-99999")


@pytest.mark.parametrize("order_id", ["' OR 1=1 --", "%", "O-2____", "*", "0"])
def test_an_id_is_never_a_pattern(ask: Any, order_id: str) -> None:
    assert ask("lina", "order_status", order_id=order_id).result["code"] == "not_found"
