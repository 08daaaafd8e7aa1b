"""The member's page: the conversation in the middle, a slim card of their own beside it."""

from html import escape
from typing import Any

import gradio as gr

from assistant import guard, handoff
from assistant.desk import Desk
from assistant.tokens import Tokens
from members.access import Caller
from ui import look, talk
from ui.words import say

# How often the page looks whether a colleague has answered.
_EVERY_SECONDS = 2.0


def build(desk: Desk, tokens: Tokens) -> gr.Blocks:
    """The page of role member."""
    with gr.Blocks(title="Patron", analytics_enabled=False, fill_width=True) as page:
        top = gr.HTML(padding=False)
        language = gr.Radio([("English", "en"), ("中文", "zh")], value="en", show_label=False, container=False, elem_id="language")
        with gr.Row():
            with gr.Column(scale=1, min_width=240):
                card = gr.HTML(elem_id="member-card", padding=False)
                person = gr.Button(say("person", "en"), elem_id="person")
            with gr.Column(scale=3, min_width=320):
                banner = gr.HTML(elem_id="handoff", padding=False)
                chat = talk.build("member")
                timer = gr.Timer(_EVERY_SECONDS)

        def refresh(speech: str, request: gr.Request) -> list[Any]:
            return _card(desk, tokens, speech, request)

        def switch(speech: str, request: gr.Request) -> list[Any]:
            return [*_card(desk, tokens, speech, request), gr.update(value=say("person", speech)), *talk.relabelled("member", speech)]

        def arrive(request: gr.Request) -> list[Any]:
            caller = talk.caller_of(desk, tokens, request)
            speech = caller.language if caller else "en"
            return [gr.update(value=speech), *switch(speech, request)]

        def follow(history: talk.History, thread: str | None, speech: str, request: gr.Request) -> list[Any]:
            return _follow(desk, tokens, history, thread, speech, request)

        def resume(request: gr.Request) -> list[Any]:
            return _resumed(desk, tokens, request)

        timer.tick(follow, [chat.chat, chat.thread, language], [chat.chat, banner], show_progress="hidden")
        talk.wire(desk, tokens, chat, language, refresh, [language], [top, card])
        fixed = [top, card, person, chat.chat, chat.box, chat.send, *chat.buttons]
        language.input(switch, [language], fixed)
        person.click(lambda speech: say("person_ask", speech), [language], [chat.box])
        page.load(arrive, None, [language, *fixed])
        page.load(resume, None, [chat.chat, chat.thread])
    return page


def _follow(desk: Desk, tokens: Tokens, history: talk.History, thread: str | None, speech: str, request: gr.Request) -> list[Any]:
    """What a colleague has written meanwhile, and who is speaking.

    The page is held against the record rather than added to: a turn that was
    under way when a colleague wrote shows the page as it was before.
    """
    caller = talk.caller_of(desk, tokens, request)
    if caller is None or not thread:
        return [gr.skip(), ""]
    stored, held_by = desk.inbox.since(caller, thread, 0)
    names = {str(m.extras.get("by", "")) for m in stored if m.kind == "staff"}
    missing = sum(m.kind == "staff" for m in stored) > sum(_is_of(line, names) for line in history)
    busy = bool(history) and (history[-1]["role"] == "user" or _text(history[-1]) == say("thinking", speech))
    banner = ""
    if held_by:
        banner = say("with_person", speech).format(name=held_by)
    elif next((m.kind for m in reversed(stored) if m.kind in ("ai", "staff")), "") == "staff":
        banner = say("back_with_assistant", speech)
    return [
        _told(desk, caller, thread) if missing and not busy else gr.skip(),
        f'<div class="banner" role="status">{escape(banner)}</div>' if banner else "",
    ]


def _resumed(desk: Desk, tokens: Tokens, request: gr.Request) -> list[Any]:
    """The conversation a colleague has, or is to have: whoever reloads the page finds it again."""
    caller = talk.caller_of(desk, tokens, request)
    thread = desk.inbox.unfinished(caller) if caller else None
    if caller is None or thread is None:
        return [gr.skip(), gr.skip()]
    return [_told(desk, caller, thread), thread]


def _told(desk: Desk, caller: Caller, thread: str) -> talk.History:
    """A conversation of the record as the page shows it."""
    return [
        {"role": "user" if line["kind"] == "human" else "assistant", "content": _named(line["from"]) * (line["kind"] == "staff") + _shown(line)}
        for line in handoff.chat_of(desk.thread(caller, thread))
    ]


def _shown(line: dict[str, str]) -> str:
    # A colleague's words are shown as they are, without pictures from elsewhere; the assistant's were checked when said.
    return escape(guard.plain(line["text"]) if line["kind"] == "staff" else line["text"], quote=False)


def _named(name: str) -> str:
    return f"**{escape(name)}**: "


def _is_of(line: dict[str, Any], names: set[str]) -> bool:
    """Whether a line of the page is a colleague's."""
    return line["role"] == "assistant" and any(_text(line).startswith(_named(name)) for name in names)


def _text(line: dict[str, Any]) -> str:
    """A line's text, whichever shape Gradio gives it back in."""
    content = line["content"]
    return content if isinstance(content, str) else "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))


def _card(desk: Desk, tokens: Tokens, speech: str, request: gr.Request) -> list[Any]:
    caller = talk.caller_of(desk, tokens, request)
    if caller is None:
        return ["", say("signed_out", speech)]
    gateway = desk.gateway(caller, "")
    standing, points = gateway.call("tier_and_benefits", {}), gateway.call("points", {})
    return [
        look.bar(desk.settings.shop()["name"], caller.name or str(caller.member_id), speech),
        look.member_card(standing.result, points.result, caller.name or str(caller.member_id), speech),
    ]
