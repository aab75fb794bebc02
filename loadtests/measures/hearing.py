"""A revocation, until eight gateways have forgotten and until all eight have said so; beside a bare NOTIFY to eight.

Eight gateways (without their doors) on one database, eight plain listeners on another database of the same server, so
that neither is woken by the other's news. Both are spoken to in turn, from here, with a pause in between. The clock of
one machine is the same in all its processes. *Heard* counts from the sending of what announces, which for a revocation
is its COMMIT and for a bare NOTIFY the whole statement, to the last of eight; *acknowledged* to the return of the use case.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import accounts
import bench
import crowd
import ears
import listeners
import psycopg
import servers
from crowd import Place
from figures import Figure, Section, Tell, figure

from gateway.services import sessions
from gateway.services.ground import Ground
from gateway.storage import migrate
from gateway.storage.pool import Connection, Store
from measures import FAN

Heard = Sequence[Mapping[str, int]]
"""What each of the eight heard, and when."""
EIGHT = 8
PAUSE = 0.02
"""Seconds of silence before each, so that nobody is still busy with the one before."""
WARM_UP = 5
MILLISECOND = 1_000_000


class Revoked(NamedTuple):
    """One revocation: of which session; in nanoseconds, the use case called, its COMMIT sent, its return."""

    session: int
    called: int
    committing: int
    returned: int


class Notified(NamedTuple):
    """One NOTIFY of this number, sent then."""

    number: int
    sent: int


class Times(NamedTuple):
    """Nanoseconds, one for each NOTIFY or revocation. ``whole``: from the call of the use case."""

    bare: list[int]
    heard: list[int]
    acknowledged: list[int]
    heard_whole: list[int]
    whole: list[int]

    @classmethod
    def of(cls, revoked: Sequence[Revoked], notified: Sequence[Notified], gateways: Heard, plain: Heard) -> Times:
        """From what was said, and what was heard."""
        return cls(
            [last(plain, one.number) - one.sent for one in notified],
            [last(gateways, one.session) - one.committing for one in revoked],
            [one.returned - one.committing for one in revoked],
            [last(gateways, one.session) - one.called for one in revoked],
            [one.returned - one.called for one in revoked],
        )

    def named(self) -> dict[str, list[int]]:
        """As the table says it."""
        return {
            "bare NOTIFY, heard by all": self.bare,
            "revocation, heard by all": self.heard,
            "revocation, acknowledged by all": self.acknowledged,
            "whole use case, heard by all": self.heard_whole,
            "whole use case, acknowledged by all": self.whole,
        }


class NotingStore(Store):
    """A pool that notes when a transaction's COMMIT is about to be sent."""

    committing = 0

    @asynccontextmanager
    async def transaction(self, *how: Any, **more: Any) -> AsyncIterator[Connection]:
        """As it is, and noted."""
        async with super().transaction(*how, **more) as tx:
            yield tx
            self.committing = time.monotonic_ns()


def measure(quick: bool, tell: Tell) -> Section:
    """Revocations and bare NOTIFYs by turns."""
    number = 100 if quick else 400
    tell("a database, eight gateways and eight listeners")
    with crowd.place(number + WARM_UP) as place:
        times = listen(place, tell)
    return Section(FAN["hearing"].title, list(figures_of(times)), FAN["hearing"].judged(values(times)), remarks(number))


def listen(place: Place, tell: Tell) -> Times:
    """Every session of the place is revoked, and all listen."""
    with servers.gateway(place):
        pass  # the apps are applied, once for all
    living, bare_url = prepare(place)
    with (
        listeners.listening(EIGHT, ["gateway"], place.settings) as gateways,
        listeners.listening(EIGHT, ["bare", bare_url], {}) as plain,
    ):
        revoked, notified = asyncio.run(speak(place, bare_url, living, tell))
        return Times.of(revoked, notified, listeners.told(gateways), listeners.told(plain))


# Who speaks ------------------------------------------------------------------------------------------------------


def prepare(place: Place) -> tuple[list[int], str]:
    """The ids of the sessions that there are, and the URL of another database for those who listen to nothing else."""
    with migrate.connect(place.url) as connection:
        rows = connection.execute("SELECT id FROM gateway.sessions ORDER BY id").fetchall()
        connection.execute("CREATE DATABASE bare")
    return [int(row[0]) for row in rows], urlsplit(place.url)._replace(path="/bare").geturl()


async def speak(place: Place, bare_url: str, living: Sequence[int], tell: Tell) -> tuple[list[Revoked], list[Notified]]:
    """Each session in turn, as the command line would, and a NOTIFY before each. The first few are not counted."""
    revoked, notified = [], []
    keys = place.work / "gateway" / "keys.json"
    async with (
        accounts.ground(accounts.Place(place.url, keys), NotingStore) as on,
        await psycopg.AsyncConnection.connect(bare_url, autocommit=True) as bare,
    ):
        for turn, session in enumerate(living):
            if turn % 20 == 0:
                tell(f"{turn} of {len(living)} revocations")
            await asyncio.sleep(PAUSE)
            notified.append(await notify(bare, session))
            await asyncio.sleep(PAUSE)
            revoked.append(await revoke(on, session))
        await asyncio.sleep(10 * PAUSE)
    return revoked[WARM_UP:], notified[WARM_UP:]


async def notify(connection: psycopg.AsyncConnection[Any], number: int) -> Notified:
    """A bare NOTIFY."""
    sent = time.monotonic_ns()
    await connection.execute("SELECT pg_notify(%s, %s)", (ears.CHANNEL, str(number)))
    return Notified(number, sent)


async def revoke(on: Ground, session: int) -> Revoked:
    """A revocation that everybody acknowledges; RuntimeError where somebody stays silent."""
    called = time.monotonic_ns()
    silent = await sessions.revoke(on, "loadtests", session)
    returned = time.monotonic_ns()
    if silent:
        raise RuntimeError(f"not acknowledged within a second by {', '.join(silent)}")
    assert isinstance(on.store, NotingStore)
    return Revoked(session, called, on.store.committing, returned)


# What came of it -------------------------------------------------------------------------------------------------


def last(heard: Heard, number: int) -> int:
    """When the last of them heard this; RuntimeError where one never did (or had nothing to forget)."""
    moments = [each.get(str(number), 0) for each in heard]
    if not all(moments):
        raise RuntimeError(f"{moments.count(0)} of {len(moments)} never heard of {number}")
    return max(moments)


def p99(times: Sequence[int]) -> float:
    """Nanoseconds."""
    return statistics.quantiles(times, n=100, method="inclusive")[98]


def figures_of(times: Times) -> Iterator[Figure]:
    """Milliseconds: the median, with the least and the most; p99, with the least and the most of the run's quarters."""
    for name, found in times.named().items():
        yield figure(name, [each / MILLISECOND for each in found], "ms")
        length = len(found) // 4
        quarters = [p99(found[begin : begin + length]) / MILLISECOND for begin in range(0, 4 * length, length)]
        yield Figure(name, p99(found) / MILLISECOND, "ms p99", min(quarters), max(quarters))


def values(times: Times) -> dict[str, float]:
    """The bars' values."""
    return {
        "heard by all: p99 / bare NOTIFY": p99(times.heard) / p99(times.bare),
        "acknowledged by all: p99 / bare NOTIFY": p99(times.acknowledged) / p99(times.bare),
    }


def remarks(number: int) -> list[str]:
    """How it was measured."""
    return [
        f"{number} revocations and as many bare NOTIFYs by turns, {1000 * PAUSE:.0f} ms apart, to eight processes each,"
        " all on the same cores as PostgreSQL",
        "heard and acknowledged count from the COMMIT, as the bare NOTIFY does, which is its own; the whole use case"
        " (its statements before that too) is given beside",
        "PostgreSQL's data is throwaway: no COMMIT waits for a disk",
    ]


if __name__ == "__main__":
    bench.main(["--only", "hearing", *sys.argv[1:]])
