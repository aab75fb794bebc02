"""The chart: how many checks a second, as multiples of a bare uvicorn. Plain SVG, readable on light and on dark paper.

Colours are of the middle, text is grey enough for both grounds, and nothing is loaded from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from figures import Figure

WIDTH, LABEL, ROW, TOP, RIGHT = 760, 240, 22, 64, 60
INK, LINE = "#7d8590", "#7d859088"
OURS, THEIRS = "#2f81f7", "#9a8a6a"
REFERENCES = ("bare uvicorn", "nginx")


class Row(NamedTuple):
    """One bar, with the least and the most of its rounds."""

    label: str
    value: float
    least: float
    most: float


class Panel(NamedTuple):
    """Rows under one heading."""

    title: str
    rows: Sequence[Row]


def panels(figures: Sequence[Figure], unit: str) -> list[Panel]:
    """Figures of this unit, named ``what, manner``: a panel for each manner."""
    found: dict[str, list[Row]] = {}
    for figure in figures:
        if figure.unit == unit:
            label, _, manner = figure.name.rpartition(", ")
            found.setdefault(manner, []).append(Row(label, figure.value, figure.least, figure.most))
    return [Panel(manner, rows) for manner, rows in found.items()]


def svg(title: str, subtitle: str, shown: Sequence[Panel]) -> str:
    """The picture."""
    most = max((row.most for panel in shown for row in panel.rows), default=1.0)
    scale = (WIDTH - LABEL - RIGHT) / max(most, 1.0)
    parts, y = [_text(16, 24, title, size=15, weight=600), _text(16, 44, subtitle, size=11)], float(TOP)
    for panel in shown:
        parts.append(_text(16, y + 14, panel.title, size=12, weight=600))
        parts += _panel(panel, y + ROW, scale)
        y += ROW * (len(panel.rows) + 2)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y:.0f}" width="{WIDTH}" height="{y:.0f}"'
    font = "font-family=\"system-ui, 'Segoe UI', Roboto, sans-serif\""
    return f'{head} {font} role="img" aria-label="{escape(title)}">\n' + "\n".join(parts) + "\n</svg>\n"


def _panel(panel: Panel, top: float, scale: float) -> list[str]:
    one = LABEL + scale
    bottom = top + ROW * len(panel.rows)
    parts = [f'<path d="M{one:.1f} {top:.0f}V{bottom:.0f}" stroke="{LINE}" stroke-dasharray="3 3"/>']
    for place, row in enumerate(panel.rows):
        parts += _row(row, top + ROW * place, scale)
    return parts


def _row(row: Row, y: float, scale: float) -> list[str]:
    """A label, a bar, its number, and a thin line from the least round to the most."""
    colour = THEIRS if row.label.startswith(REFERENCES) else OURS
    middle = y + ROW / 2
    ends = f"M{LABEL + row.least * scale:.1f} {middle:.1f}H{LABEL + row.most * scale:.1f}"
    number = LABEL + max(row.value, row.most) * scale + 6
    return [
        _text(LABEL - 8, middle + 4, row.label, size=12, anchor="end"),
        f'<rect x="{LABEL}" y="{y + 4:.1f}" width="{row.value * scale:.1f}" height="{ROW - 8}" rx="2" fill="{colour}"/>',
        f'<path d="{ends}" stroke="{INK}" stroke-width="1.5"/>',
        _text(number, middle + 4, f"{row.value:.2f}", size=12),
    ]


def _text(x: float, y: float, said: str, *, size: int, weight: int = 400, anchor: str = "start") -> str:
    look = f'font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{INK}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(said)}</text>'
