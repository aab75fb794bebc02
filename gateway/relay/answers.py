"""An app's answer: its head as llhttp reads it, and where its body ends (RFC 9112 sections 4 and 6).

No socket. A head that could be read in two ways is no answer (``BadAnswer``); a reason never repeats what was sent, but
is only for the log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import httptools

from gateway import cleaning
from gateway.messages.bodies import Extended
from gateway.messages.heads import BadMessage
from gateway.model import Headers
from gateway.relay.chunks import Chunks

LONGEST = 64 * 1024
"""Bytes of a head; apps set long cookies and policies."""
MOST = 200
"""Header fields of a head."""
MOST_INTERIM = 50
"""Interim answers before the one that counts."""
END = b"\r\n\r\n"
_LONGEST_LENGTH = 18
"""Digits of a Content-Length."""
_ONCE = (b"content-length", b"transfer-encoding")
_SWITCHES = frozenset({b"upgrade", b"sec-websocket-accept", b"sec-websocket-protocol", b"sec-websocket-extensions"})
_REASON = re.compile(rb"[\t -~\x80-\xff]*")


class BadAnswer(Exception):
    """What an app sent is not passed on."""


class Answer(NamedTuple):
    """A head of ``size`` bytes. ``lines`` are what of it goes back to the client, each behind its line end; ``length`` is
    what it says of its body. ``fields`` are its headers by lower-case name, unless it was read at a glance; ``repeats``:
    what decides about another protocol came twice."""

    status: int
    reason: bytes
    lines: bytes
    fields: Mapping[bytes, bytes]
    length: int | None
    keeps_alive: bool
    repeats: bool = False
    size: int = 0


class Sized:
    """A body of ``length`` bytes."""

    trailers: Sequence[tuple[bytes, bytes]] = ()

    def __init__(self, length: int) -> None:
        self.length: int | None = length
        self._left = length
        self.ended = not length
        self.extra = False  # bytes came that belong to nothing

    def take(self, data: bytes) -> bytes:
        """What of ``data`` is of this body."""
        if len(data) > self._left:
            data, self.extra = data[: self._left], True
        self._left -= len(data)
        self.ended = not self._left
        return data

    def end(self) -> bool:
        """The connection ended; whether the body did."""
        return self.ended


class UntilEnd:
    """A body that ends with its connection (RFC 9112 section 6.3, rule 8)."""

    length: int | None = None
    trailers: Sequence[tuple[bytes, bytes]] = ()
    ended = extra = False

    def take(self, data: bytes) -> bytes:
        """All of it."""
        return data

    def end(self) -> bool:
        """This is how it ends."""
        self.ended = True
        return True


class InChunks:
    """A body in chunks. Extensions of chunks are read and dropped."""

    length: int | None = None

    def __init__(self) -> None:
        self._chunks = Chunks(Extended())
        self.trailers = self._chunks.trailers
        self.extra = False

    @property
    def ended(self) -> bool:
        """Whether the last chunk and the trailers have come."""
        return self._chunks.ended

    def take(self, data: bytes) -> bytes:
        """What of ``data`` is content."""
        try:
            content, rest = self._chunks.take(data)
        except BadMessage as bad:
            raise BadAnswer(str(bad)) from None
        self.extra = bool(rest)
        return content

    def end(self) -> bool:
        """Without the last chunk it was cut off."""
        return self.ended


Body = Sized | UntilEnd | InChunks


class Reading:
    """One head, as the parser reads it."""

    def __init__(self) -> None:
        self.headers: Headers = []
        self.reason = b""
        self._headed = False
        self._parser = httptools.HttpResponseParser(self)

    def on_status(self, reason: bytes) -> None:
        """The words behind the status; they may come in pieces."""
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field."""
        self.headers.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        """The end of the head."""
        self._headed = True

    def head(self, raw: bytes, cookies: tuple[bytes, ...]) -> Answer:
        """``raw`` as exactly one head; ``cookies`` are the names of ours, which no app may set."""
        if not raw.startswith(b"HTTP/"):  # the parser knows ICE and RTSP, too
            raise BadAnswer("not HTTP")
        self._feed(raw)
        status, version = self._parser.get_status_code(), self._parser.get_http_version()
        if not self._headed or raw.count(b"\r\n") != len(self.headers) + 2 or version not in ("1.1", "1.0"):
            raise BadAnswer("a head that can be read in two ways")
        if status < 100 or not _REASON.fullmatch(self.reason):
            raise BadAnswer("a status line that cannot be read")
        if len(self.headers) > MOST:
            raise BadAnswer("too many header fields")
        fields = _fields(self.headers)
        if version == "1.0" and b"transfer-encoding" in fields:
            raise BadAnswer("a transfer coding of another version of HTTP")
        kept = cleaning.outward(self.headers, cookies)
        lines = b"\r\n" + kept[:-2] if kept else b""
        switches = [name for spelled, _ in self.headers if (name := spelled.lower()) in _SWITCHES]
        repeats = len(set(switches)) < len(switches)
        return Answer(
            status, self.reason, lines, fields, _length(fields), _keeps_alive(version, fields), repeats, len(raw)
        )

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # whoever reads the head decides about that
        except httptools.HttpParserError as error:
            raise BadAnswer(f"not HTTP: {error}") from None


def body(answer: Answer, method: str) -> Body:
    """The body that such a head announces, to a request of this method (RFC 9112 section 6.3)."""
    if not has_body(answer.status, method):
        return Sized(0)
    if answer.length is not None:
        return Sized(answer.length)
    return InChunks() if b"transfer-encoding" in answer.fields else UntilEnd()


def has_body(status: int, method: str) -> bool:
    """Whether an answer has a body at all, whatever its head says of one."""
    return method != "HEAD" and status not in (204, 304)


def _length(fields: Mapping[bytes, bytes]) -> int | None:
    """What a Content-Length says; BadAnswer where it says nothing, or not alone."""
    coding, length = fields.get(b"transfer-encoding"), fields.get(b"content-length")
    if coding is not None and (length is not None or coding.lower() != b"chunked"):
        raise BadAnswer("a length that can be read in two ways")
    if length is None:
        return None
    if not length.isdigit() or len(length) > _LONGEST_LENGTH:
        raise BadAnswer("a length that cannot be read")
    return int(length)


def _keeps_alive(version: str, fields: Mapping[bytes, bytes]) -> bool:
    about = fields.get(b"connection", b"")
    tokens = {token.strip(b" \t") for token in about.lower().split(b",")}
    return b"close" not in tokens and (version == "1.1" or b"keep-alive" in tokens)


def _fields(headers: Headers) -> dict[bytes, bytes]:
    """By name in lower case; what is said twice of the connection is one list."""
    fields: dict[bytes, bytes] = {}
    for spelled, value in headers:
        name = spelled.lower()
        if name in fields and name in _ONCE:
            raise BadAnswer("a length that is said twice")
        fields[name] = fields[name] + b"," + value if name == b"connection" and name in fields else value
    return fields
