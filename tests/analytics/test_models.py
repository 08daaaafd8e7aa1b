"""What must every model do, and does each find what was planted?"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics import behaviour, buying, churn, explain, forecast, lifetime_value, recommender, risk, segments, tiers, training, win_back
from analytics.behaviour import Behaviour
from analytics.churn import Churn
from analytics.forecast import Forecast
from analytics.history import History
from analytics.lifetime_value import LifetimeValue
from analytics.recommender import Recommender
from analytics.risk import Risk
from analytics.segments import Segments
from analytics.tiers import NextTier
from members import extract, lake, program
from members.database import Database, sqlite_url

TODAY = date(2026, 11, 22)
AS_OF = TODAY - timedelta(days=90)
RULES = program.load()


@dataclass(frozen=True)
class Kind:
    """One model as the contract sees it."""

    fit: Callable[[History, date], Any]
    score: Callable[[Any, History, date], Any]
    measure: Callable[[Any, History, date], dict[str, Any]] | None
    additive: bool = False


KINDS: dict[str, Kind] = {
    "recommender": Kind(
        lambda h, d: (lambda m: m if m.signals else None)(Recommender.fit(h, as_of=d)),
        lambda m, h, d: m.suggest([("P-1001", d)], as_of=d),
        lambda m, h, d: recommender.measure(m, h, as_of=d),
    ),
    "churn": Kind(lambda h, d: Churn.fit(h, as_of=d), lambda m, h, d: m.score(h.buyers(d)), lambda m, h, d: churn.measure(m, h, as_of=d), additive=True),
    "lifetime_value": Kind(
        lambda h, d: LifetimeValue.fit(h, as_of=d), lambda m, h, d: m.score(h.buyers(d), as_of=d), lambda m, h, d: lifetime_value.measure(m, h, as_of=d)
    ),
    "tiers": Kind(lambda h, d: NextTier.fit(h, RULES, as_of=d), lambda m, h, d: m.score(h.buyers(d)), lambda m, h, d: tiers.measure(m, h, as_of=d)),
    "segments": Kind(lambda h, d: Segments.fit(h, as_of=d), lambda m, h, d: m.score(h.buyers(d)), lambda m, h, d: segments.measure(m, h, as_of=d, rounds=2)),
    "behaviour": Kind(
        lambda h, d: Behaviour.fit(h, as_of=d), lambda m, h, d: m.score(h.buyers(d), h, as_of=d), lambda m, h, d: behaviour.measure(m, h, as_of=d)
    ),
    "forecast": Kind(lambda h, d: Forecast.fit(h, as_of=d), lambda m, h, d: m.score("all"), lambda m, h, d: forecast.measure(h, as_of=d)),
    "risk": Kind(lambda h, d: Risk.fit(h, as_of=d), lambda m, h, d: m.score(h, as_of=d), lambda m, h, d: risk.measure(m, h, as_of=d)),
}


@pytest.fixture(scope="module")
def history(shop: Any) -> History:
    """The made-up shop's lake."""
    with shop.database.read() as session:
        extract.write(session, shop.lake)
    return History.of(shop.lake)


@pytest.fixture(scope="module")
def models(history: History) -> dict[str, Any]:
    """Each model as of 90 days before the last."""
    return {name: kind.fit(history, AS_OF) for name, kind in KINDS.items()}


def test_every_model_of_the_shelf_is_held_to_the_contract() -> None:
    assert set(KINDS) == set(training.NAMES)


def same(first: Any, second: Any) -> None:
    """Equal, but for the last digits of sums taken in another order."""
    if isinstance(first, pd.DataFrame):
        pd.testing.assert_frame_equal(first, second)
    elif isinstance(first, pd.Series):
        pd.testing.assert_series_equal(first, second, rtol=1e-4)
    elif isinstance(first, list):
        assert [(s.product_id, s.kind, s.because) for s in first] == [(s.product_id, s.kind, s.because) for s in second]
    else:
        assert first == second


@pytest.mark.parametrize("name", KINDS)
def test_it_fits_and_says_something_of_everybody(name: str, models: dict[str, Any], history: History) -> None:
    told = KINDS[name].score(models[name], history, AS_OF)
    assert len(told) > 0
    if isinstance(told, pd.DataFrame | pd.Series) and name != "forecast":
        assert len(told) == len(history.buyers(AS_OF)) and not told.isna().to_numpy().any()


@pytest.mark.parametrize("name", KINDS)
def test_it_is_the_same_when_learned_again(name: str, models: dict[str, Any], history: History) -> None:
    first, second = (KINDS[name].score(model, history, AS_OF) for model in (models[name], KINDS[name].fit(history, AS_OF)))
    same(first, second)


@pytest.mark.parametrize("name", KINDS)
def test_the_future_changes_nothing(name: str, models: dict[str, Any], history: History, shop: Any, tmp_path: Path) -> None:
    """A shop that ends on the as-of day gives the same model: what came later was not looked at."""
    cut = tmp_path / "lake"
    shutil.copytree(shop.lake, cut)
    day = lake.day_number(AS_OF)
    for table in ("lines", "returns", "points", "tiers"):
        path = lake.path_of(cut, table)
        rows = pd.read_parquet(path)
        rows[rows["day"] <= day].to_parquet(path, index=False)
    for path in cut.glob("*.parquet"):
        rows = pd.read_parquet(path)
        rows[rows["at"] < pd.Timestamp(AS_OF) + pd.Timedelta(days=1)].to_parquet(path, index=False)
    short = History.of(cut)
    first, second = KINDS[name].score(models[name], history, AS_OF), KINDS[name].score(KINDS[name].fit(short, AS_OF), short, AS_OF)
    same(first, second)


@pytest.mark.parametrize("name", KINDS)
def test_its_measures_stand_beside_a_baseline(name: str, models: dict[str, Any], history: History) -> None:
    told = KINDS[name].measure(models[name], history, AS_OF)["measures"]
    assert told
    if name not in ("segments", "risk"):
        assert len(told) >= 2
    for values in told.values():
        assert all(isinstance(value, float) for value in values.values())


@pytest.mark.parametrize("name", KINDS)
def test_a_shop_without_orders_has_no_model(name: str, tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "empty.db"))
    database.migrate()
    with database.read() as session:
        extract.write(session, tmp_path / "lake")
    database.close()
    assert KINDS[name].fit(History.of(tmp_path / "lake"), TODAY) is None


# --- reasons ----------------------------------------------------------------------------


def test_reasons_of_a_chance_sum_to_it(models: dict[str, Any], history: History) -> None:
    rows, model = history.buyers(AS_OF), models["churn"]
    told = explain.stories(model.explain(rows))
    np.testing.assert_allclose(told.sum(axis=1), model.score(rows), atol=1e-9)


def test_reasons_of_a_value_sum_to_it(models: dict[str, Any], history: History) -> None:
    rows, model = history.buyers(AS_OF), models["lifetime_value"]
    np.testing.assert_allclose(explain.stories(model.explain(rows)).sum(axis=1), model.quarter(rows)[0], rtol=1e-6, atol=1e-4)


def test_reasons_name_facts_of_the_row(models: dict[str, Any], history: History) -> None:
    rows = history.buyers(AS_OF)
    told = explain.reasons(models["churn"].explain(rows), rows, explain.usual(rows))
    assert sum(bool(mine) for mine in told) > 0.9 * len(rows)
    for member_id, mine in zip(rows.index, told, strict=True):
        for reason in mine:
            for fact, value in reason["facts"].items():
                real = rows.loc[member_id, fact]
                assert (value is None) == bool(pd.isna(real)) and (value is None or value == pytest.approx(real, abs=1e-3))


# --- planted truth ----------------------------------------------------------------------


def test_churn_ranks_those_who_were_made_to_drift(models: dict[str, Any], history: History, shop: Any) -> None:
    chance = models["churn"].score(history.buyers(AS_OF))
    gone = pd.Series({m: date.fromisoformat(on) < AS_OF - timedelta(days=60) for m, on in shop.truth.drifts_on.items()})
    drifted = chance.index.isin(gone[gone].index)
    assert chance[drifted].mean() > 2 * chance[~drifted].mean()


def test_churn_beats_guessing_and_is_near_its_word(models: dict[str, Any], history: History) -> None:
    told = churn.measure(models["churn"], history, as_of=AS_OF)["measures"]["model"]
    assert told["AUC"] > 0.75 and told["calibration error"] < 0.12


def test_suggestions_contain_what_was_made_to_go_together(models: dict[str, Any], shop: Any) -> None:
    model = models["recommender"]
    hits, tried = 0, 0
    for product, partners in list(shop.truth.goes_with.items())[:120]:
        if product in model.signals.place:
            told = {s.product_id for s in model.suggest([(product, AS_OF - timedelta(days=5))], as_of=AS_OF, limit=15, which="new")}
            hits, tried = hits + bool(told & set(partners)), tried + 1
    assert tried > 50 and hits / tried > 0.5


def test_again_and_new_are_lists_apart(models: dict[str, Any]) -> None:
    mine = [("P-1001", AS_OF - timedelta(days=40)), ("P-1001", AS_OF - timedelta(days=10)), ("P-1100", AS_OF - timedelta(days=3))]
    again = models["recommender"].suggest(mine, as_of=AS_OF, which="again")
    new = models["recommender"].suggest(mine, as_of=AS_OF, which="new")
    assert {s.product_id for s in again} == {"P-1001", "P-1100"} and {s.kind for s in again} == {"again"}
    assert new and not {s.product_id for s in new} & {"P-1001", "P-1100"}


def test_a_newcomer_gets_what_is_popular_or_what_they_looked_at(models: dict[str, Any]) -> None:
    model = models["recommender"]
    bare = model.suggest([], as_of=AS_OF, limit=5)
    assert len(bare) == 5 and {s.kind for s in bare} <= {"popular", "alike"}
    looked = model.suggest([], as_of=AS_OF, limit=30, looked=[("P-1050", AS_OF, True)])
    assert any(s.product_id == "P-1050" and s.kind == "looked" for s in looked)


_PRODUCTS = st.sampled_from([*(f"P-{1001 + n}" for n in range(0, 380, 40)), "unknown"])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(_PRODUCTS, st.integers(-5, 400)), max_size=12), st.integers(0, 12))
def test_every_reason_is_true_of_any_history(models: dict[str, Any], bought: list[tuple[str, int]], limit: int) -> None:
    mine = [(product, AS_OF - timedelta(days=ago)) for product, ago in bought]
    past = [(product, day) for product, day in mine if day <= AS_OF]
    found = models["recommender"].suggest(mine, as_of=AS_OF, limit=limit)
    assert len(found) <= limit and len({s.product_id for s in found}) == len(found)
    for s in found:
        times = sum(product == s.product_id for product, _ in past)
        assert (s.kind == "again") == (times > 0)
        if s.kind == "again":
            assert s.times == times
        if s.last_on is not None:
            assert (s.because or s.product_id, s.last_on) in past


def test_who_was_forgotten_is_nobodys_neighbour(history: History) -> None:
    model = Recommender.fit(history, as_of=AS_OF)
    assert model.signals is not None
    someone = next(iter(model.signals.members))
    row = model.signals.members[someone]
    assert model.forget(someone) and not model.forget(someone)
    assert someone not in model.signals.members and model.signals.taste[row].sum() == 0


def test_flags_find_those_who_send_everything_back(history: History, shop: Any) -> None:
    model = Risk.fit(history, as_of=TODAY)
    assert model is not None
    with shop.database.read() as session:
        found = model.score(history, as_of=TODAY, session=session)
    for who, kind in shop.truth.abuse.items():
        assert kind in [flag["key"] for flag in found.get(who, [])], (who, kind)
    assert len(found) <= len(shop.truth.abuse) + 0.02 * len(history.buyers(TODAY))


def test_groups_keep_their_members_when_learned_on_others(models: dict[str, Any], history: History) -> None:
    told = segments.measure(models["segments"], history, as_of=AS_OF, rounds=3)["measures"]["model"]
    assert told["stability (adjusted Rand)"] > 0.5
    assert set(models["segments"].names) <= set(segments.PATTERNS) and len(set(models["segments"].names)) == len(models["segments"].names)


def test_the_classic_grid_gives_the_newest_buyer_the_best_recency(history: History) -> None:
    rows = history.buyers(AS_OF)
    grid = segments.rfm(rows)
    assert grid.loc[rows["recency_days"].idxmin(), "R"] == 5 and grid.loc[rows["recency_days"].idxmax(), "R"] == 1
    assert set(np.unique(grid.to_numpy())) <= {1, 2, 3, 4, 5}


# --- rhythm and money -------------------------------------------------------------------


def simulated(members: int = 4_000, seed: int = 3) -> pd.DataFrame:
    """Members who buy and leave as BG/NBD and Gamma-Gamma say, with the parameters below; time in weeks."""
    rng, watched = np.random.default_rng(seed), 40.0
    rate, leaving, scale = rng.gamma(0.8, 1 / 5.0, members), rng.beta(1.2, 3.0, members), rng.gamma(4.0, 1 / 15.0, members)
    rows = []
    for n in range(members):
        now, x, t_x, horizon = 0.0, 0, 0.0, watched - rng.uniform(0, 12)
        while rng.random() >= (leaving[n] if x else 0.0):
            now += rng.exponential(1 / rate[n])
            if now > horizon:
                break
            x, t_x = x + 1, now
        money = rng.gamma(6.0 * max(x, 1), 1 / scale[n]) / max(x, 1)
        rows.append((float(x), t_x, horizon, 100 * money if x else np.nan))
    return pd.DataFrame(rows, columns=["x", "t_x", "T", "money"])


def test_rhythm_finds_the_parameters_it_was_made_with() -> None:
    found = buying.BGNBD.fit(simulated())
    assert (found.r, found.alpha) == (pytest.approx(0.8, rel=0.15), pytest.approx(5.0, rel=0.2))
    # The chance of leaving is a / (a + b); the two by themselves are told less sharply.
    assert found.a / (found.a + found.b) == pytest.approx(1.2 / 4.2, rel=0.15)


def test_money_finds_the_mean_it_was_made_with() -> None:
    seen = simulated()
    found = buying.GammaGamma.fit(seen)
    # The mean of a day over all members is p · gamma / (q − 1).
    assert found.p * found.gamma / (found.q - 1) == pytest.approx(6.0 * 15.0 / 3.0, rel=0.1)


def test_expectation_is_near_what_comes() -> None:
    seen = simulated()
    found = buying.BGNBD.fit(seen)
    alive = found.alive(seen)
    assert ((alive >= 0) & (alive <= 1)).all() and (alive[seen["x"] == 0] == 1).all()
    expected = found.expected(seen, weeks=1e-9)
    assert np.abs(expected).max() < 1e-6
    assert (found.expected(seen, weeks=26) >= found.expected(seen, weeks=13)).all()


# --- demand -----------------------------------------------------------------------------


def test_stock_runs_out_when_the_weeks_have_eaten_it() -> None:
    weeks = pd.to_datetime(["2026-11-23", "2026-11-30", "2026-12-07"])
    ahead = pd.DataFrame({"series": "product:p", "week": weeks, "mean": [7.0, 7.0, 7.0], "low": [0.0] * 3, "high": [14.0] * 3})
    model = Forecast(date(2026, 11, 22), ahead, pd.DataFrame(columns=["series", "week", "pieces"]))
    assert model.runs_out("product:p", 10) == (date(2026, 12, 3), date(2026, 11, 28))
    assert model.runs_out("product:p", 1_000) == (None, None)


def test_a_week_that_is_not_over_is_not_learned_from(history: History) -> None:
    told = forecast.weekly(history, date(2026, 11, 19))
    assert told["week"].max() == pd.Timestamp("2026-11-09") and set(told["week"].dt.dayofweek) == {0}


# --- offers -----------------------------------------------------------------------------


def test_an_offer_pays_least_with_those_who_come_anyway() -> None:
    seen = win_back.Response(1_000, 200, 250, 30)
    best = {
        churn: win_back.options(seen, churn=churn, order_cents=9_000, points_worth_cents=500, express_cents=795)[0].net_cents for churn in (0.02, 0.5, 0.98)
    }
    assert best[0.5] > best[0.02] and best[0.5] > best[0.98]


def test_without_campaigns_the_assumption_is_wide_and_said() -> None:
    seen = win_back.Response(0, 0, 0, 0)
    assert not seen.measured
    option = win_back.options(seen, churn=0.5, order_cents=9_000, points_worth_cents=500, express_cents=795)[0]
    assert option.net_low_cents < option.net_cents < option.net_high_cents


def test_past_campaigns_show_their_lift(shop: Any) -> None:
    with shop.database.read() as session:
        seen = win_back.response(session, as_of=TODAY)
    assert seen.treated > 5 * seen.held / 2 and seen.held > 0
    lift, error = seen.lift
    assert -0.05 < lift < 0.2 and error > 0
