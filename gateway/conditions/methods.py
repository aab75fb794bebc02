"""``methods: [GET, POST]``: the request's method is one of these.

A rule that names GET also covers HEAD: RFC 9110 section 9.3.2 defines HEAD as GET without the body, so whoever may read
may ask how long it would be, and whoever may not read may not learn that either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from gateway import values
from gateway.model import HELD, AccessRequest, Failed, Holds, Identity

KEY = "methods"
SUBJECT = False
READS_PATH = False

_METHOD = re.compile(r"[A-Z]+(?:-[A-Z]+)*")


@dataclass(frozen=True, slots=True)
class Methods:
    """One of several methods."""

    reads_path: ClassVar[bool] = READS_PATH
    names: frozenset[str]
    failed: Failed

    def holds(self, request: AccessRequest, identity: Identity | None, now: float) -> Holds:
        return HELD if request.method in self.names else self.failed


def parse(value: object) -> Methods:
    """A list of methods in capitals."""
    written = [_method(item) for item in values.texts(value)]
    names = frozenset(written) | ({"HEAD"} if "GET" in written else set())
    return Methods(names, Failed(f"the method is not {' or '.join(sorted(names))}"))


def _method(name: str) -> str:
    if not _METHOD.fullmatch(name) or len(name) > 32:
        meant = f"; write {name.upper()}" if name != name.upper() and _METHOD.fullmatch(name.upper()) else ""
        raise ValueError(f'"{name}" is not a method in capitals{meant}')
    return name
