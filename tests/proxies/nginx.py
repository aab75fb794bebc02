"""nginx, the distribution's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from proxies.stand import Wiring, copied, running

NAME = "nginx"
STRIPS = True
BINARY = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def missing() -> str:
    return "" if BINARY else "nginx is not installed: apt install nginx"


@contextmanager
def start(wiring: Wiring) -> Iterator[None]:
    assert BINARY is not None
    replacing = {
        "127.0.0.1:8080": f"127.0.0.1:{wiring.port}",
        "127.0.0.1:8000": wiring.gateway,
        "127.0.0.1:8002": wiring.demo,
    }
    files = copied("nginx", wiring, replacing)
    (files / "gateway/http.secret").write_text(f'map "" $gateway_secret {{ default "{wiring.secret}"; }}\n')
    directives = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
    run = wiring.directory / "nginx-run"
    run.mkdir()
    command = [BINARY, "-p", str(run), "-c", str(files / "nginx.conf"), "-g", directives]
    with running(command, wiring.port):
        yield
