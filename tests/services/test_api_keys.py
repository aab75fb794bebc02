"""Use cases of API keys."""

from __future__ import annotations

import math

import psycopg
import pytest

from gateway import appsfile, tokens
from gateway.errors import NotFound, Refused
from gateway.services import api_keys, apply, users
from gateway.services.ground import Ground
from serving import APPS, PASSWORD

pytestmark = pytest.mark.anyio


@pytest.fixture
async def alice(ground: Ground) -> Ground:
    await users.add(ground, "me", "alice", PASSWORD)
    await apply.apply(ground, "me", APPS, appsfile.read(APPS, "apps.yaml", portal_host=""))
    return ground


async def test_a_key_is_shown_once_and_known_by_its_digest(alice: Ground, psql: psycopg.Connection) -> None:
    number, key = await api_keys.create(alice, "me", "alice", "backup", ["app"], 60)
    ring = alice.ring()
    assert tokens.admit(ring, "api_key", key.encode(), alice.wall())
    assert not tokens.admit(ring, "api_key", key.encode(), alice.wall() + 61)
    assert psql.execute("SELECT id, digest, apps FROM api_keys").fetchall() == [
        (number, tokens.digest(ring, key.encode()), ["app"])
    ]
    assert key not in str(psql.execute("SELECT api_keys::text, audit::text FROM api_keys, audit").fetchall())


async def test_a_key_without_an_end_has_none(alice: Ground) -> None:
    _, key = await api_keys.create(alice, "me", "alice")
    assert tokens.admit(alice.ring(), "api_key", key.encode(), alice.wall() + 1e9)
    [listed] = await api_keys.listing(alice)
    assert (listed.expires, listed.apps) == (None, None)


@pytest.mark.parametrize("seconds", [0, -1, 3651 * 86400, 1e14, math.inf, math.nan])
async def test_an_end_is_within_ten_years(alice: Ground, seconds: float) -> None:
    with pytest.raises(Refused, match="ten years"):
        await api_keys.create(alice, "me", "alice", seconds=seconds)
    assert await api_keys.listing(alice) == []


@pytest.mark.parametrize("label", ["x" * 129, "a\x00", "a\x1b[1m"])
async def test_a_label_is_short_and_plain(alice: Ground, label: str) -> None:
    with pytest.raises(Refused, match="label"):
        await api_keys.create(alice, "me", "alice", label)


async def test_a_key_for_an_app_that_is_not_there_is_not_made(alice: Ground) -> None:
    with pytest.raises(NotFound, match="no app called photos"):
        await api_keys.create(alice, "me", "alice", apps=["app", "photos"])
    assert await api_keys.listing(alice) == []


async def test_keys_of_nobody_are_not_made_and_not_listed(alice: Ground) -> None:
    with pytest.raises(NotFound, match="no user called nobody"):
        await api_keys.create(alice, "me", "nobody")
    with pytest.raises(NotFound, match="no user called nobody"):
        await api_keys.listing(alice, "nobody")


async def test_a_key_ends_once_and_alone(alice: Ground, psql: psycopg.Connection) -> None:
    (first, _), (second, _) = await api_keys.create(alice, "me", "alice"), await api_keys.create(alice, "me", "alice")
    assert await api_keys.revoke(alice, "me", first) == ()
    assert [key.id for key in await api_keys.listing(alice, "alice")] == [second]
    for key in (first, 4711, 10**30):
        with pytest.raises(NotFound, match="no living key"):
            await api_keys.revoke(alice, "me", key)
    revoked = psql.execute("SELECT subject FROM audit WHERE action = 'key.revoke'").fetchall()
    assert revoked == [(f"api_key:{first}",)]
