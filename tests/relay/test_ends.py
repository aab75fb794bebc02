"""The end of an answer from an app that speaks TLS: one that it said, or a connection that somebody cut."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.relay.relay import trusting
from gateway.relay.upstream import Upstream
from relay.certificates import LOCALHOST, Authority
from relay.test_upstream import HEAD, Home, Taker

pytestmark = pytest.mark.anyio
turn = partial(asyncio.sleep, 0)
UNTIL_END = b"HTTP/1.1 200 OK\r\n\r\nhello"
COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "ours")


def said(connection: ssl.SSLSocket) -> None:
    """As RFC 8446 section 6.1 wants it; what the other side says to that is nobody's business."""
    with suppress(OSError):
        connection.unwrap()
    connection.close()


def cut(connection: ssl.SSLSocket) -> None:
    """An end of the TCP connection, and no word of it in TLS."""
    os.close(connection.detach())


@contextmanager
def app(context: ssl.SSLContext, answer: bytes, ends: Any) -> Iterator[int]:
    """It answers one question so; its port."""

    def serve() -> None:
        with listener:
            connection = context.wrap_socket(listener.accept()[0], server_side=True)
        connection.recv(1000)
        connection.sendall(answer)
        ends(connection)

    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)
    port = listener.getsockname()[1]
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield port
    finally:
        thread.join()


async def told(port: int, authorities: Path) -> tuple[list[str], bytes]:
    """What becomes of the answer, once the connection is gone."""
    loop, home, taker = asyncio.get_running_loop(), Home(), Taker()
    trusted, connection = trusting(authorities), Upstream(home, ())
    await loop.create_connection(lambda: connection, "127.0.0.1", port, ssl=trusted, server_hostname="localhost")
    connection.begin(taker, "GET", HEAD, more=False)
    async with asyncio.timeout(30):
        while not home.gone:
            await turn()
    return taker.told, taker.content


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
@pytest.mark.parametrize(
    ("answer", "ends", "last"),
    [
        (UNTIL_END, said, "ended"),
        (UNTIL_END, cut, "ClosedEarly"),
        (COUNTED, said, "ClosedEarly"),
        (COUNTED, cut, "ClosedEarly"),
        (CHUNKED, said, "ClosedEarly"),
        (CHUNKED, cut, "ClosedEarly"),
    ],
    ids=["until the end", "until a cut", "counted", "counted, cut", "in chunks", "in chunks, cut"],
)
async def test_only_an_end_that_the_app_said_is_one(
    authority: Authority, version: ssl.TLSVersion, answer: bytes, ends: Any, last: str
) -> None:
    context = authority.server(LOCALHOST)
    context.minimum_version = context.maximum_version = version
    with app(context, answer, ends) as port:
        words, content = await told(port, authority.file)
    assert (words[-1], content) == (last, b"hello")
    assert words.count("ended") == (last == "ended")
