"""What the tests of storage share: a pool, ears, and a list of what was heard that can be waited for."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from gateway import clocks, signals
from gateway.storage.listener import Clocks, Ear
from gateway.storage.pool import Store

CLOCKS = Clocks(clocks.boot, lambda: clocks.moment().wall)


async def nothing() -> None:
    """A refill, or a settling, that has nothing to do."""


class Heard:
    """Everything one ear says, in order; ``until`` waits for the news that makes a condition true."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self._news = asyncio.Event()

    def changed(self, sender: Ear, kind: str, key: str) -> None:
        self.add("changed", kind, key)

    def hearing(self, sender: Ear, sent: float, offset: float) -> None:
        self.add("hearing", sent)

    def deaf(self, sender: Ear, reason: str) -> None:
        self.add("deaf", reason)

    def add(self, *what: Any) -> None:
        self.said.append(what)
        self._news.set()

    def words(self) -> list[str]:
        return [str(what[0]) for what in self.said]

    async def until(self, condition: Callable[[list[tuple[Any, ...]]], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition(self.said):
                self._news.clear()
                await self._news.wait()


class MakeEar(Protocol):
    async def __call__(self, name: str = ..., *, url: str = ..., heard: Heard | None = ..., **how: Any) -> Ear: ...


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    """A pool of two on the test's database."""
    made = Store(database, 2)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def make_ear(database: str) -> AsyncIterator[MakeEar]:
    """Ears that hear, stopped at the end."""
    ears: list[Ear] = []

    async def make(
        name: str = "here:1",
        *,
        url: str = database,
        heard: Heard | None = None,
        now: Clocks = CLOCKS,
        refill: Callable[[], Awaitable[None]] = nothing,
        settle: Callable[[], Awaitable[None]] = nothing,
        beat: float = 0.05,
    ) -> Ear:
        ear = Ear(url, now, name, refill=refill, settle=settle, beat=beat)
        if heard is not None:
            signals.changed.connect(heard.changed, sender=ear, weak=False)
            signals.hearing.connect(heard.hearing, sender=ear, weak=False)
            signals.deaf.connect(heard.deaf, sender=ear, weak=False)
        ears.append(ear)
        await ear.start()
        return ear

    yield make
    for ear in ears:
        await ear.stop()


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that the account of the embedded PostgreSQL may reach: pytest's own is closed to it under root."""
    with tempfile.TemporaryDirectory(prefix="gw-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o711)
        yield Path(made)
