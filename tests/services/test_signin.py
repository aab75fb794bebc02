"""Signing in: how many at once, and what a password is worth that changes while it is verified."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from endpoints.person import Person
from gateway.errors import StoreBusy
from gateway.logins import password
from gateway.model import Refusal
from gateway.services import signin, users
from gateway.services.signin import QUEUE, THREADS, Attempt, Tokens
from serving import COOKIE, PASSWORD, Served

ALICE = Attempt("alice", PASSWORD)


@contextmanager
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Verification that waits until the end of this block; the function waits for so many to have begun."""
    go, begun, finish = threading.Event(), threading.Semaphore(0), password.finish

    def waiting(*args: Any) -> Any:
        begun.release()
        assert go.wait(30)
        return finish(*args)

    monkeypatch.setattr(password, "finish", waiting)
    try:
        yield lambda number: [begun.acquire(timeout=30) for _ in range(number)].clear()
    finally:
        go.set()


def attempts(served: Served, number: int) -> list[asyncio.Task[Any]]:
    """So many sign-ins, begun on the server's loop."""

    async def begin() -> list[asyncio.Task[Any]]:
        made = [asyncio.create_task(served.gateway.signin.sign_in(ALICE)) for _ in range(number)]
        while served.gateway.signin.busy < number:
            await asyncio.wait(made, timeout=0, return_when=asyncio.FIRST_COMPLETED)
        return made

    return served.call(begin())


def outcomes(served: Served, tasks: list[asyncio.Task[Any]]) -> list[Any]:
    async def wait() -> list[Any]:
        return await asyncio.gather(*tasks, return_exceptions=True)

    return served.call(wait())


def test_passwords_are_verified_by_few_threads_and_the_rest_wait(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.user("alice")
    with held(monkeypatch) as begun:
        tasks = attempts(served, THREADS + 3)
        begun(THREADS)
        assert served.gateway.signin.busy == THREADS + 3
    assert all(isinstance(outcome, Tokens) for outcome in outcomes(served, tasks))
    assert served.gateway.signin.busy == 0


def test_one_more_than_the_queue_is_told_to_come_again_and_nobody_else_is_harmed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.user("alice")
    _, cookie = served.session("alice")
    late = Person(served)
    fields = {**late.form(), "username": "alice", "password": PASSWORD}
    with held(monkeypatch) as begun:
        tasks = attempts(served, QUEUE)
        begun(THREADS)
        answer = late.post("/login", fields)
        assert answer.status == 503
        assert answer["retry-after"] == "1"
        assert not answer.all("set-cookie")
        assert served.check(cookie=cookie)["remote-user"] == "alice"
        assert late.get("/login").status == 200
    assert all(isinstance(outcome, Tokens) for outcome in outcomes(served, tasks))
    assert late.post("/login", fields).status == 200


def test_the_bound_is_the_same_for_names_that_nobody_has(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.user("alice")
    with held(monkeypatch) as begun:
        tasks = attempts(served, QUEUE)
        begun(THREADS)
        for name in ("nobody", "no name at all", ""):
            with pytest.raises(StoreBusy):
                served.call(served.gateway.signin.sign_in(Attempt(name, "x")))
    outcomes(served, tasks)


def test_verifying_holds_no_connection(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.user("alice")
    size = served.gateway.settings.database.pool_size
    with held(monkeypatch) as begun:
        tasks = attempts(served, size * 2)
        begun(THREADS)
        assert served.gateway.store.pool.get_stats()["pool_available"] == size
    outcomes(served, tasks)


# A password that changes meanwhile -----------------------------------------------------------------------------------


def test_a_password_that_changes_while_it_is_verified_opens_nothing(
    served: Served, psql: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.user("alice")
    with held(monkeypatch) as begun:
        tasks = attempts(served, 1)
        begun(1)
        assert served.call(users.set_password(served.gateway.ground, "test", "alice", "another password")) == ()
    assert outcomes(served, tasks) == [password.REFUSED]
    assert psql.execute("SELECT count(*) FROM sessions").fetchone() == (0,)


def test_an_account_that_is_closed_while_its_password_is_verified_opens_nothing(
    served: Served, psql: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.user("alice")
    with held(monkeypatch) as begun:
        tasks = attempts(served, 1)
        begun(1)
        served.call(users.disable(served.gateway.ground, "test", "alice"))
    assert outcomes(served, tasks) == [password.REFUSED]
    assert psql.execute("SELECT count(*) FROM sessions").fetchone() == (0,)


def test_who_changes_a_password_waits_for_the_sign_in_that_it_would_miss(served: Served, database: str) -> None:
    """Without the lock a session of the old password could appear behind the statement that ends them all."""
    served.user("alice")
    with psycopg.connect(database) as other, ThreadPoolExecutor(1) as pool:
        other.execute("SET search_path = gateway")
        other.execute("UPDATE factors SET secret = 'x' WHERE kind = 'password'")
        signing = pool.submit(lambda: served.call(served.gateway.signin.sign_in(ALICE)))
        while not waits_for_a_lock(database):
            assert not signing.done(), "it did not wait for the change"
        other.execute("UPDATE sessions SET ended_at = now()")
        other.commit()
        assert isinstance(signing.result(30), Refusal)


def waits_for_a_lock(database: str) -> bool:
    with psycopg.connect(database) as looking:
        return looking.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone() is not None


# What a sign-in leaves -----------------------------------------------------------------------------------------------


def test_a_sign_in_is_one_parent_one_child_and_one_line_of_audit(served: Served, psql: psycopg.Connection) -> None:
    served.user("alice")
    made = served.call(served.gateway.signin.sign_in(Attempt("alice", PASSWORD, "x" * 300)))
    assert isinstance(made, Tokens)
    rows = psql.execute(
        "SELECT kind, audience, parent_id IS NULL, length(label), level FROM sessions ORDER BY id"
    ).fetchall()
    assert rows == [("portal", "", True, 256, 1), ("session", "example.com", False, 256, 1)]
    assert psql.execute("SELECT action FROM audit WHERE action LIKE 'session%'").fetchall() == [("session.sign_in",)]
    assert served.check(cookie=f"{COOKIE}={made.session}").status == 200


def test_a_refusal_is_one_question_and_writes_nothing(served: Served, psql: psycopg.Connection) -> None:
    served.user("alice")
    before = psql.execute("SELECT count(*) FROM audit").fetchone()
    assert served.call(served.gateway.signin.sign_in(ALICE._replace(password="no"))) == password.REFUSED
    assert served.call(served.gateway.signin.sign_in(Attempt("nobody", "no"))) == password.REFUSED
    assert psql.execute("SELECT count(*) FROM audit").fetchone() == before


def test_signing_out_twice_is_no_error(served: Served) -> None:
    served.user("alice")
    made = served.call(served.gateway.signin.sign_in(ALICE))
    assert isinstance(made, Tokens)
    for _ in range(2):
        assert served.call(served.gateway.signin.sign_out(made.portal.encode())) == ()
    assert served.check(cookie=f"{COOKIE}={made.session}").status == 302


def test_after_closing_no_password_is_taken(served: Served) -> None:
    served.user("alice")
    served.gateway.signin.close()
    with pytest.raises(RuntimeError):
        served.call(served.gateway.signin.sign_in(ALICE))
    assert signin.THREADS == 2
