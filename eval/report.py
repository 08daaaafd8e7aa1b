"""How do the answers read? An HTML page of every case, wrong ones first."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment

from eval.answers import Checked

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Patron: answers</title><style>
body{font:15px/1.5 system-ui,sans-serif;margin:32px auto;max-width:1080px;color:#26302c}table{border-collapse:collapse;width:100%;margin:12px 0 32px}td,th{border-bottom:1px solid #e2e0da;padding:6px 8px;text-align:left;vertical-align:top}
.wrong{color:#9a3412}pre{white-space:pre-wrap;margin:0;font:inherit}</style></head><body><h1>Answers</h1><p>{{ checked|length }} turns, {{ checked|rejectattr("wrong")|list|length }} right. Model: {{ model }}.</p>
<table><tr>{% for name in head %}<th>{{ name }}</th>{% endfor %}</tr>{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</table>
<table><tr><th>case</th><th>said</th><th>answer</th><th>wrong</th><th>ms</th></tr>
{% for one in checked|sort(attribute="wrong", reverse=true) %}<tr><td>{{ one.case }}</td><td>{{ one.said }}</td><td><pre>{{ one.answer }}</pre></td><td class="wrong">{{ one.wrong|join("; ") }}</td><td>{{ "%.0f"|format(one.milliseconds) }}</td></tr>{% endfor %}
</table></body></html>"""


def write(path: Path, checked: Sequence[Checked], head: Sequence[str], rows: Sequence[Sequence[str]], model: str) -> None:
    """Write the report; every text is escaped."""
    page = Environment(autoescape=True).from_string(_PAGE).render(checked=list(checked), head=head, rows=rows, model=model)
    path.write_text(page, encoding="utf-8")
