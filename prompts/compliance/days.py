"""Does the offer end on the day that the text gives?

Reads dates, week days, tomorrow and days left in both languages, from the day in the facts.
Knows nothing of hours, and nothing of words of urgency without a day: those stand in claims.py.
"""

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from prompts.compliance.facts import Facts, Lines
from prompts.compliance.figures import EN_NUMBER, ZH_NUMBER, value_of
from prompts.compliance.findings import Hit, breach
from prompts.compliance.reading import Read, clause, in_a_name

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = rf"(?:{'|'.join(_MONTHS)})[a-z]*\.?"
_DAYS = "mon tue wed thu fri sat sun".split()
_DAY = re.compile(
    rf"(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?\s(?:of\s)?(?P<m1>{_MONTH})(?![a-z])(?:,?\s(?P<y1>20\d\d))?|\b(?P<m2>{_MONTH})\s(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?(?![\d:])(?:,?\s(?P<y2>20\d\d))?"
    rf"|(?:(?P<y3>20\d\d)年)?(?P<m3>\d{{1,2}}|[一二三四五六七八九十]+)月(?P<d3>\d{{1,2}}|[一二三四五六七八九十]+)[日号]?|(?P<y4>20\d\d)[-/.](?P<m4>\d{{1,2}})[-/.](?P<d4>\d{{1,2}})|(?<![\d/.])(?P<e5>\d{{1,2}})(?:/|\.(?=\d{{1,2}}\s?[日号]?[前止晚]))(?P<f5>\d{{1,2}})(?:/(?:20)?\d\d)?(?![\d/.])"
    r"|(?:本月|这个?月)?(?<![\d月])(?P<d6>\d{1,2})[日号](?![线楼机召称铁店])|\bthe\s(?P<d7>\d{1,2})(?:st|nd|rd|th)\b"
    r"|\b(?:(?:this|coming|next)\s)?(?P<w1>mon|tues|wednes|thurs|fri|satur|sun)day(?:\s(?:night|evening))?(?!,?\s(?:the\s)?\d)|(?P<next>下)?(?:[本这个]{0,2})(?:周|星期|礼拜)(?P<w2>[一二三四五六日天])(?!五|六|次)"
    r"|(?P<tomorrow>\btomorrow(?:\s(?:night|evening))?|明[天日晚]|明早)|(?P<after>后天)|(?P<weekend>\b(?:the|this)\sweekend|\bsunday\snight|(?:本|这个?)?周末)|(?:\b(?:the\s)?end\sof\s(?P<em>jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)[a-z]*)|(?P<zm>\d{1,2}|十[一二]?|[一二三四五六七八九])月份?[底末]|(?P<month>\bmonth(?:'s)?[ -]end|\bend\sof\s(?:the\s|this\s)?month|(?:本|这个?)?月[底末])"
    rf"|(?P<n1>{EN_NUMBER})\s(?:more\s)?(?P<u1>days?)\s(?:left|to\sgo|only|remain)|(?:last|final|only|just|ends?\sin|over\sin|expires?\sin|for)\s(?:the\s)?(?:just\s|only\s)?(?P<n2>{EN_NUMBER})\s(?:more\s)?(?P<u2>days?)(?!\s(?:of|later|trip|old|to\s(?:brew|arrive|dry|make|deliver)))|\b(?P<h>48|72|36)[\s-]?hours?"
    rf"|(?:最后|仅剩|只剩|还剩|还有|只有|仅有|倒数|剩下?|仅限|限时|仅|只)(?P<n3>{ZH_NUMBER})天|(?P<n4>{ZH_NUMBER})天(?:后|内)(?=[\u3400-\u9fff]{{0,4}}(?:结束|截止|到期|失效|恢复|涨|过期))|(?P<h2>48|72|36)个?小时"
)
_ENDS_BEFORE = re.compile(
    r"(?:\b(?:until|till?|'til|by|before|end(?:s|ing)?|through|thru|to|expir(?:es?|ing|y)|valid|close[sd]?|closing|finish(?:es)?|deadline|last (?:day|orders?|date|chance)|final day|over|gone|use[sd]? (?:it )?by|runs?|up|cut[ -]off|back to (?:full|normal) price)|[-~到至]|--|截[止至]|止于|期限|有效期|限于|最后一天|限|即日起|持续|延长到)(?:[\s:,(]|\b(?:on|at|the|of|end|is|from|midnight|and|including|close|this|it|all|just|noon|only|night|\d{1,2}(?:[:.]\d\d)?\s?[ap]m|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b|[是为在于到至日期]|周.|\d\d:\d\d)*$"
)
_ENDS_AFTER = re.compile(
    r"\s?(?:\([^)]{0,6}\))?(?:[\d:点时分整]*)(?:晚上?|零点|午夜|当[天晚]|24点|一过|一到|深夜|夜里|中午)?(?:[\d:点时分整]*)(?:之?前|[止截]|结束|到期|失效|过期|为止|下架|有效|恢复|涨价|收官|关闭|打烊前|最后一天|作废|就|is (?:the|your) (?:last|final)|is when|it (?:ends|closes)|midnight|at midnight|only\b|deadline|everything|,? (?:prices?|it|the price) goes?)"
)
_NOT_AN_END = re.compile(
    r"(?:\bpoints?\b|gift cards?|积分|礼品卡|放假|春节|圣诞|过年|除夕|开学|高考|降温|生日|deliver\w*|dispatch\w*|arriv\w*|\bships?\b|shipp\w*|\bposted?\b|at your door|best[ -]before|\bopen\b|\bbook\b|rsvp|collect|for christmas|restock|back in stock|harvest\w*|in season|delivered|送达|发货|到货|赏味|保质|营业|预约|开课|收到|寄出|上门|补货|到家|出发|送到|return|退货|退换|开业|上新|采摘|生产|brew|steep|keeps? for|lasts? |dry|续航|泡|腌|发酵)"
)


def deadlines(read: Read, facts: Facts, lines: Lines) -> Iterator[Hit]:
    """Last days other than the offer's."""
    text = read.lower
    for match in _DAY.finditer(text):
        start, end = match.span()
        before, after = clause(text[max(0, start - 40) : start], last=True), text[end : end + 14]
        counted = any(match[name] for name in ("n1", "n2", "n3", "n4", "h", "h2"))
        if not counted and not _ENDS_BEFORE.search(before) and not _ENDS_AFTER.match(after):
            continue
        days = _days_meant(match, facts, lines.language)
        around = clause(text[max(0, start - 40) : start], last=True) + clause(text[start : end + 40])
        if not days or facts.valid_until in days or _NOT_AN_END.search(around) or in_a_name(read, start, end, facts):
            continue
        if counted or any(match[name] for name in ("tomorrow", "after", "weekend")):
            yield breach("untrue_urgency", start, end, "ends", lines.until)
        else:
            yield breach("coupon_terms", start, end, "no_coupon" if facts.valid_until is None else "coupon", lines.until)


def _days_meant(match: re.Match[str], facts: Facts, language: str) -> set[date]:
    """The days that an expression may mean; none where it is no day at all."""
    said, today = match.groupdict(), facts.today
    if said["w1"] or said["w2"]:
        name = said["w1"][:3] if said["w1"] else _DAYS["一二三四五六日".index(said["w2"].replace("天", "日"))]
        first = today + timedelta(days=(_DAYS.index(name) - today.weekday()) % 7)
        return {first + timedelta(days=7)} if said["next"] else {first, first + timedelta(days=7)} if "next" in match[0] else {first}
    if said["tomorrow"] or said["after"]:
        return {today + timedelta(days=1 if said["tomorrow"] else 2)}
    if said["weekend"]:
        return {today + timedelta(days=(n - today.weekday()) % 7) for n in (5, 6)}
    if said["em"] or said["zm"]:
        year, month = today.year, _MONTHS.index(said["em"][:3]) + 1 if said["em"] else int(value_of(said["zm"]))
        if not 1 <= month <= 12:
            return set()
        year += month < today.month
        return {date(year, month, monthrange(year, month)[1])}
    if said["month"]:
        return {today.replace(day=monthrange(today.year, today.month)[1])}
    if said["h"] or said["h2"]:
        days = int(said["h"] or said["h2"]) // 24
        return {today + timedelta(days=days), today + timedelta(days=days - 1)}
    number = next((said[name] for name in ("n1", "n2", "n3", "n4") if said[name]), None)
    if number:
        days = min(int(value_of(number)), 9999)
        return {today + timedelta(days=days), today + timedelta(days=days - 1)}
    return _dated(said, today, language)


def _dated(said: Mapping[str, str | None], today: date, language: str) -> set[date]:
    month = next((said[name] for name in ("m1", "m2", "m3", "m4") if said[name]), None)
    day = next((said[name] for name in ("d1", "d2", "d3", "d4", "d6", "d7") if said[name]), None)
    year = next((said[name] for name in ("y1", "y2", "y3", "y4") if said[name]), None)
    if said["e5"] and said["f5"]:
        day, month = (said["f5"], said["e5"]) if language == "zh" else (said["e5"], said["f5"])
    if day is None:
        return set()
    number = int(value_of(day))
    months = [today.month, today.month % 12 + 1] if month is None else [_MONTHS.index(month[:3]) + 1 if month[:3] in _MONTHS else int(value_of(month))]
    years = [int(year)] if year else [today.year, today.year + 1]
    found = sorted(date(y, m, number) for y in years for m in months if 1 <= m <= 12 and 1 <= number <= monthrange(y, m)[1])
    return {next((one for one in found if one >= today), found[-1])} if found else set()
