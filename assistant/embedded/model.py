"""What does the embedded model answer?

A LangChain chat model without key or network. It sees what any model sees (the
messages and the tools bound to it) and answers with tool calls or text: clauses
are routed by the learned classifier, each label's story is replayed with the
results so far, and what it returns is worded by the phrase files.
"""

import json
import re
import tomllib
from collections.abc import Callable, Sequence
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
from assistant.embedded import slots, wish
from assistant.embedded import turn as turns
from assistant.embedded.excerpt import excerpt
from assistant.embedded.router import Guess, Router
from assistant.embedded.skills import NOTHING, SKILLS, Call, Say
from assistant.embedded.turn import NOTE, Result, Turn
from retrieval.embed import Embeds
from retrieval.words import has_han

_COMMON = ("greeting", "thanks", "goodbye", "what_can_you_do", "yes", "no", "out_of_scope")
# Labels that several tools or none stand behind; every other label is a tool's name.
_BEHIND = {
    "points": ("points_balance", "points_history", "points_expiring"),
    "tier_and_benefits": ("tier_status", "tier_what_if"),
    "recommend_for_me": [
        "recommend_for_me",
        "return_item",
        "exchange_item",
        "change_address",
        "change_payment",
        "change_items",
        "coupons",
        "redeem_points",
        "complaint",
        "talk_to_person",
        "change_consent",
        "export_data",
        "erase_me",
        "campaigns_for_me",
    ],
}
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
_STAFF_WRITES = re.compile(
    r"\b(?:put|add|credit|give|grant|gift|refund|cancel|book)\b.*\b(?:points?|order|coupon|voucher|money)\b|(?:加|补|送|扣)\s*\d+\s*(?:个)?(?:积)?分|给.*(?:退款|取消订单)"
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
_OWN_ORDERS = ("my_orders", "order_status")


@dataclass(frozen=True)
class _Step:
    """One clause with what it was read as."""

    label: str
    text: str


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
        names = [convert_to_openai_tool(tool)["function"]["name"] for tool in tools]
        return self.bind(tool_names=names)

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> ChatResult:
        turn = turns.read(messages, kwargs.get("tool_names") or [], self.sells)
        return ChatResult(generations=[ChatGeneration(message=self.answer(turn))])

    def answer(self, turn: Turn) -> AIMessage:
        """The next message of a turn: one tool call, or the words."""
        steps = self.steps(turn)
        if isinstance(steps, Say):
            return _message(self._worded(turn, steps), steps.note)
        left, said = list(turn.results), list[str]()
        note: dict[str, Any] = {}
        for step in steps:
            outcome = _replayed(_facing(turn, step, alone=len(steps) == 1), left)
            if isinstance(outcome, Call):
                place = len(turn.results)
                call = {"name": outcome.tool, "args": outcome.arguments, "id": f"call_{turn.number}_{place}", "type": "tool_call"}
                return AIMessage(content="", tool_calls=[call])
            said.append(self._worded(_facing(turn, step), outcome))
            note = outcome.note or note
        text = "\n\n".join(part for part in said if part)
        if text == turn.said_last:
            text = f"{self._worded(turn, Say('repeat'))}\n{text}"
        return _message(text, note)

    # --- reading ------------------------------------------------------------------------

    def steps(self, turn: Turn) -> list[_Step] | Say:
        """What the message asks for, clause by clause; or what to ask back."""
        foreign = turn.role == "member" and (_OF_OTHERS.search(turn.text.lower()) or self._names_another_member(turn))
        if foreign:
            return Say("not_mine_member_data")
        if turn.role == "marketer" and _CONTACTS.search(turn.text.lower()):
            return Say("no_contacts")
        if turn.role == "support" and _STAFF_WRITES.search(turn.text.lower()):
            return Say("cannot_do_bare")
        goes_on = self._continued(turn)
        if goes_on:
            return [goes_on]
        meant = self._meant(turn)
        if meant:
            of_focus = meant == "member_insight" and not turn.slots.member_ids and turn.focus("member_id")
            return [_Step(meant, {"en": "she", "zh": "她"}[turn.language] if of_focus else turn.text)]
        guesses = self.router.guess(turn.text, self._labels(turn))
        several = self._clauses(turn, guesses)
        if several:
            return several
        best = guesses[0]
        if best.label == "out_of_scope" and best.chance < 0.5 and guesses[1].label == "ask_policy":
            # A question of the shop's that the policy may answer is better looked up than turned away.
            return [_Step("ask_policy", turn.text)]
        if turn.slots.tiers and {g.label for g in guesses[:2]} == {"tier_status", "ask_policy"}:
            return [_Step("tier_status", turn.text)]
        if best.chance < _SURE and best.label not in _COMMON:
            return self._unsure(turn, guesses)
        return [_Step(best.label, turn.text)]

    def _meant(self, turn: Turn) -> str | None:
        """What arguments and conversation decide before the classifier is asked."""
        text = turn.text.lower()
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
        labels = list(_COMMON)
        for tool in turn.tools:
            labels += _BEHIND.get(tool, (tool,))
        return labels

    def _names_another_member(self, turn: Turn) -> bool:
        mine = {r.record.get("member_id") for r in turn.past if r.tool == "my_profile"}
        return bool(set(turn.slots.member_ids) - {str(m) for m in mine if m})

    def _continued(self, turn: Turn) -> _Step | None:
        """A message that only makes sense after the last one."""
        chosen = turn.note.get("choices", {}).get(turn.text.strip())
        if chosen:
            return _Step(chosen, turn.note.get("of", turn.text))
        asked, label = turn.note.get("asks"), turn.note.get("label", "")
        if asked and self._answers(turn, asked):
            return _Step(label, turn.text)
        if wish.is_pointing(turn.text) and turn.slots.place:
            label = self._pointed(turn)
            if label:
                return _Step(label, turn.text)
        if wish.continues(turn.text) and turn.last_tool() == "audience_count" and wish.audience(turn):
            return _Step("audience_count", turn.text)
        if turn.last_tool() == "search_products" and wish.continues(turn.text) and (turn.slots.most or turn.slots.least or turn.slots.without):
            return _Step("search_products", turn.text)
        return None

    def _answers(self, turn: Turn, asked: str) -> bool:
        """Whether a short message gives what was asked for rather than opening something new."""
        if asked == "order":
            return bool(turn.slots.order_ids or (turn.slots.place and wish.is_pointing(turn.text)) or (len(turn.text) < 40 and self._vague(turn)))
        if asked == "member":
            return bool(turn.slots.member_ids or turn.slots.emails or turn.slots.phones) or (len(turn.text) < 30 and self._vague(turn))
        return len(turn.text) < 60 and self._vague(turn, 0.85)

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
        return best.label if best.label in fitting and best.chance > 0.5 else ("order_status" if kind == "orders" else fitting[0])

    def _clauses(self, turn: Turn, whole: list[Guess]) -> list[_Step] | None:
        """Several requests in one message, if each clause is clear by itself."""
        parts = [part.strip() for part in _CLAUSES.split(turn.text) if part and len(part.strip()) >= 4]
        if not 2 <= len(parts) <= 4:
            return None
        labels = self._labels(turn)
        read = [(part, self.router.guess(part, labels)[0]) for part in parts]
        clear = [(part, guess) for part, guess in read if guess.chance >= _CLAUSE_SURE and guess.label not in _COMMON]
        distinct = {guess.label for _, guess in clear}
        orders = {order for part, _ in clear for order in slots.read(part, turn.today).order_ids}
        if len(clear) < 2 or (len(distinct) < 2 and len(orders) < 2) or (whole[0].chance > 0.97 and len(orders) < 2):
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
        if say.phrase == "refused" and say.record.get("code") not in ("not_found", "rule_broken", "bad_input", "not_allowed"):
            return prompts.phrase(turn.language, "say_more", turn=turn.number, **values)
        text = prompts.phrase(turn.language, say.phrase, turn=turn.number, **values)
        return text if say.then is None else f"{text}\n{self._worded(turn, say.then)}"


def _facing(turn: Turn, step: _Step, *, alone: bool = True) -> Turn:
    """The turn as seen from one clause: its own words and slots."""
    note = {**turn.note, "label_now": step.label}
    if step.text == turn.text:
        return replace(turn, note=note)
    own = slots.read(step.text, turn.today, cities=turn.cities())
    if not own.order_ids and len(turn.slots.order_ids) == 1:
        # The one order a message names is meant by all of it.
        own = replace(own, order_ids=turn.slots.order_ids)
    language = turn.language if alone or not has_han(step.text) else "zh"
    return replace(turn, text=step.text, slots=own, note=note, language=language)


def _replayed(turn: Turn, left: list[Result]) -> Call | Say:
    """Run a story as far as the results reach, taking the ones it used off the list."""
    story = SKILLS[turn.note["label_now"]](turn)
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


def train(embed: Embeds) -> Router:
    """Learn the router from the examples in the tree."""
    return Router(embed).fit([(message, label) for label, rows in prompts.examples().items() for _, _, message in rows])


def outcome_text(tool: str, record: dict[str, Any], *, language: str, today: str, turn: int = 0, suffix: str = "done") -> str:
    """What is said when an approved write was carried out, or how its card reads."""
    values: dict[str, Any] = {"r": record, "a": {"about": None}, "today": today, "name": "", "role": "", "shown": 0, "said": "", "cited": ""}
    return prompts.phrase(language, f"{tool}_{suffix}", turn=turn, **values)


def refusal_text(refusal: dict[str, Any], *, language: str, today: str) -> str:
    """Why something was not done, in the language's words."""
    values: dict[str, Any] = {"r": {**NOTHING, **refusal}, "a": {}, "today": today, "name": "", "role": "", "shown": 0, "said": "", "cited": ""}
    return prompts.phrase(language, "refused", **values)


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
    name = {"ok": tool, "waiting_for_yes": f"{tool}_waiting", "done": f"{tool}_done"}.get(record.get("outcome", ""), "say_more")
    return prompts.phrase(language, name, turn=turn, **values)
