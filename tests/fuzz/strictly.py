"""One strict reading of HTTP/1.1 messages that shares nothing with the gateway's: what it may pass on, at the most.

It reads until where it cannot be sure any more (RFC 9112). A message is given as far as it has come.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_FIELD = re.compile(rb"(%b):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*" % _TOKEN)
_ASKS = re.compile(rb"(%b) (/[!-~]*) HTTP/(1\.[01])" % _TOKEN)
_TELLS = re.compile(rb"HTTP/(1\.[01]) ([1-9][0-9][0-9])(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?")


class Head(NamedTuple):
    """``first`` is what the first line says; names in lower case."""

    first: tuple[bytes, ...]
    fields: list[tuple[bytes, bytes]]
    raw: bytes

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key == name]

    def options(self, name: bytes) -> list[bytes]:
        return [option.strip() for option in b",".join(self.values(name)).lower().split(b",")]


class Message(NamedTuple):
    """``complete``: all of its body has come. ``size``: so many bytes it has taken."""

    head: Head
    content: bytes
    complete: bool
    size: int


def requests(data: bytes) -> list[Message]:
    """Those that may be carried."""
    found: list[Message] = []
    while (message := _request(data)) is not None:
        found.append(message)
        data = data[message.size :]
        fields = message.head
        options = fields.options(b"connection")
        last = fields.first[2] == b"1.0" or b"close" in options or (b"upgrade" in options and fields.values(b"upgrade"))
        if not message.complete or last or (fields.values(b"expect") and message.content):
            break
    return found


def answers(data: bytes, methods: Sequence[bytes], *, ended: bool) -> Iterator[Message]:
    """Those to requests by these methods; what is interim is left out, and counted as the next one's. ``ended``: the
    connection was closed behind them."""
    for method in methods:
        start = len(data)
        head = _head(_TELLS, data)
        while head is not None and head.first[1].startswith(b"1"):
            data = data[len(head.raw) :]
            head = _head(_TELLS, data)
        message = head and _answer(head, data, method, ended=ended)
        if not message:
            return
        data = data[message.size :]
        yield message._replace(size=start - len(data))


def _request(data: bytes) -> Message | None:
    blank = len(data) - len(data.lstrip(b"\r\n")) if re.match(rb"(\r\n)+", data) else 0
    head = _head(_ASKS, data[blank:])
    if head is None or len(head.values(b"host")) > 1:
        return None
    rest, lengths = data[blank + len(head.raw) :], head.values(b"content-length")
    if codings := head.values(b"transfer-encoding"):
        if [coding.lower() for coding in codings] != [b"chunked"] or lengths or head.first[2] == b"1.0":
            return None
        content, complete, size = _chunks(rest, extensions=False)
    elif len(lengths) > 1 or (lengths and not lengths[0].isdigit()):
        return None
    else:
        length = int(lengths[0]) if lengths else 0
        content, complete, size = rest[:length], len(rest) >= length, min(length, len(rest))
    return Message(head, content, complete, blank + len(head.raw) + size)


def _answer(head: Head, data: bytes, method: bytes, *, ended: bool) -> Message | None:
    rest, lengths = data[len(head.raw) :], head.values(b"content-length")
    codings = [coding.lower() for coding in head.values(b"transfer-encoding")]
    if len(lengths) + len(codings) > 1 or codings not in ([], [b"chunked"]):
        return None
    if (lengths and not lengths[0].isdigit()) or (codings and head.first[0] == b"1.0"):
        return None
    if method == b"HEAD" or head.first[1] in (b"204", b"304"):
        content, complete, size = b"", True, 0
    elif codings:
        content, complete, size = _chunks(rest, extensions=True)
    elif lengths:
        length = int(lengths[0])
        content, complete, size = rest[:length], len(rest) >= length, min(length, len(rest))
    else:
        content, complete, size = rest, ended, len(rest)
    return Message(head, content, complete, len(head.raw) + size)


def _head(first: re.Pattern[bytes], data: bytes) -> Head | None:
    end = data.find(b"\r\n\r\n") + 4
    if end < 4:
        return None
    line, *lines = data[: end - 4].split(b"\r\n")
    said, fields = first.fullmatch(line), [_FIELD.fullmatch(each) for each in lines]
    if said is None or not all(fields):
        return None
    return Head(said.groups(), [(field[1].lower(), field[2]) for field in fields if field], data[:end])


def _chunks(data: bytes, *, extensions: bool) -> tuple[bytes, bool, int]:
    """Content, whether it has ended, and how many bytes that was."""
    line = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[^\r\n]*)?\r\n" if extensions else rb"([0-9A-Fa-f]{1,15})\r\n")
    content, at = b"", 0
    while found := line.match(data, at):
        size, at = int(found[1], 16), found.end()
        if not size:
            end = re.compile(rb"(?:%b:[^\x00-\x08\x0a-\x1f\x7f]*\r\n)*\r\n" % _TOKEN).match(data, at)
            return content, end is not None, end.end() if end else len(data)
        content += data[at : at + size]
        at += size
        if data[at : at + 2] != b"\r\n":
            break
        at += 2
    return content, False, len(data)
