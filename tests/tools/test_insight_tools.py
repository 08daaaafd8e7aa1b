"""Do the tools say what the models and the record say, to whom they may?"""

import json
from typing import Any

import pytest
from sqlmodel import select

from members.access import Role
from members.tables import Member, MemberScore
from tools.gateway import REGISTRY

OF_ONE = ("churn_risk", "lifetime_value", "next_purchase", "why", "win_back_offer")
MANY = ("at_risk_members", "segment_overview", "forecast_demand")


@pytest.fixture(scope="module")
def staff(desk: Any) -> Any:
    """Call a tool as support or marketer."""

    def call(tool: str, role: str = "support", **arguments: Any) -> Any:
        return desk.gateway(desk.caller_named(role), "").call(tool, arguments)

    return call


@pytest.fixture(scope="module")
def scores(desk: Any) -> dict[str, MemberScore]:
    """Every stored score."""
    with desk.database.read() as session:
        return {scored.member_id: scored for scored in session.exec(select(MemberScore))}


def test_members_have_none_of_the_staffs_and_marketers_only_what_names_nobody() -> None:
    for tool in (*OF_ONE, "compare_members", "risk_flags"):
        assert REGISTRY[tool].roles == {Role.SUPPORT}
    for tool in MANY:
        assert REGISTRY[tool].roles == {Role.SUPPORT, Role.MARKETER}


@pytest.mark.parametrize("tool", OF_ONE)
def test_it_says_the_same_of_a_name_as_of_an_id(staff: Any, tool: str) -> None:
    assert staff(tool, who="M-10001").result == staff(tool, who="Li Na").result


def test_the_chance_is_the_stored_one_with_reasons_that_can_be_checked(staff: Any, scores: dict[str, MemberScore]) -> None:
    for member_id in list(scores)[:30]:
        told = staff("churn_risk", who=member_id).result
        assert told["chance_percent"] == round(100 * scores[member_id].churn)
        assert 0 <= told["tier_average_percent"] <= 100
        assert [r["key"] for r in told["reasons"]] == [r["key"] for r in scores[member_id].reasons["churn"][:3]]


def test_the_value_stands_in_its_interval(staff: Any, scores: dict[str, MemberScore]) -> None:
    for member_id in list(scores)[:30]:
        told = staff("lifetime_value", who=member_id).result
        assert float(told["value_year_low"]) <= float(told["value_year"]) <= float(told["value_year_high"])
        assert float(told["value_quarter"]) <= float(told["value_year"])


@pytest.mark.parametrize("score", ["churn", "value", "tier", "segment"])
def test_every_score_has_its_why(staff: Any, score: str) -> None:
    told = staff("why", who="M-10001", score=score).result
    assert told["score"] == score and (told["reasons"] or told["traits"])


def test_who_never_ordered_is_refused_with_words(staff: Any, desk: Any, scores: dict[str, MemberScore]) -> None:
    with desk.database.read() as session:
        quiet = next(m for m in session.exec(select(Member.id).order_by(Member.id)) if m not in scores)
    outcome = staff("churn_risk", who=quiet)
    assert (outcome.status, outcome.result["rule"]) == ("refused", "never_ordered")


def test_the_list_is_those_with_most_at_stake(staff: Any, scores: dict[str, MemberScore]) -> None:
    told = staff("at_risk_members", from_percent=40, limit=10).result
    stakes = [float(one["at_stake"]) for one in told["members"]]
    assert stakes == sorted(stakes, reverse=True) and all(one["chance_percent"] >= 40 for one in told["members"])
    assert told["total_found"] == sum(scored.churn >= 0.4 for scored in scores.values())
    one_tier = staff("at_risk_members", from_percent=10, limit=20, tier="Bronze").result
    assert {one["tier_name_en"] for one in one_tier["members"]} == {"Bronze"}


def test_a_marketer_reads_no_name(staff: Any) -> None:
    told = staff("at_risk_members", role="marketer", from_percent=30).result
    assert told["members"] and {one["name"] for one in told["members"]} == {""}
    groups = staff("segment_overview", role="marketer").result
    assert {group["typical_member"] for group in groups["groups"]} == {None}


def test_groups_hold_every_buyer_once(staff: Any, scores: dict[str, MemberScore]) -> None:
    told = staff("segment_overview").result
    assert sum(group["members"] for group in told["groups"]) == told["members"] == len(scores)
    first = told["groups"][0]["segment"]
    alone = staff("segment_overview", segment=first.replace("_", " ").title()).result
    assert [group["segment"] for group in alone["groups"]] == [first]
    assert staff("segment_overview", segment="astronauts").status == "refused"


def test_a_comparison_names_whom_to_look_after_first(staff: Any, scores: dict[str, MemberScore]) -> None:
    two = sorted(scores, key=lambda m: scores[m].churn * scores[m].value_cents)[-2:]
    told = staff("compare_members", members=two).result
    assert told["first"] == two[-1] and {one["member_id"] for one in told["members"]} == set(two)
    assert staff("compare_members", members=["M-10001", "Li Na"]).status == "refused"


def test_an_offer_says_what_it_rests_on(staff: Any) -> None:
    told = staff("win_back_offer", who="M-10001").result
    nets = [float(offer["net"]) for offer in told["offers"]]
    assert nets == sorted(nets, reverse=True) and told["worth_it"] == (nets[0] > 0)
    assert told["measured"] == (told["treated"] >= 100 and told["held"] >= 30)
    for offer in told["offers"]:
        assert float(offer["net_low"]) <= float(offer["net"]) <= float(offer["net_high"])


def test_flags_are_found_and_one_members_stand_alone(staff: Any, desk: Any) -> None:
    planted = json.loads((desk.settings.home / "demo_truth.json").read_text(encoding="utf-8"))["abuse"]
    told = staff("risk_flags").result
    assert told["total_found"] >= len(set(planted)) - 2
    someone = next(iter(planted))
    alone = staff("risk_flags", who=someone).result
    assert alone["total_found"] == 1 and planted[someone] in [flag["key"] for flag in alone["members"][0]["flags"]]
    assert staff("risk_flags", who="M-10001").result["total_found"] == 0
    assert {flag["key"] for one in staff("risk_flags", kind="returns").result["members"] for flag in one["flags"]} <= {"returns"}


@pytest.mark.parametrize("asked", [{}, {"product": "tea"}, {"points": True}, {"weeks": 8}])
def test_a_forecast_stands_in_its_interval(staff: Any, asked: dict[str, Any]) -> None:
    told = staff("forecast_demand", **asked).result
    assert len(told["weeks"]) == asked.get("weeks", 4) == told["weeks_ahead"]
    assert told["total_low"] <= told["total"] <= told["total_high"]
    assert (told["stock"] is not None) == (asked.get("product") == "tea")


def test_what_is_not_sold_has_no_forecast(staff: Any) -> None:
    assert staff("forecast_demand", product="a used car").status == "refused"


# --- members ----------------------------------------------------------------------------


def test_what_is_bought_again_was_bought_before(desk: Any) -> None:
    from analytics import scoring

    told = desk.gateway(desk.caller_named("lina"), "").call("buy_again", {}).result
    with desk.database.read() as session:
        bought, _ = scoring.past(session, desk.lake, "M-10001", today=desk.today)
    assert told["products"] and {p["product_id"] for p in told["products"]} <= {p for p, _ in bought}
    assert all(p["in_stock"] for p in told["products"])


def test_like_a_product_are_others_that_can_be_bought(desk: Any) -> None:
    gateway = desk.gateway(desk.caller_named("lina"), "")
    told = gateway.call("similar_products", {"product": "P-1001"}).result
    assert told["products"] and "P-1001" not in {p["product_id"] for p in told["products"]}
    cheap = gateway.call("similar_products", {"product": "P-1001", "max_price": 0.01}).result
    assert cheap["products"] == []
    assert gateway.call("similar_products", {"product": "a used car"}).status == "refused"


def test_no_member_tool_takes_a_member(desk: Any) -> None:
    for tool in ("buy_again", "similar_products", "recommend_for_me"):
        assert not {"member", "member_id", "who"} & set(REGISTRY[tool].schema.model_fields)
    refused = desk.gateway(desk.caller_named("lina"), "").call("churn_risk", {"who": "M-10001"})
    assert (refused.status, refused.result["code"]) == ("refused", "not_allowed")
