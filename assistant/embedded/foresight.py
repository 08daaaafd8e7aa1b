"""How are questions about risk, worth, groups and demand answered?

The stories of what the models say: which member, which score, which part of the
shop a message means, and which tool tells it.
"""

import re
from typing import Any

import prompts
from assistant.embedded import wish
from assistant.embedded.skills import Call, Say, Story, given, skill, told, who_is_meant
from assistant.embedded.turn import Turn
from retrieval.words import normal

_SCORES = {
    "value": r"\bvalue\b|worth|spend|clv|ltv|lifetime|价值|值钱|消费|花(?:钱|费)|贡献",
    "tier": r"\btiers?\b|\blevel\b|upgrad|downgrad|promot|demot|\b(?:bronze|silver|gold|platinum|diamond)\b|等级|级别|升级|降级|掉级|保级|黄金|白银|铂金|钻石",
    "segment": r"segment|\bgroup(?:ed)?\b|cluster|bucket|分群|群组|人群|归(?:到|为|类|入)|分(?:到|在|进)",
}
_SCORE_OF = {"lifetime_value": "value", "churn_risk": "churn", "next_purchase": "churn", "segment_overview": "segment"}
GROUPS = {
    "champions": r"champion|best (?:customers?|members?)|vips?\b|top (?:group|segment)|冠军|核心|头部|最好的",
    "regulars": r"regulars?\b|loyal|steady|常客|忠诚|老主顾|稳定",
    "big_baskets": r"big[- ](?:basket|order|ticket)|large order|大单|大额|大客单",
    "bargain_hunters": r"bargain|discount|coupon hunters?|price[- ]sensitive|deal|羊毛|折扣|优惠|价格敏感|图便宜",
    "newcomers": r"newcomers?|new (?:members?|customers?|ones|people)|just joined|first[- ]timers?|新客|新会员|新人|新来",
    "small_baskets": r"small[- ](?:basket|order)|low[- ]ticket|小单|小额|小客单",
    "drifting": r"drift|slipping|going quiet|cooling|流失边缘|变冷|渐行渐远|快流失|疏远",
    "sleeping": r"sleep|dormant|lapsed|inactive|lost\b|沉睡|休眠|沉默|流失的",
}
_FLAGS = {
    "returns": r"\breturn|send(?:s|ing)? .*back|refund|退货|退款|退换|退",
    "coupons": r"coupon|voucher|discount|code\b|promo|券|优惠|羊毛",
    "points_burst": r"points?\b|积分|刷分",
    "shared_address": r"address|household|same (?:house|door|place|roof)|地址|同一个(?:地方|门牌|房)|住址|同住",
}
_POINTS = re.compile(r"\bpoints?\b|liabilit|积分|负债")
_EVERYBODY = re.compile(
    r"\b(?:anyone|anybody|who(?:'s| is| are|se)?|which|list|all|any|everyone|members|customers|accounts|people|those|suspicious ones|anything|something|everything|lately|recently|today|this week|unusual)\b|哪些|谁|有没有(?:人|会员|账号)|名单|所有|全部|列表|有谁|列一下|有哪|异常|最近|有没有人|可疑"
)


@skill("churn_risk", "lifetime_value", "next_purchase", "win_back_offer")
def _of_one(turn: Turn) -> Story:
    label = turn.note["label_now"]
    who = who_is_meant(turn) or turn.focus("member_id")
    if not who:
        return Say("missing_member", note={"asks": "member", "label": label})
    return told((yield Call(label, {"who": who})))


@skill("why")
def _why(turn: Turn) -> Story:
    who = who_is_meant(turn) or turn.focus("member_id")
    if not who:
        return Say("missing_member", note={"asks": "member", "label": "why"})
    score = _first(_SCORES, turn.text) or _SCORE_OF.get(turn.last_tool())
    return told((yield Call("why", given(who=who, score=score))))


@skill("compare_members")
def _compare(turn: Turn) -> Story:
    named = named_members(turn)
    if len(named) == 1 and turn.focus("member_id") and turn.focus("member_id") not in named:
        # “And how does she do against M-10007?”
        named = [str(turn.focus("member_id")), *named]
    if len(named) < 2:
        shown = turn.shown("members")
        named = shown[1][:3] if shown and len(shown[1]) > 1 and not named else named
    if len(named) < 2:
        return Say("missing_members", note={"asks": "members", "label": "compare_members"})
    return told((yield Call("compare_members", {"members": named[:4]})))


def named_members(turn: Turn) -> list[str]:
    """The members a message names, in its order: ids, contacts, bare numbers, else names on both sides of a “versus”."""
    found = [*turn.slots.member_ids, *turn.slots.emails]
    text = turn.text
    for known in found:
        text = re.sub(re.escape(known), " ", text, flags=re.IGNORECASE)
    found += [number for number in re.findall(r"(?<![\w-])\d{4,8}(?!\w)", text, re.ASCII) if number not in turn.slots.phones]
    if len(found) >= 2:
        return list(dict.fromkeys(found))
    parts = re.split(r"\bvs?\b\.?|\bversus\b|\bagainst\b|\band\b|\bor\b|\bwith\b|\bto\b|[,，、/&]|和|跟|与|还是|对比|同", text)
    names = [
        wish.of_person(
            re.sub(
                r"\b(?:compare|comparison|between|side by side|better|bigger|first|call|more|loyal|which|worth)\b|比较?|一下|谁|哪个|更|先|放一起|两个",
                " ",
                part,
            )
        )
        for part in parts
    ]
    return list(dict.fromkeys([*found, *(name for name in names if name)]))


@skill("at_risk_members")
def _at_risk(turn: Turn) -> Story:
    cities = wish._cities(turn, normal(turn.text))
    many = re.search(
        r"\b(?:top|first|worst)\s+(\d{1,2})\b|\b(\d{1,2})\s+(?:members?|customers?|people|names)\b|前\s*(\d{1,2})|(\d{1,2})\s*(?:个|位|名)", normal(turn.text)
    )
    limit = int(next(g for g in many.groups() if g)) if many else None
    tier = turn.slots.tiers[0] if turn.slots.tiers else None
    return told((yield Call("at_risk_members", given(tier=tier, city=cities[0] if cities else None, limit=min(20, limit) if limit else None))))


@skill("segment_overview")
def _segments(turn: Turn) -> Story:
    group = _first(GROUPS, turn.text)
    found = yield Call("segment_overview", given(segment=group))
    if group and found.record.get("outcome") == "refused":
        # This shop has no such group: all of them say what there is.
        found = yield Call("segment_overview", {})
    return told(found)


@skill("risk_flags")
def _flags(turn: Turn) -> Story:
    named = turn.slots.member_ids or turn.slots.emails or turn.slots.phones or turn.slots.order_ids
    who = who_is_meant(turn) if named or not _EVERYBODY.search(normal(turn.text)) else None
    return told((yield Call("risk_flags", given(who=who, kind=None if who else _first(_FLAGS, turn.text)))))


@skill("forecast_demand")
def _demand(turn: Turn) -> Story:
    text = normal(turn.text)
    if _POINTS.search(text):
        return told((yield Call("forecast_demand", given(points=True, weeks=_weeks(turn)))))
    shelf = next((key for key in turn.categories() if prompts.names_category(key, text)), None)
    words = _about_demand(turn)
    # The whole name of an article beats the shelf it stands on.
    product = words if words and len(words.split()) > 1 and turn.sells(words) else shelf or turn.named_article(words)
    return told((yield Call("forecast_demand", given(product=product, weeks=_weeks(turn)))))


def _about_demand(turn: Turn) -> str:
    bare = re.sub(
        r"\b(?:forecasts?|demand|expected?|expecting|predict\w*|projection|project(?:ed)?|sales|selling|sells?|sold|volume|next|coming|weeks?|months?|quarter|days?|run(?:ning)? out|stock[- ]?outs?|last|enough|units?|pieces?|shift|"
        r"reorder|restock|replenish|numbers?|many|through|before|by|christmas|per|over|until|when)\b|预测|需求|销量|多少|卖多少|能卖|卖完|卖光|断货|脱销|下周|下个?月|未来|接下来|几周|一个月|能卖|卖|[一二两三四五六七八\d]+(?:个)?(?:周|月|天)|多少件|补货|够不够|够|备货|库存|撑",
        " ",
        turn.text,
        flags=re.IGNORECASE,
    )
    return wish.of_product(bare, turn.slots)


def _weeks(turn: Turn) -> int | None:
    return min(8, max(1, round(turn.slots.days / 7))) if turn.slots.days else None


@skill("similar_products")
def _similar(turn: Turn) -> Story:
    shown = turn.shown("products")
    place = turn.slots.place
    if place and shown and wish.is_pointing(turn.text) and 0 < place <= len(shown[1]):
        product: str | None = shown[1][place - 1]
    else:
        product = wish.of_product(_LIKENESS.sub(" ", turn.text), turn.slots) or None
    if product is None and turn.focus("product_id"):
        product = turn.focus("product_id")
    if product is None and re.search(r"\b(?:last|latest|just|recently)\b|上次|上回|刚|最近", turn.text.lower()):
        newest = yield Call("my_orders", {"limit": 1})
        articles = [line for order in newest.record.get("orders", []) for line in order.get("articles", [])]
        product = next((str(line.get("product_id") or line.get("name_en")) for line in articles), None)
    if product is None:
        return Say("missing_product", note={"asks": "product", "label": "similar_products"})
    found = yield Call("similar_products", given(product=product, max_price=turn.slots.most))
    if found.record.get("outcome") == "refused":
        # Not a thing of ours: what is like it may still be.
        return told((yield Call("search_products", given(wish=product, max_price=turn.slots.most))))
    return told(found)


_LIKENESS = re.compile(
    r"\b(?:anything|something|sth|ones?|similar|alternatives?|alternatively|like|same|as|style|vibe|kind of|else|instead|comparable|equivalent|substitute|replacement|resembl\w*|look(?:s|ing)?|closest|close|match(?:ing)?|lookalikes?|dupes?|range|line|family|other|different|another|sold out|options?)\b|"
    r"类似|差不多|同款|相似|像|一样|替代品?|平替|代替|别的|其他|其它|同类|同系列|风格|那种|那款|这款|这种|换一?个|的款"
)


@skill("buy_again")
def _again(turn: Turn) -> Story:
    return told((yield Call("buy_again", {})))


def _first(patterns: dict[str, str], text: str) -> str | None:
    plain: Any = normal(text)
    return next((name for name, pattern in patterns.items() if re.search(pattern, plain)), None)
