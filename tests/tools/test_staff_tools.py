"""Do support and marketing see what the record holds, and no more?"""

import dataclasses
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import func, select

from assistant.desk import Desk
from members.tables import Consent, Contact, Member, Order, Ticket
from prompts import personal
from tools.gateway import Gateway

Got = Callable[..., dict[str, Any]]


# --- support ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "who", ["M-10001", "m-10001", "10001", "member10001@example.org", "MEMBER10001@example.org", "Li Na", "li na", "447700900000", "+44 7700 900 000"]
)
def test_a_member_is_found_by_whatever_is_at_hand(got: Got, who: str) -> None:
    assert "M-10001" in [member["member_id"] for member in got("support", "find_member", who=who)["members"]]


def test_a_member_is_found_by_phone_ending_and_by_order(desk: Desk, got: Got) -> None:
    with desk.database.read() as session:
        order = session.exec(select(Order).where(Order.member_id == "M-10042")).first()
        phone = session.exec(select(Contact.value).where(Contact.member_id == "M-10042", Contact.kind == "phone")).one()
    assert order
    for who in (order.id, order.id.lower(), f"#{order.id}", phone[-4:], phone[-6:]):
        found = [member["member_id"] for member in got("support", "find_member", who=who)["members"]]
        assert "M-10042" in found, who


@pytest.mark.parametrize("who", ["nobody at all", "M-99999", "%", "_", "0000000000", "' OR 1=1 --"])
def test_nobody_is_found_for_what_fits_nobody(got: Got, who: str) -> None:
    assert got("support", "find_member", who=who) == {"asked": who, "members": []}


def test_contacts_in_a_list_are_masked(got: Got) -> None:
    member = got("support", "find_member", who="M-10001")["members"][0]
    assert member["email"] == "me…@example.org" and member["phone"] == "…0000"


@pytest.mark.parametrize("tool", ["member_insight", "member_orders"])
def test_a_person_nobody_knows_is_refused_with_the_way_out(ask: Any, tool: str) -> None:
    outcome = ask("support", tool, who="nobody at all")
    assert (outcome.result["code"], outcome.result["instead"]) == ("not_found", "find_member")


def test_signs_can_be_checked_in_the_record(desk: Desk, got: Got) -> None:
    seen: set[str] = set()
    for n in range(150):
        said = got("support", "member_insight", who=f"M-{10001 + n}")
        signs, gap, silent = set(said["signs"]), said["usual_gap_days"], said["days_since_last"]
        spent, before = Decimal(said["spend_last_year"]), Decimal(said["spend_year_before"])
        seen |= signs
        assert ("never_ordered" in signs) == (said["orders"] == 0)
        assert not {"silent_for_long", "active"} <= signs and not {"spends_less", "spends_more"} <= signs
        assert "silent_for_long" not in signs or (silent > 45 and silent > gap)
        assert "active" not in signs or silent <= max(14, gap)
        assert "spends_less" not in signs or spent < before
        assert "spends_more" not in signs or spent > before
        assert "returns_often" not in signs or said["returns"] * 3 > said["orders"]
        assert ("open_ticket" in signs) == (said["open_tickets"] > 0) or said["orders"] == 0
    assert {"silent_for_long", "active", "spends_less"} <= seen


def test_open_tickets_are_counted(desk: Desk, got: Got) -> None:
    with desk.database.read() as session:
        member_id, count = session.exec(select(Ticket.member_id, func.count()).where(Ticket.status == "open").group_by(Ticket.member_id)).first() or ("", 0)
    if count:
        assert got("support", "member_insight", who=member_id)["open_tickets"] == count


def test_a_shared_name_gives_the_best_match_and_names_the_others(desk: Desk, got: Got) -> None:
    with desk.database.read() as session:
        twins = session.exec(select(Member.name).group_by(Member.name).having(func.count() > 1)).first()
    family = str(twins) if twins else "a"
    said = got("support", "member_insight", who=family)
    assert said["other_matches"] and said["member_id"] not in [other["member_id"] for other in said["other_matches"]]


def test_a_members_orders_are_those_of_the_member(got: Got) -> None:
    theirs, mine = got("support", "member_orders", who="M-10001", limit=10), got("lina", "my_orders", limit=10)
    assert theirs["name"] == "Li Na"
    assert [o["order_id"] for o in theirs["orders"]] == [o["order_id"] for o in mine["orders"]]


# --- audiences --------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [{}, {"tiers": ["gold"]}, {"cities": ["London"]}, {"consent": "email"}, {"categories": ["tea"], "languages": ["zh"]}])
def test_an_audience_adds_up(desk: Desk, got: Got, asked: dict[str, Any]) -> None:
    said = got("marketer", "audience_count", **asked)
    left_out = sum(said[reason] for reason in ("without_consent", "no_address", "contacted_this_week", "open_complaint"))
    assert said["matching"] == said["reachable"] + left_out
    assert said["matching"] <= said["members_in_all"] == 150
    assert asked or said["matching"] == 150


def test_the_tiers_together_are_everybody(desk: Desk, got: Got) -> None:
    every = [got("marketer", "audience_count", tiers=[tier.key])["matching"] for tier in desk.rules.tiers.levels]
    assert sum(every) == 150


@pytest.mark.parametrize("days", [1, 30, 90, 365])
def test_whoever_has_not_bought_is_whoever_has_not(got: Got, days: int) -> None:
    did, did_not = (got("marketer", "audience_count", **{name: days})["matching"] for name in ("bought_within_days", "not_bought_for_days"))
    assert did + did_not == 150


def test_consent_leaves_only_those_who_gave_it(desk: Desk, got: Got) -> None:
    with desk.database.read() as session:
        agreed = session.exec(select(func.count()).select_from(Consent).where(Consent.channel == "sms", Consent.granted)).one()  # type: ignore[arg-type]
    said = got("marketer", "audience_count", consent="sms")
    assert said["matching"] - said["without_consent"] == agreed


@pytest.mark.parametrize("name", ["cities", "tiers", "categories"])
def test_an_unknown_name_means_nobody_never_everybody(got: Got, name: str) -> None:
    said = got("marketer", "audience_count", **{name: ["Atlantis"]})
    assert (said["matching"], said["unknown"]) == (0, ["Atlantis"])


def test_a_known_name_beside_an_unknown_one_still_counts(got: Got) -> None:
    both, alone = got("marketer", "audience_count", cities=["london ", "Atlantis"]), got("marketer", "audience_count", cities=["London"])
    assert (both["matching"], both["unknown"]) == (alone["matching"], ["Atlantis"]) and alone["matching"] > 0


def test_spend_limits_split_the_members(got: Got) -> None:
    more = got("marketer", "audience_count", spent_at_least=500.01)["matching"]
    less = got("marketer", "audience_count", spent_at_most=500.0)["matching"]
    assert more + less == 150 and more and less


# --- copy -------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["sms", "email", "push", "wechat", "in_app"])
@pytest.mark.parametrize("tone", ["warm", "playful", "plain", "festive", "urgent"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_figure_in_the_copy_is_one_of_its_facts(desk: Desk, got: Got, channel: str, tone: str, language: str) -> None:
    until = desk.today + timedelta(days=9)
    for facts in (
        {"product": "P-1177", "offer_percent": 15, "valid_until": until.isoformat(), "tier": "gold"},
        {"product": "tea", "offer_percent": 7},
        {"product": "P-1340"},
        {},
    ):
        said = got("marketer", "write_copy", channel=channel, tone=tone, language=language, **facts)
        product = desk.search.entry("products", said["product_id"] or "")
        known = f"{product.text(language) if product else ''} {said['product_name']} {said['price']} {said['offer_percent']}"
        known += f" {until.day} {until.month} {until.year}" if "valid_until" in facts else ""
        off = facts.get("offer_percent")
        # In Chinese fifteen per cent off is called 8.5 折.
        called = f"{(100 - off) / 10:g}" if off and language == "zh" else str(off)
        allowed = {Decimal(n) for n in re.findall(r"\d+(?:\.\d+)?", f"{known} {called if off else ''}")}
        assert len(said["variants"]) == 3 and len({v["text"] for v in said["variants"]}) == 3
        for variant in said["variants"]:
            text = f"{variant['subject'] or ''} {variant['text']}"
            assert {Decimal(n) for n in re.findall(r"\d+(?:\.\d+)?", text)} <= allowed, text
            assert {field for field, _ in personal.fields(text)} <= {"name", "unsubscribe"} and "None" not in text
            assert all("{" not in preview for preview in variant["previews"])
            assert off is None or called in text


def test_no_copy_is_written_for_what_the_shop_does_not_sell(ask: Any) -> None:
    assert ask("marketer", "write_copy", product="a used car").result.get("code") == "not_found"


@pytest.mark.parametrize(
    ("text", "length", "parts"),
    [
        ("a" * 160, 160, 1),
        ("a" * 161, 161, 2),
        ("a" * 306, 306, 2),
        ("a" * 307, 307, 3),
        ("€" * 80, 160, 1),
        ("€" * 80 + "a", 161, 2),
        ("£" * 160, 160, 1),
        ("茶" * 70, 70, 1),
        ("茶" * 71, 71, 2),
        ("茶" * 134, 134, 2),
        ("茶" * 135, 135, 3),
        ("a" * 70 + "’", 71, 2),
        ("😀" * 35, 70, 1),
        ("😀" * 36, 72, 2),
    ],
)
def test_an_sms_is_as_long_as_the_network_counts_it(desk: Desk, text: str, length: int, parts: int) -> None:
    means = dataclasses.replace(desk.means(), write=lambda facts: [{"text": text}])
    gateway = Gateway(desk.database, desk.caller_named("marketer"), means, uuid4().hex, desk.now)
    variant = gateway.call("write_copy", {"channel": "sms"}).result["variants"][0]
    assert (variant["length"], variant["parts"], variant["fits"]) == (length, parts, parts == 1)
