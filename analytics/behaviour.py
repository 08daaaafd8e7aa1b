"""Will this member order within a month?

Two readers of the same past compete: a small recurrent network (GRU, Cho et al.
2014) over the sequence of visits, carts, orders and returns, and trees over the
feature row. The network is kept only if it is better on members and a day held back;
the card says which and by how much.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from numpy.typing import NDArray

from analytics import measures
from analytics.churn import with_rhythm
from analytics.history import History
from analytics.trees import Trees
from members.lake import day_number

NAME = "behaviour"
HORIZON_DAYS = 30
_LONGEST, _WIDTH = 40, 24
_KINDS = ("order", "view", "cart", "review", "return")
_MOST, _EPOCHS, _BATCH = 20_000, 5, 128
_FEWEST = 60
Floats = NDArray[np.float32]


@dataclass
class Behaviour:
    """The trees, and the network's weights where it serves; with both AUCs on what was held back."""

    trees: Trees
    network: dict[str, Any] | None
    choice: dict[str, float]

    @classmethod
    def fit(cls, history: History, *, as_of: date) -> "Behaviour | None":
        """Learn from days whose 30 days had passed by `as_of`; None when there is too little."""
        cuts = [cut for cut in history.cuts(as_of, days=HORIZON_DAYS, most=6, step=30) if len(history.buyers(cut, most=_MOST)) >= _FEWEST]
        if len(cuts) < 2:
            return None
        table = [_learning(history, cut) for cut in cuts]
        if not 0 < float(np.concatenate([t[2] for t in table]).mean()) < 1:
            return None
        # The newest day is held back to choose on, and what is learned for that ends before it.
        rows, steps, came = table[0]
        trees, network = _trees(table[1:]), _network(table[1:])
        choice = {"trees AUC": measures.auc(came, trees.predict(rows)), "network AUC": measures.auc(came, _told(network, steps))}
        keep = choice["network AUC"] > choice["trees AUC"]
        return cls(_trees(table), _network(table) if keep else None, choice)

    @property
    def serves(self) -> str:
        """Which of the two answers."""
        return "network" if self.network is not None else "trees"

    def score(self, rows: pd.DataFrame, history: History | None = None, *, as_of: date | None = None) -> pd.Series:
        """Chance of an order within 30 days, a buyer's row each; the network reads the history as well."""
        if self.network is None or history is None or as_of is None:
            return pd.Series(self.trees.predict(with_rhythm(rows, None)), index=rows.index, name=NAME)
        return pd.Series(_told(self.network, _sequences(history, as_of, rows.index)), index=rows.index, name=NAME)

    def explain(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What each column adds to the trees' log-odds."""
        return self.trees.shares(with_rhythm(rows, None))

    def importance(self) -> dict[str, float]:
        """Share of what the trees learned that each column brought."""
        return self.trees.importance()


def measure(model: Behaviour, history: History, *, as_of: date) -> dict[str, Any]:
    """Chances of a day held against the next 30: what serves, the trees, and recency alone."""
    rows = history.buyers(as_of, most=None)
    came = rows.index.isin(history.after(as_of, HORIZON_DAYS).index).astype(int)
    told = {f"model ({model.serves})": measures.binary(came, model.score(rows, history, as_of=as_of))}
    told["trees"] = measures.binary(came, model.trees.predict(with_rhythm(rows, None)))
    told["most recent first"] = {"AUC": measures.auc(came, -rows["recency_days"])}
    return {"members": len(rows), "measures": told, "chosen on": model.choice}


# --- learning ---------------------------------------------------------------------------


def _learning(history: History, cut: date) -> tuple[pd.DataFrame, Floats, Any]:
    rows = history.buyers(cut, most=_MOST)
    came = rows.index.isin(history.after(cut, HORIZON_DAYS).index).astype(np.float32)
    return with_rhythm(rows, None), _sequences(history, cut, rows.index), came


def _trees(table: list[tuple[pd.DataFrame, Floats, Any]]) -> Trees:
    return Trees.fit(pd.concat([t[0] for t in table]), np.concatenate([t[2] for t in table]), objective="binary")


def _sequences(history: History, as_of: date, members: Any) -> Floats:
    """The last steps of each member as numbers (members, _LONGEST, kinds + 3), oldest first, zeros before: kind, log days to the next step, log days ago, log spend."""
    now = day_number(as_of)
    tables = {name: history.backend.table(name) for name in ("lines", "events", "returns")}
    orders = tables["lines"].filter(_.member_id != "", _.day <= now, _.quantity > 0, _.cancelled_day.isnull() | (_.cancelled_day > now))
    steps = [orders.group_by("member_id", "day").agg(cents=_.cents.sum().cast("float64")).mutate(kind=ibis.literal("order"))]
    steps.append(
        tables["events"]
        .filter(_.day <= now, _.kind.isin(["view", "cart", "review"]))
        .group_by("member_id", "day", "kind")
        .agg(cents=_.count().cast("float64") * 0.0)
    )
    steps.append(
        tables["returns"]
        .filter(_.member_id != "", _.day <= now)
        .group_by("member_id", "day")
        .agg(cents=_.cents.sum().cast("float64"))
        .mutate(kind=ibis.literal("return"))
    )
    shape = ["member_id", "day", "kind", "cents"]
    every = ibis.union(*(step.select(*shape) for step in steps))
    newest = every.mutate(back=ibis.row_number().over(group_by="member_id", order_by=[ibis.desc("day"), "kind"])).filter(_.back < _LONGEST)
    found = history.backend.execute(newest)
    place = pd.Series(np.arange(len(members)), index=members)
    found = found[found["member_id"].isin(place.index)]
    made = np.zeros((len(members), _LONGEST, len(_KINDS) + 3), np.float32)
    who, spot = place[found["member_id"]].to_numpy(), _LONGEST - 1 - found["back"].to_numpy()
    made[who, spot, found["kind"].map({kind: n for n, kind in enumerate(_KINDS)}).to_numpy()] = 1.0
    ago = (now - found["day"]).to_numpy(np.float32)
    made[who, spot, len(_KINDS)] = np.log1p(ago) / 6
    made[who, spot, len(_KINDS) + 1] = np.log1p(found["cents"].to_numpy(np.float32) / 100) / 6
    days = np.where(made[:, :, : len(_KINDS)].any(axis=2), np.expm1(made[:, :, len(_KINDS)] * 6), np.nan)
    after = np.concatenate([days[:, 1:], np.zeros((len(members), 1), np.float32)], axis=1)
    made[:, :, len(_KINDS) + 2] = np.nan_to_num(np.log1p(np.maximum(days - after, 0))) / 6
    return made


def _network(table: list[tuple[pd.DataFrame, Floats, Any]]) -> dict[str, Any]:
    """Fit the network; its weights as arrays, so that the shelf needs no torch to open it."""
    import torch

    torch.manual_seed(7)
    steps, came = torch.from_numpy(np.concatenate([t[1] for t in table])), torch.from_numpy(np.concatenate([t[2] for t in table]).astype(np.float32))
    body, head = torch.nn.GRU(steps.shape[2], _WIDTH, batch_first=True), torch.nn.Linear(_WIDTH, 1)
    ways = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=3e-3)
    loss = torch.nn.BCEWithLogitsLoss()
    for _round in range(_EPOCHS):
        for batch in torch.randperm(len(steps)).split(_BATCH):
            ways.zero_grad()
            _all, last = body(steps[batch])
            loss(head(last[0])[:, 0], came[batch]).backward()
            ways.step()
    return {f"{part}.{name}": value.numpy() for part, module in (("body", body), ("head", head)) for name, value in module.state_dict().items()}


def _told(network: dict[str, Any], steps: Floats) -> Any:
    import torch

    body, head = torch.nn.GRU(steps.shape[2], _WIDTH, batch_first=True), torch.nn.Linear(_WIDTH, 1)
    for part, module in (("body", body), ("head", head)):
        module.load_state_dict({name.removeprefix(f"{part}."): torch.from_numpy(value) for name, value in network.items() if name.startswith(part)})
    with torch.no_grad():
        return torch.cat([torch.sigmoid(head(body(batch)[1][0])[:, 0]) for batch in torch.from_numpy(steps).split(2048)]).numpy() if len(steps) else np.empty(0)
