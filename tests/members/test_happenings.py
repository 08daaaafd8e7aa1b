"""Does what channels tell count once, at once, and for the right member?"""

import hashlib
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlmodel import select
from starlette.testclient import TestClient

from analytics import scoring
from assistant import api
from eval import worlds
from members import happenings
from members.happenings import Happening, Who
from members.tables import Contact, Member, MemberScore, MemberTaste, Review, ShopEvent

NOW = datetime.combine(worlds.DAY, datetime.min.time()) + timedelta(hours=10)


def view(member: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """A view of the first product by the first member."""
    return {"kind": "view", "member": member or {"member_id": "M-10003"}, "product_id": "P-1001", "at": "2026-11-22T09:00:00Z", **more}


@pytest.fixture
def web(fresh_desk: Any) -> TestClient:
    """The API of a desk of this test's own."""
    return TestClient(api.build(fresh_desk))


@pytest.fixture
def admin(web: TestClient) -> dict[str, str]:
    """An admin's header."""
    token = web.post("/api/v1/token", json={"login": "admin", "password": worlds.PASSWORD}).json()["token"]
    return {"Authorization": f"Bearer {token}"}


def tell(web: TestClient, header: dict[str, str], *events: dict[str, Any]) -> dict[str, Any]:
    """Post events; the answer."""
    answer = web.post("/api/v1/events", json={"events": list(events)}, headers=header)
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


# --- whom it means ----------------------------------------------------------------------


def test_each_way_of_naming_finds_the_same_member(fresh_desk: Any) -> None:
    with fresh_desk.database.read() as session:
        mail, phone = (session.exec(select(Contact.value).where(Contact.member_id == "M-10003", Contact.kind == kind)).one() for kind in ("email", "phone"))
        hashed = lambda value: hashlib.sha256(value.encode()).hexdigest()  # noqa: E731
        ways = (
            Who(member_id="M-10003"),
            Who(email=f" {mail.upper()} "),
            Who(phone=f"+{phone[:2]} {phone[2:]}"),
            Who(email_sha256=hashed(mail)),
            Who(phone_sha256=hashed(phone).upper()),
        )
        assert {happenings.resolve(session, who) for who in ways} == {"M-10003"}
        assert happenings.resolve(session, Who(email="nobody@example.org")) is None


def test_a_number_two_members_share_is_nobodys(fresh_desk: Any) -> None:
    with fresh_desk.database.effect() as session:
        for member_id in ("M-10003", "M-10004"):
            session.add(Contact(member_id=member_id, kind="phone", value="447700900999"))
    with fresh_desk.database.read() as session:
        assert happenings.resolve(session, Who(phone="447700900999")) is None


@pytest.mark.parametrize("who", [{}, {"member_id": "a", "email": "b@c.d"}, {"email_sha256": "abc"}, {"name": "Li Na"}])
def test_a_member_is_named_in_exactly_one_way(who: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Who(**who)


# --- once -------------------------------------------------------------------------------


def test_told_twice_it_happened_once(web: TestClient, admin: dict[str, str], fresh_desk: Any) -> None:
    first = tell(web, admin, view(key="web-1"), view(key="web-1"), view())
    assert [one["outcome"] for one in first["events"]] == ["new", "known", "new"]
    again = tell(web, admin, view(key="web-1"), view())
    assert (again["new"], again["known"]) == (0, 2)
    with fresh_desk.database.read() as session:
        assert len(session.exec(select(ShopEvent)).all()) == 2


def test_one_bad_event_refuses_itself_alone(web: TestClient, admin: dict[str, str]) -> None:
    told = tell(web, admin, view({"email": "nobody@example.org"}), view(product_id="P-9"), view(at="2027-01-01T00:00:00Z"), view())
    assert [one["outcome"] for one in told["events"]] == ["refused", "refused", "refused", "new"]
    assert all(one["reason"] for one in told["events"][:3])


@pytest.mark.parametrize(
    "events",
    [[], [{"kind": "view"}], [view(kind="order")], [view(kind="review")], [view(quantity=0)], [view(price="NaN")], [view(role="admin")], [view()] * 501],
    ids=["none", "no member", "order without price", "review without rating", "none bought", "no number", "unknown field", "too many"],
)
def test_what_does_not_fit_is_refused_whole(web: TestClient, admin: dict[str, str], events: list[Any]) -> None:
    answer = web.post("/api/v1/events", json={"events": events}, headers=admin)
    assert answer.status_code == 422 and answer.json()["detail"]


@pytest.mark.parametrize("login", ["lina", "support", "marketer"])
def test_only_the_shops_own_systems_tell_events(web: TestClient, login: str) -> None:
    token = web.post("/api/v1/token", json={"login": login, "password": worlds.PASSWORD}).json()["token"]
    answer = web.post("/api/v1/events", json={"events": [view({"member_id": "M-10001"})]}, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403
    assert web.post("/api/v1/events", json={"events": [view()]}).status_code == 401


# --- at once ----------------------------------------------------------------------------


def quiet_member(desk: Any) -> str:
    """A member who has not ordered for long: the likeliest to be gone."""
    with desk.database.read() as session:
        return session.exec(select(MemberScore).order_by(MemberScore.churn.desc())).first().member_id  # type: ignore[attr-defined,union-attr,no-any-return]


def test_an_order_lowers_the_chance_of_leaving_within_a_second(web: TestClient, admin: dict[str, str], fresh_desk: Any) -> None:
    who = quiet_member(fresh_desk)
    with fresh_desk.database.read() as session:
        before = session.get(MemberScore, who)
    tell(web, admin, view({"member_id": who}))
    order = {
        "kind": "order",
        "member": {"member_id": who},
        "product_id": "P-1001",
        "order_id": "WEB-1",
        "price": "19.90",
        "quantity": 2,
        "at": "2026-11-22T09:30:00+00:00",
    }
    begun = time.perf_counter()
    told = tell(web, admin, order)["events"][0]
    assert time.perf_counter() - begun < 1.0, "an event counts within a second"
    with fresh_desk.database.read() as session:
        after = session.get(MemberScore, who)
        row = scoring.row(session, fresh_desk.lake, who, today=fresh_desk.today).iloc[0]
        bought, _ = scoring.past(session, fresh_desk.lake, who, today=fresh_desk.today)
    assert after.churn < before.churn and told["churn_percent"] == round(100 * after.churn)
    assert row.recency_days == 0 and row.spend_30 == 3980
    assert ("P-1001", fresh_desk.today) in bought


def test_what_was_looked_at_is_suggested(web: TestClient, admin: dict[str, str], fresh_desk: Any) -> None:
    tell(
        web,
        admin,
        *(view({"member_id": "M-10005"}, product_id="P-1200", kind=kind, at=f"2026-11-22T0{n}:00:00Z") for n, kind in enumerate(("view", "view", "cart"))),
    )
    with fresh_desk.database.read() as session:
        told = scoring.suggest(session, fresh_desk.fitted, fresh_desk.lake, "M-10005", today=fresh_desk.today, limit=400, which="all")
    mine = next(s for s in told if s.product_id == "P-1200")
    assert mine.kind in ("looked", "again")


def test_a_taste_kept_event_by_event_is_the_one_worked_out_from_all(web: TestClient, admin: dict[str, str], fresh_desk: Any) -> None:
    tell(
        web,
        admin,
        view({"member_id": "M-10006"}),
        view({"member_id": "M-10006"}, kind="review", rating=5, text="a lovely warm lamp", product_id="P-1040", at="2026-11-22T12:00:00Z"),
    )
    with fresh_desk.database.read() as session:
        step_by_step = session.get(MemberTaste, "M-10006")
    fresh_desk.knowing.keep_all_tastes()
    with fresh_desk.database.read() as session:
        at_once = session.get(MemberTaste, "M-10006")
        assert session.exec(select(Review).where(Review.member_id == "M-10006", Review.product_id == "P-1040")).first() is not None
    assert step_by_step.vector != b"" and at_once.weight == pytest.approx(step_by_step.weight, rel=1e-6)
    import numpy as np

    np.testing.assert_allclose(np.frombuffer(at_once.vector, "<f4"), np.frombuffer(step_by_step.vector, "<f4"), rtol=1e-4, atol=1e-4)


# --- and gone ---------------------------------------------------------------------------


def test_erasing_a_member_takes_events_scores_and_taste(fresh_desk: Any, web: TestClient, admin: dict[str, str]) -> None:
    import pandas as pd

    from members import lake

    tell(web, admin, view({"member_id": "M-10007"}))
    with fresh_desk.database.effect() as session:
        member = session.get(Member, "M-10007")
        member.left_on = member.erase_on = fresh_desk.today - timedelta(days=1)
        session.add(member)
    assert fresh_desk.erase_due() == 1
    with fresh_desk.database.read() as session:
        for table in (ShopEvent, MemberScore, MemberTaste):
            assert session.exec(select(table).where(table.member_id == "M-10007")).first() is None
    for path in fresh_desk.lake.rglob("*.parquet"):
        assert "M-10007" not in set(pd.read_parquet(path)["member_id"]), path.name
    assert "M-10007" not in fresh_desk.fitted.recommender.signals.members
    assert "M-10007" not in fresh_desk.shelf.load("recommender").signals.members
    assert lake.path_of(fresh_desk.lake, "lines").is_file()


def test_events_of_an_order_go_when_the_order_has_come(fresh_desk: Any) -> None:
    from members import extract
    from members.tables import Order

    with fresh_desk.database.effect() as session:
        known = session.exec(select(Order.id)).first()
        for n, order_id in enumerate((known, "WEB-77")):
            session.add(ShopEvent(key=f"o{n}", member_id="M-10003", kind="order", product_id="P-1001", at=NOW, order_id=order_id, cents=100))
        session.add(ShopEvent(key="v", member_id="M-10003", kind="view", product_id="P-1001", at=NOW - timedelta(days=9)))
    with fresh_desk.database.effect() as session:
        assert extract.settle_events(session, fresh_desk.lake, before=NOW - timedelta(days=2)) == 1
    with fresh_desk.database.read() as session:
        assert [event.order_id for event in session.exec(select(ShopEvent))] == ["WEB-77"]


def test_an_event_says_utc_or_its_own_zone() -> None:
    east = Happening(**view(at="2026-11-22T17:00:00+08:00"))
    assert east.at is not None and east.at.utcoffset() == timedelta(hours=8)
