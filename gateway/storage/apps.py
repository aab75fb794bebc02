"""Apps and rules, and which file they came from. Writing them bumps the policy's revision, by triggers."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from gateway.errors import Conflict
from gateway.model import App
from gateway.storage.pool import Connection


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
    """Make the stored apps be ``apps``; only rows of ``changed`` names are touched."""
    names = [app.name for app in apps]
    await tx.execute("DELETE FROM apps WHERE name <> ALL (%s)", (names,))
    await tx.execute(
        "DELETE FROM app_hosts h USING apps a WHERE a.id = h.app_id AND a.name = ANY (%s)", (list(changed),)
    )
    for position, app in enumerate(apps):
        if app.name in changed:
            await _put(tx, app, position)


async def _put(tx: Connection, app: App, position: int) -> None:
    rows = await tx.execute(
        'INSERT INTO apps (tenant_id, name, title, position, upstream, "authorization", preflight, origins, headers)'
        " VALUES (tenant(), %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, name) DO UPDATE SET"
        " title = excluded.title, position = excluded.position, upstream = excluded.upstream,"
        ' "authorization" = excluded."authorization", preflight = excluded.preflight, origins = excluded.origins,'
        " headers = excluded.headers RETURNING id",
        (
            app.name,
            app.title,
            position,
            app.upstream,
            app.authorization,
            app.preflight,
            list(app.origins),
            Jsonb([list(pair) for pair in app.headers]),
        ),
    )
    row = await rows.fetchone()
    assert row is not None  # noqa: S101 - RETURNING answers one row; for mypy
    await _put_parts(tx, app, row[0])


async def _put_host(tx: Connection, host: str, number: int, place: int) -> None:
    """A host belongs to one app of one tenant; within a file that was checked, so here it is another tenant's."""
    try:
        await tx.execute(
            "INSERT INTO app_hosts (tenant_id, app_id, host, position) VALUES (tenant(), %s, %s, %s)",
            (number, host, place),
        )
    except UniqueViolation:
        raise Conflict("a host of this file belongs to another tenant") from None


async def _put_parts(tx: Connection, app: App, number: int) -> None:
    await tx.execute("DELETE FROM rules WHERE app_id = %s", (number,))
    for place, host in enumerate(app.hosts):
        await _put_host(tx, host, number, place)
    for place, rule in enumerate(app.rules):
        await tx.execute(
            "INSERT INTO rules (tenant_id, app_id, position, policy, path, path_exact, path_regex, methods, networks,"
            " users, groups, outage) VALUES (tenant(), %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                number,
                place,
                rule.policy,
                rule.path,
                rule.path_exact,
                rule.path_regex,
                list(rule.methods),
                list(rule.networks),
                list(rule.users),
                list(rule.groups),
                rule.outage,
            ),
        )
