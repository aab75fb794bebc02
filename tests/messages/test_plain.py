"""What is read at a glance, and that everything else is not: by data, and beside the parser that reads everything."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.messages import heads, plain

HOST = b"Host: a\r\n"
GET = b"GET /a HTTP/1.1\r\n" + HOST
PLAIN = [
    (b"GET /auth/traefik HTTP/1.1\r\n" + HOST + b"\r\n", ("GET", b"/auth/traefik", False)),
    (b"HEAD /a?b=%20&c HTTP/1.1\r\n" + HOST + b"X-A: b: c\r\n\r\n", ("HEAD", b"/a?b=%20&c", False)),
    (b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n", ("POST", b"/a", False)),
    (GET + b"Connection: keep-alive\r\n\r\n", ("GET", b"/a", False)),
    (GET + b"connection: Close\r\n\r\n", ("GET", b"/a", True)),
]
NOT_PLAIN = {
    "nothing": b"",
    "no head": b"\r\n\r\n",
    "an unfinished one": GET,
    "two": (GET + b"\r\n") * 2,
    "one and a byte": GET + b"\r\nG",
    "no host": b"GET /a HTTP/1.1\r\nA: b\r\n\r\n",
    "two hosts": GET + HOST + b"\r\n",
    "a name twice": GET + b"A: b\r\na: b\r\n\r\n",
    "another version": b"GET /a HTTP/1.0\r\n" + HOST + b"\r\n",
    "another protocol": b"GET /a ICE/1.1\r\n" + HOST + b"\r\n",
    "another method": b"CONNECT /a HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method in small letters": b"get /a HTTP/1.1\r\n" + HOST + b"\r\n",
    "an absolute target": b"GET http://a/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a fragment": b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n",
    "an empty query": b"GET /a? HTTP/1.1\r\n" + HOST + b"\r\n",
    "two spaces": b"GET  /a HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "no space behind the colon": b"GET /a HTTP/1.1\r\nHost:a\r\n\r\n",
    "a space before the colon": b"GET /a HTTP/1.1\r\nHost : a\r\n\r\n",
    "a space before the name": GET + b" A: b\r\n\r\n",
    "two spaces behind the colon": b"GET /a HTTP/1.1\r\nHost:  a\r\n\r\n",
    "a space at the end": b"GET /a HTTP/1.1\r\nHost: a \r\n\r\n",
    "an empty value": GET + b"A: \r\n\r\n",
    "a tab": b"GET /a HTTP/1.1\r\nHost: a\tb\r\n\r\n",
    "a folded line": GET + b"A: b\r\n c: d\r\n\r\n",
    "a bare line feed": GET + b"A: b\nC: d\r\n\r\n",
    "a bare carriage return": GET + b"A: b\rC: d\r\n\r\n",
    "a carriage return too many": b"GET /a HTTP/1.1\r\r\n" + HOST + b"\r\n",
    "a NUL": GET + b"A: \0\r\n\r\n",
    "a byte beyond ASCII": GET + b"A: \xe9\r\n\r\n",
    "a name that is none": GET + b"A(b: c\r\n\r\n",
    "a name too long": GET + b"A" * 65 + b": b\r\n\r\n",
    "a line without a colon": GET + b"A\r\n\r\n",
    "a body": b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\n",
    "nothing in another spelling": b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 00\r\n\r\n",
    "chunks": b"POST /a HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n",
    "an upgrade": GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "an upgrade that is not nominated": GET + b"Upgrade: h2c\r\n\r\n",
    "an expectation": GET + b"Expect: 100-continue\r\n\r\n",
    "a nomination": GET + b"Connection: X-A\r\n\r\n",
    "two options": GET + b"Connection: keep-alive, close\r\n\r\n",
    "an old proxy's header": GET + b"Proxy-Connection: close\r\n\r\n",
    "too many fields": GET + b"".join(b"A%d: b\r\n" % n for n in range(100)) + b"\r\n",
    "too many bytes": GET + b"A: " + b"a" * heads.LONGEST + b"\r\n\r\n",
}


@pytest.mark.parametrize(("data", "expected"), PLAIN)
def test_what_proxies_send_is_read(data: bytes, expected: tuple[str, bytes, bool]) -> None:
    message = plain.read(data)
    assert message is not None
    assert (message.method, message.target, message.closes) == expected
    assert message.headers[0] == (b"host", b"a")


@pytest.mark.parametrize("what", NOT_PLAIN)
def test_what_is_not_plain_is_left_to_others(what: str) -> None:
    assert plain.read(NOT_PLAIN[what]) is None


def test_names_that_strangers_make_up_fill_no_memory() -> None:
    for number in range(2 * plain._MOST_NAMES):
        assert plain.read(GET + b"X-%d: b\r\n\r\n" % number)
    assert len(plain._names) <= plain._MOST_NAMES
    assert plain.read(PLAIN[0][0])


class Parsed:
    """What httptools reads."""

    def __init__(self, data: bytes) -> None:
        self.target, self.headers, self.ends, self.bodies = b"", list[tuple[bytes, bytes]](), 0, 0
        parser = httptools.HttpRequestParser(self)
        parser.feed_data(data)
        self.method, self.version = parser.get_method().decode(), parser.get_http_version()
        self.upgrades = parser.should_upgrade()

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.bodies += 1

    def on_message_complete(self) -> None:
        self.ends += 1


TEXT = st.text(st.characters(codec="latin-1"), max_size=12).map(lambda text: text.encode("latin-1"))
NAMES = st.sampled_from([b"A", b"x-forwarded-Host", b"Cookie", b"Connection", b"Content-Length", b"Upgrade", b"TE"])
VALUES = st.sampled_from([b"a", b"0", b"close", b"keep-alive", b"a; b=c", b'"a"', b"a: b"])
LINES = st.lists(
    st.tuples(NAMES | TEXT, st.sampled_from([b": ", b":", b" : "]), VALUES | TEXT).map(b"".join), max_size=5
)
STARTS = st.sampled_from([b"GET /a HTTP/1.1", b"POST /a?b HTTP/1.1", b"HEAD /a HTTP/1.1"]) | TEXT
MESSAGES = st.tuples(STARTS, LINES).map(lambda parts: b"\r\n".join([parts[0], b"Host: a", *parts[1], b"", b""]))


@given(data=MESSAGES)
@settings(max_examples=1000, deadline=None)
def test_what_is_plain_is_one_whole_message_to_the_parser_and_means_the_same(data: bytes) -> None:
    message = plain.read(data)
    if message is None:
        return
    parsed = Parsed(data)
    assert (message.method, message.target, message.headers) == (parsed.method, parsed.target, parsed.headers)
    assert (parsed.version, parsed.upgrades, parsed.ends, parsed.bodies) == ("1.1", False, 1, 0)
