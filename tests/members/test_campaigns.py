"""Does a campaign write once to whom it should, leave alone whom it must, and send nothing at night?

The world: twenty members M-00 to M-19, eight of them gold, all reachable by e-mail and none addressed lately.
"""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select, update

from members import audience, bonus_points, campaigns, coupons, privacy
from members.campaigns import Offer, Words, allowed_at, quiet
from members.conditions import Where, every, test
from members.database import Database
from members.errors import NotFound, RuleBroken
from members.program import Campaigns, Program
from members.tables import (
    Audience,
    Campaign,
    CampaignMember,
    Consent,
    Contact,
    Coupon,
    Member,
    MemberScore,
    Order,
    OrderLine,
    Outgoing,
    PointsEntry,
    Product,
    Ticket,
    Variant,
)

TODAY = date(2025, 9, 1)
NOW = datetime(2025, 9, 1, 10, 30)
EVERYBODY = every(test("language", any_of=["en"]))
TEN_OFF = Offer("percent", 10, until=TODAY + timedelta(30))
WORDS = [Words("A", "Hello {name}", "Tea"), Words("B", "Dear {name}", "Tea!")]
RULES = Campaigns()
EACH_ONE = {f"M-{n:02}": 1.0 for n in range(20)}


def _fill(world: Any) -> Any:
    people = [Member(id=f"M-{n:02}", name=f"N{n}", tier="gold" if n < 8 else "bronze", language="en") for n in range(20)]
    with world.database.effect() as session:
        session.add_all(people)
        session.flush()
        session.add_all([row for who in people for row in (_agreed(who.id), Contact(member_id=who.id, kind="email", value=f"{who.id}@shop"))])
    return world


def _agreed(member_id: str) -> Consent:
    return Consent(member_id=member_id, channel="email", granted=True)


@pytest.fixture
def shop(world: Any) -> Any:
    """The twenty on SQLite."""
    return _fill(world)


@pytest.fixture
def both(either: Database, world_of: Any) -> Any:
    """The twenty on each kind of record."""
    return _fill(world_of(either))


def _draft(world: Any, name: str = "Tea week", *, offer: Offer = TEN_OFF, words: list[Words] = WORDS, now: datetime = NOW, **told: Any) -> str:
    with world.database.effect() as session:
        kept = Audience(id="A-1", version=3, name="English")
        return campaigns.draft(session, name, kept, words, offer, channel="email", language="en", rules=RULES, by="m", now=now, **told).id


def _list(world: Any, campaign_id: str, where: Where = EVERYBODY, **told: Any) -> campaigns.List:
    with world.database.read() as session:
        return campaigns.make_list(session, session.get_one(Campaign, campaign_id), where, on=TODAY, **told)


def _word(member: Member, words: Words, code: str) -> tuple[str, str]:
    return words.subject, f"{words.text.format(name=member.name)} {code}"


def _send(world: Any, campaign_id: str, made: campaigns.List | None = None, *, at: int = 11, today: date = TODAY, **told: Any) -> int:
    made = made or _list(world, campaign_id)
    with world.database.effect() as session:
        campaign = session.get_one(Campaign, campaign_id)
        return campaigns.send(session, campaign, made, word=_word, hour=lambda member_id: at, rules=RULES, today=today, now=NOW, **told)


def _box(world: Any, **only: Any) -> list[Outgoing]:
    with world.database.read() as session:
        return list(session.exec(select(Outgoing).filter_by(**only).order_by(col(Outgoing.member_id))))


def _status(world: Any, campaign_id: str) -> str:
    with world.database.read() as session:
        return session.get_one(Campaign, campaign_id).status


# --- drafting ---------------------------------------------------------------------------


def test_a_draft_keeps_what_was_decided_and_writes_to_nobody(both: Any) -> None:
    made = _draft(both, budget_cents=5000, expected={"effect": 0.1})
    with both.database.read() as session:
        kept = campaigns.get(session, "tea WEEK")
        assert (kept.id, kept.status, kept.sent_on, kept.holdout_percent) == (made, "draft", None, 10)
        assert (kept.audience_id, kept.audience_version, kept.budget_cents, kept.expected) == ("A-1", 3, 5000, {"effect": 0.1})
        assert (Offer.of(kept), campaigns.variants(kept)) == (TEN_OFF, WORDS)
    assert both.count(Outgoing) == both.count(Coupon) == both.count(CampaignMember) == 0


@pytest.mark.parametrize("name", ["Tea week", "TEA WEEK", "春茶周"])
def test_a_name_in_use_in_either_language_is_refused(both: Any, name: str) -> None:
    both.add(Campaign(id="K", name_en="Tea week", name_zh="春茶周", channel="email", sent_on=TODAY - timedelta(400)))
    with pytest.raises(RuleBroken) as refused:
        _draft(both, name)
    assert refused.value.details == {"rule": "campaign_name_taken", "name": name}


def test_without_words_there_is_no_campaign(shop: Any) -> None:
    with pytest.raises(RuleBroken, match="variant"):
        _draft(shop, words=[])


@pytest.mark.parametrize(("days", "first", "fits"), [(-1, 0, False), (0, 0, True), (5, 5, True), (5, 6, False)])
def test_an_offer_that_ends_before_the_first_message_leaves_is_refused(shop: Any, days: int, first: int, fits: bool) -> None:
    offer, told = Offer("percent", 10, until=TODAY + timedelta(days)), {"send_from": NOW + timedelta(first)}
    if fits:
        assert _draft(shop, offer=offer, **told).startswith("C-")
    else:
        with pytest.raises(RuleBroken, match="ended"):
            _draft(shop, offer=offer, **told)


def test_a_campaign_is_found_by_id_name_or_nearly_its_name_and_drafts_come_first(both: Any) -> None:
    both.add(*[Campaign(id=f"K{n}", name_en="Winter sale", channel="email", sent_on=TODAY - timedelta(n)) for n in (1, 2)])
    made = _draft(both)
    with both.database.read() as session:
        assert [campaigns.get(session, words).id for words in (made, made.lower(), "tea week", "tea weak")] == [made] * 4
        assert campaigns.get(session, "winter sale").id == "K1"
        assert [one.id for one in campaigns.every(session)] == [made, "K1", "K2"]
        for nobody in ("autumn", " "):
            with pytest.raises(NotFound):
                campaigns.get(session, nobody)


@given(st.sampled_from(["none", "percent", "amount", "points"]), st.integers(0, 9999), st.none() | st.dates())
def test_an_offer_is_read_back_as_it_was_kept(kind: str, value: int, until: date | None) -> None:
    offer = Offer(kind, value, minimum_cents=value, category="tea", until=until, benefit="express")
    assert Offer.of(Campaign(id="K", name_en="", channel="email", offer=offer.as_json())) == offer


# --- the list ---------------------------------------------------------------------------


def _scored(world: Any) -> None:
    """M-04 to M-07 are likely to stay away, M-08 to M-11 are not; nothing is known of the others."""
    score = {"as_of": TODAY, "version": "v"}
    world.add(*[MemberScore(member_id=f"M-{n:02}", churn=0.9 if n < 8 else 0.1, **score) for n in range(4, 12)])


def test_the_strata_are_the_tier_and_the_chance_of_staying_away(both: Any) -> None:
    _scored(both)
    made = _list(both, _draft(both))
    found = Counter(stratum for _, _, stratum in made.members.values())
    assert found == {"gold/?": 4, "gold/high": 4, "bronze/low": 4, "bronze/?": 8}


def test_a_quarter_of_each_stratum_is_held_out(shop: Any) -> None:
    _scored(shop)
    made = _list(shop, _draft(shop, holdout_percent=25))
    held = Counter(stratum for arm, _, stratum in made.members.values() if arm == "holdout")
    assert held == {"gold/?": 1, "gold/high": 1, "bronze/low": 1, "bronze/?": 2}
    assert (made.count("holdout"), made.count("treated")) == (5, 15)


def test_the_same_campaign_draws_the_same_people_and_another_draws_others(shop: Any) -> None:
    first, second = _draft(shop, holdout_percent=50), _draft(shop, "Tea week again", holdout_percent=50)
    assert _list(shop, first).members == _list(shop, first).members
    assert _list(shop, first).members != _list(shop, second).members


def test_whoever_would_buy_anyway_is_skipped_counted_and_neither_written_to_nor_held_out(shop: Any) -> None:
    made = _list(shop, _draft(shop), skip=["M-00", "M-19", "not of this audience"])
    assert made.left_out["would_buy_anyway"] == 2 and len(made.members) == 18
    assert not {"M-00", "M-19"} & set(made.members)


def test_a_small_budget_writes_to_whom_it_changes_most_and_names_the_others(shop: Any) -> None:
    predicted = {f"M-{n:02}": n / 100 for n in range(20)}
    made = _list(shop, _draft(shop, holdout_percent=20, budget_cents=8), costs=EACH_ONE, predicted=predicted)
    assert sorted(made.members) == [f"M-{n:02}" for n in range(10, 20)]
    assert (made.count("treated"), made.count("holdout"), made.left_out["over_budget"]) == (8, 2, 10)


def test_a_budget_for_all_leaves_nobody_out(shop: Any) -> None:
    made = _list(shop, _draft(shop, holdout_percent=20, budget_cents=16), costs=EACH_ONE)
    assert len(made.members) == 20 and not made.left_out.get("over_budget")


def test_without_consent_or_address_contacted_this_week_or_complaining_one_is_left_out_by_that_reason(both: Any) -> None:
    with both.database.effect() as session:
        session.exec(update(Consent).where(col(Consent.member_id) == "M-00").values(granted=False))
        session.exec(update(Contact).where(col(Contact.member_id) == "M-01").values(kind="phone"))
    both.add(Campaign(id="K", name_en="Last", channel="email", sent_on=TODAY - timedelta(3)))
    both.add(*[CampaignMember(campaign_id="K", member_id=who, arm=arm) for who, arm in (("M-02", "treated"), ("M-03", "holdout"))])
    both.add(Ticket(id="T", member_id="M-04", subject="late", cause="complaint", opened_at=NOW))
    made = _list(both, _draft(both))
    assert made.left_out == {"without_consent": 1, "no_address": 1, "contacted_this_week": 1, "open_complaint": 1, "would_buy_anyway": 0}
    assert set(made.members) == {f"M-{n:02}" for n in range(20)} - {"M-00", "M-01", "M-02", "M-04"}


def test_variants_are_split_evenly_in_every_stratum(shop: Any) -> None:
    _scored(shop)
    made = _list(shop, _draft(shop, words=[*WORDS, Words("C", "Hi")]))
    written = [mine for mine in made.members.values() if mine[0] == "treated"]
    for stratum in {mine[2] for mine in written}:
        split = Counter(mine[1] for mine in written if mine[2] == stratum)
        assert max(split.values()) - min(split.get(key, 0) for key in "ABC") <= 1
    assert sorted(Counter(mine[1] for mine in written).values()) == [6, 6, 6]


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 120), max_size=12), st.integers(0, 50), st.integers(1, 3))
def test_the_share_held_out_is_exact_in_all_and_within_one_in_each_stratum(sizes: Mapping[str, int], percent: int, variants: int) -> None:
    campaign = Campaign(id="K", name_en="", channel="email", holdout_percent=percent, variants=[{"key": key} for key in "ABC"[:variants]])
    strata = {name: [f"{name}{n}" for n in range(size)] for name, size in sizes.items()}
    made = campaigns._assigned(campaign, strata)
    assert set(made) == {who for some in strata.values() for who in some}
    held = Counter(stratum for arm, _, stratum in made.values() if arm == "holdout")
    assert sum(held.values()) == sum(sizes.values()) * percent // 100
    assert all(abs(held[name] - size * percent / 100) < 1 for name, size in sizes.items())
    split = Counter(variant for arm, variant, _ in made.values() if arm == "treated")
    assert max(split.values(), default=0) - min((split[key] for key in "ABC"[:variants]), default=0) <= 1


def test_a_budget_that_fits_to_the_last_member_keeps_the_last_member(shop: Any) -> None:
    shop.add(*[Member(id=f"N-{n:02}", language="en") for n in range(31)])
    shop.add(*[row for n in range(31) for row in (_agreed(f"N-{n:02}"), Contact(member_id=f"N-{n:02}", kind="email", value=f"{n}@n"))])
    # 41 of 50 are written to when 18% are held out, though 41 / 0.82 is a little less than 50 in binary.
    costs = EACH_ONE | {f"N-{n:02}": 1.0 for n in range(31)}
    made = _list(shop, _draft(shop, holdout_percent=18, budget_cents=41), costs=costs)
    assert (made.count("treated"), made.count("holdout"), made.left_out["over_budget"]) == (41, 9, 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(st.integers(0, 50), st.integers(0, 25))
def test_a_budget_is_used_up_and_never_exceeded(shop: Any, percent: int, most: int) -> None:
    campaign = Campaign(id="K", name_en="", channel="email", holdout_percent=percent, budget_cents=most)
    with shop.database.read() as session:
        made = campaigns.make_list(session, campaign, EVERYBODY, on=TODAY, costs=EACH_ONE)
    over = made.left_out.get("over_budget", 0)
    assert made.count("treated") <= most and len(made.members) + over == 20
    # One more would be one too many.
    assert not over or (len(made.members) + 1) * (100 - percent) > most * 100


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.integers(0, 50), st.integers(0, 2500), st.lists(st.floats(0, 300), min_size=20, max_size=20), st.lists(st.floats(-1, 1), min_size=20, max_size=20))
def test_a_budget_holds_however_unlike_the_members_costs_are(shop: Any, percent: int, budget: int, each: list[float], moved: list[float]) -> None:
    campaign = Campaign(id="K", name_en="", channel="email", holdout_percent=percent, budget_cents=budget)
    costs, predicted = ({f"M-{n:02}": told[n] for n in range(20)} for told in (each, moved))
    with shop.database.read() as session:
        made = campaigns.make_list(session, campaign, EVERYBODY, on=TODAY, costs=costs, predicted=predicted)
    assert sum(costs[who] for who, mine in made.members.items() if mine[0] == "treated") <= budget
    assert len(made.members) + made.left_out.get("over_budget", 0) == 20


# --- sending ----------------------------------------------------------------------------


def test_each_member_gets_one_message_one_coupon_and_an_arm(both: Any) -> None:
    campaign_id = _draft(both)
    made = _list(both, campaign_id)
    assert _send(both, campaign_id, made, predicted={"M-05": 0.25}) == 18
    written = {who for who, mine in made.members.items() if mine[0] == "treated"}
    box = _box(both)
    assert [one.member_id for one in box] == sorted(written) and {(one.status, one.tries, one.channel) for one in box} == {("waiting", 0, "email")}
    with both.database.read() as session:
        arms = {row.member_id: (row.arm, row.variant, row.stratum) for row in session.exec(select(CampaignMember))}
        assert arms == made.members
        assert session.get_one(CampaignMember, (campaign_id, "M-05")).predicted == 0.25
        mine = {one.member_id: one for one in session.exec(select(Coupon))}
        kept = campaigns.get(session, campaign_id)
        assert (kept.status, kept.sent_on) == ("sent", TODAY)
    assert set(mine) == written
    assert {(c.kind, c.value, c.starts_on, c.ends_on, c.campaign_id) for c in mine.values()} == {("percent", 10, TODAY, TODAY + timedelta(30), campaign_id)}
    for one in box:
        hello = {"A": "Hello", "B": "Dear"}[made.members[one.member_id][1]]
        assert one.text == f"{hello} N{int(one.member_id[2:])} {mine[one.member_id].code}"


def test_a_coupon_of_a_campaign_can_be_used_by_its_member_alone(shop: Any) -> None:
    campaign_id = _draft(shop, holdout_percent=0)
    _send(shop, campaign_id)
    with shop.database.read() as session:
        assert coupons.find(session, "M-03", f"{campaign_id}-03".lower()).value == 10
        with pytest.raises(NotFound):
            coupons.find(session, "M-04", f"{campaign_id}-03")


def test_members_whose_numbers_are_alike_have_codes_of_their_own(shop: Any) -> None:
    shop.add(Member(id="OLD-03", tier="gold", language="en"), _agreed("OLD-03"), Contact(member_id="OLD-03", kind="email", value="o@shop"))
    campaign_id = _draft(shop, holdout_percent=0)
    assert _send(shop, campaign_id) == 21
    assert {"OLD-03", "M-03"} == {c["member_id"] for c in shop.rows(Coupon) if c["code"].endswith("-03")}


@pytest.mark.parametrize("kind", ["none", "points", "benefit"])
def test_what_needs_no_coupon_makes_none(shop: Any, kind: str) -> None:
    assert _send(shop, _draft(shop, offer=Offer(kind, 100))) == 18
    assert shop.count(Coupon) == 0 and all(one.text.endswith(" ") for one in _box(shop))


def test_sending_again_sends_nothing(both: Any) -> None:
    campaign_id = _draft(both)
    made = _list(both, campaign_id)
    assert [_send(both, campaign_id, made) for _ in range(3)] == [18, 0, 0]
    assert (both.count(Outgoing), both.count(Coupon), both.count(CampaignMember)) == (18, 18, 20)


def test_eight_who_send_at_once_send_once(both: Any) -> None:
    campaign_id = _draft(both)
    made = _list(both, campaign_id)
    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(lambda _: _send(both, campaign_id, made), range(8)))
    assert sorted(sent) == [0] * 7 + [18]
    assert (both.count(Outgoing), both.count(Coupon), both.count(CampaignMember)) == (18, 18, 20)


def test_when_nobody_is_left_the_campaign_stays_a_draft(both: Any) -> None:
    campaign_id = _draft(both)
    with pytest.raises(RuleBroken) as refused:
        _send(both, campaign_id, _list(both, campaign_id, every(test("tier", any_of=["diamond"]))))
    assert refused.value.details["rule"] == "campaign_nobody"
    assert _status(both, campaign_id) == "draft" and both.count(CampaignMember) == 0


def test_an_offer_that_ended_while_its_campaign_was_a_draft_is_not_sent(shop: Any) -> None:
    campaign_id = _draft(shop)
    with pytest.raises(RuleBroken) as refused:
        _send(shop, campaign_id, today=TODAY + timedelta(31))
    assert refused.value.details["rule"] == "offer_over"
    assert _status(shop, campaign_id) == "draft" and shop.count(Coupon) == 0


def test_a_campaign_just_sent_leaves_its_members_alone_for_the_next(shop: Any) -> None:
    _send(shop, _draft(shop))
    made = _list(shop, _draft(shop, "Second"))
    assert made.left_out["contacted_this_week"] == 18 and len(made.members) == 2


def test_messages_wait_for_their_hour_and_for_the_day_the_campaign_may_begin(shop: Any) -> None:
    _send(shop, _draft(shop, offer=Offer("none")), at=9)
    assert {one.send_at for one in _box(shop)} == {datetime(2025, 9, 2, 9)}
    later = _draft(shop, "Later", offer=Offer("none"), send_from=datetime(2025, 9, 20, 8))
    with shop.database.effect() as session:
        session.exec(update(Campaign).where(col(Campaign.id) != later).values(sent_on=TODAY - timedelta(8)))
    _send(shop, later, at=9)
    assert {one.send_at for one in _box(shop, campaign_id=later)} == {datetime(2025, 9, 20, 9)}


# --- quiet hours ------------------------------------------------------------------------


@given(st.datetimes(datetime(2024, 1, 1), datetime(2026, 1, 1)), st.integers(0, 23), st.integers(0, 23), st.integers(0, 23))
def test_no_message_is_planned_in_quiet_hours_before_its_start_or_more_than_a_day_after(start: datetime, hour: int, begins: int, ends: int) -> None:
    rules = Campaigns(quiet_from=begins, quiet_until=ends)
    at = allowed_at(start, hour, rules)
    assert start <= at < start + timedelta(1) and (at.minute, at.second, at.microsecond) == (0, 0, 0)
    assert not quiet(at.hour, rules)
    assert at.hour == hour or (quiet(hour, rules) and at.hour == ends)


@given(st.integers(0, 23), st.integers(0, 23))
def test_quiet_hours_are_those_one_passes_on_the_clock_from_the_first_to_the_last(begins: int, ends: int) -> None:
    passed, hour = set(), begins
    while hour != ends:
        passed.add(hour)
        hour = (hour + 1) % 24
    assert {h for h in range(24) if quiet(h, Campaigns(quiet_from=begins, quiet_until=ends))} == passed


# --- leaving the outbox -----------------------------------------------------------------


def _due(world: Any, now: datetime, **told: Any) -> list[str]:
    with world.database.read() as session:
        return [one.member_id for one in campaigns.due(session, now=now, rules=RULES, **told)]


def _delivered(world: Any, message_id: int, now: datetime) -> bool:
    with world.database.effect() as session:
        return campaigns.delivered(session, message_id, now=now)


def _failed(world: Any, message_id: int, now: datetime) -> Outgoing:
    with world.database.effect() as session:
        campaigns.failed(session, message_id, now=now)
    with world.database.read() as session:
        return session.get_one(Outgoing, message_id)


@pytest.mark.parametrize(
    ("now", "number"),
    [
        (datetime(2025, 9, 1, 10, 59), 0),
        (datetime(2025, 9, 1, 11), 18),
        (datetime(2025, 9, 1, 20, 59), 18),
        (datetime(2025, 9, 1, 21), 0),
        (datetime(2025, 9, 2, 8, 59), 0),
        (datetime(2025, 9, 2, 9), 18),
    ],
)
def test_a_message_is_due_from_its_hour_on_but_never_in_quiet_hours(shop: Any, now: datetime, number: int) -> None:
    _send(shop, _draft(shop))
    assert len(_due(shop, now)) == number


def test_a_message_leaves_once(both: Any) -> None:
    campaign_id = _draft(both)
    _send(both, campaign_id)
    noon, first = datetime(2025, 9, 1, 12), _box(both)[0]
    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(lambda _: _delivered(both, first.id, noon), range(6))) == [False] * 5 + [True]
    assert first.member_id not in _due(both, noon) and len(_due(both, noon, limit=5)) == 5
    assert _failed(both, first.id, noon).status == "delivered"
    with both.database.read() as session:
        assert campaigns.outbox(session, campaign_id) == {"delivered": 1, "waiting": 17}
        assert first.id not in [one.id for one in campaigns.waiting(session, campaign_id, limit=50)]


def test_a_message_that_fails_is_tried_again_after_growing_waits_and_then_given_up(both: Any) -> None:
    _send(both, _draft(both))
    first, now = _box(both)[0], datetime(2025, 9, 1, 12)
    for tries, minutes in enumerate((2, 4, 8, 16, 32, 64, 128, 240, 240, 240, 240), start=1):
        after = _failed(both, first.id, now)
        assert (after.status, after.tries, after.send_at) == ("waiting", tries, now + timedelta(minutes=minutes))
        assert first.member_id not in _due(both, after.send_at - timedelta(seconds=1))
        assert first.member_id in _due(both, after.send_at) or quiet(after.send_at.hour, RULES)
        now = after.send_at
    assert now - datetime(2025, 9, 1, 12) < timedelta(days=1)
    assert _failed(both, first.id, now).status == "failed"
    assert first.member_id not in _due(both, datetime(2025, 9, 30, 12)) and not _delivered(both, first.id, now)
    with both.database.effect() as session:
        assert [campaigns.try_again(session, first.campaign_id, now=now) for _ in range(2)] == [1, 0]
    assert first.member_id in _due(both, datetime(2025, 9, 30, 12))


def test_whoever_takes_a_message_has_it_alone_until_their_time_is_up(both: Any) -> None:
    _send(both, _draft(both))
    first, noon = _box(both)[0], datetime(2025, 9, 1, 12)

    def taken(_: int) -> bool:
        with both.database.effect() as session:
            return campaigns.claim(session, first.id, seen=first.send_at, now=noon)

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(taken, range(6))) == [False] * 5 + [True]
    assert first.member_id not in _due(both, noon + campaigns.LEASE - timedelta(seconds=1))
    assert first.member_id in _due(both, noon + campaigns.LEASE)


def test_a_message_that_fails_late_in_the_evening_waits_for_the_morning(shop: Any) -> None:
    _send(shop, _draft(shop))
    first = _box(shop)[0]
    _failed(shop, first.id, datetime(2025, 9, 1, 20, 59))
    assert first.member_id not in _due(shop, datetime(2025, 9, 1, 21, 1))
    assert first.member_id in _due(shop, datetime(2025, 9, 2, 9))


def test_stopping_keeps_back_what_has_not_left_and_leaves_other_campaigns_alone(both: Any) -> None:
    stopped, other = _draft(both), _draft(both, "Other")
    noon, lists = datetime(2025, 9, 1, 12), [_list(both, one) for one in (stopped, other)]
    for campaign_id, made in zip((stopped, other), lists, strict=True):
        _send(both, campaign_id, made)
    _delivered(both, _box(both, campaign_id=stopped)[0].id, noon)
    with both.database.effect() as session:
        assert campaigns.stop(session, stopped) == 17
        assert campaigns.outbox(session, stopped) == {"delivered": 1, "stopped": 17}
        assert campaigns.stop(session, stopped) == 0
    assert len(_due(both, noon)) == 18
    assert not _delivered(both, _box(both, campaign_id=stopped)[5].id, noon)


def test_a_stopped_draft_is_never_sent(shop: Any) -> None:
    campaign_id = _draft(shop)
    with shop.database.effect() as session:
        assert campaigns.stop(session, campaign_id) == 0
    assert _send(shop, campaign_id) == 0 and _status(shop, campaign_id) == "stopped"
    assert shop.count(Outgoing) == 0


# --- leaving the club -------------------------------------------------------------------


def test_erasing_a_member_takes_their_message_arm_and_coupon_and_nobody_else_s(both: Any, rules: Program) -> None:
    campaign_id = _draft(both, holdout_percent=0)
    _send(both, campaign_id)
    with both.database.effect() as session:
        held = privacy.export(session, "M-03")
        assert [len(held[table]) for table in ("outbox", "campaign_members", "coupons")] == [1, 1, 1]
        privacy.erase(session, "M-03")
    for table in (Outgoing, CampaignMember, Coupon):
        there = [row["member_id"] for row in both.rows(table)]
        assert len(there) == 19 and "M-03" not in there
    assert "M-03" not in _due(both, datetime(2025, 9, 1, 12))


def test_whoever_is_closing_their_account_is_not_on_the_list(shop: Any, rules: Program) -> None:
    with shop.database.effect() as session:
        privacy.leave(session, "M-03", on=TODAY, key="leave", rules=rules)
    assert "M-03" not in _list(shop, _draft(shop)).members


def test_the_list_holds_whoever_the_audience_counts_as_reachable(shop: Any) -> None:
    gold = every(test("tier", any_of=["gold"]))
    made = _list(shop, _draft(shop), gold)
    with shop.database.read() as session:
        assert len(made.members) == audience.count(session, gold, on=TODAY, channel="email").reachable == 8


# --- extra points -----------------------------------------------------------------------


POINTS = Offer("points", 200, minimum_cents=3000, until=TODAY + timedelta(7))


def _order(world: Any, member_id: str, *, on: date = TODAY, cents: int = 5000, status: str = "delivered", category: str = "tea", tag: str = "") -> None:
    with world.database.effect() as session:
        if session.get(Product, category) is None:
            session.add(Product(id=category, category=category))
            session.flush()
            session.add(Variant(id=category, product_id=category, price_cents=100))
        order = Order(id=f"O-{member_id}{tag}", member_id=member_id, status=status, ordered_at=datetime.combine(on, NOW.time()), total_cents=cents)
        session.add(order)
        session.flush()
        session.add(OrderLine(order_id=order.id, position=1, product_id=category, variant_id=category, quantity=1, unit_price_cents=cents))


def _credit(world: Any, rules: Program, *, on: date = TODAY + timedelta(3)) -> int:
    with world.database.effect() as session:
        return bonus_points.credit(session, on=on, rules=rules)


def _booked(world: Any) -> dict[str, int]:
    with world.database.read() as session:
        return {e.member_id: e.points for e in session.exec(select(PointsEntry)) if e.reason == "campaign"}


def test_promised_points_are_booked_once_for_an_order_that_came(both: Any, rules: Program) -> None:
    made = _draft(both, offer=POINTS)
    assert _send(both, made) == 18
    held = {one.member_id for one in _members(both) if one.arm == "holdout"}
    written = [f"M-{n:02}" for n in range(20) if f"M-{n:02}" not in held]
    first, second, third, fourth, fifth, sixth = written[:6]
    _order(both, first)
    _order(both, first, tag="-2")
    _order(both, second, cents=2999)
    _order(both, third, status="cancelled")
    _order(both, fourth, on=TODAY - timedelta(1))
    _order(both, fifth, status="shipped")
    _order(both, sorted(held)[0])
    assert (_credit(both, rules), _booked(both)) == (1, {first: 200})
    assert _credit(both, rules) == 0
    with both.database.effect() as session:
        session.exec(update(Order).where(col(Order.id) == f"O-{fifth}").values(status="delivered"))
    _order(both, sixth, on=TODAY + timedelta(8))
    assert (_credit(both, rules, on=TODAY + timedelta(30)), _booked(both)) == (1, {first: 200, fifth: 200})
    with both.database.read() as session:
        assert session.get_one(Member, first).points == session.get_one(Member, fifth).points == 200


def test_points_for_one_category_wait_for_an_order_of_it(shop: Any, rules: Program) -> None:
    _send(shop, _draft(shop, offer=Offer("points", 50, category="lamps"), holdout_percent=0))
    _order(shop, "M-01")
    _order(shop, "M-02", category="lamps")
    assert (_credit(shop, rules), _booked(shop)) == (1, {"M-02": 50})


@pytest.mark.parametrize("offer", [TEN_OFF, Offer("none"), Offer("benefit", 395)])
def test_other_offers_give_no_points(shop: Any, rules: Program, offer: Offer) -> None:
    _send(shop, _draft(shop, offer=offer, holdout_percent=0))
    _order(shop, "M-01")
    assert (_credit(shop, rules), _booked(shop)) == (0, {})


def test_who_left_gets_no_points_any_more(shop: Any, rules: Program) -> None:
    _send(shop, _draft(shop, offer=POINTS, holdout_percent=0))
    _order(shop, "M-01")
    with shop.database.effect() as session:
        session.exec(update(Member).where(col(Member.id) == "M-01").values(left_on=TODAY))
    assert (_credit(shop, rules), _booked(shop)) == (0, {})


def _members(world: Any) -> list[CampaignMember]:
    with world.database.read() as session:
        return list(session.exec(select(CampaignMember)))
