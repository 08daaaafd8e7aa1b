"""Which number is meant by these words? English and Chinese numerals, amounts and ordinals."""

import re

_ZH_DIGITS = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "俩": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_ZH_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10_000}
ZH_NUMERAL = "[零〇一二两俩三四五六七八九十百千万]+"
_EN = {
    word: value
    for value, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
} | {word: 10 * n for n, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2)}
EN_NUMERAL = r"(?:(?:" + "|".join(sorted([*_EN, "hundred", "thousand", "a hundred", "a thousand"], key=len, reverse=True)) + r")(?:[\s-]+(?:and\s+)?)?)+"
_ORDINALS_EN = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "fifth": 5, "5th": 5, "last": -1}


def chinese(text: str) -> int | None:
    """三百二 → 320, 两千 → 2000, 一万五 → 15000, 二〇二六 → 2026; None when it is no numeral."""
    if not text or not re.fullmatch(ZH_NUMERAL, text):
        return None
    if not any(c in _ZH_UNITS for c in text):
        return int("".join(str(_ZH_DIGITS[c]) for c in text))
    total = section = digit = 0
    last = 1
    for c in text:
        if c in _ZH_DIGITS:
            digit = _ZH_DIGITS[c]
            continue
        unit = _ZH_UNITS[c]
        if unit == 10_000:
            total, section, digit = (total + section + digit) * unit, 0, 0
        else:
            section, digit = section + (digit or 1) * unit, 0
        last = unit
    # 三百二 says 320: a bare digit after a unit counts the next smaller unit, unless 零 stands between.
    return total + section + (digit * last // 10 if digit and "零" not in text and last > 10 else digit)


def english(text: str) -> int | None:
    """`two hundred and fifty` → 250; None when it is no numeral."""
    total = current = 0
    words = [w for w in re.split(r"[\s-]+", text.lower().strip()) if w not in ("and", "")]
    for word in words:
        if word in _EN:
            current += _EN[word]
        elif word == "a":
            current += 1
        elif word == "hundred":
            current = (current or 1) * 100
        elif word == "thousand":
            total, current = total + (current or 1) * 1000, 0
        else:
            return None
    return total + current if words else None


def ordinal(text: str) -> int | None:
    """`the second one`, 第二个, 最后一个: 1-based, -1 for the last; None when no place is named."""
    found = re.search(r"第\s*([一二两三四五六七八九十\d]+)\s*[个件款项单笔样条]?", text)
    if found:
        value = int(found.group(1)) if found.group(1).isdigit() else chinese(found.group(1))
        return value if value and value <= 20 else None
    if re.search(r"最后(?:那)?(?:一)?[个件款单]", text):
        return -1
    word = re.search(r"\b(?:the\s+)?(first|second|third|fourth|fifth|1st|2nd|3rd|4th|5th|last)\b(?:\s+(?:one|item|product|order|option))?", text.lower())
    numbered = re.search(r"\b(?:number|no\.?|option|#)\s*(\d)\b", text.lower())
    if numbered:
        return int(numbered.group(1))
    return _ORDINALS_EN[word.group(1)] if word else None
