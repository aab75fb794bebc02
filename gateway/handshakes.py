"""WebSocket handshakes: browsers let any page open one, with our cookies, and leave it to the server to look at Origin.

Pure. Proxies differ in what they leave of a handshake: Caddy keeps ``Upgrade``, Traefik and nginx drop it and keep the key.
Where the gateway itself carries the bytes, a handshake is complete, or it is none.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Collection, Mapping

from gateway.model import AccessRequest

MARKS = (b"sec-websocket-key", b"sec-websocket-version", b"upgrade")
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")
"""16 bytes in base64."""


def foreign(request: AccessRequest, allowed: Collection[bytes]) -> bool:
    """Whether this is a handshake from a page of another origin (RFC 6455 section 10.2), which ``allowed`` does not name.

    No Origin at all is a program, not a browser, and programs have no cookies of other people's.
    """
    headers = request.headers
    origin = headers.get(b"origin")
    if origin is None:
        return False
    if headers.get(b"sec-fetch-mode") != b"websocket" and not any(mark in headers for mark in MARKS):
        return False
    return origin != f"{request.scheme}://{request.authority}".encode() and origin not in allowed


def is_opening(method: bytes, version: str, headers: Mapping[bytes, bytes]) -> str:
    """ "" where a client opens a WebSocket as RFC 6455 section 4.2.1 says, else a sentence that says what is wrong.

    ``version`` is "1.1"; names are in lower case, and what came on several lines is joined by commas.
    """
    if method != b"GET" or version != "1.1":
        return "a WebSocket is opened by GET and HTTP/1.1"
    if headers.get(b"upgrade", b"").strip().lower() != b"websocket":
        return "a WebSocket is opened by Upgrade: websocket, and nothing else beside it"
    if not asks(headers):
        return "a WebSocket is opened by Connection: Upgrade"
    if not _KEY.fullmatch(headers.get(b"sec-websocket-key", b"").strip()):
        return "Sec-WebSocket-Key has to be 16 bytes in base64"
    if headers.get(b"sec-websocket-version", b"").strip() != b"13":
        return "Sec-WebSocket-Version has to be 13"
    return ""


def asks(headers: Mapping[bytes, bytes]) -> bool:
    """Whether Upgrade was said to whoever reads it, and not merely passed on (RFC 9110 section 7.8)."""
    return b"upgrade" in [token.strip(b" \t").lower() for token in headers.get(b"connection", b"").split(b",")]


def accept(key: bytes) -> bytes:
    """The Sec-WebSocket-Accept that answers this Sec-WebSocket-Key (RFC 6455 section 4.2.2); it proves nothing but that."""
    return b64encode(hashlib.sha1(key.strip() + _GUID, usedforsecurity=False).digest())
