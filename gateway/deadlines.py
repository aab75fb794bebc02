"""Until when a connection is waited for: one sweep a second over those that are, not a timer for each request."""

from __future__ import annotations

import asyncio
from typing import Protocol

EVERY = 1.0


class Awaited(Protocol):
    """Something that does not wait for ever."""

    def expired(self) -> None:
        """Called once, when the time is over."""


class Deadlines:
    """Those of one server."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.now = loop.time()
        self._due: dict[Awaited, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def set(self, awaited: Awaited, seconds: float) -> None:
        """From now on; in place of an earlier one."""
        self.now = self._loop.time()
        self._due[awaited] = self.now + seconds
        if self._timer is None:
            self._timer = self._loop.call_later(EVERY, self._tick)

    def roughly(self, awaited: Awaited, seconds: float) -> None:
        """As ``set``, where a second more or less is nothing; for whoever waits for a moment only, again and again."""
        if self._timer is None:
            self.set(awaited, seconds)
        else:
            self._due[awaited] = self.now + seconds

    def clear(self, awaited: Awaited) -> None:
        """It came, or it is gone."""
        self._due.pop(awaited, None)

    def sweep(self, now: float) -> None:
        """Tell everybody whose time is over; ``now`` is of the loop's clock, and kept for whoever needs no better one."""
        self.now = now
        for late in [awaited for awaited, due in self._due.items() if due <= now]:
            self._due.pop(late, None)
            late.expired()

    def _tick(self) -> None:
        self._timer = None
        try:
            self.sweep(self._loop.time())
        finally:  # one that breaks must not end the waiting for all others
            if self._due and self._timer is None:
                self._timer = self._loop.call_later(EVERY, self._tick)
