"""The table of verbs: every one is there, and whatever a user gets wrong is one line and the right exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from commands import Command
from gateway.cli import VERBS, Lazy, gateway
from processes import GATEWAY, environment, free_port


def leaves() -> Iterator[tuple[str, ...]]:
    """Every verb that does something: ``user add``, ``migrate``."""
    context = click.Context(gateway)
    for name in VERBS:
        found = gateway.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from ((name, verb) for verb in found.commands)
        else:
            yield (name,)


LEAVES = list(leaves())
LISTING = [leaf for leaf in LEAVES if leaf[-1] in ("list", "show", "explain")]


@pytest.mark.parametrize("leaf", LEAVES, ids=" ".join)
def test_every_verb_tells_what_it_does_and_takes_a_configuration(command: Command, leaf: tuple[str, ...]) -> None:
    out = command.done(*leaf, "--help").out
    assert "--config DIR" in out
    assert len(out.splitlines()) > 6


@pytest.mark.parametrize("leaf", LISTING, ids=" ".join)
def test_whatever_lists_can_speak_json(command: Command, leaf: tuple[str, ...]) -> None:
    assert "--json" in command.done(*leaf, "--help").out


def test_listings_of_nothing_are_empty_lists(command: Command) -> None:
    for noun in ("user", "session", "key", "app", "audit"):
        assert command.done(noun, "list", "--json").json == []
        assert command.done(noun, "list").out.count("\n") == 1


def test_the_help_names_every_verb_without_importing_any() -> None:
    asked = "import sys; from gateway.cli import run; run(['--help'], {}); print(sorted(sys.modules))"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    for name in VERBS:
        assert f"\n  {name} " in said.stdout
    assert "'psycopg'" not in said.stdout
    assert "'starlette'" not in said.stdout


def test_a_revocation_waits_for_no_web_framework() -> None:
    asked = "import sys, gateway.cli.sessions, gateway.cli.users, gateway.cli.keys; print(sorted(sys.modules))"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    assert "'starlette'" not in said.stdout
    assert "'uvicorn'" not in said.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("usr",), 'there is no command "usr" (did you mean "user"?); see gateway --help'),
        (("user", "lst"), 'there is no command "lst" (did you mean "list"?); see gateway user --help'),
        (("secret", "xyz"), 'there is no command "xyz" (there are: export, rotate); see gateway secret --help'),
        (("user", "show"), "Missing argument 'NAME'; see gateway user show --help"),
        (("user", "list", "--jsn"), "No such option '--jsn'. Did you mean '--json'?"),
        (("user", "list", "more"), "unexpected extra argument (more)"),
        (("--nonsense",), "No such option '--nonsense'"),
        (("user", "list", "--config"), "Option '--config' requires an argument"),
        (("user", "list", "--config", "/nowhere/at/all"), "there is no directory /nowhere/at/all"),
        (("check-config", "--config", "/nowhere/at/all"), "there is no directory /nowhere/at/all"),
        (("check-config", "--config", __file__), "is not a directory; name the one that holds gateway.yaml"),
        (("check-config", "--schema", "app"), "'app' is not one of 'apps', 'gateway'"),
    ],
)
def test_what_is_typed_wrongly_is_one_line(command: Command, arguments: tuple[str, ...], line: str) -> None:
    assert line in command.refused(2, *arguments)


def test_without_a_verb_the_help_is_shown(command: Command) -> None:
    for arguments in ((), ("user",)):
        said = command(*arguments)
        assert (said.code, said.out) == (2, "")
        assert said.err.startswith("Usage: gateway")


def test_a_named_directory_has_to_be_there_and_the_usual_one_has_not(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command.environ["GATEWAY_CONFIG"] = "absent"
    assert "there is no directory absent" in command.refused(2, "user", "list")
    del command.environ["GATEWAY_CONFIG"]
    monkeypatch.chdir(tmp_path / "config")
    command.done("user", "list")


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"GATEWAY_DATABASE_URL": "postgresql://u:hush@127.0.0.1:{port}/x"}, "the database does not answer"),
        ({"GATEWAY_DATABASE_URL": "postgresql://u:hush@127.0.0.1:port/x"}, "the database does not answer"),
        ({"GATEWAY_DATABASE_URL": "postgresql://u:%zzhush@127.0.0.1/x"}, "the database URL cannot be read"),
        ({"GATEWAY_DATABASE_URL": "postgresql:///x?nonsense=hush"}, "the database URL cannot be read"),
    ],
)
@pytest.mark.parametrize("verb", [("user", "list"), ("user", "disable", "alice"), ("migrate",)])
def test_an_absent_database_is_one_line_without_its_password(
    command: Command, variables: dict[str, str], why: str, verb: tuple[str, ...]
) -> None:
    given = {name: value.replace("{port}", str(free_port())) for name, value in variables.items()}
    line = command.refused(2, *verb, environ=given)
    assert why in line
    assert "hush" not in line


def test_an_ear_that_cannot_be_had_is_one_line(command: Command) -> None:
    command.user("alice")
    url = {"GATEWAY_DATABASE_LISTEN_URL": f"postgresql://u:hush@127.0.0.1:{free_port()}/x"}
    assert "database.listen_url" in command.refused(2, "user", "disable", "alice", environ=url)
    assert not command.done("user", "show", "alice", "--json").json["disabled"]
    command.done("user", "list")


def test_an_invalid_configuration_stops_every_verb(command: Command) -> None:
    file = command.file("gateway.yaml", "database: {pool_size: none}\n")
    said = command("user", "list")
    assert (said.code, said.out) == (2, "")
    assert f'{file}:1: database.pool_size: must be a whole number, not "none"' in said.err
    assert "Traceback" not in said.err


def test_a_reader_that_goes_away_is_no_fault(database: str, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        said = subprocess.run(
            [GATEWAY, "user", "list"],
            env=environment(database, tmp_path),
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert b"Traceback" not in said.stderr


@pytest.mark.parametrize("closed", [True, False])
def test_without_a_stdin_there_is_no_password(database: str, tmp_path: Path, closed: bool) -> None:
    arguments = ["sh", "-c", f"exec {GATEWAY} user add alice {'<&-' if closed else '</dev/null'}"]
    said = subprocess.run(
        arguments, env=environment(database, tmp_path), capture_output=True, text=True, check=False, timeout=60
    )
    assert said.returncode == 1
    assert said.stderr.startswith("gateway: no password")


def test_the_table_is_the_group() -> None:
    assert isinstance(gateway, Lazy)
    assert gateway.list_commands(click.Context(gateway)) == list(VERBS)
