"""How does it look?

One quiet theme without a font from elsewhere, and the small pieces of HTML that
the server renders: member card, product cards, approval, sources. Every value
is escaped here.
"""

import math
import re
from html import escape
from typing import Any

import gradio as gr

import prompts
from prompts import formats
from ui.words import say

ACCENT = "#1f6f5c"

# The accent in its shades, so that tabs, radios and focus keep its contrast.
_PINE = gr.themes.Color("#f1f8f5", "#dcefe8", "#bfdfd4", "#86c5b3", "#3f9480", ACCENT, "#1b6352", "#185a4a", "#134a3d", "#0f3b31", "#0a2720", name="pine")
THEME = gr.themes.Base(
    primary_hue=_PINE,
    neutral_hue=gr.themes.colors.stone,
    font=["system-ui", "Segoe UI", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "sans-serif"],
    font_mono=["ui-monospace", "Consolas", "monospace"],
    radius_size=gr.themes.sizes.radius_lg,
).set(button_primary_background_fill=ACCENT, button_primary_background_fill_hover="#185a4a", button_primary_text_color="white")

CSS = """
:root { --accent: #1f6f5c; --ink: #26302c; --soft: #5b6661; --line: #e2e0da; --paper: #fbfaf7; }
html, body, gradio-app { background: var(--paper) !important; }
.gradio-container { background: var(--paper) !important; max-width: 1240px !important; margin: 0 auto !important; color: var(--ink); }
footer { display: none !important; }
.bar { display: flex; justify-content: space-between; align-items: center; padding: 6px 2px; }
.bar b { font-size: 1.15rem; letter-spacing: .02em; } .bar .who { color: var(--soft); font-size: .92rem; white-space: nowrap; }
.bar form { display: inline; } .bar button { background: none; border: 0; color: var(--accent); cursor: pointer; text-decoration: underline; font: inherit; padding: 0; margin: 0; }
.card { background: #fff; border: 1px solid var(--line); border-radius: 14px; padding: 16px 18px; }
.card h3 { margin: 0 0 2px; font-size: 1.1rem; color: var(--ink); } .card .soft, .soft { color: var(--soft); font-size: .92rem; }
.card .big { font-size: 1.7rem; font-weight: 600; color: var(--ink); }
.progress { height: 8px; background: #ece9e2; border-radius: 6px; overflow: hidden; margin: 8px 0 4px; } .progress i { display: block; height: 100%; background: var(--accent); }
.wide { overflow-x: auto; }
.goods { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 12px; }
.goods .one { background: #fff; border: 1px solid var(--line); border-radius: 14px; padding: 10px 12px 12px; font-size: .92rem; color: var(--ink); }
.goods svg { width: 100%; height: 84px; border-radius: 10px; display: block; margin-bottom: 8px; } .goods b { display: block; line-height: 1.3; } .goods .price { font-weight: 600; color: var(--accent); }
.ask { border: 2px solid var(--accent) !important; border-radius: 14px !important; padding: 12px 14px !important; background: #f1f8f5 !important; gap: 10px !important; } .ask p { margin: 0; color: var(--ink); overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(128px, 1fr)); gap: 10px; margin: 12px 0; } .tiles div { background: #f6f4ee; border-radius: 10px; padding: 8px 10px; } .tiles b { display: block; font-size: 1.12rem; color: var(--ink); }
.copies { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 14px; }
.phone { background: #fff; border: 1px solid var(--line); border-radius: 22px; padding: 16px; min-height: 150px; color: var(--ink); } .phone .bubble { background: #eef5f2; border-radius: 14px; padding: 10px 12px; margin: 6px 0; }
.warn { color: #9a3412; }
/* Turned round, so that it stands at its end and the newest words are in sight. */
.chatlog { border-top: 1px solid var(--line); margin-top: 10px; padding-top: 6px; max-height: 320px; overflow-y: auto; display: flex; flex-direction: column-reverse; } .chatlog p { margin: 4px 0; overflow-wrap: anywhere; } .chatlog .ours { border-left: 3px solid var(--accent); padding-left: 8px; }
#tickets .wrap, #second-pick .wrap { flex-direction: column; } #tickets label, #second-pick label { width: 100%; align-items: flex-start; } #second-pick { min-width: 100%; }
.html-container { padding: 0 !important; } #member-chat .placeholder-content, #support-chat .placeholder-content, #marketer-chat .placeholder-content { padding: 0 16px; text-align: center; }
#seconds:not(:has(h4)), #handoff:not(:has(.banner)), #goods:not(:has(svg)):not(:has(a)), #orders:not(:has(table)) { display: none !important; }
/* It would empty the page's view of a conversation that goes on. */
.icon-button-wrapper:has([aria-label="Clear"]) { display: none !important; } .banner { background: #f1f8f5; border: 1px solid var(--accent); border-radius: 12px; padding: 8px 12px; color: var(--ink); } .download { display: inline-block; background: var(--accent); color: #fff !important; border-radius: 12px; padding: 8px 14px; text-decoration: none; }
table.plain { width: 100%; border-collapse: collapse; font-size: .92rem; color: var(--ink); border: 0 !important; } table.plain tr { border: 0 !important; } table.plain td, table.plain th { text-align: left; padding: 6px 8px !important; border: 0 !important; border-bottom: 1px solid var(--line) !important; vertical-align: top; } table.plain td:first-child { white-space: nowrap; }
:focus-visible { outline: 3px solid #86c5b3 !important; outline-offset: 1px; }
.card { overflow-x: auto; } .js-plotly-plot, .plot-container { max-width: 100%; overflow: hidden; }
@media (max-width: 700px) { #orders .card, #profile .card, .js-plotly-plot { max-width: calc(100vw - 96px); overflow-x: auto; } .goods { grid-template-columns: 1fr 1fr; } }
"""

# In the page's head: Gradio writes a media rule of its own stylesheet for what lies within the container alone, not for the container.
PHONE = """<style>
@media (max-width: 700px) {
  .gradio-container { max-width: 100vw !important; padding: 6px !important; }
  .gradio-container .tab-wrapper, .gradio-container .tab-container { min-width: 0; max-width: calc(100vw - 60px); overflow-x: auto; }
  #lab-rules { max-width: calc(100vw - 76px); overflow-x: auto; }
  .gradio-container .wide { max-width: calc(100vw - 120px); overflow-x: auto; }
  .gradio-container .main, .gradio-container main, .gradio-container .wrap, .gradio-container .column, .gradio-container .row,
  .gradio-container .tabs, .gradio-container .tabitem, .gradio-container .block { min-width: 0 !important; max-width: 100%; }
  .gradio-container .row > .column { flex: 1 1 100% !important; }
}
</style>"""

# One line drawing a category on a tinted ground, so that a card has a picture without any host.
_DRAWINGS = {
    "tea": "M30 44h36v10a14 14 0 0 1-14 14h-8a14 14 0 0 1-14-14zM66 47h6a6 6 0 0 1 0 12h-7M40 36c0-4 4-4 4-8M52 36c0-4 4-4 4-8",
    "coffee": "M34 34h28l-4 34H38zM34 42h28M30 34h36M48 26v8",
    "kitchen": "M28 48h34a17 14 0 0 1-34 0zM62 50l14-6M36 40c0-5 5-5 5-10",
    "tableware": "M48 28a20 20 0 1 0 .1 0M48 37a11 11 0 1 0 .1 0M20 28v40M76 28v40",
    "bedding": "M22 66V40M22 52h52v14M26 52v-8h18v8M74 66V52",
    "bath": "M24 48h48v6a12 12 0 0 1-12 12H36a12 12 0 0 1-12-12zM30 48V32a6 6 0 0 1 12 0",
    "lighting": "M36 30h24l8 22H28zM48 52v18M38 70h20",
    "storage": "M26 38h44v30H26zM26 50h44M44 44h8M44 58h8",
    "garden": "M48 70V44M48 52c-12 0-16-8-16-16 10 0 16 6 16 16zM48 48c10 0 14-8 14-14-8 0-14 6-14 14z",
    "outdoor": "M22 68l26-40 26 40zM48 68l-9-16h18zM48 28v-4",
    "fishing": "M28 70L66 26c6 8 4 18 0 24M66 50v8a5 5 0 0 1-10 0",
    "travel": "M30 38h36v32H30zM40 38v-8h16v8M40 38v32M56 38v32",
    "children": "M34 34h28v28H34zM34 48h28M48 34v28M30 70h36",
    "pets": "M48 52c8 0 14 6 14 11s-6 6-14 6-14-1-14-6 6-11 14-11zM34 44a4 4 0 1 0 .1 0M62 44a4 4 0 1 0 .1 0M43 36a4 4 0 1 0 .1 0M53 36a4 4 0 1 0 .1 0",
    "stationery": "M32 26h28a4 4 0 0 1 4 4v40H32zM32 26v44M40 40h16M40 48h16",
    "audio": "M28 56v-6a20 20 0 0 1 40 0v6M28 54h8v14h-8zM60 54h8v14h-8z",
}


def picture(category: str) -> str:
    """A small drawing for a product's category."""
    hue = (sum(map(ord, category)) * 37) % 360
    path = _DRAWINGS.get(category, "M32 34h32v32H32zM32 44h32")
    return (
        f'<svg viewBox="0 0 96 96" role="img" aria-label="{escape(category)}" preserveAspectRatio="xMidYMid slice"><rect width="96" height="96" fill="hsl({hue} 32% 92%)"/>'
        f'<path d="{path}" fill="none" stroke="hsl({hue} 30% 34%)" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"/></svg>'
    )


def bar(shop: str, who: str, language: str) -> str:
    """The line at the top: shop, who is signed in, and the way out."""
    return (
        f'<div class="bar"><b>{escape(shop)}</b><span class="who">{escape(who)} · '
        f'<form method="post" action="/logout"><button type="submit">{escape(say("sign_out", language))}</button></form></span></div>'
    )


def product_cards(products: list[dict[str, Any]], currency: str, language: str) -> str:
    """Products in a row: picture, name, price, stock."""
    cards = []
    for p in products:
        price = formats.money(p["price"], currency) + ("+" if p.get("price_to") else "")
        stock = say("out_of_stock", language) if not p["in_stock"] else f"{p['stock']} {say('stock_left', language)}" if p.get("stock") is not None else ""
        stars = f" · ★ {p['rating']}" if p.get("rating") else ""
        name = formats.either(p, "name", language)
        cards.append(
            f'<div class="one">{picture(p["category"])}<b>{escape(name)}</b><span class="price">{escape(price)}</span><br><span class="soft">{escape(stock + stars)}</span></div>'
        )
    return f'<div class="goods">{"".join(cards)}</div>' if cards else ""


def member_card(standing: dict[str, Any], points: dict[str, Any], name: str, language: str) -> str:
    """Name, tier with progress, points and the next to expire."""
    currency, today = standing["currency"], str(standing["as_of"])
    tier, above = standing["tier"], standing["next_tier"]
    width, way = 100, say("top_tier", language)
    if above:
        width = math.floor(100 * min(1.0, float(standing["window_spend"]) / float(above["threshold"])))
        amount = formats.money(standing["missing"], currency)
        way = f"{amount} {say('to_go', language)} {formats.either(above, 'name', language)}"
    soon = points["expiring_soon"][0] if points["expiring_soon"] else None
    lapse = (
        f"{say('next_expiry', language)}: {formats.number(soon['points'])} · {formats.day(str(soon['on']), language, today)}"
        if soon
        else say("none_expire", language)
    )
    return (
        f'<div class="card"><h3>{escape(name)}</h3><div class="soft">{escape(formats.either(tier, "name", language))}</div>'
        f'<div class="progress" role="progressbar" aria-valuenow="{width}" aria-valuemin="0" aria-valuemax="100"><i style="width:{width}%"></i></div><div class="soft">{escape(way)}</div>'
        f'<p class="big">{formats.number(points["balance"])} <span class="soft">{escape(say("points", language))}</span></p>'
        f'<div class="soft">{escape(say("worth", language))} {escape(formats.money(points["worth"], currency))}</div><div class="soft">{escape(lapse)}</div></div>'
    )


def approval_card(text: str, language: str) -> str:
    """What will happen after a yes, in the server's words."""
    return f"<p><b>{escape(say('approval', language))}</b><br>{bold(text)}</p>"


def bold(text: str) -> str:
    """Escaped text whose lines and **bold** show."""
    return re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escape(text)).replace("\n", "<br>")


def sources(citations: list[tuple[str, str]]) -> str:
    """Passages an answer rests on."""
    return "\n\n".join(f"**{title}**  \n{text}" for title, text in citations)


def tiles(pairs: list[tuple[str, str]]) -> str:
    """Figures with their names."""
    return '<div class="tiles">' + "".join(f"<div><b>{escape(value)}</b><span class='soft'>{escape(name)}</span></div>" for name, value in pairs) + "</div>"


def copies(record: dict[str, Any], language: str) -> str:
    """Variants as they would appear on a phone, side by side, each with what the check found."""
    phones = []
    for n, v in enumerate(record["variants"], start=1):
        head = "".join(f"<{tag}>{escape(v[key])}</{tag}><br>" for key, tag in (("subject", "b"), ("preheader", "i")) if v.get(key))
        parts = f" · {v['parts']} {say('parts', language)}" if v.get("parts") else ""
        warn = f' <span class="warn">{escape(say("too_long", language))}</span>' if not v["fits"] else ""
        shown = v["previews"][0] if v.get("previews") else v["text"]
        phones.append(
            f'<div class="phone"><span class="soft">{"ABC"[n - 1]} · {escape(record["channel"])}</span><div class="bubble">{head}{bold(shown)}</div>'
            f'<span class="soft">{v["length"]} {escape(say("characters", language))}{escape(parts)}</span>{warn}{found(v["findings"], language)}</div>'
        )
    return f'<div class="copies">{"".join(phones)}</div><p class="soft">{escape(say("not_sent", language))}</p>'


def found(findings: list[dict[str, Any]], language: str) -> str:
    """What the check found in a message: a tick, or each place with its reason and what to say instead."""
    if not findings:
        return f'<div class="soft">✓ {escape(say("check_ok", language))}</div>'
    lines = []
    for f in findings:
        place = f"“{escape(f['place'])}” " if f["place"] else ""
        reason = escape(f["reason_zh"] if language == "zh" else f["reason_en"])
        lines.append(
            f'<div class="{"warn" if f["level"] == "error" else "soft"}">{"✗" if f["level"] == "error" else "△"} {place}{reason} {escape(f["suggestion"])}</div>'
        )
    return "".join(lines)


def category(key: str, language: str) -> str:
    """A category's name."""
    return prompts.category_name(key, language)
