"""The studio's results: what a campaign changed, as a sentence, a plot and its outbox."""

from html import escape
from typing import Any

import gradio as gr

from assistant.desk import Desk
from assistant.embedded.model import refusal_text, worded
from assistant.tokens import Tokens
from ui import lab_charts, look, talk
from ui.words import say


class Panel:
    """The widgets of the results page."""

    def __init__(self, desk: Desk, tokens: Tokens) -> None:
        """Lay the page out, empty."""
        self.desk, self.tokens = desk, tokens
        self.pick = gr.Dropdown([], value=None, label=say("results_pick", "en"), elem_id="results-pick")
        self.told = gr.HTML(f'<div class="card soft">{say("no_results", "en")}</div>', elem_id="results-told", padding=False)
        self.plot = gr.Plot(show_label=False, visible=False, elem_id="results-plot")
        self.box = gr.HTML(elem_id="results-outbox", padding=False)
        self.again = gr.Button(say("try_again_failed", "en"), visible=False, elem_id="results-again")

    def outputs(self) -> list[Any]:
        """Every widget, in the order of `updates`."""
        return [self.pick, self.told, self.plot, self.box, self.again]

    def updates(self, picked: str | None, speech: str, request: gr.Request) -> list[Any]:
        """The campaigns there are, and the one picked (or the latest that can be measured)."""
        caller = talk.caller_of(self.desk, self.tokens, request)
        hidden = gr.update(visible=False)
        if caller is None:
            return [gr.update(), say("signed_out", speech), hidden, "", hidden]
        sent = self.desk.studio.sent(caller)
        choices = [(zh if speech == "zh" else en, key) for key, en, zh in sent]
        if not sent:
            return [
                gr.update(choices=[], label=say("results_pick", speech)),
                f'<div class="card soft">{escape(say("no_results", speech))}</div>',
                hidden,
                "",
                hidden,
            ]
        outcome = self.desk.gateway(caller, "").call("campaign_results", {"campaign": picked} if picked else {})
        if outcome.status != "ok":
            told = refusal_text(outcome.result, language=speech, today=self.desk.today.isoformat())
            return [gr.update(choices=choices), f'<div class="card warn">{escape(told)}</div>', hidden, "", hidden]
        r = outcome.result
        text = worded("campaign_results", {}, outcome.text(), language=speech, today=self.desk.today.isoformat())
        return [
            gr.update(choices=choices, value=r["campaign_id"], label=say("results_pick", speech)),
            f'<div class="card">{look.bold(text)}</div>',
            gr.update(value=lab_charts.lifts(r, speech), visible=True) if r["lift_points"] else hidden,
            *self._outbox(caller, r["campaign_id"], speech),
        ]

    def retried(self, picked: str | None, speech: str, request: gr.Request) -> list[Any]:
        """The page after the messages that were given up wait once more."""
        caller = talk.caller_of(self.desk, self.tokens, request)
        if caller is not None and picked:
            self.desk.studio.try_again(caller, picked)
        return self.updates(picked, speech, request)

    def _outbox(self, caller: Any, campaign_id: str, speech: str) -> tuple[str, Any]:
        """A campaign's messages, and the button that tries those given up again."""
        counts, some = self.desk.studio.outgoing(caller, campaign_id)
        again = gr.update(visible=bool(counts.get("failed")), value=say("try_again_failed", speech))
        link = f'<p><a href="/api/v1/campaigns/{escape(campaign_id)}.csv" download>{escape(say("download_list", speech))}</a></p>'
        if not counts:
            return link, again
        head = " · ".join(f"{number:,} {escape(say(f'out_{state}', speech))}" for state, number in counts.items())
        rows = "".join(
            f"<tr><td>{escape(m)}</td><td>{escape(at)}</td><td>{escape(say(f'out_{state}', speech))}</td><td>{escape(text[:120])}</td></tr>"
            for m, at, state, text in some
        )
        box = f'<div class="card"><h3>{escape(say("outbox", speech))}</h3><div class="soft">{head}</div><div class="wide"><table class="plain">{rows}</table></div>{link}</div>'
        return box, again
