"""Is it found whom a campaign changes, and is nothing found where there is nothing?"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from analytics import uplift
from analytics.uplift import METHODS, Method, Uplift, choose, fit, gain, measured, oracle_share, policies, qini, qini_curve, resampled, uplift_at_k
from eval import uplift_quality
from members.errors import BadInput

N = 3_000


class World:
    """Persuadables read their mail, sure buyers bought lately, sleeping dogs complained; nothing else matters."""

    def __init__(self, n: int = N, *, seed: int = 1, strength: float = 1.0, share: float = 0.5) -> None:
        """Draw the units, who is addressed, and what each does."""
        rng = np.random.default_rng(seed)
        self.rows = pd.DataFrame({name: rng.random(n) < odds for name, odds in (("reads", 0.4), ("recent", 0.3), ("complained", 0.2))}).astype(float)
        self.rows["noise"] = rng.normal(size=n)
        self.alone = 0.15 + 0.6 * self.rows["recent"].to_numpy()
        self.effect = strength * np.where(self.rows["complained"] > 0, -0.13, np.where((self.rows["reads"] > 0) & (self.rows["recent"] == 0), 0.4, 0.0))
        self.treated = rng.random(n) < share
        self.outcome = (rng.random(n) < self.alone + self.effect * self.treated).astype(float)

    def learn(self, method: Method = "x", **more: float) -> Uplift:
        """Fit one learner on it."""
        return fit(self.rows, self.treated, self.outcome, method=method, **{"propensity": 0.5, "folds": 3, **more})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def models(world: World) -> dict[Method, Uplift]:
    return {method: world.learn(method) for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_it_finds_the_persuadable_and_tells_them_from_sure_buyers(models: dict[Method, Uplift], method: Method) -> None:
    fresh = World(seed=2)
    effect = models[method].effect(fresh.rows)
    buyers = policies(models[method], fresh.rows)["likely buyers"]
    assert oracle_share(effect, fresh.effect) > 0.8 > 0 > oracle_share(buyers, fresh.effect)
    persuadable, sure = fresh.effect > 0.3, (fresh.rows["recent"] > 0) & (fresh.effect == 0)
    assert effect[persuadable].mean() > effect[sure].mean() + 0.15
    assert uplift_at_k(effect, fresh.treated, fresh.outcome, k=0.2) > 0.25


@pytest.mark.parametrize("method", METHODS)
def test_sleeping_dogs_are_told_a_harm(models: dict[Method, Uplift], method: Method) -> None:
    fresh = World(seed=3)
    assert models[method].effect(fresh.rows)[fresh.effect < 0].mean() < -0.03


def test_the_baseline_is_what_units_do_when_left_alone(models: dict[Method, Uplift]) -> None:
    fresh = World(seed=4)
    assert np.abs(models["x"].baseline(fresh.rows) - fresh.alone).mean() < 0.06


@pytest.mark.parametrize("method", METHODS)
def test_without_an_effect_none_is_found(method: Method) -> None:
    about_zero, gained = 0, []
    for seed in range(5):
        idle = World(1_500, strength=0.0, seed=30 + seed)
        model = idle.learn(method)
        draws = resampled(model.effects, idle.treated, idle.outcome, rounds=50)["Qini"]
        about_zero += model.difference.low < 0 < model.difference.high and model.adjusted.low < 0 < model.adjusted.high and draws.quantile(0.025) < 0
        gained.append(qini(model.effects, idle.treated, idle.outcome))
    assert about_zero >= 4
    assert np.mean(gained) < 0.006


@pytest.mark.parametrize("method", METHODS)
def test_effects_of_training_units_come_from_models_that_never_saw_them(world: World, method: Method) -> None:
    # Shuffled outcomes can only be learned by heart; over several shuffles an honest ranking gains nothing, the fitted one much.
    honest, by_heart = [], []
    for seed in range(4):
        outcome = np.random.default_rng(seed).permutation(world.outcome[:800])
        rows = world.rows[:800].assign(**{f"extra_{n}": np.random.default_rng([seed, n]).normal(size=800) for n in range(3)})
        model = fit(rows, world.treated[:800], outcome, method=method, propensity=0.5, folds=3, seed=seed)
        honest.append(qini(model.effects, world.treated[:800], outcome))
        by_heart.append(qini(model.effect(rows), world.treated[:800], outcome))
    assert np.mean(honest) < 0.006
    assert min(by_heart) > 0.015


def test_the_same_seed_gives_the_same_effects(world: World, models: dict[Method, Uplift]) -> None:
    again = world.learn("x")
    np.testing.assert_array_equal(again.effects, models["x"].effects)
    np.testing.assert_array_equal(again.effect(world.rows[:50]), models["x"].effect(world.rows[:50]))


def test_the_adjusted_interval_covers_the_truth_and_is_the_narrower() -> None:
    covered = []
    for seed in range(6):
        one = World(1_500, seed=20 + seed, share=0.3)
        model = one.learn("t", propensity=0.3)
        covered.append(model.adjusted.low < one.effect.mean() < model.adjusted.high)
        assert model.adjusted.error < model.difference.error
    assert sum(covered) >= 5


def test_an_unknown_propensity_is_estimated_and_takes_out_what_moved_both() -> None:
    rng = np.random.default_rng(66)
    one = World(4_000, seed=6)
    chance = np.where(one.rows["recent"] > 0, 0.8, 0.3)
    treated = rng.random(4_000) < chance
    outcome = (rng.random(4_000) < one.alone + one.effect * treated).astype(float)
    model = fit(one.rows, treated, outcome, method="dr", folds=3)
    assert model.difference.low > one.effect.mean()
    assert model.adjusted.low < one.effect.mean() < model.adjusted.high


def test_categories_and_missing_values_are_learned_from() -> None:
    rng, n = np.random.default_rng(7), 3_000
    channel = rng.choice(["app", "store", "web"], n)
    rows = pd.DataFrame({"channel": pd.Categorical(channel), "city": rng.choice(["A", "B"], n), "opens": np.where(rng.random(n) < 0.4, np.nan, 1.0)})
    effect = 0.3 * (channel == "app") + 0.2 * rows["opens"].isna().to_numpy()
    treated = rng.random(n) < 0.5
    model = fit(rows, treated, (rng.random(n) < 0.2 + effect * treated).astype(float), propensity=0.5, folds=3)
    told = model.effect(pd.DataFrame({"channel": ["app", "web", "never seen"], "city": "A", "opens": [np.nan, 1.0, 1.0]}))
    assert told[0] > 0.3 > 0.2 > told[1] and np.isfinite(told).all()
    assert list(model.importance())[-1] == "city"


def test_amounts_are_ranked_too() -> None:
    one = World(seed=8)
    model = fit(one.rows, one.treated, one.outcome * 50.0, propensity=0.5, folds=3)
    assert oracle_share(model.effect(one.rows), one.effect) > 0.8
    assert 10 < model.effect(one.rows)[one.effect > 0.3].mean() < 25


def test_the_shares_of_the_columns_sum_to_the_effect(world: World, models: dict[Method, Uplift]) -> None:
    for method in ("x", "dr"):
        shares = models[method].shares(world.rows[:20])
        np.testing.assert_allclose(shares.sum(axis=1), models[method].effect(world.rows[:20]), atol=1e-6)
    reader = world.rows.assign(reads=1.0, recent=0.0, complained=0.0)[:1]
    assert models["x"].shares(reader).drop(columns="base").iloc[0].idxmax() == "reads"
    assert list(models["x"].importance())[-1] == "noise"


def test_the_learner_kept_gains_about_as_much_as_any() -> None:
    strong = World(1_500, seed=11)
    choice = choose(strong.rows, strong.treated, strong.outcome, propensity=0.5, folds=3)
    assert set(choice.table) == set(METHODS.values())
    gains = {name: told["DR gain"] for name, told in choice.table.items()}
    assert gains[choice.best.learner] > 0.9 * max(gains.values())


# --- measures ---------------------------------------------------------------------------


# By falling effect: treated who did, control who did not, treated who did, control who did, then the four who show the reverse.
EFFECT = np.arange(8, 0, -1.0)
TREATED = np.array([1, 0, 1, 0, 1, 0, 1, 0], bool)
OUTCOME = np.array([1, 0, 1, 1, 0, 0, 0, 1], float)


def test_the_qini_of_eight_units_by_hand() -> None:
    # R_T − R_C·N_T/N_C after each unit: 1, 1, 2, 2−1, 2−3/2, 2−1, 2−4/3, 2−2; over the four treated.
    curve = qini_curve(EFFECT, TREATED, OUTCOME)
    np.testing.assert_allclose(curve["gain"], np.array([0, 1, 1, 2, 1, 0.5, 1, 2 / 3, 0]) / 4)
    np.testing.assert_allclose(curve["share"], np.arange(9) / 8)
    assert qini(EFFECT, TREATED, OUTCOME) == pytest.approx((1 + 1 + 2 + 1 + 0.5 + 1 + 2 / 3) / 4 / 8)
    assert uplift_at_k(EFFECT, TREATED, OUTCOME, k=0.5) == pytest.approx(1 - 1 / 2)


def test_the_best_ranking_is_one_and_its_reverse_is_below_zero() -> None:
    best = np.where(TREATED, OUTCOME, -OUTCOME)
    assert qini(best, TREATED, OUTCOME, normalised=True) == pytest.approx(1.0)
    assert qini(-best, TREATED, OUTCOME) < 0


def test_units_told_the_same_are_not_ranked() -> None:
    told = measured(np.ones(8), TREATED, OUTCOME)
    assert told["Qini"] == 0 and told["uplift@20%"] == pytest.approx(uplift.difference(TREATED, OUTCOME).effect)
    # Mixing units of one effect changes nothing.
    rng = np.random.default_rng(0)
    mixed = rng.permutation(8)
    assert qini(np.round(EFFECT / 3)[mixed], TREATED[mixed], OUTCOME[mixed]) == pytest.approx(qini(np.round(EFFECT / 3), TREATED, OUTCOME))


def test_known_effects_rank_themselves_best() -> None:
    effect = np.array([0.3, -0.1, 0.0, 0.2])
    assert oracle_share(effect, effect) == 1.0
    assert gain(-effect, effect) == pytest.approx(-gain(effect, effect))


def test_weights_put_an_uneven_choice_right() -> None:
    rng, n = np.random.default_rng(9), 40_000
    recent = rng.random(n) < 0.5
    chance = np.where(recent, 0.8, 0.2)
    treated = rng.random(n) < chance
    outcome = (rng.random(n) < 0.1 + 0.5 * recent + 0.1 * treated).astype(float)
    everyone = np.zeros(n)
    assert uplift_at_k(everyone, treated, outcome, k=1.0) > 0.3
    assert uplift_at_k(everyone, treated, outcome, k=1.0, propensity=chance) == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize(
    ("treated", "outcome"), [(np.ones(200, bool), np.arange(200.0)), (np.arange(200) < 100, np.ones(200)), (np.arange(200) < 20, np.arange(200.0))]
)
def test_one_arm_or_one_outcome_is_refused(treated: np.ndarray, outcome: np.ndarray) -> None:
    with pytest.raises(BadInput):
        fit(pd.DataFrame({"a": np.arange(200.0)}), treated, outcome)


def test_a_ranking_needs_both_arms() -> None:
    with pytest.raises(BadInput):
        qini(EFFECT, np.ones(8, bool), OUTCOME)


# --- a file -----------------------------------------------------------------------------


def challenge(path: Path, n: int = 4_500) -> Path:
    """A file in the layout of the public e-mail challenge: women's mail moves those who buy women's goods."""
    rng = np.random.default_rng(10)
    rows = pd.DataFrame({"recency": rng.integers(1, 13, n), "history": np.exp(rng.normal(5, 0.8, n)).round(2), "mens": rng.integers(0, 2, n)})
    rows["womens"] = np.where(rows["mens"] == 1, rng.integers(0, 2, n), 1)
    rows["zip_code"], rows["newbie"] = rng.choice(["Urban", "Surburban", "Rural"], n), rng.integers(0, 2, n)
    rows["channel"], rows["segment"] = rng.choice(["Phone", "Web", "Multichannel"], n), rng.choice(["Womens E-Mail", "Mens E-Mail", "No E-Mail"], n)
    moved = 0.35 * (rows["womens"] == 1) * (rows["segment"] == "Womens E-Mail")
    rows["visit"] = (rng.random(n) < 0.1 + moved + 0.2 * (rows["recency"] < 4)).astype(int)
    rows["conversion"] = rows["visit"] * rng.integers(0, 2, n)
    rows["spend"] = (rows["conversion"] * rng.gamma(3, 40, n)).round(2)
    rows.to_csv(path, index=False)
    return path


def test_the_challenges_layout_is_measured_arm_by_arm(tmp_path: Path) -> None:
    console = Console(width=160, record=True)
    told = uplift_quality.main(console, challenge(tmp_path / "mail.csv"), treatment="segment", outcome="visit", report=tmp_path / "page.html")
    assert set(told["arms"]) == {"Womens E-Mail", "Mens E-Mail", "any of them"}
    women = told["arms"]["Womens E-Mail"]
    assert women["table"][women["chosen"]]["Qini low"] > 0 == women["table"]["everyone"]["Qini"]
    assert not {"visit", "conversion", "spend", "segment"} & set(women["importance"])
    assert next(iter(women["importance"])) == "womens"
    text = console.export_text()
    assert all(word in text for word in ("likely buyers", "random", "everyone", "Control: No E-Mail"))
    assert "Effect by decile" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"treatment": "nothing"}, "lacks the column nothing"),
        ({"treatment": "history"}, "values; a treatment has"),
        ({"treatment": "channel"}, "--control"),
        ({"treatment": "segment", "control": "Letter"}, "no value “Letter”"),
        ({"outcome": "zip_code"}, "neither 0/1"),
        ({"drop": ["recency", "history", "mens", "womens", "zip_code", "newbie", "channel"]}, "No column is left"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_words(tmp_path: Path, asked: dict[str, str], said: str) -> None:
    path = challenge(tmp_path / "mail.csv", 900)
    with pytest.raises(BadInput, match=said):
        uplift_quality.read(path, **{"treatment": "segment", "outcome": "visit", **asked})


def test_too_few_rows_and_an_outcome_that_never_varies_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.csv"
    pd.DataFrame({"sent": [0, 1] * 50, "bought": [0, 1] * 50, "age": range(100)}).to_csv(path, index=False)
    with pytest.raises(BadInput, match="every arm needs 200"):
        uplift_quality.read(path, treatment="sent", outcome="bought")
    pd.DataFrame({"sent": ["true", "false"] * 300, "bought": 1, "age": range(600)}).to_csv(path, index=False)
    with pytest.raises(BadInput, match="is 1 in every row"):
        uplift_quality.read(path, treatment="sent", outcome="bought")


def test_a_packed_file_is_to_be_unpacked_first(tmp_path: Path) -> None:
    path = tmp_path / "mail.csv.gz"
    path.write_bytes(b"not gzip at all")
    with pytest.raises(BadInput, match="packed"):
        uplift_quality.read(path, treatment="segment", outcome="visit")


def test_a_planted_campaign_is_half_sleep_and_some_harm() -> None:
    one = uplift_quality.planted(20_000, seed=0)
    assert (one.effect < 0).mean() > 0.1 and 0 < one.effect.mean() < 0.25 * one.unaddressed.mean()
    assert np.corrcoef(one.effect, one.unaddressed)[0, 1] < 0
