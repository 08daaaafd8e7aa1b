"""Is what a campaign changed told as it was, and nothing told where nothing can be?"""

from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

from analytics.campaign_results import Effect, Result, difference, figure, measure, outcomes, sample_ratio
from members.database import Database
from members.tables import Campaign, CampaignMember, Coupon, Member, Order, OrderLine

SENT = date(2026, 10, 1)
AFTER = SENT + timedelta(days=14)
MARGIN = 0.4


class Post:
    """A shop that sent one campaign: `treated` T000, T001, … were written to, `held` H000, … were not."""

    def __init__(self, database: Database) -> None:
        """Keep the record."""
        self.database, self.orders = database, 0

    def add(self, *rows: SQLModel) -> None:
        """Write rows of one table."""
        with self.database.effect() as session:
            session.add_all(rows)

    def send(self, treated: int = 40, held: int = 40, *, variants: tuple[str, ...] = (), predicted: float | None = None, **fields: Any) -> "Post":
        """The campaign and its arms; variants by turns, every other member silver, all English."""
        who = [(f"T{n:03}", "treated", variants[n % len(variants)] if variants else "") for n in range(treated)]
        who += [(f"H{n:03}", "holdout", "") for n in range(held)]
        self.add(*(Member(id=m, tier=("bronze", "silver")[int(m[1:]) % 2], language="en") for m, _, _ in who))
        texts = [{"key": key, "subject": key, "text": key} for key in variants]
        self.add(Campaign(**{"id": "C", "name_en": "Test", "channel": "email", "offer": {}, "sent_on": SENT, "variants": texts, **fields}))
        self.add(
            *(
                CampaignMember(campaign_id="C", member_id=m, arm=arm, variant=variant, predicted=predicted if arm == "treated" else None)
                for m, arm, variant in who
            )
        )
        return self

    def order(self, member_id: str, on: date, *goods: int, discount: int = 0, status: str = "delivered", coupon: str = "") -> None:
        """An order of one piece at each price."""
        self.orders += 1
        order_id, at = f"O{self.orders}", datetime.combine(on, time(23, 59))
        total = sum(goods) - discount
        self.add(Order(id=order_id, member_id=member_id, status=status, ordered_at=at, total_cents=total, discount_cents=discount, coupon_code=coupon))
        lines = [{"product_id": "P", "variant_id": "P", "quantity": 1, "unit_price_cents": cents} for cents in goods]
        self.add(*(OrderLine(order_id=order_id, position=place, **line) for place, line in enumerate(lines)))

    def orders_of(self, arm: str, number: int, *, on: date = SENT + timedelta(days=3), cents: int = 2_000) -> "Post":
        """One order each of the first members of an arm."""
        for n in range(number):
            self.order(f"{arm}{n:03}", on, cents)
        return self

    def result(self, *, as_of: date = AFTER, campaign_id: str = "C") -> Result:
        """What came of it as of a day."""
        with self.database.read() as session:
            return measure(session, session.get_one(Campaign, campaign_id), as_of=as_of, margin=MARGIN)

    def rows(self, *, until: date = AFTER) -> Any:
        """The outcomes, a row a member."""
        with self.database.read() as session:
            return outcomes(session, session.get_one(Campaign, "C"), until=until, margin=MARGIN)


@pytest.fixture
def post(sqlite: Database) -> Post:
    """A shop of this test's own, without a campaign yet."""
    return Post(sqlite)


# --- the difference ---------------------------------------------------------------------


def test_a_difference_by_hand() -> None:
    # Means 2 and 1; variances 1 and 1 over three each: the error is √(2/3), four degrees of freedom, t = 2.776.
    seen = difference(np.array([1, 2, 3]), np.array([0, 1, 2]))
    assert (seen.treated, seen.held, seen.treated_mean, seen.held_mean, seen.lift) == (3, 3, 2, 1, 1)
    assert (seen.low, seen.high) == (pytest.approx(1 - 2.776 * (2 / 3) ** 0.5, abs=1e-3), pytest.approx(1 + 2.776 * (2 / 3) ** 0.5, abs=1e-3))
    assert not seen.seen and not seen.adjusted and seen.sharper == 0


def test_uneven_arms_by_hand() -> None:
    # Welch: variances 4/3 over four and 50 over two, so the error is √(1/3 + 25), and hardly more than one degree of freedom.
    seen = difference(np.array([1.0, 3.0, 1.0, 3.0]), np.array([0.0, 10.0]))
    freedom = (1 / 3 + 25) ** 2 / ((1 / 3) ** 2 / 3 + 25**2 / 1)
    assert seen.lift == -3 and 1 < freedom < 1.1
    assert seen.high - seen.lift == pytest.approx(11.9 * (1 / 3 + 25) ** 0.5, rel=0.05)


def test_arms_that_never_differ_leave_no_doubt_and_one_member_leaves_all() -> None:
    sure = difference(np.ones(5), np.zeros(5))
    assert (sure.low, sure.lift, sure.high) == (1, 1, 1) and sure.seen
    alone = difference(np.ones(1), np.zeros(5))
    assert (alone.low, alone.high) == (-np.inf, np.inf) and not alone.seen


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=2, max_size=30), st.lists(st.integers(0, 5), min_size=2, max_size=30))
def test_the_arms_the_other_way_round_give_the_opposite(treated: list[int], held: list[int]) -> None:
    one, other = difference(np.array(treated), np.array(held)), difference(np.array(held), np.array(treated))
    assert (one.lift, one.low, one.high) == (pytest.approx(-other.lift), pytest.approx(-other.high), pytest.approx(-other.low))
    assert one.low <= one.lift <= one.high


@pytest.mark.parametrize("past", [False, True], ids=["bare", "adjusted"])
def test_a_planted_lift_lies_in_the_interval_of_95_in_100_campaigns(past: bool) -> None:
    rng, held_it = np.random.default_rng(8), []
    for _ in range(1_500):
        pace = rng.gamma(2, 0.15, 500)
        before, orders = rng.poisson(pace * 12), rng.poisson(pace + 0.1 * (np.arange(500) < 350))
        parts = {"before_treated": before[:350], "before_held": before[350:]} if past else {}
        seen = difference(orders[:350], orders[350:], **parts)
        held_it.append(seen.low <= 0.1 <= seen.high)
    assert 0.93 <= np.mean(held_it) <= 0.97


def test_without_an_effect_one_campaign_in_twenty_seems_to_have_one() -> None:
    rng = np.random.default_rng(9)
    seen = [difference(rng.poisson(0.3, 300), rng.poisson(0.3, 100)).seen for _ in range(1_500)]
    assert 0.03 <= np.mean(seen) <= 0.07


def test_the_past_sharpens_the_answer_where_it_predicts() -> None:
    rng = np.random.default_rng(3)
    before = rng.gamma(2, 5, 2_000)
    after = before + rng.normal(0, 2, 2_000) + 0.5 * (np.arange(2_000) < 1_000)
    bare = difference(after[:1_000], after[1_000:])
    sharp = difference(after[:1_000], after[1_000:], before_treated=before[:1_000], before_held=before[1_000:])
    # Of a variance of 50 + 4 the 50 go: the interval is about √(4/54) as wide.
    assert sharp.adjusted and sharp.sharper == pytest.approx(50 / 54, abs=0.02)
    assert (sharp.high - sharp.low) / (bare.high - bare.low) == pytest.approx((4 / 54) ** 0.5, rel=0.1)
    assert sharp.low < 0.5 < sharp.high
    # The means shown are those that were seen.
    assert (sharp.treated_mean, sharp.held_mean) == (bare.treated_mean, bare.held_mean)


@pytest.mark.parametrize("kind", ["noise", "constant", "no order at all"])
def test_a_past_that_predicts_nothing_is_not_used(kind: str) -> None:
    rng = np.random.default_rng(4)
    after = np.zeros(4_000) if kind == "no order at all" else rng.poisson(0.4, 4_000)
    before = np.ones(4_000) if kind == "constant" else rng.poisson(3, 4_000)
    seen = difference(after[:2_000], after[2_000:], before_treated=before[:2_000], before_held=before[2_000:])
    assert seen == difference(after[:2_000], after[2_000:]) and not seen.adjusted


def test_sizes_as_they_were_drawn_are_likely_and_others_are_not() -> None:
    shares = {"holdout": 0.1, "": 0.9}
    assert sample_ratio({"holdout": 100, "": 900}, shares) == 1
    # χ² = 10²/100 + 10²/900 = 1.11 with one degree of freedom.
    assert sample_ratio({"holdout": 90, "": 910}, shares) == pytest.approx(0.292, abs=0.001)
    assert sample_ratio({"holdout": 40, "": 960}, shares) < 1e-9
    assert sample_ratio({"": 1_000}, shares) < 1e-9
    assert sample_ratio({}, shares) == 1


# --- verdicts ---------------------------------------------------------------------------


@pytest.mark.parametrize(("treated", "held", "verdict"), [(24, 6, "effect"), (6, 24, "harm"), (10, 10, "none"), (12, 8, "none"), (0, 0, "none")])
def test_a_verdict_follows_from_who_ordered(post: Post, treated: int, held: int, verdict: str) -> None:
    seen = post.send().orders_of("T", treated).orders_of("H", held).result()
    assert seen.verdict == verdict
    assert (seen.treated, seen.held, seen.sent_on, seen.until) == (40, 40, SENT, AFTER)
    assert (seen.effects["orders"].treated_mean, seen.effects["orders"].held_mean) == (treated / 40, held / 40)


def test_on_the_day_of_sending_it_is_too_early_and_before_it_was_sent_as_well(post: Post) -> None:
    post.send().orders_of("T", 24)
    early = post.result(as_of=SENT)
    assert early.verdict == "too_early" and early.effects == {} and early.net_cents is None
    post.add(Campaign(id="D", name_en="Draft", channel="email", offer={}, status="draft"))
    draft = post.result(campaign_id="D")
    assert draft.verdict == "too_early" and draft.sent_on is None and draft.treated == 0


@pytest.mark.parametrize(("treated", "held"), [(40, 0), (40, 19), (19, 40)])
def test_without_enough_on_either_side_nothing_is_told(post: Post, treated: int, held: int) -> None:
    seen = post.send(treated, held).orders_of("T", 15).result()
    assert seen.verdict == "no_holdout" and seen.effects == {} and (seen.treated, seen.held) == (treated, held)


def test_arms_of_other_sizes_than_drawn_are_broken_however_many_ordered(post: Post) -> None:
    seen = post.send(100, 30, holdout_percent=50).orders_of("T", 80).result()
    assert seen.verdict == "broken" and seen.mismatch is not None and seen.mismatch < 0.001
    # The figures are there for whoever looks for the cause.
    assert seen.effects["orders"].seen


def test_arms_as_drawn_are_not_broken_and_an_unknown_share_is_not_checked(post: Post) -> None:
    seen = post.send(60, 20, holdout_percent=25).orders_of("T", 40).result()
    assert seen.verdict == "effect" and seen.mismatch == 1


def test_a_campaign_that_does_not_say_its_share_is_not_checked(post: Post) -> None:
    assert post.send(100, 30).result().mismatch is None


# --- what counts ------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "counts"), [(-181, ""), (-180, "before"), (-1, "before"), (0, ""), (1, "after"), (14, "after"), (15, "")])
def test_an_order_counts_by_its_day(post: Post, days: int, counts: str) -> None:
    post.send()
    post.order("T000", SENT + timedelta(days=days), 2_000)
    row = post.rows().loc["T000"]
    assert (row["before_orders"], row["orders"]) == (counts == "before", counts == "after")
    assert post.rows()[["before_orders", "orders"]].to_numpy().sum() == (counts != "")


def test_the_window_ends_today_while_it_is_open_and_after_two_weeks_for_good(post: Post) -> None:
    post.send()
    for days in (3, 14, 20):
        post.order("T000", SENT + timedelta(days=days), 2_000)
    open_, over = post.result(as_of=SENT + timedelta(days=5)), post.result(as_of=SENT + timedelta(days=60))
    assert (open_.until, over.until) == (SENT + timedelta(days=5), AFTER)
    assert (open_.effects["orders"].treated_mean, over.effects["orders"].treated_mean) == (1 / 40, 2 / 40)


def test_cancelled_orders_charges_and_strangers_do_not_count(post: Post) -> None:
    post.send()
    post.add(Member(id="X"))
    post.order("T000", SENT + timedelta(days=2), 2_000, status="cancelled")
    post.order("X", SENT + timedelta(days=2), 2_000)
    post.order("T001", SENT + timedelta(days=2), 1_000)
    post.add(OrderLine(order_id="O3", position=9, product_id="", variant_id="", kind="charge", quantity=1, unit_price_cents=395))
    rows = post.rows()
    assert rows["orders"].to_dict() == {who: float(who == "T001") for who in rows.index} and "X" not in rows.index
    assert rows.loc["T001", "revenue_cents"] == 1_000


def test_money_by_hand(post: Post) -> None:
    post.send()
    # 30 pounds of goods with 3 off: 27 paid, goods cost 60 per cent of 30 = 18, 9 left; then 10 pounds in full, 4 left.
    post.order("T000", SENT + timedelta(days=1), 2_000, 1_000, discount=300)
    post.order("T000", SENT + timedelta(days=2), 1_000)
    row = post.rows().loc["T000"]
    assert (row["orders"], row["revenue_cents"], row["margin_cents"]) == (2, 3_700, pytest.approx(1_300))
    seen = post.result()
    assert seen.effects["margin_cents"].lift == pytest.approx(1_300 / 40)
    assert seen.net_cents is not None and seen.net_cents[0] == pytest.approx(1_300)
    assert seen.net_cents[1] < seen.net_cents[0] < seen.net_cents[2]


def test_a_discount_deeper_than_the_margin_leaves_less_than_nothing(post: Post) -> None:
    post.send()
    for n in range(30):
        post.order(f"T{n:03}", SENT + timedelta(days=1 + n % 9), 2_000 + n, discount=1_000)
    seen = post.result()
    assert seen.verdict == "effect" and seen.net_cents is not None and seen.net_cents[2] < 0


def test_what_members_did_before_makes_the_answer_sharper(post: Post) -> None:
    post.send()
    for arm in "TH":
        for n in range(20):
            for _ in range(3):
                post.order(f"{arm}{n:03}", SENT - timedelta(days=10), 2_000)
            post.order(f"{arm}{n:03}", SENT + timedelta(days=2), 2_000)
    post.order("T030", SENT + timedelta(days=2), 2_000)
    orders = post.result().effects["orders"]
    assert orders.adjusted and orders.sharper > 0.9 and orders.lift == pytest.approx(1 / 40)


# --- coupons, parts and predictions -----------------------------------------------------


def test_coupons_used_until_the_day_are_counted_with_what_they_gave(post: Post) -> None:
    post.send()
    post.add(*(Coupon(code=f"C-{n}", member_id=f"T{n:03}", kind="percent", value=10, campaign_id="C") for n in range(3)))
    post.order("T000", SENT + timedelta(days=2), 2_000, discount=200, coupon="C-0")
    post.order("T001", SENT + timedelta(days=2), 2_000, discount=200, coupon="C-1", status="cancelled")
    post.order("T002", SENT + timedelta(days=20), 5_000, discount=500, coupon="C-2")
    now, later = post.result(), post.result(as_of=SENT + timedelta(days=30))
    assert (now.coupons_used, now.discount_cents) == (1, 200)
    # Past the two weeks a coupon may still be used: it costs, though the effect is no longer counted.
    assert (later.coupons_used, later.discount_cents) == (2, 700)


def test_variants_and_groups_are_told_where_they_are_large_enough(post: Post) -> None:
    post.send(60, 60, variants=("a", "b"), holdout_percent=50)
    for n in range(0, 60, 2):
        post.order(f"T{n:03}", SENT + timedelta(days=2), 2_000)
    seen = post.result()
    # Variant a went to the even ones, who are bronze.
    assert {name: (e.treated, e.held, e.lift) for name, e in seen.variants.items()} == {"a": (30, 60, 1), "b": (30, 60, 0)}
    assert {name: (e.treated, e.held, e.lift) for name, e in seen.segments["tier"].items()} == {"bronze": (30, 30, 1), "silver": (30, 30, 0)}
    assert set(seen.segments["language"]) == {"en"} and seen.mismatch == 1


def test_one_variant_is_no_comparison_and_small_groups_are_left_out(post: Post) -> None:
    seen = post.send(30, 30, variants=("a",)).orders_of("T", 10).result()
    assert seen.variants == {} and seen.segments["tier"] == {} and set(seen.segments["language"]) == {"en"}


def test_what_was_predicted_and_what_could_have_been_seen_stand_beside_it(post: Post) -> None:
    seen = post.send(predicted=0.07).orders_of("T", 10).orders_of("H", 8).result()
    assert seen.predicted == pytest.approx(0.07)
    orders = seen.effects["orders"]
    assert seen.least_seen == pytest.approx(2.8 * orders.error) and orders.error == pytest.approx((orders.high - orders.low) / 3.92)


def test_a_prediction_for_nobody_is_none(post: Post) -> None:
    assert post.send().result().predicted is None


def test_the_plot_shows_lifts_in_points_with_both_arms_of_their_intervals() -> None:
    drawn = figure([("all", Effect(9, 9, 0.3, 0.1, 0.2, 0.1, 0.35)), ("b", Effect(9, 9, 0.1, 0.1, 0.0, -0.1, 0.1))], title="t", unit="u").data[0]
    assert list(drawn.y) == ["b", "all"] and drawn.x.tolist() == pytest.approx([0, 20])
    assert drawn.error_x.array.tolist() == pytest.approx([10, 15]) and drawn.error_x.arrayminus.tolist() == pytest.approx([10, 10])
    assert drawn.marker.color[0] != drawn.marker.color[1]
