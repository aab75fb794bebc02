"""Who owns the embedded PostgreSQL: a lock that the kernel drops with its holder, and a note that names him.

The note is believed only while the lock is held. The file stays when the lock is released, since unlinking a locked
file lets two processes each hold "the" lock. Only ``embedded`` may call this.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import NamedTuple

from gateway.errors import CannotStart
from gateway.storage.uids import Account, open_private


class Owner(NamedTuple):
    """A process, its command line, its socket directory ("" until the server answers), and whether others may attach."""

    pid: int
    command: str
    socket: str
    shared: bool


class Owned(CannotStart):
    """Another process has this data directory, and kept it for as long as we would wait."""


UNKNOWN = Owner(0, "it has not said yet what it is", "", shared=False)


class Lock:
    """The lock as its would-be holder sees it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def take(self, account: Account, wait: float) -> None:
        """Hold the lock; raises ``Owned`` after ``wait`` seconds."""
        fd = open_private(self._path, account, os.O_RDWR)
        deadline = time.monotonic() + wait
        while not _locked(fd, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                os.close(fd)
                raise Owned(_in_use(self._path.parent, holder(self._path) or UNKNOWN))
            time.sleep(0.05)  # a waiting flock could not be given up
        self._fd = fd

    def note(self, socket: str, shared: bool) -> None:
        """Write down who we are and where the server listens."""
        if self._fd is None:
            raise RuntimeError("a note may be written by the holder only")
        command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
        text = json.dumps(Owner(os.getpid(), command, socket, shared)._asdict())
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, text.encode(), 0)

    def last(self) -> Owner:
        """The note as it stands: after a crash, the dead owner's."""
        return _read(self._fd) if self._fd is not None else UNKNOWN

    def release(self) -> None:
        """Let go; nothing happens if it was not held."""
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None


def holder(path: Path) -> Owner | None:
    """Who holds the lock now. Asking takes a shared lock for a moment, so that two who ask do not see each other."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        return None if _locked(fd, fcntl.LOCK_SH) else _read(fd)
    finally:
        os.close(fd)


def _locked(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(fd: int) -> Owner:
    try:
        return Owner(**json.loads(os.pread(fd, 65536, 0)))
    except (ValueError, TypeError):  # empty or half written: the owner is just starting or stopping
        return UNKNOWN


def _in_use(data_dir: Path, owner: Owner) -> str:
    who = f"process {owner.pid} ({owner.command})" if owner.pid else f"another process ({owner.command})"
    return f"the database in {data_dir} is in use by {who}: stop it first, or choose another server.data_dir"
