"""The doctor's words: what is sent, what came back, who is examined, and what is found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from gateway.doctor.page import Page
from gateway.services.visits import Visitor
from gateway.tokens import Ring


class To(Enum):
    """Whom a request is for: the app or the portal, both through the proxy, or the gateway itself."""

    APP = "app"
    PORTAL = "portal"
    GATEWAY = "gateway"


class Sent(NamedTuple):
    """One GET: a path with its query, and headers as they are to be spelled."""

    path: str
    headers: tuple[tuple[str, str], ...] = ()
    to: To = To.APP


class Answer(NamedTuple):
    """What came back. Header names in lower case; of the body the beginning."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def first(self, name: str) -> str:
        """The first value of a header, or an empty text."""
        return next((value for key, value in self.headers if key == name), "")


class Silence(NamedTuple):
    """Nothing came back, and why."""

    reason: str


Ask = Callable[[Sent], Awaitable[Answer | Silence]]
Answers = Sequence[Answer | Silence]


class Verdict(Enum):
    """What became of a check. A remark is worth knowing, and no mistake."""

    OK = "ok"
    WRONG = "wrong"
    UNKNOWN = "cannot tell"
    REMARK = "remark"


class Change(NamedTuple):
    """What to change: in one proxy's words each (``traefik``, ``caddy``, ...), or under ``gateway`` for all of them."""

    by_proxy: Mapping[str, str]


class Mistake(NamedTuple):
    """What a wrong answer means, and what to change."""

    means: str
    change: Change


class Remark(NamedTuple):
    """Something worth knowing."""

    means: str


class Unclear(NamedTuple):
    """Why a check could not be made."""

    means: str


Found = Mistake | Remark | Unclear | None


@dataclass(frozen=True, slots=True)
class Patient:
    """The page that is asked for, and what the doctor may present there. ``visitor`` is None where nobody is let in."""

    page: Page
    ring: Ring
    wall: float
    visitor: Visitor | None
    nobody: str = ""


class Finding(NamedTuple):
    """One line of the result."""

    name: str
    says: str
    verdict: Verdict
    means: str = ""
    change: Mapping[str, str] = {}
