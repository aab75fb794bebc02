"""One process that listens, and notes when it heard: the gateway without its doors, or a plain LISTEN of psycopg.

Started eight times by the measurement of revocations: ``python ears.py gateway`` (its settings are in the environment)
or ``python ears.py bare URL``. It says ``ready``, and notes (what, monotonic nanoseconds) in memory, so that telling does
not disturb those that still have to hear; once its stdin is closed, it tells everything as one line of JSON and ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable

import psycopg
import uvloop

from gateway import asgi

CHANNEL = "bare"
Note = Callable[[str], None]


async def gateway(note: Note, ready: Callable[[], None]) -> None:
    """The real thing: pool, ear, memory, policy. Noted once memory has dropped an entry, and only if there was one."""
    made = asgi.create()
    cache = made.cache
    forget = cache.forget

    def noted(kind: str, key: str) -> None:
        before = cache.state(0.0)["identities"]
        forget(kind, key)
        if cache.state(0.0)["identities"] < before:
            note(key)

    cache.forget = noted  # type: ignore[method-assign]  # the one place through which an entry is dropped
    await made.start()
    try:
        ready()
        await stdin_closed()
    finally:
        await made.stop()


async def bare(note: Note, ready: Callable[[], None], url: str) -> None:
    """What cannot be undercut with psycopg: a connection that does nothing but listen."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(f"LISTEN {CHANNEL}".encode())
        listening = asyncio.create_task(take(connection, note))
        ready()
        await stdin_closed()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def take(connection: psycopg.AsyncConnection[tuple[object, ...]], note: Note) -> None:
    """Until cancelled."""
    async for notice in connection.notifies():
        note(notice.payload)


async def stdin_closed() -> None:
    """Until whoever started us has heard enough, or is gone."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


def main(kind: str, *rest: str) -> None:
    """Listen, and tell."""
    noted: list[tuple[str, int]] = []

    def note(what: str) -> None:
        noted.append((what, time.monotonic_ns()))

    def ready() -> None:
        os.write(1, b"ready\n")

    uvloop.run(gateway(note, ready) if kind == "gateway" else bare(note, ready, *rest))
    os.write(1, json.dumps(noted).encode() + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
