"""Conformance cases of sessions that need more than one exchange: expiry, idleness, rotated keys, a store that is away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

import serving
from asking import Answer
from databases import Cluster
from gateway import tokens
from gateway.services import keyring
from gateway.settings import Cache
from serving import COOKIE, Served


def shape(answer: Answer) -> tuple[int, list[str], bytes]:
    """What an answer tells a stranger: status, names of headers, body."""
    return answer.status, [name for name, _ in answer.headers], answer.body


def until(condition: Callable[[], bool]) -> None:
    """Ask again until it is so; a test's own time limit ends what never is."""
    while not condition():
        pass


def test_an_expired_session_is_answered_as_none_at_all(served: Served, psql: psycopg.Connection) -> None:
    """C185, by the database's clock; by the token's own see the rows."""
    served.user("alice")
    number, cookie = served.session("alice")
    psql.execute("UPDATE sessions SET expires_at = now() - interval '1 second' WHERE id = %s", (number,))
    assert shape(served.check(cookie=cookie)) == shape(served.check())
    assert served.check(cookie=cookie, host="pub.example.com")["remote-user"] == ""
    before = served.queries()
    assert served.check(cookie=cookie).status == 302
    assert served.queries() == before


@pytest.mark.parametrize(("since", "status"), [("6 days", 200), ("8 days", 302)])
def test_a_session_ends_when_it_was_idle_for_too_long(
    served: Served, psql: psycopg.Connection, since: str, status: int
) -> None:
    """C197. There is no remember-me: every sign-in lasts for the same limits, which the configuration names."""
    served.user("alice")
    number, cookie = served.session("alice")
    psql.execute("UPDATE sessions SET idle = interval '7 days' WHERE id = %s", (number,))
    psql.execute("UPDATE session_seen SET last_seen = now() - %s::interval WHERE session_id = %s", (since, number))
    assert served.check(cookie=cookie).status == status


def test_a_rotated_key_is_good_inside_its_window_and_a_withdrawn_one_is_not(served: Served) -> None:
    """C188: what the old key signed stays valid until it is withdrawn, warm or not, and is then a stranger's."""
    served.user("alice")
    _, old = served.session("alice")
    assert served.check(cookie=old).status == 200
    file = served.gateway.settings.server.keys_file
    assert served.call(keyring.rotate(served.gateway.ground, "test", file)).silent == ()
    _, new = served.session("alice")
    assert key_id(old) != key_id(new)
    assert served.check(cookie=old).status == served.check(cookie=new).status == 200
    assert served.call(keyring.replace(served.gateway.ground, "test", file)).silent == ()
    before = served.queries()
    assert served.check(cookie=old).status == served.check(cookie=new).status == 302
    assert served.queries() == before


def key_id(cookie: str) -> str:
    """The part of a token that names the key that signed it."""
    return cookie.partition("=")[2][4:9]


def test_a_token_that_nobody_was_given_is_asked_about_once(served: Served) -> None:
    """A valid MAC without a row: one question, then memory says no."""
    served.user("alice")
    later = int(served.gateway.ground.wall()) + 60
    cookie = f"{COOKIE}={tokens.mint(served.gateway.cache.ring, 'session', later)}"
    before = served.queries()["recall"]
    assert [served.check(cookie=cookie).status for _ in range(3)] == [302] * 3
    assert served.queries()["recall"] == before + 1


def test_without_the_store_nobody_new_is_let_in_and_afterwards_they_are(cluster: Cluster, tmp_path: Path) -> None:
    """C201: 503 for whom memory does not know, with a time to come again and no cookie taken away; then it recovers."""
    chosen = serving.settings(tmp_path, cache=Cache(grace=1.0))
    with cluster.database() as url, serving.serve(url, tmp_path, chosen) as served:
        served.user("alice")
        (_, warm), (_, cold) = served.session("alice"), served.session("alice")
        assert served.check(cookie=warm).status == 200
        with psycopg.connect(cluster.admin, autocommit=True) as admin:
            close(admin, url, closed=True)
            for host in ("app.example.com", "admin.example.com", "pub.example.com"):
                assert_come_again(served.check(host, cookie=cold))
            until(lambda: served.check(cookie=warm).status != 200)  # deaf for longer than the grace
            assert_come_again(served.check(cookie=warm))
            close(admin, url, closed=False)
            until(lambda: served.check(cookie=cold).status == 200)
            assert served.check(cookie=warm)["remote-user"] == "alice"


def assert_come_again(answer: Answer) -> None:
    assert answer.status == 503
    assert answer["retry-after"] == "1"
    assert not answer.all("set-cookie")
    assert not any(name.startswith("remote-") for name, _ in answer.headers)


def close(admin: psycopg.Connection, url: str, *, closed: bool) -> None:
    """Take a database away from everybody, or give it back."""
    name = url.rpartition("/")[2].partition("?")[0]
    admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {not closed}'.encode())
    if closed:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
