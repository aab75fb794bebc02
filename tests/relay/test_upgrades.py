"""Another protocol than WebSocket, where the app's configuration names it: as Docker's API takes over a connection."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from databases import Cluster
from relay.by_hand import APPS, Ground, nothing_broke, standing

UPGRADING = APPS.replace("    rules:", "    upgrades: [tcp]\n    rules:")
ASKED = (b"POST /containers/1/attach HTTP/1.1", b"Connection: Upgrade", b"Upgrade: tcp")
SWITCHED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


@pytest.fixture(scope="module")
def ground(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with standing(cluster, tmp_path_factory.mktemp("upgrades"), UPGRADING) as made:
        yield made


def test_behind_the_request_both_sides_say_what_they_like(ground: Ground) -> None:
    with ground.client(ground.head(*ASKED)) as client:
        app = ground.app.take()
        head = app.until()
        assert b"\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n" in head
        app.send(SWITCHED + b"\0of the app")
        assert client.until() == SWITCHED
        assert client.exactly(11) == b"\0of the app"
        client.send(b"\xffof the client")
        assert app.exactly(14) == b"\xffof the client"
        client.finish()
        assert app.rest() == (b"", True)
        app.send(b"the last of it")
        app.close()
        assert client.rest() == (b"the last of it", True)


def test_a_request_with_a_body_changes_no_protocol(ground: Ground, caplog: pytest.LogCaptureFixture) -> None:
    """Where the body ends and the other protocol begins is read in several ways."""
    with ground.client(ground.head(*ASKED, b"Content-Length: 2") + b"{}") as client:
        assert client.status() == 400
        assert ground.app.strangers() == []
    nothing_broke(caplog)


def test_a_protocol_that_is_not_named_is_not_offered(ground: Ground) -> None:
    with ground.client(ground.head(b"GET / HTTP/1.1", b"Connection: Upgrade", b"Upgrade: spdy/3.1")) as client:
        assert b"upgrade" not in ground.app.asked().lower()
        assert client.status() == 200
