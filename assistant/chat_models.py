"""How is a language model elsewhere asked?

One client for any OpenAI-compatible endpoint: one retry loop with a fallback
list, one wall deadline for the whole call, and complete or nothing: a tool call
is only passed on when the endpoint said it was finished and its JSON is whole.
"""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import openai
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import SecretStr

log = logging.getLogger("patron.chat")
TRIES = 3
# Waiting longer than this for an endpoint that asks to is not worth a person's time.
_LONGEST_WAIT = 4.0
_MOST_CALLS, _LONGEST_ARGUMENTS = 8, 8_000


class ModelFailed(Exception):
    """The endpoint gave nothing usable, in words for the log; no content of the conversation."""


class _Cut(ModelFailed):
    """The answer stopped before it was finished; another try may do better."""


class OpenAICompatible(BaseChatModel):
    """A chat model behind an OpenAI-compatible endpoint; the first of `models` that answers."""

    models: list[str]
    base_url: str
    api_key: SecretStr
    deadline: float = 25.0

    @property
    def _llm_type(self) -> str:
        return "patron-openai-compatible"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        """Send the tools' schemas along; the choice stays the model's."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools])

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> ChatResult:
        return asyncio.run(self._agenerate(messages, stop, None, **kwargs))

    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: AsyncCallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> ChatResult:
        whole: ChatGenerationChunk | None = None
        async for chunk in self._astream(messages, stop, run_manager, **kwargs):
            whole = chunk if whole is None else whole + chunk
        if whole is None:
            raise ModelFailed("the endpoint sent an empty answer")
        return ChatResult(generations=[whole])

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: AsyncCallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        """Text as it comes; tool calls at the end, all of them or none.

        Raises ModelFailed after the last try, or at once when text was already
        passed on: what a person has begun to read is not begun again.
        """
        wire = [_to_wire(message) for message in messages]
        tools = kwargs.get("tools") or openai.NOT_GIVEN
        async with asyncio.timeout(self.deadline):
            async with openai.AsyncOpenAI(base_url=self.base_url, api_key=self.api_key.get_secret_value() or "none", max_retries=0) as client:
                for attempt in range(TRIES):
                    name = self.models[min(attempt, len(self.models) - 1)] if attempt else self.models[0]
                    begun = False
                    try:
                        async for chunk in _one_try(client, name, wire, tools):
                            begun = begun or bool(chunk.message.content)
                            if run_manager and chunk.message.content:
                                await run_manager.on_llm_new_token(str(chunk.message.content), chunk=chunk)
                            yield chunk
                        return
                    except (openai.OpenAIError, _Cut, ValueError) as error:
                        log.warning("try %d at model %s: %s", attempt + 1, name, type(error).__name__)
                        if begun or attempt == TRIES - 1 or not _worth_another(error, last=attempt + 1 >= len(self.models)):
                            raise ModelFailed(f"the endpoint failed: {type(error).__name__}") from error
                        await asyncio.sleep(_wait(error, attempt))


async def _one_try(client: openai.AsyncOpenAI, name: str, wire: list[dict[str, Any]], tools: Any) -> AsyncIterator[ChatGenerationChunk]:
    stream: Any = await client.chat.completions.create(model=name, messages=wire, tools=tools, stream=True, temperature=0.2)  # type: ignore[arg-type]
    calls: dict[int, dict[str, str]] = {}
    finish: str | None = None
    spoke = False
    async for event in stream:
        if not getattr(event, "choices", None):
            continue
        choice = event.choices[0]
        for delta in choice.delta.tool_calls or []:
            call = calls.setdefault(delta.index or 0, {"id": "", "name": "", "arguments": ""})
            call["id"] += delta.id or ""
            call["name"] += (delta.function.name if delta.function else "") or ""
            call["arguments"] += (delta.function.arguments if delta.function else "") or ""
        if choice.delta.content:
            spoke = True
            yield ChatGenerationChunk(message=AIMessageChunk(content=choice.delta.content))
        finish = choice.finish_reason or finish
    if finish is None or finish == "length":
        raise _Cut(f"the answer was cut off ({finish})")
    if calls:
        if finish not in ("tool_calls", "function_call", "stop"):
            raise _Cut(f"tool calls ended with {finish}")
        yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_calls=_whole_calls(calls)))
    elif not spoke:
        raise _Cut("the answer was empty")


def _whole_calls(calls: dict[int, dict[str, str]]) -> list[Any]:
    """Calls whose arguments are whole JSON objects. Raises _Cut when any is not: none runs then."""
    if len(calls) > _MOST_CALLS:
        raise _Cut("more tool calls than a turn may make")
    found: list[Any] = []
    for place, call in sorted(calls.items()):
        try:
            arguments = json.loads(call["arguments"] or "{}") if len(call["arguments"]) <= _LONGEST_ARGUMENTS else None
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict) or not call["name"]:
            raise _Cut("a tool call's arguments are not whole")
        # Ids are made here where an endpoint sends none or the same twice.
        found.append({"name": call["name"], "args": arguments, "id": f"{call['id'] or 'call'}-{place}", "type": "tool_call"})
    return found


def _worth_another(error: Exception, *, last: bool) -> bool:
    if isinstance(error, openai.APIStatusError):
        # A model the endpoint does not know gives way to the next on the list.
        return error.status_code in (408, 409, 429) or error.status_code >= 500 or (error.status_code in (400, 404) and not last)
    return True


def _wait(error: Exception, attempt: int) -> float:
    asked = error.response.headers.get("retry-after", "") if isinstance(error, openai.APIStatusError) else ""
    seconds = float(asked) if asked.replace(".", "", 1).isdigit() else 0.3 * 2**attempt * (1 + random.random())
    return min(seconds, _LONGEST_WAIT)


def _to_wire(message: BaseMessage) -> dict[str, Any]:
    if isinstance(message, SystemMessage):
        return {"role": "system", "content": str(message.content)}
    if isinstance(message, HumanMessage):
        return {"role": "user", "content": str(message.content)}
    if isinstance(message, ToolMessage):
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": str(message.content)}
    assert isinstance(message, AIMessage)
    calls = [
        {"id": c["id"], "type": "function", "function": {"name": c["name"], "arguments": json.dumps(c["args"], ensure_ascii=False)}} for c in message.tool_calls
    ]
    said = {"role": "assistant", "content": str(message.content) or (None if calls else "")}
    return {**said, **({"tool_calls": calls} if calls else {})}
