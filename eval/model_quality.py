"""How well do the models predict, beside what one would otherwise use?

On any file in the Online Retail layout with its own dates, or on the demo shop:
what will be bought next (with every usual method in the same run), who will
not come back, what will be spent, tiers, purchases within a month, demand. Nothing is
fitted or chosen on the days a model is measured on.
"""

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from analytics import behaviour, buying, churn, forecast, lifetime_value, recommender, segments, tiers
from analytics import report as pages
from analytics.history import History
from analytics.shelf import Card
from members import lake, program
from members.errors import BadInput
from members.importers import reading
from members.lake import day_number, day_of
from retrieval.embed import Embeds

# So many days after the default day lie in the file: a month for lists, a quarter for the rest, and a little air.
_AFTER_DAYS = 100
_ARTICLE = r"^\d{5}"


@dataclass
class Measured:
    """Everything measured: tables by name (row → measure → value), and how long each took."""

    tables: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


# --- data -------------------------------------------------------------------------------


def lake_of_file(path: Path, folder: Path) -> tuple[History, dict[str, str]]:
    """A lake made of a file in the Online Retail layout, and each article's description.

    Kept are lines with a customer, a positive quantity and price, and an article's code (five digits first); cancellations of
    such lines are returns. Raises BadInput when the file cannot be read as this layout.
    """
    columns = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
    frames = []
    for frame in reading.batches(path, columns):
        told = {name: reading.text_of(frame[name]) for name in ("InvoiceNo", "StockCode", "Description", "CustomerID", "Country")}
        frames.append(
            pd.DataFrame(
                {
                    **told,
                    "Quantity": reading.number_of(frame["Quantity"]),
                    "UnitPrice": reading.number_of(frame["UnitPrice"]),
                    "at": reading.instant_of(frame["InvoiceDate"]),
                }
            )
        )
    if not frames:
        raise BadInput(f"{path} has no rows.")
    every = pd.concat(frames, ignore_index=True)
    every["StockCode"] = every["StockCode"].str.upper()
    known = every[(every["CustomerID"] != "") & every["StockCode"].str.match(_ARTICLE) & (every["UnitPrice"] > 0) & every["at"].notna()].copy()
    if not len(known):
        raise BadInput(f"{path} has no line with a customer, an article and a price.")
    known["day"] = (known["at"].dt.normalize() - pd.Timestamp("1970-01-01")).dt.days
    known["cents"] = (known["Quantity"] * known["UnitPrice"] * 100).round().astype("int64")
    bought, back = known[known["Quantity"] > 0], known[(known["Quantity"] < 0) & known["InvoiceNo"].str.upper().str.startswith("C")]
    lines = pd.DataFrame(
        {
            "member_id": bought["CustomerID"],
            "order_id": bought["InvoiceNo"],
            "product_id": bought["StockCode"],
            "category": "",
            "channel": "",
            "day": bought["day"],
            "month": bought["at"].dt.month,
            "quantity": bought["Quantity"].astype("int64"),
            "cents": bought["cents"],
            "full_cents": bought["cents"],
            "coupon": False,
            "cancelled_day": pd.Series(pd.NA, index=bought.index, dtype="Int32"),
        }
    )
    returns = pd.DataFrame(
        {
            "member_id": back["CustomerID"],
            "product_id": back["StockCode"],
            "day": back["day"],
            "quantity": (-back["Quantity"]).astype("int64"),
            "cents": -back["cents"],
            "reason": "",
            "bought_day": pd.Series(pd.NA, index=back.index, dtype="Int32"),
        }
    )
    first = bought.groupby("CustomerID")["day"].min()
    members = pd.DataFrame(
        {
            "member_id": first.index,
            "language": "en",
            "city": "",
            "country": bought.groupby("CustomerID")["Country"].last().to_numpy(),
            "joined_day": first.to_numpy(),
        }
    )
    written = {"lines": lines, "returns": returns, "members": members, "tiers": _tiers_of(lines)}
    for name, schema in lake.TABLES.items():
        target = lake.path_of(folder, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pandas(written[name], schema=schema, preserve_index=False) if name in written else schema.empty_table()
        pq.write_table(table, target)
    described = bought[bought["Description"] != ""].groupby("StockCode")["Description"].agg(lambda texts: texts.value_counts().index[0])
    return History.of(folder), {str(code): str(text).capitalize() for code, text in described.items()}


def _tiers_of(lines: pd.DataFrame) -> pd.DataFrame:
    """The tier steps the packaged programme gives these purchases."""
    rules, rows = program.load(), []
    until = day_of(int(lines["day"].max()))
    daily = lines.groupby(["member_id", "day"])["cents"].sum().reset_index()
    for member_id, mine in daily.groupby("member_id"):
        spends = [(day_of(int(day)), int(cents)) for day, cents in zip(mine["day"], mine["cents"], strict=True)]
        rows += [(member_id, len(rows) + n, day_number(step.on), step.tier) for n, step in enumerate(program.tier_steps(spends, rules, until=until))]
    return pd.DataFrame(rows, columns=["member_id", "place", "day", "tier"])


# --- everything -------------------------------------------------------------------------


def measure(
    history: History,
    texts: dict[str, str],
    embed: Embeds | None,
    *,
    train_until: date | None = None,
    test_days: int = recommender.HORIZON_DAYS,
    churn_at: date | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Measured:
    """All tables. `train_until` is the last day lists are learned from, `churn_at` the first of the 90 days foretold."""
    if history.span is None:
        raise BadInput("There are no purchases by known members.")
    default = max(history.span[0] + timedelta(days=30), history.span[1] - timedelta(days=_AFTER_DAYS))
    lists_at = train_until or default
    as_of = (churn_at - timedelta(days=1)) if churn_at else default
    for name, day, days in (("--train-until", lists_at, test_days), ("--churn-at", as_of, churn.HORIZON_DAYS)):
        if not history.span[0] < day <= history.span[1] - timedelta(days=days):
            raise BadInput(f"{name} {day} leaves no {days} days to be measured on: the purchases run from {history.span[0]} to {history.span[1]}.")
    told, rules = Measured(), program.load()
    told.notes.append(f"Lists: learned until {lists_at}, measured on the {test_days} days after. The rest: as of {as_of}.")

    def run(name: str, make: Callable[[], dict[str, Any] | None]) -> None:
        progress(name)
        begun = time.perf_counter()
        found = make()
        if found is None:
            told.notes.append(f"{name}: too little history.")
            return
        told.tables[name] = found["measures"]
        told.details[name] = {key: value for key, value in found.items() if key != "measures"}
        told.seconds[name] = time.perf_counter() - begun

    run("recommender", lambda: lists(history, texts, embed, as_of=lists_at, days=test_days))
    run("churn", lambda: _held(churn.Churn.fit(history, as_of=as_of), lambda m: churn.measure(m, history, as_of=as_of)))
    run(
        "lifetime_value",
        lambda: _held(
            lifetime_value.LifetimeValue.fit(history, as_of=as_of), lambda m: {**lifetime_value.measure(m, history, as_of=as_of), "parameters": _parameters(m)}
        ),
    )
    run("tiers", lambda: _held(tiers.NextTier.fit(history, rules, as_of=as_of), lambda m: tiers.measure(m, history, as_of=as_of)))
    run("behaviour", lambda: _held(behaviour.Behaviour.fit(history, as_of=as_of), lambda m: behaviour.measure(m, history, as_of=as_of)))
    run("segments", lambda: _held(segments.Segments.fit(history, as_of=as_of), lambda m: segments.measure(m, history, as_of=as_of)))
    run("forecast", lambda: forecast.measure(history, as_of=as_of))
    return told


def _held(model: Any, judge: Callable[[Any], dict[str, Any]]) -> dict[str, Any] | None:
    return None if model is None else judge(model)


def _parameters(model: lifetime_value.LifetimeValue) -> dict[str, float]:
    return dict(buying.parameters(model.rhythm, model.money)) if model.rhythm else {}


# --- what next --------------------------------------------------------------------------


def lists(history: History, texts: dict[str, str], embed: Embeds | None, *, as_of: date, days: int) -> dict[str, Any]:
    """Every way of the same lists in one run: ours, EASE, item-KNN, ALS, BPR, personal frequency, popularity."""
    vectors = None
    if embed is not None and texts:
        ids = sorted(texts)
        vectors = dict(zip(ids, embed([texts[i] for i in ids]), strict=True))
    model = recommender.Recommender.fit(history, as_of=as_of, vectors=vectors)
    signals, now = model.signals, day_number(as_of)
    assert signals is not None
    truth, pasts = recommender.aftermath(signals, history, as_of=as_of, days=days)
    ranked: dict[str, dict[str, Any]] = {"model": {}}
    spent = []
    for member_id in truth:
        begun = time.perf_counter()
        ranked["model"][member_id] = model.score(pasts[member_id], now=now, member_id=member_id)[0]
        spent.append(1000 * (time.perf_counter() - begun))
    ranked |= recommender.simple(signals, pasts, truth, now)
    ranked |= _usual(history.purchases(as_of), signals.ids, list(truth))
    told = {name: recommender.judge(found, truth, pasts) for name, found in ranked.items()}
    told["model"]["ms p50"] = float(np.median(spent))
    return {"members": len(truth), "products": len(signals.ids), "measures": told}


def _usual(bought: pd.DataFrame, ids: list[str], members: list[str]) -> dict[str, dict[str, Any]]:
    """ALS, BPR and item-KNN as the library `implicit` makes them; nothing where it is not installed."""
    try:
        from implicit.als import AlternatingLeastSquares
        from implicit.bpr import BayesianPersonalizedRanking
        from implicit.nearest_neighbours import CosineRecommender
    except ImportError:
        return {}
    rows, names = pd.factorize(bought["member_id"])
    columns = pd.Categorical(bought["product_id"], ids).codes
    held = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(len(names), len(ids)))
    held.data[:] = 1.0
    place = {str(name): n for n, name in enumerate(names)}
    mine = np.array([place[m] for m in members])
    found: dict[str, dict[str, Any]] = {}
    ways = {
        "implicit ALS, 128 factors": (AlternatingLeastSquares(factors=128, alpha=10, regularization=0.01, iterations=15, random_state=7, num_threads=1), held),
        "implicit BPR, 64 factors": (BayesianPersonalizedRanking(factors=64, random_state=7, num_threads=1), held),
        "item-KNN cosine, 100": (CosineRecommender(K=100, num_threads=1), held),
    }
    from threadpoolctl import threadpool_limits

    for name, (way, matrix) in ways.items():
        # The library's own threads and BLAS's get in each other's way.
        with threadpool_limits(1, "blas"):
            way.fit(matrix, show_progress=False)
        told, _ = way.recommend(mine, matrix[mine], N=min(400, len(ids)), filter_already_liked_items=False)
        found[name] = {member: [int(n) for n in row if n >= 0] for member, row in zip(members, told, strict=True)}
    return found


# --- any transactions -------------------------------------------------------------------


def transactions(path: Path, *, until: date | None = None, days: int = lifetime_value.HORIZON_DAYS) -> dict[str, Any]:
    """BG/NBD and Gamma-Gamma on a CSV of `customer, date, amount`: the parameters, and the days after `until` where the file has them.

    Purchases of one day are one. Raises BadInput with the line at fault.
    """
    told: dict[tuple[str, date], float] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        wanted = {name.strip().lower(): name for name in rows.fieldnames or ()}
        if not {"customer", "date", "amount"} <= set(wanted):
            raise BadInput(f"{path}: the first line must name the columns customer, date and amount.")
        for row in rows:
            try:
                on = date.fromisoformat(_iso(row[wanted["date"]]))
                amount = float(row[wanted["amount"]])
            except (ValueError, TypeError) as error:
                raise BadInput(f"{path}, line {rows.line_num}: a date (2026-11-22) and an amount are needed.") from error
            who = (row[wanted["customer"]] or "").strip()
            if who and amount >= 0:
                told[who, on] = told.get((who, on), 0.0) + amount
    if not told:
        raise BadInput(f"{path} has no rows.")
    every = pd.DataFrame([(who, on, amount) for (who, on), amount in told.items()], columns=["customer", "on", "amount"])
    last = every["on"].max()
    cut = until or last
    seen = _summary(every[every["on"] <= cut], cut)
    rhythm = buying.BGNBD.fit(seen)
    try:
        money: buying.GammaGamma | None = buying.GammaGamma.fit(seen)
    except ValueError:
        money = None
    found: dict[str, Any] = {
        "customers": len(seen),
        "until": cut.isoformat(),
        "log likelihood": rhythm.log_likelihood,
        "parameters": dict(buying.parameters(rhythm, money)),
    }
    if last > cut:
        ahead = min(days, (last - cut).days)
        later = every[(every["on"] > cut) & (every["on"] <= cut + timedelta(days=ahead))].groupby("customer")
        orders, spent = (values.reindex(seen.index).fillna(0) for values in (later.size(), later["amount"].sum()))
        expected = rhythm.expected(seen, weeks=ahead / buying.WEEK)
        each = money.mean_cents(seen, otherwise=float(seen["money"].median())) / 100 if money else np.full(len(seen), every["amount"].mean())
        from analytics import measures

        found |= {"days": ahead, "orders": measures.amount(orders, expected), "spend": measures.amount(spent, expected * each)}
    return found


def _iso(text: str) -> str:
    text = (text or "").strip()[:10]
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if text.isdigit() and len(text) >= 8 else text.replace("/", "-")


def _summary(every: pd.DataFrame, cut: date) -> pd.DataFrame:
    by = every.sort_values("on").groupby("customer")
    first, last, days = by["on"].min(), by["on"].max(), by.size()
    repeats = days - 1
    money = (by["amount"].sum() - by["amount"].first()) * 100 / repeats.where(repeats > 0)
    weeks = lambda a, b: np.array([(x - y).days / buying.WEEK for x, y in zip(a, b, strict=True)])  # noqa: E731
    return pd.DataFrame({"x": repeats.astype(float), "t_x": weeks(last, first), "T": weeks([cut] * len(first), first), "money": money}, index=first.index)


# --- report -----------------------------------------------------------------------------


def write(path: Path, told: Measured, *, title: str) -> Path:
    """All tables as a page with plots."""
    cards = []
    for name, found in told.tables.items():
        flat = {f"{way}: {measure}": float(value) for way, values in found.items() for measure, value in values.items()}
        details = told.details.get(name, {})
        tables = {key: value.to_dict("records") for key, value in details.items() if isinstance(value, pd.DataFrame)}
        size = f"{details.get('members', 0):,} members"
        cards.append(Card(name, f"{told.seconds.get(name, 0):.0f} s", size, "", 0, measures=flat, groups=details.get("groups", {}), tables=tables))
    notes = "".join(f"<p>{note}</p>" for note in told.notes)
    return pages.write(path, cards, title=title, extra=notes)
