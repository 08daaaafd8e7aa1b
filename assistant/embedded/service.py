"""How is each service done: orders changed and sent back, points and coupons used, wishes about oneself, people called?

Stories like those in skills.py. A member's story and staff's for a member are
the same one: only the tools' names and the member named differ.
"""

import re
from collections.abc import Generator
from dataclasses import replace
from typing import Any

from assistant.embedded import articles, places, wish
from assistant.embedded.articles import Meant
from assistant.embedded.skills import Call, Say, Story, given, named_order, skill, told, who_is_meant
from assistant.embedded.turn import Result, Turn
from retrieval.numbers import ZH_NUMERAL, chinese
from tools.gateway import FOR_MEMBER

Step = Generator[Call, Result, Any]
_REASONS = {
    "faulty": r"fault|broken|defect|doesn'?t work|does not work|stopped working|damaged|crack(?:ed)?|won'?t|missing (?:a )?(?:piece|part)|flicker|leak|tear|torn|坏|质量|破|裂|用不了|不能用|漏",
    "wrong_item": r"不是我要的|我要的不是|wrong (?:item|thing|one|product|colou?r)|not what i ordered|sent me the wrong|发错|送错|寄错",
    "wrong_size": r"too (?:small|big|large|tight|loose|short|long)|doesn'?t fit|wrong size|size|尺码|尺寸|太大|太小|不合身|不合脚|偏大|偏小",
    "not_as_described": r"(?:not|isn'?t) (?:as|what) [^.]{0,20}(?:described|page|picture|photo)|not as (?:described|pictured|advertised)|looks different|描述不符|和图片|跟图片|色差",
}
_OTHER_ORDER = re.compile(r"\bother (?:order|one)\b|另一[单笔]|别的订单|另外那")
_MISTAKE = re.compile(r"mistake|by accident|accident|wrong|didn'?t mean|double|twice|duplicate|误|错|不小心|手滑|点多|重复")


# --- who and which order ----------------------------------------------------------------


def _call(turn: Turn, tool: str, **arguments: Any) -> Call:
    """The member's tool, or for staff its twin with the member and the reason."""
    asked = given(**arguments)
    if turn.role != "support":
        return Call(tool, asked)
    why = {} if tool in _READS else {"why": _why(turn)}
    return Call(tool + FOR_MEMBER, {"who": who_is_meant(turn) or "", **why, **asked})


_READS = ("order_options", "my_coupons", "best_coupon")


_WHY_CLAUSE = re.compile(r"[,;]\s*(?:she|he|they|it|the|her|his|as|since|because|wrong|ordered)\b|\bbecause\b|因为")


_REASON_WORD = re.compile(
    r"\b(?:because|since|reason|due to|as (?:she|he|they|it|the|an?|goodwill|compensation|thanks|promised|agreed)|for (?=the|being|his|her|a\b)|after|so|asked|asks|wants|requested|complain\w*|called|rang|phoned|apolog\w+)\b"
    r"|[,;:–]\s+\S+|\s-\s|因为|由于|原因|，|。|；|(?:当|作为|算是?|算作|表示|以示)[\u4e00-\u9fff]{0,4}(?:补偿|赔偿|歉意|心意|安抚|感谢|奖励|弥补|致歉)|补偿|赔偿|要求|投诉"
)
# “For three broken deliveries”, not “for Li Na” or “for order 12”.
_FOR_WHAT = re.compile(r"\bfor (?!order|member|customer|them\b|him\b|her\b|me\b|us\b|you\b|now\b|today|tomorrow)[a-z]+")


def _gives_reason(turn: Turn) -> bool:
    """Whether staff said why: a clause of its own, or a word that opens one."""
    text = " ".join(turn.said)
    return _REASON_WORD.search(text.lower()) is not None or _FOR_WHAT.search(text) is not None


def _why(turn: Turn) -> str:
    """The reason staff gave, or the message itself."""
    found = re.search(
        r"\b(?:because|since|reason:?|as (?=she|he|they|it|the|we|an?\b|goodwill|compensation|thanks)|due to|for (?=the|a|being|his|her|[a-z]+ed\b|misuse|three|two|several))\s*(.+)|(?:因为|由于|原因是?|理由是?|作为|当作?|算是?)[:：]?\s*(.+)",
        turn.text,
        re.IGNORECASE,
    )
    reason = next((g for g in found.groups() if g), "") if found else ""
    reason = reason.strip(" .。") or turn.text
    return reason[:300] if len(reason) >= 3 else turn.text[:300].ljust(3, ".")


def _nobody(turn: Turn) -> Say | None:
    """What to ask when staff name no member, or no reason for what they do."""
    if turn.role != "support":
        return None
    if not who_is_meant(turn):
        return Say("missing_member", note=_asks(turn, "member"))
    reads = turn.note["label_now"] in ("coupons", "best_coupon")
    return None if reads or _gives_reason(turn) or turn.note.get("asks") == "reason" else Say("missing_reason", note=_asks(turn, "reason"))


def _orders(turn: Turn, **asked: Any) -> Call:
    if turn.role == "support":
        return Call("member_orders", {"who": who_is_meant(turn) or "", **given(**asked)})
    return Call("my_orders", given(**asked))


def _which(turn: Turn, wanted: str) -> Step:
    """The id of the order that is meant, or what to ask. `wanted` is the state it should be in."""
    nobody = _nobody(turn)
    if nobody:
        return nobody
    named = named_order(turn)
    if named:
        return named
    found = yield _orders(turn, limit=10)
    if not found.ok:
        return told(found)
    listed: list[dict[str, Any]] = found.record.get("orders", [])
    text = "\n".join(turn.said)
    naming = [o for o in listed if articles.names_one(text, o["articles"])]
    fitting = [o for o in naming if o["status"] == wanted] or naming
    if not fitting:
        fitting = [o for o in listed if o["status"] == wanted]
        if wish.newest(turn.text) and listed:
            fitting = (fitting or listed)[:1]
    if turn.note.get("order") and len(turn.said) > 1 and _OTHER_ORDER.search(turn.text.lower()):
        fitting = [o for o in fitting if o["order_id"] != turn.note["order"]]
        if not fitting:
            # What was turned down must not come back under another name.
            return Say("no_other_order", {"order_id": turn.note["order"]})
    if len(fitting) == 1:
        return str(fitting[0]["order_id"])
    shown = {**found.record, "orders": fitting[:4], "wanted": wanted}
    return Say("which_order", shown, note=_asks(turn, "order") if fitting else {})


def _asks(turn: Turn, what: str, order: str | None = None) -> dict[str, Any]:
    """What the next message is expected to give, what was said so far, and the order it is about."""
    who = who_is_meant(turn) if turn.role == "support" and what != "member" else None
    return {"asks": what, "label": turn.note["label_now"], "told": list(turn.said), **given(order=order, who=who)}


def _waiting(turn: Turn, result: Result) -> Say:
    """A proposal as its card says it; the note lets the next message correct it."""
    if result.record.get("rule") == "several_members":
        return replace(told(result), note=_asks(turn, "member"))
    if result.record.get("outcome") != "waiting_for_yes":
        return told(result)
    say = told(result, f"{result.tool.removesuffix(FOR_MEMBER)}_waiting")
    order = say.arguments.get("order_id")
    return Say(say.phrase, say.record, say.arguments, {"waits": turn.note["label_now"], "told": list(turn.said), **({"order": order} if order else {})})


# --- articles of an order ---------------------------------------------------------------


@skill("return_item")
def _return(turn: Turn) -> Story:
    if _only_asks(turn):
        return told((yield Call("ask_policy", {"question": turn.text[:300]})))
    order = yield from _which(turn, "delivered")
    if isinstance(order, Say):
        return order
    options = yield _call(turn, "order_options", order_id=order)
    if not options.ok:
        return told(options)
    everything = [{"variant_id": a["variant_id"]} for a in options.record["articles"]]
    if "return" not in options.record["can"] and everything:
        # The tool says which rule stands in the way.
        return _waiting(turn, (yield _call(turn, "return_items", order_id=order, items=everything)))
    meant = _meant(turn, options.record["articles"], changing=False)
    if not meant:
        return Say("which_articles", {**options.record, "doing": "return"}, note=_asks(turn, "articles", order))
    items = [given(variant_id=m.article["variant_id"], quantity=_pieces(turn, m.article, options.record["articles"])) for m in meant]
    card, unclear = _method(turn, options.record["methods"])
    if unclear:
        return Say("which_method", {**options.record, "methods": unclear}, note=_asks(turn, "method", order))
    if card is None and articles.names_method(_payment_words(turn.text)):
        return Say("no_such_method", options.record, note=_asks(turn, "method", order))
    reason = reason_of(" ".join(turn.said))
    done = yield _call(turn, "return_items", order_id=order, items=items, refund_to=card, reason=reason)
    return _waiting(turn, done)


@skill("exchange_item", "change_items")
def _exchange(turn: Turn) -> Story:
    if _only_asks(turn):
        return told((yield Call("ask_policy", {"question": turn.text[:300]})))
    label = turn.note["label_now"]
    order = yield from _which(turn, "delivered" if label == "exchange_item" else "pending")
    if isinstance(order, Say):
        return order
    options = yield _call(turn, "order_options", order_id=order)
    if not options.ok:
        return told(options)
    record = options.record
    # People say “exchange” and “change” of either: the order's state decides which it is.
    delivered = record["status"] not in ("pending", "processed", "shipped", "cancelled")
    tool = "exchange_items" if delivered else "change_order_items"
    if not {"exchange", "change_items"} & set(record["can"]) and record["articles"]:
        first = record["articles"][0]["variant_id"]
        refused = yield _call(turn, tool, order_id=order, exchanges=[{"variant_id": first, "new_variant_id": first}])
        return _waiting(turn, refused)
    meant = _meant(turn, record["articles"], changing=True)
    if not meant:
        return Say("which_articles", {**record, "doing": "exchange" if delivered else "change"}, note=_asks(turn, "articles", order))
    exchanges: list[dict[str, Any]] = []
    for one in meant:
        picked = _placed(turn, one) or articles.variant(one.wanted, one.article)
        if picked.variant is None:
            shown = {**one.article, "choices": picked.tied[:6], "none_fits": picked.none_fits, "currency": record["currency"]}
            return Say("which_variant", shown, note={**_asks(turn, "variant", order), "choices_shown": [c["variant_id"] for c in picked.tied[:6]]})
        exchanges.append(
            given(variant_id=one.article["variant_id"], new_variant_id=picked.variant["variant_id"], quantity=_pieces(turn, one.article, record["articles"]))
        )
    card, unclear = _method(turn, record["methods"])
    if unclear:
        return Say("which_method", {**record, "methods": unclear}, note=_asks(turn, "method", order))
    if card is None and articles.names_method(_payment_words(turn.text)):
        return Say("no_such_method", record, note=_asks(turn, "method", order))
    return _waiting(turn, (yield _call(turn, tool, order_id=order, exchanges=exchanges, method_id=card)))


def reason_of(text: str) -> str | None:
    """Why something goes back, as far as the words tell."""
    return next((name for name, pattern in _REASONS.items() if re.search(pattern, text.lower())), None)


def _meant(turn: Turn, listed: list[dict[str, Any]], *, changing: bool) -> list[Meant]:
    """The articles meant by all that was said of this request: what comes later adds, corrects or completes."""
    found: list[Meant] = []
    for number, line in enumerate(turn.said):
        latest = number == len(turn.said) - 1
        place = turn.slots.place if latest and turn.note.get("asks") == "articles" and not articles.names_one(line, listed) else None
        here = articles.meant(line, listed, changing=changing, place=place)
        if not found or place is not None:
            found = here
        elif articles.names_one(line, listed):
            fresh = {m.article["variant_id"]: m for m in here}
            if re.match(r"\s*(?:no\b|only|just|不|只)", line.lower()):
                found = here
            else:
                found = [fresh.pop(m.article["variant_id"], m) for m in found] + list(fresh.values())
        elif changing:
            found = [Meant(m.article, f"{m.wanted}\n{line}") for m in found]
    return found


def _placed(turn: Turn, one: Meant) -> articles.Picked | None:
    """The variant at the place named, where variants were listed just before."""
    shown = turn.note.get("choices_shown")
    if turn.note.get("asks") != "variant" or not shown or turn.slots.place is None or len(turn.text) > 60:
        return None
    place = turn.slots.place
    if not 0 < place <= len(shown) and place != -1:
        return None
    wanted = shown[place - 1 if place > 0 else -1]
    chosen = [v for v in one.article["variants"] if v["variant_id"] == wanted]
    return articles.Picked(chosen[0], []) if chosen else None


def _pieces(turn: Turn, article: dict[str, Any], listed: list[dict[str, Any]]) -> int | None:
    """How many of several pieces are meant; all when nothing is said."""
    if re.search(r"\b(?:one of|only one|just one|a single)\b|其中一|只[退换改]一|一[个件]就", " ".join(turn.said).lower()) and article["quantity"] > 1:
        return 1
    # The same thing twice on an order is named once for one of them.
    alike = sum(a["variant_id"] == article["variant_id"] for a in listed)
    return int(article["quantity"]) if alike > 1 else None


def _method(turn: Turn, methods: list[dict[str, Any]]) -> tuple[str | None, list[dict[str, Any]]]:
    """The payment method named last, and those meant when that is not clear."""
    if turn.note.get("asks") == "method" and turn.slots.place and 0 < turn.slots.place <= len(methods):
        return str(methods[turn.slots.place - 1]["method_id"]), []
    unclear: list[dict[str, Any]] = []
    for line in reversed(turn.said):
        card, several = articles.method(_payment_words(line), methods)
        if card:
            return str(card["method_id"]), []
        if several and not unclear:
            first = next((m for m in several if m["used_here"]), None)
            # “My card” is the one the order was paid with, if that is a card.
            if first:
                return str(first["method_id"]), []
            unclear = several
    return None, unclear


def _payment_words(line: str) -> str:
    """A line without the articles whose names sound like a way to pay."""
    return re.sub(r"\b(?:memory|sd|graphics|greeting|birthday|playing)\s+cards?\b|贺卡|存储卡", " ", line.lower())


def _only_asks(turn: Turn) -> bool:
    """A question about the rule, with nothing of the member's own named."""
    text = turn.text
    own = turn.slots.order_ids or wish.points_back(text) or turn.note.get("asks") or len(turn.said) > 1
    general = re.search(
        r"\b(?:policy|rules?|how (?:long|many days)|do you (?:accept|take|offer|charge)|is there a fee|who pays|what happens if|how do(?:es)? (?:i|one|it|returns?))\b|政策|规则|规定|几天|多少天|运费谁|要不要钱|怎么退|怎么换|流程|期限",
        text.lower(),
    )
    return not own and general is not None


# --- cancelling, address, payment -------------------------------------------------------


@skill("cancel_order")
def _cancel(turn: Turn) -> Story:
    reason = "ordered_by_mistake" if _MISTAKE.search(" ".join(turn.said).lower()) else "changed_mind"
    order = yield from _which(turn, "pending")
    if isinstance(order, Say):
        if order.phrase == "which_order":
            return Say("which_to_cancel", order.record, note=order.note)
        return order
    return _waiting(turn, (yield _call(turn, "cancel_order", order_id=order, reason=reason)))


@skill("change_address")
def _address(turn: Turn) -> Story:
    nobody = _nobody(turn)
    if nobody:
        return nobody
    place = next((found for line in reversed(turn.said) if (found := places.read(line))), None)
    named = named_order(turn)
    text = " ".join(turn.said).lower()
    if place is None and turn.note.get("asks") == "address":
        # Street in one message, town in the next.
        place = places.read(", ".join(turn.said[-2:]))
    if place is None and re.search(r"\bsame (?:address|as)\b|\bto my (?:default|home|usual|own)\b|(?:寄|送|改)到(?:我的?)?(?:默认|家里|常用)|一样的地址", text):
        place, named = yield from _known_place(turn, named)
    if place is None and named:
        options = yield _call(turn, "order_options", order_id=named)
        if options.ok and "change_address" not in options.record["can"]:
            # Nobody is asked for an address that could not be used; the tool says which rule it is.
            return _waiting(turn, (yield _call(turn, "change_order_address", order_id=named, line1="–", city="–")))
    if place is None:
        return Say("missing_address", note=_asks(turn, "address", named))
    for_order = named or re.search(
        r"\border|parcel|package|delivery|shipment|send (?:it|this|that)|deliver (?:it|this|that)|这[单笔]|那[单笔]|订单|包裹|快递", text
    )
    for_good = re.search(r"default|profile|account|from now on|moved|moving|future|permanent|registered|on file|默认|以后|搬家|搬到|账户|资料", text)
    if for_good and not named:
        return _waiting(turn, (yield _call(turn, "change_default_address", **place)))
    if not for_order:
        pending = yield _orders(turn, status="pending", limit=3)
        waiting = pending.record.get("orders", [])
        if not waiting:
            return _waiting(turn, (yield _call(turn, "change_default_address", **place)))
        return Say("order_or_default", {"order_id": waiting[0]["order_id"]}, note=_asks(turn, "where"))
    order = yield from _which(turn, "pending")
    if isinstance(order, Say):
        return order
    return _waiting(turn, (yield _call(turn, "change_order_address", order_id=order, **place)))


def _known_place(turn: Turn, named: str | None) -> Step:
    """An address on record: that of another order named, or the default one; and the order to change."""
    ids = list(turn.slots.order_ids)
    if len(ids) > 1:
        options = yield _call(turn, "order_options", order_id=ids[1])
        return (options.record.get("ship_to_parts") if options.ok else None), ids[0]
    if turn.role == "support":
        return None, named
    profile = yield Call("my_profile", {})
    return profile.record.get("address_parts"), named


@skill("change_payment")
def _payment(turn: Turn) -> Story:
    if _only_asks(turn):
        return told((yield Call("ask_policy", {"question": turn.text[:300]})))
    order = yield from _which(turn, "pending")
    if isinstance(order, Say):
        return order
    options = yield _call(turn, "order_options", order_id=order)
    if not options.ok:
        return told(options)
    methods: list[dict[str, Any]] = options.record["methods"]
    others = [m for m in methods if not m["used_here"]]
    if not others:
        return Say("only_method", {"label": methods[0]["label"] if methods else "–"})
    card, unclear = _method(turn, others)
    if card is None and not unclear:
        card, unclear = _method(turn, methods)
    if unclear or (card in [m["method_id"] for m in methods if m["used_here"]] and len(others) == 1 and not _exact(turn, methods)):
        unclear = [m for m in unclear if not m["used_here"]] or others
        card = unclear[0]["method_id"] if len(unclear) == 1 else None
    if card is None:
        return Say("which_method", {**options.record, "methods": unclear or others}, note=_asks(turn, "method", order))
    return _waiting(turn, (yield _call(turn, "change_order_payment", order_id=order, method_id=card)))


def _exact(turn: Turn, methods: list[dict[str, Any]]) -> bool:
    return any(m["method_id"].lower() in line.lower() for line in turn.said for m in methods)


# --- coupons and points -----------------------------------------------------------------


@skill("coupons")
def _coupons(turn: Turn) -> Story:
    nobody = _nobody(turn)
    if nobody:
        return nobody
    if turn.role == "member" and re.search(
        r"\b(?:lost|where do i (?:enter|put|type)|how do i (?:use|enter|redeem)|combine|stack|two codes)\b|怎么用|在哪.*(?:输|填|用)|叠加|同时用|丢了",
        turn.text.lower(),
    ):
        return told((yield Call("ask_policy", {"question": turn.text[:300]})))
    return told((yield _call(turn, "my_coupons")))


@skill("best_coupon")
def _best(turn: Turn) -> Story:
    nobody = _nobody(turn)
    if nobody:
        return nobody
    amount = turn.slots.amounts[0] if turn.slots.amounts else None
    product = "" if turn.slots.order_ids or amount else turn.named_article(wish.of_product(turn.text, turn.slots))
    found = yield _call(turn, "best_coupon", order_id=named_order(turn), amount=amount, product=product)
    if found.record.get("rule") == "no_basket":
        # Without a basket the coupons themselves are the answer.
        return told((yield _call(turn, "my_coupons")))
    say = told(found)
    best = (found.record.get("choices") or [{}])[0]
    if found.ok and found.record.get("order_id") and float(best.get("saves") or 0) > 0:
        offer = {"offers": "apply_coupon", "told": [f"{best['coupon']['code']} {found.record['order_id']}"]}
        return Say(say.phrase, say.record, say.arguments, offer)
    return say


@skill("apply_coupon")
def _apply(turn: Turn) -> Story:
    nobody = _nobody(turn)
    if nobody:
        return nobody
    held = yield _call(turn, "my_coupons")
    if not held.ok:
        return told(held)
    usable: list[dict[str, Any]] = held.record["usable"]
    text = " ".join(turn.said)
    named = [c["code"] for c in usable if c["code"].lower() in text.lower()] or _code_like(text)
    code = named[0] if named else None
    if code is None and turn.slots.place and 0 < turn.slots.place <= len(usable):
        code = usable[turn.slots.place - 1]["code"]
    if code is None and len(usable) == 1:
        code = usable[0]["code"]
    if code is None:
        return Say("missing_code" if usable else "my_coupons", held.record, held.arguments, note=_asks(turn, "code") if usable else {})
    order = yield from _which(turn, "pending")
    if isinstance(order, Say):
        return order
    return _waiting(turn, (yield _call(turn, "apply_coupon", code=code, order_id=order)))


def _code_like(text: str) -> list[str]:
    """Words written like a coupon's code: capitals with figures or a dash, no order or member id."""
    found = re.findall(r"(?<![\w#-])(?=[A-Z0-9-]*[A-Z])(?=[A-Z0-9-]*[\d-])[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*(?![\w-])", text, re.ASCII)
    return [word for word in found if len(word) >= 4 and not re.fullmatch(r"[OMWTP]-?\d+|#?W\d+", word)]


@skill("redeem_points")
def _redeem(turn: Turn) -> Story:
    nobody = _nobody(turn)
    if nobody:
        return nobody
    text = " ".join(turn.said).lower()
    if (
        turn.role == "member"
        and re.search(
            r"\bhow (?:do|can|many|much)\b|\bwhat (?:can|are)\b|\bworth\b|can i (?:pay|use)|怎么用|怎么换|怎么兑|能换什么|能抵多少|值多少|能不能|可以.*吗", text
        )
        and not re.search(r"\d{3,}", text)
    ):
        return told((yield Call("ask_policy", {"question": turn.text[:300]})))
    points = _points_named(turn)
    if points is None and turn.slots.amounts and turn.role == "member":
        worth = yield Call("points", {})
        points = round(turn.slots.amounts[0] * worth.record.get("points_for_one_unit", 100))
    order = named_order(turn)
    on_order = order or re.search(r"\border\b|basket|checkout|this purchase|订单|这[单笔]|那[单笔]|下单", text)
    if on_order and not re.search(r"voucher|coupon|gift|代金券|券|礼券", text):
        order = yield from _which(turn, "pending")
        if isinstance(order, Say):
            return order
    else:
        order = None
    return _waiting(turn, (yield _call(turn, "redeem_points", points=points, order_id=order)))


def _points_named(turn: Turn) -> int | None:
    """A number of points; none for “all of them”."""
    for line in reversed(turn.said):
        found = re.search(r"(\d[\d,]*)\s*(?:of my |of the )?(?:points?|pts|p\b|积分|分)|(?:points?|积分)\D{0,6}(\d[\d,]*)", line.lower())
        if found:
            return int((found[1] or found[2]).replace(",", ""))
        spelled = re.search(rf"({ZH_NUMERAL})\s*(?:个)?(?:积分|分)(?!期)", line)
        if spelled and (value := chinese(spelled[1])) is not None:
            return value
        number = wish.bare_number(line)
        if number and not turn.slots.amounts and number >= 10 and float(number).is_integer() and not turn.slots.order_ids:
            return int(number)
    return None


@skill("transfer_points")
def _transfer(turn: Turn) -> Story:
    return told((yield Call("transfer_points", {})))


@skill("campaigns_for_me")
def _campaigns(turn: Turn) -> Story:
    return told((yield Call("campaigns_for_me", {})))


# --- wishes about oneself ---------------------------------------------------------------

_CHANNEL = {
    "email": r"e-?mails?|newsletters?|mailing list|邮件|邮箱|电邮",
    "sms": r"\bsms\b|\btexts?\b|text messages?|短信",
    "wechat": r"we ?chat|\bwx\b|微信|公众号",
    "phone": r"\bphone\b|\bcall(?:s|ing)?\b|\bring(?:ing)?\b|电话|来电",
    "push": r"\bpush\b|notifications?|推送|通知|弹窗",
}
_STOP = re.compile(
    r"\b(?:stop|unsubscribe|opt(?: me)? out|no more|don'?t|do not|never|quit|cease|remove|off|withdraw|revoke|cancel|enough|leave me|block|without|fewer|less)\b|退订|取消|别|不要|不想|停|关|撤回|拒收|不再|少发|烦"
)


@skill("change_consent")
def _consent(turn: Turn) -> Story:
    nobody = _nobody(turn)
    if nobody:
        return nobody
    # Why staff act (“she asked us by e-mail”) names channels that are not meant.
    text = _WHY_CLAUSE.split(" ".join(turn.said).lower())[0]
    channels = [name for name, pattern in _CHANNEL.items() if re.search(pattern, text)]
    kept = re.search(r"\b(?:but|except|only|keep)\b(.*)|(?:只|除了|保留)(.*)", text)
    rest = next((g for g in kept.groups() if g), "") if kept else ""
    spared = [name for name in channels if re.search(_CHANNEL[name], rest)]
    if spared and len(spared) < len(channels) and re.search(r"\b(?:but|except|keep)\b|除了|保留", text):
        channels = [name for name in channels if name not in spared]
    stops = _STOP.search(text) is not None
    return _waiting(turn, (yield _call(turn, "change_consent", granted=not stops, channels=channels)))


_TONGUES = {"zh": r"chinese|mandarin|中文|汉语|普通话|简体", "en": r"english|英文|英语"}
_FOREIGN = re.compile(
    r"\b(?:french|german|spanish|italian|japanese|korean|polish|arabic|welsh|portuguese|dutch|russian|cantonese|hindi)\b|法语|德语|日语|韩语|西班牙语|粤语|俄语|繁体"
)


@skill("change_language")
def _language(turn: Turn) -> Story:
    nobody = _nobody(turn)
    if nobody:
        return nobody
    text = " ".join(turn.said).lower()
    if _FOREIGN.search(text):
        return Say("other_language")
    named = [(hit.start(), tongue) for tongue, pattern in _TONGUES.items() for hit in re.finditer(pattern, text)]
    target = [
        tongue
        for tongue, pattern in _TONGUES.items()
        if re.search(rf"(?:\b(?:to|in|into|speak|use|write)\s+|换成|改成|用|说|切换?(?:成|到)?|设(?:成|为)?)(?:simplified )?(?:{pattern})", text)
    ]
    refused = [
        tongue
        for tongue, pattern in _TONGUES.items()
        if re.search(
            rf"(?:not|no|stop|can'?t read|don'?t (?:read|speak|understand)|instead of|看不懂|不要|别用?|不懂|不会)[^,，。.]{{0,12}}(?:{pattern})", text
        )
    ]
    able = [tongue for _, tongue in sorted(named) if tongue not in refused]
    chosen = next((t for t in target if t not in refused), None) or (able[0] if able else None)
    if chosen is None and refused:
        chosen = "en" if refused[0] == "zh" else "zh"
    if chosen is None and not re.search(r"languages?|speak|translate|语言|说|讲|看不懂", text):
        return Say("say_more")
    if chosen is None:
        return Say("which_language", note=_asks(turn, "language"))
    return _waiting(turn, (yield _call(turn, "change_language", language=chosen)))


# Staff cannot fetch a member's data: the rule says who can.
_COPY_OF_DATA = {"en": "a copy of all my data", "zh": "导出我的个人数据"}


@skill("export_data")
def _export(turn: Turn) -> Story:
    if turn.role == "support":
        return told((yield Call("ask_policy", {"question": _COPY_OF_DATA[turn.language]})))
    return told((yield Call("export_my_data", {})))


@skill("erase_me")
def _erase(turn: Turn) -> Story:
    if re.search(
        r"\bwhat happens|will i lose|do i lose|how (?:do|can|long)|can i (?:come|join)|what about my\b|怎么|会怎么样|会不会|还能|多久", turn.text.lower()
    ):
        return told((yield Call("ask_policy", {"question": turn.text[:300]})))
    return _waiting(turn, (yield Call("erase_me", {})))


@skill("keep_account")
def _keep(turn: Turn) -> Story:
    return _waiting(turn, (yield Call("keep_account", {})))


# --- people -----------------------------------------------------------------------------


@skill("talk_to_person")
def _person(turn: Turn) -> Story:
    # A yes to “shall I call a colleague?” is about what was refused.
    refused = str(turn.past[-1].record.get("fact", "")) if turn.note.get("offers") and turn.past else ""
    return told((yield Call("talk_to_person", given(about=(refused or turn.text)[:300], order_id=named_order(turn) or turn.focus("order_id")))))


@skill("complaint")
def _complaint(turn: Turn) -> Story:
    if re.search(
        r"\bhow (?:do|can) i complain|who do i complain|what happens when i complain|怎么投诉|投诉流程|多久(?:有|会)?(?:答复|回复)", turn.text.lower()
    ):
        return told((yield Call("ask_policy", {"question": turn.text[:300]})))
    return told((yield Call("file_complaint", given(about=turn.text[:300], order_id=named_order(turn) or turn.focus("order_id")))))


@skill("inbox")
def _inbox(turn: Turn) -> Story:
    return told((yield Call("inbox", {})))


@skill("ticket_digest")
def _digest(turn: Turn) -> Story:
    text = turn.text.lower()
    days = turn.slots.days
    if days is None:
        days = 1 if re.search(r"\btoday|this morning|so far\b|今天|今日|当天", text) else 30 if re.search(r"\bmonth|monthly\b|月", text) else 7
    return told((yield Call("ticket_digest", {"days": min(92, days)})))


@skill("adjust_points")
def _adjust(turn: Turn) -> Story:
    nobody = _nobody(turn)
    if nobody:
        return nobody
    points = _points_named(turn)
    if points is None:
        return Say("missing_points", note=_asks(turn, "points"))
    text = " ".join(turn.said).lower()
    takes = re.search(r"\b(?:take|deduct|remove|subtract|minus|claw|dock|reverse|withdraw)\b|(?<![\w-])-\s?\d|扣|减|收回|撤回|去掉", text)
    call = Call("adjust_points", {"who": who_is_meant(turn) or "", "why": _why(turn), "points": -points if takes else points})
    return _waiting(turn, (yield call))


@skill("receive_return")
def _receive(turn: Turn) -> Story:
    nobody = _nobody(turn)
    if nobody:
        return nobody
    order = named_order(turn)
    if not order:
        return Say("missing_order", note=_asks(turn, "order"))
    return _waiting(turn, (yield Call("receive_return", {"who": who_is_meant(turn) or order, "why": _why(turn), "order_id": order})))
