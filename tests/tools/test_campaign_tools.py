"""From an audience to a result: what each tool says, what waits, and who may not."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from sqlmodel import col, func, select

from assistant.desk import Desk
from assistant.embedded.model import worded
from eval import worlds
from members import accounts, audience, campaigns
from members.access import Caller, Role
from members.errors import RuleBroken
from members.tables import Audience, Campaign, CampaignMember, Consent, Coupon, Member, Outgoing
from prompts import personal
from tools.gateway import REGISTRY, Gateway, Outcome

STUDIO = [
    *("audience_build", "audience_export", "check_copy", "estimate_uplift", "recommend_coupon", "best_send_time", "create_campaign", "send_campaign"),
    *("campaign_results", "policy_what_if", "compare_policies", "adopt_policy", "synthesise_members"),
]


def gateway(desk: Desk, login: str = "marketer") -> Gateway:
    """A turn of a login."""
    return desk.gateway(desk.caller_named(login), uuid4().hex)


def done(desk: Desk, tool: str, **arguments: Any) -> dict[str, Any]:
    """A write proposed and agreed to."""
    turn = gateway(desk)
    outcome = turn.call(tool, arguments)
    assert outcome.status == "waiting_for_yes", outcome.result
    return turn.carry_out(outcome.result["approval_id"]).result


def call(desk: Desk, tool: str, login: str = "marketer", **arguments: Any) -> Outcome:
    """One call in a turn of its own."""
    return gateway(desk, login).call(tool, arguments)


@pytest.fixture
def shop(fresh_desk: Desk) -> Desk:
    """A shop of this test's own in which nobody was written to of late."""
    with fresh_desk.database.effect() as session:
        for campaign in session.exec(select(Campaign)):
            campaign.sent_on = (campaign.sent_on or worlds.DAY) - timedelta(days=30)
            session.add(campaign)
    return fresh_desk


@pytest.fixture
def sent(shop: Desk) -> Desk:
    """The shop after an e-mail campaign to its bronze and silver members."""
    done(shop, "audience_build", name="Two tiers", wanted={"tiers": ["bronze", "silver"]}, channel="email")
    done(shop, "create_campaign", name="Small thing", audience_name="Two tiers", holdout_percent=20, discount_everyone=True)
    done(shop, "send_campaign", campaign="Small thing")
    return shop


# --- who may ----------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["lina", "support"])
@pytest.mark.parametrize("tool", STUDIO)
def test_the_studios_tools_are_marketers_alone(desk: Desk, tool: str, login: str) -> None:
    outcome = call(desk, tool, login, **{})
    assert outcome.status == "refused" and outcome.result["code"] == "not_allowed"
    assert {role.value for role in REGISTRY[tool].roles} == {"marketer"}


@pytest.mark.parametrize("path", ["/api/v1/audiences/A-1.csv", "/api/v1/campaigns/C-101.csv", "/api/v1/synthetic/50.csv"])
def test_lists_are_for_marketers_alone(desk: Desk, path: str) -> None:
    from starlette.testclient import TestClient

    from assistant import api

    with TestClient(api.build(desk)) as client:
        assert client.get(path).status_code == 401
        for login, allowed in (("lina", False), ("support", False), ("marketer", True)):
            token = client.post("/api/v1/token", json={"login": login, "password": worlds.PASSWORD}).json()["token"]
            status = client.get(path, headers={"authorization": f"Bearer {token}"}).status_code
            assert (status in (200, 404)) if allowed else status == 403, (login, status)


def test_nothing_is_kept_or_sent_before_the_yes(shop: Desk) -> None:
    call(shop, "audience_build", name="Mine", wanted={"tiers": ["gold"]})
    call(shop, "create_campaign", name="Mine too", wanted={"tiers": ["silver"]})
    assert shop.studio.names(shop.caller_named("marketer")) == ([], [])
    with shop.database.read() as session:
        assert session.exec(select(func.count()).select_from(Outgoing)).one() == 0


# --- the loop ---------------------------------------------------------------------------


def test_an_audience_says_who_is_left_out_and_why(desk: Desk) -> None:
    told = call(desk, "audience_build", name="Silver", wanted={"tiers": ["silver"]}, channel="sms").result["facts"]
    out = told["without_consent"] + told["no_address"] + told["contacted_this_week"] + told["open_complaint"]
    assert told["matching"] == told["reachable"] + out and told["without_consent"] > 0
    everyone = call(desk, "audience_build", name="All", wanted={}).result
    assert (everyone.get("facts") or {}).get("matching") == desk_members(desk) or everyone.get("rule") == "audience_empty"


def desk_members(desk: Desk) -> int:
    """How many members the shop has."""
    with desk.database.read() as session:
        return session.exec(select(func.count()).select_from(Member).where(col(Member.left_on).is_(None))).one()


def test_either_or_and_but_not_mean_what_they_say(desk: Desk) -> None:
    def size(**asked: Any) -> int:
        return int(call(desk, "audience_count", **asked).result["matching"])

    gold, silver, both = size(tiers=["gold"]), size(tiers=["silver"]), size(tiers=["gold"], or_also=[{"tiers": ["silver"]}])
    assert both == gold + silver
    assert size(tiers=["silver"], but_not={"languages": ["zh"]}) == size(tiers=["silver"], languages=["en"])
    assert size(tiers=["silver"], but_not={"tiers": ["silver"]}) == 0
    for tool, asked in (("estimate_uplift", {"offer": "none"}), ("create_campaign", {"name": "x", "offer": "none", "channel": "in_app"})):
        whole, part = (call(desk, tool, wanted={"tiers": ["silver"], **more}, **asked).result for more in ({}, {"but_not": {"languages": ["zh"]}}))
        reached = [(r.get("facts") or r).get("reachable") or r.get("members") for r in (whole, part)]
        assert reached[0] > reached[1] > 0
    two = [{"languages": ["zh"]}, {"cities": ["London"]}]
    assert size(but_not=two) == size() - size(languages=["zh"]) - size(languages=["en"], cities=["London"])


def test_a_campaign_writes_to_each_once_holds_some_out_and_never_goes_twice(sent: Desk) -> None:
    with sent.database.read() as session:
        campaign = campaigns.get(session, "Small thing")
        arms = session.exec(select(CampaignMember).where(CampaignMember.campaign_id == campaign.id)).all()
        out = session.exec(select(Outgoing).where(Outgoing.campaign_id == campaign.id)).all()
        coupons = session.exec(select(Coupon).where(Coupon.campaign_id == campaign.id)).all()
        agreed = set(session.exec(select(Consent.member_id).where(Consent.channel == "email", col(Consent.granted).is_(True))))
    treated = {one.member_id for one in arms if one.arm == "treated"}
    assert {one.member_id for one in out} == treated == {one.member_id for one in coupons} <= agreed
    assert abs(sum(one.arm == "holdout" for one in arms) - 0.2 * len(arms)) <= 1
    assert {one.variant for one in arms if one.arm == "treated"} == {"A", "B"}
    assert call(sent, "send_campaign", campaign="Small thing").result["rule"] == "campaign_sent"


def test_every_message_is_filled_and_carries_its_own_code(sent: Desk) -> None:
    with sent.database.read() as session:
        rows = session.exec(select(Outgoing, Member).join(Member, col(Member.id) == Outgoing.member_id)).all()
    assert rows and all("{" not in message.text and "{" not in message.subject for message, _ in rows)
    with sent.database.read() as session:
        for message, _member in rows:
            code = session.exec(select(Coupon.code).where(Coupon.campaign_id == message.campaign_id, Coupon.member_id == message.member_id)).one()
            assert code in message.text
    hours = {message.send_at.hour for message, _ in rows}
    rules = sent.rules.campaigns
    assert not any(campaigns.quiet(hour, rules) for hour in hours) and len(hours) > 1


def test_a_message_leaves_once_at_its_hour(sent: Desk) -> None:
    with sent.database.read() as session:
        last = max(session.exec(select(Outgoing.send_at)))
        number = session.exec(select(func.count()).select_from(Outgoing)).one()
    sent.studio._now = lambda: datetime.combine(last.date(), time(sent.rules.campaigns.quiet_until)) + timedelta(days=1)  # type: ignore[method-assign]
    assert sent.studio.deliver(limit=10_000) == number
    assert sent.studio.deliver(limit=10_000) == 0


def test_whoever_changes_their_mind_is_not_written_to(sent: Desk) -> None:
    with sent.database.effect() as session:
        first, second = session.exec(select(Outgoing).order_by(Outgoing.member_id)).all()[:2]
        session.exec(select(Consent).where(Consent.member_id == first.member_id, Consent.channel == "email")).one().granted = False
        session.get_one(Member, second.member_id).left_on = worlds.DAY
        last = max(session.exec(select(Outgoing.send_at)))
    sent.studio._now = lambda: datetime.combine(last.date(), time(sent.rules.campaigns.quiet_until)) + timedelta(days=1)  # type: ignore[method-assign]
    sent.studio.deliver(limit=10_000)
    with sent.database.read() as session:
        states = dict(session.exec(select(Outgoing.member_id, Outgoing.status)).all())
    assert states.pop(first.member_id) == states.pop(second.member_id) == "stopped" and set(states.values()) == {"delivered"}


def test_the_second_list_holds_no_formula_and_no_address_of_those_held_out(sent: Desk) -> None:
    from assistant.api import spreadsheet_safe

    with sent.database.effect() as session:
        member_id = session.exec(select(Outgoing.member_id).order_by(Outgoing.member_id)).first()
        assert member_id is not None
        session.get_one(Member, member_id).name = '=HYPERLINK("http://x")'
    table = sent.studio.campaign_file(sent.caller_named("marketer"), "Small thing")
    assert (table.loc[table["arm"] == "holdout", "address"] == "").all() and (table.loc[table["arm"] == "send", "address"] != "").all()
    audience = sent.studio.audience_file(sent.caller_named("marketer"), "Two tiers")
    assert not any(cell.startswith(("=", "+", "@")) for line in spreadsheet_safe(audience).splitlines() for cell in line.split(","))


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠x"])
def test_no_cell_of_a_file_begins_a_formula(cell: str) -> None:
    from assistant.api import spreadsheet_safe

    assert "'" + cell in spreadsheet_safe(pd.DataFrame({"name": [cell]}))


def test_the_list_of_an_audience_with_a_chinese_name_can_be_taken_away(shop: Desk) -> None:
    from starlette.testclient import TestClient

    from assistant import api

    done(shop, "audience_build", name="沉睡的金卡", wanted={"tiers": ["gold"]}, channel="email")
    with TestClient(api.build(shop)) as client:
        token = client.post("/api/v1/token", json={"login": "marketer", "password": worlds.PASSWORD}).json()["token"]
        answer = client.get("/api/v1/audiences/沉睡的金卡.csv", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200 and answer.headers["content-disposition"].isascii() and answer.text.startswith("member_id,")


def test_words_that_break_a_rule_stop_a_campaign(shop: Desk) -> None:
    refused = call(
        shop, "create_campaign", name="Loud", wanted={"tiers": ["silver"]}, texts=[{"text": "The best tea in England! Reply STOP to opt out"}], channel="sms"
    )
    assert refused.status == "refused" and refused.result["rule"] == "copy_blocked"


@pytest.mark.parametrize(
    ("offer", "value", "said"), [("points", 200.0, "200"), ("benefit", 3.95, "shipping|postage|deliver"), ("percent", 10.0, "10%"), ("amount", 5.0, "5")]
)
def test_every_kind_of_offer_is_told_in_its_words_with_its_last_day(shop: Desk, offer: str, value: float, said: str) -> None:
    asked: dict[str, Any] = {"name": "x", "wanted": {"tiers": ["silver"]}, "channel": "email", "language": "en", "tone": "plain", "variants": 3}
    facts = call(shop, "create_campaign", **asked, offer=offer, value=value).result["facts"]
    assert facts["valid_until"] == (worlds.DAY + timedelta(days=14)).isoformat()
    last = f"{worlds.DAY + timedelta(days=14):%-d %B}"
    assert len(facts["variants"]) == 3
    for one in facts["variants"]:
        whole = one["subject"] + one["preheader"] + one["text"]
        assert re.search(said, whole.lower()) and last in whole


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("offer", [{"extra_points": 150}, {"free_shipping": True}])
def test_words_speak_of_a_coupon_only_where_there_is_one(desk: Desk, offer: dict[str, Any], language: str) -> None:
    for occasion in ("offer", "win_back", "points", "birthday", "thank_you", "season"):
        written = call(desk, "write_copy", language=language, occasion=occasion, product="tea", **offer).result
        assert len(written["variants"]) == 3
        assert not [v["text"] for v in written["variants"] if re.search(r"券|\b(?:coupon|voucher)", v["text"])]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_version_is_told_on_a_line_of_its_own(desk: Desk, language: str) -> None:
    outcome = call(desk, "write_copy", language=language, channel="push", product="tea")
    told = worded("write_copy", outcome.arguments, outcome.text(), language=language, today=desk.today.isoformat())
    assert [line[0] for line in told.splitlines() if re.match(r"[ABC]\. ", line)] == ["A", "B", "C"]


def test_whoever_would_buy_anyway_is_not_discounted_unless_asked(shop: Desk) -> None:
    asked: dict[str, Any] = {"name": "x", "wanted": {"bought_within_days": 365}, "value": 30.0}
    careful = call(shop, "create_campaign", **asked).result["facts"]
    generous = call(shop, "create_campaign", **asked, discount_everyone=True).result["facts"]
    assert careful["would_buy_anyway"] > 0 == generous["would_buy_anyway"]
    assert careful["reachable"] == generous["reachable"]


def _campaign(desk: Desk, name: str, **told: Any) -> dict[str, Any]:
    asked = {"name": name, "wanted": {"bought_within_days": 365}, "channel": "email", "discount_everyone": True, **told}
    return done(desk, "create_campaign", **asked)


def test_the_yes_sends_the_campaign_that_was_shown_whatever_bears_its_name_later(shop: Desk) -> None:
    shown = _campaign(shop, "Spring tee", value=5.0)
    turn = gateway(shop)
    card = turn.call("send_campaign", {"campaign": "Spring tea"})
    assert card.result["facts"]["campaign_id"] == shown["campaign_id"]
    _campaign(shop, "Spring tea", value=80.0)
    sent = turn.carry_out(card.result["approval_id"]).result
    assert (sent["campaign_id"], sent["value"]) == (shown["campaign_id"], 5.0)


def test_the_audience_meant_is_the_one_shown_whatever_bears_its_name_later(shop: Desk) -> None:
    done(shop, "audience_build", name="Tea frends", wanted={"tiers": ["silver"]}, channel="email")
    turn = gateway(shop)
    card = turn.call("create_campaign", {"name": "Hello", "audience_name": "Tea friends", "value": 5.0})
    done(shop, "audience_build", name="Tea friends", wanted={"bought_within_days": 3000}, channel="email")
    assert turn.carry_out(card.result["approval_id"]).result["audience"] == "Tea frends"


def test_a_campaign_leaves_an_audience_of_its_name_as_it_was(shop: Desk) -> None:
    done(shop, "audience_build", name="Autumn", wanted={"tiers": ["gold"]}, channel="email")
    _campaign(shop, "Autumn", wanted={"tiers": ["silver"]}, value=5.0)
    with shop.database.read() as session:
        kept = {one.name: (one.version, one.conditions) for one in audience.names(session)}
    assert kept["Autumn"][0] == 1 and "gold" in str(kept["Autumn"][1])
    assert "silver" in str(kept[f"Autumn · {worlds.DAY}"][1])


def test_what_is_kept_are_the_words_that_were_shown(shop: Desk) -> None:
    turn, asked = gateway(shop), []

    def another(facts: dict[str, Any]) -> list[dict[str, str]]:
        asked.append(facts)
        return [{"text": f"Tea is here, wording {len(asked)}. {{unsubscribe}}", "subject": "Tea", "written_by": "model"}] * 3

    turn.means = replace(turn.means, write=another)
    card = turn.call("create_campaign", {"name": "Words", "wanted": {"tiers": ["silver"]}, "channel": "email", "offer": "none", "language": "en"})
    kept = turn.carry_out(card.result["approval_id"]).result
    assert kept["variants"] == card.result["facts"]["variants"] and len(asked) == 1


def test_a_models_words_that_break_a_rule_are_replaced_by_the_shops_own(shop: Desk) -> None:
    turn, own = gateway(shop), shop.means().write

    def loud(facts: dict[str, Any]) -> list[dict[str, str]]:
        return (
            own(facts) if facts.get("by") == "embedded" else [{"text": "The best tea in the world! {unsubscribe}", "subject": "Tea", "written_by": "model"}] * 3
        )

    turn.means = replace(turn.means, write=loud)
    asked = {"name": "Loud", "wanted": {"tiers": ["silver"]}, "channel": "email", "language": "en", "offer": "none", "variants": 3}
    facts = turn.call("create_campaign", asked).result["facts"]
    assert facts["variants"] and not [v for v in facts["variants"] if "best" in v["text"]]


def test_no_model_is_asked_while_the_record_is_locked(shop: Desk) -> None:
    turn, own = gateway(shop), shop.means().write

    def slow(facts: dict[str, Any]) -> list[dict[str, str]]:
        with shop.database.effect() as session:  # waits for ever, or fails, inside another effect
            session.add(Audience(id=f"A-{uuid4().hex[:6]}", version=1, name=uuid4().hex))
        return own(facts)

    turn.means = replace(turn.means, write=slow)
    assert turn.call("create_campaign", {"name": "Slow", "wanted": {"tiers": ["silver"]}, "value": 5.0}).status == "waiting_for_yes"


def _newcomers(desk: Desk, number: int) -> None:
    with desk.database.effect() as session:
        session.add_all([Member(id=f"NEW-{n}", name=f"New {n}", tier="bronze", city="Nowhere", language="en", joined_on=worlds.DAY) for n in range(number)])
        session.flush()
        session.add_all([Consent(member_id=f"NEW-{n}", channel="in_app", granted=True) for n in range(number)])


def test_whoever_never_ordered_costs_what_others_do_so_that_second_person_and_budget_hold(shop: Desk) -> None:
    _newcomers(shop, 400)
    asked: dict[str, Any] = {"wanted": {"cities": ["Nowhere"]}, "channel": "in_app", "offer": "amount", "value": 40.0, "language": "en"}
    free = _campaign(shop, "Newcomers", **asked)
    assert free["written_to"] == 360 and float(free["cost"]) > 500
    assert call(shop, "send_campaign", campaign="Newcomers").result["facts"]["needs_second"]
    capped = _campaign(shop, "Few newcomers", **asked, budget=300.0)
    assert 0 < capped["written_to"] < 360 and float(capped["cost"]) <= 300 and capped["over_budget"]


def test_before_anything_was_learned_an_offer_costs_as_if_all_used_it(shop: Desk) -> None:
    turn = gateway(shop)
    turn.means = replace(turn.means, fitted=None)
    asked: dict[str, Any] = {"wanted": {"bought_within_days": 365}, "channel": "email", "language": "en"}
    dear = turn.call("create_campaign", {"name": "Blind", **asked, "offer": "amount", "value": 20.0}).result["facts"]
    assert dear["expected"] is None and float(dear["cost"]) == 20 * dear["written_to"]
    turn.carry_out(turn.call("create_campaign", {"name": "Blind", **asked, "offer": "amount", "value": 20.0}).result["approval_id"])
    assert turn.call("send_campaign", {"campaign": "Blind"}).result["facts"]["needs_second"]
    capped = turn.call("create_campaign", {"name": "Capped", **asked, "offer": "percent", "value": 20.0, "budget": 60.0}).result["facts"]
    assert 0 < capped["written_to"] < dear["written_to"] and float(capped["cost"]) <= 60


def test_a_budget_holds_where_members_cost_unlike_sums(shop: Desk) -> None:
    shown = _campaign(shop, "Capped", value=20.0, budget=80.0, holdout_percent=20)
    assert shown["over_budget"] and 60 < float(shown["cost"]) <= 80


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        ({"offer": "amount", "value": 0.001}, "offer_value"),
        ({"offer": "points", "value": 0.2}, "offer_whole"),
        ({"offer": "percent", "value": 12.5}, "offer_whole"),
        ({"offer": "percent", "value": 5.0, "valid_until": "9999-12-31"}, "offer_too_long"),
        ({"offer": "percent", "value": 5.0, "send_on": "2050-01-01"}, "send_too_far"),
        ({"offer": "percent", "value": 5.0, "send_on": "2027-01-10", "valid_until": "2026-12-31"}, "offer_over"),
    ],
)
def test_an_offer_that_cannot_be_is_refused_before_its_card(desk: Desk, told: dict[str, Any], rule: str) -> None:
    assert call(desk, "create_campaign", name="x", wanted={"tiers": ["silver"]}, **told).result["rule"] == rule


def test_an_offer_sent_later_lasts_two_weeks_from_then(desk: Desk) -> None:
    facts = call(desk, "create_campaign", name="x", wanted={"tiers": ["silver"]}, value=5.0, send_on="2027-01-10").result["facts"]
    assert facts["valid_until"] == "2027-01-24"


@pytest.mark.parametrize(
    "wanted",
    [{"spent_at_least": 50.0, "spent_at_most": 10.0}, {"tiers": ["gold"], "or_also": 1}, {"birthday_months": [13]}],
)
def test_conditions_that_cannot_be_are_told_so(desk: Desk, wanted: dict[str, Any]) -> None:
    assert call(desk, "estimate_uplift", wanted=wanted).result["code"] == "bad_input"


def test_too_many_conditions_are_told_so(desk: Desk) -> None:
    many = dict.fromkeys(("bought_within_days", "not_bought_for_days", "joined_within_days", "orders_at_least", "points_at_least", "churn_from_percent"), 1)
    assert call(desk, "audience_count", **many, or_also=[many] * 4).result["rule"] == "audience_impossible"


def test_a_campaign_grown_dearer_since_it_was_agreed_to_is_proposed_again(shop: Desk) -> None:
    asked: dict[str, Any] = {"wanted": {"cities": ["Nowhere"]}, "channel": "in_app", "offer": "amount", "value": 90.0, "language": "en"}
    _newcomers(shop, 100)
    _campaign(shop, "Growing", **asked)
    assert done(shop, "send_campaign", campaign="Growing")["waits_for_second"]
    with shop.database.effect() as session:
        session.add_all([Member(id=f"MORE-{n}", name="x", tier="bronze", city="Nowhere", language="en", joined_on=worlds.DAY) for n in range(100)])
    with shop.database.effect() as session:
        accounts.create(session, "second", "long enough 1", Role.MARKETER)
    other = shop.caller_named("second")
    with pytest.raises(RuleBroken) as refused:
        shop.inbox.decide_second(other, shop.inbox.seconds(other)[0].approval_id, yes=True)
    assert refused.value.details["rule"] == "campaign_dearer"


def test_names_cannot_break_or_turn_the_line_of_a_message() -> None:
    told = personal.fill("Dear {name|friend}: tea", {"name": "Al\r\nBcc: x@y\u202e evil\u2028"})
    assert told == "Dear Al Bcc: x@y evil: tea"
    assert personal.fill("{name|friend}", {"name": "\u202e \n"}) == "friend"


def test_a_dear_campaign_needs_another_marketer(shop: Desk) -> None:
    done(shop, "audience_build", name="Buyers", wanted={"bought_within_days": 365}, channel="email")
    done(shop, "create_campaign", name="Half off", audience_name="Buyers", value=50.0, budget=5_000.0, discount_everyone=True)
    first = done(shop, "send_campaign", campaign="Half off")
    assert first["waits_for_second"] and first["sent"] == 0
    assert [s.tool for s in shop.inbox.seconds(shop.caller_named("marketer"))] == []
    assert shop.inbox.seconds(shop.caller_named("support")) == []
    with shop.database.effect() as session:
        accounts.create(session, "marketer2", "another one here", Role.MARKETER)
    colleague = shop.caller_named("marketer2")
    waiting = shop.inbox.seconds(colleague)
    assert [s.tool for s in waiting] == ["send_campaign"]
    result = shop.inbox.decide_second(colleague, waiting[0].approval_id, yes=True).result
    assert result["sent"] > 0
    with shop.database.read() as session:
        assert campaigns.get(session, "Half off").status == "sent"


def test_a_result_is_honest_while_it_is_early(sent: Desk) -> None:
    assert call(sent, "campaign_results", campaign="Small thing").result["verdict"] == "too_early"
    assert call(sent, "campaign_results", campaign="nothing like it").result["rule"] == "no_such_campaign"


def test_a_members_own_offers_name_the_campaign_only_where_they_were_written_to(sent: Desk) -> None:
    with sent.database.read() as session:
        arms = dict(
            session.exec(
                select(CampaignMember.member_id, CampaignMember.arm).where(CampaignMember.campaign_id == campaigns.get(session, "Small thing").id)
            ).all()
        )
    by_arm = {arm: next(m for m, mine in arms.items() if mine == arm) for arm in ("treated", "holdout")}
    for arm, member_id in by_arm.items():
        caller = Caller(f"account of {member_id}", Role.MEMBER, member_id)
        told = sent.gateway(caller, uuid4().hex).call("campaigns_for_me", {}).result
        assert ("Small thing" in [c["name_en"] for c in told["campaigns"]]) == (arm == "treated")


# --- the lab ----------------------------------------------------------------------------


def test_the_same_rules_are_no_proposal_and_impossible_ones_are_refused(desk: Desk) -> None:
    for rules, rule in (
        ({}, "policy_nothing"),
        ({"thresholds": {"gold": 2000.0}}, "policy_same"),
        ({"thresholds": {"gold": 100.0}}, "policy_impossible"),
        ({"thresholds": {"wooden": 5.0}}, "policy_unknown"),
    ):
        assert call(desk, "policy_what_if", rules=rules).result["rule"] == rule


@pytest.mark.parametrize("rules", [{"earning": {"gold": 1e30}}, {"thresholds": {"gold": 1e15}}, {"discounts": {"gold": 99}}, {"earning": {"gold": 0.0}}])
def test_rules_beyond_all_reason_are_bad_input(desk: Desk, rules: dict[str, Any]) -> None:
    assert call(desk, "policy_what_if", rules=rules).result["code"] == "bad_input"


def test_rules_for_a_far_day_are_refused(desk: Desk) -> None:
    assert call(desk, "adopt_policy", rules={"thresholds": {"silver": 700.0}}, starts_on="9999-12-31").result["rule"] == "policy_too_far"


def test_a_higher_threshold_lifts_nobody_and_the_page_can_draw_who_moves(desk: Desk) -> None:
    r = call(desk, "policy_what_if", rules={"thresholds": {"gold": 4000.0}}).result
    assert r["higher"] <= 2 and sum(map(sum, r["moves"])) == pytest.approx(r["members"], abs=5)
    assert float(r["net_from"]) <= float(r["net"]["value"]) <= float(r["net_to"])
    assert {a["source"] for a in r["assumptions"]} == {"assumed", "measured"}


def test_rules_are_tried_on_members_who_never_were_too(desk: Desk) -> None:
    asked: dict[str, Any] = {"rules": {"thresholds": {"silver": 300.0}}, "invented_members": 250_000}
    r = call(desk, "policy_what_if", **asked).result
    assert r["invented"] and r["members"] == 250_000 and sum(t["present"] for t in r["tiers"]) == pytest.approx(250_000, abs=5)
    assert r["higher"] > r["lower"] >= 0
    own = call(desk, "policy_what_if", rules=asked["rules"]).result
    assert not own["invented"] and own["members"] < 1_000
    # Whoever never was is about as rich as those who are.
    assert float(r["present_revenue"]) / r["members"] == pytest.approx(float(own["present_revenue"]) / own["members"], rel=0.5)
    both = call(desk, "compare_policies", first=asked["rules"], second={"expiry_months": 18}, invented_members=2_000).result
    assert both["first"]["invented"] and both["second"]["members"] == 2_000


def test_adopted_rules_need_two_people_and_then_the_members_calculator_knows_them(fresh_desk: Desk) -> None:
    desk, start = fresh_desk, date(2027, 1, 1)
    rules = {"thresholds": {"silver": 600.0}, "expiry_months": 24}
    first = done(desk, "adopt_policy", rules=rules, starts_on=start.isoformat())
    assert first["waits_for_second"] and desk.studio.coming() is None
    admin = desk.caller_named("admin")
    waiting = desk.inbox.seconds(admin)
    desk.inbox.decide_second(admin, waiting[0].approval_id, yes=True)
    coming = desk.studio.coming()
    assert coming is not None and coming.tier("silver").threshold_cents == 60_000 and desk.rules.tier("silver").threshold_cents == 50_000
    lina: Callable[..., dict[str, Any]] = lambda **asked: desk.gateway(desk.caller_named("lina"), uuid4().hex).call("tier_and_benefits", asked).result  # noqa: E731
    assert lina()["coming"]["starts_on"] == start.isoformat()
    assert {t["key"]: t["threshold"] for t in lina()["coming"]["thresholds"]}["silver"] == "600.00"
    assert call(desk, "adopt_policy", rules={"thresholds": {"silver": 700.0}}, starts_on="2026-12-15").result["rule"] == "policy_order"


def test_invented_members_are_nobody(desk: Desk) -> None:
    told = call(desk, "synthesise_members", members=60)
    if told.status == "refused":
        pytest.skip("the small shop has too few buyers to learn from")
    table = desk.studio.synthetic_file(desk.caller_named("marketer"), 60)
    assert len(table) == 60 and table["member_id"].str.startswith("S-").all() and told.result["exact_copies"] == 0
