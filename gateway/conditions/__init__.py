"""The fan of conditions: one predicate over a request, an identity and the time per file, each named here once.

A member has ``KEY`` (its word in a rule), ``SUBJECT`` (whether it asks who somebody is), ``READS_PATH`` and
``parse(value)``, which gives a frozen condition or raises ValueError with a sentence. A condition's ``holds`` makes no
values: what it can answer was made when it was parsed. It does no I/O and never raises. Members never import one
another.

What reads the path reads nothing else, and answers held or failed: it also has ``covers(path) -> bool``. It is not asked
where ``request.unclear`` says that the path has two readings; the policy refuses there.
"""

from __future__ import annotations

from types import ModuleType
from typing import Protocol

from gateway.conditions import groups, methods, networks, path, path_exact, path_regex, users
from gateway.model import AccessRequest, Holds, Identity


class Condition(Protocol):
    """What every member's ``parse`` returns. ``now`` is the boot clock in seconds."""

    @property
    def reads_path(self) -> bool: ...

    def holds(self, request: AccessRequest, identity: Identity | None, now: float) -> Holds: ...


FAN: tuple[ModuleType, ...] = (methods, path_exact, path, path_regex, networks, users, groups)
"""Cheap ones first, those about a subject last: who somebody is matters only where the request is the one meant."""

BY_KEY: dict[str, ModuleType] = {member.KEY: member for member in FAN}
