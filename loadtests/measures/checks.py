"""The warm check, by everything that a request can show and in every dialect, beside a bare uvicorn and nginx.

All servers run at once on one core and are asked in turn from another, round by round, with the same bytes. An answer
that is not the one that is due, and an error of a socket, end the measurement: such figures would say nothing.
"""

from __future__ import annotations

import functools
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import bench
import counters
import crowd
import pinning
import questions
import servers
import usage
import wrk
from crowd import Place
from figures import Figure, Section, Tell, figure
from questions import Asked
from servers import Server
from wrk import Load, Outcome

from measures import FAN

SESSIONS = 10_000
APP = 25
IN_TURN = 256
"""So many different sessions, and half as many keys, are shown in turn: one alone would lie in the processor's cache."""
GATEWAY, BARE, NGINX = "gateway", "bare uvicorn", "nginx return 200"
PLAIN, STOCK = "gateway serve, express off", "ASGI door on uvicorn"
KEEP, FRESH = "keep-alive", "fresh"
TIMES = "x bare uvicorn"
"""The unit of a rate as a multiple of the bare uvicorn's in the same round."""


class Case(NamedTuple):
    """One row of the table: who is asked what, and the status that is due."""

    name: str
    server: str
    messages: Sequence[bytes]
    status: int = 200


class Ran(NamedTuple):
    """One run: what the load generator said, and how busy the server was (1.0 is a whole core)."""

    outcome: Outcome
    busy: float


class Rounds(NamedTuple):
    """How often, and for how many seconds each time."""

    number: int
    seconds: int


Results = dict[str, list[Ran]]


def measure(quick: bool, tell: Tell) -> Section:
    """All rows, keep-alive and fresh."""
    rounds = Rounds(3, 1) if quick else Rounds(5, 4)
    ours, theirs = pinning.layout(pinning.cores())
    tell("a database with 50 apps, 200 rules and 10,000 sessions")
    with pinning.on(theirs), crowd.place(SESSIONS, IN_TURN // 2) as place, started(place, ours, tell) as found:
        running, missing = found
        cases = [case for case in (*rows(place, KEEP), *rows(place, FRESH)) if case.server in running]
        verify(running, cases)
        before = counters.read(f"http://{running[GATEWAY].internal}/metrics")
        results = run(running, cases, rounds, tell)
        counted = counters.read(f"http://{running[GATEWAY].internal}/metrics").since(before)
    notes = [*missing, *remarks(ours, theirs, rounds), remembered(counted), *limited(results)]
    return Section(FAN["checks"].title, figures_of(results), FAN["checks"].judged(values(results)), notes)


@contextmanager
def started(place: Place, cores: Sequence[int], tell: Tell) -> Iterator[tuple[dict[str, Server], list[str]]]:
    """Every server on these cores, by its name, and a line for each that cannot be had."""
    running, missing = dict[str, Server](), list[str]()
    with ExitStack() as stack:
        for name, start in starters(place, lambda: answer_headers(running[GATEWAY], place)).items():
            tell(f"starting {name}")
            try:
                with pinning.on(cores):
                    running[name] = stack.enter_context(start())
            except LookupError as error:
                missing.append(str(error))
        yield running, missing


def starters(
    place: Place, said: Callable[[], servers.Headers]
) -> dict[str, Callable[[], AbstractContextManager[Server]]]:
    """What there is to start. The constant ones say what the first one said."""
    preload = {"GATEWAY_CACHE_PRELOAD": str(2 * SESSIONS)}
    return {
        GATEWAY: lambda: servers.gateway(place, **preload),
        BARE: lambda: servers.bare(said()),
        NGINX: lambda: servers.nginx(said()),
        PLAIN: lambda: servers.gateway(place, **preload, GATEWAY_SERVER_EXPRESS="false"),
        STOCK: lambda: servers.portable(place, **preload),
    }


def rows(place: Place, manner: str) -> list[Case]:
    """What is asked. Other dialects and other doors by session only; fresh connections for Traefik's only."""
    asked = functools.partial(Asked, place.site.host(APP), place.secret)
    more = (questions.CLOSE,) if manner == FRESH else ()
    by_session = [asked(cookie=cookie) for cookie in place.cookies[:: len(place.cookies) // IN_TURN][:IN_TURN]]
    sessions = [questions.traefik(each, *more) for each in by_session]
    nobody = asked()
    found = [
        Case(BARE, BARE, sessions),
        Case(NGINX, NGINX, sessions),
        Case("session", GATEWAY, sessions),
        Case("key", GATEWAY, [questions.traefik(asked(key=key), *more) for key in place.keys]),
        Case("bypass", GATEWAY, [questions.traefik(nobody._replace(uri="/public/logo.svg"), *more)]),
        Case("deny", GATEWAY, [questions.traefik(each._replace(uri="/internal/x"), *more) for each in by_session], 403),
        Case("challenge 401", GATEWAY, [questions.traefik(nobody, *more)], 401),
        Case("challenge 302", GATEWAY, [questions.traefik(nobody._replace(navigates=True), *more)], 302),
        Case(PLAIN, PLAIN, sessions),
        Case(STOCK, STOCK, sessions),
    ]
    if manner == KEEP:
        found += [
            Case(f"session, {name}", GATEWAY, [write(each) for each in by_session])
            for name, write in questions.OTHERS.items()
        ]
    return [case._replace(name=f"{case.name}, {manner}") for case in found]


def verify(running: dict[str, Server], cases: Sequence[Case]) -> None:
    """Every message once, so that each is known to be answered as is due, and everything is in memory."""
    for case in cases:
        due = 200 if case.server in (BARE, NGINX) else case.status
        for message in case.messages:
            status, _ = questions.ask(running[case.server].port, message)
            if status != due:
                raise RuntimeError(f"{case.name}: answered with {status}, where {due} is due")


def run(running: dict[str, Server], cases: Sequence[Case], rounds: Rounds, tell: Tell) -> Results:
    """Each case in turn, and that so many times."""
    results: Results = {case.name: [] for case in cases}
    for server in running.values():
        wrk.run(server.port, Load(cases[0].messages, seconds=1))
    for number in range(1, rounds.number + 1):
        for case in cases:
            tell(f"round {number} of {rounds.number}: {case.name}")
            results[case.name].append(once(running[case.server], case, rounds.seconds))
    return results


def once(server: Server, case: Case, seconds: int) -> Ran:
    """One run; RuntimeError where not every answer was the one that was due."""
    before = usage.of_session(server.process.pid).total_seconds
    outcome = wrk.run(server.port, Load(case.messages, seconds=seconds))
    spent = usage.of_session(server.process.pid).total_seconds - before
    strange = outcome.answers if case.status >= 400 else 0
    if outcome.broken or outcome.strange != strange:
        raise RuntimeError(f"{case.name}: {outcome.strange} answers of an unexpected kind, {outcome.broken} errors")
    return Ran(outcome, spent * outcome.rate / outcome.answers)


# What came of it ------------------------------------------------------------------------------------------------------


def figures_of(results: Results) -> list[Figure]:
    """For each row its rate, that as a multiple of the bare uvicorn's, its p99, and the processor time of
    one answer, which depends less than the others on what else the machine does."""
    found = []
    for name, runs in results.items():
        manner = name.rpartition(", ")[2]
        found.append(figure(name, [ran.outcome.rate for ran in runs], "/s"))
        found.append(figure(name, ratios(results, name, f"{BARE}, {manner}"), TIMES))
        found.append(figure(name, [1000 * ran.outcome.p99 for ran in runs], "ms p99"))
        found.append(figure(name, [1e6 * ran.busy / ran.outcome.rate for ran in runs], "us of processor each"))
    return found


def ratios(results: Results, name: str, other: str, of: Callable[[Outcome], float] = lambda o: o.rate) -> list[float]:
    """One row's rate over another's, round by round."""
    pairs = zip(results[name], results.get(other, []), strict=False)
    return [of(mine.outcome) / of(theirs.outcome) for mine, theirs in pairs]


def values(results: Results) -> dict[str, float]:
    """The bars' values by their names: medians of the rounds' ratios."""
    session = f"session, {KEEP}"
    wanted = {
        f"session, {manner}: rate / {other}": ratios(results, f"session, {manner}", f"{other}, {manner}")
        for manner in (KEEP, FRESH)
        for other in (BARE, NGINX)
    }
    wanted[f"{session}: p99 / {BARE}"] = ratios(results, session, f"{BARE}, {KEEP}", lambda outcome: outcome.p99)
    wanted[f"{STOCK}, {KEEP}: rate / {BARE}"] = ratios(results, f"{STOCK}, {KEEP}", f"{BARE}, {KEEP}")
    for name in ("key", "deny", "challenge 401", "challenge 302"):
        wanted[f"{name}, {KEEP}: rate / session"] = ratios(results, f"{name}, {KEEP}", session)
    return {name: statistics.median(found) for name, found in wanted.items() if found}


def remarks(ours: Sequence[int], theirs: Sequence[int], rounds: Rounds) -> list[str]:
    """How it was measured."""
    pinned = f"servers on core {ours[0]}, load on {theirs[0]}" if ours else "nothing is pinned: one core, or no way to"
    return [
        f"{wrk.generator()}, 64 connections, one thread; {rounds.number} rounds of {rounds.seconds} s; {pinned}",
        f"{BARE}: stock protocol (httptools), event loop and options as the gateway's, constant ASGI answer with the"
        " same headers; nginx: one worker, no access log",
    ]


def remembered(counted: counters.Counters) -> str:
    """Whether these were warm checks indeed, by the gateway's own account."""
    asked = counted.queries.get("recall", 0)
    return f"the gateway's own account: {counted.hits} checks from memory, {counted.misses} not, {asked} queries"


def limited(results: Results) -> list[str]:
    """Rows whose server had time left: they could be faster than their figure says."""
    slack = [name for name, runs in results.items() if 0 < statistics.median(ran.busy for ran in runs) < 0.9]
    why = "not the server but the load generator, or somebody else on this machine, was the limit"
    return [f"{why}, in {len(slack)} of {len(results)} rows: {'; '.join(slack[:4])} ..."] if slack else []


# Asking once ----------------------------------------------------------------------------------------------------------


def answer_headers(server: Server, place: Place) -> servers.Headers:
    """What the gateway says to a session, but for what every server adds itself."""
    _, headers = questions.ask(
        server.port, questions.traefik(Asked(place.site.host(APP), place.secret, place.cookies[0]))
    )
    return [(name, value) for name, value in headers if name.lower() not in ("date", "content-length", "connection")]


if __name__ == "__main__":
    bench.main(["--only", "checks", *sys.argv[1:]])
