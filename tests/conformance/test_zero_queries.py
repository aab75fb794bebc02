"""A warm check asks the database nothing, shown in three ways: with a pool that explodes, by the pool's own count, and by
PostgreSQL's (``pg_stat_statements``), which sees whatever is sent, by whomever. Only the ear's heartbeats may be there,
and their number depends on the clock alone.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import psycopg
import pytest

import serving
from asking import Line, question, request
from conformance.gateways import Gateway, furnish
from databases import Cluster
from gateway import tokens
from gateway.storage.embedded import Embedded
from serving import COOKIE, Served

CHECKS = 10_000
CONNECTIONS = 4
PIPELINE = 20
HEARTBEAT = "SELECT pg_notify($1, $2)"
SNAPSHOT = """
SELECT query, calls FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
WHERE d.datname = current_database() AND query NOT LIKE '%pg_stat_statements%'
"""

JOURNEYS: dict[str, tuple[int, dict[str, str]]] = {
    "a session, let in": (200, {"cookie": "{alice}"}),
    "a session, let in by its group": (200, {"cookie": "{bob}", "host": "admin.example.com"}),
    "a session on a public path": (200, {"cookie": "{alice}", "host": "pub.example.com"}),
    "a session, refused by a group": (403, {"cookie": "{alice}", "host": "admin.example.com"}),
    "a session, refused by a rule": (403, {"cookie": "{alice}", "uri": "/internal"}),
    "a session without a second factor": (403, {"cookie": "{alice}", "host": "x.deep.example.com"}),
    "a session at no app": (403, {"cookie": "{alice}", "host": "other.org"}),
    "a key, let in": (200, {"key": "{key}"}),
    "a key, refused by a group": (403, {"key": "{key}", "host": "admin.example.com"}),
    "a key at an app that it does not name": (403, {"key": "{narrow}"}),
    "two people in one request": (403, {"cookie": "{alice}; {bob}"}),
    "nobody, let in": (200, {"host": "pub.example.com"}),
    "nobody, let in by a path": (200, {"uri": "/public/x"}),
    "nobody at the portal": (200, {"host": "auth.example.com"}),
    "nobody, sent to the login page": (302, {}),
    "nobody, told to sign in": (401, {"accept": "application/json"}),
    "nobody, refused by a rule": (403, {"uri": "/internal/x"}),
    "nobody at no app": (403, {"host": "other.org"}),
    "a session that has expired": (302, {"cookie": "{expired}"}),
    "a forged session": (302, {"cookie": "{alice^9}"}),
    "a session of another installation": (302, {"cookie": "{foreign}"}),
    "nonsense for a session": (302, {"cookie": "{nonsense}"}),
    "a forged key": (302, {"key": "{key^9}"}),
    "a session that was ended": (302, {"cookie": "{ended}"}),
    "a key that was ended": (302, {"key": "{ended-key}"}),
    "a question that cannot be read": (400, {"method": "get"}),
}
"""Every kind of caller with every outcome."""


def asked(gateway: Gateway, how: dict[str, str]) -> bytes:
    """The question of a journey."""
    filled = {name: _filled(gateway, name, text) for name, text in how.items()}
    return request("GET", "/auth/traefik", question(**filled))  # type: ignore[arg-type]


def _filled(gateway: Gateway, name: str, text: str) -> str:
    for word, token in (gateway.words | {"nonsense": "nonsense"}).items():
        text = text.replace(f"{{{word}}}", f"{COOKIE}={token}" if name == "cookie" else token)
    return text


def warm(served: Served) -> Gateway:
    """A gateway where every journey has been made once, with sessions and keys that ended meanwhile."""
    made = furnish(served)
    number, cookie = served.session("alice")
    key, token = served.key("alice")
    made.words |= {"ended": cookie.partition("=")[2], "ended-key": token}
    with psycopg.connect(served.url, autocommit=True) as connection:
        connection.execute("UPDATE gateway.sessions SET ended_at = now() WHERE id = %s", (number,))
        connection.execute("UPDATE gateway.api_keys SET ended_at = now() WHERE id = %s", (key,))
    served.heard()  # what is heard later makes memory forget what was just asked
    with Line(served.address) as line:
        for status, how in JOURNEYS.values():
            line.send(asked(made, how))
            answer = line.answer()
            assert answer is not None
            assert answer.status == status
    return made


@pytest.fixture(scope="module")
def exploding(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A warm gateway whose pool raises whenever anybody asks it for a connection."""
    with cluster.database() as url, serving.serve(url, tmp_path_factory.mktemp("exploding")) as served:
        made = warm(served)
        pool = served.gateway.store.pool
        kept = pool.getconn

        async def explode(*_: object, **__: object) -> object:
            raise AssertionError("a warm check asked for a connection")

        pool.getconn = explode  # type: ignore[method-assign, assignment]
        yield made
        pool.getconn = kept  # type: ignore[method-assign]


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_warm_check_needs_no_connection(exploding: Gateway, journey: str) -> None:
    status, how = JOURNEYS[journey]
    before, misses = exploding.served.queries(), exploding.served.gateway.cache.misses
    with Line(exploding.served.address) as line:
        for _ in range(3):
            line.send(asked(exploding, how))
            answer = line.answer()
            assert answer is not None
            assert answer.status == status
    assert exploding.served.queries() == before
    assert exploding.served.gateway.cache.misses == misses


def test_the_exploding_pool_does_explode(exploding: Gateway) -> None:
    """Or the tests above would prove nothing: a cold check there is a 503."""
    cold = {"cookie": "{cold}"}
    exploding.words["cold"] = _minted(exploding)
    with Line(exploding.served.address) as line:
        line.send(asked(exploding, cold))
        answer = line.answer()
        assert answer is not None
        assert answer.status == 503


def _minted(gateway: Gateway) -> str:
    return tokens.mint(gateway.ring, "session", int(gateway.served.gateway.ground.wall()) + 60)


@contextmanager
def counting_cluster() -> Iterator[Cluster]:
    """A PostgreSQL of our own, because only a start can load what counts statements."""
    directory = Path(tempfile.mkdtemp(prefix="gw-"))
    try:
        with Embedded(directory, throwaway=True) as server, psycopg.connect(server.attach() or "") as connection:
            connection.autocommit = True
            connection.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
            connection.execute("ALTER SYSTEM SET pg_stat_statements.track = 'all'")
        with Embedded(directory, throwaway=True) as server:
            yield Cluster(server.attach() or "")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def test_ten_thousand_checks_send_postgresql_nothing_but_heartbeats(tmp_path: Path) -> None:
    with counting_cluster() as cluster, cluster.database() as url, psycopg.connect(url, autocommit=True) as counts:
        counts.execute("CREATE EXTENSION pg_stat_statements")
        with serving.serve(url, tmp_path) as served:
            gateway = warm(served)
            before, hits = served.queries(), served.gateway.cache.hits
            heard = served.gateway.ear.queries["listener"]
            counts.execute("SELECT pg_stat_statements_reset()")
            ask_everything(gateway)
            said = counts.execute(SNAPSHOT).fetchall()
            assert {query for query, _ in said} <= {HEARTBEAT}, said
            assert sum(calls for _, calls in said) <= served.gateway.ear.queries["listener"] - heard
            assert served.queries() == before
            assert served.gateway.cache.hits - hits == expected_hits()
            prove_that_it_counts(gateway, counts)


def ask_everything(gateway: Gateway) -> None:
    """All journeys in turn, pipelined, over a few connections that stay open."""
    sent = [(status, asked(gateway, how)) for status, how in JOURNEYS.values()]
    lines = [Line(gateway.served.address) for _ in range(CONNECTIONS)]
    for line, batch in zip(cycle(lines), batches(islice(cycle(sent), CHECKS)), strict=False):
        line.send(b"".join(data for _, data in batch))
        for status, _ in batch:
            answer = line.answer()
            assert answer is not None
            assert answer.status == status
    for line in lines:
        line.close()


def batches(checks: Iterator[tuple[int, bytes]]) -> Iterator[tuple[tuple[int, bytes], ...]]:
    while batch := tuple(islice(checks, PIPELINE)):
        yield batch


def expected_hits() -> int:
    """Every check is a hit but those that could not be read."""
    asked = [status for status, _ in islice(cycle(JOURNEYS.values()), CHECKS)]
    return len([status for status in asked if status != 400])


def prove_that_it_counts(gateway: Gateway, counts: psycopg.Connection) -> None:
    """One cold check is seen by PostgreSQL: so none of the others was."""
    gateway.words["cold"] = _minted(gateway)
    with Line(gateway.served.address) as line:
        line.send(asked(gateway, {"cookie": "{cold}"}))
        answer = line.answer()
        assert answer is not None
        assert answer.status == 302
    queries = [query for query, _ in counts.execute(SNAPSHOT).fetchall()]
    assert any("FROM lookup(" in query for query in queries)
