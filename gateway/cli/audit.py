"""``gateway audit``."""

from __future__ import annotations

import click

from gateway.cli import Verbs
from gateway.cli.ground import Shell, run, table, with_config, with_json
from gateway.services import audit as room
from gateway.storage.audit import Record


@click.group(cls=Verbs)
def audit() -> None:
    """What was done, by whom, to what."""


@audit.command("list")
@click.option("--most", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many lines.")
@with_json
@with_config
def list_(shell: Shell, most: int, as_json: bool) -> None:
    """The newest lines first."""
    table(run(shell, lambda ground: room.listing(ground, most)), Record._fields, as_json=as_json)
