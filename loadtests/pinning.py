"""Which core does what: the server on one, the load on another, where the system allows it.

A child inherits the cores of whoever starts it, so nothing here needs to know what is started.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

TOPOLOGY = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


def cores() -> list[int]:
    """The cores that we may use, one of each pair of hardware threads first; none where the system cannot pin."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    return apart({core: _siblings(core) for core in sorted(os.sched_getaffinity(0))})


def apart(siblings: dict[int, str]) -> list[int]:
    """In order, but a second thread of a core that is listed already comes last."""
    first: dict[str, int] = {}
    for core, said in siblings.items():
        first.setdefault(said, core)
    return [*first.values(), *(core for core in siblings if core not in first.values())]


def layout(available: Sequence[int], servers: int = 1) -> tuple[list[int], list[int]]:
    """Cores for the server's processes, and cores for the load and everything else. Both empty: nothing is pinned."""
    if len(available) <= servers:
        return [], []
    return list(available[:servers]), list(available[servers:])


@contextmanager
def on(chosen: Sequence[int]) -> Iterator[None]:
    """Whatever is started in here runs on these cores; on all, where there are none."""
    if not chosen:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(chosen))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _siblings(core: int) -> str:
    try:
        return Path(TOPOLOGY.format(core)).read_text("utf-8").strip()
    except OSError:
        return str(core)
