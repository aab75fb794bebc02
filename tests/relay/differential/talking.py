"""A client that sends what was drawn, many requests over one connection, and keeps what it is answered."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from relay.differential import reading
from relay.differential.exchanges import Exchange
from relay.differential.reading import Content, Head, Unreadable

Address = tuple[str, int]
_CUT = (ConnectionError, asyncio.IncompleteReadError, Unreadable)


class Got(NamedTuple):
    """One answer as it came. ``ended``: the connection was closed behind it, and that was said; ``wrong``: what no
    client could read."""

    interim: tuple[Head, ...] = ()
    head: Head = Head(b"", [])
    body: Content = Content("none")
    ended: bool = False
    wrong: str = ""

    @property
    def status(self) -> int:
        return int(self.head.first.split(b" ")[1]) if self.head.first else 0


def batches(exchanges: Sequence[Exchange], most: int = 5) -> Iterable[list[Exchange]]:
    """What is sent at once, without waiting for answers: up to ``most``, and nothing behind a last one."""
    batch: list[Exchange] = []
    for exchange in exchanges:
        batch.append(exchange)
        if exchange.last or len(batch) > exchange.number % most:
            yield batch
            batch = []
    if batch:
        yield batch


async def talk(address: Address, exchanges: Sequence[Exchange], connections: int = 12) -> dict[int, Got]:
    """All of them, over so many connections at once."""
    got: dict[int, Got] = {}
    every = iter(batches(exchanges))
    await asyncio.gather(*(_Client(address, got).work(every) for _ in range(connections)))
    return got


class _Client:
    """One connection, opened again where it was closed."""

    def __init__(self, address: Address, got: dict[int, Got]) -> None:
        self._address, self._got = address, got
        self._streams: tuple[StreamReader, StreamWriter] | None = None

    async def work(self, every: Iterable[list[Exchange]]) -> None:
        while batch := next(islice(every, 1), None):
            while batch:
                batch = batch[await self._ask(batch) :]
        self._hang_up()

    async def _ask(self, batch: list[Exchange]) -> int:
        """How many of them were answered, or never will be."""
        fresh = self._streams is None
        reader, writer = self._streams = self._streams or await asyncio.open_connection(*self._address)
        writer.write(b"".join(exchange.asked.wire() for exchange in batch))
        for done, exchange in enumerate(batch):
            got = await _answer(reader, exchange.asked.method)
            if got is None and (done or not fresh):
                self._hang_up()
                return done
            self._got[exchange.number] = got or Got(wrong="closed without an answer")
            if got is None or got.ended or got.wrong:
                self._hang_up()
                return done + 1
        return len(batch)

    def _hang_up(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _answer(reader: StreamReader, method: bytes) -> Got | None:
    """The next answer, or None where the connection ended instead."""
    interim = []
    try:
        while (head := await reading.head(reader)) is not None and head.first[9:10] == b"1":
            interim.append(head)
        if head is None:
            return Got(tuple(interim), wrong="closed behind an interim answer") if interim else None
        return await _rest(reader, method, tuple(interim), head)
    except _CUT as broken:
        return Got(tuple(interim), wrong=f"{type(broken).__name__} {broken}")


async def _rest(reader: StreamReader, method: bytes, interim: tuple[Head, ...], head: Head) -> Got:
    bodiless = method == b"HEAD" or head.first[9:12] in (b"204", b"304")
    body = Content("none") if bodiless else await reading.content(reader, head, "close")
    ended = body.framing == "close" or b"close" in [value.lower() for value in head.values(b"connection")]
    more = b"" if not ended else await reader.read(1000)
    if method == b"HEAD" and head.first[9:12] == b"400":
        more = b""  # of what could not be read, nobody knows that it was a HEAD
    return Got(interim, head, body, ended, f"bytes behind the end: {more!r}" if more else "")
