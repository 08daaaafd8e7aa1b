"""The policy lab: today's rules and two proposals side by side, played a year, and adopted by two people."""

from html import escape
from typing import Any

import gradio as gr

from assistant.desk import Desk
from assistant.embedded.model import refusal_text, worded
from assistant.embedded.ruling import rules_in
from assistant.tokens import Tokens
from prompts import formats
from ui import lab_charts, look, talk
from ui.studio_steps import Panel as Steps
from ui.words import say

_PLOTS = ("moves", "money", "reach", "groups")


class Panel:
    """The widgets of the lab and what fills them; cards are the studio's."""

    def __init__(self, desk: Desk, tokens: Tokens, steps: Steps) -> None:
        """Lay the lab out."""
        self.desk, self.tokens, self.steps = desk, tokens, steps
        self.sentence = gr.Textbox(show_label=False, placeholder=say("lab_sentence", "en"), elem_id="lab-sentence", max_length=300)
        self.table = gr.Dataframe(
            value=self._rules("en"),
            headers=[say(key, "en") for key in ("lab_rule", "lab_today", "lab_first", "lab_second")],
            datatype=["str", "number", "number", "number"],
            interactive=True,
            static_columns=[0, 1],
            elem_id="lab-rules",
            row_count=(len(self._keys()), "fixed"),
            column_count=(4, "fixed"),
            show_label=False,
        )
        with gr.Row():
            self.play = gr.Button(say("lab_play", "en"), variant="primary", elem_id="lab-play")
            self.budget = gr.Number(label=say("lab_budget", "en"), minimum=0, value=None, elem_id="lab-budget")
            self.lower = gr.Number(label=say("lab_lower", "en"), minimum=0, maximum=100, value=5, elem_id="lab-lower")
            self.search = gr.Button(say("lab_search", "en"), elem_id="lab-search")
        self.invented = gr.Number(
            label=say("lab_invented", "en"), info=say("lab_invented_why", "en"), minimum=0, maximum=50_000_000, precision=0, value=None, elem_id="lab-invented"
        )
        self.told = gr.HTML(f'<div class="card soft">{say("lab_empty", "en")}</div>', elem_id="lab-told", padding=False)
        with gr.Row():
            self.plots = {name: gr.Plot(show_label=False, visible=False, elem_id=f"lab-{name}") for name in _PLOTS[:2]}
        with gr.Row():
            self.plots |= {name: gr.Plot(show_label=False, visible=False, elem_id=f"lab-{name}") for name in _PLOTS[2:]}
        with gr.Row():
            self.starts = gr.Textbox(label=say("lab_starts", "en"), elem_id="lab-starts", max_length=10, placeholder="2027-01-01")
            self.adopt = gr.Button(say("lab_adopt", "en"), elem_id="lab-adopt")
        with gr.Column(visible=False, elem_classes=["ask"], elem_id="lab-card") as self.card:
            self.card_text = gr.HTML(padding=False)
            with gr.Row():
                self.yes, self.no = gr.Button("", variant="primary", size="sm", elem_id="lab-yes"), gr.Button("", size="sm", elem_id="lab-no")
        self.waiting = gr.State(None)
        self.done = gr.HTML(elem_id="lab-done", padding=False)
        self.versions = gr.HTML(elem_id="lab-versions", padding=False)

    # --- wiring -------------------------------------------------------------------------

    def outcome(self) -> list[Any]:
        """What playing fills."""
        return [self.table, self.told, *self.plots.values()]

    def wire(self, language: Any) -> None:
        """Connect the widgets to the desk."""

        def said(text: str, table: Any, many: Any, speech: str, request: gr.Request) -> list[Any]:
            return self._said(text, table, many, speech, request)

        def played(table: Any, many: Any, speech: str, request: gr.Request) -> list[Any]:
            return self._played(table, many, speech, request)

        def searched(table: Any, budget: Any, lower: Any, many: Any, speech: str, request: gr.Request) -> list[Any]:
            return self._searched(table, budget, lower, many, speech, request)

        def adopting(table: Any, starts: str, speech: str, request: gr.Request) -> list[Any]:
            first, _ = self._proposals(table)
            return self.steps._propose("adopt_policy", {"rules": first, "starts_on": (starts or "").strip()}, speech, request)

        def decide(yes: bool) -> Any:
            def decided(waiting: Any, speech: str, request: gr.Request) -> list[Any]:
                return [*self.steps._decided(yes, waiting, speech, request), self._adopted(speech, request)]

            return decided

        card = [self.card, self.card_text, self.yes, self.no, self.waiting, self.done]
        self.sentence.submit(said, [self.sentence, self.table, self.invented, language], self.outcome())
        self.play.click(played, [self.table, self.invented, language], self.outcome())
        self.search.click(searched, [self.table, self.budget, self.lower, self.invented, language], self.outcome())
        self.adopt.click(adopting, [self.table, self.starts, language], card)
        for yes, button in ((True, self.yes), (False, self.no)):
            button.click(decide(yes), [self.waiting, language], [*card, self.versions])

    def fixed(self) -> list[Any]:
        """What a switch of language changes."""
        return [self.sentence, self.table, self.play, self.budget, self.lower, self.search, self.invented, self.starts, self.adopt, self.versions]

    def relabelled(self, table: Any, speech: str, request: gr.Request) -> list[Any]:
        """Texts in a language, in the order of `fixed`; what was typed stays."""
        names = self._rules(speech)
        rows = [[names[n][0], names[n][1], *row[2:4]] for n, row in enumerate(self._cells(table))] if table is not None else names
        return [
            gr.update(placeholder=say("lab_sentence", speech)),
            gr.update(value=rows, headers=[say(key, speech) for key in ("lab_rule", "lab_today", "lab_first", "lab_second")]),
            gr.update(value=say("lab_play", speech)),
            gr.update(label=say("lab_budget", speech)),
            gr.update(label=say("lab_lower", speech)),
            gr.update(value=say("lab_search", speech)),
            gr.update(label=say("lab_invented", speech), info=say("lab_invented_why", speech)),
            gr.update(label=say("lab_starts", speech)),
            gr.update(value=say("lab_adopt", speech)),
            self._adopted(speech, request),
        ]

    # --- rules as a table ---------------------------------------------------------------

    def _keys(self) -> list[tuple[str, str]]:
        tiers = [level.key for level in self.desk.rules.tiers.levels]
        rows = [("threshold", key) for key in tiers[1:]] + [("discount", key) for key in tiers]
        return [*rows, ("expiry", ""), ("window", ""), ("grace", "")]

    def _rules(self, speech: str) -> list[list[Any]]:
        rules = self.desk.rules
        rows: list[list[Any]] = []
        for what, key in self._keys():
            level = rules.tier(key) if key else None
            name = (level.name_zh or level.name_en) if level and speech == "zh" else level.name_en if level else ""
            now: float = {
                "threshold": level.threshold_cents / 100 if level else 0,
                "discount": level.discount_percent if level else 0,
                "expiry": rules.expiry.months,
                "window": rules.tiers.window_days,
                "grace": rules.tiers.grace_days,
            }[what]
            rows.append([f"{name} {say(f'lab_{what}', speech)}".strip(), now, None, None])
        return rows

    @staticmethod
    def _cells(table: Any) -> list[list[Any]]:
        rows: list[list[Any]] = table.to_numpy().tolist() if hasattr(table, "to_numpy") else list(table or [])
        return rows

    def _proposals(self, table: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        found: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        for (what, key), row in zip(self._keys(), self._cells(table), strict=False):
            for which, made in enumerate(found):
                value = _number(row[2 + which])
                if value is None or value == _number(row[1]):
                    continue
                if what == "threshold":
                    made.setdefault("thresholds", {})[key] = value
                elif what == "discount":
                    made.setdefault("discounts", {})[key] = int(value)
                else:
                    made[{"expiry": "expiry_months", "window": "window_days", "grace": "grace_days"}[what]] = int(value)
        return found

    def _filled(self, rules: dict[str, Any], speech: str, other: Any = None) -> list[list[Any]]:
        """The table with a proposal in its third column; the fourth stays as it was."""
        before = self._cells(other) if other is not None else []
        rows = self._rules(speech)
        for n, (what, key) in enumerate(self._keys()):
            value = {
                "threshold": (rules.get("thresholds") or {}).get(key),
                "discount": (rules.get("discounts") or {}).get(key),
                "expiry": rules.get("expiry_months"),
                "window": rules.get("window_days"),
                "grace": rules.get("grace_days"),
            }[what]
            rows[n][2] = value
            rows[n][3] = before[n][3] if n < len(before) else None
        return rows

    # --- playing ------------------------------------------------------------------------

    def _said(self, text: str, table: Any, many: Any, speech: str, request: gr.Request) -> list[Any]:
        rules = rules_in(text or "")
        if not rules:
            return [gr.update(), f'<div class="card warn">{escape(say("lab_empty", speech))}</div>', *[gr.update()] * len(_PLOTS)]
        filled = self._filled(rules, speech, table)
        return [gr.update(value=filled), *self._shown(rules, self._proposals(filled)[1], many, speech, request)]

    def _played(self, table: Any, many: Any, speech: str, request: gr.Request) -> list[Any]:
        first, second = self._proposals(table)
        return [gr.update(), *self._shown(first, second, many, speech, request)]

    def _shown(self, first: dict[str, Any], second: dict[str, Any], many: Any, speech: str, request: gr.Request) -> list[Any]:
        caller = talk.caller_of(self.desk, self.tokens, request)
        hidden = [gr.update(visible=False)] * len(_PLOTS)
        if caller is None:
            return [say("signed_out", speech), *hidden]
        if not first and not second:
            return [f'<div class="card soft">{escape(say("lab_empty", speech))}</div>', *hidden]
        if first and second:
            outcome = self.desk.gateway(caller, "").call("compare_policies", {"first": first, "second": second, **_on(many)})
        else:
            outcome = self.desk.gateway(caller, "").call("policy_what_if", {"rules": first or second, **_on(many)})
        return self._drawn(outcome, speech)

    def _searched(self, table: Any, budget: Any, lower: Any, many: Any, speech: str, request: gr.Request) -> list[Any]:
        caller = talk.caller_of(self.desk, self.tokens, request)
        if caller is None:
            return [gr.update(), say("signed_out", speech), *[gr.update(visible=False)] * len(_PLOTS)]
        asked: dict[str, Any] = {"search": True, "downgraded_most_percent": float(lower if lower is not None else 5), **_on(many)}
        if budget:
            asked["budget"] = float(budget)
        outcome = self.desk.gateway(caller, "").call("policy_what_if", asked)
        found = outcome.result.get("found_thresholds")
        filled = gr.update(value=self._filled({"thresholds": {k: float(v) for k, v in found.items()}}, speech, table)) if found else gr.update()
        return [filled, *self._drawn(outcome, speech)]

    def _drawn(self, outcome: Any, speech: str) -> list[Any]:
        today = self.desk.today.isoformat()
        if outcome.status != "ok":
            return [
                f'<div class="card warn">{look.bold(refusal_text(outcome.result, language=speech, today=today))}</div>',
                *[gr.update(visible=False)] * len(_PLOTS),
            ]
        r = outcome.result
        both = [(say("lab_first", speech), r["first"]), (say("lab_second", speech), r["second"])] if "first" in r else [(say("lab_first", speech), r)]
        one = both[0][1]
        sign = formats.SIGNS.get(one["currency"], "")
        names = {level.key: (level.name_zh or level.name_en) if speech == "zh" else level.name_en for level in self.desk.rules.tiers.levels}
        text = worded(outcome.tool, outcome.arguments, outcome.text(), language=speech, today=today)
        by_tier = sorted((g for g in one["groups"] if g["by"] == "tier"), key=lambda g: self.desk.rules.rank(g["key"]))
        drawn = [
            lab_charts.sankey(one["tiers"], one["moves"], speech),
            lab_charts.money(both, sign, speech),
            lab_charts.reach(one["assumptions"], float(one["net"]["value"]), sign, speech),
            lab_charts.groups(by_tier, names, speech),
        ]
        return [f'<div class="card">{look.bold(text)}</div>', *(gr.update(value=figure, visible=True) for figure in drawn)]

    def _adopted(self, speech: str, request: gr.Request) -> str:
        caller = talk.caller_of(self.desk, self.tokens, request)
        found = self.desk.studio.versions(caller) if caller else []
        if not found:
            return ""
        rows = "".join(
            f"<tr><td>{escape(v['version'])}</td><td>{escape(formats.day(v['starts_on'], speech))}</td><td>{escape('; '.join(f'''{c['path']}: {c['before']} → {c['after']}''' for c in v['changes']))}</td></tr>"
            for v in found
        )
        return f'<div class="card"><h3>{escape(say("lab_versions", speech))}</h3><div class="wide"><table class="plain">{rows}</table></div></div>'


def _on(many: Any) -> dict[str, int]:
    """On whom rules are played: nothing said, the shop's own members."""
    return {"invented_members": int(many)} if many else {}


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return None if number != number else number
