"""Cutting a connection off so that it is seen: by a reset, which nobody takes for an end; and what is one."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from contextlib import suppress

_NOW = struct.pack("ii", 1, 0)
"""SO_LINGER: on, for no time at all; what was not sent is thrown away, and the peer is told so (RST)."""


def cut(transport: asyncio.Transport) -> None:
    """End it, and not well. A Unix socket has no reset; there it only ends."""
    connection = transport.get_extra_info("socket")
    with suppress(OSError, AttributeError):  # it may be gone already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)
    transport.abort()


def is_end(transport: asyncio.Transport) -> bool:
    """Whether this is an end: in TLS only the app's close_notify is one, else somebody may have cut it off (RFC 9112
    section 9.8). uvloop tells the two apart, asyncio does not."""
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    try:
        return tls is None or tls.read(1) == b""
    except ssl.SSLError:
        return False
