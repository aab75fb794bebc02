"""What may be asked of the world, and what must come back: one suite over the dictionary and over PostgreSQL, so that
whatever is tested with the first holds with the second."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from math import inf
from typing import Any, Protocol

import psycopg
import pytest

from dictionary import Dictionary
from gateway.lookups import Answer, Fact, Lookups, StoredPolicy
from gateway.model import App, Credential, Rule
from gateway.policy import compile_policy
from gateway.storage.answers import Answers
from gateway.storage.pool import Store
from samples import fact

pytestmark = pytest.mark.anyio

APPS = (
    App(
        "photos",
        "Immich",
        ("photos.example.com", "*.photos.example.com"),
        (
            Rule("bypass", path="/share/", methods=("GET", "POST"), networks=("10.0.0.0/8",)),
            Rule("two_factor", path_exact="/admin", outage=False),
            Rule("one_factor", path_regex="^/a", users=("alice",), groups=("family", "users")),
        ),
        upstream="http://immich:2283",
        authorization="gateway",
        preflight="pass",
        origins=("https://x.example.com",),
        headers=(("X-Id", "{user}"), ("X-Mail", "{email}")),
    ),
    App("notes", "Notes", ("notes.example.com",), (Rule("deny"),)),
)


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
                " headers) VALUES (1, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
                (app.name, app.title, place, app.upstream, app.authorization, app.preflight, list(app.origins), pairs),
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


@pytest.fixture(params=["dictionary", "postgresql"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "dictionary":
        yield InDictionary()
        return
    store = Store(request.getfixturevalue("database"), size=2)
    await store.open()
    yield InPostgres(store, request.getfixturevalue("psql"))
    await store.close()


def credential(number: int, kind: str = "session") -> Credential:
    return Credential(kind, number.to_bytes(32, "big"))


async def ask(world: World, *credentials: Credential) -> Answer:
    async with world.lookups.asking() as question:
        return await question(credentials)


WHO = ("name", "display", "email", "groups", "level", "apps", "audience", "refused", "tenant", "parent")


@pytest.mark.parametrize(
    "given",
    [
        fact(credential(1), factors=()),
        fact(credential(2, "portal"), factors=(), level=2, audience=""),
        fact(credential(3), factors=(), groups=(), group_ids=(), audience="example.com"),
        fact(credential(4, "api_key"), factors=(), apps=("photos", "notes")),
        fact(credential(5, "api_key"), factors=(), apps=()),
        fact(credential(6, "api_key"), factors=(), ends=inf),
        fact(credential(7), factors=(), groups=("a", "b", "c"), group_ids=(1, 2, 3), display="Jörg, 李雷"),
        fact(credential(8), refused="ended", factors=()),
        fact(credential(9), refused="disabled", factors=()),
        fact(credential(10), refused="expired", factors=(), ends=-1.0),
        fact(credential(11, "api_key"), refused="ended", factors=()),
        fact(credential(12, "api_key"), refused="expired", factors=(), ends=-1.0),
    ],
    ids=str,
)
async def test_a_credential_proves_what_was_written(world: World, given: Fact) -> None:
    world.knows(given)
    said = (await ask(world, given.credential)).facts[given.credential]
    assert {name: getattr(said, name) for name in WHO} == {name: getattr(given, name) for name in WHO}
    assert len(said.group_ids) == len(given.groups)
    assert (said.ends == inf) == (given.ends == inf)
    assert said.ends == inf or given.ends - 60 < said.ends <= given.ends
    assert given.age <= said.age < given.age + 60


async def test_a_credential_without_a_row_is_absent(world: World) -> None:
    world.knows(fact(credential(1)))
    assert (await ask(world, credential(2))).facts == {}


async def test_a_kind_is_part_of_the_question(world: World) -> None:
    world.knows(fact(credential(1)))
    assert (await ask(world, credential(1, "api_key"))).facts == {}


async def test_many_are_asked_about_in_one_statement(world: World) -> None:
    known = [fact(credential(number)) for number in range(1, 4)] + [fact(credential(4, "api_key"))]
    for given in known:
        world.knows(given)
    before = world.statements()
    answer = await ask(world, *(given.credential for given in known), credential(99))
    assert set(answer.facts) == {given.credential for given in known}
    assert world.statements() == before + 1


async def test_a_question_about_nobody_brings_the_revision(world: World) -> None:
    answer = await ask(world)
    assert answer.facts == {}
    assert answer.revision > 0


async def test_the_policy_is_what_was_written_in_its_order(world: World) -> None:
    world.apps(APPS)
    before = world.statements()
    stored = await world.lookups.policy()
    assert stored.apps == tuple((1, app) for app in APPS)
    assert world.statements() == before + 1


async def test_every_answer_brings_the_revision_of_the_policy_and_a_change_moves_it(world: World) -> None:
    world.knows(fact(credential(1)))
    first = (await world.lookups.policy()).revision
    assert (await ask(world)).revision == (await ask(world, credential(1))).revision == first
    world.apps(APPS[1:])
    assert (await ask(world)).revision == (await world.lookups.policy()).revision > first
    assert (await world.lookups.preload(5)).revision == (await ask(world)).revision


async def test_preloading_brings_living_credentials_in_one_statement_and_no_more_than_asked_for(world: World) -> None:
    for number in range(1, 6):
        world.knows(fact(credential(number)))
    world.knows(fact(credential(6), refused="ended"))
    before = world.statements()
    assert set((await world.lookups.preload(100)).facts) == {credential(number) for number in range(1, 6)}
    assert world.statements() == before + 1
    assert len((await world.lookups.preload(3)).facts) == 3
    assert (await world.lookups.preload(0)).facts == {}


# PostgreSQL alone ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        """UPDATE apps SET headers = '{"X-Id": "{user}"}' WHERE name = 'notes'""",
        "UPDATE apps SET headers = '[1, 2]' WHERE name = 'notes'",
        """UPDATE apps SET headers = '[["X-Id"]]' WHERE name = 'notes'""",
        """UPDATE apps SET headers = '[["X-Id", null]]' WHERE name = 'notes'""",
        """UPDATE apps SET headers = '[["X-Id", "{nothing}"]]' WHERE name = 'notes'""",
        "UPDATE apps SET headers = 'null' WHERE name = 'notes'",
        """UPDATE apps SET headers = '"xy"' WHERE name = 'notes'""",
        "UPDATE rules SET methods = '{NULL}' WHERE policy = 'deny'",
        "UPDATE rules SET users = '{{a,b},{c,d}}' WHERE policy = 'deny'",
        "UPDATE rules SET path_regex = '(' WHERE policy = 'deny'",
    ],
)
async def test_what_a_hand_wrote_wrongly_is_refused_by_the_store_or_closes_its_app_alone(
    database: str, psql: psycopg.Connection, damage: str
) -> None:
    store = Store(database, size=1)
    await store.open()
    try:
        world = InPostgres(store, psql)
        world.apps(APPS)
        try:
            psql.execute(damage.encode())
        except psycopg.errors.CheckViolation:
            return
        stored: StoredPolicy = await world.lookups.policy()
        broken = {app.name: app.broken for app in compile_policy(stored.revision, stored.apps).exact.values()}
        assert broken["photos"] == ""
        assert "of notes" in broken["notes"]
    finally:
        await store.close()
