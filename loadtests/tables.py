"""A run's results as lines for people: every figure, then every bar and whether it was held. Nothing is measured.

Figures that share a name are one row: a rate, its multiple of the bare uvicorn's, a p99.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click
from figures import Bar, Figure, Section

COLOURS = {"held": "green", "NOT HELD": "red", "not run": "yellow"}


def verdict(bar: Bar) -> str:
    """In two words at most."""
    if bar.value is None:
        return "not run"
    return "held" if bar.held else "NOT HELD"


def lines(sections: Mapping[str, Section]) -> list[str]:
    """All of it. Colours are in it; whoever prints to no terminal takes them away (click does)."""
    found: list[str] = []
    for name, section in sections.items():
        found += ["", click.style(f"{section.title} ({name})", bold=True), *_rows(section.figures)]
        found += [f"  note: {note}" for note in section.notes]
    bars = [bar for section in sections.values() for bar in section.bars]
    said = [_bar(name, bar) for name, section in sections.items() for bar in section.bars]
    return [*found, "", click.style("Bars", bold=True), *said, "", summary(bars)]


def summary(bars: Sequence[Bar]) -> str:
    """How many of each."""
    said = [verdict(bar) for bar in bars]
    return ", ".join(f"{said.count(word)} {word}" for word in COLOURS)


def _rows(figures: Sequence[Figure]) -> list[str]:
    names = dict.fromkeys(figure.name for figure in figures)
    width = max((len(name) for name in names), default=0)
    return [
        f"  {name:{width}}  " + "  ".join(_cell(figure) for figure in figures if figure.name == name) for name in names
    ]


def _cell(figure: Figure) -> str:
    spread = f" [{number(figure.least)} to {number(figure.most)}]" if figure.least < figure.most else ""
    return f"{number(figure.value):>8} {figure.unit}{spread}".ljust(24 + len(figure.unit))


def _bar(member: str, bar: Bar) -> str:
    said = verdict(bar)
    wanted = f"{'at least' if bar.at_least else 'at most'} {number(bar.bound)}"
    measured = number(bar.value) if bar.value is not None else "-"
    why = f"  ({bar.reason})" if bar.value is None else ""
    return f"  {click.style(f'{said:8}', fg=COLOURS[said])}  {measured:>8}  {wanted:14}  {member}: {bar.name}{why}"


def number(value: float) -> str:
    """Three digits that say something, and all before the point."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
