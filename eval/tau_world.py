"""What does the tau retail world look like now?

Writes a record that was imported from `db.json` back in the layout of that file,
so that the state after a task can be held against another environment's.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session, SQLModel

from members.database import Database
from members.tables import Address, Contact, Member, Order, OrderLine, Payment, PaymentMethod, Product, ReturnRequest, Variant

# Our words for a reason, and that world's.
REASONS = {"changed_mind": "no longer needed", "ordered_by_mistake": "ordered by mistake"}
State = dict[str, dict[str, Any]]


def world(database: Database) -> State:
    """The whole world: products, users and orders."""
    with database.read() as session:
        return {"products": _products(session), "users": _users(session), "orders": _orders(session)}


def with_slip(state: State, changes: Sequence[dict[str, Any]]) -> State:
    """The state as the reference environment writes it after changing articles of a pending order.

    It gives every article of one call the price and options of the last one: our record keeps each
    article's own, so this is done to what is written out and compared, never to the record.
    """
    for change in changes:
        new = change["new_item_ids"]
        order = state["orders"][change["order_id"]]
        last = next(item for item in order["items"] if item["item_id"] == new[-1])
        items = [{**item, "price": last["price"], "options": last["options"]} if item["item_id"] in new else item for item in order["items"]]
        state = {**state, "orders": {**state["orders"], change["order_id"]: {**order, "items": items}}}
    return state


def _products(session: Session) -> dict[str, Any]:
    variants: dict[str, dict[str, Any]] = defaultdict(dict)
    for v in _rows(session, Variant):
        variants[v.product_id][v.id] = {"item_id": v.id, "options": v.options_en, "available": v.available, "price": v.price_cents / 100}
    return {p.id: {"name": p.name_en, "product_id": p.id, "variants": variants[p.id]} for p in _rows(session, Product)}


def _users(session: Session) -> dict[str, Any]:
    homes = {a.member_id: a for a in _rows(session, Address) if a.is_default}
    mails = {c.member_id: c.value for c in _rows(session, Contact) if c.kind == "email"}
    methods = _grouped(session, PaymentMethod, "member_id")
    placed: dict[str, list[str]] = defaultdict(list)
    for order in _rows(session, Order):
        placed[order.member_id or ""].append(order.id)
    users: dict[str, Any] = {}
    for member in _rows(session, Member):
        first, _, last = member.name.partition(" ")
        users[member.id] = {
            "user_id": member.id,
            "name": {"first_name": first, "last_name": last},
            "address": _place(homes[member.id]._mapping),
            "email": mails.get(member.id, ""),
            "payment_methods": {m.id: _method(m) for m in methods[member.id]},
            "orders": placed[member.id],
        }
    return users


def _method(method: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"source": method.kind, "id": method.id}
    if method.kind == "gift_card":
        told["balance"] = (method.balance_cents or 0) / 100
    elif method.kind == "credit_card":
        brand, _, last = method.label.partition(" ··")
        told |= {"brand": brand.lower(), "last_four": last}
    return told


def _orders(session: Session) -> dict[str, Any]:
    lines, paid = _grouped(session, OrderLine, "order_id"), _grouped(session, Payment, "order_id")
    requests = {r.order_id: r for r in _rows(session, ReturnRequest)}
    options = {v.id: v.options_en for v in _rows(session, Variant)}
    return {order.id: _order(order, lines[order.id], paid[order.id], requests.get(order.id), options) for order in _rows(session, Order)}


def _order(order: Any, lines: list[Any], paid: list[Any], request: Any | None, options: dict[str, Any]) -> dict[str, Any]:
    items = [
        {
            "name": line.description,
            "product_id": line.product_id,
            "item_id": line.variant_id,
            "price": line.unit_price_cents / 100,
            "options": options[line.variant_id],
        }
        for line in sorted(lines, key=lambda line: line.position)
        for _ in range(line.quantity)
    ]
    told: dict[str, Any] = {
        "order_id": order.id,
        "user_id": order.member_id,
        "address": _place(order.ship_to),
        "items": items,
        "status": "pending (item modified)" if order.items_changed else order.status.replace("_", " "),
        "fulfillments": [{"tracking_id": order.tracking, "item_ids": [item["item_id"] for item in items]}] if order.tracking else [],
        "payment_history": [{"transaction_type": p.kind, "amount": p.amount_cents / 100, "payment_method_id": p.method_id} for p in paid],
    }
    if order.cancel_reason:
        told["cancel_reason"] = REASONS.get(order.cancel_reason, order.cancel_reason)
    if request is not None:
        told |= _coming_back(request)
    return told


def _coming_back(request: Any) -> dict[str, Any]:
    ids = sorted(a["variant_id"] for a in request.articles for _ in range(a["quantity"]))
    if request.kind == "return":
        return {"return_items": ids, "return_payment_method_id": request.method_id}
    new = sorted(a["new_variant_id"] for a in request.articles for _ in range(a["quantity"]))
    return {
        "exchange_items": ids,
        "exchange_new_items": new,
        "exchange_payment_method_id": request.method_id,
        "exchange_price_difference": request.difference_cents / 100,
    }


def _place(place: Mapping[str, Any]) -> dict[str, str]:
    ours = {"address1": "line1", "address2": "line2", "city": "city", "country": "country", "state": "region", "zip": "postcode"}
    return {theirs: str(place.get(name, "")) for theirs, name in ours.items()}


def _rows(session: Session, table: type[SQLModel]) -> Any:
    """Plain rows: the whole world is read for every task."""
    return session.connection().execute(table.__table__.select()).all()  # type: ignore[attr-defined]


def _grouped(session: Session, table: type[SQLModel], by: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for row in sorted(_rows(session, table), key=lambda row: row.id):
        found[getattr(row, by)].append(row)
    return found


def differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where two states differ, field by field: sets of items in any order, money to the cent."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = sorted({*ours, *theirs})
        return [d for key in keys for d in differences(ours.get(key), theirs.get(key), f"{path}.{key}")]
    if isinstance(ours, list) and isinstance(theirs, list):
        return [] if sorted(map(_canonical, ours)) == sorted(map(_canonical, theirs)) else [f"{path}: {ours} ≠ {theirs}"]
    if isinstance(ours, int | float) and isinstance(theirs, int | float) and not isinstance(ours, bool):
        return [] if round(ours * 100) == round(theirs * 100) else [f"{path}: {ours} ≠ {theirs}"]
    return [] if ours == theirs else [f"{path}: {ours!r} ≠ {theirs!r}"]


def _canonical(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted(map(_canonical, value))) + "]"
    return f"{round(value * 100)}c" if isinstance(value, float | int) and not isinstance(value, bool) else repr(value)
