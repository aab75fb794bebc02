"""The small pool: every statement of services and recalls passes here, as the runtime role.

A checkout is one piece of work, bounded in time: past its limit the connection is hung up on, because a store that
stopped answering would hold it for ever. A second checkout while one is held is refused loudly (the shape of a pool
deadlock). What goes wrong is said in two words that decide what an outage is: *busy* (it answered, even if only with
an error) or *silent* (it did not).
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from gateway.errors import CommitUnknown, GatewayError, NestedCheckout, StoreBusy, StoreSilent

TENANT = 1
"""There is one tenant, ``default``, until tenants are a feature."""
LIMIT = 2.0
"""Seconds to wait for a connection, and seconds to hold one."""
STATEMENT = "1500"
"""Milliseconds after which the server gives a statement up: earlier than LIMIT, so a slow store still answers."""
_STARTING_UP = "57P03"
_ANSWERED = re.compile(r"failed: (?:\w+:  |session is |server is )")
"""What libpq says where a server refused the connection itself: its severity and two spaces, in whatever language; or
that it is read only. psycopg knows no SQLSTATE then."""
_AWAY = re.compile(r"the database system is (?:starting up|shutting down|not |in recovery)")
"""57P03 in words. A server that says it in another language counts as answering, which is the closed side."""

_BEGIN = """
BEGIN; SELECT set_config('gateway.tenant', '{:d}', true), set_config('synchronous_commit', CASE durable
  WHEN 'off' THEN 'on' WHEN 'local' THEN 'on' ELSE durable END, true) FROM current_setting('synchronous_commit') durable
"""
"""One round trip. A revocation that returned must outlive a power cut, whatever the server's own habit."""

_holding: ContextVar[str] = ContextVar("holding", default="")

Tally = dict[str, int]


class Cursor(AsyncCursor[TupleRow]):
    """Counts what it sends, by the room that asked."""

    async def execute(self, *args: Any, **kwargs: Any) -> Cursor:
        """As psycopg's."""
        connection = self.connection
        if isinstance(connection, Connection):
            connection.tally[connection.room] = connection.tally.get(connection.room, 0) + 1
        await super().execute(*args, **kwargs)
        return self


class Connection(AsyncConnection[TupleRow]):
    """A connection that knows on whose behalf it speaks."""

    room = "idle"
    tally: Tally = {}  # noqa: RUF012 - replaced for each connection at checkout; a class default only for mypy

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cursor_factory = Cursor


class Store:
    """The pool of one process. ``url`` is whoever logs in; the role is taken at connect."""

    def __init__(self, url: str, size: int = 4, waiting: int = 1000) -> None:
        self.url = as_runtime(url)
        self.queries: Tally = {}
        self.pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            self.url,
            connection_class=Connection,
            # To prepare a statement is a round trip of its own, and a transaction pooler may not carry what it made.
            kwargs={"autocommit": True, "application_name": "gateway pool", "prepare_threshold": None},
            min_size=size,
            max_size=size,
            max_waiting=waiting,
            timeout=LIMIT,
            max_lifetime=3600.0,
            max_idle=600.0,
            reconnect_timeout=30.0,
            num_workers=size,
            open=False,
        )

    async def open(self, wait: float = 10.0) -> None:
        """Open and warm every connection, in parallel; StoreSilent where that does not end in time."""
        try:
            await self.pool.open(wait=True, timeout=wait)
        except PoolTimeout:
            await self.pool.close()
            raise StoreSilent("the database does not answer") from None

    async def close(self) -> None:
        """Give everything back."""
        await self.pool.close()

    @asynccontextmanager
    async def connection(self, room: str, limit: float = LIMIT) -> AsyncIterator[Connection]:
        """One connection in autocommit for at most ``limit`` seconds, counted under ``room``; every failure comes out as
        *busy* or *silent*."""
        if _holding.get():
            raise NestedCheckout(f"{room} asked for a connection while {_holding.get()} holds one")
        with _translated():
            connection = await self.pool.getconn()
        mark = _holding.set(room)
        timer = asyncio.get_running_loop().call_later(limit, hang_up, connection)
        connection.room, connection.tally = room, self.queries
        try:
            with _translated():
                yield connection
        finally:
            timer.cancel()
            _holding.reset(mark)
            await self.pool.putconn(connection)

    @asynccontextmanager
    async def transaction(self, room: str, tenant: int = TENANT, limit: float = LIMIT) -> AsyncIterator[Connection]:
        """One transaction that works for one tenant. A COMMIT whose answer was lost is ``CommitUnknown``, not tried
        again."""
        async with self.connection(room, limit) as connection:
            try:
                await connection.execute(_BEGIN.format(tenant))
                yield connection
            except BaseException:
                await _roll_back(connection)
                raise
            await _commit(connection)

    def waiting(self) -> int:
        """How many requests wait for a connection now."""
        return self.pool.get_stats().get("requests_waiting", 0)


def as_runtime(url: str, **more: str) -> str:
    """The connection string with the runtime role, our schema and time limits in it, and only for a writable server."""
    given = conninfo_to_dict(url)
    options = f"-c role=gateway_runtime -c search_path=gateway,pg_temp -c statement_timeout={STATEMENT}"
    both = f"{given.pop('options', '') or ''} {options}".strip()
    settings = {"target_session_attrs": "read-write", "connect_timeout": "2", **given, **more}
    return make_conninfo("", options=both, **settings)


def translate(error: BaseException) -> GatewayError | None:
    """What a failure says about the store, or None where it says nothing (a constraint, a bug)."""
    if isinstance(error, PoolTimeout | TooManyRequests | PoolClosed):
        return StoreBusy("every database connection is in use")
    if isinstance(error, psycopg.OperationalError):
        if _is_silence(error):
            return StoreSilent("the database does not answer")
        return StoreBusy(f"the database answered {error.sqlstate or 'with a refusal'}")
    if isinstance(error, psycopg.Error) and not isinstance(error, psycopg.IntegrityError | psycopg.DataError):
        return StoreBusy(f"the database answered {error.sqlstate or type(error).__name__}")
    return None


async def probe(url: str) -> GatewayError | None:
    """Ask, outside the pool, whether the store answers at all: None, or what is wrong."""
    try:
        async with asyncio.timeout(LIMIT), await AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute("SELECT 1")
    except (psycopg.Error, TimeoutError, OSError) as error:
        return translate(error) or StoreSilent("the database does not answer")
    return None


def hang_up(connection: AsyncConnection[Any]) -> None:
    """Make a connection that waits for a silent server fail now. Cancelling would wait for the server instead."""
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
    except (OSError, psycopg.Error):
        return  # it is closed already, which is what was wanted


class _translated:
    """Context: psycopg's errors come out as the house's."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        found = translate(error) if error is not None else None
        if found is not None:
            raise found from error


def _is_silence(error: psycopg.OperationalError) -> bool:
    if error.sqlstate is not None:
        return error.sqlstate == _STARTING_UP
    return _ANSWERED.search(str(error)) is None or _AWAY.search(str(error)) is not None


async def _roll_back(connection: Connection) -> None:
    try:
        await connection.execute("ROLLBACK")
    except psycopg.Error:
        hang_up(connection)  # what happened is already being raised; the pool discards a broken connection


async def _commit(connection: Connection) -> None:
    try:
        answer = await connection.execute("COMMIT")
        if answer.statusmessage != "COMMIT":
            raise StoreBusy("the transaction was rolled back")
    except psycopg.OperationalError as error:
        if connection.closed:  # without a word, or with FATAL: a server that shuts down may have committed before
            raise CommitUnknown("the answer to the commit was lost: it may have happened; look first") from error
        raise
