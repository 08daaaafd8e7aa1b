"""The member's page: the conversation in the middle, a slim card of their own beside it."""

from html import escape
from typing import Any

import gradio as gr

from assistant import handoff
from assistant.desk import Desk
from assistant.tokens import Tokens
from ui import look, talk
from ui.words import say

# How often the page looks whether a colleague has answered.
_EVERY_SECONDS = 2.0


def build(desk: Desk, tokens: Tokens) -> gr.Blocks:
    """The page of role member."""
    with gr.Blocks(title="Patron", analytics_enabled=False, fill_width=True) as page:
        top = gr.HTML()
        language = gr.Radio([("English", "en"), ("中文", "zh")], value="en", show_label=False, container=False, elem_id="language")
        with gr.Row():
            with gr.Column(scale=1, min_width=240):
                card = gr.HTML(elem_id="member-card")
                person = gr.Button(say("person", "en"), elem_id="person")
            with gr.Column(scale=3, min_width=320):
                banner = gr.HTML(elem_id="handoff")
                chat = talk.build("member")
                seen: Any = gr.State(0)
                timer = gr.Timer(_EVERY_SECONDS)

        def refresh(speech: str, request: gr.Request) -> list[Any]:
            return _card(desk, tokens, speech, request)

        def switch(speech: str, request: gr.Request) -> list[Any]:
            return [*_card(desk, tokens, speech, request), gr.update(value=say("person", speech)), *talk.relabelled("member", speech)]

        def arrive(request: gr.Request) -> list[Any]:
            caller = talk.caller_of(desk, tokens, request)
            speech = caller.language if caller else "en"
            return [gr.update(value=speech), *switch(speech, request)]

        def follow(history: talk.History, thread: str | None, position: int, speech: str, request: gr.Request) -> list[Any]:
            return _follow(desk, tokens, history, thread, position, speech, request)

        def resume(request: gr.Request) -> list[Any]:
            return _resumed(desk, tokens, request)

        timer.tick(follow, [chat.chat, chat.thread, seen, language], [chat.chat, banner, seen], show_progress="hidden")
        talk.wire(desk, tokens, chat, language, refresh, [language], [top, card])
        fixed = [top, card, person, chat.chat, chat.box, chat.send, *chat.buttons]
        language.input(switch, [language], fixed)
        person.click(lambda speech: say("person_ask", speech), [language], [chat.box])
        page.load(arrive, None, [language, *fixed])
        page.load(resume, None, [chat.chat, chat.thread, seen])
    return page


def _follow(desk: Desk, tokens: Tokens, history: talk.History, thread: str | None, position: int, speech: str, request: gr.Request) -> list[Any]:
    """What a colleague has written meanwhile, and who is speaking."""
    caller = talk.caller_of(desk, tokens, request)
    if caller is None or not thread:
        return [gr.skip(), "", position]
    fresh, held_by = desk.inbox.since(caller, thread, position)
    said = [m for m in fresh if m.kind == "staff"]
    lines = [{"role": "assistant", "content": f"**{escape(str(m.extras.get('by', '')))}**: {escape(m.content, quote=False)}"} for m in said]
    banner = f'<div class="banner">{escape(say("with_person", speech).format(name=held_by))}</div>' if held_by else ""
    return [[*history, *lines] if lines else gr.skip(), banner, max([position, *(m.position for m in fresh)])]


def _resumed(desk: Desk, tokens: Tokens, request: gr.Request) -> list[Any]:
    """The conversation a colleague has, or is to have: whoever reloads the page finds it again."""
    caller = talk.caller_of(desk, tokens, request)
    thread = desk.inbox.unfinished(caller) if caller else None
    if caller is None or thread is None:
        return [gr.skip(), gr.skip(), 0]
    lines = handoff.chat_of(desk.thread(caller, thread))
    history = [
        {
            "role": "user" if line["from"] == "member" else "assistant",
            "content": (f"**{escape(line['from'])}**: " if line["kind"] == "staff" else "") + escape(line["text"], quote=False),
        }
        for line in lines
    ]
    return [history, thread, int(lines[-1]["position"]) if lines else 0]


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
