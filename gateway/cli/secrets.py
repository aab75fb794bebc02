"""``gateway secret``: the ring of signing keys."""

from __future__ import annotations

import click

from gateway.cli import Verbs
from gateway.cli.ground import Shell, actor, run, say_silent, tell, with_config
from gateway.services import keyring
from gateway.services.ground import Ground


@click.group(cls=Verbs)
def secret() -> None:
    """The signing keys."""


@secret.command()
@click.option("--withdraw", is_flag=True, help="Refuse everything that older keys signed: everybody signs in again.")
@with_config
def rotate(shell: Shell, withdraw: bool) -> None:
    """Sign with a new key from now on; returns when every hearing replica does.

    Sessions and API keys that older keys signed stay valid unless --withdraw is given.
    """
    use_case = keyring.replace if withdraw else keyring.rotate

    async def work(ground: Ground) -> keyring.Rotated:
        return await use_case(ground, actor(), shell.settings.server.keys_file)

    done = run(shell, work, taking=True)
    tell(f"the signing key is now {done.key}")
    if withdraw:
        tell("every session and API key made before is refused from now on: sign in again, make new keys")
    tell(f"a replica with its own copy of {shell.settings.server.keys_file} needs the new one (gateway secret export)")
    say_silent(done.silent)


@secret.command()
@with_config
def export(shell: Shell) -> None:
    """Print the keys, for the keys_file of another replica. Whoever has them can sign in as anybody."""

    async def work(ground: Ground) -> str:
        return await keyring.export(ground, actor(), shell.settings.server.keys_file)

    click.echo(run(shell, work))
