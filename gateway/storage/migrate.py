"""The schema's only door: numbered SQL files, applied once, in order, each with its checksum.

Whole runs are serialised by an advisory lock, so that replicas may start together. A schema newer than this program, a
file that changed after it was applied, and a missing announcing trigger are refused in words. Synchronous: it runs
before anything serves. Called by ``cli`` and ``app``'s start.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib.resources import files
from typing import Any, NamedTuple

import psycopg

from gateway.errors import CannotStart

LOCK = 0x67617465
"""The advisory lock of migrations ('gate')."""

Connection = psycopg.Connection[tuple[Any, ...]]


class Migration(NamedTuple):
    """One numbered file."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text as applied."""
        return sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Every migration this program ships, in order."""
    found = [
        entry for entry in files("gateway.storage").joinpath("migrations").iterdir() if entry.name.endswith(".sql")
    ]
    parts = ((entry.name.removesuffix(".sql"), entry.read_text("utf-8")) for entry in found)
    return sorted(Migration(int(name[:4]), name, sql) for name, sql in parts)


@contextmanager
def connect(url: str) -> Iterator[Connection]:
    """One plain connection as whoever the URL says; CannotStart, in one line, where there is no database."""
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=5, application_name="gateway migrate")
    except psycopg.OperationalError as error:
        raise CannotStart(f"the database does not answer: {_line(error)}") from None
    except psycopg.ProgrammingError:  # its message may repeat a part of the password
        raise CannotStart(
            "the database URL cannot be read: postgresql://user:password@host:port/name, where %, @, : and / within a"
            " user or password are written %25, %40, %3A and %2F"
        ) from None
    with connection:
        yield connection


def migrate(url: str, shipped: list[Migration] | None = None) -> list[str]:
    """Bring the schema up to date; the names of what was applied now."""
    wanted = migrations() if shipped is None else shipped
    with connect(url) as connection:
        if connection.info.server_version < 150000:
            raise CannotStart(f"PostgreSQL 15 or later is needed, this is {connection.info.server_version // 10000}")
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        try:
            pending = _pending(connection, wanted)
            for migration in pending:
                _apply(connection, migration)
        except psycopg.Error as error:
            raise CannotStart(f"cannot migrate the database: {_line(error)}") from error
        finally:
            with suppress(psycopg.Error):  # a lost connection has let go of it
                connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
    return [migration.name for migration in pending]


def check(url: str) -> None:
    """Refuse to serve on a schema that is not this program's, whose triggers are not all there, or without our role."""
    with connect(url) as connection:
        try:
            _check(connection)
        except psycopg.errors.InsufficientPrivilege:
            login = connection.info.user
            raise CannotStart(
                f"the database login {login} may not act as gateway_runtime; "
                f"as a superuser: GRANT gateway_runtime, gateway_owner TO {login}"
            ) from None


def _check(connection: Connection) -> None:
    pending = _pending(connection, migrations())
    if pending:
        raise CannotStart(f"the database lacks {pending[0].name}; run: gateway migrate")
    if missing := missing_triggers(connection):
        raise CannotStart(f"announcing triggers are missing or disabled: {', '.join(missing)}")
    connection.execute("SET ROLE gateway_runtime")  # everything is asked as this role: row level security applies to it


def missing_triggers(connection: Connection) -> list[str]:
    """Which announcing triggers are not there and enabled for every replication role: what memory cannot do without."""
    rows = connection.execute(_WORKING).fetchall()
    return sorted(set(TRIGGERS) - {row[0] for row in rows})


def _pending(connection: Connection, wanted: list[Migration]) -> list[Migration]:
    applied = _applied(connection)
    known = {migration.version: migration for migration in wanted}
    for version, (name, checksum) in sorted(applied.items()):
        if version not in known:
            raise CannotStart(f"the database's schema is newer than this program ({name}); start a newer gateway")
        if known[version].checksum != checksum:
            raise CannotStart(f"the migration {name} was changed after it was applied; restore the released file")
    return [migration for migration in wanted if migration.version not in applied]


def _applied(connection: Connection) -> dict[int, tuple[str, str]]:
    row = connection.execute("SELECT to_regclass('gateway.schema_migrations') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return {}
    rows = connection.execute("SELECT version, name, checksum FROM gateway.schema_migrations").fetchall()
    return {version: (name, checksum) for version, name, checksum in rows}


def _apply(connection: Connection, migration: Migration) -> None:
    with connection.transaction():
        connection.execute(migration.sql.encode())
        connection.execute("RESET ROLE")
        connection.execute("SET LOCAL ROLE gateway_owner")
        connection.execute(
            "INSERT INTO gateway.schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
            (migration.version, migration.name, migration.checksum),
        )


def _line(error: psycopg.Error) -> str:
    return " ".join(str(error).split())


_WORKING = """
SELECT c.relname || '.' || p.proname || '_' || CASE t.tgtype & 60
  WHEN 4 THEN 'insert' WHEN 8 THEN 'delete' WHEN 16 THEN 'update' WHEN 32 THEN 'truncate' END
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE c.relnamespace = 'gateway'::regnamespace AND p.pronamespace = c.relnamespace AND NOT t.tgisinternal
  AND t.tgenabled = 'A' AND NOT t.tgdeferrable AND (t.tgqual IS NULL OR p.proname = 'use_name')
  AND c.relkind = 'r' AND NOT c.relispartition
  AND NOT EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhparent, i.inhrelid))
"""
"""By what a trigger does, not by its name. Rows of a partition or an inheriting table would pass by their parent's."""
_ANNOUNCED = ("tenants", "users", "groups", "memberships", "factors", "apps", "app_hosts", "rules", "policy_state")
_POLICY = ("apps", "app_hosts", "rules")
_EVENTS = ("insert", "update", "delete", "truncate")
TRIGGERS: tuple[str, ...] = (
    *(f"{table}.announce_{event}" for table in (*_ANNOUNCED, "signing_keys") for event in _EVENTS),
    *(f"{table}.announce_{event}" for table in ("sessions", "api_keys") for event in _EVENTS if event != "insert"),
    *(f"{table}.announce_tokens_{event}" for table in ("sessions", "api_keys") for event in ("insert", "update")),
    *(f"{table}.bump_policy_{event}" for table in _POLICY for event in _EVENTS),
    *(f"users.use_name_{event}" for event in ("insert", "update")),
)
