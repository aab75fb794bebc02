"""A real configuration: fifty apps with two hundred rules, and as many people and sessions as are wanted.

Sessions are written in bulk, as rows of the database, before anything serves: signing ten thousand people in would take
longer than measuring does. Their tokens are made by the product's own code. API keys go through the use case.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from stack import directory

from gateway import tokens
from gateway.services import api_keys
from gateway.services.ground import Ground
from gateway.storage import migrate, ringfile
from gateway.storage.embedded import Embedded
from gateway.storage.fence import Acks
from gateway.storage.migrate import Connection
from gateway.storage.pool import TENANT, Store
from gateway.tokens import Ring

APPS = 50
PEOPLE = 1000
GROUPS = ["family", "photos"]
DAY = 86400
RULES = """
  - name: app{0}
    title: Application {0}
    hosts: [app{0}.{1}]
    rules:
      - {{path: /internal/, policy: deny}}
      - {{path: /public/, policy: bypass}}
      - {{path_regex: "^/api/v[0-9]+/admin", policy: one_factor, groups: [admins]}}
      - {{policy: one_factor}}
"""


class Site(NamedTuple):
    """Under which name people see it: https as it should be, or http for a proxy without a certificate."""

    scheme: str = "https"
    domain: str = "example.com"
    cookie: str = "__Secure-gateway_session"

    def host(self, app: int) -> str:
        """The host of an app by its number."""
        return f"app{app}.{self.domain}"


PLAIN = Site("http", "gateway.localhost", "gateway_session")


class Place(NamedTuple):
    """Where it is, and who is in it."""

    site: Site
    work: Path
    url: str
    cookies: list[str]
    keys: list[str]
    secret: str

    @property
    def settings(self) -> dict[str, str]:
        """What a gateway of this place is told; the addresses it listens on come on top."""
        return {
            "GATEWAY_CONFIG": str(self.work / "config"),
            "GATEWAY_DATABASE_URL": self.url,
            "GATEWAY_TRUST_SECRET": self.secret,
            "GATEWAY_SERVER_PORTAL_URL": f"{self.site.scheme}://auth.{self.site.domain}",
            "GATEWAY_SESSION_COOKIE_DOMAIN": self.site.domain,
            "GATEWAY_SERVER_DATA_DIR": str(self.work / "gateway"),
            "GATEWAY_LOG_LEVEL": "warning",
        }


@contextmanager
def place(sessions: int, keys: int = 0, site: Site = Site()) -> Iterator[Place]:  # noqa: B008 - a value
    """A throwaway database with all of it, migrated, and a directory of configuration."""
    with directory() as work, Embedded(work / "postgres", throwaway=True) as database:
        url = database.attach()
        assert url is not None
        (work / "config").mkdir()
        (work / "config" / "apps.yaml").write_text(policy(site), "utf-8")
        migrate.migrate(url)
        with migrate.connect(url) as connection:
            ring = ringfile.open_ring(work / "gateway" / "keys.json", connection)
            people = write_people(connection, min(PEOPLE, sessions))
            cookies = write_sessions(connection, ring, people, sessions, site)
        made = asyncio.run(make_keys(url, ring, keys)) if keys else []
        yield Place(site, work, url, cookies, made, secrets.token_urlsafe(32))


def policy(site: Site, apps: int = APPS) -> str:
    """The text of ``apps.yaml``: four rules for each app."""
    return "apps:" + "".join(RULES.format(number, site.domain) for number in range(1, apps + 1))


def write_people(connection: Connection, number: int) -> list[int]:
    """So many, each in two groups; their ids."""
    with connection.transaction():
        _enter(connection)
        rows = connection.execute(
            "INSERT INTO users (tenant_id, name, display, email) SELECT tenant(), 'person' || n, 'Person ' || n,"
            " 'person' || n || '@example.com' FROM generate_series(1, %s) n RETURNING id",
            (number,),
        ).fetchall()
        connection.execute(
            "INSERT INTO groups (tenant_id, name) SELECT tenant(), unnest(%s::text[])", ([*GROUPS, "admins"],)
        )
        connection.execute(
            "INSERT INTO memberships (tenant_id, user_id, group_id) SELECT tenant(), u.id, g.id"
            " FROM users u, groups g WHERE g.name = ANY(%s)",
            (GROUPS,),
        )
    return [row[0] for row in rows]


def write_sessions(connection: Connection, ring: Ring, people: list[int], number: int, site: Site) -> list[str]:
    """So many app sessions, spread over the people; the Cookie pairs that present them."""
    ends = int(time.time()) + DAY
    minted = [tokens.mint(ring, "session", ends) for _ in range(number)]
    owners = [people[place % len(people)] for place in range(number)]
    with connection.transaction():
        _enter(connection)
        connection.execute(
            "WITH made AS (INSERT INTO sessions (tenant_id, user_id, kind, digest, audience, expires_at, idle)"
            " SELECT tenant(), owner, 'session', digest, %s, to_timestamp(%s), interval '1 day'"
            " FROM unnest(%s::bigint[], %s::bytea[]) AS wanted (owner, digest) RETURNING id)"
            " INSERT INTO session_seen (tenant_id, session_id) SELECT tenant(), id FROM made",
            (site.domain, ends, owners, [tokens.digest(ring, token.encode()) for token in minted]),
        )
    connection.execute("ANALYZE")
    return [f"{site.cookie}={token}" for token in minted]


def _enter(connection: Connection) -> None:
    connection.execute("SELECT set_config('search_path', 'gateway', true)")
    connection.execute("SELECT set_config('gateway.tenant', %s, true)", (str(TENANT),))


async def make_keys(url: str, ring: Ring, number: int) -> list[str]:
    """An API key for each of the first people."""
    store = Store(url, 1)
    await store.open()
    try:
        ground = Ground(store, Acks(), lambda: ring, time.time)
        return [(await api_keys.create(ground, "loadtests", f"person{n}"))[1] for n in range(1, number + 1)]
    finally:
        await store.close()
