"""The hot door, fast: an ``asyncio.Protocol`` that uvicorn is given as its ``http=`` class.

It answers a plain question (``plain``) at a hot door when memory knows the answer, before an ASGI scope exists.
Everything else is handed over, byte for byte, to ``front``, which is uvicorn's own protocol; that one gives the
connection back behind a message that was wholly read and answered (see there). Nothing is kept in here between two
messages, so there is nothing that could be taken for a part of the next.

uvicorn's promises hold in here too: keep-alive time-out, ``Connection: close``, no reading while the peer does not read,
graceful shutdown, ``Date``, request counters. The doors come through the lifespan state; without them (another server's
start, or ``server.express: false``) everything is handed over and stays there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from gateway.deadlines import Deadlines
from gateway.endpoints.doors import DOORS, Doors
from gateway.endpoints.familiar import Familiar, Known
from gateway.endpoints.forwardauth import Asked, ForwardAuth
from gateway.endpoints.front import DEADLINES, FrontProtocol
from gateway.endpoints.listening import BACKLOG
from gateway.endpoints.sidecar import Carrier, Client, Peer, Sidecar
from gateway.headers import lines
from gateway.messages import plain
from gateway.messages.heads import LONGEST
from gateway.messages.request import Request
from gateway.model import Question, Reply
from gateway.outbox import Outbox

KEEP_ALIVE = 125
"""Seconds; longer than proxies keep their idle connections (Go 90, Caddy 120), so that they close first."""
_MARKS = (b"\r\nX-Forwarded-Uri: ", b"\r\nx-forwarded-uri: ")
_EXPRESS = "gateway.express"


Manner = tuple[ForwardAuth, str, bool]
"""At which door, by which method, and whether the connection ends with the answer."""


class Hall:
    """What all connections of one server share."""

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        self.config, self.server_state, self.app_state = config, server_state, app_state
        self.loop = asyncio.get_running_loop()
        self.doors: Doors | None = app_state.get(DOORS)
        self.sidecar: Sidecar | None = self.doors.sidecar if self.doors is not None else None
        self.familiar = Familiar[Manner]()
        self.deadlines: Deadlines = app_state.setdefault(DEADLINES, Deadlines(self.loop))
        self.keep_alive: float = config.timeout_keep_alive
        self.outbox = Outbox(self.loop)
        self._said: object = None
        self._heads: dict[int, bytes] = {}

    def head(self, status: int) -> bytes:
        """The status line, and the headers that uvicorn adds to every answer, which it makes anew each second."""
        if self._said is not self.server_state.default_headers:
            self._said = self.server_state.default_headers
            self._heads = {}
        head = self._heads.get(status)
        if head is None:
            head = self._heads[status] = STATUS_LINE[status] + lines(self.server_state.default_headers)
        return head


class ExpressProtocol(asyncio.Protocol):
    """One connection, while its messages are plain."""

    __slots__ = (
        "_away",
        "_client",
        "_doors",
        "_from",
        "_front",
        "_hall",
        "_idle_since",
        "_paused",
        "_peer",
        "_rest",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._hall: Hall = app_state.get(_EXPRESS) or app_state.setdefault(
            _EXPRESS, Hall(config, server_state, app_state)
        )
        self._doors = self._hall.doors
        self._front: FrontProtocol | None = None
        self._client: Client | None = None
        self._peer: str | None = None
        self._from = self._rest = b""
        self._paused = self._away = False
        self._idle_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # asyncio says any transport
        """Who asks, and where: the second socket has no hot doors."""
        self.transport = transport
        self._arrive()
        local, peer = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        is_unix = isinstance(local, str)
        if isinstance(peer, tuple) and not is_unix:
            self._peer, self._from = peer[0], peer[0].encode()
        elif not is_unix:
            self._doors = None  # a peer that has no name any more is nobody's proxy
        if self._doors is not None and self._doors.is_internal((local, None) if is_unix else local[:2]):
            self._doors = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is kept."""
        self._leave()
        self._front = self._client = None
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Answer what can be answered now, hand over everything else: what fails in here is asked again behind, where it
        is said, and ends in "no"."""
        if self._doors is None or not self._answered(data):
            self._hand_over(data)

    def pause_writing(self) -> None:
        """A peer that does not read is not listened to."""
        self._paused = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self._paused = False
        rest, self._rest = self._rest, b""
        self._go_on(rest)

    def shutdown(self) -> None:
        """uvicorn ends: there is never an answer under way in here, but perhaps in the relay."""
        self.outbox.settle(self.transport)
        if self._client is not None and self._away:
            self._client.shutdown()
        else:
            self.transport.close()

    def expired(self) -> None:
        """Nothing came for a while, or nothing was taken."""
        if self._away:
            self._hall.deadlines.set(self, self._hall.keep_alive)
            return
        left = self._idle_since + self._hall.keep_alive - self._hall.deadlines.now
        if left > 0:
            self._hall.deadlines.set(self, left)
        elif self._paused:
            self.transport.abort()
        else:
            self.transport.close()

    def _answered(self, data: bytes) -> bool:
        """Whether ``data`` is a plain question, and memory knows the answer."""
        hall = self._hall
        if self._client is not None and hall.sidecar is not None and hall.sidecar.arrived_again(self, data, self._from):
            return True
        head, uri = _cut(data, self._from)
        if uri:
            known = hall.familiar.find(head)
            if known is not None and self._answered_again(known, uri):
                return True
        elif self._client is None and hall.sidecar is not None and hall.sidecar.arrived_again(self, data, self._from):
            return True
        return self._answered_anew(data, head)

    def _answered_again(self, known: Known[Manner], uri: bytes) -> bool:
        """The head was read before."""
        door, method, closes = known.more
        try:
            reply = door.again(known, uri)
        except Exception:  # is asked again behind, where it is said
            return False
        if reply is None:
            return False
        self._say(reply, method, closes)
        return True

    def _answered_anew(self, data: bytes, head: bytes) -> bool:
        """Everything is read; what it says beside the path is ``head``, if the path stands where that is known."""
        message = plain.read(data)
        if message is None or self._doors is None:
            return False
        door = self._doors.hot(message.target.partition(b"?")[0])
        if door is None:
            return self._carried(self._doors, message, data)
        try:
            asked = door.read(Question(message.method, message.target, message.headers, self._peer))
            reply = asked if isinstance(asked, Reply) else door.answer(asked)
            if head and reply is not None and isinstance(asked, Asked) and door.varies:
                door.remember(self._hall.familiar, head, asked, (door, message.method, message.closes))
        except Exception:  # is asked again behind, where it is said
            return False
        if reply is None:
            return False
        self._say(reply, message.method, message.closes)
        return True

    def _say(self, reply: Reply, method: str, closes: bool) -> None:
        hall, words = self._hall, self.words(reply, method == "HEAD", closes)
        hall.server_state.total_requests += 1
        self._idle_since = hall.deadlines.now
        if closes:
            hall.outbox.settle(self.transport)
            self.transport.write(words)
            self.transport.close()
        else:
            hall.outbox.write(self.transport, words)

    # For hosts that the gateway carries ------------------------------------------------------------------------------

    def client(self, carrier: Carrier) -> Client:
        """The relay's side of this connection, which it is from now on until it is ``back``."""
        self._away = True
        if self._client is None:
            self._client = carrier.client(self.transport, self)
        return self._client

    @property
    def outbox(self) -> Outbox:
        """Where whole messages go."""
        return self._hall.outbox

    def words(self, reply: Reply, is_head: bool, closes: bool) -> bytes:
        """A reply as it stands in a message."""
        end = b"connection: close\r\n\r\n" if closes else b"\r\n"
        head = self._hall.head(reply.status) + (reply.raw or lines(reply.headers)) + end
        return head if is_head else head + reply.body

    def back(self, rest: bytes, stays: bool) -> None:
        """What was carried has ended; until the next message the relay's side passes on what it is told. A connection that
        had a body on it is read with care from now on."""
        self._away = False
        self._hall.server_state.total_requests += 1
        self._idle_since = self._hall.deadlines.now
        if stays:
            self._leave()
            self._front = self._make_front(stays=True)
            self.transport.set_protocol(self._front)
            self._front.connection_made(self.transport)
            self.outbox.settle(self.transport)
        if rest:  # in its own step: many that came at once would each be one deeper
            self.transport.pause_reading()
            self._hall.loop.call_soon(self._go_on, rest)

    def lost(self) -> None:
        """It was closed while it was away."""
        self.connection_lost(None)

    def _carried(self, doors: Doors, message: plain.Plain, data: bytes) -> bool:
        """Whether this is for a host that the gateway carries; then it is under way."""
        host = next(value for name, value in message.headers if name == b"host")
        sidecar = doors.carrying(message.target, host)
        if sidecar is None:
            return False
        block = data.partition(b"\r\n")[2]
        request = Request(message.method, message.target, "1.1", message.headers, block, closes=message.closes)
        sidecar.arrived(self, request, Peer(self._peer, self._from), whole=True)
        return True

    def _divert(self, target: bytes, host: bytes) -> Callable[[Request], None] | None:
        """Who takes a request that ``front`` has read, if it is for such a host."""
        sidecar = self._doors.carrying(target, host) if self._doors is not None else None
        if sidecar is None:
            return None

        def take(request: Request) -> None:
            self._front = None
            self._arrive()
            sidecar.arrived(self, request, Peer(self._peer, self._from))

        return take

    def _go_on(self, rest: bytes) -> None:
        """With what had come behind a message, for whoever has the connection now; not before the client reads."""
        if self._paused:
            self._rest = rest
        elif not self.transport.is_closing():
            self.transport.resume_reading()
            if rest:
                cast("asyncio.Protocol", self.transport.get_protocol()).data_received(rest)

    def _arrive(self) -> None:
        hall = self._hall
        hall.server_state.connections.add(self)  # type: ignore[arg-type]  # typed by uvicorn's own classes
        hall.deadlines.set(self, hall.keep_alive)

    def _leave(self) -> None:
        self._hall.server_state.connections.discard(self)
        self._hall.deadlines.clear(self)

    def _hand_over(self, data: bytes) -> None:
        self._leave()
        if self._front is None:
            front = self._front = self._make_front()
            self.transport.set_protocol(front)
            front.connection_made(self.transport)
        else:
            front = self._front
            self.transport.set_protocol(front)
            front.resume()
        self.outbox.settle(self.transport)
        front.data_received(data)

    def _make_front(self, *, stays: bool = False) -> FrontProtocol:
        hall = self._hall
        front = FrontProtocol(hall.config, hall.server_state, hall.app_state, hall.loop)
        if self._doors is not None:
            front.give_back, front.divert = None if stays else self._take_back, self._divert
        return front

    def _take_back(self) -> None:
        self._arrive()
        self.transport.set_protocol(self)


def _cut(data: bytes, sender: bytes) -> tuple[bytes, bytes]:
    """``data`` without what its X-Forwarded-Uri says, behind who sent it, and that; nothing where there is none. The mark
    before it stays, and no plain message has it twice, so that what is left has one reading: such a message, and the place
    in it. The sender stands before it, where nothing that is sent can be taken for a part of his address."""
    for mark in _MARKS:
        start = data.find(mark) + len(mark)
        if start >= len(mark):
            end = data.find(b"\r\n", start)
            if end <= start or len(data) > LONGEST:
                break
            return b"%b\n%b%b" % (sender, data[:start], data[end:]), data[start:end]
    return b"", b""


def options(**more: Any) -> dict[str, Any]:
    """How uvicorn is run: no proxy headers (trust is ours to decide), no WebSockets, no Server header, no access log."""
    return {
        "http": ExpressProtocol,
        "ws": "none",
        "lifespan": "on",
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "log_config": None,
        "timeout_keep_alive": KEEP_ALIVE,
        "timeout_graceful_shutdown": 5,
        "backlog": BACKLOG,
        **more,
    }
