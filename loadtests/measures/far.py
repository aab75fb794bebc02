"""A database 110 ms away: how often somebody waits for it, for each thing that people and proxies do.

The pool's connections and the ear's lead through a delay proxy each. Round trips are counted twice: as exchanges on the
pool's proxy while one request was answered, and as the time it took, over 110 ms. A bar is held against the worse of the
two, and against the worst of all samples: one question too many, once, is too many.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import bench
import crowd
import delays
import questions
import servers
from crowd import Place
from delays import Delays
from figures import Figure, Section, Tell, figure
from portal import Browser
from questions import Asked

from gateway.services import users
from gateway.services.ground import Ground
from gateway.storage import migrate, ringfile
from gateway.storage.fence import Acks
from gateway.storage.pool import Store
from measures import FAN

ROUND_TRIP = 0.110
PRELOADED = 200
WHO = "anna"


class Sample(NamedTuple):
    """One request: exchanges on the pool's connections, and seconds."""

    exchanges: int
    seconds: float


class Often(NamedTuple):
    """How many of each."""

    warm: int
    cold: int
    starts: int
    people: int


class Far(NamedTuple):
    """A gateway whose database is far away, and what lies between."""

    port: int
    pool: Delays

    def timed(self, ask: Callable[[], object]) -> Sample:
        """One request."""
        before, began = self.pool.exchanges, time.monotonic()
        ask()
        return Sample(self.pool.exchanges - before, time.monotonic() - began)

    def check(self, place: Place, cookie: str) -> Sample:
        """One check that is allowed, on a connection that is open already."""
        message = questions.traefik(Asked(place.site.host(1), place.secret, cookie))
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as line:
            return self.timed(lambda: allowed(line, message))


Samples = dict[str, list[Sample]]


def measure(quick: bool, tell: Tell) -> Section:
    """Checks first, then starts, then people."""
    often = Often(20, 20, 1, 3) if quick else Often(200, 60, 3, 10)
    fresh = often.cold + often.starts
    tell(f"a database with {PRELOADED} sessions that are preloaded, and {fresh} that are not")
    with crowd.place(PRELOADED + fresh) as place:
        password = prepare(place)
        promised = checks(place, often, tell) | starts(place, often, tell)
        others = people(place, often, password, tell)
    values = {f"{name}: round trips": worst(found) for name, found in promised.items()}
    return Section(FAN["far"].title, list(figures_of(promised | others)), FAN["far"].judged(values), remarks(often))


# What is asked ---------------------------------------------------------------------------------------------------


def checks(place: Place, often: Often, tell: Tell) -> Samples:
    """Sessions that are in memory, and sessions that are not. More cold ones than make psycopg prepare a statement."""
    known, unknown = place.cookies[:PRELOADED], place.cookies[PRELOADED:]
    with started(place) as far:
        tell(f"warm checks: {often.warm}")
        warm = [far.check(place, known[number % PRELOADED]) for number in range(often.warm)]
        tell(f"cold checks: {often.cold}")
        cold = [far.check(place, cookie) for cookie in unknown[: often.cold]]
    return {"warm check": warm, "cold check": cold}


def starts(place: Place, often: Often, tell: Tell) -> Samples:
    """The very first check after a start, by either kind of session."""
    found: Samples = {}
    for name, cookies in (
        ("first check after a start, preloaded", place.cookies[: often.starts]),
        ("first check after a start, not preloaded", place.cookies[-often.starts :]),
    ):
        tell(f"{name}: {often.starts} starts")
        found[name] = []
        for cookie in cookies:
            with started(place) as far:
                found[name].append(far.check(place, cookie))
    return found


def people(place: Place, often: Often, password: str, tell: Tell) -> Samples:
    """Sign-ins, then the end of each of those sessions but the last, from the page of the last."""
    portal = place.settings["GATEWAY_SERVER_PORTAL_URL"]
    with ExitStack() as stack:
        far = stack.enter_context(started(place, GATEWAY_TRUST_PROXIES="127.0.0.1"))
        browsers = [stack.enter_context(closing(Browser(far.port, portal))) for _ in range(often.people + 1)]
        tell(f"sign-ins: {len(browsers)}")
        signed_in = [sign_in(far, browser, password) for browser in browsers]
        tell(f"revocations: {often.people}")
        browsers[-1].open_account()
        revoked = [far.timed(partial(browsers[-1].end, number)) for number in sign_ins(place)[:-1]]
    return {"sign-in": signed_in, "revocation": revoked}


def sign_in(far: Far, browser: Browser, password: str) -> Sample:
    """From the form's being sent to the cookies."""
    browser.open_form()
    return far.timed(partial(browser.sign_in, WHO, password))


@contextmanager
def started(place: Place, **more: str) -> Iterator[Far]:
    """A gateway that has just become ready."""
    preload_first(place)
    with (
        delays.far(place.url, ROUND_TRIP) as (pool, url),
        delays.far(place.url, ROUND_TRIP) as (_, listen_url),
        servers.gateway(
            place,
            GATEWAY_DATABASE_URL=url,
            GATEWAY_DATABASE_LISTEN_URL=listen_url,
            GATEWAY_CACHE_PRELOAD=str(PRELOADED),
            **more,
        ) as server,
    ):
        yield Far(server.port, pool)


def prepare(place: Place) -> str:
    """Somebody can sign in, with the password that is returned; and the apps are applied, which is not measured."""
    password = secrets.token_urlsafe(12)
    with migrate.connect(place.url) as connection:
        ring = ringfile.open_ring(place.work / "gateway" / "keys.json", connection)

    async def add() -> None:
        store = Store(place.url, 1)
        await store.open()
        try:
            await users.add(Ground(store, Acks(), lambda: ring, time.time), "loadtests", WHO, password)
        finally:
            await store.close()

    asyncio.run(add())
    with servers.gateway(place):
        return password


def preload_first(place: Place) -> None:
    """The other sessions were used longest ago, whatever was used meanwhile, so they will not be preloaded."""
    with migrate.connect(place.url) as connection:
        connection.execute(
            "UPDATE gateway.session_seen SET last_seen = now() - interval '1 hour' * (session_id NOT IN"
            " (SELECT id FROM gateway.sessions ORDER BY id LIMIT %s))::int",
            (PRELOADED,),
        )


def sign_ins(place: Place) -> list[int]:
    """Whatever can be ended from an account page, oldest first."""
    with migrate.connect(place.url) as connection:
        rows = connection.execute("SELECT id FROM gateway.sessions WHERE kind = 'portal' ORDER BY id").fetchall()
    return [int(row[0]) for row in rows]


def allowed(line: socket.socket, message: bytes) -> None:
    """One question and its answer; RuntimeError where that is not 200."""
    line.sendall(message)
    received = b""
    while b"\r\n\r\n" not in received:
        received += (more := line.recv(65536))
        if not more:
            break
    if not received.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"a check was answered with {received[:40]!r}")


# What came of it -------------------------------------------------------------------------------------------------


def figures_of(samples: Mapping[str, Sequence[Sample]]) -> Iterator[Figure]:
    """Each as counted, and by the clock."""
    for name, found in samples.items():
        yield figure(name, [float(sample.exchanges) for sample in found], "round trips")
        yield figure(name, [sample.seconds / ROUND_TRIP for sample in found], "x 110 ms")


def worst(samples: Sequence[Sample]) -> float:
    """The most exchanges of any sample, or the usual time in whole round trips, whichever is more."""
    usual = statistics.median(sample.seconds for sample in samples)
    return float(max(*(sample.exchanges for sample in samples), round(usual / ROUND_TRIP)))


def remarks(often: Often) -> list[str]:
    """How it was measured."""
    return [
        f"every byte to and from PostgreSQL takes {500 * ROUND_TRIP:.0f} ms; pool and ear by proxies of their own",
        f"{often.warm} warm checks, {often.cold} cold ones, {often.starts} starts of each kind, {often.people} people",
        "a bar is held against the most exchanges of any sample, or the median time in whole round trips if that is more",
        "sign-in and revocation: from the form's being sent to its answer, password hash and acknowledgements included",
    ]


if __name__ == "__main__":
    bench.main(["--only", "far", *sys.argv[1:]])
