"""What would be done for this message, if the shop could be seen?

Runs the embedded model's own reading (clauses, stories, conversation) against a
dry world: every lookup is answered with one plausible record of unknown ids and
no articles, every write waits for a yes. What comes out is the call each clause
aims at, with the arguments its words give; ids that only a record could tell are
left out. Nothing is looked up and nothing is changed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

import prompts
from assistant.embedded import named, places
from assistant.embedded import turn as turns
from assistant.embedded.model import COMMON, EmbeddedModel, _facing, _Step
from assistant.embedded.skills import SKILLS, Call, Say, by_schema
from assistant.embedded.turn import NOTE, Result, Turn
from members.access import Role
from retrieval.words import kind_of, known_terms, synonyms
from tools.gateway import FOR_MEMBER, allowed

# Marks what a dry record cannot know; never leaves this module.
_UNKNOWN = "unknown:"
_LONGEST_STORY = 8
# Reads that only serve another call, unless they are what was asked for.
_LOOKUPS = frozenset(("my_orders", "member_orders", "order_options", "my_coupons", "best_coupon", "my_profile", "points"))
_LISTS = {"my_orders": "orders", "member_orders": "orders", "search_products": "products", "recommend_for_me": "products", "find_member": "members"}
_OF_DELIVERED = ("return_item", "exchange_item")


@dataclass(frozen=True)
class Proposal:
    """The calls one message aims at, in its order: {"tool", "arguments"} each.

    `confidence` is the chance of the least sure reading. `messages` is the turn as the model
    would remember it: hand the earlier turns' in as history.
    """

    calls: list[dict[str, Any]]
    language: str
    confidence: float
    messages: tuple[BaseMessage, ...]


def propose(model: EmbeddedModel, text: str, role: Role, *, history: Sequence[BaseMessage] = (), today: date) -> Proposal:
    """What would be done for a message of this role, after earlier turns."""
    turn = turns.read([SystemMessage(_context(role, today)), *history, HumanMessage(text)], _schemas(role), model.sells)
    guesses = {guess.label: guess.chance for guess in model.router.guess(text, model._labels(turn), top=len(model.router.labels))}
    steps = _steps(model, turn, next(iter(guesses), ""))
    played = [_play(_facing(turn, step, alone=len(steps) == 1), role) for step in steps]
    sure = [_chance(model, turn, step, guesses) for step in steps] or [next(iter(guesses.values()), 0.0)]
    calls = [{"tool": one.call.tool, "arguments": _said(one.call, turn)} for one in played if one.call]
    return Proposal(calls, turn.language, round(min(sure), 4), (HumanMessage(text), *_remembered(played, turn.number)))


def sells(words: str) -> bool:
    """Whether words name something any shop may sell: what a proposal goes by that has no catalogue."""
    goods, terms = _goods()
    return any(word.rstrip("s") in goods for word in words.lower().split()) or any(term in words for term in terms)


@cache
def _goods() -> tuple[frozenset[str], tuple[str, ...]]:
    terms = tuple(term for term in known_terms() if kind_of(term) == "product")
    return frozenset(word.rstrip("s") for term in terms for english in synonyms(term) for word in english.split()[-1:]), terms


@cache
def _schemas(role: Role) -> dict[str, dict[str, Any]]:
    return {tool.name: tool.schema.model_json_schema() for tool in allowed(role)}


@cache
def _context(role: Role, today: date) -> str:
    """What the system prompt would tell of a shop nobody has seen: every city and shelf there is a word for."""
    cities = dict.fromkeys(synonyms(term)[0].title() for term in known_terms() if kind_of(term) == "city")
    lands = dict.fromkeys(places.COUNTRIES.values())
    lines = (
        f"today: {today.isoformat()}",
        f"role: {role.value}",
        f"cities: {', '.join(cities)}",
        f"countries: {', '.join(lands)}",
        f"categories: {', '.join(prompts._categories())}",
    )
    return "<context>\n" + "\n".join(lines) + "\n</context>"


def _steps(model: EmbeddedModel, turn: Turn, best: str) -> list[_Step]:
    """The clauses to be done. What the model would ask back about is read as its likeliest label; what it declines is nothing."""
    steps = model.steps(turn)
    if isinstance(steps, Say):
        return [_Step(best, turn.text)] if steps.phrase in ("unsure", "say_more") and best else []
    return steps


def _chance(model: EmbeddedModel, turn: Turn, step: _Step, whole: dict[str, float]) -> float:
    """How likely a step's label is by its own words; even odds at least where arguments or the conversation overruled them."""
    if step.text == turn.text:
        decided = step.label != next(iter(whole)) or step.told
        return max(whole.get(step.label, 0.0), 0.5 if decided else 0.0)
    return next((g.chance for g in model.router.guess(step.text, model._labels(turn), top=len(whole)) if g.label == step.label), 0.0)


# --- one clause -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Played:
    """A story told to its end: the call it aims at (none for conversation), what it saw on the way, its note."""

    call: Call | None
    results: list[Result]
    note: dict[str, Any]


def _play(turn: Turn, role: Role) -> _Played:
    label = turn.note["label_now"]
    if label == "yes" and turn.waits():
        waiting = turn.past[-1]
        return _Played(Call(waiting.tool, waiting.arguments), [waiting], {})
    results, say = _told(turn, label)
    tool = _tool_behind(label, turn)
    meant = [r for r in results if r.tool.removesuffix(FOR_MEMBER) not in _LOOKUPS or r.tool == tool]
    last = meant or ([] if turn.schemas.get(tool) and _writes(role, tool) else results)
    if label in COMMON and not last:
        return _Played(None, results, say.note)
    if last:
        call = Call(last[-1].tool, last[-1].arguments)
        guessed = str(call.arguments.get("order_id", "")).startswith(_UNKNOWN) and _writes(role, call.tool)
        # A shop would have asked which order; what comes next may say so.
        note = {"asks": "order", "label": label, "told": list(turn.said), **say.note} if guessed else say.note
        return _Played(Call(call.tool, named.completed(call.tool, call.arguments, turn)), results, note)
    # The story stopped to ask for something: the call is what it asks for.
    call = Call(tool, named.completed(tool, {}, turn))
    return _Played(call, [*results, _answer(call, label)], {**say.note, "waits": label, "told": list(turn.said)} if _writes(role, tool) else say.note)


def _told(turn: Turn, label: str) -> tuple[list[Result], Say]:
    """The story of a label in the dry world: all it called, and how it ended."""
    story = SKILLS.get(label, by_schema)(turn)
    results: list[Result] = []
    try:
        call = next(story)
        while len(results) < _LONGEST_STORY:
            results.append(_answer(call, label))
            call = story.send(results[-1])
    except StopIteration as done:
        return results, done.value
    return results, Say("say_more")


def _tool_behind(label: str, turn: Turn) -> str:
    """The tool of a label for this caller: staff's twin where they have one."""
    tool = prompts.tool_of(label)
    return tool if tool in turn.tools or tool + FOR_MEMBER not in turn.tools else tool + FOR_MEMBER


@cache
def _writes(role: Role, tool: str) -> bool:
    return any(t.name == tool and t.writes for t in allowed(role))


# --- the dry world ----------------------------------------------------------------------


def _answer(call: Call, label: str) -> Result:
    """What a shop that knows nothing says: one of each where a story looks for it, five where a list was asked for."""
    asked = call.arguments
    bare = call.tool.removesuffix(FOR_MEMBER)
    who = {"member_id": asked["who"]} if asked.get("who") else {}
    echo = {**who, **{key: asked[key] for key in ("order_id",) if asked.get(key)}}
    if any(_writes(role, call.tool) for role in Role):
        return Result(call.tool, asked, {"outcome": "waiting_for_yes", **echo, "facts": echo})
    record: dict[str, Any] = {"outcome": "ok", **echo, **_EMPTY.get(bare, {})}
    kind = _LISTS.get(bare)
    if kind:
        own = label in (bare, "my_orders", "search_products") or kind != "orders"
        record |= {kind: [_item(kind, n, label, asked) for n in range(5 if own else 1)], "total_found": 1}
    if bare == "product_details":
        record |= {"product_id": asked.get("product", f"{_UNKNOWN}product"), "price": "nan"}
    if bare == "order_options":
        record |= {"status": "delivered" if label in _OF_DELIVERED else "pending", "can": ["return", "exchange", "change_items"]}
    return Result(call.tool, asked, record)


# Nobody's coupons, articles, cards and passages.
_EMPTY: dict[str, dict[str, Any]] = {
    "order_options": {"articles": [], "methods": [], "currency": "", "ship_to_parts": None},
    "my_coupons": {"usable": [], "coupons": []},
    "best_coupon": {"choices": []},
    "my_profile": {"address_parts": None},
    "points": {"points_for_one_unit": 100},
    "ask_policy": {"passages": []},
}


def _item(kind: str, n: int, label: str, asked: dict[str, Any]) -> dict[str, Any]:
    mark = f"{_UNKNOWN}{kind}:{n}"
    if kind == "orders":
        return {"order_id": mark, "status": "delivered" if label in _OF_DELIVERED else "pending", "articles": []}
    if kind == "products":
        return {"product_id": mark, "price": "nan"}
    return {"member_id": asked.get("who", mark) if n == 0 else mark}


def _said(call: Call, turn: Turn) -> dict[str, Any]:
    """A call's arguments as far as words told them: no reason that is its tool's default, or only the message again."""
    defaults = {name: told.get("default") for name, told in turn.schemas.get(call.tool, {}).get("properties", {}).items()}
    kept = {name: value for name, value in call.arguments.items() if name != "reason" or defaults.get("reason") != value}
    if kept.get("why") == turn.text[:300].ljust(3, "."):
        del kept["why"]
    found: dict[str, Any] = _known(kept)
    return found


def _known(value: Any) -> Any:
    """Arguments without what only a record could tell."""
    if isinstance(value, dict):
        kept = {key: _known(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner not in (None, "", [], {})}
    if isinstance(value, list):
        return [inner for inner in map(_known, value) if inner not in (None, "", [], {})]
    unknown = (isinstance(value, str) and value.startswith(_UNKNOWN)) or (isinstance(value, float) and value != value)
    return None if unknown else value


def _remembered(played: Sequence[_Played], number: int) -> list[BaseMessage]:
    """The turn as the model's own messages: its calls, what they gave, its note."""
    found: list[BaseMessage] = []
    for place, result in enumerate(result for one in played for result in one.results):
        call_id = f"call_{number}_{place}"
        found.append(AIMessage("", tool_calls=[{"name": result.tool, "args": result.arguments, "id": call_id, "type": "tool_call"}]))
        found.append(ToolMessage(json.dumps(result.record, ensure_ascii=False), tool_call_id=call_id))
    note = next((one.note for one in reversed(played) if one.note), {})
    return [*found, AIMessage("…", additional_kwargs={NOTE: note} if note else {})]
