"""What a warm check is made of. These are not speed, but what speed is made of, and the same on a machine that is busy.

Whoever needs more of it raises a number here on purpose, and says in the commit what for. A lower number is welcome:
``python tests/warmth.py`` prints today's. The limits are those counts and about 5 %.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from counting import Work, counted, kept
from gateway import signals
from gateway.endpoints import familiar
from gateway.endpoints.forwardauth import ForwardAuth
from gateway.messages import plain
from warmth import CASES, World

SLACK = 1.0 if sys.version_info[:2] == (3, 11) else 1.5
"""The limits are of Python 3.11, which CI runs; other versions have other bytecodes."""
CHECKS, LOGIN_URLS = 1000, 1100
"""The signatures of so many are more than are remembered."""


class Limit(NamedTuple):
    """The most of each: bytecodes, calls of what is written in Python, and of what is written in C."""

    bytecodes: int
    calls: int
    builtins: int


LIMITS = {
    "session": Limit(682, 22, 25),
    "session, ASGI": Limit(627, 20, 26),
    "key": Limit(682, 22, 25),
    "bypass": Limit(615, 21, 25),
    "deny": Limit(679, 24, 27),
    "challenge 401": Limit(680, 24, 28),
    "challenge 302": Limit(1136, 50, 47),
    "session, new head": Limit(3521, 115, 183),
    "session, ASGI, new head": Limit(2727, 110, 114),
    "key, new head": Limit(3436, 113, 176),
    "bypass, new head": Limit(2871, 95, 157),
    "deny, new head": Limit(3423, 114, 183),
    "challenge 401, new head": Limit(2979, 102, 162),
    "challenge 302, new head": Limit(3274, 122, 177),
    "session, caddy": Limit(682, 22, 25),
    "session, haproxy": Limit(682, 22, 25),
    "session, nginx": Limit(2466, 77, 136),
    "session, envoy": Limit(2466, 80, 136),
    "session, nginx, ASGI": Limit(1591, 66, 66),
    "session, envoy, ASGI": Limit(1627, 69, 69),
}
"""A check is new in its path; "new head": in everything else, too. "ASGI": under any server, without the express door."""
CARRIED = Limit(1435, 48, 48)
"""A request with a head that was read before is carried to an app, and its answer of 2 KB back."""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What listeners to decisions do is their own, and a gateway of another test may be there still. Other tests may have
    filled the table of header names with odd ones."""
    for signal in signals.decided.values():
        monkeypatch.setattr(signal, "receivers", {})
    monkeypatch.setattr(plain, "_names", {})


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


@pytest.fixture(scope="module")
def large() -> Iterator[World]:
    """Beside ``world``: 500 apps with 40 rules each, and 20,000 sessions."""
    made = World(apps=499, rules=40, sessions=20_000)
    yield made
    made.close()


def work_of(world: World, name: str) -> Work:
    """What a check is made of that is answered as it should be."""
    case = CASES[name]
    check = world.warm(case)
    answers = world.answers()
    work = counted(check)
    assert world.status(case) == case.status
    assert world.answers() == answers + (not case.asgi)
    return work


def most(work: Work) -> str:
    """Where it was done, for whoever has to look."""
    return "\n".join(f"{count:6} {function}" for function, count in work.where.most_common(12))


def within(work: Work, limit: Limit) -> bool:
    done = Limit(work.bytecodes, work.calls, work.builtins)
    return all(0 < count <= allowed * SLACK for count, allowed in zip(done, limit, strict=True))


def test_every_case_has_a_limit() -> None:
    assert LIMITS.keys() == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_a_warm_check_does_no_more_than(world: World, name: str) -> None:
    work = work_of(world, name)
    assert within(work, LIMITS[name]), f"{work}, allowed: {LIMITS[name]}\n{most(work)}"


def test_a_head_that_was_read_before_is_not_read_again(world: World) -> None:
    """Whatever the version of Python: that is a quarter of the work, and less."""
    for name in ("session", "key", "bypass", "deny", "challenge 401"):
        assert work_of(world, name).bytecodes * 4 < work_of(world, f"{name}, new head").bytecodes


@pytest.mark.parametrize("name", CASES)
def test_a_warm_check_asks_nobody_and_waits_for_nobody(world: World, name: str) -> None:
    """No query, no miss, no task; before there is a scope no coroutine either, and behind it one of the application and
    one of the door, which send head and body (``warmth`` fails where either is suspended)."""
    case, cache = CASES[name], world.gateway.cache
    misses = cache.misses
    assert work_of(world, name).coroutines == (2 if case.asgi else 0)
    assert cache.misses == misses
    assert world.gateway.store.queries == {}
    assert asyncio.all_tasks(world.loop) == set()
    if case.asgi:
        assert [message["type"] for message in world.messages] == ["http.response.start", "http.response.body"]


def test_carrying_does_no_more_than() -> None:
    world = World()
    work = counted(world.carried())
    world.close()
    assert within(work, CARRIED), f"{work}, allowed: {CARRIED}\n{most(work)}"
    assert work.coroutines == 0


@pytest.mark.parametrize("name", CASES)
def test_a_thousand_checks_leave_nothing_behind(world: World, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the tables are full, which are bounded: each of these checks has a path of its own, and some a head."""
    monkeypatch.setattr(familiar, "PEOPLE", 32)
    monkeypatch.setattr(familiar, "STRANGERS", 32)
    case = CASES[name]
    all_of(world, [world.ready(case) for _ in range(LOGIN_URLS if case.status == 302 else 50)])
    checks = [world.ready(case) for _ in range(CHECKS)]
    assert kept(lambda: all_of(world, checks)) < CHECKS / 10
    assert world.status(case) == case.status


def all_of(world: World, checks: list[Callable[[], None]]) -> None:
    for number, check in enumerate(checks):
        check()
        if number % 20 == 0:
            world.rest()


@pytest.mark.parametrize("name", CASES)
def test_it_makes_no_difference_how_many_apps_rules_and_sessions_there_are(
    world: World, large: World, name: str
) -> None:
    assert work_of(large, name) == work_of(world, name)


def test_work_that_is_done_twice_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the limits would hold nothing."""
    again = ForwardAuth.again

    def twice(*how: Any) -> Any:
        again(*how)
        return again(*how)

    monkeypatch.setattr(ForwardAuth, "again", twice)
    work = work_of(world, "session")
    assert work.bytecodes > LIMITS["session"].bytecodes
    assert work.calls > LIMITS["session"].calls


def test_who_traced_before_traces_again() -> None:
    before = sys.gettrace(), sys.getprofile()
    counted(lambda: None)
    assert (sys.gettrace(), sys.getprofile()) == before
