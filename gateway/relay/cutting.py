"""Cutting a connection off so that it is seen: by a reset, which nobody takes for an end."""

from __future__ import annotations

import asyncio
import socket
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
