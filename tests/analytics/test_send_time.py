"""Is a member written to when they are about, and nobody at night?"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import send_time
from analytics.send_time import Hours
from members import lake
from members.database import Database, sqlite_url
from members.tables import Member, Order

TODAY = date(2026, 11, 22)
# The quiet hours of the packaged rules.
NIGHT = {*range(21, 24), *range(9)}


class Door:
    """A shop that knows when its members ordered and looked."""

    def __init__(self, folder: Path) -> None:
        """An empty record and an empty lake."""
        self.database, self.lake = Database(sqlite_url(folder / "shop.db")), folder / "lake"
        self.database.migrate()

    def orders(self, member_id: str, *at: datetime) -> None:
        """Orders of a member at these instants."""
        with self.database.effect() as session:
            if session.get(Member, member_id) is None:
                session.add(Member(id=member_id))
                session.flush()
            session.add_all([Order(id=f"{member_id}-{when:%Y%m%d%H%M}", member_id=member_id, status="delivered", ordered_at=when) for when in at])

    def looks(self, member_id: str, *at: datetime) -> None:
        """Views of a member."""
        lake.append(self.lake, [(member_id, "view", "P", when) for when in at])

    def hours(self, *members: str) -> tuple[Hours, dict[str, Hours]]:
        """The shop's hours, and those of some members drawn towards them."""
        with self.database.read() as session:
            shop, _ = send_time.hours(session, self.lake, None, today=TODAY)
            return shop, dict(send_time.hours(session, self.lake, members, today=TODAY, like=shop)[1])


def at(hour: int, *, back: int = 1, minute: int = 0) -> datetime:
    """An instant some days ago."""
    return datetime.combine(TODAY - timedelta(days=back), datetime.min.time()).replace(hour=hour, minute=minute)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """A shop where forty members order at eleven."""
    made = Door(tmp_path)
    for number in range(40):
        made.orders(f"M{number}", *(at(11, back=7 * week + number % 7 + 1) for week in range(5)))
    yield made
    made.database.close()


def quiet(hour: int) -> bool:
    return hour in NIGHT


def test_a_member_who_always_orders_at_nineteen_is_written_to_at_nineteen(door: Door) -> None:
    door.orders("late", *(at(19, back=10 * n + 1) for n in range(12)))
    shop, each = door.hours("late")
    assert shop.best(quiet) == 11
    assert each["late"].best(quiet) == 19 and each["late"].seen == 12


def test_one_order_is_not_a_habit(door: Door) -> None:
    door.orders("once", at(19))
    _, each = door.hours("once")
    assert each["once"].best(quiet) == 11 and each["once"].chance[19] > each["once"].chance[15]


def test_the_more_was_seen_the_more_it_weighs(door: Door) -> None:
    shares = []
    for number in (1, 4, 16, 64):
        door.orders(f"n{number}", *(at(19, back=n + 1) for n in range(number)))
        shares.append(door.hours(f"n{number}")[1][f"n{number}"].share(18))
    assert shares == sorted(shares) and shares[0] < 0.25 and shares[-1] > 0.85


def test_looking_counts_as_being_about(door: Door) -> None:
    door.orders("looker", at(11))
    door.looks("looker", *(at(16, back=n + 1) for n in range(15)))
    _, each = door.hours("looker")
    assert each["looker"].best(quiet) == 16 and each["looker"].seen == 16


def test_who_only_looked_has_hours_and_who_did_nothing_has_none(door: Door) -> None:
    door.looks("looker", at(16))
    _, each = door.hours("looker", "nobody")
    assert set(each) == {"looker"}


def test_more_than_a_year_ago_and_tomorrow_do_not_count(door: Door) -> None:
    door.orders("old", *(at(19, back=366 + n) for n in range(12)), at(19, back=-1), at(14, back=365), at(15, back=0))
    door.looks("old", at(20, back=400), at(20, back=-2))
    assert door.hours("old")[1]["old"].seen == 2


def test_nobody_is_written_to_at_night_even_if_they_are_up(door: Door) -> None:
    door.orders("owl", *(at(23, back=n + 1) for n in range(50)), *(at(17, back=n + 1) for n in range(5)))
    _, each = door.hours("owl")
    assert each["owl"].chance.argmax() == 23 and each["owl"].best(quiet) == 17


def test_weekdays_are_told_apart(door: Door) -> None:
    door.orders("saturday", *(at(12, back=7 * n + 1) for n in range(20)))
    _, each = door.hours("saturday")
    assert each["saturday"].weekdays.argmax() == 5


def test_hours_of_an_audience_are_those_of_its_members(door: Door) -> None:
    door.orders("a", *(at(19, back=n + 1) for n in range(30)))
    door.orders("b", *(at(19, back=n + 1, minute=5) for n in range(30)))
    with door.database.read() as session:
        shop, _ = send_time.hours(session, door.lake, None, today=TODAY)
        whole, each = send_time.hours(session, door.lake, ["a", "b"], today=TODAY, like=shop)
        none, nobody = send_time.hours(session, door.lake, [], today=TODAY, like=shop)
    assert whole.best(quiet) == 19 and whole.seen == 60 and len(each) == 2
    # An audience of nobody knows what the shop knows.
    assert np.allclose(none.chance, shop.chance) and none.seen == 0 and nobody == {}


def test_a_shop_that_saw_nobody_knows_nothing(tmp_path: Path) -> None:
    empty = Door(tmp_path)
    shop, each = empty.hours("M")
    assert np.allclose(shop.chance, 1 / 24) and np.allclose(shop.weekdays, 1 / 7) and each == {}
    assert shop.best(quiet) == 9
    empty.database.close()


def test_thousands_are_asked_for_in_parts(door: Door) -> None:
    _, each = door.hours(*(f"X{n}" for n in range(4_500)), "M0", "M39")
    assert {name: hours.seen for name, hours in each.items()} == {"M0": 5, "M39": 5}


_INSTANTS = st.lists(st.builds(lambda day, hour: at(hour, back=day), st.integers(0, 360), st.integers(0, 23)), max_size=30)


@settings(max_examples=100, deadline=None)
@given(_INSTANTS, _INSTANTS, st.sets(st.integers(0, 23)))
def test_shares_sum_to_one_and_the_best_hour_is_never_quiet(mine: list[datetime], others: list[datetime], silent: set[int]) -> None:
    shop = send_time._hours(others, None)
    for one in (shop, send_time._hours(mine, shop)):
        assert one.chance.sum() == pytest.approx(1) and one.weekdays.sum() == pytest.approx(1)
        assert one.chance.min() > 0 and one.weekdays.min() > 0
        best = one.best(silent.__contains__)
        assert best not in silent or len(silent) == 24
        assert all(one.chance[hour] <= one.chance[best] for hour in range(24) if hour not in silent)
        assert one.share(best, width=24) == pytest.approx(1)


def test_a_share_goes_round_midnight() -> None:
    owl = Hours(np.eye(24)[23] * 0.5 + np.eye(24)[0] * 0.5, np.full(7, 1 / 7), 2)
    assert owl.share(23, width=2) == 1 and owl.share(23, width=1) == 0.5 and owl.share(22) == 1
