"""The marketer's page: audience with a live count, copy variants side by side, and a chat."""

from datetime import date
from html import escape
from typing import Any

import gradio as gr

from assistant.desk import Desk
from assistant.tokens import Tokens
from prompts import formats
from ui import look, talk
from ui.words import say

_CHANNELS = ["email", "sms", "wechat", "push"]
_TONES = ["warm", "playful", "plain", "festive", "urgent"]


def build(desk: Desk, tokens: Tokens) -> gr.Blocks:
    """The page of role marketer."""
    places = desk.audience_choices()
    with gr.Blocks(title="Patron · Studio", analytics_enabled=False, fill_width=True) as page:
        top = gr.HTML(padding=False)
        language = gr.Radio([("English", "en"), ("中文", "zh")], value="en", show_label=False, container=False, elem_id="language")
        with gr.Row():
            with gr.Column(scale=3, min_width=280):
                audience_title = gr.Markdown(f"### {say('audience', 'en')}")
                count = gr.HTML(elem_id="count", padding=False)
                with gr.Row():
                    tiers = gr.Dropdown(places["tiers"], multiselect=True, value=[], label=say("tier", "en"), elem_id="tiers")
                    cities = gr.Dropdown(places["cities"], multiselect=True, value=[], label=say("city", "en"), elem_id="cities")
                    categories = gr.Dropdown(places["categories"], multiselect=True, value=[], label=say("bought_from", "en"), elem_id="categories")
                with gr.Row():
                    quiet = gr.Number(label=say("quiet_days", "en"), minimum=0, precision=0, value=None, elem_id="quiet")
                    least = gr.Number(label=say("spent_least", "en"), minimum=0, value=None, elem_id="least")
                    most = gr.Number(label=say("spent_most", "en"), minimum=0, value=None, elem_id="most")
                with gr.Row():
                    consent = gr.Dropdown([("–", ""), *((c, c) for c in _CHANNELS)], value="", label=say("channel", "en"), elem_id="consent")
                    speaks = gr.Dropdown([("–", ""), ("English", "en"), ("中文", "zh")], value="", label=say("speaks", "en"), elem_id="speaks")
                offer_title = gr.Markdown(f"### {say('offer', 'en')}")
                with gr.Row():
                    channel = gr.Dropdown(_CHANNELS, value="email", label=say("channel", "en"), elem_id="channel")
                    tone = gr.Dropdown(_TONES, value="warm", label=say("tone", "en"), elem_id="tone")
                    tongue = gr.Dropdown([("English", "en"), ("中文", "zh")], value="en", label=say("speaks", "en"), elem_id="tongue")
                with gr.Row():
                    product = gr.Textbox(label=say("product", "en"), elem_id="product", max_length=120)
                    percent = gr.Number(label=say("discount", "en"), minimum=0, maximum=90, precision=0, value=None, elem_id="percent")
                    until = gr.Textbox(label=say("until", "en"), elem_id="until", max_length=10)
                write = gr.Button(say("write", "en"), variant="primary", elem_id="write")
                copies = gr.HTML(f'<p class="soft">{say("start_copy", "en")}</p>', elem_id="copies", padding=False)
            with gr.Column(scale=2, min_width=280):
                chat_title = gr.Markdown(f"### {say('assistant', 'en')}")
                chat = talk.build("marketer", height=430)

        fields = [tiers, cities, categories, quiet, least, most, consent, speaks]

        # Gradio hands a request only to a function that names each of its inputs.
        def counted(t: Any, c: Any, k: Any, q: Any, low: Any, high: Any, a: Any, lang: Any, speech: str, request: gr.Request) -> str:
            return _count(desk, tokens, (t, c, k, q, low, high, a, lang), speech, request)

        def written(ch: Any, to: Any, lang: Any, what: Any, off: Any, last: Any, t: Any, speech: str, request: gr.Request) -> str:
            return _copy(desk, tokens, (ch, to, lang, what, off, last, t), speech, request)

        labels = [
            "tier",
            "city",
            "bought_from",
            "quiet_days",
            "spent_least",
            "spent_most",
            "channel",
            "speaks",
            "channel",
            "tone",
            "speaks",
            "product",
            "discount",
            "until",
        ]
        labelled = [*fields, channel, tone, tongue, product, percent, until]

        def switch(t: Any, c: Any, k: Any, q: Any, low: Any, high: Any, a: Any, lang: Any, speech: str, request: gr.Request) -> list[Any]:
            caller = talk.caller_of(desk, tokens, request)
            titles = [f"### {say(key, speech)}" for key in ("audience", "offer", "assistant")]
            return [
                look.bar(desk.settings.shop()["name"], caller.name if caller else "", speech),
                _count(desk, tokens, (t, c, k, q, low, high, a, lang), speech, request),
                *titles,
                gr.update(value=say("write", speech)),
                *(gr.update(label=say(key, speech)) for key in labels),
                *talk.relabelled("marketer", speech),
            ]

        gr.on([f.change for f in fields], counted, [*fields, language], [count], show_progress="hidden", trigger_mode="always_last")
        write.click(written, [channel, tone, tongue, product, percent, until, tiers, language], [copies])
        talk.wire(desk, tokens, chat, language)
        fixed = [top, count, audience_title, offer_title, chat_title, write, *labelled, chat.chat, chat.box, chat.send, *chat.buttons]
        language.input(switch, [*fields, language], fixed)
        page.load(switch, [*fields, language], fixed)
    return page


def _count(desk: Desk, tokens: Tokens, given: tuple[Any, ...], speech: str, request: gr.Request) -> str:
    caller = talk.caller_of(desk, tokens, request)
    if caller is None:
        return say("signed_out", speech)
    tiers, cities, categories, quiet, least, most, consent, speaks = given
    asked = {
        "tiers": tiers,
        "cities": cities,
        "categories": categories,
        "not_bought_for_days": int(quiet) if quiet else None,
        "spent_at_least": float(least) if least else None,
        "spent_at_most": float(most) if most else None,
        "consent": consent,
        "languages": [speaks] if speaks else None,
    }
    outcome = desk.gateway(caller, "").call("audience_count", {k: v for k, v in asked.items() if v not in (None, "", [])})
    r = outcome.result
    if outcome.status != "ok":
        return f'<div class="card warn">{escape(str(r.get("fact", "")))}</div>'
    share = f"{100 * r['matching'] / r['members_in_all']:.1f}%" if r["members_in_all"] else "–"
    return (
        f'<div class="card"><span class="big">{formats.number(r["reachable"])}</span> {escape(say("reachable", speech))}'
        f'<div class="soft">{formats.number(r["matching"])} {escape(say("match", speech))} ({share} {escape(say("of_all", speech))}) · {formats.number(r["without_consent"])} {escape(say("no_consent", speech))} · '
        f"{formats.number(r['contacted_this_week'])} {escape(say('contacted', speech))}</div></div>"
    )


def _copy(desk: Desk, tokens: Tokens, given: tuple[Any, ...], speech: str, request: gr.Request) -> str:
    caller = talk.caller_of(desk, tokens, request)
    if caller is None:
        return say("signed_out", speech)
    channel, tone, tongue, product, percent, until, tiers = given
    try:
        day = date.fromisoformat(until.strip()).isoformat() if until and until.strip() else None
    except ValueError:
        return f'<div class="card warn">{escape(say("until", speech))}</div>'
    asked = {
        "channel": channel,
        "tone": tone,
        "language": tongue,
        "product": (product or "").strip(),
        "offer_percent": int(percent) if percent else None,
        "valid_until": day,
    }
    asked["tier"] = tiers[0] if tiers and len(tiers) == 1 else None
    outcome = desk.gateway(caller, "").call("write_copy", {k: v for k, v in asked.items() if v})
    if outcome.status != "ok":
        return f'<div class="card warn">{escape(str(outcome.result.get("fact", "")))}</div>'
    return look.copies(outcome.result, speech)
