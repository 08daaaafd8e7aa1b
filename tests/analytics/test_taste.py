"""Is a taste built event by event the taste of all events at once?"""

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.taste import HALF_LIFE_DAYS, WEIGHTS, of_events, packed, unpacked

START = datetime(2026, 1, 1)
EVENT = st.tuples(
    st.sampled_from(sorted(WEIGHTS)),
    st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    st.integers(0, 400 * 24).map(lambda hours: START + timedelta(hours=hours)),
)


@given(st.lists(EVENT, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_one_at_a_time_in_any_order_is_all_at_once(events: list, chance) -> None:  # type: ignore[type-arg, no-untyped-def]
    whole = of_events(events)
    assert whole is not None
    mixed = list(events)
    chance.shuffle(mixed)
    taste = of_events(mixed[:1])
    assert taste is not None
    for kind, vector, at in mixed[1:]:
        taste = taste.seen(kind, vector, at)
    assert taste.at == whole.at and taste.weight == pytest.approx(whole.weight)
    np.testing.assert_allclose(taste.mean, whole.mean, atol=1e-9)


def test_what_lies_a_half_life_back_counts_half() -> None:
    taste = of_events([("view", [1.0, 0.0], START), ("view", [0.0, 1.0], START + timedelta(days=HALF_LIFE_DAYS))])
    assert taste is not None
    np.testing.assert_allclose(taste.mean, [1 / 3, 2 / 3])


def test_buying_says_more_than_looking() -> None:
    taste = of_events([("view", [1.0, 0.0], START), ("order", [0.0, 1.0], START)])
    assert taste is not None
    assert taste.mean[1] == pytest.approx(3 * taste.mean[0])


def test_nothing_is_no_taste_and_a_kept_one_comes_back() -> None:
    assert of_events([]) is None
    taste = of_events([("order", [0.25, -0.5], START)])
    assert taste is not None
    back = unpacked(packed(taste), taste.weight, taste.at)
    np.testing.assert_allclose(back.mean, taste.mean)
