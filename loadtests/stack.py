"""A whole stack for a run of locust, on free ports and throwaway data, gone afterwards.

Started here: PostgreSQL, the gateway, the demo app in the place of the real ones, a real Traefik with the files of
``config/proxies/traefik``. Then people, one session each, made while it serves, so that the first wave finds cold
memory. python loadtests/stack.py --profile actual --users 50 --seconds 30
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple

import changes
import click
import runs
from accounts import Place, ground, sign_in
from routes import write_config

from gateway.cli import children
from gateway.cli.serve import orderly_end
from gateway.endpoints import listening
from gateway.storage.cluster import Cluster
from gateway.storage.embedded import Embedded
from gateway.storage.uids import Account

PRIVATE = "actual"
PATIENCE = 60.0


class Stack(NamedTuple):
    """Where it listens, where it keeps things, what Traefik needs besides, and a directory for whatever a run needs."""

    port: int
    check: str
    metrics: str
    place: Place
    proxy: Path
    told: Mapping[str, str]
    work: Path


@click.command()
@click.option(
    "--profile", type=click.Choice(list(runs.LOCUSTFILES)), default="actual", show_default=True, help="Which app."
)
@click.option("--users", "browsers", default=50, show_default=True, help="Browsers, each with a session of its own.")
@click.option("--seconds", default=30, show_default=True, help="How long.")
@click.option(
    "--parallel", default=6, show_default=True, help="Connections of a browser: 6 for HTTP/1.1, 100 for HTTP/2."
)
@click.option(
    "--max-recalls", type=int, help="Questions to the database that checks may put; by default what is needed."
)
def main(profile: str, browsers: int, seconds: int, parallel: int, max_recalls: int | None) -> None:
    """Start everything, let the browsers in, change things under their feet, say how it went."""
    code = 130
    with orderly_end(), stack() as running:
        code = asyncio.run(play(running, profile, browsers, seconds, parallel, max_recalls))
    sys.exit(code)


async def play(
    running: Stack, profile: str, browsers: int, seconds: int, parallel: int, max_recalls: int | None
) -> int:
    """The run and the changes at once; the exit code of both. By default checks may ask once for each session and each
    key, for what was changed, and a few times for the policy."""
    files = await sign_in(running.place, browsers, running.work)
    most = browsers + 10 + changes.RECALLS * seconds if max_recalls is None else max_recalls
    more = [*runs.mixed(files), "--parallel", str(parallel), "--metrics", running.metrics, f"--max-recalls={most}"]
    command = runs.command(profile, running.port, browsers, seconds, files.cookies, *more)
    async with ground(running.place) as on:
        made = changes.Changes(on, lambda headers: asyncio.to_thread(opened, running.port, headers), browsers)
        changing = asyncio.create_task(made.keep_on(seconds))
        process = await asyncio.create_subprocess_exec(*command)
        try:
            code = await process.wait()
        finally:
            changing.cancel()
            await asyncio.wait([changing])
    return code or said(made, changing)


def said(made: changes.Changes, changing: asyncio.Task[None]) -> int:
    """One line about the changes; the exit code they deserve."""
    wrong = list(made.wrong)
    if not changing.cancelled() and (error := changing.exception()):
        wrong.append(f"{type(error).__name__}: {error}")
    click.echo(f"{made.rounds} rounds of changes while it ran, {len(wrong)} things wrong")
    if wrong:
        click.echo(f"FAILED: {wrong[0]}")
    return 1 if wrong or not made.rounds else 0


def opened(port: int, headers: dict[str, str]) -> object:
    """The status of a request to the private app."""
    return ask(f"127.0.0.1:{port}", "/", {"Host": runs.host(PRIVATE), **headers})


class Lasting(Embedded):
    """Throwaway data again, but with commits that wait for the disk, as every real one does."""

    def _cluster(self, account: Account) -> Cluster:
        return replace(super()._cluster(account), throwaway=False)


@contextmanager
def stack(kind: type[Embedded] = Embedded) -> Iterator[Stack]:
    """All of it, from the bottom up."""
    with (
        directory() as work,
        kind(work / "postgres", throwaway=True) as database,
        children.demo("http://auth.gateway.localhost") as demo_url,
    ):
        url, secret = database.attach(), secrets.token_urlsafe(32)
        assert url is not None
        port, listen, internal = free_port(), f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        config = write_config(work / "config")
        proxy, told = config / "proxies" / "traefik", {"DEMO_URL": demo_url, "GATEWAY_PROXY_SECRET": secret}
        settings = {
            "GATEWAY_DATABASE_URL": url,
            "GATEWAY_TRUST_SECRET": secret,
            "GATEWAY_SERVER_LISTEN": listen,
            "GATEWAY_SERVER_INTERNAL_LISTEN": internal,
            "GATEWAY_SERVER_PORTAL_URL": f"http://auth.gateway.localhost:{port}",
            "GATEWAY_SERVER_DATA_DIR": str(work / "gateway"),
            "GATEWAY_LOG_LEVEL": "warning",
        }
        place = Place(url, work / "gateway" / "keys.json")
        with gateway(config, settings):
            wait_for(internal, "/health/ready", {}, 200)
            with traefik(proxy, port, {**told, "GATEWAY_URL": f"http://{listen}"}):
                yield Stack(
                    port, f"http://{listen}/auth/traefik", f"http://{internal}/metrics", place, proxy, told, work
                )


@contextmanager
def traefik(files: Path, port: int, told: Mapping[str, str]) -> Iterator[None]:
    """Traefik in front of whatever ``told`` names as GATEWAY_URL, until both answer."""
    with children.traefik(files, port, told):
        wait_for(f"127.0.0.1:{port}", "/", {"Host": runs.host(PRIVATE)}, 401)
        yield


@contextmanager
def directory() -> Iterator[Path]:
    """A place for everything, closed to others but passable: PostgreSQL will not run as root, and must get through."""
    made = Path(tempfile.mkdtemp(prefix="gateway-load-"))
    made.chmod(0o711)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def gateway(config: Path, settings: Mapping[str, str]) -> Iterator[None]:
    """``gateway serve`` out of Ctrl-C's reach, ended before the database."""
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(config)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    with subprocess.Popen(command, env={**kept, **settings}, start_new_session=True) as process:  # noqa: S603
        try:
            yield
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()


def free_port() -> int:
    """A port of this machine that nobody has at the moment."""
    with listening.bind("127.0.0.1:0", "loadtests") as found:
        return int(found.getsockname()[1])


def wait_for(address: str, path: str, headers: dict[str, str], status: int) -> None:
    """Until that is answered so; SystemExit where it never is."""
    deadline = time.monotonic() + PATIENCE
    last: object = None
    while time.monotonic() < deadline:
        last = ask(address, path, headers)
        if last == status:
            return
        time.sleep(0.05)
    raise SystemExit(f"{address}{path} was not answered with {status} within {PATIENCE:.0f} s, but with {last}")


def ask(address: str, path: str, headers: dict[str, str]) -> object:
    """The status of one answer, or what went wrong."""
    connection = HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    except (OSError, HTTPException) as error:
        return error
    finally:
        connection.close()


if __name__ == "__main__":
    main()
