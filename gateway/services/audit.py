"""Reading the audit. Writing it is part of each use case's own transaction."""

from __future__ import annotations

from gateway.services.ground import Ground
from gateway.storage import audit
from gateway.storage.audit import Record
from gateway.storage.pool import TENANT


async def listing(ground: Ground, most: int) -> list[Record]:
    """The newest lines first, at most ``most``."""
    async with ground.store.transaction("audit") as tx:
        return await audit.listing(tx, TENANT, most)
