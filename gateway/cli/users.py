"""``gateway user``."""

from __future__ import annotations

import secrets
import sys

import click

from gateway.cli import Verbs
from gateway.cli.ground import Shell, actor, print_json, run, say_silent, table, tell, with_config, with_json
from gateway.errors import Refused
from gateway.services import users
from gateway.services.ground import Ground, Silent

COLUMNS = ("name", "display", "email", "groups", "disabled", "created")


@click.group(cls=Verbs)
def user() -> None:
    """People."""


@user.command()
@click.argument("name")
@click.option("--groups", default="", metavar="A,B", help="Groups, made where they do not exist.")
@click.option("--display", default="", help="The name that apps show.")
@click.option("--email", default="")
@with_config
def add(shell: Shell, name: str, groups: str, display: str, email: str) -> None:
    """Add a person. The password is the first line of stdin; on a terminal it is asked for, and made if empty."""
    password, made = _password()
    wanted = [group for group in groups.split(",") if group]

    async def work(ground: Ground) -> int:
        return await users.add(ground, actor(), name, password, wanted, display, email)

    run(shell, work)
    tell(f"added {name}")
    if made:
        click.echo(password)


@user.command("list")
@with_json
@with_config
def list_(shell: Shell, as_json: bool) -> None:
    """Everybody."""
    table(run(shell, users.listing), COLUMNS, as_json=as_json)


@user.command()
@click.argument("name")
@with_json
@with_config
def show(shell: Shell, name: str, as_json: bool) -> None:
    """One person."""
    shown = run(shell, lambda ground: users.show(ground, name))
    if as_json:
        print_json({column: getattr(shown, column) for column in COLUMNS})
    else:
        table([shown], COLUMNS, as_json=False)


@user.command()
@click.argument("name")
@with_config
def disable(shell: Shell, name: str) -> None:
    """Close an account; returns when every hearing replica refuses."""
    say_silent(run(shell, lambda ground: users.disable(ground, actor(), name), taking=True))


@user.command()
@click.argument("name")
@with_config
def enable(shell: Shell, name: str) -> None:
    """Open an account again."""
    run(shell, lambda ground: users.enable(ground, actor(), name))


@user.command()
@click.argument("name")
@with_config
def delete(shell: Shell, name: str) -> None:
    """Remove a person with sessions, keys and factors; returns when every hearing replica refuses."""
    say_silent(run(shell, lambda ground: users.delete(ground, actor(), name), taking=True))


@user.command()
@click.argument("name")
@with_config
def password(shell: Shell, name: str) -> None:
    """Set a password (first line of stdin, or asked for); ends every session of that person."""
    given, made = _password()

    async def work(ground: Ground) -> Silent:
        return await users.set_password(ground, actor(), name, given)

    say_silent(run(shell, work, taking=True))
    if made:
        click.echo(given)


@user.command()
@click.argument("name")
@click.argument("groups", nargs=-1)
@with_config
def groups(shell: Shell, name: str, groups: tuple[str, ...]) -> None:
    """Replace the groups of a person; none given means none kept."""
    say_silent(run(shell, lambda ground: users.set_groups(ground, actor(), name, groups), taking=True))


def _first_line() -> str:
    try:
        return sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError:
        raise Refused("the password is not UTF-8 text") from None


def _password() -> tuple[str, bool]:
    """The password, and whether it was made here and must be shown. Never from an argument: others can read those."""
    if sys.stdin is None:
        raise Refused("no password: stdin is closed")
    if sys.stdin.isatty():
        given = click.prompt("Password (empty: one is made)", default="", hide_input=True, show_default=False, err=True)
        if given:
            again = click.prompt("Again", hide_input=True, default="", show_default=False, err=True)
            if again != given:
                raise Refused("the two passwords differ")
    else:
        given = _first_line()
        if not given:
            raise Refused("no password on stdin: give it as the first line")
    return (given, False) if given else (secrets.token_urlsafe(15), True)
