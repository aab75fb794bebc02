"""``gateway session``."""

from __future__ import annotations

import click

from gateway.cli import Verbs
from gateway.cli.ground import Shell, actor, audience, run, say_silent, table, tell, with_config, with_json
from gateway.services import sessions
from gateway.services.ground import Ground
from gateway.values import duration

COLUMNS = ("id", "user", "kind", "label", "level", "created", "expires", "last_seen")


@click.group(cls=Verbs)
def session() -> None:
    """Sessions."""


@session.command("list")
@click.option("--user", "name", help="Only this person's.")
@with_json
@with_config
def list_(shell: Shell, name: str | None, as_json: bool) -> None:
    """Living sessions, newest first."""
    table(run(shell, lambda ground: sessions.listing(ground, name)), COLUMNS, as_json=as_json)


@session.command()
@click.argument("number", metavar="ID", type=int, required=False)
@click.option("--user", "name", help="Every session of this person.")
@with_config
def revoke(shell: Shell, number: int | None, name: str | None) -> None:
    """End a session, or all of a person; returns when every hearing replica refuses."""
    if (number is None) == (name is None):
        raise click.UsageError("give the id of a session, or --user NAME")
    if name is not None:
        ended, silent = run(shell, lambda ground: sessions.revoke_user(ground, actor(), str(name)), taking=True)
        tell(f"ended {ended} session{'' if ended == 1 else 's'}")
        say_silent(silent)
    elif number is not None:
        say_silent(run(shell, lambda ground: sessions.revoke(ground, actor(), int(number)), taking=True))


@session.command()
@click.argument("name")
@click.option("--ttl", default="1h", metavar="TIME", help="How long it lives: 10m, 1h (the default), 1d at most.")
@with_config
def create(shell: Shell, name: str, ttl: str) -> None:
    """An app cookie without a sign-in, for load tests and probes. Shown once, as the last line."""
    try:
        seconds = duration(ttl)
    except ValueError as error:
        raise click.UsageError(f"--ttl: {error}") from None

    async def work(ground: Ground) -> tuple[int, str]:
        return await sessions.create(ground, actor(), name, seconds, audience(shell.settings))

    number, token = run(shell, work)
    cookie = "__Secure-gateway_session" if shell.settings.secure_cookies else "gateway_session"
    tell(f"session {number} of {name}; send it as the cookie {cookie}")
    click.echo(token)
