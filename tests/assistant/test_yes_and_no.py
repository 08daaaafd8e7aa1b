"""Is only an unambiguous yes a yes?

(How an approval waits and is used up: tests/members/test_approvals.py and tests/tools/test_write_approval.py.)
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.approvals import reads_as

YES = [
    "yes", "Yes.", "YES!!", "yes please", "Yeah", "yep, go ahead", "ok", "OK!", "okay, do it", "sure", "Sure, thanks", "go ahead", "please do",
    "do it", "confirm", "confirmed", "correct", "that's right", "sounds good", "of course", "absolutely", "yes, cancel it", "cancel it please",
    "I'm sure", "fine", "no problem, go ahead", "是", "是的", "对", "对的。", "好", "好的", "好的，谢谢", "好呀", "行", "可以", "可以的！", "确认", "确定", "同意", "没问题", "嗯",
    "嗯嗯", "取消吧", "确认取消", "就这样", "ｏｋ", "好，取消吧", "是的，确定", "对，就这样", "没问题，取消吧", "ok的", "yes do", "ok, do", "可以了", "行吧", "好了",
]  # fmt: skip
NO = [
    "no", "No.", "nope", "no thanks", "no, thank you", "don't", "stop", "wait", "never mind", "nevermind", "keep it", "leave it", "not now",
    "forget it", "hold on", "I changed my mind", "no, keep it", "better not", "不", "不要", "不用了", "不用，谢谢", "不了", "算了", "算了吧", "别", "先不", "先不要", "不取消",
    "别取消", "不行", "留着", "等等", "再想想", "不是", "不，谢谢", "不对",
]  # fmt: skip
NEITHER = [
    "yes but to my work address", "yes, but only the kettle", "yes and cancel the other one too", "ok but when do I get the money?",
    "sure, but what about my points", "yes no", "no yes", "yes, no", "ok wait", "yes, wait", "maybe", "I think so", "not sure", "I'm not sure",
    "I don't know", "what does that mean?", "how much do I get back?", "if I get the money back today, yes", "no problem with my order", "yesterday",
    "okra", "why not", "yes or no?", "yes?", "is it ok?", "can you do it?", "did you do it", "is that correct?", "are you sure?", "don't you dare",
    "cancel", "cancel O-20031", "the first one", "do not do it, yes?", "ok so no", "", "   ", "!!!", "?", "👍👎", "好的，但是寄到公司", "好的，但是…", "可以，不过先等等",
    "不是不行", "不是不可以", "好像不对", "好吗", "可以吗", "行不行", "是不是", "是吗", "确定吗", "要不要", "对了，我的积分呢", "好的那退款多久到", "不好说", "不一定", "取消另一单", "没问题吗", "我想想",
    "如果能马上退款就好", "可以再便宜点吗", "好贵", "行李箱有吗", "对不起", "中国",
]  # fmt: skip


@pytest.mark.parametrize("text", YES)
def test_a_plain_yes_is_a_yes(text: str) -> None:
    assert reads_as(text) == "yes"


@pytest.mark.parametrize("text", NO)
def test_a_plain_no_is_a_no(text: str) -> None:
    assert reads_as(text) == "no"


@pytest.mark.parametrize("text", NEITHER)
def test_anything_with_a_but_a_question_or_something_else_is_neither(text: str) -> None:
    # “yes?” asks rather than answers: asking once more costs a word, cancelling what was only wondered about costs an order.
    assert reads_as(text) is None


@pytest.mark.parametrize(
    ("tool", "text"),
    [
        ("audience_build", "对，存吧"),
        ("audience_build", "yes, save it"),
        ("create_campaign", "嗯，建"),
        ("create_campaign", "set it up"),
        ("send_campaign", "发吧"),
        ("send_campaign", "ok, send it out"),
    ],
)
def test_a_yes_may_name_what_its_card_does_and_nothing_else(tool: str, text: str) -> None:
    assert reads_as(text, tool) == "yes"
    assert reads_as(text, "erase_me") is None


@given(st.text(max_size=40))
def test_any_text_is_read_without_failing(text: str) -> None:
    assert reads_as(text) in ("yes", "no", None)


@given(st.sampled_from([*YES, *NO]), st.sampled_from(["", " ", "\n"]), st.sampled_from(["", ".", "!", " ", "。", "！", "~"]))
def test_room_and_marks_around_it_change_nothing(text: str, before: str, after: str) -> None:
    assert reads_as(f"{before}{text}{after}") == reads_as(text)


@given(st.sampled_from(YES), st.sampled_from(["but not that one", "但是先别", "unless it has shipped", "不过等一下", "to my office instead", "O-20031"]))
def test_a_yes_with_a_condition_is_never_a_yes(yes: str, rest: str) -> None:
    assert reads_as(f"{yes}, {rest}") != "yes"


@given(st.sampled_from(YES), st.sampled_from(NO))
def test_a_yes_and_a_no_together_are_never_a_yes(yes: str, no: str) -> None:
    assert reads_as(f"{yes}, {no}") != "yes"
    assert reads_as(f"{no}, {yes}") != "yes"


@given(st.lists(st.sampled_from(["please", "thanks", "thank you", "谢谢", "啊", "吧", "呀"]), min_size=1, max_size=4), st.sampled_from([" ", ", ", "", "，"]))
def test_politeness_alone_decides_nothing(words: list[str], between: str) -> None:
    assert reads_as(between.join(words)) is None
