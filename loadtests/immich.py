"""Immich is opened by many at once, and then scrolled: thumbnails without end.

locust -f loadtests/immich.py --headless -u 50 -r 50 -t 60s --host http://immich.gateway.localhost:8080
"""

from __future__ import annotations

from browsers import Browser
from profiles import IMMICH


class Immich(Browser):
    """A browser on that app."""

    profile = IMMICH
