"""Through a real Traefik, with the project's own files: no auth, nginx as auth server, the gateway.

Thirty-two connections; behind Traefik an nginx that always says the same. Traefik keeps two idle connections to whoever
it asks, so most questions of a burst arrive on fresh ones.
"""

from __future__ import annotations

import copy
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import bench
import crowd
import pinning
import questions
import rounds
import servers
import wrk
import yaml
from crowd import Place
from figures import Section, Tell, figure
from questions import Asked
from rounds import Case, Results
from servers import Server
from stack import free_port, wait_for
from wrk import Load

from gateway.cli import children
from measures import FAN

FILES = Path(__file__).parents[2] / "config" / "proxies" / "traefik"
SESSIONS, IN_TURN, CONNECTIONS = 1000, 256, 32
WAYS = {"no auth": 11, "nginx as auth server": 12, "gateway": 25}
"""Each way to the app, and the number of the app that stands for it."""


def measure(quick: bool, tell: Tell) -> Section:
    """All three ways in turn."""
    number, seconds = (3, 2) if quick else (7, 5)
    available = pinning.cores()
    ours, theirs = pinning.layout(available, max(1, len(available) - 1))
    tell("starting Traefik, the gateway and two nginx")
    with pinning.on(theirs), crowd.place(SESSIONS, site=crowd.PLAIN) as place, started(place, ours) as proxy:
        results = rounds.alternate(
            [Case(way, proxy, load(place, app, seconds)) for way, app in WAYS.items()], number, tell
        )
    where = f"Traefik, auth server and app on {_cores(ours)}, load on {_cores(theirs)}" if ours else "nothing is pinned"
    notes = [f"{wrk.generator()}, {CONNECTIONS} connections; {number} rounds of {seconds} s; {where}"]
    figures = [figure(way, [ran.outcome.rate for ran in runs], "/s") for way, runs in results.items()]
    figures += [figure(way, [1000 * ran.outcome.p99 for ran in runs], "ms p99") for way, runs in results.items()]
    return Section(FAN["traefik"].title, figures, FAN["traefik"].judged(values(results)), notes)


@contextmanager
def started(place: Place, cores: Sequence[int]) -> Iterator[Server]:
    """Traefik, all behind it being ready."""
    with ExitStack() as stack, pinning.on(cores):
        gateway = stack.enter_context(servers.gateway(place))
        constant = stack.enter_context(servers.nginx([("Remote-User", "person1"), ("Cache-Control", "no-store")]))
        app = stack.enter_context(servers.nginx([], "the app"))
        files = write_files(place.work / "traefik", f"http://127.0.0.1:{constant.port}", place)
        port = free_port()
        told = {
            "GATEWAY_URL": f"http://127.0.0.1:{gateway.port}",
            "DEMO_URL": f"http://127.0.0.1:{app.port}",
            "GATEWAY_PROXY_SECRET": place.secret,
        }
        process = stack.enter_context(children.traefik(files, port, told))
        wait_for(f"127.0.0.1:{port}", "/", {"Host": place.site.host(WAYS["gateway"])}, 401)
        yield Server(port, process)


def write_files(to: Path, constant: str, place: Place) -> Path:
    """The shipped files, with a router for each way, and a quiet log."""
    shutil.copytree(FILES, to)
    static_file, file = to / "traefik.yaml", to / "dynamic.yaml"
    # The load generator hangs up when its time is over, and Traefik would log each of these.
    static_file.write_text(static_file.read_text("utf-8").replace("level: WARN", "level: FATAL"), "utf-8")
    dynamic = yaml.safe_load(file.read_text("utf-8"))
    add_ways(dynamic["http"], constant, place.site.host)
    file.write_text(yaml.safe_dump(dynamic, width=1000), "utf-8")
    return to


def add_ways(http: dict[str, Any], constant: str, host: Callable[[int], str]) -> None:
    """The gateway's is the demo's router; the second asks somebody else, but is the same; the first has none of it."""
    middlewares = http["middlewares"]
    middlewares["constant-ask"] = copy.deepcopy(middlewares["gateway-ask"])
    middlewares["constant-ask"]["forwardAuth"]["address"] = f"{constant}/auth/traefik"
    middlewares["constant"] = {"chain": {"middlewares": ["gateway-vouch", "constant-ask", "gateway-forget"]}}
    for (way, app), asked in zip(WAYS.items(), ([], ["constant"], ["gateway"]), strict=True):
        router = copy.deepcopy(http["routers"]["demo"])
        router["rule"] = f"Host(`{host(app)}`)"
        router["middlewares"] = asked
        http["routers"][way.replace(" ", "-")] = router


def load(place: Place, app: int, seconds: int) -> Load:
    """Signed-in people of that app."""
    cookies = place.cookies[:IN_TURN]
    messages = [questions.visit(Asked(place.site.host(app), "", cookie)) for cookie in cookies]
    return Load(messages, CONNECTIONS, seconds)


def values(results: Results) -> dict[str, float]:
    """The bars' values by their names."""
    other = "nginx as auth server"
    found = {
        f"gateway: rate / {other}": rounds.ratio(results, "gateway", other),
        f"gateway: p99 / {other}": rounds.ratio(results, "gateway", other, rounds.P99),
    }
    return {name: value for name, value in found.items() if value is not None}


def _cores(chosen: Sequence[int]) -> str:
    return ("core " if len(chosen) == 1 else "cores ") + ", ".join(map(str, chosen))


if __name__ == "__main__":
    bench.main(["--only", "traefik", *sys.argv[1:]])
