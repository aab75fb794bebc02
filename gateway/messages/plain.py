"""The questions that are read at a glance: one complete message without a body, written as every proxy writes it.

Pure. What is plain has one reading in every parser: visible ASCII, one line for each header, no name twice, ``name: value``
with one space, and nothing that says where a message ends. Whatever else was sent, good or bad, is not for this room
(None), and read with more care elsewhere.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.messages.heads import END, LONGEST, MOST
from gateway.model import Headers

METHODS = {name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}
_VISIBLE = bytes(range(0x20, 0x7F))
_TARGET = re.compile(rb"/[!\"$-~]*")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_CONNECTION = {b"keep-alive": False, b"close": True}
_DELICATE = frozenset(
    {b"connection", b"content-length", b"transfer-encoding", b"upgrade", b"expect", b"proxy-connection"}
)
"""Headers that are about the message or its connection (RFC 9110 section 7.6.1, RFC 9112 section 6)."""
_names: dict[bytes, bytes] = {}
"""Spellings of header names met so far, in lower case; bounded, because strangers write them."""
_MOST_NAMES = 2000


class Plain(NamedTuple):
    """Such a message. ``closes``: its sender wants the connection to end with the answer."""

    method: str
    target: bytes
    headers: Headers
    closes: bool


def read(data: bytes) -> Plain | None:
    """``data`` as exactly one plain message, or None."""
    if len(data) > LONGEST or data.find(END) != len(data) - 4:
        return None
    if b":  " in data or b" \r\n" in data:  # a value with spaces around it
        return None
    first, *lines = data[:-4].split(b"\r\n")
    if len(lines) > MOST or data.translate(None, _VISIBLE) != b"\r\n" * (len(lines) + 2):
        return None
    method, _, rest = first.partition(b" ")
    target, _, version = rest.partition(b" ")
    if version != b"HTTP/1.1" or method not in METHODS or not _TARGET.fullmatch(target) or target.endswith(b"?"):
        return None
    return _message(METHODS[method], target, lines)


def _message(method: str, target: bytes, lines: list[bytes]) -> Plain | None:
    headers: Headers = []
    for line in lines:
        name, separator, value = line.partition(b": ")
        known = _names.get(name) or _learn(name)
        if not known or not separator:
            return None
        headers.append((known, value))
    fields = dict(headers)
    if len(fields) != len(headers) or b"host" not in fields:
        return None
    if _DELICATE.isdisjoint(fields):
        return Plain(method, target, headers, False)
    closes = _closes(fields)
    return None if closes is None else Plain(method, target, headers, closes)


def _closes(fields: dict[bytes, bytes]) -> bool | None:
    """Whether the connection ends with this message; None where it has a body, or wants anything else."""
    about = _DELICATE.intersection(fields)
    if not about <= {b"connection", b"content-length"} or fields.get(b"content-length", b"0") != b"0":
        return None
    return _CONNECTION.get(fields.get(b"connection", b"keep-alive").lower())


def _learn(name: bytes) -> bytes:
    """``name`` in lower case, or nothing where it cannot be the name of a header."""
    if not _TOKEN.fullmatch(name):
        return b""
    known = name.lower()
    if len(_names) < _MOST_NAMES:
        _names[name] = known
    return known
