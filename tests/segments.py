"""Bytes that reach a gateway under test in exactly the pieces that a test gives.

A socket joins and cuts what is sent as it likes. Here a connection is made, and its pieces are then handed to the server's
end of it, on the server's own event loop, each as if it had just been read; what is answered comes over the socket.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from asking import Answer, Line
from gateway.deadlines import Deadlines
from gateway.endpoints.express import ExpressProtocol
from gateway.endpoints.front import DEADLINES, FrontProtocol
from serving import Served

turn = partial(asyncio.sleep, 0)
"""Everybody else's turn on the loop."""


class Segments:
    """One such connection."""

    def __init__(self, served: Served) -> None:
        self.served, self.line = served, Line(served.address)
        self.transport = served.call(_server_end(served, self.line.socket.getsockname()))

    def __enter__(self) -> Segments:
        return self

    def __exit__(self, *unused: object) -> None:
        self.line.close()

    @property
    def protocol(self) -> ExpressProtocol | FrontProtocol:
        """Who has the connection now."""
        found: ExpressProtocol | FrontProtocol = self.transport.get_protocol()
        return found

    def give(self, pieces: Iterable[bytes]) -> None:
        """One piece after the other, each when the server would read it; until all is answered that will be, or the
        application waits for more of a body."""
        self.served.call(self._give(pieces))

    def answers(self) -> list[Answer]:
        """All that was answered; the server is made to hang up now if it has not yet."""
        self.served.call(_hang_up(self.transport))
        return self.last_answers()

    def last_answers(self) -> list[Answer]:
        """All that was answered until the server hung up by itself."""
        return list(iter(self.line.answer, None))

    async def _give(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            while _paused(self.protocol) and not self._ended():
                await turn()
            if not self._ended():
                self.protocol.data_received(piece)
            await turn()
        while not self._ended() and not _answered(self.protocol) and not _waits(self.protocol):
            await turn()

    def _ended(self) -> bool:
        return self.transport.is_closing()


def connections(served: Served) -> set[ExpressProtocol | FrontProtocol]:
    """The server's end of every open connection."""
    return served._server.server_state.connections


def connection(served: Served, line: Line) -> ExpressProtocol | FrontProtocol:
    """The server's end of ``line``."""
    (found,) = [one for one in connections(served) if _peer(one) == line.socket.getsockname()]
    return found


def deadlines(served: Served) -> Deadlines:
    """What the server waits for."""
    found: Deadlines = served._server.lifespan.state[DEADLINES]
    return found


def later(served: Served, seconds: float) -> None:
    """The sweep that would come in so many seconds, now."""

    async def sweep() -> None:
        deadlines(served).sweep(asyncio.get_running_loop().time() + seconds)

    served.call(sweep())


@contextmanager
def waiting(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """A pool that hands out no connection until it may: an event that says that somebody waits, and one that lets go."""
    waits, go = threading.Event(), threading.Event()
    pool = served.gateway.store.pool
    getconn = pool.getconn

    async def wait(*args: Any) -> Any:
        waits.set()
        await asyncio.to_thread(go.wait, 30)
        return await getconn(*args)

    with monkeypatch.context() as patch:
        patch.setattr(pool, "getconn", wait)
        try:
            yield waits, go
        finally:
            go.set()


@contextmanager
def ahead(served: Served, seconds: float) -> Iterator[None]:
    """Meanwhile it is so many seconds later, for whoever waits; the sweep of that moment comes first."""
    found = deadlines(served)
    loop = found._loop
    found._loop = Later(loop, seconds)  # type: ignore[assignment]
    try:
        later(served, seconds)
        yield
    finally:
        found._loop = loop


class Later:
    """A loop whose clock is ahead."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop, self._seconds = loop, seconds
        self.call_later = loop.call_later

    def time(self) -> float:
        """Of the loop, and so many seconds more."""
        return self._loop.time() + self._seconds


async def _server_end(served: Served, address: tuple[str, int]) -> asyncio.Transport:
    while True:
        for one in connections(served):
            if _peer(one) == address:
                return one.transport
        await turn()


def _peer(protocol: ExpressProtocol | FrontProtocol) -> object:
    return protocol.transport.get_extra_info("peername")


def _paused(protocol: ExpressProtocol | FrontProtocol) -> bool:
    return isinstance(protocol, FrontProtocol) and protocol.flow.read_paused


def _answered(protocol: ExpressProtocol | FrontProtocol) -> bool:
    if isinstance(protocol, ExpressProtocol) or protocol.cycle is None:
        return True
    return protocol.cycle.response_complete or protocol.cycle.disconnected


def _waits(protocol: ExpressProtocol | FrontProtocol) -> bool:
    """Whether the application has read all that came of a body, and asks for more."""
    assert isinstance(protocol, FrontProtocol)
    cycle = protocol.cycle
    return cycle.more_body and not cycle.message_event.is_set() and bool(cycle.message_event._waiters)


async def _hang_up(transport: asyncio.Transport) -> None:
    transport.close()
