"""HAProxy, the distribution's, with Lua."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from proxies.stand import Wiring, copied, running

NAME = "haproxy"
STRIPS = True
BINARY = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def missing() -> str:
    return "" if BINARY else "HAProxy is not installed: apt install haproxy"


@contextmanager
def start(wiring: Wiring, fault: str = "") -> Iterator[None]:
    """``fault``: a line of gateway.lua behind which it fails."""
    assert BINARY is not None
    replacing = {"127.0.0.1:8080": f"127.0.0.1:{wiring.port}", "127.0.0.1:8002": wiring.demo}
    if fault:
        replacing[fault] = f"{fault}\n    error('on purpose')\n"
    files = copied("haproxy", wiring, replacing)
    environment = {"GATEWAY_ADDRESS": wiring.gateway, "GATEWAY_PROXY_SECRET": wiring.secret}
    with running([BINARY, "-db", "-f", "haproxy.cfg"], wiring.port, cwd=files, env=environment):
        yield
