"""``path_exact: /ping``: the whole decoded path is this one, to the letter; a slash at the end counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gateway import values
from gateway.model import HELD, AccessRequest, Failed, Holds, Identity

KEY = "path_exact"
SUBJECT = False
READS_PATH = True


@dataclass(frozen=True, slots=True)
class PathExact:
    """One path."""

    reads_path: ClassVar[bool] = READS_PATH
    path: str
    failed: Failed

    def holds(self, request: AccessRequest, identity: Identity | None, now: float) -> Holds:
        return HELD if self.covers(request.path) else self.failed

    def covers(self, path: str) -> bool:
        """Whether this is that path."""
        return path == self.path


def parse(value: object) -> PathExact:
    """A decoded path."""
    path = values.path(value)
    return PathExact(path, Failed(f"the path is not {path}"))
