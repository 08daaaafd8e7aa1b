"""The marketer's page: the campaign's steps, results, the policy lab, what waits for a second person, and a chat."""

from html import escape
from typing import Any

import gradio as gr

from assistant.desk import Desk
from assistant.tokens import Tokens
from members.errors import Refusal
from ui import inbox, look, policy_lab, results, studio_steps, talk
from ui.words import say

_TABS = ("studio", "results", "lab", "second")


def build(desk: Desk, tokens: Tokens) -> gr.Blocks:
    """The page of role marketer."""
    with gr.Blocks(title="Patron · Studio", analytics_enabled=False, fill_width=True) as page:
        top = gr.HTML(padding=False)
        language = gr.Radio([("English", "en"), ("中文", "zh")], value="en", show_label=False, container=False, elem_id="language")
        with gr.Row():
            with gr.Column(scale=3, min_width=280), gr.Tabs(elem_id="studio-tabs"):
                with gr.Tab(say("studio_tab", "en"), id="studio", elem_id="tab-studio") as studio_tab:
                    steps = studio_steps.Panel(desk, tokens)
                with gr.Tab(say("results_tab", "en"), id="results", elem_id="tab-results") as results_tab:
                    measured = results.Panel(desk, tokens)
                with gr.Tab(say("lab_tab", "en"), id="lab", elem_id="tab-lab") as lab_tab:
                    lab = policy_lab.Panel(desk, tokens, steps)
                with gr.Tab(say("second_tab", "en"), id="second", elem_id="tab-second") as second_tab:
                    waiting = gr.Radio([], show_label=False, elem_id="second-pick")
                    with gr.Row():
                        agree, refuse = (
                            gr.Button(say("second_yes", "en"), variant="primary", elem_id="second-yes"),
                            gr.Button(say("second_no", "en"), elem_id="second-no"),
                        )
                    decided = gr.HTML(elem_id="second-done", padding=False)
            with gr.Column(scale=2, min_width=280):
                chat_title = gr.Markdown(f"### {say('assistant', 'en')}")
                chat = talk.build("marketer", height=430)

        tabs = [studio_tab, results_tab, lab_tab, second_tab]
        second = [waiting, agree, refuse, decided]

        def switch(table: Any, picked: Any, speech: str, request: gr.Request) -> list[Any]:
            caller = talk.caller_of(desk, tokens, request)
            bar = look.bar(desk.settings.shop()["name"], caller.name if caller else "", speech)
            names = [gr.update(label=say(f"{name}_tab", speech)) for name in _TABS]
            head = [bar, *names, f"### {say('assistant', speech)}", *talk.relabelled("marketer", speech)]
            return [*head, *steps.relabelled(speech), *steps.lists(request), *lab.relabelled(table, speech, request)]

        counted = talk.handed(lambda *v: steps._counted(v[:-2], v[-2], v[-1]), len(steps.conditions()) + 1)

        def seen(picked: str | None, speech: str, request: gr.Request) -> list[Any]:
            return measured.updates(picked, speech, request)

        def proposals(speech: str, request: gr.Request) -> list[Any]:
            return _second(desk, tokens, speech, request)

        def decide(yes: bool) -> Any:
            def done(picked: str | None, speech: str, request: gr.Request) -> list[Any]:
                return _decided(desk, tokens, yes, picked, speech, request)

            return done

        steps.wire(language)
        lab.wire(language)
        talk.wire(desk, tokens, chat, language)

        def retried(picked: str | None, speech: str, request: gr.Request) -> list[Any]:
            return measured.retried(picked, speech, request)

        measured.again.click(retried, [measured.pick, language], measured.outputs())
        results_tab.select(seen, [measured.pick, language], measured.outputs())
        measured.pick.input(seen, [measured.pick, language], measured.outputs())
        second_tab.select(proposals, [language], second)
        for yes, button in ((True, agree), (False, refuse)):
            button.click(decide(yes), [waiting, language], second)
        fixed = [top, *tabs, chat_title, chat.chat, chat.box, chat.send, *chat.buttons, *steps.fixed(), steps.saved, steps.drafts, *lab.fixed()]
        language.input(switch, [lab.table, measured.pick, language], fixed)
        language.input(counted, [*steps.conditions(), language], [steps.count], show_progress="hidden")
        language.input(seen, [measured.pick, language], measured.outputs(), show_progress="hidden")
        page.load(switch, [lab.table, measured.pick, language], fixed)
        page.load(counted, [*steps.conditions(), language], [steps.count], show_progress="hidden")
    return page


def _second(desk: Desk, tokens: Tokens, speech: str, request: gr.Request, *, told: str = "") -> list[Any]:
    """What colleagues proposed: updates for the list, both buttons and the note."""
    caller = talk.caller_of(desk, tokens, request)
    found = desk.inbox.seconds(caller) if caller else []
    choices = [(inbox.proposal(s, speech, desk.today.isoformat()), s.approval_id) for s in found]
    note = told or ("" if found else f'<div class="card soft">{escape(say("no_second", speech))}</div>')
    buttons = [gr.update(value=say(key, speech), visible=bool(found)) for key in ("second_yes", "second_no")]
    return [gr.update(choices=choices, value=choices[0][1] if len(choices) == 1 else None), *buttons, note]


def _decided(desk: Desk, tokens: Tokens, yes: bool, picked: str | None, speech: str, request: gr.Request) -> list[Any]:
    caller = talk.caller_of(desk, tokens, request)
    told = ""
    if caller is not None and picked:
        try:
            desk.inbox.decide_second(caller, picked, yes=yes)
            told = f'<div class="card">{escape(say("second_done" if yes else "left_as_is", speech))}</div>'
        except Refusal as refusal:
            told = f'<div class="card warn">{escape(refusal.fact)}</div>'
    return _second(desk, tokens, speech, request, told=told)
