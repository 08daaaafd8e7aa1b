"""How does a sentence become a change of the club's rules?

Thresholds, discounts, terms and days out of a marketer's words, and the stories that try,
compare and adopt them; and members who never were. Nothing is guessed into a
rule: what is missing is asked for.
"""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from assistant.embedded import slots, wish
from assistant.embedded.skills import Call, Story, all_said, ask_back, given, skill, told
from assistant.embedded.turn import Turn
from retrieval.numbers import EN_NUMERAL, chinese, english
from retrieval.words import normal

_TIER_WORD = "|".join(slots._TIERS.values())
_NUMBER = r"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)\s*(k\b|grand|千|万)?"
SEARCHES = re.compile(
    r"\b(?:best|optimal|optimi[sz]e|ideal|find|search|which)\b.{0,40}\b(?:threshold|cut-?off|limit|level|tier)s?\b|\bthresholds?\b.{0,40}\b(?:best|optimal|maximi[sz]e)|最优|最佳|最合适的?门槛|找(?:出|一)?.{0,8}门槛|优化门槛|门槛(?:怎么|如何)(?:定|设)(?:最)?|(?:规则|等级|门槛).{0,12}(?:搜|找|挑|算).{0,8}最(?:优|好|佳|划算)|(?:best|optimal) (?:set of )?(?:tier )?(?:rules|thresholds)",
    re.IGNORECASE,
)


def rules_in(text: str) -> dict[str, Any]:
    """The rule changes a text names, as the tools take them."""
    plain = normal(text)
    found: dict[str, Any] = {}
    months = re.search(
        r"(?:expir\w*|valid(?:ity)?|laps\w*|last|live|过期|有效期?|失效|到期|清零).{0,24}?(\d+|[一二两三四五六七八九十]+)\s*(?:个)?(months?|月|years?|年)|(\d+|[一二两三四五六七八九十]+)\s*(?:个)?(months?|月|years?|年).{0,16}?(?:expir|valid|laps|过期|有效|失效|到期|清零)",
        plain,
    )
    if months:
        raw, unit = (months[1], months[2]) if months[1] else (months[3], months[4])
        count = int(raw) if raw.isdigit() else int(chinese(raw) or 0)
        found["expiry_months"] = count * (12 if unit.startswith(("year", "年")) else 1)
        plain = plain[: months.start()] + " " + plain[months.end() :]
    grace = re.search(r"(?:grace|保级期?|宽限期?).{0,16}?(\d+)\s*(days?|天|months?|个?月)|(\d+)\s*[- ]?(days?|天)\s*(?:grace|保级|宽限)", plain)
    if grace:
        raw, unit = (grace[1], grace[2]) if grace[1] else (grace[3], grace[4])
        found["grace_days"] = int(raw) * (30 if "month" in unit or "月" in unit else 1)
        plain = plain[: grace.start()] + " " + plain[grace.end() :]
    ship = re.search(rf"(?:free (?:shipping|delivery|postage)|包邮|免邮|免运费).{{0,16}}?{_NUMBER}|{_NUMBER}\s*(?:元|镑|pounds?)?\s*(?:包邮|免邮)", plain)
    if ship:
        groups = list(ship.groups())
        raw, scale = (groups[0], groups[1]) if groups[0] else (groups[2], groups[3])
        found["free_shipping_from"] = _amount(raw, scale)
        plain = plain[: ship.start()] + " " + plain[ship.end() :]
    per = re.search(
        r"(\d+)\s*points?\s*(?:for|per|a|each|every)\s*(?:pound|unit|euro|dollar|£|\$|€)|每(?:消费)?(?:一|1)?(?:元|镑|英镑|块)\s*(?:送|积|得|给)?\s*(\d+)\s*(?:积)?分|\b(double) points (?:for|on) (?:all|every)|全场双倍积分",
        plain,
    )
    if per:
        raw = per[1] or per[2]
        found["points_per_unit"] = int(raw) if raw else 2
        plain = plain[: per.start()] + " " + plain[per.end() :]
    for tier, words in slots._TIERS.items():
        for place in re.finditer(rf"(?:{words})", plain):
            after = plain[place.end() : place.end() + 48]
            stop = re.search(rf"(?:{_TIER_WORD})|[;；。]|\bvs\b|\bversus\b", after)
            after = after[: stop.start()] if stop else after
            _of_tier(tier, after, found)
    return found


def _of_tier(tier: str, after: str, found: dict[str, Any]) -> None:
    percent = re.search(r"(\d{1,2})\s*(?:%|percent|per cent)", after)
    fold = re.search(r"(\d(?:\.\d)?|[一二三四五六七八九]{1,2})\s*折", after)
    times = re.search(r"(\d(?:\.\d+)?)\s*(?:x|×|times|倍)", after)
    number = re.search(_NUMBER, after)
    if percent or fold:
        off = slots.read(after, date(2026, 1, 1)).percent
        if off:
            found.setdefault("discounts", {})[tier] = off
    elif times:
        found.setdefault("earning", {})[tier] = float(times[1])
    elif spoken := re.search(rf"\b({EN_NUMERAL})\s*(grand|thousand|hundred)\b", after):
        found.setdefault("thresholds", {})[tier] = float(english(spoken[1].strip()) or 0) * (100 if spoken[2] == "hundred" else 1000)
    elif number:
        value = _amount(number[1], number[2])
        # A number of days or months after a tier is no threshold.
        rest = after[number.end() : number.end() + 8]
        if value >= 10 and not re.match(r"\s*(?:days?|months?|天|个?月|%|年)", rest):
            found.setdefault("thresholds", {})[tier] = value
    else:
        spelled = re.search(r"[一二两三四五六七八九]?[百千万][零一二三四五六七八九百千十]*", after)
        counted = chinese(spelled.group()) if spelled else None
        if counted:
            found.setdefault("thresholds", {})[tier] = float(counted)


def _amount(raw: str, scale: str | None) -> float:
    return float(raw.replace(",", "")) * {"k": 1000, "grand": 1000, "千": 1000, "万": 10_000}.get(scale or "", 1)


def _last_rules(turn: Turn) -> dict[str, Any] | None:
    for result in reversed(turn.past):
        for key in ("rules", "first"):
            if result.tool in ("policy_what_if", "compare_policies", "adopt_policy") and result.arguments.get(key):
                return dict(result.arguments[key])
        if result.tool == "policy_what_if" and result.record.get("found_thresholds"):
            return {"thresholds": {k: float(v) for k, v in result.record["found_thresholds"].items()}}
    return None


_NOBODY = r"(?:invented|synthetic|made[- ]up|imaginary|simulated|fake|虚构|合成|模拟|虚拟)的?\s*(?:members?|customers?|people|会员|用户|客户)"
_INVENTED = re.compile(
    rf"(?:(?:on|with|用|拿|在)?\s*(?:{_NUMBER}|(?P<zh>[一二两三四五六七八九十百千万]+)|(?P<en>an?|one))\s*(?P<million>million|mn?\b)?\s*[个位名]?\s*)?{_NOBODY}"
)
_INVENTED_USUALLY = 100_000


def _invented(turn: Turn) -> tuple[int | None, str]:
    """On how many invented members rules are to be tried, none for the shop's own; and the message without that."""
    text = normal(turn.text)
    found = _INVENTED.search(text)
    if not found:
        return None, turn.text
    said = _amount(found[1], found[2]) if found[1] else float(chinese(found["zh"]) or 0) if found["zh"] else 1.0 if found["en"] and found["million"] else 0.0
    number = round(said * (1_000_000 if found["million"] else 1)) or _INVENTED_USUALLY
    return max(1_000, min(number, 50_000_000)), f"{text[: found.start()]} {text[found.end() :]}"


@skill("policy_what_if")
def _what_if(turn: Turn) -> Story:
    many, text = _invented(turn)
    asked, text = rules_in(text), normal(text)
    if not asked and (SEARCHES.search(turn.text) or re.search(r"\bbudget\b|预算", text)):
        lower = re.search(
            r"(?:no more than|at most|max(?:imum)?|under|不超过|最多|别超过)\s*(\d{1,2})\s*%|(\d{1,2})\s*%[^.。]{0,24}(?:downgrad|drop|lower|down|members|most|降级|掉级)|(?:knock\w* down|downgrad\w*|降级|掉级)\D{0,14}(\d{1,2})\s*%",
            text,
        )
        sums = [amount for amount in (*turn.slots.amounts, turn.slots.most or 0) if amount >= 100]
        plain = re.search(rf"(?:budget|costs?|spend|within|预算|成本|花费|控制在)\D{{0,16}}{_NUMBER}(?!\s*%)", text)
        budget = max(sums) if sums else _amount(plain[1], plain[2]) if plain and _amount(plain[1], plain[2]) >= 100 else None
        most = float(next(g for g in lower.groups() if g)) if lower else None
        return told((yield Call("policy_what_if", {"search": True, **given(budget=budget, downgraded_most_percent=most, invented_members=many)})))
    before = _last_rules(turn)
    if before and (wish.continues(turn.text) if asked else many):
        # “And on a million invented members?” asks the same of others.
        asked = _with_rules(before, asked)
    if not asked:
        return ask_back(turn, "missing_rules", "rules")
    return told((yield Call("policy_what_if", {"rules": asked, **given(invented_members=many)})))


def _with_rules(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {**before, **{k: {**before.get(k, {}), **v} if isinstance(v, dict) else v for k, v in after.items()}}


@skill("compare_policies")
def _compare(turn: Turn) -> Story:
    many, text = _invented(turn)
    halves = [rules for piece in _sides(text) if (rules := rules_in(piece))]
    whole, on = rules_in(text), given(invented_members=many)
    halves = halves if len(halves) >= 2 and halves[0] != halves[1] else _two_of_one(text) or halves
    before = _last_rules(turn)
    if len(halves) >= 2 and halves[0] != halves[1]:
        return told((yield Call("compare_policies", {"first": halves[0], "second": halves[1], **on})))
    if whole and before and whole != before:
        return told((yield Call("compare_policies", {"first": before, "second": whole, **on})))
    if whole or before:
        return told((yield Call("compare_policies", {"first": whole or before, **on})))
    return ask_back(turn, "missing_rules", "rules")


def _two_of_one(text: str) -> list[dict[str, Any]]:
    """“6000 and 5500 for platinum”: one threshold, two proposals."""
    plain = normal(text)
    tiers = [tier for tier, words in slots._TIERS.items() if re.search(words, plain)]
    numbers = [_amount(m[1], m[2]) for m in re.finditer(_NUMBER, plain) if _amount(m[1], m[2]) >= 100]
    if len(tiers) != 1 or len(set(numbers)) != 2:
        return []
    return [{"thresholds": {tiers[0]: number}} for number in dict.fromkeys(numbers)]


def _sides(text: str) -> Sequence[str]:
    """The two halves of a comparison; a tier said once counts for both."""
    parts = re.split(
        r"\bvs?\b\.?|\bversus\b|\bagainst\b|\bcompared? (?:to|with)\b|\bor\b|\bthan\b|还是|对比|相比|比较|\bpk\b|和(?=.{0,12}\d)|跟(?=.{0,12}\d)|\band\b(?=\D{0,14}\d)",
        text,
        flags=re.IGNORECASE,
    )
    parts = [part for part in parts if re.search(r"\d|[一二三四五六七八九]千|万", part)]
    if len(parts) < 2:
        return parts
    first = re.search(rf"({_TIER_WORD})", normal(parts[0]))
    months = re.search(r"(expir\w*|valid\w*|有效期?|过期)", normal(parts[0]))
    made = [parts[0]]
    for part in parts[1:]:
        if not re.search(rf"(?:{_TIER_WORD})", normal(part)) and first and not re.search(r"months?|个月|expir|过期", normal(part)):
            part = f"{first[1]} {part}"
        elif months and not re.search(r"expir|valid|有效|过期", normal(part)) and re.search(r"month|月|年|year", normal(part)):
            part = f"{months[1]} {part}"
        made.append(part)
    return made


@skill("adopt_policy")
def _adopt(turn: Turn) -> Story:
    asked = rules_in(all_said(turn)) or _last_rules(turn)
    if not asked:
        return ask_back(turn, "missing_rules", "rules")
    ahead = turn.slots.ahead
    day = ahead.start if ahead and ahead.start > turn.today else None
    if day is None and turn.slots.past and turn.slots.past.end <= turn.today:
        # A day that is over is refused by the rules, not read as another one.
        day = turn.slots.past.start
    if day is None and re.search(r"tomorrow|明天", turn.text.lower()):
        day = turn.today + timedelta(days=1)
    if day is None and re.search(r"next month|下个?月", turn.text.lower()):
        day = (turn.today.replace(day=1) + timedelta(days=32)).replace(day=1)
    if day is None and re.search(r"next year|new year|明年|元旦|新年", turn.text.lower()):
        day = turn.today.replace(year=turn.today.year + 1, month=1, day=1)
    if day is None:
        return ask_back(turn, "missing_start", "start")
    return told((yield Call("adopt_policy", {"rules": asked, "starts_on": day.isoformat()})))


@skill("synthesise_members")
def _invent(turn: Turn) -> Story:
    text = normal(turn.text)
    if turn.last_tool() in ("policy_what_if", "compare_policies") and not re.search(r"csv|file|download|generate|make|create|文件|下载|生成|造", text):
        # “And on a million invented members?” after rules were tried.
        return (yield from _what_if(turn))
    number = re.search(r"(\d[\d,]*)\s*(k|千|万|thousand)?", text)
    spelled = re.search(r"[一二两三四五六七八九]?[百千万][零一二三四五六七八九百千十]*", text)
    count: float | None = None
    if number:
        count = float(number[1].replace(",", "")) * {"k": 1000, "grand": 1000, "千": 1000, "万": 10_000, "thousand": 1000}.get(number[2] or "", 1)
    elif spelled:
        count = float(chinese(spelled.group()) or 0)
    elif re.search(r"\b(?:a|one) thousand\b", text):
        count = 1000
    members = int(min(20_000, max(10, count))) if count and count >= 10 else None
    return told((yield Call("synthesise_members", given(members=members))))
