"""The schema's only door: applied once, in order, by whoever may, on the oldest and the newest PostgreSQL."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from databases import Cluster
from gateway.errors import CannotStart
from gateway.storage import migrate
from gateway.storage.embedded import Embedded
from gateway.storage.migrate import Migration
from gateway.storage.pool import Store

DEBIAN = Path("/usr/lib/postgresql/15/bin")
NAMES = [migration.name for migration in migrate.migrations()]


@pytest.fixture
def empty(cluster: Cluster) -> Iterator[str]:
    """A database in which nothing is."""
    with cluster.database("template1") as url:
        yield url


@pytest.fixture(scope="module", params=[None, DEBIAN], ids=["wheel", "PostgreSQL 15"])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server of its own, where no role of ours was ever made."""
    if request.param and not request.param.is_dir():
        pytest.skip(f"there are no binaries in {request.param}")
    with tempfile.TemporaryDirectory(prefix="gw-", ignore_cleanup_errors=True) as directory:
        candidates = [request.param] if request.param else None
        Path(directory).chmod(0o711)
        with Embedded(Path(directory, "data"), throwaway=True, candidates=candidates) as embedded:
            url = embedded.attach()
            assert url is not None
            yield url


@pytest.fixture
def deployer(server: str) -> str:
    """A database on that server, owned by a login that is no superuser."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE ROLE deployer LOGIN CREATEROLE PASSWORD 'deploys'")
        connection.execute("CREATE DATABASE deployed OWNER deployer")
    place = urlsplit(server)
    return place._replace(netloc="deployer:deploys@", path="/deployed").geturl()


@pytest.mark.anyio
async def test_a_login_that_is_no_superuser_migrates_and_serves(deployer: str) -> None:
    assert migrate.migrate(deployer) == NAMES
    assert migrate.migrate(deployer) == []
    migrate.check(deployer)
    store = Store(deployer, 1)
    await store.open()
    async with store.transaction("test") as tx:
        await tx.execute("INSERT INTO users (tenant_id, name) VALUES (1, 'alice')")
        row = await (await tx.execute("SELECT current_user::text, revision FROM lookup('{}', '{}')")).fetchone()
        assert row == ("gateway_runtime", 1)
        row = await (await tx.execute("SELECT apps FROM policy()")).fetchone()
        assert row == ([],)
        await tx.execute(
            "INSERT INTO api_keys (tenant_id, user_id, digest, expires_at) SELECT 1, id, sha256('k'), 'infinity' FROM users"
        )
        rows = await tx.execute("SELECT (proof).ends, (proof).refused FROM lookup('{}', ARRAY[sha256('k')])")
        assert await rows.fetchone() == (inf, "")
    await store.close()


def test_the_files_are_numbered_without_a_gap() -> None:
    assert [migration.version for migration in migrate.migrations()] == list(range(1, len(NAMES) + 1))
    assert all(name[:5] == f"{place:04}_" for place, name in enumerate(NAMES, 1))


def test_a_second_run_applies_nothing(empty: str) -> None:
    with pytest.raises(CannotStart, match=f"the database lacks {NAMES[0]}; run: gateway migrate"):
        migrate.check(empty)
    assert migrate.migrate(empty) == NAMES
    assert migrate.migrate(empty) == []
    migrate.check(empty)


def test_apps_from_before_there_were_upgrades_have_none(empty: str) -> None:
    migrate.migrate(empty, migrate.migrations()[:4])
    with migrate.connect(empty) as hand:
        hand.execute("INSERT INTO gateway.apps (tenant_id, name) VALUES (1, 'old')")
        assert migrate.migrate(empty)[0] == "0005_upgrades"
        rows = hand.execute(
            "SELECT app->>'name', app->'upgrades' FROM gateway.policy(), jsonb_array_elements(apps) app"
        )
        assert rows.fetchall() == [("old", [])]
    migrate.check(empty)


def test_a_file_that_was_changed_afterwards_is_refused(database: str) -> None:
    first, *rest = migrate.migrations()
    with pytest.raises(CannotStart, match=f"{first.name} was changed after it was applied"):
        migrate.migrate(database, [first._replace(sql=f"{first.sql} "), *rest])


def test_a_newer_schema_is_refused(database: str) -> None:
    with pytest.raises(CannotStart, match=rf"newer than this program \({NAMES[-1]}\)"):
        migrate.migrate(database, migrate.migrations()[:-1])


def test_a_migration_that_fails_leaves_nothing_of_itself(database: str, psql: psycopg.Connection) -> None:
    broken = Migration(len(NAMES) + 1, "9999_broken", "CREATE TABLE gateway.half (); SELECT 1 / 0")
    with pytest.raises(CannotStart, match="cannot migrate the database: division by zero"):
        migrate.migrate(database, [*migrate.migrations(), broken])
    assert psql.execute("SELECT to_regclass('gateway.half')").fetchone() == (None,)
    migrate.check(database)


def test_two_that_start_together_take_turns(empty: str) -> None:
    waiting = (
        "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
        " WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
    )
    with psycopg.connect(empty, autocommit=True) as holder, ThreadPoolExecutor(2) as threads:
        holder.execute("SELECT pg_advisory_lock(%s)", (migrate.LOCK,))
        runs = [threads.submit(migrate.migrate, empty) for _ in range(2)]
        while holder.execute(waiting).fetchone() != (2,):
            assert not any(run.done() for run in runs)
        holder.execute("SELECT pg_advisory_unlock_all()")
        assert sorted(run.result(60) for run in runs) == [[], NAMES]


def test_strangers_may_not_connect_to_the_database(empty: str) -> None:
    """Any role of a database can NOTIFY in it."""
    migrate.migrate(empty)
    asked = (
        "SELECT count(*) FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) AS given"
        " WHERE datname = current_database() AND given.grantee = 0 AND given.privilege_type = 'CONNECT'"
    )
    with migrate.connect(empty) as connection:
        assert connection.execute(asked).fetchone() == (0,)


def test_a_role_that_sees_every_tenant_is_refused(empty: str) -> None:
    with migrate.connect(empty) as connection:
        connection.execute("ALTER ROLE gateway_runtime BYPASSRLS")
        try:
            with pytest.raises(CannotStart, match="gateway_runtime exists already and sees every tenant"):
                migrate.migrate(empty)
        finally:
            connection.execute("ALTER ROLE gateway_runtime NOBYPASSRLS")


def test_a_login_that_may_not_become_our_role_is_told_what_to_grant(database: str, psql: psycopg.Connection) -> None:
    name = urlsplit(database).path[1:]
    psql.execute("CREATE ROLE visitor LOGIN PASSWORD 'visits'")
    psql.execute(f'GRANT CONNECT ON DATABASE "{name}" TO visitor'.encode())
    try:
        with pytest.raises(CannotStart, match=r"login visitor may not act as gateway_runtime.*GRANT gateway_runtime"):
            migrate.check(urlsplit(database)._replace(netloc="visitor:visits@").geturl())
    finally:
        psql.execute("DROP OWNED BY visitor")
        psql.execute("DROP ROLE visitor")


def test_a_database_that_is_not_there_is_one_sentence(empty: str) -> None:
    with pytest.raises(CannotStart, match=r"the database does not answer: [^\n]+$"):
        migrate.migrate(urlsplit(empty)._replace(path="/absent").geturl())


DRIFT = [
    ("ALTER TABLE sessions DISABLE TRIGGER announce_update", "sessions.announce_update"),
    ("ALTER TABLE users ENABLE REPLICA TRIGGER announce_delete", "users.announce_delete"),
    ("ALTER TABLE users ENABLE TRIGGER use_name_insert", "users.use_name_insert"),
    ("DROP TRIGGER bump_policy_truncate ON rules", "rules.bump_policy_truncate"),
    ("ALTER TABLE groups DISABLE TRIGGER ALL", "groups.announce_delete, groups.announce_insert"),
    (
        "DROP TRIGGER announce_truncate ON factors; CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RETURN NULL; END'; CREATE TRIGGER announce_truncate BEFORE TRUNCATE ON factors EXECUTE FUNCTION quiet();"
        " ALTER TABLE factors ENABLE ALWAYS TRIGGER announce_truncate",
        "factors.announce_truncate",
    ),
    (
        "DROP TRIGGER announce_delete ON factors; CREATE TRIGGER announce_delete AFTER INSERT ON factors REFERENCING NEW"
        " TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION announce('user', 'user_id');"
        " ALTER TABLE factors ENABLE ALWAYS TRIGGER announce_delete",
        "factors.announce_delete",
    ),
    ("CREATE TABLE more () INHERITS (memberships)", "memberships.announce_delete, memberships.announce_insert"),
]


@pytest.mark.parametrize(("change", "named"), DRIFT, ids=[named for _, named in DRIFT])
def test_a_trigger_that_does_not_announce_any_more_is_named(
    database: str, psql: psycopg.Connection, change: str, named: str
) -> None:
    migrate.check(database)
    psql.execute(change.encode())
    with pytest.raises(CannotStart, match=f"announcing triggers are missing or disabled: {named}"):
        migrate.check(database)
