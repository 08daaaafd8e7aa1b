"""An application on a real uvicorn on loopback, in a thread of its own."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn

# Sent in requests to see that no error repeats it.
MARK = "zebra-crossing-42"


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The address of an application for as long as the block lasts."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server did not start")
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


def problem(answer: httpx.Response, status: int | tuple[int, ...]) -> dict[str, Any]:
    """The body of an RFC 9457 problem; nothing of the request or of the code stands in it."""
    statuses = status if isinstance(status, tuple) else (status,)
    assert answer.status_code in statuses, answer.text[:300]
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json", answer.text[:300]
    body = answer.json()
    assert {"type", "title", "status", "detail"} <= set(body) and body["status"] == answer.status_code
    for leak in (MARK, "Traceback", "File ", ".py", "sqlalchemy", "sqlite", "pydantic.dev"):
        assert leak not in answer.text
    return dict(body)
