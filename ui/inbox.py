"""The support page's inbox: who needs a person, their chat, and what waits for a second person."""

from html import escape
from typing import Any

import gradio as gr

import prompts
from assistant.desk import Desk
from assistant.embedded.model import outcome_text
from assistant.handoff import Opened
from assistant.inbox import Second
from assistant.tokens import Tokens
from members import tickets
from members.access import Caller
from members.errors import Refusal
from members.program import Program
from prompts import formats
from tools.tickets import TicketBrief
from ui import charts, look, talk
from ui.words import say, state

_EVERY_SECONDS = 3.0


class Panel:
    """The widgets of the inbox and how they follow each other."""

    def __init__(self, desk: Desk, tokens: Tokens) -> None:
        """Lay the inbox out; `wire` brings it to life."""
        self.desk, self.tokens = desk, tokens
        self.seconds = gr.HTML(elem_id="seconds", padding=False)
        with gr.Column(visible=False) as self.second_row:
            self.second_pick = gr.Radio([], label=say("second_title", "en"), show_label=False, elem_id="second-pick")
            with gr.Row():
                self.second_yes = gr.Button(say("second_yes", "en"), variant="primary", size="sm", elem_id="second-yes")
                self.second_no = gr.Button(say("second_no", "en"), size="sm", elem_id="second-no")
        self.list = gr.Radio([], label=say("inbox_tab", "en"), show_label=False, elem_id="tickets")
        self.ticket = gr.HTML(f'<div class="card soft">{say("pick_ticket", "en")}</div>', elem_id="ticket", padding=False)
        with gr.Row(visible=False, equal_height=False) as self.acts:
            self.take = gr.Button(say("take", "en"), variant="primary", size="sm", elem_id="take")
            self.back = gr.Button(say("give_back", "en"), size="sm", elem_id="give-back")
            self.reason = gr.Dropdown([(say("closed_solved", "en"), "solved")], value="solved", label=say("close_reason", "en"), elem_id="close-reason")
            self.close = gr.Button(say("close_ticket", "en"), size="sm", elem_id="close-ticket")
        with gr.Row(visible=False) as self.answer:
            self.box = gr.Textbox(show_label=False, placeholder=say("reply_here", "en"), scale=6, max_length=4000, elem_id="reply")
            self.send = gr.Button(say("reply_send", "en"), variant="primary", scale=1, min_width=170, elem_id="reply-send")
        self.timer = gr.Timer(_EVERY_SECONDS)

    def outputs(self) -> list[Any]:
        """Every widget an act may change."""
        return [self.list, self.ticket, self.acts, self.take, self.back, self.reason, self.close, self.answer, self.box, self.send, *self._second()]

    def _second(self) -> list[Any]:
        return [self.seconds, self.second_row, self.second_pick, self.second_yes, self.second_no]

    def wire(self, language: Any) -> None:
        """Connect the widgets to the desk."""

        shown = self.updates_of

        def act(name: str) -> Any:
            def done(picked: str | None, speech: str, text: str, reason: str, second: str | None, request: gr.Request) -> list[Any]:
                return self._act(name, picked, speech, text, reason, second, request)

            return done

        def decided(yes: bool) -> Any:
            def done(picked: str | None, ticket: str | None, speech: str, request: gr.Request) -> list[Any]:
                return self._decided(yes, picked, ticket, speech, request)

            return done

        seen = [self.list, language, self.second_pick]
        self.list.input(shown, seen, self.outputs(), show_progress="hidden")
        self.timer.tick(shown, seen, self.outputs(), show_progress="hidden")
        given = [self.list, language, self.box, self.reason, self.second_pick]
        for name, button in (("take", self.take), ("back", self.back), ("close", self.close)):
            button.click(act(name), given, self.outputs())
        for run in (self.send.click, self.box.submit):
            run(act("reply"), given, self.outputs())
        for yes, button in ((True, self.second_yes), (False, self.second_no)):
            button.click(decided(yes), [self.second_pick, self.list, language], self.outputs())

    def updates_of(self, picked: str | None, speech: str, second: str | None, request: gr.Request) -> list[Any]:
        """What the inbox shows now, for the ticket and the proposal picked."""
        return self.updates(picked, speech, request, second=second)

    # --- what is shown ------------------------------------------------------------------

    def updates(self, picked: str | None, speech: str, request: gr.Request, *, second: str | None = None, clear: bool = False) -> list[Any]:
        """Values for `outputs`."""
        caller = talk.caller_of(self.desk, self.tokens, request)
        if caller is None:
            hidden = gr.update(visible=False)
            return [
                gr.update(choices=[], value=None),
                f'<div class="card soft">{say("signed_out", speech)}</div>',
                hidden,
                *[gr.update()] * 4,
                hidden,
                *[gr.update()] * 2,
                "",
                hidden,
                *[gr.update()] * 3,
            ]
        waiting = self.desk.inbox.waiting(caller)
        ids = [t.ticket_id for t in waiting]
        picked = picked if picked in ids else None
        opened = self.desk.inbox.open(caller, picked) if picked else None
        mine = opened is not None and opened.brief.status == "taken" and opened.brief.assignee == caller.name
        free = opened is not None and opened.brief.status == "open"
        nothing = say("pick_ticket" if waiting else "no_tickets", speech)
        reasons = [(say(f"closed_{key}", speech), key) for key in tickets.CLOSINGS]
        return [
            gr.update(choices=[(_label(t, speech), t.ticket_id) for t in waiting], value=picked),
            _opened(opened, speech, str(self.desk.today), self.desk.rules) if opened else f'<div class="card soft">{escape(nothing)}</div>',
            gr.update(visible=opened is not None),
            gr.update(value=say("take", speech), visible=free),
            gr.update(value=say("give_back", speech), visible=mine),
            gr.update(choices=reasons, label=say("close_reason", speech), visible=mine or free),
            gr.update(value=say("close_ticket", speech), visible=mine or free),
            gr.update(visible=mine and opened is not None and opened.brief.has_chat),
            gr.update(value="", placeholder=say("reply_here", speech)) if clear else gr.update(placeholder=say("reply_here", speech)),
            gr.update(value=say("reply_send", speech)),
            *self._seconds_shown(caller, speech, second),
        ]

    def _seconds_shown(self, caller: Caller, speech: str, picked: str | None) -> list[Any]:
        found = self.desk.inbox.seconds(caller)
        choices = [(proposal(s, speech, str(self.desk.today)), s.approval_id) for s in found]
        head = f"<h4>{escape(say('second_title', speech))}</h4>" if found else ""
        ids = [s.approval_id for s in found]
        value = picked if picked in ids else ids[0] if len(ids) == 1 else None
        return [
            head,
            gr.update(visible=bool(found)),
            gr.update(choices=choices, value=value),
            gr.update(value=say("second_yes", speech)),
            gr.update(value=say("second_no", speech)),
        ]

    # --- what is done -------------------------------------------------------------------

    def _act(self, name: str, picked: str | None, speech: str, text: str, reason: str | None, second: str | None, request: gr.Request) -> list[Any]:
        caller = talk.caller_of(self.desk, self.tokens, request)
        if caller is None or not picked:
            return self.updates(picked, speech, request, second=second)
        sent = False
        try:
            if name == "take":
                self.desk.inbox.take(caller, picked)
            elif name == "back":
                self.desk.inbox.give_back(caller, picked)
            elif name == "close":
                self.desk.inbox.close(caller, picked, reason or "solved")
            elif text.strip():
                self.desk.inbox.reply(caller, picked, text)
                sent = True
        except Refusal as refusal:
            gr.Warning(refusal.fact)
        return self.updates(picked, speech, request, second=second, clear=sent)

    def _decided(self, yes: bool, approval: str | None, ticket: str | None, speech: str, request: gr.Request) -> list[Any]:
        caller = talk.caller_of(self.desk, self.tokens, request)
        if caller is not None and approval:
            try:
                self.desk.inbox.decide_second(caller, approval, yes=yes)
            except Refusal as refusal:
                gr.Warning(refusal.fact)
        return self.updates(ticket, speech, request)


def causes(desk: Desk, tokens: Tokens, days: int, speech: str, request: gr.Request) -> list[Any]:
    """The digest of causes: a table and the trend."""
    caller = talk.caller_of(desk, tokens, request)
    if caller is None:
        return [f'<div class="card soft">{say("signed_out", speech)}</div>', gr.update(visible=False)]
    found = desk.inbox.digest(caller, int(days))
    names = {c["cause"]: cause_name(c["cause"], speech) for c in found["causes"]}
    rows = "".join(
        f"<tr><td>{escape(names[c['cause']])}</td><td>{c['count']}</td><td>{c['before']}</td><td>{escape(c['ticket_id'])} “{escape(c['example'][:90])}”</td></tr>"
        for c in found["causes"]
    )
    head = "".join(f"<th>{escape(say(key, speech))}</th>" for key in ("cause", "count", "before", "example"))
    table = (
        f'<div class="card"><table class="plain"><tr>{head}</tr>{rows}</table></div>'
        if rows
        else f'<div class="card soft">{escape(say("no_tickets", speech))}</div>'
    )
    counts = [(str(day), cause, n) for day, cause, n in found["by_day"]]
    return [table, gr.update(value=charts.tickets_by_day(counts, names, speech), visible=bool(counts))]


def cause_name(cause: str, speech: str) -> str:
    """A cause as people read it."""
    return prompts.phrase(speech, "cause_called", r={"cause": cause}, a={}, today="", name="", role="", shown=0)


# --- HTML -------------------------------------------------------------------------------


def _label(t: TicketBrief, speech: str) -> str:
    who = f"{say('in_hand', speech)} {t.assignee}" if t.status == "taken" else f"{say('waits', speech)} {_waited(t.waited_hours, speech)}"
    return f"{t.ticket_id} · {t.name or t.member_id} · {cause_name(t.cause, speech)} · P{t.priority} · {who}"


def _waited(hours: float, speech: str) -> str:
    if hours >= 48:
        return f"{hours / 24:.0f} {say('days', speech)}"
    return f"{hours:.0f} {say('hours', speech)}" if hours >= 1 else f"{hours * 60:.0f} {say('minutes', speech)}"


def proposal(s: Second, speech: str, today: str) -> str:
    """What the second person decides, in words of its own: their own yes is the last one."""
    facts = {**s.facts, "waits_for_second": False}
    told = outcome_text(s.tool, facts, language=speech, today=today, suffix="card").replace("**", "")
    why = f" “{s.facts['why']}”" if s.facts.get("why") else ""
    return f"{told}{why} ({say('proposed_by', speech)} {s.by})"


def _facts(opened: Opened, speech: str, currency: str) -> str:
    """What was gathered, as people read it; a fact without a name of its own stays out."""
    f = opened.facts
    told = []
    if f.get("order_id"):
        told.append(f"{say('order', speech)} {f['order_id']}")
    if f.get("order_state"):
        told.append(state(f["order_state"], speech))
    if f.get("order_total"):
        told.append(formats.money(f["order_total"], currency))
    if f.get("days_late"):
        told.append(f"{f['days_late']} {say('days_late', speech)}")
    if "points" in f:
        told.append(f"{formats.number(f['points'])} {say('points', speech)}")
    if f.get("language"):
        told.append(f"{say('speaks', speech)}: {say('speaks_' + str(f['language']), speech)}")
    return " · ".join(escape(part) for part in told)


def _chat(opened: Opened, speech: str) -> str:
    who = {"human": opened.brief.name or say("the_member", speech), "ai": say("assistant", speech)}
    told = "".join(
        f"<p{' class=ours' if line['kind'] == 'staff' else ''}><b>{escape(who.get(line['kind'], line['from']))}</b>: {look.bold(line['text'])}</p>"
        for line in opened.chat[-30:]
    )
    return f"<div class='chatlog'><div>{told or escape(say('no_chat', speech))}</div></div>"


def _opened(opened: Opened, speech: str, today: str, rules: Program) -> str:
    b = opened.brief
    level = rules.tier(b.tier)
    facts = _facts(opened, speech, rules.currency)
    tried = "".join(f"<li>{escape(str(line))}</li>" for line in opened.facts.get("tried", []))
    due = f"{formats.day(opened.answer_by.date(), speech, today)} {opened.answer_by:%H:%M}"
    step = f"<p><b>{escape(say('next_step', speech))}:</b> {escape(say(f'step_{b.next_step}', speech))}</p>" if b.next_step else ""
    return (
        f'<div class="card"><h3>{escape(b.ticket_id)} · {escape(b.name or b.member_id)}</h3>'
        f'<span class="soft">{escape(b.member_id)} · {escape(level.name_zh if speech == "zh" else level.name_en)} · {escape(cause_name(b.cause, speech))} · {escape(say("priority", speech))} {b.priority} · {escape(say("answer_due", speech))} {escape(due)}</span>'
        f"<p>“{look.bold(opened.body)}”</p>{step}"
        + (f"<p class='soft'><b>{escape(say('gathered', speech))}:</b> {facts}</p>" if facts else "")
        + (f"<ul class='soft'>{tried}</ul>" if tried else "")
        + f"{_chat(opened, speech)}</div>"
    )
