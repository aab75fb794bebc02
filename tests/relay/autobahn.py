"""A WebSocket client that plays what a case says, octet for octet, and writes down what comes back.

It judges nothing: no frame is too strange to be sent, none is answered by itself, and what is heard is compared, not
understood. Cases are in ``autobahn_cases`` and ``autobahn_deflate``.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from asking import PATIENCE, Headers, request

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NORMAL = (1000).to_bytes(2)
_MASK = bytes.fromhex("9a3c57e1")
_KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Frame(NamedTuple):
    """As it came. ``rsv`` is a number of three bits."""

    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0


class Heard(NamedTuple):
    """All that came back: each line of the 101 that is about WebSockets, the frames, what did not make a frame, and how the
    connection ended ("fin" or "reset")."""

    handshake: tuple[str, ...]
    frames: tuple[Frame, ...]
    rest: bytes
    end: str

    @property
    def code(self) -> int | None:
        """Of the Close frame, which has to be the last; None without one, or where it has no code."""
        last = self.frames[-1] if self.frames else Frame(TEXT, b"")
        return int.from_bytes(last.payload[:2]) if last.opcode == CLOSE and last.payload else None


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """A frame as a client sends it, masked, whether it makes sense or not."""
    size = len(payload)
    first = bytes((fin << 7 | rsv << 4 | opcode,))
    if size < 126:
        head = first + bytes((0x80 | size,))
    elif size < 65536:
        head = first + b"\xfe" + size.to_bytes(2)
    else:
        head = first + b"\xff" + size.to_bytes(8)
    mask = int.from_bytes((_MASK * (size // 4 + 1))[:size])
    return head + _MASK + (int.from_bytes(payload) ^ mask).to_bytes(size)


def chops(data: bytes, size: int) -> Iterator[bytes]:
    """``data`` in pieces of so many octets."""
    return (data[at : at + size] for at in range(0, len(data), size))


class Conversation:
    """One WebSocket at ``address``."""

    def __init__(self, address: tuple[str, int], headers: Headers, offer: str = "") -> None:
        self.socket = socket.create_connection(address, PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.frames: list[Frame] = []
        self._left = bytearray()
        self.handshake = self._open([*dict(headers).items()], offer)

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *unused: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """One write. Where the other side has closed, nobody hears it."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def until(self, count: int) -> None:
        """Until so many frames have come in all, or nothing more will."""
        while len(self.frames) < count and self._more():
            pass

    def finish(self) -> Heard:
        """All until the other side ends the connection."""
        try:
            while self._more():
                pass
            end = "fin"
        except ConnectionResetError:
            end = "reset"
        return Heard(self.handshake, tuple(self.frames), bytes(self._left), end)

    def _open(self, headers: list[tuple[str, str]], offer: str) -> tuple[str, ...]:
        wanted = [*headers, ("Connection", "Upgrade"), ("Upgrade", "websocket")]
        wanted += [("Sec-WebSocket-Key", _KEY), ("Sec-WebSocket-Version", "13")]
        self.send(request("GET", "/", wanted + ([("Sec-WebSocket-Extensions", offer)] if offer else [])))
        while b"\r\n\r\n" not in self._left:
            data = self.socket.recv(65536)
            assert data, bytes(self._left)
            self._left += data
        head, _, left = bytes(self._left).partition(b"\r\n\r\n")
        self._left = bytearray(left)
        first, *lines = head.decode("latin-1").split("\r\n")
        assert first.startswith("HTTP/1.1 101 "), head
        return tuple(sorted(line for line in lines if line.lower().startswith(("sec-", "upgrade:"))))

    def _more(self) -> bool:
        data = self.socket.recv(262144)
        self._left += data
        while (found := _cut(self._left)) is not None:
            self.frames.append(found)
        return bool(data)


def _cut(data: bytearray) -> Frame | None:
    """The first frame of an unmasked stream, taken out of ``data``; None where it is not whole yet."""
    if len(data) < 2:
        return None
    more = {126: 2, 127: 8}.get(data[1], 0)
    size = int.from_bytes(data[2 : 2 + more]) if more else data[1]
    end = 2 + more + size
    if len(data) < 2 + more or len(data) < end:
        return None
    found = Frame(data[0] & 15, bytes(data[2 + more : end]), bool(data[0] & 128), data[0] >> 4 & 7)
    del data[:end]
    return found
