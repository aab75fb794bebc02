"""Last uses, written in batches: the later one wins, and unknown ones are nobody's."""

from __future__ import annotations

from hashlib import sha256

import psycopg
import pytest

from gateway.model import App, Credential
from gateway.storage import api_keys, apps, seen, sessions, users
from gateway.storage.pool import Store
from gateway.storage.sessions import NewSession

pytestmark = pytest.mark.anyio
AGES = (
    "SELECT (SELECT round(extract(epoch FROM now() - last_seen)) FROM session_seen),"
    " (SELECT round(extract(epoch FROM now() - last_seen)) FROM api_key_seen),"
    " (SELECT round(extract(epoch FROM now() - last_access)) FROM app_seen)"
)


def credential(kind: str, name: str) -> Credential:
    return Credential(kind, sha256(name.encode()).digest())


async def test_the_latest_use_is_kept_and_a_child_counts_for_its_parent(store: Store, psql: psycopg.Connection) -> None:
    parent, child, key = credential("portal", "parent"), credential("session", "child"), credential("api_key", "key")
    async with store.transaction("test") as tx:
        user = await users.add(tx, "alice", "", "")
        number = await sessions.add(tx, NewSession(user, "portal", parent.digest, 3600, 60))
        await sessions.add(tx, NewSession(user, "session", child.digest, 3600, 60, parent=number))
        await api_keys.add(tx, user, key.digest, "", None, None)
        await apps.replace(tx, [App("app", "", ("app.example.com",))], {"app"})
    psql.execute("UPDATE session_seen SET last_seen = now() - interval '1 hour'")
    psql.execute("UPDATE api_key_seen SET last_seen = now() - interval '1 hour'")
    unknown = {credential("session", "unknown"): 1.0}
    for uses, app in (
        ({parent: 3000.0, child: 2000.0, key: 2000.0} | unknown, 2000.0),
        ({child: 2500.0, key: 2500.0}, 2500.0),
    ):
        async with store.transaction("test") as tx:
            await seen.write(tx, uses, {"app": app, "unknown": 1.0})
        ages = psql.execute(AGES).fetchone()
        assert ages is not None
        assert all(2000 <= age <= 2010 for age in ages)


async def test_nothing_to_write_is_no_statement(store: Store) -> None:
    async with store.transaction("test") as tx:
        before = dict(store.queries)
        await seen.write(tx, {}, {})
        assert store.queries == before
