"""The support page: find a member, see who they are, and ask beside it."""

from html import escape
from typing import Any

import gradio as gr

import prompts
from assistant.desk import Desk
from assistant.tokens import Tokens
from prompts import formats
from tools.outlook import flag_facts
from ui import charts, inbox, insight, look, talk
from ui import insight_charts as draw
from ui.words import say, state


def build(desk: Desk, tokens: Tokens) -> gr.Blocks:
    """The page of role support."""
    with gr.Blocks(title="Patron · Support", analytics_enabled=False, fill_width=True) as page:
        top = gr.HTML(padding=False)
        language = gr.Radio([("English", "en"), ("中文", "zh")], value="en", show_label=False, container=False, elem_id="language")
        with gr.Row():
            with gr.Column(scale=3, min_width=280), gr.Tabs(elem_id="desk-tabs"):
                with gr.Tab(say("members_tab", "en"), id="members", elem_id="tab-members") as members_tab:
                    with gr.Row():
                        who = gr.Textbox(show_label=False, placeholder=say("find", "en"), scale=5, elem_id="find", max_length=80)
                        go = gr.Button(say("find_button", "en"), variant="primary", scale=1, min_width=80, elem_id="find-button")
                    matches = gr.Radio([], label=say("matches", "en"), visible=False, elem_id="matches")
                    profile = gr.HTML(f'<div class="card soft">{say("start_find", "en")}</div>', elem_id="profile", padding=False)
                    with gr.Row():
                        gauge, worth = (gr.Plot(show_label=False, visible=False, elem_id=name) for name in ("gauge", "worth"))
                    reasons = gr.HTML(elem_id="reasons", padding=False)
                    line = gr.Plot(show_label=False, visible=False, elem_id="timeline")
                    with gr.Row():
                        months, way = gr.Plot(show_label=False, visible=False), gr.Plot(show_label=False, visible=False)
                    with gr.Row():
                        path, points = gr.Plot(show_label=False, visible=False, elem_id="tier-path"), gr.Plot(show_label=False, visible=False)
                    orders = gr.HTML(elem_id="orders", padding=False)
                with gr.Tab(say("insight_tab", "en"), id="insight", elem_id="tab-insight") as insight_tab:
                    figures = insight.Panel(desk, tokens)
                with gr.Tab(say("inbox_tab", "en"), id="inbox", elem_id="tab-inbox") as inbox_tab:
                    panel_of_tickets = inbox.Panel(desk, tokens)
                with gr.Tab(say("causes_tab", "en"), id="causes", elem_id="tab-causes") as causes_tab:
                    days = gr.Radio([1, 7, 30, 90], value=30, label=say("digest_days", "en"), elem_id="digest-days")
                    causes, trend = gr.HTML(elem_id="causes", padding=False), gr.Plot(show_label=False, visible=False)
            with gr.Column(scale=2, min_width=280):
                chat = talk.build("support", height=520)
        shown: Any = gr.State(None)

        def find(text: str, speech: str, request: gr.Request) -> list[Any]:
            return _find(desk, tokens, text, speech, request)

        def pick(member_id: str, speech: str, request: gr.Request) -> list[Any]:
            return [member_id, *_profile(desk, tokens, member_id, speech, request)]

        def switch(member_id: str | None, speech: str, request: gr.Request) -> list[Any]:
            caller = talk.caller_of(desk, tokens, request)
            bar = look.bar(desk.settings.shop()["name"], caller.name if caller else "", speech)
            texts = [gr.update(placeholder=say("find", speech)), gr.update(value=say("find_button", speech)), gr.update(label=say("matches", speech))]
            tabs = [gr.update(label=say(f"{name}_tab", speech)) for name in ("members", "insight", "inbox", "causes")]
            return [bar, *texts, *tabs, *_profile(desk, tokens, member_id, speech, request), *talk.relabelled("support", speech)]

        def digest(number: int, speech: str, request: gr.Request) -> list[Any]:
            return inbox.causes(desk, tokens, number, speech, request)

        def seen(speech: str, request: gr.Request) -> list[Any]:
            return figures.updates(speech, request)

        panel_of_tickets.wire(language)
        insight_tab.select(seen, [language], figures.outputs())
        language.input(seen, [language], figures.outputs())
        inbox_tab.select(panel_of_tickets.updates_of, [panel_of_tickets.list, language, panel_of_tickets.second_pick], panel_of_tickets.outputs())
        causes_tab.select(digest, [days, language], [causes, trend])
        days.input(digest, [days, language], [causes, trend])
        panel = [profile, gauge, worth, reasons, line, months, way, path, points, orders]
        for run in (who.submit, go.click):
            run(find, [who, language], [matches, shown, *panel])
        matches.input(pick, [matches, language], [shown, *panel])
        talk.wire(desk, tokens, chat, language)
        fixed = [top, who, go, matches, members_tab, insight_tab, inbox_tab, causes_tab, *panel, chat.chat, chat.box, chat.send, *chat.buttons]
        language.input(switch, [shown, language], fixed)
        page.load(switch, [shown, language], fixed)
    return page


def _find(desk: Desk, tokens: Tokens, text: str, speech: str, request: gr.Request) -> list[Any]:
    caller = talk.caller_of(desk, tokens, request)
    if caller is None or not (text or "").strip():
        return [gr.update(visible=False), None, *_nothing(say("start_find" if caller else "signed_out", speech))]
    found = desk.gateway(caller, "").call("find_member", {"who": text.strip()[:80]}).result.get("members", [])
    if not found:
        return [gr.update(visible=False), None, *_nothing(say("nobody", speech))]
    choices = [(f"{m['name'] or m['member_id']} · {m['member_id']} · {m['city']}", m["member_id"]) for m in found]
    first = found[0]["member_id"]
    return [gr.update(choices=choices, value=first, visible=len(found) > 1), first, *_profile(desk, tokens, first, speech, request)]


def _nothing(text: str) -> list[Any]:
    hidden = gr.update(visible=False)
    return [f'<div class="card soft">{text}</div>', hidden, hidden, "", *[hidden] * 5, ""]


def _profile(desk: Desk, tokens: Tokens, member_id: str | None, speech: str, request: gr.Request) -> list[Any]:
    caller = talk.caller_of(desk, tokens, request)
    if caller is None or member_id is None:
        return _nothing(say("start_find" if caller else "signed_out", speech))
    gateway = desk.gateway(caller, "")
    r = gateway.call("member_insight", {"who": member_id}).result
    listed = gateway.call("member_orders", {"who": member_id, "limit": 10}).result
    figures = desk.knowing.member(caller, member_id)
    why = gateway.call("why", {"who": member_id}) if figures["scores"] else None
    sign = formats.SIGNS.get(r["currency"], "")
    levels = [(t["key"], formats.either(t, "name", speech)) for t in figures["tiers"]]
    above = [(formats.either(t, "name", speech), float(t["threshold"])) for t in figures["tiers"] if float(t["threshold"])]
    scores = figures["scores"] or {}
    chance, value = scores.get("churn"), scores.get("value")
    return [
        _head(r, scores, speech),
        gr.update(value=None if chance is None else draw.churn_gauge(chance, speech), visible=chance is not None),
        gr.update(value=None if value is None else draw.value_interval(scores, sign, speech), visible=value is not None),
        _reasons(why, scores, desk.today.isoformat(), speech),
        gr.update(value=draw.timeline(figures["timeline"], sign, speech), visible=bool(figures["timeline"])),
        gr.update(value=charts.spend_by_month(figures["months"], sign, speech), visible=True),
        gr.update(value=charts.tier_progress(figures["standing"], above, sign, speech), visible=True),
        gr.update(
            value=draw.tier_path(figures["tier_path"], levels, desk.today.isoformat(), speech) if figures["tier_path"] else None,
            visible=bool(figures["tier_path"]),
        ),
        gr.update(value=charts.points_over_time(figures["points"], speech), visible=bool(figures["points"])),
        _orders(listed, speech),
    ]


def _reasons(why: Any, scores: dict[str, Any], today: str, speech: str) -> str:
    """Why the risk is what it is, and what a person should look at."""
    parts = []
    if why is not None and why.status == "ok" and why.result["reasons"]:
        values = {"r": why.result, "a": {}, "today": today, "name": "", "role": "", "shown": 0}
        parts.append(f"<p><b>{escape(say('why_risk', speech))}:</b> {escape(prompts.phrase(speech, 'reason_line', **values))}</p>")
    if scores.get("flags"):
        shown = [{"key": f["key"], "facts": flag_facts(f["facts"])} for f in scores["flags"]]
        values = {"r": {"flags": shown, "currency": why.result["currency"] if why else ""}, "a": {}, "today": today, "name": "", "role": "", "shown": 0}
        parts.append(f'<p class="warn"><b>{escape(say("to_check", speech))}:</b> {escape(prompts.phrase(speech, "flag_line", **values))}</p>')
    return f'<div class="card">{"".join(parts)}</div>' if parts else ""


def _head(r: dict[str, Any], scores: dict[str, Any], speech: str) -> str:
    def money(amount: str) -> str:
        return formats.money(amount, r["currency"])

    pairs = [
        (say("orders_in_all", speech), formats.number(r["orders"])),
        (say("spend_in_all", speech), money(r["spend"])),
        (say("spend_last_year", speech), money(r["spend_last_year"])),
        (say("average_order", speech), money(r["average_order"])),
        (say("points", speech), formats.number(r["points"])),
        (say("days_since", speech), str(r["days_since_last"] if r["days_since_last"] is not None else "–")),
        (say("usual_gap", speech), str(r["usual_gap_days"] or "–")),
        (say("group", speech), draw.named(scores["segment"], speech) if scores.get("segment") else "–"),
        (say("next_order", speech), formats.day(scores["next_order_on"], speech, str(r["as_of"])) if scores.get("next_order_on") else "–"),
    ]
    signs = prompts.phrase(speech, "signs_line", r=r, a={}, today=str(r["as_of"]), name="", role="", shown=0)
    liked = ", ".join(r[f"favourites_{speech}"])
    tier = formats.either(r, "tier_name", speech)
    return (
        f'<div class="card"><h3>{escape(r["name"] or r["member_id"])}</h3><span class="soft">{escape(r["member_id"])} · {escape(tier)} · {escape(r["city"])}</span>{look.tiles(pairs)}'
        f"<p><b>{escape(say('signs', speech))}:</b> {escape(signs)}</p><p><b>{escape(say('favourites', speech))}:</b> {escape(liked)}</p></div>"
    )


def _orders(listed: dict[str, Any], speech: str) -> str:
    rows = []
    for o in listed.get("orders", []):
        more = o["more_articles"] + max(0, len(o["articles"]) - 3)
        articles = ", ".join(formats.either(line, "name", speech) for line in o["articles"][:3]) + (f" +{more}" if more else "")
        cells = (
            o["order_id"],
            formats.day(str(o["ordered_on"]), speech) if o["ordered_on"] else "–",
            articles,
            formats.money(o["total"], listed["currency"]),
            state(o["status"], speech),
        )
        rows.append("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{escape(say(key, speech))}</th>" for key in ("order", "day", "articles", "total", "state"))
    return f'<div class="card"><table class="plain"><tr>{head}</tr>{"".join(rows)}</table></div>' if rows else ""
