"""Taking something away: committed first, then everybody who hears is waited for, and the silent ones are named."""

from __future__ import annotations

import psycopg
import pytest

from fake_ears import silent_ear
from gateway.errors import Refused, StoreBusy
from gateway.services import users
from gateway.services.ground import Ground, readable, taking_away
from gateway.storage.pool import Store
from serving import Served

pytestmark = pytest.mark.anyio
ADD = "INSERT INTO groups (tenant_id, name) VALUES (tenant(), 'made')"


async def test_where_nobody_hears_nobody_is_waited_for(ground: Ground, psql: psycopg.Connection) -> None:
    async with taking_away(ground, "test") as taking:
        await taking.tx.execute(ADD)
    assert taking.silent == ()
    assert psql.execute("SELECT name FROM groups").fetchall() == [("made",)]


async def test_a_replica_that_hears_has_forgotten_when_it_is_over(ground: Ground, served: Served) -> None:
    before = served.gateway.cache.epoch
    async with taking_away(ground, "test") as taking:
        await taking.tx.execute(ADD)
    assert taking.silent == ()
    assert served.gateway.cache.epoch > before


async def test_the_silent_ones_are_named_and_the_change_stands(
    ground: Ground, database: str, psql: psycopg.Connection
) -> None:
    with silent_ear(database, "stalled:1"):
        async with taking_away(ground, "test") as taking:
            await taking.tx.execute(ADD)
    assert taking.silent == ("stalled:1",)
    assert psql.execute("SELECT name FROM groups").fetchall() == [("made",)]


async def test_who_took_nothing_away_waits_for_nobody(ground: Ground, database: str) -> None:
    with silent_ear(database, "stalled:1"):
        async with taking_away(ground, "test") as taking:
            taking.needed = False
    assert taking.silent == ()
    assert "fence" not in ground.store.queries


async def test_what_goes_wrong_inside_changes_nothing_and_raises_no_fence(
    ground: Ground, psql: psycopg.Connection
) -> None:
    async def failing() -> None:
        async with taking_away(ground, "test") as taking:
            await taking.tx.execute(ADD)
            raise Refused("no")

    with pytest.raises(Refused):
        await failing()
    assert psql.execute("SELECT name FROM groups").fetchall() == []
    assert "fence" not in ground.store.queries


async def test_if_nobody_can_be_asked_that_is_said(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the commit the change is made: to raise would say that it is not."""
    connection = Store.connection

    def refusing(self: Store, room: str, limit: float = 2.0) -> object:
        if room == "fence":
            raise StoreBusy("every database connection is in use")
        return connection(self, room, limit)

    monkeypatch.setattr(Store, "connection", refusing)
    async with taking_away(ground, "test") as taking:
        await taking.tx.execute(ADD)
    assert taking.silent == ("nobody could be asked: every database connection is in use",)


async def test_a_fence_holds_no_connection_while_it_waits(database: str, ground: Ground) -> None:
    """With a pool of one, a writer that waits would stop the others."""
    small = Ground(Store(database, 1), ground.acks, ground.ring, ground.wall)
    await small.store.open()
    async with taking_away(small, "test") as taking:
        await taking.tx.execute(ADD)
    assert await users.listing(small) == []
    assert taking.silent == ()
    await small.store.close()


@pytest.mark.parametrize("text", ["x" * 11, "a\nb", "a\x1b[31m", "a\x00", "\u2028", "\ud800"])
async def test_what_could_speak_to_a_terminal_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="label must be printable characters, 10 at most"):
        readable(text, 10, "label")


@pytest.mark.parametrize("text", ["", "a b", "\u00e4\u00f6\u4e2d", "x" * 10])
async def test_plain_words_are_not(text: str) -> None:
    readable(text, 10, "label")
