"""Does the tau retail world become a record with nothing lost and nothing invented?"""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from members.errors import BadInput
from members.importers import tau_retail
from members.importers.report import Report
from members.tables import Address, Contact, ImportRun, Member, Order, OrderLine, Payment, PaymentMethod, PointsEntry, Product, Variant

REAL = Path(__file__).parents[3] / "shared/data/tau_retail/db.json"
RECORD = (Product, Variant, Member, Contact, Address, PaymentMethod, Order, OrderLine, Payment)
PLACE = {"address1": "1 Elm", "address2": "Flat 2", "city": "Leeds", "country": "UK", "state": "W", "zip": "LS1"}


def _world() -> dict[str, Any]:
    variant = {"item_id": "I1", "options": {"color": "blue"}, "available": True, "price": 50.88}
    methods = {
        "gift_card_1": {"source": "gift_card", "id": "gift_card_1", "balance": 12.5},
        "credit_card_2": {"source": "credit_card", "id": "credit_card_2", "brand": "visa", "last_four": "9212"},
    }
    item = {"name": "Mug", "product_id": "P1", "item_id": "I1", "price": 50.88, "options": {"color": "blue"}}
    order = {
        "order_id": "#W1",
        "user_id": "ada_1",
        "address": PLACE,
        "items": [item, item],
        "status": "pending",
        "fulfillments": [{"tracking_id": ["T1", "T2"], "item_ids": ["I1"]}],
        "payment_history": [{"transaction_type": "payment", "amount": 101.76, "payment_method_id": "gift_card_1"}],
    }
    user = {
        "user_id": "ada_1",
        "name": {"first_name": "Ada", "last_name": "Byron"},
        "address": PLACE,
        "email": "Ada@Example.org",
        "payment_methods": methods,
        "orders": ["#W1"],
    }
    return {"products": {"P1": {"name": "Mug", "product_id": "P1", "variants": {"I1": variant}}}, "users": {"ada_1": user}, "orders": {"#W1": order}}


def _load(world: Any, folder: Path, content: Any) -> Report:
    path = folder / "db.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return tau_retail.load(world.database, path, world.rules, today=date(2025, 1, 1))


def test_every_part_of_a_tiny_world_is_kept(world: Any, tmp_path: Path) -> None:
    report = _load(world, tmp_path, _world())
    assert (report.read, report.accepted, report.rejected, report.duplicates) == (3, 3, 0, 0)
    assert [world.count(table) for table in RECORD] == [1, 1, 1, 1, 1, 2, 1, 2, 1]
    order, variant = world.rows(Order)[0], world.rows(Variant)[0]
    assert (order["id"], order["member_id"], order["status"], order["total_cents"], order["tracking"]) == ("#W1", "ada_1", "pending", 10_176, ["T1", "T2"])
    assert (order["ordered_at"], order["ship_to"]["postcode"]) == (None, "LS1")
    assert (variant["price_cents"], variant["options_en"], variant["available"], variant["stock"]) == (5088, {"color": "blue"}, True, None)
    assert (world.of("ada_1").name, world.of("ada_1").tier, world.rows(Contact)[0]["value"]) == ("Ada Byron", "bronze", "ada@example.org")
    assert sorted((m["label"], m["balance_cents"]) for m in world.rows(PaymentMethod)) == [("Gift card", 1250), ("Visa ··9212", None)]
    assert (world.rows(Payment)[0]["amount_cents"], world.rows(Payment)[0]["method_label"]) == (10_176, "Gift card")
    assert world.count(PointsEntry) == 0


def test_importing_twice_changes_nothing(world: Any, tmp_path: Path) -> None:
    _load(world, tmp_path, _world())
    before = [world.rows(table) for table in RECORD]
    again = _load(world, tmp_path, _world())
    assert (again.accepted, again.duplicates, world.count(ImportRun)) == (0, 3, 1)
    assert [world.rows(table) for table in RECORD] == before


def _break(part: str, key: str, *path: str, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        there = content[part][key]
        for step in path[:-1]:
            there = there[step]
        if to is ...:
            del there[path[-1]]
        else:
            there[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "rejected"),
    [
        (_break("products", "P1", "name", to=...), 1),
        (_break("products", "P1", "variants", "I1", "price", to="much"), 1),
        (_break("products", "P1", "variants", "I1", "price", to=float("nan")), 1),
        (_break("products", "P1", "variants", "I1", "price", to=float("inf")), 1),
        (_break("products", "P1", "variants", to=[]), 1),
        (_break("users", "ada_1", "email", to=...), 2),
        (_break("products", "P1", "name", to=["Mug"]), 1),
        (_break("products", "P1", "variants", "I1", "options", to={"color": 3}), 1),
        (_break("products", "P1", "variants", "I1", "price", to=10**400), 1),
        (_break("users", "ada_1", "name", "first_name", to="Ada\0"), 2),
        (_break("users", "ada_1", "payment_methods", "credit_card_2", "id", to="gift_card_1"), 2),
        (_break("users", "ada_1", "email", to=None), 2),
        (_break("users", "ada_1", "payment_methods", to=[]), 2),
        (_break("users", "ada_1", "address", to="1 Elm"), 2),
        (_break("orders", "#W1", "user_id", to="nobody"), 1),
        (_break("orders", "#W1", "items", to=None), 1),
        (_break("orders", "#W1", "payment_history", to=[{}]), 1),
    ],
)
def test_a_broken_entry_is_listed_and_the_others_are_kept(world: Any, tmp_path: Path, change: Callable[[dict[str, Any]], None], rejected: int) -> None:
    content = _world()
    change(content)
    report = _load(world, tmp_path, content)
    assert (report.rejected, report.accepted) == (rejected, 3 - rejected)
    assert all("is broken" in reject.reason for reject in report.rejects)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[" * 100_000, b"[]", b'"text"', b'{"products": {}, "users": []}', "{}".encode("utf-16"), b"\xef\xbb\xbf{}"], ids=len
)
def test_what_is_no_such_world_is_refused(world: Any, tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadInput):
        _load(world, tmp_path, content)


def test_a_missing_file_is_refused(world: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no file"):
        tau_retail.load(world.database, tmp_path / "none.json", world.rules, today=date(2025, 1, 1))


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_file(), reason="no shared data")
def test_the_real_world_is_kept_whole(world: Any) -> None:
    report = tau_retail.load(world.database, REAL, world.rules, today=date(2025, 1, 1))
    source = json.loads(REAL.read_text())
    assert (report.read, report.accepted, report.rejected) == (1550, 1550, 0)
    assert [world.count(table) for table in (Product, Variant, Member, Order)] == [50, 591, 500, 1000]
    assert world.count(OrderLine) == sum(len(order["items"]) for order in source["orders"].values())
    totals = {order["id"]: order["total_cents"] for order in world.rows(Order)}
    assert totals == {key: sum(round(item["price"] * 100) for item in order["items"]) for key, order in source["orders"].items()}
