"""API keys, row by row."""

from __future__ import annotations

from hashlib import sha256

import psycopg
import pytest

from gateway.storage import api_keys, users
from gateway.storage.pool import Connection, Store

pytestmark = pytest.mark.anyio


async def add(tx: Connection, user: int, label: str, apps: list[str] | None, seconds: float | None) -> int:
    return await api_keys.add(tx, user, sha256(label.encode()).digest(), label, apps, seconds)


async def test_living_keys_are_listed_and_dead_ones_are_not(store: Store, psql: psycopg.Connection) -> None:
    async with store.transaction("test") as tx:
        alice, bob = await users.add(tx, "alice", "", ""), await users.add(tx, "bob", "", "")
        await add(tx, alice, "all", None, None)
        await add(tx, alice, "two", ["photos", "files"], 3600)
        await add(tx, bob, "bob's", [], None)
        ended, expired = await add(tx, alice, "ended", None, None), await add(tx, alice, "expired", None, 3600)
        assert await api_keys.end(tx, ended)
        assert not await api_keys.end(tx, ended)
        assert not await api_keys.end(tx, 999)
    psql.execute("UPDATE api_keys SET expires_at = now() WHERE id = %s", (expired,))
    async with store.transaction("test") as tx:
        keys = await api_keys.listing(tx, "alice")
        assert [(key.label, key.apps) for key in keys] == [("two", ("photos", "files")), ("all", None)]
        assert [key.expires is None for key in keys] == [False, True]
        assert [key.apps for key in await api_keys.listing(tx, "bob")] == [()]
        assert len(await api_keys.listing(tx)) == 3
