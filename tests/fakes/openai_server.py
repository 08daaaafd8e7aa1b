"""An OpenAI-compatible endpoint on loopback that behaves as scripted, well or badly.

It speaks the wire format of POST /v1/chat/completions with `stream: true`:
server-sent chunks, tool calls in pieces, finish_reason, usage, [DONE]. Each
method adds one answer to the script; a request takes the next one and is kept.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Call = tuple[str, dict[str, Any]]
Wire = Callable[["_Handler"], None]


class OpenAIServer:
    """The endpoint: its script, and the requests it was sent."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.came_at: list[float] = []
        self.headers: list[dict[str, str]] = []
        self._script: deque[Wire] = deque()
        self._released = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.daemon_threads = True
        self._http.fake = self  # type: ignore[attr-defined]
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        """The base_url of a client."""
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def reset(self) -> None:
        """Forget script and requests, and let go of whoever hangs."""
        self._script.clear()
        self.requests.clear(), self.came_at.clear(), self.headers.clear()
        self._released.set()
        self._released = threading.Event()

    def close(self) -> None:
        """Stop serving."""
        self.reset()
        self._http.shutdown()
        self._http.server_close()

    def wait_for(self, count: int, *, seconds: float = 60.0) -> None:
        """Return when so many requests have come. Raises TimeoutError."""
        end = time.monotonic() + seconds
        while len(self.requests) < count:
            if time.monotonic() > end:
                raise TimeoutError(f"{len(self.requests)} of {count} requests came")
            time.sleep(0.02)

    def results(self, request: int = -1) -> list[dict[str, Any]]:
        """The tool results one request carried, as the model reads them."""
        return [json.loads(m["content"]) for m in self.requests[request]["messages"] if m["role"] == "tool"]

    # --- answers as they should be --------------------------------------------------

    def says(self, text: str, *, finish: str = "stop") -> None:
        """A text in three pieces, finished by `finish`."""
        third = max(1, len(text) // 3)
        pieces = [text[:third], text[third : 2 * third], text[2 * third :]]
        self._add(lambda h: h.stream([*(_delta(content=p) for p in pieces if p), _end(finish), _usage()]))

    def calls(self, *calls: Call, ids: list[str] | None = None, finish: str = "tool_calls", before: str = "") -> None:
        """Tool calls, their JSON in pieces; more than one are parallel calls of one message."""
        chunks = [_delta(content=before)] if before else []
        for place, (name, arguments) in enumerate(calls):
            chunks += _call(place, name, json.dumps(arguments, ensure_ascii=False), ids[place] if ids else f"call_{place}")
        self._add(lambda h: h.stream([*chunks, _end(finish), _usage()]))

    # --- answers as they should not be ----------------------------------------------

    def cuts_tool_json(self, name: str, begun: str, *, rudely: bool = False) -> None:
        """A tool call whose JSON stops at `begun`; `rudely` breaks the connection, else the stream just ends."""
        self._add(lambda h: h.stream(_call(0, name, begun, "call_0"), done=False, rudely=rudely))

    def cuts_text(self, begun: str, *, rudely: bool = False) -> None:
        """A text that stops without a finish_reason."""
        self._add(lambda h: h.stream([_delta(content=begun)], done=False, rudely=rudely))

    def calls_with_json(self, name: str, arguments: str, *, finish: str = "tool_calls") -> None:
        """A finished call whose arguments are these characters, JSON or not."""
        self._add(lambda h: h.stream([*_call(0, name, arguments, "call_0"), _end(finish)]))

    def sends_no_choices(self) -> None:
        """A stream whose chunks have empty choices."""
        self._add(lambda h: h.stream([{**_delta(), "choices": []}, _usage()]))

    def sends_broken_events(self) -> None:
        """An event whose data is no JSON."""
        self._add(lambda h: h.send("text/event-stream", b'data: {"id": "chatcmpl-1", "choices": [\n\n'))

    def sends_html(self) -> None:
        """A proxy's page with status 200."""
        self._add(lambda h: h.send("text/html", b"<html><body><h1>Welcome</h1></body></html>"))

    def refuses(self, status: int, *, retry_after: str = "") -> None:
        """An error of this status."""
        body = json.dumps({"error": {"message": f"status {status}", "type": "error", "code": status}}).encode()
        self._add(lambda h: h.send("application/json", body, status=status, retry_after=retry_after))

    def drips(self, words: int, *, every: float = 1.0) -> None:
        """One word each so many seconds."""
        self._add(lambda h: h.stream([*(_delta(content=f"word{'s' * n} ") for n in range(words)), _end("stop")], every=every))

    def hangs(self) -> None:
        """Nothing at all until reset."""
        self._add(lambda h: h.fake.wait_for_release())

    def wait_for_release(self) -> None:
        """Block until `reset`, a minute at most."""
        self._released.wait(60)

    def _add(self, wire: Wire) -> None:
        self._script.append(wire)

    def take(self, request: dict[str, Any], headers: dict[str, str]) -> Wire:
        """Keep a request and hand out its answer."""
        self.came_at.append(time.monotonic())
        self.headers.append(headers)
        self.requests.append(request)
        return self._script.popleft() if self._script else lambda h: h.send("application/json", b'{"error": {"message": "the script is over"}}', status=400)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def fake(self) -> OpenAIServer:
        return self.server.fake  # type: ignore[attr-defined]

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/v1/chat/completions", self.path
        try:
            self.fake.take(request, {k.lower(): v for k, v in self.headers.items()})(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def stream(self, chunks: list[dict[str, Any]], *, done: bool = True, rudely: bool = False, every: float = 0.0) -> None:
        """Chunks as server-sent events in HTTP chunks."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            self._piece(f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n")
            time.sleep(every)
        if done:
            self._piece("data: [DONE]\n\n")
        if rudely:
            self.wfile.flush()
            self.close_connection = True
            return
        self._piece("")

    def _piece(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def send(self, kind: str, body: bytes, *, status: int = 200, retry_after: str = "") -> None:
        """A whole body at once."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


def _chunk(delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "fake", "choices": choices}


def _delta(**delta: Any) -> dict[str, Any]:
    return _chunk(delta, None)


def _end(finish: str) -> dict[str, Any]:
    return _chunk({}, finish)


def _usage() -> dict[str, Any]:
    return {**_chunk({}, None), "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}}


def _call(place: int, name: str, arguments: str, call_id: str) -> list[dict[str, Any]]:
    """One call as its endpoint sends it: id and name first, then the JSON in two pieces."""
    half = len(arguments) // 2
    first = {"index": place, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
    rest = [{"index": place, "function": {"arguments": part}} for part in (arguments[:half], arguments[half:]) if part]
    return [_delta(tool_calls=[part]) for part in (first, *rest)]


@contextmanager
def running() -> Iterator[OpenAIServer]:
    """An endpoint for as long as the block lasts."""
    server = OpenAIServer()
    try:
        yield server
    finally:
        server.close()
