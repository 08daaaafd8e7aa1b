"""What do rule changes and campaign results look like?"""

from typing import Any

import plotly.graph_objects as go

from prompts import formats
from ui.look import ACCENT
from ui.words import say

_TIERS = ["#b08d57", "#9aa3a8", "#d4a72c", "#5f7f95", "#6a5acd", "#3f9480", "#8a5a83"]
_GREY, _RED = "#8a8f8c", "#9a3412"


def sankey(tiers: list[dict[str, Any]], moves: list[list[int]], language: str) -> go.Figure:
    """Who stands where after a year: under today's rules on the left, under the proposed ones on the right."""
    names = [formats.either(t, "name", language) for t in tiers]
    n = len(names)
    colours = [_TIERS[i % len(_TIERS)] for i in range(n)]
    source, target, value, tint = [], [], [], []
    for a in range(n):
        for b in range(n):
            if moves[a][b]:
                source.append(a)
                target.append(n + b)
                value.append(moves[a][b])
                tint.append("rgba(31,111,92,.35)" if b > a else "rgba(154,52,18,.40)" if b < a else "rgba(138,143,140,.22)")
    labels = [f"{name} · {sum(moves[a]):,}" for a, name in enumerate(names)] + [f"{name} · {sum(row[b] for row in moves):,}" for b, name in enumerate(names)]
    drawn = go.Figure(
        go.Sankey(
            node={"label": labels, "color": colours * 2, "pad": 18, "thickness": 14}, link={"source": source, "target": target, "value": value, "color": tint}
        )
    )
    return _dressed(drawn, say("who_moves", language), 360)


def reach(assumptions: list[dict[str, Any]], value: float, sign: str, language: str) -> go.Figure:
    """How far each assumption moves the year's net, from its low end to its high end."""
    rows = sorted((a for a in assumptions if a["net_at_low"]), key=lambda a: abs(float(a["net_at_high"]) - float(a["net_at_low"])))
    names = [f"{say('assume_' + a['key'], language)} ({float(a['low']):.2g}–{float(a['high']):.2g})" for a in rows]
    low, high = [float(a["net_at_low"]) for a in rows], [float(a["net_at_high"]) for a in rows]
    drawn = go.Figure(go.Bar(y=names, x=[h - lo for lo, h in zip(low, high, strict=True)], base=low, orientation="h", marker_color=ACCENT, opacity=0.75))
    drawn.add_vline(x=value, line_color="#26302c", line_width=1)
    drawn.update_xaxes(tickprefix=sign, zeroline=True)
    return _dressed(drawn, say("assumption_reach", language), 320)


def groups(found: list[dict[str, Any]], names: dict[str, str], language: str) -> go.Figure:
    """Winners and losers by tier today or group: members better and worse off."""
    labels = [names.get(g["key"], g["key"]) for g in found]
    better = go.Bar(name=say("better_off", language), y=labels, x=[g["better"] for g in found], orientation="h", marker_color=ACCENT)
    worse = go.Bar(name=say("worse_off", language), y=labels, x=[-g["worse"] for g in found], orientation="h", marker_color=_RED)
    drawn = go.Figure([better, worse])
    drawn.update_layout(barmode="relative")
    return _dressed(drawn, say("winners", language), 320)


def money(outcomes: list[tuple[str, dict[str, Any]]], sign: str, language: str) -> go.Figure:
    """Change of benefit cost, revenue and net with intervals, one colour a proposal."""
    drawn = go.Figure()
    for (name, r), colour in zip(outcomes, (ACCENT, "#d4a72c"), strict=False):
        keys = ("revenue", "benefit_cost", "net")
        values = [float(r[key]["value"]) for key in keys]
        error = {
            "type": "data",
            "array": [float(r[key]["high"]) - v for key, v in zip(keys, values, strict=True)],
            "arrayminus": [v - float(r[key]["low"]) for key, v in zip(keys, values, strict=True)],
        }
        drawn.add_bar(name=name, x=[say(f"lab_{key}", language) for key in keys], y=values, error_y=error, marker_color=colour)
    drawn.update_yaxes(tickprefix=sign, zeroline=True)
    drawn.update_layout(barmode="group", showlegend=len(outcomes) > 1)
    return _dressed(drawn, say("money_change", language), 320)


def lifts(result: dict[str, Any], language: str) -> go.Figure:
    """A campaign's effect with its intervals: in all, by variant, by tier and language; beside it what was predicted."""
    rows = [(say("in_all", language), result["lift_points"])]
    rows += [(f"{say('variant', language)} {p['name']}", p["lift_points"]) for p in result["variants"]]
    rows += [(p["name"].capitalize(), p["lift_points"]) for p in result["tiers"]]
    rows += [({"en": "English", "zh": "中文"}.get(p["name"], p["name"]), p["lift_points"]) for p in result["languages"]]
    rows = rows[::-1]
    x = [float(r["expected"]) for _, r in rows]
    low, high = [float(r["low"]) for _, r in rows], [float(r["high"]) for _, r in rows]
    colours = [ACCENT if lo > 0 else _RED if hi < 0 else _GREY for lo, hi in zip(low, high, strict=True)]
    error = {
        "type": "data",
        "array": [h - v for h, v in zip(high, x, strict=True)],
        "arrayminus": [v - lo for lo, v in zip(low, x, strict=True)],
        "color": _GREY,
    }
    drawn = go.Figure(go.Scatter(x=x, y=[name for name, _ in rows], mode="markers", marker={"color": colours, "size": 11}, error_x=error))
    drawn.add_vline(x=0, line_color="#26302c", line_width=1)
    if result["predicted_points"]:
        drawn.add_vline(x=float(result["predicted_points"]), line_dash="dot", line_color="#d4a72c", annotation_text=say("predicted", language))
    drawn.update_xaxes(title=say("orders_more", language))
    return _dressed(drawn, say("lift_plot", language), 150 + 34 * len(rows))


def _dressed(drawn: go.Figure, title: str, height: int) -> go.Figure:
    drawn.update_layout(
        title={"text": title, "font": {"size": 15}},
        height=height,
        margin={"l": 10, "r": 16, "t": 48, "b": 36},
        template="plotly_white",
        paper_bgcolor="white",
        font={"family": "system-ui, sans-serif", "size": 12},
        legend={"orientation": "h", "y": -0.15},
    )
    drawn.update_yaxes(automargin=True)
    return drawn
