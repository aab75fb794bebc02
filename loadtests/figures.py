"""What a measurement brings home: figures, and the bars that are held against them. Shapes only; nothing is run here.

A figure is a median with its spread; a bar is a ratio of two figures of the same run, because absolute times do not
travel between machines. A bar that could not be run says why, and has not held.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Figure(NamedTuple):
    """One thing that was measured: the median of its rounds, the least and the most of them."""

    name: str
    value: float
    unit: str
    least: float
    most: float


class Bar(NamedTuple):
    """A promise about ``value``: at least, or at most, ``bound``. ``value`` None: it could not be had, for ``reason``."""

    name: str
    value: float | None
    bound: float
    at_least: bool
    reason: str = ""

    @property
    def held(self) -> bool:
        """Whether the promise was kept in this run."""
        if self.value is None:
            return False
        return self.value >= self.bound if self.at_least else self.value <= self.bound


class Section(NamedTuple):
    """One measurement: its figures, its bars, and what a reader has to know beside them."""

    title: str
    figures: Sequence[Figure]
    bars: Sequence[Bar]
    notes: Sequence[str] = ()


Tell = Callable[[str], None]
"""Says how far a long measurement is, in a few words."""


def figure(name: str, rounds: Sequence[float], unit: str) -> Figure:
    """The figure that these rounds make."""
    return Figure(name, statistics.median(rounds), unit, min(rounds), max(rounds))


def as_data(section: Section) -> dict[str, Any]:
    """For the file of results."""
    bars = [{**bar._asdict(), "held": bar.held} for bar in section.bars]
    return {
        "title": section.title,
        "figures": [each._asdict() for each in section.figures],
        "bars": bars,
        "notes": list(section.notes),
    }
