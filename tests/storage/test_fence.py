"""The fence: who has heard, and who is named because they did not answer."""

from __future__ import annotations

import asyncio
import secrets

import psycopg
import pytest

from gateway.storage import fence
from gateway.storage.fence import EARS, Acks, raise_fence
from gateway.storage.pool import Store
from storage.conftest import Heard, MakeEar

pytestmark = pytest.mark.anyio


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second is long where nobody will answer."""
    monkeypatch.setattr(fence, "PATIENCE", 0.05)


def deaf_mute(psql: psycopg.Connection, name: str) -> None:
    """An ear that is found, and never reads."""
    number = secrets.randbits(31)
    psql.execute("LISTEN gateway")
    psql.execute("SELECT pg_advisory_lock(%s, %s)", (EARS, number))
    psql.execute("INSERT INTO replicas (ear, name) VALUES (%s, %s)", (number, name))


async def test_without_ears_there_is_nobody_to_wait_for(store: Store) -> None:
    assert await raise_fence(store, Acks()) == ()


async def test_it_returns_when_every_ear_has_heard_what_was_committed_before(
    store: Store, make_ear: MakeEar, psql: psycopg.Connection
) -> None:
    heard = [Heard() for _ in range(4)]
    ears = [await make_ear(f"here:{place}", heard=one) for place, one in enumerate(heard)]
    psql.execute("INSERT INTO users (id, tenant_id, name) VALUES (42, 1, 'alice')")
    assert await raise_fence(store, ears[0].acks) == ()
    assert all(("changed", "user", "42") in one.said for one in heard)


async def test_a_writer_without_an_ear_of_its_own_waits_too(store: Store, make_ear: MakeEar, database: str) -> None:
    heard = Heard()
    await make_ear(heard=heard)
    async with fence.acknowledgements(database) as acks:
        assert await raise_fence(store, acks) == ()


@pytest.mark.usefixtures("hasty")
async def test_an_ear_that_does_not_read_is_named(store: Store, make_ear: MakeEar, psql: psycopg.Connection) -> None:
    ear = await make_ear()
    deaf_mute(psql, "there:7")
    assert await raise_fence(store, ear.acks) == ("there:7",)


@pytest.mark.usefixtures("hasty")
async def test_an_ear_that_dies_meanwhile_is_named_since_its_memory_may_live(
    store: Store, make_ear: MakeEar, psql: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = await make_ear()
    deaf_mute(psql, "there:7")
    listed = fence.Acks.missing

    async def dies(acks: Acks, number: str, ears: set[int]) -> set[int]:
        psql.close()
        return await listed(acks, number, ears)

    monkeypatch.setattr(Acks, "missing", dies)
    assert await raise_fence(store, ear.acks) == ("there:7",)


async def test_an_ear_acknowledges_only_when_the_policy_is_settled(store: Store, make_ear: MakeEar) -> None:
    settling, settled = asyncio.Event(), asyncio.Event()

    async def settle() -> None:
        settling.set()
        await settled.wait()

    ear = await make_ear(settle=settle)
    waiting = asyncio.create_task(raise_fence(store, ear.acks))
    await settling.wait()
    assert not waiting.done()
    settled.set()
    assert await waiting == ()


@pytest.mark.usefixtures("hasty")
async def test_acknowledgements_of_other_fences_and_nonsense_are_ignored(
    store: Store, make_ear: MakeEar, psql: psycopg.Connection
) -> None:
    ear = await make_ear()
    deaf_mute(psql, "there:7")
    row = psql.execute("SELECT ear FROM replicas WHERE name = 'there:7'").fetchone()
    assert row is not None
    for payload in (f"{'0' * 32}:{row[0]}", "", ":", "nonsense", f"{'0' * 32}:x"):
        ear.acks.acknowledged(payload)
        psql.execute("SELECT pg_notify(%s, %s)", (ear.acks.channel, f"ack:{payload}"))
    for payload in ("fence:", "fence:x:y", f"fence:1:{'z' * 31}", "fence:999999999999:" + "0" * 32):
        psql.execute("SELECT pg_notify('gateway', %s)", (payload,))
    assert await raise_fence(store, ear.acks) == ("there:7",)


async def test_a_fence_that_cannot_be_raised_says_so(store: Store) -> None:
    await store.close()
    (said,) = await raise_fence(store, Acks())
    assert said.startswith("nobody could be asked: ")
