"""Who owns the embedded PostgreSQL: a lock that falls with its holder, and a note that is believed only meanwhile."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.storage import owner
from gateway.storage.owner import Lock, Owned
from gateway.storage.uids import Account

ACCOUNT = Account(os.geteuid(), os.getegid(), dropped=False)
HOLDER = """
import os, sys, time
from pathlib import Path
from gateway.storage.owner import Lock
from gateway.storage.uids import Account
lock = Lock(Path(sys.argv[1]))
lock.take(Account(os.geteuid(), os.getegid(), dropped=False), 0)
lock.note("/socket", shared=True)
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "owner.lock"


def test_nobody_holds_what_is_not_there_or_was_let_go(path: Path) -> None:
    assert owner.holder(path) is None
    lock = Lock(path)
    lock.take(ACCOUNT, 0)
    lock.release()
    lock.release()
    assert owner.holder(path) is None
    assert path.exists()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_holder_says_who_it_is_and_where_its_server_listens(path: Path) -> None:
    lock = Lock(path)
    lock.take(ACCOUNT, 0)
    assert owner.holder(path) == owner.UNKNOWN
    lock.note("/run/socket", shared=True)
    found = owner.holder(path)
    assert found is not None
    assert (found.pid, found.socket, found.shared) == (os.getpid(), "/run/socket", True)
    assert found.command
    lock.note("", shared=False)
    found = owner.holder(path)
    assert found is not None
    assert found.socket == ""
    lock.release()


def test_a_second_one_is_refused_in_words(path: Path) -> None:
    first, second = Lock(path), Lock(path)
    first.take(ACCOUNT, 0)
    with pytest.raises(Owned, match=r"in use by another process \(it has not said yet what it is\)"):
        second.take(ACCOUNT, 0)
    first.note("", shared=False)
    with pytest.raises(Owned, match=rf"the database in {path.parent} is in use by process {os.getpid()}"):
        second.take(ACCOUNT, 0)
    first.release()
    second.take(ACCOUNT, 0)
    second.release()


def test_the_lock_falls_with_its_holder_and_the_note_tells_what_was_left(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        found = owner.holder(path)
        assert found is not None
        assert found.pid == holder.pid
        holder.send_signal(signal.SIGKILL)
    assert owner.holder(path) is None
    lock = Lock(path)
    lock.take(ACCOUNT, 0)
    assert (lock.last().pid, lock.last().socket) == (holder.pid, "/socket")
    lock.release()


@pytest.mark.parametrize("note", ["", "{", "[]", '{"pid": 1}', "7"])
def test_a_note_that_is_half_written_is_unknown(path: Path, note: str) -> None:
    lock = Lock(path)
    lock.take(ACCOUNT, 0)
    path.write_text(note)
    assert owner.holder(path) == owner.UNKNOWN
    lock.release()


def test_only_the_holder_may_write_the_note(path: Path) -> None:
    with pytest.raises(RuntimeError):
        Lock(path).note("", shared=True)


def test_a_link_in_its_place_is_not_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    path.symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        Lock(path).take(ACCOUNT, 0)
    assert (tmp_path / "victim").read_text() == "precious"
