"""The PostgreSQL that the gateway brings along: started, found and stopped here.

One process owns it, holds ``owner.lock`` and is its parent; the server dies with that process, however it dies. Other
commands attach. It listens on a socket in a private directory only, and asks everybody for a password. Nothing here
speaks to the database: the rest of ``storage`` does, with the URL it is given. Only the roof may call this.

In ``data_dir``: ``postgres`` (the data), ``postgres.password``, ``postgres.log``, ``run`` (the socket, while it runs; a
directory in the temporary folder where the path would be too long), ``owner.lock``, and ``binaries-*`` where the
installed ones are out of the account's reach. For the account see ``uids``: under root the directories above
``data_dir`` must let it through. Data is never put elsewhere than asked, so a ``data_dir`` below a closed home is refused.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote

from gateway.errors import CannotStart
from gateway.storage import binaries, cluster, owner, uids

SOCKET = ".s.PGSQL.5432"
LONGEST = 103
"""Bytes of a socket's path on macOS; Linux has four more."""
BIG_LOG = 8 * 1024 * 1024


class Embedded:
    """The server in one data directory. ``throwaway`` data is fast and does not survive a power cut: for tests.

    ``tell`` receives a sentence for each thing that a user would wonder about (an account added, a copy made).
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        throwaway: bool = False,
        tell: uids.Tell = lambda sentence: None,
        candidates: Iterable[Path] | None = None,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self._throwaway = throwaway
        self._tell = tell
        self._candidates = candidates
        self._lock = owner.Lock(self.data_dir / "owner.lock")
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: Path | None = None

    def start(self, wait: float = 10.0, *, shared: bool = True) -> str:
        """Own the server and return its URL; waits ``wait`` seconds for another owner. From the main thread only."""
        try:
            account = self._enter()
            self._lock.take(account, wait)
            try:
                return self._launch(account, shared)
            except BaseException:  # an interrupt too must not leave a server and a lock behind
                self.stop()
                raise
        except OSError as error:
            raise CannotStart(f"the embedded PostgreSQL cannot use {self.data_dir}: {error}") from error

    def attach(self) -> str | None:
        """The URL of a server that another process owns and shares, or None."""
        try:
            holder = owner.holder(self.data_dir / "owner.lock")
            if holder is None or not holder.shared or not _answers(Path(holder.socket)):
                return None
            return _url(Path(holder.socket), self._password_file.read_text().strip())
        except PermissionError as error:
            why = f"{error.filename} is not yours: run the command as the user that runs the gateway"
            raise CannotStart(why) from error

    def stop(self) -> None:
        """End the server in good order and let go of the lock. Nothing happens the second time."""
        if self._process is not None:
            _end(self._process)
            self._process = None
        if self._socket is not None:
            _remove(self._socket)
            self._socket = None
        self._lock.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.stop()

    @property
    def _password_file(self) -> Path:
        return self.data_dir / "postgres.password"

    def _enter(self) -> uids.Account:
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        account = uids.choose(self.data_dir, self._throwaway, self._tell)
        uids.admit(self.data_dir, account)
        return account

    def _launch(self, account: uids.Account, shared: bool) -> str:
        if left := self._lock.last().socket:
            _remove(Path(left))
        self._lock.note("", shared=False)
        data = self._cluster(account)
        password = data.prepare(self._tell)
        self._socket = self._make_socket_directory(account)
        self._serve(data, self._socket)
        self._lock.note(str(self._socket), shared)
        return _url(self._socket, password)

    def _cluster(self, account: uids.Account) -> cluster.Cluster:
        directory = self.data_dir / "postgres"
        places = binaries.candidates() if self._candidates is None else self._candidates
        found = binaries.find(places, cluster.major(directory))
        found = binaries.runnable(found, account, self.data_dir, self._tell)
        return cluster.Cluster(directory, self._password_file, found, account, self._throwaway)

    def _make_socket_directory(self, account: uids.Account) -> Path:
        """A new one at each start, so that neither a leftover nor somebody else's link is in the way."""
        directory = self.data_dir / "run"
        if len(os.fsencode(directory / SOCKET)) <= LONGEST:
            _remove(directory)
            directory.mkdir(mode=0o700)
        else:
            directory = Path(tempfile.mkdtemp(prefix="gateway-"))
        uids.give(directory, account)
        return directory

    def _serve(self, data: cluster.Cluster, listening: Path) -> None:
        log = self._open_log(data.account)
        try:
            begin = os.lseek(log, 0, os.SEEK_END)
            self._process = uids.spawn(
                data.account, data.command(listening), on_death=signal.SIGQUIT, stdout=log, stderr=log
            )
            self._await(self._process, data.directory)
        except CannotStart as error:
            said = os.pread(log, 4000, begin).decode(errors="replace").strip()
            raise CannotStart(f"{error} (more in {self.data_dir / 'postgres.log'}):\n{said}") from None
        finally:
            os.close(log)

    def _open_log(self, account: uids.Account) -> int:
        path = self.data_dir / "postgres.log"
        with suppress(FileNotFoundError):
            if path.lstat().st_size > BIG_LOG:
                path.replace(path.with_suffix(".log.1"))
        return uids.open_private(path, account, os.O_RDWR | os.O_APPEND)

    def _await(self, process: subprocess.Popen[bytes], directory: Path) -> None:
        """Until it takes connections. Recovery after a crash reads at most 1 GB of log, so a minute is plenty."""
        deadline = time.monotonic() + 60
        while cluster.state(directory) != (process.pid, "ready"):
            if process.poll() is not None:
                raise CannotStart("PostgreSQL did not start")
            if time.monotonic() > deadline:
                raise CannotStart("PostgreSQL was not ready after 60 seconds")
            time.sleep(0.005)


@contextmanager
def borrow(data_dir: Path, *, wait: float = 10.0, tell: uids.Tell = lambda sentence: None) -> Iterator[str]:
    """The database for a short command: the running server's, or one of our own that nobody else may attach to."""
    server = Embedded(data_dir, tell=tell)
    try:
        yield _attached_or_own(server, time.monotonic() + wait)
    finally:
        server.stop()


def is_ours(data_dir: Path) -> bool:
    """Whether the server in ``data_dir`` was started by this process; then nobody else is attached to a borrowed one."""
    found = owner.holder(data_dir.resolve() / "owner.lock")
    return found is not None and found.pid == os.getpid()


def _attached_or_own(server: Embedded, deadline: float) -> str:
    while True:
        if url := server.attach():
            return url
        try:
            return server.start(wait=0.1, shared=False)
        except owner.Owned:  # by a command as short as ours, or by a server that does not answer yet
            if time.monotonic() > deadline:
                raise


def _url(listening: Path, password: str) -> str:
    return f"postgresql://{cluster.NAME}:{password}@/{cluster.NAME}?host={quote(str(listening), safe='')}&port=5432"


def _answers(listening: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(listening / SOCKET))
        except OSError:
            return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Fast shutdown; if that takes too long, the immediate one, after which the next start reads the log again."""
    for how, patience in ((signal.SIGINT, 30), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
        process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            return


def _remove(directory: Path) -> None:
    """Remove a socket directory, and nothing in it but what PostgreSQL puts there; where that fails, mkdir will too."""
    with suppress(OSError):
        for name in (SOCKET, f"{SOCKET}.lock"):
            (directory / name).unlink(missing_ok=True)
        directory.rmdir()
