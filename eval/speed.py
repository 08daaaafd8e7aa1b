"""How long does a turn take?

p50 and p95 of a one-tool turn of the embedded model through the API on
loopback, beside a bare loop that calls the same model and tool without API,
agent or history.
"""

import json
import statistics
import threading
import time
from typing import Any
from urllib.request import Request, urlopen

import uvicorn
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from assistant import api
from assistant.desk import Desk
from assistant.embedded import turn as turns
from eval import worlds

QUESTIONS = (
    "how many points do i have",
    "what is my tier",
    "where is my order",
    "when do my points expire",
    "我有多少积分",
    "离下一级还差多少",
    "how long can I return things",
    "怎么退货",
)


def measure(desk: Desk, *, rounds: int = 10, port: int = 8765) -> dict[str, dict[str, float]]:
    """Milliseconds (p50, p95) through the API and in the bare loop, over `rounds` of the same questions."""
    desk.embed.warm()
    return {"bare loop": _bare(desk, rounds), "through the API": _api(desk, rounds, port)}


def _figures(spent: list[float]) -> dict[str, float]:
    return {"p50": statistics.median(spent), "p95": statistics.quantiles(spent, n=20)[-1], "turns": float(len(spent))}


def _bare(desk: Desk, rounds: int) -> dict[str, float]:
    caller = desk.caller_named("lina")
    spent: list[float] = []
    for _ in range(rounds):
        for question in QUESTIONS:
            started = time.perf_counter()
            _one_turn(desk, desk.gateway(caller, ""), question)
            spent.append((time.perf_counter() - started) * 1000)
    return _figures(spent[len(QUESTIONS) :])


def _one_turn(desk: Desk, gateway: Any, question: str) -> None:
    """Model, tool, model: nothing else."""
    context = f"<context>\ntoday: {desk.today.isoformat()}\nrole: member\nname: Li Na\nlanguage: en\n</context>"
    messages: list[Any] = [SystemMessage(context), HumanMessage(question)]
    names = [tool.name for tool in gateway.tools()]
    for _ in range(4):
        answer: AIMessage = desk.model.answer(turns.read(messages, names))  # type: ignore[attr-defined]
        if not answer.tool_calls:
            return
        messages.append(answer)
        for call in answer.tool_calls:
            messages.append(ToolMessage(gateway.call(call["name"], call["args"]).text(), tool_call_id=call["id"] or ""))


def _api(desk: Desk, rounds: int, port: int) -> dict[str, float]:
    server = uvicorn.Server(uvicorn.Config(api.build(desk), host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        base = f"http://127.0.0.1:{port}/api/v1"
        token = json.load(_post(f"{base}/token", {"login": "lina", "password": worlds.PASSWORD}, ""))["token"]
        spent: list[float] = []
        for _ in range(rounds):
            for question in QUESTIONS:
                started = time.perf_counter()
                _post(f"{base}/chat", {"text": question}, token).read()
                spent.append((time.perf_counter() - started) * 1000)
        return _figures(spent[len(QUESTIONS) :])
    finally:
        server.should_exit = True
        thread.join(10)


def _post(url: str, body: dict[str, str], token: str) -> Any:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    return urlopen(Request(url, json.dumps(body).encode(), headers), timeout=60)
