"""The clients' side of event streams: whoever listens notes how long each event was under way, in nanoseconds.

The app wrote into it when it was sent, by the clock that all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from typing import cast

SILENCE = 20.0
"""Seconds after which an event that has not come will not."""
ENDED = "an event stream ended"
_EVENT = re.compile(rb"data: (\d+)\n\n")
_ANSWERED = b"HTTP/1.1 200 "


class Listener(asyncio.Protocol):
    """One client. ``opened`` is done with the head of the answer; ``heard`` when ``wanted`` events have come."""

    def __init__(self, request: bytes) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard: asyncio.Future[None] | None = None
        self.late: list[int] = []
        self.wanted = 0
        self._request, self._data = request, b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclasses of it
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Too early, unless it was we who closed it."""
        for future in (self.opened, self.heard):
            if future is not None and not future.done():
                future.set_exception(RuntimeError(ENDED))

    def data_received(self, data: bytes) -> None:
        """The head, or a piece of an event."""
        now = time.monotonic_ns()
        self._data += data
        if not self.opened.done():
            self._begin()
        for found in _EVENT.finditer(self._data):
            self.late.append(now - int(found.group(1)))
            self._data = b""
        if self.heard is not None and len(self.late) >= self.wanted and not self.heard.done():
            self.heard.set_result(None)

    def want(self, number: int) -> None:
        """From now on."""
        if self._transport is None or self._transport.is_closing():
            raise RuntimeError(ENDED)
        self.late, self.wanted = [], number
        self.heard = asyncio.get_running_loop().create_future()

    def close(self) -> None:
        """Leave."""
        if self._transport is not None:
            self._transport.abort()

    def _begin(self) -> None:
        head, end, rest = self._data.partition(b"\r\n\r\n")
        if end and head.startswith(_ANSWERED):
            self._data = rest
            self.opened.set_result(None)
        elif end:
            self.opened.set_exception(RuntimeError(f"no events, but {head[:80]!r}"))


async def opened(port: int, requests: Sequence[bytes]) -> list[Listener]:
    """A listener for each of these; RuntimeError where one is refused."""
    loop = asyncio.get_running_loop()
    made = [
        (await loop.create_connection(lambda: Listener(request), "127.0.0.1", port))[1]  # noqa: B023 - called at once
        for request in requests
    ]
    try:
        await asyncio.wait_for(asyncio.gather(*(listener.opened for listener in made)), SILENCE)
    except BaseException:
        for listener in made:
            listener.close()
        raise
    return made


async def late(listeners: Sequence[Listener], app: int, task: str, number: int) -> list[int]:
    """How late each event was, when the app at that port is told to send so many by ``task``."""
    for listener in listeners:
        listener.want(number)
    reader, writer = await asyncio.open_connection("127.0.0.1", app)
    writer.write(f"GET {task}/{number} HTTP/1.1\r\nHost: app\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await asyncio.wait_for(asyncio.gather(*(listener.heard for listener in listeners if listener.heard)), SILENCE)
    return [each for listener in listeners for each in listener.late]
