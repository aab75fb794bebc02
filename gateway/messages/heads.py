"""Heads of messages: how long they may be, and what none of them may say (RFC 9112 sections 2 to 6).

Limits and rules as data and pure functions: no parser, no socket. Where two programs could read one head in two ways it
is refused, not repaired; a reason never repeats what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from gateway.model import Headers

LONGEST = 16 * 1024
"""Bytes of a head, request line and final empty line included; also of the trailers behind a chunked body."""
MOST = 100
"""Header fields of a head."""
PATIENCE = 10.0
"""Seconds from the first byte of a head to its end."""
END = b"\r\n\r\n"
VERSIONS = ("1.1", "1.0")
ONCE = (b"host", b"content-length", b"transfer-encoding")
"""Headers that say where a message goes and where it ends, and have one value."""
_TARGET = re.compile(rb"/[!\"$-~]*")
"""Origin-form, visible ASCII, no fragment: an absolute target names a host of its own."""


class BadMessage(Exception):
    """A message that is not taken, in a sentence for whoever sent it; the connection ends with it."""

    status, code = 400, "G105"


class Twice(BadMessage):
    """A header that has one value came with two (as ``questions`` says it of those that only a door reads)."""

    code = "G102"


class TooLarge(BadMessage):
    """More bytes or more lines than anybody needs."""

    status, code = 431, "G106"


class TooSlow(BadMessage):
    """It began, and did not end in time."""

    status, code = 408, "G107"


class Head(NamedTuple):
    """What a parser made of ``raw``; header names in lower case."""

    raw: bytes | bytearray
    method: bytes
    target: bytes
    version: str
    headers: Headers


def end(begun: bytearray, seen: int) -> int:
    """Where the head ends with which ``begun`` begins, or 0 while that is still to come; its first ``seen`` bytes were
    looked at before. TooLarge as soon as it cannot be taken any more."""
    found = begun.find(END, max(0, seen - len(END) + 1), LONGEST)
    if found < 0:
        if len(begun) >= LONGEST:
            raise TooLarge("the head of this message is too large")
        return 0
    if begun.count(b"\r\n", 0, found) > MOST:
        raise TooLarge("the head of this message has too many fields")
    return found + len(END)


def check(head: Head) -> Mapping[bytes, bytes]:
    """The headers by name. BadMessage where the parser did not read exactly these bytes, and for what nobody may say."""
    _check_reading(head)
    if head.method == b"CONNECT" or not _TARGET.fullmatch(head.target):
        raise BadMessage("only paths are answered here")
    fields = dict(head.headers)
    if len(fields) != len(head.headers):
        _check_once(head.headers)
    if b"host" not in fields and head.version != "1.0":
        raise BadMessage("a message without a host")
    return fields


def _check_reading(head: Head) -> None:
    """One line is one header, and the first says what the parser says, in the one way to spell that."""
    if head.version not in VERSIONS:
        raise BadMessage("a version of HTTP that is not spoken here")
    if not head.raw.startswith(b"%b %b HTTP/%b\r\n" % (head.method, head.target, head.version.encode())):
        raise BadMessage("a request line that can be read in two ways")
    if head.raw.count(b"\r\n") != len(head.headers) + 2:
        raise BadMessage("lines that are not headers")


def _check_once(headers: Headers) -> None:
    names = [name for name, _ in headers]
    for name in ONCE:
        if names.count(name) > 1:
            raise Twice(f"the header {name.decode()} appears twice")
