"""One, two and four workers of one ``gateway serve``: checks a second by session, on keep-alive and on fresh connections.

A worker can use one core, so the bar is about machines with a core for each of two workers and one for the load. Elsewhere
the figures are shown, and say little.
"""

from __future__ import annotations

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
import rounds
import servers
import wrk
from crowd import Place
from figures import Section, Tell, figure
from questions import Asked
from rounds import Case, Results
from wrk import Load

from measures import FAN

NUMBERS = (1, 2, 4)
SESSIONS, IN_TURN, APP = 10_000, 256, 25
KEEP, FRESH = "keep-alive", "fresh"


def measure(quick: bool, tell: Tell) -> Section:
    """Every number of workers in turn."""
    number, seconds = (3, 1) if quick else (5, 4)
    available = pinning.cores()
    ours, theirs = pinning.layout(available, max(1, len(available) - 1))
    tell("starting one, two and four workers")
    with pinning.on(theirs), crowd.place(SESSIONS) as place, ExitStack() as stack:
        with pinning.on(ours):
            running = {count: stack.enter_context(servers.gateway(place, workers=count)) for count in NUMBERS}
        cases = [
            Case(named(count, manner), server, Load(messages(place, manner), 64, seconds))
            for manner in ((KEEP,) if quick else (KEEP, FRESH))
            for count, server in running.items()
        ]
        results = rounds.alternate(cases, number, tell)
    figures = [figure(name, [ran.outcome.rate for ran in runs], "/s") for name, runs in results.items()]
    notes = [f"cores for the workers: {len(ours) or 'not pinned'}; for the load: {len(theirs) or 'not pinned'}"]
    return Section(FAN["workers"].title, figures, FAN["workers"].judged(*judged(results, len(ours))), notes)


def named(count: int, manner: str) -> str:
    """A row's name."""
    return f"{count} worker{'s' if count > 1 else ''}, {manner}"


def messages(place: Place, manner: str) -> Sequence[bytes]:
    """Signed-in people of one app."""
    more = (questions.CLOSE,) if manner == FRESH else ()
    asked = [Asked(place.site.host(APP), place.secret, cookie) for cookie in place.cookies[:IN_TURN]]
    return [questions.traefik(each, *more) for each in asked]


def judged(results: Results, cores: int) -> tuple[dict[str, float], dict[str, str]]:
    """The bar's value, where two workers had a core each; else why there is none."""
    name = "two workers: rate / one"
    ratio = rounds.ratio(results, named(2, KEEP), named(1, KEEP))
    assert ratio is not None
    if weak := wrk.weakness():
        return {}, {name: weak}
    if cores >= 2:
        return {name: ratio}, {}
    why = "needs three cores that can be pinned: two for the workers, one for the load"
    return {}, {name: f"{why}; on one core it is {ratio:.2f}"}


if __name__ == "__main__":
    bench.main(["--only", "workers", *sys.argv[1:]])
