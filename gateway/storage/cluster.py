"""One PostgreSQL data directory on disk: making it, its password, its settings, and what a crash left in it.

Whoever calls this holds the owner's lock. No server is started here but the single-user one. Only ``embedded`` may
call this.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import CannotStart
from gateway.storage.binaries import Binaries
from gateway.storage.uids import ENVIRONMENT, Account, Tell, give, open_private, spawn

NAME = "gateway"
"""The superuser and the database."""
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "logging_collector": "off",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    # A failed statement, and the row that a constraint refused, may hold what must not be written down.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
DURABLE = {"synchronous_commit": "on"}
FLEETING = {"synchronous_commit": "off", "fsync": "off", "full_page_writes": "off"}


def major(directory: Path) -> int | None:
    """The major version that made this cluster, or None where there is none."""
    try:
        return int((directory / "PG_VERSION").read_text().partition(".")[0])
    except FileNotFoundError:
        return None


def state(directory: Path) -> tuple[int, str]:
    """The postmaster's pid and what it says of itself ("starting", "ready"), from postmaster.pid; or (0, "")."""
    try:
        lines = (directory / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return 0, ""
    return int(lines[0] if lines else 0), lines[7].strip() if len(lines) > 7 else ""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data directory with the binaries that read it and the account it belongs to."""

    directory: Path
    password_file: Path
    binaries: Binaries
    account: Account
    throwaway: bool

    def prepare(self, tell: Tell) -> str:
        """Make the cluster if there is none, clean up after a crash if there is one; returns the password."""
        if major(self.directory) is None:
            tell(f"making a PostgreSQL {self.binaries.major} database in {self.directory}")
            password = self._write_password(secrets.token_urlsafe(32))
            self._make()
            return password
        self._bury()
        return self._read_password() or self._new_password()

    def command(self, socket: Path) -> list[str | Path]:
        """The command line of the server. Everything stands here, so that an edited file opens nothing."""
        quoted = str(socket).replace('"', '""')  # the setting is a list, in which a comma separates
        return [*self._program(self.directory), *_options({**SETTINGS, "unix_socket_directories": f'"{quoted}"'})]

    def _program(self, directory: Path, *mode: str) -> list[str | Path]:
        chosen = FLEETING if self.throwaway else DURABLE
        return [self.binaries.directory / "postgres", *mode, "-D", directory, *_options(chosen)]

    def _make(self) -> None:
        """initdb in a directory beside, renamed when complete: a start that was killed leaves nothing half made."""
        fresh = self.directory.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        give(fresh, self.account)
        self._initdb(fresh)
        self._single(fresh, f"CREATE DATABASE {NAME}")
        fresh.rename(self.directory)
        _sync(self.directory.parent)

    def _initdb(self, fresh: Path) -> None:
        try:
            pwd.getpwuid(self.account.uid)
        except KeyError:
            raise CannotStart(
                f"initdb wants a user name for uid {self.account.uid}, and /etc/passwd has none: add a line there, "
                "or set GATEWAY_DATABASE_URL"
            ) from None
        said = self._try_initdb(fresh, "C.UTF-8")
        if "locale" in said:  # older systems do not have it; the order of text is the same in C
            said = self._try_initdb(fresh, "C")
        if said:
            raise CannotStart(f"initdb failed: {said}")

    def _try_initdb(self, fresh: Path, locale: str) -> str:
        """Empty when done, else what initdb said."""
        hba = ["--auth-local=scram-sha-256", "--auth-host=scram-sha-256", f"--pwfile={self.password_file}"]
        how = ["-D", str(fresh), "-U", NAME, "-E", "UTF8", f"--locale={locale}", "--no-instructions"]
        fleeting = ["--no-sync"] if self.throwaway else []
        return self._run([self.binaries.directory / "initdb", *how, *hba, *fleeting])

    def _single(self, directory: Path, statement: str) -> None:
        """One statement without a server, as superuser; needs no password, and nobody can connect meanwhile."""
        options = _options({"exit_on_error": "on", "log_min_error_statement": "panic"})
        arguments = [*self._program(directory, "--single"), *options, "postgres"]
        if said := self._run(arguments, statement.encode() + b"\n"):
            raise CannotStart(f"PostgreSQL could not prepare {directory}: {said}")

    def _run(self, arguments: list[str | Path], stdin: bytes = b"") -> str:
        with spawn(self.account, arguments, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            try:
                _, said = child.communicate(stdin)
            finally:
                child.kill()  # an interrupt must not leave it at work; it is gone already otherwise
        return "" if child.returncode == 0 else said.decode(errors="replace").strip() or f"exit {child.returncode}"

    def _read_password(self) -> str:
        with suppress(FileNotFoundError):
            return self.password_file.read_text().strip()
        return ""

    def _write_password(self, password: str) -> str:
        self.password_file.unlink(missing_ok=True)
        with open(open_private(self.password_file, self.account, os.O_WRONLY), "w") as file:
            file.write(password)
        return password

    def _new_password(self) -> str:
        """For data that lost its password file. The database first: if we die between, the next start does it again."""
        password = secrets.token_urlsafe(32)
        self._single(self.directory, f"ALTER ROLE {NAME} PASSWORD '{password}'")
        return self._write_password(password)

    def _bury(self) -> None:
        """End a server that outlived its owner (where the kernel does not), and forget one whose pid is another's now.

        PostgreSQL takes any living process of its uid for the one in postmaster.pid, and in a container that starts
        anew the same pids come back.
        """
        pid, _ = state(self.directory)
        deadline = time.monotonic() + 10
        if pid and _serves(pid, self.directory):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT)
        while pid and _serves(pid, self.directory):
            if time.monotonic() > deadline:
                raise CannotStart(f"a PostgreSQL server without an owner, process {pid}, does not end: kill it")
            time.sleep(0.01)
        (self.directory / "postmaster.pid").unlink(missing_ok=True)


def _options(settings: dict[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def _serves(pid: int, directory: Path) -> bool:
    """Whether this process is a postmaster of this directory, which is where it works."""
    if sys.platform == "linux":
        with suppress(OSError):  # gone, a zombie, or another user's
            return Path(f"/proc/{pid}/cwd").readlink() == directory
        return False
    asked = ["ps", "-ww", "-p", str(pid), "-o", "command="]
    told = subprocess.run(asked, capture_output=True, text=True, check=False, env=ENVIRONMENT)  # noqa: S603 - fixed, a number
    return f"-D {directory} " in told.stdout


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
