"""Whom the relay deals with: the door to which a client's connection belongs, and who had something carried over it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from gateway.errors import UpstreamFailed
from gateway.messages.heads import BadMessage
from gateway.model import Decision, Reply
from gateway.outbox import Outbox


class Patron(Protocol):
    """Who had it carried, and is told what became of it; ``client`` is whoever was told to ``take`` it."""

    def failed(self, client: Hashable, error: UpstreamFailed) -> Reply:
        """The app did not answer; what the client is told instead."""

    def refused(self, client: Hashable, bad: BadMessage) -> Reply:
        """The client's body cannot be read; what it is told."""

    def ended(self, client: Hashable, decision: Decision | None) -> tuple[Reply, str]:
        """It may not go on: what the client is told if it was told nothing yet, and why."""

    def finished(self, client: Hashable) -> None:
        """The exchange is over, in whatever way."""


class Home(Protocol):
    """The door to which the client's connection belongs; whole messages go by its ``outbox``."""

    outbox: Outbox

    def data_received(self, data: bytes) -> None:
        """Something has come while nothing is carried."""

    def pause_writing(self) -> None:
        """The client does not read, and nothing is carried."""

    def resume_writing(self) -> None:
        """It reads again."""

    def back(self, rest: bytes, stays: bool) -> None:
        """The exchange is over, and the connection goes on; ``rest`` has come already."""

    def lost(self) -> None:
        """The connection is gone."""

    def words(self, reply: Reply, is_head: bool, closes: bool) -> bytes:
        """A reply as it stands in a message."""
