"""The small pool: bounded, counted, as the runtime role; and what a failure says about the store."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from databases import Cluster
from gateway.errors import CommitUnknown, GatewayError, NestedCheckout, StoreBusy, StoreSilent
from gateway.storage import pool
from gateway.storage.pool import Connection, Store

pytestmark = pytest.mark.anyio
REFUSED = 'connection failed: connection to server at "db", port 5432 failed: '


async def one(connection: Connection, statement: str) -> object:
    row = await (await connection.execute(statement)).fetchone()
    assert row is not None
    return row[0]


async def test_statements_run_as_the_runtime_role_in_our_schema_for_one_tenant(store: Store) -> None:
    async with store.transaction("test", tenant=7) as tx:
        assert await one(tx, "SELECT current_user::text") == "gateway_runtime"
        assert await one(tx, "SELECT current_setting('search_path')") == "gateway,pg_temp"
        assert await one(tx, "SELECT tenant()") == 7
    async with store.connection("test") as connection:
        assert await one(connection, "SELECT tenant()") is None


async def test_every_connection_is_there_before_the_pool_says_it_is_open(database: str) -> None:
    store = Store(database, 4)
    await store.open()
    assert store.pool.get_stats()["pool_available"] == 4
    await store.close()


async def test_statements_are_counted_under_the_room_that_sent_them(store: Store) -> None:
    async with store.connection("one") as connection:
        await connection.execute("SELECT 1")
    async with store.transaction("two") as tx:
        await tx.execute("SELECT 1")
    assert store.queries == {"one": 1, "two": 3}  # BEGIN with the tenant, the statement, COMMIT


async def test_no_statement_is_prepared_however_often_it_is_sent_since_that_would_be_a_round_trip(store: Store) -> None:
    async with store.connection("test") as connection:
        for number in range(20):
            await connection.execute("SELECT %s::int", (number,))
        assert await one(connection, "SELECT count(*) FROM pg_prepared_statements") == 0


async def test_a_second_checkout_while_one_is_held_fails_loudly(store: Store) -> None:
    async with store.connection("outer"):
        with pytest.raises(NestedCheckout, match="inner asked for a connection while outer holds one"):
            async with store.transaction("inner"):
                pass
    async with store.connection("after") as connection:
        assert await one(connection, "SELECT 1") == 1


async def test_more_waiters_than_allowed_are_refused_at_once(database: str) -> None:
    store = Store(database, 1, waiting=1)
    await store.open()
    held, enough = asyncio.Event(), asyncio.Event()
    holds = asyncio.create_task(hold(store, held, enough))
    await held.wait()
    waits = asyncio.create_task(use(store))
    while not store.waiting():  # noqa: ASYNC110 - the pool has no event for it
        await asyncio.sleep(0)
    with pytest.raises(StoreBusy, match="in use"):
        await use(store)
    assert not waits.done()
    enough.set()
    await asyncio.gather(holds, waits)
    await store.close()


async def hold(store: Store, held: asyncio.Event, enough: asyncio.Event) -> None:
    async with store.connection("holds"):
        held.set()
        await enough.wait()


async def use(store: Store) -> None:
    async with store.connection("uses") as connection:
        await connection.execute("SELECT 1")


async def test_a_connection_held_past_its_limit_is_hung_up_on_and_replaced(store: Store) -> None:
    with pytest.raises(StoreSilent):
        async with store.connection("slow", limit=0.05) as connection:
            await connection.execute("SELECT pg_sleep(60)")
    for _ in range(2):
        await use(store)


async def test_an_exception_rolls_back_and_comes_out_as_it_was(store: Store, psql: psycopg.Connection) -> None:
    with pytest.raises(KeyError):  # noqa: PT012 - the end of the block is what raises
        async with store.transaction("test") as tx:
            await tx.execute("INSERT INTO groups (tenant_id, name) VALUES (1, 'lost')")
            raise KeyError
    assert psql.execute("SELECT count(*) FROM groups").fetchone() == (0,)
    await use(store)


async def test_a_transaction_that_the_server_had_to_roll_back_is_not_called_done(store: Store) -> None:
    with pytest.raises(StoreBusy, match="rolled back"):  # noqa: PT012 - as above
        async with store.transaction("test") as tx:
            with pytest.raises(errors.UndefinedTable):
                await tx.execute("SELECT * FROM nowhere")


async def test_a_commit_whose_answer_is_lost_is_unknown(store: Store) -> None:
    with pytest.raises(CommitUnknown):
        async with store.transaction("test") as tx:
            pool.hang_up(tx)


async def test_a_commit_is_unknown_when_the_server_ends_the_connection_after_committing(
    store: Store, psql: psycopg.Connection
) -> None:
    """It waits for a standby that never comes, so the row is there, and the answer is FATAL."""
    psql.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    psql.execute("SELECT pg_reload_conf()")
    try:
        committing = asyncio.create_task(add_group(store))
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = current_database()"
        while not (row := psql.execute(waiting).fetchone()):  # noqa: ASYNC110 - asked of the server
            await asyncio.sleep(0.001)
        psql.execute("SELECT pg_terminate_backend(%s)", row)
        with pytest.raises(CommitUnknown):
            await committing
    finally:
        psql.execute("ALTER SYSTEM RESET synchronous_standby_names")
        psql.execute("SELECT pg_reload_conf()")
    assert psql.execute("SELECT name FROM groups").fetchall() == [("kept",)]


async def test_a_commit_is_unknown_when_the_server_says_goodbye_instead_of_done(
    store: Store, psql: psycopg.Connection
) -> None:
    psql.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END';"
        " CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON groups DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION slow()"
    )
    committing = asyncio.create_task(add_group(store))
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    while not (row := psql.execute(waiting).fetchone()):  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.001)
    psql.execute("SELECT pg_terminate_backend(%s)", row)
    with pytest.raises(CommitUnknown):
        await committing


async def add_group(store: Store) -> None:
    async with store.transaction("test") as tx:
        await tx.execute("SET LOCAL statement_timeout = 0")
        await tx.execute("INSERT INTO groups (tenant_id, name) VALUES (1, 'kept')")


@pytest.mark.parametrize(
    ("habit", "used"), [("off", "on"), ("local", "on"), ("on", "on"), ("remote_apply", "remote_apply")]
)
async def test_a_commit_is_durable_whatever_the_servers_habit(database: str, habit: str, used: str) -> None:
    store = Store(f"{database}&options=-c%20synchronous_commit%3D{habit}", 1)
    await store.open()
    async with store.transaction("test") as tx:
        assert await one(tx, "SELECT current_setting('synchronous_commit')") == used
    await store.close()


SILENT = [
    errors.OperationalError("consuming input failed: server closed the connection unexpectedly"),
    errors.OperationalError(f"{REFUSED}Connection refused\n\tIs the server running?"),
    errors.OperationalError(f"{REFUSED}FATAL:  the database system is starting up"),
    errors.OperationalError(f"{REFUSED}FATAL:  the database system is not yet accepting connections"),
    errors.ConnectionTimeout("connection timeout expired"),
    errors.CannotConnectNow("starting up"),
]
BUSY = [
    errors.OperationalError(f"{REFUSED}FATAL:  sorry, too many clients already"),
    errors.OperationalError(f'{REFUSED}FATAL:  password authentication failed for user "x"'),
    errors.OperationalError(f'{REFUSED}FATAL:  database "x" is not currently accepting connections'),
    errors.OperationalError(f"{REFUSED}FATALE:  troppi client"),
    errors.OperationalError(f"{REFUSED}session is read-only"),
    errors.OperationalError(f"{REFUSED}server is in hot standby mode"),
    errors.OperationalError(f'{REFUSED}Connection refused\nconnection to server at "b" failed: FATAL:  no'),
    errors.QueryCanceled("statement timeout"),
    errors.AdminShutdown("terminating"),
    errors.ReadOnlySqlTransaction("read only"),
    errors.InsufficientPrivilege("no"),
    errors.UndefinedTable("no"),
    PoolTimeout("full"),
    TooManyRequests("full"),
    PoolClosed("closed"),
]
NEITHER = [errors.UniqueViolation("twice"), errors.NumericValueOutOfRange("large"), ValueError("a bug")]
CASES: list[tuple[BaseException, type[GatewayError] | None]] = [
    *((error, StoreSilent) for error in SILENT),
    *((error, StoreBusy) for error in BUSY),
    *((error, None) for error in NEITHER),
]


@pytest.mark.parametrize(("error", "meaning"), CASES, ids=lambda case: str(case)[-40:])
def test_a_failure_says_busy_or_silent_or_nothing(error: BaseException, meaning: type[GatewayError] | None) -> None:
    assert type(pool.translate(error)) is (meaning or type(None))


async def test_a_store_that_answers_is_not_silent_even_if_it_only_refuses(
    cluster: Cluster, database: str, psql: psycopg.Connection, store: Store
) -> None:
    assert await pool.probe(store.url) is None
    assert isinstance(await pool.probe(pool.as_runtime(database, password="wrong")), StoreBusy)
    assert isinstance(await pool.probe(pool.as_runtime(database, dbname="absent")), StoreBusy)
    name = urlsplit(database).path[1:]
    psql.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    assert isinstance(await pool.probe(store.url), StoreBusy)
    with psycopg.connect(cluster.admin, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
    assert isinstance(await pool.probe(store.url), StoreBusy)


async def test_a_store_that_is_not_there_is_silent(database: str) -> None:
    away = pool.as_runtime(database, host="127.0.0.1", port="1")
    assert isinstance(await pool.probe(away), StoreSilent)
    with pytest.raises(StoreSilent):
        await Store(away, 1).open(wait=0.2)
