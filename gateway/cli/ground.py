"""What every verb stands on: its settings, its database (a running server's embedded one too), its way to print.

A verb is an async function that gets ``Ground``; the decorators here give it ``--config`` and, where it lists something,
``--json``.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from gateway import settings as settings_room
from gateway.cli import Environment
from gateway.services.ground import Ground, Silent
from gateway.settings import Settings
from gateway.storage import migrate
from gateway.storage.fence import Acks, acknowledgements
from gateway.storage.pool import Store

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


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
    with database(shell.settings) as (url, listen_url):
        migrate.check(url)

        async def doing() -> T:
            async with _ground(shell.settings, url, listen_url, taking=taking) as ground:
                return await work(ground)

        return asyncio.run(doing())


@contextmanager
def database(settings: Settings) -> Iterator[tuple[str, str]]:
    """The URLs of the database and of the ear; of the embedded PostgreSQL where none is configured."""
    if settings.database.url:
        yield settings.database.url, settings.database.listen_url or settings.database.url
        return
    from gateway.storage.embedded import borrow

    with borrow(settings.server.data_dir) as url:
        yield url, url


def actor() -> str:
    """Who the audit says it was."""
    return f"cli:{getpass.getuser()}"


def say_silent(silent: Silent) -> None:
    """Name the replicas that did not acknowledge; nothing where all did."""
    for name in silent:
        click.echo(f"gateway: {name} did not acknowledge within a second; it may allow until it hears again", err=True)


def table(rows: Iterable[Any], columns: Sequence[str], *, as_json: bool) -> None:
    """NamedTuples as JSON, or as columns for people."""
    listed = [{column: getattr(row, column) for column in columns} for row in rows]
    if as_json:
        click.echo(json.dumps(listed, indent=2))
        return
    lines = [[column.replace("_", " ") for column in columns]]
    lines += [[_cell(row[column]) for column in columns] for row in listed]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


@asynccontextmanager
async def _ground(settings: Settings, url: str, listen_url: str, *, taking: bool) -> AsyncIterator[Ground]:
    async with AsyncExitStack() as stack:
        store = Store(url, 1)
        await store.open()
        stack.push_async_callback(store.close)
        acks = await stack.enter_async_context(acknowledgements(listen_url)) if taking else Acks()

        @cache
        def ring() -> Any:
            from gateway.storage.ringfile import open_ring

            with migrate.connect(url) as connection:
                return open_ring(settings.server.keys_file, connection)

        yield Ground(store, acks, ring, time.time)


def _shell(ctx: click.Context, parameter: click.Parameter, given: str | None) -> Shell:
    environment = ctx.find_object(Environment) or Environment({})
    directory = environment.config(given)
    settings, warnings = settings_room.load(directory, environment.variables, need_portal=False)
    for warning in warnings:
        click.echo(f"gateway: {warning}", err=True)
    return Shell(settings, directory)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(str(item) for item in value) if isinstance(value, list | tuple) else str(value)
