"""Messages that two programs could end at two places, from either side of the relay: at most one request arrives for each
that was sent, and nobody gets bytes of another's answer (RFC 9112 sections 2.2, 5, 6, 7 and 11.2)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from relay.by_hand import CLOSED, Ground, Side, answers_still, nothing_broke

EVIL = b"GET /smuggled HTTP/1.1\r\nHost: app.example.com\r\n\r\n"
LENGTH = b"Content-Length: %d" % len(EVIL)
CHUNKED = b"Transfer-Encoding: chunked"
CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(EVIL), EVIL)
SPLIT = b"0\r\n\r\n" + EVIL
SPLIT_LENGTH = b"Content-Length: %d" % len(SPLIT)
POST = b"POST / HTTP/1.1"

HEADS: dict[str, tuple[bytes, tuple[bytes, ...], bytes]] = {
    "length and chunks": (POST, (SPLIT_LENGTH, CHUNKED), SPLIT),
    "chunks and length": (POST, (CHUNKED, b"Content-Length: 4"), CHUNK),
    "chunks and no length": (POST, (CHUNKED, b"Content-Length: 0"), CHUNK),
    "two lengths": (POST, (b"Content-Length: 0", LENGTH), EVIL),
    "one length twice": (POST, (LENGTH, LENGTH), EVIL),
    "a list of lengths": (POST, (b"Content-Length: 0, %d" % len(EVIL),), EVIL),
    "a list of one length": (POST, (b"Content-Length: %d, %d" % (len(EVIL), len(EVIL)),), EVIL),
    "a length with a sign": (POST, (b"Content-Length: +%d" % len(EVIL),), EVIL),
    "a negative length": (POST, (b"Content-Length: -1",), EVIL),
    "a length in hexadecimal": (POST, (b"Content-Length: 0x2d",), EVIL),
    "a length with an underscore": (POST, (b"Content-Length: 4_5",), EVIL),
    "an empty length": (POST, (b"Content-Length:",), EVIL),
    "a length beyond 64 bits": (POST, (b"Content-Length: 18446744073709551616",), EVIL),
    "a length in other digits": (POST, ("Content-Length: ٤٥".encode(),), EVIL),
    "chunks under an odd name": (POST, (SPLIT_LENGTH, b"Transfer-Encoding : chunked"), SPLIT),
    "a length under an odd name": (POST, (b"Content-Length : %d" % len(EVIL),), EVIL),
    "chunks behind a fold": (POST, (SPLIT_LENGTH, b"X: y\r\n Transfer-Encoding: chunked"), SPLIT),
    "chunks in a fold": (POST, (b"Transfer-Encoding:\r\n chunked",), CHUNK),
    "another coding": (POST, (SPLIT_LENGTH, b"Transfer-Encoding: xchunked"), SPLIT),
    "another coding alone": (POST, (b"Transfer-Encoding: xchunked",), SPLIT),
    "a coding with a tab": (POST, (b"Transfer-Encoding: \x0bchunked",), CHUNK),
    "two codings": (POST, (b"Transfer-Encoding: gzip, chunked",), CHUNK),
    "codings in two lines": (POST, (CHUNKED, b"Transfer-Encoding: identity"), SPLIT),
    "the same coding twice": (POST, (CHUNKED, CHUNKED), CHUNK),
    "chunks that are not the last": (POST, (b"Transfer-Encoding: chunked, identity",), SPLIT),
    "chunks in HTTP/1.0": (b"POST / HTTP/1.0", (CHUNKED, b"Connection: keep-alive"), CHUNK),
    "a bare line feed": (POST, (b"X: y\nTransfer-Encoding: chunked",), CHUNK),
    "a bare carriage return": (POST, (b"X: y\rTransfer-Encoding: chunked",), CHUNK),
    "a carriage return too many": (POST, (b"X: y\r\r\nTransfer-Encoding: chunked",), CHUNK),
    "a NUL in a value": (POST, (b"X: a\0b",), b""),
    "a NUL in a name": (POST, (b"Transfer-\0Encoding: chunked",), CHUNK),
    "a space in a name": (POST, (b"Transfer Encoding: chunked",), CHUNK),
    "a line without a colon": (POST, (b"Transfer-Encoding",), CHUNK),
    "a line without a name": (POST, (b": chunked",), CHUNK),
    "a space before the first header": (POST + b"\r\n X: y", (), b""),
    "a space at the request line's end": (POST + b" ", (), b""),
    "two spaces in the request line": (b"POST  / HTTP/1.1", (), b""),
    "a second host": (POST, (b"Host: auth.example.com",), b""),
    "an absolute target": (b"POST http://auth.example.com/ HTTP/1.1", (), b""),
    "an asterisk": (b"OPTIONS * HTTP/1.1", (), b""),
    "CONNECT": (b"CONNECT app.example.com:80 HTTP/1.1", (), EVIL),
    "a later version": (b"GET / HTTP/1.2", (), EVIL),
    "the next version": (b"GET / HTTP/2.0", (), EVIL),
    "another protocol": (b"GET / ICY/1.1", (), EVIL),
    "an upgrade with a body": (POST, (b"Connection: Upgrade", b"Upgrade: h2c", LENGTH), EVIL),
    "an upgrade with chunks": (POST, (b"Connection: Upgrade", b"Upgrade: websocket", CHUNKED), CHUNK),
}
"""Request line, lines and what is behind the head: none of these is for an app."""

CHUNKS = {
    "an extension": b"1;a=b\r\nx\r\n0\r\n\r\n",
    "an extension with a line feed": b"1;\nx\r\nx\r\n" + SPLIT,
    "an extension of the last": b"0;a\r\n\r\n",
    "a size of 65 bits": b"10000000000000000\r\n\r\n" + SPLIT,
    "a size of 64 bits": b"ffffffffffffffff\r\n" + SPLIT,
    "a size with many zeros": b"%b1\r\nx\r\n0\r\n\r\n" % (b"0" * 40),
    "a size with a sign": b"+1\r\nx\r\n0\r\n\r\n",
    "a negative size": b"-1\r\nx\r\n0\r\n\r\n",
    "a size with its base": b"0x1\r\nx\r\n0\r\n\r\n",
    "a size with a space before it": b" 1\r\nx\r\n0\r\n\r\n",
    "a size with a space behind it": b"1 \r\nx\r\n0\r\n\r\n",
    "a size that is none": b"g\r\nx\r\n0\r\n\r\n",
    "no size": b"\r\nx\r\n0\r\n\r\n",
    "a chunk that is longer": b"1\r\nxyz\r\n" + SPLIT,
    "a chunk that is shorter": b"5\r\nx\r\n" + SPLIT,
    "a chunk ended by a line feed": b"1\r\nx\n0\r\n\r\n",
    "a size ended by a line feed": b"1\nx\r\n0\r\n\r\n",
    "a size ended by a carriage return": b"1\rx\r\n0\r\n\r\n",
    "a trailer that is none": b"0\r\nx\r\n\r\n",
    "a trailer that says a length": b"0\r\nContent-Length: 5\r\n\r\n",
    "a trailer that is folded": b"0\r\nx: y\r\n z\r\n\r\n",
    "a trailer with a bare line feed": b"0\r\nx: y\nz: a\r\n\r\n",
    "a trailer with a NUL": b"0\r\nx: \0\r\n\r\n",
    "trailers without end": b"0\r\n" + b"x: y\r\n" * 20_000,
}
"""Chunks that end where it is not sure; what follows spells a request."""


@pytest.fixture
def ground(shared: Ground, caplog: pytest.LogCaptureFixture) -> Iterator[Ground]:
    """Behind each test an honest request is answered, and nothing else has come to the app."""
    yield shared
    assert not shared.app.strangers()
    shared.app.let_go()
    answers_still(shared)
    nothing_broke(caplog)


def is_refused(client: Side, status: int = 400) -> None:
    """Once, and then the connection ends."""
    assert client.status() == status
    rest, _ = client.rest()
    assert b"HTTP/1." not in rest


@pytest.mark.parametrize("row", HEADS.values(), ids=HEADS)
def test_of_a_head_that_can_be_read_in_two_ways_nothing_reaches_the_app(
    ground: Ground, row: tuple[bytes, tuple[bytes, ...], bytes]
) -> None:
    line, lines, rest = row
    with ground.client(ground.head(line, *lines) + rest) as client:
        is_refused(client)


@pytest.mark.parametrize("line_end", [b"\n", b"\n\n", b"\r", b"\r\n\n"])
def test_lines_of_a_request_end_in_one_way(ground: Ground, line_end: bytes) -> None:
    with ground.client(ground.head().replace(b"\r\n", line_end) + EVIL) as client:
        is_refused(client)


@pytest.mark.parametrize("rest", CHUNKS.values(), ids=CHUNKS)
def test_an_app_never_sees_the_end_of_a_body_that_can_be_read_in_two_ways(ground: Ground, rest: bytes) -> None:
    with ground.client(ground.head(POST, CHUNKED)) as client:
        app = ground.app.take()
        assert app.until().startswith(POST)
        client.send(rest)
        is_refused(client, 431 if rest.endswith(b"x: y\r\n") else 400)
    got, _ = app.rest()
    assert not got.endswith(b"0\r\n\r\n")
    assert b"smuggled" not in got


@pytest.mark.parametrize("rest", CHUNKS.values(), ids=CHUNKS)
def test_nor_where_it_came_together_with_its_head(ground: Ground, rest: bytes) -> None:
    with ground.client(ground.head(POST, CHUNKED) + rest) as client:
        is_refused(client, 431 if rest.endswith(b"x: y\r\n") else 400)
    for app in ground.app.strangers():
        got, _ = app.rest()
        assert not got.endswith(b"0\r\n\r\n")
        assert b"smuggled" not in got


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"DELETE"])
@pytest.mark.parametrize("expect", [b"", b"100-continue"])
def test_a_body_that_spells_a_request_stays_a_body(ground: Ground, method: bytes, expect: bytes) -> None:
    lines = [LENGTH, *([b"Expect: " + expect] if expect else [])]
    with ground.client(ground.head(method + b" / HTTP/1.1", *lines) + EVIL) as client:
        app = ground.app.take()
        head = app.until()
        assert head.lower().count(b"\r\n" + LENGTH.lower() + b"\r\n") == 1
        assert b"transfer-encoding" not in head.lower()
        assert app.exactly(len(EVIL)) == EVIL
        app.send(CLOSED)
        assert client.status() == 200
    assert app.rest()[0] == b""


def test_what_comes_behind_an_upgrade_is_no_request(ground: Ground) -> None:
    upgrade = ground.head(b"GET / HTTP/1.1", b"Connection: Upgrade", b"Upgrade: h2c") + EVIL
    with ground.client(upgrade) as client:
        app = ground.app.take()
        assert b"upgrade" not in app.until().lower()
        app.send(CLOSED)
        assert client.status() == 200
        assert client.rest()[0] == b"ok"
    assert app.rest()[0] == b""


def test_requests_that_are_sent_at_once_arrive_one_after_the_other_each_with_its_own_body(ground: Ground) -> None:
    first = ground.head(b"POST /1 HTTP/1.1", LENGTH) + EVIL
    second = ground.head(b"POST /2 HTTP/1.1", CHUNKED) + CHUNK
    with ground.client(first + second + ground.head(b"GET /3 HTTP/1.1")) as client:
        app = ground.app.take()
        assert app.until().startswith(b"POST /1 ")
        assert app.exactly(len(EVIL)) == EVIL
        app.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1")
        app = ground.app.take()
        assert app.until().startswith(b"POST /2 ")
        assert app.exactly(len(CHUNK)) == CHUNK
        app.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n2")
        app = ground.app.take()
        assert app.until().startswith(b"GET /3 ")
        app.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n3")
        assert [(client.status(), client.exactly(1)) for _ in range(3)] == [(200, b"1"), (200, b"2"), (200, b"3")]
