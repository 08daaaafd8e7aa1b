"""How does the tau retail world become a record?

One JSON file with products, users and orders (MIT, sierra-research/tau2-bench).
It has no dates, so nothing is replayed into points; every field of its orders
is kept, so that the world can be written back as it was.
"""

import json
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, select

from members.database import Database
from members.errors import BadInput
from members.importers.report import Progress, Report, silent
from members.program import Program
from members.tables import Address, Contact, Member, Order, OrderLine, Payment, PaymentMethod, Product, Variant

PARTS = ("products", "users", "orders")
_MOST = 1e8
# What reading an entry of another shape raises.
_BROKEN = (ArithmeticError, AttributeError, KeyError, TypeError, ValueError)


def load(database: Database, path: Path, rules: Program, *, today: date, encoding: str | None = None, progress: Progress = silent) -> Report:
    """Import the world whole or not at all. Raises BadInput when the file is not one."""
    world = _read(path, encoding or "utf-8")
    report = Report("tau-retail")
    lowest = rules.tiers.levels[0].key
    with database.effect() as session:
        writers = {"products": _products, "users": _users, "orders": _orders}
        for part, write in writers.items():
            rows = world[part]
            report.read += len(rows)
            write(session, rows, report, path.name, lowest)
            progress(part, len(rows), len(rows))
        report.check()
        if report.accepted:
            session.add(report.run(path.name))
    return report


def _read(path: Path, encoding: str) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        raise BadInput(f"There is no file {path}.")
    try:
        world: Any = json.loads(path.read_text(encoding=encoding))
    except (LookupError, OSError, RecursionError, ValueError) as error:
        raise BadInput(f"{path.name} is not whole JSON: {error}") from error
    lacking = [part for part in PARTS if not isinstance(world, dict) or not isinstance(world.get(part), dict)]
    if lacking:
        raise BadInput(f"{path.name} lacks {', '.join(lacking)}: it is not a tau retail world.")
    return {part: world[part] for part in PARTS}


def cents(amount: float) -> int:
    """An amount of the world's as minor units. Raises ValueError, TypeError or OverflowError for what is none."""
    number = float(amount)
    if not abs(number) <= _MOST:
        raise ValueError(f"{amount} is no amount")
    return round(number * 100)


def _text(value: Any) -> str:
    """The value, if a record can keep it as text."""
    if not isinstance(value, str) or "\0" in value:
        raise TypeError(f"{value!r:.40} is no text")
    value.encode()
    return value


def _products(session: Session, rows: dict[str, Any], report: Report, file: str, _: str) -> None:
    known, taken = set(session.exec(select(Product.id))), set(session.exec(select(Variant.id)))
    products: list[dict[str, Any]] = []
    variants: list[dict[str, Any]] = []
    for line, (product_id, product) in enumerate(rows.items(), start=1):
        try:
            mine = [
                {
                    "id": _text(item_id),
                    "product_id": product_id,
                    "options_en": {_text(k): _text(v) for k, v in item["options"].items()},
                    "options_zh": {},
                    "price_cents": cents(item["price"]),
                    "available": bool(item["available"]),
                }
                for item_id, item in product["variants"].items()
            ]
            row = {"id": _text(product_id), "name_en": _text(product["name"]), "tags_en": [], "tags_zh": [], "rating_count": 0}
            taken.update(_unshared(mine, taken) if product_id not in known else ())
        except _BROKEN as error:
            report.reject(file, [line], f"product “{product_id}” is broken: {error!r}")
            continue
        if _is_new(product_id, known, report):
            products.append(row)
            variants.extend(mine)
    _insert(session, Product, products, report, "products")
    _insert(session, Variant, variants, report, "variants")


def _users(session: Session, rows: dict[str, Any], report: Report, file: str, lowest: str) -> None:
    known, taken = set(session.exec(select(Member.id))), set(session.exec(select(PaymentMethod.id)))
    tables: dict[Any, list[dict[str, Any]]] = {Member: [], Contact: [], Address: [], PaymentMethod: []}
    for line, (user_id, user) in enumerate(rows.items(), start=1):
        try:
            place = user["address"]
            name = f"{_text(user['name']['first_name'])} {_text(user['name']['last_name'])}"
            row = {"id": _text(user_id), "name": name, "language": "en", "city": _text(place["city"]), "country": _text(place["country"]), "tier": lowest}
            methods = [_method(user_id, method) for method in user["payment_methods"].values()]
            address = {**_place(place), "member_id": user_id, "is_default": True}
            contact = {"member_id": user_id, "kind": "email", "value": _text(user["email"]).lower()}
            taken.update(_unshared(methods, taken) if user_id not in known else ())
        except _BROKEN as error:
            report.reject(file, [line], f"user “{user_id}” is broken: {error!r}")
            continue
        if _is_new(user_id, known, report):
            tables[Member].append(row)
            tables[Contact].append(contact)
            tables[Address].append(address)
            tables[PaymentMethod].extend(methods)
    for table, mine in tables.items():
        _insert(session, table, mine, report, str(table.__tablename__))


def _place(place: dict[str, str]) -> dict[str, Any]:
    return {
        "label": "",
        "line1": _text(place["address1"]),
        "line2": _text(place.get("address2", "")),
        "city": _text(place["city"]),
        "region": _text(place["state"]),
        "postcode": _text(place["zip"]),
        "country": _text(place["country"]),
    }


def _method(user_id: str, method: dict[str, Any]) -> dict[str, Any]:
    kind = _text(method["source"])
    label = {"paypal": "PayPal", "gift_card": "Gift card"}.get(kind) or f"{str(method['brand']).title()} ··{method['last_four']}"
    balance = cents(method["balance"]) if "balance" in method else None
    return {"id": _text(method["id"]), "member_id": user_id, "kind": kind, "label": label, "balance_cents": balance}


def _orders(session: Session, rows: dict[str, Any], report: Report, file: str, _: str) -> None:
    known = set(session.exec(select(Order.id)))
    members = set(session.exec(select(Member.id)))
    labels = {m.id: m.label for m in session.exec(select(PaymentMethod))}
    tables: dict[Any, list[dict[str, Any]]] = {Order: [], OrderLine: [], Payment: []}
    for line, (order_id, order) in enumerate(rows.items(), start=1):
        try:
            if order["user_id"] not in members:
                raise KeyError(f"unknown user {order['user_id']}")
            mine = _order(order_id, order, labels)
        except _BROKEN as error:
            report.reject(file, [line], f"order “{order_id}” is broken: {error!r}")
            continue
        if _is_new(order_id, known, report):
            for table, parts in mine.items():
                tables[table].extend(parts)
    for table, parts in tables.items():
        _insert(session, table, parts, report, str(table.__tablename__))


def _order(order_id: str, order: dict[str, Any], labels: dict[str, str]) -> dict[Any, list[dict[str, Any]]]:
    lines: list[dict[str, Any]] = [
        {
            "order_id": order_id,
            "position": position,
            "product_id": _text(item["product_id"]),
            "variant_id": _text(item["item_id"]),
            "kind": "product",
            "description": _text(item["name"]),
            "quantity": 1,
            "unit_price_cents": cents(item["price"]),
            "returned": 0,
        }
        for position, item in enumerate(order["items"], start=1)
    ]
    payments = [
        {
            "order_id": order_id,
            "kind": _text(paid["transaction_type"]),
            "amount_cents": cents(paid["amount"]),
            "method_id": _text(paid["payment_method_id"]),
            "method_label": labels.get(paid["payment_method_id"], ""),
            "key": f"import:{position}",
        }
        for position, paid in enumerate(order["payment_history"])
    ]
    place = _place(order["address"])
    head = {
        "id": _text(order_id),
        "member_id": _text(order["user_id"]),
        "status": _text(order["status"]),
        "total_cents": sum(line["unit_price_cents"] for line in lines),
        "cancel_reason": _text(order.get("cancel_reason", "")),
        "ship_to": {key: value for key, value in place.items() if key != "label"},
        "tracking": [_text(code) for sent in order.get("fulfillments", []) for code in sent["tracking_id"]],
    }
    return {Order: [head], OrderLine: lines, Payment: payments}


def _unshared(rows: list[dict[str, Any]], taken: set[str]) -> set[str]:
    """The ids of these rows, unless another entry has one of them or they repeat one."""
    ids = {row["id"] for row in rows}
    if len(ids) < len(rows) or ids & taken:
        raise ValueError("an id of it is used twice")
    return ids


def _is_new(key: str, known: set[str], report: Report) -> bool:
    if key in known:
        report.duplicates += 1
        return False
    report.accepted += 1
    return True


def _insert(session: Session, table: Any, rows: list[dict[str, Any]], report: Report, name: str) -> None:
    if rows:
        session.connection().execute(insert(table.__table__), rows)
    report.totals[name] += len(rows)
