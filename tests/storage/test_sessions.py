"""Sessions, row by row: what lives, and what ends together."""

from __future__ import annotations

from hashlib import sha256

import psycopg
import pytest

from gateway.storage import sessions, users
from gateway.storage.pool import Store
from gateway.storage.sessions import NewSession

pytestmark = pytest.mark.anyio


def digest(name: str) -> bytes:
    return sha256(name.encode()).digest()


@pytest.fixture
async def family(store: Store) -> dict[str, int]:
    """alice's portal session with two children and a session without a parent; bob's portal session; by name."""
    made: dict[str, int] = {}
    async with store.transaction("test") as tx:
        alice, bob = await users.add(tx, "alice", "", ""), await users.add(tx, "bob", "", "")
        for name, user, parent in (
            ("portal", alice, None),
            ("child", alice, "portal"),
            ("other child", alice, "portal"),
            ("alone", alice, None),
            ("bob's", bob, None),
        ):
            kind = "session" if parent or name == "alone" else "portal"
            above = made[parent] if parent else None
            made[name] = await sessions.add(
                tx, NewSession(user, kind, digest(name), 3600, 60, label=name, parent=above)
            )
        made["alice"], made["bob"] = alice, bob
    return made


async def living(store: Store, user: str | None = None) -> list[str]:
    async with store.transaction("test") as tx:
        return [session.label for session in await sessions.listing(tx, user)]


async def test_living_sessions_are_listed_newest_first(store: Store, family: dict[str, int]) -> None:
    assert await living(store) == ["bob's", "alone", "other child", "child", "portal"]
    assert await living(store, "bob") == ["bob's"]
    async with store.transaction("test") as tx:
        assert [one.label for one in await sessions.roots_of(tx, family["alice"])] == ["alone", "portal"]
        assert await sessions.number_of(tx, digest("child")) == family["child"]
        assert await sessions.number_of(tx, digest("nobody's")) is None


ENDED = [
    ("portal", {"portal", "child", "other child"}),
    ("child", {"child"}),
    ("alone", {"alone"}),
]


@pytest.mark.parametrize(("session", "gone"), ENDED)
async def test_a_parent_takes_its_children_along(
    store: Store, family: dict[str, int], session: str, gone: set[str]
) -> None:
    async with store.transaction("test") as tx:
        assert {*await sessions.end(tx, family[session])} == {family[name] for name in gone}
        assert await sessions.end(tx, family[session]) == []
    assert {"portal", "child", "other child", "alone"} - gone == {*await living(store, "alice")}


async def test_somebody_elses_session_is_not_ended(store: Store, family: dict[str, int]) -> None:
    async with store.transaction("test") as tx:
        assert await sessions.end(tx, family["portal"], family["bob"]) == []
        assert await sessions.end(tx, family["bob's"], family["bob"]) == [family["bob's"]]


@pytest.mark.parametrize("presented", ["portal", "child"])
async def test_signing_out_anywhere_ends_the_whole_sign_in(
    store: Store, family: dict[str, int], presented: str
) -> None:
    async with store.transaction("test") as tx:
        await sessions.end_digest(tx, digest(presented))
        assert await sessions.end_digest(tx, digest("nobody's")) == []
    assert await living(store) == ["bob's", "alone"]


async def test_all_of_one_person_end_at_once(store: Store, family: dict[str, int]) -> None:
    async with store.transaction("test") as tx:
        assert len(await sessions.end_user(tx, family["alice"])) == 4
    assert await living(store) == ["bob's"]


async def test_rows_that_ended_long_ago_are_dropped_and_others_stay(
    store: Store, family: dict[str, int], psql: psycopg.Connection
) -> None:
    psql.execute("UPDATE sessions SET ended_at = now() - interval '31 days' WHERE label = 'alone'")
    psql.execute("UPDATE sessions SET expires_at = now() - interval '31 days' WHERE label = 'bob''s'")
    psql.execute("UPDATE sessions SET ended_at = now() - interval '29 days' WHERE label = 'child'")
    async with store.transaction("test") as tx:
        await sessions.forget_ended(tx)
    left = psql.execute("SELECT label FROM sessions ORDER BY id").fetchall()
    assert left == [("portal",), ("child",), ("other child",)]
