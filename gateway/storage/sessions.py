"""Sessions, row by row: portal sessions and the app sessions that are their children. Digests only, never a token."""

from __future__ import annotations

from typing import Any, NamedTuple

from gateway.storage.pool import Connection


class Session(NamedTuple):
    """One living session, as people see it."""

    id: int
    user: str
    kind: str
    label: str
    level: int
    created: str
    expires: str
    last_seen: str


class NewSession(NamedTuple):
    """What a sign-in makes. Times in seconds."""

    user: int
    kind: str
    digest: bytes
    absolute: float
    idle: float
    audience: str = ""
    label: str = ""
    parent: int | None = None
    level: int = 1


_LIVE = """
SELECT s.id, u.name, s.kind, s.label, s.level, s.created_at::timestamptz(0)::text, s.expires_at::timestamptz(0)::text,
  coalesce(seen.last_seen, s.created_at)::timestamptz(0)::text
FROM sessions s JOIN users u ON u.id = s.user_id
LEFT JOIN session_seen seen ON seen.session_id = coalesce(s.parent_id, s.id)
LEFT JOIN sessions parent ON parent.id = s.parent_id
WHERE s.ended_at IS NULL AND s.expires_at > now() AND parent.ended_at IS NULL
"""
_NEWEST = " ORDER BY s.created_at DESC, s.id DESC"


async def add(tx: Connection, new: NewSession) -> int:
    """A new session; a parent's row in ``session_seen`` serves its children too."""
    rows = await tx.execute(
        "INSERT INTO sessions (tenant_id, user_id, parent_id, kind, digest, audience, level, label, expires_at, idle)"
        " VALUES (tenant(), %(user)s, %(parent)s, %(kind)s, %(digest)s, %(audience)s, %(level)s, %(label)s,"
        " now() + make_interval(secs => %(absolute)s), make_interval(secs => %(idle)s)) RETURNING id",
        new._asdict(),
    )
    row = await rows.fetchone()
    assert row is not None  # noqa: S101 - RETURNING answers one row; for mypy
    if new.parent is None:
        await tx.execute("INSERT INTO session_seen (tenant_id, session_id) VALUES (tenant(), %s)", (row[0],))
    return int(row[0])


async def listing(tx: Connection, user: str | None = None) -> list[Session]:
    """Living sessions, newest first; of one person where ``user`` is given."""
    where, values = (" AND u.name = %s", (user,)) if user is not None else ("", ())
    rows = await tx.execute(_LIVE + where + _NEWEST, values)
    return [Session(*row) for row in await rows.fetchall()]


async def roots_of(tx: Connection, user: int) -> list[Session]:
    """One person's sign-ins: portal sessions, without their children."""
    rows = await tx.execute(_LIVE + " AND s.user_id = %s AND s.parent_id IS NULL" + _NEWEST, (user,))
    return [Session(*row) for row in await rows.fetchall()]


async def number_of(tx: Connection, digest: bytes) -> int | None:
    """The id of the session of this digest."""
    row = await (await tx.execute("SELECT id FROM sessions WHERE digest = %s", (digest,))).fetchone()
    return None if row is None else int(row[0])


async def end(tx: Connection, session: int, user: int | None = None) -> list[int]:
    """End one session and its children (of ``user`` only, where given); the ids that were living."""
    return await _end(tx, "(s.id = %s OR s.parent_id = %s) AND (%s::bigint IS NULL OR s.user_id = %s)",
                      (session, session, user, user))  # fmt: skip


async def end_digest(tx: Connection, digest: bytes) -> list[int]:
    """End the session of this digest, its children, and where it is a child its parent and siblings."""
    return await _end(
        tx,
        "EXISTS (SELECT FROM sessions own WHERE own.digest = %s"
        " AND coalesce(own.parent_id, own.id) = coalesce(s.parent_id, s.id))",
        (digest,),
    )


async def end_user(tx: Connection, user: int) -> list[int]:
    """End every session of one person."""
    return await _end(tx, "s.user_id = %s", (user,))


async def end_all(tx: Connection) -> None:
    """End every session there is."""
    await tx.execute("UPDATE sessions SET ended_at = now() WHERE ended_at IS NULL")


async def forget_ended(tx: Connection) -> None:
    """Drop rows that ended or expired a month ago."""
    await tx.execute(
        "DELETE FROM sessions WHERE ended_at < now() - interval '30 days' OR expires_at < now() - interval '30 days'"
    )


async def _end(tx: Connection, where: str, values: tuple[Any, ...]) -> list[int]:
    statement = f"UPDATE sessions s SET ended_at = now() WHERE s.ended_at IS NULL AND {where} RETURNING s.id"  # noqa: S608 - constants only
    rows = await tx.execute(statement, values)
    return [row[0] for row in await rows.fetchall()]
