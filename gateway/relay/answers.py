"""An app's answer: its head as llhttp reads it, and where its body ends (RFC 9112 sections 4 and 6).

No socket. A head that could be read in two ways is no answer (``BadAnswer``); a reason never repeats what was sent, but
is only for the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import httptools

from gateway import cleaning
from gateway.model import Headers

LONGEST = 64 * 1024
"""Bytes of a head; apps set long cookies and policies."""
MOST = 200
"""Header fields of a head."""
END = b"\r\n\r\n"
_LONGEST_LENGTH = 18
"""Digits of a Content-Length."""


class BadAnswer(Exception):
    """What an app sent is not passed on."""


class Answer(NamedTuple):
    """A head. ``lines`` are what of it goes back to the client, each behind its line end; ``length`` is what it says of its
    body. ``fields`` are its headers by lower-case name, unless it was read at a glance; ``repeats``: a name came twice."""

    status: int
    reason: bytes
    lines: bytes
    fields: Mapping[bytes, bytes]
    length: int | None
    keeps_alive: bool
    repeats: bool = False


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


class Chunks:
    """A body in chunks, which the parser takes apart."""

    length: int | None = None

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.trailers = reading.trailers

    @property
    def ended(self) -> bool:
        """Whether the last chunk and the trailers have come."""
        return self._reading.complete

    @property
    def extra(self) -> bool:
        """Whether bytes came behind the end."""
        return self._reading.begun > 1

    def take(self, data: bytes) -> bytes:
        """What of ``data`` is content."""
        return self._reading.content(data)

    def end(self) -> bool:
        """Without the last chunk it was cut off."""
        return self.ended


Body = Sized | UntilEnd | Chunks


class Reading:
    """One answer's parser, and what it says."""

    def __init__(self) -> None:
        self.headers: Headers = []
        self.trailers: Headers = []
        self.reason = b""
        self.complete = False
        self.begun = 0
        self._headed = False
        self._content: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    def on_message_begin(self) -> None:
        """A message begins: the first, or what came behind it."""
        self.begun += 1

    def on_status(self, reason: bytes) -> None:
        """The words behind the status; they may come in pieces."""
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or a trailer."""
        (self.trailers if self._headed else self.headers).append((name, value))

    def on_headers_complete(self) -> None:
        """What comes now as a header is a trailer."""
        self._headed = True

    def on_body(self, data: bytes) -> None:
        """Content."""
        self._content.append(data)

    def on_message_complete(self) -> None:
        """The end of the message."""
        self.complete = True

    def head(self, raw: bytes, cookies: tuple[bytes, ...]) -> Answer:
        """``raw`` as exactly one head; ``cookies`` are the names of ours, which no app may set."""
        self._feed(raw)
        status = self._parser.get_status_code()
        version = self._parser.get_http_version()
        if not self._headed or raw.count(b"\r\n") != len(self.headers) + 2 or version not in ("1.1", "1.0"):
            raise BadAnswer("a head that can be read in two ways")
        if len(self.headers) > MOST:
            raise BadAnswer("too many header fields")
        fields = {name.lower(): value for name, value in self.headers}
        if len(fields) != len(self.headers):
            _check_once(self.headers)
        if version == "1.0" and b"transfer-encoding" in fields:
            raise BadAnswer("a transfer coding of another version of HTTP")
        about = fields.get(b"connection")
        keeps_alive = version == "1.1" if about is None else _keeps_alive(version, about)
        lines = b"\r\n" + cleaning.outward(self.headers, cookies)[:-2]
        repeats = len(fields) != len(self.headers)
        return Answer(status, self.reason, lines, fields, _length(fields), keeps_alive, repeats)

    def content(self, data: bytes) -> bytes:
        """Content of a body in chunks. Bytes behind its end are seen in ``begun``."""
        self._feed(data)
        content, self._content = self._content, []
        return content[0] if len(content) == 1 else b"".join(content)

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # whoever reads the head decides about that
        except httptools.HttpParserError as error:
            if not self.complete:
                raise BadAnswer(f"not HTTP: {error}") from None
            self.begun = 2


def body(answer: Answer, method: str, reading: Reading | None) -> Body:
    """The body that such a head announces, to a request of this method (RFC 9112 section 6.3). ``reading`` is the parser's,
    if it read the head."""
    if not has_body(answer.status, method):
        return Sized(0)
    if answer.length is not None:
        return Sized(answer.length)
    return Chunks(reading) if reading is not None and b"transfer-encoding" in answer.fields else UntilEnd()


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


def _keeps_alive(version: str, about: bytes) -> bool:
    tokens = {token.strip(b" \t") for token in about.lower().split(b",")}
    return b"close" not in tokens and (version == "1.1" or b"keep-alive" in tokens)


def _check_once(headers: Headers) -> None:
    names = [name.lower() for name, _ in headers]
    if names.count(b"content-length") > 1 or names.count(b"transfer-encoding") > 1:
        raise BadAnswer("a length that is said twice")
