"""Memory and its truth: after any change of any authority table, and the fence, the warm answer equals the cold one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

import serving
from databases import Cluster
from gateway.model import Allow
from storage.columns import NO_AUTHORITY, TABLES
from storage.truth import World

Change = tuple[str, bool]
"""A statement, and whether it runs as a replica would apply it: without foreign keys."""


@pytest.fixture(scope="module")
def world(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory: Path = tmp_path_factory.mktemp("truth")
    with cluster.database() as url, serving.serve(url, directory, apps=None) as served:
        world = World(served, url)
        yield world
        world.close()


def row_of(table: str, place: int) -> str:
    """A condition that holds for one row, whatever ``place``."""
    return (
        f"ctid = (SELECT ctid FROM {table} ORDER BY ctid"  # noqa: S608 - our own names, here and below
        f" OFFSET {place} % (SELECT greatest(count(*), 1) FROM {table}) LIMIT 1)"
    )


def rows(table: str) -> st.SearchStrategy[str]:
    """One row of the table, or sometimes all of them."""
    return st.sampled_from([*(row_of(table, place) for place in range(8)), "true"])


def updates(table: str) -> st.SearchStrategy[str]:
    columns = st.sampled_from(list(TABLES[table]))
    pairs = columns.flatmap(lambda column: st.tuples(st.just(column), st.sampled_from(TABLES[table][column])))
    return st.builds(update, st.just(table), pairs, rows(table))


def update(table: str, pair: tuple[str, str], row: str) -> str:
    return f'UPDATE {table} SET "{pair[0]}" = {pair[1]} WHERE {row}'  # noqa: S608


def inserts(table: str) -> st.SearchStrategy[str]:
    columns = ", ".join(f'"{column}"' for column in TABLES[table])
    values = st.tuples(*(st.sampled_from(values) for values in TABLES[table].values()))
    return values.map(lambda row: f"INSERT INTO {table} ({columns}) VALUES ({', '.join(row)})")  # noqa: S608


def deletes(table: str) -> st.SearchStrategy[str]:
    return rows(table).map(lambda row: f"DELETE FROM {table} WHERE {row}")  # noqa: S608


def truncates(table: str) -> st.SearchStrategy[str]:
    return st.sampled_from([f"TRUNCATE {table}", f"TRUNCATE {table} CASCADE"])


KINDS = st.sampled_from([*[updates] * 9, *[inserts] * 5, *[deletes] * 3, truncates])
statements = st.tuples(KINDS, st.sampled_from(list(TABLES))).flatmap(lambda chosen: chosen[0](chosen[1]))
changes = st.tuples(statements, st.sampled_from([False, False, False, True]))


tried = Counter[str]()


class Changing(RuleBasedStateMachine):
    """Transactions of any few statements, committed or not, each followed by the fence and the comparison."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        world.seed()

    @rule(
        transaction=st.lists(changes, min_size=1, max_size=3),
        commit=st.sampled_from([True, True, True, False]),
        digest=st.sampled_from(["session0", "session2", "session5", "portal0", "portal2", "api_key0", "api_key3"]),
    )
    def change(self, transaction: Sequence[Change], commit: bool, digest: str) -> None:
        with self.world.db.transaction(force_rollback=not commit):
            for statement, as_replica in transaction:
                wanted = statement.replace("{digest}", self.world.digests[digest])
                tried[wanted.split()[0]] += self.world.change(wanted, as_replica=as_replica)
        self.world.compare()


def test_every_column_of_every_authority_table_has_values_to_try(psql: psycopg.Connection) -> None:
    rows = psql.execute(
        "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables"
        " USING (table_schema, table_name) WHERE table_schema = 'gateway' AND table_type = 'BASE TABLE'"
    ).fetchall()
    tried = {(table, column) for table, columns in TABLES.items() for column in columns}
    assert {row for row in rows if row[0] not in NO_AUTHORITY} == tried
    assert {table for table, _ in rows} == {*TABLES, *NO_AUTHORITY}


@pytest.mark.parametrize("table", list(TABLES))
def test_after_each_value_of_each_column_the_warm_answer_equals_the_cold_one(world: World, table: str) -> None:
    """One after the other on changing rows, so that no column is left to chance."""
    for column, values in TABLES[table].items():
        world.seed()
        for place, value in enumerate(values):
            digest = list(world.digests.values())[place]
            if world.change(update(table, (column, value.replace("{digest}", digest)), row_of(table, place))):
                world.compare()


ORPHANS = [
    ("session0", "DELETE FROM users WHERE id = 1", "INSERT INTO users (id, tenant_id, name) VALUES (1, 1, 'zoe')"),
    ("api_key0", "DELETE FROM users WHERE id = 1", "INSERT INTO users (id, tenant_id, name) VALUES (1, 1, 'zoe')"),
    ("session0", "DELETE FROM sessions WHERE id = 1", "UPDATE sessions SET id = 1 WHERE id = 5"),
    ("session0", "UPDATE sessions SET user_id = 2 WHERE id = 1", "UPDATE sessions SET user_id = 1 WHERE id = 1"),
    (
        "session0",
        "UPDATE users SET tenant_id = 2 WHERE id = 1",
        "UPDATE users SET tenant_id = 1, name = 'zoe' WHERE id = 1",
    ),
]
"""What only a hand without foreign keys can write: a credential, how it loses its user or parent, how it gets one again."""


@pytest.mark.parametrize(("credential", "loses", "gets"), ORPHANS)
def test_a_credential_without_its_user_or_parent_proves_nobody(
    world: World, credential: str, loses: str, gets: str
) -> None:
    world.seed()
    assert isinstance(world.decision(f"app.example.com/ {credential}"), Allow)
    for statement, allowed in ((loses, False), (gets, True)):
        assert world.change(statement, as_replica=True)
        world.compare()
        assert isinstance(world.decision(f"app.example.com/ {credential}"), Allow) == allowed


@pytest.mark.timeout(600)
def test_after_any_change_and_the_fence_the_warm_answer_equals_the_cold_one(world: World) -> None:
    run_state_machine_as_test(
        lambda: Changing(world),
        settings=settings(
            max_examples=30,
            stateful_step_count=12,
            deadline=None,
            phases=[Phase.generate],  # a lie is at most twelve steps long, and making it shorter takes minutes
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert min(tried[kind] for kind in ("UPDATE", "INSERT", "DELETE", "TRUNCATE")) > 5, tried


def test_what_nothing_touched_is_still_answered_from_memory(world: World) -> None:
    world.seed()
    before = world.served.queries()["recall"]
    world.compare()
    asked_cold = world.served.queries()["recall"] - before
    world.served.call(world.answers(world.gateway.cache, world.gateway.recall))
    assert world.served.queries()["recall"] - before == asked_cold


LIES = [
    ("users.announce_update", "UPDATE users SET disabled_at = now() WHERE id = 1"),
    ("groups.announce_update", "UPDATE groups SET name = 'nobody' WHERE name = 'admins'"),
    ("memberships.announce_insert", "INSERT INTO memberships VALUES (1, 1, 2)"),
    ("memberships.announce_update", "UPDATE memberships SET group_id = 2 WHERE user_id = 1"),
    ("memberships.announce_delete", "DELETE FROM memberships"),
    ("memberships.announce_truncate", "TRUNCATE memberships"),
    ("sessions.announce_update", "UPDATE sessions SET ended_at = now() WHERE id = 3"),
    ("sessions.announce_delete", "DELETE FROM sessions WHERE kind = 'session'"),
    ("sessions.announce_truncate", "TRUNCATE sessions CASCADE"),
    ("sessions.announce_tokens_update", "UPDATE sessions SET digest = {session5} WHERE id = 5"),
    (
        "sessions.announce_tokens_insert",
        "INSERT INTO sessions (id, tenant_id, user_id, kind, digest, expires_at, idle)"
        " VALUES (8, 1, 1, 'session', {session5}, now() + interval '1 day', '1 day')",
    ),
    ("api_keys.announce_update", "UPDATE api_keys SET apps = '{{pub}}' WHERE id = 1"),
    ("api_keys.announce_delete", "DELETE FROM api_keys WHERE id = 2"),
    ("api_keys.announce_truncate", "TRUNCATE api_keys CASCADE"),
    ("api_keys.announce_tokens_update", "UPDATE api_keys SET digest = {api_key3} WHERE id = 1"),
    (
        "api_keys.announce_tokens_insert",
        "INSERT INTO api_keys (id, tenant_id, user_id, digest) VALUES (8, 1, 1, {api_key3})",
    ),
    ("apps.announce_update apps.bump_policy_update", "UPDATE apps SET headers = '[]' WHERE id = 1"),
    (
        "app_hosts.announce_insert app_hosts.bump_policy_insert",
        "INSERT INTO app_hosts VALUES ('new.example.com', 1, 1)",
    ),
    ("rules.announce_delete rules.bump_policy_delete", "DELETE FROM rules"),
    ("rules.announce_truncate rules.bump_policy_truncate", "TRUNCATE rules"),
]
"""What is announced by no other trigger: without this one, memory lies."""


@pytest.mark.parametrize(("triggers", "statement"), LIES, ids=[triggers for triggers, _ in LIES])
def test_without_this_trigger_the_comparison_catches_a_lie(world: World, triggers: str, statement: str) -> None:
    world.seed()
    with disabled(world, triggers.split()):
        world.db.execute(statement.format_map(world.digests).encode())
        with pytest.raises(AssertionError, match="warm"):
            world.compare()
    world.seed()


@contextmanager
def disabled(world: World, triggers: Sequence[str]) -> Iterator[None]:
    pairs = [trigger.split(".") for trigger in triggers]
    try:
        for table, trigger in pairs:
            world.db.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}".encode())
        yield
    finally:
        for table, trigger in pairs:
            world.db.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}".encode())
