"""WebSocket handshakes: browsers let any page open one, with our cookies, and leave it to the server to look at Origin.

Pure. Proxies differ in what they leave of a handshake: Caddy keeps ``Upgrade``, Traefik and nginx drop it and keep the key.
"""

from __future__ import annotations

from collections.abc import Collection

from gateway.model import AccessRequest

_MARKS = (b"sec-websocket-key", b"sec-websocket-version", b"upgrade")


def foreign(request: AccessRequest, allowed: Collection[bytes]) -> bool:
    """Whether this is a handshake from a page of another origin (RFC 6455 section 10.2), which ``allowed`` does not name.

    No Origin at all is a program, not a browser, and programs have no cookies of other people's.
    """
    headers = request.headers
    origin = headers.get(b"origin")
    if origin is None:
        return False
    if headers.get(b"sec-fetch-mode") != b"websocket" and not any(mark in headers for mark in _MARKS):
        return False
    return origin != f"{request.scheme}://{request.authority}".encode() and origin not in allowed
