"""How does one turn go?

One loop for every chat model, as a stream of typed events: a yes or no to an
open approval is read by code first; then the model proposes tool calls, the
gateway decides, the guard checks each sentence before it is sent. Whatever
happens, the thread holds whole turns.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from langchain.agents import create_agent
from langchain.agents.middleware import ModelCallLimitMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool

import prompts
from assistant import approvals, guard, handoff, memory
from assistant.chat_models import ModelFailed
from assistant.embedded import model as embedded
from assistant.embedded.turn import NOTE
from assistant.events import Answer, ApprovalWanted, Choices, Citation, Download, Event, Failed, TextDelta, ToolFinished, ToolStarted
from members import approvals as record
from members import tickets
from members.access import Role
from members.errors import Refusal
from members.tables import Approval, Conversation
from retrieval.words import has_han
from tools.bench import Bench
from tools.gateway import Fault, Gateway, Outcome, Tool

log = logging.getLogger("patron.agent")
MODEL_CALLS = 12
# What a member may type in one message; more is a document, not a message.
LONGEST_MESSAGE = 4_000


@dataclass(frozen=True)
class Setting:
    """What every turn of this desk shares."""

    model: BaseChatModel
    model_name: str
    seconds: float
    token_budget: int
    context: dict[str, Any]


class Turn:
    """One message of a caller and everything that comes of it."""

    def __init__(self, gateway: Gateway, setting: Setting, thread: Conversation, text: str) -> None:
        """Prepare; `events` does the work."""
        self.gateway, self.setting, self.thread, self.text = gateway, setting, thread, text
        self.language = "zh" if has_han(text) else "en" if any(c.isascii() and c.isalpha() for c in text) else gateway.caller.language
        self.queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self.one_at_a_time = asyncio.Lock()
        self.past: list[AnyMessage] = []

    async def events(self) -> AsyncIterator[Event]:
        """The turn as it happens, ending in an `Answer` or a `Failed`."""
        work = asyncio.create_task(self._work())
        try:
            while (event := await self.queue.get()) is not None:
                yield event
        finally:
            # A face that went away stops the work; nothing half done is written.
            work.cancel()

    async def _work(self) -> None:
        try:
            async with asyncio.timeout(self.setting.seconds):
                if not await self._held() and not await self._decided():
                    await self._ask()
        except TimeoutError:
            await self._end_badly("timeout", prompts_text(self.language, "interrupted"), "")
        except Fault as fault:
            await self._end_badly("fault", _broken(self.language, fault.fault_id), fault.fault_id)
        except ModelFailed as error:
            log.warning("the chat model failed: %s", error)
            await self._end_badly("model_unavailable", _unreachable(self.language), "")
        except Exception as error:  # the last line before a person: a bug becomes an id, never a stack
            fault_id = uuid4().hex[:8]
            log.error("fault %s in a turn: %s", fault_id, type(error).__name__, exc_info=error)
            await self._end_badly("fault", _broken(self.language, fault_id), fault_id)
        finally:
            self.queue.put_nowait(None)

    async def _end_badly(self, code: str, text: str, fault_id: str) -> None:
        await asyncio.to_thread(self._keep, [HumanMessage(self.text), AIMessage(text)], {"failed": code})
        self.queue.put_nowait(Failed(code, text, fault_id))

    # --- a colleague, a yes or a no -----------------------------------------------------

    async def _held(self) -> bool:
        """Whether a colleague has this conversation: the message is theirs to answer, and no model is asked."""
        if self.thread.held_by is None:
            return False
        await asyncio.to_thread(self._keep, [HumanMessage(self.text)], {})
        said = prompts.phrase(self.language, "handed_over", r={}, a={}, today="", name=self.thread.held_name, role="", shown=0)
        self._answer(said, "server", {"held_by": self.thread.held_name})
        return True

    async def _decided(self) -> bool:
        """Whether the message was the answer to the approvals that are open: to the one, or plainly to all."""
        waiting = await asyncio.to_thread(self._waiting)
        meant = self._reading(waiting)
        if meant is None:
            if waiting and approvals.takes_back(self.text):
                await asyncio.to_thread(self._declined, waiting)
            return False
        if meant == "yes" and len(waiting) > 1 and not approvals.means_all(self.text):
            text = self._which(waiting)
        elif meant == "yes" and not await asyncio.to_thread(self._just_shown, waiting):
            # Something else was talked about meanwhile: the word answers that, not the card.
            return False
        else:
            said = [await asyncio.to_thread(decide, self.gateway, a.id, meant == "yes", self.language, self.queue.put_nowait) for a in waiting]
            text = "\n\n".join(dict.fromkeys(said))
        await asyncio.to_thread(self._keep, [HumanMessage(self.text), AIMessage(text)], {"approval": waiting[0].id})
        self._answer(text, "server")
        return True

    def _reading(self, waiting: Sequence[Approval]) -> str | None:
        """`yes` or `no` to what waits, None for anything else; a no to several declines them all."""
        if waiting and approvals.means_all(self.text):
            return "yes"
        readings = {approvals.reads_as(self.text, approval.tool) for approval in waiting}
        return readings.pop() if len(readings) == 1 else None

    def _which(self, waiting: Sequence[Approval]) -> str:
        today = self.gateway.means.today.isoformat()
        cards = [embedded.outcome_text(a.tool, a.card["facts"], language=self.language, today=today, suffix="card") for a in waiting]
        return prompts.phrase(self.language, "which_card", r={"cards": cards}, a={}, today=today, name="", role="", shown=0)

    def _declined(self, waiting: Sequence[Approval]) -> None:
        """“No, the other one” is a no to the card, and more: the rest is the model's to read."""
        with self.gateway.database.effect() as session:
            for approval in waiting:
                record.close(session, self.gateway.caller, approval.id, "declined", now=self.gateway.now())

    def _waiting(self) -> Sequence[Approval]:
        with self.gateway.database.read() as session:
            return record.open_in(session, self.gateway.caller, self.thread.id, now=self.gateway.now())

    def _just_shown(self, waiting: Sequence[Approval]) -> bool:
        with self.gateway.database.read() as session:
            return memory.spoken_since(session, self.thread.id, min(a.created_at for a in waiting)) <= 1

    # --- the model's loop ---------------------------------------------------------------

    async def _ask(self) -> None:
        await asyncio.to_thread(self._recall)
        system = SystemMessage(prompts.system_prompt(self.gateway.caller.role.value, self._context()))
        given: list[AnyMessage] = [*self.past, HumanMessage(self.text)]
        agent: Any = create_agent(
            self.setting.model,
            [self._tool(tool) for tool in self.gateway.tools()],
            system_prompt=system,
            middleware=[ModelCallLimitMiddleware(run_limit=MODEL_CALLS, exit_behavior="end")],
        )
        sentences, spoken, final = guard.Sentences(), _Spoken(), given
        async for mode, part in agent.astream({"messages": given}, {"recursion_limit": 4 * MODEL_CALLS}, stream_mode=["messages", "values"]):
            if mode == "values":
                final = part["messages"]
            elif isinstance(part[0], AIMessageChunk | AIMessage):
                for sentence in sentences.push(_text(part[0])):
                    self._speak(sentence, spoken, final)
        self._speak(sentences.rest(), spoken, final)
        fresh = final[len(given) :]
        text, extras = self._checked(fresh)
        note = fresh[-1].additional_kwargs.get(NOTE, {}) if fresh and isinstance(fresh[-1], AIMessage) else {}
        if note.get("declines"):
            # What is said to stay as it is must not wait for a later yes.
            await asyncio.to_thread(self._declined, await asyncio.to_thread(self._waiting))
        if handoff.is_lost(fresh, note):
            extras = {**extras, "lost": True}
        text = await asyncio.to_thread(self._called_a_person, text, fresh, bool(extras.get("lost")))
        kept = [*fresh[:-1], AIMessage(text, additional_kwargs={NOTE: note} if note else {})]
        await asyncio.to_thread(self._keep, [HumanMessage(self.text), *kept], extras)
        if note.get("choices"):
            self.queue.put_nowait(Choices(list(note["choices"])))
        self._answer(text, self.setting.model_name, extras)

    def _called_a_person(self, text: str, fresh: Sequence[AnyMessage], lost: bool) -> str:
        """The answer, with word of the colleague who was called: asked for, out of anger, or after three turns that led nowhere."""
        gateway = self.gateway
        if gateway.caller.role is not Role.MEMBER or gateway.caller.member_id is None:
            return text
        asked = next((json.loads(str(m.content)) for m in fresh if isinstance(m, ToolMessage) and m.name in ("talk_to_person", "file_complaint")), None)
        with gateway.database.read() as session:
            nowhere = lost and memory.lost_in_a_row(session, self.thread.id) >= handoff.LOST_TURNS - 1
            known = tickets.of_conversation(session, self.thread.id) is not None
        cause = "anger" if handoff.is_angry(self.text) else "failures" if nowhere else ""
        if asked is None and (known or not cause):
            return text
        with gateway.database.effect() as session:
            if asked is None or cause == "anger":
                bench = Bench(session, gateway.caller, gateway.means, conversation_id=self.thread.id, now=gateway.now())
                ticket = handoff.open_for(bench, cause or "asked", self.text).model_dump(mode="json")
            else:
                ticket = asked
            if ticket.get("ticket_id"):
                handoff.enrich(session, ticket["ticket_id"], self.thread.id, self.text)
        if asked is not None:
            return text
        phrase = "angry_person" if cause == "anger" else "offered_person"
        said = prompts.phrase(self.language, phrase, r=ticket, a={}, today=gateway.means.today.isoformat(), name="", role="", shown=0)
        return f"{said}\n\n{text}" if cause == "anger" and not lost else said

    def _recall(self) -> None:
        with self.gateway.database.read() as session:
            self.past = memory.history(session, self.thread.id, budget=self.setting.token_budget)

    def _context(self) -> dict[str, Any]:
        caller = self.gateway.caller
        tiers = ", ".join(f"{t.name_en}/{t.name_zh}" for t in self.gateway.means.rules.tiers.levels)
        facts = {
            "today": self.gateway.means.today.isoformat(),
            "name": caller.name,
            "language": caller.language,
            "currency": self.gateway.means.rules.currency,
            "tiers": tiers,
        }
        return {**self.setting.context, **facts}

    def _tool(self, tool: Tool) -> BaseTool:
        """A tool as the agent sees it: its schema, and the gateway behind it."""

        async def run(**arguments: Any) -> str:
            async with self.one_at_a_time:
                self.queue.put_nowait(ToolStarted(tool.name))
                outcome = await asyncio.to_thread(self.gateway.call, tool.name, arguments)
                self._report(outcome)
                return outcome.text()

        return StructuredTool(name=tool.name, description=tool.description, args_schema=tool.schema.model_json_schema(), coroutine=run)

    def _report(self, outcome: Outcome) -> None:
        self.queue.put_nowait(ToolFinished(outcome.tool, outcome.status, outcome.arguments, outcome.result))
        if outcome.status == "waiting_for_yes":
            self.queue.put_nowait(card(outcome.tool, outcome.result, self.language, self.gateway.means.today.isoformat()))
        cited = outcome.result.get(f"citation_{self.language}")
        passage = self.gateway.means.search.entry("policy", outcome.result.get("passage", "")) if cited else None
        if cited and passage is not None:
            self.queue.put_nowait(Citation(passage.id, cited, passage.text(self.language)))
        if outcome.result.get("download"):
            self.queue.put_nowait(Download(outcome.result["download"]))
        for passage in outcome.result.get("passages", [])[:2] if outcome.tool == "ask_policy" else []:
            self.queue.put_nowait(Citation(passage["passage_id"], passage["citation"], passage["text"]))

    # --- checking and keeping -----------------------------------------------------------

    def _speak(self, sentence: str, spoken: "_Spoken", known: Sequence[AnyMessage]) -> None:
        """Send a sentence if everything in it is backed; after one that is not, nothing more."""
        if not sentence or spoken.stopped:
            return
        clean = guard.plain(sentence)
        spoken.stopped = bool(guard.unbacked(clean, self._facts(known), self.gateway.means.rules))
        if clean.strip() and not spoken.stopped:
            self.queue.put_nowait(TextDelta(clean))

    def _facts(self, known: Sequence[AnyMessage]) -> guard.Facts:
        return guard.Facts.of([str(m.content) for m in known if isinstance(m, ToolMessage)])

    def _checked(self, fresh: Sequence[AnyMessage]) -> tuple[str, dict[str, Any]]:
        """The final text, or the embedded model's words for the last result when a figure had no source."""
        said = guard.plain(_text(fresh[-1])) if fresh and isinstance(fresh[-1], AIMessage) else ""
        wrong = guard.unbacked(said, self._facts([*self.past, *fresh]), self.gateway.means.rules)
        if said.strip() and not wrong:
            return said.strip(), {}
        log.warning("an answer was withheld: %d figures without a source", len(wrong))
        calls = {c["id"]: c for m in fresh if isinstance(m, AIMessage) for c in m.tool_calls}
        results = [m for m in fresh if isinstance(m, ToolMessage) and m.tool_call_id in calls]
        if not results:
            return prompts_text(self.language, "withheld" if wrong else "say_more"), {"withheld": len(wrong)}
        call = calls[results[-1].tool_call_id]
        safe = embedded.worded(call["name"], call["args"], str(results[-1].content), language=self.language, today=self.gateway.means.today.isoformat())
        return safe, {"withheld": len(wrong)}

    def _keep(self, messages: list[AnyMessage], extras: dict[str, Any]) -> None:
        with self.gateway.database.write() as session:
            memory.append(session, self.thread, messages, now=self.gateway.now(), extras=extras)

    def _answer(self, text: str, model: str, extras: dict[str, Any] | None = None) -> None:
        self.queue.put_nowait(Answer(text, self.thread.id, model, extras or {}))


@dataclass
class _Spoken:
    """Whether a sentence was held back: what follows it is, too."""

    stopped: bool = False


def decide(gateway: Gateway, approval_id: str, yes: bool, language: str, emit: Any = lambda event: None) -> str:
    """Carry out or decline one approval and say what came of it; the words are the server's."""
    today = gateway.means.today.isoformat()
    if not yes:
        with gateway.database.effect() as session:
            record.close(session, gateway.caller, approval_id, "declined", now=gateway.now())
        return prompts_text(language, "declined")
    try:
        outcome = gateway.carry_out(approval_id)
    except Refusal as refusal:
        return embedded.refusal_text(gateway.refused(refusal), language=language, today=today)
    emit(ToolFinished(outcome.tool, outcome.status, outcome.arguments, outcome.result))
    return embedded.outcome_text(outcome.tool, outcome.result, language=language, today=today)


def card(tool: str, waiting: dict[str, Any], language: str, today: str) -> ApprovalWanted:
    """The card of a write that waits, in the server's words."""
    words = {part: embedded.outcome_text(tool, waiting["facts"], language=language, today=today, suffix=part) for part in ("card", "yes", "no")}
    return ApprovalWanted(waiting["approval_id"], tool, words["card"], words["yes"], words["no"], waiting["expires_at"])


def prompts_text(language: str, name: str) -> str:
    """A phrase that needs no record."""
    return prompts.phrase(language, name, r={}, a={}, today="", name="", role="", shown=0)


def _text(message: AnyMessage | AIMessageChunk) -> str:
    return message.content if isinstance(message.content, str) else "".join(p.get("text", "") for p in message.content if isinstance(p, dict))


def _broken(language: str, fault_id: str) -> str:
    said = {
        "en": "Something broke on our side. Nothing was changed. If it happens again, please mention",
        "zh": "我们这边出了点问题，什么都没有改动。如果再出现，请告诉客服编号",
    }
    return f"{said[language]} {fault_id}."


def _unreachable(language: str) -> str:
    return {
        "en": "I can't reach my language model right now. Nothing was changed; please try again in a moment.",
        "zh": "暂时连不上语言模型，什么都没有改动，请稍后再试。",
    }[language]
