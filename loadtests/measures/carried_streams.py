"""What stays open: 200 WebSockets that echo, 2,000 that are idle, and events to 500 clients, each beside nginx.

Both carriers have all their streams open all the time and are used in turn. Clients and app share a core, so when
everybody speaks at once they wait for one another too; when one after the other does, what is seen is the way alone.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import bench
import bulk
import carriers
import pinning
import streams_events
import streams_sockets
import uvloop
from carriers import GATEWAY, NGINX, Ground
from figures import Figure, Section, Tell, figure
from servers import Server

from measures import FAN

SOCKETS, IDLE, LISTENERS = 200, 2000, 500
RATE = 2000
"""Messages a second, when they do not speak at once."""
SETTLED = 0.5
"""Seconds until memory is looked at."""
ECHOES, LONELY = "echo, all at once", "echo, one after the other"
EVENT, OWN = "event to all at once", "event to one after the other"
TUNNEL = "an idle WebSocket"
Timed = Mapping[str, Sequence[Sequence[int]]]
"""Nanoseconds, for each row, round by round."""


class Open(NamedTuple):
    """The streams that lead through one carrier, whose name is that of its events too."""

    sockets: list[streams_sockets.Socket]
    listeners: list[streams_events.Listener]


def measure(quick: bool, tell: Tell) -> Section:
    """All rows."""
    number, seconds = (3, 1.0) if quick else (5, 2.0)
    ours, theirs = pinning.layout(pinning.cores())
    tell("the apps, nginx and the gateway")
    with pinning.on(theirs), carriers.ground(ours) as ground:
        weights, times = uvloop.run(measured(ground, number, seconds, tell))
    member = FAN["carried_streams"]
    return Section(member.title, figures_of(weights, times), member.judged(values(weights, times)), NOTES)


NOTES = (
    f"{SOCKETS} WebSockets and {LISTENERS} listeners for each carrier, all open all the time; one after the other: {RATE}"
    " messages a second in all, or an event a second for each; nginx: one worker, proxy_buffering off for events",
    "an idle WebSocket is resident memory of the carrier; what the kernel keeps for two sockets is not counted",
)


async def measured(ground: Ground, number: int, seconds: float, tell: Tell) -> tuple[dict[str, float], Timed]:
    """Bytes of an idle tunnel for each carrier, then the times of everything else."""
    weights = {}
    for name, server in ground.carriers().items():
        tell(f"{IDLE} idle WebSockets: {name}")
        weights[name] = await weigh(server, ground)
    streams = {name: await opened(server, name, ground) for name, server in ground.carriers().items()}
    try:
        return weights, await in_turn(ground, streams, number, seconds, tell)
    finally:
        for each in streams.values():
            leave([*each.sockets, *each.listeners])


async def weigh(server: Server, ground: Ground) -> float:
    """What an idle tunnel takes, in bytes. A few were there before, so that what one of them needs is there."""
    leave(await streams_sockets.opened(server.port, ground.openings(IDLE // 40)))
    await asyncio.sleep(SETTLED)
    before = bulk.resident(server)
    sockets = await streams_sockets.opened(server.port, ground.openings(IDLE))
    await asyncio.sleep(SETTLED)
    grown = bulk.resident(server) - before
    leave(sockets)
    return grown * (1 << 20) / IDLE


async def opened(server: Server, name: str, ground: Ground) -> Open:
    """Everything that stays open through one carrier."""
    asked = ground.gets(carriers.STREAMS, f"/events/{name}")
    requests = [asked[place % len(asked)] for place in range(LISTENERS)]
    return Open(
        await streams_sockets.opened(server.port, ground.openings(SOCKETS)),
        await streams_events.opened(server.port, requests),
    )


def leave(streams: Sequence[streams_sockets.Socket | streams_events.Listener]) -> None:
    """Close them."""
    for stream in streams:
        stream.close()


async def in_turn(ground: Ground, streams: Mapping[str, Open], number: int, seconds: float, tell: Tell) -> Timed:
    """Every row of each carrier in turn, after a round that does not count."""
    times: dict[str, list[list[int]]] = {}
    for this in range(number + 1):
        for name, each in streams.items():
            for row, act in acts(name, each, ground.apps[carriers.STREAMS], seconds):
                tell(f"round {this} of {number}: {row}, {name}")
                times.setdefault(f"{row}, {name}", []).append(await act())
    return {row: rounds[1:] for row, rounds in times.items()}


def acts(name: str, each: Open, app: int, seconds: float) -> Iterator[tuple[str, Callable[[], Awaitable[list[int]]]]]:
    """What is done for each row, and what brings its times."""
    sockets, listeners = each
    yield ECHOES, lambda: streams_sockets.together(sockets, seconds)
    yield LONELY, lambda: streams_sockets.apart(sockets, seconds, RATE)
    yield EVENT, lambda: streams_events.late(listeners, app, f"/together/{name}", round(10 * seconds))
    yield OWN, lambda: streams_events.late(listeners, app, f"/apart/{name}", max(1, round(seconds)))


# What came of it ------------------------------------------------------------------------------------------------------


def milliseconds(times: Timed, row: str) -> list[float]:
    """The median of each round."""
    return [statistics.median(found) / 1e6 for found in times[row]]


def pairs(times: Timed, row: str) -> list[tuple[float, float]]:
    """The gateway's medians and nginx's, round by round."""
    return list(zip(milliseconds(times, f"{row}, {GATEWAY}"), milliseconds(times, f"{row}, {NGINX}"), strict=True))


def values(weights: Mapping[str, float], times: Timed) -> dict[str, float]:
    """The bars' values by their names."""
    found = {f"{TUNNEL}: KB": weights[GATEWAY] / 1024}
    for row in (ECHOES, LONELY):
        found[f"{row}: median / nginx"] = statistics.median(ours / theirs for ours, theirs in pairs(times, row))
    for row in (EVENT, OWN):
        found[f"{row}: ms after nginx"] = statistics.median(ours - theirs for ours, theirs in pairs(times, row))
    return found


def figures_of(weights: Mapping[str, float], times: Timed) -> list[Figure]:
    """Bytes, then the times of each row."""
    found = [figure(f"{TUNNEL}, {name}", [weight / 1024], "KB") for name, weight in weights.items()]
    for row, rounds in times.items():
        found.append(figure(row, milliseconds(times, row), "ms"))
        slow = [statistics.quantiles(each, n=100, method="inclusive")[98] / 1e6 for each in rounds]
        found.append(figure(row, slow, "ms p99"))
    return found


if __name__ == "__main__":
    bench.main(["--only", "carried_streams", *sys.argv[1:]])
