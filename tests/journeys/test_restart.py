"""A gateway that is told to end while apps are carried: who waits is told so, half an answer does not look whole, and
nobody new is let in to wait for nothing."""

from __future__ import annotations

import select
import signal
import socket
from pathlib import Path

import pytest

from processes import Server, environment
from relay.by_hand import APPS, Hand, Side

HEAD = b"GET /public/%b HTTP/%b\r\nHost: app.example.com\r\n\r\n"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_whatever_is_open_when_the_gateway_restarts_is_told_the_truth(
    database: str, tmp_path: Path, workers: str
) -> None:
    app = Hand()
    (tmp_path / "apps.yaml").write_text(APPS.format(port=app.port))
    server = Server(environment(database, tmp_path), "--workers", workers)
    try:
        server.ready()
        with connected(server) as poll, connected(server) as half:
            poll.send(HEAD % (b"poll", b"1.1"))
            app.take().until()
            half.send(HEAD % (b"half", b"1.0"))
            app.asked(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nhalf of ")
            half.until(b"half of ")
            server.popen.send_signal(signal.SIGTERM)
            assert is_closed(server)
            assert poll.status() == 503
            assert b'"code": "G421"' in poll.rest()[0]
            assert half.rest() == (b"", False)
        assert server.popen.wait(30) == 0
    finally:
        server.stop()
        app.close()


def connected(server: Server) -> Side:
    return Side(socket.create_connection(server.address))


def is_closed(server: Server) -> bool:
    """Nobody is let in any more, while those who were are still waited for."""
    while server.popen.poll() is None:
        try:
            socket.create_connection(server.address, timeout=1).close()
        except ConnectionRefusedError:
            return server.popen.poll() is None
        select.select([], [], [], 0.02)  # nothing to wait for but the passing of time
    return False
