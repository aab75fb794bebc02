"""``ground``: what a use case stands on where no server runs: a store, the acknowledgements of whoever hears, a ring."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.services.ground import Ground
from gateway.storage import migrate, ringfile
from gateway.storage.fence import acknowledgements
from gateway.storage.pool import Store


@pytest.fixture
async def ground(database: str, tmp_path: Path) -> AsyncIterator[Ground]:
    with migrate.connect(database) as connection:
        ring = ringfile.open_ring(tmp_path / "keys.json", connection)
    store = Store(database, 2)
    await store.open()
    async with acknowledgements(database) as acks:
        yield Ground(store, acks, lambda: ring, time.time)
    await store.close()
