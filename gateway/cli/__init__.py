"""The command line: verbs over the same services that the pages use.

Each verb's file is read only when it is typed, so that a revocation does not wait for a web framework to be imported.
Exit 0 done, 1 refused or not found, 2 usage, configuration, port taken or database absent. One line for a user's
mistake, never a traceback.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from gateway import values
from gateway.errors import CannotStart, ConfigurationInvalid, GatewayError, StoreSilent

VERBS: Mapping[str, tuple[str, str]] = {
    "up": ("gateway.cli.up:up", "Everything at once, to try it: PostgreSQL, gateway, demo app, Traefik."),
    "serve": ("gateway.cli.serve:serve", "Answer checks and show the portal."),
    "migrate": ("gateway.cli.schema:migrate", "Bring the database's schema up to date."),
    "check-config": ("gateway.cli.config:check_config", "Read the configuration and say what is wrong with it."),
    "apply": ("gateway.cli.config:apply", "Make the policy what files say."),
    "user": ("gateway.cli.users:user", "People: add, list, show, disable, enable, delete, password, groups."),
    "session": ("gateway.cli.sessions:session", "Sessions: list, revoke, create."),
    "key": ("gateway.cli.keys:key", "API keys: create, list, revoke."),
    "app": ("gateway.cli.apps:app", "Apps as the database has them: list, show."),
    "policy": ("gateway.cli.apps:policy", "Why a request would be answered as it would: explain."),
    "audit": ("gateway.cli.audit:audit", "What was done, and by whom: list."),
    "doctor": ("gateway.cli.doctor:doctor", "Is the proxy right? Asks the running one for a protected page."),
    "secret": ("gateway.cli.secrets:secret", "The signing keys: rotate, export."),
}


class Verbs(click.Group):
    """A group that knows what was probably meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with a suggestion."""
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-"):
            ctx.fail(f'there is no command "{args[0]}" ({values.hint(args[0], known)})')
        return super().resolve_command(ctx, args)


class Lazy(Verbs):
    """The verbs of the table, each imported when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb, or None."""
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name][0].partition(":")
        found: click.Command = getattr(importlib.import_module(module), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="forwardauth-gateway", prog_name="gateway")
def gateway() -> None:
    """A forwardAuth gateway: checks from memory, revocations that hold everywhere when they return."""


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """One command, with the environment it may read; its exit code."""
    try:
        result: Any = gateway.main(list(arguments), "gateway", standalone_mode=False, obj=Environment(environ))
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        return _say("interrupted", 130)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.UsageError as error:
        return _say(_usage(error), 2)
    except click.ClickException as error:
        return _say(error.format_message(), 2)
    except ConfigurationInvalid as error:
        return _say("the configuration cannot be used:\n" + "\n".join(f"  {problem}" for problem in error.problems), 2)
    except (CannotStart, StoreSilent) as error:
        return _say(str(error), 2)
    except GatewayError as error:
        return _say(str(error), 1)
    except OSError as error:
        return _say(f"{error.filename or 'the system'}: {error.strerror or error}", 2)


class Environment:
    """What the process was started with."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables

    def config(self, given: str | None) -> Path:
        """The configuration directory: ``--config``, else GATEWAY_CONFIG, else ``config``."""
        return Path(given or self.variables.get("GATEWAY_CONFIG") or "config")


def _usage(error: click.UsageError) -> str:
    """In one line, with where to read more."""
    said = " ".join(error.format_message().split()).rstrip(".")
    return f"{said}; see {error.ctx.command_path} --help" if error.ctx else said


def _say(text: str, code: int) -> int:
    click.echo(f"gateway: {text}", err=True)
    return code
