"""Last uses are collected in memory and written off the path: at shutdown, and again after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

import serving
from gateway import clocks
from gateway.errors import StoreBusy
from gateway.model import Credential
from gateway.services import batches
from gateway.storage import seen
from serving import Served

AGE = "UPDATE session_seen SET last_seen = now() - interval '10 minutes'"


def flush(served: Served) -> None:
    served.call(batches.flush(served.gateway.cache, served.gateway.store, clocks.boot))


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> Iterator[None]:
    """Writing fails in the middle of its transaction."""

    async def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(seen, "write", fail)
        yield


def recent(connection: psycopg.Connection, table: str) -> list[bool]:
    """Of each row, whether it was used within the last minute."""
    column = sql.Identifier("last_access" if table == "app_seen" else "last_seen")
    asked = sql.SQL("SELECT {} > now() - interval '1 minute' FROM {}").format(column, sql.Identifier(table))
    return [row[0] for row in connection.execute(asked).fetchall()]


def test_a_stop_writes_what_was_collected(database: str, psql: psycopg.Connection, tmp_path: Path) -> None:
    with serving.serve(database, tmp_path) as served:
        served.user("alice")
        (_, cookie), (_, key) = served.session("alice"), served.key("alice")
        psql.execute(AGE)
        psql.execute("UPDATE api_key_seen SET last_seen = now() - interval '10 minutes'")
        assert served.check(cookie=cookie).status == served.check(key=key).status == 200
        assert recent(psql, "session_seen") == [False]
        assert recent(psql, "app_seen") == []
    assert recent(psql, "session_seen") == [True]
    assert recent(psql, "api_key_seen") == [True]
    assert recent(psql, "app_seen") == [True]


@pytest.mark.parametrize("error", [StoreBusy("full"), RuntimeError("odd"), asyncio.CancelledError()], ids=repr)
def test_a_flush_that_failed_keeps_what_it_could_not_write(
    served: Served, psql: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    served.user("alice")
    _, cookie = served.session("alice")
    psql.execute(AGE)
    assert served.check(cookie=cookie).status == 200
    cache = served.gateway.cache
    kept = dict(cache.seen), dict(cache.accessed)
    with failing(monkeypatch, error), pytest.raises((type(error), CancelledError)):
        flush(served)
    assert (cache.seen, cache.accessed) == kept
    flush(served)
    assert (cache.seen, cache.accessed) == ({}, {})
    assert recent(psql, "session_seen") == [True]


def test_a_use_that_came_while_a_flush_failed_is_the_one_that_is_kept(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, credential = served.gateway.cache, Credential("session", b"d" * 32)
    cache.seen, cache.accessed = {credential: 1.0}, {"app": 1.0}

    async def used_meanwhile(*_: object) -> None:
        cache.seen[credential] = cache.accessed["app"] = 2.0
        raise StoreBusy("full")

    monkeypatch.setattr(seen, "write", used_meanwhile)
    with pytest.raises(StoreBusy):
        flush(served)
    assert (cache.seen, cache.accessed) == ({credential: 2.0}, {"app": 2.0})


def test_nothing_collected_asks_for_no_connection(served: Served) -> None:
    before = served.queries()
    flush(served)
    assert served.queries() == before


def test_many_checks_are_one_line_of_each_kind(served: Served) -> None:
    served.user("alice")
    _, cookie = served.session("alice")
    for _ in range(20):
        served.check(cookie=cookie)
    before = served.queries().get("batch", 0)
    flush(served)
    assert served.queries()["batch"] - before <= 4  # BEGIN with the tenant, one statement a kind, COMMIT


@pytest.mark.anyio
@pytest.mark.parametrize("error", [StoreBusy("full"), ValueError("a row that nobody foresaw")], ids=repr)
async def test_the_task_goes_on_after_any_failure(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    turns: list[str] = []
    done = asyncio.Event()

    async def flush_once(*_: Any) -> None:
        turns.append("flush")
        if len(turns) == 3:
            done.set()
        raise error

    said: list[Exception] = []
    monkeypatch.setattr(batches, "flush", flush_once)
    monkeypatch.setattr(batches, "EVERY", 0.0)
    nothing: Any = None
    task = asyncio.create_task(batches.keep_flushing(nothing, nothing, clocks.boot, said.append))
    await asyncio.wait_for(done.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert said[:2] == [error, error]


def test_an_app_that_is_deleted_meanwhile_stops_nothing(served: Served, psql: psycopg.Connection) -> None:
    served.user("alice")
    _, cookie = served.session("alice")
    psql.execute(AGE)
    assert served.check(cookie=cookie).status == 200
    psql.execute("DELETE FROM apps WHERE name = 'app'")
    psql.execute("DELETE FROM sessions")
    flush(served)
    assert recent(psql, "app_seen") == []
