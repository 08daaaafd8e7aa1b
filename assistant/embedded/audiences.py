"""Whom does a marketer's sentence mean, and by which name?

Names in quotation marks, after “called”, in capitals or known to the shop; and the
conditions members must meet, joined by or and not. What is done with them is told in
campaigning.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from rapidfuzz import fuzz

from assistant.embedded import slots, wish
from assistant.embedded.foresight import GROUPS
from assistant.embedded.skills import given
from assistant.embedded.turn import Turn
from retrieval.numbers import chinese
from retrieval.words import has_han, normal

QUOTED = re.compile(r"[“\"「『‘《]([^”\"」』’》]{2,60})[”\"」』’》]|(?<![\w])'([^']{2,60})'(?!\w)")
NAMED = re.compile(
    r"\b(?:called|named|call (?:it|this|them|that)|name (?:it|this|them)|title[d]?|save (?:it |this |them |that )?as|under the name(?: of)?|label(?:led)?(?: it)?(?: as)?)\s+[:]?\s*([\w][\w &'/-]{1,50}?)(?=[,.;:!?]|$|\s+(?:for|to|with|and|who|please|so)\b)|"
    r"(?:名字?(?:就)?(?:叫|是|为)|取名(?:叫|为)?|命名(?:为|成)?|起名(?:叫)?|存(?:成|为|作)|保存(?:成|为)|叫做?|就叫)[:：]?\s*([\w\u4e00-\u9fff·\- ]{2,30}?)(?=[,，。；;！!？?]|$|吧|的)",
    re.IGNORECASE,
)
ID = re.compile(r"\b[ac]-[0-9a-z]{2,8}\b", re.IGNORECASE)
# Words around a campaign's or an audience's name that are not part of it.
_AROUND = re.compile(
    r"\b(?:the|our|my|that|this|a|an|please|pls|can|could|you|we|i|me|us|to|of|for|on|in|at|it|is|was|are|were|did|do|does|how|what|whats|which|when|show|give|get|tell|send|launch|fire|off|out|go|live|start|run|ran|running|push|button|"
    r"campaigns?|promo(?:tion)?s?|mailing|mailer|audiences?|segment|list|lists|group|members?|customers?|people|results?|report|numbers|stats|lift|work(?:ed|s)?|pay|paid|worth|perform(?:ed|ance)?|well|so far|now|today|yet|already|"
    r"export|download|csv|file|excel|spreadsheet|sheet|xlsx|as|into|from|with|and|or|any|there|have|has|had|ready|set up|setup|schedule|tomorrow|tonight|morning|holdout|against|vs|compared|uplift|effect|impact|revenue|sales|extra|more|"
    r"best|time|hour|day|hit|reach|email|e-mail|sms|text|push|wechat|message|offer|coupon|discount|percent|deep|much|should|would|will|be|by|who|whom|it's|that's|let's|lets|go ahead|ok|okay|last|latest|recent|week|month|year|ago|back|ended|finished|"
    r"actually|really|any good|good|bad|success|successful|drive|drove|make|made|money|roi|return|outcome|verdict|variant|version|test|ab|split|better|won|win|winner)\b|"
    r"请|麻烦|帮我|帮忙|给我|我们|咱们|咱|我|你|的|了|吗|呢|吧|啊|把|将|这个|那个|这次|那次|上次|上回|一下|看看|看下|查|导出|下载|名单|表格|文件|活动|营销|推广|效果|结果|怎么样|如何|咋样|数据|报告|发送|发出去|发出|群发|推送|上线|启动|开始|发|人群|受众|会员|客户|"
    r"带来|多少|提升|增量|有没有|有用|值不值|赚|卖|表现|战报|复盘|现在|今天|明天|马上|立刻|可以|就|要|想|能|做|搞|一份|一个|优惠|力度|折扣|券|最佳|时间|什么时候|几点|哪天|合适|和|与|对|给|发给|里|一场|那场|这场|到底|最后|整|出来|成|跑|得"
)


# A name in capitals: “save Northern Mix please”, “a push campaign, Cast Off, aimed at …”.
_TITLE = re.compile(r"(?<![.!?] )(?<!^)\b([A-Z][a-z]+(?:\s+(?:&|of|the|in|and|[A-Z][a-z]+))*\s+[A-Z][a-z]+)\b")
_MONTH_WORDS = re.compile(
    "|".join(
        "january february march april may june july august september october november december monday tuesday wednesday thursday friday saturday sunday".split()
    ),
    re.IGNORECASE,
)


def quoted(turn: Turn) -> str | None:
    """A name that a message puts in quotation marks, after “called”, or in capitals."""
    found = _named_in(turn)
    return found[0] if found else None


def _named_in(turn: Turn) -> tuple[str, tuple[int, int]] | None:
    for pattern in (QUOTED, NAMED):
        found = pattern.search(turn.text)
        if found:
            return next(group for group in found.groups() if group).strip(), found.span()
    for found in _TITLE.finditer(turn.text):
        words = found[1]
        if words.lower() not in {city.lower() for city in turn.cities()} and not _MONTH_WORDS.search(words):
            return words, found.span()
    return None


def unnamed(turn: Turn) -> str:
    """The message without the name it gives, which says nothing of the people in it."""
    found = _named_in(turn)
    return turn.text if found is None else turn.text[: found[1][0]] + " " + turn.text[found[1][1] :]


def known(turn: Turn, names: Sequence[str]) -> str | None:
    """The one of the shop's own names that a message says, or nearly says; the longest where several do."""
    text = turn.text.lower()
    tiers = set("|".join(slots._TIERS.values()).split("|"))
    near = [
        name
        for name in names
        if len(name) > 2 and name.lower() not in tiers and (name.lower() in text or (len(name) > 6 and fuzz.partial_ratio(name.lower(), text) >= 90))
    ]
    return max(near, key=len, default=None)


def named(turn: Turn) -> str | None:
    """The campaign or audience a message means: an id, a quoted name, or the words that are left."""
    found = ID.search(turn.text)
    if found:
        return found.group().upper()
    name = known(turn, [*turn.campaigns(), *turn.audiences()]) or quoted(turn)
    if name:
        return name
    left = _AROUND.sub(" ", re.sub(r"[^\w\u4e00-\u9fff%-]+", " ", turn.text.lower()))
    words = " ".join(word for word in left.split() if len(word) > 1 or word.isdigit())
    return words if 2 <= len(words) <= 40 else None


def without_exclusions(text: str) -> str:
    """A sentence without who is left out: “but not coffee buyers” says nothing of what is sold."""
    cut = _WITHOUT.search(text)
    rest = re.search(r"[,，;；。]", text[cut.end() :]) if cut else None
    return text if cut is None else text[: cut.start()] + (text[cut.end() + rest.start() :] if rest else "")


# --- conditions -------------------------------------------------------------------------

_WITHOUT = re.compile(
    r"\b(?:but not|except(?: for)?|excluding|exclude|leave out|leaving out|minus|without (?:the|those|anyone|any)|other than|not counting|skip(?:ping)?)\b|(?:但(?:是)?(?:不要|不含|不包括|排除|去掉)|除了|除去|排除(?:掉)?|剔除|去掉|不包括|不含|刨去|撇开|不要(?=买过|买了|已经|最近)|没买过的?不要)",
    re.IGNORECASE,
)
_OR = re.compile(
    r"\bor (?:those|anyone|anybody|people|members|whoever|else)\b|\bor (?=(?:spent|bought|joined|in |from |have|has|who))|\bas well as\b|\bplus (?=\w)|或者?(?:是)?|再?加上|以及(?=.*(?:会员|的人|客户))",
    re.IGNORECASE,
)
_TRAILING = re.compile(r"[，,;；]\s*([^，,;；]{3,30}?)(?:的|的人)?(?:都)?(?:刨掉|刨除|除外|不算|排除掉?|去掉|剔除|别放进来)\s*[。.!！]?$")
_OUTSIDE = re.compile(
    r"\b(?:(?:living |who live |based )?outside(?: of)?|(?:who are )?not (?:living |based )?(?:in|from)) ((?:the )?[A-Z]\w*(?:(?:,? (?:or |and )?|, )(?:the )?[A-Z]\w*)*)"
)
_OUTSIDE_ZH = re.compile(r"(?:除了?)?(?:在|住在)?([\u4e00-\u9fff]{2,4}?)(?:以外|之外)的?")
_RISK = re.compile(
    r"at[- ]risk|churn|(?:chance|risk|likelihood|probability) (?:of|they) (?:leav|go|los|quit)|likely to leave|about to leave|slipping away|流失风险|快流失|要流失|可能流失|流失概率|流失率",
    re.IGNORECASE,
)
_WORTH = re.compile(r"\b(?:worth|valued? at|lifetime value|ltv|clv|expected to spend)\b|价值|年价值|预计消费", re.IGNORECASE)
_MONTHS = {name: n + 1 for n, name in enumerate("january february march april may june july august september october november december".split())}


def wanted(turn: Turn) -> dict[str, Any]:
    """What an audience must be, in the words of a message: `wanted`, and where said `or_also` and `but_not`."""
    text = unnamed(turn)
    tail = _TRAILING.search(text)
    if tail:
        # “…，7天内下过单的刨掉”: what is left out comes first, the word for it last.
        text = f"{text[: tail.start()]} 排除 {tail[1]}"
    abroad = _OUTSIDE_ZH.search(text)
    if abroad:
        text = f"{text[: abroad.start()]}{text[abroad.end() :]} 排除 在{abroad[1]}"
    elif beyond := _OUTSIDE.search(text):
        # Only the place is left out; what is said after it is wanted.
        text = f"{text[: beyond.start()]}{text[beyond.end() :].rstrip('.?! ')} but not in {beyond[1]}"
    cut = _WITHOUT.search(text)
    inside, outside = (text[: cut.start()], text[cut.end() :]) if cut else (text, "")
    if cut and not _flat(turn, inside):
        # “Without those in Leeds, all gold members”: the other way round.
        pieces = re.split(r"[,，;；]", outside, maxsplit=1)
        outside, inside = pieces[0], pieces[1] if len(pieces) > 1 else inside
    if "，" in outside and inside:
        # “不要买过茶的，送300积分”: the exclusion ends with its clause.
        outside, _, more = outside.partition("，")
        inside = f"{inside}，{more}" if not _WITHOUT.search(more) else inside
        outside = outside if not _WITHOUT.search(more) else f"{outside} {more}"
    parts = [flat for piece in _OR.split(inside) if (flat := _flat(turn, piece))]
    alone = _flat(turn, inside)
    # Two halves that ask the same field are one list, not an either-or.
    parts = parts if len(parts) > 1 and not (set(parts[0]) == set(parts[1]) and len(parts[0]) == 1) else [alone]
    found: dict[str, Any] = {"wanted": parts[0]} if parts and parts[0] else {}
    if len(parts) > 1:
        found["or_also"] = parts[1:]
    unwanted = [flat for piece in _WITHOUT.split(outside) if (flat := _flat(turn, piece))]
    if unwanted:
        found["but_not"] = unwanted
    return found


_GIVEN_POINTS = re.compile(
    r"\b(?:give|giving|gives|send|offer(?:ing)?|book|extra|bonus)\s+(?:\w+\s+){0,3}?\d[\d,]*\s*(?:extra |bonus )?(?:points|pts)\b|\d[\d,]*\s*(?:extra|bonus)\s+(?:points|pts)\b|(?:送|赠|加|返)[^，。\d]{0,6}\d[\d,]*\s*个?积?分"
)


def _flat(turn: Turn, text: str) -> dict[str, Any]:
    """The conditions of one piece of a sentence, all of them together."""
    part = replace(turn, text=text, slots=slots.read(text, turn.today, cities=turn.cities()))
    plain = normal(text)
    found = wish.audience(part)
    found.pop("consent", None)
    group = next((name for name, pattern in GROUPS.items() if re.search(pattern, plain) and not re.search(_NOT_A_GROUP, plain)), None)
    if group and not ({"not_bought_for_days", "bought_within_days", "joined_within_days"} & set(found)):
        found["segments"] = [group]
    if _RISK.search(plain):
        found.pop("segments", None)
        found["churn_from_percent"] = part.slots.percent or 60
    amount = part.slots.least or (part.slots.amounts[0] if part.slots.amounts else None)
    if _WORTH.search(plain) and amount and re.search(r"next|expected|predicted|future|ltv|clv|lifetime|未来|预计|年价值|终身", plain):
        for name in ("spent_at_least", "spent_at_most", "spent_within_days"):
            found.pop(name, None)
        found["worth_at_least"] = float(amount)
    # “Give them 300 points” says what they get, not what they have.
    plain = _GIVEN_POINTS.sub(" ", plain)
    points = re.search(r"(\d[\d,]*)\s*(?:\+|or more)?\s*(?:points|pts)\b|积分(?:超过|大于|高于|多于|在)?\s*(\d[\d,]*)|(\d[\d,]*)\s*积?分(?:以上)?", plain)
    if points:
        found["points_at_least"] = int(next(g for g in points.groups() if g).replace(",", ""))
        for name in ("spent_at_least", "spent_at_most"):
            found.pop(name, None)
    birthdays = [n for name, n in _MONTHS.items() if re.search(rf"\b{name}\b.{{0,20}}birthday|birthday.{{0,20}}\b{name}\b", plain)]
    birthdays += [int(chinese(m) or m) for m in re.findall(r"([一二三四五六七八九十\d]+)月(?:份)?(?:过)?生日", plain) if m.isdigit() or chinese(m)]
    if birthdays:
        found["birthday_months"] = birthdays
    if re.search(r"fans? of|mostly buy|mainly buy|keen on|偏好|主要买|爱好者", plain) and found.get("categories"):
        found["tastes"] = found.pop("categories")
    # Whole numbers only where the tool counts.
    for name in ("spent_at_least", "spent_at_most"):
        if name in found:
            found[name] = float(found[name])
    return found


_NOT_A_GROUP = r"\b(?:sale|coupon|discount code|discounts?(?! (?:hunters?|lovers?|seekers?|shoppers?|buyers?)))\b|(?:给|送|发|打|有|啥|什么|多少|多大|哪种|不|没)[^，。]{0,4}(?:优惠|折扣)|(?:优惠|折扣)(?:也|都|给|多少|力度|能|要|券)"


def channel(turn: Turn) -> str | None:
    """The channel a message names, as campaigns have it."""
    named_one = turn.slots.channel
    return None if named_one in (None, "phone") else named_one


def understood(text: str, *, today: date, cities: Sequence[str], countries: Sequence[str], categories: Sequence[str]) -> dict[str, Any]:
    """A sentence about members as conditions, for a page to show: `wanted`, `or_also`, `but_not`, and the `channel` it names."""
    context = {"cities": ", ".join(cities), "countries": ", ".join(countries), "categories": ", ".join(categories)}
    language = "zh" if has_han(text) else "en"
    turn = Turn(text, language, today, "marketer", "", context, slots.read(text, today, cities=cities), (), (), {}, 1)
    return {**wanted(turn), **given(channel=channel(turn))}
