"""What the signals say, as log lines: the ear, sign-ins, and every no with its reason and request id."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from gateway import signals
from gateway.model import AccessRequest, Deny, Malformed, Reply
from gateway.observe.floods import Flood

logger = logging.getLogger("gateway")


class News:
    """Connected once by ``app``; remembers only what it said last about the ear. ``counters`` are those of all decisions,
    by outcome and door."""

    def __init__(self, counters: Mapping[tuple[str, str], int] | None = None) -> None:
        self._hearing = False
        told: dict[str, Callable[..., None]] = {
            "deny": self.denied,
            "malformed": self.malformed,
            "unavailable": self.unavailable,
        }
        self._floods = [
            Flood(outcome, receiver, {} if counters is None else counters) for outcome, receiver in told.items()
        ]

    def connect(self) -> None:
        """Listen to what is worth a line. Allows and challenges are not, so nobody listens to them."""
        signals.hearing.connect(self.heard, weak=False)
        signals.deaf.connect(self.lost, weak=False)
        signals.signed_in.connect(self.signed_in, weak=False)
        signals.signed_out.connect(self.signed_out, weak=False)
        for flood in self._floods:
            flood.connect()

    def disconnect(self) -> None:
        """Listen no more."""
        signals.hearing.disconnect(self.heard)
        signals.deaf.disconnect(self.lost)
        signals.signed_in.disconnect(self.signed_in)
        signals.signed_out.disconnect(self.signed_out)
        for flood in self._floods:
            flood.disconnect()

    def heard(self, sender: object, **_: object) -> None:
        """Said once, when the ear begins to hear."""
        if not self._hearing:
            self._hearing = True
            logger.info("hearing")

    def lost(self, sender: object, reason: str) -> None:
        """Every time: an ear that does not come back must not be silent about it."""
        self._hearing = False
        logger.warning("deaf", extra={"reason": reason})

    def signed_in(self, sender: object, user: int, session: int) -> None:
        """Ids, not names."""
        logger.info("signed in", extra={"user": user, "session": session})

    def signed_out(self, sender: object, sessions: list[int]) -> None:
        """Ids of what ended."""
        logger.info("signed out", extra={"sessions": sessions})

    def denied(self, door: str, request: AccessRequest, decision: Deny, reply: Reply) -> None:
        """Who was refused where, by which rule and why. Never the path: shares are secrets."""
        identity = decision.identity
        logger.info(
            "denied",
            extra={
                "app": decision.app,
                "host": request.host,
                "rule": decision.rule,
                "code": decision.code,
                "reason": decision.reason,
                "user": identity.name if identity else "",
                "client": str(request.client or ""),
                "door": door,
                "request_id": request_id(reply),
            },
        )

    def malformed(self, door: str, request: None, decision: Malformed, reply: Reply) -> None:
        """What could not be read, by name only."""
        logger.warning("refused to read a question", extra=_refusal(decision, door, reply))

    def unavailable(self, door: str, request: None, decision: Malformed, reply: Reply) -> None:
        """Nobody knew, and nobody could be asked."""
        logger.warning("could not answer", extra=_refusal(decision, door, reply))


def _refusal(decision: Malformed, door: str, reply: Reply) -> dict[str, Any]:
    return {"code": decision.code, "reason": decision.reason, "door": door, "request_id": request_id(reply)}


def request_id(reply: Reply) -> str:
    """The id a no was given."""
    return dict(reply.headers).get(b"x-request-id", b"").decode()
