"""Apps and rules, and which file they came from. Writing them bumps the policy's revision, by triggers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from gateway.errors import Conflict
from gateway.model import App
from gateway.storage.pool import Connection

_PUT = """
INSERT INTO apps (tenant_id, name, title, position, upstream, "authorization", preflight, origins, headers, upgrades)
SELECT tenant(), name, title, position, upstream, "authorization", preflight, origins, headers, upgrades
FROM jsonb_to_recordset(%s) AS wanted (name text, title text, position integer, upstream text, "authorization" text,
  preflight text, origins text[], headers jsonb, upgrades text[])
ON CONFLICT (tenant_id, name) DO UPDATE SET title = excluded.title, position = excluded.position,
  upstream = excluded.upstream, "authorization" = excluded."authorization", preflight = excluded.preflight,
  origins = excluded.origins, headers = excluded.headers, upgrades = excluded.upgrades
"""
_PUT_HOSTS = """
INSERT INTO app_hosts (tenant_id, app_id, host, position)
SELECT tenant(), apps.id, wanted.host, wanted.position
FROM jsonb_to_recordset(%s) AS wanted (app text, host text, position integer) JOIN apps ON apps.name = wanted.app
"""
_PUT_RULES = """
INSERT INTO rules (tenant_id, app_id, position, policy, path, path_exact, path_regex, methods, networks, users, groups,
  outage)
SELECT tenant(), apps.id, wanted.position, policy, path, path_exact, path_regex, methods, networks, users, groups, outage
FROM jsonb_to_recordset(%s) AS wanted (app text, position integer, policy text, path text, path_exact text,
  path_regex text, methods text[], networks text[], users text[], groups text[], outage boolean)
JOIN apps ON apps.name = wanted.app
"""


async def lock(tx: Connection, seconds: float) -> None:
    """One apply at a time, for the length of the transaction; waits so long for another one to end."""
    await tx.execute("SELECT set_config('statement_timeout', %s, true)", (str(int(seconds * 1000)),))
    await tx.execute("SELECT revision FROM policy_state FOR UPDATE")


async def unknown(tx: Connection, names: Sequence[str]) -> list[str]:
    """Those of ``names`` that no app has."""
    rows = await tx.execute(
        "SELECT name FROM unnest(%s::text[]) AS t (name) WHERE name NOT IN (SELECT name FROM apps)", (list(names),)
    )
    return [str(row[0]) for row in await rows.fetchall()]


async def applied_before(tx: Connection, digest: str) -> bool | None:
    """True: this file is what was applied last. False: it was applied earlier. None: never."""
    rows = await tx.execute("SELECT sha256 FROM applied ORDER BY id DESC")
    digests = [row[0] for row in await rows.fetchall()]
    return None if digest not in digests else digests[0] == digest


async def note(tx: Connection, digest: str, actor: str) -> None:
    """Remember that this file was applied."""
    await tx.execute("INSERT INTO applied (tenant_id, sha256, actor) VALUES (tenant(), %s, %s)", (digest, actor))


async def replace(tx: Connection, apps: Sequence[App], changed: set[str]) -> None:
    """Make the stored apps be ``apps``; only rows of ``changed`` names are touched. Six statements, however many apps: a
    statement for each row would be a minute for some hundred apps on a database far away."""
    await tx.execute("DELETE FROM apps WHERE name <> ALL (%s)", ([app.name for app in apps],))
    for table in ("app_hosts", "rules"):
        await tx.execute(
            f"DELETE FROM {table} t USING apps a WHERE a.id = t.app_id AND a.name = ANY (%s)",  # noqa: S608 - constants
            (list(changed),),
        )
    touched = [(place, app) for place, app in enumerate(apps) if app.name in changed]
    await tx.execute(_PUT, (Jsonb([_row(app, place) for place, app in touched]),))
    hosts = [{"app": app.name, "host": host, "position": n} for _, app in touched for n, host in enumerate(app.hosts)]
    try:
        await tx.execute(_PUT_HOSTS, (Jsonb(hosts),))
    except UniqueViolation:  # within a file that was checked
        raise Conflict("a host of this file belongs to another tenant") from None
    rules = [{"app": app.name, "position": n, **asdict(rule)} for _, app in touched for n, rule in enumerate(app.rules)]
    await tx.execute(_PUT_RULES, (Jsonb(rules),))


def _row(app: App, place: int) -> dict[str, object]:
    """Everything but what has tables of its own."""
    fields = asdict(app)
    return {name: fields[name] for name in fields if name not in ("hosts", "rules")} | {"position": place}
