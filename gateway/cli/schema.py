"""``gateway migrate``."""

from __future__ import annotations

import click

from gateway.cli.ground import Shell, database, with_config
from gateway.storage import migrate as room


@click.command()
@with_config
def migrate(shell: Shell) -> None:
    """Bring the database's schema up to date; the embedded PostgreSQL's too."""
    with database(shell.settings) as place:
        applied = room.migrate(place.url)
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("nothing to do: the schema is up to date")
