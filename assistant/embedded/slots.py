"""Which things does a message name?

Typed readers that run before the tool is chosen: ids, amounts, days, percents,
tiers, places, states. Their types help to choose the tool, and masked by type
two messages that differ only in an id are one sentence.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import date

from assistant.embedded import dates
from retrieval.numbers import EN_NUMERAL, ZH_NUMERAL, chinese, english, ordinal
from retrieval.words import normal

_TIERS = {
    "bronze": "bronze|青铜|铜牌",
    "silver": "silver|白银|银牌|银卡|银级",
    "gold": "gold|黄金|金牌|金卡|金级",
    "platinum": "platinum|plat|铂金|白金",
    "diamond": "diamond|钻石|钻级",
}
_CHANNELS = {
    "sms": r"\bsms\b|\btexts?\b|text message|短信",
    "email": r"\be-?mails?\b|newsletter|邮件|邮箱|电邮",
    "wechat": r"\bwe ?chat\b|\bwx\b|微信|公众号",
    "push": r"\bpush\b|notification|推送|弹窗",
    "in_app": r"\bin[- ]app\b|banner|站内信|应用内",
    "phone": r"\bphone calls?\b|电话",
}
_TONES = {
    "playful": r"playful|fun\b|cheeky|light-?hearted|俏皮|活泼|幽默|好玩|轻松",
    "festive": r"festive|christmas|holiday|new year|喜庆|节日|过节|过年|新年|春节|圣诞",
    "plain": r"\bplain|simple|formal|factual|neutral|professional|正式|简洁|朴素|平实|专业",
    "urgent": r"urgent|last chance|hurry|紧迫|紧急|急一点|急迫|催",
    "warm": r"\bwarm|friendly|kind|cosy|cozy|温暖|亲切|温馨|暖",
}
_STATES = {
    "pending": r"\bpending\b|(?:not|n['’]?t) (?:yet )?(?:been )?(?:sent|shipped|dispatched|left|gone out)|unshipped|待发货|没发货|没发|未发货|未发|还没发|待处理",
    "shipped": r"\bin transit\b|on (?:its|their|the) way|\bshipped\b|dispatched|运输中|在路上|已发货|途中",
    "delivered": r"\bdelivered\b|arrived|received|已送达|已收到|签收|已收货",
    "cancelled": r"\bcancell?ed\b|已取消|取消(?:了|掉)的",
}
# Order ids of the layouts we import: O-20031, #W2378156, 536365, C536379.
_ORDER = re.compile(r"(?<![\w.])(?:o-\d{3,9}|#?w\d{5,9}|#\d{3,9}|c?\d{5,8})(?![\w%]|[.,]\d)", re.IGNORECASE | re.ASCII)
_ORDER_WORD = re.compile(r"(?:order|订单|单号|编号|no\.?|number)\s*(?:号|id|no\.?|number|is|是|:|：|#)?\s*([a-z]?-?\d{3,9})\b", re.IGNORECASE | re.ASCII)
_MEMBER = re.compile(r"(?<![\w-])m-?\d{4,9}(?!\w)|\b[a-z]+_[a-z]+_\d{3,5}\b", re.IGNORECASE | re.ASCII)
# “TX 78701”, 邮编 310000: the end of an address, not an order.
_ZIP = re.compile(r",\s*[a-z]{2}\s+\d{5}(?:-\d{4})?(?!\d)|(?:邮编|邮政编码|zip(?: code)?|postcode)\s*[:：]?\s*\d{5,6}", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w", re.ASCII)
_PHONE = re.compile(r"(?<![\w-])\+?\d[\d\s-]{8,15}\d(?!\w)", re.ASCII)
_ENDING = re.compile(r"(?:ending|ends|last (?:four|4)(?: digits)?|尾号|后四位|末四位)\D{0,12}(\d{3,6})", re.IGNORECASE | re.ASCII)
_PERCENT = re.compile(
    r"(\d{1,2})\s*(?:%|percent|per cent|个点)|百分之(" + ZH_NUMERAL + r"|\d{1,2})|(\d(?:\.\d)?|[一二三四五六七八九]{1,2})\s*折", re.IGNORECASE
)
_SPELLED_PERCENT = re.compile(rf"\b({EN_NUMERAL})\s*(?:percent|per cent)\b", re.IGNORECASE)
_CURRENCY = r"(?:£|\$|¥|￥|€|gbp|usd|rmb|cny|hk\$)"
_AFTER = r"(?:pounds?|quid|dollars?|bucks|gbp|usd|rmb|yuan|euros?|块钱|块|元|英镑|镑|刀|美金|人民币|p\b)"
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_AMOUNT = re.compile(
    rf"{_CURRENCY}\s*({_NUMBER})(k)?|({_NUMBER})(k)?\s*{_AFTER}|({ZH_NUMERAL})\s*(?:来|多)?{_AFTER}|\b({EN_NUMERAL})\s*{_AFTER}", re.IGNORECASE
)
_MOST = re.compile(
    rf"(?:under|below|less than|up to|max(?:imum)?|at most|no more than|not more than|within|cheaper than|budget(?: of| is)?|不超过|不到|低于|最多|少于|预算|控制在)\s*(?:about\s*|is\s*|大概|是)?{_CURRENCY}?\s*({_NUMBER}|{ZH_NUMERAL}|{EN_NUMERAL})(?![\d.,]*\d)(?!\s*(?:days?|weeks?|months?|天|周|个月|%))",
    re.IGNORECASE,
)
_MOST_AFTER = re.compile(rf"({_NUMBER}|{ZH_NUMERAL})\s*{_AFTER}?\s*(?:以内|以下|之内|内(?!容)|or less|or under|max\b|tops)", re.IGNORECASE)
_LEAST = re.compile(
    rf"(?:over|above|more than|at least|from|minimum|starting at|超过|高于|至少|不低于|满)\s*{_CURRENCY}?\s*({_NUMBER}|{ZH_NUMERAL})(?![\d.,]*\d)(?!\s*(?:days?|weeks?|months?|天|周|个月|%))|({_NUMBER}|{ZH_NUMERAL})\s*{_AFTER}?\s*(?:以上|起)",
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    rf"{_CURRENCY}?\s*({_NUMBER}|{ZH_NUMERAL})\s*{_AFTER}?\s*(?:-|–|to|and|到|至|~)\s*{_CURRENCY}?\s*({_NUMBER}|{ZH_NUMERAL})\s*(?:{_AFTER}|之间|$|[,.，。 ])",
    re.IGNORECASE,
)
_DAYS = re.compile(rf"(\d+|{ZH_NUMERAL}|{EN_NUMERAL}|半|a|half a)\s*(days?|weeks?|months?|years?|天|周|个星期|个月|年)", re.IGNORECASE)
_NOT = re.compile(r"(?:\bnot?\b|\bno\b|n't|\bnothing\b|\bwithout\b|hasn|haven|没|未|不)", re.IGNORECASE)
_WITHOUT = re.compile(
    r"(?:\bnot\s+(?:in\s+|made\s+of\s+)?|\bno\s+|\bwithout\s+(?:any\s+)?|\banything but\s+|\bexcept\s+(?:for\s+)?|\bother than\s+)([a-z][a-z-]+)|(?:不要|不含|不带|除了|别是|不是)([\u4e00-\u9fff]{1,5}?)(?:的|做|材质|以外|之外|，|,|。|$)|(?:^|[，,、 ])([\u4e00-\u9fff]{1,5}?)的?(?:不要|除外|免谈)(?=$|[，,。.!！])",
    re.IGNORECASE,
)
_UNIT_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365, "天": 1, "周": 7, "个星期": 7, "个月": 30, "年": 365}


@dataclass(frozen=True)
class Slots:
    """What a message names, by type; empty where nothing is named. Amounts in the shop's currency."""

    order_ids: tuple[str, ...] = ()
    member_ids: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    amounts: tuple[float, ...] = ()
    most: float | None = None
    least: float | None = None
    percent: int | None = None
    past: dates.Period | None = None
    ahead: dates.Period | None = None
    days: int | None = None
    days_negated: bool = False
    tiers: tuple[str, ...] = ()
    channel: str | None = None
    tone: str | None = None
    state: str | None = None
    place: int | None = None
    without: tuple[str, ...] = ()
    cities: tuple[str, ...] = field(default=())


def read(text: str, today: date, *, cities: Sequence[str] = ()) -> Slots:
    """Everything a message names."""
    text = normal(text)
    percent = _percent(text)
    between = _BETWEEN.search(text)
    most, least = _bound(_MOST, text) or _bound(_MOST_AFTER, text), _bound(_LEAST, text)
    if between and (value := _value(between[1])) is not None and (upper := _value(between[2])) is not None and value < upper:
        least, most = value, upper
    days, negated = _days(text)
    return Slots(
        order_ids=_orders(text),
        member_ids=tuple(dict.fromkeys(m.group().upper() if "_" not in m.group() else m.group() for m in _MEMBER.finditer(text))),
        emails=tuple(_EMAIL.findall(text)),
        phones=tuple([m.group() for m in _PHONE.finditer(_EMAIL.sub(" ", text))] + _ENDING.findall(text)),
        amounts=_amounts(text),
        most=most,
        least=least,
        percent=percent,
        past=dates.read(text, today),
        ahead=dates.read(text, today, ahead=True),
        days=days,
        days_negated=negated,
        tiers=tuple(key for key, words in _TIERS.items() if any(re.search(rf"\b{w}s?\b" if w.isascii() else w, text) for w in words.split("|"))),
        channel=next((key for key, words in _CHANNELS.items() if re.search(words, text)), None),
        tone=next((key for key, words in _TONES.items() if re.search(words, text)), None),
        state=next((key for key, words in _STATES.items() if re.search(words, text)), None),
        place=ordinal(text),
        without=tuple(dict.fromkeys(word for found in _WITHOUT.findall(text) if (word := next(filter(None, found), "")) and word not in _NO_THING)),
        cities=tuple(city for city in cities if city.lower() in text),
    )


def merged(before: Slots, after: Slots) -> Slots:
    """What two messages of one request name together: the later one's word counts where both say something."""
    values = {f.name: getattr(after, f.name) if getattr(after, f.name) not in (None, (), False) else getattr(before, f.name) for f in fields(Slots)}
    # A place points into the list just shown, never into an older one.
    return Slots(**{**values, "place": after.place})


_NO_THING = {
    "the",
    "more",
    "idea",
    "problem",
    "sure",
    "that",
    "this",
    "one",
    "than",
    "too",
    "really",
    "for",
    "a",
    "yet",
    "know",
    "longer",
    "it",
    "worries",
    "need",
    "going",
}


def mask(text: str) -> str:
    """The message with ids, amounts and days replaced by their type."""
    text = normal(text)
    for pattern, name in (
        (_EMAIL, " emailx "),
        (_MEMBER, " memberx "),
        (_ORDER_WORD, " order orderx "),
        (_ORDER, " orderx "),
        (_PERCENT, " percentx "),
        (_AMOUNT, " amountx "),
        (_PHONE, " phonex "),
    ):
        text = pattern.sub(name, text)
    text = _DAYS.sub(" daysx ", text)
    return re.sub(r"\s+", " ", re.sub(r"\d+", " numx ", text)).strip()


def kinds(slots: Slots) -> list[str]:
    """The types of what was named, as features for the router."""
    named = {
        "order": slots.order_ids,
        "member": slots.member_ids,
        "email": slots.emails,
        "phone": slots.phones,
        "amount": slots.amounts,
        "most": slots.most,
        "least": slots.least,
        "percent": slots.percent,
        "tier": slots.tiers,
        "channel": slots.channel,
        "state": slots.state,
        "days": slots.days,
        "date": slots.past or slots.ahead,
        "place": slots.place,
        "without": slots.without,
    }
    return [name for name, value in named.items() if value not in (None, (), "")]


# --- readers ----------------------------------------------------------------------------


def _orders(text: str) -> tuple[str, ...]:
    bare = _ZIP.sub(" ", _EMAIL.sub(" ", _MEMBER.sub(" ", text)))
    amounts = {m.span() for m in _AMOUNT.finditer(bare)}
    found = [m.group(1) for m in _ORDER_WORD.finditer(bare)]
    for m in _ORDER.finditer(bare):
        inside_amount = any(start <= m.start() < end for start, end in amounts)
        if not inside_amount and not any(m.group() in other or other in m.group() for other in found):
            found.append(m.group())
    return tuple(dict.fromkeys(o.upper() for o in found))


def _amounts(text: str) -> tuple[float, ...]:
    found: list[float] = []
    for m in _AMOUNT.finditer(text):
        raw = next(g for g in (m[1], m[3], m[5], m[6]) if g)
        value = _value(raw)
        if value is not None:
            found.append(value * (1000 if m[2] or m[4] else 1))
    return tuple(found)


def _bound(pattern: re.Pattern[str], text: str) -> float | None:
    found = pattern.search(text)
    return _value(next(g for g in found.groups() if g)) if found else None


def _value(raw: str) -> float | None:
    raw = raw.strip().replace(",", "")
    if re.fullmatch(r"\d+(\.\d+)?", raw):
        return float(raw)
    value = chinese(raw)
    value = english(raw) if value is None else value
    return None if value is None else float(value)


def _percent(text: str) -> int | None:
    found = _PERCENT.search(text)
    if not found:
        spelled = _SPELLED_PERCENT.search(text)
        return english(spelled[1].strip()) if spelled else None
    if found[1]:
        return int(found[1])
    if found[2]:
        return int(found[2]) if found[2].isdigit() else chinese(found[2])
    # 九折 is ten per cent off, 八五折 fifteen.
    raw = found[3]
    kept = float(raw) * 10 if raw.replace(".", "").isdigit() else float(chinese(raw) or 0) * (10 if len(raw) == 1 else 1)
    return round(100 - kept) if 0 < kept < 100 else None


def _days(text: str) -> tuple[int | None, bool]:
    """A span in days, and whether it is said of something that did not happen."""
    found = _DAYS.search(text)
    if not found:
        return None, False
    raw, unit = found[1].lower().strip(), found[2].rstrip("s")
    count: float | None = {"半": 0.5, "a": 1.0, "half a": 0.5}.get(raw)
    count = _value(raw) if count is None else count
    if count is None or count <= 0:
        return None, False
    return round(count * _UNIT_DAYS[unit]), bool(_NOT.search(text))
