"""Are planted pairs found, is the future unseen, and is every reason true?"""

from collections import Counter as Counts
from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from analytics import recommender
from analytics.recommender import Purchase, Recommender

DAY = date(2026, 6, 1)


def _world() -> list[Purchase]:
    """Thirty members: whoever buys a kettle buys a filter; twenty buy a popular mug."""
    bought: list[Purchase] = []
    for n in range(30):
        on = DAY - timedelta(days=n)
        if n < 15:
            bought += [(f"m{n}", "kettle", on), (f"m{n}", "filter", on)]
        if n >= 10:
            bought.append((f"m{n}", "mug", on))
        bought.append((f"m{n}", f"thing{n % 7}", on))
    return bought


def test_what_goes_together_is_suggested_first_and_says_because_of_what() -> None:
    best = Recommender.fit(_world(), as_of=DAY).suggest([("kettle", DAY)], as_of=DAY)[0]
    assert (best.product_id, best.kind, best.because) == ("filter", "together", "kettle")


def test_a_newcomer_gets_what_is_popular_hottest_first() -> None:
    found = Recommender.fit(_world(), as_of=DAY).suggest([], as_of=DAY)
    assert {s.kind for s in found} == {"popular"}
    assert {found[0].product_id, found[1].product_id, found[2].product_id} == {"mug", "kettle", "filter"}
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)


def test_what_is_bought_again_and_again_is_suggested_again() -> None:
    history = [("mug", DAY - timedelta(days=n)) for n in (1, 30, 60)]
    again = [s for s in Recommender.fit(_world(), as_of=DAY).suggest(history, as_of=DAY) if s.kind == "again"]
    assert [(s.product_id, s.times, s.last_on) for s in again] == [("mug", 3, DAY - timedelta(days=1))]


def test_what_was_bought_once_is_not_suggested_again() -> None:
    found = Recommender.fit(_world(), as_of=DAY).suggest([("mug", DAY), ("kettle", DAY)], as_of=DAY)
    assert not {"mug", "kettle"} & {s.product_id for s in found}


def test_nothing_after_the_day_is_learned() -> None:
    later = [(f"x{n}", product, DAY + timedelta(days=1)) for n in range(50) for product in ("kettle", "umbrella")]
    assert Recommender.fit(_world() + later, as_of=DAY) == Recommender.fit(_world(), as_of=DAY)


def test_nothing_a_member_bought_after_the_day_is_looked_at() -> None:
    fitted = Recommender.fit(_world(), as_of=DAY)
    tomorrow = [("kettle", DAY + timedelta(days=1)), ("mug", DAY + timedelta(days=2)), ("mug", DAY + timedelta(days=3))]
    assert fitted.suggest(tomorrow, as_of=DAY) == fitted.suggest([], as_of=DAY)


def test_a_shop_without_purchases_suggests_nothing() -> None:
    assert Recommender.fit([], as_of=DAY).suggest([("kettle", DAY)], as_of=DAY) == []
    assert Recommender().suggest([], as_of=DAY) == []


def test_the_order_in_which_purchases_are_read_does_not_matter() -> None:
    one, other = Recommender.fit(_world(), as_of=DAY), Recommender.fit(reversed(_world()), as_of=DAY)
    history = [("kettle", DAY), ("thing3", DAY)]
    kinds = [{s.product_id: (s.kind, round(s.score, 5)) for s in fitted.suggest(history, as_of=DAY, limit=50)} for fitted in (one, other)]
    assert kinds[0] == kinds[1]


_PRODUCTS = st.sampled_from(["kettle", "filter", "mug", *(f"thing{n}" for n in range(7)), "unknown"])


@given(st.lists(st.tuples(_PRODUCTS, st.integers(-5, 400)), max_size=12), st.integers(0, 12))
def test_every_reason_is_true_of_any_history(bought: list[tuple[str, int]], limit: int) -> None:
    history = [(product, DAY - timedelta(days=ago)) for product, ago in bought]
    seen = Counts(product for product, day in history if day <= DAY)
    found = Recommender.fit(_world(), as_of=DAY).suggest(history, as_of=DAY, limit=limit)
    assert len(found) <= limit and len({s.product_id for s in found}) == len(found)
    for s in found:
        assert s.last_on is None or (s.because or s.product_id, s.last_on) in history
        if s.kind == "again":
            assert s.times == seen[s.product_id] > 1
        else:
            assert seen[s.product_id] == 0
        assert (s.kind == "together") == (s.because in seen and s.because != "")


# --- on the record ----------------------------------------------------------------------


def test_cancelled_and_returned_goods_are_no_purchases(counter: Any) -> None:
    counter.sell("O-1", "m", DAY, "kettle")
    counter.sell("O-2", "m", DAY, "mug", status="cancelled")
    counter.sell("O-3", "m", DAY, "lamp", returned=1)
    with counter.database.read() as session:
        assert recommender.purchases(session) == [("m", "kettle", DAY)]


def test_what_was_sent_back_is_no_history_either(counter: Any) -> None:
    counter.sell("O-1", "m", DAY, "kettle")
    counter.sell("O-2", "m", DAY + timedelta(days=3), "mug")
    counter.sell("O-3", "m", DAY + timedelta(days=2), "lamp", returned=1)
    with counter.database.read() as session:
        assert recommender.history(session, "m") == [("mug", DAY + timedelta(days=3)), ("kettle", DAY)]


def test_purchases_until_a_day_leave_out_the_rest(counter: Any) -> None:
    counter.sell("O-1", "m", DAY, "kettle")
    counter.sell("O-2", "m", DAY + timedelta(days=1), "mug")
    with counter.database.read() as session:
        assert recommender.purchases(session, until=DAY) == [("m", "kettle", DAY)]


def test_planted_pairs_are_among_the_nearest_neighbours(shop: Any) -> None:
    with shop.database.read() as session:
        fitted = Recommender.fit(recommender.purchases(session), as_of=date(2026, 11, 22))
    ranks = [
        [name for name, _ in fitted.neighbours[product]].index(other) + 1 if other in dict(fitted.neighbours[product]) else 999
        for product, others in shop.truth.goes_with.items()
        if product in fitted.neighbours
        for other in others
    ]
    assert sum(rank <= 10 for rank in ranks) > 0.6 * len(ranks)
