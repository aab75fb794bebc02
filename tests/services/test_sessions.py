"""Use cases of sessions: who has which, and the end of them."""

from __future__ import annotations

import psycopg
import pytest

from gateway import tokens
from gateway.errors import NotFound, Refused
from gateway.services import sessions, users
from gateway.services.ground import Ground
from gateway.storage import sessions as rows
from gateway.storage.sessions import NewSession
from serving import PASSWORD

pytestmark = pytest.mark.anyio


@pytest.fixture
async def people(ground: Ground) -> dict[str, int]:
    return {name: await users.add(ground, "me", name, PASSWORD) for name in ("alice", "bob")}


async def sign_in(ground: Ground, user: int) -> tuple[int, int, bytes]:
    """A portal session with its child: their ids, and the digest of the parent."""
    digest = tokens.digest(ground.ring(), tokens.mint(ground.ring(), "portal", tokens.NEVER).encode())
    child = tokens.digest(ground.ring(), tokens.mint(ground.ring(), "session", tokens.NEVER).encode())
    async with ground.store.transaction("test") as tx:
        parent = await rows.add(tx, NewSession(user, "portal", digest, 60, 60))
        return parent, await rows.add(tx, NewSession(user, "session", child, 60, 60, parent=parent)), digest


def living(psql: psycopg.Connection) -> list[int]:
    return [row[0] for row in psql.execute("SELECT id FROM sessions WHERE ended_at IS NULL ORDER BY id").fetchall()]


async def test_a_session_for_a_probe_lives_as_long_as_it_says(
    ground: Ground, people: dict[str, int], psql: psycopg.Connection
) -> None:
    number, token = await sessions.create(ground, "me", "alice", 600, "example.com")
    assert tokens.admit(ground.ring(), "session", token.encode(), ground.wall())
    assert not tokens.admit(ground.ring(), "session", token.encode(), ground.wall() + 601)
    [row] = psql.execute(
        "SELECT id, audience, digest, level, extract(epoch FROM expires_at - created_at)::int FROM sessions"
    ).fetchall()
    assert row == (number, "example.com", tokens.digest(ground.ring(), token.encode()), 1, 600)
    assert token not in str(psql.execute("SELECT sessions::text, audit::text FROM sessions, audit").fetchall())


@pytest.mark.parametrize("seconds", [0, -1, 86401, float("inf"), float("nan")])
async def test_it_lives_a_day_at_most(ground: Ground, people: dict[str, int], seconds: float) -> None:
    with pytest.raises(Refused, match="a day at most"):
        await sessions.create(ground, "me", "alice", seconds, "")
    assert await sessions.listing(ground) == []


async def test_the_end_of_a_sign_in_is_the_end_of_its_children(
    ground: Ground, people: dict[str, int], psql: psycopg.Connection
) -> None:
    (parent, _, _), (other, child, _) = [await sign_in(ground, people["alice"]) for _ in range(2)]
    assert await sessions.revoke(ground, "me", parent) == ()
    assert living(psql) == [other, child]
    await sessions.revoke(ground, "me", child)
    assert living(psql) == [other]


async def test_a_person_ends_only_sessions_of_their_own(
    ground: Ground, people: dict[str, int], psql: psycopg.Connection
) -> None:
    parent, child, _ = await sign_in(ground, people["alice"])
    for session in (parent, child):
        with pytest.raises(NotFound):
            await sessions.revoke(ground, "user:bob", session, owner=people["bob"])
    assert living(psql) == [parent, child]
    assert psql.execute("SELECT count(*) FROM audit WHERE action = 'session.revoke'").fetchone() == (0,)
    await sessions.revoke(ground, "user:alice", parent, owner=people["alice"])
    assert living(psql) == []


async def test_a_session_ends_once(ground: Ground, people: dict[str, int]) -> None:
    number, _ = await sessions.create(ground, "me", "alice", 60, "")
    await sessions.revoke(ground, "me", number)
    for session in (number, 4711, -1, 10**30):
        with pytest.raises(NotFound, match="no living session"):
            await sessions.revoke(ground, "me", session)


async def test_all_of_a_person_are_counted(ground: Ground, people: dict[str, int], psql: psycopg.Connection) -> None:
    await sign_in(ground, people["alice"])
    await sessions.create(ground, "me", "alice", 60, "")
    bobs = await sessions.create(ground, "me", "bob", 60, "")
    assert await sessions.revoke_user(ground, "me", "alice") == (3, ())
    assert await sessions.revoke_user(ground, "me", "alice") == (0, ())
    assert living(psql) == [bobs[0]]
    with pytest.raises(NotFound, match="no user called nobody"):
        await sessions.revoke_user(ground, "me", "nobody")


async def test_a_person_sees_their_sign_ins_and_which_is_this_one(ground: Ground, people: dict[str, int]) -> None:
    first, _, digest = await sign_in(ground, people["alice"])
    second, _, _ = await sign_in(ground, people["alice"])
    await sign_in(ground, people["bob"])
    found, own = await sessions.sign_ins(ground, people["alice"], digest)
    assert {session.id for session in found} == {first, second}
    assert own == first


async def test_listing_tells_a_person_without_sessions_from_nobody(ground: Ground, people: dict[str, int]) -> None:
    await sessions.create(ground, "me", "bob", 60, "")
    assert await sessions.listing(ground, "alice") == []
    assert [session.user for session in await sessions.listing(ground)] == ["bob"]
    with pytest.raises(NotFound):
        await sessions.listing(ground, "nobody")


async def test_sessions_of_nobody_are_not_made(ground: Ground, psql: psycopg.Connection) -> None:
    with pytest.raises(NotFound):
        await sessions.create(ground, "me", "nobody", 60, "")
    assert living(psql) == []
