"""Actual Budget is opened by many at once, and then edited: the burst that once emptied a pool of four connections.

locust -f loadtests/actual_budget.py --headless -u 50 -r 50 -t 60s --host http://actual.gateway.localhost:8080
"""

from __future__ import annotations

from browsers import Browser
from profiles import ACTUAL_BUDGET


class ActualBudget(Browser):
    """A browser on that app."""

    profile = ACTUAL_BUDGET
