"""What is refused in a loop: a line for each while they are few, then one for all, and none of them uncounted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from gateway import signals
from gateway.observe import floods
from gateway.observe.floods import MOST, Flood

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
