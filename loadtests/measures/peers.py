"""The same question asked of a peer whose binary the user brings: make bench-peers AUTHELIA=/path/to/authelia

Beside it the gateway and a bare uvicorn, on the same core, in turn. No bars: these are figures about somebody else's
program, made with a configuration of ours (``authelia``). Not part of ``make bench``. What is not named is left out.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import authelia
import click
import crowd
import pinning
import questions
import rounds
import servers
import tables
from crowd import Place
from figures import Section, Tell, figure
from questions import Asked
from rounds import Case
from servers import Server
from stack import free_port
from wrk import Load

from gateway.cli.serve import orderly_end

SESSIONS, APP = 10_000, 25
KEEP, FRESH = "keep-alive", "fresh"
BARE, GATEWAY = "bare uvicorn", "gateway"
NOTE = "this recipe is written from Authelia's documentation; its makers had no say in it, and no part in the figures"


def measure(binary: str, redis: str, quick: bool, tell: Tell) -> Section:
    """Authelia's check by session, beside ours."""
    number, seconds = (3, 1) if quick else (5, 4)
    ours, theirs = pinning.layout(pinning.cores())
    peer = f"{authelia.NAME}, sessions in {'Redis' if redis else 'memory'}"
    with pinning.on(theirs), crowd.place(SESSIONS) as place, ExitStack() as stack:
        with pinning.on(ours):
            gateway = stack.enter_context(servers.gateway(place))
            bare = stack.enter_context(servers.bare([("cache-control", "no-store"), ("remote-user", "person1")]))
            server, cookie = stack.enter_context(started(binary, redis, place))
        asked = Asked(place.site.host(APP), place.secret, place.cookies[0])
        cases = []
        for manner, more in ((KEEP, ()), (FRESH, (questions.CLOSE,))):
            mine = questions.traefik(asked, *more)
            other = authelia.question(asked._replace(cookie=cookie), *more)
            for name, whom, what in ((BARE, bare, mine), (GATEWAY, gateway, mine), (peer, server, other)):
                cases.append(Case(f"{name}, {manner}", whom, Load([what], seconds=seconds)))
        results = rounds.alternate(cases, number, tell)
    figures = []
    for name, runs in results.items():
        other_name = f"{BARE}, {name.rpartition(', ')[2]}"
        figures.append(figure(name, [ran.outcome.rate for ran in runs], "/s"))
        figures.append(figure(name, rounds.ratios(results, name, other_name), "x bare uvicorn"))
        figures.append(figure(name, [1000 * ran.outcome.p99 for ran in runs], "ms p99"))
    return Section("A peer", figures, [], [NOTE])


@contextmanager
def started(binary: str, redis: str, place: Place) -> Iterator[tuple[Server, str]]:
    """Authelia on a free port, and the cookie of somebody who signed in."""
    directory, password, port = place.work / "authelia", secrets.token_urlsafe(16), free_port()
    directory.mkdir(0o700)
    file = authelia.write(directory, port, free_port(), place.site, redis, password, crowd.APPS)
    with servers.running([binary, "--config", str(file)]) as process:
        servers.await_answer(process, f"127.0.0.1:{port}", authelia.HEALTH)
        yield Server(port, process), authelia.sign_in(port, place.site, password)


@click.command()
@click.option("--quick", is_flag=True, help="Fewer and shorter rounds.")
def main(quick: bool) -> None:
    """AUTHELIA names the binary; AUTHELIA_REDIS, as host:port, where its sessions go (memory, if unset)."""
    binary, redis = os.environ.get("AUTHELIA", ""), os.environ.get("AUTHELIA_REDIS", "")
    if not binary:
        click.echo("Authelia: left out; name its binary: make bench-peers AUTHELIA=/path/to/authelia")
        return
    code = 130
    with orderly_end():
        code = show(binary, redis, quick)
    sys.exit(code)


def show(binary: str, redis: str, quick: bool) -> int:
    """The table, or one line that says why there is none; the exit code."""
    try:
        section = measure(binary, redis, quick, lambda said: click.echo(said, err=True))
        version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    except (OSError, RuntimeError) as error:
        click.echo(f"Authelia: not measured: {error}", err=True)
        return 1
    click.echo("\n".join([version, *tables.lines({"peers": section})[:-4]]))
    return 0


if __name__ == "__main__":
    main()
