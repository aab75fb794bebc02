"""``gateway migrate``, and what other commands do about a schema that is behind; the embedded PostgreSQL's too."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from commands import Command
from databases import Cluster
from gateway.storage.embedded import Embedded
from gateway.storage.migrate import migrations
from processes import GATEWAY, environment

NAMES = [migration.name for migration in migrations()]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Not below pytest's own temporary directory: root's is closed to the account that PostgreSQL runs under."""
    directory = Path(tempfile.mkdtemp(prefix="gw-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def typed(directory: Path, *arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, without a database URL."""
    return subprocess.run(
        [GATEWAY, *arguments],
        env=environment(None, directory, **more),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_what_is_applied_is_named_once(command: Command, cluster: Cluster) -> None:
    with cluster.database("template1") as url:
        command.environ["GATEWAY_DATABASE_URL"] = url
        assert f"the database lacks {NAMES[0]}; run: gateway migrate" in command.refused(2, "user", "list")
        assert command.done("migrate").out.splitlines() == [f"applied {name}" for name in NAMES]
        assert command.done("migrate").out == "nothing to do: the schema is up to date\n"
        command.done("user", "list")


def test_a_newer_schema_is_refused_by_every_verb(command: Command, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO gateway.schema_migrations (version, name, checksum) VALUES (9999, '9999_future', 'x')"
        )
    for verb in (("migrate",), ("user", "list"), ("app", "list")):
        assert "newer than this program (9999_future)" in command.refused(2, *verb)


def test_a_newcomer_may_add_a_user_first_unless_migrating_is_not_wanted(data_dir: Path) -> None:
    refused = typed(data_dir, "user", "list", GATEWAY_DATABASE_MIGRATE="false")
    assert refused.returncode == 2
    assert "making a PostgreSQL" in refused.stderr
    assert refused.stderr.endswith(f"gateway: the database lacks {NAMES[0]}; run: gateway migrate\n")
    added = typed(data_dir, "user", "add", "alice", stdin="correct horse battery\n")
    assert (added.returncode, added.stdout, added.stderr) == (0, "", "gateway: added alice\n")
    listed = typed(data_dir, "user", "list")
    assert "alice" in listed.stdout
    assert listed.stderr == ""


def test_the_embedded_server_of_somebody_else_is_migrated_on_request_only(data_dir: Path) -> None:
    with Embedded(data_dir, throwaway=True):
        behind = typed(data_dir, "user", "list")
        assert (behind.returncode, behind.stdout) == (2, "")
        assert behind.stderr == f"gateway: the database lacks {NAMES[0]}; run: gateway migrate\n"
        assert typed(data_dir, "migrate").stdout.splitlines() == [f"applied {name}" for name in NAMES]
        assert typed(data_dir, "migrate").stdout == "nothing to do: the schema is up to date\n"
