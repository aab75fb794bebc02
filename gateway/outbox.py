"""What is written in one turn of the event loop, sent together at its end.

Waking somebody who sleeps is the dearest part of sending: he answers, sleeps again, and is woken by the next write, if
work lies between the two. Written one right behind the other, most find him awake. Who sends alone loses nothing.

For whole messages only, behind which nothing else is written to that transport in the same turn: neither more bytes nor
its end.
"""

from __future__ import annotations

import asyncio


class Outbox:
    """That of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._held: list[tuple[asyncio.Transport, bytes]] = []

    def write(self, transport: asyncio.Transport, data: bytes) -> None:
        """Before anything that comes later is looked at."""
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append((transport, data))

    def flush(self) -> None:
        """Now."""
        held, self._held = self._held, []
        for transport, data in held:
            if not transport.is_closing():
                transport.write(data)
