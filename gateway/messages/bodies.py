"""Where a body ends (RFC 9112 sections 6 and 7): the door counts by itself, and the parser has to agree.

Pure. Chunk extensions are refused, because parsers differ in where such a line ends; trailers are bounded and, for
everybody behind this door, not there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.messages.heads import LONGEST, MOST, BadMessage, TooLarge

_LENGTH = re.compile(rb"[0-9]{1,18}")
DECIDE = frozenset({b"content-length", b"transfer-encoding"})
"""Headers by which the length of a body is known."""
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})")
_EXTENDED = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t -~]*)?")
_LONGEST_EXTENDED = 1024
_LINE = 15 + len(b"\r\n")
"""Bytes of the longest line that says the size of a chunk."""
_HEADS_ONLY = (b"connection", b"proxy-connection", b"upgrade", b"content-length", b"transfer-encoding", b"host")
"""What no trailer may say (RFC 9110 section 6.5.1). llhttp acts upon some: behind one that closes, it reads no more."""


class Counted:
    """A body of a stated length."""

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def ended(self) -> bool:
        return not self._left

    def take(self, come: bytes | bytearray) -> int:
        """How many bytes of what has come are of this body."""
        size = min(self._left, len(come))
        self._left -= size
        return size


class Chunked:
    """A body in chunks, with its trailers."""

    _size, _longest = _SIZE, _LINE

    def __init__(self) -> None:
        self._chunk = 0  # bytes of the chunk under way that are still to come, its CRLF included
        self._trailers: list[int] | None = None  # the lengths of those so far, once the last chunk has come
        self.ended = False

    def take(self, come: bytearray) -> int:
        """How many bytes of what has come are of this body; BadMessage where that cannot be known for sure."""
        at = 0
        while not self.ended and at < len(come):
            if self._chunk:
                size = min(self._chunk, len(come) - at)
                self._chunk -= size
            else:
                size = self._line(come, at)
            if not size:
                break
            at += size
        return at

    def _line(self, come: bytearray, at: int) -> int:
        """The length of the line at ``at``, or 0 while its end is still to come."""
        longest = self._longest if self._trailers is None else LONGEST - sum(self._trailers)
        found = come.find(b"\r\n", at, at + longest)
        if found < 0:
            if len(come) - at >= longest:
                raise self._too_long()
            return 0
        self._read(bytes(come[at:found]))
        return found + 2 - at

    def _read(self, line: bytes) -> None:
        if self._trailers is not None:
            self._trailers.append(len(line) + 2)
            self.ended = not line
            if len(self._trailers) > MOST:
                raise TooLarge("this message has too many trailers")
            if line.partition(b":")[0].lower() in _HEADS_ONLY:
                raise BadMessage("a trailer that says what only a head may say")
        elif (size := self._size.fullmatch(line)) is None:
            raise self._too_long()
        elif length := int(size[1], 16):
            self._chunk = length + 2
        else:
            self._trailers = []

    def _too_long(self) -> BadMessage:
        if self._trailers is None:
            return BadMessage("a chunk whose size cannot be read")
        return TooLarge("the trailers of this message are too large")


class Extended(Chunked):
    """The same from an app, which may say more of a chunk than its size (RFC 9112 section 7.1.1); nobody hears it."""

    _size, _longest = _EXTENDED, _LONGEST_EXTENDED


def of(version: str, fields: Mapping[bytes, bytes]) -> Counted | Chunked | None:
    """The body that a head with these headers announces; BadMessage where two programs could disagree about it."""
    coding, length = fields.get(b"transfer-encoding"), fields.get(b"content-length")
    body: Counted | Chunked | None = None
    if coding is not None:
        if coding.lower() != b"chunked" or length is not None or version == "1.0":
            raise BadMessage("a transfer coding that can be read in two ways")
        body = Chunked()
    elif length is not None:
        if not _LENGTH.fullmatch(length):
            raise BadMessage("a length that can be read in two ways")
        body = Counted(int(length)) if int(length) else None
    if body is not None and b"upgrade" in fields:
        raise BadMessage("an upgrade with a body")
    return body
