"""Are audiences counted as one would count them by hand?

The world: A Ada, B Bo, C Cy and D Di are members, E Eve has left.
A bought a board (30.00) in May and tea (10.00) in August; B bought a board (600.00) a year and a half ago and gave half of it back;
C's only order was cancelled; D bought nothing and joined last week.
"""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlmodel import col, update

from members import audience
from members.audience import Count
from members.conditions import Conditions, Where, but_not, either, every, test
from members.errors import NotFound, RuleBroken
from members.tables import Campaign, CampaignMember, Consent, Contact, Member, MemberScore, OrderLine, Ticket

TODAY = date(2025, 9, 1)


def _ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def _fill(world: Any) -> Any:
    people = [("A", "gold", "Leeds", "en", 900), ("B", "silver", "Århus", "en", 800), ("C", "bronze", "Leeds", "zh", 700), ("D", "bronze", "杭州", "zh", 7)]
    for member_id, tier, city, language, joined in people:
        country = "China" if city == "杭州" else "United Kingdom"
        world.member(member_id, tier=tier, city=city, country=country, language=language, joined_on=_ago(joined))
    world.member("E", tier="gold", city="Leeds", joined_on=_ago(500), left_on=_ago(3))
    world.product("board", "home")
    world.product("sencha", "tea")
    world.order("A1", "A", _ago(100), ("board", 1, 3000), status="delivered")
    world.order("A2", "A", _ago(10), ("sencha", 1, 1000), status="delivered")
    world.order("B1", "B", _ago(500), ("board", 2, 30_000), status="delivered")
    world.order("C1", "C", _ago(5), ("sencha", 1, 2000), status="cancelled")
    world.order("E1", "E", _ago(5), ("sencha", 1, 2000), status="delivered")
    with world.database.effect() as session:
        session.exec(update(OrderLine).where(col(OrderLine.order_id) == "B1").values(returned=1))
    return world


@pytest.fixture
def shop(world: Any) -> Any:
    """The five members described above."""
    return _fill(world)


@pytest.fixture
def both(either: Any, world_of: Any) -> Any:
    """The same five on each kind of record."""
    return _fill(world_of(either))


def _who(world: Any, **conditions: Any) -> str:
    wanted = Conditions(**conditions)
    with world.database.read() as session:
        found = audience.sample(session, wanted.where(), on=TODAY, limit=50)
        assert audience.count(session, wanted.where(), on=TODAY).matching == len(found)
    return "".join(member.id for member in found)


@pytest.mark.parametrize(
    ("conditions", "who"),
    [
        ({}, "ABCD"),
        ({"tiers": ["gold"]}, "A"),
        ({"tiers": ["gold", "bronze"]}, "ACD"),
        ({"tiers": ["wooden"]}, ""),
        ({"cities": [" leeds "]}, "AC"),
        ({"cities": ["杭州", "LEEDS"]}, "ACD"),
        ({"countries": ["united kingdom"]}, "ABC"),
        ({"countries": ["China"], "cities": ["杭州"]}, "D"),
        ({"languages": ["zh"]}, "CD"),
        ({"categories": ["tea"]}, "A"),
        ({"categories": ["home"]}, "AB"),
        ({"bought_within_days": 10}, ""),
        ({"bought_within_days": 11}, "A"),
        ({"bought_within_days": 501}, "AB"),
        ({"not_bought_for_days": 10}, "ABCD"),
        ({"not_bought_for_days": 11}, "BCD"),
        ({"joined_within_days": 7}, ""),
        ({"joined_within_days": 8}, "D"),
        ({"spent_at_least_cents": 4000}, "A"),
        ({"spent_at_least_cents": 4001}, ""),
        ({"spent_at_most_cents": 0}, "BCD"),
        ({"spent_at_least_cents": 30_000, "spent_within_days": 600}, "B"),
        ({"spent_at_least_cents": 30_001, "spent_within_days": 600}, ""),
        ({"spent_at_most_cents": 1000, "spent_within_days": 30}, "ABCD"),
        ({"languages": ["en"], "categories": ["home"], "not_bought_for_days": 60}, "B"),
        ({"cities": ["x') OR 1=1 --"]}, ""),
    ],
)
def test_each_condition_finds_the_members_counted_by_hand(both: Any, conditions: dict[str, Any], who: str) -> None:
    assert _who(both, **conditions) == who


@pytest.mark.parametrize("city", ["Århus", "århus", "ÅRHUS"])
def test_a_city_is_found_in_any_case_even_with_letters_beyond_english(both: Any, city: str) -> None:
    assert _who(both, cities=[city]) == "B"


def test_an_order_of_a_later_day_does_not_count_yet(shop: Any) -> None:
    shop.order("D1", "D", TODAY + timedelta(2), ("sencha", 1, 2000), status="pending")
    assert _who(shop, bought_within_days=30) == "A"
    assert _who(shop, spent_at_least_cents=1000) == "A"
    assert _who(shop, categories=["tea"]) == "A"


def _consent(world: Any) -> None:
    agreed = [("A", "email", True), ("B", "email", True), ("B", "sms", True), ("C", "email", False), ("E", "email", True)]
    world.add(*[Consent(member_id=member_id, channel=channel, granted=granted) for member_id, channel, granted in agreed])
    world.add(*[Contact(member_id=member_id, kind=kind, value=f"{kind}-{member_id}") for member_id in "ABC" for kind in ("email", "phone")])


def _count(world: Any, **conditions: Any) -> Count:
    with world.database.read() as session:
        asked = Conditions(**conditions)
        return audience.count(session, asked.where(), on=TODAY, channel=asked.consent)


def _counted(matching: int, reachable: int, in_all: int, **left_out: int) -> Count:
    reasons = dict.fromkeys(("without_consent", "no_address", "contacted_this_week", "open_complaint"), 0)
    return Count(matching=matching, **(reasons | left_out), reachable=reachable, members_in_all=in_all)


def test_whoever_did_not_agree_to_the_channel_is_not_reachable(shop: Any) -> None:
    _consent(shop)
    assert _count(shop, consent="email") == _counted(4, 2, 4, without_consent=2)
    assert _count(shop, consent="sms").reachable == 1
    assert _count(shop, consent="wechat").reachable == 0
    assert _count(shop).reachable == 2


@pytest.mark.parametrize(("days", "arm", "contacted"), [(0, "offer", 1), (6, "offer", 1), (7, "offer", 0), (1, "holdout", 0), (-1, "offer", 0)])
def test_whoever_was_addressed_this_week_is_left_alone_but_the_holdout_was_not_addressed(shop: Any, days: int, arm: str, contacted: int) -> None:
    _consent(shop)
    shop.add(Campaign(id="K", name_en="Tea week", channel="email", sent_on=_ago(days)), CampaignMember(campaign_id="K", member_id="A", arm=arm))
    counted = _count(shop, consent="email")
    assert (counted.contacted_this_week, counted.reachable) == (contacted, 2 - contacted)


def test_two_campaigns_to_one_member_remove_them_once(shop: Any) -> None:
    _consent(shop)
    for campaign in ("K", "L"):
        shop.add(Campaign(id=campaign, name_en="Tea", channel="email", sent_on=_ago(1)))
        shop.add(*[CampaignMember(campaign_id=campaign, member_id=member_id, arm="offer") for member_id in "AC"])
    assert _count(shop, consent="email") == _counted(4, 1, 4, without_consent=2, contacted_this_week=1)


def test_nobody_is_counted_in_an_empty_club(world: Any) -> None:
    assert _count(world, tiers=["gold"]) == _counted(0, 0, 0)


def test_cities_and_categories_are_listed_for_choosing(shop: Any) -> None:
    with shop.database.read() as session:
        assert (audience.cities(session)[0], audience.categories(session)) == ("Leeds", ["home", "tea"])


@pytest.mark.parametrize("wrong", [{"sql": "1=1"}, {"bought_within_days": 0}, {"consent": "fax"}, {"cities": ["x"] * 21}, {"spent_at_least_cents": -1}])
def test_a_condition_nobody_defined_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Conditions(**wrong)


def test_an_order_counts_from_its_first_minute(shop: Any) -> None:
    shop.order("D1", "D", None, ("sencha", 1, 2000), ordered_at=datetime.combine(_ago(29), datetime.min.time()))
    assert _who(shop, bought_within_days=30) == "AD"


# --- joined conditions ------------------------------------------------------------------


def _found(world: Any, where: Where) -> str:
    with world.database.read() as session:
        return "".join(audience.ids(session, where, on=TODAY))


GOLD, LEEDS, CHINESE = test("tier", any_of=["gold"]), test("city", any_of=["leeds"]), test("language", any_of=["zh"])


@pytest.mark.parametrize(
    ("where", "who"),
    [
        (every(), "ABCD"),
        (every(GOLD, LEEDS), "A"),
        (either(every(GOLD), every(CHINESE)), "ACD"),
        (but_not(every(), every(LEEDS)), "BD"),
        (but_not(every(LEEDS), every(CHINESE)), "A"),
        (either(every(GOLD), but_not(every(CHINESE), every(LEEDS))), "AD"),
        (every(test("silent_days", at_least=200)), "BCD"),
        (every(test("silent_days", at_least=200, at_most=600)), "B"),
        (every(test("orders", at_least=2)), "A"),
        (every(test("orders", at_most=0)), "CD"),
        (every(test("category", any_of=["home"], days=150)), "A"),
        (every(test("taste", any_of=["home"])), "AB"),
        (every(test("taste", any_of=["tea"])), ""),
        (every(test("country", any_of=["nowhere"])), ""),
    ],
)
def test_joined_conditions_find_whom_one_would_find_by_hand(both: Any, where: Where, who: str) -> None:
    assert _found(both, where) == who


def test_models_scores_can_be_asked_and_an_unscored_member_is_not_at_risk(both: Any) -> None:
    both.add(MemberScore(member_id="A", as_of=TODAY, version="1", churn=0.7, value_cents=9000, segment="champions"))
    both.add(MemberScore(member_id="B", as_of=TODAY, version="1", churn=0.2, value_cents=100, segment="sleeping"))
    assert _found(both, every(test("churn_percent", at_least=60))) == "A"
    assert _found(both, every(test("value_cents", at_most=8999))) == "B"
    assert _found(both, every(test("segment", any_of=["sleeping"]))) == "B"
    assert _found(both, but_not(every(), every(test("churn_percent", at_least=60)))) == "BCD"


def test_a_birthday_month_is_found_on_both_kinds_of_record(both: Any) -> None:
    both.add(Member(id="F", tier="bronze", birthday=date(1990, 12, 3), joined_on=_ago(900)))
    assert _found(both, every(test("birthday_month", any_of=["12"]))) == "F"


names = st.sampled_from([GOLD, LEEDS, CHINESE, test("orders", at_least=1), test("silent_days", at_least=60), test("category", any_of=["tea"])])
wheres = st.recursive(
    names.map(lambda one: Where(test=one)),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Where(all=tuple(parts)) if _shallow(parts) else parts[0]),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Where(any=tuple(parts)) if _shallow(parts) else parts[0]),
        inner.map(lambda part: Where(none=part) if _shallow([part]) else part),
    ),
    max_leaves=6,
)


def _shallow(parts: list[Where]) -> bool:
    try:
        Where(all=tuple(parts))
    except ValidationError:
        return False
    return True


def test_all_any_and_not_are_those_of_sets(shop: Any) -> None:
    everybody = set("ABCD")

    def by_sets(where: Where) -> set[str]:
        if where.test is not None:
            return set(_found(shop, where))
        if where.all is not None:
            return everybody.intersection(*(by_sets(part) for part in where.all))
        if where.any is not None:
            return set().union(*(by_sets(part) for part in where.any))
        return everybody - by_sets(where.none) if where.none else everybody

    @given(wheres)
    @settings(max_examples=60, deadline=None)
    def holds(where: Where) -> None:
        assert set(_found(shop, where)) == by_sets(where)
        assert Where.model_validate(where.model_dump(exclude_none=True)) == where

    holds()


@pytest.mark.parametrize(
    "wrong",
    [
        {"test": {"field": "tier", "at_least": 3}},
        {"test": {"field": "orders", "any_of": ["3"]}},
        {"test": {"field": "orders"}},
        {"test": {"field": "tier", "any_of": ["gold"], "days": 3}},
        {"test": {"field": "orders", "at_least": 5, "at_most": 4}},
        {"test": {"field": "shoe size", "at_least": 5}},
        {"test": {"field": "orders", "at_least": 5}, "all": []},
        {"all": [{"test": {"field": "orders", "at_least": 5}}], "any": [{}]},
        {"none": {"none": {"none": {"none": {"none": {}}}}}},
        {"any": [{"test": {"field": "points", "at_least": n}} for n in range(21)]},
    ],
)
def test_a_joined_condition_nobody_could_mean_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Where.model_validate(wrong)


def test_each_member_left_out_is_left_out_for_one_reason(shop: Any) -> None:
    _consent(shop)
    shop.add(Ticket(id="T1", member_id="A", subject="late", cause="complaint", opened_at=datetime(2025, 8, 30)))
    shop.add(Ticket(id="T2", member_id="B", subject="late", cause="complaint", status="closed", opened_at=datetime(2025, 8, 30)))
    assert _count(shop, consent="email") == _counted(4, 1, 4, without_consent=2, open_complaint=1)
    with shop.database.read() as session:
        assert audience.ids(session, every(), on=TODAY, channel="email", addressed=True) == ["B"]


def test_without_an_address_nobody_can_be_written_to(shop: Any) -> None:
    shop.add(Consent(member_id="D", channel="sms", granted=True))
    assert _count(shop, consent="sms") == _counted(4, 0, 4, without_consent=3, no_address=1)
    assert _count(shop, consent="in_app").reachable == 4


def test_a_saved_audience_keeps_its_versions_and_is_worked_out_anew(shop: Any) -> None:
    now = datetime(2025, 9, 1, 10)
    with shop.database.effect() as session:
        first = audience.save(session, "Quiet gold", every(GOLD), channel="email", by="m", now=now)
        same = audience.save(session, "quiet GOLD", every(GOLD), channel="email", by="m", now=now)
        second = audience.save(session, "Quiet gold", either(every(GOLD), every(CHINESE)), channel="email", by="m", now=now)
        assert (first.version, same.version, second.version, second.id) == (1, 1, 2, first.id)
        assert audience.where_of(audience.get(session, first.id)) == either(every(GOLD), every(CHINESE))
        assert audience.where_of(audience.saved(session, "Quiet gold", version=1) or first) == every(GOLD)
        assert [kept.version for kept in audience.names(session)] == [2]
        with pytest.raises(RuleBroken):
            audience.save(session, "All", every(), channel=None, by="m", now=now)
        with pytest.raises(NotFound):
            audience.get(session, "nothing like it")
    shop.member("G", tier="gold", joined_on=_ago(3))
    assert _found(shop, every(GOLD)) == "AG"
