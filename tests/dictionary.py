"""Lookups on a dictionary: the double that the contract suite holds to what PostgreSQL answers.

``gate`` lets a test stop an answer between its reading and its coming back. Every statement is written down in ``asked``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from gateway.lookups import Answer, Ask, Fact, StoredPolicy
from gateway.model import App, Credential, Rule

APP = App("app", "The app", ("app.example.com",), (Rule("one_factor"),))


class Gate:
    """Open until shut. ``stopped`` is set while somebody stands before it."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self.stopped = asyncio.Event()

    def shut(self) -> None:
        self._open.clear()
        self.stopped.clear()

    def open(self) -> None:
        self._open.set()

    async def __call__(self) -> None:
        if not self._open.is_set():
            self.stopped.set()
        await self._open.wait()


class Dictionary:
    """The double. ``connections`` is how many may ask at once."""

    def __init__(self, *facts: Fact, connections: int = 4, apps: tuple[App, ...] = (APP,), revision: int = 1) -> None:
        self.facts = {fact.credential: fact for fact in facts}
        self.apps, self.revision = apps, revision
        self.asked: list[str] = []
        self.batches: list[list[Credential]] = []
        self.gate, self.policy_gate, self.busy = Gate(), Gate(), Gate()
        self.fails: Exception | None = None
        self._free = asyncio.Semaphore(connections)

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[Ask]:
        """A connection, for one question."""
        async with self._free:
            await self.busy()
            yield self._ask
            await asyncio.sleep(0)  # giving a connection back may let others run, as it does in the pool

    async def policy(self) -> StoredPolicy:
        """All of the policy, as it was when the statement began."""
        self.asked.append("policy")
        read = StoredPolicy(self.revision, tuple((1, app) for app in self.apps))
        await self.policy_gate()
        if self.fails is not None:
            raise self.fails
        return read

    async def preload(self, most: int) -> Answer:
        """Facts in the order in which they were put in, the first ``most`` that prove somebody."""
        self.asked.append("preload")
        if self.fails is not None:
            raise self.fails
        living = [fact for fact in self.facts.values() if not fact.refused]
        return Answer({fact.credential: fact for fact in living[:most]}, self.revision)

    async def _ask(self, credentials: Collection[Credential]) -> Answer:
        self.asked.append("lookup")
        self.batches.append(list(credentials))
        read = Answer({one: self.facts[one] for one in credentials if one in self.facts}, self.revision)
        await self.gate()
        if self.fails is not None:
            raise self.fails
        return read
