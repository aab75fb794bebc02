"""The fence: "everything before this was heard, by everybody who hears".

After a COMMIT that took something away, one statement lists the live ears (each holds an advisory lock) and pings them;
then the writer waits for their acknowledgements on its own channel. An ear listens *before* it takes its lock and
fills its memory *after*, so one that is listed hears the ping, and one that is not has read the new rows. Whoever stays
silent for a second is named, never waited for longer. A fence is 128 random bits: any role of a database can NOTIFY.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg

from gateway.errors import GatewayError, StoreSilent
from gateway.storage.pool import Store, as_runtime

EARS = 0x65617273
"""The class of the ears' advisory locks ('ears'); the object is the ear's number."""
CHANNEL = "gateway"
PATIENCE = 1.0

_PING = """
WITH ping AS MATERIALIZED (SELECT pg_notify('gateway', %s))
SELECT l.objid::bigint, coalesce(r.name, 'ear ' || l.objid)
FROM ping, pg_locks l LEFT JOIN replicas r ON r.ear = l.objid::bigint
WHERE l.locktype = 'advisory' AND l.classid::bigint = %s AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Acks:
    """The acknowledgements a writer hopes for, by fence. ``channel`` is where they come in."""

    def __init__(self) -> None:
        self.number = secrets.randbits(31)
        self._heard: dict[str, set[int]] = {}
        self._news: dict[str, asyncio.Event] = {}

    @property
    def channel(self) -> str:
        """This writer's own channel."""
        return f"{CHANNEL}_{self.number}"

    def acknowledged(self, payload: str) -> None:
        """``fence:ear`` came in; fences nobody waits for are ignored."""
        fence, _, ear = payload.partition(":")
        if fence in self._heard and ear.isdecimal():
            self._heard[fence].add(int(ear))
            self._news[fence].set()

    @asynccontextmanager
    async def expecting(self, fence: str) -> AsyncIterator[None]:
        """While it is open, acknowledgements of ``fence`` are collected."""
        self._heard[fence], self._news[fence] = set(), asyncio.Event()
        try:
            yield
        finally:
            del self._heard[fence], self._news[fence]

    async def missing(self, fence: str, ears: set[int]) -> set[int]:
        """Wait until all of ``ears`` have acknowledged, at most PATIENCE; those that have not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while not ears <= self._heard[fence]:
                    self._news[fence].clear()
                    await self._news[fence].wait()
        return ears - self._heard[fence]


async def raise_fence(store: Store, acks: Acks) -> tuple[str, ...]:
    """Wait until every ear that hears has heard everything committed before; the names of the silent ones."""
    fence = secrets.token_hex(16)
    async with acks.expecting(fence):
        try:
            async with store.connection("fence") as connection:
                rows = await connection.execute(_PING, (f"fence:{acks.number}:{fence}", EARS))
                ears = {int(number): str(name) for number, name in await rows.fetchall()}
        except GatewayError as error:
            return (f"nobody could be asked: {error}",)
        return tuple(sorted(ears[number] for number in await acks.missing(fence, set(ears))))


@asynccontextmanager
async def acknowledgements(url: str) -> AsyncIterator[Acks]:
    """For a writer without an ear of its own (the command line): a connection that hears nothing but its acks."""
    acks = Acks()
    try:
        connection = await psycopg.AsyncConnection.connect(
            as_runtime(url, application_name="gateway acks"), autocommit=True
        )
    except psycopg.Error as error:
        raise StoreSilent("the database does not answer to database.listen_url") from error
    async with connection:
        await connection.execute(f'LISTEN "{acks.channel}"'.encode())
        listening = asyncio.create_task(_collect(connection, acks))
        try:
            yield acks
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError, psycopg.Error):
                await listening


async def _collect(connection: psycopg.AsyncConnection[tuple[object, ...]], acks: Acks) -> None:
    async for notice in connection.notifies():
        kind, _, rest = notice.payload.partition(":")
        if kind == "ack":
            acks.acknowledged(rest)
