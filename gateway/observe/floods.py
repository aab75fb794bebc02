"""Refusals that come too often to be told one by one: whoever is refused in a loop shall not fill a disk, nor cost more
than whoever is let in. Every refusal has a counter; what is not told in a second has one line together.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from gateway import signals

logger = logging.getLogger("gateway")
MOST, ALL = 100, 1000
"""Refusals in one second: those of one cause that are told one by one, and those of any after which nobody listens."""


class Flood:
    """One kind of refusal, told to ``receiver``. A cause that comes too often (a code, and the person it is about) is not
    told again in that second, so that one does not hide the others; beyond ALL nobody listens until the next one.
    ``counters`` are those of all decisions, by outcome and door."""

    def __init__(self, outcome: str, receiver: Callable[..., None], counters: Mapping[tuple[str, str], int]) -> None:
        self._outcome, self._receiver, self._counters = outcome, receiver, counters
        self._signal = signals.decided[outcome]
        self._causes: dict[tuple[str, str], int] = {}
        self._told = self._heard = self._counted_before = 0
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

    def _hear(self, door: str, **told: Any) -> None:
        if self._timer is None:
            self._timer, self._counted_before = _in_a_second(self._next_second), self._counted() - 1
        if self._timer is not None and self._is_too_often(_cause(told.get("decision"))):
            return
        self._told += 1
        self._receiver(door, **told)

    def _is_too_often(self, cause: tuple[str, str]) -> bool:
        times = self._causes[cause] = self._causes.get(cause, 0) + 1
        self._heard += 1
        if self._heard == ALL:
            self._signal.disconnect(self._hear)
        return times > MOST

    def _next_second(self) -> None:
        more, heard = self._counted() - self._counted_before - self._told, self._heard
        self._timer, self._told, self._heard = None, 0, 0
        self._causes.clear()
        if more > 0:
            logger.warning("more of the same, not listed", extra={"outcome": self._outcome, "more": more})
        if heard >= ALL:
            self.connect()

    def _counted(self) -> int:
        return sum(count for (outcome, _), count in self._counters.items() if outcome == self._outcome)


class Few:
    """At most MOST lines a second about something that no signal tells of."""

    def __init__(self, what: str) -> None:
        self._what, self._second, self._times = what, 0, 0

    def passes(self, now: float) -> bool:
        """Whether there is room for one more, at ``now`` (seconds of any clock)."""
        if int(now) != self._second:
            if self._times > MOST:
                more = self._times - MOST
                logger.warning("more of the same, not listed", extra={"outcome": self._what, "more": more})
            self._second, self._times = int(now), 0
        self._times += 1
        return self._times <= MOST


def _cause(decision: Any) -> tuple[str, str]:
    identity = getattr(decision, "identity", None)
    return getattr(decision, "code", ""), identity.name if identity else ""


def _in_a_second(call: Callable[[], None]) -> asyncio.TimerHandle | None:
    try:
        return asyncio.get_running_loop().call_later(1.0, call)
    except RuntimeError:
        return None
