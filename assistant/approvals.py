"""Did the caller say yes?

Read by code from the caller's own message, never by a model: only a message
that is a yes or a no and nothing else counts.
"""

import re
from typing import Literal

from retrieval.words import normal

_YES = re.compile(
    r"(?:(?:oh\s+)?(?:yes|yeah|yep|yup|ye|aye|y|ok|okay|sure|confirm(?:ed)?|correct|right|exactly|absolutely|definitely|certainly|of course|go ahead|go for it|do it|please do|yes please|that'?s (?:right|fine|correct|it)|sounds good|fine|agreed|proceed|"
    r"cancel it|please cancel(?: it)?|yes cancel(?: it)?|i confirm|i'?m sure|all good|let'?s do it|works for me)"
    r"|是|是的|对|对的|好|好的|好呀|好吧|行|行的|可以|可以的|确认|确定|同意|没问题|没错|嗯|嗯嗯|ok的|办吧|取消吧|确认取消|确定取消|就这样|就这么办|麻烦了|好的谢谢|是的谢谢|对就这样|没错就是它|要的|中)"
    r"(?:\s*[,，]?\s*(?:please|thanks|thank you|thx|pls|do it|go ahead|cancel it|i am|i'm sure|谢谢|麻烦了|取消吧|确定|确认|好的|吧|的|啊|呀))*"
)
_NO = re.compile(
    r"(?:no|nope|nah|n|don'?t|do not|no thanks|no thank you|stop|wait|never ?mind|keep it|leave it|not now|forget it|cancel that|hold on|i changed my mind|changed my mind|better not|rather not|"
    r"不|不要|不用|不用了|不了|别|算了|先不|先别|不取消|不取消了|别取消|不行|否|留着|先留着|等等|等一下|停|再想想|我再想想|不是|不对|暂时不用)"
    r"(?:\s*[,，]?\s*(?:thanks|thank you|please|don'?t|keep it|leave it|谢谢|了|吧|算了|先留着|留着吧|不要了))*"
)


def reads_as(text: str) -> Literal["yes", "no"] | None:
    """`yes` or `no` when the message is unambiguously that, else None."""
    bare = re.sub(r"[\s.!。！~～…]+$", "", normal(text).strip())
    bare = re.sub(r"[,，.。!！、]+", ",", bare)
    bare = re.sub(r"\s+", " ", bare)
    if _NO.fullmatch(bare):
        return "no"
    return "yes" if _YES.fullmatch(bare) or all(_YES.fullmatch(part.strip()) for part in bare.split(",") if part.strip()) and bare else None
