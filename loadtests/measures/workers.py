"""One, two and four workers of one ``gateway serve``: checks a second by session, on keep-alive and on fresh connections.

A worker can use one core, so the bar is about machines with a core for each of two workers and one for the load. Elsewhere
the figures are shown, and say little.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import bench
import crowd
import pinning
import questions
import servers
import wrk
from crowd import Place
from figures import Section, Tell, figure
from questions import Asked
from servers import Server
from wrk import Load, Outcome

from measures import FAN

NUMBERS = (1, 2, 4)
SESSIONS, IN_TURN, APP = 10_000, 256, 25
KEEP, FRESH = "keep-alive", "fresh"
Results = dict[tuple[int, str], list[Outcome]]


def measure(quick: bool, tell: Tell) -> Section:
    """Every number of workers in turn."""
    rounds, seconds = (3, 1) if quick else (5, 4)
    available = pinning.cores()
    ours, theirs = pinning.layout(available, max(1, len(available) - 1))
    tell("starting one, two and four workers")
    with pinning.on(theirs), crowd.place(SESSIONS) as place, ExitStack() as stack:
        with pinning.on(ours):
            running = {count: stack.enter_context(servers.gateway(place, workers=count)) for count in NUMBERS}
        results = run(running, place, Load((), 64, seconds), rounds, tell)
    figures = [
        figure(f"{'one worker' if count == 1 else f'{count} workers'}, {manner}", [ran.rate for ran in runs], "/s")
        for (count, manner), runs in results.items()
    ]
    notes = [f"{len(ours) or 'no'} cores for workers, {len(theirs) or 'none of its own'} for the load"]
    return Section(FAN["workers"].title, figures, FAN["workers"].judged(*judged(results, len(ours))), notes)


def run(running: dict[int, Server], place: Place, load: Load, rounds: int, tell: Tell) -> Results:
    """So many rounds, after one second of each to fill every worker's memory."""
    results: Results = {(count, manner): [] for manner in (KEEP, FRESH) for count in running}
    for number in range(rounds + 1):
        for count, manner in results:
            tell(f"round {number} of {rounds}: {count} workers, {manner}")
            asked = load._replace(messages=messages(place, manner), seconds=load.seconds if number else 1)
            outcome = wrk.run(running[count].port, asked)
            if outcome.strange or outcome.broken:
                raise RuntimeError(f"{count} workers: {outcome.strange} answers were no 200, {outcome.broken} errors")
            if number:
                results[count, manner].append(outcome)
    return results


def messages(place: Place, manner: str) -> Sequence[bytes]:
    """Signed-in people of one app."""
    more = (questions.CLOSE,) if manner == FRESH else ()
    asked = [Asked(place.site.host(APP), place.secret, cookie) for cookie in place.cookies[:IN_TURN]]
    return [questions.traefik(each, *more) for each in asked]


def judged(results: Results, cores: int) -> tuple[dict[str, float], dict[str, str]]:
    """The bar's value, where two workers had a core each; else why there is none."""
    name = "two workers: rate / one"
    pairs = zip(results[2, KEEP], results[1, KEEP], strict=True)
    ratio = statistics.median(two.rate / one.rate for two, one in pairs)
    if cores >= 2:
        return {name: ratio}, {}
    why = "needs three cores that can be pinned: two for the workers, one for the load"
    return {}, {name: f"{why}; on one core it is {ratio:.2f}"}


if __name__ == "__main__":
    bench.main(["--only", "workers", *sys.argv[1:]])
