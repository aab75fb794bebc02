"""The app of open streams: WebSockets whose messages it echoes, and events, into each of which it writes when it was sent.

Bytes, uvloop and nothing else, so that it is not what is measured. What it is asked:

/socket             a WebSocket; each message (a masked frame of less than 126 bytes of payload) comes back as it is
/events/NAME        an event stream without an end
/together/NAME/N    N events to everybody at /events/NAME, one each tenth of a second, to all at once; then an answer
/apart/NAME/N       the same, one each second, to one after the other all over that second
anything else       200

python loadtests/streams_app.py PORT
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from itertools import pairwise
from typing import cast

import uvloop

from gateway import handshakes

EVERY = {"together": 0.1, "apart": 1.0}
"""Seconds from one event to the next, by how they are sent."""
_TASK = re.compile(r"/(together|apart)/(\w+)/(\d+)")
_KEY = re.compile(rb"\r\nsec-websocket-key: *([^\r]*)\r\n", re.IGNORECASE)
_SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n"
)
_EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_MASKED_HEAD = 6


class Streams(asyncio.Protocol):
    """One connection; ``listening`` is everybody's: the transports of each event stream, by its name."""

    def __init__(self, listening: dict[str, set[asyncio.Transport]]) -> None:
        self._listening, self._data, self._echoes = listening, b"", False
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody came."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclasses of it

    def connection_lost(self, exc: Exception | None) -> None:
        """They left."""
        for transports in self._listening.values():
            transports.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        """A piece of a request, or of messages."""
        assert self._transport is not None
        self._data += data
        if not self._echoes and b"\r\n\r\n" in self._data:
            head, _, self._data = self._data.partition(b"\r\n\r\n")
            self._asked(self._transport, head)
        if self._echoes:
            frames, self._data = echoes(self._data)
            if frames:
                self._transport.write(frames)

    def _asked(self, transport: asyncio.Transport, head: bytes) -> None:
        path = head.split(b" ", 2)[1].decode()
        key = _KEY.search(head + b"\r\n")
        task = _TASK.fullmatch(path)
        if path == "/socket" and key:
            self._echoes = True
            transport.write(_SWITCHED % handshakes.accept(key.group(1)))
        elif path.startswith("/events/"):
            transport.write(_EVENTS)
            self._listening.setdefault(path.rpartition("/")[2], set()).add(transport)
        elif task:
            listeners = list(self._listening.get(task.group(2), ()))
            self._task = asyncio.create_task(send(transport, listeners, int(task.group(3)), task.group(1)))
        else:
            transport.write(_DONE)


async def send(to: asyncio.Transport, listeners: list[asyncio.Transport], number: int, how: str) -> None:
    """So many events to each; ``to`` is told when all are sent."""
    due = time.monotonic()
    for _ in range(number):
        due += EVERY[how]
        for place, listener in enumerate(listeners):
            await until(due + EVERY[how] * place / len(listeners) if how == "apart" else due)
            listener.write(event())
    to.write(_DONE)


async def until(due: float) -> None:
    """That moment; at once, without anybody else's turn, where it is past."""
    if (wait := due - time.monotonic()) > 0:
        await asyncio.sleep(wait)


def event() -> bytes:
    """One event, as a chunk: nanoseconds of the clock that all processes of a machine share."""
    said = b"data: %d\n\n" % time.monotonic_ns()
    return b"%x\r\n%b\r\n" % (len(said), said)


def echoes(data: bytes) -> tuple[bytes, bytes]:
    """What whole masked frames say, as frames of a server, and what is left of the last (RFC 6455 section 5.2)."""
    ends, end = [0], 0
    while len(data) >= end + _MASKED_HEAD:
        end += _MASKED_HEAD + (data[end + 1] & 127)
        if end > len(data):
            break
        ends.append(end)
    return b"".join(_echo(data[begin:end]) for begin, end in pairwise(ends)), data[ends[-1] :]


def _echo(frame: bytes) -> bytes:
    size = len(frame) - _MASKED_HEAD
    mask = (frame[2:_MASKED_HEAD] * (size // 4 + 1))[:size]
    payload = int.from_bytes(frame[_MASKED_HEAD:]) ^ int.from_bytes(mask)
    return bytes((frame[0], size)) + payload.to_bytes(size)


async def serve(port: int) -> None:
    """Until the process is ended."""
    listening: dict[str, set[asyncio.Transport]] = {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Streams(listening), "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
