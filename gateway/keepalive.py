"""Peers that vanish without a word (a cable, a crash) are noticed after two minutes, where the system's own default is two
hours: however long nothing is said, the system asks whether they are there (RFC 9293 section 3.8.4)."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Protocol

_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}


class Socket(Protocol):
    """A socket, or what a transport shows of its own."""

    def setsockopt(self, level: int, name: int, value: int, /) -> None: ...


def watch(connection: Socket) -> None:
    """From now on; connections that come by a listening socket are watched as that is, on Linux with the same times."""
    with suppress(OSError, AttributeError):  # a Unix socket has no such numbers, nor has every system all of them
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _ALIVE.items():
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
