"""The warm check, by everything that a request can show and in every dialect, beside a bare uvicorn and nginx.

All servers run at once on one core and are asked in turn from another, round by round (``rounds``), with the same bytes.
Before that every message is sent once, and its answer's status looked at.
"""

from __future__ import annotations

import functools
import re
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import bench
import counters
import crowd
import pinning
import questions
import rounds
import servers
import wrk
from crowd import Place
from figures import Figure, Section, Tell, figure
from questions import Asked
from rounds import Case, Results
from servers import Server
from wrk import Load

from measures import FAN

SESSIONS = 10_000
APP = 25
IN_TURN = 256
"""So many different sessions, and half as many keys, are shown in turn: one alone would lie in the processor's cache. Their
heads are known to the gateway by then, as a browser's are from its second question on; "read anew" shows all 10,000 in
turn, more than it remembers heads of."""
GATEWAY, BARE, NGINX = "gateway", "bare uvicorn", "nginx return 200"
PLAIN, STOCK = "gateway serve, express off", "ASGI door on uvicorn"
KEEP, FRESH = "keep-alive", "fresh"
BRIEF = [f"{name}, {FRESH}" for name in (BARE, NGINX, "session", "deny", STOCK)]
"""All that a quick run asks on fresh connections."""
TIMES = "x bare uvicorn"
"""The unit of a rate as a multiple of the bare uvicorn's in the same round."""


def measure(quick: bool, tell: Tell) -> Section:
    """All rows, keep-alive and fresh."""
    number, seconds = (3, 1) if quick else (5, 4)
    ours, theirs = pinning.layout(pinning.cores())
    tell("a database with 50 apps, 200 rules and 10,000 sessions")
    with pinning.on(theirs), crowd.place(SESSIONS, IN_TURN // 2) as place, started(place, ours, tell) as found:
        running, missing = found
        cases = [*rows(running, place, KEEP, seconds), *rows(running, place, FRESH, seconds)]
        cases = [case for case in cases if not quick or not case.name.endswith(FRESH) or case.name in BRIEF]
        before = counters.read(f"http://{running[GATEWAY].internal}/metrics")
        results = rounds.alternate(cases, number, tell)
        counted = counters.read(f"http://{running[GATEWAY].internal}/metrics").since(before)
        known = identities(running[GATEWAY])
    notes = [*missing, *remarks(ours, theirs, number, seconds), remembered(counted, known), *limited(results)]
    member, weak = FAN["checks"], wrk.weakness()
    bars = member.unmeasured(weak) if weak else member.judged(values(results))
    return Section(member.title, figures_of(results), bars, notes)


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


def rows(running: Mapping[str, Server], place: Place, manner: str, seconds: int) -> list[Case]:
    """What is asked. Other dialects by session only, and on keep-alive only."""
    asked = functools.partial(Asked, place.site.host(APP), place.secret)
    more = (questions.CLOSE,) if manner == FRESH else ()
    by_session = [asked(cookie=cookie) for cookie in place.cookies[:: len(place.cookies) // IN_TURN][:IN_TURN]]
    sessions = [questions.traefik(each, *more) for each in by_session]
    nobody = asked()
    found = [
        (BARE, BARE, sessions, 200),
        (NGINX, NGINX, sessions, 200),
        ("session", GATEWAY, sessions, 200),
        ("key", GATEWAY, [questions.traefik(asked(key=key), *more) for key in place.keys], 200),
        ("bypass", GATEWAY, [questions.traefik(nobody._replace(uri="/public/logo.svg"), *more)], 200),
        ("deny", GATEWAY, [questions.traefik(each._replace(uri="/internal/x"), *more) for each in by_session], 403),
        ("challenge 401", GATEWAY, [questions.traefik(nobody, *more)], 401),
        ("challenge 302", GATEWAY, [questions.traefik(nobody._replace(navigates=True), *more)], 302),
    ]
    if manner == KEEP:
        found += [
            ("session, read anew", GATEWAY, [questions.traefik(asked(cookie=each)) for each in place.cookies], 200)
        ]
        others = questions.OTHERS.items()
        found += [(f"session, {name}", GATEWAY, [write(each) for each in by_session], 200) for name, write in others]
    found += [(name, name, sessions, 200) for name in (PLAIN, STOCK)]
    return [
        Case(f"{name}, {manner}", running[server], Load(messages, seconds=seconds), status)
        for name, server, messages, status in found
        if server in running
    ]


# What came of it ------------------------------------------------------------------------------------------------------


def figures_of(results: Results) -> list[Figure]:
    """For each row its rate, that as a multiple of the bare uvicorn's, its p99, and the processor time of
    one answer, which depends less than the others on what else the machine does."""
    found = []
    for name, runs in results.items():
        manner = name.rpartition(", ")[2]
        found.append(figure(name, [ran.outcome.rate for ran in runs], "/s"))
        found.append(figure(name, rounds.ratios(results, name, f"{BARE}, {manner}"), TIMES))
        found.append(figure(name, [1000 * ran.outcome.p99 for ran in runs], "ms p99"))
        found.append(figure(name, [1e6 * ran.busy / ran.outcome.rate for ran in runs], "us of processor each"))
    return found


def values(results: Results) -> dict[str, float]:
    """The bars' values by their names."""
    session = f"session, {KEEP}"
    found = {
        f"session, {manner}: rate / {other}": rounds.ratio(results, f"session, {manner}", f"{other}, {manner}")
        for manner in (KEEP, FRESH)
        for other in (BARE, NGINX)
    }
    found[f"{session}: p99 / {BARE}"] = rounds.ratio(results, session, f"{BARE}, {KEEP}", rounds.P99)
    found[f"{STOCK}, {KEEP}: rate / {BARE}"] = rounds.ratio(results, f"{STOCK}, {KEEP}", f"{BARE}, {KEEP}")
    for name in ("key", "deny", "challenge 401", "challenge 302"):
        found[f"{name}, {KEEP}: rate / session"] = rounds.ratio(results, f"{name}, {KEEP}", session)
    return {name: value for name, value in found.items() if value is not None}


def remarks(ours: Sequence[int], theirs: Sequence[int], number: int, seconds: int) -> list[str]:
    """How it was measured."""
    pinned = f"servers on core {ours[0]}, load on {theirs[0]}" if ours else "nothing is pinned: one core, or no way to"
    return [
        f"{wrk.generator()}, 64 connections, one thread; {number} rounds of {seconds} s; {pinned}",
        f"{BARE}: stock protocol (httptools), event loop and options as the gateway's, constant ASGI answer with the"
        " same headers; nginx: one worker, no access log",
    ]


def remembered(counted: counters.Counters, known: int) -> str:
    """Whether these were warm checks indeed, by the gateway's own account."""
    asked = counted.queries.get("recall", 0)
    did = f"{counted.hits} checks answered from memory, {counted.misses} not, {asked} questions to the database"
    return f"the gateway's own account: {did}; {known} sessions and keys in memory"


def identities(server: Server) -> int:
    """How many credentials it knows, by its metrics page."""
    with urlopen(f"http://{server.internal}/metrics", timeout=10) as page:
        found = re.search(r"^gateway_identities(?:\{.*\})? (\S+)$", page.read().decode(), re.MULTILINE)
    return int(float(found.group(1))) if found else 0


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
