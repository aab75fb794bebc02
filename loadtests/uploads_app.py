"""The app that takes uploads: every body is read to its end into one buffer and forgotten, then the answer is 204.

nginx cannot stand in for it: its ``return 204`` answers before the body has come. python loadtests/uploads_app.py PORT
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import cast

import uvloop

_BUFFER = memoryview(bytearray(1 << 18))
"""One for all connections: what was read is looked at before anybody reads again."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_READY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"


class Uploads(asyncio.BufferedProtocol):
    """One connection. Bodies need a length; one without ends it."""

    def __init__(self) -> None:
        self._head, self._left, self._answer = b"", 0, b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody came."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclasses of it

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """So many came: of a body, or of a head first."""
        if not self._left:
            nbytes = self._begin(bytes(_BUFFER[:nbytes]))
            if nbytes < 0:
                return
        self._left -= nbytes
        if self._left <= 0 and self._transport is not None:
            self._left = 0
            self._transport.write(self._answer)

    def _begin(self, data: bytes) -> int:
        """How many bytes of a body came behind its head; -1 where the head has not ended."""
        self._head += data
        head, end, body = self._head.partition(b"\r\n\r\n")
        if not end:
            return -1
        self._head = b""
        found = _LENGTH.search(head + b"\r\n")
        self._answer = _READY if head.startswith(b"GET ") else _TAKEN
        if found is None and self._answer is _TAKEN and self._transport is not None:
            self._transport.abort()
        self._left = int(found.group(1)) if found else 0
        return len(body)


async def serve(port: int) -> None:
    """Until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Uploads, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
