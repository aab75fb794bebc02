"""An app that cannot be reached is left alone for a moment, so that nobody waits for what just failed many times over.

Pure: the clock is handed in.
"""

from __future__ import annotations

MOST = 5
"""Connections that fail one after the other before the app is left alone."""
REST = 1.0
"""Seconds that it is left alone; then it is tried again."""


class Breaker:
    """That of one app."""

    def __init__(self) -> None:
        self._failures = 0
        self._until = 0.0

    def rests(self, now: float) -> bool:
        """Whether the app is left alone. When its rest is over one may try, and the others still wait for that one."""
        if self._failures < MOST:
            return False
        if now < self._until:
            return True
        self._until = now + REST
        return False

    def failed(self, now: float) -> None:
        """A connection could not be opened."""
        self._failures += 1
        self._until = now + REST

    def worked(self) -> None:
        """A connection was opened."""
        self._failures = 0
