"""The app at the end: it keeps what it was sent as it came, and says what was drawn for it."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from relay.differential import reading
from relay.differential.exchanges import Exchange
from relay.differential.generated import NUMBER
from relay.differential.reading import Content, Head, Unreadable


class Arrived(NamedTuple):
    """One request as it came."""

    head: Head
    body: Content


class App:
    """``arrived`` is by number; ``unread``: what came and is no request."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self._exchanges = exchanges
        self.arrived: defaultdict[int, list[Arrived]] = defaultdict(list)
        self.unread: list[str] = []
        self._open: set[asyncio.Task[None]] = set()

    def take(self, reader: StreamReader, writer: StreamWriter) -> None:
        """A connection."""
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    def hang_up(self) -> None:
        """On everybody."""
        for task in self._open:
            task.cancel()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            while (head := await reading.head(reader)) is not None:
                if not await self._answer(head, await reading.content(reader, head), writer):
                    break
        except (Unreadable, asyncio.IncompleteReadError, ConnectionError, ValueError) as broken:
            self.unread.append(repr(broken))
        finally:
            writer.close()

    async def _answer(self, head: Head, body: Content, writer: StreamWriter) -> bool:
        (number,) = map(int, head.values(NUMBER.lower()))
        self.arrived[number].append(Arrived(head, body))
        told = self._exchanges[number].told
        method = head.first.partition(b" ")[0]
        for piece in told.pieces(method):
            writer.write(piece)
            await asyncio.sleep(0)  # so that it is a piece by itself, more often than not
        return not told.ends(method)


@asynccontextmanager
async def app(exchanges: Sequence[Exchange], port: int) -> AsyncIterator[App]:
    """One that listens on this port."""
    made = App(exchanges)
    server = await asyncio.start_server(made.take, "127.0.0.1", port, backlog=500)
    try:
        yield made
    finally:
        server.close()
        made.hang_up()
