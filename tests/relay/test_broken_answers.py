"""Answers that no client may see: 502 while nothing was said, a reset afterwards, and never another request behind them."""

from __future__ import annotations

import pytest

from relay.by_hand import CLOSED, OK, Ground, Side

EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"
CHUNKS = b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"5\r\nhello\r\n"

UNREADABLE = {
    "garbage": b"\x00\x01\x02\x03" * 100 + b"\r\n\r\n",
    "an SSH banner": b"SSH-2.0-OpenSSH_9.2p1\r\n" + b"\r\n",
    "an SMTP banner": b"220 mail.example.com ESMTP\r\n\r\n",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n",
    "HTTP/0.9": b"<html>EVIL</html>\r\n\r\n",
    "a request": b"GET / HTTP/1.1\r\nHost: EVIL\r\n\r\n",
    "HTTP/2": b"HTTP/2 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
    "HTTP/1.10": b"HTTP/1.10 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
    "small letters": b"http/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
    "another protocol": b"ICY 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
    "a short status": b"HTTP/1.1 20 OK\r\nContent-Length: 4\r\n\r\nEVIL",
    "a long status": b"HTTP/1.1 2000 OK\r\nContent-Length: 4\r\n\r\nEVIL",
    "status 000": b"HTTP/1.1 000 OK\r\nContent-Length: 4\r\n\r\nEVIL",
    "status 099": b"HTTP/1.1 099 OK\r\nContent-Length: 4\r\n\r\nEVIL",
    "a status in letters": b"HTTP/1.1 two OK\r\nContent-Length: 4\r\n\r\nEVIL",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 4\n\nEVIL\r\n\r\n",
    "one bare line feed": b"HTTP/1.1 200 OK\r\nX: y\nContent-Length: 4\r\n\r\nEVIL",
    "a bare carriage return": b"HTTP/1.1 200 OK\r\nX: y\rContent-Length: 4\r\n\r\nEVIL",
    "a folded line": b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 4\r\n\r\nEVIL",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 4\r\n\r\nEVIL",
    "a space in a name": b"HTTP/1.1 200 OK\r\nX Y: z\r\nContent-Length: 4\r\n\r\nEVIL",
    "a line without a colon": b"HTTP/1.1 200 OK\r\nX\r\nContent-Length: 4\r\n\r\nEVIL",
    "a line without a name": b"HTTP/1.1 200 OK\r\n: y\r\nContent-Length: 4\r\n\r\nEVIL",
    "a NUL in a value": b"HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 4\r\n\r\nEVIL",
    "a NUL in the reason": b"HTTP/1.1 200 \0\r\nContent-Length: 4\r\n\r\nEVIL",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n" + CHUNKED + b"4\r\nEVIL\r\n0\r\n\r\n",
    "chunks and length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nEVIL",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 2\r\n\r\nEVIL",
    "one length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nEVIL",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\nEVIL",
    "a length with a sign": b"HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nEVIL",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\nEVIL",
    "a length in hexadecimal": b"HTTP/1.1 200 OK\r\nContent-Length: 0x4\r\n\r\nEVIL",
    "an empty length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nEVIL",
    "a length beyond 64 bits": b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551620\r\n\r\nEVIL",
    "another coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\nEVIL",
    "two codings": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n",
    "codings in two lines": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n" + CHUNKED + b"4\r\nEVIL\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\n" + CHUNKED + b"4\r\nEVIL\r\n0\r\n\r\n",
    "another protocol, which nobody asked for": b"HTTP/1.1 101 OK\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nEVIL",
    "a head that is too long": b"HTTP/1.1 200 OK\r\nX: " + b"EVIL" * 20_000 + b"\r\n\r\n",
    "a head without an end": b"HTTP/1.1 200 OK\r\n" + b"X: EVIL\r\n" * 20_000,
    "too many fields": b"HTTP/1.1 200 OK\r\n" + b"X: EVIL\r\n" * 1000 + b"\r\n",
    "interim answers and garbage": b"HTTP/1.1 103 Early Hints\r\n\r\nEVIL\r\n\r\n",
}
"""Nothing that is in one of these may be passed on."""

UNFINISHED = {
    "nothing": b"",
    "half a status line": b"HTTP/1.1 20",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX: EVIL",
    "an interim answer": b"HTTP/1.1 102 Processing\r\n\r\n",
}
"""Nothing more comes: the app closes."""

CUT_OFF = {
    "a length": HELLO,
    "chunks": CHUNKS,
    "half a chunk": CHUNKS + b"5\r\nhel",
    "a chunk without its end": CHUNKS + b"5\r\nhello",
    "half a size": CHUNKS + b"5",
    "half an end": CHUNKS + b"0\r\n",
    "half a trailer": CHUNKS + b"0\r\nX: y\r\n",
}
"""Answers that begin well, and of which nothing more comes."""

BROKEN = {
    "a size that is none": CHUNKS + b"EVIL\r\n",
    "no size": CHUNKS + b"\r\nEVIL",
    "a size of 65 bits": CHUNKS + b"10000000000000005\r\nEVIL!\r\n0\r\n\r\n",
    "a size with a sign": CHUNKS + b"+4\r\nEVIL\r\n0\r\n\r\n",
    "a size with its base": CHUNKS + b"0x4\r\nEVIL\r\n0\r\n\r\n",
    "a size ended by a line feed": CHUNKS + b"4\nEVIL\r\n0\r\n\r\n",
    "a chunk that is longer": CHUNKS + b"1\r\nxEVIL\r\n0\r\n\r\n",
    "a chunk ended by a line feed": CHUNKS + b"1\r\nx\n0\r\n\r\n",
    "a trailer that is none": CHUNKS + b"0\r\nEVIL\r\n\r\n",
    "a trailer with a space": CHUNKS + b"0\r\nX : EVIL\r\n\r\n",
    "a trailer with a bare line feed": CHUNKS + b"0\r\nX: y\nZ: EVIL\r\n\r\n",
    "trailers without end": CHUNKS + b"0\r\n" + b"X: EVIL\r\n" * 20_000,
}
"""Answers that begin well, and go on badly."""

TOO_LONG = {
    "a length": OK,
    "a length of nothing": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "chunks": b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"2\r\nok\r\n0\r\n\r\n",
    "chunks with an extension": b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"2;a=b\r\nok\r\n0;c\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "no content, with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n",
    "not modified, in chunks": b"HTTP/1.1 304 Not Modified\r\n" + CHUNKED,
}
"""Whole answers, behind which the app goes on."""


def asked(ground: Ground, client: Side, method: bytes = b"GET", version: bytes = b"1.1") -> Side:
    """A request of this client's, and the app's side of it."""
    client.send(ground.head(method + b" / HTTP/" + version))
    app = ground.app.take()
    app.until()
    return app


def left(app: Side) -> bool:
    """Whether the gateway has closed its connection to the app, without another word."""
    return app.rest()[0] == b""


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("said", UNREADABLE.values(), ids=UNREADABLE)
def test_an_answer_that_can_be_read_in_two_ways_or_none_is_a_502(ground: Ground, said: bytes, method: bytes) -> None:
    with ground.client() as client:
        app = asked(ground, client, method)
        app.send(said)
        last = client.until()
        while last.startswith(b"HTTP/1.1 1"):
            last = client.until()
        assert last.startswith(b"HTTP/1.1 502 ")
        assert left(app)
        client.send(ground.head(b"GET /next HTTP/1.1", b"Connection: close"))
        assert ground.app.asked().startswith(b"GET /next ")
        rest, closed_well = client.rest()
        assert closed_well
        assert rest.endswith(b"\r\n\r\nok")
        assert b"EVIL" not in last + rest


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("said", UNFINISHED.values(), ids=UNFINISHED)
def test_an_app_that_goes_away_before_it_answered_is_a_502(ground: Ground, said: bytes, how: str) -> None:
    with ground.client() as client:
        app = asked(ground, client, b"POST")
        app.send(said)
        getattr(app, how)()
        first = client.until()
        assert (first if b" 102 " not in first else client.until()).startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("said", CUT_OFF.values(), ids=CUT_OFF)
def test_an_answer_that_is_cut_off_is_never_seen_to_end_well(
    ground: Ground, said: bytes, how: str, version: bytes
) -> None:
    with ground.client() as client:
        app = asked(ground, client, version=version)
        app.send(said)
        client.until()
        client.until(b"hello")
        getattr(app, how)()
        rest, closed_well = client.rest()
        assert not closed_well
        assert b"0\r\n" not in rest


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN)
def test_an_answer_that_goes_on_badly_is_never_seen_to_end_well(ground: Ground, said: bytes, version: bytes) -> None:
    with ground.client() as client:
        app = asked(ground, client, version=version)
        app.send(CHUNKS)
        client.until()
        client.until(b"hello")
        app.send(said.removeprefix(CHUNKS))
        rest, closed_well = client.rest()
        assert not closed_well
        assert b"0\r\n" not in rest
        assert left(app)


@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN)
def test_nor_where_it_comes_at_once(ground: Ground, said: bytes) -> None:
    """Nothing was said yet, so that it may be a 502 as well."""
    with ground.client() as client:
        client.send(ground.head(b"GET / HTTP/1.1", b"Connection: close"))
        app = ground.app.take()
        app.until()
        app.send(said)
        got, closed_well = client.rest()
        assert got.startswith(b"HTTP/1.1 502 ") or not closed_well
        assert b"0\r\n\r\n" not in got
        assert left(app)


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("more", [EVIL, b"EVIL", b"\r\n", b"\0"], ids=["an answer", "words", "a line", "a byte"])
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "later"])
@pytest.mark.parametrize("said", TOO_LONG.values(), ids=TOO_LONG)
def test_what_comes_behind_an_answer_is_nobodys(
    ground: Ground, said: bytes, more: bytes, method: bytes, at_once: bool
) -> None:
    said = said.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == b"HEAD" else said
    with ground.client() as client:
        app = asked(ground, client, method)
        if at_once:
            app.send(said + more)
            head = client.until()
        else:
            app.send(said)
            head = client.until()
            app.send(more)
        assert head.split(b" ")[1] == said.split(b" ")[1]
        assert left(app)
        client.send(ground.head(b"GET /next HTTP/1.1", b"Connection: close"))
        assert ground.app.asked(CLOSED).startswith(b"GET /next ")
        rest, closed_well = client.rest()
        assert closed_well
        assert rest.count(b"HTTP/1.1 200 OK") == 1
        assert b"EVIL" not in rest
