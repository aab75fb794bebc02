"""Apps and clients that come too early, too late, or not at all, and what the other side sees of it."""

from __future__ import annotations

import asyncio

import pytest

from relay.by_hand import CLOSED, OK, Ground

LARGE = 8_000_000
"""Bytes of a body that no socket takes at once."""
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"
UPLOAD = (b"POST / HTTP/1.1", b"Content-Length: %d" % LARGE)
POLLED = (b"GET /public/events HTTP/1.1",)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 20", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_an_app_that_does_not_answer_is_a_504(ground: Ground, said: bytes) -> None:
    with ground.client(ground.head()) as client:
        app = ground.app.take()
        app.until()
        app.send(said)
        if b"103" in said:
            assert client.status() == 103
        ground.later(301)
        assert client.status() == 504
        assert app.rest()[0] == b""


def test_an_answer_may_be_silent_for_as_long_as_it_likes(ground: Ground) -> None:
    with ground.client(ground.head(b"GET / HTTP/1.0")) as client:
        app = ground.app.take()
        app.until()
        app.send(EVENTS)
        client.until(b"data: 1\n\n")
        ground.later(100_000)
        app.send(b"data: 2\n\n")
        assert client.until(b"data: 2\n\n") == b"data: 2\n\n"
        app.close()
        assert client.rest() == (b"", True)


def test_an_answer_byte_by_byte_is_the_same_answer(ground: Ground) -> None:
    said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    said += b"3\r\nabc\r\nA;x\r\n0123456789\r\n0\r\n\r\n"
    with ground.client(ground.head(b"GET / HTTP/1.0")) as client:
        app = ground.app.take()
        app.until()
        for at in range(len(said)):
            app.send(said[at : at + 1])
        assert client.status() == 200
        assert client.rest() == (b"abc0123456789", True)


def test_a_request_byte_by_byte_is_the_same_request(ground: Ground) -> None:
    with ground.client() as client:
        whole = (
            ground.head(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked") + b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"
        )
        for at in range(len(whole)):
            client.send(whole[at : at + 1])
        app = ground.app.take()
        app.until()
        content = b""
        while size := int(app.until(b"\r\n"), 16):
            content += app.exactly(size)
            app.exactly(2)
        assert content == b"abc0123456789"
        app.send(CLOSED)
        assert client.status() == 200


@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize("said", [OK, CLOSED], ids=["kept alive", "closed"])
def test_an_answer_before_the_upload_has_ended_is_taken_and_ends_both_connections(
    ground: Ground, said: bytes, closes: bool
) -> None:
    with ground.client(ground.head(*UPLOAD) + b"a" * 1000) as client:
        app = ground.app.take()
        app.until()
        app.exactly(1000)
        app.send(said)
        if closes:
            app.finish()
        head = client.until()
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nconnection: close\r\n" in head.lower()
        assert client.rest() == (b"ok", True)
        assert app.rest()[0] == b""  # what is still to come of the body is never taken for a request


def test_an_answer_before_the_upload_is_taken_by_a_client_that_goes_on_sending(ground: Ground) -> None:
    with ground.client(ground.head(*UPLOAD)) as client:
        app = ground.app.take()
        app.until()
        app.send(CLOSED)
        app.close()
        assert client.status() == 200
        client.send(b"a" * 100_000)
        assert client.rest()[0] == b"ok"


def test_a_long_answer_before_the_upload_has_ended_comes_whole(ground: Ground) -> None:
    with ground.client(ground.head(*UPLOAD)) as client:
        app = ground.app.take()
        app.until()
        app.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 300000\r\n\r\n" + b"a" * 100_000)
        assert client.status() == 413
        client.send(b"a" * 1000)
        app.send(b"a" * 200_000)
        assert client.rest() == (b"a" * 300_000, True)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_an_app_that_goes_away_within_an_upload_is_a_502(ground: Ground, how: str) -> None:
    with ground.client(ground.head(*UPLOAD) + b"a") as client:
        app = ground.app.take()
        app.until()
        getattr(app, how)()
        assert client.status() == 502


def test_a_client_that_stops_within_its_body_is_told_so(ground: Ground) -> None:
    with ground.client(ground.head(*UPLOAD) + b"a" * 10) as client:
        app = ground.app.take()
        app.until()
        app.exactly(10)
        ground.later(126)
        assert client.status() == 408
        assert app.rest()[0] == b""


@pytest.mark.parametrize("how", ["finish", "close", "reset"])
def test_a_client_that_goes_away_within_its_body_takes_the_request_with_it(ground: Ground, how: str) -> None:
    with ground.client(ground.head(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n") as client:
        app = ground.app.take()
        app.until()
        app.until(b"hello")
        getattr(client, how)()
        assert b"0\r\n" not in app.rest()[0]


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(
    "said", [b"", EVENTS, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1"], ids=["silent", "SSE", "half"]
)
def test_a_client_that_goes_away_takes_the_app_s_connection_with_it(ground: Ground, said: bytes, how: str) -> None:
    with ground.client(ground.head(*POLLED)) as client:
        app = ground.app.take()
        app.until()
        app.send(said)
        if said:
            client.until(b"1")
        getattr(client, how)()
        assert app.rest()[0] == b""


def test_a_client_that_does_not_read_stops_the_app_and_is_left_after_a_while(ground: Ground) -> None:
    with ground.client(ground.head(*POLLED)) as client:
        app = ground.app.take()
        app.until()
        app.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (100 * LARGE))
        client.until()
        app.socket.settimeout(1)
        assert not app.send_until_refused(b"a" * 1_000_000)  # nobody keeps what the client does not take
        app.socket.settimeout(10)
        ground.later(126)
        assert app.send_until_refused(b"a" * 1_000_000)
        assert client.rest()[1] is False


def test_interim_answers_reach_the_client_that_knows_them_before_the_one_that_counts(ground: Ground) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    for version, expected in ((b"1.1", [103, 103, 200]), (b"1.0", [200])):
        with ground.client(ground.head(b"GET / HTTP/" + version)) as client:
            ground.app.asked(hints + hints + CLOSED)
            assert [client.status() for _ in expected] == expected


def test_an_app_that_only_ever_says_wait_is_not_waited_for(ground: Ground) -> None:
    with ground.client(ground.head()) as client:
        app = ground.app.take()
        app.until()
        app.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 10_000 + CLOSED)
        while (status := client.status()) == 102:
            pass
        assert status == 502


def test_bytes_on_an_idle_connection_end_it(ground: Ground) -> None:
    with ground.client(ground.head()) as client:
        app = ground.app.take()
        app.until()
        app.send(OK)
        assert client.status() == 200
        client.exactly(2)
        app.send(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")
        assert app.rest()[0] == b""


def test_a_connection_that_ended_cleanly_serves_the_next_one_too_whoever_asks(ground: Ground) -> None:
    with ground.client(ground.head(b"GET /1 HTTP/1.1")) as alice, ground.client() as stranger:
        app = ground.app.take()
        app.until()
        app.send(b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=alice\r\nContent-Length: 2\r\n\r\nok")
        assert alice.status() == 200
        alice.exactly(2)
        stranger.send(b"GET /public/ HTTP/1.1\r\nHost: app.example.com\r\n\r\n")
        head = app.until()
        assert head.startswith(b"GET /public/ ")
        assert b"alice" not in head
        app.send(CLOSED)
        assert stranger.status() == 200


def test_a_connection_that_the_app_has_closed_meanwhile_is_not_the_client_s_trouble(ground: Ground) -> None:
    for method in (b"GET", b"POST"):
        with ground.client(ground.head(method + b" /1 HTTP/1.1")) as client:
            app = ground.app.take()
            app.until()
            app.send(OK)
            assert client.status() == 200
            client.exactly(2)
            app.close()
            for _ in range(2 if method == b"POST" else 0):  # the gateway hears of it: a POST is never asked twice
                ground.served.call(asyncio.sleep(0))
            client.send(ground.head(method + b" /2 HTTP/1.1"))
            assert ground.app.asked(CLOSED).startswith(method + b" /2 ")
            assert client.status() == 200
