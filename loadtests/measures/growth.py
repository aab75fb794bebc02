"""What a check and a session cost as apps, rules, sessions and tenants grow.

Every curve is one process in which all its sizes are asked in turn, by sessions drawn from all there are, so that at a
million of them the processor's caches are as cold as they would be. What is compared is the processor time of the hot
door's own function, without a server around it: a server's time would hide what memory adds.
"""

from __future__ import annotations

import gc
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import bench
import click
import memories
import pauses
import psutil
from figures import Figure, Section, Tell, figure
from memories import Size

from gateway import collector
from gateway.endpoints.forwardauth import ForwardAuth
from gateway.model import Reply
from measures import FAN

IN_A_ROUND = 4000
"""Checks in a row at one size; between rounds the uses are taken away, as the flush does."""
CURVES: Mapping[str, Sequence[Size]] = {
    "rules": [Size(apps=apps) for apps in (2, 20, 200, 2000)],
    "rules, no two alike": [Size(apps=apps) for apps in (2, 2000)],
    "apps": [Size(apps=apps) for apps in (1, 50, 2000)],
    "tenants": [Size(apps=500, tenants=tenants) for tenants in (1, 20, 500)],
    "sessions": [Size(sessions, 50) for sessions in (1000, 10_000, 100_000, 1_000_000)],
}
"""By what grows in them; the first size is what the others are compared with."""
QUICK = 100_000
BYTES, MILLION, RULES = (bar.name for bar in FAN["growth"].bars)


class Grown(NamedTuple):
    """What one curve brought: for each size the seconds of a check, round by round, and bytes of a session; and the
    p99.9 and the slowest check at the largest size, in seconds, by how the collector is set; and
    the seconds it takes there to forget a group in which everybody is."""

    checks: list[list[float]]
    weights: list[tuple[float, float]]
    pauses: dict[str, tuple[float, float]]
    forgetting: float


def measure(quick: bool, tell: Tell) -> Section:
    """All curves, each in a process of its own."""
    grown = {}
    for name in CURVES:
        tell(f"growth of {name}")
        grown[name] = run(name, quick)
    values = {RULES: ratio(grown["rules"].checks)}
    reasons = {}
    if quick:
        reasons = dict.fromkeys((BYTES, MILLION), f"a quick run has {QUICK} sessions at most")
    else:
        values |= {BYTES: grown["sessions"].weights[-1][0], MILLION: ratio(grown["sessions"].checks)}
    found = [each for name, one in grown.items() for each in figures_of(name, sizes(name, quick), one)]
    return Section(FAN["growth"].title, found, FAN["growth"].judged(values, reasons), notes(grown))


def sizes(name: str, quick: bool) -> list[Size]:
    """Those of a curve."""
    return [size for size in CURVES[name] if not quick or size.sessions <= QUICK]


def run(name: str, quick: bool) -> Grown:
    """One curve, in a process that has nothing else in memory."""
    command = [sys.executable, str(Path(__file__)), "--curve", name, *(["--quick"] if quick else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"the growth of {name} could not be measured: {done.stderr[-2000:]}")
    return Grown(**json.loads(done.stdout))


def grow(name: str, quick: bool) -> Grown:
    """In this process: every size in memory at once, asked in turn."""
    wanted, weights, doors = sizes(name, quick), [], []
    gc.disable()  # while it is filled; a server fills its memory little by little
    made = memories.unlike if name == "rules, no two alike" else memories.app
    for size in wanted:
        door = memories.door(size, made)
        weights.append(weigh(door, size))
        doors.append(door)
    gc.enable()
    paused = {}
    if name == "sessions":
        slow = pauses.measure(doors[-1], wanted[-1], 20_000 if quick else 100_000)
        paused = {how: (pauses.quantile(times, 0.999), max(times)) for how, times in slow.items()}
    collector.settle()
    checks = rounds(doors, wanted, 7 if quick else 25)
    return Grown(checks, weights, paused, forget(doors[-1]))


def weigh(door: ForwardAuth, size: Size) -> tuple[float, float]:
    """Fill it; bytes of a session, then of one of a person for whom the headers of an answer have been rendered."""
    before = resident()
    memories.fill(door.judge.cache, size)
    filled = resident()
    render(door, size)
    return (filled - before) / size.sessions, (resident() - before) / size.sessions


def render(door: ForwardAuth, size: Size) -> None:
    """Everybody's first question; without this, rounds would measure how headers are rendered."""
    chance = random.Random(0)
    for session in range(0, size.sessions, memories.EACH):
        memories.hear(door.judge.cache)
        assert isinstance(memories.check(door, memories.question(session, size, chance)), Reply)
    door.judge.cache.take_seen()


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(psutil.Process().memory_info().rss)


def rounds(doors: Sequence[ForwardAuth], wanted: Sequence[Size], number: int) -> list[list[float]]:
    """Processor seconds of one check, for each size, round by round in turn; the first round warms up."""
    chance, found = random.Random(1), [list[float]() for _ in wanted]
    for _ in range(number + 1):
        for place, (door, size) in enumerate(zip(doors, wanted, strict=True)):
            found[place].append(once(door, size, chance))
    return [times[1:] for times in found]


def once(door: ForwardAuth, size: Size, chance: random.Random) -> float:
    """One round at one size. Every answer has to come from memory, and to be an allow."""
    asked, cache = memories.questions(size, IN_A_ROUND, chance), door.judge.cache
    memories.hear(cache)
    before = cache.counters.get(("allow", door.name), 0)
    begun = time.process_time()
    for question in asked:
        memories.check(door, question)
    spent = time.process_time() - begun
    assert cache.counters["allow", door.name] - before == len(asked)
    cache.take_seen()
    return spent / len(asked)


def forget(door: ForwardAuth) -> float:
    """The group of everybody changes: all that is known of people goes, in one step."""
    begun = time.perf_counter()
    door.judge.cache.forget("group", str(memories.EVERYBODY))
    spent = time.perf_counter() - begun
    assert not door.judge.cache.state(0.0)["identities"]
    return spent


# What came of it ------------------------------------------------------------------------------------------------------


def ratio(checks: Sequence[Sequence[float]]) -> float:
    """A check at the largest size over one at the smallest, round by round; the median."""
    return statistics.median(last / first for first, last in zip(checks[0], checks[-1], strict=True))


def figures_of(name: str, wanted: Sequence[Size], grown: Grown) -> list[Figure]:
    """For each size of a curve."""
    found = []
    for size, times, weight in zip(wanted, grown.checks, grown.weights, strict=True):
        label = f"{getattr(size, name.partition(',')[0]):,} {name}"
        found.append(figure(f"a check, {label}", [1e6 * each for each in times], "us of processor"))
        if name == "sessions" and size.sessions > wanted[0].sessions:
            found.append(figure(f"a session, {label}", [weight[0]], "bytes"))
            found.append(figure(f"a session, {label}, headers rendered", [weight[1]], "bytes"))
    if name == "sessions":
        found.append(figure(f"a group of all is forgotten, {label}", [1e3 * grown.forgetting], "ms"))
    for how, (most, slowest) in grown.pauses.items():
        found.append(figure(f"p99.9 of checks, {label}, {how}", [1e6 * most], "us"))
        found.append(figure(f"slowest check, {label}, {how}", [1e6 * slowest], "us"))
    return found


def notes(grown: Mapping[str, Grown]) -> list[str]:
    """How it was measured."""
    return [
        f"{memories.EACH} sessions a person, each with a parent; {memories.RULES} rules an app, one of them its own;"
        f" sessions drawn by chance, {IN_A_ROUND} checks a round; bytes are of resident memory",
        f"growth over the whole curve: {', '.join(f'{name} x {ratio(one.checks):.2f}' for name, one in grown.items())}",
    ]


@click.command()
@click.option("--curve", type=click.Choice(list(CURVES)), required=True)
@click.option("--quick", is_flag=True)
def main(curve: str, quick: bool) -> None:
    """One curve, as JSON."""
    click.echo(json.dumps(grow(curve, quick)._asdict()))


if __name__ == "__main__":
    if "--curve" in sys.argv:
        main()
    else:
        bench.main(["--only", "growth", *sys.argv[1:]])
