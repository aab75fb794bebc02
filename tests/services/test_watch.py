"""Is the store silent, or does it answer, even if only with an error? Asked of a real one, and of a port of nobody's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial

import psycopg
import pytest

from databases import Cluster
from gateway import clocks
from gateway.cache import Bounds, Cache
from gateway.errors import GatewayError
from gateway.services import watch
from gateway.storage import pool
from gateway.tokens import Ring

pytestmark = pytest.mark.anyio
Probe = Callable[[], Awaitable[GatewayError | None]]
RING = Ring("id", b"abcd", {b"abcd": b"k" * 32}, b"d" * 32)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "EVERY", 0.0)


async def watched(cache: Cache, probe: Probe, turns: int = 2) -> None:
    """Watch until so many probes have come back and been applied."""
    came_back = asyncio.Semaphore(0)

    async def counted() -> GatewayError | None:
        try:
            return await probe()
        finally:
            came_back.release()

    task = asyncio.create_task(watch.watch_store(cache, clocks.boot, counted))
    for _ in range(turns):
        await asyncio.wait_for(came_back.acquire(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_port_that_nobody_listens_at_is_a_silent_store() -> None:
    cache = Cache(RING, Bounds())
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = pool.as_runtime(f"postgresql://x@127.0.0.1:{unused.getsockname()[1]}/x")
        await watched(cache, partial(pool.probe, url))
    assert cache.store_is_silent(clocks.boot())


async def test_a_store_that_answers_is_not_silent_any_more(database: str) -> None:
    cache = Cache(RING, Bounds())
    cache.silent(clocks.boot())
    await watched(cache, partial(pool.probe, pool.as_runtime(database)))
    assert not cache.store_is_silent(clocks.boot())


async def test_a_store_that_answers_with_an_error_is_not_silent(cluster: Cluster, database: str) -> None:
    name = database.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(cluster.admin, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        cache = Cache(RING, Bounds())
        cache.silent(clocks.boot())
        await watched(cache, partial(pool.probe, pool.as_runtime(database)))
        assert not cache.store_is_silent(clocks.boot())


async def test_while_the_ear_hears_nobody_is_asked() -> None:
    cache = Cache(RING, Bounds())
    asked: list[bool] = []

    async def probe() -> None:
        asked.append(True)

    cache.heard(clocks.boot(), clocks.moment().wall - clocks.boot())
    task = asyncio.create_task(watch.watch_store(cache, clocks.boot, probe))
    for _ in range(100):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not asked
