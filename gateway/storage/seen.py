"""Last uses, written in batches from memory. These tables hold no authority and announce nothing."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model import Credential
from gateway.storage.pool import Connection

_SESSIONS = """
UPDATE session_seen seen SET last_seen = GREATEST(seen.last_seen, now() - make_interval(secs => used.age))
FROM (SELECT coalesce(s.parent_id, s.id) AS id, min(given.age) AS age
      FROM unnest(%s::bytea[], %s::double precision[]) AS given (digest, age)
      JOIN sessions s ON s.digest = given.digest GROUP BY 1) AS used
WHERE seen.session_id = used.id
"""
_KEYS = """
UPDATE api_key_seen seen SET last_seen = GREATEST(seen.last_seen, now() - make_interval(secs => given.age))
FROM unnest(%s::bytea[], %s::double precision[]) AS given (digest, age)
JOIN api_keys k ON k.digest = given.digest WHERE seen.api_key_id = k.id
"""
_APPS = """
INSERT INTO app_seen (tenant_id, app_id, last_access)
SELECT a.tenant_id, a.id, now() - make_interval(secs => given.age)
FROM unnest(%s::text[], %s::double precision[]) AS given (name, age) JOIN apps a ON a.name = given.name
ON CONFLICT (app_id) DO UPDATE SET last_access = GREATEST(app_seen.last_access, excluded.last_access)
"""


async def write(tx: Connection, credentials: Mapping[Credential, float], apps: Mapping[str, float]) -> None:
    """How many seconds ago each credential and app was last used; one statement a kind, the later use wins."""
    keys = {credential.digest: age for credential, age in credentials.items() if credential.kind == "api_key"}
    sessions = {credential.digest: age for credential, age in credentials.items() if credential.kind != "api_key"}
    for statement, ages in ((_SESSIONS, sessions), (_KEYS, keys)):
        if ages:
            await tx.execute(statement, (list(ages), list(ages.values())))
    if apps:
        await tx.execute(_APPS, (list(apps), list(apps.values())))
