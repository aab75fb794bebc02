"""KitchenOwl is opened by many at once: an answer that takes over four seconds fails the run.

locust -f loadtests/kitchenowl.py --headless -u 50 -r 50 -t 60s --host http://kitchenowl.gateway.localhost:8080
"""

from __future__ import annotations

from browsers import Browser
from profiles import KITCHENOWL


class KitchenOwl(Browser):
    """A browser on that app."""

    profile = KITCHENOWL
