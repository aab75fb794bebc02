"""Apps and rules as stored: what is written is what is read, and only what changed is touched."""

from __future__ import annotations

import psycopg
import pytest

from gateway.errors import Conflict
from gateway.model import App, Rule
from gateway.storage import apps
from gateway.storage.answers import stored_policy
from gateway.storage.pool import TENANT, Store

pytestmark = pytest.mark.anyio
FULL = App(
    name="photos",
    title="Photos",
    hosts=("photos.example.com", "*.photos.example.com"),
    rules=(
        Rule("bypass", path="/share/", methods=("GET",), networks=("10.0.0.0/8",), outage=False),
        Rule("one_factor", path_exact="/", path_regex="^/x", users=("alice",), groups=("family",)),
        Rule("deny"),
    ),
    upstream="http://immich:2283",
    authorization="gateway",
    preflight="pass",
    origins=("https://other.example.com",),
    headers=(("X-Name", "{user}"), ("X-Mail", "{email}")),
    upgrades=("spdy/3.1", "tcp"),
)
SMALL = App("files", "", ("files.example.com",), (Rule("one_factor"),))


async def put(store: Store, wanted: list[App], changed: set[str]) -> tuple[int, list[App]]:
    async with store.transaction("test") as tx:
        await apps.lock(tx, 5)
        await apps.replace(tx, wanted, changed)
    async with store.transaction("test") as tx:
        stored = await stored_policy(tx)
    assert {tenant for tenant, _ in stored.apps} <= {TENANT}
    return stored.revision, [app for _, app in stored.apps]


async def test_every_field_of_an_app_comes_back_as_it_was_written(store: Store) -> None:
    _, stored = await put(store, [FULL, SMALL], {"photos", "files"})
    assert stored == [FULL, SMALL]


async def test_only_what_changed_is_touched_and_what_is_gone_is_removed(store: Store, psql: psycopg.Connection) -> None:
    await put(store, [FULL, SMALL], {"photos", "files"})
    number = psql.execute("SELECT id FROM apps WHERE name = 'files'").fetchone()
    rows = psql.execute("SELECT xmin::text FROM apps WHERE name = 'photos'").fetchone()
    moved = App("files", "Files", ("new.example.com",), (Rule("deny"),))
    _, stored = await put(store, [FULL, moved], {"files"})
    assert stored == [FULL, moved]
    assert psql.execute("SELECT id FROM apps WHERE name = 'files'").fetchone() == number
    assert psql.execute("SELECT xmin::text FROM apps WHERE name = 'photos'").fetchone() == rows
    assert (await put(store, [], set()))[1] == []


@pytest.mark.parametrize("count", [1, 300])
async def test_so_many_apps_are_as_many_statements_as_one(store: Store, count: int) -> None:
    wanted = [App(f"app{n}", "", (f"{n}.example.com",), (Rule("deny", path="/x"),) * 4) for n in range(count)]
    async with store.transaction("test") as tx:
        before = store.queries["test"]
        await apps.replace(tx, wanted, {app.name for app in wanted})
        assert store.queries["test"] - before == 6
        stored = await stored_policy(tx)
    assert [app for _, app in stored.apps] == wanted


async def test_two_apps_may_swap_their_hosts(store: Store) -> None:
    one, two = App("one", "", ("a.example.com",)), App("two", "", ("b.example.com",))
    await put(store, [one, two], {"one", "two"})
    swapped = [App("one", "", two.hosts), App("two", "", one.hosts)]
    assert (await put(store, swapped, {"one", "two"}))[1] == swapped


async def test_each_change_moves_the_revision(store: Store) -> None:
    first, _ = await put(store, [SMALL], {"files"})
    second, _ = await put(store, [FULL, SMALL], {"photos", "files"})
    third, _ = await put(store, [], set())
    assert first < second < third


@pytest.mark.parametrize(
    "written",
    ["h2c", "H2C", "h2", "http/1.1", "tls/1.0", "tlsv1", "websocket", "websocket/13", "TCP", "x,h2c", "x h2c"],
)
async def test_not_even_a_hand_opens_a_tunnel_that_nobody_judges(
    store: Store, psql: psycopg.Connection, written: str
) -> None:
    await put(store, [SMALL], {"files"})
    with pytest.raises(psycopg.errors.CheckViolation):
        psql.execute("UPDATE apps SET upgrades = ARRAY['tcp', %s]", (written,))
    psql.execute("UPDATE apps SET upgrades = '{tcp,spdy/3.1,h2x,http-like,x-tls}'")


async def test_a_hand_that_changes_upgrades_moves_the_revision(store: Store, psql: psycopg.Connection) -> None:
    before, _ = await put(store, [SMALL], {"files"})
    psql.execute("UPDATE apps SET upgrades = '{tcp}'")
    async with store.transaction("test") as tx:
        stored = await stored_policy(tx)
    assert stored.revision > before
    assert [app.upgrades for _, app in stored.apps] == [("tcp",)]


async def test_a_host_of_another_tenant_is_a_conflict(store: Store, psql: psycopg.Connection) -> None:
    psql.execute("INSERT INTO tenants (id, name) VALUES (2, 'other')")
    psql.execute("INSERT INTO apps (id, tenant_id, name) VALUES (9, 2, 'theirs')")
    psql.execute("INSERT INTO app_hosts (host, tenant_id, app_id) VALUES ('files.example.com', 2, 9)")
    with pytest.raises(Conflict, match="another tenant"):
        await put(store, [SMALL], {"files"})


async def test_a_file_is_known_as_the_last_an_earlier_one_or_never_applied(store: Store) -> None:
    async with store.transaction("test") as tx:
        for digest in ("a" * 64, "b" * 64):
            await apps.note(tx, digest, "test")
        known = [await apps.applied_before(tx, letter * 64) for letter in "abc"]
    assert known == [False, True, None]
