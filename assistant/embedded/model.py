"""What does the embedded model answer?

A LangChain chat model without key or network. It sees what any model sees (the
messages and the tools bound to it) and answers with tool calls or text: clauses
are routed by the learned classifier, each label's story is replayed with the
results so far, and what it returns is worded by the phrase files.
"""

import json
import re
import tomllib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

import prompts
from assistant.embedded import campaigning, foresight, places, ruling, service, slots, wish
from assistant.embedded import turn as turns
from assistant.embedded.excerpt import excerpt
from assistant.embedded.router import Guess, Router
from assistant.embedded.skills import NOTHING, SKILLS, Call, Say, by_schema
from assistant.embedded.turn import NOTE, Result, Turn
from retrieval.embed import Embeds
from retrieval.words import has_han
from tools.gateway import FOR_MEMBER

COMMON = ("greeting", "thanks", "goodbye", "what_can_you_do", "yes", "no", "out_of_scope")
# Importing a module of stories declares them.
STORIES = (service, foresight, campaigning, ruling)
_BLANK: dict[str, Any] = {"r": {}, "a": {"about": None}, "today": "", "name": "", "role": "", "shown": 0, "said": "", "cited": ""}
# Below this chance the two likeliest readings are offered; see `python -m eval routing`.
_SURE, _CLAUSE_SURE = 0.25, 0.52
_CLAUSES = re.compile(
    r"\s+(?:and|then|also|plus)\s+(?:also\s+|then\s+)?|[;；。!！?？\n]+\s*|,\s*(?:and|then|also)\s+|，?(?:另外|还有|顺便|然后|再帮我|同时)|，"
)
_OF_OTHERS = re.compile(
    r"\b(?:my\s+)?(?:wife|husband|mum|mom|mother|dad|father|son|daughter|friend|neighbou?r|boss|colleague|girlfriend|boyfriend|partner|brother|sister)['’]?s\s+(?:orders?|points|account|address|tier|profile)|"
    r"\b(?!what|that|it|here|there|who|let|how|today|yesterday|mother|father)[a-z]+(?:\s+[a-z]+)?['’]s\s+(?:orders?|points|account|address|phone|tier|profile|details)\b|"
    r"\b(?:her|his|their) (?:orders?|points|account|address|phone|tier|profile|details|number)\b|[她他](?:家)?(?:地址|电话|订单|积分)|"
    r"(?:老婆|老公|妈妈|爸爸|朋友|同事|别人|邻居|男朋友|女朋友|姐姐|哥哥|弟弟|妹妹|她|他)的(?:订单|积分|账户|账号|地址|电话|等级)"
)


_CONTACTS = re.compile(
    r"(?:phone|mobile|e-?mail address|home address|phone number)s?\b.*\b(?:of|for)\b|['’]s (?:phone|number|e-?mail|address|mobile)|(?:电话|手机号|邮箱|地址)(?:给我|发我|是多少|是什么)|的(?:电话|手机号|住址)"
)
_REFUND = re.compile(r"refund|money|reimburs|退款|退.{0,4}钱|钱.{0,4}退|到账")
# Of an article named in full these words decide; the classifier has never seen its name.
_OF_ARTICLE = {
    "cancel_order": re.compile(r"\bcancel|don['’]?t (?:send|ship|want)|gone off|change[d]? my mind|别发|不想要|不要了|退掉|取消|退订"),
    "order_status": re.compile(r"\barriv|when (?:will|does)|on its way|shipped|where is|track|几号.*到|什么时候到|到哪|能到|到货|发货了"),
    "product_details": re.compile(
        r"how much|price|cost|in stock|weigh|heavy|warrant|guarantee|review|colou?r|size|多少钱|价|几块|保修|多重|沉|评价|颜色|尺寸|有货|现货"
    ),
}
_WHEN_MONEY = re.compile(
    r"\bwhen (?:do|will|can|would) (?:i|we) (?:get|have|receive|see) (?:the|my|that) (?:money|refund|cash)|how long (?:does|will|do) (?:the |my |a )?refunds?|(?:钱|退款)(?:大概)?(?:什么时候|多久|几天)(?:能)?(?:到|退|有)"
)
_OWN_ORDERS = ("my_orders", "order_status")
# Phrases that answer nothing: three such turns in a row call a person.
_LOST = frozenset(("say_more", "unsure"))
# What a question for a missing piece may be answered by.
_GIVEN = frozenset(("articles", "variant", "method", "address", "where", "code", "points", "reason", "language"))
# Readings that a piece given by itself is easily taken for.
_GOODS = ("search_products", "product_details", "recommend_for_me", "out_of_scope", "my_orders", "order_status", "exchange_item", "change_items", "return_item")
# What is done with an order, and the word that says one rather than another.
_SWITCHES = {
    "return_item": r"return|send (?:it |them )?back|退",
    "exchange_item": r"exchange|swap|换",
    "change_items": r"change|swap|换|改",
    "cancel_order": r"cancel|取消",
}
_FAMILY = {
    "return_item": (*_GOODS, "change_payment", "redeem_points"),
    "exchange_item": (*_GOODS, "change_payment"),
    "change_items": (*_GOODS, "change_payment"),
    "change_payment": ("out_of_scope", "my_profile", "ask_policy", "redeem_points"),
    "change_address": ("out_of_scope", "my_profile", "order_status"),
    "apply_coupon": ("coupons", "best_coupon", "out_of_scope", "my_orders", "order_status"),
    "redeem_points": ("points_balance", "out_of_scope", "points_history"),
    "cancel_order": (*_GOODS,),
}


# Requests whose arguments may fill the whole message: a clause of it is rarely a request of its own.
_SERVICE = frozenset(
    "cancel_order return_item exchange_item change_items change_address change_payment apply_coupon redeem_points change_consent change_language "
    "erase_me keep_account export_data transfer_points complaint talk_to_person adjust_points receive_return "
    "audience_build audience_export check_copy estimate_uplift create_campaign send_campaign campaign_results best_send_time recommend_coupon "
    "policy_what_if compare_policies adopt_policy synthesise_members".split()
)
_CORRECTS = re.compile(
    r"^\s*(?:(?:hmm+|oh|ah|well)[\s,]+)?(?:no\b|nope\b|not (?:that|the|this)|wrong|actually|sorry|wait|hang on|i meant?|i said|instead|make it|rather|use|with|but|and|also|only|just|to my|on my|via|change (?:it|that)|the other)\b|"
    r"\binstead\b|\bthe other (?:one|order)\b|^\s*(?:不是|不对|错了|等等|换成|改成|用|还有|另外|再|只|应该|是|我是说|我说的)|另一[个单笔]",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Step:
    """One clause with what it was read as, and what was said of the same request before."""

    label: str
    text: str
    told: tuple[str, ...] = ()
    order: str = ""


class EmbeddedModel(BaseChatModel):
    """The chat model that needs no key. Deterministic; `router` and `embed` are handed in."""

    router: Any
    embed: Any
    sells: Any = bool
    names: Any = bool
    model_name: str = "embedded"

    @property
    def _llm_type(self) -> str:
        return "patron-embedded"

    def bind_tools(self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """Remember the tools' names; their schemas are the gateway's to enforce."""
        functions = [convert_to_openai_tool(tool)["function"] for tool in tools]
        return self.bind(tool_schemas={function["name"]: function.get("parameters", {}) for function in functions})

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> ChatResult:
        turn = turns.read(messages, kwargs.get("tool_schemas") or {}, self.sells)
        return ChatResult(generations=[ChatGeneration(message=self.answer(turn))])

    def answer(self, turn: Turn) -> AIMessage:
        """The next message of a turn: one tool call, or the words."""
        steps = self.steps(turn)
        if isinstance(steps, Say):
            lost = {"lost": True} if steps.phrase in _LOST else {}
            return _message(self._worded(turn, steps), {**steps.note, **lost})
        left, said = list(turn.results), list[str]()
        note: dict[str, Any] = {}
        for step in steps:
            outcome = _replayed(_facing(turn, step, alone=len(steps) == 1), left)
            if isinstance(outcome, Call):
                place = len(turn.results)
                call = {"name": outcome.tool, "args": outcome.arguments, "id": f"call_{turn.number}_{place}", "type": "tool_call"}
                return AIMessage(content="", tool_calls=[call])
            said.append(self._worded(_facing(turn, step), outcome))
            note = {**note, **outcome.note, **_listed(outcome)}
            if len(steps) == 1 and outcome.phrase in _LOST:
                note = {**note, "lost": True}
        if not ({"asks", "waits", "declines"} & set(note)) and (broken_off := _broken_off(turn.note, steps[0].label)):
            note = {**note, "paused": broken_off}
        text = "\n\n".join(part for part in said if part)
        if text == turn.said_last:
            text = f"{self._worded(turn, Say('repeat'))}\n{text}"
        return _message(text, note)

    # --- reading ------------------------------------------------------------------------

    def steps(self, turn: Turn) -> list[_Step] | Say:
        """What the message asks for, clause by clause; or what to ask back."""
        guesses: list[Guess] = self.router.guess(_core(turn.text), self._labels(turn))
        if guesses[0].label == "redeem_points" and not _OF_POINTS.search(turn.text.lower()):
            # “Exchange something in my order” shares its verb with points, and says nothing of them.
            guesses = [g for g in guesses if g.label != "redeem_points"] or guesses
        best = guesses[0]
        # “Send it to my mum's address” and “give my wife's account my points” name others without looking into their record.
        harmless = best.label in ("change_address", "transfer_points") and best.chance > 0.4
        foreign = turn.role == "member" and not harmless and (_OF_OTHERS.search(turn.text.lower()) or self._names_another_member(turn))
        if foreign:
            return Say("not_mine_member_data")
        if turn.role == "marketer" and _CONTACTS.search(turn.text.lower()):
            return Say("no_contacts")
        guesses = self._corrected(turn, guesses)
        best = guesses[0]
        if _NOT_OURS.search(turn.text.lower()):
            return Say("out_of_scope")
        goes_on = self._continued(turn)
        if goes_on:
            return [goes_on]
        meant = self._meant(turn, best)
        if meant:
            of_focus = meant == "member_insight" and not turn.slots.member_ids and turn.focus("member_id")
            return [_Step(meant, {"en": "she", "zh": "她"}[turn.language] if of_focus else turn.text)]
        several = self._clauses(turn, guesses) or self._each_order(turn, best)
        if several:
            return several
        if best.label == "ask_policy" and turn.slots.order_ids and guesses[1].label in _SERVICE:
            # A question that names an order of theirs wants it done rather than explained.
            return [_Step(guesses[1].label, turn.text)]
        if best.label == "out_of_scope" and best.chance < 0.5 and guesses[1].label == "ask_policy":
            # A question of the shop's that the policy may answer is better looked up than turned away.
            return [_Step("ask_policy", turn.text)]
        if turn.slots.tiers and {g.label for g in guesses[:2]} == {"tier_status", "ask_policy"}:
            return [_Step("tier_status", turn.text)]
        if best.chance < _SURE and best.label not in COMMON:
            return self._unsure(turn, guesses)
        return [_Step(best.label, turn.text)]

    def _corrected(self, turn: Turn, guesses: list[Guess]) -> list[Guess]:
        """Readings put right by a word that settles them: which act, a rule asked about, what is said of coupons or points."""
        text, best = turn.text.lower(), guesses[0]
        if turn.note.get("asks") or turn.note.get("waits"):
            return guesses
        if best.label in _ASKED_ABOUT and not (turn.slots.order_ids or turn.slots.member_ids) and asks_rule(text):
            return [Guess("ask_policy", best.chance), *guesses]
        if best.label == "audience_count" and re.search(r"特点|特征|什么样的人|是什么样|\bdescribe\b|what are .{0,30} like|characteri", text):
            # What they are like is asked of a group, how many of an audience.
            return [Guess("segment_overview", best.chance), *guesses]
        if best.label == "cancel_order" and re.search(r"退(?!款|订)", text) and not re.search(r"取消|别发|没发|不要发|cancel", text):
            return [Guess("return_item", best.chance), *guesses]
        if best.label in ("coupons", "apply_coupon") and re.search(r"\b(?:most|best|biggest|saves?)\b|划算|最省|划得来|最合适|最好", text):
            return [Guess("best_coupon", best.chance), *guesses]
        if (
            best.label in ("exchange_item", "change_items")
            and re.search(r"\breturn\b|send (?:it|them|this) back|退", text)
            and not re.search(_SWITCHES["exchange_item"], text)
        ):
            return [Guess("return_item", best.chance), *guesses]
        if best.label.startswith("points_") and re.search(
            r"(?:积分|points?|分).{0,14}(?:转|过户|送|transfer|move).{0,8}(?:给|to\b)|转.{0,6}(?:积分|分)给", text
        ):
            return [Guess("transfer_points", best.chance), *guesses]
        if best.label == "ask_policy" and _OF_ARTICLE["product_details"].search(text) and turn.named_article(wish.of_product(turn.text, turn.slots)):
            return [Guess("product_details", best.chance), *guesses]
        return guesses

    def _meant(self, turn: Turn, best: Guess) -> str | None:
        """What arguments and conversation decide whatever the classifier says."""
        text = turn.text.lower()
        if _WHEN_MONEY.search(text) and not turn.slots.order_ids:
            return "ask_policy"
        if re.search(r"语言|\blanguages?\b|改成[中英]文|换成[中英]文|用[中英]文", text) and re.search(r"chinese|english|mandarin|中文|英文|英语|汉语", text):
            return "change_language"
        if turn.role == "marketer" and (meant := campaigning.goes_on(turn, best.label)):
            return meant
        if best.label in _SERVICE and best.chance > 0.35:
            return None
        place = places.read(turn.text) if turn.role == "member" and best.chance < 0.9 else None
        if place and place["postcode"]:
            return "change_address"
        if turn.role == "member" and turn.slots.order_ids and _REFUND.search(text) and not re.search(r"\bcancel (?:it|this|#?[ow\d])|给我取消|帮我取消", text):
            return "order_status"
        if turn.last_tool() == "tier_and_benefits" and len(text) < 40 and (turn.slots.amounts or wish.bare_number(text)) and wish.continues(turn.text):
            return "tier_what_if"
        if turn.role == "support" and (turn.slots.member_ids or turn.focus("member_id")):
            # Asked of a member, a member's own question is one about that member.
            own = self.router.guess(turn.text, self.router.labels)[0]
            if own.label in _OWN_ORDERS and own.chance > 0.3:
                return "member_orders"
            if own.label.startswith(("points_", "tier_")) and own.chance > 0.4:
                return "member_insight"
        return self._asked_of_article(turn, text) if turn.role == "member" else None

    def _asked_of_article(self, turn: Turn, text: str) -> str | None:
        """What is asked of an article that the message names in full."""
        if not self.names(text):
            return None
        return next((label for label, pattern in _OF_ARTICLE.items() if pattern.search(text)), None)

    def _labels(self, turn: Turn) -> list[str]:
        """What may be asked of this caller: the labels behind the tools bound."""
        return labels_of(self.router.labels, turn.tools)

    def _names_another_member(self, turn: Turn) -> bool:
        mine = {r.record.get("member_id") for r in turn.past if r.tool == "my_profile"}
        return bool(set(turn.slots.member_ids) - {str(m) for m in mine if m})

    def _continued(self, turn: Turn) -> _Step | None:
        """A message that only makes sense after the last one."""
        chosen = turn.note.get("choices", {}).get(turn.text.strip())
        if chosen:
            return _Step(chosen, turn.note.get("of", turn.text))
        asked, label = turn.note.get("asks"), turn.note.get("label", "")
        before = tuple(turn.note.get("told", ()))
        if asked and self._answers(turn, asked):
            return _Step(self._switched(turn, label), turn.text, before)
        offered = turn.note.get("offers")
        if offered and before and self.router.guess(turn.text, self._labels(turn))[0].label == offered:
            return _Step(offered, turn.text, before)
        waits = turn.note.get("waits")
        if waits and (self._switched(turn, waits) != waits or self._corrects(turn, waits)):
            return _Step(self._switched(turn, waits), turn.text, before)
        paused = turn.note.get("paused")
        if paused and not turn.slots.order_ids and len(turn.text) < 60 and self._resumes(turn, paused["label"]):
            return _Step(paused["label"], turn.text, tuple(paused["told"]), paused.get("order", ""))
        if wish.is_pointing(turn.text) and turn.slots.place and not self._clauses(turn, self.router.guess(turn.text, self._labels(turn))):
            label = self._pointed(turn)
            if label:
                return _Step(label, turn.text)
        if wish.continues(turn.text) and turn.last_tool() == "audience_count" and wish.audience(turn):
            return _Step("audience_count", turn.text)
        if turn.last_tool() == "write_copy" and wish.continues(turn.text) and (turn.slots.channel or turn.slots.tone) and len(turn.text) < 60:
            return _Step("write_copy", turn.text)
        if turn.last_tool() == "search_products" and wish.continues(turn.text) and (turn.slots.most or turn.slots.least or turn.slots.without):
            return _Step("search_products", turn.text)
        return None

    def _resumes(self, turn: Turn, label: str) -> bool:
        """Whether a message takes up again what another topic had broken off: 那就退吧."""
        best: Guess = self.router.guess(turn.text, self._labels(turn))[0]
        return best.label == label or (best.label in _FAMILY.get(label, ()) and re.search(_SWITCHES.get(label, "(?!)"), turn.text.lower()) is not None)

    def _switched(self, turn: Turn, label: str) -> str:
        """The label, or the one a message changes to: “then send it back instead”, 那退掉吧."""
        best: Guess = self.router.guess(turn.text, self._labels(turn))[0]
        says = _SWITCHES.get(best.label)
        return best.label if says and label in _SWITCHES and best.label != label and best.chance > 0.5 and re.search(says, turn.text.lower()) else label

    def _corrects(self, turn: Turn, waits: str) -> bool:
        """Whether a message changes what was just proposed: “no, the blue one”, “use my PayPal instead”."""
        best: Guess = self.router.guess(turn.text, self._labels(turn))[0]
        if best.label == waits:
            return not (set(turn.slots.order_ids) - set(slots.read(" ".join(turn.note.get("told", ())), turn.today).order_ids)) or best.chance < 0.6
        if best.label in ("change_payment", "redeem_points") and waits in ("return_item", "exchange_item", "change_items") and not turn.slots.order_ids:
            # “To a gift card, please” says how this is settled.
            return True
        if waits == "return_item" and len(turn.text) < 60 and service.reason_of(turn.text) and best.label not in ("talk_to_person", "cancel_order"):
            return True
        if re.search(r"\bother (?:one|order)\b|另一|另外那", turn.text.lower()) and len(turn.text) < 40:
            return True
        own = best.label in ("yes", "no", "thanks", "goodbye", "talk_to_person", "complaint") and best.chance > 0.6 and len(turn.text) < 25
        return _CORRECTS.search(turn.text) is not None and not own and (best.chance < 0.6 or best.label in _FAMILY.get(waits, ()))

    def _answers(self, turn: Turn, asked: str) -> bool:
        """Whether a message gives what was asked for rather than opening something new."""
        if asked in campaigning.ASKED:
            likeliest = self.router.guess(turn.text, self._labels(turn))[0]
            return likeliest.label in (turn.note.get("label"), "out_of_scope", "audience_count", "search_products") or likeliest.chance < 0.6
        if turn.note.get("label") == "return_item" and len(turn.text) < 60 and service.reason_of(turn.text):
            return True
        if asked in _GIVEN:
            best: Guess = self.router.guess(turn.text, self._labels(turn))[0]
            label = turn.note.get("label", "")
            if best.label in ("yes", "no", "talk_to_person", "goodbye", "complaint") and best.chance > 0.6:
                return False
            return best.label == label or best.label in _FAMILY.get(label, ()) or best.chance < 0.85 or len(turn.text) < 25
        if asked == "order":
            best = self.router.guess(turn.text, self._labels(turn))[0]
            if best.chance > 0.9 and best.label != turn.note.get("label") and not (turn.slots.order_ids or turn.slots.place):
                # A plain request of its own, such as where something is, is no answer to “which one?”.
                return False
            return bool(turn.slots.order_ids or (turn.slots.place and wish.is_pointing(turn.text)) or (len(turn.text) < 40 and self._vague(turn)))
        if asked == "member":
            return bool(turn.slots.member_ids or turn.slots.emails or turn.slots.phones) or (len(turn.text) < 30 and self._vague(turn))
        return len(turn.text) < 60 and self._vague(turn, 0.85)

    def _each_order(self, turn: Turn, best: Guess) -> list[_Step] | None:
        """“Cancel #W1 and #W2”: one request, done for each order named."""
        ids = turn.slots.order_ids
        if best.label not in ("cancel_order", "order_status") or best.chance < 0.5 or not 1 < len(ids) <= 4:
            return None
        bare = turn.text
        for order in ids:
            bare = re.sub(re.escape(order), " ", bare, flags=re.IGNORECASE)
        return [_Step(best.label, f"{bare.strip()} {order}") for order in ids]

    def _vague(self, turn: Turn, below: float = 0.7) -> bool:
        best: Guess = self.router.guess(turn.text, self._labels(turn))[0]
        return best.chance < below or best.label in (
            "out_of_scope",
            "search_products",
            "product_details",
            "order_status",
            "cancel_order",
            "my_orders",
            "find_member",
            "audience_count",
        )

    def _pointed(self, turn: Turn) -> str | None:
        shown = turn.shown()
        if shown is None:
            return None
        place, kind = turn.slots.place or 0, shown[0]
        if place > len(shown[1]):
            return None
        best = self.router.guess(turn.text, self._labels(turn))[0]
        fitting = {
            "orders": ("cancel_order", "order_status"),
            "products": ("product_details",),
            "members": ("member_insight", "member_orders"),
        }[kind]
        if kind == "orders" and "member_orders" in turn.tools:
            return None
        if kind == "orders" and best.label in _SWITCHES and best.chance > 0.4:
            return str(best.label)
        return best.label if best.label in fitting and best.chance > 0.5 else ("order_status" if kind == "orders" else fitting[0])

    def _clauses(self, turn: Turn, whole: list[Guess]) -> list[_Step] | None:
        """Several requests in one message, if each clause is clear by itself."""
        if whole[0].label == "compare_members" and whole[0].chance > 0.35:
            # “M-10023 and M-10007” are the two ends of one question.
            return None
        if turn.role == "marketer" and whole[0].label in (*_SERVICE, "audience_count") and not campaigning.SEVERAL.search(turn.text.lower()):
            # The conditions of an audience are clauses of one request.
            return None
        parts = [part.strip() for part in _CLAUSES.split(_core(turn.text)) if part and len(part.strip()) >= 4]
        if not 2 <= len(parts) <= 4 or re.match(r"(?:what )?if\b|如果|假如|要是", turn.text.lower()):
            return None
        labels = self._labels(turn)
        read = [(part, self.router.guess(part, labels)[0]) for part in parts]
        clear = [(part, guess) for part, guess in read if guess.chance >= _CLAUSE_SURE and guess.label not in COMMON]
        distinct = {guess.label for _, guess in clear}
        orders = {order for part, _ in clear for order in slots.read(part, turn.today).order_ids}
        if (
            len(clear) < 2
            or (len(distinct) < 2 and len(orders) < 2)
            or (whole[0].chance > 0.97 and len(orders) < 2 and min(guess.chance for _, guess in clear) < 0.95)
        ):
            return None
        said_so = re.search(r"\balso\b|\bplus\b|另外|还有|顺便|然后", turn.text.lower())
        if whole[0].label in _SERVICE and len(orders) < 2 and min(guess.chance for _, guess in clear) < (0.55 if said_so else 0.8):
            return None
        return [_Step(guess.label, part) for part, guess in clear]

    def _unsure(self, turn: Turn, guesses: list[Guess]) -> Say:
        titles = _choices()
        offered = [g.label for g in guesses if g.label in titles][:2]
        if len(offered) < 2:
            return Say("say_more")
        place = 1 if turn.language == "zh" else 0
        return Say("unsure", note={"choices": {titles[label][place]: label for label in offered}, "of": turn.text})

    # --- wording ------------------------------------------------------------------------

    def _worded(self, turn: Turn, say: Say) -> str:
        values: dict[str, Any] = {
            "r": say.record,
            "a": say.arguments,
            "today": turn.today.isoformat(),
            "name": turn.name,
            "role": turn.role,
            "shown": 0,
            "said": "",
            "cited": "",
        }
        if say.phrase == "ask_policy" and say.record.get("passages"):
            first = say.record["passages"][0]
            values |= {"said": excerpt(say.record["question"], first["text"], self.embed), "cited": first["citation"]}
        if say.phrase == "refused" and say.record.get("rule"):
            return refusal_text(say.record, language=turn.language, today=turn.today.isoformat())
        if say.phrase.endswith("_waiting") and (say.record.get("facts") or {}).get("member_id"):
            bare = say.phrase.removesuffix("_waiting").removesuffix(FOR_MEMBER)
            return _for_staff(bare, say.record, language=turn.language, today=turn.today.isoformat(), suffix="waiting")
        if say.phrase == "refused" and say.record.get("code") not in ("not_found", "rule_broken", "bad_input", "not_allowed"):
            return prompts.phrase(turn.language, "say_more", turn=turn.number, **values)
        text = prompts.phrase(turn.language, say.phrase, turn=turn.number, **values)
        return text if say.then is None else f"{text}\n{self._worded(turn, say.then)}"


# Points, miles and memberships of somebody else.
_NOT_OURS = re.compile(
    r"\b(?:credit card|bank|airline|air ?miles|hotel|amazon|tesco|nectar|clubcard)\b[^.?!]{0,30}\b(?:points?|miles|rewards?|tier|status)\b"
    r"|\b(?:points?|rewards?|miles)\b[^.?!]{0,20}\b(?:on|from|of|with) (?:my |the )?(?:credit card|bank|airline)\b|\bgym membership\b|\b(?:main menu|previous page|home ?page)\b|主菜单|上一页|首页"
    r"|(?:信用卡|银行|航空|航司|京东|淘宝|拼多多|支付宝|酒店)(?:的|里的)?(?:积分|里程|会员|等级)|健身房"
)
_OF_POINTS = re.compile(r"point|pts|voucher|redeem|reward|积分|分|券|兑|抵")
_SETTLED_BY = re.compile(
    r"(?:[.,;!?]\s*|\band\s+|^)(?:please\s+)?(?:(?:use|i['’]?ll use|with|via|on|by)?[^.,;]{0,40}\bfor (?:the|any) (?:price )?difference|"
    r"(?:(?:please )?(?:refund|return|put|send|pay)(?: (?:it|that|them|the money|me))?(?: back)? (?:to|on|onto|via|with)|money back (?:to|on)|(?:via|with|use|using))\s+(?:my|the)\s+(?:pay ?pal|gift ?card|credit ?card|visa|master ?card|card|original)[^.,;]{0,30})"
    r"(?:\s+please)?(?=[.,;!?]|\s*$)|[，,。]\s*(?:差价|差额|退款|钱)[^，,。]{0,12}(?:卡|paypal|支付|账户)[^，,。]{0,4}",
    re.IGNORECASE,
)


def _listed(say: Say) -> dict[str, Any]:
    """The orders a text names one below the other, so that “the second one” means what was read."""
    orders = say.record.get("orders") if say.phrase in ("which_order", "which_to_cancel", "my_orders", "member_orders") else None
    return {"orders_shown": [o["order_id"] for o in orders]} if orders else {}


def _broken_off(note: dict[str, Any], label: str) -> dict[str, Any] | None:
    """The request another topic has broken off, to be taken up again; one topic long, or it would come back out of nowhere."""
    before = note.get("waits") or (note.get("label") if note.get("asks") else None)
    if before is None or before == label or label in COMMON:
        return None
    return {"label": before, "told": note.get("told", []), "order": note.get("order", "")}


# Readings that a question about the shop's rules is easily taken for.
_ASKED_ABOUT = frozenset(
    "cancel_order return_item exchange_item change_items change_address change_payment coupons apply_coupon redeem_points erase_me complaint talk_to_person "
    "points_balance points_history points_expiring order_status export_data adjust_points audience_count".split()
)
_RULE = re.compile(
    r"^(?:so |and |but |hi,? |hello,? |right,? |ok,? |just wondering,? |quick question,? )*"
    r"(?:how (?:long|many days|much (?:is|does|do))\b|what (?:if|happens)\b|who (?:pays|should|do i|handles)\b|do(?:es)? (?:i|you|they|tea|it|a|an|the|gift|points?|coupons?|returns?)\b|"
    r"is (?:it|there|a|an|the|tea|shipping|delivery|human)\b|are (?:there|you|returns|points|coupons)\b|am i (?:allowed|entitled|covered)|may (?:i|we)\b|have i lost|would (?:i|it)\b|if i\b|if my\b|will (?:i|it) (?:still|lose)\b)"
    r"|\b(?:policy|rules?|allowed|does that (?:cover|count|include)|does it (?:cover|count|include)|is that a myth|have i lost|(?:guarantee|warranty) cover)\b|\bi(?:'m| am) not happy with .*(?:answer|solution)"
    r"|会怎样|会怎么样|咋办|怎么办|算不算|真的假的|听说|规定|政策|下一步找谁|谁出|多久|几天内|还能不能|能不能退|这种还能|如果|假如|要是.*(?:吗|咋|怎)|有真人|是真人|我能给.*吗"
)
_WANTS = re.compile(
    r"\b(?:please|pls|can you|could you|i want|i'?d like|i need|help me|my order|this order|that order)\b|帮我|给我(?!们)|麻烦|我要(?!是)|我想(?!知道|问)|那单|这单"
)


def asks_rule(text: str) -> bool:
    """Whether a message asks what the rule is rather than to have something done."""
    return _RULE.search(text) is not None and _WANTS.search(text) is None


def _core(text: str) -> str:
    """What is asked for, without the clause that says how a difference or refund is settled."""
    bare = _SETTLED_BY.sub(" ", text).strip()
    return bare if len(bare) >= 12 else text


def _facing(turn: Turn, step: _Step, *, alone: bool = True) -> Turn:
    """The turn as seen from one clause: its own words and slots, with what was said of the request before."""
    note = {**turn.note, "label_now": step.label, **({"order": step.order, "asks": None} if step.order else {})}
    if step.told:
        earlier = slots.read("\n".join(step.told), turn.today, cities=turn.cities())
        return replace(turn, slots=slots.merged(earlier, turn.slots), note=note, said=(*step.told, step.text))
    if step.text == turn.text:
        return replace(turn, note=note)
    own = slots.read(step.text, turn.today, cities=turn.cities())
    if not own.order_ids and len(turn.slots.order_ids) == 1:
        # The one order a message names is meant by all of it.
        own = replace(own, order_ids=turn.slots.order_ids)
    language = turn.language if alone or not has_han(step.text) else "zh"
    return replace(turn, text=step.text, slots=own, note=note, language=language, said=(step.text,))


def _replayed(turn: Turn, left: list[Result]) -> Call | Say:
    """Run a story as far as the results reach, taking the ones it used off the list."""
    story = SKILLS.get(turn.note["label_now"], by_schema)(turn)
    try:
        call = next(story)
        while left:
            call = story.send(left.pop(0))
    except StopIteration as done:
        say: Say = done.value
        return say
    return call


def _message(text: str, note: dict[str, Any]) -> AIMessage:
    return AIMessage(content=text, additional_kwargs={NOTE: note} if note else {})


@cache
def _choices() -> dict[str, list[str]]:
    return tomllib.loads((prompts.FOLDER / "embedded" / "choices.toml").read_text(encoding="utf-8"))


def labels_of(known: Sequence[str], tools: Collection[str]) -> list[str]:
    """The labels whose tool, or its twin for staff, is among these; and those of plain conversation."""
    return [label for label in known if label in COMMON or prompts.tool_of(label) in tools or prompts.tool_of(label) + FOR_MEMBER in tools]


def train(embed: Embeds) -> Router:
    """Learn the router from the examples in the tree."""
    return Router(embed).fit([(message, label) for label, rows in prompts.examples().items() for _, _, message in rows])


def outcome_text(tool: str, record: dict[str, Any], *, language: str, today: str, turn: int = 0, suffix: str = "done") -> str:
    """What is said when an approved write was carried out, or how its card reads."""
    name = tool.removesuffix(FOR_MEMBER)
    if record.get("member_id") and suffix in ("done", "waiting"):
        return _for_staff(name, record, language=language, today=today, suffix=suffix, twin=name != tool)
    text = prompts.phrase(language, f"{name}_{suffix}", turn=turn, **{**_BLANK, "r": record, "today": today})
    if suffix == "card" and record.get("member_id"):
        text = _after(prompts.phrase(language, "for_whom_r", **{**_BLANK, "r": record, "today": today}), text, language)
    return text


def _for_staff(name: str, record: dict[str, Any], *, language: str, today: str, suffix: str, twin: bool = True) -> str:
    """What staff read of a write for a member: the card's facts, not words meant for the member."""
    facts = record.get("facts") or record
    values = {**_BLANK, "r": facts, "today": today}
    if suffix == "done":
        if facts.get("waits_for_second"):
            return prompts.phrase(language, "second_needed", **values)
        if not twin:
            return _after(prompts.phrase(language, "for_whom_r", **values), prompts.phrase(language, f"{name}_done", **values), language)
        card = prompts.phrase(language, f"{name}_card", **values).replace("?", ".", 1).replace("？", "。", 1)
        return _after(prompts.phrase(language, "staff_done_r", **values), card, language)
    return _after(prompts.phrase(language, "for_whom_r", **values), prompts.phrase(language, f"{name}_card", **values), language)


def _after(head: str, text: str, language: str) -> str:
    return f"{head} {text}" if language == "en" else f"{head}{text}"


def refusal_text(refusal: dict[str, Any], *, language: str, today: str) -> str:
    """Why something was not done, in the language's words, with the passage that says so."""
    told = prompts.refusal(language, refusal, today=today)
    return told or prompts.phrase(language, "refused", **{**_BLANK, "r": {**NOTHING, **refusal}, "today": today})


def worded(tool: str, arguments: dict[str, Any], text: str, *, language: str, today: str, turn: int = 0) -> str:
    """A tool's result in the embedded model's words: the safe answer when another model's is withheld."""
    record = json.loads(text)
    values: dict[str, Any] = {
        "r": record,
        "a": {"about": None, "order_id": None, "max_price": None, **arguments},
        "today": today,
        "name": "",
        "role": "",
        "shown": 0,
    }
    if tool == "ask_policy" and record.get("passages"):
        values |= {"said": record["passages"][0]["text"], "cited": record["passages"][0]["citation"]}
    if record.get("outcome") == "refused":
        return refusal_text(record, language=language, today=today)
    bare = tool.removesuffix(FOR_MEMBER)
    if (record.get("facts") or {}).get("member_id") and record.get("outcome") == "waiting_for_yes":
        return _for_staff(bare, record, language=language, today=today, suffix="waiting")
    name = {"ok": bare, "waiting_for_yes": f"{bare}_waiting", "done": f"{bare}_done"}.get(record.get("outcome", ""), "say_more")
    return prompts.phrase(language, name, turn=turn, **values)
