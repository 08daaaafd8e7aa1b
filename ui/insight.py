"""The insight page: how the shop stands with its members, as figures and tables to take away."""

from html import escape
from typing import Any

import gradio as gr

from assistant.desk import Desk
from assistant.tokens import Tokens
from members.errors import Refusal
from prompts import formats
from ui import insight_charts as draw
from ui import talk
from ui.words import say

# Figures in reading order: its table, and the id its link and plot carry.
FIGURES = ("cohorts", "segment_map", "churn_by_tier", "value_by_tenth", "demand", "points")


class Panel:
    """The widgets of the insight page and what fills them."""

    def __init__(self, desk: Desk, tokens: Tokens) -> None:
        """Lay the page out, empty."""
        self._desk, self._tokens = desk, tokens
        self.note = gr.HTML(f'<div class="card soft">{say("insight_empty", "en")}</div>', elem_id="insight-note", padding=False)
        self.groups = gr.HTML(elem_id="insight-groups", padding=False)
        self.plots: dict[str, Any] = {}
        self.links: dict[str, Any] = {}
        for left, right in zip(FIGURES[::2], FIGURES[1::2], strict=True):
            with gr.Row():
                for name in (left, right):
                    with gr.Column(min_width=300):
                        self.plots[name] = gr.Plot(show_label=False, visible=False, elem_id=f"insight-{name}")
                        self.links[name] = gr.HTML(padding=False)

    def outputs(self) -> list[Any]:
        """Every widget, in the order of `updates`."""
        return [self.note, self.groups, *self.plots.values(), *self.links.values()]

    def updates(self, language: str, request: gr.Request) -> list[Any]:
        """Values for `outputs`."""
        caller = talk.caller_of(self._desk, self._tokens, request)
        hidden = [gr.update(visible=False)] * len(FIGURES)
        if caller is None:
            return [_note(say("signed_out", language)), "", *hidden, *[""] * len(FIGURES)]
        try:
            tables = self._desk.knowing.insight(caller)
        except Refusal as refusal:
            return [_note(refusal.fact), "", *hidden, *[""] * len(FIGURES)]
        if not tables:
            return [_note(say("insight_empty", language)), "", *hidden, *[""] * len(FIGURES)]
        sign = formats.SIGNS.get(self._desk.rules.currency, "")
        fitted = self._desk.fitted
        when = f"{say('as_of', language)} {formats.day(fitted.as_of, language)}" if fitted else ""
        report = f'<a href="/api/v1/models/report" target="_blank" rel="noopener">{escape(say("model_report", language))}</a>'
        plots = [gr.update(value=self._figure(name, tables, sign, language), visible=name in tables) for name in FIGURES]
        return [
            f'<div class="card soft">{escape(when)} · {escape(say("png_hint", language))} · {report}</div>',
            _groups(tables, sign, language),
            *plots,
            *(_link(n, tables, language) for n in FIGURES),
        ]

    def _figure(self, name: str, tables: dict[str, Any], sign: str, language: str) -> Any:
        if name not in tables:
            return None
        table = tables[name]
        if name == "cohorts":
            return draw.cohorts(table, language)
        if name == "segment_map":
            return draw.segment_map(table, sign, language)
        if name == "churn_by_tier":
            names = {level.key: (level.name_zh if language == "zh" else level.name_en) or level.key for level in self._desk.rules.tiers.levels}
            return draw.churn_by_tier(table, {"none": "–", **names}, language)
        if name == "value_by_tenth":
            return draw.value_by_tenth(table, sign, language)
        return draw.demand(table, "points" if name == "points" else "all", say(f"{name}_ahead", language))


def _note(text: str) -> str:
    return f'<div class="card soft">{escape(text)}</div>'


def _link(name: str, tables: dict[str, Any], language: str) -> str:
    if name not in tables:
        return ""
    return f'<p class="soft"><a href="/api/v1/insight/{name}.csv" download>{escape(say("csv", language))}</a></p>'


def _groups(tables: dict[str, Any], sign: str, language: str) -> str:
    """The segments as a table: size, share of spend, risk, worth."""
    if "segments" not in tables:
        return ""
    head = "".join(
        f"<th>{escape(say(key, language))}</th>" for key in ("segment", "members_count", "share_of_spend", "orders_a_year", "at_risk", "worth_a_year")
    )
    rows = []
    for row in tables["segments"].to_dict("records"):
        known = lambda value, text: "–" if value != value else text  # noqa: E731
        cells = (
            draw.named(row["segment"], language),
            f"{row['members']:,}",
            f"{100 * row['spend_share']:.0f}%",
            f"{row['orders_365']:.1f}",
            known(row["churn"], f"{100 * row['churn']:.0f}%"),
            known(row["value_cents"], f"{sign}{row['value_cents'] / 100:,.0f}"),
        )
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    link = f'<p class="soft"><a href="/api/v1/insight/segments.csv" download>{escape(say("csv", language))}</a></p>'
    return f'<div class="card"><h3>{escape(say("segments", language))}</h3><div class="wide"><table class="plain"><tr>{head}</tr>{"".join(rows)}</table></div>{link}</div>'
