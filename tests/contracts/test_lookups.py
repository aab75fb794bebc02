"""What may be asked of the world, and what must come back: one suite over the dictionary and over PostgreSQL, so that
whatever is tested with the first holds with the second."""

from __future__ import annotations

from collections.abc import AsyncIterator
from math import inf

import psycopg
import pytest

from gateway.lookups import Answer, Fact, StoredPolicy
from gateway.model import App, Credential, Rule
from gateway.policy import compile_policy
from gateway.storage.pool import Store
from samples import fact
from worlds import InDictionary, InPostgres, World

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
        upgrades=("tcp",),
    ),
    App("notes", "Notes", ("notes.example.com",), (Rule("deny"),)),
)


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
        "UPDATE apps SET origins = '{NULL}' WHERE name = 'notes'",
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
