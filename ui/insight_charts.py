"""Which pictures show the shop and what is expected of it? Plotly figures from the insight tables."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go

import prompts
from ui.charts import CAUSES, quiet
from ui.look import ACCENT
from ui.words import say

_SHADES = [[0.0, "#f4f2ec"], [0.5, "#86c5b3"], [1.0, ACCENT]]
_BAND = "rgba(31,111,92,.15)"


def named(key: str, language: str) -> str:
    """A segment as people read it."""
    return prompts.phrase_of(language, "segment_name", key)


def cohorts(table: pd.DataFrame, language: str) -> go.Figure:
    """Share of each quarter's newcomers who came back, quarter by quarter."""
    quarters = [name for name in table.columns if name.startswith("q")]
    shares = table[quarters].to_numpy(dtype=float)
    text = [["" if value != value else f"{100 * value:.0f}%" for value in row] for row in shares]
    labels = [f"{cohort} · {members:,}" for cohort, members in zip(table["cohort"], table["members"], strict=True)]
    heat = go.Heatmap(
        z=100 * shares,
        x=[f"+{name[1:]}" for name in quarters],
        y=labels,
        text=text,
        texttemplate="%{text}",
        colorscale=_SHADES,
        showscale=False,
        hoverongaps=False,
        xgap=2,
        ygap=2,
    )
    figure = quiet(go.Figure(heat), say("cohorts", language)).update_layout(height=90 + 26 * len(table), margin={"l": 110})
    return figure.update_yaxes(autorange="reversed", type="category").update_xaxes(title=say("quarters_later", language), type="category")


def segment_map(table: pd.DataFrame, sign: str, language: str) -> go.Figure:
    """Members by days since the last order and spend of a year, coloured by segment."""
    figure = go.Figure()
    for name in sorted(table["segment"].unique()):
        mine = table[table["segment"] == name]
        figure.add_scatter(
            x=mine["recency_days"],
            y=mine["spend_365"].clip(lower=1),
            mode="markers",
            name=named(name, language),
            marker={"size": 5, "opacity": 0.65},
            hovertemplate=f"%{{x}} · {sign}%{{y:,.0f}}",
        )
    quiet(figure, say("segment_map", language)).update_layout(height=380, showlegend=True, legend={"orientation": "h", "y": -0.25}, colorway=CAUSES)
    return figure.update_yaxes(type="log", tickprefix=sign, title=say("spend_last_year", language)).update_xaxes(title=say("days_since", language))


def churn_by_tier(table: pd.DataFrame, names: dict[str, str], language: str) -> go.Figure:
    """Mean chance of leaving by tier, with the middle half of its members."""
    order = [key for key in names if key in set(table["tier"])]
    told = table.set_index("tier").loc[order]
    bars = go.Bar(
        x=[names[key] for key in order],
        y=100 * told["churn"],
        marker_color=ACCENT,
        error_y={
            "type": "data",
            "symmetric": False,
            "array": 100 * (told["high"] - told["churn"]),
            "arrayminus": 100 * (told["churn"] - told["low"]),
            "color": "#8a948f",
        },
        customdata=told["members"],
        hovertemplate="%{x}: %{y:.0f}% · %{customdata:,}<extra></extra>",
    )
    return quiet(go.Figure(bars), say("churn_by_tier", language)).update_layout(height=300).update_yaxes(ticksuffix="%", rangemode="tozero")


def value_by_tenth(table: pd.DataFrame, sign: str, language: str) -> go.Figure:
    """Expected spend of the coming year by tenths of members, and each tenth's share."""
    bars = go.Bar(
        x=table["tenth"],
        y=table["value"],
        marker_color=ACCENT,
        customdata=100 * table["share"],
        hovertemplate=f"{sign}%{{y:,.0f}} · %{{customdata:.0f}}%<extra></extra>",
    )
    figure = quiet(go.Figure(bars), say("value_by_tenth", language)).update_layout(height=300)
    return figure.update_yaxes(tickprefix=sign).update_xaxes(dtick=1, title=say("best_tenth_first", language))


def demand(table: pd.DataFrame, series: str, title: str) -> go.Figure:
    """Past weeks of a series and the coming ones with their 80% interval."""
    mine = table[table["series"] == series]
    past, ahead = mine.dropna(subset=["pieces"]), mine.dropna(subset=["mean"])
    figure = go.Figure()
    figure.add_scatter(x=past["week"], y=past["pieces"], mode="lines", line={"color": ACCENT}, hovertemplate="%{x|%Y-%m-%d}: %{y:,.0f}<extra></extra>")
    if len(ahead):
        last = past.tail(1)
        weeks = [*last["week"], *ahead["week"]]
        middle, low, high = ([*last["pieces"], *ahead[name]] for name in ("mean", "low", "high"))
        figure.add_scatter(x=[*weeks, *weeks[::-1]], y=[*high, *low[::-1]], mode="lines", fill="toself", fillcolor=_BAND, line={"width": 0}, hoverinfo="skip")
        figure.add_scatter(x=weeks, y=middle, mode="lines", line={"color": ACCENT, "dash": "dot"}, hovertemplate="%{x|%Y-%m-%d}: %{y:,.0f}<extra></extra>")
    return quiet(figure, title).update_layout(height=300).update_yaxes(rangemode="tozero")


# --- one member -------------------------------------------------------------------------


def churn_gauge(chance: float, language: str) -> go.Figure:
    """A member's chance of no order in 90 days."""
    bar = "#b5533c" if chance >= 0.6 else "#d08a2e" if chance >= 0.35 else ACCENT
    gauge = go.Indicator(
        mode="gauge+number",
        value=round(100 * chance),
        number={"suffix": "%", "font": {"size": 30}},
        gauge={"axis": {"range": [0, 100], "ticksuffix": "%"}, "bar": {"color": bar}, "bgcolor": "#ece9e2", "borderwidth": 0},
    )
    return quiet(go.Figure(gauge), say("churn_gauge", language)).update_layout(margin={"l": 44, "r": 44, "t": 48, "b": 8})


def value_interval(scores: dict[str, Any], sign: str, language: str) -> go.Figure:
    """What a member is expected to spend in a year: the expectation in its 80% interval."""
    value, low, high = (float(scores[name]) for name in ("value", "value_low", "value_high"))
    figure = go.Figure()
    figure.add_scatter(x=[low, high], y=["", ""], mode="lines", line={"color": "#bfdfd4", "width": 16}, hovertemplate=sign + "%{x:,.0f}<extra></extra>")
    figure.add_scatter(
        x=[value],
        y=[""],
        mode="markers+text",
        marker={"color": ACCENT, "size": 16},
        text=[f"{sign}{value:,.0f}"],
        textposition="top center",
        hovertemplate=sign + "%{x:,.2f}<extra></extra>",
    )
    return quiet(figure, say("value_interval", language)).update_xaxes(tickprefix=sign, rangemode="tozero")


def timeline(events: list[tuple[str, str, int]], sign: str, language: str) -> go.Figure:
    """Orders (by amount), returns, carts and views of the past year on one line of days."""
    figure = go.Figure()
    shown = {"order": (ACCENT, "circle"), "return": ("#b5533c", "x"), "cart": ("#d08a2e", "triangle-up"), "view": ("#a9b3ae", "line-ns-open")}
    for kind, (colour, symbol) in shown.items():
        mine = [(day, amount) for day, which, amount in events if which == kind]
        if not mine:
            continue
        sizes = [min(26, 8 + (amount / 100) ** 0.5) if kind in ("order", "return") else 8 for _, amount in mine]
        told = [f"{sign}{amount / 100:,.2f}" if kind in ("order", "return") else f"{amount}×" for _, amount in mine]
        figure.add_scatter(
            x=[day for day, _ in mine],
            y=[say(f"event_{kind}", language)] * len(mine),
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": sizes, "opacity": 0.8},
            text=told,
            hovertemplate="%{x|%Y-%m-%d}: %{text}<extra></extra>",
        )
    return quiet(figure, say("timeline", language)).update_layout(margin={"l": 80}).update_yaxes(autorange="reversed")


def tier_path(steps: list[tuple[str, str]], tiers: list[tuple[str, str]], today: str, language: str) -> go.Figure:
    """Which tier a member was in when; `tiers` are (key, name), lowest first."""
    names = dict(tiers)
    days, path = [day for day, _ in steps], [names.get(key, key) for _, key in steps]
    line = go.Scatter(
        x=[*days, today], y=[*path, *path[-1:]], line={"color": ACCENT, "shape": "hv"}, mode="lines+markers", hovertemplate="%{x|%Y-%m-%d}: %{y}<extra></extra>"
    )
    figure = quiet(go.Figure(line), say("tier_path", language)).update_layout(margin={"l": 70})
    return figure.update_yaxes(type="category", categoryorder="array", categoryarray=[name for _, name in tiers], range=[-0.5, len(tiers) - 0.5])
