"""A small world of people, sessions, keys and apps; and what a warm memory and a cold one answer about it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from ipaddress import ip_address
from typing import NamedTuple

import psycopg

from gateway import clocks, tokens
from gateway.cache import Cache
from gateway.check import Found
from gateway.credentials.cookies import names
from gateway.logins import SECOND_FACTORS
from gateway.model import AccessRequest, Decision
from gateway.services.decide import decide, known
from gateway.services.recall import Recall
from gateway.storage.answers import Answers
from gateway.storage.fence import raise_fence
from serving import Served

NAMES = names(secure=True)
LIVING = {"portal": 3, "session": 7, "api_key": 5}
"""Tokens of each kind with a valid MAC; the first ones have rows, the rest are unknown."""
SEED = """
TRUNCATE tenants CASCADE;
TRUNCATE signing_keys;
SELECT setval(pg_get_serial_sequence('gateway.' || name, 'id'), 1000) FROM unnest(
  ARRAY['tenants', 'users', 'groups', 'factors', 'sessions', 'api_keys', 'apps', 'rules']) AS name;
INSERT INTO tenants (id, name) VALUES (1, 'default'), (2, 'other');
INSERT INTO users (id, tenant_id, name, email, email_verified) VALUES
  (1, 1, 'alice', 'a@example.com', true), (2, 1, 'bob', 'b@example.com', false), (3, 2, 'carol', '', false);
INSERT INTO groups (id, tenant_id, name) VALUES (1, 1, 'users'), (2, 1, 'admins'), (3, 2, 'staff');
INSERT INTO memberships (tenant_id, user_id, group_id) VALUES (1, 1, 1), (1, 2, 1), (1, 2, 2), (2, 3, 3);
INSERT INTO factors (tenant_id, user_id, kind, secret) VALUES (1, 1, 'password', 'x'), (1, 2, 'totp', 'x');
INSERT INTO sessions (id, tenant_id, user_id, parent_id, kind, digest, audience, level, created_at, expires_at, idle)
  SELECT id, tenant, person, parent, kind, digest, audience, level,
    now() - interval '1 hour' * (10 + id), now() + ends, '30 days'
  FROM (VALUES
    (1, 1, 1, NULL, 'portal', {portal0}, '', 1, interval '1 day'),
    (2, 1, 1, 1, 'session', {session0}, 'example.com', 1, interval '1 day'),
    (3, 1, 2, NULL, 'portal', {portal1}, '', 2, interval '1 day'),
    (4, 1, 2, 3, 'session', {session1}, '', 2, interval '1 day'),
    (5, 1, 1, NULL, 'session', {session2}, '', 1, interval '2 days'),
    (6, 2, 3, NULL, 'session', {session3}, '', 1, interval '1 day'),
    (7, 1, 1, NULL, 'session', {session4}, '', 1, interval '-1 hour')
  ) AS given (id, tenant, person, parent, kind, digest, audience, level, ends);
INSERT INTO session_seen (tenant_id, session_id) VALUES (1, 1), (1, 3);
INSERT INTO api_keys (id, tenant_id, user_id, digest, apps, created_at, ended_at) VALUES
  (1, 1, 1, {api_key0}, NULL, now() - interval '5 hours', NULL),
  (2, 1, 2, {api_key1}, '{{app}}', now() - interval '6 hours', NULL),
  (3, 1, 1, {api_key2}, NULL, now() - interval '7 hours', now());
INSERT INTO apps (id, tenant_id, name, position, headers) VALUES (1, 1, 'app', 0, '[["X-Name", "{{user}}"]]'),
  (2, 1, 'admin', 1, '[]'), (3, 1, 'pub', 2, '[]'), (4, 1, 'deep', 3, '[]'), (5, 2, 'other', 0, '[]');
INSERT INTO app_hosts (host, tenant_id, app_id) VALUES ('app.example.com', 1, 1), ('admin.example.com', 1, 2),
  ('pub.example.com', 1, 3), ('*.deep.example.com', 1, 4), ('other.example.net', 2, 5);
INSERT INTO rules (id, tenant_id, app_id, position, policy, path, users, groups) VALUES
  (1, 1, 1, 0, 'deny', '/internal', '{{}}', '{{}}'), (2, 1, 1, 1, 'one_factor', '', '{{}}', '{{}}'),
  (3, 1, 2, 0, 'one_factor', '', '{{}}', '{{admins}}'), (4, 1, 3, 0, 'bypass', '', '{{}}', '{{}}'),
  (5, 1, 4, 0, 'two_factor', '', '{{}}', '{{}}'), (6, 2, 5, 0, 'one_factor', '', '{{carol}}', '{{}}');
INSERT INTO signing_keys (id) VALUES ('0a0b0c0d');
"""
TARGETS = [
    *(
        ("app.example.com", "/"),
        ("app.example.com", "/internal/x"),
        ("admin.example.com", "/"),
        ("pub.example.com", "/"),
    ),
    *(("x.deep.example.com", "/"), ("new.example.com", "/"), ("other.example.net", "/"), ("nobody.example.com", "/")),
]


class Answered(NamedTuple):
    """What one memory said: decisions by question, and whom each portal cookie proves."""

    decisions: dict[str, Decision]
    portals: dict[str, Found]


class World:
    """A gateway that serves, a superuser's hand in its database, and tokens to present."""

    def __init__(self, served: Served, url: str) -> None:
        self.served = served
        self.gateway = served.gateway
        self.db = psycopg.connect(url, autocommit=True)
        self.db.execute("SET search_path = gateway, pg_temp")
        ring = self.gateway.cache.ring
        self.tokens = {
            f"{kind}{place}": self._mint(kind, tokens.NEVER) for kind, most in LIVING.items() for place in range(most)
        }
        self.digests = {
            name: f"'\\x{tokens.digest(ring, token.encode()).hex()}'::bytea" for name, token in self.tokens.items()
        }
        self.tokens |= {f"{kind}-expired": self._mint(kind, 1) for kind in LIVING}
        self.requests = {f"{host}{path} {who}": _request(host, path, sent) for who, sent in self._presented()
                         for host, path in TARGETS}  # fmt: skip

    def close(self) -> None:
        self.db.close()

    def seed(self) -> None:
        """The same world again, warm."""
        self.db.execute(SEED.format_map(self.digests).encode())
        self.compare()

    def change(self, statement: str, *, as_replica: bool = False) -> bool:
        """Whether the statement changed anything; what the schema refuses is no change."""
        role = "replica" if as_replica else "origin"
        try:
            with self.db.transaction():
                self.db.execute(f"SET LOCAL session_replication_role = {role}".encode())
                return self.db.execute(statement.encode()).rowcount != 0
        except psycopg.Error:
            return False

    def decision(self, name: str) -> Decision:
        """What memory says now."""
        return self.served.call(self._decide(name, self.gateway.cache, self.gateway.recall))

    def compare(self) -> None:
        """After the fence: whatever memory says is what the database says."""
        warm, cold = self.served.call(self._both())
        lies = {
            name: (warm.decisions[name], said) for name, said in cold.decisions.items() if warm.decisions[name] != said
        }
        lies |= {name: (warm.portals[name], said) for name, said in cold.portals.items() if warm.portals[name] != said}
        assert not lies, "\n".join(f"{name}:\n  warm {one}\n  cold {other}" for name, (one, other) in lies.items())

    async def _both(self) -> tuple[Answered, Answered]:
        gateway = self.gateway
        assert await raise_fence(gateway.store, gateway.ear.acks) == ()
        warm = await self.answers(gateway.cache, gateway.recall)
        return warm, await self.answers(*self._cold())

    async def answers(self, cache: Cache, recall: Recall) -> Answered:
        """One question for each credential first, all at once; what memory knows then is not asked again."""
        await asyncio.gather(*(self._decide(names[0], cache, recall) for names in self._by_credential()))
        decisions = {name: await self._decide(name, cache, recall) for name in self.requests}
        shown = {
            name: await known([(b"cookie", NAMES.portal + b"=" + token.encode())], cache, recall, NAMES, clocks.moment)
            for name, token in self.tokens.items()
            if name.startswith("portal")
        }
        return Answered(decisions, shown)

    async def _decide(self, name: str, cache: Cache, recall: Recall) -> Decision:
        return await decide(self.requests[name], cache, recall, NAMES, clocks.moment)

    def _by_credential(self) -> list[list[str]]:
        shown = [who for who, _ in self._presented()]
        return [[name for name in self.requests if name.endswith(f" {who}")] for who in shown]

    def _cold(self) -> tuple[Cache, Recall]:
        cache = Cache(self.gateway.cache.ring, self.gateway.cache.bounds)
        now, wall = clocks.moment()
        cache.heard(now, wall - now)
        return cache, Recall(cache, Answers(self.gateway.store), clocks.boot, second_factors=SECOND_FACTORS)

    def _mint(self, kind: str, expires: int) -> str:
        token = tokens.mint(self.gateway.cache.ring, kind, expires)
        return tokens.sealed(token) if kind == "api_key" else token

    def _presented(self) -> Iterable[tuple[str, dict[bytes, bytes]]]:
        """Nothing; each app session and key alone; two sessions of one person, of two; an ended session beside a key."""
        yield "nobody", {}
        for name, token in self.tokens.items():
            if name.startswith("session"):
                yield name, _cookies(token)
            elif name.startswith("api_key"):
                yield name, {b"x-api-key": token.encode()}
        yield "session0+2", _cookies(self.tokens["session0"], self.tokens["session2"])
        yield "session1+2", _cookies(self.tokens["session1"], self.tokens["session2"])
        yield "session4+key0", _cookies(self.tokens["session4"]) | {b"x-api-key": self.tokens["api_key0"].encode()}


def _cookies(*sent: str) -> dict[bytes, bytes]:
    return {b"cookie": b"; ".join(NAMES.session + b"=" + token.encode() for token in sent)}


def _request(host: str, path: str, headers: dict[bytes, bytes]) -> AccessRequest:
    return AccessRequest("GET", "https", host, host, path, "", path, ip_address("203.0.113.9"), headers)
