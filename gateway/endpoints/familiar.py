"""Questions that were read before: the fifty that a page sends at once differ in nothing but what ``X-Forwarded-Uri`` says.

What the rest of such a message says is a pure function of its bytes, so it is read once and kept: the original request
without its path, and the credentials as digests. No decision is kept, and no token: a head is known by a keyed digest of
its bytes, and the headers that carry secrets are left out of what is kept. Each question is still judged, by what memory
knows at that moment; where memory does not know, it is read again, whole.

Bounded, those who proved to be somebody apart from everybody else, so that strangers push out only strangers.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b
from typing import NamedTuple

from gateway import originals, target
from gateway.credentials import Shown
from gateway.endpoints.forwardauth import Asked, ForwardAuth
from gateway.endpoints.heads import LONGEST
from gateway.endpoints.plain import Plain
from gateway.forwarded import SECRET_HEADER
from gateway.model import AccessRequest
from gateway.tokens import Ring

PEOPLE, STRANGERS = 4096, 512
"""Heads that are kept."""
LONGEST_KEPT = 2048
"""Bytes of a message that is kept; longer ones are read each time."""
_SECRET = frozenset({b"cookie", b"x-api-key", b"authorization", b"proxy-authorization", SECRET_HEADER})
VARIES = originals.FORWARDED.uri
_MARKS = (b"\r\nX-Forwarded-Uri: ", b"\r\nx-forwarded-uri: ")


class Known(NamedTuple):
    """One such head: at which door, and how its sender wants to be answered; ``asked`` lacks the path. ``ring`` is what
    the credentials were digested with."""

    door: ForwardAuth
    asked: Asked
    method: str
    closes: bool
    ring: Ring


class Familiar:
    """Those of one server."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._people: dict[bytes, Known] = {}
        self._strangers: dict[bytes, Known] = {}

    def find(self, data: bytes, peer: str | None) -> tuple[Known, Asked] | None:
        """The head that ``data`` differs from in its path only, and what is asked now."""
        head, uri = _cut(data)
        if not uri:
            return None
        digest = self._digest(head, peer)
        known = self._people.get(digest) or self._strangers.get(digest)
        if known is None or known.ring is not known.door.judge.cache.ring:
            return None
        try:
            return known, _with_uri(known.asked, uri)
        except target.Unreadable:
            return None

    def remember(self, data: bytes, peer: str | None, door: ForwardAuth, message: Plain, asked: Asked) -> None:
        """``data`` is ``message`` and was read as ``asked`` at ``door``, which finds the path where this room does."""
        head, uri = _cut(data)
        if not uri or len(data) > LONGEST_KEPT or door.dialect.VARIES != VARIES:
            return
        table, most = (self._people, PEOPLE) if door.knows(asked) else (self._strangers, STRANGERS)
        if len(table) >= most:
            del table[next(iter(table))]
        asked = _without_secrets(asked)
        table[self._digest(head, peer)] = Known(door, asked, message.method, message.closes, door.judge.cache.ring)

    def _digest(self, head: bytes, peer: str | None) -> bytes:
        """Of a head and who sent it, since whether it is believed depends on both."""
        return blake2b(head, key=self._key, digest_size=32).digest() + (peer or "").encode()


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """``data`` without what its X-Forwarded-Uri says, and that; nothing where there is none. What was remembered is plain
    and has no NUL, so what is left has one reading: such a head, and the place in it."""
    for mark in _MARKS:
        before, found, rest = data.partition(mark)
        if found and len(data) <= LONGEST:
            uri, _, after = rest.partition(b"\r\n")
            return b"\0".join((before, after)), uri
    return b"", b""


def _with_uri(asked: Asked, raw: bytes) -> Asked:
    was = asked.request
    uri, path = target.uri(raw)
    request = AccessRequest(
        was.method, was.scheme, was.host, was.authority, path.path, path.unclear, uri, was.client, was.headers
    )
    return Asked(request, asked.shown)


def _without_secrets(asked: Asked) -> Asked:
    headers = {name: value for name, value in asked.request.headers.items() if name not in _SECRET and name != VARIES}
    shown: Shown = tuple([tuple([(credential, None) for credential, _ in kind]) for kind in asked.shown])
    return Asked(asked.request._replace(headers=headers, path="", uri=""), shown)
