"""The protocols through which memory is filled: what may be asked of the world, and what comes back. Nothing else may.

``storage.answers`` implements them on PostgreSQL; the contract tests run the same suite over a dictionary.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from gateway.model import App, Credential


class Fact(NamedTuple):
    """What storage says of one credential. ``ends``, ``idle`` and ``idle_ends`` are seconds from now by the store's
    clock (infinite where there is no limit); ``refused`` says why it proves nobody, or is empty."""

    credential: Credential
    id: int
    parent: int | None
    tenant: int
    user_id: int
    name: str
    display: str
    email: str
    groups: tuple[str, ...]
    group_ids: tuple[int, ...]
    factors: tuple[str, ...]
    level: int
    apps: tuple[str, ...] | None
    audience: str
    ends: float
    idle: float
    idle_ends: float
    age: float
    refused: str


class Answer(NamedTuple):
    """Facts by credential (absent: no such row), and the policy's revision at the same moment."""

    facts: Mapping[Credential, Fact]
    revision: int


class StoredPolicy(NamedTuple):
    """Every app with its tenant, and the revision, from one moment."""

    revision: int
    apps: tuple[tuple[int, App], ...]


Ask = Callable[[Collection[Credential]], Awaitable[Answer]]


class Lookups(Protocol):
    """What recall may ask."""

    def asking(self) -> AbstractAsyncContextManager[Ask]:
        """Wait for a connection; then one question, which is one statement. Raises StoreBusy or StoreSilent."""
        ...

    async def policy(self) -> StoredPolicy:
        """All of the policy."""
        ...

    async def preload(self, most: int) -> Answer:
        """The most recently used credentials."""
        ...
