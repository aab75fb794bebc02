"""What each change says to the ears: which rows, never what is in them, and nothing that was rolled back."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest

from databases import Cluster
from gateway.storage.pool import as_runtime
from storage.columns import NO_AUTHORITY, TABLES
from storage.test_rows import seed

SHAPE = re.compile(r"[a-z_]+:(?:\d+|\*|[0-9a-f]{8})")


class Listening:
    """A hand that changes things, and what was announced since it was last asked."""

    def __init__(self, hand: psycopg.Connection, ear: psycopg.Connection) -> None:
        self.hand, self._ear = hand, ear
        ear.execute("LISTEN gateway")

    def heard(self) -> set[str]:
        self.hand.execute("NOTIFY gateway, 'end'")
        said: list[str] = []
        while "end" not in said:
            said += [notice.payload for notice in self._ear.notifies(timeout=10, stop_after=1)]
        assert all(SHAPE.fullmatch(payload) for payload in said if payload != "end")
        return {*said} - {"end"}

    def after(self, statement: str) -> set[str]:
        self.hand.execute(statement.encode())
        return self.heard()


@pytest.fixture(scope="module")
def hand(cluster: Cluster) -> Iterator[psycopg.Connection]:
    with cluster.database() as url, psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def listening(hand: psycopg.Connection) -> Iterator[Listening]:
    hand.execute("RESET session_replication_role")
    hand.execute("SET search_path = gateway, pg_temp")
    seed(hand)
    with psycopg.connect(hand.info.dsn, password=hand.info.password, autocommit=True) as ear:
        yield Listening(hand, ear)


SAID = [
    ("INSERT INTO tenants (id, name) VALUES (9, 'new')", "tenant:9"),
    ("UPDATE tenants SET name = 'new' WHERE id = 1", "tenant:1"),
    ("INSERT INTO users (id, tenant_id, name) VALUES (9, 1, 'dora')", "user:9"),
    ("UPDATE users SET display = 'A' WHERE id = 1", "user:1"),
    ("UPDATE users SET display = 'A'", "user:1 user:2 user:3"),
    ("INSERT INTO groups (id, tenant_id, name) VALUES (9, 1, 'new')", "group:9"),
    ("UPDATE groups SET name = 'renamed' WHERE id = 2", "group:2"),
    ("DELETE FROM groups WHERE id = 2", "group:2 user:2"),
    ("INSERT INTO memberships VALUES (1, 1, 2)", "user:1"),
    ("UPDATE memberships SET user_id = 1 WHERE user_id = 2 AND group_id = 2", "user:1 user:2"),
    ("DELETE FROM memberships WHERE user_id = 1", "user:1"),
    ("TRUNCATE memberships", "user:*"),
    ("INSERT INTO factors (tenant_id, user_id, kind, secret) VALUES (1, 1, 'totp', 'x')", "user:1"),
    ("UPDATE factors SET secret = 'y' WHERE user_id = 1", "user:1"),
    ("DELETE FROM factors WHERE user_id = 1", "user:1"),
    ("TRUNCATE factors", "user:*"),
    (
        "INSERT INTO sessions (id, tenant_id, user_id, kind, digest, expires_at, idle)"
        " VALUES (9, 1, 1, 'session', sha256('new'), now(), '1 day')",
        "session:*",
    ),
    ("UPDATE sessions SET ended_at = now() WHERE id = 5", "session:5"),
    ("UPDATE sessions SET id = 55 WHERE id = 5", "session:5 session:55"),
    ("UPDATE sessions SET digest = sha256('new') WHERE id = 5", "session:5 session:*"),
    ("UPDATE sessions SET kind = 'portal' WHERE id = 5", "session:5 session:*"),
    ("DELETE FROM sessions WHERE id = 1", "session:1 session:2"),
    ("TRUNCATE sessions CASCADE", "session:*"),
    ("INSERT INTO api_keys (id, tenant_id, user_id, digest) VALUES (10, 1, 1, sha256('new'))", "api_key:*"),
    ("UPDATE api_keys SET apps = '{pub}' WHERE id = 1", "api_key:1"),
    ("UPDATE api_keys SET digest = sha256('new') WHERE id = 1", "api_key:1 api_key:*"),
    ("DELETE FROM api_keys WHERE id = 1", "api_key:1"),
    ("TRUNCATE api_keys CASCADE", "api_key:*"),
    ("INSERT INTO apps (tenant_id, name) VALUES (1, 'new')", "policy:1"),
    ("UPDATE apps SET title = 'x' WHERE id = 5", "policy:2"),
    ("DELETE FROM apps WHERE id = 1", "policy:1"),
    ("TRUNCATE apps CASCADE", "policy:* policy:1 policy:2"),
    ("INSERT INTO app_hosts VALUES ('new.example.com', 1, 1)", "policy:1"),
    ("UPDATE app_hosts SET position = 7 WHERE app_id = 1", "policy:1"),
    ("DELETE FROM app_hosts WHERE app_id = 5", "policy:2"),
    ("TRUNCATE app_hosts", "policy:* policy:1 policy:2"),
    ("INSERT INTO rules (tenant_id, app_id, position, policy) VALUES (1, 1, 7, 'deny')", "policy:1"),
    ("UPDATE rules SET policy = 'deny' WHERE app_id = 1", "policy:1"),
    ("DELETE FROM rules WHERE app_id = 1", "policy:1"),
    ("TRUNCATE rules", "policy:* policy:1 policy:2"),
    ("DELETE FROM policy_state WHERE tenant_id = 1", "policy:1"),
    ("UPDATE policy_state SET revision = 7 WHERE tenant_id = 1", "policy:1"),
    ("TRUNCATE policy_state", "policy:*"),
    ("INSERT INTO signing_keys (id) VALUES ('0000000f')", "key:0000000f"),
    ("UPDATE signing_keys SET withdrawn_at = now()", "key:0a0b0c0d"),
    ("DELETE FROM signing_keys", "key:0a0b0c0d"),
    ("TRUNCATE signing_keys", "key:*"),
    ("DELETE FROM users WHERE id = 2", "user:2 session:3 session:4 api_key:2"),
    ("DELETE FROM tenants WHERE id = 2", "tenant:2 user:3 group:3 session:6 api_key:9 policy:2"),
    ("TRUNCATE users CASCADE", "user:* session:* api_key:*"),
    ("UPDATE users SET display = 'A' WHERE false", ""),
]
CASCADES = [
    "MERGE INTO users u USING (VALUES (1)) AS v (id) ON u.id = v.id WHEN MATCHED THEN UPDATE SET display = 'A'",
    "WITH one AS (UPDATE users SET display = 'A' WHERE id = 1 RETURNING id) SELECT * FROM one",
    "INSERT INTO users (id, tenant_id, name) VALUES (1, 1, 'x') ON CONFLICT (id) DO UPDATE SET display = 'A'",
]


@pytest.mark.parametrize(("statement", "said"), SAID, ids=[statement[:50] for statement, _ in SAID])
def test_a_change_says_which_rows(listening: Listening, statement: str, said: str) -> None:
    assert listening.after(statement) == {*said.split()}


def test_what_was_rolled_back_says_nothing(listening: Listening) -> None:
    for statement, _ in SAID:
        with listening.hand.transaction(force_rollback=True):
            listening.hand.execute(statement.encode())
    assert listening.heard() == set()


@pytest.mark.parametrize("statement", CASCADES, ids=["merge", "with", "upsert"])
def test_no_spelling_of_a_write_is_silent(listening: Listening, statement: str) -> None:
    assert listening.after(statement) == {"user:1"}


def test_every_authority_table_is_among_the_cases() -> None:
    written = re.compile(r"(?:INSERT INTO|UPDATE|DELETE FROM|TRUNCATE) (\w+)")
    assert {found[1] for statement, _ in SAID if (found := written.match(statement))} == {*TABLES}


@pytest.mark.parametrize("table", sorted(TABLES))
def test_a_replication_role_does_not_silence_it(listening: Listening, table: str) -> None:
    listening.hand.execute("SET session_replication_role = replica")
    assert listening.after(f"DELETE FROM {table}")  # noqa: S608 - our own names
    assert listening.after(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize(("count", "said"), [(100, 100), (101, 1)])
def test_more_than_a_hundred_rows_are_all_of_the_kind(listening: Listening, count: int, said: int) -> None:
    heard = listening.after(
        f"INSERT INTO groups (tenant_id, name) SELECT 1, 'g' || n FROM generate_series(1, {count}) AS n"  # noqa: S608
    )
    assert len(heard) == said
    assert ("group:*" in heard) == (count > 100)


@pytest.mark.parametrize("table", sorted(NO_AUTHORITY - {"schema_migrations", "installation", "replicas"}))
def test_what_holds_no_authority_says_nothing(listening: Listening, table: str) -> None:
    touched = f"UPDATE {table} SET tenant_id = tenant_id"  # noqa: S608 - our own names
    assert listening.after(touched) == listening.after(f"DELETE FROM {table}") == set()  # noqa: S608
    assert listening.after(f"TRUNCATE {table}") == set()


def test_tokens_that_the_gateway_mints_say_nothing(listening: Listening) -> None:
    """Nobody can have asked about them; and a sign-in must not cost every replica its memory."""
    info = listening.hand.info
    with psycopg.connect(as_runtime(info.dsn, password=info.password), autocommit=True) as runtime:
        runtime.execute("SELECT set_config('gateway.tenant', '1', false)")
        runtime.execute(
            "INSERT INTO sessions (id, tenant_id, user_id, kind, digest, expires_at, idle)"
            " VALUES (90, 1, 1, 'session', sha256('minted'), now() + interval '1 day', '1 day')"
        )
        runtime.execute("INSERT INTO api_keys (id, tenant_id, user_id, digest) VALUES (90, 1, 1, sha256('minted'))")
    assert listening.heard() == set()


@pytest.mark.parametrize("table", ["apps", "app_hosts", "rules"])
def test_every_change_of_the_policy_moves_its_revision(listening: Listening, table: str) -> None:
    revision = "SELECT revision FROM policy()"
    for change in ("UPDATE {} SET position = 3", "DELETE FROM {} WHERE position = 3", "TRUNCATE {} CASCADE"):
        before = listening.hand.execute(revision).fetchone()
        listening.hand.execute(change.format(table).encode())
        after = listening.hand.execute(revision).fetchone()
        assert before is not None
        assert after is not None
        assert after[0] > before[0]


def test_a_user_name_is_never_given_twice_to_anybody_of_a_tenant(listening: Listening) -> None:
    hand = listening.hand
    hand.execute("DELETE FROM users WHERE name = 'bob'")
    for change in (
        "UPDATE users SET name = 'bob' WHERE id = 1",
        "INSERT INTO users (tenant_id, name) VALUES (1, 'bob')",
    ):
        with pytest.raises(psycopg.errors.UniqueViolation, match="was used before"):
            hand.execute(change.encode())
    hand.execute("INSERT INTO users (id, tenant_id, name) VALUES (50, 2, 'bob')")
    with pytest.raises(psycopg.errors.UniqueViolation, match="was used before"):
        hand.execute("UPDATE users SET tenant_id = 1 WHERE id = 50")
