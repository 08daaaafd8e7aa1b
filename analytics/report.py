"""What should a person see before trusting the models?

The cards as one page with plots that needs no other host: measures beside their
baselines, reliability, what matters, and for whom a score is better or worse.
"""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import plotly.io
from plotly.offline import get_plotlyjs

from analytics.shelf import Card

_ACCENT = "#1f6f5c"
_STYLE = """body{font:16px/1.5 system-ui,'Noto Sans CJK SC',sans-serif;max-width:980px;margin:32px auto;padding:0 16px;color:#26302c;background:#fbfaf7}
section{background:#fff;border:1px solid #e2e0da;border-radius:14px;padding:8px 22px 18px;margin:18px 0}h2{margin:.5em 0 .1em}p{color:#5b6661;margin:.3em 0}
table{border-collapse:collapse;margin:10px 0;font-size:.95rem}td,th{padding:4px 12px 4px 0;border-bottom:1px solid #ece9e2;text-align:right}td:first-child,th:first-child{text-align:left}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:12px}nav a{margin-right:14px;color:#1f6f5c}"""


def write(path: Path, cards: Iterable[Card], *, title: str, extra: str = "") -> Path:
    """Write the page; `extra` is HTML to stand before the cards."""
    shown = [card for card in cards if card.measures or card.importance]
    links = "".join(f'<a href="#{escape(card.name)}">{escape(card.name.replace("_", " "))}</a>' for card in shown)
    body = "".join(_section(card) for card in shown) or "<p>Nothing was learned yet.</p>"
    head = f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title><style>{_STYLE}</style><script>{get_plotlyjs()}</script></head>"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{head}<body><h1>{escape(title)}</h1><nav>{links}</nav>{extra}{body}</body></html>", encoding="utf-8")
    return path


def table(head: list[str], rows: Iterable[Iterable[Any]]) -> str:
    """An HTML table; numbers short, the rest escaped."""
    cells = lambda row, tag: "".join(f"<{tag}>{escape(_short(cell))}</{tag}>" for cell in row)  # noqa: E731
    body = "".join("<tr>" + cells(row, "td") + "</tr>" for row in rows)
    return f"<table><tr>{cells(head, 'th')}</tr>{body}</table>"


def by_way(measures: dict[str, float]) -> tuple[list[str], list[list[Any]]]:
    """Flat measures (`way: measure`) as a table: a row a way, a column a measure."""
    ways: dict[str, dict[str, float]] = {}
    for name, value in measures.items():
        way, _, measure = name.rpartition(": ")
        ways.setdefault(way, {})[measure] = value
    columns = list(dict.fromkeys(measure for found in ways.values() for measure in found))
    return ["", *columns], [[way, *(found.get(column, "") for column in columns)] for way, found in ways.items()]


def _section(card: Card) -> str:
    parts = [f'<section id="{escape(card.name)}"><h2>{escape(card.name.replace("_", " ").capitalize())}</h2>']
    parts.append(
        f"<p>Version {escape(card.version)}, learned from {escape(card.trained_on)}{escape(', measured on ' + card.measured_on if card.measured_on else '')}.</p>"
    )
    if card.notes:
        parts.append(f"<p>{escape(card.notes)}</p>")
    if card.measures:
        parts.append(table(*by_way(card.measures)))
    plots = []
    if card.tables.get("reliability"):
        plots.append(_reliability(card.tables["reliability"]))
    if card.importance:
        plots.append(_importance(card.importance))
    parts.append(f'<div class="plots">{"".join(plots)}</div>')
    if card.tables.get("classes"):
        rows = card.tables["classes"]
        parts.append(table(list(rows[0]), [row.values() for row in rows]))
    for grouping, groups in card.groups.items():
        columns = list(dict.fromkeys(measure for found in groups.values() for measure in found))
        parts.append(f"<p>By {escape(grouping)} (groups under 40 members are not measured)</p>")
        parts.append(table([grouping, *columns], [[name, *(found.get(column, "") for column in columns)] for name, found in groups.items()]))
    return "".join(parts) + "</section>"


def _reliability(rows: list[dict[str, Any]]) -> str:
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": "#c9c5bb", "dash": "dot"}, showlegend=False)
    figure.add_scatter(x=[r["chance"] for r in rows], y=[r["observed"] for r in rows], mode="lines+markers", line={"color": _ACCENT}, showlegend=False)
    return drawn(figure, "Told chance against what happened", x="told", y="observed")


def _importance(shares: dict[str, float]) -> str:
    names = list(shares)[:10][::-1]
    return drawn(
        go.Figure(go.Bar(x=[100 * shares[n] for n in names], y=[n.replace("_", " ") for n in names], orientation="h", marker_color=_ACCENT)),
        "What matters, % of what was learned",
    )


def drawn(figure: go.Figure, title: str, *, x: str = "", y: str = "") -> str:
    """A plot as a piece of a page that has the library already."""
    figure.update_layout(
        title={"text": title, "font": {"size": 14}}, height=300, margin={"l": 60, "r": 12, "t": 40, "b": 40}, plot_bgcolor="white", xaxis_title=x, yaxis_title=y
    )
    return str(plotly.io.to_html(figure, full_html=False, include_plotlyjs=False))


def _short(cell: Any) -> str:
    if isinstance(cell, float):
        return "" if cell != cell else f"{cell:,.0f}" if abs(cell) >= 1000 or float(cell).is_integer() else f"{cell:.3f}"
    return str(cell)
