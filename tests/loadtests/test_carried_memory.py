"""Memory while it is carried: transfers are whole, and a process that keeps what it should hand on is seen to grow."""

from __future__ import annotations

import sys

import bulk
import carriers
import pytest
import servers
from bulk import Grown
from measures import FAN, carried_memory
from servers import Server
from stack import free_port

from proxies.nginx import missing

SIZE = 3 << 20
HOARDER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    line, _ = listener.accept()
    asked = line.recv(65536)
    if b"/hoard" in asked:
        kept = b"x" * (64 << 20)
    line.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nso " + b"much. "[: 6 if b"whole" in asked else 3])
    line.close()
"""
"""Keeps 64 MB when it is told to; a whole answer only to /whole."""


@pytest.mark.skipif(bool(missing()), reason=missing() or "nginx is there")
def test_every_transfer_goes_through_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carriers, "SESSIONS", 2)
    monkeypatch.setattr(carriers, "VAST", SIZE)
    found = {}
    with carriers.ground([]) as ground:
        for who, server in ground.carriers().items():
            for row, transfer in carried_memory.transfers(ground, SIZE, 0.2):
                found[f"{row}, {who}"] = bulk.watched(server, transfer)
    assert len(found) == 6
    assert all(grown.memory >= 0 for grown in found.values())
    assert all(bar.value is not None for bar in FAN["carried_memory"].judged(carried_memory.values(found)))
    assert len(carried_memory.figures_of(found)) == 12


@pytest.fixture
def hoarder() -> Server:
    port = free_port()
    with servers.running([sys.executable, "-c", HOARDER, str(port)]) as process:
        servers.await_answer(process, f"127.0.0.1:{port}", "/whole")
        yield Server(port, process)


def test_a_process_that_keeps_what_it_carries_is_seen_to_grow(hoarder: Server) -> None:
    message = b"GET /hoard/whole HTTP/1.1\r\n\r\n"
    assert 60 < bulk.watched(hoarder, lambda port: bulk.down(port, message, 9)).memory < 80


def test_an_answer_that_ends_early_ends_the_measurement(hoarder: Server) -> None:
    with pytest.raises(RuntimeError, match="3 bytes of an answer never came"):
        bulk.watched(hoarder, lambda port: bulk.down(port, b"GET / HTTP/1.1\r\n\r\n", 9))


def test_an_upload_that_is_not_taken_ends_the_measurement(hoarder: Server) -> None:
    with pytest.raises(RuntimeError, match=r"an upload was answered with b'HTTP/1.1 200 OK"):
        bulk.up(hoarder.port, b"POST /whole HTTP/1.1\r\n\r\n", 0)


def test_bars_are_the_gateways_own_growth() -> None:
    rows = (carried_memory.DOWN, carried_memory.UP, carried_memory.SLOWLY)
    found = {
        f"{row}, {who}": Grown(place + 100.0 * (who == carriers.NGINX), 1.0)
        for place, row in enumerate(rows)
        for who in (carriers.GATEWAY, carriers.NGINX)
    }
    assert [bar.value for bar in FAN["carried_memory"].judged(carried_memory.values(found))] == [0.0, 1.0, 2.0]
