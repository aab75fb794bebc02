"""``users: [alice]``: the subject is one of these people, to the letter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from gateway import values
from gateway.model import HELD, AccessRequest, Failed, Holds, Identity, Unknown

KEY = "users"
SUBJECT = True
READS_PATH = False

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
FAILED = Failed("the user is not one of those named")
UNKNOWN = Unknown("this is for certain users; nobody is signed in")


@dataclass(frozen=True, slots=True)
class Users:
    """One of several people. The reason names none of them: who else may is nobody's business."""

    reads_path: ClassVar[bool] = READS_PATH
    names: frozenset[str]

    def holds(self, request: AccessRequest, identity: Identity | None, now: float) -> Holds:
        if identity is None:
            return UNKNOWN
        return HELD if identity.name in self.names else FAILED


def parse(value: object) -> Users:
    """A list of user names."""
    return Users(frozenset(_name(item) for item in values.texts(value)))


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(
            f'"{name}" cannot be a user: small letters, digits and . _ @ -, at most 64, a letter or digit first'
        )
    return name
