"""Which address does a message give?"""

import pytest

from assistant.embedded import places


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("please send it to 14 Mill Lane, York YO1 7AB instead", ("14 Mill Lane", "", "York", "", "YO1 7AB", "")),
        ("deliver to Flat 2, 9 Kiln Street, Leeds, LS1 4AB, UK", ("9 Kiln Street", "Flat 2", "Leeds", "", "LS1 4AB", "United Kingdom")),
        ("change the address to 610 Sunset Drive, Suite 120, Austin, TX 78701, USA.", ("610 Sunset Drive", "Suite 120", "Austin", "TX", "78701", "USA")),
        ("we've moved, new address is 22 Elm Grove Bristol BS1 5TR", ("22 Elm Grove", "", "Bristol", "", "BS1 5TR", "")),
        ("改寄到杭州市西湖区文三路88号3幢502室，邮编310012，谢谢", ("西湖区文三路88号3幢502室", "", "杭州", "", "310012", "China")),
        ("地址换成广东省深圳市南山区科技路1号", ("南山区科技路1号", "", "深圳", "广东省", "", "China")),
    ],
)
def test_an_address_is_read_by_its_parts(text: str, parts: tuple[str, ...]) -> None:
    found = places.read(text)
    assert found is not None
    assert tuple(found[name] for name in ("line1", "line2", "city", "region", "postcode", "country")) == parts


@pytest.mark.parametrize(
    "text", ["send it to my sister", "cancel order O-20031", "the bookshelf, 5 ft, wood", "寄到公司吧", "where is my parcel", "3 pairs, size 9"]
)
def test_what_holds_no_street_and_town_is_no_address(text: str) -> None:
    assert places.read(text) is None
