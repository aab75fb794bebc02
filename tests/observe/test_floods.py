"""What is refused in a loop: a line for each while they are few, then one for all, and none of them uncounted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from gateway import signals
from gateway.model import Deny
from gateway.observe import floods
from gateway.observe.floods import MOST, Few, Flood
from samples import person

pytestmark = pytest.mark.anyio


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[str], dict[tuple[str, str], int], Flood]]:
    """A flood of denials, whose second is over at the loop's next turn but one."""
    monkeypatch.setattr(floods, "_in_a_second", lambda call: asyncio.get_running_loop().call_later(0, call))
    heard, counters = list[str](), {("deny", "traefik"): 0, ("allow", "traefik"): 7}
    flood = Flood("deny", lambda door: heard.append(door), counters)
    flood.connect()
    yield heard, counters, flood
    flood.disconnect()


def deny(counters: dict[tuple[str, str], int], times: int) -> None:
    """As a door does: it counts, and tells whoever listens."""
    for _ in range(times):
        counters["deny", "traefik"] += 1
        if signals.decided["deny"].receivers:
            signals.decided["deny"].send("traefik")


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_few_are_told_one_by_one(told, caplog) -> None:  # type: ignore[no-untyped-def]
    heard, counters, _ = told
    for _ in range(3):
        deny(counters, MOST - 1)
        await turn()
    assert len(heard) == 3 * (MOST - 1)
    assert caplog.records == []


async def test_the_rest_of_a_second_has_one_line_and_the_next_is_told_again(told, caplog) -> None:  # type: ignore[no-untyped-def]
    heard, counters, _ = told
    deny(counters, MOST + 900)
    assert len(heard) == MOST
    assert not signals.decided["deny"].receivers
    await turn()
    (line,) = caplog.records
    assert (line.levelno, line.outcome, line.more) == (logging.WARNING, "deny", 900)
    deny(counters, 5)
    assert len(heard) == MOST + 5


async def test_what_was_not_told_at_the_end_is_summed_up(told, caplog) -> None:  # type: ignore[no-untyped-def]
    heard, counters, flood = told
    deny(counters, MOST + 9)
    flood.disconnect()
    assert [line.more for line in caplog.records] == [9]
    deny(counters, 1)
    assert len(heard) == MOST


async def test_one_cause_does_not_hide_another(told, caplog) -> None:  # type: ignore[no-untyped-def]
    """A stranger is refused in a loop, and so is somebody at an app; the denial of a third one has its line."""
    _, counters, quiet = told
    quiet.disconnect()
    heard = list[tuple[str, str]]()
    flood = Flood("deny", lambda door, decision: heard.append((decision.code, decision.identity)), counters)
    flood.connect()
    for decision in [Deny("", 0, "G137", "no app")] * 400 + [Deny("app", 1, "G133", "a rule", person("bob"))] * 400:
        counters["deny", "traefik"] += 1
        signals.decided["deny"].send("traefik", decision=decision)
    counters["deny", "traefik"] += 1
    signals.decided["deny"].send("traefik", decision=Deny("app", 1, "G133", "a rule", person("alice")))
    assert (len(heard), heard[-1]) == (2 * MOST + 1, ("G133", person("alice")))
    await turn()
    assert [line.more for line in caplog.records] == [600]
    flood.disconnect()


def test_what_has_no_counter_is_summed_up_when_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    few = Few("unreadable")
    assert [few.passes(7.5) for _ in range(MOST + 5)] == [True] * MOST + [False] * 5
    assert few.passes(8.0)
    assert [(line.outcome, line.more) for line in caplog.records] == [("unreadable", 5)]  # type: ignore[attr-defined]
