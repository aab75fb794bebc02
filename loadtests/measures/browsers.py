"""Fifty browsers open an app at once: the gateway beside the endpoint that fails at it, each of whose causes has its turn.

Here: how a run is run. Not here: which runs there are and what their numbers say (``openings``), what a browser asks for
(``profiles``), or what the other endpoint does (``baseline``). python loadtests/measures/browsers.py [--quick]
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import bench
import openings
import runs
from accounts import ground, people, sign_in
from baseline import ground as baseline
from figures import Section, Tell
from openings import GATEWAY, Outcomes, Run, plan
from runs import Outcome
from stack import Lasting, Stack, free_port, stack, traefik, wait_for

from measures import FAN


class Bed(NamedTuple):
    """What every run lies in: the stack, and the other endpoint's cookies."""

    stack: Stack
    devices: Path


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
        yield Bed(running, devices)


async def populate(running: Stack, number: int) -> None:
    """So many people."""
    async with ground(running.place) as on:
        await people(on, number)


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
        with traefik(running.proxy, port, {**running.told, "GATEWAY_URL": f"http://{address}"}):
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
    listed = [each for run, rounds in outcomes.items() for each in openings.figures_of(run, rounds)]
    return Section(member.title, listed, member.judged(openings.values(outcomes)), openings.notes(outcomes))


if __name__ == "__main__":
    bench.main(["--only", "browsers", *sys.argv[1:]])
