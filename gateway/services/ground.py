"""What every use case stands on, and the one way to take something away.

A use case that takes something away returns the names of the replicas that did not acknowledge within a second; an
empty tuple is the promise that every replica that hears now refuses.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.errors import Refused
from gateway.storage.fence import Acks, raise_fence
from gateway.storage.pool import LIMIT, Connection, Store
from gateway.tokens import Ring

Silent = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ground:
    """The store, the acknowledgements of its ears, the signing keys as they are now, and the wall clock."""

    store: Store
    acks: Acks
    ring: Callable[[], Ring]
    wall: Callable[[], float]


@dataclass(slots=True)
class Taking:
    """A transaction that takes something away; ``silent`` is known once it is over. Who found nothing to take away says
    so by ``needed``: then nobody has to be waited for."""

    tx: Connection
    silent: Silent = ()
    needed: bool = True


def readable(text: str, longest: int, what: str) -> None:
    """Refused where ``text`` is too long, or could do something to whoever's terminal it is printed on."""
    if len(text) > longest or not text.isprintable():
        raise Refused(f"the {what} must be printable characters, {longest} at most")


@asynccontextmanager
async def taking_away(ground: Ground, room: str, limit: float = LIMIT) -> AsyncIterator[Taking]:
    """After COMMIT, with the connection back in the pool, wait for everybody who hears."""
    async with ground.store.transaction(room, limit=limit) as tx:
        taking = Taking(tx)
        yield taking
    if taking.needed:
        taking.silent = await raise_fence(ground.store, ground.acks)
