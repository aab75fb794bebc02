"""A place far away: a TCP proxy that hands every byte on half a round trip later, in order, each way.

No bandwidth is limited and nothing is lost, so what is seen is how often somebody waits for an answer. That is counted
too: an exchange is a question (whatever the client says) and the first of its answer. A new connection costs one round
trip more, as a handshake would. Each way is closed by itself, and the end of a stream travels as slowly as its bytes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Queue = asyncio.Queue[tuple[float, bytes]]
"""Bytes, and when they are due on the other side (seconds of the loop's clock); none at all is the end."""


class Delays:
    """What lies between clients and ``target``, which is a host, or a directory with a socket, as for libpq.
    ``exchanges`` may be read from any thread, and is right whenever the clients have their answers."""

    def __init__(self, target: tuple[str, int], round_trip: float) -> None:
        self.target, self.round_trip = target, round_trip
        self.port = 0
        self.exchanges = 0
        self._lines: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def end(self) -> None:
        """From any thread: cut every connection, and take no more."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ended.set)

    async def serve(self, started: Callable[[], object]) -> None:
        """On a port of 127.0.0.1 until the end."""
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        started()
        await self._ended.wait()
        server.close()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.create_task(self._line((reader, writer)))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)

    async def _line(self, here: Streams) -> None:
        """One connection, until both ways have ended, or one of them broke."""
        opened = _now() + self.round_trip
        try:
            there = await self._connect()
        except OSError:
            here[1].transport.abort()
            return
        try:
            await self._both_ways(here, there, opened)
        except (OSError, ExceptionGroup, asyncio.CancelledError):  # broken, or shutting down: so it is for both sides
            here[1].transport.abort()
            there[1].transport.abort()
        else:
            here[1].close()
            there[1].close()

    async def _connect(self) -> Streams:
        host, port = self.target
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _both_ways(self, here: Streams, there: Streams, opened: float) -> None:
        asking = False

        def asked() -> None:
            nonlocal asking
            asking = True

        def answered() -> None:
            nonlocal asking
            self.exchanges += asking
            asking = False

        questions, answers = Queue(), Queue()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take(here[0], questions, opened, asked))
            tasks.create_task(_give(questions, there[1], lambda: None))
            tasks.create_task(self._take(there[0], answers, opened, lambda: None))
            tasks.create_task(_give(answers, here[1], answered))

    async def _take(
        self, source: asyncio.StreamReader, queue: Queue, opened: float, taken: Callable[[], object]
    ) -> None:
        """Whatever comes, at once; nothing is under way before the connection is open."""
        data = b"-"
        while data:
            data = await source.read(65536)
            if data:
                taken()
            queue.put_nowait((max(_now(), opened) + self.round_trip / 2, data))


async def _give(queue: Queue, sink: asyncio.StreamWriter, giving: Callable[[], object]) -> None:
    """When it is due, and in order."""
    while True:
        due, data = await queue.get()
        await asyncio.sleep(due - _now())
        if not data:
            sink.write_eof()
            return
        giving()
        sink.write(data)
        await sink.drain()


def _now() -> float:
    return asyncio.get_running_loop().time()


@contextmanager
def far(url: str, round_trip: float) -> Iterator[tuple[Delays, str]]:
    """The database of ``url`` (one host), so many seconds away: what lies between, and the URL that leads through it."""
    said = conninfo_to_dict(url)
    target = str(said.get("host") or "127.0.0.1"), int(str(said.get("port") or 5432))
    who = f"{quote(str(said['user']), '')}:{quote(str(said.get('password') or ''), '')}"
    with running(Delays(target, round_trip)) as delays:
        yield delays, f"postgresql://{who}@127.0.0.1:{delays.port}/{said['dbname']}"


@contextmanager
def running(delays: Delays) -> Iterator[Delays]:
    """In a thread of its own, so that it can be used by what knows no loop."""
    started: Future[None] = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(delays.serve(lambda: started.set_result(None))), name="delays", daemon=True
    )
    thread.start()
    started.result(10)
    try:
        yield delays
    finally:
        delays.end()
        thread.join(10)
