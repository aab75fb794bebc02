"""What was done, by whom, to what. Written inside the transaction that did it; never holds a secret or a path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from gateway.storage.pool import Connection


class Record(NamedTuple):
    """One line of the audit."""

    at: str
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]


async def record(tx: Connection, actor: str, action: str, subject: str, **detail: Any) -> None:
    """Write one line."""
    await tx.execute(
        "INSERT INTO audit (tenant_id, actor, action, subject, detail) VALUES (tenant(), %s, %s, %s, %s)",
        (actor, action, subject, Jsonb(detail)),
    )


async def listing(tx: Connection, tenant: int, most: int) -> list[Record]:
    """The newest lines first. The runtime role only writes the audit; whoever reads it may become the lookup role."""
    await tx.execute("SET LOCAL ROLE gateway_lookup")
    rows = await tx.execute("SELECT at::text, actor, action, subject, detail FROM read_audit(%s, %s)", (tenant, most))
    return [Record(*row) for row in await rows.fetchall()]
