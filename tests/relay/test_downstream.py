"""The client's side of what is carried: one answer for each request, in order, in a framing that this client reads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

import pytest

from databases import Cluster
from gateway.relay.downstream import Downstream
from relay.by_hand import CLOSED, OK, Ended, Ground, Side, standing
from segments import turn

T = TypeVar("T")
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n5\r\nhello\r\n6\r\n world\r\n"
LARGE = 50_000_000
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def shared(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with standing(cluster, tmp_path_factory.mktemp("downstream")) as made:
        yield made


@pytest.fixture
def ground(shared: Ground) -> Iterator[Ground]:
    """No connection of an earlier test is left."""
    yield shared
    shared.app.let_go()

    async def leave() -> None:
        shared.served.gateway.relay.close()

    shared.served.call(leave())


def asked(ground: Ground, client: Side, line: bytes = b"GET / HTTP/1.1", *lines: bytes) -> tuple[Side, bytes]:
    """A request went out: the connection that it came by, and its head there."""
    client.send(ground.head(line, *lines))
    app = ground.app.take()
    return app, app.until()


def kept(ground: Ground, client: Side) -> Side:
    """A connection to the app that has served once, and may again."""
    app, _ = asked(ground, client)
    app.send(OK)
    assert (client.status(), client.exactly(2)) == (200, b"ok")
    return app


# Asking again -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"DELETE"])
def test_what_may_be_asked_twice_is_asked_again_where_the_app_closed_a_kept_connection(
    ground: Ground, method: bytes
) -> None:
    with ground.client() as client:
        app = kept(ground, client)
        client.send(ground.head(method + b" /2 HTTP/1.1"))
        first = app.until()
        app.close()
        again = ground.app.take()
        assert again.until() == first
        again.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert client.status() == 204
        assert ground.app.strangers() == []


@pytest.mark.parametrize(
    ("line", "more"),
    [
        (b"POST /2 HTTP/1.1", b"Content-Length: 0\r\n\r\n"),
        (b"PATCH /2 HTTP/1.1", b"Content-Length: 2\r\n\r\nab"),
        (b"PUT /2 HTTP/1.1", b"Content-Length: 2\r\n\r\nab"),
        (b"PROPFIND /2 HTTP/1.1", b"\r\n"),
    ],
)
def test_what_may_not_be_asked_twice_is_asked_once(ground: Ground, line: bytes, more: bytes) -> None:
    with ground.client() as client:
        app = kept(ground, client)
        client.send(ground.head(line)[:-2] + more)
        assert app.until().startswith(line)
        app.close()
        assert client.status() == 502
        assert ground.app.strangers() == []


@pytest.mark.parametrize("said", [b"H", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_what_has_begun_to_be_answered_is_not_asked_again(ground: Ground, said: bytes) -> None:
    with ground.client() as client:
        app = kept(ground, client)
        client.send(ground.head())
        app.until()
        app.send(said)
        app.close()
        assert [client.status() for _ in range(said.count(b"103") + 1)][-1] == 502
        assert ground.app.strangers() == []


def test_a_new_connection_that_is_closed_is_not_tried_again(ground: Ground) -> None:
    with ground.client() as client:
        app, _ = asked(ground, client)
        app.close()
        assert client.status() == 502
        assert ground.app.strangers() == []


# Framing ----------------------------------------------------------------------------------------------------------

BODILESS: dict[str, tuple[bytes, bytes, bytes]] = {
    "HEAD": (b"HEAD", b"200 OK", b"Content-Length: 5\r\n"),
    "HEAD in chunks": (b"HEAD", b"200 OK", b"Transfer-Encoding: chunked\r\n"),
    "HEAD without a length": (b"HEAD", b"200 OK", b""),
    "204": (b"GET", b"204 No Content", b""),
    "304": (b"GET", b"304 Not Modified", b""),
    "304 with a length": (b"GET", b"304 Not Modified", b"Content-Length: 5\r\n"),
}


@pytest.mark.parametrize("what", BODILESS)
def test_an_answer_without_a_body_ends_with_its_head_and_both_connections_go_on(ground: Ground, what: str) -> None:
    method, status, lines = BODILESS[what]
    with ground.client() as client:
        app, _ = asked(ground, client, method + b" / HTTP/1.1")
        for _ in range(2):
            app.send(b"HTTP/1.1 %b\r\nETag: x\r\n%b\r\n" % (status, lines))
            head = client.until()
            assert head.startswith(b"HTTP/1.1 " + status + b"\r\nETag: x\r\n")
            assert (b"Content-Length: 5" in head) is (b"Content-Length: 5" in lines)
            client.send(ground.head(method + b" / HTTP/1.1"))
            app.until()


def test_204_never_has_a_length(ground: Ground) -> None:
    with ground.client() as client:
        app, _ = asked(ground, client)
        app.send(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nETag: x\r\n\r\n")
        assert b"ength" not in client.until()


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize(
    "about", [b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Keep-Alive: timeout=5\r\n"]
)
def test_an_answer_that_says_nothing_but_its_length_is_one_answer(ground: Ground, method: bytes, about: bytes) -> None:
    """Nothing is left of its lines: the head that is written anew must not end before its length."""
    with ground.client() as client:
        app, _ = asked(ground, client, method + b" / HTTP/1.1")
        app.send(b"HTTP/1.1 200 OK\r\n%bContent-Length: 2\r\n\r\n" % about + (b"ok" if method == b"GET" else b""))
        assert b"\r\nContent-Length: 2\r\n" in client.until()
        client.send(ground.head(b"GET /2 HTTP/1.1", b"Connection: close"))
        next_app = ground.app.take() if b"close" in about else app
        next_app.until()
        next_app.send(CLOSED)
        if method == b"GET":
            assert client.exactly(2) == b"ok"
        assert client.status() == 200
        assert client.rest() == (b"ok", True)


def test_a_range_is_asked_and_answered_as_it_is(ground: Ground) -> None:
    with ground.client() as client:
        app, head = asked(ground, client, b"GET /film HTTP/1.1", b"Range: bytes=2-4", b'If-Range: "v1"')
        assert b"\r\nRange: bytes=2-4\r\n" in head
        assert b'\r\nIf-Range: "v1"\r\n' in head
        app.send(
            b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/9\r\nAccept-Ranges: bytes\r\n"
            b"Content-Length: 3\r\n\r\nlmn"
        )
        head = client.until()
        assert head.startswith(b"HTTP/1.1 206 Partial Content\r\n")
        assert b"\r\nContent-Range: bytes 2-4/9\r\nAccept-Ranges: bytes\r\n" in head
        assert client.exactly(3) == b"lmn"


def unchunked(client: Side) -> tuple[bytes, bytes]:
    """The content of a body in chunks, and the lines behind it."""
    content = b""
    while size := int(client.until(b"\r\n"), 16):
        content += client.exactly(size)
        assert client.exactly(2) == b"\r\n"
    lines = b""
    while (line := client.until(b"\r\n")) != b"\r\n":
        lines += line
    return content, lines


@pytest.mark.parametrize("takes", [True, False])
def test_trailers_are_for_clients_that_take_them(ground: Ground, takes: bool) -> None:
    with ground.client() as client:
        lines = (b"Connection: TE", b"TE: trailers") if takes else ()
        app, head = asked(ground, client, b"GET / HTTP/1.1", *lines)
        assert (b"\r\nTE: trailers\r\n" in head) is takes
        app.send(CHUNKS + b"0\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\nX-Sum: 2\r\n\r\n")
        assert b"\r\nTransfer-Encoding: chunked\r\n" in client.until()
        assert unchunked(client) == (b"hello world", b"X-Sum: 1\r\nX-Sum: 2\r\n" if takes else b"")
        client.send(ground.head())
        app.until()


def test_a_body_in_chunks_goes_in_and_out_on_a_connection_that_is_kept(ground: Ground) -> None:
    with ground.client() as client:
        app: Side | None = None
        for _ in range(3):
            client.send(ground.head(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked"))
            client.send(b"3\r\nabc\r\n")
            app = app or ground.app.take()
            assert b"\r\nTransfer-Encoding: chunked\r\n" in app.until()
            assert app.until(b"abc\r\n") == b"3\r\nabc\r\n"
            client.send(b"1\r\nd\r\n0\r\nX-Trailer: y\r\n\r\n")
            assert unchunked(app) == (b"d", b"")
            app.send(CHUNKS)
            client.until()
            app.send(b"0\r\n\r\n")
            assert unchunked(client) == (b"hello world", b"")


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_an_answer_without_a_length_ends_with_the_app_s_connection(ground: Ground, version: bytes) -> None:
    with ground.client() as client:
        app, _ = asked(ground, client, b"GET / HTTP/" + version)
        app.send(b"HTTP/1.0 200 OK\r\nX: y\r\n\r\nhello ")
        head = client.until()
        app.send(b"world")
        app.close()
        if version == b"1.0":
            assert b"chunked" not in head
            assert client.rest() == (b"hello world", True)
        else:
            assert unchunked(client) == (b"hello world", b"")
            kept(ground, client)


def test_a_half_of_an_answer_whose_client_wants_no_more_does_not_look_whole(ground: Ground) -> None:
    """To HTTP/1.0 an end of the connection is the end of the answer."""
    with ground.client() as client:
        app, _ = asked(ground, client, b"GET / HTTP/1.0")
        app.send(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nhello ")
        client.until(b"hello ")
        client.finish()
        assert client.rest() == (b"", False)
        assert app.rest()[0] == b""


def test_a_half_of_an_answer_does_not_look_whole_where_the_gateway_ends(ground: Ground) -> None:
    with ground.client() as client:
        app, _ = asked(ground, client, b"GET / HTTP/1.0")
        app.send(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nhello ")
        client.until(b"hello ")
        on_loop(ground, ground.served.gateway.streams.close)
        assert client.rest() == (b"", False)


@pytest.mark.parametrize("is_kept", [False, True])
def test_who_was_told_nothing_yet_when_the_gateway_ends_is_told_that(ground: Ground, is_kept: bool) -> None:
    """It is no fault of the app's, and nobody is asked again."""
    with ground.client() as client:
        app = kept(ground, client) if is_kept else None
        client.send(ground.head())
        app = app or ground.app.take()
        app.until()
        on_loop(ground, ground.served.gateway.streams.close)
        assert client.status() == 503
        assert b"G421" in client.until(b"}")
        assert app.rest()[0] == b""
        assert ground.app.strangers() == []


@pytest.mark.parametrize("behind", [b"\r\n", b"G", b"GET / HTTP/1.1\r\n"])
def test_a_client_that_has_said_too_much_and_goes_away_is_noticed(ground: Ground, behind: bytes) -> None:
    with ground.client() as client:
        app, _ = asked(ground, client)
        app.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        client.until()
        client.send(behind)
        client.reset()
        assert app.rest()[0] == b""


def test_a_client_of_http_1_0_is_sent_no_chunks_and_its_connection_ends(ground: Ground) -> None:
    with ground.client() as client:
        app, head = asked(ground, client, b"GET / HTTP/1.0", b"Connection: keep-alive")
        assert head.startswith(b"GET / HTTP/1.1\r\n")
        app.send(CHUNKS + b"0\r\nX-Sum: 1\r\n\r\n")
        assert b"chunked" not in client.until()
        assert client.rest() == (b"hello world", True)


def test_a_client_that_wants_to_end_is_left_when_it_is_answered(ground: Ground) -> None:
    for said in (OK, CHUNKS + b"0\r\n\r\n"):
        with ground.client() as client:
            app, head = asked(ground, client, b"GET / HTTP/1.1", b"Connection: close")
            assert b"close" not in head
            app.send(said)
            assert b"\r\nConnection: close\r\n" in client.until()
            assert client.rest()[1]
            client.close()
        with ground.client() as other:  # the app's connection goes on
            other.send(ground.head())
            app.until()
        app.close()


# A body that waits ------------------------------------------------------------------------------------------------

EXPECTING = (b"POST / HTTP/1.1", b"Content-Length: 5", b"Expect: 100-continue")


def test_a_client_sends_its_body_when_the_app_says_so(ground: Ground) -> None:
    with ground.client() as client:
        app, head = asked(ground, client, *EXPECTING)
        assert b"\r\nExpect: 100-continue\r\n" in head
        app.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert client.until() == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"hello")
        assert app.exactly(5) == b"hello"
        app.send(OK)
        assert (client.status(), client.exactly(2)) == (200, b"ok")


@pytest.mark.parametrize("status", [b"417 Expectation Failed", b"413 Content Too Large"])
def test_a_body_that_the_app_does_not_want_is_never_taken_for_a_request(ground: Ground, status: bytes) -> None:
    with ground.client() as client:
        app, _ = asked(ground, client, *EXPECTING)
        app.send(b"HTTP/1.1 %b\r\nX: y\r\nContent-Length: 2\r\n\r\nno" % status)
        head = client.until()
        assert head.startswith(b"HTTP/1.1 " + status)
        assert b"\r\nConnection: close\r\n" in head
        assert client.rest() == (b"no", True)
        assert app.rest()[0] == b""  # what was to be the body is not awaited there


def test_an_expectation_without_a_body_is_none(ground: Ground) -> None:
    with ground.client() as client:
        _, head = asked(ground, client, b"GET / HTTP/1.1", b"Expect: 100-continue")
        assert b"xpect" not in head


def test_anything_else_that_is_expected_is_refused(ground: Ground) -> None:
    with ground.client(ground.head(b"GET / HTTP/1.1", b"Expect: the-best")) as client:
        assert client.status() == 417
        assert ground.app.strangers() == []


# One behind the other ---------------------------------------------------------------------------------------------


def test_requests_that_are_sent_at_once_are_answered_in_their_order(ground: Ground) -> None:
    with ground.client() as client:
        heads = [ground.head(b"GET /%d HTTP/1.1" % number) for number in range(4)]
        heads[2] = ground.head(b"POST /2 HTTP/1.1", b"Content-Length: 3") + b"abc"
        client.send(b"".join(heads))
        app = ground.app.take()
        for number in range(4):
            assert b" /%d " % number in app.until()
            if number == 2:
                assert app.exactly(3) == b"abc"
            app.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
        for number in range(4):
            assert client.status() == 200
            assert client.exactly(1) == b"%d" % number


@pytest.mark.parametrize(
    "behind",
    [
        b"GET /denied HTTP/1.1\r\nHost: app.example.com\r\n\r\n",
        b"GET /denied HTTP/1.1\r\nHost: app.example.com\r\nConnection: close\r\n\r\n",
        b"GET /auth/traefik HTTP/1.1\r\nHost: app.example.com\r\n\r\n",
        b"GET /auth/traefik HTTP/1.1\r\nHost: app.example.com\r\nConnection: close\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
    ids=["refused", "refused, and ends", "a question", "a question, and ends", "nonsense"],
)
def test_an_answer_of_ours_never_overtakes_one_of_an_app(ground: Ground, behind: bytes) -> None:
    """The app's answer and the client's next message are read in one turn of the loop."""
    for _ in range(2):
        with ground.client() as client:
            app, _ = asked(ground, client)
            with stopped(ground):
                app.send(OK)
                client.send(behind)
            assert client.status() == 200
            assert client.exactly(2) == b"ok"
            assert client.status() in (400, 401, 403)
            app.close()
        ground.app.let_go()
        on_loop(ground, ground.served.gateway.relay.close)


class stopped:
    """Meanwhile the gateway's loop does nothing; whatever has come is read in its next turn."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._stands, self._go = threading.Event(), threading.Event()

    def __enter__(self) -> None:
        def stand() -> None:
            self._stands.set()
            self._go.wait(30)

        assert self._ground.served.loop is not None
        self._ground.served.loop.call_soon_threadsafe(stand)
        assert self._stands.wait(30)

    def __exit__(self, *unused: object) -> None:
        self._go.set()


# Back-pressure ----------------------------------------------------------------------------------------------------


def on_loop(ground: Ground, work: Callable[[], T]) -> T:
    async def run() -> T:
        await turn()
        return work()

    return ground.served.call(run())


def carried(ground: Ground) -> Downstream:
    """The one exchange that is open."""

    def find() -> Downstream:
        (found,) = ground.served.gateway.streams.open
        assert isinstance(found, Downstream)
        return found

    return on_loop(ground, find)


async def stands_still(transport: asyncio.Transport) -> None:
    """Until nobody reads from it."""
    async with asyncio.timeout(30):
        while transport.is_reading():
            await turn()


@pytest.mark.parametrize("framing", [b"Content-Length: %d\r\n\r\n" % LARGE, b"\r\n"], ids=["a length", "chunks"])
def test_what_a_client_does_not_read_is_not_kept(ground: Ground, framing: bytes) -> None:
    with ground.client() as client:
        app, _ = asked(ground, client)
        app.send(b"HTTP/1.1 200 OK\r\n" + framing)
        client.until()
        open_ = carried(ground)
        upstream = open_._upstream
        assert upstream is not None
        sender = threading.Thread(target=send_all, args=(app, LARGE))
        sender.start()
        ground.served.call(stands_still(upstream.transport))
        assert on_loop(ground, open_.transport.get_write_buffer_size) < MEGABYTE
        if framing == b"\r\n":
            assert unchunked_size(client) == LARGE
        else:
            assert len(client.exactly(LARGE)) == LARGE
        sender.join(30)


def test_what_a_client_does_not_read_is_not_kept_however_much_it_asked_for_at_once(ground: Ground) -> None:
    """The first answer ends with more than the client takes; the next waits with the app."""
    with ground.client() as client:
        client.send(ground.head(b"GET /1 HTTP/1.1") + ground.head(b"GET /2 HTTP/1.1"))
        app = ground.app.take()
        app.until()
        open_ = carried(ground)
        app.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not on_loop(ground, open_.transport.get_write_buffer_size):
            app.send(b"2000\r\n" + b"a" * 0x2000 + b"\r\n")
        with stopped(ground):
            app.send(b"20000\r\n" + b"a" * 0x20000 + b"\r\n0\r\n\r\n")
        sender = threading.Thread(target=answer_much, args=(app,))
        sender.start()
        for _ in range(1000):
            assert on_loop(ground, open_.transport.get_write_buffer_size) < MEGABYTE
        client.until()
        unchunked(client)
        assert client.status() == 200
        assert len(client.exactly(LARGE)) == LARGE
        sender.join(30)


def answer_much(app: Side) -> None:
    """When it is asked, which may be late."""
    with suppress(OSError, Ended):
        app.until()
        app.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
        send_all(app, LARGE)


def test_what_an_app_does_not_read_is_not_kept(ground: Ground) -> None:
    with ground.client() as client:
        app, _ = asked(ground, client, b"POST / HTTP/1.1", b"Content-Length: %d" % LARGE)
        open_ = carried(ground)
        upstream = open_._upstream
        assert upstream is not None
        sender = threading.Thread(target=send_all, args=(client, LARGE))
        sender.start()
        ground.served.call(stands_still(open_.transport))
        assert on_loop(ground, upstream.transport.get_write_buffer_size) < MEGABYTE
        assert len(app.exactly(LARGE)) == LARGE
        sender.join(30)
        app.send(OK)
        assert (client.status(), client.exactly(2)) == (200, b"ok")


def test_a_client_whose_body_has_filled_the_way_to_the_app_is_listened_to_again(ground: Ground) -> None:
    """The app answers before it has read all of a body that has come whole. It gets all of it; meanwhile nothing is asked
    behind that, where it would wait, and an upload would find nobody who stops it."""
    with ground.client() as client:
        app, _ = asked(ground, client, b"POST / HTTP/1.1", b"Transfer-Encoding: chunked")
        upstream = carried(ground)._upstream
        assert upstream is not None
        sent = 0
        while not on_loop(ground, upstream.transport.get_write_buffer_size):
            client.send(b"2000\r\n" + b"a" * 0x2000 + b"\r\n")
            sent += 0x2000
        with stopped(ground):
            client.send(b"14000\r\n" + b"a" * 0x14000 + b"\r\n0\r\n\r\n")
        app.send(OK)
        assert (client.status(), client.exactly(2)) == (200, b"ok")
        client.send(ground.head(b"GET /public/2 HTTP/1.1"))
        assert ground.app.asked(OK).startswith(b"GET /public/2 ")
        assert (client.status(), client.exactly(2)) == (200, b"ok")
        total, _ = unchunked(app)
        assert len(total) == sent + 0x14000
        assert not on_loop(ground, lambda: upstream.full)


def test_what_is_sent_behind_a_request_is_not_kept_before_that_is_answered(ground: Ground) -> None:
    with ground.client() as client:
        app, _ = asked(ground, client)
        open_ = carried(ground)
        sender = threading.Thread(target=send_all, args=(client, LARGE))
        sender.start()
        ground.served.call(stands_still(open_.transport))
        assert len(open_._rest) < MEGABYTE
        app.send(OK)
        assert (client.status(), client.exactly(2), client.status()) == (200, b"ok", 431)
        client.reset()
        sender.join(30)


def send_all(side: Side, size: int) -> None:
    """Nobody minds whether it is taken."""
    with suppress(OSError):
        for _ in range(size // MEGABYTE):
            side.send(b"a" * MEGABYTE)


def unchunked_size(client: Side) -> int:
    """Bytes of content until so many have come."""
    total = 0
    while total < LARGE:
        size = int(client.until(b"\r\n"), 16)
        client.exactly(size + 2)
        total += size
    return total


# Waiting ----------------------------------------------------------------------------------------------------------


def test_an_answer_that_takes_its_time_is_waited_for(ground: Ground) -> None:
    with ground.client() as client:
        app, _ = asked(ground, client)
        ground.later(299)
        app.send(OK)
        assert client.status() == 200


def test_an_upload_that_takes_its_time_is_waited_for_and_then_its_answer(ground: Ground) -> None:
    with ground.client() as client:
        app, _ = asked(ground, client, b"POST / HTTP/1.1", b"Content-Length: 5")
        for byte in (b"h", b"e", b"l", b"l", b"o"):
            ground.later(124)
            client.send(byte)
            assert app.exactly(1) == byte
        ground.later(299)
        app.send(OK)
        assert client.status() == 200


def test_a_client_that_asks_by_a_connection_that_ends_gets_no_half_answer(ground: Ground) -> None:
    with ground.client() as client:
        app, _ = asked(ground, client)
        app.send(CHUNKS)
        client.until(b" world\r\n")
        app.close()
        with pytest.raises(Ended):
            client.until(b"0\r\n\r\n")
