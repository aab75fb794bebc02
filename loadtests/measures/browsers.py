"""Fifty browsers open an app at once: the gateway beside the endpoint that fails at it, each of whose causes has its turn.

Here: which runs there are, and what their numbers say. Not here: what a browser asks for (``profiles``), or what the
other endpoint does (``baseline``). python loadtests/measures/browsers.py [--quick]
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import bench
import runs
from accounts import ground, people, sign_in
from baseline import ground as baseline
from figures import Figure, Section, Tell, figure
from runs import Outcome
from stack import Lasting, Stack, free_port, stack, traefik, wait_for

from measures import FAN

GATEWAY, POOL = "gateway", "pool"
CAUSES = {
    "none": "neither cause",
    POOL: "(a) six checkouts",
    "key": "(b) key parsed",
    "pool+key": "(a+b) both",
    GATEWAY: "gateway",
}
CUT = ("key", "pool+key")


class Rig(NamedTuple):
    """What is between a browser and the check."""

    name: str
    parallel: int
    proxied: bool


DIRECT = Rig("check alone, HTTP/2", 100, proxied=False)
DIRECT_OLD = Rig("check alone, HTTP/1.1", 6, proxied=False)
PROXIED = Rig("through Traefik, HTTP/1.1", 6, proxied=True)


class Run(NamedTuple):
    """So many browsers open an app once, in so many seconds at most."""

    app: str
    rig: Rig
    cause: str
    browsers: int
    seconds: int

    @property
    def name(self) -> str:
        """As a figure is called."""
        return f"{self.app}, {self.browsers} at once, {self.rig.name}, {CAUSES[self.cause]}"


class Bed(NamedTuple):
    """What every run lies in: the stack, the other endpoint's cookies, and files for a Traefik that keeps quiet."""

    stack: Stack
    devices: Path
    proxy: Path


Outcomes = Mapping[Run, Sequence[Outcome]]


def plan(quick: bool) -> list[Run]:
    """Every run, in order. Those that a bar compares take turns. (b) answers four questions a second, whoever asks, so
    its runs are cut; one browser alone shows more of it than fifty."""
    number, alone = (25, 8) if quick else (50, 30)
    turns = [Run("actual", DIRECT, cause, number, 60) for cause in ("none", POOL, GATEWAY)]
    if quick:
        return turns + [Run("actual", DIRECT_OLD, cause, 1, alone) for cause in CUT]
    old = [Run("actual", DIRECT_OLD, cause, number, 60) for cause in ("none", POOL, GATEWAY)]
    whole = [Run("actual", PROXIED, cause, number, 60) for cause in ("none", POOL, GATEWAY)]
    cut = [Run("actual", PROXIED, cause, number, 36) for cause in CUT]
    one = [Run("actual", PROXIED, cause, 1, alone) for cause in CAUSES]
    others = [Run(app, PROXIED, cause, 15, 30) for app in ("immich", "kitchenowl") for cause in (POOL, GATEWAY)]
    return [*turns * 3, *old, *whole, *cut, *one, *others]


def measure(quick: bool, tell: Tell) -> Section:
    """All of it: at most five minutes, quick at most fifty seconds."""
    every = plan(quick)
    outcomes: dict[Run, list[Outcome]] = {}
    with bed(max(run.browsers for run in every)) as lies_in:
        for number, run in enumerate(every, 1):
            tell(f"browsers {number}/{len(every)}: {run.name}")
            outcomes.setdefault(run, []).append(play(lies_in, run))
    return section(outcomes)


@contextmanager
def bed(most: int) -> Iterator[Bed]:
    """The stack, with so many people, and as many devices for the other endpoint. Commits wait for the disk."""
    with stack(Lasting) as running:
        asyncio.run(populate(running, most))
        devices = running.work / "devices"
        devices.write_text("\n".join(baseline.prepare(running.place.url, list(runs.LOCUSTFILES), most)), "utf-8")
        yield Bed(running, devices, quiet(running.proxy, running.work / "quiet"))


async def populate(running: Stack, number: int) -> None:
    """So many people."""
    async with ground(running.place) as on:
        await people(on, number)


def quiet(files: Path, copy: Path) -> Path:
    """Traefik's files again, for one whose auth server is known to fail: it would say so for each request."""
    shutil.copytree(files, copy)
    static = copy / "traefik.yaml"
    static.write_text(static.read_text("utf-8").replace("level: WARN", "level: FATAL"), "utf-8")
    return copy


def play(lies_in: Bed, run: Run) -> Outcome:
    """One run. The gateway's sessions are new each time, so its memory is cold."""
    running = lies_in.stack
    if run.cause == GATEWAY:
        cookies = asyncio.run(sign_in(running.place, run.browsers, running.work, new=False)).cookies
        return opened(run, running.port, running.check, cookies, running, "--metrics", running.metrics)
    with baseline.serving(running.place.url, run.cause, free_port()) as address:
        wait_for(address, "/", {"X-Forwarded-Host": runs.host(run.app)}, 401)
        if not run.rig.proxied:
            return opened(run, running.port, f"http://{address}/auth", lies_in.devices, running)
        port = free_port()
        with traefik(lies_in.proxy, port, {**running.told, "GATEWAY_URL": f"http://{address}"}):
            return opened(run, port, "", lies_in.devices, running)


def opened(run: Run, port: int, check: str, cookies: Path, running: Stack, *more: str) -> Outcome:
    """The browsers' side of it: each opens the app once, and nobody else asks."""
    how = ["--visits", "1", "--mix", "0", "--parallel", str(run.rig.parallel), *more]
    if not run.rig.proxied:
        how += ["--ask", check]
    asked = runs.command(run.app, port, run.browsers, run.seconds, cookies, *how)
    return runs.measured(asked, LOAD_SECRET=running.told["GATEWAY_PROXY_SECRET"])


def section(outcomes: Outcomes) -> Section:
    """What they say."""
    member = FAN["browsers"]
    listed = [each for run, rounds in outcomes.items() for each in figures_of(run, rounds)]
    return Section(member.title, listed, member.judged(values(outcomes)), notes(outcomes))


def figures_of(run: Run, rounds: Sequence[Outcome]) -> list[Figure]:
    """One run's rows of the table: times of all answers, good ones or not, and how many there were."""
    rows = [figure(f"{run.name}: answered as due", [each.requests - each.failures for each in rounds], "requests")]
    if any(each.failures for each in rounds):
        rows.append(figure(f"{run.name}: failed", [each.failures for each in rounds], "requests"))
    if any(each.unanswered for each in rounds):
        rows.append(figure(f"{run.name}: under way when cut", [each.unanswered for each in rounds], "requests"))
    if any(each.requests for each in rounds):
        rows += [
            figure(f"{run.name}: p50", [each.p50 for each in rounds], "ms"),
            figure(f"{run.name}: p95", [each.p95 for each in rounds], "ms"),
            figure(f"{run.name}: p99", [each.p99 for each in rounds], "ms"),
        ]
    return rows


def values(outcomes: Outcomes) -> dict[str, float]:
    """What the bars are held against, by their names. The first two: over all of the gateway's runs."""
    ours = [(run, each) for run, rounds in outcomes.items() if run.cause == GATEWAY for each in rounds]
    return {
        "answers that were not due": sum(each.failures + each.unanswered for _, each in ours),
        "queries beyond one per session": max((each.recalls or 0) - run.browsers for run, each in ours),
        "p99 / baseline (a)": statistics.median(ratios(outcomes, DIRECT)),
    }


def ratios(outcomes: Outcomes, rig: Rig) -> list[float]:
    """The gateway's p99 in that of (a), round by round."""
    ours, theirs = (p99s(outcomes, rig, cause) for cause in (GATEWAY, POOL))
    return [mine / max(other, 1.0) for mine, other in zip(ours, theirs, strict=True)]


def p99s(outcomes: Outcomes, rig: Rig, cause: str) -> list[float]:
    """Actual Budget's, opened by many, round by round."""
    found = [rounds for run, rounds in outcomes.items() if run[:3] == ("actual", rig, cause) and run.browsers > 1]
    return [each.p99 for each in found[0]] if found else []


def notes(outcomes: Outcomes) -> list[str]:
    """What a reader has to know beside the figures."""
    said = [
        "each browser opens its app once, cold; (a) and the gateway have a pool of four, and commits wait for the disk",
        "'neither cause' is the other endpoint on a plain uvicorn with nothing left to do: its times are those of locust"
        " itself, and through Traefik those of Traefik and the app; no check can show less in this table",
        "the bar is held against checks asked for directly, as over HTTP/2: through Traefik the instrument is all there is",
        "what Traefik does not hear of within 30 s has failed; runs with (b) are cut, and their times are of what came",
    ]
    return said + [told for rig in (DIRECT, DIRECT_OLD, PROXIED) for told in compared(outcomes, rig)]


def compared(outcomes: Outcomes, rig: Rig) -> Iterator[str]:
    """One line of ratios, where that was measured."""
    ours, floor, theirs = (p99s(outcomes, rig, cause) for cause in (GATEWAY, "none", POOL))
    if ours and floor and theirs:
        least = statistics.median(floor) / max(statistics.median(theirs), 1.0)
        mine = statistics.median(ratios(outcomes, rig))
        yield f"p99 / baseline (a), {rig.name}: gateway {mine:.2f}, neither cause {least:.2f}"


if __name__ == "__main__":
    bench.main(["--only", "browsers", *sys.argv[1:]])
