"""What is read at a glance is what the parser reads, of every head; and of most heads a glance is enough."""

from __future__ import annotations

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from gateway.relay import answers, glance
from gateway.relay.answers import END, LONGEST, Answer, BadAnswer, Reading

OURS = (b"__Secure-gateway_session", b"__Host-gateway_portal")
NAMES = [
    *(
        b"Content-Length",
        b"Transfer-Encoding",
        b"Connection",
        b"Keep-Alive",
        b"Set-Cookie",
        b"TE",
        b"Trailer",
        b"Upgrade",
    ),
    *(b"Proxy-Connection", b"Proxy-Authenticate", b"Proxy-Anything", b"HTTP2-Settings", b"Alt-Svc", b"Date", b"Server"),
    *(
        b"Content-Type",
        b"ETag",
        b"Location",
        b"Vary",
        b"Content-Length-Of",
        b"X-Connection",
        b"Set-Cookie2",
        b"X",
        b"!",
    ),
    *(b"Content_Length", b"Transfer.Encoding", b"Set_Cookie", b"Keep~Alive", b"Via", b"X-Hop", b"WWW-Authenticate"),
]
VALUES = [
    *(b"5", b"0", b"05", b"5, 5", b"+5", b"0x5", b"999999999999999999", b"1000000000000000000", b"chunked", b"Chunked"),
    *(
        b"gzip, chunked",
        b"identity",
        b"close",
        b"keep-alive",
        b"Keep-Alive",
        b"X-Hop",
        b"keep-alive, X-Hop",
        b"upgrade",
    ),
    *(
        b"__Secure-gateway_session=x; Path=/",
        b"=__Host-gateway_portal=x",
        b" ;__Host-gateway_portal=x",
        b"sid=1; Secure",
    ),
    *(b"a=__Secure-gateway_session", b"__Secure-gateway_session", b"timeout=5", b"websocket", b"h2c", b"trailers"),
    *(b"text/html; charset=utf-8", b'"etag"', b"a  b", b"Content-Length: 5", b"", b"\xc3\xa9", b"a\tb", b"a\x7fb"),
]


def spelled(name: bytes) -> st.SearchStrategy[bytes]:
    return st.sampled_from([name, name, name.lower(), name.upper(), name.swapcase(), name.replace(b"-", b"_")])


TOKEN = st.text("abcXYZ019!#$%&'*+.^_`|~-", min_size=1, max_size=12).map(str.encode)
NAME = st.one_of(st.sampled_from(NAMES).flatmap(spelled), TOKEN)
TEXT = st.text(st.characters(max_codepoint=255), max_size=20).map(lambda text: text.encode("latin-1"))
VALUE = st.one_of(st.sampled_from(VALUES), TOKEN)
PLAIN = st.tuples(NAME, st.just(b": "), VALUE, st.just(b"\r\n")).map(b"".join)
COLON = st.sampled_from([b": ", b": ", b":", b":  ", b" : ", b":\t", b" ", b""])
LINE_END = st.sampled_from([b"\r\n", b"\r\n", b" \r\n", b"\t\r\n", b"\n", b"\r", b"\r\n ", b"\r\n\t"])
ODD = st.tuples(NAME, COLON, st.one_of(VALUE, TEXT), LINE_END).map(b"".join)
VERSIONS = [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2", b"http/1.1", b"HTTP/1.1 ", b"ICY"]
STATUSES = [b"204", b"206", b"304", b"404", b"500", b"101", b"103", b"099", b"20", b"600", b"2OO"]
REASONS = [b" ", b"", b" Not Found", b" a  b ", b"  x", b" \xe9", b" \x01", b" 200", b"\tOK"]


def mostly(usual: bytes, others: list[bytes]) -> st.SearchStrategy[bytes]:
    return st.sampled_from([usual] * 2 * len(others) + others)


FIRST = st.tuples(
    mostly(b"HTTP/1.1 ", [version + b" " for version in VERSIONS]),
    mostly(b"200", STATUSES),
    mostly(b" OK", REASONS),
    mostly(b"\r\n", [b"\n"]),
).map(b"".join)


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """Up to the first empty line, as a connection cuts them. Most are well formed; a few have an odd line, or a byte more,
    less, or another."""
    first = b"HTTP/1.1 200 OK\r\n" if draw(st.booleans()) else draw(FIRST)
    lines = draw(st.lists(PLAIN, max_size=4)) + draw(st.lists(ODD, max_size=draw(st.sampled_from([0, 0, 0, 2]))))
    head = first + b"".join(draw(st.permutations(lines))) + b"\r\n"
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(head)))
        head = head[:at] + draw(st.binary(max_size=2)) + head[at + draw(st.integers(0, 2)) :]
    return head[: head.find(END) + len(END)] if END in head else head


def with_care(head: bytes) -> Answer | None:
    try:
        return Reading().head(head, OURS)
    except BadAnswer:
        return None


@given(head=heads())
@settings(max_examples=3000, deadline=None)
def test_what_is_read_at_a_glance_is_what_the_parser_reads(head: bytes) -> None:
    glanced, careful = glance.read(head, OURS), with_care(head)
    event("at a glance" if glanced else "with care" if careful else "refused")
    if glanced is None:
        return
    assert careful is not None
    assert glanced[:3] == careful[:3]
    assert (glanced.length, glanced.keeps_alive, glanced.size) == (careful.length, careful.keeps_alive, careful.size)
    for method in ("GET", "HEAD"):
        ours, its = answers.body(glanced, method), answers.body(careful, method)
        assert (type(ours), ours.length) == (type(its), its.length)


@pytest.mark.parametrize(
    ("lines", "passed", "length"),
    [
        (b"", b"", None),
        (
            b"Content-Length: 5\r\nContent-Type: text/html; charset=utf-8\r\n",
            b"\r\nContent-Type: text/html; charset=utf-8",
            5,
        ),
        (b"date: x\r\nserver: y\r\ncontent-length: 5\r\nx: z\r\n", b"\r\ndate: x\r\nserver: y\r\nx: z", 5),
        (b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n", b"", 0),
        (b"Set-Cookie: sid=1\r\nSet-Cookie: b=2\r\n", b"\r\nSet-Cookie: sid=1\r\nSet-Cookie: b=2", None),
        (b"X-Content-Length: 7\r\n", b"\r\nX-Content-Length: 7", None),
    ],
)
def test_ordinary_heads_are_read_at_a_glance(lines: bytes, passed: bytes, length: int | None) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n"
    assert glance.read(head, OURS) == Answer(200, b"OK", passed, {}, length, True, size=len(head))
    assert glance.read(head + b"content", OURS) == glance.read(head, OURS)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: __Host-gateway_portal=x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n",
    ],
)
def test_whatever_decides_more_is_for_the_parser(head: bytes) -> None:
    assert glance.read(head, OURS) is None
    assert with_care(head) is not None


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTT",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nX\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: y\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: y\x00\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * LONGEST + b"\r\n\r\n",
    ],
)
def test_what_nobody_can_read_is_not_read_at_a_glance(head: bytes) -> None:
    assert glance.read(head, OURS) is None
