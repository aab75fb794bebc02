"""The delay proxy: what it hands on, when, and what it counts."""

from __future__ import annotations

import importlib.util
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

from gateway.model import Credential
from gateway.storage.answers import Answers
from gateway.storage.pool import Store

LOADTESTS = Path(__file__).parents[2] / "loadtests"
ROUND_TRIP = 0.05
Server = Callable[[socket.socket], None]


def load(name: str) -> ModuleType:
    """A module of the load tests, which are no package."""
    spec = importlib.util.spec_from_file_location(f"loadtests_{name}", LOADTESTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


delays = load("delays")


@contextmanager
def through(serve: Server) -> Iterator[tuple[Any, socket.socket]]:
    """A client's connection, through the proxy, to a server that does this with its one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.settimeout(20)
                serve(accepted)

        thread = threading.Thread(target=accept)
        thread.start()
        with (
            delays.running(delays.Delays(listener.getsockname(), ROUND_TRIP)) as between,
            socket.create_connection(("127.0.0.1", between.port), timeout=20) as client,
        ):
            yield between, client
        thread.join(20)
        assert not thread.is_alive()


def echo(line: socket.socket) -> None:
    while data := line.recv(65536):
        line.sendall(data)


def is_cut(line: socket.socket) -> bool:
    try:
        return line.recv(100) == b""
    except ConnectionResetError:
        return True


def everything(line: socket.socket) -> bytes:
    return b"".join(iter(lambda: line.recv(65536), b""))


def test_a_megabyte_arrives_whole_and_in_order_and_the_end_after_it() -> None:
    sent = b"".join(number.to_bytes(4, "big") for number in range(262_144))
    with through(echo) as (_, client):
        sending = threading.Thread(target=lambda: (client.sendall(sent), client.shutdown(socket.SHUT_WR)))
        sending.start()
        assert everything(client) == sent
        sending.join()


def test_an_answer_takes_a_round_trip_at_least_and_the_first_one_that_of_the_handshake_too() -> None:
    with through(echo) as (_, client):
        for trips in (2, 1, 1):
            before = time.monotonic()
            client.sendall(b"question")
            assert client.recv(100) == b"question"
            assert time.monotonic() - before >= trips * ROUND_TRIP


def test_who_is_done_with_asking_still_hears_the_answer() -> None:
    def answer(line: socket.socket) -> None:
        line.sendall(b"you said " + everything(line))

    with through(answer) as (_, client):
        client.sendall(b"goodbye")
        client.shutdown(socket.SHUT_WR)
        assert everything(client) == b"you said goodbye"


def test_questions_that_wait_together_are_one_exchange_and_a_last_word_is_none() -> None:
    answered = threading.Event()

    def answer_both(line: socket.socket) -> None:
        while data := line.recv(65536):
            if data.endswith(b"?"):
                line.sendall(b"one ")
                line.sendall(b"two")
        answered.set()

    with through(answer_both) as (between, client):
        for exchanges in (1, 2):
            client.sendall(b"what, ")
            client.sendall(b"and why?")
            received = b""
            while received != b"one two":
                received += client.recv(100)
            assert between.exchanges == exchanges
        client.sendall(b"goodbye")
        client.shutdown(socket.SHUT_WR)
        assert answered.wait(20)
        assert between.exchanges == 2


def test_a_server_that_is_not_there_is_a_connection_that_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = listener.getsockname()
    with (
        delays.running(delays.Delays(target, ROUND_TRIP)) as between,
        socket.create_connection(("127.0.0.1", between.port), timeout=20) as client,
    ):
        assert is_cut(client)


def test_whoever_is_connected_when_it_ends_is_cut_off_on_both_sides() -> None:
    ended = threading.Event()

    def hold(line: socket.socket) -> None:
        line.sendall(b"hello")
        ended.set() if is_cut(line) else None

    with through(hold) as (between, client):
        assert client.recv(100) == b"hello"
        between.end()
        assert is_cut(client)
        assert ended.wait(20)


def test_statements_on_a_far_database_are_an_exchange_each(database: str) -> None:
    with delays.far(database, 0.0) as (between, url), psycopg.connect(url, autocommit=True) as connection:
        before = between.exchanges
        assert connection.execute("SELECT 1").fetchone() == (1,)
        connection.execute("SELECT repeat('x', 1000000)").fetchall()
        assert between.exchanges - before == 2


@pytest.mark.anyio
async def test_storage_waits_once_for_an_answer_and_thrice_for_a_transaction_however_often_it_asks(
    database: str,
) -> None:
    with delays.far(database, 0.0) as (between, url):
        store = Store(url, 1)
        await store.open()
        for number in range(20):
            before = between.exchanges
            async with Answers(store).asking() as ask:
                await ask([Credential("session", bytes([number]) * 32)])
            assert between.exchanges - before == 1, number
            async with store.transaction("test") as tx:
                await tx.execute("SELECT %s::int", (number,))
            assert between.exchanges - before == 4, number
        await store.close()
