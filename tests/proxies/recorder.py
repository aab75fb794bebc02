"""An app that believes everything it reads, and remembers it: what a proxy let through is what stands here.

Its reading of a connection is the worst that real apps have: an Upgrade ends the message at its head, as llhttp has it,
and what follows is the next request, as in every server that knows no WebSockets. Of Content-Length and
Transfer-Encoding it obeys the second, and a bare line feed ends a line. It closes
only where every server does, at what is no request line.
"""

from __future__ import annotations

import array
import fcntl
import re
import select
import socket
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nthe app\n"
CLOSE = b"<close>"
"""At the end of an answer: nothing more is said."""

REQUEST_LINE = re.compile(r"(\S+) (.+) HTTP/\d\.\d")


class Arrived(NamedTuple):
    """One request as this app understood it."""

    method: str
    target: str
    headers: list[tuple[str, str]]

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def spelled_like(self, name: str) -> list[str]:
        """Values under every spelling that some server takes for this name."""
        return [value for key, value in self.headers if re.sub("[^a-z0-9]", "-", key) == name]


class Recorder:
    """Listens on ``address``; ``arrived`` is every whole request so far (of a broken one Go sends the beginning twice)."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        host, port = self._listener.getsockname()
        self.address = f"{host}:{port}"
        self.arrived: list[Arrived] = []
        self.answer = ANSWER
        self._idle: dict[socket.socket, bool] = {}
        threading.Thread(target=self._accept, daemon=True).start()

    def settle(self) -> None:
        """Until nothing that was sent to this app is unread."""
        deadline = time.monotonic() + 10
        while self._is_met() or not all(idle and not _unread(line) for line, idle in list(self._idle.items())):
            assert time.monotonic() < deadline, "the app is still reading"
            time.sleep(0.002)  # the kernel does not tell when a queue is empty

    def _is_met(self) -> bool:
        """Whether somebody waits to be let in."""
        return bool(select.select([self._listener], [], [], 0)[0])

    def close(self) -> None:
        for line in [self._listener, *self._idle]:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                self._idle[line] = False
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        reader = _Reader(line, self._idle)
        with suppress(OSError, EOFError, ValueError):
            while True:
                arrived = _head(reader)
                _skip_body(arrived, reader)
                self.arrived.append(arrived)
                line.sendall(self._said(arrived.method))
                if self.answer.endswith(CLOSE):
                    break
        del self._idle[line]
        line.close()

    def _said(self, method: str) -> bytes:
        whole = self.answer.removesuffix(CLOSE)
        return whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else whole


class _Reader:
    """Lines and lengths of one connection; it says when it waits."""

    def __init__(self, line: socket.socket, idle: dict[socket.socket, bool]) -> None:
        self._line, self._idle, self._left = line, idle, b""

    def line(self) -> bytes:
        while b"\n" not in self._left:
            self._more()
        found, _, self._left = self._left.partition(b"\n")
        return found.rstrip(b"\r")

    def skip(self, length: int) -> None:
        while len(self._left) < length:
            self._more()
        self._left = self._left[length:]

    def _more(self) -> None:
        self._idle[self._line] = True
        select.select([self._line], [], [])  # what has come stays in the queue until we are busy with it
        self._idle[self._line] = False
        data = self._line.recv(65536)
        if not data:
            raise EOFError
        self._left += data


def _head(reader: _Reader) -> Arrived:
    while not (first := reader.line()):
        pass
    if (line := REQUEST_LINE.fullmatch(first.decode("latin-1"))) is None:
        raise EOFError
    headers = []
    while text := reader.line().decode("latin-1"):
        name, _, value = text.partition(":")
        headers.append((name.strip().lower(), value.strip()))
    return Arrived(line[1], line[2], headers)


def _skip_body(arrived: Arrived, reader: _Reader) -> None:
    if arrived.values("upgrade"):
        return
    if arrived.values("transfer-encoding"):
        while size := int(reader.line().partition(b";")[0] or b"0", 16):
            reader.skip(size)
            reader.line()
        while reader.line():
            pass
    else:
        reader.skip(int((arrived.values("content-length") or ["0"])[0]))


def _unread(line: socket.socket) -> int:
    waiting = array.array("i", [0])
    with suppress(OSError, ValueError):
        fcntl.ioctl(line.fileno(), termios.FIONREAD, waiting)
    return waiting[0]


@contextmanager
def recorder() -> Iterator[Recorder]:
    made = Recorder()
    try:
        yield made
    finally:
        made.close()
