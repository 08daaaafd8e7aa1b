"""Is what is found in the shop, within the limits, and for the reason given?"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from analytics import scoring
from assistant.desk import Desk
from members.access import Caller, Role
from members.tables import Order, OrderLine, Review

Got = Callable[..., dict[str, Any]]


def _text(desk: Desk, product_id: str) -> str:
    entry = desk.search.entry("products", product_id)
    assert entry
    return " ".join([*entry.titles.values(), *entry.texts.values()]).lower()


@pytest.mark.parametrize("wish", ["a gift for a tea lover", "kettle", "茶", "something warm for winter nights"])
def test_at_most_four_are_shown_all_in_stock(got: Got, wish: str) -> None:
    shown = got("lina", "search_products", wish=wish)["products"]
    assert 1 <= len(shown) <= 4 and all(product["in_stock"] for product in shown)


@settings(max_examples=15, deadline=None)
@given(low=st.integers(0, 60), span=st.integers(0, 60))
def test_prices_stay_between_the_limits(got: Got, low: int, span: int) -> None:
    found = got("lina", "search_products", wish="a present for the kitchen", min_price=float(low), max_price=float(low + span))
    assert all(low <= Decimal(product["price"]) <= low + span for product in found["products"])
    assert found["min_price"] == f"{low}.00" and found["max_price"] == f"{low + span}.00"


@pytest.mark.parametrize(("wish", "without"), [("steamer", "bamboo"), ("kettle", "gooseneck"), ("蒸笼", "竹"), ("tea", "green")])
def test_what_is_excluded_does_not_come(desk: Desk, got: Got, wish: str, without: str) -> None:
    for product in got("lina", "search_products", wish=wish, without=[without])["products"]:
        assert without not in _text(desk, product["product_id"]).split()
        assert not (without == "竹" and "竹" in _text(desk, product["product_id"]))


def test_sold_out_goods_show_only_when_asked_for(desk: Desk, got: Got) -> None:
    gone = next(entry for entry in desk.search.entries("products") if not entry.facts["in_stock"])
    name = gone.titles["en"]
    assert gone.id not in [p["product_id"] for p in got("lina", "search_products", wish=name)["products"]]
    there = {p["product_id"]: p for p in got("lina", "search_products", wish=name, in_stock=False)["products"]}
    assert there[gone.id]["in_stock"] is False


@pytest.mark.parametrize("wish", ["a used car", "二手汽车", "asdf qwer zxcv"])
def test_nothing_fitting_is_said_so(got: Got, wish: str) -> None:
    found = got("lina", "search_products", wish=wish)
    assert (found["close_match"], found["products"]) == (False, [])


# --- one product ------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["P-1177", "p-1177", " P-1177 ", "Two-Tier Bamboo Steamer", "two tier bamboo steamer", "双层竹蒸笼", "竹蒸笼"])
def test_a_product_is_known_by_id_or_name(got: Got, words: str) -> None:
    assert got("lina", "product_details", product=words)["product_id"] == "P-1177"


@pytest.mark.parametrize("words", ["P-9999", "a used car", "比特币"])
def test_an_unknown_product_is_not_found(ask: Any, words: str) -> None:
    assert ask("lina", "product_details", product=words).result["code"] == "not_found"


def test_members_see_their_price_and_staff_the_shelf_price(got: Got) -> None:
    mine, theirs = got("lina", "product_details", product="P-1177"), got("support", "product_details", product="P-1177")
    assert mine["member_discount_percent"] == 5
    assert Decimal(mine["member_price"]) == Decimal(int(Decimal(mine["price"]) * 100) * 95 // 100) / 100
    assert (theirs["member_price"], theirs["member_discount_percent"], theirs["price"]) == (None, 0, mine["price"])


def test_the_price_is_the_cheapest_variant_one_can_buy(desk: Desk, got: Got) -> None:
    for entry in list(desk.search.entries("products"))[::40]:
        said = got("lina", "product_details", product=entry.id)
        able = [Decimal(v["price"]) for v in said["variants"] if v["available"]]
        assert said["in_stock"] == bool(able)
        assert not able or Decimal(said["price"]) == min(able)
        assert entry.facts["price_cents"] == int(Decimal(said["price"]) * 100)


# --- suggestions ------------------------------------------------------------------------


@pytest.mark.parametrize("member_id", ["M-10001", "M-10002", "M-10017", "M-10060", "M-10111"])
def test_the_reason_of_a_suggestion_is_true(desk: Desk, got: Got, member_id: str) -> None:
    said = got(Caller("a", Role.MEMBER, member_id), "recommend_for_me")
    with desk.database.read() as session:
        bought, _ = scoring.past(session, desk.lake, member_id, today=desk.today)
    days: dict[str, list[date]] = {}
    for product_id, day in bought:
        days.setdefault(product_id, []).append(day)
    names = {entry.titles["en"]: entry.id for entry in desk.search.entries("products")}
    assert said["products"]
    for product in said["products"]:
        mine = days.get(product["product_id"], [])
        if product["reason"] == "again":
            assert product["times"] == len(mine) > 1 and product["last_on"] == max(mine).isoformat()
        else:
            assert not mine
        if product["reason"] == "together":
            cause = days[names[product["because_en"]]]
            assert product["last_on"] == max(cause).isoformat()


def test_suggestions_are_in_stock_within_the_price_and_varied(got: Got) -> None:
    said = got("lina", "recommend_for_me", max_price=15.0)["products"]
    assert said and all(Decimal(p["price"]) <= 15 and p["in_stock"] for p in said)
    shelves = [p["category"] for p in got("lina", "recommend_for_me")["products"]]
    assert len(shelves) <= 4 and all(shelves.count(shelf) <= 2 for shelf in shelves)


def test_a_wish_narrows_the_suggestions(desk: Desk, got: Got) -> None:
    said = got("lina", "recommend_for_me", wish="tea")["products"]
    assert said[0]["category"] == "tea" and "tea" in _text(desk, said[0]["product_id"])


def test_staff_get_no_suggestions_of_their_own(ask: Any) -> None:
    assert ask("support", "recommend_for_me").result["code"] == "not_allowed"


# --- policy -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "passage", "citation"),
    [
        ("how long do I have to return something?", "returns.time-limits", "Returns and refunds › Time limits"),
        ("退货期限是多久？", "returns.time-limits", "退货期限"),
        ("when do points expire", "points.when-points-expire", "When points expire"),
        ("积分会过期吗", "points.when-points-expire", "积分什么时候过期"),
    ],
)
@pytest.mark.parametrize("login", ["lina", "support", "marketer"])
def test_the_policy_answers_in_the_askers_language_with_its_source(got: Got, login: str, question: str, passage: str, citation: str) -> None:
    first = got(login, "ask_policy", question=question)["passages"][0]
    assert first["passage_id"] == passage and first["citation"].endswith(citation)
    assert ("一" <= first["text"][0] <= "鿿") == ("一" <= question[0] <= "鿿")


@pytest.mark.parametrize("question", ["who won the football last night", "昨晚的球赛谁赢了", "asdf qwer"])
def test_where_the_policy_is_silent_there_is_no_passage(got: Got, question: str) -> None:
    assert got("lina", "ask_policy", question=question)["passages"] == []


def test_what_was_given_back_or_disliked_is_not_suggested_again(fresh_desk: Desk) -> None:
    desk, lina = fresh_desk, fresh_desk.caller_named("lina")
    with desk.database.effect() as session:
        found = [s.product_id for s in scoring.suggest(session, desk.fitted, desk.lake, "M-10001", today=desk.today, limit=12)]
        disliked = found[0]
        session.add(Review(member_id="M-10001", product_id=disliked, rating=1, text="", written_on=desk.today))
        mine = session.exec(select(OrderLine).join(Order, col(Order.id) == OrderLine.order_id).where(Order.member_id == "M-10001")).all()
        given_back = next(product for product in found[1:] if any(line.product_id == product for line in mine))
        for line in mine:
            if line.product_id == given_back:
                line.returned = line.quantity
                session.add(line)
    with desk.database.read() as session:
        left = [s.product_id for s in scoring.suggest(session, desk.fitted, desk.lake, "M-10001", today=desk.today, limit=12)]
    assert not {disliked, given_back} & set(left) and len(left) == 12
    shown = desk.gateway(lina, "again").call("buy_again", {}).result
    assert given_back not in {product["product_id"] for product in shown["products"]}
