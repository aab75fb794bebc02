"""Four workers behind one port are one replica: every connection may reach another one, and nobody can tell."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from asking import Answer, ask, question, request
from databases import Cluster
from gateway.services import sessions, users
from gateway.services.ground import Ground
from gateway.storage import fence, ringfile
from gateway.storage.fence import Acks
from gateway.storage.pool import Store
from processes import Server, environment
from serving import APPS, COOKIE, PASSWORD

WORKERS = 4
SESSIONS = 20
CHECKS = 200


class Replica(Server):
    """``gateway serve --workers 4``, a writer beside it, and what its metrics say."""

    def __init__(self, url: str, directory: Path) -> None:
        super().__init__(environment(url, directory), "--workers", str(WORKERS))
        self.url, self.directory = url, directory

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels, on a connection of its own."""
        text = ask(self.internal, request("GET", "/metrics")).body.decode()
        samples = (one for family in text_string_to_metric_families(text) for one in family.samples)
        return sum(
            one.value for one in samples if one.name == f"gateway_{name}" and labels.items() <= one.labels.items()
        )

    def complete(self) -> Replica:
        """Once every worker serves."""
        ends = time.monotonic() + 60
        while self.metric("workers") != WORKERS:
            assert time.monotonic() < ends, f"it is not complete, having said:\n{self.said.decode()}"
            threading.Event().wait(0.02)
        return self

    def workers(self) -> dict[int, psutil.Process]:
        family = psutil.Process(self.popen.pid).children()
        return {one.pid: one for one in family if "multiprocessing.spawn" in " ".join(one.cmdline())}

    def fresh(self, cookie: str | None = None) -> Answer:
        """One check on a connection that nobody had before."""
        return ask(self.address, request("GET", "/auth/traefik", question(cookie=cookie)))

    def warm(self, cookie: str) -> None:
        """Until each of the four has this session in memory: in each it was a miss once."""
        before = self.metric("cache_misses_total")
        while self.metric("cache_misses_total") - before < WORKERS:
            assert self.fresh(cookie).status == 200


@contextmanager
def writing(replica: Replica) -> Iterator[tuple[Ground, asyncio.Runner]]:
    """A writer in this process, as the command line is one, and the loop that it runs on."""
    ring = ringfile.read(replica.directory / "keys.json")
    with asyncio.Runner() as runner:
        store = Store(replica.url, 2)
        runner.run(store.open())
        acks = fence.acknowledgements(replica.url)
        heard: Acks = runner.run(acks.__aenter__())
        try:
            yield Ground(store, heard, lambda: ring, time.time), runner
        finally:
            runner.run(acks.__aexit__(None, None, None))
            runner.run(store.close())


@pytest.fixture(scope="module")
def replica(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """One for all tests here, so they look at what is added to its counts; each leaves four workers behind."""
    directory = tmp_path_factory.mktemp("replica")
    (directory / "apps.yaml").write_text(APPS)
    with cluster.database() as url:
        made = Replica(url, directory)
        try:
            made.ready()
            made.complete()
            with writing(made) as (ground, runner):
                runner.run(users.add(ground, "test", "alice", PASSWORD, ["users"]))
            yield made
        finally:
            made.stop()


def session(ground: Ground, runner: asyncio.Runner) -> tuple[int, str]:
    number, token = runner.run(sessions.create(ground, "test", "alice", 3600.0, "example.com"))
    assert runner.run(fence.raise_fence(ground.store, ground.acks)) == ()
    return number, f"{COOKIE}={token}"


def test_a_revocation_that_returned_holds_on_every_fresh_connection(replica: Replica) -> None:
    with writing(replica) as (ground, runner):
        for turn in range(SESSIONS):
            number, cookie = session(ground, runner)
            replica.warm(cookie)
            assert runner.run(sessions.revoke(ground, "test", number)) == ()
            assert [replica.fresh(cookie).status for _ in range(CHECKS)] == [302] * CHECKS, f"revocation {turn}"
    assert len(replica.workers()) == WORKERS


def test_every_worker_answers_for_all_and_not_one_check_is_left_out(replica: Replica) -> None:
    before = replica.metric("decisions_total", outcome="challenge", door="traefik")
    for asked in (50, 100, 150):
        for _ in range(50):
            assert replica.fresh().status == 302
        told = {replica.metric("decisions_total", outcome="challenge", door="traefik") for _ in range(20)}
        assert told == {before + asked}
    assert replica.metric("workers_silent") == 0
    assert replica.metric("hearing") == 1


class Asking(threading.Thread):
    """Somebody who asks on fresh connections until told to end."""

    def __init__(self, replica: Replica, cookie: str) -> None:
        super().__init__(name="asking")
        self._replica, self._cookie, self._ends = replica, cookie, threading.Event()
        self.statuses: list[int] = []
        self.broken = 0

    def run(self) -> None:
        while not self._ends.is_set():
            try:
                self.statuses.append(self._replica.fresh(self._cookie).status)
            except (AssertionError, ConnectionError):  # closed without an answer
                self.broken += 1

    def end(self) -> None:
        self._ends.set()
        self.join(20)
        assert not self.is_alive()


def test_a_killed_worker_is_replaced_while_the_port_goes_on_answering_and_no_count_is_lost(replica: Replica) -> None:
    with writing(replica) as (ground, runner):
        number, cookie = session(ground, runner)
        asking = Asking(replica, cookie)
        asking.start()
        for _ in range(3):
            victim = next(iter(replica.workers().values()))
            before = replica.metric("decisions_total")
            victim.send_signal(signal.SIGKILL)
            victim.wait(10)
            assert replica.metric("decisions_total") >= before
            replica.complete()
            assert replica.metric("decisions_total") >= before
            assert victim.pid not in replica.workers()
        asking.end()
        assert set(asking.statuses) == {200}
        assert asking.broken <= 3, "only what a killed worker had accepted may break"
        assert runner.run(sessions.revoke(ground, "test", number)) == (), "the new ones hear as the old did"
        assert [replica.fresh(cookie).status for _ in range(CHECKS)] == [302] * CHECKS


def test_counts_are_exact_after_a_worker_ended_in_good_order(replica: Replica) -> None:
    before = replica.metric("decisions_total")
    for _ in range(100):
        replica.fresh()
    victim = next(iter(replica.workers().values()))
    victim.terminate()
    victim.wait(20)
    replica.complete()
    assert replica.metric("decisions_total") == before + 100


def test_a_stopped_worker_is_named_and_what_it_had_counted_is_shown(replica: Replica) -> None:
    before = replica.metric("decisions_total")
    for _ in range(100):
        replica.fresh()
    assert replica.metric("decisions_total") == before + 100
    stopped = next(iter(replica.workers().values()))
    stopped.suspend()
    try:
        assert replica.metric("workers_silent") == 1
        assert replica.metric("workers") == WORKERS - 1
        assert replica.metric("decisions_total") == before + 100
        replica.wait_for(f'"pid": {stopped.pid}')
    finally:
        stopped.resume()


def test_a_worker_that_cannot_start_is_tried_again_while_the_others_answer(replica: Replica, cluster: Cluster) -> None:
    """One that dies while the database takes nobody in must not take the other three along."""
    name = urlsplit(replica.url).path[1:]
    with psycopg.connect(cluster.admin, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        next(iter(replica.workers().values())).kill()
        replica.wait_for('"code": 3')
        assert replica.fresh().status == 302
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
    replica.complete()
    assert replica.fresh().status == 302
