"""Use cases of users: each is one transaction with one record in the audit, and what is refused leaves nothing behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from gateway.errors import Conflict, NotFound, Refused
from gateway.passwords import verify_password
from gateway.services import api_keys, sessions, users
from gateway.services.ground import Ground
from serving import PASSWORD

pytestmark = pytest.mark.anyio
UseCase = Callable[..., Awaitable[Any]]

CHANGES: dict[str, tuple[UseCase, tuple[Any, ...], str]] = {
    "disable": (users.disable, (), "user.disable"),
    "enable": (users.enable, (), "user.enable"),
    "delete": (users.delete, (), "user.delete"),
    "password": (users.set_password, ("another battery",), "user.password"),
    "groups": (users.set_groups, (["friends"],), "user.groups"),
}


def actions(psql: psycopg.Connection) -> list[tuple[str, str, str]]:
    return psql.execute("SELECT actor, action, subject FROM audit ORDER BY id").fetchall()


def count(psql: psycopg.Connection, table: str) -> int:
    row = psql.execute(SQL("SELECT count(*) FROM {}").format(Identifier(table))).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_user_is_added_with_groups_and_a_password(ground: Ground, psql: psycopg.Connection) -> None:
    number = await users.add(ground, "me", "alice", PASSWORD, ["b", "a"], "Alice", "a@example.com")
    shown = await users.show(ground, "alice")
    assert (shown.id, shown.display, shown.email, shown.groups) == (number, "Alice", "a@example.com", ("a", "b"))
    assert actions(psql) == [("me", "user.add", f"user:{number}")]
    [(digest,)] = psql.execute("SELECT secret FROM factors").fetchall()
    assert verify_password(digest, PASSWORD)
    assert PASSWORD not in str(psql.execute("SELECT audit::text, factors::text FROM audit, factors").fetchall())


@pytest.mark.parametrize("what", CHANGES)
async def test_each_change_is_written_down_once(ground: Ground, psql: psycopg.Connection, what: str) -> None:
    use_case, given, action = CHANGES[what]
    number = await users.add(ground, "me", "alice", PASSWORD, ["family"])
    await use_case(ground, "me", "alice", *given)
    assert actions(psql)[1:] == [("me", action, f"user:{number}")]


@pytest.mark.parametrize("what", CHANGES)
async def test_nobody_is_not_found_and_nothing_is_written_down(
    ground: Ground, psql: psycopg.Connection, what: str
) -> None:
    use_case, given, _ = CHANGES[what]
    with pytest.raises(NotFound, match="no user called alice"):
        await use_case(ground, "me", "alice", *given)
    assert actions(psql) == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"name": ""}, "no user name"),
        ({"name": "Alice"}, "no user name"),
        ({"name": "-alice"}, "no user name"),
        ({"name": "a" * 65}, "no user name"),
        ({"name": "alice\n"}, "no user name"),
        ({"name": "\u0430lice"}, "no user name"),
        ({"groups": ["a,b"]}, "no group name"),
        ({"groups": ["ok", ""]}, "no group name"),
        ({"groups": ["admins\n"]}, "no group name"),
        ({"password": "1234567"}, "8 characters"),
        ({"password": "x" * 1025}, "1024 at most"),
        ({"password": "half a pair \ud800"}, "not UTF-8"),
        ({"display": "x" * 257}, "display name"),
        ({"display": "a\x00b"}, "display name"),
        ({"email": "x" * 255}, "email address"),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_is_written(
    ground: Ground, psql: psycopg.Connection, given: dict[str, Any], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        await users.add(ground, "me", **({"name": "alice", "password": PASSWORD} | given))
    for table in ("users", "groups", "factors", "audit", "used_names"):
        assert count(psql, table) == 0, table


async def test_names_at_the_edges_are_names(ground: Ground) -> None:
    for name in ("a", "0", "a" * 64, "a.b_c@d-e"):
        await users.add(ground, "me", name, PASSWORD, ["A", "a b.c_d:e-f", "x" * 64])
    assert len(await users.listing(ground)) == 4


async def test_a_name_is_never_given_twice_not_even_after_a_removal(ground: Ground, psql: psycopg.Connection) -> None:
    await users.add(ground, "me", "alice", PASSWORD)
    for _ in range(2):
        with pytest.raises(Conflict, match="there is or was a user called alice"):
            await users.add(ground, "me", "alice", PASSWORD, ["admins"])
        if await users.listing(ground):
            await users.delete(ground, "me", "alice")
    assert psql.execute("SELECT count(*) FROM groups").fetchone() == (0,)


async def test_groups_are_replaced_in_one_step(ground: Ground) -> None:
    await users.add(ground, "me", "alice", PASSWORD, ["a", "b"])
    await users.add(ground, "me", "bob", PASSWORD, ["a"])
    await users.set_groups(ground, "me", "alice", ["b", "c", "c"])
    assert (await users.show(ground, "alice")).groups == ("b", "c")
    assert (await users.show(ground, "bob")).groups == ("a",)
    with pytest.raises(Refused):
        await users.set_groups(ground, "me", "alice", ["d", "/"])
    assert (await users.show(ground, "alice")).groups == ("b", "c")


async def test_a_new_password_ends_the_sessions_of_that_person_alone(ground: Ground, psql: psycopg.Connection) -> None:
    for name in ("alice", "bob"):
        await users.add(ground, "me", name, PASSWORD)
        await sessions.create(ground, "me", name, 60, "")
    await users.set_password(ground, "me", "alice", "another battery")
    assert [session.user for session in await sessions.listing(ground)] == ["bob"]
    with pytest.raises(Refused):
        await users.set_password(ground, "me", "bob", "short")
    assert [session.user for session in await sessions.listing(ground)] == ["bob"]


async def test_a_removal_takes_everything_but_the_name(ground: Ground, psql: psycopg.Connection) -> None:
    await users.add(ground, "me", "alice", PASSWORD, ["family"])
    await sessions.create(ground, "me", "alice", 60, "")
    await api_keys.create(ground, "me", "alice")
    await users.delete(ground, "me", "alice")
    for table in ("users", "factors", "memberships", "sessions", "session_seen", "api_keys", "api_key_seen"):
        assert count(psql, table) == 0, table
    assert psql.execute("SELECT name FROM used_names").fetchall() == [("alice",)]
