"""Actual Budget is opened by many at once, and then edited: the burst that once emptied a pool of four connections.

locust -f loadtests/actual_budget.py --headless -u 50 -r 50 -t 60s --host http://actual.gateway.localhost:8080
"""

from __future__ import annotations

import random

import gevent
import reports  # noqa: F401 - its listeners
from browsers import Browser
from locust import task
from profiles import ACTUAL_BUDGET, PAUSE, SYNC, SYNCS


class ActualBudget(Browser):
    """Opens the app with a cold cache, makes a few changes, opens it again."""

    @task
    def visit(self) -> None:
        """Four waves, then a trickle."""
        for wave in ACTUAL_BUDGET:
            self.together(wave)
        for _ in range(SYNCS):
            gevent.sleep(random.uniform(*PAUSE))
            self.fetch("5 edits", SYNC, SYNC.path)
