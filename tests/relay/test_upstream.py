"""One connection to an app: what is made of what it sends, in whatever pieces, and whether it serves again.

The connection is a real one; its pieces are handed over as if they had just been read.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from gateway.errors import ClosedEarly, Garbled, UpstreamFailed
from gateway.outbox import Outbox
from gateway.relay import answers
from gateway.relay.answers import Answer
from gateway.relay.upstream import Upstream

pytestmark = pytest.mark.anyio
turn = partial(asyncio.sleep, 0)
OURS = (b"__Secure-gateway_session",)
HEAD = b"GET / HTTP/1.1\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


class Taker:
    """Who asks: it notes what it is told, in a few words; pieces that follow each other are one."""

    transport: Any = None

    def __init__(self) -> None:
        self.outbox = Outbox(asyncio.get_running_loop())
        self.told: list[str] = []
        self.content = b""
        self.is_read = True
        self.transport = self

    def informed(self, answer: Answer) -> None:
        self.told.append(f"informed {answer.status}")

    def whole(self, answer: Answer, content: bytes) -> None:
        self.answered(answer, answer.length, content)
        self.ended(())

    def answered(self, answer: Answer, length: int | None, piece: bytes) -> None:
        self.told.append(f"{answer.status} of {length}")
        self.content += piece

    def piece(self, data: bytes) -> None:
        assert data
        self.content += data

    def ended(self, trailers: Sequence[tuple[bytes, bytes]]) -> None:
        self.told.append(" ".join(["ended", *(f"{name.decode()}={value.decode()}" for name, value in trailers)]))

    def switched(self, answer: Answer, rest: bytes) -> None:
        self.told.append(f"switched {answer.status}")
        self.content += rest

    def failed(self, error: UpstreamFailed) -> None:
        self.told.append(type(error).__name__)

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True


class Home:
    """The pool: which came back, and which are lost."""

    def __init__(self) -> None:
        self.kept: list[Upstream] = []
        self.gone: list[Upstream] = []

    def back(self, upstream: Upstream) -> None:
        self.kept.append(upstream)

    def lost(self, upstream: Upstream) -> None:
        self.gone.append(upstream)


class Stand:
    """One connection, and the app's end of it."""

    def __init__(self, upstream: Upstream, app: socket.socket, home: Home) -> None:
        self.upstream, self.app, self.home = upstream, app, home

    def ask(self, method: str = "GET", *, more: bool = False, sent: bool = True) -> Taker:
        taker = Taker()
        self.upstream.begin(taker, method, HEAD, more=more)
        if sent:
            taker.outbox.flush()
        return taker

    def is_kept(self) -> bool:
        return bool(self.home.kept) and not self.upstream.transport.is_closing()

    async def says(self, data: bytes) -> None:
        """And then it closes; a question that it had not read would make that a reset."""
        loop = asyncio.get_running_loop()
        await loop.sock_recv(self.app, 1000)
        await loop.sock_sendall(self.app, data)
        self.app.close()
        await self.gone()

    async def gone(self) -> None:
        """Until the loop has said that it is closed."""
        async with asyncio.timeout(30):
            while not self.home.gone:
                await turn()


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    made = await opened()
    yield made
    await left(made)


async def opened() -> Stand:
    ours, app = socket.socketpair()
    ours.setblocking(False)
    app.setblocking(False)
    home = Home()
    _, upstream = await asyncio.get_running_loop().create_connection(lambda: Upstream(home, OURS), sock=ours)
    return Stand(upstream, app, home)


async def left(made: Stand) -> None:
    made.upstream.abort()
    await made.gone()
    made.app.close()


def pieces(data: bytes) -> Iterator[list[bytes]]:
    """At once, in two at every place, and byte by byte."""
    yield [data]
    yield from ([data[:at], data[at:]] for at in range(1, len(data)))
    yield [data[at : at + 1] for at in range(len(data))]


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
ANSWERS: dict[str, tuple[str, bytes, list[str], bytes, bool]] = {
    "a length": ("GET", OK, ["200 of 5", "ended"], b"hello", True),
    "nothing": ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ["200 of 0", "ended"], b"", True),
    "chunks": (
        "GET",
        b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
        ["200 of None", "ended X-Sum=1"],
        b"hello",
        True,
    ),
    "an end": ("GET", OK.replace(b"X: y", b"Connection: close"), ["200 of 5", "ended"], b"hello", False),
    "HTTP/1.0": ("GET", OK.replace(b"1.1", b"1.0"), ["200 of 5", "ended"], b"hello", False),
    "HEAD": ("HEAD", OK[:-5], ["200 of 0", "ended"], b"", True),
    "204": ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", ["204 of 0", "ended"], b"", True),
    "304": ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", ["304 of 0", "ended"], b"", True),
    "hints": (
        "GET",
        b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + OK,
        ["informed 103", "informed 102", "200 of 5", "ended"],
        b"hello",
        True,
    ),
    "another protocol": (
        "GET",
        b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        ["switched 101"],
        b"",
        False,
    ),
}


@pytest.mark.parametrize("what", ANSWERS)
async def test_an_answer_is_the_same_in_whatever_pieces_it_comes(what: str) -> None:
    method, said, told, content, kept = ANSWERS[what]
    for cut in pieces(said):
        made = await opened()
        try:
            taker = made.ask(method)
            for piece in cut:
                made.upstream.data_received(piece)
            assert (taker.told, taker.content) == (told, content)
            assert made.is_kept() is kept
        finally:
            await left(made)


@pytest.mark.parametrize("extra", [b"x", b"\r\n", OK], ids=["a byte", "a line", "an answer"])
@pytest.mark.parametrize("what", [what for what, answer in ANSWERS.items() if answer[4]])
async def test_whoever_says_more_than_was_asked_serves_no_more(stand: Stand, what: str, extra: bytes) -> None:
    method, said, told, content, _ = ANSWERS[what]
    taker = stand.ask(method)
    stand.upstream.data_received(said + extra)
    assert (taker.told, taker.content) == (told, content)
    assert stand.upstream.transport.is_closing()
    assert not stand.home.kept


async def test_it_serves_one_after_the_other(stand: Stand) -> None:
    assert not stand.upstream.used
    for number in range(1, 4):
        taker = stand.ask()
        assert not stand.upstream.heard
        stand.upstream.data_received(OK)
        assert taker.told == ["200 of 5", "ended"]
        assert (stand.upstream.used, stand.upstream.heard) == (True, True)
        assert len(stand.home.kept) == number


async def test_what_is_asked_is_sent_and_its_body_behind_it(stand: Stand) -> None:
    stand.ask(more=True)
    stand.upstream.write(b"he", last=False)
    stand.upstream.write(b"", last=False)
    stand.upstream.write(b"llo", last=True)
    assert await asyncio.get_running_loop().sock_recv(stand.app, 1000) == HEAD + b"hello"


@pytest.mark.parametrize("what", ["a length", "chunks", "204"])
async def test_an_answer_ahead_of_the_end_of_what_is_asked_is_the_last(stand: Stand, what: str) -> None:
    """What is still to come would be the beginning of the next question."""
    _, said, told, content, _ = ANSWERS[what]
    taker = stand.ask(more=True)
    stand.upstream.write(b"he", last=False)
    stand.upstream.data_received(said)
    assert (taker.told, taker.content) == (told, content)
    assert stand.upstream.transport.is_closing()
    assert not stand.home.kept


async def test_a_body_without_a_length_ends_with_the_connection(stand: Stand) -> None:
    taker = stand.ask()
    await stand.says(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nhello")
    assert (taker.told, taker.content) == (["200 of None", "ended"], b"hello")
    assert not stand.home.kept


@pytest.mark.parametrize("at", range(len(OK)))
async def test_an_answer_that_is_cut_off_anywhere_has_failed(stand: Stand, at: int) -> None:
    taker = stand.ask()
    await stand.says(OK[:at])
    assert taker.told[-1] == ClosedEarly.__name__
    assert "ended" not in taker.told
    assert not stand.home.kept


async def test_what_nobody_asked_for_ends_it(stand: Stand) -> None:
    stand.upstream.data_received(OK)
    assert stand.upstream.transport.is_closing()


async def test_what_comes_before_the_question_was_sent_is_no_answer_to_it(stand: Stand) -> None:
    """It would be given to whoever asks now, and the answer to that to whoever asks next."""
    taker = stand.ask(sent=False)
    stand.upstream.data_received(OK)
    taker.outbox.flush()
    assert taker.told == [ClosedEarly.__name__]
    assert not stand.upstream.heard
    await stand.gone()
    assert not stand.home.kept


async def test_an_app_that_ends_is_not_sent_the_rest(stand: Stand) -> None:
    """Whatever it does not read any more would be waited for, and the client with it."""
    taker = stand.ask(more=True)
    while taker.is_read:
        stand.upstream.write(b"a" * 65536, last=False)
    stand.app.shutdown(socket.SHUT_WR)
    await stand.gone()
    assert taker.told == [ClosedEarly.__name__]


async def test_what_cannot_be_read_has_failed_and_ends_it(stand: Stand) -> None:
    taker = stand.ask()
    stand.upstream.data_received(b"nonsense\r\n\r\n")
    assert taker.told == [Garbled.__name__]
    assert stand.upstream.transport.is_closing()
    await stand.gone()
    assert taker.told == [Garbled.__name__]


@pytest.mark.parametrize("size", [1, 1000, 100_000])
async def test_a_head_that_does_not_end_is_not_waited_for(stand: Stand, size: int) -> None:
    taker, sent = stand.ask(), 0
    stand.upstream.data_received(b"HTTP/1.1 200 OK\r\nX: ")
    while not taker.told:
        assert sent <= answers.LONGEST
        stand.upstream.data_received(b"a" * size)
        sent += size
    assert taker.told == [Garbled.__name__]


async def test_a_head_may_not_be_longer_for_coming_at_once(stand: Stand) -> None:
    taker = stand.ask()
    stand.upstream.data_received(OK.replace(b"X: y", b"X: " + b"y" * answers.LONGEST))
    assert taker.told == [Garbled.__name__]


async def test_interim_answers_come_to_an_end(stand: Stand) -> None:
    taker = stand.ask()
    stand.upstream.data_received(b"HTTP/1.1 102 Processing\r\n\r\n" * (answers.MOST_INTERIM + 1) + OK)
    assert taker.told == ["informed 102"] * answers.MOST_INTERIM + [Garbled.__name__]
    again = await opened()
    taker = again.ask()
    again.upstream.data_received(b"HTTP/1.1 102 Processing\r\n\r\n" * answers.MOST_INTERIM + OK)
    assert taker.told[-1] == "ended"
    again.ask()
    again.upstream.data_received(b"HTTP/1.1 102 Processing\r\n\r\n" + OK)
    assert len(again.home.kept) == 2
    await left(again)


async def test_another_protocol_begins_behind_its_head(stand: Stand) -> None:
    taker = stand.ask()
    stand.upstream.data_received(b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
    assert (taker.told, taker.content) == (["switched 101"], b"HTTP/1.1 200 OK\r\n\r\n")
    assert stand.upstream.release() is stand.upstream.transport
    assert stand.home.gone == []
    stand.upstream.over()
    assert stand.home.gone == [stand.upstream]


async def test_who_leaves_hears_nothing_more(stand: Stand) -> None:
    taker = stand.ask()
    stand.upstream.data_received(OK[:-1])
    stand.upstream.abort()
    stand.upstream.data_received(b"o")
    await stand.gone()
    assert taker.told == ["200 of 5"]
    assert not stand.home.kept


async def test_a_client_is_not_listened_to_while_the_app_does_not_read(stand: Stand) -> None:
    taker = stand.ask(more=True)
    while taker.is_read:
        stand.upstream.write(b"a" * 65536, last=False)
        assert stand.upstream.transport.get_write_buffer_size() < 1_000_000
        await turn()
    while not taker.is_read:
        await asyncio.get_running_loop().sock_recv(stand.app, 65536)


async def test_an_app_is_not_listened_to_while_the_client_does_not_read(stand: Stand) -> None:
    stand.ask()
    stand.upstream.pause()
    assert not stand.upstream.transport.is_reading()
    stand.upstream.resume()
    assert stand.upstream.transport.is_reading()


async def test_one_that_was_not_listened_to_is_when_it_goes_home(stand: Stand) -> None:
    """Else nobody would see the app close it."""
    for said in (OK, OK[:-1]):
        stand.ask()
        stand.upstream.data_received(said)
        stand.upstream.pause()
        if said != OK:
            stand.upstream.data_received(b"o")
            assert stand.upstream.transport.is_reading()
        else:
            stand.upstream.resume()
    assert len(stand.home.kept) == 2
