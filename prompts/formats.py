"""How are money, days and numbers written in each language?"""

from datetime import date
from decimal import Decimal
from typing import Any

SIGNS = {"GBP": "£", "USD": "$", "EUR": "€", "CNY": "¥", "JPY": "¥", "HKD": "HK$"}
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]


def money(amount: str | float, currency: str) -> str:
    """`1312.40`, GBP → `£1,312.40`; an unknown currency keeps its code."""
    value = Decimal(str(amount))
    sign = SIGNS.get(currency, f"{currency} ")
    return f"{'-' if value < 0 else ''}{sign}{abs(value):,.2f}"


def number(value: float) -> str:
    """Thousands set apart; whole numbers without decimals."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}".rstrip("0").rstrip(".")


def day(value: str | date, language: str, today: str | date = "") -> str:
    """`2026-12-31` → `31 December`, 12月31日; with the year when it is not today's."""
    on = value if isinstance(value, date) else date.fromisoformat(value[:10])
    now = today if isinstance(today, date) else date.fromisoformat(today[:10]) if today else None
    same = now is not None and now.year == on.year
    if language == "zh":
        return f"{on.month}月{on.day}日" if same else f"{on.year}年{on.month}月{on.day}日"
    return f"{on.day} {MONTHS[on.month - 1]}" + ("" if same else f" {on.year}")


def either(record: dict[str, Any], name: str, language: str) -> str:
    """`name_en` or `name_zh` of a record, whichever the language asks for and there is."""
    return record.get(f"{name}_{language}") or record.get(f"{name}_en") or record.get(f"{name}_zh") or ""
