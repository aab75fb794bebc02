"""Whose page may open a WebSocket: its own, those that the app names, and programs. And what opens one at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.uri import parse_uri
from websockets.utils import accept_key, generate_key

from gateway.handshakes import accept, foreign, is_opening
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


OPENING = {
    b"upgrade": b"websocket",
    b"connection": b"Upgrade",
    b"sec-websocket-key": b"dGhlIHNhbXBsZSBub25jZQ==",
    b"sec-websocket-version": b"13",
}


def test_what_a_real_client_sends_opens_a_websocket() -> None:
    sent = ClientProtocol(parse_uri("wss://app.example.com/ws")).connect().headers
    headers = {name.lower().encode(): value.encode() for name, value in sent.raw_items()}
    assert is_opening(b"GET", "1.1", headers) == ""


@pytest.mark.parametrize(
    "headers",
    [
        {b"upgrade": b"WebSocket"},
        {b"upgrade": b" websocket\t"},
        {b"connection": b"keep-alive, UPGRADE"},
        {b"connection": b"upgrade,keep-alive"},
        {b"sec-websocket-key": b"+/" * 11 + b"=="},
        {b"sec-websocket-extensions": b"permessage-deflate", b"origin": b"https://evil.org"},
    ],
)
def test_so_do_other_spellings_of_the_same(headers: dict[bytes, bytes]) -> None:
    assert is_opening(b"GET", "1.1", OPENING | headers) == ""


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({b"upgrade": b"h2c"}, "Upgrade: websocket"),
        ({b"upgrade": b"websocket, h2c"}, "Upgrade: websocket"),
        ({b"upgrade": b"websocket, websocket"}, "Upgrade: websocket"),
        ({b"upgrade": b"websocket/13"}, "Upgrade: websocket"),
        ({b"upgrade": b"web\xc5\xbfocket"}, "Upgrade: websocket"),
        ({b"connection": b"close"}, "Connection: Upgrade"),
        ({b"connection": b"upgrade-insecure"}, "Connection: Upgrade"),
        ({b"connection": b"upgrade websocket"}, "Connection: Upgrade"),
        ({b"sec-websocket-key": b"c2hvcnQ="}, "Sec-WebSocket-Key"),
        ({b"sec-websocket-key": b"dGhlIHNhbXBsZSBub25jZQ"}, "Sec-WebSocket-Key"),
        ({b"sec-websocket-key": b"dGhlIHNhbXBsZSBub25jZQ===="}, "Sec-WebSocket-Key"),
        ({b"sec-websocket-key": b"dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-WebSocket-Key"),
        ({b"sec-websocket-key": b"dGhlIHNhbXBsZSBub25j_Q=="}, "Sec-WebSocket-Key"),
        ({b"sec-websocket-version": b"8"}, "Sec-WebSocket-Version"),
        ({b"sec-websocket-version": b"13, 13"}, "Sec-WebSocket-Version"),
        ({b"sec-websocket-version": b"013"}, "Sec-WebSocket-Version"),
    ],
)
def test_what_is_wrong_with_a_handshake_is_said(headers: dict[bytes, bytes], named: str) -> None:
    assert named in is_opening(b"GET", "1.1", OPENING | headers)


@pytest.mark.parametrize("missing", OPENING)
def test_a_handshake_that_lacks_a_header_is_none(missing: bytes) -> None:
    headers = {name: value for name, value in OPENING.items() if name != missing}
    assert missing in is_opening(b"GET", "1.1", headers).lower().encode()


@pytest.mark.parametrize(("method", "version"), [(b"POST", "1.1"), (b"HEAD", "1.1"), (b"get", "1.1"), (b"GET", "1.0")])
def test_only_get_and_http_1_1_open_one(method: bytes, version: str) -> None:
    assert "GET and HTTP/1.1" in is_opening(method, version, OPENING)


def test_a_key_is_answered_as_the_rfc_does() -> None:  # RFC 6455 section 1.3
    assert accept(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@given(st.builds(generate_key))
def test_a_key_is_answered_as_another_implementation_does(key: str) -> None:
    assert accept(key.encode()) == accept_key(key).encode()
