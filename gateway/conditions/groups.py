"""``groups: [family]``: the subject is in one of these groups, to the letter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from gateway import values
from gateway.model import HELD, AccessRequest, Failed, Holds, Identity, Unknown

KEY = "groups"
SUBJECT = True
READS_PATH = False

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:-]{0,63}")
UNKNOWN = Unknown("this is for certain groups; nobody is signed in")


@dataclass(frozen=True, slots=True)
class Groups:
    """One of several groups."""

    reads_path: ClassVar[bool] = READS_PATH
    names: frozenset[str]
    failed: Failed

    def holds(self, request: AccessRequest, identity: Identity | None, now: float) -> Holds:
        if identity is None:
            return UNKNOWN
        return self.failed if self.names.isdisjoint(identity.groups) else HELD


def parse(value: object) -> Groups:
    """A list of groups."""
    names = frozenset(_name(item) for item in values.texts(value))
    return Groups(names, Failed(f"the user is not in {' or '.join(sorted(names))}"))


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(
            f'"{name}" cannot be a group: letters, digits, space and . _ : -, at most 64, a letter or digit first'
        )
    return name
