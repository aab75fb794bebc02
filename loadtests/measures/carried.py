"""What the gateway carries itself: small answers, a megabyte down, a megabyte up, each beside nginx without any check.

Both run at once on one core and are asked in turn from the other, on which the apps behind them are too. Two cores do not
load nginx fully that way, so what is compared is the rate of a full core: answers for each second of a carrier's processor
time. What came out of it as it was is shown beside.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import bench
import carriers
import counters
import pinning
import rounds
import wrk
from carriers import GATEWAY, NGINX, Ground
from counters import Counters
from figures import Figure, Section, Tell, figure
from rounds import Case, Ran, Results
from wrk import Load

from measures import FAN

SMALL, DOWN, UP, BUFFERED = "2 KB answer", "1 MB down", "1 MB up", "1 MB up, nginx buffers it first"
QUERIES = "queries while warm"
FEW = 16
"""Connections for what is large; what is small has 64."""
BUSY = 0.05
"""Of a core: who was less busy than that cannot be compared by its processor time."""


def measure(quick: bool, tell: Tell) -> Section:
    """All rows; none of them with another generator than wrk, which cannot send these."""
    member = FAN["carried"]
    if weak := wrk.weakness():
        return Section(member.title, (), member.unmeasured(weak))
    number, seconds = (3, 1) if quick else (5, 3)
    ours, theirs = pinning.layout(pinning.cores())
    tell("the apps, nginx and the gateway")
    with pinning.on(theirs), carriers.ground(ours) as ground:
        cases = rows(ground, seconds)
        rounds.verify(cases)
        before = counters.read(f"http://{ground.gateway.internal}/metrics")
        results = rounds.alternate(cases, number, tell)
        counted = counters.read(f"http://{ground.gateway.internal}/metrics").since(before)
    bars = member.judged(values(results) | {QUERIES: float(counted.queries.get("recall", 0))})
    return Section(member.title, figures_of(results), bars, remarks(ours, theirs, number, seconds, counted))


def rows(ground: Ground, seconds: int) -> list[Case]:
    """What is asked of both. A body is the same for everybody, and its session too."""
    body = bytes(carriers.LARGE)
    up, buffered = (ground.upload(path, carriers.LARGE) + body for path in ("/streamed", "/buffered"))
    small, large = (ground.gets(carriers.FILES, path) for path in ("/small", "/large"))
    asked = [
        (SMALL, Load(small, 64, seconds), 200),
        (DOWN, Load(large, FEW, seconds), 200),
        (UP, Load([up], FEW, seconds), 204),
        (BUFFERED, Load([buffered], FEW, seconds), 204),
    ]
    return [
        Case(f"{name}, {who}", server, load, status)
        for name, load, status in asked
        for who, server in ground.carriers().items()
    ]


def full(ran: Ran) -> float:
    """Answers for each second of processor time; the rate itself where that is not known."""
    return ran.outcome.rate / ran.busy if ran.busy > BUSY else ran.outcome.rate


def ratios(results: Results, name: str) -> list[float]:
    """The gateway over nginx, round by round."""
    pairs = zip(results[f"{name}, {GATEWAY}"], results[f"{name}, {NGINX}"], strict=True)
    return [full(ours) / full(theirs) for ours, theirs in pairs]


def values(results: Results) -> dict[str, float]:
    """The bars' values by their names."""
    return {f"{name}: rate of a core / nginx": statistics.median(ratios(results, name)) for name in (SMALL, DOWN, UP)}


def figures_of(results: Results) -> list[Figure]:
    """For each row the rate of a full core, that over nginx's, the rate as it was, and how busy the carrier was then."""
    found = []
    for row, runs in results.items():
        name, _, who = row.rpartition(", ")
        found.append(figure(row, [full(ran) for ran in runs], "/s of a core"))
        if who == GATEWAY:
            found.append(figure(row, ratios(results, name), "x nginx"))
            found.append(figure(row, rounds.ratios(results, row, f"{name}, {NGINX}"), "x nginx as it was"))
        found.append(figure(row, [ran.outcome.rate for ran in runs], "/s as it was"))
        found.append(figure(row, [1000 * ran.outcome.p50 for ran in runs], "ms p50"))
        found.append(figure(row, [ran.busy for ran in runs], "cores busy"))
    return found


def remarks(ours: Sequence[int], theirs: Sequence[int], number: int, seconds: int, counted: Counters) -> list[str]:
    """How it was measured."""
    pinned = f"carriers on core {ours[0]}, load and apps on {theirs[0]}" if ours else "nothing is pinned"
    return [
        f"wrk, 64 connections for small answers and {FEW} for large; {number} rounds of {seconds} s; {pinned}",
        "nginx: one worker, 64 connections kept to the app, its own buffers; an upload goes on to the app as it comes"
        f" (proxy_request_buffering off), and in the row '{BUFFERED}' through a file, as nginx does by itself",
        f"the gateway's own account: {counted.hits} checks answered from memory, {counted.misses} not;"
        f" queries sent, by room: {_listed(counted.queries)}",
    ]


def _listed(queries: Mapping[str, int]) -> str:
    return ", ".join(f"{room} {number}" for room, number in queries.items() if number) or "none"


if __name__ == "__main__":
    bench.main(["--only", "carried", *sys.argv[1:]])
