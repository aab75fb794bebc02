"""Where tests put facts, and from where they are asked: the dictionary, or rows of PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection
from math import inf
from typing import Any, Protocol

import psycopg

from dictionary import Dictionary
from gateway.lookups import Fact, Lookups
from gateway.model import App
from gateway.storage.answers import Answers
from gateway.storage.pool import Store


class World(Protocol):
    """Somewhere that facts are put, and from where they are asked."""

    lookups: Lookups

    def knows(self, given: Fact) -> None: ...
    def apps(self, apps: Collection[App]) -> None: ...
    def statements(self) -> int: ...


class InDictionary:
    def __init__(self) -> None:
        self.lookups = self._double = Dictionary(apps=())

    def knows(self, given: Fact) -> None:
        self._double.facts[given.credential] = given

    def apps(self, apps: Collection[App]) -> None:
        self._double.apps = tuple(apps)
        self._double.revision += 1

    def statements(self) -> int:
        return len(self._double.asked)


class InPostgres:
    def __init__(self, store: Store, psql: psycopg.Connection) -> None:
        self.lookups = Answers(store)
        self._store, self._psql = store, psql

    def knows(self, given: Fact) -> None:
        user = self._user(given)
        values = {**given._asdict(), "user": user, "digest": given.credential.digest, "kind": given.credential.kind}
        values["ends"] = None if given.ends == inf else -1.0 if given.refused == "expired" else given.ends
        values["idle"] = 1e8 if given.idle == inf else given.idle
        values["apps"] = None if given.apps is None else list(given.apps)
        if given.credential.kind == "api_key":
            self._run(
                "INSERT INTO api_keys (tenant_id, user_id, digest, apps, expires_at, created_at, ended_at) VALUES (1,"
                " %(user)s, %(digest)s, %(apps)s, now() + make_interval(secs => %(ends)s),"
                " now() - make_interval(secs => %(age)s), CASE WHEN %(refused)s = 'ended' THEN now() END)",
                values,
            )
            self._run("INSERT INTO api_key_seen SELECT 1, id FROM api_keys WHERE digest = %(digest)s", values)
        else:
            self._run(
                "INSERT INTO sessions (tenant_id, user_id, kind, digest, audience, level, expires_at, idle, created_at,"
                " ended_at) VALUES (1, %(user)s, %(kind)s, %(digest)s, %(audience)s, %(level)s,"
                " now() + make_interval(secs => %(ends)s), make_interval(secs => %(idle)s),"
                " now() - make_interval(secs => %(age)s), CASE WHEN %(refused)s = 'ended' THEN now() END)",
                values,
            )
            self._run("INSERT INTO session_seen SELECT 1, id FROM sessions WHERE digest = %(digest)s", values)

    def apps(self, apps: Collection[App]) -> None:
        for place, app in enumerate(apps):
            pairs = psycopg.types.json.Jsonb([list(pair) for pair in app.headers])
            number = self._run(
                'INSERT INTO apps (tenant_id, name, title, position, upstream, "authorization", preflight, origins,'
                " headers, upgrades) VALUES (1, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
                (
                    *(app.name, app.title, place, app.upstream, app.authorization, app.preflight),
                    *(list(app.origins), pairs, list(app.upgrades)),
                ),
            )
            for order, host in enumerate(app.hosts):
                self._run("INSERT INTO app_hosts VALUES (%s, 1, %s, %s)", (host, number, order))
            for order, rule in enumerate(app.rules):
                self._run(
                    "INSERT INTO rules (tenant_id, app_id, position, policy, path, path_exact, path_regex, methods,"
                    " networks, users, groups, outage) VALUES (1, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                    (
                        *(number, order, rule.policy, rule.path, rule.path_exact, rule.path_regex),
                        *(list(many) for many in (rule.methods, rule.networks, rule.users, rule.groups)),
                        rule.outage,
                    ),
                )

    def statements(self) -> int:
        return sum(self._store.queries.values())

    def _user(self, given: Fact) -> int:
        self._run(
            "INSERT INTO users (tenant_id, name, display, email, email_verified, disabled_at) VALUES (1, %(name)s,"
            " %(display)s, %(email)s, true, CASE WHEN %(refused)s = 'disabled' THEN now() END) ON CONFLICT DO NOTHING",
            given._asdict(),
        )
        user = self._run("SELECT id FROM users WHERE name = %s", (given.name,))
        for name in given.groups:
            self._run("INSERT INTO groups (tenant_id, name) VALUES (1, %s) ON CONFLICT DO NOTHING", (name,))
            self._run(
                "INSERT INTO memberships SELECT 1, %s, id FROM groups WHERE name = %s ON CONFLICT DO NOTHING",
                (user, name),
            )
        return user

    def _run(self, statement: str, values: Any) -> int:
        cursor = self._psql.execute(statement.encode(), values)
        row = cursor.fetchone() if cursor.description else None
        return int(row[0]) if row else 0
