"""Row level security, roles and indexes: what one tenant's forgotten WHERE can reach, and what nobody may."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from psycopg import errors

from databases import Cluster
from gateway.storage.pool import as_runtime
from storage.truth import SEED

TENANT_TABLES = (
    *("users", "used_names", "groups", "memberships", "factors", "sessions", "api_keys", "apps", "app_hosts", "rules"),
    *("policy_state", "session_seen", "api_key_seen", "app_seen", "applied", "audit"),
)
ROLES = ("gateway_owner", "gateway_runtime", "gateway_lookup")
MORE = """
INSERT INTO memberships (tenant_id, user_id, group_id) VALUES (2, 3, 3) ON CONFLICT DO NOTHING;
INSERT INTO factors (tenant_id, user_id, kind, secret) VALUES (2, 3, 'password', 'x');
INSERT INTO api_keys (id, tenant_id, user_id, digest) VALUES (9, 2, 3, sha256('nine'));
INSERT INTO session_seen (tenant_id, session_id) VALUES (2, 6);
INSERT INTO api_key_seen (tenant_id, api_key_id) VALUES (1, 1), (2, 9);
INSERT INTO app_seen (tenant_id, app_id) VALUES (1, 1), (2, 5);
INSERT INTO applied (tenant_id, sha256, actor) VALUES (1, repeat('a', 64), 'x'), (2, repeat('a', 64), 'x');
INSERT INTO audit (tenant_id, actor, action) VALUES (1, 'x', 'x'), (2, 'x', 'x');
"""


class Digests(defaultdict[str, str]):
    def __missing__(self, name: str) -> str:
        return f"'\\x{sha256(name.encode()).hexdigest()}'::bytea"


@pytest.fixture(scope="module")
def shared(cluster: Cluster) -> Iterator[str]:
    with cluster.database() as url:
        yield url


@pytest.fixture
def two_tenants(shared: str) -> Iterator[psycopg.Connection]:
    """A row of each of two tenants in every table; the superuser's hand."""
    with psycopg.connect(shared, autocommit=True) as hand:
        hand.execute("SET search_path = gateway, pg_temp")
        seed(hand)
        yield hand


@pytest.fixture
def runtime(shared: str, two_tenants: psycopg.Connection) -> Iterator[psycopg.Connection]:
    with psycopg.connect(as_runtime(shared), autocommit=True) as connection:
        yield connection


def seed(hand: psycopg.Connection) -> None:
    hand.execute(SEED.format_map(Digests()).encode())
    hand.execute(MORE.encode())


OF_TWO = "SELECT xmin::text, to_jsonb(t) FROM {} t WHERE tenant_id = 2"


def rows_of_two(psql: psycopg.Connection, table: str) -> list[Any]:
    """Tenant 2's rows, with the transaction that wrote them."""
    found = psql.execute(OF_TWO.format(table).encode()).fetchall()
    assert found, f"there is nothing to protect in {table}"
    return found


def attempt(runtime: psycopg.Connection, statement: str, table: str) -> list[Any]:
    """What came back; nothing where the role may not even ask."""
    try:
        done = runtime.execute(statement.format(table).encode())
        return done.fetchall() if done.description else []
    except (errors.InsufficientPrivilege, errors.ForeignKeyViolation, errors.UniqueViolation):
        return []


def test_every_table_with_a_tenant_has_row_security_enabled_and_forced(psql: psycopg.Connection) -> None:
    secured = psql.execute(
        "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity FROM pg_class c JOIN pg_attribute a"
        " ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
        " WHERE c.relkind = 'r' AND c.relnamespace = 'gateway'::regnamespace"
    ).fetchall()
    assert dict(secured) == dict.fromkeys(TENANT_TABLES, True)
    assert psql.execute("SELECT relforcerowsecurity FROM pg_class WHERE oid = 'tenants'::regclass").fetchone() == (
        True,
    )


@pytest.mark.parametrize("tenant", ["1", "", None], ids=["another", "empty", "none"])
@pytest.mark.parametrize("table", TENANT_TABLES)
def test_a_forgotten_where_reaches_no_row_of_another_tenant(
    two_tenants: psycopg.Connection, runtime: psycopg.Connection, table: str, tenant: str | None
) -> None:
    before = rows_of_two(two_tenants, table)
    if tenant is not None:
        runtime.execute("SELECT set_config('gateway.tenant', %s, false)", (tenant,))
    seen = {row[0] for row in attempt(runtime, "SELECT tenant_id FROM {}", table)}
    assert seen <= ({1} if tenant == "1" else set())
    attempt(runtime, "UPDATE {} SET tenant_id = tenant_id", table)
    attempt(runtime, "DELETE FROM {}", table)
    assert rows_of_two(two_tenants, table) == before


@pytest.mark.parametrize("tenant", ["1", "", None], ids=["another", "empty", "none"])
@pytest.mark.parametrize("table", TENANT_TABLES)
def test_no_row_can_be_written_into_another_tenant(
    two_tenants: psycopg.Connection, runtime: psycopg.Connection, table: str, tenant: str | None
) -> None:
    (_, row), *_ = rows_of_two(two_tenants, table)
    if tenant is not None:
        runtime.execute("SELECT set_config('gateway.tenant', %s, false)", (tenant,))
    with pytest.raises(errors.InsufficientPrivilege):
        runtime.execute(
            f"INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, %s)).*".encode(), (json.dumps(row),)
        )


def test_no_foreign_key_reaches_into_another_tenant(
    two_tenants: psycopg.Connection, runtime: psycopg.Connection
) -> None:
    """Foreign keys see through row level security, so the tenant is part of each."""
    runtime.execute("SELECT set_config('gateway.tenant', '1', false)")
    two_tenants.execute("DELETE FROM session_seen; DELETE FROM api_key_seen; DELETE FROM app_seen")
    for statement in (
        "INSERT INTO session_seen (tenant_id, session_id) VALUES (1, 6)",
        "INSERT INTO api_key_seen (tenant_id, api_key_id) VALUES (1, 9)",
        "INSERT INTO app_seen (tenant_id, app_id) VALUES (1, 5)",
        "INSERT INTO memberships (tenant_id, user_id, group_id) VALUES (1, 1, 3)",
        "UPDATE sessions SET parent_id = 6",
        "UPDATE api_keys SET user_id = 3",
        "UPDATE rules SET app_id = 5",
    ):
        with pytest.raises(errors.ForeignKeyViolation):
            runtime.execute(statement.encode())


def test_of_tenants_it_sees_its_own_and_changes_none(runtime: psycopg.Connection) -> None:
    assert runtime.execute("SELECT id FROM tenants").fetchall() == []
    runtime.execute("SELECT set_config('gateway.tenant', '2', false)")
    assert runtime.execute("SELECT id FROM tenants").fetchall() == [(2,)]
    with pytest.raises(errors.InsufficientPrivilege):
        runtime.execute("DELETE FROM tenants")


def test_the_roles_cannot_log_in_and_bypass_nothing(psql: psycopg.Connection) -> None:
    rows = psql.execute(
        "SELECT rolname, rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb FROM pg_roles"
        " WHERE rolname = ANY (%s)",
        (list(ROLES),),
    ).fetchall()
    assert dict(rows) == dict.fromkeys(ROLES, False)


def test_the_runtime_role_owns_nothing_and_may_truncate_nothing(psql: psycopg.Connection) -> None:
    owned = "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'gateway_runtime'::regrole AND deptype = 'o'"
    assert psql.execute(owned).fetchone() == (0,)
    may = (
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'gateway'::regnamespace"
        " AND has_table_privilege('gateway_runtime', oid, 'TRUNCATE, REFERENCES, TRIGGER')"
    )
    assert psql.execute(may).fetchall() == []


GRANTS = [("audit", "INSERT"), ("used_names", "INSERT,SELECT"), ("applied", "INSERT,SELECT"), ("tenants", "SELECT"),
          ("installation", "SELECT"), ("policy_state", "INSERT,SELECT,UPDATE"), ("schema_migrations", None)]  # fmt: skip


@pytest.mark.parametrize(("table", "may"), GRANTS)
def test_the_runtime_role_may_no_more_than_it_needs(psql: psycopg.Connection, table: str, may: str | None) -> None:
    rows = psql.execute(
        "SELECT string_agg(privilege_type, ',' ORDER BY privilege_type) FROM information_schema.role_table_grants"
        " WHERE grantee = 'gateway_runtime' AND table_schema = 'gateway' AND table_name = %s",
        (table,),
    )
    assert rows.fetchone() == (may,)


MANY = """
INSERT INTO users (id, tenant_id, name) SELECT n, 1, 'u' || n FROM generate_series(100, 599) AS n;
INSERT INTO sessions (tenant_id, user_id, kind, digest, expires_at, idle, ended_at)
  SELECT 1, 100 + n % 500, 'session', sha256(n::text::bytea), now() + interval '1 day', '1 day',
    CASE WHEN n % 50 > 0 THEN now() END FROM generate_series(1, 20000) AS n;
INSERT INTO api_keys (tenant_id, user_id, digest, ended_at)
  SELECT 1, 100 + n % 500, sha256(n::text::bytea), CASE WHEN n % 50 > 0 THEN now() END FROM generate_series(1, 20000) AS n;
ANALYZE users; ANALYZE sessions; ANALYZE api_keys;
"""
PLANS = [
    ("UPDATE sessions SET ended_at = now() WHERE ended_at IS NULL AND user_id = 150", "sessions_live_user"),
    ("SELECT id FROM sessions WHERE ended_at IS NULL AND expires_at < now()", "sessions_live_expiry"),
    ("SELECT id FROM sessions WHERE digest = ANY (ARRAY[sha256('7'), sha256('8')])", "sessions_digest_key"),
    ("SELECT id FROM sessions WHERE parent_id = 7", "sessions_parent"),
    ("SELECT id FROM api_keys WHERE ended_at IS NULL AND user_id = 150", "api_keys_live_user"),
    ("SELECT id FROM api_keys WHERE digest = ANY (ARRAY[sha256('7'), sha256('8')])", "api_keys_digest_key"),
]


def test_living_sessions_and_keys_are_found_by_small_indexes(psql: psycopg.Connection) -> None:
    psql.execute(MANY.encode())
    for statement, index in PLANS:
        plan = "\n".join(row[0] for row in psql.execute(f"EXPLAIN {statement}".encode()).fetchall())
        assert index in plan, f"{statement}\n{plan}"
