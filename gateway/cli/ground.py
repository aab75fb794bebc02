"""What every verb stands on: its settings, its database (a running server's embedded one too), its way to print.

A verb is an async function that gets ``Ground``; the decorators here give it ``--config`` and, where it lists something,
``--json``.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from gateway import settings as settings_room
from gateway.addresses import inside
from gateway.cli import Environment
from gateway.services.ground import Ground, Silent
from gateway.settings import Settings
from gateway.storage import migrate
from gateway.storage.fence import Acks, acknowledgements
from gateway.storage.pool import Store

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Place(NamedTuple):
    """The URLs of the database and of the ear; ``own``: an embedded server that no other process can be attached to."""

    url: str
    listen_url: str
    own: bool


class Shell(NamedTuple):
    """What a verb was typed in: its settings and its configuration directory."""

    settings: Settings
    directory: Path


def with_config(command: F) -> F:
    """Gives a verb ``--config DIR`` and hands it a ``Shell`` as ``shell``."""
    option = click.option(
        "--config", "shell", metavar="DIR", callback=_shell, help="Directory of gateway.yaml and apps.yaml."
    )
    return option(command)


def with_json(command: F) -> F:
    """Gives a verb ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def run(shell: Shell, work: Callable[[Ground], Awaitable[T]], *, taking: bool = False) -> T:
    """Do ``work`` on the database. ``taking`` listens for acknowledgements, for work that takes something away."""
    with database(shell.settings) as place:
        if place.own and shell.settings.database.migrate:  # nobody serves on it, and nobody can while we hold it
            migrate.migrate(place.url)
        migrate.check(place.url)

        async def doing() -> T:
            async with _ground(shell.settings, place, taking=taking) as ground:
                return await work(ground)

        return asyncio.run(doing())


@contextmanager
def database(settings: Settings) -> Iterator[Place]:
    """The configured database; or the embedded PostgreSQL, of a running server or started here for a moment."""
    if settings.database.url:
        yield Place(settings.database.url, settings.database.listen_url or settings.database.url, own=False)
        return
    from gateway.storage import embedded

    with embedded.borrow(settings.server.data_dir, tell=tell) as url:
        yield Place(url, url, own=embedded.is_ours(settings.server.data_dir))


def audience(settings: Settings) -> str:
    """The domain that a sign-in on the portal reaches; "" (every host) where there is no portal."""
    domains = settings.session.cookie_domain
    return next((domain for domain in domains if inside(settings.portal_host, domain)), settings.portal_host)


def actor() -> str:
    """Who the audit says it was."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's uid without a name
        return f"cli:uid {os.getuid()}"


def tell(sentence: str) -> None:
    """Something that a user would wonder about."""
    click.echo(f"gateway: {sentence}", err=True)


def say_silent(silent: Silent) -> None:
    """Name the replicas that did not acknowledge; nothing where all did."""
    for name in silent:
        tell(f"{name} did not acknowledge within a second; it may allow until it hears again")


def print_json(data: object) -> None:
    """For programs."""
    click.echo(json.dumps(data, indent=2))


def table(rows: Iterable[Any], columns: Sequence[str], *, as_json: bool) -> None:
    """NamedTuples as JSON, or as columns for people."""
    listed = [{column: getattr(row, column) for column in columns} for row in rows]
    if as_json:
        print_json(listed)
        return
    lines = [[column.replace("_", " ") for column in columns]]
    lines += [[_cell(row[column]) for column in columns] for row in listed]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


@asynccontextmanager
async def _ground(settings: Settings, place: Place, *, taking: bool) -> AsyncIterator[Ground]:
    async with AsyncExitStack() as stack:
        store = Store(place.url, 1)
        await store.open()
        stack.push_async_callback(store.close)
        acks = await stack.enter_async_context(acknowledgements(place.listen_url)) if taking else Acks()

        @cache
        def ring() -> Any:
            from gateway.storage.ringfile import open_ring

            with migrate.connect(place.url) as connection:
                return open_ring(settings.server.keys_file, connection)

        yield Ground(store, acks, ring, time.time)


def _shell(ctx: click.Context, parameter: click.Parameter, given: str | None) -> Shell:
    environment = ctx.find_object(Environment) or Environment({})
    directory = config_directory(environment, given)
    settings, warnings = settings_room.load(directory, environment.variables, need_portal=False)
    for warning in warnings:
        tell(warning)
    return Shell(settings, directory)


def config_directory(environment: Environment, given: str | None) -> Path:
    """A directory that was named must be there; without the usual one, variables say everything."""
    directory = environment.config(given)
    if directory.exists() and not directory.is_dir():
        raise click.UsageError(f"{directory} is not a directory; name the one that holds gateway.yaml and apps.yaml")
    if not directory.exists() and (given or environment.variables.get("GATEWAY_CONFIG")):
        raise click.UsageError(f"there is no directory {directory}")
    return directory


def _cell(value: object) -> str:
    """What a label says may come from a stranger's browser, so nothing in it may speak to the terminal."""
    return "".join(character if character.isprintable() else "?" for character in _words(value))


def _words(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{name}: {_words(item)}" for name, item in value.items())
        case list() | tuple():
            return ", ".join(_words(item) for item in value) or "-"
        case _:
            return str(value)
