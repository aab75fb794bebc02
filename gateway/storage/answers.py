"""Answers what ``lookups`` may be asked, each with exactly one statement, so that a cold check is one round trip.

The functions it calls belong to a role that may read every tenant, because nobody is known yet when they are asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from math import inf
from typing import Any

from gateway.lookups import Answer, Ask, Fact, StoredPolicy
from gateway.model import App, Credential, Rule
from gateway.storage.pool import Connection, Store

_FIELDS = (
    "(proof).kind, (proof).digest, (proof).id, (proof).parent_id, (proof).tenant_id, (proof).user_id, (proof).name,"
    " (proof).display, (proof).email, (proof).groups, (proof).group_ids, (proof).factors, (proof).level, (proof).apps,"
    " (proof).audience, (proof).ends, (proof).idle, (proof).idle_ends, (proof).age, (proof).refused, revision"
)
_LOOKUP = f"SELECT {_FIELDS} FROM lookup(%s::bytea[], %s::bytea[])"  # noqa: S608 - constants only
_PRELOAD = f"SELECT {_FIELDS} FROM preload(%s)"  # noqa: S608 - constants only


class Answers:
    """Lookups on PostgreSQL."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[Ask]:
        """One connection, for one question."""
        async with self._store.connection("recall") as connection:

            async def ask(credentials: Collection[Credential]) -> Answer:
                return await _lookup(connection, credentials)

            yield ask

    async def policy(self) -> StoredPolicy:
        """All of the policy."""
        async with self._store.connection("recall") as connection:
            return await stored_policy(connection)

    async def preload(self, most: int) -> Answer:
        """The most recently used credentials."""
        async with self._store.connection("recall") as connection:
            rows = await (await connection.execute(_PRELOAD, (most,))).fetchall()
        return _answer(rows)


async def stored_policy(connection: Connection) -> StoredPolicy:
    """All of the policy as this connection sees it: inside a transaction, what that has written too."""
    row = await (await connection.execute("SELECT revision, apps FROM policy()")).fetchone()
    assert row is not None  # noqa: S101 - the function answers one row; for mypy
    return StoredPolicy(row[0], tuple((app["tenant_id"], _app(app)) for app in row[1]))


async def _lookup(connection: Connection, credentials: Collection[Credential]) -> Answer:
    keys = [credential.digest for credential in credentials if credential.kind == "api_key"]
    sessions = [credential.digest for credential in credentials if credential.kind != "api_key"]
    return _answer(await (await connection.execute(_LOOKUP, (sessions, keys))).fetchall())


def _answer(rows: Iterable[tuple[Any, ...]]) -> Answer:
    facts, revision = {}, 0
    for row in rows:
        if row[0] is None:
            revision = row[-1]
        else:
            fact = _fact(row)
            facts[fact.credential] = fact
    return Answer(facts, revision)


def _fact(row: tuple[Any, ...]) -> Fact:
    kind, digest, *middle, ends, idle, idle_ends, age, refused, _ = row
    row_id, parent, tenant, user_id, name, display, email, groups, group_ids, factors, level, apps, audience = middle
    return Fact(
        credential=Credential(kind, digest),
        id=row_id,
        parent=parent,
        tenant=tenant,
        user_id=user_id,
        name=name,
        display=display,
        email=email,
        groups=tuple(groups),
        group_ids=tuple(group_ids),
        factors=tuple(factors),
        level=level,
        apps=None if apps is None else tuple(apps),
        audience=audience,
        ends=_seconds(ends),
        idle=_seconds(idle),
        idle_ends=_seconds(idle_ends),
        age=_seconds(age),
        refused=refused,
    )


def _seconds(value: float | None) -> float:
    return inf if value is None else float(value)


def _app(row: dict[str, Any]) -> App:
    """An app as stored. What a hand in psql wrote wrongly is found when the policy is compiled."""
    return App(
        name=row["name"],
        title=row["title"],
        hosts=tuple(row["hosts"]),
        rules=tuple(_rule(rule) for rule in row["rules"]),
        upstream=row["upstream"],
        authorization=row["authorization"],
        preflight=row["preflight"],
        origins=tuple(row["origins"]),
        headers=tuple((str(name), str(value)) for name, value in row["headers"]),
        upgrades=tuple(row["upgrades"]),
    )


def _rule(row: dict[str, Any]) -> Rule:
    return Rule(
        policy=row["policy"],
        path=row["path"],
        path_exact=row["path_exact"],
        path_regex=row["path_regex"],
        methods=tuple(row["methods"]),
        networks=tuple(row["networks"]),
        users=tuple(row["users"]),
        groups=tuple(row["groups"]),
        outage=row["outage"],
    )
