"""Users, their groups and their password factor, row by row."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.errors import CheckViolation

from gateway.errors import Conflict
from gateway.storage import users
from gateway.storage.pool import Store

pytestmark = pytest.mark.anyio


async def add(store: Store, name: str) -> int:
    async with store.transaction("test") as tx:
        return await users.add(tx, name, "", "")


async def test_somebody_added_is_found_by_name_and_listed(store: Store) -> None:
    number = await add(store, "alice")
    await add(store, "aaron")
    async with store.transaction("test") as tx:
        found = await users.named(tx, "alice")
        assert found is not None
        assert (found.id, found.disabled, found.groups) == (number, False, ())
        assert [user.name for user in await users.listing(tx)] == ["aaron", "alice"]
        assert await users.named(tx, "nobody") is None


async def test_a_name_is_never_given_twice_even_when_its_owner_is_gone(store: Store) -> None:
    number = await add(store, "alice")
    with pytest.raises(Conflict):
        await add(store, "alice")
    async with store.transaction("test") as tx:
        await users.delete(tx, number)
        assert await users.listing(tx) == []
    with pytest.raises(Conflict, match="never given twice"):
        await add(store, "alice")


@pytest.mark.parametrize("name", ["", "Alice", "-a", "a b", "a,b", "a" * 65, "ä", "a\n", "a\x7f"])
async def test_the_schema_itself_refuses_a_name_that_apps_could_misread(psql: psycopg.Connection, name: str) -> None:
    with pytest.raises(CheckViolation):
        psql.execute("INSERT INTO users (tenant_id, name) VALUES (1, %s)", (name,))


@pytest.mark.parametrize("name", ["", " a", "a,b", "a" * 65, "ä", "a\n", "a;b"])
async def test_the_schema_itself_refuses_a_group_that_apps_could_misread(psql: psycopg.Connection, name: str) -> None:
    with pytest.raises(CheckViolation):
        psql.execute("INSERT INTO groups (tenant_id, name) VALUES (1, %s)", (name,))


async def test_groups_are_replaced_and_made_where_they_are_missing(store: Store) -> None:
    number = await add(store, "alice")
    for groups in (["b", "a"], ["b", "c"], []):
        async with store.transaction("test") as tx:
            await users.set_groups(tx, number, groups)
            found = await users.named(tx, "alice")
            assert found is not None
            assert found.groups == tuple(sorted(groups))


async def test_there_is_one_password_and_none_of_a_disabled_person(store: Store) -> None:
    number = await add(store, "alice")
    async with store.transaction("test") as tx:
        assert await users.password(tx, "alice") is None
        for digest in ("one", "two"):
            await users.set_password(tx, number, digest)
            assert await users.password(tx, "alice") == (number, digest)
        assert await users.factors(tx, number) == {"password"}
        await users.set_disabled(tx, number, True)
        assert await users.password(tx, "alice") is None
        await users.set_disabled(tx, number, False)
        assert await users.password(tx, "alice") == (number, "two")
