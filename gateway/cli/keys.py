"""``gateway key``."""

from __future__ import annotations

import click

from gateway.cli import Verbs
from gateway.cli.ground import Shell, actor, run, say_silent, table, tell, with_config, with_json
from gateway.services import api_keys
from gateway.services.ground import Ground
from gateway.values import duration

COLUMNS = ("id", "user", "label", "apps", "created", "expires", "last_seen")


@click.group(cls=Verbs)
def key() -> None:
    """API keys."""


@key.command()
@click.argument("name")
@click.option("--label", default="", help="What it is for.")
@click.option("--apps", default="", metavar="A,B", help="The apps it opens; without it, all that its owner may open.")
@click.option("--ttl", default="", metavar="TIME", help="How long it lives: 30d, for example; without it, for ever.")
@with_config
def create(shell: Shell, name: str, label: str, apps: str, ttl: str) -> None:
    """Make a key. Shown once, as the last line."""
    try:
        seconds = duration(ttl) if ttl else None
    except ValueError as error:
        raise click.UsageError(f"--ttl: {error}") from None
    wanted = [app for app in apps.split(",") if app] or None

    async def work(ground: Ground) -> tuple[int, str]:
        return await api_keys.create(ground, actor(), name, label, wanted, seconds)

    number, made = run(shell, work)
    tell(f"key {number} of {name}; send it as X-Api-Key")
    click.echo(made)


@key.command("list")
@click.option("--user", "name", help="Only this person's.")
@with_json
@with_config
def list_(shell: Shell, name: str | None, as_json: bool) -> None:
    """Living keys, newest first."""
    table(run(shell, lambda ground: api_keys.listing(ground, name)), COLUMNS, as_json=as_json)


@key.command()
@click.argument("number", metavar="ID", type=int)
@with_config
def revoke(shell: Shell, number: int) -> None:
    """End a key; returns when every hearing replica refuses."""
    say_silent(run(shell, lambda ground: api_keys.revoke(ground, actor(), number), taking=True))
