"""Members who never were: like the planted ones, and nobody's double."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analytics import privacy_budget, synthetic_members, synthetic_report, tabular_columns
from analytics.history import History
from analytics.privacy_budget import ORDERS, Budget
from analytics.synthetic_members import Synthesiser, learn
from eval import synthetic_quality
from members import extract
from members.errors import BadInput


def planted(size: int = 600, *, seed: int = 1) -> pd.DataFrame:
    """Two kinds of member: loyal ones spend more the more they order, the others never spend and have no gap."""
    rng = np.random.default_rng(seed)
    loyal = rng.random(size) < 0.5
    orders = np.where(loyal, 3 + rng.poisson(6, size), 1)
    spend = np.where(loyal, (orders * 2_000 * rng.lognormal(0, 0.2, size)).round(), 0)
    return pd.DataFrame(
        {
            "orders": orders.astype("int64"),
            "spend": spend.astype("int64"),
            "gap": np.where(loyal, rng.gamma(4, 10, size).round(1), np.nan),
            "tier": np.where(loyal, np.where(rng.random(size) < 0.7, "gold", "silver"), "none"),
            "joined": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 700, size), unit="D"),
            "consent": rng.random(size) < 0.3,
            "club": "only one",
            "came": (loyal & (rng.random(size) < 0.9)).astype("int64"),
        }
    )


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    return planted()


@pytest.fixture(scope="module", params=["gan", "copula"])
def learned(request: pytest.FixtureRequest, real: pd.DataFrame) -> Synthesiser:
    return learn(real, method=request.param, epochs=160, seed=3)


@pytest.fixture(scope="module")
def made(learned: Synthesiser) -> pd.DataFrame:
    return learned.sample(800, seed=5)


def test_columns_and_dtypes_are_those_learned(real: pd.DataFrame, made: pd.DataFrame) -> None:
    assert made.dtypes.to_dict() == real.dtypes.to_dict()
    assert list(made.columns) == list(real.columns) and len(made) == 800


def test_the_two_kinds_of_member_are_found_again(real: pd.DataFrame, made: pd.DataFrame) -> None:
    assert made["orders"].corr(made["spend"], method="spearman") > 0.5
    assert abs((made["spend"] == 0).mean() - (real["spend"] == 0).mean()) < 0.12
    assert synthetic_report.total_variation(real["tier"].to_numpy(), made["tier"].to_numpy()) < 0.15
    assert made.loc[made["tier"] == "none", "spend"].median() == 0
    assert made.loc[made["tier"] == "gold", "spend"].median() > 5_000


def test_values_stay_within_bounds_whole_days_and_possible_gaps(real: pd.DataFrame, made: pd.DataFrame) -> None:
    assert made["spend"].between(0, real["spend"].max()).all() and made["orders"].between(1, real["orders"].max()).all()
    assert (made["joined"] == made["joined"].dt.normalize()).all() and made["joined"].between(real["joined"].min(), real["joined"].max()).all()
    assert 0.3 < made["gap"].isna().mean() < 0.7
    assert np.allclose(made["gap"].dropna(), made["gap"].dropna().round(1))
    assert set(made["club"]) == {"only one"}


def test_no_real_row_is_copied(real: pd.DataFrame, made: pd.DataFrame) -> None:
    loyal = made[made["spend"] > 0]
    assert not loyal.merge(real, how="inner").shape[0]


def test_the_same_seed_draws_the_same_members_and_another_seed_others(learned: Synthesiser, made: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(learned.sample(800, seed=5), made)
    assert not learned.sample(800, seed=6).equals(made)
    assert learned.sample(0, seed=1).shape == (0, made.shape[1])


def test_what_was_saved_draws_the_same_and_holds_no_row(learned: Synthesiser, made: pd.DataFrame, tmp_path: Path) -> None:
    again = Synthesiser.load(learned.save(tmp_path / "members.joblib"))
    pd.testing.assert_frame_equal(again.sample(800, seed=5), made)
    assert again.spent_epsilon is None and again.learned_from == 600


def test_learning_twice_from_one_seed_gives_the_same(real: pd.DataFrame) -> None:
    drawn = [learn(real.head(120), epochs=3, seed=9).sample(50, seed=1) for _ in range(2)]
    pd.testing.assert_frame_equal(*drawn)


def test_rare_names_and_outermost_numbers_are_nobodys(real: pd.DataFrame) -> None:
    told = real.assign(tier=real["tier"].where(real.index > 2, "the only duchess"))
    told.loc[0, "spend"] = 10**9
    made = learn(told, method="copula").sample(3_000, seed=1)
    assert "the only duchess" not in set(made["tier"]) and "other" in set(made["tier"])
    assert made["spend"].max() < 10**9


def test_the_copula_keeps_marginals(real: pd.DataFrame) -> None:
    made = learn(real, method="copula").sample(3_000, seed=2)
    for name in ("orders", "spend", "gap"):
        assert synthetic_report.kolmogorov_smirnov(real[name].to_numpy(float), made[name].to_numpy(float)) < 0.06


# --- budget -----------------------------------------------------------------------------


def test_the_accountant_agrees_with_published_values() -> None:
    # Abadi et al. 2016, section 3: q = .01, sigma = 4, 10,000 steps, delta = 1e-5 come to 1.26 by moments.
    divergence = privacy_budget.sampled_gaussian(0.01, 4.0, 10_000)
    assert float((divergence + np.log(1e5) / (ORDERS - 1)).min()) == pytest.approx(1.26, abs=0.01)
    # The tighter conversion that is used here never says more.
    assert privacy_budget.epsilon_of(divergence, 1e-5) < 1.26
    # Drawing every row is the plain Gaussian mechanism: order / (2 sigma²) a step.
    assert privacy_budget.sampled_gaussian(1.0, 2.0, 3) == pytest.approx(3 * ORDERS / 8)


def test_epsilon_grows_with_steps_and_noise_keeps_it_within_the_budget() -> None:
    spent = [privacy_budget.epsilon_of(privacy_budget.sampled_gaussian(0.05, 1.0, steps), 1e-5) for steps in (1, 10, 100, 1_000)]
    assert spent == sorted(spent) and spent[0] < spent[-1]
    budget = Budget(2.0)
    noise = budget.least_noise(lambda level: privacy_budget.sampled_gaussian(0.05, level, 100))
    assert 1.95 < budget.spent(privacy_budget.sampled_gaussian(0.05, noise, 100)) <= 2.0


@pytest.mark.parametrize("method", ["gan", "copula"])
def test_a_budget_is_kept_and_rare_names_stay_untold(real: pd.DataFrame, method: synthetic_members.Method) -> None:
    told = real.assign(tier=real["tier"].where(real.index > 5, "six dukes"))
    model = learn(told, method=method, epochs=2, seed=4, epsilon=6.0)
    assert model.spent_epsilon is not None and 5.0 < model.spent_epsilon <= 6.0
    made = model.sample(300, seed=1)
    assert made.dtypes.to_dict() == told.dtypes.to_dict() and "six dukes" not in set(made["tier"])
    assert set(made["came"]) <= {0, 1}


def test_columns_told_by_noisy_counts_are_near_the_real_ones(real: pd.DataFrame) -> None:
    told = privacy_budget.marginals(real[["orders", "spend", "gap", "tier"]], noise=0.5, delta=1e-5, rng=np.random.default_rng(1))
    assert synthetic_report.kolmogorov_smirnov(real["orders"].to_numpy(float), told["orders"].to_numpy(float)) < 0.15
    assert abs(told["gap"].isna().mean() - real["gap"].isna().mean()) < 0.08
    assert abs((told["spend"] == 0).mean() - (real["spend"] == 0).mean()) < 0.08


# --- report -----------------------------------------------------------------------------


def test_an_independent_sample_gives_nobody_away_and_copies_give_all() -> None:
    train, test, other = (planted(300, seed=seed) for seed in (1, 2, 3))
    honest = synthetic_report.report(train, test, other, target="came", seed=1)
    assert 0.42 < honest.privacy["membership AUC"] < 0.58 and 0.4 < honest.privacy["share closer to learned"] < 0.6
    assert 0.95 < honest.utility["AUC ratio"] < 1.05 and honest.columns["distance"].mean() < 0.1
    copied = synthetic_report.report(train, test, train.sample(300, random_state=1), target="came", seed=1)
    assert copied.privacy["membership AUC"] > 0.9 and copied.privacy["share closer to learned"] > 0.9
    assert copied.privacy["exact copies"] == 300 and copied.privacy["nearest learned row, median"] == 0


def test_shuffled_columns_are_alike_alone_and_unlike_together(real: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    torn = pd.DataFrame({name: real[name].to_numpy()[rng.permutation(len(real))] for name in real})
    found = synthetic_report.report(real, planted(seed=2), torn, target="came", seed=1)
    assert found.columns["distance"].max() < 0.01 and found.pairs["difference"].mean() > 5 * found.pairs["holdout difference"].mean()
    assert found.utility["AUC from synthetic"] < found.utility["AUC from real"] - 0.1


def test_associations_by_hand() -> None:
    codes = np.array([0, 0, 1, 1] * 50)
    assert synthetic_report.cramers_v(codes, 1 - codes) == pytest.approx(1.0, abs=0.01)
    assert synthetic_report.correlation_ratio(codes, codes * 3.0) == pytest.approx(1.0)
    assert synthetic_report.kolmogorov_smirnov(np.array([0.0, 1.0]), np.array([0.0, np.nan])) == 0.5


# --- edges ------------------------------------------------------------------------------


def test_too_little_is_refused_with_a_sentence(real: pd.DataFrame) -> None:
    with pytest.raises(BadInput, match="too few"):
        learn(real.head(20))
    with pytest.raises(BadInput, match="columns"):
        learn(pd.DataFrame(index=range(100)))
    with pytest.raises(BadInput, match="epsilon"):
        learn(real, epsilon=0.0)
    with pytest.raises(BadInput, match="same columns"):
        synthetic_report.report(real, real.drop(columns="gap"), real, target="came", seed=1)


@pytest.mark.parametrize("method", ["gan", "copula"])
def test_one_column_a_constant_table_and_an_empty_column_are_learned(method: synthetic_members.Method) -> None:
    one = learn(pd.DataFrame({"spend": np.arange(100.0)}), method=method, epochs=2).sample(20, seed=1)
    assert one["spend"].between(0, 99).all()
    same = pd.DataFrame({"a": [1] * 80, "b": ["x"] * 80, "nothing": [np.nan] * 80})
    drawn = learn(same, method=method, epochs=2).sample(5, seed=1)
    pd.testing.assert_frame_equal(drawn, same.head(5), check_dtype=True)


def test_a_column_comes_back_as_it_was(real: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    for column in tabular_columns.fit(real, seed=1):
        back = column.decoded(*column.encoded(real[column.name], rng))
        if column.name in ("tier", "consent", "club", "came"):
            assert (back == real[column.name]).all()
        elif column.name == "gap":
            assert (back.isna() == real["gap"].isna()).all() and (back - real["gap"]).abs().median() < 0.2


# --- members ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def members(shop, tmp_path_factory) -> pd.DataFrame:  # type: ignore[no-untyped-def]
    with shop.database.read() as session:
        extract.write(session, shop.lake)
    return synthetic_members.member_rows(History.of(shop.lake))


def test_member_rows_name_nobody_and_their_arithmetic_holds(members: pd.DataFrame) -> None:
    assert "member_id" not in members and list(members.index) == list(range(len(members)))
    assert 0 < members[synthetic_members.TARGET].mean() < 1
    pd.testing.assert_frame_equal(synthetic_members.mended(members), members)


def test_invented_members_are_mended_and_numbered(members: pd.DataFrame) -> None:
    drawn = learn(members, method="copula").sample(200, seed=1)
    made = synthetic_members.mended(drawn)
    assert (made["orders_90"] <= made["orders_365"]).all() and (made["spend_90"] <= made["spend_365"]).all() and (made["spend_365"] <= made["spend"]).all()
    assert ((made["orders_90"] > 0) == (made["recency_days"] < 90)).all() and made.loc[made["orders"] == 1, "gap_last"].isna().all()
    told = synthetic_members.with_invented_ids(made)
    assert list(told["member_id"][:2]) == ["S-000001", "S-000002"] and told["member_id"].is_unique
    assert set(told.columns) == {"member_id", *members.columns}


def test_the_whole_measurement_is_printed_and_written(members: pd.DataFrame, tmp_path: Path) -> None:
    from rich.console import Console

    told = synthetic_quality.of_rows(members, epochs=1)
    console = Console(record=True, width=200)
    synthetic_quality.show(told, console)
    text = console.export_text()
    assert "GAN" in text and "copula" in text and "membership AUC" in text
    page = synthetic_quality.write(tmp_path / "members.html", told).read_text(encoding="utf-8")
    assert "S-000001" in page and "Members who never were" in page
    assert set(synthetic_quality.figures(told)) == {"GAN", "copula"}
