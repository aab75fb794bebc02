"""``path: /share/``: the decoded path begins with these segments.

A prefix ends where a segment ends: ``/pub`` is /pub and /pub/x but not /publicity; ``/share/`` is /share/ and /share/x
but not /share; ``/`` is everything. Upper and lower case differ, as they do for most apps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gateway import values
from gateway.model import HELD, AccessRequest, Failed, Holds, Identity

KEY = "path"
SUBJECT = False
READS_PATH = True


@dataclass(frozen=True, slots=True)
class Path:
    """A prefix: ``whole`` as written, ``below`` with the slash that everything under it begins with."""

    reads_path: ClassVar[bool] = READS_PATH
    whole: str
    below: str
    failed: Failed

    def holds(self, request: AccessRequest, identity: Identity | None, now: float) -> Holds:
        return HELD if self.covers(request.path) else self.failed

    def covers(self, path: str) -> bool:
        """Whether this path is under it."""
        return path.startswith(self.below) or path == self.whole


def parse(value: object) -> Path:
    """A decoded path."""
    path = values.path(value)
    return Path(path, path if path.endswith("/") else f"{path}/", Failed(f"the path is not under {path}"))
