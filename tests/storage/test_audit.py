"""The audit: written by whoever acts, read by nobody who writes, changed by nobody."""

from __future__ import annotations

import psycopg
import pytest

from gateway.errors import StoreBusy
from gateway.storage import audit
from gateway.storage.pool import TENANT, Store

pytestmark = pytest.mark.anyio


async def test_records_are_listed_newest_first_and_of_one_tenant(store: Store, psql: psycopg.Connection) -> None:
    psql.execute("INSERT INTO tenants (id, name) VALUES (2, 'other')")
    psql.execute("INSERT INTO audit (tenant_id, actor, action) VALUES (2, 'x', 'theirs')")
    for action in ("one", "two", "three"):
        async with store.transaction("test") as tx:
            await audit.record(tx, "cli:root", action, "user:1", name="alice", groups=["a"])
    async with store.transaction("test") as tx:
        records = await audit.listing(tx, TENANT, 2)
    assert [record.action for record in records] == ["three", "two"]
    assert (records[0].actor, records[0].subject) == ("cli:root", "user:1")
    assert records[0].detail == {"name": "alice", "groups": ["a"]}


async def test_what_is_rolled_back_was_not_done(store: Store, psql: psycopg.Connection) -> None:
    with pytest.raises(KeyError):  # noqa: PT012 - the end of the block is what raises
        async with store.transaction("test") as tx:
            await audit.record(tx, "x", "x", "x")
            raise KeyError
    assert psql.execute("SELECT count(*) FROM audit").fetchone() == (0,)


@pytest.mark.parametrize(
    "statement", ["SELECT * FROM audit", "UPDATE audit SET actor = 'y'", "DELETE FROM audit", "TRUNCATE audit",
                  "SELECT * FROM read_audit(1, 9)"]
)  # fmt: skip
async def test_the_role_that_writes_it_can_do_nothing_else_with_it(store: Store, statement: str) -> None:
    with pytest.raises(StoreBusy, match="42501"):  # insufficient privilege
        async with store.transaction("test") as tx:
            await tx.execute(statement.encode())
