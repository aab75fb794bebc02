"""What of an app's answer goes back to the client: its headers as they were spelled, in their order.

Pure. The framing is the caller's, who writes it anew. No app sets a cookie of ours, in whatever way a browser might read
one out of its line. Runs for each answer, so a name is looked up once by its spelling, and that is all.
"""

from __future__ import annotations

from gateway.cleaning.names import (
    HOP_BY_HOP,
    NOT_BEHIND_A_BODY,
    WRITTEN_ANEW,
    Fate,
    Names,
    is_proxies,
    nominated,
    without,
)
from gateway.model import Headers

_VALUES = {b"set-cookie": Fate.COOKIE, b"connection": Fate.CONNECTION}
_BLANK = b" \t"


def outward(headers: Headers, cookies: tuple[bytes, ...]) -> bytes:
    """The lines for the client. ``cookies`` are the names of ours."""
    lines = []
    names = _names
    for header in headers:
        fate = names[header[0]].fate
        if fate is Fate.KEPT:
            lines.append(b"%b: %b\r\n" % header)
        elif fate is Fate.COOKIE:
            if not _is_ours(header[1], cookies):
                lines.append(b"%b: %b\r\n" % header)
        elif fate is Fate.CONNECTION and (named := _nominated(headers)):
            return outward(without(headers, named), cookies)
    return b"".join(lines)


def trailers(headers: Headers) -> bytes:
    """The trailers that may go on behind a body, as lines (RFC 9110 section 6.5.1)."""
    names = _trailers
    return b"".join([b"%b: %b\r\n" % header for header in headers if names[header[0]].fate is Fate.KEPT])


def _fate(lower: bytes, normal: bytes) -> Fate:
    if lower in _VALUES:
        return _VALUES[lower]
    dropped = normal in HOP_BY_HOP or normal.startswith(b"proxy-") or normal in (b"content-length", b"alt-svc")
    return Fate.DROPPED if dropped else Fate.KEPT


def _fate_of_trailer(lower: bytes, normal: bytes) -> Fate:
    known = HOP_BY_HOP | WRITTEN_ANEW | NOT_BEHIND_A_BODY
    return Fate.DROPPED if normal in known or normal.startswith(b"proxy-") or is_proxies(normal) else Fate.KEPT


_names = Names(_fate)
_trailers = Names(_fate_of_trailer)


def _nominated(headers: Headers) -> frozenset[bytes]:
    """What all lines of Connection together take out, and these lines."""
    named = nominated([value for name, value in headers if _names[name].fate is Fate.CONNECTION])
    return named | {b"connection"} if named else named


def _is_ours(value: bytes, cookies: tuple[bytes, ...]) -> bool:
    """Whether browsers would send this back as a cookie of ours: also where it has no name and its value looks like one
    (``=ours=x``, ``ours``), because they write no ``=`` before it (RFC 6265bis section 5.8.3)."""
    pair = value.partition(b";")[0].lstrip(b"= \t")
    return pair.partition(b"=")[0].rstrip(_BLANK) in cookies
