"""Both ends of the relay in a test's own hands: the client that asks, and the app that is asked.

Nothing answers by itself, so nothing has to be waited for but what the test itself has caused.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from asking import PATIENCE
from databases import Cluster
from gateway.settings import Trust, Upstream
from serving import Served, serve, settings

HOST = "app.example.com"
APPS = """
apps:
  - name: app
    hosts: [app.example.com]
    upstream: http://127.0.0.1:{port}
    rules: [{{path: /public/, policy: bypass}}, {{policy: one_factor}}]
"""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
_RESET = struct.pack("ii", 1, 0)


class Ended(AssertionError):
    """The other end closed before it said what a test waits for."""


class Side:
    """One end of one connection."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._left = b""

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def until(self, mark: bytes = b"\r\n\r\n") -> bytes:
        """All that comes up to ``mark``, which is a head's end if nothing else is said."""
        while mark not in self._left:
            self._more()
        found, mark, self._left = self._left.partition(mark)
        return found + mark

    def exactly(self, size: int) -> bytes:
        while len(self._left) < size:
            self._more()
        found, self._left = self._left[:size], self._left[size:]
        return found

    def status(self) -> int:
        """Of the next answer; what is behind its head stays."""
        return int(self.until().split(b" ")[1])

    def rest(self) -> tuple[bytes, bool]:
        """All that comes until the other end closes, and whether it closed well (else by a reset)."""
        closed_well = True
        try:
            while data := self.socket.recv(65536):
                self._left += data
        except ConnectionResetError:
            closed_well = False
        found, self._left = self._left, b""
        return found, closed_well

    def finish(self) -> None:
        """Nothing more will be sent from here."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.socket.close()

    def close(self) -> None:
        self.socket.close()

    def send_until_refused(self, data: bytes) -> bool:
        """Again and again; True where the other end has gone, False where it has not taken any for a while."""
        try:
            while True:
                self.socket.sendall(data)
        except TimeoutError:
            return False
        except OSError:
            return True

    def _more(self) -> None:
        data = b""
        with suppress(ConnectionResetError):
            data = self.socket.recv(65536)
        if not data:
            raise Ended(f"it closed behind {self._left!r}")
        self._left += data


class Hand:
    """The app. It waits on ``port``; a connection is one when it is taken."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._listener.settimeout(PATIENCE)
        self.port: int = self._listener.getsockname()[1]
        self._taken: list[Side] = []

    def take(self) -> Side:
        """The next connection of the gateway."""
        side = Side(self._listener.accept()[0])
        self._taken.append(side)
        return side

    def asked(self, answer: bytes = CLOSED) -> bytes:
        """The next connection, its first head, and this as the answer to it."""
        side = self.take()
        head = side.until()
        side.send(answer)
        return head

    def strangers(self) -> list[Side]:
        """Connections that have come and were not taken."""
        found = []
        self._listener.settimeout(0)
        with suppress(BlockingIOError):
            while True:
                found.append(Side(self._listener.accept()[0]))
        self._listener.settimeout(PATIENCE)
        self._taken += found
        return found

    def let_go(self) -> None:
        """Of every connection that is still open."""
        self.strangers()
        while self._taken:
            self._taken.pop().close()

    def close(self) -> None:
        while self._taken:
            self._taken.pop().close()
        self._listener.close()


class Ground:
    """A gateway that carries for such an app; alice is signed in."""

    def __init__(self, served: Served, app: Hand) -> None:
        self.served, self.app = served, app
        self.cookie = served.session("alice")[1].encode()

    def client(self, sent: bytes = b"") -> Side:
        """A new client, which has said this."""
        side = Side(socket.create_connection(self.served.address))
        side.send(sent)
        return side

    def head(self, line: bytes = b"GET / HTTP/1.1", *lines: bytes) -> bytes:
        """The head of a request of alice's."""
        return b"\r\n".join([line, b"Host: app.example.com", b"Cookie: " + self.cookie, *lines, b"", b""])

    def later(self, seconds: float) -> None:
        """For the relay it is so much later, once."""

        async def sweep() -> None:
            found, now = self.served.gateway.relay._due(), asyncio.get_running_loop().time()
            found.sweep(now + seconds)
            found.now = now

        self.served.call(sweep())


def answers_still(ground: Ground) -> None:
    """The next request goes by a new connection, the first that comes now, and gets its own answer."""
    with ground.client(ground.head(b"GET /honest HTTP/1.1", b"Connection: close")) as client:
        assert ground.app.asked().startswith(b"GET /honest HTTP/1.1\r\n")
        assert client.status() == 200
        assert client.rest() == (b"ok", True)
    ground.app.let_go()


def nothing_broke(caplog: pytest.LogCaptureFixture) -> None:
    """What a client or an app does wrong is no fault of the gateway: no traceback, no error."""
    assert not [record for record in caplog.get_records("call") if record.exc_info or record.levelno >= logging.ERROR]


@contextmanager
def standing(cluster: Cluster, directory: Path, apps: str = APPS) -> Iterator[Ground]:
    """Nobody is trusted to be a proxy. A connection that is kept is kept for longer than any test waits."""
    hand = Hand()
    chosen = replace(settings(directory), trust=Trust(), upstream=Upstream(idle=10 * PATIENCE))
    try:
        with cluster.database() as url, serve(url, directory, chosen, apps=apps.format(port=hand.port)) as served:
            served.user("alice", ["users"])
            yield Ground(served, hand)
    finally:
        hand.close()
