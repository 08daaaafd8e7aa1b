"""What does a search sentence ask for?

Reads price limits, exclusions and for whom it is out of a sentence in English
or Chinese, and leaves the words of the thing itself. Knows nothing of the
catalogue: amounts are in the shop's own currency, whatever sign stands by them.
"""

import re
from dataclasses import dataclass, replace

from retrieval.filters import Filters
from retrieval.numbers import EN_NUMERAL, ZH_NUMERAL, chinese, english
from retrieval.words import normal

# “About 90” takes what costs a quarter less or more.
_ABOUT = 0.25
_SIGN = r"(?:hk\$|us\$|£|\$|¥|€|gbp|usd|rmb|cny|eur)\s*"
_UNIT = r"\s*(?:pounds?|quid|dollars?|bucks|euros?|yuan|gbp|usd|rmb|cny|eur|p\b|块钱|块|元|英镑|镑|欧元|美元|美金|港币|刀|人民币)"
_NUMBER = rf"(?:\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?k?|{ZH_NUMERAL}|{EN_NUMERAL})"
# A number of days, years, centimetres or people is no price.
_MEASURE = r"(?![\d.,]*\d)(?!s\b)(?!\s*-?\s*(?:days?|weeks?|months?|years?|yrs?|hours?|minutes?|cm|mm|m|in|inch|inches|ft|feet|ml|l|litres?|liters?|kg|g|grams?|oz|lbs?|w|watts?|mah|hz|gb|tb|pieces?|pcs|people|persons?|players?)\b)(?!\s*(?:天|周|个?月|年|岁|小时|分钟|厘米|毫米|米|寸|英寸|斤|公斤|克|毫升|升|瓦|人|个|件|只|双|片|%))"
_AMOUNT = rf"(?:{_SIGN})?({_NUMBER}){_UNIT}?{_MEASURE}"
_AMOUNT_BEFORE = rf"(?<![\w.])(?<!ages )(?<!aged )(?<!age )(?<!size )(?:{_SIGN})?({_NUMBER}){_UNIT}?\s*"
_PRICED = r"(?:价格|价位|预算|price[ds]?\s*|costs?\s*|costing\s*)?(?:在)?\s*"

_BETWEEN = re.compile(
    rf"{_PRICED}(?P<told>\bbetween\s+|\bfrom\s+)?(?P<sign>{_SIGN})?(?<![\w.])(?P<low>{_NUMBER})(?P<unit>{_UNIT})?\s*(?:-|–|—|~|\bto\b|\band\b|到|至)\s*"
    rf"(?P<sign2>{_SIGN})?(?P<high>{_NUMBER})(?P<unit2>{_UNIT})?{_MEASURE}\s*(?P<amid>之间)?(?:的)?",
    re.IGNORECASE,
)
_LEADING = {
    "most": r"(?:\b(?:for\s+)?(?:under|below|less than|up to|max(?:imum)?(?: of)?|at most|(?:no|not) more than|not (?:over|above)|within|cheaper than|(?:my |with a )?budget(?: of| is|:)?)|<=?|不超过|别超过|不要超过|不高于|不到|低于|少于|最多|小于|预算是?|控制在)\s*(?:about\s*|大概|大约)?",
    "least": r"(?:\b(?:over|above|more than|at least|(?:no|not) less than|minimum(?: of)?|starting (?:at|from)|upwards of)|>=?|超过|高于|至少|不低于|大于|最少|起码)\s*",
    "about": r"(?:\b(?:about|around|roughly|approximately|approx\.?|circa|priced at|for)\s+|大概|大约|差不多)\s*",
}
_TRAILING = {
    "most": r"(?:(?:or|and) (?:less|under|below|cheaper)\b|max(?:imum)?\b|tops\b|at most\b|以内|以下|之内|之下|内(?![容衣裤存])|封顶)(?:的)?",
    "least": r"(?:(?:or|and) (?:more|up|above|over)\b|以上|起(?![子来])|往上)(?:的)?",
    "about": r"(?:左右|上下|or so\b)(?:的)?",
}
_BOUNDS = [
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind in ("most", "least", "about")
    for pattern in (
        _PRICED + _LEADING[kind] + (_AMOUNT if kind != "about" else rf"(?=\S*\s?(?:{_SIGN}|\d+{_UNIT}|{ZH_NUMERAL}{_UNIT})|{_SIGN}){_AMOUNT}"),
        _PRICED + _AMOUNT_BEFORE + _TRAILING[kind],
    )
]

_WORD = r"[a-z][a-z'-]*"
_LIST = rf"{_WORD}(?:(?:,?\s+(?:or|and|nor)\s+|,\s*(?=\w+\s*(?:,|or\b)))(?:any\s+|in\s+)?{_WORD})*"
_NOT_EN = re.compile(
    r"(?:[,;]?\s*\b(?:but|and|that|which|thats|that's)\s+)*(?:\b(?:is|are)\s+)?"
    r"(?:\b(?:not|isn't|isnt|aren't|arent|never)\s+(?:made\s+(?:of|from|with)\s+|from\s+|in\s+|with\s+|containing\s+|an?\s+|the\s+)?|\b(?:with\s+)?(?:no|without|excluding|minus)\s+(?:any\s+|an?\s+)?"
    r"|\b(?:anything|everything|any\s+colou?r)\s+(?:but|except)\s+(?:in\s+)?|\bexcept\s+(?:for\s+|in\s+)?|\bother\s+than\s+|\bfree\s+(?:of|from)\s+|\b(?:don't|dont|doesn't|doesnt|do\s+not|does\s+not)\s+(?:want|need|have|contain|require)\s+(?:any\s+|to\s+be\s+)?|\bhates?\s+)"
    rf"({_LIST})(?:\s+(?:ones?|please|material|inside|in\s+it|colou?rs?)\b)?",
)
_FREE_EN = re.compile(r"\b([a-z]+)[- ]free\b")
_NOT_ZH = re.compile(
    "(?:[,，、；;]|但是?|可是?|而且)?\\s*(?:不要|不想要|不含有?|不带|(?<!有)没有|别要|别是|别带|不是|除了|除去|排除|不加|不喜欢|不用)(?:任何|含有?|带|用)?([\u3400-\u9fff、]{1,8}?)"
    "(?:材质|面料|成分|款式|款|做)?(?:的(?:(?:[和或、]|或者)([\u3400-\u9fff]{1,5}?)的)?|以外的?|之外的?|外的?|都(?:行|可以|要|好)|其他.{0,3}|(?=[,，。；;！!\\s]|$))(?:都(?:行|可以|要|好))?"
)
# What follows “not” or 不要 without being a thing.
_NO_THING = frozenset(
    "the more idea problem sure that this one than too very really for a yet know longer it worries need going just only so much expensive dear cheap big small heavy bad good now"
    " 太贵 贵 太大 太小 大 小 太重 重 太多 多 了 紧 问题 什么 吗 麻烦 关系".split()
)
_WHOM = {
    "women": r"\b(?:women|woman|ladies|lady|female|girlfriend|wife|mum|mom|mother|sister|aunt|grandma|granny|gran|daughter|her|bride|girls?)(?:'s|s')?\b|女士|女款|女式|女性|女人|女生|女孩|女朋友|女友|老婆|妻子|太太|妈妈|母亲|婆婆|岳母|奶奶|外婆|姥姥|阿姨|姐姐|妹妹|闺蜜|女儿|新娘",
    "men": r"\b(?:men|man|gents?|gentlem[ea]n|male|boyfriend|husband|dad|father|brother|uncle|grandpa|grandad|son|him|groom|boys?)(?:'s|s')?\b|男士|男款|男式|男性|男人|男生|男孩|男朋友|男友|老公|丈夫|先生|爸爸|父亲|公公|岳父|爷爷|外公|姥爷|叔叔|哥哥|弟弟|儿子|新郎",
}
_CHATTER = re.compile(
    r"^(?:(?:hi|hello|hey|please|i'?m|i am|i'?d|i|we|do|does|can|could|would|have|has|got|you|your|shop|looking|search(?:ing)?|look|for|need|want|like|to|buy|get|find|show|me|us|some|any|an?|the|is|are|there|sell|what|which|recommend|suggest)[\s,]+)+",
)
_CHATTER_ZH = re.compile(
    "请问|麻烦|帮我|给我|我想要?买?|想要|想买|想找|要买|有没有|有没(?=$|[？?])|有什么|有哪些|你们|店里|推荐一?下?|找一?个?|来一?个|买一?个|买点|看看|一款|一个|一条|一双|一件|吗|呢|吧|[?？。.!！]+$"
)


@dataclass(frozen=True)
class Query:
    """The words of what is wanted, and what it must be."""

    words: str
    filters: Filters = Filters()


def read(text: str) -> Query:
    """A sentence as words and filters; `words` is empty when it names no thing at all."""
    left = normal(text)
    left, least, most = _prices(left)
    left, without = _exclusions(left)
    whom = [name for name, pattern in _WHOM.items() if re.search(pattern, left)]
    left = _CHATTER_ZH.sub(" ", _CHATTER.sub("", left.strip()))
    words = " ".join(left.strip(" ,，。;；:：、").split())
    return Query(words, Filters(least_cents=least, most_cents=most, without=without, whom=whom[0] if len(whom) == 1 else ""))


def tighter(one: Filters, other: Filters) -> Filters:
    """Both filters at once; the first one's category and audience where both name one."""
    most = [value for value in (one.most_cents, other.most_cents) if value is not None]
    least = [value for value in (one.least_cents, other.least_cents) if value is not None]
    return replace(
        one,
        most_cents=min(most, default=None),
        least_cents=max(least, default=None),
        category=one.category or other.category,
        in_stock=one.in_stock or other.in_stock,
        without=tuple(dict.fromkeys([*one.without, *other.without])),
        whom=one.whom or other.whom,
    )


def _prices(text: str) -> tuple[str, int | None, int | None]:
    """The sentence without its prices, the least and the most in cents."""
    found = _BETWEEN.search(text)
    if found and (found["told"] or found["sign"] or found["sign2"] or found["unit"] or found["unit2"] or found["amid"]):
        low, high = _cents(found["low"]), _cents(found["high"])
        if low is not None and high is not None and low < high:
            return text[: found.start()] + " " + text[found.end() :], low, high
    bounds: dict[str, int] = {}
    for kind, pattern in _BOUNDS:
        found = pattern.search(text)
        cents = _cents(found[1]) if found and kind not in bounds else None
        if found and cents is not None:
            bounds[kind] = cents
            text = text[: found.start()] + " " + text[found.end() :].removeprefix("的")
    if "about" in bounds and len(bounds) == 1:
        return text, round(bounds["about"] * (1 - _ABOUT)), round(bounds["about"] * (1 + _ABOUT))
    return text, bounds.get("least"), bounds.get("most")


def _cents(raw: str) -> int | None:
    raw = raw.strip().replace(",", "")
    if re.fullmatch(r"\d+(\.\d+)?k?", raw):
        return round(float(raw.removesuffix("k")) * (100_000 if raw.endswith("k") else 100))
    value = chinese(raw)
    value = english(raw) if value is None else value
    return None if value is None else value * 100


def _exclusions(text: str) -> tuple[str, tuple[str, ...]]:
    """The sentence without what it excludes, and the excluded words."""
    without: list[str] = []

    def take(found: re.Match[str]) -> str:
        listed = ",".join(group for group in found.groups() if group)
        named = [part.strip() for part in re.split(r",|\s+(?:or|and|nor)\s+(?:any\s+|in\s+)?|、|或者?|和|以及", listed)]
        things = [part for part in named if part and part.split()[0] not in _NO_THING]
        without.extend(things)
        return " " if things else found.group()

    for pattern in (_FREE_EN, _NOT_EN, _NOT_ZH):
        text = pattern.sub(take, text)
    return text, tuple(dict.fromkeys(without))
