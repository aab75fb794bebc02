"""Who else asks: of so many requests one is not the signed-in browser's, and must be answered otherwise.

Here: as whom a request is sent, and which statuses are right for it. Not here: how it is sent (``browsers``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from waves import Asset

EVERY = 20
"""One request in so many, taking turns."""
UNKNOWN = frozenset({403, 404})
"""A host that is nobody's app: the gateway's answer, or that of a proxy that has no router for it."""
GRANTED = frozenset({200})


class Asking(NamedTuple):
    """As whom: what a summary calls it ("" for the browser itself), its headers, and the statuses that are due."""

    who: str
    host: str
    headers: dict[str, str]
    due: frozenset[int]


@dataclass(frozen=True, slots=True)
class Mix:
    """Whom there is. ``refusals``: what is due for those who are not signed in, where it is not the gateway's own way."""

    keys: Sequence[str]
    expired: Sequence[str]
    public: bool
    refusals: frozenset[int] = frozenset()
    every: int = EVERY

    def asking(self, number: int, asset: Asset, host: str, cookie: str) -> Asking:
        """As whom request ``number`` is sent, where ``cookie`` is the browser's."""
        if not self.every or number % self.every:
            return Asking("", host, {"Cookie": cookie}, GRANTED)
        turn = number // self.every
        match self._turns()[turn % len(self._turns())]:
            case "unknown host":
                return Asking("unknown host", unknown(host), {"Cookie": cookie}, UNKNOWN)
            case "key":
                return Asking("key", host, {"X-Api-Key": self.keys[turn % len(self.keys)]}, GRANTED)
            case "expired":
                cookie = self.expired[turn % len(self.expired)]
                return Asking("expired", host, {"Cookie": cookie}, self._refused(asset))
            case "forged":
                return Asking("forged", host, {"Cookie": forged(cookie)}, self._refused(asset))
        return Asking("nobody", host, {}, self._refused(asset))

    def _turns(self) -> list[str]:
        given = [name for name, there in (("key", self.keys), ("expired", self.expired)) if there]
        return ["nobody", "forged", "unknown host", *given]

    def _refused(self, asset: Asset) -> frozenset[int]:
        """A person's page is led to the sign-in, everything else is told; a public app lets them in."""
        if self.refusals:
            return self.refusals
        return GRANTED if self.public else frozenset({302 if asset.kind == "html" else 401})


def forged(cookie: str) -> str:
    """The same cookie with its last sign changed: well formed, and nobody's."""
    return cookie[:-1] + ("A" if cookie[-1] != "A" else "B")


def unknown(host: str) -> str:
    """A neighbour of ``host`` that is no app."""
    return f"nobodys-app.{host.partition('.')[2]}" if "." in host.partition(":")[0] else f"nobodys-app.{host}"
