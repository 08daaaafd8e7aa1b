"""The studio's steps in one page: audience, offer, words, check, launch.

Every figure comes from the tools the chat calls, too; nothing is kept or sent
without the card at the end of its step.
"""

from datetime import date
from html import escape
from typing import Any

import gradio as gr

import prompts
from assistant.desk import Desk
from assistant.embedded.model import outcome_text, refusal_text, worded
from assistant.tokens import Tokens
from members.access import Caller
from members.errors import Refusal
from prompts import formats
from tools.gateway import Outcome
from ui import look, talk
from ui.words import say

CHANNELS = ["email", "sms", "wechat", "push", "in_app"]
TONES = ["warm", "playful", "plain", "festive", "urgent"]
KINDS = ["percent", "amount", "points", "benefit", "none"]
OCCASIONS = ["offer", "win_back", "new_arrival", "back_in_stock", "thank_you", "points", "birthday", "season"]
# Conditions that have a field of their own on the page.
_FIELDS = {
    "tiers",
    "cities",
    "countries",
    "categories",
    "segments",
    "not_bought_for_days",
    "spent_at_least",
    "spent_at_most",
    "churn_from_percent",
    "languages",
}
# What the page proposes belongs to no chat.
_THREAD = "studio"


class Panel:
    """The widgets of the five steps and what fills them."""

    def __init__(self, desk: Desk, tokens: Tokens) -> None:
        """Lay the steps out."""
        self.desk, self.tokens = desk, tokens
        self.titles: list[tuple[Any, str]] = []
        self.labelled: list[tuple[Any, str]] = []
        self._audience()
        self._offer()
        self._words()
        self._launch()

    def _title(self, key: str) -> None:
        self.titles.append((gr.Markdown(f"### {say(key, 'en')}"), key))

    def _field(self, made: Any, key: str) -> Any:
        self.labelled.append((made, key))
        return made

    # --- layout -------------------------------------------------------------------------

    def _audience(self) -> None:
        places = self.desk.audience_choices()
        groups = [(prompts.phrase_of("en", "segment_name", key), key) for key in places["segments"]]
        self._title("step_audience")
        with gr.Row():
            self.sentence = gr.Textbox(show_label=False, placeholder=say("audience_sentence", "en"), scale=5, elem_id="sentence", max_length=300)
            self.understand = gr.Button(say("understand", "en"), scale=1, min_width=110, elem_id="understand")
        with gr.Row():
            self.tiers = self._field(gr.Dropdown(places["tiers"], multiselect=True, value=[], label=say("tier", "en"), elem_id="tiers"), "tier")
            self.cities = self._field(gr.Dropdown(places["cities"], multiselect=True, value=[], label=say("city", "en"), elem_id="cities"), "city")
            self.countries = self._field(
                gr.Dropdown(places["countries"], multiselect=True, value=[], label=say("country", "en"), elem_id="countries"), "country"
            )
            self.categories = self._field(
                gr.Dropdown(places["categories"], multiselect=True, value=[], label=say("bought_from", "en"), elem_id="categories"), "bought_from"
            )
            self.segments = self._field(gr.Dropdown(groups, multiselect=True, value=[], label=say("segment", "en"), elem_id="segments"), "segment")
        with gr.Row():
            self.quiet = self._field(gr.Number(label=say("quiet_days", "en"), minimum=0, precision=0, value=None, elem_id="quiet"), "quiet_days")
            self.least = self._field(gr.Number(label=say("spent_least", "en"), minimum=0, value=None, elem_id="least"), "spent_least")
            self.most = self._field(gr.Number(label=say("spent_most", "en"), minimum=0, value=None, elem_id="most"), "spent_most")
            self.risk = self._field(gr.Number(label=say("risk_from", "en"), minimum=0, maximum=100, precision=0, value=None, elem_id="risk"), "risk_from")
        with gr.Row():
            self.consent = self._field(
                gr.Dropdown([("–", ""), *((c, c) for c in CHANNELS)], value="", label=say("channel", "en"), elem_id="consent"), "channel"
            )
            self.speaks = self._field(
                gr.Dropdown([("–", ""), ("English", "en"), ("中文", "zh")], value="", label=say("speaks", "en"), elem_id="speaks"), "speaks"
            )
            self.not_tiers = self._field(gr.Dropdown(places["tiers"], multiselect=True, value=[], label=say("not_tier", "en"), elem_id="not-tiers"), "not_tier")
            self.not_categories = self._field(
                gr.Dropdown(places["categories"], multiselect=True, value=[], label=say("not_bought", "en"), elem_id="not-categories"), "not_bought"
            )
        # What the sentence said beyond the fields: other members who count as well, conditions without a field, and who else is left out.
        self.also, self.rest, self.nor = gr.State([]), gr.State({}), gr.State([])
        self.count = gr.HTML(elem_id="count", padding=False)
        with gr.Row():
            self.name = self._field(gr.Textbox(label=say("audience_name", "en"), elem_id="audience-name", max_length=60, scale=3), "audience_name")
            self.save = gr.Button(say("save_audience", "en"), scale=1, min_width=120, elem_id="save-audience")
            self.saved = self._field(
                gr.Dropdown([], value=None, label=say("saved_audiences", "en"), scale=3, elem_id="saved", allow_custom_value=True), "saved_audiences"
            )

    def _offer(self) -> None:
        self._title("step_offer")
        with gr.Row():
            self.kind = self._field(
                gr.Dropdown([(say(f"offer_{k}", "en"), k) for k in KINDS], value="percent", label=say("offer_kind", "en"), elem_id="kind"), "offer_kind"
            )
            self.value = self._field(gr.Number(label=say("offer_value", "en"), minimum=0, value=10, elem_id="percent"), "offer_value")
            self.minimum = self._field(gr.Number(label=say("minimum", "en"), minimum=0, value=None, elem_id="minimum"), "minimum")
            self.until = self._field(gr.Textbox(label=say("until", "en"), elem_id="until", max_length=10, placeholder="2026-12-31"), "until")
        with gr.Row():
            self.estimate = gr.Button(say("estimate", "en"), elem_id="estimate")
            self.advise = gr.Button(say("advise", "en"), elem_id="advise")
        self.outlook = gr.HTML(elem_id="outlook", padding=False)

    def _words(self) -> None:
        self._title("step_words")
        with gr.Row():
            self.channel = self._field(gr.Dropdown(CHANNELS, value="email", label=say("channel", "en"), elem_id="channel"), "channel")
            self.tone = self._field(gr.Dropdown(TONES, value="warm", label=say("tone", "en"), elem_id="tone"), "tone")
            self.occasion = self._field(
                gr.Dropdown([(say(f"occasion_{o}", "en"), o) for o in OCCASIONS], value="offer", label=say("occasion", "en"), elem_id="occasion"), "occasion"
            )
            self.tongue = self._field(gr.Dropdown([("English", "en"), ("中文", "zh")], value="en", label=say("speaks", "en"), elem_id="tongue"), "speaks")
            self.product = self._field(gr.Textbox(label=say("product", "en"), elem_id="product", max_length=120), "product")
        with gr.Row():
            self.write = gr.Button(say("write", "en"), variant="primary", elem_id="write")
            self.again = gr.Button(say("write_again", "en"), elem_id="write-again")
        self.round = gr.State(0)
        self.copies = gr.HTML(f'<p class="soft">{say("start_copy", "en")}</p>', elem_id="copies", padding=False)
        self._title("step_check")
        self.own = self._field(gr.Textbox(label=say("own_words", "en"), lines=3, elem_id="own", max_length=4000), "own_words")
        self.check = gr.Button(say("check", "en"), elem_id="check")
        self.checked = gr.HTML(elem_id="checked", padding=False)

    def _launch(self) -> None:
        self._title("step_launch")
        with gr.Row():
            self.campaign = self._field(gr.Textbox(label=say("campaign_name", "en"), elem_id="campaign-name", max_length=60), "campaign_name")
            self.versions = self._field(gr.Radio([1, 2, 3], value=2, label=say("versions", "en"), elem_id="versions"), "versions")
            self.holdout = self._field(gr.Slider(0, 50, value=10, step=1, label=say("holdout", "en"), elem_id="holdout"), "holdout")
            self.budget = self._field(gr.Number(label=say("budget", "en"), minimum=0, value=None, elem_id="budget"), "budget")
        self.everyone = self._field(gr.Checkbox(value=False, label=say("discount_everyone", "en"), elem_id="everyone"), "discount_everyone")
        with gr.Row():
            self.setup = gr.Button(say("set_up", "en"), variant="primary", elem_id="set-up")
            self.drafts = self._field(gr.Dropdown([], value=None, label=say("drafts", "en"), elem_id="drafts"), "drafts")
            self.send = gr.Button(say("send_out", "en"), elem_id="send-out")
        with gr.Column(visible=False, elem_classes=["ask"], elem_id="studio-card") as self.card:
            self.card_text = gr.HTML(padding=False)
            with gr.Row():
                self.yes = gr.Button("", variant="primary", size="sm", elem_id="studio-yes")
                self.no = gr.Button("", size="sm", elem_id="studio-no")
        self.waiting = gr.State(None)
        self.done = gr.HTML(elem_id="studio-done", padding=False)

    # --- wiring -------------------------------------------------------------------------

    def conditions(self) -> list[Any]:
        """The fields an audience is made of."""
        fields = [self.tiers, self.cities, self.countries, self.categories, self.segments, self.quiet, self.least, self.most, self.risk]
        return [self.consent, *fields, self.speaks, self.not_tiers, self.not_categories, self.also, self.rest, self.nor]

    def wire(self, language: Any) -> None:
        """Connect the widgets to the desk."""
        asked = self.conditions()
        offer = [self.kind, self.value, self.minimum, self.until]
        card = [self.card, self.card_text, self.yes, self.no, self.waiting, self.done]

        def whom(given: tuple[Any, ...], saved: Any) -> dict[str, Any]:
            if saved:
                return {"audience_name": saved}
            meant = self._wanted(given)
            return {"wanted": {**meant.pop("wanted"), **meant}}

        n = len(asked)

        def keep(name: str, *given: Any) -> list[Any]:
            *values, speech, request = given
            arguments = {"name": (name or "").strip(), **self._wanted(tuple(values)), **({"channel": values[0]} if values[0] else {})}
            return self._propose("audience_build", arguments, speech, request)

        def estimated(*given: Any) -> str:
            kind, value, saved, speech, request = given[n:]
            amount = {"value": float(value)} if value and kind != "none" else {}
            return self._told("estimate_uplift", {**whom(given[:n], saved), "offer": kind, **amount}, speech, request)

        def advised(*given: Any) -> str:
            saved, speech, request = given[n:]
            return self._told("recommend_coupon", whom(given[:n], saved), speech, request)

        def written(round_: int, *given: Any) -> list[Any]:
            *copy, speech, request = given
            return [round_, self._written((*copy, round_), speech, request)]

        def sending(draft: Any, speech: str, request: gr.Request) -> list[Any]:
            return self._propose("send_campaign", {"campaign": draft or ""}, speech, request)

        def decide(yes: bool) -> Any:
            def decided(waiting: Any, speech: str, request: gr.Request) -> list[Any]:
                return [*self._decided(yes, waiting, speech, request), *self.lists(request)]

            return decided

        counted = talk.handed(lambda *v: self._counted(v[:-2], v[-2], v[-1]), n + 1)
        gr.on([f.change for f in asked], counted, [*asked, language], [self.count], show_progress="hidden", trigger_mode="always_last")
        for run in (self.understand.click, self.sentence.submit):
            run(talk.handed(self._read, 2), [self.sentence, language], [*asked, self.count])
        self.save.click(talk.handed(keep, n + 2), [self.name, *asked, language], card)
        self.estimate.click(talk.handed(estimated, n + 4), [*asked, self.kind, self.value, self.saved, language], [self.outlook])
        self.advise.click(talk.handed(advised, n + 2), [*asked, self.saved, language], [self.outlook])
        copy = [self.channel, self.tone, self.occasion, self.tongue, self.product, *offer, self.tiers]
        first = talk.handed(lambda *v: written(0, *v), len(copy) + 1)
        self.write.click(first, [*copy, language], [self.round, self.copies])
        other = talk.handed(lambda before, *v: written(before + 1, *v), len(copy) + 2)
        self.again.click(other, [self.round, *copy, language], [self.round, self.copies])
        self.check.click(talk.handed(self._checked, 9), [self.own, self.channel, self.tongue, *offer, self.product, language], [self.checked])
        launch = [self.campaign, self.saved, self.versions, self.holdout, self.budget, self.everyone]
        words = [self.channel, self.tone, self.occasion, self.tongue, self.product]
        setup = talk.handed(lambda *v: self._set_up(v[:-2], v[-2], v[-1]), len([*launch, *words, *offer]) + 2)
        self.setup.click(setup, [*launch, *words, *offer, self.own, language], card)
        self.send.click(talk.handed(sending, 2), [self.drafts, language], card)
        for yes, button in ((True, self.yes), (False, self.no)):
            button.click(decide(yes), [self.waiting, language], [*card, self.saved, self.drafts])

    def relabelled(self, speech: str) -> list[Any]:
        """Titles, labels and buttons in a language, in the order of `fixed`."""
        texts: list[Any] = [f"### {say(key, speech)}" for _, key in self.titles]
        for made, key in self.labelled:
            more: dict[str, Any] = {}
            if made is self.kind:
                more["choices"] = [(say(f"offer_{k}", speech), k) for k in KINDS]
            if made is self.occasion:
                more["choices"] = [(say(f"occasion_{o}", speech), o) for o in OCCASIONS]
            if made is self.segments:
                more["choices"] = [(prompts.phrase_of(speech, "segment_name", key), key) for key in self.desk.audience_choices()["segments"]]
            texts.append(gr.update(label=say(key, speech), **more))
        texts += [gr.update(value=say(key, speech)) for _, key in self._buttons()]
        return [*texts, gr.update(placeholder=say("audience_sentence", speech))]

    def fixed(self) -> list[Any]:
        """What a switch of language changes."""
        return [*(made for made, _ in self.titles), *(made for made, _ in self.labelled), *(made for made, _ in self._buttons()), self.sentence]

    def _buttons(self) -> list[tuple[Any, str]]:
        return [
            (self.understand, "understand"),
            (self.save, "save_audience"),
            (self.estimate, "estimate"),
            (self.advise, "advise"),
            (self.write, "write"),
            (self.again, "write_again"),
            (self.check, "check"),
            (self.setup, "set_up"),
            (self.send, "send_out"),
        ]

    def lists(self, request: gr.Request) -> list[Any]:
        """Saved audiences and drafts as they are now: updates for `saved` and `drafts`."""
        caller = talk.caller_of(self.desk, self.tokens, request)
        if caller is None:
            return [gr.update(), gr.update()]
        names, drafts = self.desk.studio.names(caller)
        return [gr.update(choices=["", *names]), gr.update(choices=drafts, value=drafts[0] if drafts else None)]

    # --- what is asked of the desk ------------------------------------------------------

    def _wanted(self, given: tuple[Any, ...]) -> dict[str, Any]:
        _, tiers, cities, countries, categories, segments, quiet, least, most, risk, speaks, not_tiers, not_categories, also, rest, nor = given
        if not_tiers:
            every = [level.key for level in self.desk.rules.tiers.levels]
            tiers = [key for key in (tiers or every) if key not in not_tiers]
        wanted = {
            **(rest or {}),
            "tiers": tiers,
            "cities": cities,
            "countries": countries,
            "categories": categories,
            "segments": segments,
            "not_bought_for_days": int(quiet) if quiet else None,
            "spent_at_least": float(least) if least else None,
            "spent_at_most": float(most) if most else None,
            "churn_from_percent": int(risk) if risk else None,
            "languages": [speaks] if speaks else None,
        }
        found: dict[str, Any] = {"wanted": {k: v for k, v in wanted.items() if v not in (None, "", [])}}
        if also:
            found["or_also"] = also
        unwanted = [*(nor or []), *([{"categories": not_categories}] if not_categories else [])]
        if unwanted:
            found["but_not"] = unwanted
        return found

    def _counted(self, given: tuple[Any, ...], speech: str, request: gr.Request) -> str:
        asked = self._wanted(given)
        consent = given[0]
        more = {name: asked[name] for name in ("or_also", "but_not") if name in asked}
        outcome = self._call("audience_count", {**asked["wanted"], **more, **({"consent": consent} if consent else {})}, request)
        if outcome is None:
            return say("signed_out", speech)
        if outcome.status != "ok":
            return self._warned(outcome, speech)
        return count_card(outcome.result, speech)

    def _read(self, text: str, speech: str, request: gr.Request) -> list[Any]:
        """The sentence as conditions, shown for editing."""
        caller = talk.caller_of(self.desk, self.tokens, request)
        found = self.desk.studio.understood(text) if caller and (text or "").strip() else {}
        wanted, nor = found.get("wanted", {}), found.get("but_not", [])
        # What is left out for one thing alone has a field; “but not gold tea buyers” stays whole.
        plain = {name: values for one in nor if len(one) == 1 for name, values in one.items() if name in ("tiers", "categories")}
        fields = [
            found.get("channel", ""),
            wanted.get("tiers", []),
            wanted.get("cities", []),
            wanted.get("countries", []),
            wanted.get("categories", []),
            wanted.get("segments", []),
            wanted.get("not_bought_for_days"),
            wanted.get("spent_at_least"),
            wanted.get("spent_at_most"),
            wanted.get("churn_from_percent"),
            (wanted.get("languages") or [""])[0],
            plain.get("tiers", []),
            plain.get("categories", []),
            found.get("or_also", []),
            {k: v for k, v in wanted.items() if k not in _FIELDS},
            [one for one in nor if len(one) > 1 or not plain.keys() & one.keys()],
        ]
        note = "" if wanted or nor or not (text or "").strip() else f'<div class="card warn">{escape(say("not_understood", speech))}</div>'
        return [*fields, note or self._counted(tuple(fields), speech, request)]

    def _told(self, tool: str, arguments: dict[str, Any], speech: str, request: gr.Request) -> str:
        outcome = self._call(tool, arguments, request)
        if outcome is None:
            return say("signed_out", speech)
        if outcome.status != "ok":
            return self._warned(outcome, speech)
        return f'<div class="card">{look.bold(self._worded(outcome, speech))}</div>'

    def _worded(self, outcome: Outcome, speech: str) -> str:
        return worded(outcome.tool, outcome.arguments, outcome.text(), language=speech, today=self.desk.today.isoformat())

    def _written(self, given: tuple[Any, ...], speech: str, request: gr.Request) -> str:
        channel, tone, occasion, tongue, product, kind, value, least, last, tiers, again = given
        day = _day(last)
        if day is None and (last or "").strip():
            return f'<div class="card warn">{escape(say("bad_day", speech))}</div>'
        if kind == "percent" and value and not 1 <= value <= 90:
            return f'<div class="card warn">{escape(say("bad_percent", speech))}</div>'
        asked = {
            "channel": channel,
            "tone": tone,
            "language": tongue,
            "product": (product or "").strip(),
            "occasion": occasion,
            "again": again,
            **_offer_of(kind, value),
        }
        asked |= {"minimum": float(least) if least else None, "valid_until": day, "tier": tiers[0] if tiers and len(tiers) == 1 else None}
        asked["with_code"] = kind in ("percent", "amount") and channel in ("email", "sms")
        outcome = self._call("write_copy", {k: v for k, v in asked.items() if v}, request)
        if outcome is None:
            return say("signed_out", speech)
        return look.copies(outcome.result, speech) if outcome.status == "ok" else self._warned(outcome, speech)

    def _checked(
        self, text: str, channel: Any, tongue: Any, kind: Any, value: Any, least: Any, last: Any, product: Any, speech: str, request: gr.Request
    ) -> str:
        if not (text or "").strip():
            return f'<p class="soft">{escape(say("paste_words", speech))}</p>'
        told = _offer_of(kind, value)
        asked = {"text": text.strip(), "channel": channel, "language": tongue, "product": (product or "").strip(), "valid_until": _day(last)}
        asked |= {"offer_percent": told.get("offer_percent"), "amount_off": told.get("amount_off"), "minimum": float(least) if least else None}
        return self._told("check_copy", {k: v for k, v in asked.items() if v}, speech, request)

    def _set_up(self, given: tuple[Any, ...], speech: str, request: gr.Request) -> list[Any]:
        name, saved, versions, held, budget, everyone, channel, tone, occasion, tongue, product, kind, value, least, last, own = given
        asked = {
            "name": (name or "").strip() or f"{saved or ''} {self.desk.today.isoformat()}".strip(),
            "audience_name": saved or None,
            "channel": channel,
            "tone": tone,
            "occasion": occasion,
            "language": tongue,
            "product": (product or "").strip() or None,
            "offer": kind,
            "value": float(value) if value and kind != "none" else None,
            "minimum": float(least) if least else None,
            "valid_until": _day(last),
            "variants": int(versions or 2),
            "holdout_percent": int(held),
            "budget": float(budget) if budget else None,
            "discount_everyone": bool(everyone),
            "texts": [{"text": own.strip()}] if (own or "").strip() else None,
        }
        return self._propose("create_campaign", {k: v for k, v in asked.items() if v is not None}, speech, request)

    # --- cards --------------------------------------------------------------------------

    def _propose(self, tool: str, arguments: dict[str, Any], speech: str, request: gr.Request) -> list[Any]:
        """A write's card, or why there is none: updates for card, text, yes, no, waiting, done."""
        outcome = self._call(tool, arguments, request)
        hidden = [gr.update(visible=False), "", gr.update(), gr.update(), None]
        if outcome is None:
            return [*hidden, say("signed_out", speech)]
        if outcome.status != "waiting_for_yes":
            return [*hidden, self._warned(outcome, speech)]
        facts, today = outcome.result["facts"], self.desk.today.isoformat()
        shown = outcome_text(tool, outcome.result, language=speech, today=today, suffix="waiting")
        yes, no = (outcome_text(tool, facts, language=speech, today=today, suffix=part) for part in ("yes", "no"))
        return [gr.update(visible=True), f"<p>{look.bold(shown)}</p>", gr.update(value=yes), gr.update(value=no), outcome.result["approval_id"], ""]

    def _decided(self, yes: bool, waiting: Any, speech: str, request: gr.Request) -> list[Any]:
        caller = talk.caller_of(self.desk, self.tokens, request)
        hidden = [gr.update(visible=False), "", gr.update(), gr.update(), None]
        if caller is None or not waiting:
            return [*hidden, say("signed_out", speech) if caller is None else ""]
        if not yes:
            self.desk.drop(caller, waiting)
            return [*hidden, f'<div class="card soft">{escape(say("left_as_is", speech))}</div>']
        try:
            done = self.desk.gateway(caller, f"{_THREAD}:{caller.account_id}").carry_out(waiting)
        except Refusal as refusal:
            return [*hidden, f'<div class="card warn">{escape(refusal.fact)}</div>']
        text = outcome_text(done.tool, done.result, language=speech, today=self.desk.today.isoformat())
        return [*hidden, f'<div class="card">{look.bold(text)}</div>']

    def _call(self, tool: str, arguments: dict[str, Any], request: gr.Request) -> Outcome | None:
        caller: Caller | None = talk.caller_of(self.desk, self.tokens, request)
        return None if caller is None else self.desk.gateway(caller, f"{_THREAD}:{caller.account_id}").call(tool, arguments)

    def _warned(self, outcome: Outcome, speech: str) -> str:
        return f'<div class="card warn">{look.bold(refusal_text(outcome.result, language=speech, today=self.desk.today.isoformat()))}</div>'


def count_card(r: dict[str, Any], speech: str) -> str:
    """How many fit, how many may be written to, and why the others may not."""
    share = f"{100 * r['matching'] / r['members_in_all']:.1f}%" if r["members_in_all"] else "–"
    left = [
        f"{formats.number(r[key])} {escape(say(word, speech))}"
        for key, word in (
            ("without_consent", "no_consent"),
            ("no_address", "no_address"),
            ("contacted_this_week", "contacted"),
            ("open_complaint", "complaint"),
        )
        if r[key]
    ]
    said = prompts.phrase(speech, "audience_said", **{"r": r, "a": {}, "today": "", "name": "", "role": "", "shown": 0, "said": "", "cited": ""})
    return (
        f'<div class="card"><span class="big">{formats.number(r["reachable"])}</span> {escape(say("reachable", speech))}'
        f'<div class="soft">{formats.number(r["matching"])} {escape(say("match", speech))} ({share} {escape(say("of_all", speech))})'
        f"{' · ' + ' · '.join(left) if left else ''}</div><div class='soft'>{escape(said)}</div></div>"
    )


def _offer_of(kind: Any, value: Any) -> dict[str, Any]:
    if kind == "benefit":
        return {"free_shipping": True}
    if not value or kind == "none":
        return {}
    if kind == "percent":
        return {"offer_percent": int(value)}
    return {"amount_off": float(value)} if kind == "amount" else {"extra_points": int(value)}


def _day(text: Any) -> str | None:
    try:
        return date.fromisoformat((text or "").strip()).isoformat()
    except ValueError:
        return None
