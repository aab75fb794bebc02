"""``gateway serve``: everything is checked and bound before uvicorn starts, so that a mistake is one line and exit 2."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click
import uvicorn

from gateway import asgi
from gateway import settings as settings_room
from gateway.cli import Environment
from gateway.cli.workers import Workers
from gateway.endpoints import express, listening
from gateway.errors import CannotStart
from gateway.observe import logs, seats
from gateway.services import apply
from gateway.services.reload import FILE
from gateway.settings import Settings
from gateway.storage import migrate
from gateway.storage.embedded import Embedded


class Sockets(NamedTuple):
    """Bound, not yet listening: for proxies and people, and for metrics and health."""

    public: socket.socket
    internal: socket.socket


@click.command()
@click.option("--config", "config", metavar="DIR", help="Directory of gateway.yaml and apps.yaml.")
@click.option("--workers", type=click.IntRange(1), help="Processes (setting server.workers).")
@click.option("--listen", metavar="ADDRESS", help="host:port or unix:/path (setting server.listen).")
@click.pass_obj
def serve(environment: Environment, config: str | None, workers: int | None, listen: str | None) -> None:
    """Answer checks and show the portal, until Ctrl-C or SIGTERM."""
    given = {"GATEWAY_SERVER_WORKERS": workers and str(workers), "GATEWAY_SERVER_LISTEN": listen}
    variables = {**environment.variables, **{name: value for name, value in given.items() if value}}
    directory = environment.config(config)
    settings, warnings = settings_room.load(directory, variables)
    for warning in warnings:
        click.echo(f"gateway: {warning}", err=True)
    read_apps(directory, settings)
    logs.configure(settings.log.format, settings.log.level)
    with orderly_end(), open_sockets(settings) as sockets, open_database(settings) as url:
        run(settings, url, directory, sockets)


def read_apps(directory: Path, settings: Settings) -> None:
    """An invalid ``apps.yaml`` stops a start; ConfigurationInvalid says all that is wrong with it. Without one the database
    alone says which apps there are."""
    if (file := directory / FILE).exists():
        apply.read([file], settings.portal_host)


@contextmanager
def orderly_end() -> Iterator[None]:
    """SIGTERM ends as Ctrl-C does: through every ``with`` on the way out, PostgreSQL last."""

    def interrupt(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    with suppress(KeyboardInterrupt):
        yield


@contextmanager
def open_sockets(settings: Settings) -> Iterator[Sockets]:
    """Both sockets; CannotStart names the one that cannot be had."""
    with (
        listening.bind(settings.server.listen, "server.listen") as public,
        listening.bind(settings.server.internal_listen, "server.internal_listen") as internal,
    ):
        yield Sockets(public, internal)


@contextmanager
def open_database(settings: Settings) -> Iterator[str]:
    """The URL of a migrated database: the configured one, or the embedded PostgreSQL, started here and stopped last."""
    if settings.database.url:
        prepare(settings, settings.database.url)
        yield settings.database.url
        return
    server = Embedded(settings.server.data_dir, tell=lambda sentence: click.echo(f"gateway: {sentence}", err=True))
    url = server.start()
    try:
        prepare(settings, url)
        yield url
    finally:
        server.stop()


def prepare(settings: Settings, url: str) -> None:
    """Migrate, if that is wanted, and refuse a schema that is not this program's."""
    if settings.database.migrate:
        migrate.migrate(url)
    migrate.check(url)


def run(settings: Settings, url: str, directory: Path, sockets: Sockets) -> None:
    """Serve until a signal ends it. One worker is this process; several are children that uvicorn watches over."""
    if settings.server.workers == 1:
        app = asgi.build(settings, url, directory, listening.bound(sockets.internal))
        server = uvicorn.Server(uvicorn.Config(app, **express.options()))
        with suppress(SystemExit):  # uvicorn's own way to say that the application did not start
            server.run(list(sockets))
        if not server.started:
            raise CannotStart("the gateway could not start; the lines above say why")
        return
    asgi.keys(settings, url)  # once, before several look at the same moment, and say the same of it
    _tell_workers(url, directory, sockets, settings)
    with seats.room() as room:
        Workers(partial(asgi.create, room), settings.server.workers, list(sockets)).run()


def _tell_workers(url: str, directory: Path, sockets: Sockets, settings: Settings) -> None:
    """Workers read the environment. What was decided here goes there; only they and root can see it."""
    os.environ["GATEWAY_CONFIG"] = str(directory.resolve())
    os.environ["GATEWAY_DATABASE_URL"] = url
    os.environ["GATEWAY_DATABASE_LISTEN_URL"] = settings.database.listen_url or url
    os.environ["GATEWAY_SERVER_LISTEN"] = settings.server.listen
    os.environ["GATEWAY_SERVER_DATA_DIR"] = str(settings.server.data_dir)
    os.environ["GATEWAY_SERVER_KEYS_FILE"] = str(settings.server.keys_file)
    os.environ["GATEWAY_SERVER_INTERNAL_LISTEN"] = listening.listen(listening.bound(sockets.internal))
