"""The clients' side of WebSockets that echo: they are opened, kept, and asked. Times are nanoseconds of a round trip.

A message is a masked frame (RFC 6455 section 5.2) that is made once for each socket and sent again and again, so that the
clients' own work is small; an echo that is not the message ends the run.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from typing import cast

PAYLOAD = 64
AT_ONCE = 50
"""So many are being opened at a time."""
SILENCE = 20.0
"""Seconds without an echo, or an opened socket, after which it is over."""
CLOSED = "a WebSocket was closed"
_ECHO = 2 + PAYLOAD


class Socket(asyncio.Protocol):
    """One WebSocket. ``opened`` is done when it is open, or has failed."""

    def __init__(self, opening: bytes) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.trips: list[int] = []
        self.until = 0
        self.waiting: asyncio.Future[None] | None = None
        self._opening, self._data, self._sent = opening, b"", 0
        payload, mask = secrets.token_bytes(PAYLOAD), secrets.token_bytes(4)
        self._frame = bytes((0x82, 0x80 | PAYLOAD)) + mask + bytes(b ^ mask[at % 4] for at, b in enumerate(payload))
        self._due = bytes((0x82, PAYLOAD)) + payload
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for it."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclasses of it
        self._transport.write(self._opening)

    def connection_lost(self, exc: Exception | None) -> None:
        """Too early, unless it was we who closed it."""
        for future in (self.opened, self.waiting):
            if future is not None and not future.done():
                future.set_exception(RuntimeError(CLOSED))

    def data_received(self, data: bytes) -> None:
        """A piece of the answer, or of an echo."""
        self._data += data
        if self.opened.done():
            self._heard()
        elif b"\r\n\r\n" in self._data:
            head, _, self._data = self._data.partition(b"\r\n\r\n")
            if head.startswith(b"HTTP/1.1 101 "):
                self.opened.set_result(None)
            else:
                self.opened.set_exception(RuntimeError(f"no WebSocket, but {head[:80]!r}"))

    def ask(self) -> None:
        """Send the message; with ``until``, again at each echo until then."""
        self.waiting = asyncio.get_running_loop().create_future()
        self._send()

    def close(self) -> None:
        """Without a farewell."""
        if self._transport is not None:
            self._transport.abort()

    def _send(self) -> None:
        assert self._transport is not None
        if self._transport.is_closing():
            raise RuntimeError(CLOSED)
        self._sent = time.monotonic_ns()
        self._transport.write(self._frame)

    def _heard(self) -> None:
        if len(self._data) < _ECHO or self.waiting is None or self.waiting.done():
            return
        now = time.monotonic_ns()
        self.trips.append(now - self._sent)
        if self._data != self._due:
            self.waiting.set_exception(RuntimeError("an echo was not what was said"))
        elif now < self.until:
            self._data = b""
            self._send()
        else:
            self._data = b""
            self.waiting.set_result(None)


async def opened(port: int, openings: Sequence[bytes]) -> list[Socket]:
    """A socket for each of these handshakes; RuntimeError where one is refused."""
    loop, found = asyncio.get_running_loop(), list[Socket]()
    for begin in range(0, len(openings), AT_ONCE):
        made = [
            loop.create_connection(lambda opening=opening: Socket(opening), "127.0.0.1", port)  # type: ignore[misc]  # a default
            for opening in openings[begin : begin + AT_ONCE]
        ]
        some = [protocol for _, protocol in await asyncio.gather(*made)]
        found += some
        try:
            await asyncio.wait_for(asyncio.gather(*(socket.opened for socket in some)), SILENCE)
        except BaseException:
            for socket in found:
                socket.close()
            raise
    return found


async def together(sockets: Sequence[Socket], seconds: float) -> list[int]:
    """Everybody speaks at once, and again as soon as the echo is there."""
    until = time.monotonic_ns() + int(seconds * 1e9)
    for socket in sockets:
        socket.until, socket.trips = until, []
        socket.ask()
    return await _trips(sockets)


async def apart(sockets: Sequence[Socket], seconds: float, rate: float) -> list[int]:
    """One after the other, so many messages a second in all; nobody who still waits for an echo speaks."""
    begun, sent = time.monotonic(), 0
    for socket in sockets:
        socket.until, socket.trips = 0, []
    while (now := time.monotonic() - begun) < seconds:
        for _ in range(int(now * rate) - sent):
            socket, sent = sockets[sent % len(sockets)], sent + 1
            if socket.waiting is None or socket.waiting.done():
                socket.ask()
        await asyncio.sleep(0.001)
    return await _trips(sockets)


async def _trips(sockets: Sequence[Socket]) -> list[int]:
    await asyncio.wait_for(asyncio.gather(*(socket.waiting for socket in sockets if socket.waiting)), SILENCE)
    return [trip for socket in sockets for trip in socket.trips]
