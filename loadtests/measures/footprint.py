"""Memory of the gateway's own processes, and how long it takes from its start to the first answers.

PostgreSQL runs beside it and is not counted. Resident memory is what the kernel counts for each process, so pages that
several share are counted in each.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import bench
import crowd
import questions
import servers
import usage
from crowd import Place
from figures import Figure, Section, Tell, figure
from questions import Asked
from servers import Server

from measures import FAN

APP = 25
IDLE = 1.0
"""Seconds after readiness until memory is looked at: what a start leaves behind has settled."""


def measure(quick: bool, tell: Tell) -> Section:
    """Starts, then workers, then sessions."""
    starts, many = (2, (10_000,)) if quick else (7, (10_000, 50_000))
    figures: list[Figure] = []
    with crowd.place(1) as place:
        figures += started(place, starts, tell)
        figures += shared(place, tell)
    empty = figures[0].value
    for number in many:
        tell(f"{number} sessions in memory")
        with crowd.place(number) as place:
            figures += filled(place, number, empty)
    named = {each.name: each.value for each in figures}
    values = {"one worker idle: MB": named["one worker, idle"], "ready after the start: s": named["ready after"]}
    notes = ["50 apps and 200 rules; a migrated PostgreSQL on the same machine, not counted; nothing is pinned"]
    return Section(FAN["footprint"].title, figures, FAN["footprint"].judged(values), notes)


def started(place: Place, starts: int, tell: Tell) -> list[Figure]:
    """Memory when idle, and the two moments of a start."""
    idle, ready, answered = list[float](), list[float](), list[float]()
    for number in range(starts):
        tell(f"start {number + 1} of {starts}")
        begun = time.monotonic()
        with servers.gateway(place) as server:
            ready.append(time.monotonic() - begun)
            first_warm_answer(server, place)
            answered.append(time.monotonic() - begun)
            idle.append(sum(resident(server)))
    return [
        figure("one worker, idle", idle, "MB"),
        figure("ready after", ready, "s"),
        figure("first warm answer after", answered, "s"),
    ]


def first_warm_answer(server: Server, place: Place) -> None:
    """A session that was preloaded is asked about; RuntimeError where it is not let in."""
    message = questions.traefik(Asked(place.site.host(APP), place.secret, place.cookies[0]))
    if (status := questions.ask(server.port, message)[0]) != 200:
        raise RuntimeError(f"a signed-in person was answered with {status}")


def shared(place: Place, tell: Tell) -> list[Figure]:
    """What each further worker takes."""
    tell("two and four workers")
    sums = []
    for count in (2, 4):
        with servers.gateway(place, workers=count) as server:
            sums.append(resident(server))
    each = (sum(sums[1]) - sum(sums[0])) / 2
    return [figure("each further worker", [each], "MB"), figure("four workers, all of it", [sum(sums[1])], "MB")]


def filled(place: Place, number: int, empty: float) -> list[Figure]:
    """What sessions take, all of them preloaded."""
    more = {"GATEWAY_CACHE_PRELOAD": str(number), "GATEWAY_CACHE_MAX_IDENTITIES": str(2 * number)}
    begun = time.monotonic()
    with servers.gateway(place, **more) as server:
        ready = time.monotonic() - begun
        memory = sum(resident(server))
    named = f"{number:,} sessions"
    return [
        figure(f"{named}, all of it", [memory], "MB"),
        figure(f"{named}: each 1,000", [(memory - empty) / (number / 1000)], "MB"),
        figure(f"{named}: ready after", [ready], "s"),
    ]


def resident(server: Server) -> list[float]:
    """Megabytes of each process of this gateway; LookupError where the kernel does not say."""
    time.sleep(IDLE)
    found = usage.of_session(server.process.pid).resident
    if not found:
        raise LookupError(f"this system ({os.uname().sysname}) does not tell how much memory a process has")
    return [size / usage.MB for size in found.values()]


if __name__ == "__main__":
    bench.main(["--only", "footprint", *sys.argv[1:]])
