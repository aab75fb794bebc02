"""A body in chunks, whichever way it goes: counted by ``messages.bodies``, read by llhttp, and passed on only while the two
agree (RFC 9112 section 7.1). What comes out is content; chunk extensions are nobody's business behind this, and trailers
are kept apart.

No socket. ``BadMessage`` where it can be read in two ways.
"""

from __future__ import annotations

import httptools

from gateway.messages.bodies import Chunked
from gateway.messages.heads import BadMessage
from gateway.model import Headers

_HEAD = b"POST / HTTP/1.1\r\nhost: chunks\r\ntransfer-encoding: chunked\r\n\r\n"
"""What a parser has to have read before it takes chunks; they are alike in requests and in answers."""


class Chunks:
    """Such a body."""

    def __init__(self, counted: Chunked) -> None:
        self._counted = counted
        self._begun = bytearray()  # a line that has not ended
        self._content: list[bytes] = []
        self._complete = self._headed = False
        self.trailers: Headers = []
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(_HEAD)

    @property
    def ended(self) -> bool:
        """Whether the last chunk has come, and the trailers."""
        return self._counted.ended

    def on_headers_complete(self) -> None:
        """What comes now as a header is a trailer."""
        self._headed = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """A trailer."""
        if self._headed:
            self.trailers.append((name, value.strip(b" \t")))

    def on_body(self, data: bytes) -> None:
        """Content."""
        self._content.append(data)

    def on_message_complete(self) -> None:
        """The parser sees the end."""
        self._complete = True

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """The content in ``data``, and what is behind the body."""
        self._begun += data
        size = self._counted.take(self._begun)
        self._feed(bytes(self._begun[:size]))
        del self._begun[:size]
        if self._complete != self._counted.ended:
            raise BadMessage("a body that can be read in two ways")
        content, self._content = b"".join(self._content), []
        return content, bytes(self._begun) if self._counted.ended else b""

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            raise BadMessage("this message cannot be read") from None


def framed(content: bytes) -> bytes:
    """One chunk; none where there is nothing, because an empty one is the last."""
    return b"%x\r\n%b\r\n" % (len(content), content) if content else b""
