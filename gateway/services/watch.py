"""While the ear may be deaf: is the store silent, or does it only not speak to the ear? Memory may stand in for a silent
store, never for one that answers, even with an error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gateway.cache import Cache
from gateway.errors import GatewayError, StoreSilent

EVERY = 0.5


async def watch_store(
    cache: Cache, clock: Callable[[], float], probe: Callable[[], Awaitable[GatewayError | None]]
) -> None:
    """Until cancelled: ask once the heartbeat is half a grace late, so that the verdict is there when it is needed."""
    while True:
        await asyncio.sleep(EVERY)
        if cache.state(clock())["lease_age"] <= cache.bounds.grace / 2:
            continue
        if isinstance(await probe(), StoreSilent):
            cache.silent(clock())
        else:
            cache.answering()
