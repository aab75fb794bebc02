"""Transfers that are larger than any memory should grow for them: down, up, and down to somebody who reads slowly.

Plain sockets that block, each in a thread of its own, while the carrier's resident memory is looked at.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import usage
from servers import Server

AT_ONCE = 1 << 20
GLANCE = 0.02
"""Seconds from one look at the memory to the next."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


class Grown(NamedTuple):
    """What a transfer took: MB on top of what was there before, at the worst moment; and seconds."""

    memory: float
    seconds: float


def watched(server: Server, transfer: Callable[[int], None]) -> Grown:
    """Memory of that server's processes while ``transfer`` runs against its port."""
    before = most = resident(server)
    begun = time.monotonic()
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(transfer, server.port)
        while not running.done():
            most = max(most, resident(server))
            time.sleep(GLANCE)
        running.result()
        most = max(most, resident(server))
    return Grown(most - before, time.monotonic() - begun)


def resident(server: Server) -> float:
    """MB of all its processes."""
    return sum(usage.of_session(server.process.pid).resident.values()) / usage.MB


def down(port: int, message: bytes, size: int) -> None:
    """Read an answer of that size; RuntimeError where it is another, or ends early."""
    with _asked(port, message) as line:
        left = _begun(line, size)
        buffer = bytearray(AT_ONCE)
        while left > 0:
            if not (got := line.recv_into(buffer)):
                raise RuntimeError(f"{left} bytes of an answer never came")
            left -= got


def up(port: int, head: bytes, size: int) -> None:
    """Send a body of that size behind ``head``; RuntimeError where the answer is not 204."""
    piece = bytes(AT_ONCE)
    with _asked(port, head) as line:
        for _ in range(size // AT_ONCE):
            line.sendall(piece)
        line.sendall(piece[: size % AT_ONCE])
        if not (said := line.recv(65536)).startswith(b"HTTP/1.1 204 "):
            raise RuntimeError(f"an upload was answered with {said[:60]!r}")


def slowly(port: int, message: bytes, size: int, rate: int, seconds: float) -> None:
    """Read an answer of that size at so many bytes a second, for so long, then leave. The kernel's buffer is small too."""
    with _asked(port, message, receive_buffer=4096) as line:
        _begun(line, size)
        begun, got = time.monotonic(), 0
        while (gone := time.monotonic() - begun) < seconds:
            if got < gone * rate:
                got += len(line.recv(rate // 10))
            time.sleep(0.01)


def _asked(port: int, message: bytes, receive_buffer: int = 0) -> socket.socket:
    line = socket.socket()
    line.settimeout(60)
    if receive_buffer:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    line.connect(("127.0.0.1", port))
    line.sendall(message)
    return line


def _begun(line: socket.socket, size: int) -> int:
    """How much of the body is still to come behind what came with the head."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += (more := line.recv(1024))
        if not more:
            raise RuntimeError("closed without an answer")
    head, _, body = received.partition(b"\r\n\r\n")
    found = _LENGTH.search(head + b"\r\n")
    if not head.startswith(b"HTTP/1.1 200 ") or found is None or int(found.group(1)) != size:
        raise RuntimeError(f"{size} bytes are due, but this came: {head[:60]!r}")
    return size - len(body)
