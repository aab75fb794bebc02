"""One message, one reading: raw bytes in the segments that a row gives, and exactly the answers that it counts.

``{question}`` stands for the headers of a question that lets alice in, ``{stranger}`` for the same from a program that
nobody knows. The door's counters say how many questions were understood, whatever the socket shows.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from asking import Line, question
from conformance.gateways import Gateway, gateways
from conformance.test_cases import assert_sound
from conformance.vectors import Row, fill, rows
from databases import Cluster
from gateway import tokens
from serving import COOKIE

ROWS = rows("messages.yaml")
SIZES = {"16k": "a" * 16_000, "70k": "a" * 70_000, "70k headers": "X-A: aaaaaaaaaa\r\n" * 5000}


@pytest.fixture(scope="module")
def gateway(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateways(cluster, tmp_path_factory.mktemp("messages")) as made:
        yield made["usual"]


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_a_message_is_read_in_one_way(gateway: Gateway, row: Row) -> None:
    counters = gateway.served.gateway.cache.counters
    before = sum(counters.values())
    with Line(gateway.served.address) as line:
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        statuses = talk(line, row, filled(gateway, row["segments"]))
        assert statuses == row["status"]
        assert not row.get("closed") or line.ended()
    understood = [status for status in statuses if status != 400]
    if understood or row["status"]:
        assert sum(counters.values()) - before == len(understood)


def talk(line: Line, row: Row, segments: list[bytes]) -> list[int]:
    """Send the segments, each when the one before has been answered as far as it will be; the statuses in order."""
    statuses = []
    for segment in segments:
        try:
            line.send(segment)
        except (BrokenPipeError, ConnectionResetError):
            break  # it was closed upon us, which the row expects or not
        whole = segment.endswith(b"\r\n\r\n") or segment is segments[-1]
        while whole and len(statuses) < len(row["status"]) and (answer := line.answer(head=row.get("head", False))):
            assert_sound(answer, head=row.get("head", False))
            statuses.append(answer.status)
            if segment is not segments[-1]:
                break
    return statuses


def filled(gateway: Gateway, segments: list[str]) -> list[bytes]:
    """The bytes of a row's segments. ``{length}`` is that of one whole question, which is what smuggled bodies spell."""
    cookie = fill("{cookie}={alice}", gateway.words)
    known, unknown = head(question(cookie=cookie)), head(question(accept=None))
    length = len(f"GET /auth/traefik HTTP/1.1\r\n{known}\r\n".encode("latin-1"))
    form = head(
        [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", "https://auth.example.com")],
        "auth.example.com",
    )
    words = {"form": form, "question": known, "stranger": unknown, "length": str(length), "cookie": cookie, **SIZES}
    return [fill(segment, words).encode("latin-1") for segment in segments]


def head(headers: list[tuple[str, str]], host: str = "127.0.0.1") -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in [("Host", host), *headers])


@pytest.mark.parametrize("cut", range(1, 400, 7))
def test_a_question_cut_anywhere_is_the_same_question(gateway: Gateway, cut: int) -> None:
    whole = filled(gateway, ["GET /auth/traefik HTTP/1.1\r\n{question}\r\n"])[0]
    with Line(gateway.served.address) as line:
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.send(whole[:cut])
        line.send(whole[cut:])
        answer = line.answer()
        assert answer is not None
        assert answer["remote-user"] == "alice"


def test_a_request_behind_an_upgrade_that_waits_for_the_database_is_not_read(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = gateway.served
    pool, asked, go = served.gateway.store.pool, threading.Event(), threading.Event()
    getconn = pool.getconn

    async def waiting(*args: Any) -> Any:
        asked.set()
        await asyncio.to_thread(go.wait, 30)
        return await getconn(*args)

    monkeypatch.setattr(pool, "getconn", waiting)
    cold = head(question(cookie=f"{COOKIE}={tokens.mint(gateway.ring, 'session', 2**39)}"))
    upgrade = f"GET /auth/traefik HTTP/1.1\r\n{cold}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    before = sum(served.gateway.cache.counters.values())
    with Line(served.address) as line:
        line.send(upgrade.encode())
        assert asked.wait(10)
        line.send(filled(gateway, ["GET /auth/traefik HTTP/1.1\r\n{question}\r\n"])[0])
        served.check()  # answered behind the bytes above: the server has read those by now
        go.set()
        answer = line.answer()
        assert answer is not None
        assert (answer.status, answer["connection"]) == (401, "close")
        assert line.ended()
    assert sum(served.gateway.cache.counters.values()) - before == 2
