"""A data directory on disk: how it is made, whole or not at all, and what is read from it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.errors import CannotStart
from gateway.storage import binaries, cluster, uids
from gateway.storage.cluster import Cluster

PID = "4711\n/data\n1700000000\n5432\n/run\n\n  123\n{}\n"


@pytest.fixture
def made(place: Path) -> Cluster:
    """A cluster that is not on disk yet, as ``embedded`` makes it."""
    place = place / "data"
    place.mkdir(mode=0o700)
    account = uids.choose(place, True, lambda sentence: None)
    uids.admit(place, account)
    found = binaries.runnable(binaries.find(binaries.candidates(), None), account, place, lambda sentence: None)
    return Cluster(place / "postgres", place / "postgres.password", found, account, throwaway=True)


@pytest.mark.parametrize(("text", "found"), [("18\n", 18), ("9.6\n", 9), (None, None)])
def test_the_version_that_made_the_data_stands_in_a_file(tmp_path: Path, text: str | None, found: int | None) -> None:
    if text is not None:
        (tmp_path / "PG_VERSION").write_text(text)
    assert cluster.major(tmp_path) == found


STATES = [
    (None, (0, "")),
    ("", (0, "")),
    ("4711\n", (4711, "")),
    (PID.format("starting"), (4711, "starting")),
    (PID.format("ready   "), (4711, "ready")),
]


@pytest.mark.parametrize(("text", "found"), STATES)
def test_the_server_says_of_itself_whether_it_is_ready(
    tmp_path: Path, text: str | None, found: tuple[int, str]
) -> None:
    if text is not None:
        (tmp_path / "postmaster.pid").write_text(text)
    assert cluster.state(tmp_path) == found


def test_it_is_made_beside_and_renamed_when_complete(made: Cluster) -> None:
    """A start that was killed left half of one; the next one is whole."""
    half = made.directory.with_name("postgres.new")
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    told: list[str] = []
    password = made.prepare(told.append)
    assert "making a PostgreSQL" in told[0]
    assert not half.exists()
    assert cluster.major(made.directory) == made.binaries.major
    assert made.prepare(told.append) == password == made.password_file.read_text()
    assert len(told) == 1


def test_initdb_that_fails_leaves_nothing_that_looks_like_data(made: Cluster) -> None:
    with pytest.raises(CannotStart, match="initdb failed"):
        made.__class__(
            made.directory, made.password_file.with_name("absent"), made.binaries, made.account, True
        )._make()
    assert not made.directory.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody without a name")
def test_a_uid_without_a_name_is_refused_in_words(made: Cluster) -> None:
    nameless = uids.Account(54321, 54321, dropped=True)
    with pytest.raises(CannotStart, match="initdb wants a user name for uid 54321"):
        Cluster(made.directory, made.password_file, made.binaries, nameless, True).prepare(lambda sentence: None)


def test_an_edited_file_cannot_open_the_server(made: Cluster) -> None:
    said = [str(word) for word in made.command(Path('/run/a,"b'))]
    for setting in ("listen_addresses=", "unix_socket_permissions=0700", "log_min_error_statement=panic"):
        assert setting in said
    assert 'unix_socket_directories="/run/a,""b"' in said
    lasting = Cluster(made.directory, made.password_file, made.binaries, made.account, throwaway=False)
    assert "synchronous_commit=on" in [str(word) for word in lasting.command(Path("/run"))]
    assert "fsync=off" not in [str(word) for word in lasting.command(Path("/run"))]
