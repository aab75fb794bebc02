"""The two causes, and how a process is told which of them it has. Nothing is done here."""

from __future__ import annotations

from typing import NamedTuple


class Causes(NamedTuple):
    """``pool``: six checkouts for each question, from a pool of four. ``key``: a private key parsed for each question."""

    pool: bool
    key: bool


BY_NAME = {
    "none": Causes(False, False),
    "pool": Causes(True, False),
    "key": Causes(False, True),
    "pool+key": Causes(True, True),
}


def read(name: str) -> Causes:
    """The causes of that name; SystemExit, in words, where there are none."""
    if name not in BY_NAME:
        raise SystemExit(f"BASELINE_CAUSES is one of {', '.join(BY_NAME)}, not {name!r}")
    return BY_NAME[name]
