"""How long the slowest checks take while Python's collector of cyclic garbage is at work, by how it is set.

Each way sees the same: checks by sessions drawn from all there are, an answer of storage put into memory after every
tenth, and one full collection on the way, as there is one whenever what lives has grown by a quarter.
"""

from __future__ import annotations

import gc
import random
import time

import memories
from memories import Size

from gateway import clocks, collector
from gateway.endpoints.forwardauth import ForwardAuth
from gateway.services.entries import Entries

AS_IT_COMES, SETTLED = "collector as it comes", "collector settled"


def measure(door: ForwardAuth, size: Size, number: int) -> dict[str, list[float]]:
    """Seconds of each of so many checks: untouched, then as the gateway sets it. Leaves it set."""
    gc.collect()
    found = {AS_IT_COMES: times(door, size, number)}
    collector.settle()
    found[SETTLED] = times(door, size, number)
    return found


def times(door: ForwardAuth, size: Size, number: int) -> list[float]:
    """One run; a pause counts for the check that it delays."""
    chance, found, full = random.Random(2), list[float](), number // 2
    for done in range(number):
        question = memories.question(chance.randrange(size.sessions), size, chance)
        begun = time.perf_counter()
        if done == full:
            gc.collect()
        memories.check(door, question)
        found.append(time.perf_counter() - begun)
        if done % 10 == 0:
            learn(door, chance.randrange(size.sessions), size)
    return found


def learn(door: ForwardAuth, session: int, size: Size) -> None:
    """What storage says of a session comes once more, a heartbeat with it."""
    cache, said = door.judge.cache, memories.fact(session, size.tenants)
    memories.hear(cache)
    entry = Entries(3600.0, frozenset()).entry(said.credential, said, clocks.boot(), float("-inf"))
    cache.put(said.credential, entry, cache.epoch)


def quantile(times: list[float], share: float) -> float:
    """The time that this share of them does not exceed."""
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]
