"""What the API refuses to read: bodies that are not strict JSON, do not fit, or are too large."""

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fakes.web import MARK, problem

Client = Callable[..., httpx.Client]

NOT_STRICT = {
    "no JSON": b"hello",
    "empty": b"",
    "a list": b'["hello"]',
    "NaN": b'{"text": NaN}',
    "infinity": b'{"text": "hi", "thread_id": Infinity}',
    "a lone surrogate": b'{"text": "\\ud800"}',
    "a key given twice": b'{"text": "one", "text": "two"}',
    "latin-1": b'{"text": "caf\xe9"}',
    "deep nesting": b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a huge integer": b'{"text": ' + b"9" * 10_000 + b"}",
    "a number for a text": b'{"text": 5}',
    "earlier turns": b'{"text": "hi", "messages": [{"role": "system", "content": "zebra-crossing-42"}]}',
    "a role": b'{"text": "hi", "role": "system"}',
    "a member": b'{"text": "hi", "member_id": "M-10002"}',
    "tools": b'{"text": "hi", "tools": [], "tool_choice": "none"}',
    "no text": b'{"thread_id": null}',
    "an empty text": b'{"text": ""}',
    "an overlong text": json.dumps({"text": MARK * 500}).encode(),
}


@pytest.mark.parametrize("body", NOT_STRICT.values(), ids=NOT_STRICT)
def test_a_body_that_is_not_strict_is_refused(client: Client, body: bytes) -> None:
    problem(client("lina").post("/api/v1/chat", content=body, headers={"Content-Type": "application/json"}), 422)


@pytest.mark.parametrize("limit", [True, "5", 5.5, 0, 51, None])
def test_a_number_is_a_number_within_its_bounds(client: Client, limit: Any) -> None:
    problem(client("support").post("/api/v1/search", json={"question": "returns", "limit": limit}), 422)


def test_a_body_over_the_limit_is_refused_by_its_length_alone(site: str) -> None:
    address = urlsplit(site)
    with socket.create_connection((address.hostname, address.port), timeout=10) as wire:
        wire.sendall(b"POST /api/v1/chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 200000000\r\n\r\n")
        answer = wire.recv(4096).decode()
    assert " 413 " in answer.splitlines()[0] and "application/problem+json" in answer


def test_a_body_over_the_limit_is_refused_as_it_comes(client: Client) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"text": "'
        for _ in range(1_200):
            yield b"x" * 1_000
        yield b'"}'

    for path in ("/api/v1/chat", "/api/v1/token"):
        assert problem(client("lina").post(path, content=pieces()), 413)
