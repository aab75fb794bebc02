"""What memory collected, written off the path: last uses every minute and at shutdown, old sessions once an hour."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.cache import Cache
from gateway.storage import seen, sessions
from gateway.storage.pool import Store

EVERY = 60.0
SWEEP = 60
"""Sweep old sessions at every so-manieth flush."""


async def flush(cache: Cache, store: Store, clock: Callable[[], float]) -> None:
    """Write last uses, in one transaction. What cannot be written now is put back for the next time."""
    used, apps = cache.take_seen(), cache.take_accessed()
    if not used and not apps:
        return
    now = clock()
    try:
        async with store.transaction("batch") as tx:
            ages = {credential: now - at for credential, at in used.items()}
            await seen.write(tx, ages, {name: now - at for name, at in apps.items()})
    except BaseException:  # whatever ends it, shutting down too: uses that are lost end sessions too early
        cache.seen = {**used, **cache.seen}
        cache.accessed = {**apps, **cache.accessed}
        raise


async def keep_flushing(
    cache: Cache, store: Store, clock: Callable[[], float], failed: Callable[[Exception], object]
) -> None:
    """Until cancelled. A failure is said and tried again at the next turn."""
    turn = 0
    while True:
        await asyncio.sleep(EVERY)
        turn += 1
        try:
            await flush(cache, store, clock)
            if turn % SWEEP == 0:
                async with store.transaction("batch") as tx:
                    await sessions.forget_ended(tx)
        except Exception as error:  # an app may be deleted just then; a task that ended would write nothing ever again
            failed(error)
