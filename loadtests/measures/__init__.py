"""The fan of measurements: one file for each thing that ``make bench`` measures, each named here once.

A member has ``measure(quick, tell) -> Section``: it starts what it needs on free ports, measures, and leaves nothing
behind; ``quick`` is a minute or less, with fewer rounds and smaller numbers. Members do not import one another.
"""

from __future__ import annotations
