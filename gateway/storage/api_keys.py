"""API keys, row by row. Digests only, never a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gateway.storage.pool import Connection


class ApiKey(NamedTuple):
    """One living key, as people see it. ``apps`` None: every app that its owner may open."""

    id: int
    user: str
    label: str
    apps: tuple[str, ...] | None
    created: str
    expires: str | None
    last_seen: str | None


async def add(
    tx: Connection, user: int, digest: bytes, label: str, apps: Sequence[str] | None, seconds: float | None
) -> int:
    """A new key; ``seconds`` until it expires, None for never."""
    rows = await tx.execute(
        "INSERT INTO api_keys (tenant_id, user_id, digest, label, apps, expires_at)"
        " VALUES (tenant(), %s, %s, %s, %s, now() + make_interval(secs => %s)) RETURNING id",
        (user, digest, label, None if apps is None else list(apps), seconds),
    )
    row = await rows.fetchone()
    assert row is not None  # noqa: S101 - RETURNING answers one row; for mypy
    await tx.execute("INSERT INTO api_key_seen (tenant_id, api_key_id) VALUES (tenant(), %s)", (row[0],))
    return int(row[0])


async def listing(tx: Connection, user: str | None = None) -> list[ApiKey]:
    """Living keys, newest first; of one person where ``user`` is given."""
    rows = await tx.execute(
        "SELECT k.id, u.name, k.label, k.apps, k.created_at::timestamptz(0)::text, k.expires_at::timestamptz(0)::text,"
        " seen.last_seen::timestamptz(0)::text FROM api_keys k JOIN users u ON u.id = k.user_id"
        " LEFT JOIN api_key_seen seen ON seen.api_key_id = k.id"
        " WHERE k.ended_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())"
        " AND (%(user)s::text IS NULL OR u.name = %(user)s) ORDER BY k.id DESC",
        {"user": user},
    )
    return [_key(row) for row in await rows.fetchall()]


async def end(tx: Connection, key: int) -> bool:
    """Revoke one key; False where there is no such living key."""
    rows = await tx.execute(
        "UPDATE api_keys SET ended_at = now() WHERE id = %s AND ended_at IS NULL RETURNING id", (key,)
    )
    return await rows.fetchone() is not None


async def end_all(tx: Connection) -> None:
    """Revoke every key there is."""
    await tx.execute("UPDATE api_keys SET ended_at = now() WHERE ended_at IS NULL")


def _key(row: tuple[Any, ...]) -> ApiKey:
    number, user, label, apps, created, expires, last_seen = row
    return ApiKey(number, user, label, None if apps is None else tuple(apps), created, expires, last_seen)
