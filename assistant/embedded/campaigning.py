"""How does a marketer's sentence become an audience kept, a campaign, its result?

The stories of the studio: which offer, words and days a message gives, and which tool
carries it. Whom it means is read in audiences, other rules in ruling. What is missing
is asked for; nothing is guessed into a write.
"""

import re
from dataclasses import replace
from typing import Any

import prompts
from assistant.embedded import wish
from assistant.embedded.audiences import ID, NAMED, QUOTED, channel, known, named, quoted, wanted, without_exclusions
from assistant.embedded.ruling import SEARCHES, rules_in
from assistant.embedded.skills import Call, Story, ask_back, given, skill, told, who_is_meant
from assistant.embedded.turn import Turn
from retrieval.numbers import chinese
from retrieval.words import has_han, normal

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


_SUPPOSES = re.compile(r"\bwhat if\b|\bsuppose\b|\bif we\b|假如|如果|要是|假设")
_IN_FORCE = re.compile(r"\beffective\b|\bin force\b|\bfor real\b|\bbackdate|\bmake it official|生效|算数|执行|落地|正式启用|正式改|拍板")
_OF_CAMPAIGNS = frozenset(
    "audience_build audience_export check_copy estimate_uplift create_campaign send_campaign campaign_results best_send_time recommend_coupon".split()
)


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
    if (
        label not in ("policy_what_if", "compare_policies", "adopt_policy", "write_copy", "check_copy")
        and _SUPPOSES.search(text)
        and set(rules_in(turn.text)) & {"earning", "expiry_months", "grace_days", "points_per_unit"}
    ):
        return "policy_what_if"
    if SEARCHES.search(text) and label not in ("compare_policies", "adopt_policy"):
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
    if label != "audience_build" and re.match(r"\s*(?:an? |new )?(?:audience|segment)\b", text) and quoted(turn) and wanted(turn).get("wanted"):
        return "audience_build"
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


@skill("audience_count")
def _count(turn: Turn) -> Story:
    meant = wanted(turn)
    asked = {**meant.pop("wanted", {}), **given(consent=wish.audience(turn).get("consent")), **meant}
    before = turn.last("audience_count")
    if before and wish.continues(turn.text):
        asked = {**before.arguments, **asked}
    if not asked and not re.search(r"\b(all|every|total|in all|how many members)\b|全部|所有|一共|总共", turn.text.lower()):
        return ask_back(turn, "missing_audience", "audience")
    return told((yield Call("audience_count", asked)))


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
    if not asked.get("wanted") and not asked.get("but_not"):
        if before is None or before.record.get("outcome") == "refused":
            return ask_back(turn, "missing_audience", "audience")
        # “Save that as quiet gold”: what was counted last.
        kept = {k: v for k, v in before.arguments.items() if k not in ("consent", "or_also", "but_not") and v not in (None, [])}
        asked = {"wanted": kept, **given(or_also=before.arguments.get("or_also"), but_not=before.arguments.get("but_not"))}
        if not kept and not asked.get("but_not"):
            return ask_back(turn, "missing_audience", "audience")
        reach = channel(turn) or before.arguments.get("consent")
    else:
        reach = channel(turn)
    asked.setdefault("wanted", {})
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
    parts = [*(t.title() if not zh else _TIER_ZH.get(t, t) for t in asked.get("tiers", [])), *asked.get("cities", []), *asked.get("countries", [])]
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
        return ask_back(turn, "missing_audience_name", "audience_name")
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
    name = known(turn, turn.audiences()) or (found.group().upper() if (found := ID.search(turn.text)) else None) or _quoted_alone(turn)
    if name:
        return {"audience_name": name}
    meant = wanted(turn)
    asked = {**meant.pop("wanted", {}), **meant}
    if not _BUYS.search(turn.text):
        # “10% off tea” says what is offered, not who they are.
        asked.pop("categories", None)
    if asked and not (_THEM.search(turn.text) and _last_audience(turn)):
        return {"wanted": asked}
    before = turn.last("audience_count")
    last = turn.past[-1] if turn.past else None
    if last is not None and last.tool == "audience_build" and turn.waits():
        # It waits for its yes still: who they are is known, its name is not.
        told = last.arguments
        return {"wanted": {**told["wanted"], **given(or_also=told.get("or_also"), but_not=told.get("but_not"))}}
    hand = _last_audience(turn)
    if hand:
        return {"audience_name": hand}
    kept = {k: v for k, v in before.arguments.items() if k != "consent" and v not in (None, [])} if before else {}
    if kept:
        return {"wanted": kept}
    words = named(turn)
    return {"audience_name": words} if words and re.search(r"audience|segment|group|list|人群|受众|名单", turn.text.lower()) else {}


def _quoted_alone(turn: Turn) -> str | None:
    found = QUOTED.search(turn.text)
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
    whole = len(turn.text) >= (12 if has_han(turn.text) else 24) and ("wanted" in asked or "audience_name" in asked)
    if whole and not wish.continues(turn.text):
        # A question of its own: who was meant before is not meant now.
        return asked
    kept = {k: v for k, v in before.arguments.items() if v not in (None, [])}
    before_, now = kept.get("wanted", {}), asked.get("wanted", {})
    whom = {**before_, **now}
    if before_.get("but_not") and now.get("but_not"):
        # “And outside London?” leaves out more; it brings nobody back.
        whom["but_not"] = [*before_["but_not"], *now["but_not"]]
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
        return ask_back(turn, "missing_wording", "wording")
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
        meant = wanted(turn)
        asked = {**meant.pop("wanted", {}), **meant}
        whom = {"wanted": asked} if asked else given(audience_name=_last_audience(turn)) or {"audience_name": quoted(turn)}
    if not whom:
        return ask_back(turn, "missing_audience", "audience")
    about = without_exclusions(turn.text.replace(whom.get("audience_name") or "\n", " "))
    copy = wish.copy(replace(turn, text=_SETTING_UP.sub(" ", NAMED.sub(" ", QUOTED.sub(" ", about)))))
    gives = offer(turn)
    holdout = re.search(
        r"(\d{1,2})\s*%?\s*(?:percent)?\s*(?:holdout|hold[- ]?out|control)|(\d{1,2})\s*%\s*(?:is |are )?(?:kept|held|left) (?:back|out)|(?:holdout|hold out|control group)(?: of)?\s*(\d{1,2})|(?:留|对照组?|空白组?|留出)\s*(\d{1,2})\s*%|(\d{1,2})\s*%\s*(?:的)?(?:人)?(?:不发|作?对照|留出|空白)",
        text,
    )
    tenths = re.search(r"(?:留出?|对照组?)\s*([一二三四五])成", text)
    held = int(next(g for g in holdout.groups() if g)) if holdout else 10 * int(chinese(tenths[1]) or 1) if tenths else None
    if holdout and gives.get("value") == float(next(g for g in holdout.groups() if g)) and len(re.findall(r"\d+\s*%|折", text)) < 2:
        gives = {}
    budget = re.search(r"(?:budget|cap|spend no more than|预算|不超过|上限)(?:\D{0,12}?)(\d[\d,]*(?:\.\d+)?)\s*(k)?", text)
    many = re.search(r"\b(?:a/b/c|three (?:versions|variants)|3 (?:versions|variants))\b|三个?版本|三版", text)
    one = re.search(r"\b(?:one version|single version|no a/b)\b|一个版本|单版本", text)
    product = _product(replace(turn, text=about), copy.get("product"))
    least = _MINIMUM.search(text) if gives.get("offer", "percent") in ("percent", "amount") and gives else None
    asked = {
        "name": _campaign_name(turn, whom, product),
        **whom,
        **given(channel=channel(turn), tone=turn.slots.tone, language=_speech(text) or (None if _speaks(whom) else turn.language), product=product),
        **gives,
        **given(minimum=float(least[1].replace(",", "")) if least else None),
        **given(discount_everyone=_EVERYONE.search(text) is not None or None),
        **given(valid_until=copy.get("valid_until"), holdout_percent=held),
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
        return ask_back(turn, "missing_campaign", "campaign")
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
