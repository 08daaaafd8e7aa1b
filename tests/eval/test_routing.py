"""Is what the router reads, and what it would call, measured and written as said?"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import prompts
from assistant.embedded.model import EmbeddedModel
from assistant.embedded.propose import Proposal, propose, sells
from assistant.embedded.router import Router
from eval import (
    proposals,
    routing,
    worlds,  # noqa: F401  (declares the tools)
)
from members.access import Role
from members.errors import BadInput
from retrieval.embed import Vectors


class NoVectors:
    """Vectors that say nothing."""

    reads_chinese = False

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Zeros."""
        return np.zeros((len(texts), 2), np.float32)


@pytest.fixture(scope="module")
def model() -> EmbeddedModel:
    """A model learned from the words alone."""
    rows = [(text, label) for label, found in prompts.examples().items() for _, _, text in found]
    return EmbeddedModel(router=Router(NoVectors()).fit(rows), embed=NoVectors(), sells=sells, names=lambda _: False)


def talk(model: EmbeddedModel, role: Role, *texts: str) -> list[Proposal]:
    """The proposals of a conversation, turn by turn."""
    found: list[Proposal] = []
    for text in texts:
        history = [message for one in found for message in one.messages]
        found.append(propose(model, text, role, history=history, today=routing.DAY))
    return found


def one(model: EmbeddedModel, role: Role, *texts: str) -> dict[str, Any]:
    """The only call of the last turn."""
    (call,) = talk(model, role, *texts)[-1].calls
    return call


@pytest.mark.parametrize(
    ("role", "text", "tool", "arguments"),
    [
        ("member", "cancel my order", "cancel_order", {}),
        ("member", "我要退货", "return_items", {}),
        ("member", "return the kettle from O-20031", "return_items", {"order_id": "O-20031", "product": "kettle"}),
        ("member", "apply TEA5 to my order", "apply_coupon", {"code": "TEA5"}),
        ("member", "pay O-20031 with paypal instead", "change_order_payment", {"order_id": "O-20031", "method_id": "paypal"}),
        ("member", "When are my points going to expire?", "points", {"aspect": "expiring"}),
        ("support", "帮王磊把O-20450取消", "cancel_order_for_member", {"who": "王磊", "order_id": "O-20450"}),
        ("marketer", "how many gold members in London", "audience_count", {"tiers": ["gold"], "cities": ["London"]}),
    ],
)
def test_the_intended_call_comes_out_with_what_the_words_give(model: EmbeddedModel, role: str, text: str, tool: str, arguments: dict[str, Any]) -> None:
    assert one(model, Role(role), text) == {"tool": tool, "arguments": arguments}


@pytest.mark.parametrize("text", ["hello", "你好", "tell me a joke", "thanks a lot", "how many points does my wife's account have"])
def test_what_is_not_to_be_done_proposes_nothing(model: EmbeddedModel, text: str) -> None:
    assert talk(model, Role.MEMBER, text)[0].calls == []


def test_several_requests_are_several_calls_in_their_order(model: EmbeddedModel) -> None:
    found = talk(model, Role.MEMBER, "cancel O-20031 and where is O-20032?")[0].calls
    assert [(call["tool"], call["arguments"]["order_id"]) for call in found] == [("cancel_order", "O-20031"), ("order_status", "O-20032")]


@pytest.mark.parametrize(
    ("role", "texts", "tool", "arguments"),
    [
        ("member", ["where is O-20031", "please cancel it"], "cancel_order", {"order_id": "O-20031"}),
        ("member", ["cancel my order", "O-20031"], "cancel_order", {"order_id": "O-20031"}),
        ("member", ["cancel order O-20031", "yes"], "cancel_order", {"order_id": "O-20031"}),
        ("member", ["cancel order O-20031", "no, O-20032 instead", "yes"], "cancel_order", {"order_id": "O-20032"}),
        ("member", ["show my orders", "the second one"], "order_status", {}),
        ("support", ["how is Li Na doing", "show me her orders"], "member_orders", {"who": "Li Na"}),
    ],
)
def test_a_turn_is_read_after_the_earlier_ones(model: EmbeddedModel, role: str, texts: list[str], tool: str, arguments: dict[str, Any]) -> None:
    assert one(model, Role(role), *texts) == {"tool": tool, "arguments": arguments}


def test_a_bad_line_is_reported_by_number_and_the_others_are_answered(model: EmbeddedModel, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"id": 7, "role": "member", "text": "cancel order O-20031"}\n\n{broken\n[1]\n{"id": 8, "role": "boss", "text": "hi"}\n')
    answered, wrong = [], []
    for number, record in proposals.lines(path):
        if isinstance(record, BadInput):
            wrong.append(str(record))
            continue
        try:
            answered.append(proposals.of_message(model, record, number))
        except BadInput as error:
            wrong.append(str(error))
    assert [(a["id"], a["language"], a["calls"]) for a in answered] == [(7, "en", [{"tool": "cancel_order", "arguments": {"order_id": "O-20031"}}])]
    assert [text.split(":")[0] for text in wrong] == ["line 3", "line 4", "line 5"]


def test_only_the_persons_turns_of_a_dialogue_are_read(model: EmbeddedModel) -> None:
    told = [{"role": "member", "text": "where is O-20031"}, {"speaker": "assistant", "text": "cancel everything"}, {"text": "please cancel it"}]
    found = proposals.of_dialogue(model, {"id": "d", "role": "member", "turns": told}, 1)
    plain = proposals.of_dialogue(model, {"id": "d", "role": "member", "turns": ["where is O-20031", "please cancel it"]}, 1)
    assert found == plain and [turn["calls"][0]["tool"] for turn in found["turns"]] == ["order_status", "cancel_order"]
    assert json.loads(json.dumps(found)) == found


def test_arguments_are_compared_under_the_sets_keys() -> None:
    assert routing.in_words("adjust_points", {"who": "Li Na", "points": -50, "why": "x"}) == {"points": -50, "member": "Li Na"}
    assert routing.in_words("cancel_order_for_member", {"who": "O-1"}) == {"order_id": "O-1"}
    assert routing.in_words("member_orders", {"since": "a", "until": "b", "limit": 3}) == {"period": {"since": "a", "until": "b"}}
    assert routing._pairs({"points": -50, "order_id": "20031", "product": "the mugs"}) == [("points", "50"), ("order_id", "o-20031"), ("product", "mug")]


def test_a_csv_of_any_labels_is_learned(tmp_path: Path) -> None:
    train, test = tmp_path / "a.csv", tmp_path / "b.csv"
    train.write_text("text,label\n" + "".join(f"my card is lost {n},lost\nwhat is the fee {n},fee\n" for n in range(6)))
    test.write_text('label,text\nlost,"oh, my card is lost"\nfee,a fee\n')
    found = routing.classified(NoVectors(), train, test)
    assert (found["accuracy"], found["macro F1"], found["labels"]) == (1.0, 1.0, 2)
    test.write_text("text,label\nfine,fee\n,fee\n")
    with pytest.raises(BadInput, match="line 3"):
        routing.read_csv(test)
