"""How is each thing done?

One short story a label: a generator that yields the tool calls it needs and
returns what to say. It is replayed from the start each time the model is asked,
with the results so far, so it keeps no state of its own.
"""

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any

from assistant.embedded import slots, wish
from assistant.embedded.turn import Result, Turn
from retrieval import query
from tools.gateway import FOR_MEMBER


@dataclass(frozen=True)
class Call:
    """A tool call to make next."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Say:
    """What to say: a phrase with its record and a note for the next turn."""

    phrase: str
    record: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    note: dict[str, Any] = field(default_factory=dict)
    then: "Say | None" = None


# A refusal names only what it knows; phrases may ask for any of these.
NOTHING: dict[str, Any] = dict.fromkeys(("code", "fact", "instead", "passage", "state", "order_id", "on"), "")
Story = Generator[Call, Result, Say]
SKILLS: dict[str, Callable[[Turn], Story]] = {}


def skill(*labels: str) -> Callable[[Callable[[Turn], Story]], Callable[[Turn], Story]]:
    """Declare the story of one or more labels."""

    def declare(story: Callable[[Turn], Story]) -> Callable[[Turn], Story]:
        SKILLS.update(dict.fromkeys(labels, story))
        return story

    return declare


def told(result: Result, phrase: str = "", **about: Any) -> Say:
    """Word a result by its tool's phrase, or say why it was refused."""
    if result.record.get("outcome") in ("refused", "failed"):
        person = result.record.get("instead") in ("talk_to_person", "warranty_if_faulty")
        return Say("refused", {**NOTHING, **result.record}, result.arguments, {"offers": "talk_to_person"} if person else {})
    waits = "_waiting" if result.record.get("outcome") == "waiting_for_yes" else ""
    return Say(
        phrase or f"{result.tool.removesuffix(FOR_MEMBER)}{waits}",
        result.record,
        {"about": None, "order_id": None, "max_price": None, **result.arguments, **about},
    )


def ask_back(turn: Turn, phrase: str, asks: str) -> Say:
    """Ask for what is missing, and remember of which request."""
    return Say(phrase, note={"asks": asks, "label": turn.note["label_now"], "told": list(turn.said)})


def all_said(turn: Turn) -> str:
    """All that was said of the present request."""
    return "\n".join(turn.said)


def given(**values: Any) -> dict[str, Any]:
    """Arguments without the ones nobody named."""
    return {name: value for name, value in values.items() if value not in (None, "", [], ())}


def _about(text: str, **patterns: str) -> str | None:
    return next((name for name, pattern in patterns.items() if re.search(pattern, text.lower())), None)


# --- conversation -----------------------------------------------------------------------


@skill("greeting", "thanks", "goodbye", "out_of_scope")
def _chat(turn: Turn) -> Story:
    return Say(turn.note["label_now"])
    yield  # a story without a call is still a generator


@skill("what_can_you_do")
def _what_can_you_do(turn: Turn) -> Story:
    return Say(f"what_can_you_do_{turn.role}")
    yield


@skill("yes")
def _yes(turn: Turn) -> Story:
    offered = turn.note.get("offers")
    if offered:
        lines = tuple(turn.note.get("told", ()))
        about = replace(turn, said=(*lines, turn.text), slots=slots.read(" ".join(lines) or turn.text, turn.today), note={**turn.note, "label_now": offered})
        return (yield from SKILLS[offered](about))
    return Say("still_waiting" if turn.waits() else "nothing_waiting")


@skill("no")
def _no(turn: Turn) -> Story:
    return Say("declined", note={"declines": True})
    yield


# --- points and tier --------------------------------------------------------------------


@skill("points_balance", "points_history", "points_expiring")
def _points(turn: Turn) -> Story:
    aspect = turn.note["label_now"].removeprefix("points_")
    order = turn.slots.order_ids[0] if aspect == "history" and turn.slots.order_ids else None
    asks_why = re.search(r"\bwhy\b|how come|where did|what for|explain|为什么|怎么会|怎么来|哪来", turn.text.lower())
    if asks_why and not order and wish.newest(turn.text):
        newest = yield Call("my_orders", {"limit": 1})
        order = next((o["order_id"] for o in newest.record.get("orders", [])), None)
    number = wish.bare_number(turn.text) if aspect == "history" and asks_why and not order else None
    return told((yield Call("points", given(aspect=aspect, order_id=order, number=int(number) if number and number >= 1 else None))))


@skill("tier_status")
def _tier(turn: Turn) -> Story:
    about = _about(
        turn.text,
        keep=r"\b(bumped|go down|slip|lose|losing|keep|drop|downgrad|expire|safe|until|still be|demot)|掉级|降级|保级|会不会掉|到期|有效期|保留",
        benefits=r"\b(benefit|perk|what do i get|entitle|what does .* (bring|give|get)|advantages?|free shipping)|权益|好处|福利|待遇|有什么用|享受|特权",
    )
    tier = turn.slots.tiers[0] if turn.slots.tiers else None
    by = turn.slots.ahead.end if turn.slots.ahead and turn.slots.ahead.end > turn.today else None
    if (
        about is None
        and by is not None
        and re.search(r"\b(?:how|plan|need|reach|get to|become|make it|by)\b|怎么|计划|升|到|需要|每月|每个月", turn.text.lower())
    ):
        return told((yield Call("tier_and_benefits", given(tier=tier, by=by.isoformat()))))
    return told((yield Call("tier_and_benefits", given(tier=tier))), about=about)


@skill("tier_what_if")
def _what_if(turn: Turn) -> Story:
    amount = turn.slots.amounts[0] if turn.slots.amounts else wish.bare_number(turn.text)
    by = turn.slots.ahead.end.isoformat() if turn.slots.ahead and turn.slots.ahead.end >= turn.today else None
    if amount is None:
        return (yield from _tier(turn))
    return told((yield Call("tier_and_benefits", given(spend=amount, by=by))))


@skill("my_profile")
def _profile(turn: Turn) -> Story:
    about = _about(
        turn.text,
        address=r"address|deliver|地址|送到哪|寄到哪",
        email=r"e-?mail|邮箱|电邮",
        birthday=r"birthday|born|生日",
        since=r"since when|how long|when did i (join|sign)|member since|什么时候(入|加入|注册)|多久了|几时|入会",
        consents=r"consent|opted|subscribed|signed up to|agreed|marketing|同意|授权|订阅|接收",
    )
    return told((yield Call("my_profile", {})), about=about)


# --- orders -----------------------------------------------------------------------------


def _period(turn: Turn) -> dict[str, Any]:
    if not turn.slots.past or turn.slots.past.start > turn.today:
        return {}
    return {"since": turn.slots.past.start.isoformat(), "until": min(turn.slots.past.end, turn.today).isoformat()}


@skill("my_orders")
def _my_orders(turn: Turn) -> Story:
    if re.search(
        r"\b(last|latest|most recent|newest) (order|purchase|thing)\b|上一[单笔]|最近一[单笔次]|最后一[单笔]|上次", turn.text.lower()
    ) and not wish.of_order(turn.text):
        return told((yield Call("order_status", {})))
    if turn.slots.order_ids:
        return told((yield Call("order_status", {"order_id": turn.slots.order_ids[0]})))
    counted = wish.how_many(turn.text) or (turn.slots.place or 0) > 0
    product = "" if counted else turn.named_article(wish.of_order(turn.text))
    asked = given(status=turn.slots.state, product=product, limit=wish.how_many(turn.text), **_period(turn))
    found = yield Call("my_orders", asked)
    if product and found.ok and not found.record["orders"] and len(asked) > 1:
        # Perhaps the words were no article: the other conditions alone may be what was meant.
        found = yield Call("my_orders", {k: v for k, v in asked.items() if k != "product"})
    return told(found)


@skill("order_status")
def _order_status(turn: Turn) -> Story:
    about = _about(turn.text, refund=r"refund|money back|reimburs|退款|退.*钱|钱.*退|到账")
    named = named_order(turn)
    if named:
        return told((yield Call("order_status", {"order_id": named})), about=about)
    product = turn.named_article(wish.of_order(turn.text))
    if turn.slots.state == "pending":
        return told((yield Call("my_orders", given(product=product, status="pending"))))
    if not product and wish.newest(turn.text):
        return told((yield Call("order_status", {})), about=about)
    asked = given(product=product, limit=5, **_period(turn))
    found = yield Call("my_orders", asked)
    if len(asked) > 1 and found.ok and not found.record["orders"]:
        # What was said of it finds nothing: what is on its way is most likely meant.
        found = yield Call("my_orders", {"limit": 5})
        product = ""
    orders = found.record.get("orders", [])
    moving = [o for o in orders if o["status"] in ("pending", "processed", "shipped")]
    meant = moving or (orders[:1] if not product else orders)
    if len(meant) == 1:
        return told((yield Call("order_status", {"order_id": meant[0]["order_id"]})), about=about)
    shown = {**found.record, "orders": meant, "total_found": len(meant)}
    return told(Result("my_orders", found.arguments, shown))


def named_order(turn: Turn) -> str | None:
    """The order a message means: by id, by its place in the list shown, or the one just talked about."""
    other = len(turn.said) > 1 and re.search(r"\bother (?:order|one)\b|另一[单笔]|别的订单|另外那", turn.text.lower())
    if turn.slots.order_ids and not (other and turn.note.get("order") in (None, *turn.slots.order_ids)):
        return turn.slots.order_ids[0]
    if other:
        return None
    if len(turn.said) > 1 and turn.note.get("order") and not re.search(r"\bother (?:order|one)\b|另一[单笔]|别的订单|另外那", turn.text.lower()):
        # Which order it is was settled by an earlier message of the same request.
        return str(turn.note["order"])
    shown = turn.shown("orders")
    if turn.note.get("asks") == "order" and shown:
        # Lists stand newest first.
        aged = re.search(r"\b(older|oldest|earlier|earliest)\b|早|旧|久", turn.text.lower()) or re.search(
            r"\b(newer|newest|latest|later)\b|新|近", turn.text.lower()
        )
        if aged and len(turn.text) < 40:
            return shown[1][-1] if re.search(r"old|earl|早|旧|久", aged[0]) else shown[1][0]
    if turn.slots.place and shown and wish.is_pointing(turn.text):
        ids = shown[1]
        return ids[turn.slots.place - 1] if 0 < turn.slots.place <= len(ids) else ids[-1] if turn.slots.place < 0 else None
    if wish.points_back(turn.text):
        return turn.focus("order_id")
    return None


# --- products ---------------------------------------------------------------------------


@skill("search_products")
def _search(turn: Turn) -> Story:
    if wish.points_back(turn.text) and turn.focus("product_id") and not turn.slots.amounts and turn.slots.most is None:
        return (yield from _details(turn))
    wanted = wish.of_product(turn.text, turn.slots)
    asked = query.read(turn.text)
    most, least = _pounds(asked.filters.most_cents), _pounds(asked.filters.least_cents)
    if most is None and least is None and turn.slots.amounts:
        most = turn.slots.amounts[0] * (1.15 if re.search(r"about|around|roughly|左右|上下|大概", turn.text.lower()) else 1.0)
    before = turn.last("search_products")
    if before and (not wanted or wish.continues(turn.text) and wish.cheaper(turn.text)):
        wanted = str(before.arguments.get("wish", ""))
        seen = turn.past[-1].record if turn.last_tool() == "product_details" else {}
        prices = [float(seen["price"])] if seen.get("price") else [float(p["price"]) for p in before.record.get("products", [])]
        if wish.cheaper(turn.text) and most is None and prices:
            most = round(min(prices) - 0.01, 2)
    elif wanted:
        wanted = asked.words or wish.phrased(turn.text, turn.slots)
    if not wanted:
        return Say("missing_wish", note={"asks": "wish", "label": "search_products"})
    found = yield Call("search_products", given(wish=wanted, max_price=most, min_price=least, without=list(asked.filters.without or turn.slots.without)[:5]))
    if not found.record.get("products") and most is None:
        # Not in stock is worth saying: better than pretending it is not sold.
        found = yield Call("search_products", {**found.arguments, "in_stock": False})
    return told(found)


def _pounds(cents: int | None) -> float | None:
    return None if cents is None else cents / 100


@skill("product_details")
def _details(turn: Turn) -> Story:
    about = _about(
        turn.text,
        reviews=r"review|rating|rated|any good|(people|folks?|others|buyers) (say|think)|评价|评分|口碑|好用吗|好不好|咋说|怎么说|买过的人",
        warranty=r"warrant|guarantee|保修|质保",
        weight=r"weigh|heavy|how light|多重|重量|重吗|重不重|沉不沉|沉吗|几斤|多少克",
        options=r"\bsizes?\b|colou?rs?|which size|come in|options?|尺寸|颜色|什么色|几种|型号|规格|款式|多大",
        stock=r"\bstock\b|available|left\b|still (have|got|sell)|sold out|back in|有货|现货|库存|缺货|还有吗|有没有货|还有没有",
        price=r"how much|price|cost|多少钱|价格|什么价|贵不贵|几块|几钱",
    )
    product = _named_product(turn)
    if not product:
        return Say("missing_product", note={"asks": "product", "label": "product_details"})
    return told((yield Call("product_details", {"product": product})), about=about)


def _named_product(turn: Turn) -> str | None:
    shown = turn.shown("products")
    if turn.slots.place and shown and wish.is_pointing(turn.text):
        ids = shown[1]
        return ids[turn.slots.place - 1] if 0 < turn.slots.place <= len(ids) else ids[-1] if turn.slots.place < 0 else None
    words = wish.of_product(turn.text, turn.slots)
    if words and not wish.points_back(turn.text):
        return words
    return turn.focus("product_id") or words or None


@skill("recommend_for_me")
def _recommend(turn: Turn) -> Story:
    wanted = wish.of_product(turn.text, turn.slots) and wish.phrased(turn.text, turn.slots)
    most = turn.slots.most if turn.slots.most is not None else (turn.slots.amounts[0] if turn.slots.amounts else None)
    found = yield Call("recommend_for_me", given(wish=wanted, max_price=most))
    if wanted and not found.record.get("products"):
        # Nothing of their own taste fits the wish: the shop's shelves may.
        return told((yield Call("search_products", given(wish=wanted, max_price=most))))
    return told(found)


# --- rules ------------------------------------------------------------------------------


@skill("ask_policy")
def _policy(turn: Turn) -> Story:
    return told((yield Call("ask_policy", {"question": turn.text[:300]})))


# --- a tool of its own examples ---------------------------------------------------------

_FILLERS: dict[str, Callable[[Turn], Any]] = {
    "order_id": lambda turn: named_order(turn),
    "who": lambda turn: who_is_meant(turn),
    "percent": lambda turn: turn.slots.percent,
    "days": lambda turn: turn.slots.days,
    "channel": lambda turn: turn.slots.channel,
    "tier": lambda turn: turn.slots.tiers[0] if turn.slots.tiers else None,
    "amount": lambda turn: turn.slots.amounts[0] if turn.slots.amounts else None,
    "max_price": lambda turn: turn.slots.most,
    "min_price": lambda turn: turn.slots.least,
    "product": lambda turn: turn.named_article(wish.of_product(turn.text, turn.slots)),
    "language": lambda turn: turn.language,
}


def by_schema(turn: Turn) -> Story:
    """The story of a tool that has examples and no story: its arguments by their names, a text argument by the message."""
    tool = turn.note["label_now"]
    schema = turn.schemas.get(tool, {})
    required = schema.get("required", [])
    asked: dict[str, Any] = {}
    for name, told_of in schema.get("properties", {}).items():
        value = _FILLERS[name](turn) if name in _FILLERS else turn.text[:300] if name in required and told_of.get("type") == "string" else None
        if value not in (None, "", []):
            asked[name] = value
    if any(name not in asked for name in required):
        return Say("say_more")
    return told((yield Call(tool, asked)))


# --- support ----------------------------------------------------------------------------


def who_is_meant(turn: Turn) -> str | None:
    """The member a staff message means: by id or contact, by place, by “she”, by name."""
    if len(turn.said) > 1 and turn.note.get("who") and not turn.slots.member_ids:
        return str(turn.note["who"])
    named = turn.slots.member_ids or turn.slots.emails or turn.slots.phones or turn.slots.order_ids
    if named:
        return named[0]
    shown = turn.shown("members")
    if turn.slots.place and shown and wish.is_pointing(turn.text) and 0 < turn.slots.place <= len(shown[1]):
        return shown[1][turn.slots.place - 1]
    if wish.means_somebody(turn.text) and turn.focus("member_id"):
        return turn.focus("member_id")
    told_of = re.search(r"(?:给|把|帮|替)([\u4e00-\u9fff]{2,3}?)(?:加|补|送|扣|发|的|退|取消|改|换)", turn.text)
    if told_of and not re.search(r"会员|客人|他|她|这|那|我", told_of[1]):
        return told_of[1]
    number = wish.bare_number(re.sub(r"\d[\d,]*\s*(?:points?|pts|积分|分)", " ", turn.text.lower()))
    if number and 1000 <= number < 10**9 and float(number).is_integer():
        return str(int(number))
    name = wish.of_person(turn.text)
    return name or (turn.focus("member_id") if wish.means_somebody(turn.text) else None)


@skill("find_member", "member_insight")
def _member(turn: Turn) -> Story:
    who = who_is_meant(turn)
    if not who:
        return Say("missing_member", note={"asks": "member", "label": turn.note["label_now"]})
    return told((yield Call(turn.note["label_now"], {"who": who})))


@skill("member_orders")
def _member_orders(turn: Turn) -> Story:
    who = who_is_meant(turn)
    if not who:
        return Say("missing_member", note={"asks": "member", "label": "member_orders"})
    return told((yield Call("member_orders", given(who=who, status=turn.slots.state, limit=wish.how_many(turn.text), **_period(turn)))))


# --- marketing --------------------------------------------------------------------------


@skill("write_copy")
def _copy(turn: Turn) -> Story:
    if wish.wants_sending(turn.text):
        return Say("cannot_send")
    asked = wish.copy(turn)
    before = turn.last("write_copy")
    if before and wish.continues(turn.text):
        # What goes on from the last one keeps its product and language unless it names others.
        fresh = {
            k: v
            for k, v in asked.items()
            if k not in ("product", "language")
            or (k == "product" and turn.sells(str(v)) and len(str(v)) > 3 and v not in before.arguments.values() and wish.names_topic(turn.text))
        }
        asked = {**before.arguments, **fresh}
    return told((yield Call("write_copy", asked)))
