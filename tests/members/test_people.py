"""Is a member found by whatever staff have at hand, and shown only as far as needed?"""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members import people
from members.errors import NotFound
from members.tables import Address, Consent, Contact, PaymentMethod


@pytest.fixture
def shop(world: Any) -> Any:
    """Ada with an e-mail, a phone and an order; Élodie and 陈雨桐; Ada's namesake."""
    for member_id, name in (("M-1", "Ada Byron"), ("M-2", "Élodie 100%"), ("M-3", "陈雨桐"), ("M-4", "Adam Byron")):
        world.member(member_id, name=name)
    world.add(Contact(member_id="M-1", kind="email", value="ada@example.org"), Contact(member_id="M-1", kind="phone", value="447700900123"))
    world.product("board")
    world.order("#W55", "M-1", date(2025, 1, 1), ("board", 1, 100))
    world.order("9001", "M-3", date(2025, 1, 1), ("board", 1, 100))
    return world


def _find(world: Any, text: str, **named: Any) -> list[str]:
    with world.database.read() as session:
        return [member.id for member in people.find(session, text, **named)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("M-1", ["M-1"]),
        (" m-1 ", ["M-1"]),
        ("1", ["M-1", "M-2"]),
        ("#W55", ["M-1"]),
        ("w55", ["M-1"]),
        ("9001", ["M-3"]),
        ("ADA@example.org", ["M-1"]),
        ("+44 7700 900123", ["M-1"]),
        ("900123", ["M-1"]),
        ("123", []),
        ("ada b", ["M-1"]),
        ("Byron", ["M-1", "M-4"]),
        ("  ada   byron ", ["M-1"]),
        ("雨桐", ["M-3"]),
        ("Élodie", ["M-2"]),
        ("élodie", ["M-2"]),
        ("100%", ["M-2"]),
        ("%", ["M-2"]),
        ("A_a", []),
        ("", []),
        ("   ", []),
        ("' OR 1=1 --", []),
    ],
)
def test_a_member_is_found_by_id_order_mail_phone_or_name(shop: Any, text: str, found: list[str]) -> None:
    assert _find(shop, text) == found


def test_an_exact_match_comes_before_names_and_the_list_is_short(shop: Any) -> None:
    for number in range(12):
        shop.member(f"N{number:02}", name="M-1 fan")
    assert _find(shop, "M-1", limit=3) == ["M-1", "N00", "N01"]


def test_an_unknown_member_is_not_found(world: Any) -> None:
    with world.database.read() as session, pytest.raises(NotFound):
        people.get(session, "M-9")


def test_a_members_own_facts_are_read_back(shop: Any) -> None:
    place: dict[str, Any] = {"member_id": "M-1", "city": "Leeds"}
    shop.add(Address(line1="Old Rd 1", **place), Address(line1="New Rd 2", is_default=True, **place))
    shop.add(Contact(member_id="M-1", kind="email", value="second@example.org"), Consent(member_id="M-1", channel="sms", granted=False))
    shop.add(PaymentMethod(id="p1", member_id="M-1", kind="gift_card", balance_cents=500), PaymentMethod(id="p2", member_id="M-2", kind="paypal"))
    with shop.database.read() as session:
        address = people.default_address(session, "M-1")
        assert address and address.line1 == "New Rd 2"
        assert people.default_address(session, "M-2") is None
        assert people.contacts(session, "M-1") == {"email": "ada@example.org", "phone": "447700900123"}
        assert people.consents(session, "M-1") == {"sms": False}
        assert [method.id for method in people.payment_methods(session, "M-1")] == ["p1"]


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("email", "ada@example.org", "ad…@example.org"),
        ("phone", "447700900123", "…0123"),
        ("phone", "1234", "…"),
        ("email", "no at sign", "…sign"),
        ("wechat", "", "…"),
    ],
)
def test_a_contact_is_shown_with_its_middle_hidden(kind: str, value: str, shown: str) -> None:
    assert people.mask(kind, value) == shown


@given(st.text(alphabet="abc1234567890", min_size=5, max_size=20))
def test_a_mask_never_shows_more_than_four_of_the_letters(value: str) -> None:
    assert len(people.mask("phone", value).replace("…", "")) <= 4
    assert len(people.mask("email", f"{value}@x.org").split("…")[0]) <= 2
