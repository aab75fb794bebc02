"""The one ear: what it hears, in which order, and that it never stays deaf."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from gateway import clocks, signals
from gateway.errors import StoreSilent
from gateway.storage import migrate
from gateway.storage.embedded import Embedded
from gateway.storage.listener import Clocks
from gateway.storage.pool import Store
from storage.conftest import Heard, MakeEar

pytestmark = pytest.mark.anyio


def cut(psql: psycopg.Connection) -> None:
    psql.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'gateway ear' AND datname = current_database()"
    )


def hears_again(said: list[tuple[Any, ...]]) -> bool:
    words = [what[0] for what in said]
    return "deaf" in words and "hearing" in words[words.index("deaf") :]


async def test_it_hears_what_others_and_its_own_process_commit(
    make_ear: MakeEar, store: Store, psql: psycopg.Connection
) -> None:
    heard = Heard()
    await make_ear(heard=heard)
    psql.execute("INSERT INTO groups (id, tenant_id, name) VALUES (5, 1, 'staff')")
    async with store.transaction("test") as tx:
        await tx.execute("INSERT INTO users (id, tenant_id, name) VALUES (6, 1, 'alice')")
    await heard.until(lambda said: {("changed", "group", "5"), ("changed", "user", "6")} <= {*said})


async def test_it_forgets_then_refills_then_hears(make_ear: MakeEar) -> None:
    heard = Heard()

    async def refill() -> None:
        heard.add("refilled")

    ear = await make_ear(heard=heard, refill=refill)
    assert ear.hearing
    assert heard.said[0] == ("changed", "*", "*")
    assert heard.words()[:3] == ["changed", "refilled", "hearing"]


async def test_a_lost_connection_is_deafness_and_then_everything_is_forgotten_and_read_again(
    make_ear: MakeEar, psql: psycopg.Connection
) -> None:
    heard = Heard()

    async def refill() -> None:
        heard.add("refilled")

    await make_ear(heard=heard, refill=refill)
    heard.said.clear()
    cut(psql)
    await heard.until(hears_again)
    words = heard.words()
    after = words[words.index("deaf") :]
    assert heard.said[len(words) - len(after) + 1] == ("changed", "*", "*")
    assert after[:4] == ["deaf", "changed", "refilled", "hearing"]


@pytest.mark.parametrize("error", [ValueError("a row that cannot be read"), StoreSilent("away")])
async def test_no_error_of_a_refill_leaves_it_deaf_for_ever(
    make_ear: MakeEar, psql: psycopg.Connection, error: Exception
) -> None:
    heard, errors = Heard(), []

    async def refill() -> None:
        if errors:
            raise errors.pop()

    await make_ear(heard=heard, refill=refill)
    errors.append(error)
    cut(psql)
    await heard.until(lambda said: ("deaf", str(error)) in said)
    heard.said.clear()
    await heard.until(lambda said: ("changed", "*", "*") in said and "hearing" in heard.words())


async def test_no_error_of_settling_leaves_it_deaf_for_ever(make_ear: MakeEar, psql: psycopg.Connection) -> None:
    heard, errors = Heard(), [ValueError("a policy that cannot be read")]

    async def settle() -> None:
        if errors:
            raise errors.pop()

    await make_ear(heard=heard, settle=settle)
    psql.execute(f"NOTIFY gateway, 'fence:1:{'0' * 32}'".encode())
    await heard.until(hears_again)


async def test_one_commit_is_heard_in_one_step_however_much_it_announces(
    make_ear: MakeEar, psql: psycopg.Connection
) -> None:
    """Far more than one read of the socket holds, so that a half of it would be there for a moment."""
    heard = Heard()
    ear = await make_ear(heard=heard)
    steps: list[int] = []
    turn = 0

    def count(sender: object, kind: str, key: str) -> None:
        nonlocal turn
        if kind == "group":
            asyncio.get_running_loop().call_soon(advance)
            steps.append(turn)

    def advance() -> None:
        nonlocal turn
        turn += 1

    signals.changed.connect(count, sender=ear, weak=False)
    with psql.transaction():
        for block in range(60):
            psql.execute(
                "INSERT INTO groups (tenant_id, name) SELECT 1, 'g' || n FROM generate_series(%s::int, %s::int) AS n",
                (block * 100, block * 100 + 99),
            )
    await heard.until(lambda said: sum(what[:2] == ("changed", "group") for what in said) == 6000)
    assert set(steps) == {steps[0]}


async def test_the_lease_is_the_moment_of_sending(make_ear: MakeEar) -> None:
    heard = Heard()
    begun = clocks.boot()
    await make_ear(heard=heard)
    await heard.until(lambda said: sum(what[0] == "hearing" for what in said) >= 3)
    leases = [what[1] for what in heard.said if what[0] == "hearing"]
    assert leases == sorted(set(leases))
    assert begun < leases[0] < leases[-1] < clocks.boot()


async def test_a_jump_of_the_wall_clock_is_deafness(make_ear: MakeEar) -> None:
    heard, jump = Heard(), [0.0]
    await make_ear(heard=heard, now=Clocks(clocks.boot, lambda: clocks.moment().wall + jump[0]))
    jump[0] = -30.0
    await heard.until(hears_again)
    assert ("deaf", "the clock jumped") in heard.said


async def test_an_ear_is_known_by_its_name_as_long_as_it_lives(make_ear: MakeEar, psql: psycopg.Connection) -> None:
    first = await make_ear("here:1")
    await make_ear("here:2")
    named = "SELECT name FROM replicas ORDER BY name"
    assert psql.execute(named).fetchall() == [("here:1",), ("here:2",)]
    await first.stop()
    await make_ear("here:3")
    assert psql.execute(named).fetchall() == [("here:2",), ("here:3",)]


async def test_a_database_that_is_not_there_stops_the_start(make_ear: MakeEar, database: str) -> None:
    with pytest.raises(StoreSilent):
        await make_ear(url=f"{database}&hostaddr=127.0.0.1&port=1")


@pytest.fixture
def moved(database: str, place: Path) -> Iterator[tuple[str, Path, Path]]:
    """A URL whose server is where a link points, and another server's directory with the same password."""
    parts = urlsplit(database)
    with Embedded(place / "b", throwaway=True) as other:
        url = other.attach()
        assert url is not None
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"ALTER ROLE gateway PASSWORD '{parts.password}'".encode())
            connection.execute(f"CREATE DATABASE {parts.path[1:]}".encode())
        migrate.migrate(urlsplit(url)._replace(netloc=parts.netloc, path=parts.path).geturl())
        link = place / "link"
        link.symlink_to(_socket(database))
        there = f"host={quote(str(link), safe='')}"
        yield parts._replace(query=f"{there}&port=5432").geturl(), link, _socket(url)


def _socket(url: str) -> Path:
    return Path(str(conninfo_to_dict(url)["host"]))


async def test_another_server_that_answers_in_its_place_is_said_aloud(
    make_ear: MakeEar, psql: psycopg.Connection, moved: tuple[str, Path, Path]
) -> None:
    url, link, elsewhere = moved
    heard = Heard()
    await make_ear(url=url, heard=heard)
    link.unlink()
    link.symlink_to(elsewhere)
    cut(psql)
    await heard.until(hears_again)
    assert any(what[0] == "deaf" and "another database server" in what[1] for what in heard.said)
