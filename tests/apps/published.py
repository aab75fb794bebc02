"""Programs that others published, started as people start them: each a process on a port of its own, with files of its own.

They live in an environment of their own, made out of ``requirements.lock``, because what they pin is their affair.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from processes import free_port
from proxies.stand import running

ENVIRONMENT = Path(__file__).parents[2] / ".venv-apps"
TICKER = Path(__file__).with_name("ticker.py")


def program(name: str) -> str:
    """A program of that environment. AssertionError, and no skipped test, where it is missing."""
    found = ENVIRONMENT / "bin" / name
    assert found.exists(), f"there is no {found}: make test installs it"
    return str(found)


@contextmanager
def jupyterlab(directory: Path) -> Iterator[int]:
    """JupyterLab, which leaves it to the gateway who may come in; its port."""
    port, directory = free_port(), _room(directory, "jupyterlab")
    command = [program("jupyter"), "lab", "--no-browser", "--allow-root", "--IdentityProvider.token="]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={directory}"]
    # Asked for by another name than its own it refuses, and it would ask the world whether it is new enough.
    command += ["--ServerApp.allow_remote_access=True", "--LabApp.news_url=None"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with running(command, port, cwd=directory, env=_own(directory)):
        yield port


@contextmanager
def copyparty(directory: Path) -> Iterator[int]:
    """copyparty: whoever comes may read and write ``directory``; its port."""
    port, home = free_port(), _room(directory, "copyparty")
    command = [program("copyparty"), "-i", "127.0.0.1", "-p", str(port), "-v", f"{directory}::rwmd", "--no-thumb", "-q"]
    with running(command, port, cwd=home, env=_own(home)):
        yield port


@contextmanager
def caddy(directory: Path) -> Iterator[int]:
    """Caddy as a server of the files in ``directory``; its port."""
    port = free_port()
    binary = shutil.which("caddy", path=str(Path(sys.executable).parent))
    assert binary is not None
    command, home = (
        [binary, "file-server", "--root", str(directory), "--listen", f"127.0.0.1:{port}"],
        _room(directory, "caddy"),
    )
    with running(command, port, cwd=home, env=_own(home)):
        yield port


@contextmanager
def ticker(directory: Path) -> Iterator[int]:
    """The events of ``ticker.py``; its port."""
    port, directory = free_port(), _room(directory, "ticker")
    command = [
        program("uvicorn"),
        "--app-dir",
        str(TICKER.parent),
        "--port",
        str(port),
        "--no-access-log",
        "ticker:app",
    ]
    with running(command, port, cwd=directory, env=_own(directory)):
        yield port


def _room(directory: Path, name: str) -> Path:
    """What an app keeps for itself it keeps in there."""
    made = directory / f".{name}"
    made.mkdir()
    return made


def _own(home: Path) -> Mapping[str, str]:
    """What it is started with."""
    return {
        "PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
        "SHELL": "/bin/sh",
        "TERM": "dumb",
    }
