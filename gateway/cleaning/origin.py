"""What the gateway, as a proxy, says of a request's origin: ``X-Forwarded-*``, ``Forwarded`` (RFC 7239), ``Via``.

Pure. Written anew each time; what came is believed, and continued, only where a trusted proxy sent it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CLOSED = re.compile(rb'(?:[^"]|"(?:[^"\\]|\\.)*+")*+', re.DOTALL)
"""Every quote has its end: what would stand behind an open one would be a part of it."""
_LINES = b"X-Forwarded-Host: %b\r\nX-Forwarded-Proto: %b\r\nForwarded: %b\r\nVia: %b\r\n"


class Origin(NamedTuple):
    """Where a request came from: the address of the TCP peer, or None for a Unix socket; the original request's scheme
    and authority; and whether the peer is a trusted proxy."""

    peer: str | None
    scheme: str
    authority: str
    trusted: bool


def forwarded(headers: Mapping[bytes, bytes], origin: Origin, pseudonym: bytes) -> bytes:
    """The lines of our own, for a client's ``headers`` by lower-case name. A Unix socket has no address to add to
    X-Forwarded-For; where nobody else is known, that line is not there."""
    said = headers if origin.trusted else {}
    clients = _continued(said.get(b"x-forwarded-for", b""), (origin.peer or "").encode())
    scheme, authority = origin.scheme.encode(), origin.authority.encode()
    element = b"for=%b;host=%b;proto=%b" % (_node(origin.peer), _quoted(authority), scheme)
    before = said.get(b"forwarded", b"")
    hops = _continued(before if _CLOSED.fullmatch(before) else b"", element)
    via = _continued(said.get(b"via", b""), b"1.1 " + pseudonym)
    first = b"X-Forwarded-For: %b\r\n" % clients if clients else b""
    return first + _LINES % (authority, scheme, hops, via)


def is_loop(headers: Mapping[bytes, bytes], pseudonym: bytes) -> bool:
    """Whether Via tells that this request came by here before (RFC 9110 section 7.6.3)."""
    hops = [hop.split() for hop in headers.get(b"via", b"").split(b",")]
    return any(len(hop) > 1 and hop[1] == pseudonym for hop in hops)


def _continued(said: bytes, more: bytes) -> bytes:
    return b", ".join([part for part in (said.strip(b" \t,"), more) if part])


def _node(peer: str | None) -> bytes:
    """RFC 7239 section 6, which knows no zones."""
    if peer is None:
        return b"unknown"
    address = peer.partition("%")[0].encode()
    return _quoted(b"[%b]" % address if b":" in address else address)


def _quoted(value: bytes) -> bytes:
    """A token as it is, all else in quotes (RFC 7239 section 4)."""
    if _TOKEN.fullmatch(value):
        return value
    return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
