"""The clocks that everything else is handed. The boot clock goes on while the machine sleeps, so trust runs out then."""

from __future__ import annotations

import time

from gateway.check import Moment

_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS has none; its monotonic clock goes on in sleep


_new = tuple.__new__  # what Moment() comes down to, at two thirds of its price


def boot() -> float:
    """Seconds since boot, sleep included."""
    return time.clock_gettime(_BOOT)


def wall() -> float:
    """Unix seconds."""
    return time.time()


def moment() -> Moment:
    """Now, by both clocks."""
    return _new(Moment, (time.clock_gettime(_BOOT), time.time()))
