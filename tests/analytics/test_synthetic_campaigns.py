"""Does the demo shop live on after a campaign by the habits that were planted?"""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlmodel import Session, col, func, select

from analytics.synthetic import COUPON_EFFECT, Truth
from analytics.synthetic_campaigns import live_on, lived_again
from members.database import Database, sqlite_url
from members.tables import Campaign, CampaignMember, Coupon, Order, OrderLine, Payment

# The demo shop's last day.
SENT = date(2026, 11, 22)
LAST = SENT + timedelta(days=14)
Arm = Callable[[str], str]


def everyone(arm: str) -> Arm:
    """All in one arm; "" is nobody in the campaign."""
    return lambda member_id: arm


def by_turns(member_id: str) -> str:
    """Every other member is held out."""
    return "treated" if int(member_id[2:]) % 2 else "holdout"


class Town:
    """A copy of a demo shop that sends one campaign and lives on."""

    def __init__(self, source: Any, path: Path, *, members: int = 250) -> None:
        """Copy the record; only the first members' orders are kept, and the truth of these, because reading them all again takes most of the time."""
        some = sorted(source.truth.coupon_type)[:members]
        with sqlite3.connect(source.database.engine.url.database) as old, sqlite3.connect(path) as new:
            old.backup(new)
            new.execute("DELETE FROM order_lines WHERE order_id IN (SELECT id FROM orders WHERE member_id > ?)", [some[-1]])
        self.truth: Truth = replace(source.truth, coupon_type={m: source.truth.coupon_type[m] for m in some})
        self.database = Database(sqlite_url(path))

    def only(self, kind: str) -> Truth:
        """The truth of one kind of members."""
        return replace(self.truth, coupon_type={m: k for m, k in self.truth.coupon_type.items() if k == kind})

    def send(self, session: Session, arm_of: Arm, *, minimum: int = 0, kind: str = "percent", value: int = 10) -> Campaign:
        """A campaign to all of the arms given, with a coupon for whoever is treated."""
        campaign = Campaign(id="C-900", name_en="Next", channel="email", offer={"kind": kind}, sent_on=SENT)
        session.add(campaign)
        session.flush()
        for member_id in sorted(self.truth.coupon_type):
            arm = arm_of(member_id)
            if arm:
                session.add(CampaignMember(campaign_id="C-900", member_id=member_id, arm=arm))
            if arm == "treated":
                code = {"code": f"N-{member_id}", "member_id": member_id, "campaign_id": "C-900"}
                session.add(Coupon(**code, kind=kind, value=value, minimum_cents=minimum, starts_on=SENT, ends_on=LAST))
        session.flush()
        return campaign

    def lived(self, arm_of: Arm, *, seed: int = 0, truth: Truth | None = None, **offer: Any) -> tuple[pd.DataFrame, list[Order]]:
        """What came of it, and the new orders; the record forgets both again."""
        with self.database.read() as session:
            told = live_on(session, truth or self.truth, self.send(session, arm_of, **offer), seed=seed)
            return told, orders_after(session)


def orders_after(session: Session) -> list[Order]:
    """Orders after the campaign, in the order of their numbers."""
    found = session.exec(select(Order).where(col(Order.ordered_at) > datetime.combine(SENT, time.max))).all()
    return sorted(found, key=lambda order: int(order.id[2:]))


def plain(orders: list[Order]) -> list[dict[str, Any]]:
    """Orders as values."""
    return [order.model_dump() for order in orders]


@pytest.fixture(scope="module")
def town(shop: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Two hundred and fifty members; nothing is kept."""
    made = Town(shop, tmp_path_factory.mktemp("town") / "shop.db")
    yield made
    made.database.close()


@pytest.fixture(scope="module")
def told(town: Town) -> pd.DataFrame:
    """What became of each when all were written to, with their kind and last year's orders."""
    made, _ = town.lived(everyone("treated"))
    since = datetime.combine(SENT - timedelta(days=365), time.min)
    with town.database.read() as session:
        past = session.exec(
            select(Order.member_id, func.count()).where(col(Order.ordered_at) >= since, Order.status != "cancelled").group_by(col(Order.member_id))
        ).all()
    return made.assign(kind=pd.Series(town.truth.coupon_type), past=pd.Series(dict(past))).fillna({"past": 0})


# --- the truth --------------------------------------------------------------------------


def test_the_true_effect_is_the_planted_one(town: Town, told: pd.DataFrame) -> None:
    buyers = told[told["past"] > 0]
    here = buyers[~buyers.index.isin(town.truth.drifts_on)]
    assert (buyers.loc[buyers["kind"] == "persuadable", "true"] > 0).all() and (buyers.loc[buyers["kind"] == "sleeping_dog", "true"] < 0).all()
    assert (here.loc[here["kind"] == "persuadable", "true"] == COUPON_EFFECT["persuadable"]).all()
    assert (told.loc[told["kind"].isin(["sure", "lost_cause"]), "true"] == 0).all()


def test_a_sleeping_dog_can_lose_no_more_than_they_would_have_ordered(told: pd.DataFrame) -> None:
    dogs = told[told["kind"] == "sleeping_dog"]
    assert (-dogs["true"] <= 14 * dogs["past"] / 365).all()
    # Three in ten stay away.
    here = dogs[dogs["true"] < 0]
    assert (-here["true"] / (14 * here["past"] / 365)).max() == pytest.approx(0.3)


def test_who_has_no_orders_reacts_to_nothing(told: pd.DataFrame) -> None:
    never = told[told["past"] == 0]
    assert len(never) and (never[["true", "orders"]] == 0).all(axis=None)


def test_who_drifted_away_reacts_less(town: Town, told: pd.DataFrame) -> None:
    gone = [
        m
        for m, on in town.truth.drifts_on.items()
        if m in told.index and on <= SENT.isoformat() and told.loc[m, "kind"] == "persuadable" and told.loc[m, "past"] > 0
    ]
    assert len(gone) > 10 and (told.loc[gone, "true"] < 0.1 * COUPON_EFFECT["persuadable"]).all()


def test_the_truth_is_that_of_treating_whoever_is_treated(town: Town, told: pd.DataFrame) -> None:
    held, _ = town.lived(by_turns)
    pd.testing.assert_series_equal(held["true"], told["true"])
    assert held["arm"].to_dict() == {m: by_turns(m) for m in held.index}


# --- what happens -----------------------------------------------------------------------


def test_the_same_seed_gives_the_same_orders_and_another_seed_others(town: Town) -> None:
    (first, orders), (again, same), (_, other) = (town.lived(by_turns, seed=seed, truth=town.only("persuadable")) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert plain(orders) == plain(same) and plain(orders) != plain(other)


def test_held_out_members_get_no_extra_orders(town: Town) -> None:
    held, none = town.lived(everyone("holdout")), town.lived(everyone(""))
    # One by one the same as if there had been no campaign.
    assert plain(held[1]) == plain(none[1]) and held[0]["orders"].tolist() == none[0]["orders"].tolist()
    assert {order.coupon_code for order in held[1]} == {""}


def test_no_coupon_is_used_by_somebody_held_out(town: Town) -> None:
    _, orders = town.lived(by_turns)
    used = [order for order in orders if order.coupon_code]
    assert used and all(by_turns(str(order.member_id)) == "treated" and order.coupon_code == f"N-{order.member_id}" for order in used)
    assert {town.truth.coupon_type[str(order.member_id)] for order in used} == {"persuadable"}


def test_as_many_use_their_coupon_as_were_moved(town: Town) -> None:
    runs = [town.lived(everyone("treated"), seed=seed, truth=town.only("persuadable")) for seed in range(4)]
    used, true = sum(bool(order.coupon_code) for _, orders in runs for order in orders), sum(told["true"].sum() for told, _ in runs)
    assert true > 40 and used == pytest.approx(true, rel=0.25)


def test_sleeping_dogs_stay_away_when_written_to_and_only_then(town: Town) -> None:
    # All of them, so that there is something to see; three in ten stay away.
    dogs = replace(town.truth, coupon_type=dict.fromkeys(town.truth.coupon_type, "sleeping_dog"))
    written, left = (sum(town.lived(everyone(arm), seed=seed, truth=dogs)[0]["orders"].sum() for seed in range(4)) for arm in ("treated", "holdout"))
    assert written == pytest.approx(0.7 * left, rel=0.15)


@pytest.mark.parametrize("kind", ["sure", "lost_cause"])
def test_those_whom_nothing_moves_do_the_same_either_way(town: Town, kind: str) -> None:
    written, left = (town.lived(everyone(arm), truth=town.only(kind))[1] for arm in ("treated", "holdout"))
    assert written and plain(written) == plain(left)


def test_members_left_alone_keep_their_pace(town: Town, told: pd.DataFrame) -> None:
    """Whoever has not drifted orders as often as last year, but for chance."""
    here = ~told.index.isin([m for m, on in town.truth.drifts_on.items() if on <= SENT.isoformat()])
    counts = town.lived(everyone(""))[0].loc[here, "orders"]
    assert counts.sum() == pytest.approx(told.loc[here, "past"].sum() * 14 / 365, rel=0.25)


def test_whoever_drifts_away_today_hardly_orders_and_long_ago_keeps_what_was_left(town: Town) -> None:
    def total(on: str) -> int:
        truth = replace(town.only("sure"), drifts_on=dict.fromkeys(town.truth.coupon_type, on) if on else {})
        return int(town.lived(everyone(""), truth=truth)[0]["orders"].sum())

    # Nobody; all of them today; all more than a year ago, whose last year is the thin one already; all next year.
    never, today, long_ago, later = total(""), total(SENT.isoformat()), total("2025-01-01"), total("2027-06-01")
    assert never > 20 and today < 0.2 * never and long_ago == never == later


def test_replays_show_both_ways_and_write_nothing(town: Town) -> None:
    some = sorted(town.truth.coupon_type)[:120]
    with town.database.read() as session:
        campaign = town.send(session, by_turns)
        before = session.exec(select(func.count()).select_from(Order)).one()
        again = list(lived_again(session, town.truth, campaign, some, times=60))
        assert session.exec(select(func.count()).select_from(Order)).one() == before
    assert len(again) == 60 and all(list(one.index) == some for one in again)
    added = pd.concat([one["with_it"] - one["without"] for one in again])
    true = again[0]["true"]
    assert (true == again[1]["true"]).all() and added.mean() == pytest.approx(true.mean(), abs=3 * added.std() / len(added) ** 0.5)


# --- the orders themselves --------------------------------------------------------------


def test_orders_fall_into_the_two_weeks_and_repeat_what_was_bought(town: Town) -> None:
    with town.database.read() as session:
        before = set(session.exec(select(Order.id)))
        told = live_on(session, town.truth, town.send(session, everyone("treated")))
        orders = orders_after(session)
        assert len(orders) == told["orders"].sum() and not {order.id for order in orders} & before
        assert all(order.ordered_at is not None and SENT < order.ordered_at.date() <= LAST for order in orders)
        bought = set(session.exec(select(Order.member_id, OrderLine.variant_id).join(OrderLine).where(col(Order.id).in_(before))).all())
        for order in orders:
            lines = session.exec(select(OrderLine).where(OrderLine.order_id == order.id)).all()
            paid = session.exec(select(Payment.amount_cents).where(Payment.order_id == order.id)).all()
            assert lines and all((order.member_id, line.variant_id) in bought for line in lines)
            assert order.total_cents == sum(line.quantity * line.unit_price_cents for line in lines) - order.discount_cents == sum(paid)


@pytest.mark.parametrize(("kind", "value"), [("percent", 10), ("amount", 500)])
def test_a_coupon_is_used_once(town: Town, kind: str, value: int) -> None:
    with town.database.read() as session:
        campaign = town.send(session, everyone("treated"), kind=kind, value=value)
        for seed in (1, 2, 3):
            live_on(session, town.only("persuadable"), campaign, seed=seed)
        used = [order for order in orders_after(session) if order.coupon_code]
        assert len(used) > 20 and len({order.coupon_code for order in used}) == len(used)
        for order in used:
            assert session.get_one(Coupon, order.coupon_code).used_order_id == order.id
            whole = order.total_cents + order.discount_cents
            assert order.discount_cents == (whole * value // 100 if kind == "percent" else min(value, whole))
        untouched = session.exec(select(func.count()).where(Coupon.campaign_id == "C-900", col(Coupon.used_order_id).is_(None))).one()
        assert untouched == len(town.truth.coupon_type) - len(used)


def test_a_coupon_is_not_used_below_its_minimum(town: Town) -> None:
    told, orders = town.lived(everyone("treated"), minimum=10**9)
    assert len(orders) == told["orders"].sum() > 0 and all(order.coupon_code == "" and order.discount_cents == 0 for order in orders)


def test_a_shop_of_five_and_twenty_lives_on_as_well(small: Any, tmp_path: Path) -> None:
    town = Town(small(3), tmp_path / "copy.db")
    told, orders = town.lived(by_turns)
    assert len(told) == len(town.truth.coupon_type) and len(orders) == told["orders"].sum()
    town.database.close()
