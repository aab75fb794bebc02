"""Under whose uid the embedded PostgreSQL runs, and how a child gets there.

PostgreSQL refuses to be root. Started by an ordinary user it runs as that user. Started by root it runs as whoever
owns the data already, else as ``forwardauth-gateway``, else as ``postgres``, else (throwaway data only) as ``nobody``;
else the system account ``forwardauth-gateway`` is added, as a distribution's package would do it, and said so. A bare
number will not do: initdb wants a name for its uid. No directory is opened but the gateway's own. Only ``embedded`` and
its parts may call this.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gateway.errors import CannotStart

OWN = "forwardauth-gateway"
Tell = Callable[[str], None]
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
"""All that a child inherits: our own environment carries secrets, and PG* variables would change what it does."""
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Account(NamedTuple):
    """A uid and its group. ``dropped``: we are root, and a child must become it."""

    uid: int
    gid: int
    dropped: bool


def choose(data_dir: Path, throwaway: bool, tell: Tell) -> Account:
    """The account for this data directory, which exists."""
    held_by = _owner(data_dir)
    if os.geteuid() != 0:
        return _ourselves(data_dir, held_by)
    nobody = _named("nobody")
    if held_by.uid != 0 and (throwaway or nobody is None or held_by.uid != nobody.uid):
        return held_by
    known = [_named(OWN), _named("postgres"), nobody if throwaway else None]
    return next((account for account in known if account), None) or _add(tell)


def _owner(data_dir: Path) -> Account:
    """Whose the database is, or before there is one, whose the directory is."""
    cluster = data_dir / "postgres"
    found = (cluster if cluster.exists() else data_dir).stat()
    return Account(found.st_uid, found.st_gid, dropped=True)


def _ourselves(data_dir: Path, held_by: Account) -> Account:
    if held_by.uid != os.geteuid():
        raise CannotStart(
            f"{data_dir} belongs to uid {held_by.uid}, not to you: run the command as that user (or as root)"
        )
    return Account(os.geteuid(), os.getegid(), dropped=False)


def _named(name: str) -> Account | None:
    with suppress(KeyError):
        entry = pwd.getpwnam(name)
        return Account(entry.pw_uid, entry.pw_gid, dropped=True)
    return None


def _add(tell: Tell) -> Account:
    """Make the system account that the packages of a distribution would make."""
    tool = shutil.which("useradd", path=f"{os.defpath}:/usr/sbin:/sbin")
    if tool:
        options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        subprocess.run([tool, *options, OWN], capture_output=True, check=False)  # noqa: S603 - a fixed command
    if account := _named(OWN):
        tell(f"added the system account {OWN}, because PostgreSQL will not run as root")
        return account
    raise CannotStart(
        f"PostgreSQL will not run as root: run `useradd --system {OWN}` once, or start the gateway as an ordinary "
        "user, or set GATEWAY_DATABASE_URL to a PostgreSQL of yours"
    )


def admit(data_dir: Path, account: Account) -> None:
    """Let the account through our own directory. One above that keeps it out is not ours to open: refuse."""
    if not account.dropped:
        return
    found = data_dir.stat()
    if not _may(found, account, 0o1) and found.st_uid == 0 and not found.st_mode & stat.S_IRWXG:
        os.chown(data_dir, -1, account.gid)
        data_dir.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXGRP)
    if closed := barrier(data_dir, account):
        raise CannotStart(
            f"PostgreSQL runs as uid {account.uid} here, because it will not run as root, and may not pass through "
            f"{closed}: choose a server.data_dir elsewhere, for example /var/lib/{OWN}"
        )


def barrier(directory: Path, account: Account) -> Path | None:
    """The first directory on the way down that the account may not enter."""
    way = [*reversed(directory.parents), directory]
    return next((step for step in way if not _may(step.stat(), account, 0o1)), None)


def _may(found: os.stat_result, account: Account, wanted: int) -> bool:
    if found.st_uid == account.uid:
        return bool(found.st_mode >> 6 & wanted)
    return bool(found.st_mode >> (3 if found.st_gid == account.gid else 0) & wanted)


def give(path: Path, account: Account) -> None:
    """Hand a file or directory that we just made to the account."""
    if account.dropped:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def open_private(path: Path, account: Account, flags: int) -> int:
    """Open or make a file of mode 0600 for the account. No link is followed: the directory may be the account's own."""
    try:
        fd = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        fd = os.open(path, flags | os.O_NOFOLLOW)
        os.fchmod(fd, 0o600)
    else:
        if account.dropped:
            os.fchown(fd, account.uid, account.gid)
    return fd


def spawn(
    account: Account,
    arguments: Sequence[str | Path],
    *,
    on_death: int = signal.SIGKILL,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """A child under the account, out of Ctrl-C's reach (own session), that dies with us (``on_death``, Linux only).

    The kernel sends the signal when the *thread* that forked ends, so only the main thread may: a server started in a
    worker thread would be gone as soon as that thread is.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("the embedded PostgreSQL must be started from the main thread")
    return subprocess.Popen(  # noqa: S603 - our own arguments, no shell
        arguments,
        user=account.uid if account.dropped else None,
        group=account.gid if account.dropped else None,
        extra_groups=[] if account.dropped else None,
        cwd="/",  # ours may be closed to the account
        env=ENVIRONMENT,
        start_new_session=True,
        preexec_fn=bound_to(os.getpid(), on_death),  # safe to fork: servers are started before threads are
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
    )


def bound_to(parent: int, on_death: int) -> Callable[[], None] | None:
    """What a child does before exec, so that it dies with us; the roof's own children too. Python has changed the uid by
    then; changing it later would clear the signal."""
    if _libc is None:
        return None
    prctl = _libc.prctl  # looked up here, since a forked child should do as little as it can

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, on_death, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked to be told
            os._exit(1)

    return bind
