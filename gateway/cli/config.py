"""``gateway check-config`` and ``gateway apply``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from gateway import schemas
from gateway import settings as settings_room
from gateway.cli import Environment
from gateway.cli.ground import Shell, actor, config_directory, run, say_silent, tell, with_config
from gateway.errors import ConfigurationInvalid, Problem
from gateway.model import App
from gateway.relay import relay
from gateway.services import apply as room
from gateway.services.ground import Ground
from gateway.services.reload import FILE
from gateway.settings import Settings

COLOURS = {"+": "green", "-": "red", "~": "yellow"}


def _print_schema(ctx: click.Context, parameter: click.Parameter, name: str | None) -> None:
    if name is not None:
        click.echo(schemas.text(name), nl=False)
        ctx.exit()


@click.command("check-config")
@click.option(
    "--schema",
    type=click.Choice(schemas.NAMES),
    is_eager=True,
    expose_value=False,
    callback=_print_schema,
    help="Print the JSON Schema of a file instead.",
)
@click.option("--config", "config", metavar="DIR", help="Directory of gateway.yaml and apps.yaml.")
@click.pass_obj
def check_config(environment: Environment, config: str | None) -> None:
    """Read gateway.yaml and apps.yaml as a start would, and say all that is wrong with them, or what they say."""
    directory = config_directory(environment, config)
    problems: list[Problem] = []
    settings = _settings(directory, environment, problems)
    apps = _apps(directory / FILE, settings.portal_host, problems)
    if problems:
        raise ConfigurationInvalid(problems)
    if settings.upstream.ca_file is not None:
        relay.trusting(settings.upstream.ca_file)
    for line in [*_described(directory / settings_room.FILE, settings), *_counted(directory / FILE, apps)]:
        click.echo(line)


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@with_config
def apply(shell: Shell, files: tuple[Path, ...], dry_run: bool) -> None:
    """Make the policy what FILEs say (several are one policy), and show what changes.

    Returns when every hearing replica judges by it.
    """
    proposal = room.read(files, shell.settings.portal_host)
    if dry_run:
        _show(run(shell, lambda ground: room.preview(ground, proposal.apps)))
        tell("nothing was changed (--dry-run)")
        return

    async def work(ground: Ground) -> room.Applied:
        return await room.apply(ground, actor(), *proposal)

    said = run(shell, work, taking=True)
    _show(said.difference)
    tell("applied" if said.difference else "the database says so already")
    say_silent(said.silent)


def _show(difference: Sequence[str]) -> None:
    """Coloured on a terminal; click takes the colours out elsewhere."""
    for line in difference:
        click.secho(line, fg=COLOURS[line[0]])
    if not difference:
        click.echo("nothing differs")


def _settings(directory: Path, environment: Environment, problems: list[Problem]) -> Settings:
    """What could not be read is a problem and a default, so that the other file is looked at too."""
    try:
        settings, warnings = settings_room.load(directory, environment.variables)
    except ConfigurationInvalid as error:
        problems += error.problems
        return Settings()
    for warning in warnings:
        tell(warning)
    return settings


def _apps(file: Path, portal_host: str, problems: list[Problem]) -> list[App] | None:
    """None where there is no file: then the database alone says which apps there are."""
    if not file.exists():
        return None
    try:
        return room.read([file], portal_host).apps
    except ConfigurationInvalid as error:
        problems += error.problems
        return []


def _described(file: Path, settings: Settings) -> Iterator[str]:
    server, trust = settings.server, settings.trust
    yield f"{file}: {'read' if file.exists() else 'not there: variables and defaults say everything'}"
    yield f"  people sign in at {server.portal_url}, once for {_listed(settings.session.cookie_domain)}"
    yield f"  it listens on {server.listen}, with metrics and health on {server.internal_listen}"
    yield f"  the database is {'the one at database.url' if settings.database.url else f'embedded, in {server.data_dir}'}"
    believed = [*map(str, trust.proxies), *(["the Unix socket"] if trust.unix else [])]
    believed += ["whoever knows trust.secret"] if trust.secret else []
    yield f"  it believes {_listed(believed) or 'no proxy: set trust.proxies, or every question is refused'}"


def _counted(file: Path, apps: list[App] | None) -> Iterator[str]:
    if apps is None:
        yield f"{file}: not there: the database alone says which apps there are"
        return
    yield f"{file}: {len(apps)} {'app' if len(apps) == 1 else 'apps'}"
    for app in apps:
        yield f"  {app.name}: {_listed(app.hosts)}; {_rules(app)}"


def _rules(app: App) -> str:
    match len(app.rules):
        case 0:
            return "no rules, so nobody gets in"
        case 1:
            return "1 rule"
        case several:
            return f"{several} rules"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
