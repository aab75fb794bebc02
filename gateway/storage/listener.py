"""The one ear of a process: how it learns that something changed, its own writes included.

A connection of its own, outside the pool, in autocommit. It listens first, then takes the advisory lock by which
writers find it, then forgets everything and reads again; only then does a heartbeat count. A heartbeat is a NOTIFY to
itself: when it comes back, everything committed before it was sent has been applied, and that moment of sending is the
lease by which memory is trusted. It says so by ``signals``; it knows no cache.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple

import psycopg

from gateway import signals
from gateway.errors import StoreSilent
from gateway.storage.fence import CHANNEL, EARS, Acks
from gateway.storage.pool import LIMIT, Tally, as_runtime, hang_up, translate

BEAT = 1.0
"""Seconds between heartbeats, or a quarter of ``cache.grace`` where that is less."""
JUMP = 2.0
"""Seconds by which wall clock and boot clock may part between two heartbeats (a restored snapshot)."""
_SLOWEST = 5.0
_REGISTER = """
WITH gone AS (DELETE FROM replicas WHERE NOT EXISTS (
  SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint = %(class)s AND objid::bigint = ear))
INSERT INTO replicas (ear, name) VALUES (%(ear)s, %(name)s)
"""

EarConnection = psycopg.AsyncConnection[tuple[Any, ...]]


class Clocks(NamedTuple):
    """Boot clock and wall clock, in seconds."""

    boot: Callable[[], float]
    wall: Callable[[], float]


class Ear:
    """Listens until stopped, through any number of lost connections.

    ``refill`` is awaited after everything was forgotten, before the ear counts as hearing; ``settle`` before a fence is
    acknowledged, so that a changed policy is swapped in by then.
    """

    def __init__(
        self,
        url: str,
        clocks: Clocks,
        name: str,
        *,
        refill: Callable[[], Awaitable[None]],
        settle: Callable[[], Awaitable[None]],
        beat: float = BEAT,
    ) -> None:
        self.acks = Acks()
        self.queries: Tally = {}
        self.hearing = False
        self._url = as_runtime(url, application_name="gateway ear", keepalives_idle="5", keepalives_interval="2")
        self._clocks, self._name, self._beat = clocks, name, beat
        self._refill, self._settle = refill, settle
        self._connection: EarConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._sent: dict[str, float] = {}
        self._offset = 0.0
        self._home: tuple[Any, ...] | None = None

    async def start(self) -> None:
        """Listen, fill memory, and hear the first heartbeat come back. StoreSilent or StoreBusy if that fails."""
        try:
            connection = await self._connect()
        except (psycopg.Error, OSError, _Lost) as error:
            raise translate(error) or StoreSilent("the database does not answer to the ear") from error
        self._task = asyncio.create_task(self._live(connection), name="ear")

    async def stop(self) -> None:
        """Close last: until here, fences are acknowledged."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._connection is not None:
            hang_up(self._connection)
            await self._connection.close()

    async def _live(self, connection: EarConnection) -> None:
        while True:
            try:
                await self._listen(connection)
            except Exception as error:  # whatever it was: an ear that ended would stay deaf for ever
                self._deaf(error)
            connection = await self._reconnect()

    async def _reconnect(self) -> EarConnection:
        """Try again, from a tenth of a second up to five, until the store answers."""
        pause = 0.1
        while True:
            await asyncio.sleep(pause * (0.5 + secrets.randbelow(1000) / 1000))
            try:
                return await self._connect()
            except Exception as error:  # as above
                self._deaf(error)
            pause = min(pause * 2, _SLOWEST)

    async def _connect(self) -> EarConnection:
        async with asyncio.timeout(LIMIT * 2):
            connection: EarConnection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
        self._connection = connection
        watch = asyncio.get_running_loop().call_later(LIMIT * 4, hang_up, connection)
        try:
            await self._introduce(connection)
            await self._first_beat(connection)
        except BaseException:
            hang_up(connection)
            await connection.close()
            raise
        finally:
            watch.cancel()
        return connection

    async def _introduce(self, connection: EarConnection) -> None:
        """LISTEN, then the lock that makes us findable, then forget, then read again: in this order."""
        self.acks.number = secrets.randbits(31)
        await self._say(connection, f'LISTEN "{CHANNEL}"')
        await self._say(connection, f'LISTEN "{self.acks.channel}"')
        await self._say(connection, "SELECT pg_advisory_lock(%s, %s)", (EARS, self.acks.number))
        values = {"class": EARS, "ear": self.acks.number, "name": self._name}
        await self._say(connection, _REGISTER, values)
        await self._recognise(connection)
        signals.changed.send(self, kind="*", key="*")
        await self._refill()

    async def _recognise(self, connection: EarConnection) -> None:
        """Another server, or another timeline of it, may lack what this one had: say so; forgetting follows anyway."""
        where = "SELECT s.system_identifier, c.timeline_id FROM pg_control_system() s, pg_control_checkpoint() c"
        home = await (await self._say(connection, where)).fetchone()
        if self._home is not None and home != self._home:
            signals.deaf.send(self, reason="another database server, or another timeline of it, answers now")
        self._home = home

    async def _first_beat(self, connection: EarConnection) -> None:
        self._sent.clear()
        self._offset = self._clocks.wall() - self._clocks.boot()
        await self._send_beat(connection)
        while not self.hearing:
            await self._hear(connection, LIMIT)

    async def _listen(self, connection: EarConnection) -> None:
        due = self._clocks.boot() + self._beat
        while True:
            await self._hear(connection, due - self._clocks.boot())
            now = self._clocks.boot()
            if now < due:
                continue
            if self._sent and now - min(self._sent.values()) > LIMIT:
                raise _Lost("heartbeats do not come back")
            if abs(self._clocks.wall() - now - self._offset) > JUMP:
                raise _Lost("the clock jumped")
            await self._send_beat(connection)
            due = now + self._beat

    async def _send_beat(self, connection: EarConnection) -> None:
        beat = secrets.token_hex(8)
        self._sent[beat] = self._clocks.boot()
        await self._say(connection, "SELECT pg_notify(%s, %s)", (self.acks.channel, f"beat:{beat}"))

    async def _hear(self, connection: EarConnection, seconds: float) -> None:
        """Wait for news, take all that has arrived, and apply it in one step: a commit is not heard by halves."""
        batch = [notice async for notice in connection.notifies(timeout=max(seconds, 0.0), stop_after=1)]
        while batch and _may_be_half(batch[-1]):
            await self._say(connection, "SELECT 1")  # its answer comes after the rest of that commit
            if not (more := [notice async for notice in connection.notifies(timeout=0, stop_after=1)]):
                break
            batch += more
        fences, beats = self._apply(batch)
        if fences:
            await self._acknowledge(connection, fences)
        for beat in beats:
            self._came_back(beat)

    def _apply(self, batch: list[psycopg.Notify]) -> tuple[list[str], list[str]]:
        """Tell the receivers what changed. No await in here. The fences and heartbeats that came with it."""
        fences, beats = [], []
        for notice in batch:
            kind, _, rest = notice.payload.partition(":")
            if notice.channel != CHANNEL:
                if kind == "beat":
                    beats.append(rest)
                else:
                    self.acks.acknowledged(rest)
            elif kind == "fence":
                fences.append(rest)
            else:
                signals.changed.send(self, kind=kind, key=rest)
        return fences, beats

    async def _acknowledge(self, connection: EarConnection, fences: list[str]) -> None:
        """After the policy was swapped, if it changed: then a revocation may return."""
        await self._settle()
        channels, payloads = [], []
        for fence in fences:
            writer, _, number = fence.partition(":")
            if writer.isdecimal() and len(number) == 32 and number.isalnum():
                channels.append(f"{CHANNEL}_{writer}")
                payloads.append(f"ack:{number}:{self.acks.number}")
        await self._say(
            connection, "SELECT pg_notify(c, p) FROM unnest(%s::text[], %s::text[]) AS t (c, p)", (channels, payloads)
        )

    def _came_back(self, beat: str) -> None:
        sent = self._sent.pop(beat, None)
        if sent is None:
            return
        for older in [name for name, at in self._sent.items() if at <= sent]:
            del self._sent[older]
        offset = self._clocks.wall() - self._clocks.boot()
        if abs(offset - self._offset) > JUMP:
            raise _Lost("the clock jumped")
        self._offset, self.hearing = offset, True
        signals.hearing.send(self, sent=sent, offset=offset)

    async def _say(self, connection: EarConnection, statement: str, values: Any = None) -> psycopg.AsyncCursor[Any]:
        """One statement, hung up on if the server does not answer."""
        self.queries["listener"] = self.queries.get("listener", 0) + 1
        timer = asyncio.get_running_loop().call_later(LIMIT, hang_up, connection)
        try:
            return await connection.execute(statement.encode(), values)
        finally:
            timer.cancel()

    def _deaf(self, error: BaseException) -> None:
        self.hearing = False
        if self._connection is not None:
            hang_up(self._connection)
            self._connection.pgconn.finish()
            self._connection = None
        signals.deaf.send(self, reason=" ".join(str(error).split()) or type(error).__name__)


def _may_be_half(last: psycopg.Notify) -> bool:
    """Whether more of its commit may be under way. Fences, acknowledgements and heartbeats are commits of their own."""
    return last.channel == CHANNEL and not last.payload.startswith("fence:")


class _Lost(Exception):
    """The connection stands, but what comes over it can no longer be trusted."""
