"""Refusals that come too often to be told one by one: whoever is refused in a loop shall not fill a disk, nor cost more
than whoever is let in. Every refusal has a counter; beyond MOST of a kind in a second, the rest has one line.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from gateway import signals

logger = logging.getLogger("gateway")
MOST = 100
"""Refusals of one kind that have a line of their own in one second."""


class Flood:
    """One kind of refusal: told to ``receiver`` until there are too many, and nobody listens until the next second.
    ``counters`` are those of all decisions, by outcome and door."""

    def __init__(self, outcome: str, receiver: Callable[..., None], counters: Mapping[tuple[str, str], int]) -> None:
        self._outcome, self._receiver, self._counters = outcome, receiver, counters
        self._signal = signals.decided[outcome]
        self._told = self._counted_before = 0
        self._timer: asyncio.TimerHandle | None = None

    def connect(self) -> None:
        """Listen."""
        self._signal.connect(self._hear, weak=False)

    def disconnect(self) -> None:
        """Listen no more; what was not told yet is summed up."""
        if self._timer is not None:
            self._timer.cancel()
            self._next_second()
        self._signal.disconnect(self._hear)

    def _hear(self, door: str, **told: object) -> None:
        if self._timer is None:
            self._timer = _in_a_second(self._next_second)
        self._told += self._timer is not None  # without a loop nothing is served, and nothing is held back
        if self._told == MOST:
            self._counted_before = self._counted()
            self._signal.disconnect(self._hear)
        self._receiver(door, **told)

    def _next_second(self) -> None:
        self._timer, told, self._told = None, self._told, 0
        if told < MOST:
            return
        if more := self._counted() - self._counted_before:
            logger.warning("more of the same, not listed", extra={"outcome": self._outcome, "more": more})
        self.connect()

    def _counted(self) -> int:
        return sum(count for (outcome, _), count in self._counters.items() if outcome == self._outcome)


def _in_a_second(call: Callable[[], None]) -> asyncio.TimerHandle | None:
    try:
        return asyncio.get_running_loop().call_later(1.0, call)
    except RuntimeError:
        return None
