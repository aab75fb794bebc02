"""What must hold of the relay whatever comes from both sides, in whatever pieces. The fuzzer makes it up; the kept ones
are a test.

A file is a list of things that happen, each ended by ``0x1e``. Its first byte says what: ``C`` the client says what
follows, ``A`` the app does; ``c`` and ``a``: that one closes; ``p`` the client stops reading, ``r`` it reads again. All of
the gateway between two sockets is real, but for the judgement, which lets everything in.
"""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from fuzz import holding
from fuzz.memory import MARK, Loop, Memory
from gateway.endpoints.doors import DOORS
from gateway.endpoints.express import ExpressProtocol
from gateway.errors import UpstreamFailed
from gateway.messages.bodies import Chunked
from gateway.messages.heads import BadMessage
from gateway.messages.request import Errand, Request
from gateway.model import Decision, Reply
from gateway.relay.relay import Relay
from gateway.settings import Upstream as Terms

END = b"\x1e"
OURS = b"__Secure-gateway_session"
HONEST = b"GET /honest HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 6\r\n\r\nhonest"
"""What another client asks behind all that happened, and how it is answered."""
_TURNS = 6


class Open:
    """Doors behind which everybody is let in, and to whom it is told what became of it."""

    def __init__(self, relay: Relay) -> None:
        self.sidecar, self._relay = self, relay
        self.asked: list[Memory] = []
        """By number, whose request it was."""

    def hot(self, path: bytes) -> None: ...

    def is_internal(self, server: object) -> bool:
        return False

    def carrying(self, target: bytes, host: bytes) -> Open:
        return self

    def arrived_again(self, *unused: object) -> bool:
        return False

    def arrived(self, home: Any, request: Request, peer: object, *, whole: bool = False) -> None:
        client = home.client(self._relay)
        client.take(request, self)
        fields, lines = dict(request.headers), b"%b: %d\r\n" % (MARK, len(self.asked))
        if isinstance(request.body, Chunked):
            lines += b"Transfer-Encoding: chunked\r\n"
        elif b"content-length" in fields:
            lines += b"Content-Length: %b\r\n" % fields[b"content-length"]
        head = b"%b %b HTTP/1.1\r\n%b\r\n" % (request.method.encode(), request.target, lines)
        self.asked.append(home.transport)
        client.send(Errand("http://127.0.0.1:1", request.method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")), head)

    def failed(self, client: object, error: UpstreamFailed) -> Reply:
        return _own(error.status)

    def refused(self, client: object, bad: BadMessage) -> Reply:
        return _own(bad.status)

    def ended(self, client: object, decision: Decision | None) -> tuple[Reply, str]:
        raise AssertionError("nobody takes a right away here")

    def finished(self, client: object) -> None: ...


def _own(status: int) -> Reply:
    return Reply(status, [(b"content-type", b"application/problem+json"), (b"content-length", b"3")], b"own")


async def _nowhere(scope: object, receive: object, send: object) -> None:
    raise AssertionError("everything is carried")


def config() -> uvicorn.Config:
    made = uvicorn.Config(_nowhere, http=ExpressProtocol, ws="none", lifespan="off", log_config=None)
    made.load()
    return made


CONFIG = config()


def carry(data: bytes) -> list[int]:
    """Let ``data`` happen, and check what must hold; the statuses that the client saw."""
    loop = Loop()
    try:
        return loop.run_until_complete(_carry(loop, data))
    finally:
        loop.close()


def carry_all(data: bytes) -> None:
    """For the fuzzer, which wants no answer."""
    carry(data)


async def _carry(loop: Loop, data: bytes) -> list[int]:
    relay = Relay(Terms(), (OURS,))
    doors = Open(relay)
    client, other = (Memory(ExpressProtocol(CONFIG, ServerState(), {DOORS: doors}, None)) for _ in range(2))
    for each in data.split(END):
        _happen(client, loop.opened, each[:1], each[1:])
        await _settled()
    ended = client.closed and not client.reset
    client.close()
    await _settled()
    await _ask_honestly(other, loop.opened)
    relay.close()
    await _settled()
    assert not loop.failures, loop.failures
    assert all(app.closed for app in loop.opened)
    told = holding.told(doors.asked, loop.opened)
    assert holding.seen(other, [len(doors.asked) - 1], told, ended=True) == [200]
    return holding.seen(client, range(len(doors.asked) - 1), told, ended=ended)


async def _ask_honestly(other: Memory, opened: list[Memory]) -> None:
    """Whatever happened, the next one gets an answer, and by a connection on which nothing is left."""
    other.give(HONEST)
    await _settled()
    for app in opened:
        app.give(ANSWER)
    await _settled()


async def _settled() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def _happen(client: Memory, opened: list[Memory], what: bytes, data: bytes) -> None:
    app = opened[-1] if opened else None
    if what == b"C":
        client.give(data)
    elif what == b"A" and app is not None:
        app.give(data)
    elif what == b"c":
        client.end()
    elif what == b"a" and app is not None:
        app.end()
    elif what == b"p":
        client.protocol.pause_writing()
    elif what == b"r":
        client.protocol.resume_writing()
