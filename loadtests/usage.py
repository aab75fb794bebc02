"""What processes use, as the kernel counts it: processor time and memory of a process and all it started. Linux only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
MB = 1024 * 1024


class Use(NamedTuple):
    """Seconds of processor time so far, and bytes that are resident, of each process by its id."""

    seconds: dict[int, float]
    resident: dict[int, int]

    @property
    def total_seconds(self) -> float:
        """Of all of them."""
        return sum(self.seconds.values())


def of_session(leader: int) -> Use:
    """Every process of the session that ``leader`` leads; empty where the kernel does not say (not Linux)."""
    seconds, resident = dict[int, float](), dict[int, int]()
    for directory in PROC.glob("[0-9]*"):
        found = _fields(directory)
        if found and int(found[3]) == leader:
            number = int(directory.name)
            seconds[number] = (int(found[11]) + int(found[12])) / TICK
            resident[number] = int(found[21]) * os.sysconf("SC_PAGE_SIZE")
    return Use(seconds, resident)


def _fields(directory: Path) -> list[str]:
    """The fields of ``stat`` behind the program's name, which may hold spaces and parentheses (proc_pid_stat(5))."""
    try:
        return (directory / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return []
