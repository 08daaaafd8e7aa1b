"""How a language model elsewhere is asked: complete or nothing, within three tries and a deadline."""

import asyncio
import time
from typing import Any

import pytest
from fakes.openai_server import OpenAIServer
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import SecretStr

from assistant.chat_models import TRIES, ModelFailed, OpenAICompatible

REDEEM = {"type": "function", "function": {"name": "redeem", "description": "Redeem points.", "parameters": {"type": "object", "properties": {}}}}
HELLO = [HumanMessage("hello")]


class Heard(list[Any]):
    """The chunks that came, and what ended them."""

    error: BaseException | None = None

    @property
    def text(self) -> str:
        return "".join(chunk.content for chunk in self)

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [call for chunk in self for call in chunk.tool_calls]


def model(endpoint: OpenAIServer, *names: str, deadline: float = 20.0) -> OpenAICompatible:
    return OpenAICompatible(models=list(names) or ["fake-1"], base_url=endpoint.url, api_key=SecretStr("sk-fake"), deadline=deadline)


def ask(asked: OpenAICompatible, messages: list[Any] | None = None) -> Heard:
    """Stream an answer as the agent does."""

    async def listen() -> Heard:
        heard = Heard()
        try:
            async for chunk in asked.bind(tools=[REDEEM]).astream(messages or HELLO):
                heard.append(chunk)
        except (ModelFailed, TimeoutError) as error:
            heard.error = error
        return heard

    return asyncio.run(listen())


def test_a_text_comes_in_pieces_and_whole(endpoint: OpenAIServer) -> None:
    endpoint.says("Hello, 你好 and goodbye.")
    heard = ask(model(endpoint))
    assert heard.text == "Hello, 你好 and goodbye." and heard.error is None
    assert len([chunk for chunk in heard if chunk.content]) == 3


def test_a_call_in_pieces_comes_as_one_whole_call(endpoint: OpenAIServer) -> None:
    endpoint.calls(("redeem", {"points": 1200, "note": "茶"}))
    heard = ask(model(endpoint))
    assert [(c["name"], c["args"]) for c in heard.calls] == [("redeem", {"points": 1200, "note": "茶"})]


def test_parallel_calls_keep_their_order_and_arguments(endpoint: OpenAIServer) -> None:
    endpoint.calls(*(("redeem", {"points": n}) for n in range(8)))
    assert [c["args"]["points"] for c in ask(model(endpoint)).calls] == list(range(8))


@pytest.mark.parametrize("ids", [["same", "same"], ["", ""]], ids=["duplicate", "empty"])
def test_call_ids_are_made_unique(endpoint: OpenAIServer, ids: list[str]) -> None:
    endpoint.calls(("redeem", {"points": 1}), ("redeem", {"points": 2}), ids=ids)
    found = [c["id"] for c in ask(model(endpoint)).calls]
    assert len(found) == len(set(found)) == 2 and all(found)


def test_the_conversation_reaches_the_endpoint_in_its_own_format(endpoint: OpenAIServer) -> None:
    call = {"name": "redeem", "args": {"points": 5}, "id": "call-7", "type": "tool_call"}
    said = [
        SystemMessage("be kind"),
        HumanMessage("redeem 5"),
        AIMessage("", tool_calls=[call]),
        ToolMessage("{}", tool_call_id="call-7"),
        HumanMessage("and?"),
    ]
    endpoint.says("Done.")
    ask(model(endpoint), said)
    sent = endpoint.requests[0]
    assert [m["role"] for m in sent["messages"]] == ["system", "user", "assistant", "tool", "user"]
    assert sent["messages"][2]["tool_calls"] == [{"id": "call-7", "type": "function", "function": {"name": "redeem", "arguments": '{"points": 5}'}}]
    assert sent["messages"][3]["tool_call_id"] == "call-7" and sent["tools"] == [REDEEM] and sent["stream"] is True
    assert endpoint.headers[0]["authorization"] == "Bearer sk-fake"
    assert "tool_choice" not in sent and "user" not in sent


# --- complete or nothing ----------------------------------------------------------------

BROKEN = {
    "stream ends inside the JSON": lambda e: e.cuts_tool_json("redeem", '{"points": 1'),
    "stream ends after JSON that happens to be whole": lambda e: e.cuts_tool_json("redeem", '{"points": 1}'),
    "connection breaks inside the JSON": lambda e: e.cuts_tool_json("redeem", '{"points": 1', rudely=True),
    "malformed JSON": lambda e: e.calls_with_json("redeem", '{"points": 1,,}'),
    "JSON that is no object": lambda e: e.calls_with_json("redeem", "[1]"),
    "cut for length": lambda e: e.calls(("redeem", {"points": 1}), finish="length"),
    "filtered": lambda e: e.calls(("redeem", {"points": 1}), finish="content_filter"),
    "500 calls in one message": lambda e: e.calls(*(("redeem", {"points": n}) for n in range(500))),
    "no choices": lambda e: e.sends_no_choices(),
    "an empty text": lambda e: e.says(""),
    "a page of HTML with status 200": lambda e: e.sends_html(),
    "broken events": lambda e: e.sends_broken_events(),
    "server error": lambda e: e.refuses(500),
}


@pytest.mark.parametrize("breaks", BROKEN.values(), ids=BROKEN)
def test_what_is_not_whole_is_nothing_after_three_tries(endpoint: OpenAIServer, breaks: Any) -> None:
    for _ in range(9):
        breaks(endpoint)
    heard = ask(model(endpoint))
    assert heard == [] and isinstance(heard.error, ModelFailed)
    assert len(endpoint.requests) == TRIES


@pytest.mark.parametrize("breaks", BROKEN.values(), ids=BROKEN)
def test_a_second_try_that_is_whole_counts_alone(endpoint: OpenAIServer, breaks: Any) -> None:
    breaks(endpoint)
    endpoint.calls(("redeem", {"points": 2}))
    heard = ask(model(endpoint))
    assert [c["args"] for c in heard.calls] == [{"points": 2}] and heard.text == "" and heard.error is None
    assert len(endpoint.requests) == 2


# --- text that was begun ----------------------------------------------------------------


@pytest.mark.parametrize("rudely", [False, True], ids=["stream ends", "connection breaks"])
def test_text_already_begun_is_not_begun_again(endpoint: OpenAIServer, rudely: bool) -> None:
    endpoint.cuts_text("You have ", rudely=rudely)
    endpoint.says("You have plenty.")
    heard = ask(model(endpoint))
    assert heard.text == "You have " and isinstance(heard.error, ModelFailed)
    assert len(endpoint.requests) == 1


def test_a_text_cut_for_length_is_an_error_not_an_answer(endpoint: OpenAIServer) -> None:
    endpoint.says("You have pl", finish="length")
    assert isinstance(ask(model(endpoint)).error, ModelFailed)


def test_a_call_cut_after_some_text_does_not_run(endpoint: OpenAIServer) -> None:
    endpoint.calls(("redeem", {"points": 1}), before="One moment. ", finish="length")
    heard = ask(model(endpoint))
    assert heard.calls == [] and isinstance(heard.error, ModelFailed)


# --- one retry loop, one deadline -------------------------------------------------------


def test_a_server_error_is_tried_again(endpoint: OpenAIServer) -> None:
    endpoint.refuses(500)
    endpoint.says("Hello.")
    assert ask(model(endpoint)).text == "Hello." and len(endpoint.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_request_the_endpoint_rejects_is_not_repeated_to_it(endpoint: OpenAIServer, status: int) -> None:
    endpoint.refuses(status)
    assert isinstance(ask(model(endpoint)).error, ModelFailed) and len(endpoint.requests) == 1


def test_a_long_retry_after_is_not_waited_out(endpoint: OpenAIServer) -> None:
    endpoint.refuses(429, retry_after="120")
    endpoint.says("Hello.")
    started = time.monotonic()
    assert ask(model(endpoint)).text == "Hello."
    assert time.monotonic() - started < 8


def test_a_slow_drip_meets_the_wall_deadline(endpoint: OpenAIServer) -> None:
    endpoint.drips(30)
    started = time.monotonic()
    heard = ask(model(endpoint, deadline=1.5))
    assert time.monotonic() - started < 4
    assert heard.error is not None and len(endpoint.requests) == 1


def test_an_endpoint_that_says_nothing_meets_the_wall_deadline(endpoint: OpenAIServer) -> None:
    endpoint.hangs()
    started = time.monotonic()
    heard = ask(model(endpoint, deadline=0.7))
    assert time.monotonic() - started < 3 and heard == [] and heard.error is not None


def test_nobody_listening_is_a_failed_model(endpoint: OpenAIServer) -> None:
    nobody = OpenAICompatible(models=["fake-1"], base_url="http://127.0.0.1:9/v1", api_key=SecretStr(""), deadline=10)
    assert isinstance(ask(nobody).error, ModelFailed)


def test_the_next_try_goes_to_the_next_model(endpoint: OpenAIServer) -> None:
    endpoint.refuses(503)
    endpoint.refuses(503)
    endpoint.says("Hello.")
    assert ask(model(endpoint, "first", "second", "third")).text == "Hello."
    assert [r["model"] for r in endpoint.requests] == ["first", "second", "third"]


def test_a_model_the_endpoint_does_not_know_gives_way_to_the_next(endpoint: OpenAIServer) -> None:
    endpoint.refuses(404)
    endpoint.says("Hello.")
    assert ask(model(endpoint, "retired", "second")).text == "Hello."
    assert [r["model"] for r in endpoint.requests] == ["retired", "second"]


def test_the_last_model_is_asked_again_when_the_list_is_over(endpoint: OpenAIServer) -> None:
    for _ in range(3):
        endpoint.refuses(500)
    ask(model(endpoint, "first", "second"))
    assert [r["model"] for r in endpoint.requests] == ["first", "second", "second"]


def test_an_answer_is_also_had_without_streaming(endpoint: OpenAIServer) -> None:
    endpoint.says("Hello there.")
    assert model(endpoint).invoke(HELLO).content == "Hello there."
