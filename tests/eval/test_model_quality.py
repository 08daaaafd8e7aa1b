"""Can the models be measured on anybody's file, with its own dates, and how does counting grow?"""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from analytics import buying, churn
from analytics.history import History
from eval import model_quality, scale
from eval.__main__ import app
from members.errors import BadInput

RUN = CliRunner()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hundred customers for a year in the Online Retail layout, with what the layout brings: fees, guests, cancellations."""
    rng, rows, number = np.random.default_rng(5), [], 1000
    for who in range(300):
        on, gap = date(2030, 1, 1) + timedelta(days=int(rng.integers(0, 60))), float(rng.gamma(2, 15) + 5)
        while on < date(2030, 12, 31):
            number += 1
            for code in rng.choice(60, 3, replace=False):
                rows.append(
                    (str(number), f"{20000 + code}", f"THING {code}", int(rng.integers(1, 5)), f"{on} 10:00", 2.5 + code / 10, 10_000 + who, "United Kingdom")
                )
            on += timedelta(days=max(1, int(rng.exponential(gap))))
    rows += [
        ("C9999", "20001", "THING 1", -1, "2030-06-01 10:00", 2.6, 10_001, "United Kingdom"),
        ("9998", "POST", "POSTAGE", 1, "2030-06-01 10:00", 18.0, 10_001, "France"),
    ]
    rows += [("9997", "20002", "THING 2", 1, "2030-06-01 10:00", 2.7, None, "France"), ("9996", "20003", "", 1, "2030-06-01 10:00", 0.0, 10_002, "France")]
    path = tmp_path_factory.mktemp("file") / "shop.csv"
    pd.DataFrame(rows, columns=["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]).to_csv(
        path, index=False
    )
    return path


def test_only_clean_lines_count_and_cancellations_are_returns(file: Path, tmp_path: Path) -> None:
    history, texts = model_quality.lake_of_file(file, tmp_path)
    lines = history.backend.table("lines").execute()
    assert set(lines["product_id"].str.len()) == {5} and "" not in set(lines["member_id"]) and (lines["cents"] > 0).all()
    assert len(history.backend.table("returns").execute()) == 1
    assert texts["20001"] == "Thing 1" and "20003" in texts


def test_a_year_of_its_own_is_measured_by_its_own_dates(file: Path, tmp_path: Path) -> None:
    told = RUN.invoke(
        app,
        [
            "models",
            "--data",
            str(file),
            "--train-until",
            "2030-09-20",
            "--churn-at",
            "2030-09-21",
            "--report",
            str(tmp_path / "r.html"),
            "--json",
            str(tmp_path / "r.json"),
        ],
    )
    assert told.exit_code == 0, told.output
    for name in ("recommender", "churn", "lifetime_value", "tiers", "forecast", "RFM logistic", "personal frequency", "run rate", "everybody stays", "naive"):
        assert name in told.output
    assert "learned until 2030-09-20" in told.output
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "churn" in page and "<script src" not in page and "<link" not in page


@pytest.mark.parametrize("asked", [["--train-until", "2031-05-01"], ["--churn-at", "2030-12-01"], ["--train-until", "soon"]])
def test_days_the_file_cannot_answer_for_are_refused(file: Path, asked: list[str]) -> None:
    told = RUN.invoke(app, ["models", "--data", str(file), *asked])
    assert told.exit_code == 2 and ("leaves no" in told.output or "is no day" in told.output)


def test_another_file_is_refused_with_words(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    assert RUN.invoke(app, ["models", "--data", str(path)]).exit_code == 2


# --- transactions -----------------------------------------------------------------------


def test_any_transactions_give_the_parameters(tmp_path: Path) -> None:
    rng, rows = np.random.default_rng(11), ["customer,date,amount"]
    start = date(1997, 1, 1)
    for who in range(1_500):
        on, rate, leaving = float(rng.uniform(0, 84)), rng.gamma(0.6, 1 / 40.0), rng.beta(1.0, 2.5)
        scale_of = rng.gamma(4.0, 1 / 15.0)
        while on <= 273:
            rows.append(f"{who},{start + timedelta(days=int(on))},{rng.gamma(6.0, 1 / scale_of):.2f}")
            if rng.random() < leaving and len(rows) > 1:
                break
            on += rng.exponential(1 / rate)
    path = tmp_path / "t.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    told = model_quality.transactions(path, until=date(1997, 7, 30), days=60)
    assert set(told["parameters"]) == {"r", "alpha", "a", "b", "p", "q", "gamma"}
    assert told["days"] == 60 and told["orders"]["mean told"] == pytest.approx(told["orders"]["mean true"], rel=0.35)
    shown = RUN.invoke(app, ["models", "--transactions", str(path), "--train-until", "1997-07-30"])
    assert shown.exit_code == 0 and "alpha" in shown.output and "weeks" in shown.output


@pytest.mark.parametrize(
    "text", ["who,when\n1,2\n", "customer,date,amount\n", "customer,date,amount\na,yesterday,3\n", "customer,date,amount\na,2026-01-01,much\n"]
)
def test_transactions_that_do_not_fit_name_the_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=r"columns|rows|line 2"):
        model_quality.transactions(path)


# --- scale ------------------------------------------------------------------------------


def test_a_lake_grown_ten_times_has_ten_times_the_rows(tmp_path: Path) -> None:
    told = scale.measure(tmp_path, (1, 10), lines=4_000)
    small, large = told["rows"]
    assert large["lines"] == 10 * small["lines"] and large["features rows"] == 10 * small["features rows"] == 10 * small["bare rows"]
    assert set(told["exponent"]) == {"features", "bare"}


# --- the real data ----------------------------------------------------------------------


@pytest.mark.real_data
def test_on_the_real_orders_churn_and_rhythm_stand_where_they_were_measured(real_data: Path, tmp_path: Path) -> None:
    history, _ = model_quality.lake_of_file(real_data / "online_retail" / "online_retail_2011.parquet", tmp_path)
    as_of = date(2011, 8, 31)
    model = churn.Churn.fit(history, as_of=as_of)
    assert model is not None
    told = churn.measure(model, history, as_of=as_of)
    assert told["members"] == 3_314 and told["measures"]["model"]["AUC"] > told["measures"]["RFM logistic"]["AUC"]
    assert told["measures"]["model"]["AUC"] > 0.745
    rhythm, money = buying.habits(History.of(tmp_path), as_of)
    assert rhythm is not None and money is not None and money.q > 1
