"""An app's answer: what its head says, and where its body ends, in whatever pieces it comes."""

from __future__ import annotations

import pytest

from gateway.relay import answers
from gateway.relay.answers import LONGEST, MOST, Answer, BadAnswer, Body, InChunks, Reading, Sized, UntilEnd

OURS = (b"__Secure-gateway_session", b"__Host-gateway_portal")
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def read(lines: bytes = b"", first: bytes = b"HTTP/1.1 200 OK") -> Answer:
    return Reading().head(first + b"\r\n" + lines + b"\r\n", OURS)


def body_of(lines: bytes, status: int = 200, method: str = "GET", version: bytes = b"1.1") -> Body:
    return answers.body(read(lines, b"HTTP/%b %d OK" % (version, status)), method)


# Heads ------------------------------------------------------------------------------------------------------------


def test_a_head_says_what_it_says_and_its_lines_go_back_as_they_were_spelled() -> None:
    answer = read(b"CONTENT-length: 5\r\nx-A: 1\r\nX-a: 2\r\nSet-Cookie: a=b\r\n", b"HTTP/1.1 404 Not  here")
    assert (answer.status, answer.reason, answer.length, answer.keeps_alive) == (404, b"Not  here", 5, True)
    assert answer.lines == b"\r\nx-A: 1\r\nX-a: 2\r\nSet-Cookie: a=b"
    assert answer.fields[b"content-length"] == b"5"


@pytest.mark.parametrize(
    ("lines", "repeats"),
    [
        (b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nVary: x\r\nvary: y\r\n", False),
        (b"Upgrade: websocket\r\nUpgrade: h2c\r\n", True),
        (b"Sec-WebSocket-Accept: a\r\nSEC-WEBSOCKET-ACCEPT: b\r\n", True),
        (b"Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n", True),
        (b"Sec-WebSocket-Extensions: a\r\nSec-WebSocket-Extensions: b\r\n", True),
    ],
)
def test_a_switch_is_unclear_where_what_decides_about_it_comes_twice(lines: bytes, repeats: bool) -> None:
    assert read(lines).repeats is repeats


@pytest.mark.parametrize("protocol", [b"RTSP", b"ICE", b"HTTPS"])
def test_another_protocol_is_no_answer(protocol: bytes) -> None:
    with pytest.raises(BadAnswer):
        read(b"", protocol + b"/1.1 200 OK")


@pytest.mark.parametrize("first", [b"HTTP/1.1 200", b"HTTP/1.1 200 "])
def test_a_status_may_have_no_words(first: bytes) -> None:
    answer = read(b"", first)
    assert (answer.status, answer.reason, answer.lines) == (200, b"", b"")


def test_no_app_sets_a_cookie_of_ours() -> None:
    lines = b"".join(b"Set-Cookie: %b=x; Path=/\r\n" % name for name in (*OURS, b"sid"))
    assert read(lines).lines == b"\r\nSet-Cookie: sid=x; Path=/"


def test_what_is_about_this_connection_does_not_go_back() -> None:
    lines = (
        b"Connection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nX: 2\r\n"
    )
    assert read(lines).lines == b"\r\nX: 2"


@pytest.mark.parametrize(
    ("version", "lines", "keeps"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: keep-alive\r\n", True),
        (b"1.1", b"Connection: close\r\n", False),
        (b"1.1", b"connection: Keep-Alive , CLOSE\r\n", False),
        (b"1.1", b"Connection: x-closed\r\n", True),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: keep-alive\r\n", True),
        (b"1.0", b"Connection: keep-alive, close\r\n", False),
        (b"1.1", b"Connection: close\r\nConnection: keep-alive\r\n", False),
        (b"1.1", b"Connection: keep-alive\r\nConnection: close\r\n", False),
    ],
)
def test_a_connection_is_kept_as_its_version_has_it(version: bytes, lines: bytes, keeps: bool) -> None:
    """RFC 9112 section 9.3."""
    assert read(lines + b"Content-Length: 0\r\n", b"HTTP/%b 200 OK" % version).keeps_alive is keeps


def test_a_head_has_so_many_fields_and_no_more() -> None:
    assert len(read(b"X: y\r\n" * MOST).lines) == MOST * 6
    with pytest.raises(BadAnswer, match="too many"):
        read(b"X: y\r\n" * (MOST + 1))


def test_a_long_head_is_read() -> None:
    value = b"a" * (LONGEST - 100)
    assert value in read(b"X: %b\r\n" % value).lines


def test_a_value_has_no_white_space_around_it() -> None:
    assert read(b"X:  \ty \t\r\nContent-Length:5 \r\n").lines == b"\r\nX: y"
    assert read(b"Content-Length:\t5 \r\n").length == 5


def test_a_reason_never_repeats_what_was_sent() -> None:
    for raw in (
        b"SECRET\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSECRET : x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: \x00SECRET\r\n\r\n",
    ):
        with pytest.raises(BadAnswer) as bad:
            Reading().head(raw, OURS)
        assert "SECRET" not in str(bad.value)


# Where a body ends (RFC 9112 section 6.3) -------------------------------------------------------------------------

FRAMING: dict[str, tuple[Body, type[Body], int | None]] = {
    "HEAD has none": (body_of(b"Content-Length: 5\r\n", method="HEAD"), Sized, 0),
    "HEAD has none, though in chunks": (body_of(CHUNKED, method="HEAD"), Sized, 0),
    "204 has none": (body_of(b"Content-Length: 5\r\n", 204), Sized, 0),
    "204 has none, though without length": (body_of(b"", 204), Sized, 0),
    "304 has none": (body_of(b"Content-Length: 5\r\n", 304), Sized, 0),
    "304 has none, though in chunks": (body_of(CHUNKED, 304), Sized, 0),
    "205 has what it says": (body_of(b"Content-Length: 5\r\n", 205), Sized, 5),
    "chunks": (body_of(CHUNKED), InChunks, None),
    "chunks in other letters": (body_of(b"transfer-encoding: Chunked\r\n"), InChunks, None),
    "a length": (body_of(b"Content-Length: 5\r\n"), Sized, 5),
    "a length of nothing": (body_of(b"Content-Length: 0\r\n"), Sized, 0),
    "a length with zeros": (body_of(b"Content-Length: 0005\r\n"), Sized, 5),
    "the longest": (body_of(b"Content-Length: 999999999999999999\r\n"), Sized, 10**18 - 1),
    "to the end": (body_of(b""), UntilEnd, None),
    "to the end, in HTTP/1.0": (body_of(b"Connection: keep-alive\r\n", version=b"1.0"), UntilEnd, None),
    "to the end, of an error": (body_of(b"", 500), UntilEnd, None),
}


@pytest.mark.parametrize("what", FRAMING)
def test_a_body_ends_where_its_head_says(what: str) -> None:
    body, kind, length = FRAMING[what]
    assert isinstance(body, kind)
    assert body.length == length
    assert body.ended is (length == 0)


@pytest.mark.parametrize(
    "lines",
    [
        CHUNKED + b"Content-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        CHUNKED + CHUNKED,
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 1234567890123456789\r\n",
        b"Content-Length:\r\n",
    ],
)
def test_a_length_that_can_be_read_in_two_ways_is_none(lines: bytes) -> None:
    for status, method in ((200, "GET"), (304, "GET"), (200, "HEAD")):
        with pytest.raises(BadAnswer):
            body_of(lines, status, method)


def test_http_1_0_knows_no_chunks() -> None:
    with pytest.raises(BadAnswer):
        body_of(CHUNKED, version=b"1.0")


# Bodies, in pieces ------------------------------------------------------------------------------------------------

CONTENT = b"hello world"
SPELLED: dict[str, tuple[bytes, bytes]] = {
    "a length": (b"Content-Length: 11\r\n", CONTENT),
    "one chunk": (CHUNKED, b"b\r\nhello world\r\n0\r\n\r\n"),
    "chunks": (CHUNKED, b"5\r\nhello\r\n1\r\n \r\n005\r\nworld\r\n0\r\n\r\n"),
    "an extension": (CHUNKED, b'5;a=b\r\nhello\r\n6;c="d"\r\n world\r\n0\r\n\r\n'),
    "trailers": (CHUNKED, b"B\r\nhello world\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n"),
}


@pytest.mark.parametrize("what", SPELLED)
def test_a_body_is_the_same_in_whatever_pieces_it_comes(what: str) -> None:
    lines, spelled = SPELLED[what]
    singly = [spelled[at : at + 1] for at in range(len(spelled))]
    for pieces in (singly, *([spelled[:at], spelled[at:]] for at in range(len(spelled) + 1))):
        body, content = body_of(lines), b""
        for piece in pieces:
            assert not body.ended or not piece
            content += body.take(piece)
        assert (content, body.ended, body.extra) == (CONTENT, True, False)
        assert body.end()


@pytest.mark.parametrize("what", SPELLED)
def test_a_body_that_is_cut_off_anywhere_has_not_ended(what: str) -> None:
    lines, spelled = SPELLED[what]
    for at in range(len(spelled)):
        body = body_of(lines)
        assert CONTENT.startswith(body.take(spelled[:at]))
        assert not body.ended
        assert not body.end()


@pytest.mark.parametrize("extra", [b"x", b"\r\n", b"\r", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL", b"\x00"])
@pytest.mark.parametrize("what", SPELLED)
def test_bytes_behind_a_body_are_seen_and_never_passed_on(what: str, extra: bytes) -> None:
    lines, spelled = SPELLED[what]
    for pieces in ([spelled + extra], [spelled[:-1], spelled[-1:] + extra], [spelled, extra]):
        body, content = body_of(lines), b""
        for piece in pieces:
            content += body.take(piece)
        assert (content, body.ended, body.extra) == (CONTENT, True, True)


def test_an_answer_without_a_body_takes_nothing() -> None:
    for body in (body_of(b"Content-Length: 5\r\n", method="HEAD"), body_of(b"", 204), body_of(CHUNKED, 304)):
        assert body.take(b"") == b""
        assert (body.ended, body.extra) == (True, False)
        assert body.take(b"EVIL") == b""
        assert (body.ended, body.extra) == (True, True)


def test_a_body_without_a_length_ends_with_its_connection() -> None:
    body = body_of(b"")
    assert body.take(b"hello ") + body.take(b"world") == CONTENT
    assert not body.ended
    assert body.end()
    assert body.ended


def test_trailers_are_no_headers() -> None:
    lines, spelled = SPELLED["trailers"]
    body = body_of(lines)
    assert list(body.trailers) == []
    body.take(spelled)
    assert list(body.trailers) == [(b"X-Sum", b"1"), (b"X-Sum", b"2")]


@pytest.mark.parametrize(
    "broken",
    [b"5\r\nhelloX", b"x\r\n", b"-1\r\n", b"0x5\r\nhello", b"5 \r\nhello", b"10000000000000000\r\n", b"\n", b"5\n"],
)
def test_chunks_that_are_none_are_no_answer(broken: bytes) -> None:
    """Where the size of a chunk cannot be known, neither can the end of the body."""
    for pieces in ([broken], [broken[at : at + 1] for at in range(len(broken))]):
        body = body_of(CHUNKED)
        with pytest.raises(BadAnswer):
            [body.take(piece) for piece in (*pieces, b"\r\n0\r\n\r\n")]
