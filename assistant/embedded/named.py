"""What do the words of a request name that only a record could make exact?

Articles, wanted options, ways to pay, codes and people, each in the words of the
message: what a proposal carries where there is no order to match them against.
"""

import re
from typing import Any

from assistant.embedded import places, wish
from assistant.embedded.service import _code_like, _points_named
from assistant.embedded.turn import Turn
from retrieval.words import has_han
from tools.gateway import FOR_MEMBER

# What each tool's call says beside or instead of its own parameters: our name of it.
_SAYS: dict[str, tuple[str, ...]] = {
    "return_items": ("order_id", "product", "refund_to"),
    "exchange_items": ("order_id", "product", "new_option", "method_id"),
    "change_order_items": ("order_id", "product", "new_option", "method_id"),
    "cancel_order": ("order_id", "product"),
    "change_order_address": ("order_id", "product", "place"),
    "change_order_payment": ("order_id", "product", "method_id"),
    "apply_coupon": ("order_id", "code", "product", "amount", "percent"),
    "my_coupons": ("code", "product", "amount", "percent"),
    "best_coupon": ("order_id", "code", "product", "amount", "percent"),
    "redeem_points": ("order_id", "points", "amount"),
    "adjust_points": ("points",),
    "transfer_points": ("points", "to"),
    "export_my_data": ("period", "channel"),
    "file_complaint": ("order_id", "product"),
    "talk_to_person": ("order_id", "channel"),
    "points": ("order_id", "period"),
}
_METHOD = re.compile(
    r"pay ?pal|apple pay|google pay|alipay|klarna|gift ?cards?|(?:the |my |a |his |her )?(?:visa|mastercard|amex|(?:debit|credit) card)|card\s+end(?:ing|s)(?: in)? \d{4}|ending(?: in)? \d{4}|(?:my|the|a|her|his) (?:other |new |old )?card\b|"
    r"支付宝|微信支付|微信|贝宝|礼品卡|信用卡|储蓄卡|银行卡|花呗|尾号\s*\d{4}(?:的卡)?|(?:新|旧|另一?张|那张)卡|原路",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"(?<![\w#-])(?:(?:code|coupon|voucher|promo|券码?|码|优惠码)\s*(?:is|是|:|：)?\s*([a-z][a-z0-9-]*\d[a-z0-9-]*)|(v-[a-z0-9]{4,6}|[a-z]{3,12}\d{1,3}))(?![\w-])",
    re.I | re.A,
)
_NO_GOODS = frozenset(
    "order orders parcel package address card refund return exchange one ones thing things item items wrong same other account money points point voucher coupon coupons code total "
    "way whole lot size colour color rest member customer club shop store checkout basket time day week month delivery post receipt bank payment method email phone website app email "
    "first second third last latest new old next previous right left best minute moment door house flat morning afternoon evening night policy deal stuff everything all".split()
)
_ARTICLE_EN = re.compile(
    r"\b(?:the|my|a|an|this|that|these|those|both|two|three|four|her|his|their|one of (?:the|my))\s+((?:[a-z][\w'-]*\s+){0,3}?[a-z][\w'-]*)"
    r"(?=\s*(?:$|[.,;:!?()]|\b(?:i|we|to|for|from|in|on|of|with|and|but|into|is|was|are|were|as|at|back|please|pls|it|they|that|which|who|instead|order|because|by|has|have|had|came|arrived|before|after|doesn't|won't|isn't|keep|stopped|yesterday|today|now|last|you|off|out|the|a|my|than|or|so|if|when|just|this|again|can|could)\b))"
)
_BARE_EN = re.compile(
    r"^(?:wrong |size )?((?!i\b|it|this|that|they|what|how|who|where|order|there)[a-z]{3,}(?: [a-z]{3,})?) (?:came|arrived|is|are|don't|doesn't|broke|broken|too|stopped|for the|turned up)\b|"
    r"\b(?:return|returning|exchange|swap|swapping|cancel|send back|sending back)\s+((?!the|my|it|this|that|for|an?|order|all|one|and|please|these|those|everything|me|on|in|from|policy|please)[a-z]{3,})\b"
)
_OPENING = re.compile(r"^(?:(?:new|wrong|same|whole|entire|other|two|three|four|pair of|set of|box of|pack of)\s+)+")
_OPTION_EN = re.compile(
    r"\b(?:(?:for|to|into|want|need|take|make (?:it|that|them)|prefer|rather have|be|get|gimme|send)\s+(?:me\s+)?(?:(?:it|them|that|those)\s+(?:in|to)\s+)?(?:a|an|the|one in|some)?|(?:come|have it|get it|available) in)\s+"
    r"((?:size\s+\w+|(?:one |two |half a )?sizes? (?:up|down|bigger|smaller)|[\w-]+(?:\s+[\w-]+)?))(?=\s*(?:$|[.,;:!?]|\b(?:one|ones|version|instead|please|pls|not|if|and|but|rather|thanks|on|in|from|for)\b))"
)
_SHORT_EN = re.compile(r"^(?:no,?\s+|actually,?\s+)?(?:the|an?|in)\s+([\w-]+)(?:\s+(?:one|ones|version))?\s*(?:please)?[.!]?$")
_OPTION_ZH = re.compile(
    r"(?:换成?|改成?|换为|要|拿|想要|调成)(?:一?[个件双条罐盒]|个)?((?!货|掉|退|一下|地址|支付|了|钱|求|怎)[^，。,.！!？?\s的了吧吗呢换退]{1,6})(?:的|吧|了|吗|可以|行|$|[，。,.！!？?\s])"
)
_ARTICLE_ZH = re.compile(
    r"(?:把|买的|订的|退掉?|换掉?|取消|那[个件双条把台款套只本盏张]|这[个件双条把台款套只本盏张]|我的|里的)(?:我|那|这|一|两|三)*[个件双条把台款套只本盏张单]?(?:买的|订的)?"
    r"(?:[^，。的]{1,3}色的|[大中小]号的)?((?!货|款|钱|换|单|号|订单|地址|卡|支付|尺码|大小|大一|小一|成|到|掉|一下|的|了|吧|吗|还|能|想|要)[^，。,.！!？?、\s的了吧吗呢把给换退改从\dA-Za-z]{1,6}?)(?=退|换|改|取消|太|有|坏|不|的|了|那|吧|吗|还|从|要|想|都|收|到|是|可以|能|，|。|,|!|！|？|\?|\s|$|[A-Z\d])"
)
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤欧阳"
_PERSON_ZH = re.compile(
    rf"(?:^|[，,。：:；\s（(]|帮|给|替|客户|会员|顾客|用户|叫|为|把|按|她|他|是|转)((?:欧阳|[{_SURNAMES}])[\u4e00-\u9fff]{{1,2}}?)(?=$|[，,。：:；\s）)的要说想把从申请退换取改付那这她他先女账来打下买在兑用加补扣送积订单单O-])"
)
_PERSON_EN = re.compile(r"\b([A-Z][a-z]+(?:[-'’][A-Z]?[a-z]+)?\s+(?:Mc|Mac|O['’])?[A-Z][a-z]+(?:-[A-Z][a-z]+)?)\b")
_NOT_PEOPLE = frozenset(
    "Please Can Could Customer Member Return Cancel Exchange Change Move Swap Apply Add Take Book Order Put Give Refund Gift Apple Google Log Hi Hello Dear For New The My".split()
)


def completed(tool: str, arguments: dict[str, Any], turn: Turn) -> dict[str, Any]:
    """A call's arguments with what else the words name; its own stay as they are, unless nothing told them."""
    found = dict(arguments)
    bare = tool.removesuffix(FOR_MEMBER)
    says = _SAYS.get(bare, ())
    if "why" in turn.schemas.get(tool, {}).get("properties", {}):
        found["who"] = _person(turn, str(found.get("who", "")))
    if bare == "redeem_points" and "amount" in says and turn.slots.amounts and _points_named(turn) is None:
        # How many points an amount costs is the shop's to say.
        found.pop("points", None)
    for name in says:
        if name == "place":
            found |= {key: value for key, value in (_place(turn) or {}).items() if value}
        elif found.get(name) in (None, "", []) or str(found[name]).startswith("unknown:"):
            found[name] = _read(name, turn) or found.get(name)
    if found.get("order_id") and not str(found["order_id"]).startswith("unknown:") and bare not in _OF_ARTICLES:
        found.pop("product", None)
    return {name: value for name, value in found.items() if value not in (None, "", [])}


_OF_ARTICLES = ("return_items", "exchange_items", "change_order_items", "file_complaint")


def _read(name: str, turn: Turn) -> Any:
    """One thing the words name; the newest of what was said of the request counts."""
    lines = list(reversed(turn.said or (turn.text,)))
    slots = turn.slots
    if name in _OF_LINES:
        return next((value for line in lines if (value := _OF_LINES[name](line))), None)
    typed = {
        "order_id": slots.order_ids[0] if slots.order_ids else None,
        "amount": slots.amounts[0] if slots.amounts and not _points_named(turn) else None,
        "percent": slots.percent,
        "points": _points_named(turn),
        "channel": slots.channel,
        "period": {"since": slots.past.start.isoformat(), "until": min(slots.past.end, turn.today).isoformat()} if slots.past else None,
        "to": slots.member_ids[0] if slots.member_ids else person(turn.text),
    }
    return typed[name]


def product(text: str) -> str:
    """The article a request names, in its own words; empty when it names none."""
    if has_han(text):
        found = _ARTICLE_ZH.search(re.sub(r"O-\d+", " ", text))
        return found[1] if found else ""
    text = re.sub(r"\b(?:o-|#?w)\d+", " ", text.lower()).strip(" ,.:")
    for hit in [*_ARTICLE_EN.finditer(text), *_BARE_EN.finditer(text)]:
        words = _OPENING.sub("", next(group for group in hit.groups() if group)).strip()
        if words and words.split()[-1] not in _NO_GOODS and not re.search(r"\d", words):
            return words
    return ""


def option(text: str) -> str:
    """What should come instead, in the words of the message."""
    if has_han(text):
        hits = _OPTION_ZH.findall(text)
        return str(hits[-1]) if hits else ""
    kept = [hit[1].strip() for hit in _OPTION_EN.finditer(text.lower())]
    if not kept and len(text) < 25 and (short := _SHORT_EN.search(text.lower())):
        # “The blue one”, said of an article named before.
        kept = [short[1]]
    kept = [
        re.sub(r"^(?:a|an|the)\s+", "", words) for words in kept if words.split()[-1] not in _NO_GOODS and words not in ("me", "it", "you", "swap", "change")
    ]
    return kept[-1] if kept else ""


def method(text: str) -> str:
    """A way to pay, as it is called."""
    found = _METHOD.search(text)
    return re.sub(r"^(?:the|my|a|her|his)\s+", "", found.group().strip(), flags=re.IGNORECASE) if found else ""


def code(text: str) -> str:
    """A coupon's code, in capitals."""
    written = _code_like(text)
    found = _CODE.search(text)
    return written[0] if written else (found[1] or found[2]).upper() if found else ""


def person(text: str) -> str:
    """The name of somebody, first name and surname."""
    if has_han(text):
        found = _PERSON_ZH.search(text)
        if found:
            return found[1]
    names = [name for name in _PERSON_EN.findall(text) if name.split()[0] not in _NOT_PEOPLE]
    return names[0] if names else ""


_OF_LINES = {"product": product, "new_option": option, "method_id": method, "refund_to": method, "code": code}


def _person(turn: Turn, who: str) -> str:
    """Whom staff mean: an id, else a name written as one, else what the story read."""
    named = turn.slots.member_ids or turn.slots.emails
    name = next((found for line in reversed(turn.said or (turn.text,)) if (found := person(line))), "")
    if named or (who in turn.slots.phones and who):
        return named[0] if named else who
    return name or (who if who in turn.slots.order_ids or wish.means_somebody(turn.text) or who == turn.focus("member_id") else "")


def _place(turn: Turn) -> dict[str, str] | None:
    return next((found for line in reversed(turn.said or (turn.text,)) if (found := places.read(line))), None)
