"""Are happenings kept once, found by member and day, and gone when they are erased?"""

from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from members import lake

NOON = datetime(2026, 3, 1, 12)
EVENTS = [("M1", "view", "P1", NOON), ("M1", "cart", "P1", NOON.replace(hour=13)), ("M2", "search", "", NOON)]


def _frame(*events: tuple[str, str, str, datetime]) -> pd.DataFrame:
    return pd.DataFrame(list(events), columns=lake.SCHEMA.names)


def _held(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def test_the_same_events_in_any_order_are_one_file(tmp_path: Path) -> None:
    paths = {lake.write_events(tmp_path, _frame(*events)) for events in (EVENTS, EVENTS[::-1])}
    assert list(tmp_path.iterdir()) == list(paths)


def test_other_events_are_another_file(tmp_path: Path) -> None:
    lake.write_events(tmp_path, _frame(*EVENTS[:2]))
    lake.write_events(tmp_path, _frame(EVENTS[2]))
    assert len(list(tmp_path.iterdir())) == 2
    assert sorted(lake.members_in(tmp_path)) == ["M1", "M2"]


def test_only_events_no_file_holds_are_unknown(tmp_path: Path) -> None:
    lake.write_events(tmp_path, _frame(*EVENTS[:2]))
    later = ("M1", "view", "P1", NOON.replace(day=2))
    assert lake.unknown(tmp_path, _frame(*EVENTS, later)).sort_values("at").to_numpy().tolist() == _frame(EVENTS[2], later).to_numpy().tolist()
    assert len(lake.unknown(tmp_path / "nowhere", _frame(*EVENTS))) == 3
    assert lake.unknown(tmp_path, _frame()).empty


@pytest.mark.parametrize(
    ("member_id", "until", "limit", "kinds"),
    [
        ("M1", NOON.replace(hour=23), 9, ["cart", "view"]),
        ("M1", NOON.replace(hour=23), 1, ["cart"]),
        ("M1", NOON, 9, ["view"]),
        ("M1", NOON.replace(hour=1), 9, []),
        ("M2", NOON, 9, ["search"]),
        ("x' OR '1'='1", NOON, 9, []),
    ],
)
def test_a_members_newest_events_come_first_and_end_at_the_instant(tmp_path: Path, member_id: str, until: datetime, limit: int, kinds: list[str]) -> None:
    lake.write_events(tmp_path, _frame(*EVENTS))
    assert [kind for _, kind, _ in lake.recent(tmp_path, member_id, until=until, limit=limit)] == kinds


def test_an_empty_lake_has_nothing_to_say(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert (lake.recent(folder, "M1", until=NOON), list(lake.members_in(folder)), lake.erase(folder, "M1")) == ([], [], 0)


def test_an_erased_member_is_in_no_byte_of_any_file_and_the_others_stay(tmp_path: Path) -> None:
    lake.write_events(tmp_path, _frame(("ADA-BYRON", "view", "P1", NOON), EVENTS[2]))
    lake.write_events(tmp_path, _frame(("ADA-BYRON", "cart", "P1", NOON)))
    assert b"ADA-BYRON" in _held(tmp_path)
    assert (lake.erase(tmp_path, "ADA-BYRON"), lake.erase(tmp_path, "ADA-BYRON")) == (2, 0)
    assert b"ADA-BYRON" not in _held(tmp_path)
    assert list(lake.members_in(tmp_path)) == ["M2"]


def test_a_write_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="at"):
        lake.write_events(tmp_path, _frame(("M1", "view", "P1", "no instant")))  # type: ignore[arg-type]
    assert list(tmp_path.glob("*")) == []


events = st.lists(
    st.tuples(
        st.sampled_from(["M1", "M2", "M3"]), st.sampled_from(lake.KINDS), st.sampled_from(["P1", ""]), st.datetimes(datetime(2020, 1, 1), datetime(2026, 1, 1))
    ),
    max_size=6,
)


@settings(max_examples=30, deadline=None)
@given(first=events, second=events)
def test_whatever_is_written_in_two_parts_is_read_back_once_and_erased_once(
    tmp_path_factory: pytest.TempPathFactory, first: list[Any], second: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("lake")
    for part in (first, second):
        fresh = lake.unknown(folder, _frame(*sorted(set(part))))
        if len(fresh):
            lake.write_events(folder, fresh)
    everything = set(first) | set(second)
    for member_id in ("M1", "M2", "M3"):
        mine = {(at, kind, product) for who, kind, product, at in everything if who == member_id}
        assert set(lake.recent(folder, member_id, until=datetime(2027, 1, 1))) == mine
    assert lake.erase(folder, "M1") == sum(who == "M1" for who, *_ in everything)
    assert set(lake.members_in(folder)) == {who for who, *_ in everything} - {"M1"}
