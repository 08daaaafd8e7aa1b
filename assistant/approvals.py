"""Did the caller say yes?

Read by code from the caller's own message, never by a model: only a message
that is a yes or a no and nothing else counts.
"""

import re
from typing import Literal

from retrieval.words import normal

_YES_WORD = (
    r"(?:oh )?(?:yes|yeah|yep|yup|ye|aye|y|ok(?:的|吧)?|okay|no problem|no worries|sure|confirm(?:ed)?|correct|right|exactly|absolutely|definitely|certainly|of course|agreed|proceed|fine|all good|perfect|great)"
    r"|go ahead(?: and do (?:it|that|so))?|go for it|do (?:it|that|so)|please do|that'?s (?:right|fine|correct|it)|sounds good|i confirm|i'?m sure|i am"
    r"|let'?s do it|works for me|go on(?: then)?|carry on|right then|please|thanks|thank you|thx|pls"
    r"|(?:yes|ok|okay|sure),? do|是的?|对的?|好[的呀吧了]?|行[的吧]?|可以[的了吧]?|确认|确定|同意|没问题|没错|嗯+|办吧|就这样|就这么办|麻烦了|谢谢|要的|中|就好|吧|啊|呀"
)
# Said of a cancellation these agree; said of anything else they call it off.
_CANCEL_WORD = r"go ahead and cancel(?: it)?|please cancel(?: it)?|cancel(?: it| that)?|get rid(?: of it)?|取消[吧就好了]*"
_NO_WORD = (
    r"no|nope|nah|n|don'?t|do not|no thanks|no thank you|stop|wait|never ?mind|keep it|leave it(?: as it is)?|not now|forget it|cancel that|hold on|hang on|i'?ll (?:stay|pass|wait|keep (?:it|them)|leave it)|let me (?:think|check)(?: about it| first)?|maybe later|later|i changed my mind|changed my mind|better not|rather not|thanks|thank you"
    r"|不|不要了?|不用了?|不了|别|算了|先不要?|先别|不取消了?|别取消|不行|否|先?留着吧?|等等|等一下|停|我?再想想|不是|不对|暂时不用|谢谢|吧"
)
# What agrees to one kind of card by naming its act.
_SWAP = r"(?:swap|change|exchange|switch)(?: it| them)?|[换改]吧|[换改]了吧"
_OWN_WORDS = {
    "return_items": r"(?:send|return) (?:it|them|that)(?: back)?|退吧?|退了吧",
    "exchange_items": _SWAP + "|换",
    "change_order_items": _SWAP + "|[换改]",
    "change_order_payment": _SWAP + "|[换改]",
    "change_order_address": _SWAP + "|send it there|改",
    "change_default_address": _SWAP + "|改",
    "change_language": _SWAP + "|[换改]",
    "erase_me": r"(?:delete|close|erase) (?:it|my account|everything)|注销吧?|删了?吧?",
    "keep_account": r"keep (?:it|my account)|留下?吧?|保留吧?",
    "receive_return": r"book (?:it|them)(?: in)?|登记吧?",
    "adjust_points": r"book (?:it|them)|add them|入账吧?|加吧",
    "redeem_points": r"use (?:them|it)|redeem (?:them|it)|[抵用换]吧",
    "apply_coupon": r"use it|apply it|用吧",
    "audience_build": r"(?:save|keep) (?:it|them|that)|存吧?|存了吧?|保存吧?|存起来吧?",
    "create_campaign": r"set (?:it|that) up|(?:create|make) it|建吧?|建了吧?|创建吧?",
    "send_campaign": r"(?:send|launch) (?:it|them)(?: out| now)?|发吧?|发了吧?|发出去吧?|发送吧?",
    "adopt_policy": r"(?:adopt|propose) it|put it forward|提交吧?|采用吧?",
    "change_consent": r"(?:stop|set) (?:it|them)|[停关设]吧|关掉吧?",
}
# Words that only go along: they say nothing by themselves.
_POLITE = re.compile(r"(?:(?:please|thanks|thank you|thx|pls|谢谢|麻烦了|吧|啊|呀|i am|cancel) ?)+", re.IGNORECASE)
_ALL = re.compile(
    r"(?:(?:yes|yeah|ok|okay|sure|please|do|confirm|是的?|好的?|对|确认|确定|可以)[ ,，]*)*(?:(?:to )?(?:both|all)(?: of (?:them|these))?|两个都(?:要|行|办|确认|可以)?|都(?:要|行|办|确认|可以|好|办了?吧)|全部?(?:确认|都办))(?: please| thanks|吧|谢谢)?"
)


def reads_as(text: str, tool: str = "cancel_order") -> Literal["yes", "no"] | None:
    """`yes` or `no` to a card of that tool when the message is unambiguously that, else None."""
    bare = re.sub(r"[\s,，.。!！、~～…;；]+", " ", normal(text)).strip()
    if "不是不" in bare:
        # “It is not that it may not” agrees to nothing.
        return None
    bare_tool = tool.removesuffix("_for_member")
    own = _OWN_WORDS.get(bare_tool)
    if own and re.fullmatch(rf"(?:(?:{_YES_WORD}) ?)*(?:{own})(?: ?(?:{_YES_WORD}))*", bare):
        return "yes"
    cancels = tool.startswith("cancel_order")
    if not bare or (_POLITE.fullmatch(bare) and (cancels or "cancel" not in bare)):
        return None
    yes, no = (f"{_YES_WORD}|{_CANCEL_WORD}", _NO_WORD) if cancels else (_YES_WORD, f"{_NO_WORD}|{_CANCEL_WORD}")
    if re.fullmatch(rf"(?:{no})(?: ?(?:{no}))*(?: ?(?:thanks|thank you|谢谢|吧|了))*", bare):
        return "no"
    return "yes" if re.fullmatch(rf"(?:{yes})(?: ?(?:{yes}))*", bare) else None


_TAKES_BACK = re.compile(
    r"\s*(?:no|nope|not that|not this|wrong|that'?s (?:wrong|not right)|i meant?|i said)\b(?! problem| worries| need)|\s*(?:不是|不对|错了|不要这|搞错|我是说|我说的是)",
    re.IGNORECASE,
)


def takes_back(text: str) -> bool:
    """Whether a message turns down what waits and goes on: “no, the other one”, 不是这单."""
    return _TAKES_BACK.match(normal(text)) is not None


def means_all(text: str) -> bool:
    """Whether a message says yes to every card that waits: “yes to both”, 都办吧."""
    bare = re.sub(r"[\s,，.。!！、~～…;；]+", " ", normal(text)).strip()
    return _ALL.fullmatch(bare) is not None
