"""A client that does not read: nothing more is begun for it, so that nothing is kept for it without bound."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from databases import Cluster
from gateway.endpoints.front import FrontProtocol
from gateway.relay import downstream
from gateway.relay.downstream import Downstream, Stage
from relay.by_hand import OK, Ended, Ground, Side, answers_still, standing
from relay.test_downstream import carried, on_loop
from segments import turn

SMALL = 4096
MEGABYTE = 1_000_000
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"a" * 20_000
QUESTIONS = 300
PORTAL = b"GET /login HTTP/1.1\r\nHost: auth.example.com\r\n\r\n"
BODY = PORTAL.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\n?")
"""Behind a body a connection stays on uvicorn's side."""


@pytest.fixture(scope="module")
def ground(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Little of an answer is in the system's hands: what is not read is seen soon."""
    with standing(cluster, tmp_path_factory.mktemp("unread")) as made:
        made.served._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        yield made


@pytest.fixture
def client(ground: Ground) -> Iterator[Side]:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    made.connect(ground.served.address)
    with Side(made) as side:
        yield side
    ground.app.let_go()
    answers_still(ground)


def test_answers_are_not_asked_for_while_those_before_are_not_read(ground: Ground, client: Side) -> None:
    client.send(ground.head() * QUESTIONS)
    app = ground.app.take()
    app.until()
    open_ = carried(ground)

    def answer() -> None:
        with suppress(Ended, OSError):
            for _ in range(QUESTIONS):
                app.send(LONG)
                app.until()

    answers = threading.Thread(target=answer)
    answers.start()
    while not ground.served.call(stands_still(open_)):
        assert answers.is_alive(), "all were asked for"
    assert on_loop(ground, open_.transport.get_write_buffer_size) < MEGABYTE
    for _ in range(QUESTIONS):
        assert (client.status(), client.exactly(20_000)) == (200, b"a" * 20_000)
    app.close()
    answers.join()


async def stands_still(open_: Downstream) -> bool:
    """Nothing is under way, and nothing will be before the client reads. Between two requests it looks so for one turn."""
    for _ in range(10):
        if open_._stage not in (Stage.RESTING, Stage.ANSWERED) or open_.transport.is_reading():
            return False
        await turn()
    return True


def test_an_app_is_not_asked_while_answers_of_the_gateway_itself_are_not_read(ground: Ground, client: Side) -> None:
    pages, front = 1, front_of(ground, client)
    while not on_loop(ground, lambda: front.flow.write_paused):
        client.send(PORTAL)
        pages += 1
    client.send(ground.head())
    for _ in range(10):
        assert ground.app.strangers() == []
        on_loop(ground, lambda: None)
    for _ in range(pages):
        head = client.until()
        client.exactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
    assert ground.app.asked(OK).startswith(b"GET / HTTP/1.1\r\n")
    assert (client.status(), client.exactly(2)) == (200, b"ok")


def test_a_client_that_takes_its_answer_slowly_is_waited_for_as_long_as_it_takes_some(
    ground: Ground, client: Side
) -> None:
    """The answer came before the end of what it sends, so somebody has to hang up in the end."""
    client.send(ground.head(b"POST / HTTP/1.1", b"Content-Length: 9") + b"not all")
    app = ground.app.take()
    app.until()
    open_ = carried(ground)
    app.send(LONG.replace(b"20000", b"60000") + b"a" * 40_000)
    assert client.status() == 200
    while on_loop(ground, lambda: open_._stage) is not Stage.LINGERING:
        pass
    for _ in range(3):
        left = on_loop(ground, open_.transport.get_write_buffer_size)
        while on_loop(ground, open_.transport.get_write_buffer_size) == left:
            client.exactly(1000)
        ground.later(downstream.LINGER + 1)
    ground.later(downstream.LINGER + 1)
    assert client.rest()[1] is False


def front_of(ground: Ground, client: Side) -> FrontProtocol:
    """uvicorn's side of this connection, which answers for the portal."""
    client.send(BODY)

    def find() -> list[FrontProtocol]:
        found = ground.served._server.server_state.connections
        return [each for each in found if isinstance(each, FrontProtocol)]

    while not (found := on_loop(ground, find)):
        pass
    return found[0]
