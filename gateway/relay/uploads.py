"""A client's body on its way to an app: of a stated length as it is, or in chunks, framed anew and without its trailers.

No socket. ``BadMessage`` where it can be read in two ways.
"""

from __future__ import annotations

from gateway.messages.bodies import Chunked, Counted
from gateway.relay.chunks import Chunks, framed

LAST = b"0\r\n\r\n"


class CountedUpload:
    """A body of a stated length."""

    def __init__(self, body: Counted) -> None:
        self._body = body

    @property
    def ended(self) -> bool:
        """Whether all of it has come."""
        return self._body.ended

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """What goes on of ``data``, and what is behind the body."""
        size = self._body.take(data)
        return (data, b"") if size == len(data) else (data[:size], data[size:])


class ChunkedUpload:
    """A body in chunks."""

    def __init__(self, body: Chunked) -> None:
        self._chunks = Chunks(body)

    @property
    def ended(self) -> bool:
        """Whether all of it has come."""
        return self._chunks.ended

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """What goes on of ``data``, and what is behind the body."""
        content, rest = self._chunks.take(data)
        return framed(content) + LAST if self._chunks.ended else framed(content), rest


Upload = CountedUpload | ChunkedUpload


def of(body: Counted | Chunked) -> Upload:
    """The body that a head announces."""
    return CountedUpload(body) if isinstance(body, Counted) else ChunkedUpload(body)
