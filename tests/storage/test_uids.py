"""Under whose uid the embedded PostgreSQL runs, and how a child gets there."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from pathlib import Path

import pytest

from gateway.errors import CannotStart
from gateway.storage import uids
from gateway.storage.uids import Account

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
OURSELVES = Account(os.geteuid(), os.getegid(), dropped=False)
NOBODY = pwd.getpwnam("nobody")


def silent(sentence: str) -> None:
    """Nothing to tell."""


def test_an_ordinary_user_runs_it_as_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ordinary = os.geteuid() or 54321  # root plays one whose directory this is
    os.chown(tmp_path, ordinary, -1)
    monkeypatch.setattr(os, "geteuid", lambda: ordinary)
    assert uids.choose(tmp_path, False, silent) == Account(ordinary, os.getegid(), dropped=False)


def test_somebody_elses_data_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(CannotStart, match=f"belongs to uid {tmp_path.stat().st_uid}, not to you"):
        uids.choose(tmp_path, False, silent)


@as_root
def test_root_runs_it_as_whoever_owns_the_data_already(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    os.chown(tmp_path / "postgres", 54321, 54322)
    assert uids.choose(tmp_path, False, silent) == Account(54321, 54322, dropped=True)


@as_root
def test_root_runs_nothing_that_lasts_as_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs run as nobody, and could read the data of this one."""
    os.chown(tmp_path, NOBODY.pw_uid, NOBODY.pw_gid)
    chosen = Account(1, 1, dropped=True)
    monkeypatch.setattr(uids, "_add", lambda tell: chosen)
    known = dict.fromkeys((uids.OWN, "postgres"))
    named = uids._named
    monkeypatch.setattr(uids, "_named", lambda name: None if name in known else named(name))
    assert uids.choose(tmp_path, False, silent) == chosen
    assert uids.choose(tmp_path, True, silent) == Account(NOBODY.pw_uid, NOBODY.pw_gid, dropped=True)


MODES = [(0o711, 0, None), (0o700, 0, "closed"), (0o710, 1, None), (0o710, 0, "closed"), (0o701, 1, "closed")]


@as_root
@pytest.mark.parametrize(
    ("mode", "group", "barrier"), MODES, ids=lambda value: oct(value) if isinstance(value, int) else value
)
def test_the_first_directory_that_keeps_the_account_out_is_found(
    place: Path, mode: int, group: int, barrier: str | None
) -> None:
    """``group``: whether the directory is of the account's group, for which other bits do not count."""
    account = Account(54321, 54322, dropped=True)
    inner = place / "closed" / "inner"
    inner.mkdir(parents=True)
    inner.chmod(0o711)
    os.chown(place / "closed", 0, account.gid if group else 0)
    (place / "closed").chmod(mode)
    found = uids.barrier(inner, account)
    assert (found and found.name) == barrier


@as_root
def test_only_our_own_directory_is_opened_and_only_as_far_as_needed(place: Path) -> None:
    account = Account(54321, 54322, dropped=True)
    data = place / "data"
    data.mkdir(mode=0o700)
    uids.admit(data, account)
    found = data.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o710, 0, account.gid)
    assert stat.S_IMODE(place.stat().st_mode) == 0o711


def test_a_private_file_is_private_even_if_it_was_there_before(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o666)
    os.close(uids.open_private(path, OURSELVES, os.O_WRONLY))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"):
        os.close(uids.open_private(tmp_path / "link", OURSELVES, os.O_WRONLY))
    assert not (tmp_path / "victim").exists()


def run(account: Account, *arguments: str) -> str:
    with uids.spawn(account, arguments, stdout=subprocess.PIPE) as child:
        said, _ = child.communicate()
    return said.decode()


def test_a_child_inherits_three_variables_and_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_SECRET", "canary")
    said = run(OURSELVES, "/usr/bin/env")
    assert {line.partition("=")[0] for line in said.splitlines()} == {*uids.ENVIRONMENT}
    assert run(OURSELVES, "/bin/sh", "-c", "pwd; ps -o sid= -p $$").split() != ["/", str(os.getsid(0))]


@as_root
def test_a_child_of_another_account_keeps_nothing_of_root() -> None:
    said = run(Account(NOBODY.pw_uid, NOBODY.pw_gid, dropped=True), "/usr/bin/id")
    assert f"uid={NOBODY.pw_uid}" in said
    assert "root" not in said
