"""Do points, tier and profile say what the record says?"""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import col, select

from assistant.desk import Desk
from members import ledger
from members.access import Caller, Role
from members.tables import Member

Got = Callable[..., dict[str, Any]]
EVERY_TENTH = [f"M-{10001 + n}" for n in range(0, 150, 10)]


def me(member_id: str) -> Caller:
    return Caller(f"account of {member_id}", Role.MEMBER, member_id)


@pytest.mark.parametrize("member_id", EVERY_TENTH)
def test_the_balance_is_the_books_and_worth_a_penny_a_point(desk: Desk, got: Got, member_id: str) -> None:
    said = got(me(member_id), "points")
    with desk.database.read() as session:
        assert said["balance"] == ledger.balance(session, member_id, as_of=desk.today)
    assert Decimal(said["worth"]) == Decimal(said["balance"]) / 100
    assert said["as_of"] == desk.today.isoformat()


@pytest.mark.parametrize("aspect", ["balance", "history", "expiring"])
def test_every_aspect_of_points_is_the_same_record(got: Got, aspect: str) -> None:
    plain, asked = got("lina", "points"), got("lina", "points", aspect=aspect)
    assert asked["aspect"] == aspect
    assert {**asked, "aspect": "balance"} == plain


def test_bookings_come_newest_first_and_never_from_tomorrow(desk: Desk, got: Got) -> None:
    days = [entry["on"] for entry in got("lina", "points", aspect="history")["history"]]
    assert len(days) == 6 and days == sorted(days, reverse=True) and days[0] <= desk.today.isoformat()


def test_bookings_of_one_order_are_that_orders(got: Got) -> None:
    order = next(e["order_id"] for e in got("lina", "points", aspect="history")["history"] if e["order_id"])
    for spelled in (order, order.lower(), f" {order} "):
        found = got("lina", "points", aspect="history", order_id=spelled)["history"]
        assert found and {entry["order_id"] for entry in found} == {order}
    assert got("lina", "points", aspect="history", order_id="O-1")["history"] == []


def test_what_lapses_within_ninety_days_is_told_soonest_first(desk: Desk, got: Got) -> None:
    seen = 0
    for n in range(150):
        said = got(me(f"M-{10001 + n}"), "points", aspect="expiring")
        soon = said["expiring_soon"]
        days = [date.fromisoformat(lapse["on"]) for lapse in soon]
        assert days == sorted(days) and all(desk.today <= day <= desk.today + timedelta(days=90) for day in days)
        later = said["later"]
        assert later is None or date.fromisoformat(later["on"]) > desk.today + timedelta(days=90)
        assert sum(lapse["points"] for lapse in soon) + (later["points"] if later else 0) <= said["balance"]
        seen += bool(soon)
    assert seen > 5


def test_a_member_without_points_has_no_lapses(desk: Desk, got: Got) -> None:
    with desk.database.read() as session:
        poor = session.exec(select(Member.id).where(Member.points == 0).order_by(col(Member.id))).first()
    said = got(me(str(poor)), "points", aspect="expiring")
    assert (said["balance"], said["worth"], said["expiring_soon"], said["later"]) == (0, "0.00", [], None)


# --- tier -------------------------------------------------------------------------------


def test_the_tier_of_the_tool_is_the_tier_of_the_record(desk: Desk, got: Got) -> None:
    order = [t.key for t in desk.rules.tiers.levels]
    for member_id in EVERY_TENTH:
        said = got(me(member_id), "tier_and_benefits")
        spend, threshold = Decimal(said["window_spend"]), Decimal(said["tier"]["threshold"])
        assert spend >= threshold or said["kept_until"]
        if said["next_tier"]:
            assert Decimal(said["missing"]) == max(Decimal(0), Decimal(said["next_tier"]["threshold"]) - spend)
            assert order.index(said["next_tier"]["key"]) > order.index(said["tier"]["key"])


def test_spending_exactly_what_is_missing_lifts_and_a_penny_less_does_not(got: Got) -> None:
    missing = Decimal(got("lina", "tier_and_benefits")["missing"])
    lifted = got("lina", "tier_and_benefits", spend=float(missing))["what_if"]
    assert lifted["changes"] is True and lifted["tier"]["key"] == "platinum"
    short = got("lina", "tier_and_benefits", spend=float(missing - Decimal("0.01")))["what_if"]
    assert (short["changes"], short["tier"]["key"], short["still_missing"]) == (False, "gold", "0.01")


@pytest.mark.parametrize(("spend", "points"), [(100.0, 150), (0.0, 0), (33.33, 49), (1, 1)])
def test_a_gold_members_purchase_earns_half_as_much_again(got: Got, spend: float, points: int) -> None:
    assert got("lina", "tier_and_benefits", spend=spend)["what_if"]["points_earned"] == points


def test_a_purchase_two_years_on_stands_alone_in_the_window(desk: Desk, got: Got) -> None:
    by = desk.today + timedelta(days=730)
    later = got("lina", "tier_and_benefits", spend=600.0, by=by.isoformat())["what_if"]
    assert later["window_spend_then"] == "600.00" and later["tier"]["key"] == "silver"
    assert later["by"] == by.isoformat()


def test_asking_about_a_far_tier_counts_the_way_to_that_one(got: Got) -> None:
    said = got("lina", "tier_and_benefits", tier="Diamond")
    assert said["next_tier"]["key"] == "diamond"
    assert Decimal(said["missing"]) == Decimal(said["next_tier"]["threshold"]) - Decimal(said["window_spend"])
    assert [tier["key"] for tier in said["tiers"]] == ["diamond"]


def test_asking_about_a_lower_tier_keeps_the_way_up(got: Got) -> None:
    said = got("lina", "tier_and_benefits", tier="bronze")
    assert said["next_tier"]["key"] == "platinum" and said["tiers"][0]["key"] == "bronze"


@pytest.mark.parametrize("wrong", [{"spend": -1.0}, {"spend": 1e9}, {"by": "soon"}])
def test_an_impossible_purchase_is_refused(ask: Any, wrong: dict[str, Any]) -> None:
    assert ask("lina", "tier_and_benefits", **wrong).result["code"] == "bad_input"


# --- profile ----------------------------------------------------------------------------


def test_the_profile_is_the_callers_own_with_the_phone_masked(got: Got) -> None:
    said = got("lina", "my_profile")
    assert (said["member_id"], said["name"]) == ("M-10001", "Li Na")
    assert said["phone"] == "…0000" and said["email"] == "member10001@example.org"
    assert sorted(said["agreed_to"] + said["not_agreed_to"]) == ["email", "phone", "push", "sms", "wechat"]


def test_two_members_get_their_own_words(got: Got) -> None:
    lina, chenmo = got("lina", "my_profile"), got("chenmo", "my_profile")
    assert lina["member_id"] != chenmo["member_id"] and chenmo["name"] == "陈默"
