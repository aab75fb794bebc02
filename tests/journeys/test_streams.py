"""What is open ends with its right, at every replica, and with no other: rights are taken away in all ways there are."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from databases import Cluster
from journeys.carrying import FAMILY, Replicas, carrying
from journeys.open_streams import SIZE, WITHIN, Download, Stream, WebSocket, everything, have_ended
from relay.autobahn import TEXT, frame
from relay.behind import Met


@pytest.fixture(scope="module")
def shared(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    with cluster.database() as url, carrying(url, tmp_path_factory.mktemp("streams"), {}, {}) as replicas:
        yield replicas


@pytest.fixture
def replicas(shared: Replicas) -> Iterator[Replicas]:
    """They have the first rules again behind each test."""
    yield shared
    shared.apply()


class Scene:
    """Somebody, signed in at the second replica, has one of everything open at both, and so has somebody else."""

    def __init__(self, replicas: Replicas, stack: ExitStack) -> None:
        self.replicas, self._stack = replicas, stack
        self.name, self.other = replicas.somebody(), replicas.somebody()
        self.portal = replicas.signed_in(self.name)
        self.hers = self._open(self.portal.app_cookie)
        self.others = self._open(replicas.cookie(self.other))

    def _open(self, cookie: str) -> list[Stream]:
        opened = [everything(server.address, self.replicas.app, cookie) for server in self.replicas.running]
        return [stream for one in opened for stream in self._stack.enter_context(one)]


@pytest.fixture
def scene(replicas: Replicas) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(replicas, stack)


# Ways to take a right away --------------------------------------------------------------------------------------------


def revoke(scene: Scene) -> None:
    scene.replicas.type("session", "revoke", "--user", scene.name)


def sign_out(scene: Scene) -> None:
    assert scene.portal.sign_out().status == 200


def disable(scene: Scene) -> None:
    scene.replicas.type("user", "disable", scene.name)


def delete(scene: Scene) -> None:
    scene.replicas.type("user", "delete", scene.name)


def take_group(scene: Scene) -> None:
    scene.replicas.type("user", "groups", scene.name, "friends")


def deny_by_rule(scene: Scene) -> None:
    scene.replicas.apply(f"{{policy: deny, users: [{scene.name}]}}, {FAMILY}")


WAYS: list[tuple[Callable[[Scene], None], int]] = [
    (revoke, 401),
    (sign_out, 401),
    (disable, 401),
    (delete, 401),
    (take_group, 403),
    (deny_by_rule, 403),
]
"""Each, and what is said where nothing was answered yet."""


@pytest.mark.parametrize(("way", "status"), WAYS, ids=[way.__name__ for way, _ in WAYS])
def test_everything_open_ends_with_the_right_and_nothing_of_anybody_else(
    scene: Scene, way: Callable[[Scene], None], status: int
) -> None:
    way(scene)
    have_ended(scene.hers, time.monotonic(), status)
    for stream in scene.others:
        stream.goes_on()


def test_an_app_that_is_taken_away_is_left_by_everybody(scene: Scene) -> None:
    scene.replicas.apply(text="apps: [{{name: none, hosts: [none.example.com], rules: [{{policy: deny}}]}}]")
    have_ended([*scene.hers, *scene.others], time.monotonic(), 403)


def test_what_is_changed_beside_it_ends_nothing(scene: Scene) -> None:
    replicas = scene.replicas
    replicas.cookie(scene.name)
    listed = replicas.type("session", "list", "--user", scene.name, "--json").stdout
    replicas.type("session", "revoke", str(json.loads(listed)[0]["id"]))
    replicas.type("user", "groups", scene.name, "family", "friends")
    replicas.type("user", "disable", replicas.somebody())
    replicas.apply(f"{{policy: deny, path: /elsewhere/}}, {{policy: deny, users: [nobody]}}, {FAMILY}")
    # By now somebody has been judged for each of these changes: whoever ends by the last one has been.
    replicas.type("session", "revoke", "--user", scene.other)
    have_ended(scene.others, time.monotonic(), 401)
    for stream in scene.hers:
        stream.goes_on()


def test_what_is_open_at_any_worker_of_a_server_ends(database: str, tmp_path: Path) -> None:
    with carrying(database, tmp_path, {}, GATEWAY_SERVER_WORKERS="2") as replicas, ExitStack() as stack:
        person, (server,) = replicas.signed_in(replicas.somebody()), replicas.running
        opened = [everything(server.address, replicas.app, person.app_cookie) for _ in range(6)]  # some at each
        streams = [stream for one in opened for stream in stack.enter_context(one)]
        assert person.sign_out().status == 200
        have_ended(streams, time.monotonic(), 401)


# Where it ends --------------------------------------------------------------------------------------------------------

FRAME = b"\x82\x7e\x03\xe8" + b"y" * 1000


def test_a_frame_that_is_under_way_arrives_before_the_close(replicas: Replicas) -> None:
    person = replicas.signed_in(replicas.somebody())
    with closing(WebSocket(replicas.running[0].address, replicas.app, person.app_cookie)) as stream:
        stream.passes_to_client(FRAME[:500])
        assert person.sign_out().status == 200
        since = time.monotonic()
        stream.passes_to_client(FRAME[500:])
        assert stream.ended(since) == 1008


def test_a_frame_that_a_client_has_begun_is_finished_before_the_app_hears_of_the_end(replicas: Replicas) -> None:
    person, sent = replicas.signed_in(replicas.somebody()), frame(TEXT, b"z" * 1000)
    with closing(WebSocket(replicas.running[0].address, replicas.app, person.app_cookie)) as stream:
        stream.line.send(sent[:500])
        assert stream.app.body(500) == sent[:500]
        assert person.sign_out().status == 200
        stream.line.send(sent[500:])
        assert stream.app.body(len(sent) - 500) == sent[500:]
        assert stream.app.body(2) == b"\x88\x82"  # a Close frame, masked as a client's


# What moves all the time ----------------------------------------------------------------------------------------------


class Flood(Download):
    """A download whose app never stops sending. ``got`` is how much of it the client has taken."""

    def __init__(self, *where: object, reads: bool) -> None:
        super().__init__(*where)  # type: ignore[arg-type]  # as they came
        self.got, self.enough = 0, threading.Event()
        self.threads = [threading.Thread(target=self._pump)] + [threading.Thread(target=self._read)] * reads
        for thread in self.threads:
            thread.start()

    def begin(self, app: Met) -> None:
        app.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % 10**15)
        Met(self.line.socket).until(b"\r\n\r\n")

    def is_over(self, until: float) -> bool:
        """Whether neither end is busy any more."""
        for thread in self.threads:
            thread.join(max(0.01, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self.threads)

    def _pump(self) -> None:
        """Until the gateway takes no more; where nobody reads, it waits in here."""
        piece = b"x" * SIZE
        try:
            while True:
                self.app.send(piece)
        except OSError:
            pass

    def _read(self) -> None:
        try:
            while data := self.line.socket.recv(SIZE):
                self.got += len(data)
                if self.got > 50 * SIZE:
                    self.enough.set()
        except ConnectionResetError:
            pass


def test_a_download_in_full_swing_is_cut_off(replicas: Replicas) -> None:
    name = replicas.somebody()
    with closing(Flood(replicas.running[0].address, replicas.app, replicas.cookie(name), reads=True)) as flood:
        assert flood.enough.wait(30)
        replicas.type("session", "revoke", "--user", name)
        assert flood.is_over(time.monotonic() + WITHIN)


def test_a_download_that_nobody_takes_is_cut_off(replicas: Replicas) -> None:
    name = replicas.somebody()
    with closing(Flood(replicas.running[0].address, replicas.app, replicas.cookie(name), reads=False)) as flood:
        replicas.type("session", "revoke", "--user", name)
        assert flood.is_over(time.monotonic() + WITHIN)
        assert flood.rest(time.monotonic() + WITHIN)[1] == "reset"
