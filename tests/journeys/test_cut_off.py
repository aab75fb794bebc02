"""One replica is cut off from the database while another revokes: the caller is told, and the wrong yes has an end."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from processes import GATEWAY, Server, environment, servers
from serving import APPS, COOKIE, PASSWORD
from wires import Wire, wire

GRACE, OUTAGE = 1.0, 4.0


class Pair(NamedTuple):
    """A replica that hears, one behind a wire, and how to type a command."""

    near: Server
    far: Server
    line: Wire
    variables: dict[str, str]

    def type(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [GATEWAY, *arguments]
        done = subprocess.run(command, env=self.variables, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done


@pytest.fixture
def pair(database: str, tmp_path: Path) -> Iterator[Pair]:
    (tmp_path / "apps.yaml").write_text(APPS)
    bounds = {"GATEWAY_CACHE_GRACE": f"{GRACE:.0f}s", "GATEWAY_CACHE_OUTAGE": f"{OUTAGE:.0f}s"}
    variables = environment(database, tmp_path, **bounds)
    with (
        wire(database) as line,
        servers(variables) as (near,),
        servers({**variables, "GATEWAY_DATABASE_URL": line.url}) as (far,),
    ):
        made = Pair(near, far, line, variables)
        made.type("user", "add", "alice", stdin=PASSWORD + "\n")
        yield made


def test_who_cannot_hear_is_named_and_stops_answering_from_memory_within_its_bound(pair: Pair) -> None:
    told = pair.type("session", "create", "alice")
    cookie = f"{COOKIE}={told.stdout.strip()}"
    assert pair.near.check(cookie=cookie).status == pair.far.check(cookie=cookie).status == 200

    pair.line.cut()
    cut = time.monotonic()
    number = pair.type("session", "list", "--json").stdout.split('"id": ')[1].partition(",")[0]
    revoked = pair.type("session", "revoke", number)

    assert f"{pair.far.name} did not acknowledge" in revoked.stderr
    assert pair.near.name not in revoked.stderr
    assert pair.near.check(cookie=cookie).status == 302
    assert last_yes(pair.far, cookie) <= cut + OUTAGE
    assert pair.far.check(cookie=cookie).status == 503
    assert pair.far.check("pub.example.com").status == 503


def test_a_replica_that_hears_again_has_forgotten_what_it_missed(pair: Pair) -> None:
    cookies = [f"{COOKIE}={pair.type('session', 'create', 'alice').stdout.strip()}" for _ in range(2)]
    assert [pair.far.check(cookie=cookie).status for cookie in cookies] == [200, 200]
    pair.line.cut()
    pair.type("session", "revoke", pair.type("session", "list", "--json").stdout.split('"id": ')[1].partition(",")[0])
    pair.far.wait_for("deaf")
    pair.line.mend()
    answers = settled(pair.far, cookies)
    assert sorted(answers) == [200, 302]


def last_yes(server: Server, cookie: str) -> float:
    """When the last request that was let in had been sent. Whoever was asked later has refused."""
    last = 0.0
    while True:
        sent = time.monotonic()
        if server.check(cookie=cookie).status != 200:
            return last
        last = sent


def settled(server: Server, cookies: list[str]) -> list[int]:
    """The answers, once it answers at all again."""
    while True:
        answers = [server.check(cookie=cookie).status for cookie in cookies]
        if 503 not in answers and answers != [200, 200]:
            return answers
