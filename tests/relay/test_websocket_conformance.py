"""What a WebSocket server answers through the gateway is what it answers without it, however a client behaves.

A raw socket plays each case against a real echo server twice, once directly and once through the gateway; all that comes
back has to be the same: the handshake, every frame, the close code, and how the connection ends. The cases are those of the
Autobahn TestSuite; where they come from stands in ``autobahn_cases`` and ``autobahn_deflate``.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

import serving
from databases import Cluster
from relay import autobahn_cases, autobahn_deflate
from relay.autobahn import CLOSE, NORMAL, Conversation, Heard, frame
from relay.autobahn_cases import Case
from relay.autobahn_deflate import Deflated

APPS = """
apps:
  - name: plain
    hosts: [plain.example.com]
    upstream: http://127.0.0.1:{plain}
    rules: [{{policy: one_factor}}]
  - name: deflated
    hosts: [deflated.example.com]
    upstream: http://127.0.0.1:{deflated}
    rules: [{{policy: one_factor}}]
"""


class Stand(NamedTuple):
    """The gateway, its cookie, and the ports of both servers: one without compression, one with."""

    gateway: tuple[str, int]
    cookie: str
    ports: dict[str, int]

    def both(self, app: str, offer: str = "") -> Iterator[Conversation]:
        """A conversation with the server itself, and one through the gateway."""
        headers = {"Host": f"{app}.example.com", "Cookie": self.cookie}
        for address in (("127.0.0.1", self.ports[app]), self.gateway):
            with Conversation(address, headers, offer) as talk:
                yield talk


async def _echo(connection: ServerConnection) -> None:
    with suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


@contextmanager
def _servers() -> Iterator[dict[str, int]]:
    loop, started = asyncio.new_event_loop(), threading.Event()
    ports: dict[str, int] = {}
    over = asyncio.Event()

    async def run() -> None:
        bounds = {"ping_interval": None, "max_size": None}
        async with (
            serve(_echo, "127.0.0.1", 0, compression=None, **bounds) as plain,  # type: ignore[arg-type]  # mixed values
            serve(_echo, "127.0.0.1", 0, **bounds) as deflated,  # type: ignore[arg-type]  # mixed values
        ):
            ports.update(plain=plain.sockets[0].getsockname()[1], deflated=deflated.sockets[0].getsockname()[1])
            started.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), name="echo")
    thread.start()
    assert started.wait(10)
    yield ports
    loop.call_soon_threadsafe(over.set)
    thread.join(10)
    loop.close()


@pytest.fixture(scope="module")
def stand(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    directory: Path = tmp_path_factory.mktemp("conformance")
    with (
        _servers() as ports,
        cluster.database() as url,
        serving.serve(url, directory, apps=APPS.format(**ports)) as served,
    ):
        served.user("alice")
        yield Stand(served.address, served.session("alice")[1], ports)


def played(case: Case, talk: Conversation) -> Heard:
    for step in case.steps():
        if isinstance(step, int):
            talk.until(step)
        else:
            talk.send(step)
    return talk.finish()


@pytest.mark.parametrize("case", list(autobahn_cases.cases()), ids=lambda case: case.number)
def test_a_case_goes_through_the_gateway_as_it_goes_directly(stand: Stand, case: Case) -> None:
    directly, through = (played(case, talk) for talk in stand.both("plain"))
    assert through == directly
    assert (directly.end, directly.rest) == ("fin", b"")
    if case.code is not None:
        assert directly.code == case.code


@pytest.mark.parametrize("case", list(autobahn_deflate.cases()), ids=lambda case: case.number)
def test_compressed_messages_pass_as_they_are(stand: Stand, case: Deflated) -> None:
    heard = []
    for talk in stand.both("deflated", case.offer):
        case.play(talk)
        assert autobahn_deflate.unpacked(talk) == case.messages
        talk.send(frame(CLOSE, NORMAL))
        heard.append(talk.finish())
    directly, through = heard
    assert through == directly
    assert (directly.end, directly.code) == ("fin", 1000)
