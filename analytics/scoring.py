"""What do the models say of this one member, now?

The same rows and models as training uses, for one member and today: after an
event, or when the stored score is of another day.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from sqlmodel import Session, col, func, or_, select

from analytics import features, training
from analytics.recommender import Suggestion, Which
from analytics.taste import Taste, of_events, packed, unpacked
from analytics.training import Fitted
from members import extract, lake
from members.tables import MemberScore, MemberTaste, Order, OrderLine, Review, ShopEvent

Purchase = tuple[str, date]
Look = tuple[str, date, bool]
# Looking at something says what is wanted for so long.
_LOOKS_DAYS = 60


def row(session: Session, lake_folder: Path, member_id: str, *, today: date) -> pd.DataFrame:
    """A member's feature row as of today, by the statement that counts everybody's."""
    tables = extract.of_member(session, member_id)
    tables["events"] = extract.of_member_events(session, lake_folder, member_id, until=_end(today))
    return features.of_one(tables, as_of=today)


def of_member(session: Session, fitted: Fitted, lake_folder: Path, member_id: str, *, today: date) -> MemberScore | None:
    """The stored scores when they are of today, else fresh ones; None for a member who never ordered."""
    kept = session.get(MemberScore, member_id)
    if kept is not None and kept.as_of == today:
        return kept
    made = fresh(session, fitted, lake_folder, member_id, today=today)
    if made is not None and kept is not None:
        made.flags = kept.flags
    return made


def fresh(session: Session, fitted: Fitted, lake_folder: Path, member_id: str, *, today: date) -> MemberScore | None:
    """Scores from what is known now; None for a member who never ordered. Flags are training's to find."""
    mine = row(session, lake_folder, member_id, today=today)
    if not (mine["orders"] > 0).any():
        return None
    scored = fitted.scores(mine, as_of=today)
    return MemberScore(**training.stored(scored, today, fitted.version)[0])


def refresh(session: Session, fitted: Fitted, lake_folder: Path, member_id: str, *, today: date) -> MemberScore | None:
    """Score a member anew and keep it; what stood there of flags stays."""
    made = fresh(session, fitted, lake_folder, member_id, today=today)
    if made is None:
        return None
    kept = session.get(MemberScore, member_id)
    made.flags = kept.flags if kept else []
    return session.merge(made)


# --- what to buy ------------------------------------------------------------------------


def past(session: Session, lake_folder: Path, member_id: str, *, today: date) -> tuple[list[Purchase], list[Look]]:
    """What a member bought (product, day) and lately looked at (product, day, put in the cart)."""
    lines = extract.of_member(session, member_id)["lines"].to_pylist()
    bought = [(line["product_id"], lake.day_of(line["day"])) for line in lines if line["cancelled_day"] is None and line["quantity"] > 0]
    seen = extract.of_member_events(session, lake_folder, member_id, until=_end(today)).to_pylist()
    since = lake.day_number(today - timedelta(days=_LOOKS_DAYS))
    looks = [
        (event["product_id"], lake.day_of(event["day"]), event["kind"] == "cart")
        for event in seen
        if event["kind"] in ("view", "cart") and event["day"] > since
    ]
    return bought, looks


def suggest(
    session: Session, fitted: Fitted | None, lake_folder: Path, member_id: str, *, today: date, limit: int = 60, which: Which = "all"
) -> list[Suggestion]:
    """The best next products of a member as things stand now."""
    if fitted is None:
        return []
    bought, looks = past(session, lake_folder, member_id, today=today)
    bad = unsuitable(session, member_id)
    found = fitted.recommender.suggest(bought, as_of=today, limit=limit + len(bad), which=which, looked=looks, member_id=member_id)
    return [one for one in found if one.product_id not in bad][:limit]


def unsuitable(session: Session, member_id: str) -> set[str]:
    """Products a member gave back to the last piece, or rated with two stars or fewer: these are not suggested to them again."""
    kept = func.sum(OrderLine.quantity - OrderLine.returned)
    lines = select(OrderLine.product_id).join(Order, col(Order.id) == OrderLine.order_id)
    mine = lines.where(Order.member_id == member_id, Order.status != "cancelled", OrderLine.kind == "product", OrderLine.quantity > 0)
    given_back = session.exec(mine.group_by(OrderLine.product_id).having(kept <= 0))
    disliked = session.exec(select(Review.product_id).where(Review.member_id == member_id, Review.rating <= 2))
    return {*given_back, *disliked}


# --- taste ------------------------------------------------------------------------------


def taste_of(session: Session, member_id: str, *, vectors: str) -> Taste | None:
    """A member's kept taste in the space of these vectors; None when there is none."""
    kept = session.get(MemberTaste, member_id)
    return unpacked(kept.vector, kept.weight, kept.at) if kept is not None and kept.vectors == vectors else None


def keep_taste(session: Session, member_id: str, taste: Taste, *, vectors: str) -> None:
    """Keep a taste in the space of these vectors."""
    session.merge(MemberTaste(member_id=member_id, vectors=vectors, vector=packed(taste), weight=taste.weight, at=taste.at))


def tastes_from_all(
    session: Session, lake_folder: Path, member_ids: Sequence[str], products: Mapping[str, Any], words: Callable[[str], Any] | None, *, today: date
) -> Iterator[tuple[str, Taste]]:
    """The tastes of some members from everything they did up to today: orders, looks and reviews.

    `products` maps a product to its vector; `words` makes a text's vector, or None where it cannot be read.
    """
    happened: dict[str, list[tuple[str, Any, datetime]]] = defaultdict(list)
    for who, kind, product, at in _happened(session, lake_folder, member_ids, today=today):
        if product in products:
            happened[who].append((kind, products[product], at))
    for review in session.exec(select(Review).where(col(Review.member_id).in_(member_ids))):
        if review.written_on and review.written_on <= today:
            vector = words(review.text) if review.text and words else None
            vector = products.get(review.product_id) if vector is None else vector
            if vector is not None:
                happened[review.member_id].append(("review", vector, _noon(review.written_on)))
    for who, events in happened.items():
        taste = of_events(events)
        if taste is not None:
            yield who, taste


def _happened(session: Session, lake_folder: Path, member_ids: Sequence[str], *, today: date) -> Iterator[tuple[str, str, str, datetime]]:
    """Orders and looks of some members: (member, kind, product, instant)."""
    stood = (col(Order.member_id).in_(member_ids), Order.status != "cancelled", OrderLine.kind == "product", col(Order.ordered_at) <= _end(today))
    bought: Any = select(Order.member_id, OrderLine.product_id, Order.ordered_at).join(OrderLine, col(OrderLine.order_id) == Order.id).where(*stood)
    for who, product, at in session.exec(bought):
        yield who, "order", product, at
    for who, kind, product, at in lake.events_of(lake_folder, member_ids, until=_end(today)):
        if kind in ("view", "cart"):
            yield who, kind, product, at
    known = select(Order.id)
    told = select(ShopEvent).where(col(ShopEvent.member_id).in_(member_ids), col(ShopEvent.kind) != "review", col(ShopEvent.at) <= _end(today))
    for event in session.exec(told.where(or_(col(ShopEvent.order_id).is_(None), col(ShopEvent.order_id).not_in(known)))):
        yield event.member_id, event.kind, event.product_id, event.at


# --- a member's page --------------------------------------------------------------------


def timeline(session: Session, lake_folder: Path, member_id: str, *, today: date, days: int = 365) -> list[tuple[str, str, int]]:
    """What a member did in the last days, as (day, kind, minor units or times): orders, returns, views and carts by day."""
    tables = extract.of_member(session, member_id)
    since, now = lake.day_number(today) - days, lake.day_number(today)
    found: Counter[tuple[int, str]] = Counter()
    for line in tables["lines"].to_pylist():
        if since < line["day"] <= now and line["cancelled_day"] is None:
            found[line["day"], "order"] += line["cents"]
    for line in tables["returns"].to_pylist():
        if since < line["day"] <= now:
            found[line["day"], "return"] += line["cents"]
    for event in extract.of_member_events(session, lake_folder, member_id, until=_end(today)).to_pylist():
        if since < event["day"] <= now and event["kind"] in ("view", "cart"):
            found[event["day"], event["kind"]] += 1
    return [(lake.day_of(day).isoformat(), kind, amount) for (day, kind), amount in sorted(found.items())]


def _noon(on: date) -> datetime:
    return datetime.combine(on, time(12))


def _end(today: date) -> datetime:
    return datetime.combine(today, time.max)
