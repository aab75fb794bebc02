"""Connections of memory, for the fuzzer: two ends without a socket, on a loop that opens nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

MARK = b"X-41d7c2a8-Number"
"""A header by which each request is known at the app; no client can guess it."""


class Memory(asyncio.Transport):
    """One end of a connection that a protocol has; ``said`` is what it wrote, ``heard`` what it was given."""

    def __init__(self, protocol: Any) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.protocol, self.said, self.heard = protocol, bytearray(), bytearray()
        self.closed = self.reset = self.ended = False
        self.asked: list[int] = []
        """How much had been heard when each request began here."""
        self._waiting: list[bytes] | None = None
        protocol.connection_made(self)

    def give(self, data: bytes) -> None:
        if self._waiting is not None:
            self._waiting.append(data)
        elif not self.closed and data:
            self.heard += data
            self.protocol.data_received(data)

    def end(self) -> None:
        """The other side closes."""
        if not self.closed and self._waiting is None:
            self.ended = True
            if not self.protocol.eof_received():
                self.close()

    def write(self, data: Any) -> None:
        if not self.closed:
            self.asked += [len(self.heard)] * bytes(data).count(b"\r\n" + MARK)
            self.said += data

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.reset = self.reset or not self.closed
        self.close()

    def write_eof(self) -> None: ...

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    def pause_reading(self) -> None:
        self._waiting = [] if self._waiting is None else self._waiting

    def resume_reading(self) -> None:
        waiting, self._waiting = self._waiting or [], None
        for data in waiting:
            asyncio.get_running_loop().call_soon(self.give, data)


class Loop(asyncio.SelectorEventLoop):
    """A loop whose connections are of memory, and in which nothing fails unseen."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[Memory] = []
        self.failures: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.failures.append(context))

    async def create_connection(self, factory: Callable[[], Any], *unused: Any, **more: Any) -> Any:  # type: ignore[override]  # of all its ways only this one is used
        self.opened.append(Memory(factory()))
        return self.opened[-1], self.opened[-1].protocol
