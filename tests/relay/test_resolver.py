"""Names of apps: looked up once for all who wait, believed for a moment, and never in the way of anybody else.

What the system answers is made up here: name servers that do not answer cannot be had in a test.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest

from gateway.errors import SlowToConnect, Unreachable
from gateway.relay.resolver import KEPT, Resolver
from gateway.settings import Upstream as Terms
from relay.behind import App, listening
from relay.test_pool import Stand, fails

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


class System:
    """What the system knows of names, and how often it was asked for one; ``silent.test`` waits until it may end."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.known = {"here.test": ["127.0.0.1"], "moved.test": ["127.0.0.2", "127.0.0.1"]}
        self.ends = Event()

    def __call__(self, host: str, *unused: object, **more: object) -> list[Any]:
        self.asked.append(host)
        if host == "silent.test":
            self.ends.wait(30)
        if host not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in self.known[host]]


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    made = System()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    yield made
    made.ends.set()


@pytest.fixture
def app() -> Iterator[App]:
    with listening() as found:
        yield found


def stand(app: App, host: str, **more: Any) -> Stand:
    return Stand(app.upstream.replace("127.0.0.1", host), Terms(**more))


async def test_one_lookup_serves_all_who_wait_and_is_believed_for_a_moment(system: System) -> None:
    resolver = Resolver("here.test")
    assert await asyncio.gather(*(resolver.addresses() for _ in range(5))) == [["127.0.0.1"]] * 5
    await resolver.addresses()
    assert system.asked == ["here.test"]
    assert asyncio.get_running_loop().time() < resolver._until <= asyncio.get_running_loop().time() + KEPT
    resolver.forget()
    await resolver.addresses()
    assert system.asked == ["here.test"] * 2


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_an_address_is_not_looked_up(system: System, address: str) -> None:
    resolver = Resolver(address)
    assert await resolver.addresses() == [address]
    resolver.forget()
    assert await resolver.addresses() == [address]
    assert system.asked == []


async def test_a_name_that_nobody_answers_for_is_in_nobody_elses_way(system: System, app: App) -> None:
    silent = [stand(app, "silent.test", connect=0.05).pool for _ in range(20)]
    for failed in await asyncio.gather(*map(fails, silent)):
        assert isinstance(failed, SlowToConnect)
    assert isinstance(await fails(silent[0]), SlowToConnect)
    assert system.asked.count("silent.test") == len(silent)  # the first is still being looked up
    pool = stand(app, "here.test").pool
    await pool.open()
    pool.close()


async def test_a_name_that_there_is_not_cannot_be_reached_and_is_asked_for_again(system: System, app: App) -> None:
    pool = stand(app, "nowhere.test").pool
    for _ in range(2):
        assert isinstance(await fails(pool), Unreachable)
    assert system.asked == ["nowhere.test"] * 2


async def test_an_address_at_which_nobody_is_is_not_the_last(system: System, app: App) -> None:
    pool = stand(app, "moved.test").pool
    await pool.open()
    pool.close()
    system.known["moved.test"] = ["127.0.0.2"]
    pool._resolver.forget()
    assert isinstance(await fails(pool), Unreachable)
    system.known["moved.test"] = ["127.0.0.1"]
    await pool.open()
    pool.close()
    await asyncio.sleep(0)


async def test_what_is_learnt_when_nobody_waits_any_more_does_no_harm(system: System) -> None:
    resolver = Resolver("silent.test")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await resolver.addresses()
    system.ends.set()
    with pytest.raises(socket.gaierror):
        await resolver.addresses()
