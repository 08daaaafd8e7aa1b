"""Is an offer worth what it is said to be, by hand and where an effect was planted?"""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import uplift, win_back
from analytics.reactions import WINDOW_DAYS, Outlook, Reactions, best_offer, outlook

N, MARGIN = 600, 0.4


def members(n: int = N, *, seed: int = 1) -> pd.DataFrame:
    """Feature rows; who carts things is moved by a campaign, nobody else is."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"carts_30": rng.integers(0, 2, n) * 5, "orders": rng.integers(1, 9, n), "orders_90": rng.integers(0, 3, n)}, dtype=float)
    rows["recency_days"], rows["order_cents"] = rng.uniform(1, 200, n), rng.uniform(2_000, 9_000, n)
    rows["tier"] = rng.choice(["bronze", "silver"], n)
    rows.index = pd.Index([f"M{number}" for number in range(n)], name="member_id")
    return rows


@pytest.fixture(scope="module")
def reactions() -> Reactions:
    """Learned from six hundred, half of whom were written to; those who cart things order .5 more."""
    rows, rng = members(), np.random.default_rng(2)
    treated = rng.random(N) < 0.5
    orders = rng.poisson(0.3, N) + (treated & (rows["carts_30"] > 0) & (rng.random(N) < 0.5))
    told = rows[["recency_days", "order_cents", "orders_90", "carts_30", "tier"]]
    model = uplift.fit(told, treated, orders.astype(float), propensity=0.5, folds=3)
    return Reactions(model, {}, campaigns=2, treated=int(treated.sum()), held=int((~treated).sum()), percent=10.0, as_of=date(2026, 11, 22))


def pair(**columns: list[Any]) -> pd.DataFrame:
    """Two members: one orders 100 pounds nine times a quarter, one ordered 50 pounds once, long ago."""
    rows = pd.DataFrame({"orders": [20, 1], "orders_90": [9, 0], "order_cents": [10_000.0, 5_000.0], **columns})
    rows.index = pd.Index(["often", "once"], name="member_id")
    return rows


def offered(
    rows: pd.DataFrame, reactions: Reactions | None = None, *, kind: str = "percent", value: float = 10, margin: float = MARGIN, **more: Any
) -> Outlook:
    """The outlook of an offer."""
    return outlook(rows, reactions, kind=kind, value=value, margin=margin, **more)


# --- by hand, on the assumption ---------------------------------------------------------

LIFT, ANYWAY = win_back.ASSUMED_LIFT, 9 * WINDOW_DAYS / 90


def test_without_a_model_the_assumption_stands_in_and_says_so() -> None:
    seen = offered(pair(), everyone=True)
    assert not seen.measured and seen.members == seen.worth == 2
    assert seen.by_member["effect"].tolist() == pytest.approx([LIFT, LIFT])
    assert seen.by_member["anyway"].tolist() == pytest.approx([ANYWAY, 0])
    lift, low, high = seen.lift
    assert (lift, low, high) == pytest.approx((LIFT, LIFT - 1.96 * win_back.ASSUMED_SPREAD, LIFT + 1.96 * win_back.ASSUMED_SPREAD))


def test_ten_per_cent_by_hand() -> None:
    by_member = offered(pair()).by_member
    # Often: .03 orders more of 100 pounds at 40 per cent bring 1.20, and 10 pounds go with each of 1.43 orders.
    assert by_member.loc["often", ["gain", "cost", "net"]].tolist() == pytest.approx([120, 1_430, -1_310])
    # Once: .03 orders of 50 pounds bring 60 pence, and 5 pounds go with each of .03.
    assert by_member.loc["once", ["gain", "cost", "net"]].tolist() == pytest.approx([60, 15, 45])
    assert by_member["worth"].tolist() == [False, True]


def test_totals_are_of_those_it_pays_for_or_of_everyone() -> None:
    some, all_ = offered(pair()), offered(pair(), everyone=True)
    assert (some.members, some.worth, all_.members, all_.worth) == (2, 1, 2, 2)
    assert (some.gain, some.cost, some.net[0]) == pytest.approx((60, 15, 45))
    assert (all_.gain, all_.cost, all_.net[0]) == pytest.approx((180, 1_445, -1_265))
    assert (some.orders, all_.orders) == pytest.approx((LIFT, 2 * LIFT)) and (some.anyway, all_.anyway) == pytest.approx((0, ANYWAY / 2))


def test_the_interval_of_net_by_hand() -> None:
    low, high = offered(pair()).net[1:]
    # One order more or less brings 50 pounds × (40 − 10 per cent) = 15 pounds.
    assert (low, high) == pytest.approx((45 - 1.96 * win_back.ASSUMED_SPREAD * 1_500, 45 + 1.96 * win_back.ASSUMED_SPREAD * 1_500))


@pytest.mark.parametrize(
    ("kind", "value", "worth", "depth"),
    [("percent", 20, 0, [0.2, 0.2]), ("amount", 1_000, 0, [0.1, 0.2]), ("benefit", 500, 0, [0.05, 0.1]), ("points", 500, 250, [0.025, 0.05])],
)
def test_kinds_of_offer_by_hand(kind: str, value: float, worth: float, depth: list[float]) -> None:
    by_member = offered(pair(), kind=kind, value=value, points_worth=worth).by_member
    for n, cents in enumerate([10_000, 5_000]):
        # A deeper offer pulls with the root of its depth against ten per cent.
        effect = LIFT * (depth[n] / 0.1) ** 0.5
        row = by_member.iloc[n]
        assert row["effect"] == pytest.approx(effect) and row["gain"] == pytest.approx(effect * cents * MARGIN)
        assert row["cost"] == pytest.approx(([ANYWAY, 0][n] + effect) * depth[n] * cents)


def test_a_bare_message_costs_nothing_and_pulls_a_third() -> None:
    seen = offered(pair(), kind="none", value=99)
    assert seen.cost == 0 and seen.worth == 2 and seen.lift[0] == pytest.approx(0.35 * LIFT)
    assert seen.gain == seen.net[0] == pytest.approx(0.35 * LIFT * 15_000 * MARGIN)


def test_an_amount_is_never_more_than_nine_tenths_of_an_order() -> None:
    seen = offered(pair(), kind="amount", value=50_000, everyone=True)
    effect = 2 * LIFT
    assert seen.by_member["effect"].tolist() == pytest.approx([effect, effect])
    assert seen.cost == pytest.approx((ANYWAY + effect) * 9_000 + effect * 4_500)


def test_nobody_is_worth_an_offer_deeper_than_the_margin() -> None:
    seen = offered(pair(), value=20, margin=0.1)
    assert (seen.members, seen.worth, seen.orders, seen.gain, seen.cost) == (2, 0, 0, 0, 0)
    assert seen.net == (0, 0, 0) and seen.lift == (0, 0, 0)


def test_who_never_ordered_is_not_counted_and_an_unknown_order_is_the_usual_one() -> None:
    rows = pair(orders=[0, 1])
    assert offered(rows, everyone=True).by_member.index.tolist() == ["once"]
    unknown = offered(pair(order_cents=[np.nan, 5_000.0]), everyone=True)
    assert unknown.by_member.loc["often", "gain"] == pytest.approx(LIFT * 5_000 * MARGIN)


@pytest.mark.parametrize("learned", [False, True])
def test_an_offer_to_nobody_is_nothing(reactions: Reactions, learned: bool) -> None:
    seen = offered(members()[:0], reactions if learned else None)
    assert (seen.members, seen.worth, seen.gain, seen.net) == (0, 0, 0, (0, 0, 0)) and seen.measured == learned


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.05, 0.9))
def test_deeper_discounts_cost_more(first: int, second: int, margin: float) -> None:
    less, more = (offered(pair(), value=percent, margin=margin, everyone=True) for percent in sorted((first, second)))
    assert less.cost <= more.cost and less.orders <= more.orders
    assert (less.cost < more.cost) == (first != second)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["none", "percent", "amount", "points", "benefit"]), st.integers(1, 90), st.floats(0.05, 0.9))
def test_choosing_members_never_leaves_less_than_everyone(kind: str, value: int, margin: float) -> None:
    some, all_ = (offered(pair(), kind=kind, value=value, points_worth=value, margin=margin, everyone=everyone) for everyone in (False, True))
    assert some.net[0] >= max(0.0, all_.net[0]) - 1e-9 and some.worth <= all_.worth
    for seen in (some, all_):
        assert seen.net[1] <= seen.net[0] <= seen.net[2] and seen.net[0] == pytest.approx(seen.gain - seen.cost)


# --- where an effect was planted --------------------------------------------------------


def test_a_learned_outlook_follows_its_scores(reactions: Reactions) -> None:
    fresh = members(200, seed=3)
    told, seen = reactions.score(fresh), offered(fresh, reactions, everyone=True)
    cents = fresh["order_cents"]
    assert seen.measured and seen.members == seen.worth == 200
    # Ten per cent is what the past campaigns gave: the pull is one.
    assert seen.by_member["effect"].to_numpy() == pytest.approx(told["effect"].to_numpy())
    assert seen.gain == pytest.approx((told["effect"] * cents * MARGIN).sum())
    assert seen.cost == pytest.approx(((told["anyway"] + told["effect"]).clip(lower=0) * 0.1 * cents).sum())
    assert seen.lift[0] == pytest.approx(told["effect"].mean())


def test_whom_it_was_planted_in_is_whom_it_pays_for(reactions: Reactions) -> None:
    seen = offered(members(400, seed=4), reactions, value=15).by_member
    moved = members(400, seed=4)["carts_30"] > 0
    assert seen.loc[moved, "effect"].mean() > seen.loc[~moved, "effect"].mean() + 0.15
    assert seen.loc[moved, "worth"].mean() > 2 * seen.loc[~moved, "worth"].mean() and seen.loc[moved, "net"].mean() > seen.loc[~moved, "net"].mean()
    assert (seen["anyway"] >= 0).all() and seen["anyway"].mean() == pytest.approx(0.3, abs=0.1)


def test_the_average_lies_between_what_was_seen_and_what_is_usual(reactions: Reactions) -> None:
    seen, (average, error) = reactions.model.adjusted, reactions.average
    # .5 in half of them is .25 on average.
    assert seen.effect == pytest.approx(0.25, abs=0.1)
    assert win_back.ASSUMED_LIFT < average < seen.effect and error < seen.error
    sharp = replace(reactions, model=replace(reactions.model, adjusted=uplift.Average(seen.effect, 1e-6)))
    assert sharp.average[0] == pytest.approx(seen.effect, abs=1e-6)


def test_scores_move_with_the_average(reactions: Reactions) -> None:
    rows = members(50, seed=5)
    moved = reactions.score(rows)["effect"].to_numpy() - reactions.model.effect(rows[reactions.model.columns.names])
    assert moved == pytest.approx(np.full(50, reactions.average[0] - reactions.model.adjusted.effect))


def test_the_reason_told_is_the_one_planted(reactions: Reactions) -> None:
    assert set(reactions.importance()) == set(reactions.model.columns.names) and sum(reactions.importance().values()) == pytest.approx(1)
    rows = members(80, seed=6)
    told = reactions.explain(rows)
    assert told.sum(axis=1).to_numpy() == pytest.approx(reactions.model.effect(rows[reactions.model.columns.names]), abs=1e-6)
    assert told["carts_30"][rows["carts_30"] > 0].min() > told["carts_30"][rows["carts_30"] == 0].max()
    assert told.drop(columns="base").abs().mean().idxmax() == "carts_30"


def test_discounts_go_to_whom_they_beat_a_bare_message_for_and_the_best_in_all_stands_first(reactions: Reactions) -> None:
    for model in (reactions, None):
        bare, found = best_offer(members(200, seed=7), model, margin=MARGIN)
        assert sorted(one.percent for one in found) == [5, 8, 10, 12, 15, 20]
        assert [one.in_all for one in found] == sorted((one.in_all for one in found), reverse=True)
        message = bare.by_member["net"].clip(lower=0)
        for one in found:
            told = one.seen.by_member
            assert (told["worth"] == (told["net"] > message)).all()
            # Whoever is better off with the message gets the message: a mix never leaves less than it.
            assert one.in_all == pytest.approx(np.maximum(told["net"], message).sum()) and one.in_all >= bare.net[0] - 1e-6


def test_where_goods_leave_nothing_over_no_discount_beats_a_message(reactions: Reactions) -> None:
    bare, found = best_offer(members(200, seed=7), reactions, margin=0.03)
    assert all(one.seen.worth == 0 and one.in_all == pytest.approx(bare.net[0]) for one in found)
