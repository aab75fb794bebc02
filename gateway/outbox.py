"""What is written in one turn of the event loop, sent together in the next.

Waking somebody who sleeps is the dearest part of sending: he answers, sleeps again, and is woken by the next write, if
work lies between the two. Written one right behind the other, most find him awake, and the turn between brings more
that can go along. Who sends alone loses one look at the sockets.

For whole messages. Whoever writes to that transport in another way, or ends it, has it settled before.
"""

from __future__ import annotations

import asyncio


class Outbox:
    """That of one event loop. What is written in one ``turn`` is sent at its end."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._held: dict[asyncio.Transport, bytes] = {}
        self.turn = 0

    def write(self, transport: asyncio.Transport, data: bytes) -> None:
        """In the next turn, in its order among what is written to this transport."""
        held = self._held
        if not held:
            self._loop.call_soon(self.flush)
        held[transport] = held[transport] + data if transport in held else data

    def settle(self, transport: asyncio.Transport) -> None:
        """What it is to be sent, now."""
        data = self._held.pop(transport, None)
        if data is not None and not transport.is_closing():
            transport.write(data)

    def flush(self) -> None:
        """All of it, now."""
        self.turn += 1
        held, self._held = self._held, {}
        for transport, data in held.items():
            if not transport.is_closing():
                transport.write(data)
