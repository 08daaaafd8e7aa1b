"""How does a marketer's sentence become an audience, a campaign or a rule change?

The stories of the studio and the policy lab: which conditions, names, offers,
days and rules a message gives, and which tool carries it. What is missing is
asked for; nothing is guessed into a write.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from rapidfuzz import fuzz

import prompts
from assistant.embedded import slots, wish
from assistant.embedded.foresight import _GROUPS as GROUPS
from assistant.embedded.skills import Call, Say, Story, given, skill, told, who_is_meant
from assistant.embedded.turn import Turn
from retrieval.numbers import EN_NUMERAL, chinese, english
from retrieval.words import has_han, normal

_QUOTED = re.compile(r"[“\"「『‘《]([^”\"」』’》]{2,60})[”\"」』’》]|(?<![\w])'([^']{2,60})'(?!\w)")
_NAMED = re.compile(
    r"\b(?:called|named|call (?:it|this|them|that)|name (?:it|this|them)|title[d]?|save (?:it |this |them |that )?as|under the name(?: of)?|label(?:led)?(?: it)?(?: as)?)\s+[:]?\s*([\w][\w &'/-]{1,50}?)(?=[,.;:!?]|$|\s+(?:for|to|with|and|who|please|so)\b)|"
    r"(?:名字?(?:就)?(?:叫|是|为)|取名(?:叫|为)?|命名(?:为|成)?|起名(?:叫)?|存(?:成|为|作)|保存(?:成|为)|叫做?|就叫)[:：]?\s*([\w\u4e00-\u9fff·\- ]{2,30}?)(?=[,，。；;！!？?]|$|吧|的)",
    re.IGNORECASE,
)
_ID = re.compile(r"\b[ac]-[0-9a-z]{2,8}\b", re.IGNORECASE)
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


# What these stories ask back for.
ASKED = frozenset(("audience", "audience_name", "campaign", "wording", "rules", "start"))
_THEM = re.compile(
    r"\b(?:them|those|these|they|that (?:lot|audience|group|list|segment|bunch)|this (?:lot|audience|group|list|segment)|the same (?:people|audience|lot))\b|他们|她们|这(?:些|批|群|帮)人?|那(?:些|批|群|帮)人?|这个人群|该人群|同一批",
    re.IGNORECASE,
)
_BUYS = re.compile(r"bought|buy|buyers?|purchas|shoppers? of|customers? of|fans? of|love|买过|买了|购买|常买|爱买|买家|喜欢|偏好", re.IGNORECASE)


# Words that open a second request.
SEVERAL = re.compile(
    r"\b(?:and then|then (?:also )?(?:show|tell|write|set|give|check|send)|also (?:show|tell|write|set|give|check|send)|as well as (?:show|tell)|and (?:show|tell|write|check|send) )|然后|另外|顺便|还有就是|再帮我|[?？].{4,}[?？]"
)
_SAVES = re.compile(
    r"\b(?:save|store|keep|build|create|make|define|set up|bookmark)\b.{0,40}\b(?:audience|segment|group|list)\b|\b(?:audience|segment)\b.{0,60}\bcall(?:ed)? (?:it|this)?|(?:存|保存|建|圈|新建|创建)(?:成|一个|个|一下|为)?.{0,30}(?:人群|受众|分组)|(?:人群|受众|分组).{0,20}(?:存|保存|叫|命名)|存(?:成|为|一下)|圈(?:一下|出|人)",
    re.IGNORECASE,
)


_IN_FORCE = re.compile(r"\beffective\b|\bin force\b|\bfor real\b|\bbackdate|\bmake it official|生效|算数|执行|落地|正式启用|正式改|拍板")
_OF_CAMPAIGNS = frozenset(
    "audience_build audience_export check_copy estimate_uplift create_campaign send_campaign campaign_results best_send_time recommend_coupon".split()
)


def _ask(turn: Turn, phrase: str, asks: str) -> Say:
    return Say(phrase, note={"asks": asks, "label": turn.note["label_now"], "told": list(turn.said)})


def _all(turn: Turn) -> str:
    """All that was said of the present request."""
    return "\n".join(turn.said)


def goes_on(turn: Turn, label: str) -> str | None:
    """What a short question about the campaign or the rules just talked about asks."""
    text, last = turn.text.lower(), turn.last_tool()
    if re.search(r"(?:先|就|都|[，,])别建|不(?:用|要)建|\bdon't (?:set|build|create)\b|\bnot (?:a campaign|set) yet\b", text) and label in (
        "create_campaign",
        "audience_build",
        "estimate_uplift",
    ):
        return "estimate_uplift"
    if (
        label in ("policy_what_if", "adopt_policy", "ask_policy")
        and not rules_in(turn.text)
        and re.search(r"现在|目前|来着|currently|right now|at the moment|today's rule", text)
    ):
        return "ask_policy"
    if label in ("policy_what_if", "compare_policies") and rules_in(turn.text) and _IN_FORCE.search(text):
        return "adopt_policy"
    if _SEARCHES.search(text) and label not in ("compare_policies", "adopt_policy"):
        return "policy_what_if"
    if (
        known(turn, turn.campaigns())
        and label not in _OF_CAMPAIGNS
        and re.search(r"\bhow|\bdid\b|\bdo\b|results?|numbers|anything showing|work|effect|效果|怎么样|如何|用没用|有用|结果|战报|数据", text)
    ):
        return "campaign_results"
    if (
        last in ("estimate_uplift", "best_send_time", "recommend_coupon")
        and len(text) < 40
        and label not in _OF_CAMPAIGNS
        and label not in ("yes", "no", "thanks", "goodbye")
    ):
        if offer(turn) and last == "estimate_uplift":
            return last
        if wish.audience(turn):
            return last
    if (
        label in ("at_risk_members", "segment_overview", "audience_count")
        and _SAVES.search(turn.text)
        and not re.search(r"how many|多少|几个|几位|count", text)
    ):
        return "audience_build"
    if last in ("create_campaign", "send_campaign") and label not in ("campaign_results", "yes", "no", "send_campaign"):
        if re.search(
            r"\bhow(?:'s| is| did| has)? (?:it|that|this|the campaign)\b.{0,20}(?:do|go|perform|work)|\bany (?:effect|luck|results?)\b|效果(?:怎么样|如何|呢)|怎么样了",
            text,
        ):
            return "campaign_results"
        if len(text) < 40 and re.search(r"\b(?:send|fire|launch|push) (?:it|that|this)\b|发(?:出去|送)?吧|发了吧|发出去", text):
            return "send_campaign"
    if last in ("create_campaign", "send_campaign", "audience_build") and len(text) < 40 and re.search(r"\b(?:export|download|csv)\b|导出|下载|名单", text):
        return "audience_export"
    if last in ("policy_what_if", "compare_policies") and len(text) < 60 and rules_in(turn.text) and label not in ("adopt_policy", "compare_policies"):
        return "compare_policies" if re.search(r"\bvs\b|versus|compare|against|than|比|还是", text) else "policy_what_if"
    return None


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
    for pattern in (_QUOTED, _NAMED):
        found = pattern.search(turn.text)
        if found:
            return next(group for group in found.groups() if group).strip(), found.span()
    for found in _TITLE.finditer(turn.text):
        words = found[1]
        if words.lower() not in {city.lower() for city in turn.cities()} and not _MONTH_WORDS.search(words):
            return words, found.span()
    return None


def _unnamed(turn: Turn) -> str:
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
    found = _ID.search(turn.text)
    if found:
        return found.group().upper()
    name = known(turn, [*turn.campaigns(), *turn.audiences()]) or quoted(turn)
    if name:
        return name
    left = _AROUND.sub(" ", re.sub(r"[^\w\u4e00-\u9fff%-]+", " ", turn.text.lower()))
    words = " ".join(word for word in left.split() if len(word) > 1 or word.isdigit())
    return words if 2 <= len(words) <= 40 else None


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
_RISK = re.compile(r"at[- ]risk|churn|likely to leave|about to leave|slipping away|流失风险|快流失|要流失|可能流失|流失概率|流失率", re.IGNORECASE)
_WORTH = re.compile(r"\b(?:worth|valued? at|lifetime value|ltv|clv|expected to spend)\b|价值|年价值|预计消费", re.IGNORECASE)
_MONTHS = {name: n + 1 for n, name in enumerate("january february march april may june july august september october november december".split())}


def wanted(turn: Turn) -> dict[str, Any]:
    """What an audience must be, in the words of a message: `wanted`, and where said `or_also` and `but_not`."""
    text = _unnamed(turn)
    tail = _TRAILING.search(text)
    if tail:
        # “…，7天内下过单的刨掉”: what is left out comes first, the word for it last.
        text = f"{text[: tail.start()]} 排除 {tail[1]}"
    cut = _WITHOUT.search(text)
    inside, outside = (text[: cut.start()], text[cut.end() :]) if cut else (text, "")
    if cut and not _flat(turn, inside):
        # “Without those in Leeds, all gold members”: the other way round.
        pieces = re.split(r"[,，;；]", outside, maxsplit=1)
        outside, inside = pieces[0], pieces[1] if len(pieces) > 1 else inside
    parts = [flat for piece in _OR.split(inside) if (flat := _flat(turn, piece))]
    alone = _flat(turn, inside)
    # Two halves that ask the same field are one list, not an either-or.
    parts = parts if len(parts) > 1 and not (set(parts[0]) == set(parts[1]) and len(parts[0]) == 1) else [alone]
    found: dict[str, Any] = {"wanted": parts[0]} if parts and parts[0] else {}
    if len(parts) > 1:
        found["or_also"] = parts[1:]
    unwanted = _flat(turn, outside) if outside else {}
    if unwanted:
        found["but_not"] = unwanted
    return found


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


_NOT_A_GROUP = r"\b(?:sale|coupon|discount code)\b"


def channel(turn: Turn) -> str | None:
    """The channel a message names, as campaigns have it."""
    named_one = turn.slots.channel
    return None if named_one in (None, "phone") else named_one


def understood(text: str, *, today: date, cities: Sequence[str], categories: Sequence[str]) -> dict[str, Any]:
    """A sentence about members as conditions, for a page to show: `wanted`, `or_also`, `but_not`, and the `channel` it names."""
    context = {"cities": ", ".join(cities), "categories": ", ".join(categories)}
    language = "zh" if has_han(text) else "en"
    turn = Turn(text, language, today, "marketer", "", context, slots.read(text, today, cities=cities), (), (), {}, 1)
    return {**wanted(turn), **given(channel=channel(turn))}


@skill("audience_build")
def _build(turn: Turn) -> Story:
    waiting = turn.past[-1] if turn.past and turn.past[-1].tool == "audience_build" and turn.past[-1].record.get("outcome") == "waiting_for_yes" else None
    if waiting is not None and _AMENDS.search(turn.text):
        fresh = wanted(turn)
        kept = {k: v for k, v in waiting.arguments.items() if v not in (None, [])}
        adds = re.search(r"\btoo\b|\balso\b|as well|加上|再加|也", turn.text.lower())
        whole = _joined(kept.get("wanted", {}), fresh.get("wanted", {}), add=bool(adds))
        return told((yield Call("audience_build", {**kept, **fresh, "wanted": whole, "name": quoted(turn) or kept["name"]})))
    before = turn.last("audience_count")
    asked = {} if before is not None and _THEM.search(turn.text) and not turn.slots.tiers + turn.slots.cities else wanted(turn)
    if not asked.get("wanted"):
        if before is None or before.record.get("outcome") == "refused":
            return _ask(turn, "missing_audience", "audience")
        # “Save that as quiet gold”: what was counted last.
        kept = {k: v for k, v in before.arguments.items() if k not in ("consent", "or_also", "but_not") and v not in (None, [])}
        asked = {"wanted": kept, **given(or_also=before.arguments.get("or_also"), but_not=before.arguments.get("but_not"))}
        if not kept:
            return _ask(turn, "missing_audience", "audience")
        reach = channel(turn) or before.arguments.get("consent")
    else:
        reach = channel(turn)
    return told((yield Call("audience_build", {"name": quoted(turn) or name_for(turn, asked["wanted"]), **asked, **given(channel=reach)})))


_AMENDS = re.compile(r"\btoo\b|\balso\b|as well|instead|same name|rather|make it|change|换成|改成|改|加上|再加|不对|换", re.IGNORECASE)


def _joined(before: dict[str, Any], after: dict[str, Any], *, add: bool = False) -> dict[str, Any]:
    """What was asked with what is said of it now; lists grow where more is added."""
    return {
        **before,
        **{k: [*before.get(k, []), *(x for x in v if x not in before.get(k, []))] if add and isinstance(v, list) else v for k, v in after.items()},
    }


def name_for(turn: Turn, asked: dict[str, Any]) -> str:
    """A name for conditions nobody named: what they are, in a few words."""
    zh = turn.language == "zh"
    parts = [*(t.title() if not zh else _TIER_ZH.get(t, t) for t in asked.get("tiers", [])), *asked.get("cities", [])]
    parts += [str(s).replace("_", " ") for s in (*asked.get("segments", []), *asked.get("categories", []), *asked.get("tastes", []))]
    if asked.get("not_bought_for_days"):
        parts.append(f"{asked['not_bought_for_days']}天未购" if zh else f"quiet {asked['not_bought_for_days']} days")
    if asked.get("bought_within_days"):
        parts.append(f"近{asked['bought_within_days']}天购买" if zh else f"bought in {asked['bought_within_days']} days")
    if asked.get("joined_within_days"):
        parts.append(f"近{asked['joined_within_days']}天入会" if zh else f"joined in {asked['joined_within_days']} days")
    if asked.get("churn_from_percent"):
        parts.append("有流失风险" if zh else "at risk")
    if asked.get("spent_at_least"):
        parts.append(f"消费≥{asked['spent_at_least']:g}" if zh else f"spent {asked['spent_at_least']:g}+")
    name = (" " if not zh else "·").join(parts) or ("新人群" if zh else "New audience")
    return name[:60]


_TIER_ZH = {"bronze": "青铜", "silver": "白银", "gold": "黄金", "platinum": "铂金", "diamond": "钻石"}


@skill("audience_export")
def _export(turn: Turn) -> Story:
    name = named(turn) or _in_hand(turn)
    if not name:
        return _ask(turn, "missing_audience_name", "audience_name")
    found = yield Call("audience_export", {"audience_name": name})
    hand = _in_hand(turn)
    if found.record.get("outcome") == "refused" and hand and hand != name:
        found = yield Call("audience_export", {"audience_name": hand})
    return told(found)


def _in_hand(turn: Turn) -> str | None:
    """The audience or campaign talked about last, by its id or name."""
    for result in reversed(turn.past):
        record = result.record.get("facts") or result.record
        for key in ("campaign_id", "audience_id"):
            if record.get(key):
                return str(record[key])
        if result.tool in ("audience_build", "create_campaign") and record.get("name"):
            return str(record["name"])
    return None


# --- offers -----------------------------------------------------------------------------


_SUM_OFF = re.compile(
    r"(?:£|\$|€|¥)?\s*(\d[\d,]*(?:\.\d+)?)\s*(?:pounds?|quid|euros?|dollars?|块钱?|元|镑)?\s*(?:off\b|voucher|coupon)|(?:立减|减|便宜|抵)\s*(?:£|¥)?\s*(\d[\d,]*(?:\.\d+)?)|(?:£|¥)?(\d[\d,]*)\s*(?:元|镑|块钱?)?的?(?:券|优惠券|代金券|红包)"
)
_MINIMUM = re.compile(
    r"(?:over|above|from|minimum(?: spend)?(?: of)?|min|baskets? (?:of|over)|orders? (?:of|over)|满|起点|门槛)\s*(?:£|\$|€|¥)?\s*(\d[\d,]*(?:\.\d+)?)(?!\s*(?:%|days?|天|members?))"
)


def offer(turn: Turn) -> dict[str, Any]:
    """What a campaign gives: per cent, a sum, points, or a message alone."""
    text, found = normal(turn.text), turn.slots
    beyond = re.search(r"(?<!\d)(\d{3,})\s*(?:%|percent|per cent)", text)
    if beyond:
        # No discount at all: the tool says so.
        return {"offer": "percent", "value": float(beyond[1])}
    if found.percent:
        return {"offer": "percent", "value": float(found.percent)}
    note = re.search(r"\b(fiver|tenner)\b", text)
    if note:
        return {"offer": "amount", "value": 5.0 if note[1] == "fiver" else 10.0}
    points = re.search(r"(\d[\d,]*)\s*(?:bonus |extra )?(?:points|pts)\b|(?:送|赠|加|额外)\s*(\d[\d,]*)\s*积?分", text)
    if points:
        return {"offer": "points", "value": float(next(g for g in points.groups() if g).replace(",", ""))}
    off = _SUM_OFF.search(text)
    if off:
        return {"offer": "amount", "value": float(next(g for g in off.groups() if g).replace(",", ""))}
    if re.search(
        r"\b(?:no|without(?: an?| any)?) (?:offer|discount|coupon)|just (?:a )?(?:message|reminder|nudge)|不打折|(?:啥|什么|任何)?(?:优惠|折扣)(?:也|都)?不给|不给(?:优惠|折扣)|只发(?:条)?消息|纯提醒|光提醒|只提醒",
        text,
    ):
        return {"offer": "none"}
    return {}


def _of_whom(turn: Turn) -> dict[str, Any]:
    """An audience by its name, or by conditions of the message, or the one in hand."""
    name = known(turn, turn.audiences()) or (found.group().upper() if (found := _ID.search(turn.text)) else None) or _quoted_alone(turn)
    if name:
        return {"audience_name": name}
    asked = wanted(turn).get("wanted") or {}
    if not _BUYS.search(turn.text):
        # “10% off tea” says what is offered, not who they are.
        asked.pop("categories", None)
    if asked and not (_THEM.search(turn.text) and _last_audience(turn)):
        return {"wanted": asked}
    before = turn.last("audience_count")
    hand = _last_audience(turn)
    if hand:
        return {"audience_name": hand}
    kept = {k: v for k, v in before.arguments.items() if k not in ("consent", "or_also", "but_not") and v not in (None, [])} if before else {}
    if kept:
        return {"wanted": kept}
    words = named(turn)
    return {"audience_name": words} if words and re.search(r"audience|segment|group|list|人群|受众|名单", turn.text.lower()) else {}


def _quoted_alone(turn: Turn) -> str | None:
    found = _QUOTED.search(turn.text)
    return next(group for group in found.groups() if group).strip() if found else None


def _last_audience(turn: Turn) -> str | None:
    for result in reversed(turn.past):
        record = result.record.get("facts") or result.record
        if result.tool == "audience_build" and record.get("name"):
            return str(record["name"])
        if record.get("audience"):
            return str(record["audience"])
    return None


@skill("estimate_uplift")
def _estimate(turn: Turn) -> Story:
    return told((yield Call("estimate_uplift", _going_on(turn, {**_of_whom(turn), **offer(turn)}, "estimate_uplift"))))


def _going_on(turn: Turn, asked: dict[str, Any], tool: str) -> dict[str, Any]:
    """“And the Shanghai ones?”: what was asked before, as far as this message does not say otherwise."""
    before = turn.last(tool)
    if before is None or turn.last_tool() != tool or len(turn.text) > 60:
        return asked
    kept = {k: v for k, v in before.arguments.items() if v not in (None, [])}
    whom = {**kept.get("wanted", {}), **asked.get("wanted", {})}
    joined = {**kept, **asked}
    if "audience_name" in asked:
        return joined
    return {**{k: v for k, v in joined.items() if k != "wanted"}, **given(wanted=whom)}


@skill("recommend_coupon")
def _coupon(turn: Turn) -> Story:
    if turn.slots.member_ids or turn.slots.emails:
        return told((yield Call("recommend_coupon", {"who": (turn.slots.member_ids or turn.slots.emails)[0]})))
    return told((yield Call("recommend_coupon", _going_on(turn, _of_whom(turn), "recommend_coupon"))))


@skill("best_send_time")
def _when(turn: Turn) -> Story:
    if turn.slots.member_ids or turn.slots.emails:
        return told((yield Call("best_send_time", {"who": who_is_meant(turn)})))
    return told((yield Call("best_send_time", _going_on(turn, _of_whom(turn), "best_send_time"))))


# --- words ------------------------------------------------------------------------------


@skill("check_copy")
def _check(turn: Turn) -> Story:
    text = _the_wording(turn)
    if not text:
        before = turn.last("write_copy")
        if before and before.ok and before.record.get("variants"):
            place = turn.slots.place if turn.slots.place and 0 < turn.slots.place <= len(before.record["variants"]) else 1
            text = before.record["variants"][place - 1]["text"]
            asked = {"channel": before.record["channel"], "language": before.record["language"], **given(offer_percent=before.record.get("offer_percent"))}
            return told((yield Call("check_copy", {"text": text, **asked, **given(valid_until=before.record.get("valid_until"))})))
        return _ask(turn, "missing_wording", "wording")
    return told((yield Call("check_copy", given(text=text[:4000], channel=channel(turn) or ("sms" if len(text) < 80 else "email")))))


_ASKS_FOR_CHECK = re.compile(
    r"^\s*(?:hi|hey|hello|pls|please|can|could|would|you|quick|just|ok(?:ay)?|so)?[^:：\n]{0,80}?(?:check|compliance|compliant|legal|allowed|ok to (?:say|send)|review|vet|lint|flag|pass|advertising law|ad law|say this|run this|look (?:at|over)|wrong with|审核|审一下|审下|检查|查一下|看看|看下|合规|违规|广告法|能不能(?:这么)?(?:说|写|发)|可以(?:这么)?(?:说|写|发)|过一下|把关|有没有问题)[^:：\n]{0,60}[:：\n]\s*",
    re.IGNORECASE,
)


def _the_wording(turn: Turn) -> str:
    """The words to check: what stands in quotation marks, or after a colon; else nothing."""
    inside = re.findall(r"[“\"「『]([^”\"」』]{4,})[”\"」』]", turn.text) or re.findall(r"(?<!\w)'([^']{8,})'(?!\w)", turn.text)
    if inside:
        return str(max(inside, key=len)).strip()
    head = _ASKS_FOR_CHECK.match(turn.text)
    if head and len(turn.text) - head.end() >= 6:
        return turn.text[head.end() :].strip()
    tail = re.search(r"[:：]\s*(\S.{5,})$", turn.text, re.DOTALL)
    if tail:
        return tail[1].strip()
    asked = re.split(
        r"(?:这(?:句|条|段)?(?:话|文案)?(?:能|可以|合规|行)|能(?:这么)?(?:说|写|发)吗|合规吗|违规吗|有问题吗|可以发吗|[-–—] ?(?:is (?:that|this)|can we|ok|allowed|legal)\b|,? (?:is that|is this|can we say|are we allowed)\b)",
        turn.text,
    )
    return asked[0].strip(" ，,。") if len(asked) > 1 and len(asked[0].strip()) >= 6 else ""


# --- campaigns --------------------------------------------------------------------------


_SETTING_UP = re.compile(
    r"\b(?:set(?:ting)? (?:it |this )?up|put together|organi[sz]e|plan|prepare|build|make|run|hold(?:ing)?(?: back| out)?|keep(?:ing)?(?: back)?|leave out|control|budget|cap|max|of|them|those|they|people|right|ok|okay|please|now|then|next|let'?s|go|with|an?|the)\b|\d+\s*%?\s*(?:holdout|control)|\bhold\w*\b[^,.;]{0,20}|"
    r"做个|做一个|建个|建一个|搞个|来个|策划|安排|弄个|讲讲|讲一下|说说|主推|主打|推一下|留出?\d*\s*%?(?:不发|对照)?|不发|对照组?|空白组?|预算[^，。,]{0,12}|给他们|他们|这些人",
    re.IGNORECASE,
)


@skill("create_campaign")
def _create(turn: Turn) -> Story:
    text = normal(turn.text)
    whom = _of_whom(turn)
    mentions = re.search(
        r"(?:for|to|using|with|audience|the)\s+(?:the\s+)?[“\"「']([^”\"」']{2,60})[”\"」']\s*(?:audience|segment|group|list)?|(?:给|对|用|面向)\s*[“\"「『]([^”\"」』]{2,60})[”\"」』]|(?:for|to|with)\s+(?:the|our)\s+([A-Z][\w&' -]{1,40}?)\s+(?:audience|segment|group|list)\b|(?:给|对|用|面向)\s*([\u4e00-\u9fff\w]{2,16}?)(?:这个|这批|这组)?人群",
        turn.text,
    )
    if mentions:
        whom = {"audience_name": next(g for g in mentions.groups() if g)}
    elif quoted(turn) and whom.get("audience_name") == quoted(turn):
        # The one name said is the campaign's; whom it is for is said otherwise or stands in the talk before.
        asked = wanted(turn).get("wanted")
        whom = {"wanted": asked} if asked else given(audience_name=_last_audience(turn)) or {"audience_name": quoted(turn)}
    if not whom:
        return _ask(turn, "missing_audience", "audience")
    copy = wish.copy(replace(turn, text=_SETTING_UP.sub(" ", _NAMED.sub(" ", _QUOTED.sub(" ", turn.text)))))
    gives = offer(turn)
    holdout = re.search(
        r"(\d{1,2})\s*%?\s*(?:percent)?\s*(?:holdout|hold[- ]?out|control)|(\d{1,2})\s*%\s*(?:is |are )?(?:kept|held|left) (?:back|out)|(?:holdout|hold out|control group)(?: of)?\s*(\d{1,2})|(?:留|对照组?|空白组?|留出)\s*(\d{1,2})\s*%|(\d{1,2})\s*%\s*(?:的)?(?:人)?(?:不发|作?对照|留出|空白)",
        text,
    )
    if holdout and gives.get("value") == float(next(g for g in holdout.groups() if g)) and len(re.findall(r"\d+\s*%|折", text)) < 2:
        gives = {}
    budget = re.search(r"(?:budget|cap|spend no more than|预算|不超过|上限)(?:\D{0,12}?)(\d[\d,]*(?:\.\d+)?)\s*(k)?", text)
    many = re.search(r"\b(?:a/b/c|three (?:versions|variants)|3 (?:versions|variants))\b|三个?版本|三版", text)
    one = re.search(r"\b(?:one version|single version|no a/b)\b|一个版本|单版本", text)
    product = _product(turn, copy.get("product"))
    least = _MINIMUM.search(text) if gives.get("offer", "percent") in ("percent", "amount") and gives else None
    asked = {
        "name": _campaign_name(turn, whom, product),
        **whom,
        **given(channel=channel(turn), tone=turn.slots.tone, language=_speech(text) or (None if _speaks(whom) else turn.language), product=product),
        **gives,
        **given(minimum=float(least[1].replace(",", "")) if least else None),
        **given(discount_everyone=_EVERYONE.search(text) is not None or None),
        **given(valid_until=copy.get("valid_until"), holdout_percent=int(next(g for g in holdout.groups() if g)) if holdout else None),
        **given(budget=float(budget[1].replace(",", "")) * (1000 if budget[2] else 1) if budget else None, variants=3 if many else 1 if one else None),
        **given(send_on=_day_ahead(turn) if re.search(r"send|start|launch|go out|schedule|发|上线|开始|启动", text) and not copy.get("valid_until") else None),
    }
    return told((yield Call("create_campaign", asked)))


_EVERYONE = re.compile(
    r"who would (?:buy|have bought) anyway|discount (?:everyone|everybody|them all|all)|for (?:all|every one) of them|全部都给|都给优惠|本来就会买的也"
)


def _product(turn: Turn, words: str | None) -> str | None:
    """What a campaign is about: a shelf the shop has, or an article it sells; other words are left alone."""
    plain = normal(turn.text)
    article = turn.named_article(words or "")
    if words and (len(words.split()) > 1 or has_han(words)) and article and words not in turn.categories():
        shelf = next((key for key in turn.categories() if prompts.names_category(key, words)), None)
        return shelf or article
    named_shelf = next((key for key in turn.categories() if prompts.names_category(key, plain)), None)
    return named_shelf or article or None


def _speaks(whom: dict[str, Any]) -> bool:
    """Whether the audience says itself which language it reads."""
    return bool(whom.get("wanted", {}).get("languages"))


def _campaign_name(turn: Turn, whom: dict[str, Any], product: str | None) -> str:
    name = quoted(turn)
    if name and name != whom.get("audience_name"):
        return name
    base = str(whom.get("audience_name") or name_for(turn, whom.get("wanted", {})))
    day = f"{turn.today:%d %b}".lstrip("0") if turn.language == "en" else f"{turn.today.month}月{turn.today.day}日"
    about = f" {product}" if product and product.lower() not in base.lower() else ""
    return f"{base}{about} {day}"[:60]


def _speech(text: str) -> str | None:
    return (
        "zh"
        if re.search(r"in chinese|chinese (?:copy|message|version)|中文", text)
        else "en"
        if re.search(r"in english|english (?:copy|message|version)|英文", text)
        else None
    )


def _day_ahead(turn: Turn) -> str | None:
    ahead = turn.slots.ahead
    return ahead.start.isoformat() if ahead and ahead.start >= turn.today else None


@skill("send_campaign")
def _send(turn: Turn) -> Story:
    hand = _campaign_in_hand(turn)
    name = named(turn)
    if not name and not hand:
        return _ask(turn, "missing_campaign", "campaign")
    found = yield Call("send_campaign", {"campaign": name or hand})
    if found.record.get("outcome") == "refused" and found.record.get("rule") == "no_such_campaign" and hand and hand != name:
        found = yield Call("send_campaign", {"campaign": hand})
    return told(found)


def _campaign_in_hand(turn: Turn) -> str | None:
    for result in reversed(turn.past):
        record = result.record.get("facts") or result.record
        if record.get("campaign_id"):
            return str(record["campaign_id"])
        if result.tool == "create_campaign" and record.get("name"):
            return str(record["name"])
    return None


@skill("campaign_results")
def _results(turn: Turn) -> Story:
    name = named(turn)
    latest = re.search(r"\b(?:last|latest|most recent|newest)\b|上一?(?:次|场|个|期)|最近(?:一|那)?(?:次|场|个)?", turn.text.lower())
    asked = given(campaign=name if name and not (latest and len(name) < 2) else None)
    found = yield Call("campaign_results", asked)
    if asked and found.record.get("outcome") == "refused":
        # Perhaps the words were no name: the latest one, and which others there are.
        found = yield Call("campaign_results", given(campaign=_campaign_in_hand(turn)))
    return told(found)


# --- the policy lab ---------------------------------------------------------------------

_TIER_WORD = "|".join(slots._TIERS.values())
_NUMBER = r"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)\s*(k\b|grand|千|万)?"
_SEARCHES = re.compile(
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


@skill("policy_what_if")
def _what_if(turn: Turn) -> Story:
    text = normal(turn.text)
    asked = rules_in(turn.text)
    if not asked and (_SEARCHES.search(turn.text) or re.search(r"\bbudget\b|预算", text)):
        lower = re.search(
            r"(?:no more than|at most|max(?:imum)?|under|不超过|最多|别超过)\s*(\d{1,2})\s*%|(\d{1,2})\s*%[^.。]{0,24}(?:downgrad|drop|lower|down|members|most|降级|掉级)|(?:knock\w* down|downgrad\w*|降级|掉级)\D{0,14}(\d{1,2})\s*%",
            text,
        )
        sums = [amount for amount in (*turn.slots.amounts, turn.slots.most or 0) if amount >= 100]
        plain = re.search(rf"(?:budget|costs?|spend|within|预算|成本|花费|控制在)\D{{0,16}}{_NUMBER}(?!\s*%)", text)
        budget = max(sums) if sums else _amount(plain[1], plain[2]) if plain and _amount(plain[1], plain[2]) >= 100 else None
        most = float(next(g for g in lower.groups() if g)) if lower else None
        return told((yield Call("policy_what_if", {"search": True, **given(budget=budget, downgraded_most_percent=most)})))
    before = _last_rules(turn)
    if asked and before and wish.continues(turn.text):
        asked = _with_rules(before, asked)
    if not asked:
        return _ask(turn, "missing_rules", "rules")
    return told((yield Call("policy_what_if", {"rules": asked})))


def _with_rules(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {**before, **{k: {**before.get(k, {}), **v} if isinstance(v, dict) else v for k, v in after.items()}}


@skill("compare_policies")
def _compare(turn: Turn) -> Story:
    halves = [rules for piece in _sides(turn.text) if (rules := rules_in(piece))]
    whole = rules_in(turn.text)
    halves = halves if len(halves) >= 2 and halves[0] != halves[1] else _two_of_one(turn.text) or halves
    before = _last_rules(turn)
    if len(halves) >= 2 and halves[0] != halves[1]:
        return told((yield Call("compare_policies", {"first": halves[0], "second": halves[1]})))
    if whole and before and whole != before:
        return told((yield Call("compare_policies", {"first": before, "second": whole})))
    if whole or before:
        return told((yield Call("compare_policies", {"first": whole or before})))
    return _ask(turn, "missing_rules", "rules")


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
    asked = rules_in(_all(turn)) or _last_rules(turn)
    if not asked:
        return _ask(turn, "missing_rules", "rules")
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
        return _ask(turn, "missing_start", "start")
    return told((yield Call("adopt_policy", {"rules": asked, "starts_on": day.isoformat()})))


@skill("synthesise_members")
def _invent(turn: Turn) -> Story:
    text = normal(turn.text)
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
