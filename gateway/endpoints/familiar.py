"""Questions that were read before: the fifty that a page sends at once differ in nothing but what ``X-Forwarded-Uri`` says.

What the rest of such a message says is a pure function of its bytes, so it is read once and kept: the original request
without its path, and the standing of whoever asks (``check``), which is good as long as memory holds the very facts that
it was made from. Each question is judged by its path, now; where the standing does not hold any more, all is read again.

A head is known by a digest of its bytes; no token is kept, nor any header that carries one. Bounded, those who proved to
be somebody apart from everybody else, so that strangers push out only strangers.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from gateway import originals
from gateway.check import Standing
from gateway.endpoints.forwardauth import Asked, ForwardAuth
from gateway.endpoints.heads import LONGEST
from gateway.endpoints.plain import Plain
from gateway.forwarded import SECRET_HEADER
from gateway.model import AccessRequest

PEOPLE, STRANGERS = 4096, 512
"""Heads that are kept."""
LONGEST_KEPT = 2048
"""Bytes of a message that is kept; longer ones are read each time."""
_SECRET = frozenset({b"cookie", b"x-api-key", b"authorization", b"proxy-authorization", SECRET_HEADER})
VARIES = originals.FORWARDED.uri
_MARKS = (b"\r\nX-Forwarded-Uri: ", b"\r\nx-forwarded-uri: ")


class Known(NamedTuple):
    """One such head: at which door, how its sender wants to be answered, and what is asked, but for the path."""

    door: ForwardAuth
    method: str
    closes: bool
    request: AccessRequest
    standing: Standing


class Familiar:
    """Those of one server."""

    def __init__(self) -> None:
        self._people: dict[bytes, Known] = {}
        self._strangers: dict[bytes, Known] = {}

    def find(self, data: bytes, peer: bytes) -> tuple[Known, bytes] | None:
        """The head that ``data`` differs from in its path only, and that path as it was sent."""
        head, uri = _cut(data)
        if not uri:
            return None
        digest = blake2b(head + peer, digest_size=32).digest()
        known = self._people.get(digest) or self._strangers.get(digest)
        return None if known is None else (known, uri)

    def remember(self, data: bytes, peer: bytes, door: ForwardAuth, message: Plain, asked: Asked) -> None:
        """``data`` is ``message`` and was read as ``asked`` at ``door``, if that finds the path where this room does."""
        head, uri = _cut(data)
        if not uri or len(data) > LONGEST_KEPT or door.dialect.VARIES != VARIES:
            return
        standing = door.stand(asked)
        if standing is None:
            return
        table, most = (self._people, PEOPLE) if standing.entry is not None else (self._strangers, STRANGERS)
        if len(table) >= most:
            del table[next(iter(table))]
        digest = blake2b(head + peer, digest_size=32).digest()
        table[digest] = Known(door, message.method, message.closes, _without_secrets(asked.request), standing)


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """``data`` without what its X-Forwarded-Uri says, and that; nothing where there is none. The mark stays, and what was
    remembered is plain and has it once, so that what is left has one reading: such a head, and the place in it."""
    for mark in _MARKS:
        start = data.find(mark) + len(mark)
        if start >= len(mark) and len(data) <= LONGEST:
            end = data.find(b"\r\n", start)
            return data[:start] + data[end:], data[start:end]
    return b"", b""


def _without_secrets(request: AccessRequest) -> AccessRequest:
    headers = {name: value for name, value in request.headers.items() if name not in _SECRET and name != VARIES}
    return request._replace(headers=headers, path="", uri="")
