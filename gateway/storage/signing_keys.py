"""Which signing keys there are, by id: the keys themselves are never in the database. Changing a row announces it."""

from __future__ import annotations

from collections.abc import Collection

from gateway.storage.pool import Connection


async def lock(tx: Connection) -> None:
    """One rotation at a time, for the length of the transaction."""
    await tx.execute("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE")


async def match(tx: Connection, ids: Collection[str]) -> list[str]:
    """Make ``ids`` the keys that count; the others are withdrawn. Those that were withdrawn now."""
    listed = list(ids)
    await tx.execute("INSERT INTO signing_keys (id) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING", (listed,))
    rows = await tx.execute(
        "UPDATE signing_keys SET withdrawn_at = now() WHERE withdrawn_at IS NULL AND id <> ALL (%s) RETURNING id",
        (listed,),
    )
    return sorted(str(row[0]) for row in await rows.fetchall())
