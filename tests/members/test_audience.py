"""Are audiences counted as one would count them by hand?

The world: A Ada, B Bo, C Cy and D Di are members, E Eve has left.
A bought a board (30.00) in May and tea (10.00) in August; B bought a board (600.00) a year and a half ago and gave half of it back;
C's only order was cancelled; D bought nothing and joined last week.
"""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlmodel import col, update

from members import audience
from members.audience import Conditions, Count
from members.tables import Campaign, CampaignMember, Consent, OrderLine

TODAY = date(2025, 9, 1)


def _ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def _fill(world: Any) -> Any:
    people = [("A", "gold", "Leeds", "en", 900), ("B", "silver", "Århus", "en", 800), ("C", "bronze", "Leeds", "zh", 700), ("D", "bronze", "杭州", "zh", 7)]
    for member_id, tier, city, language, joined in people:
        world.member(member_id, tier=tier, city=city, language=language, joined_on=_ago(joined))
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
        found = audience.sample(session, wanted, on=TODAY, limit=50)
        assert audience.count(session, wanted, on=TODAY).matching == len(found)
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


def _count(world: Any, **conditions: Any) -> Count:
    with world.database.read() as session:
        return audience.count(session, Conditions(**conditions), on=TODAY)


def test_whoever_did_not_agree_to_the_channel_is_not_reachable(shop: Any) -> None:
    _consent(shop)
    assert _count(shop, consent="email") == Count(matching=4, without_consent=2, contacted_this_week=0, reachable=2, members_in_all=4)
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
    assert _count(shop, consent="email") == Count(matching=4, without_consent=2, contacted_this_week=1, reachable=1, members_in_all=4)


def test_nobody_is_counted_in_an_empty_club(world: Any) -> None:
    assert _count(world, tiers=["gold"]) == Count(matching=0, without_consent=0, contacted_this_week=0, reachable=0, members_in_all=0)


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
