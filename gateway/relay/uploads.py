"""A client's body on its way to an app: counted by ``messages.bodies``, with which llhttp has to agree where it is in
chunks; framed anew, without chunk extensions and without trailers (RFC 9112 section 7.1).

No socket. ``BadMessage`` where the two do not agree.
"""

from __future__ import annotations

import httptools

from gateway.messages.bodies import Chunked, Counted
from gateway.messages.heads import BadMessage

_HEAD = b"POST / HTTP/1.1\r\nhost: chunks\r\ntransfer-encoding: chunked\r\n\r\n"
"""What a parser has to have read before it takes chunks."""
LAST = b"0\r\n\r\n"


class CountedUpload:
    """A body of a stated length, passed as it is."""

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
        self._body = body
        self._begun = bytearray()
        self._content: list[bytes] = []
        self._complete = False
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(_HEAD)

    @property
    def ended(self) -> bool:
        """Whether the last chunk has come, and the trailers."""
        return self._body.ended

    def on_body(self, data: bytes) -> None:
        """Content."""
        self._content.append(data)

    def on_message_complete(self) -> None:
        """The parser sees the end."""
        self._complete = True

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """What goes on of ``data``, and what is behind the body."""
        self._begun += data
        size = self._body.take(self._begun)
        self._feed(bytes(self._begun[:size]))
        del self._begun[:size]
        if self._complete != self._body.ended:
            raise BadMessage("a body that can be read in two ways")
        content, self._content = b"".join(self._content), []
        framed = b"%x\r\n%b\r\n" % (len(content), content) if content else b""
        if not self._body.ended:
            return framed, b""
        return framed + LAST, bytes(self._begun)

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            raise BadMessage("this message cannot be read") from None


Upload = CountedUpload | ChunkedUpload


def of(body: Counted | Chunked) -> Upload:
    """The body that a head announces."""
    return CountedUpload(body) if isinstance(body, Counted) else ChunkedUpload(body)
