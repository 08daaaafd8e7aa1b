"""The member's page: the conversation in the middle, a slim card of their own beside it."""

from typing import Any

import gradio as gr

from assistant.desk import Desk
from assistant.tokens import Tokens
from ui import look, talk
from ui.words import say


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
                chat = talk.build("member")

        def refresh(speech: str, request: gr.Request) -> list[Any]:
            return _card(desk, tokens, speech, request)

        def switch(speech: str, request: gr.Request) -> list[Any]:
            return [*_card(desk, tokens, speech, request), gr.update(value=say("person", speech)), *talk.relabelled("member", speech)]

        def arrive(request: gr.Request) -> list[Any]:
            caller = talk.caller_of(desk, tokens, request)
            speech = caller.language if caller else "en"
            return [gr.update(value=speech), *switch(speech, request)]

        talk.wire(desk, tokens, chat, language, refresh, [language], [top, card])
        fixed = [top, card, person, chat.chat, chat.box, chat.send, *chat.buttons]
        language.input(switch, [language], fixed)
        person.click(lambda speech: say("person_ask", speech), [language], [chat.box])
        page.load(arrive, None, [language, *fixed])
    return page


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
