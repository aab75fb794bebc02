"""Memory while the gateway carries two gigabytes down, two up, and much to somebody who reads 10 KB a second.

Whatever the size, only what is under way may be in memory; who reads slowly has to slow the app down.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import bench
import bulk
import carriers
import pinning
from bulk import Grown
from carriers import Ground
from figures import Figure, Section, Tell, figure

from measures import FAN

SLOW = 10_240
"""Bytes a second."""
DOWN, UP, SLOWLY = "2 GB down", "2 GB up", "2 GB to somebody who reads 10 KB/s"
Transfer = Callable[[int], None]
"""What is done against a port."""


def measure(quick: bool, tell: Tell) -> Section:
    """Every transfer, by both."""
    ours, theirs = pinning.layout(pinning.cores())
    tell("the apps, nginx and the gateway")
    found: dict[str, Grown] = {}
    with pinning.on(theirs), carriers.ground(ours) as ground:
        for name, server in ground.carriers().items():
            seconds = 5 if quick or name == carriers.NGINX else 60
            for row, transfer in transfers(ground, carriers.VAST, seconds):
                tell(f"{row}: {name}")
                bulk.down(server.port, ground.gets(carriers.FILES, "/large")[0], carriers.LARGE)
                found[f"{row}, {name}"] = bulk.watched(server, transfer)
    member = FAN["carried_memory"]
    notes = [
        "resident memory at its most, over what it was before; looked at every 20 ms; who reads slowly leaves in time"
    ]
    return Section(member.title, figures_of(found), member.judged(values(found)), notes)


def transfers(ground: Ground, size: int, seconds: float) -> Iterator[tuple[str, Transfer]]:
    """Each row; ``size`` is that of /vast and of the upload."""
    message = ground.gets(carriers.FILES, "/vast")[0]
    yield DOWN, partial(bulk.down, message=message, size=size)
    yield UP, partial(bulk.up, head=ground.upload("/streamed", size), size=size)
    yield SLOWLY, partial(bulk.slowly, message=message, size=size, rate=SLOW, seconds=seconds)


def values(found: dict[str, Grown]) -> dict[str, float]:
    """The bars' values by their names."""
    return {f"{row}: MB grown": found[f"{row}, {carriers.GATEWAY}"].memory for row in (DOWN, UP, SLOWLY)}


def figures_of(found: dict[str, Grown]) -> list[Figure]:
    """How much memory, and how long it took."""
    grown = [figure(row, [each.memory], "MB") for row, each in found.items()]
    return grown + [figure(row, [each.seconds], "s") for row, each in found.items()]


if __name__ == "__main__":
    bench.main(["--only", "carried_memory", *sys.argv[1:]])
