"""Users, their groups and their password factor, row by row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from psycopg.errors import UniqueViolation

from gateway.errors import Conflict
from gateway.storage.pool import Connection


class User(NamedTuple):
    """One person, as stored."""

    id: int
    name: str
    display: str
    email: str
    disabled: bool
    groups: tuple[str, ...]
    created: str


_SELECT = """
SELECT u.id, u.name, u.display, u.email, u.disabled_at IS NOT NULL,
  ARRAY(SELECT g.name FROM memberships m JOIN groups g ON g.id = m.group_id WHERE m.user_id = u.id ORDER BY g.name),
  u.created_at::text
FROM users u
"""


async def add(tx: Connection, name: str, display: str, email: str) -> int:
    """A new row; Conflict where the name is or was somebody's."""
    try:
        rows = await tx.execute(
            "INSERT INTO users (tenant_id, name, display, email) VALUES (tenant(), %s, %s, %s) RETURNING id",
            (name, display, email),
        )
    except UniqueViolation:
        raise Conflict(f"there is or was a user called {name}; names are never given twice") from None
    return _number(await rows.fetchone())


async def listing(tx: Connection) -> list[User]:
    """Everybody, by name."""
    rows = await tx.execute(_SELECT + " ORDER BY u.name")
    return [_user(row) for row in await rows.fetchall()]


async def named(tx: Connection, name: str) -> User | None:
    """One person by name."""
    row = await (await tx.execute(_SELECT + " WHERE u.name = %s", (name,))).fetchone()
    return None if row is None else _user(row)


async def factors(tx: Connection, user: int) -> frozenset[str]:
    """The kinds of factor this person could show."""
    rows = await tx.execute("SELECT DISTINCT kind FROM factors WHERE user_id = %s", (user,))
    return frozenset(str(row[0]) for row in await rows.fetchall())


async def set_disabled(tx: Connection, user: int, disabled: bool) -> None:
    """Close or open an account; its sessions and keys prove nobody meanwhile."""
    await tx.execute("UPDATE users SET disabled_at = CASE WHEN %s THEN now() END WHERE id = %s", (disabled, user))


async def delete(tx: Connection, user: int) -> None:
    """Remove a person with everything of theirs; the name stays used."""
    await tx.execute("DELETE FROM users WHERE id = %s", (user,))


async def set_groups(tx: Connection, user: int, groups: Iterable[str]) -> None:
    """Replace the groups; makes those that do not exist."""
    names = list(groups)
    await tx.execute(
        "INSERT INTO groups (tenant_id, name) SELECT tenant(), unnest(%s::text[]) ON CONFLICT DO NOTHING", (names,)
    )
    await tx.execute(
        "DELETE FROM memberships m USING groups g WHERE m.user_id = %s AND g.id = m.group_id AND g.name <> ALL (%s)",
        (user, names),
    )
    await tx.execute(
        "INSERT INTO memberships (tenant_id, user_id, group_id) SELECT tenant(), %s, id FROM groups"
        " WHERE name = ANY (%s) ON CONFLICT DO NOTHING",
        (user, names),
    )


async def set_password(tx: Connection, user: int, digest: str) -> None:
    """Set or replace the password factor."""
    await tx.execute(
        "INSERT INTO factors (tenant_id, user_id, kind, secret) VALUES (tenant(), %s, 'password', %s)"
        " ON CONFLICT (user_id) WHERE kind = 'password' DO UPDATE SET secret = excluded.secret, created_at = now()",
        (user, digest),
    )


async def password(tx: Connection, name: str) -> tuple[int, str] | None:
    """The id and password digest of somebody who is not disabled."""
    rows = await tx.execute(
        "SELECT u.id, f.secret FROM users u JOIN factors f ON f.user_id = u.id AND f.kind = 'password'"
        " WHERE u.name = %s AND u.disabled_at IS NULL",
        (name,),
    )
    row = await rows.fetchone()
    return None if row is None else (row[0], row[1])


async def keeps_password(tx: Connection, user: int, digest: str) -> bool:
    """Whether ``digest`` is the password of ``user`` still, until this transaction ends: who changes it waits, and then
    finds whatever was made here."""
    rows = await tx.execute(
        "SELECT f.secret = %s FROM users u JOIN factors f ON f.user_id = u.id AND f.kind = 'password'"
        " WHERE u.id = %s AND u.disabled_at IS NULL FOR SHARE OF u, f",
        (digest, user),
    )
    return await rows.fetchone() == (True,)


def _user(row: tuple[object, ...]) -> User:
    number, name, display, email, disabled, groups, created = row
    assert isinstance(number, int)  # noqa: S101 - for mypy
    assert isinstance(groups, list)  # noqa: S101 - for mypy
    return User(number, str(name), str(display), str(email), bool(disabled), tuple(groups), str(created))


def _number(row: tuple[object, ...] | None) -> int:
    assert row is not None  # noqa: S101 - RETURNING answers one row; for mypy
    assert isinstance(row[0], int)  # noqa: S101 - for mypy
    return row[0]
