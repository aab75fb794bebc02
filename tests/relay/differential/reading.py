"""Messages off a stream as they were written, read in the one strict way; what cannot be read so is ``Unreadable``."""

from __future__ import annotations

import re
from asyncio import IncompleteReadError, StreamReader
from typing import NamedTuple

from relay.differential.exchanges import Pair

_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([^\r\n\0]*)")


class Unreadable(Exception):
    """Bytes that no proxy may send."""


class Head(NamedTuple):
    """``first`` is the first line; names are spelled as they came."""

    first: bytes
    pairs: list[Pair]

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.pairs if key.lower() == name]


class Content(NamedTuple):
    """A body: how its end was told, what it was, and the trailers behind it."""

    framing: str
    data: bytes = b""
    trailers: tuple[Pair, ...] = ()


async def head(stream: StreamReader) -> Head | None:
    """The next head, or None where the connection ended before it."""
    try:
        raw = await stream.readuntil(b"\r\n\r\n")
    except IncompleteReadError as cut:
        if cut.partial:
            raise Unreadable(f"half a head: {cut.partial!r}") from None
        return None
    first, *lines = raw[:-4].split(b"\r\n")
    return Head(first, [_pair(line) for line in lines])


async def content(stream: StreamReader, said: Head, otherwise: str = "none") -> Content:
    """The body that a head announces; ``otherwise`` is how its end is told where the head says nothing."""
    codings, lengths = said.values(b"transfer-encoding"), said.values(b"content-length")
    if len(codings) + len(lengths) > 1:
        raise Unreadable(f"two framings: {said}")
    if codings:
        if codings != [b"chunked"]:
            raise Unreadable(f"a coding: {codings}")
        return await _chunks(stream)
    if lengths:
        return Content("length", await stream.readexactly(int(lengths[0])))
    return Content(otherwise, await stream.read(-1) if otherwise == "close" else b"")


async def _chunks(stream: StreamReader) -> Content:
    parts = []
    while size := int(_matched(rb"[0-9a-fA-F]+\r\n", await stream.readline()), 16):
        parts.append(await stream.readexactly(size))
        _matched(rb"\r\n", await stream.readexactly(2))
    trailers = []
    while (line := await stream.readline()) != b"\r\n":
        trailers.append(_pair(line.removesuffix(b"\r\n")))
    return Content("chunks", b"".join(parts), tuple(trailers))


def _pair(line: bytes) -> Pair:
    found = _LINE.fullmatch(line)
    if found is None:
        raise Unreadable(f"a line: {line!r}")
    return found[1], found[2]


def _matched(pattern: bytes, line: bytes) -> bytes:
    if not line:
        raise IncompleteReadError(b"", None)
    if not re.fullmatch(pattern, line):
        raise Unreadable(f"a chunk: {line!r}")
    return line
