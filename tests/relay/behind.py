"""An app behind the gateway, played by the test itself: it sees the bytes that came, and sends those it wants to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from asking import PATIENCE


class Met:
    """One connection that the gateway opened."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        self.socket = connection
        self.left = b""

    def head(self) -> bytes:
        """The next head, its empty line included."""
        return self.until(b"\r\n\r\n")

    def until(self, mark: bytes) -> bytes:
        """What comes up to ``mark``, and it."""
        while mark not in self.left:
            more = self.socket.recv(65536)
            assert more, f"the gateway hung up behind {self.left!r}"
            self.left += more
        found, _, self.left = self.left.partition(mark)
        return found + mark

    def body(self, size: int) -> bytes:
        """So many bytes."""
        while len(self.left) < size:
            more = self.socket.recv(65536)
            assert more, "the gateway hung up"
            self.left += more
        body, self.left = self.left[:size], self.left[size:]
        return body

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, body: bytes = b"", head: bytes = b"HTTP/1.1 200 OK\r\n") -> None:
        """A plain answer of a stated length."""
        self.send(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def ended(self) -> bool:
        """Whether the gateway ends the connection, and says nothing more before."""
        try:
            return self.left == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.socket.close()


class App:
    """It listens; ``upstream`` is what ``apps.yaml`` says of it."""

    def __init__(self, listener: socket.socket) -> None:
        listener.settimeout(PATIENCE)
        self._listener = listener
        self._met: list[Met] = []
        self.upstream = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def met(self) -> Met:
        """The next connection."""
        found = Met(self._listener.accept()[0])
        self._met.append(found)
        return found

    def asked(self) -> Met:
        """The next connection, once a head has come by it."""
        met = self.met()
        met.head()
        return met

    def is_left_alone(self) -> bool:
        """Whether nobody is waiting to be accepted."""
        self._listener.setblocking(False)
        try:
            self._met.append(Met(self._listener.accept()[0]))
        except BlockingIOError:
            return True
        finally:
            self._listener.settimeout(PATIENCE)
        return False

    def close(self) -> None:
        self._listener.close()
        for met in self._met:
            met.close()


@contextmanager
def listening() -> Iterator[App]:
    """An app on a free port of loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        app = App(listener)
        try:
            yield app
        finally:
            app.close()
