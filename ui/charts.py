"""Which pictures show it best? Plotly figures of one member."""

from datetime import date, timedelta
from typing import Any

import plotly.graph_objects as go

from ui.look import ACCENT
from ui.words import say

# One shade a cause, told apart by colour-blind eyes, too (Okabe and Ito, muted).
CAUSES = [ACCENT, "#d08a2e", "#5b8fb9", "#b5533c", "#8a6fa8", "#c9b458", "#7f8c86", "#3f5f8a", "#a3b18a", "#9c5b7a", "#4d4d4d", "#c98fa8"]


def quiet(figure: go.Figure, title: str) -> go.Figure:
    """The house's plain look: no box, soft lines, a small title."""
    figure.update_layout(
        title={"text": title, "font": {"size": 14}},
        margin={"l": 44, "r": 12, "t": 40, "b": 36},
        height=230,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, 'Noto Sans CJK SC', sans-serif", "color": "#26302c"},
        showlegend=False,
    )
    figure.update_yaxes(gridcolor="#ece9e2", zerolinecolor="#ece9e2")
    return figure


def spend_by_month(months: list[tuple[str, int]], sign: str, language: str) -> go.Figure:
    """Net spend of each month as bars; `months` are (YYYY-MM, minor units)."""
    bars = go.Bar(
        x=[name for name, _ in months], y=[cents / 100 for _, cents in months], marker_color=ACCENT, hovertemplate="%{x}: " + sign + "%{y:,.2f}<extra></extra>"
    )
    figure = quiet(go.Figure(bars), say("spend_by_month", language))
    return figure.update_yaxes(tickprefix=sign).update_xaxes(type="category", nticks=8)


def points_over_time(steps: list[tuple[str, int]], language: str) -> go.Figure:
    """The points balance after each booking; `steps` are (day, balance)."""
    line = go.Scatter(
        x=[day for day, _ in steps], y=[balance for _, balance in steps], line={"color": ACCENT, "shape": "hv"}, fill="tozeroy", fillcolor="rgba(31,111,92,.12)"
    )
    return quiet(go.Figure(line), say("points_over_time", language))


def tier_progress(standing: dict[str, Any], tiers: list[tuple[str, float]], sign: str, language: str) -> go.Figure:
    """Spend in the window against every tier's threshold; `tiers` are (name, threshold)."""
    spent = float(standing["window_spend"])
    figure = go.Figure(go.Bar(x=[spent], y=[""], orientation="h", marker_color=ACCENT, width=0.4, hovertemplate=sign + "%{x:,.2f}<extra></extra>"))
    for name, threshold in tiers:
        figure.add_vline(x=threshold, line_dash="dot", line_color="#8a948f")
        figure.add_annotation(x=threshold, y=0.62, text=name, showarrow=False, font={"size": 11}, textangle=-30)
    reach = max([spent * 1.1, *(threshold for _, threshold in tiers if threshold <= spent * 3 + 600)], default=1)
    quiet(figure, say("tier_progress", language))
    return figure.update_xaxes(range=[0, reach * 1.05], tickprefix=sign).update_yaxes(range=[-0.4, 0.9])


def tickets_by_day(counts: list[tuple[str, str, int]], names: dict[str, str], language: str) -> go.Figure:
    """Tickets of each day, stacked by cause; counts are (day, cause, number)."""
    figure = go.Figure()
    days = sorted({day for day, _, _ in counts})
    for cause in dict.fromkeys(cause for _, cause, _ in counts):
        mine = [(day, n) for day, which, n in counts if which == cause]
        figure.add_bar(x=[day for day, _ in mine], y=[n for _, n in mine], name=names.get(cause, cause), hovertemplate="%{x|%Y-%m-%d}: %{y}")
    quiet(figure, say("tickets_by_day", language)).update_layout(
        barmode="stack", showlegend=True, legend={"orientation": "h", "y": -0.25}, height=300, colorway=CAUSES
    )
    most = max((sum(n for day, _, n in counts if day == one) for one in days), default=1)
    # Tickets are whole, and a single day is a bar, not a wall.
    figure.update_yaxes(dtick=max(1, -(-most // 5)), rangemode="tozero").update_traces(width=20 * 3_600_000)
    return figure.update_xaxes(tickformat="%m-%d", nticks=8, range=_around(days) if len(days) < 4 else None)


def _around(days: list[str]) -> list[str] | None:
    """A few days about few days."""
    if not days:
        return None
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    return [(first - timedelta(days=4)).isoformat(), (last + timedelta(days=4)).isoformat()]
