"""Which days are meant by these words? Relative and absolute, English and Chinese."""

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta

from retrieval.numbers import ZH_NUMERAL, chinese

_MONTHS = {name.lower(): n for n in range(1, 13) for name in (calendar.month_name[n], calendar.month_abbr[n])} | {"sept": 9}
_MONTH = "(" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + ")"
_WEEKDAYS = {name.lower(): n for n, name in enumerate(calendar.day_name)}
_UNIT_DAYS = {
    "day": 1,
    "week": 7,
    "month": 30,
    "year": 365,
    "天": 1,
    "日": 1,
    "周": 7,
    "星期": 7,
    "个星期": 7,
    "个月": 30,
    "月": 30,
    "年": 365,
    "礼拜": 7,
    "个礼拜": 7,
}


@dataclass(frozen=True)
class Period:
    """Days from `start` to `end`, both included; `open_start` for “before …”, and where the words stood."""

    start: date
    end: date
    span: tuple[int, int]


def month_of(year: int, month: int) -> tuple[date, date]:
    """First and last day of a month; months may run over."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


def read(text: str, today: date, *, ahead: bool = False) -> Period | None:
    """The first period a text names. Bare months lie in the past, or ahead when `ahead`."""
    text = text.lower()
    for reader in (_absolute, _relative, _counted, _named_month, _seasonal):
        period = reader(text, today, ahead)
        if period:
            return period
    return None


def _absolute(text: str, today: date, ahead: bool) -> Period | None:
    found = re.search(r"\b(\d{4})[-/年.](\d{1,2})[-/月.](\d{1,2})日?", text)
    if found:
        return _day(int(found[1]), int(found[2]), int(found[3]), found.span())
    found = re.search(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}\b\.?,?\s*(\d{{4}})?", text)
    if found:
        return _guess_year(found[3], _MONTHS[found[2]], int(found[1]), today, ahead, found.span())
    found = re.search(rf"\b{_MONTH}\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?!\d),?\s*(\d{{4}})?", text)
    if found:
        return _guess_year(found[3], _MONTHS[found[1]], int(found[2]), today, ahead, found.span())
    found = re.search(rf"(\d{{1,2}}|{ZH_NUMERAL})月(\d{{1,2}}|{ZH_NUMERAL})[日号]", text)
    if found:
        return _guess_year(None, _number(found[1]), _number(found[2]), today, ahead, found.span())
    return None


def _relative(text: str, today: date, ahead: bool) -> Period | None:
    monday = today - timedelta(days=today.weekday())
    year, month = today.year, today.month
    spans: list[tuple[str, tuple[date, date]]] = [
        (r"\bday before yesterday\b|前天", (today - timedelta(days=2),) * 2),
        (r"\byesterday\b|昨[天日晚]", (today - timedelta(days=1),) * 2),
        (r"\btoday\b|\bjust now\b|\bthis (?:morning|afternoon|evening)\b|\btonight\b|今[天早晚日]|刚刚|刚才", (today, today)),
        (r"\bday after tomorrow\b|后天", (today + timedelta(days=2),) * 2),
        (r"\btomorrow\b|明[天日]", (today + timedelta(days=1),) * 2),
        (r"\blast week\b|上(?:个)?(?:周|星期|礼拜)(?![一二三四五六日天])", (monday - timedelta(days=7), monday - timedelta(days=1))),
        (r"\bnext week\b|下(?:个)?(?:周|星期|礼拜)(?![一二三四五六日天])", (monday + timedelta(days=7), monday + timedelta(days=13))),
        (r"\bthis week\b|(?:这|本)(?:个)?(?:周|星期|礼拜)", (monday, monday + timedelta(days=6))),
        (r"\blast month\b|上(?:个)?月", month_of(year, month - 1)),
        (r"\bend of next month\b|下(?:个)?月底", (month_of(year, month + 1)[1],) * 2),
        (r"\bnext month\b|下(?:个)?月", month_of(year, month + 1)),
        (r"\bend of (?:this|the) month\b|(?<![一二三四五六七八九十\d])(?:这|本)?(?:个)?月底", (month_of(year, month)[1],) * 2),
        (r"\bthis month\b|(?:这|本)(?:个)?月", month_of(year, month)),
        (r"\bend of (?:this |the )?year\b|\byear[ -]?end\b|年底|年末|年前|过年前", (date(year, 12, 31),) * 2),
        (r"\blast year\b|去年", (date(year - 1, 1, 1), date(year - 1, 12, 31))),
        (r"\bnext year\b|明年", (date(year + 1, 1, 1), date(year + 1, 12, 31))),
        (r"\bthis year\b|今年", (date(year, 1, 1), date(year, 12, 31))),
        (r"\b(?:by |before |for )?christmas\b|圣诞", (date(year, 12, 24),) * 2),
    ]
    for pattern, (start, end) in spans:
        found = re.search(pattern, text)
        if found:
            inner = _named_month(text, today, ahead)
            # 去年三月: the month is meant, in the year named.
            if inner and re.search(r"year|年", found[0]) and "底" not in found[0] and "end" not in found[0]:
                return Period(*month_of(start.year, inner.start.month), (min(found.start(), inner.span[0]), max(found.end(), inner.span[1])))
            return Period(start, end, found.span())
    found = re.search(r"\b(last|this|next|on)\s+(" + "|".join(_WEEKDAYS) + r")\b", text)
    if found:
        day = monday + timedelta(days=_WEEKDAYS[found[2]])
        day += timedelta(days={"last": -7 if day >= today else 0, "next": 7, "this": 0, "on": -7 if day > today and not ahead else 0}[found[1]])
        return Period(day, day, found.span())
    return None


def _counted(text: str, today: date, ahead: bool) -> Period | None:
    number = rf"(\d+|{ZH_NUMERAL}|半)"
    back = [
        r"\b(?:in|over|during|within)?\s*(?:the\s+)?(?:last|past|previous)\s+(?P<n>\d+|two|three|four|five|six|few|couple of)?\s*(?P<u>day|week|month|year)s?\b",
        rf"(?:最近|过去|近|这|前)(?:的)?(?P<n>{number[1:-1]})(?P<u>天|周|个星期|星期|个月|年|个礼拜)",
    ]
    words = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "few": 3, "couple of": 2, None: 1, "半": 0.5}
    for pattern in back:
        found = re.search(pattern, text)
        if found:
            count = words[found["n"]] if found["n"] in words else _number(found["n"])
            return Period(today - timedelta(days=round(count * _UNIT_DAYS[found["u"]]) - 1), today, found.span())
    found = re.search(r"\b(?:in|within)\s+(\d+|two|three|four|five|six|a)\s+(day|week|month|year)s?\b", text) or re.search(
        rf"({number[1:-1]})(天|周|个月|年)(?:之?内|以内|后)", text
    )
    if found and ahead:
        count = {"a": 1, **words}.get(found[1]) or _number(found[1])
        day = today + timedelta(days=round(count * _UNIT_DAYS[found[2]]))
        return Period(day, day, found.span())
    return None


def _named_month(text: str, today: date, ahead: bool) -> Period | None:
    found = re.search(rf"(?:(?P<y>\d{{4}})年)?(?<!\d)(?P<m>1[0-2]|[1-9]|{ZH_NUMERAL})月(?:份)?(?P<end>底)?", text)
    if found and 1 <= _number(found["m"]) <= 12:
        return _month(_number(found["m"]), int(found["y"]) if found["y"] else None, today, ahead, bool(found["end"]), found.span())
    # “may” alone is more often a verb than a month.
    found = re.search(
        rf"\b(?:(?P<end>end of)\s+)?(?:in|by|during|since|from|last|of|until|before|for|next|this)\s+(?:late\s+|early\s+)?{_MONTH}\b\.?\s*(?P<y>\d{{4}})?", text
    )
    found = found or re.search(rf"\b(?P<end>end of\s+)?(?!may\b|mar\b){_MONTH}\b\.?\s*(?P<y>\d{{4}})?", text)
    if found:
        month = next(_MONTHS[g] for g in found.groups() if g in _MONTHS)
        return _month(month, int(found["y"]) if found["y"] else None, today, ahead, bool(found["end"]), found.span())
    found = re.search(r"\b(20[0-3]\d)\b年?(?!\s*(?:points?|pounds?|分|积分|镑|元|块))", text)
    return Period(date(int(found[1]), 1, 1), date(int(found[1]), 12, 31), found.span()) if found else None


def _seasonal(text: str, today: date, ahead: bool) -> Period | None:
    for pattern, first in (
        (r"\b(?:last |this |in )?spring\b|春天", 3),
        (r"\b(?:last |this |in |over )?(?:the )?summer\b|夏天|暑假", 6),
        (r"\b(?:last |this |in )autumn\b|秋天", 9),
    ):
        found = re.search(pattern, text)
        if found:
            year = today.year if today.month > first or ahead else today.year - 1
            return Period(date(year, first, 1), month_of(year, first + 2)[1], found.span())
    return None


def _month(month: int, year: int | None, today: date, ahead: bool, end: bool, span: tuple[int, int]) -> Period:
    if year is None:
        year = today.year
        if ahead and month < today.month:
            year += 1
        elif not ahead and month > today.month:
            year -= 1
    first, last = month_of(year, month)
    return Period(last if end else first, last, span)


def _guess_year(year: str | None, month: int, day: int, today: date, ahead: bool, span: tuple[int, int]) -> Period | None:
    found = _day(int(year) if year else today.year, month, day, span)
    if found and not year:
        if ahead and found.start < today:
            return _day(today.year + 1, month, day, span)
        if not ahead and found.start > today:
            return _day(today.year - 1, month, day, span)
    return found


def _day(year: int, month: int, day: int, span: tuple[int, int]) -> Period | None:
    try:
        return Period(date(year, month, day), date(year, month, day), span)
    except ValueError:
        return None


def _number(text: str) -> int:
    return int(text) if text.isdigit() else chinese(text) or 0
