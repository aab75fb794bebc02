"""Whose page may open a WebSocket: its own, those that the app names, and programs."""

from __future__ import annotations

import pytest

from gateway.handshakes import foreign
from gateway.model import AccessRequest

HANDSHAKE = {b"sec-websocket-key": b"dGhlIHNhbXBsZSBub25jZQ=="}


def request(headers: dict[bytes, bytes], scheme: str = "https", authority: str = "app.example.com") -> AccessRequest:
    return AccessRequest("GET", scheme, "app.example.com", authority, "/ws", "", "/ws", None, headers)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({**HANDSHAKE, b"origin": b"https://app.example.com"}, False),
        ({**HANDSHAKE, b"origin": b"https://friend.example.org"}, False),
        (HANDSHAKE, False),
        ({b"origin": b"https://evil.org"}, False),  # an ordinary cross-origin request: CORS is the app's own
        ({**HANDSHAKE, b"origin": b"https://evil.org"}, True),
        ({b"upgrade": b"websocket", b"origin": b"https://evil.org"}, True),
        ({b"sec-fetch-mode": b"websocket", b"origin": b"https://evil.org"}, True),
        ({**HANDSHAKE, b"origin": b"null"}, True),
        ({**HANDSHAKE, b"origin": b""}, True),
        ({**HANDSHAKE, b"origin": b"http://app.example.com"}, True),
        ({**HANDSHAKE, b"origin": b"https://app.example.com:8443"}, True),
        ({**HANDSHAKE, b"origin": b"https://app.example.com.evil.org"}, True),
        ({**HANDSHAKE, b"origin": b"https://app.example.com, https://evil.org"}, True),
    ],
)
def test_a_page_of_another_origin_is_foreign_unless_it_is_named(headers: dict[bytes, bytes], expected: bool) -> None:
    assert foreign(request(headers), {b"https://friend.example.org"}) is expected


def test_a_port_belongs_to_the_origin() -> None:
    headers = {**HANDSHAKE, b"origin": b"http://app.example.com:8080"}
    assert not foreign(request(headers, "http", "app.example.com:8080"), ())
