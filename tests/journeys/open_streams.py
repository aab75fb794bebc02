"""Everything that can be open through a gateway, with a test at both ends: a WebSocket, a download, events, a long poll, an
upload. Each is opened, shown to go on, and shown to have ended as such a thing ends when its right does."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

from asking import Line, request
from gateway import handshakes
from relay.autobahn import TEXT, frame
from relay.behind import App, Met

WITHIN = 1.0
"""Seconds after which nothing may be open any more."""
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
SIZE = 1_000_000
SOME = b"x" * 1000
UPGRADE = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", "13"),
]
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "


class Stream:
    """One of them. ``more`` are the lines of its request beside Host and Cookie, ``said`` is what it says at its end."""

    method, target = "GET", "/"
    more: Sequence[tuple[str, str]] = ()
    said = 0

    def __init__(self, address: tuple[str, int], app: App, cookie: str, host: str = "app.example.com") -> None:
        self.line = Line(address)
        self.line.send(request(self.method, self.target, [("Host", host), ("Cookie", cookie), *self.more]))
        self.app = app.met()
        self.app.head()
        self.begin(self.app)

    def begin(self, app: Met) -> None:
        """Whatever comes before it is open."""

    def goes_on(self) -> None:
        """AssertionError, or a timeout, unless it does."""
        raise NotImplementedError

    def ended(self, since: float) -> int:
        """AssertionError unless it ended as it should, in time after ``since`` (of ``time.monotonic``). The status or the
        close code that was said, or 0."""
        told = self.farewell(*self.rest(since + WITHIN))
        assert self.app_is_left(since + WITHIN)
        return told

    def farewell(self, said: bytes, end: str) -> int:
        """Look at the last words."""
        raise NotImplementedError

    def rest(self, until: float) -> tuple[bytes, str]:
        """All that still came to the client, and how the connection ended: "fin", "reset", or "open" if it did not."""
        return _rest(self.line.socket, until)

    def app_is_left(self, until: float) -> bool:
        """Whether the app's connection ended."""
        return _rest(self.app.socket, until)[1] != "open"

    def passes_to_client(self, data: bytes, expected: bytes | None = None) -> None:
        """AssertionError unless it, or ``expected``, is the next that comes; what is behind it stays."""
        wanted = expected or data
        self.app.send(data)
        heard = b""
        while len(heard) < len(wanted):
            more = self.line.socket.recv(len(wanted) - len(heard))
            assert more, f"it ended behind {heard!r}"
            heard += more
        assert heard == wanted

    def close(self) -> None:
        self.line.close()
        self.app.close()


class WebSocket(Stream):
    target, more, said = "/socket", UPGRADE, 1008

    def begin(self, app: Met) -> None:
        app.send(SWITCHED + handshakes.accept(KEY.encode()) + b"\r\n\r\n")
        _head(self.line, b"HTTP/1.1 101 ")

    def goes_on(self) -> None:
        sent = frame(TEXT, b"hello")
        self.line.send(sent)
        assert self.app.body(len(sent)) == sent
        self.passes_to_client(b"\x81\x07welcome")

    def farewell(self, said: bytes, end: str) -> int:
        """A Close frame that says why, and nothing else."""
        assert end == "fin", (said, end)
        assert said[0] == 0x88, said
        assert len(said) == said[1] + 2 > 4, said
        return int.from_bytes(said[2:4])


class Download(Stream):
    target = "/download"

    def begin(self, app: Met) -> None:
        app.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        _head(self.line, b"HTTP/1.1 200 ")

    def goes_on(self) -> None:
        self.passes_to_client(SOME)

    def farewell(self, said: bytes, end: str) -> int:
        """No client takes this for a whole file."""
        assert (said, end) == (b"", "reset")
        return 0


class Events(Download):
    target, more = "/events", [("Accept", "text/event-stream")]

    def begin(self, app: Met) -> None:
        app.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        _head(self.line, b"HTTP/1.1 200 ")

    def goes_on(self) -> None:
        self.passes_to_client(b"data: news\n\n", b"c\r\ndata: news\n\n\r\n")


class Poll(Stream):
    target = "/poll"

    def goes_on(self) -> None:
        """Its answer comes; then it is over."""
        self.app.answer(b"news")
        answer = self.line.answer()
        assert answer is not None
        assert (answer.status, answer.body) == (200, b"news")

    def farewell(self, said: bytes, end: str) -> int:
        """Nothing was answered yet, so words can be."""
        return int(said.split(b" ")[1])

    def rest(self, until: float) -> tuple[bytes, str]:
        """The connection may stay."""
        self.line.socket.settimeout(max(0.01, until - time.monotonic()))
        answer = self.line.answer()
        assert answer is not None
        return answer.raw, "answered"


class Upload(Poll):
    method, target, more = "POST", "/upload", [("Content-Length", str(SIZE))]

    def begin(self, app: Met) -> None:
        self.line.send(SOME)
        assert app.body(len(SOME)) == SOME

    def goes_on(self) -> None:
        self.begin(self.app)


KINDS: list[type[Stream]] = [WebSocket, Download, Events, Poll, Upload]


@contextmanager
def everything(address: tuple[str, int], app: App, cookie: str) -> Iterator[list[Stream]]:
    """One of each kind."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(kind(address, app, cookie))) for kind in KINDS]


def have_ended(streams: Iterable[Stream], since: float, status: int) -> None:
    """AssertionError unless all did, in time after ``since``; ``status`` is what is said where nothing was answered yet."""
    for stream in streams:
        assert stream.ended(since) == (status if isinstance(stream, Poll) else stream.said), type(stream).__name__


def _head(line: Line, begins: bytes) -> None:
    """It comes alone: nothing was sent behind it."""
    head = Met(line.socket).until(b"\r\n\r\n")
    assert head.startswith(begins), head


def _rest(connected: socket.socket, until: float) -> tuple[bytes, str]:
    said = b""
    try:
        while True:
            connected.settimeout(max(0.01, until - time.monotonic()))
            data = connected.recv(65536)
            if not data:
                return said, "fin"
            said += data
    except ConnectionResetError:
        return said, "reset"
    except TimeoutError:
        return said, "open"
