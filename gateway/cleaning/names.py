"""What becomes of a header because of its name, both ways. The data comes first.

Pure. Names are judged as a server would read them that cannot tell ``_`` from ``-`` (PHP, CGI, WSGI: CVE-2025-64484,
CVE-2026-52845): in lower case, with ``-`` for all that is no letter and no digit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import NamedTuple

from gateway.model import Headers

HOP_BY_HOP = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
    | {b"http2-settings", b"proxy-authenticate", b"proxy-authorization", b"proxy-authentication-info"}
)
"""About one connection, not about the message (RFC 9110 section 7.6.1; section 11.7 for the last three)."""
WRITTEN_ANEW = frozenset({b"content-length", b"expect"})
"""How a message is framed and asked for on this side says nothing about the other."""
PROXIES_ONLY = frozenset(
    {b"forwarded", b"via", b"x-forwarded", b"x-real-ip", b"x-client-ip", b"x-cluster-client-ip", b"true-client-ip"}
    | {b"proxy"}
)
PROXIES_FAMILIES = (
    b"x-forwarded-",
    b"x-original-",
    b"x-rewrite-",
    b"remote-",
    b"x-remote-",
    b"x-auth-request-",
    b"x-gateway-",
)
"""What an app believes because only a proxy can have said it: a client that says it is lying. ``Proxy`` nobody says, but
CGI takes it for a setting (httpoxy, CVE-2016-5385)."""
OVERRIDES = frozenset({b"x-http-method-override", b"x-http-method", b"x-method-override"})
"""By these an app acts by another method than the one that was judged."""
NOT_BEHIND_A_BODY = frozenset(
    {b"host", b"content-encoding", b"content-type", b"content-range", b"content-location", b"alt-svc"}
    | {b"authorization", b"www-authenticate", b"authentication-info", b"cookie", b"set-cookie", b"location"}
    | {b"age", b"cache-control", b"date", b"expires", b"pragma", b"retry-after", b"vary", b"warning"}
    | {b"max-forwards", b"range", b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"}
)
"""What has to be known before the body, so no trailer may say it (RFC 9110 section 6.5.1, RFC 7230 section 4.1.2)."""
_LETTERS_AND_DIGITS = b"abcdefghijklmnopqrstuvwxyz0123456789"
_NORMAL = bytes(byte if byte in _LETTERS_AND_DIGITS else ord("-") for byte in bytes(range(256)).lower())
_LONG, _MOST = 64, 2000
"""Bytes of a name beyond which it is judged each time, and how many are remembered: strangers write them."""
_ORDINARY = frozenset({b"", b"keep-alive", b"close", b"upgrade", b"te"})
"""What Connection says day by day: nothing that would not be dropped without it."""


class Fate(Enum):
    """What becomes of a header: it goes on, it does not, or its value says."""

    KEPT = auto()
    DROPPED = auto()
    COOKIE = auto()
    API_KEY = auto()
    OVERRIDE = auto()
    CONNECTION = auto()


class Name(NamedTuple):
    """A header's name, judged; ``normal`` as said above."""

    fate: Fate
    normal: bytes


class Names(dict[bytes, Name]):
    """Names as they were spelled, judged when they are first met. All are forgotten when there are too many."""

    def __init__(self, judge: Callable[[bytes, bytes], Fate]) -> None:
        """``judge`` is given a name in lower case, and in normal form."""
        super().__init__()
        self._judge = judge

    def __missing__(self, spelled: bytes) -> Name:
        normal = normalised(spelled)
        name = Name(self._judge(spelled.lower(), normal), normal)
        if len(spelled) <= _LONG:
            if len(self) >= _MOST:
                self.clear()
            self[spelled] = name
        return name


def normalised(spelled: bytes) -> bytes:
    """The one name for all spellings of it."""
    return spelled.translate(_NORMAL)


def is_proxies(normal: bytes) -> bool:
    """Whether only a proxy may say this."""
    return normal in PROXIES_ONLY or normal.startswith(PROXIES_FAMILIES)


def nominated(values: Iterable[bytes]) -> frozenset[bytes]:
    """The headers that these values of Connection take out, in lower case: never Host, without which there is no
    message, and none that is dropped anyway."""
    named: set[bytes] = set()
    for value in values:
        said = value.lower()
        if said not in _ORDINARY:
            named.update(option.strip(b" \t") for option in said.split(b","))
    return frozenset(named - HOP_BY_HOP - _ORDINARY - {b"host"})


def without(headers: Headers, named: frozenset[bytes]) -> Headers:
    """``headers`` but those of the named ones, in lower case."""
    return [header for header in headers if header[0].lower() not in named]
