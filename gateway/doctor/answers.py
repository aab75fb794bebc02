"""Whose answer it was: the gateway's, which is known by its codes and challenges, the app's, or the proxy's own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from enum import Enum, auto

from gateway import dialects
from gateway.doctor import received
from gateway.doctor.words import Answer, Silence


class Kind(Enum):
    """What an answer says, and who says it."""

    APP = auto()
    """The app was reached."""
    TOLD = auto()
    """The gateway: sign in (401)."""
    SENT = auto()
    """A redirect to a sign-in page."""
    UNTRUSTED = auto()
    """The gateway: this is no trusted proxy."""
    MALFORMED = auto()
    """The gateway: the question lacks something, or cannot be read."""
    DENIED = auto()
    """The gateway: refused."""
    NO_DOOR = auto()
    """The gateway: there is nothing at this path."""
    UNAVAILABLE = auto()
    """The gateway: cannot know now."""
    FORBIDDEN = auto()
    """A 403 that does not say whose it is: nginx tells nobody what the gateway said."""
    NOWHERE = auto()
    """A 404 that does not say whose it is."""
    BROKEN = auto()
    """A 5xx that does not say whose it is."""
    OTHER = auto()
    """Anything else."""
    SILENT = auto()
    """Nothing came back."""


_CODES = {"G101": Kind.UNTRUSTED, "G120": Kind.TOLD, "G140": Kind.NO_DOOR}
_FAMILIES = {"G10": Kind.MALFORMED, "G13": Kind.DENIED, "G3": Kind.UNAVAILABLE}
_STATUS = {403: Kind.FORBIDDEN, 404: Kind.NOWHERE}
_RETURN = re.compile(r"/login\?rd=(gwr_[A-Za-z0-9_-]+)")
_DOOR = re.compile(r"at the door of ([a-z]+)")
PROXIES = tuple(dialect.PATH.strip("/").rpartition("/")[2] for dialect in dialects.FAN)


def kind(answer: Answer | Silence) -> Kind:
    """What ``answer`` is. The app that shows what it received is known under whatever status a proxy put on it."""
    if isinstance(answer, Silence):
        return Kind.SILENT
    if received.read(answer) is not None:
        return Kind.APP
    if said := _by_code(code(answer)):
        return said
    if answer.status == 401 and answer.first("www-authenticate").startswith("Session realm="):
        return Kind.TOLD
    if 300 <= answer.status < 400 and return_token(answer):
        return Kind.SENT
    return _by_status(answer.status)


def code(answer: Answer) -> str:
    """The stable code of a problem document, or an empty text."""
    if not answer.first("content-type").startswith("application/problem+json"):
        return ""
    try:
        problem = json.loads(answer.body)
    except ValueError:
        return ""
    return str(problem.get("code", "")) if isinstance(problem, dict) else ""


def return_token(answer: Answer) -> str:
    """The signed return URL of a redirect to a sign-in page, or an empty text."""
    found = _RETURN.search(answer.first("location"))
    return found[1] if found else ""


def proxy(answers: Iterable[Answer | Silence]) -> str:
    """Which proxy it is, from the door that a probe came to, or the name that some put into ``Server``; else empty."""
    spoken = [answer for answer in answers if isinstance(answer, Answer)]
    doors = [found[1] for one in spoken if (found := _DOOR.search(one.body.decode("latin-1")))]
    names = [name for one in spoken for name in PROXIES if name in one.first("server").lower()]
    return next(iter([name for name in doors if name in PROXIES] + names), "")


def _by_code(said: str) -> Kind | None:
    families = (kind for prefix, kind in _FAMILIES.items() if said.startswith(prefix))
    return _CODES.get(said) or next(families, None)


def _by_status(status: int) -> Kind:
    if status < 400:
        return Kind.APP
    return Kind.BROKEN if status >= 500 else _STATUS.get(status, Kind.OTHER)
