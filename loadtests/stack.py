"""A whole stack for a run of locust, on free ports and throwaway data, gone afterwards.

Started here: PostgreSQL, the gateway, the demo app in the place of Actual, a real Traefik with the files of
``config/proxies/traefik``. Then people, one session each, made while it serves, so that the first wave finds cold
memory. python loadtests/stack.py --users 50 --seconds 30
"""

from __future__ import annotations

import asyncio
import copy
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NamedTuple

import click
import yaml

from gateway.cli import children
from gateway.cli.serve import orderly_end
from gateway.endpoints import listening
from gateway.services import sessions, users
from gateway.services.ground import Ground
from gateway.storage import migrate, ringfile
from gateway.storage.embedded import Embedded
from gateway.storage.fence import Acks
from gateway.storage.pool import Store

HERE = Path(__file__).parent
HOST, DOMAIN = "actual.gateway.localhost", "gateway.localhost"
APPS = f"apps: [{{name: actual, title: Actual Budget, hosts: [{HOST}], rules: [{{policy: one_factor}}]}}]\n"
PATIENCE = 60.0


class Stack(NamedTuple):
    """Where it listens, and whose sessions there are."""

    port: int
    metrics: str
    cookies: Path


@click.command()
@click.option("--users", "browsers", default=50, show_default=True, help="Browsers, each with a session of its own.")
@click.option("--seconds", default=30, show_default=True, help="How long.")
@click.option("--parallel", default=6, show_default=True, help="Connections of a browser.")
def main(browsers: int, seconds: int, parallel: int) -> None:
    """Start everything, let the browsers in, say how it went."""
    code = 130
    with orderly_end(), stack(browsers) as running:
        code = locust(running, browsers, seconds, parallel)
    sys.exit(code)


@contextmanager
def stack(browsers: int) -> Iterator[Stack]:
    """All of it, from the bottom up."""
    with (
        directory() as work,
        Embedded(work / "postgres", throwaway=True) as database,
        children.demo("http://auth.gateway.localhost") as demo_url,
    ):
        url, secret = database.attach(), secrets.token_urlsafe(32)
        assert url is not None
        port, listen, internal = free_port(), f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        config = write_config(work / "config")
        told = {"GATEWAY_URL": f"http://{listen}", "DEMO_URL": demo_url, "GATEWAY_PROXY_SECRET": secret}
        settings = {
            "GATEWAY_DATABASE_URL": url,
            "GATEWAY_TRUST_SECRET": secret,
            "GATEWAY_SERVER_LISTEN": listen,
            "GATEWAY_SERVER_INTERNAL_LISTEN": internal,
            "GATEWAY_SERVER_PORTAL_URL": f"http://auth.gateway.localhost:{port}",
            "GATEWAY_SERVER_DATA_DIR": str(work / "gateway"),
            "GATEWAY_LOG_LEVEL": "warning",
        }
        with gateway(config, settings), children.traefik(config / "proxies" / "traefik", port, told):
            wait_for(internal, "/health/ready", {}, 200)
            wait_for(f"127.0.0.1:{port}", "/", {"Host": HOST}, 401)
            cookies = work / "cookies"
            tokens = asyncio.run(people(url, work / "gateway" / "keys.json", browsers))
            write_private(cookies, "".join(f"gateway_session={token}\n" for token in tokens))
            yield Stack(port, f"http://{internal}/metrics", cookies)


def locust(running: Stack, browsers: int, seconds: int, parallel: int) -> int:
    """The run itself; its exit code. Checks may ask once for each session, and a few times for the policy."""
    command = [sys.executable, "-m", "locust", "-f", str(HERE / "actual_budget.py"), "--headless", "--only-summary"]
    command += ["-u", str(browsers), "-r", str(browsers), "-t", f"{seconds}s", "--parallel", str(parallel)]
    command += ["--host", f"http://{HOST}:{running.port}", "--cookies", str(running.cookies)]
    command += ["--metrics", running.metrics, "--max-recalls", str(browsers + 10)]
    return subprocess.run(command, check=False).returncode  # noqa: S603 - our own command


@contextmanager
def directory() -> Iterator[Path]:
    """A place for everything, closed to others but passable: PostgreSQL will not run as root, and must get through."""
    made = Path(tempfile.mkdtemp(prefix="gateway-load-"))
    made.chmod(0o711)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write_config(config: Path) -> Path:
    """The project's configuration with our app in it, and in Traefik's file its routers: the demo's, for our host."""
    shutil.copytree(HERE.parent / "config", config)
    (config / "apps.yaml").write_text(APPS, "utf-8")
    file = config / "proxies" / "traefik" / "dynamic.yaml"
    dynamic = yaml.safe_load(file.read_text("utf-8"))
    add_routers(dynamic["http"]["routers"])
    file.write_text(yaml.safe_dump(dynamic, width=1000), "utf-8")
    return config


def add_routers(routers: dict[str, Any]) -> None:
    """What the file's first comment tells a user to do."""
    for suffix in ("", "-reserved"):
        ours = copy.deepcopy(routers[f"demo{suffix}"])
        ours["rule"] = ours["rule"].replace("demo.gateway.localhost", HOST)
        routers[f"actual{suffix}"] = ours


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


async def people(url: str, keys: Path, number: int) -> list[str]:
    """So many people with a session each, through the use cases that the command line stands on; their tokens."""
    with migrate.connect(url) as connection:
        ring = ringfile.open_ring(keys, connection)
    store = Store(url, 1)
    await store.open()
    try:
        ground = Ground(store, Acks(), lambda: ring, time.time)
        return [await person(ground, f"load{place}") for place in range(number)]
    finally:
        await store.close()


async def person(ground: Ground, name: str) -> str:
    """Somebody, and a session for an hour."""
    await users.add(ground, "loadtests", name, secrets.token_urlsafe(12))
    return (await sessions.create(ground, "loadtests", name, 3600.0, DOMAIN))[1]


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


def write_private(file: Path, text: str) -> None:
    """For ourselves alone."""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
        opened.write(text)


if __name__ == "__main__":
    main()
