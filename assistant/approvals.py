"""Did the caller say yes?

Read by code from the caller's own message, never by a model: only a message
that is a yes or a no and nothing else counts.
"""

import re
from typing import Literal

from retrieval.words import normal

_YES_WORD = (
    r"(?:oh )?(?:yes|yeah|yep|yup|ye|aye|y|ok(?:的|吧)?|okay|no problem|no worries|sure|confirm(?:ed)?|correct|right|exactly|absolutely|definitely|certainly|of course|agreed|proceed|fine|all good)"
    r"|go ahead(?: and (?:do (?:it|that|so)|cancel(?: it)?))?|go for it|do (?:it|that|so)|please do|that'?s (?:right|fine|correct|it)|sounds good|cancel it|please cancel(?: it)?|i confirm|i'?m sure|i am"
    r"|let'?s do it|works for me|get rid(?: of it)?|please|thanks|thank you|thx|pls|cancel"
    r"|是的?|对的?|好[的呀吧]?|行的?|可以的?|确认|确定|同意|没问题|没错|嗯+|办吧|取消[吧就好了]*|就这样|就这么办|麻烦了|谢谢|要的|中|就好|吧|啊|呀"
)
_NO_WORD = (
    r"no|nope|nah|n|don'?t|do not|no thanks|no thank you|stop|wait|never ?mind|keep it|leave it(?: as it is)?|not now|forget it|cancel that|hold on|i changed my mind|changed my mind|better not|rather not|thanks|thank you"
    r"|不|不要了?|不用了?|不了|别|算了|先不要?|先别|不取消了?|别取消|不行|否|先?留着吧?|等等|等一下|停|我?再想想|不是|不对|暂时不用|谢谢|吧"
)
# Words that only go along: they say nothing by themselves.
_POLITE = re.compile(r"(?:(?:please|thanks|thank you|thx|pls|谢谢|麻烦了|吧|啊|呀|i am|cancel) ?)+", re.IGNORECASE)
_YES, _NO = re.compile(rf"(?:{_YES_WORD})(?: ?(?:{_YES_WORD}))*"), re.compile(rf"(?:{_NO_WORD})(?: (?:{_NO_WORD}))*(?: ?(?:thanks|thank you|谢谢|吧|了))*")


def reads_as(text: str) -> Literal["yes", "no"] | None:
    """`yes` or `no` when the message is unambiguously that, else None."""
    bare = re.sub(r"[\s,，.。!！、~～…;；]+", " ", normal(text)).strip()
    if not bare or _POLITE.fullmatch(bare):
        return None
    if _NO.fullmatch(bare):
        return "no"
    return "yes" if _YES.fullmatch(bare) else None
