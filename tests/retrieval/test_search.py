"""Does a question find what answers it, and only what the filters allow?"""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.desk import Desk
from retrieval.index import Index
from retrieval.search import Filters, Mode, Search, answers

MODES: list[Mode] = ["fused", "bm25", "vectors"]


def _ids(hits: list[Any]) -> list[str]:
    return [hit.entry.id for hit in hits]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("filters", "left"),
    [
        (Filters(most_cents=2500), {"P-2", "P-3"}),
        (Filters(most_cents=1500), {"P-3"}),
        (Filters(least_cents=4000), {"P-1", "P-4"}),
        (Filters(least_cents=2000, most_cents=3000), {"P-2"}),
        (Filters(in_stock=True), {"P-1", "P-3", "P-4", "P-5"}),
        (Filters(category="kitchen"), {"P-1", "P-2"}),
        (Filters(category="kitchen", in_stock=True, most_cents=5000), {"P-1"}),
        (Filters(without=("iron",)), {"P-2", "P-3", "P-4", "P-5"}),
        (Filters(without=("glass", "steel")), {"P-1", "P-4", "P-5"}),
        (Filters(without=("玻璃",)), {"P-1", "P-3", "P-4", "P-5"}),
        (Filters(category="nothing"), set()),
    ],
)
def test_filters_are_obeyed_in_every_mode(shelf: Search, mode: Mode, filters: Filters, left: set[str]) -> None:
    found = set(_ids(shelf("kettle for boiling water", kind="products", mode=mode, filters=filters, limit=10)))
    assert found <= left
    assert left & {"P-1", "P-2", "P-3"} <= found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("question", "best"), [("wool blanket", "P-4"), ("reading lamp", "P-5"), ("羊毛毯", "P-4"), ("iron kettle", "P-1")])
def test_the_thing_named_comes_first_in_every_mode(shelf: Search, mode: Mode, question: str, best: str) -> None:
    assert _ids(shelf(question, kind="products", mode=mode))[0] == best


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_index_finds_nothing(tmp_path: Path, letters: Any, mode: Mode) -> None:
    index = Index(tmp_path, letters)
    search = Search(index)
    assert search("kettle", kind="products", mode=mode) == []
    assert search.entry("products", "P-1") is None
    index.close()


@pytest.mark.parametrize("question", ["", "   ", "\n"])
def test_an_empty_question_finds_nothing(shelf: Search, question: str) -> None:
    assert shelf(question, kind="products") == []


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=30))
def test_any_question_is_survived_in_every_mode(shelf: Search, question: str) -> None:
    for mode in MODES:
        hits = shelf(question, kind="products", mode=mode, limit=3)
        assert len(hits) <= 3 and len(set(_ids(hits))) == len(hits)
        assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)


def test_the_same_question_gives_the_same_list(shelf: Search) -> None:
    assert shelf("kettle", kind="products") == shelf("kettle", kind="products")


def test_what_was_indexed_is_found_after_a_refresh(tmp_path: Path, letters: Any) -> None:
    from retrieval.documents import Entry

    index = Index(tmp_path, letters)
    search = Search(index)
    index.update("products", [Entry("P-9", {"en": "umbrella"}, {"en": "an umbrella"})])
    search.refresh()
    assert _ids(search("umbrella", kind="products")) == ["P-9"]
    index.update("products", [])
    search.refresh()
    assert search("umbrella", kind="products") == []
    index.close()


# --- on the packaged policy and the demo catalogue --------------------------------------


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("how long do I have to send something back", "returns.time-limits"),
        ("when does my refund arrive", "returns.when-the-refund-arrives"),
        ("do points expire", "points.when-points-expire"),
        ("can I pay in instalments", "payment.paying-in-instalments"),
        ("退货期限是多久", "returns.time-limits"),
        ("退款多久能到账", "returns.when-the-refund-arrives"),
        ("积分会过期吗", "points.when-points-expire"),
        ("可以分期付款吗", "payment.paying-in-instalments"),
        ("我的账户怎么注销退出会员", "leaving.how-to-leave"),
        ("优惠券可以叠加使用吗", "coupons.combining-coupons"),
        ("生日有什么礼物", "tiers.birthday-gift"),
    ],
)
def test_a_question_in_either_language_finds_its_passage(desk: Desk, question: str, passage: str) -> None:
    hits = desk.search(question, kind="policy", limit=3)
    assert hits[0].entry.id == passage
    assert answers(hits[0], question, "policy")


@pytest.mark.parametrize(
    "question",
    ["who won the football last night", "asdf qwer zxcv", "write me a poem about the sea", "昨晚的球赛谁赢了", "给我讲个笑话", "量子力学是什么"],
)
def test_the_policy_is_silent_on_what_it_does_not_cover(desk: Desk, question: str) -> None:
    assert [h.entry.id for h in desk.search(question, kind="policy", limit=3) if answers(h, question, "policy")] == []


@pytest.mark.parametrize("question", ["a used car", "flight to Tokyo", "asdf qwer", "二手汽车", "去东京的机票", "比特币"])
def test_the_shop_does_not_pretend_to_sell_what_it_has_not(desk: Desk, question: str) -> None:
    assert [h.entry.titles["en"] for h in desk.search(question, kind="products", limit=3) if answers(h, question, "products")] == []


@pytest.mark.parametrize(
    ("question", "word"), [("bamboo steamer", "Steamer"), ("竹蒸笼", "Steamer"), ("rice cooker", "Rice Cooker"), ("电饭煲", "Rice Cooker")]
)
def test_goods_are_found_by_name_in_either_language(desk: Desk, question: str, word: str) -> None:
    assert word in desk.search(question, kind="products")[0].entry.titles["en"]
