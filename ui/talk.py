"""How does a conversation show on a page?

The chat part that all three faces share: it reads the desk's events and turns
them into what Gradio shows. Knows nothing of tools beyond their events.
"""

import inspect
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from assistant.api import COOKIE
from assistant.desk import Desk
from assistant.events import Answer, ApprovalWanted, Choices, Citation, Download, Failed, TextDelta, ToolFinished, ToolStarted
from assistant.tokens import Tokens
from members.access import Caller
from members.errors import Refusal
from retrieval.words import has_han
from ui import look
from ui.words import say, suggestions, working

History = list[dict[str, Any]]
BUTTONS = 4


@dataclass
class Talk:
    """The widgets of one chat, in the order `outputs` returns them."""

    chat: Any
    box: Any
    send: Any
    goods: Any
    sources_fold: Any
    sources: Any
    ask_group: Any
    ask_text: Any
    yes: Any
    no: Any
    thread: Any
    approval: Any
    buttons: list[Any] = field(default_factory=list)

    def outputs(self) -> list[Any]:
        """Every widget a turn may change."""
        return [
            self.chat,
            self.box,
            self.goods,
            self.sources_fold,
            self.sources,
            self.ask_group,
            self.ask_text,
            self.yes,
            self.no,
            self.thread,
            self.approval,
            *self.buttons,
        ]


@dataclass
class _Shown:
    """What the page shows while a turn goes on."""

    history: History
    thread: str | None
    role: str
    goods: str = ""
    sources: list[tuple[str, str]] = field(default_factory=list)
    wanted: ApprovalWanted | None = None
    choices: list[str] = field(default_factory=list)

    def updates(self, language: str, *, busy: bool) -> list[Any]:
        """Values for `Talk.outputs`."""
        wanted = self.wanted
        offered = self.choices or suggestions(self.role, language)
        buttons = [gr.update(value=offered[n] if n < len(offered) else "", visible=n < len(offered) and not busy) for n in range(BUTTONS)]
        return [
            self.history,
            gr.update(value="", interactive=not busy),
            self.goods,
            gr.update(visible=bool(self.sources), label=say("sources", language)),
            look.sources(self.sources),
            gr.update(visible=wanted is not None),
            look.approval_card(wanted.text, language) if wanted else "",
            gr.update(value=wanted.yes if wanted else ""),
            gr.update(value=wanted.no if wanted else ""),
            self.thread,
            wanted.approval_id if wanted else None,
            *buttons,
        ]


def handed(run: Callable[..., Any], inputs: int) -> Callable[..., Any]:
    """A function of so many inputs and the request, for `run(*values, request)`.

    Gradio hands a request only to a function whose signature names each of its inputs.
    """

    def call(*values: Any) -> Any:
        return run(*values)

    names = [inspect.Parameter(f"value_{n}", inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in range(inputs)]
    call.__signature__ = inspect.Signature([*names, inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD)])  # type: ignore[attr-defined]
    call.__annotations__ = {"request": gr.Request}
    return call


def caller_of(desk: Desk, tokens: Tokens, request: gr.Request) -> Caller | None:
    """Who sits before the page, by the cookie no script can read."""
    found = tokens.read((request.cookies or {}).get(COOKIE, "") if request else "")
    return desk.caller(*found) if found else None


def build(role: str, language: str = "en", *, height: int = 430) -> Talk:
    """Lay out a chat; `wire` brings it to life."""
    greeting = {"member": "empty_chat", "marketer": "empty_marketer"}.get(role, "empty_staff")
    chat = gr.Chatbot(
        height=height,
        show_label=False,
        buttons=[],
        layout="bubble",
        placeholder=say(greeting, language),
        feedback_options=None,
        elem_id=f"{role}-chat",
        allow_tags=False,
        group_consecutive_messages=False,
    )
    goods = gr.HTML(elem_id="goods", padding=False)
    with gr.Column(visible=False, elem_classes=["ask"], elem_id="approval") as ask_group:
        ask_text = gr.HTML(padding=False)
        with gr.Row():
            yes, no = gr.Button("", variant="primary", elem_id="approve"), gr.Button("", elem_id="decline")
    with gr.Accordion(say("sources", language), open=False, visible=False, elem_id="sources") as fold:
        sources = gr.Markdown()
    starters = suggestions(role, language)
    with gr.Row():
        buttons = [gr.Button(starters[n] if n < len(starters) else "", size="sm", visible=n < len(starters), elem_classes=["starter"]) for n in range(BUTTONS)]
    with gr.Row():
        box = gr.Textbox(
            placeholder=say("ask" if role == "member" else "ask_staff", language), show_label=False, scale=8, max_length=4000, elem_id="box", autofocus=True
        )
        send = gr.Button(say("send", language), variant="primary", scale=1, min_width=90, elem_id="send")
    return Talk(chat, box, send, goods, fold, sources, ask_group, ask_text, yes, no, gr.State(None), gr.State(None), buttons)


def wire(
    desk: Desk,
    tokens: Tokens,
    talk: Talk,
    language: Any,
    after: Callable[..., Any] | None = None,
    after_inputs: list[Any] | None = None,
    after_outputs: list[Any] | None = None,
) -> None:
    """Connect a chat's widgets to the desk; `after` refreshes what else the page shows."""

    async def spoken(text: str, history: History, thread: str | None, speech: str, request: gr.Request) -> AsyncIterator[list[Any]]:
        async for update in _turn(desk, tokens, text, history, thread, speech, request):
            yield update

    async def pressed(label: str, history: History, thread: str | None, speech: str, request: gr.Request) -> AsyncIterator[list[Any]]:
        async for update in _turn(desk, tokens, label, history, thread, speech, request):
            yield update

    def decided(yes: bool) -> Callable[..., list[Any]]:
        def act(history: History, thread: str | None, approval: str | None, label: str, speech: str, request: gr.Request) -> list[Any]:
            return _decided(desk, tokens, yes, history, thread, approval, label, speech, request)

        return act

    said = [talk.chat, talk.thread, language]
    runs = [talk.box.submit(spoken, [talk.box, *said], talk.outputs()), talk.send.click(spoken, [talk.box, *said], talk.outputs())]
    runs += [button.click(pressed, [button, *said], talk.outputs()) for button in talk.buttons]
    runs += [
        button.click(decided(yes), [talk.chat, talk.thread, talk.approval, button, language], talk.outputs())
        for button, yes in ((talk.yes, True), (talk.no, False))
    ]
    if after is not None:
        for run in runs:
            run.then(after, after_inputs, after_outputs)


async def _turn(desk: Desk, tokens: Tokens, text: str, history: History, thread: str | None, speech: str, request: gr.Request) -> AsyncIterator[list[Any]]:
    caller = caller_of(desk, tokens, request)
    role = caller.role.value if caller and caller.role.value in ("member", "marketer") else "support"
    shown = _Shown([*(history or []), {"role": "user", "content": escape(text, quote=False)}], thread, role)
    if not (text or "").strip():
        yield _Shown(history or [], thread, role).updates(speech, busy=False)
        return
    if caller is None:
        shown.history.append({"role": "assistant", "content": say("signed_out", speech)})
        yield shown.updates(speech, busy=False)
        return
    shown.history.append({"role": "assistant", "content": say("thinking", speech)})
    yield shown.updates(speech, busy=True)
    written = ""
    try:
        async for event in desk.chat(caller, text, thread):
            language = "zh" if has_han(text) else speech
            if isinstance(event, TextDelta):
                written += event.text
            _take(shown, event, written, language)
            if not isinstance(event, Answer | Failed):
                yield shown.updates(speech, busy=True)
    except Refusal as refusal:
        shown.history[-1]["content"] = refusal.fact
    _still_waiting(desk, caller, shown, speech)
    yield shown.updates(speech, busy=False)


def _still_waiting(desk: Desk, caller: Caller, shown: _Shown, speech: str) -> None:
    """A card stays in sight while its approval is open, whatever was talked about since."""
    if shown.thread:
        waiting = desk.waiting(caller, shown.thread, speech)
        shown.wanted = waiting[-1] if waiting else None


def _take(shown: _Shown, event: Any, written: str, language: str) -> None:
    """One event into what the page shows."""
    if isinstance(event, ToolStarted) and not written:
        shown.history[-1]["content"] = working(event.tool, language)
    elif isinstance(event, TextDelta):
        shown.history[-1]["content"] = written
    elif isinstance(event, ToolFinished) and event.status == "ok" and event.result.get("products"):
        shown.goods = look.product_cards(event.result["products"], event.result["currency"], language)
    elif isinstance(event, Citation):
        shown.sources.append((event.citation, event.text))
    elif isinstance(event, ApprovalWanted):
        shown.wanted = event
    elif isinstance(event, Download):
        shown.goods = f'<a class="download" href="{escape(event.path)}" download>{escape(say("download", language))}</a>'
    elif isinstance(event, Choices):
        shown.choices = event.texts
    elif isinstance(event, Answer | Failed):
        shown.history[-1]["content"] = event.text
        shown.thread = event.thread_id if isinstance(event, Answer) else shown.thread


def _decided(
    desk: Desk, tokens: Tokens, yes: bool, history: History, thread: str | None, approval: str | None, label: str, speech: str, request: gr.Request
) -> list[Any]:
    caller = caller_of(desk, tokens, request)
    role = caller.role.value if caller and caller.role.value in ("member", "marketer") else "support"
    shown = _Shown([*history, {"role": "user", "content": label}], thread, role)
    if caller is None or approval is None:
        shown.history.append({"role": "assistant", "content": say("signed_out", speech)})
        return shown.updates(speech, busy=False)
    try:
        text = desk.decide(caller, approval, yes, speech)
    except Refusal as refusal:
        text = refusal.fact
    shown.history.append({"role": "assistant", "content": text})
    _still_waiting(desk, caller, shown, speech)
    return shown.updates(speech, busy=False)


def relabelled(role: str, language: str) -> list[Any]:
    """Updates of the fixed texts for a language, in the order: chat, box, send, then the buttons."""
    starters = suggestions(role, language)
    greeting = {"member": "empty_chat", "marketer": "empty_marketer"}.get(role, "empty_staff")
    return [
        gr.update(placeholder=say(greeting, language)),
        gr.update(placeholder=say("ask" if role == "member" else "ask_staff", language)),
        gr.update(value=say("send", language)),
        *(gr.update(value=starters[n] if n < len(starters) else "", visible=n < len(starters)) for n in range(BUTTONS)),
    ]
