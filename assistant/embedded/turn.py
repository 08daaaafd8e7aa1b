"""What is being talked about?

Reads the messages a chat model is given (system context, history, the newest
human message, tool results of this turn) into one `Turn`: the conversation is
the only state the embedded model has.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from assistant.embedded import slots
from assistant.embedded.slots import Slots
from retrieval.words import has_han

# Kept on the model's own messages so that the next turn knows what was asked or offered.
NOTE = "patron"
_LISTS = {"my_orders": "orders", "member_orders": "orders", "search_products": "products", "recommend_for_me": "products", "find_member": "members"}
_KEYS = {"orders": "order_id", "products": "product_id", "members": "member_id"}


@dataclass(frozen=True)
class Result:
    """One tool's answer: which call, and the record it gave."""

    tool: str
    arguments: dict[str, Any]
    record: dict[str, Any]

    @property
    def ok(self) -> bool:
        """Whether the tool gave what was asked."""
        return self.record.get("outcome") == "ok"


@dataclass(frozen=True)
class Turn:
    """Everything there is to answer from.

    `said` is all that was said of the present request, oldest first, the message itself last.
    """

    text: str
    language: str
    today: date
    role: str
    name: str
    context: dict[str, str]
    slots: Slots
    results: tuple[Result, ...]
    past: tuple[Result, ...]
    note: dict[str, Any]
    number: int
    tools: frozenset[str] = field(default=frozenset())
    schemas: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    sells: Callable[[str], bool] = field(default=bool)
    said_last: str = ""
    said: tuple[str, ...] = ()

    def cities(self) -> list[str]:
        """City names as the shop writes them."""
        return _listed(self.context.get("cities", ""))

    def countries(self) -> list[str]:
        """Country names as the shop writes them."""
        return _listed(self.context.get("countries", ""))

    def campaigns(self) -> list[str]:
        """Names of the shop's campaigns."""
        return _listed(self.context.get("campaigns", ""))

    def audiences(self) -> list[str]:
        """Names of the saved audiences."""
        return _listed(self.context.get("audiences", ""))

    def categories(self) -> list[str]:
        """Category keys of the catalogue."""
        return _listed(self.context.get("categories", ""))

    def shown(self, kind: str | None = None) -> tuple[str, list[str]] | None:
        """The list shown last (of a kind): its kind and its ids in the order shown."""
        listed = self.note.get("orders_shown")
        if listed and kind in (None, "orders"):
            return "orders", [str(order) for order in listed]
        for result in reversed(self.past):
            name = _LISTS.get(result.tool)
            if name and result.ok and (kind is None or name == kind) and result.record.get(name):
                return name, [str(item[_KEYS[name]]) for item in result.record[name]]
        return None

    def focus(self, key: str) -> str | None:
        """The order, product or member talked about last: by its own record, or the only one of a list."""
        for result in reversed(self.past):
            record = result.record.get("facts") or result.record
            if record.get(key):
                return str(record[key])
            name = _LISTS.get(result.tool)
            # Of several orders none is “it”; of several products the first may be.
            if name and _KEYS[name] == key and record.get(name) and (len(record[name]) == 1 or name != "orders"):
                return str(record[name][0][key])
        return None

    def last(self, tool: str) -> Result | None:
        """The newest earlier result of a tool."""
        return next((r for r in reversed(self.past) if r.tool == tool), None)

    def named_article(self, words: str) -> str:
        """The words if they name something the shop sells, else nothing."""
        return words if words and self.sells(words) else ""

    def waits(self) -> bool:
        """Whether the last thing proposed still waits for a yes."""
        return bool(self.past) and self.past[-1].record.get("outcome") == "waiting_for_yes"

    def last_tool(self) -> str:
        """The tool that answered last, before this turn."""
        return self.past[-1].tool if self.past else ""


def read(messages: Sequence[BaseMessage | AnyMessage], tools: Mapping[str, dict[str, Any]], sells: Callable[[str], bool] = bool) -> Turn:
    """The turn that the newest human message opens; `sells` tells whether words name something of the catalogue."""
    start = max((n for n, m in enumerate(messages) if isinstance(m, HumanMessage)), default=-1)
    text = str(messages[start].content) if start >= 0 else ""
    context = _context(messages)
    today = date.fromisoformat(context["today"]) if "today" in context else date(2000, 1, 1)
    said = [m for m in messages[:start] if isinstance(m, AIMessage) and not m.tool_calls]
    note = said[-1].additional_kwargs.get(NOTE, {}) if said else {}
    return Turn(
        text=text,
        language="zh" if has_han(text) else "en" if re.search("[a-zA-Z]{2,}", text) else context.get("language", "en"),
        today=today,
        role=context.get("role", "member"),
        name=context.get("name", ""),
        context=context,
        slots=slots.read(text, today, cities=_listed(context.get("cities", ""))),
        results=tuple(_results(messages[start + 1 :])),
        past=tuple(_results(messages[:start])),
        note=note,
        number=sum(isinstance(m, HumanMessage) for m in messages),
        tools=frozenset(tools),
        schemas=tools,
        sells=sells,
        said_last=str(said[-1].content) if said else "",
        said=(text,),
    )


def _context(messages: Sequence[BaseMessage | AnyMessage]) -> dict[str, str]:
    """The `<context>` block of the system prompt."""
    system = next((str(m.content) for m in messages if isinstance(m, SystemMessage)), "")
    block = re.search(r"<context>\n(.*?)\n</context>", system, re.DOTALL)
    pairs = (line.partition(":") for line in (block.group(1).splitlines() if block else []))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _results(messages: Sequence[BaseMessage | AnyMessage]) -> list[Result]:
    calls = {str(c["id"]): (c["name"], c["args"]) for m in messages if isinstance(m, AIMessage) for c in m.tool_calls}
    found: list[Result] = []
    for message in messages:
        if isinstance(message, ToolMessage) and message.tool_call_id in calls:
            name, arguments = calls[message.tool_call_id]
            found.append(Result(name, arguments, _record(str(message.content))))
    return found


def _record(text: str) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except ValueError:
        # Cut off at the cap, or a plain error text.
        return {"outcome": "failed"}
    return record if isinstance(record, dict) else {"outcome": "failed"}


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
