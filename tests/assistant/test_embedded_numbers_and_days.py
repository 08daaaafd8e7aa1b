"""Which number and which days are meant, in either language?"""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.embedded import dates
from retrieval.numbers import chinese, english, ordinal

TODAY = date(2026, 11, 22)  # a Sunday


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("三百二", 320),
        ("三百零二", 302),
        ("两千", 2000),
        ("一万五", 15000),
        ("二〇二六", 2026),
        ("十", 10),
        ("十五", 15),
        ("二十", 20),
        ("九十九", 99),
        ("一百一十", 110),
        ("一千零一", 1001),
        ("三千五", 3500),
        ("十二万三千", 123000),
        ("俩", 2),
        ("零", 0),
        ("", None),
        ("茶", None),
        ("三茶", None),
    ],
)
def test_chinese_numerals(text: str, value: int | None) -> None:
    assert chinese(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("two hundred and fifty", 250),
        ("twenty-five", 25),
        ("a hundred", 100),
        ("one thousand two hundred", 1200),
        ("forty", 40),
        ("Nineteen", 19),
        ("a thousand", 1000),
        ("twelve hundred", 1200),
        ("three thousand and one", 3001),
        ("kettle", None),
        ("", None),
    ],
)
def test_english_numerals(text: str, value: int | None) -> None:
    assert english(text) == value


@given(st.integers(0, 99_999))
def test_a_written_out_number_reads_back(number: int) -> None:
    assert english(_in_english(number)) == number
    assert chinese(_in_chinese(number)) == number


def _in_english(n: int) -> str:
    small = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
    tens = "twenty thirty forty fifty sixty seventy eighty ninety".split()
    if n < 20:
        return small[n]
    if n < 100:
        return tens[n // 10 - 2] + (f"-{small[n % 10]}" if n % 10 else "")
    size, word = (1000, "thousand") if n >= 1000 else (100, "hundred")
    return f"{_in_english(n // size)} {word}" + (f" and {_in_english(n % size)}" if n % size else "")


def _in_chinese(n: int) -> str:
    digits, out, gap = "零一二三四五六七八九", "", False
    if n == 0:
        return "零"
    for size, unit in ((10_000, "万"), (1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, n = divmod(n, size)
        if digit:
            out += ("零" if gap and out else "") + digits[digit] + unit
            gap = False
        elif out and n:
            gap = True
    return out


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("the second one", 2),
        ("first", 1),
        ("the last one please", -1),
        ("number 3", 3),
        ("option 2", 2),
        ("第二个", 2),
        ("第三单", 3),
        ("第10个", 10),
        ("最后一个", -1),
        ("最后那件", -1),
        ("a kettle", None),
        ("茶壶", None),
    ],
)
def test_places_in_a_list(text: str, place: int | None) -> None:
    assert ordinal(text) == place


# --- days -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("what did I order yesterday", "2026-11-21", "2026-11-21"),
        ("昨天买的", "2026-11-21", "2026-11-21"),
        ("前天的订单", "2026-11-20", "2026-11-20"),
        ("last week", "2026-11-09", "2026-11-15"),
        ("上周的订单", "2026-11-09", "2026-11-15"),
        ("this week", "2026-11-16", "2026-11-22"),
        ("last month", "2026-10-01", "2026-10-31"),
        ("上个月", "2026-10-01", "2026-10-31"),
        ("last year", "2025-01-01", "2025-12-31"),
        ("去年三月", "2025-03-01", "2025-03-31"),
        ("今年五月", "2026-05-01", "2026-05-31"),
        ("in March", "2026-03-01", "2026-03-31"),
        ("in December", "2025-12-01", "2025-12-31"),
        ("三月份买的", "2026-03-01", "2026-03-31"),
        ("12月", "2025-12-01", "2025-12-31"),
        ("on 3 June", "2026-06-03", "2026-06-03"),
        ("June 3rd, 2025", "2025-06-03", "2025-06-03"),
        ("6月3日", "2026-06-03", "2026-06-03"),
        ("六月三号", "2026-06-03", "2026-06-03"),
        ("2026-06-03", "2026-06-03", "2026-06-03"),
        ("2026年6月3日", "2026-06-03", "2026-06-03"),
        ("the last 30 days", "2026-10-24", "2026-11-22"),
        ("最近三个月", "2026-08-25", "2026-11-22"),
        ("past two weeks", "2026-11-09", "2026-11-22"),
        ("last monday", "2026-11-16", "2026-11-16"),
        ("in 2025", "2025-01-01", "2025-12-31"),
        ("over the summer", "2026-06-01", "2026-08-31"),
    ],
)
def test_days_that_lie_behind(text: str, start: str, end: str) -> None:
    period = dates.read(text, TODAY)
    assert period and (period.start.isoformat(), period.end.isoformat()) == (start, end)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("by the end of the year", "2026-12-31"),
        ("年底前", "2026-12-31"),
        ("before Christmas", "2026-12-24"),
        ("圣诞前", "2026-12-24"),
        ("by next month", "2026-12-31"),
        ("until 5 January", "2027-01-05"),
        ("1月5日前", "2027-01-05"),
        ("in March", "2027-03-31"),
        ("tomorrow", "2026-11-23"),
        ("明天", "2026-11-23"),
        ("within two weeks", "2026-12-06"),
        ("三个月内", "2027-02-20"),
        ("下个月底", "2026-12-31"),
    ],
)
def test_days_that_lie_ahead(text: str, end: str) -> None:
    period = dates.read(text, TODAY, ahead=True)
    assert period and period.end.isoformat() == end


@pytest.mark.parametrize("text", ["may I have a kettle", "I may buy it", "a mar on the table", "2026 points", "13月40日", "hello", "第二个"])
def test_what_is_no_day_is_none(text: str) -> None:
    assert dates.read(text, TODAY) is None


@given(st.text(max_size=60), st.dates(min_value=date(1990, 1, 1), max_value=date(2090, 1, 1)), st.booleans())
def test_any_text_gives_a_period_in_order_or_none(text: str, today: date, ahead: bool) -> None:
    period = dates.read(text, today, ahead=ahead)
    assert period is None or period.start <= period.end
