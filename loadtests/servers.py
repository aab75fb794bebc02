"""The servers that are measured, each on a port of its own and gone afterwards: the gateway by its own door and by plain
ASGI, a bare uvicorn that always says the same, and nginx that says it too.

Every one is started out of Ctrl-C's reach, dies with us, and runs on the cores of whoever starts it (``pinning``).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from crowd import Place
from stack import PATIENCE, ask, free_port

from gateway.storage.uids import bound_to

HERE = Path(__file__).parent
Headers = Sequence[tuple[str, str]]
NGINX = """
worker_processes 1; daemon off; pid nginx.pid; error_log stderr warn; {user}
events {{ worker_connections 8192; multi_accept on; }}
http {{
  access_log off; server_tokens off; default_type ""; keepalive_requests 1000000000; keepalive_timeout 125s;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  {servers}
}}
"""
CONSTANT = "server {{ listen 127.0.0.1:{port} backlog=2048; location / {{ {headers} return 200{body}; }} }}"


class Server(NamedTuple):
    """Something that answers, and its process."""

    port: int
    process: subprocess.Popen[bytes]
    internal: str = ""


def nginx_binary() -> str:
    """Where nginx is; LookupError, in words, where it is not."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise LookupError("nginx is not installed: apt install nginx")
    return found


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """One process, ended afterwards, gently first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    with subprocess.Popen(  # noqa: S603 - our own commands
        command,
        env={**kept, **(environment or {})},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=bound_to(os.getpid(), signal.SIGTERM),
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()


@contextmanager
def gateway(place: Place, *, workers: int = 1, **more: str) -> Iterator[Server]:
    """``gateway serve``; ready, so what is to be in memory is there."""
    port, settings = addresses(place)
    command = [sys.executable, "-m", "gateway", "serve", "--workers", str(workers)]
    with running(command, {**settings, **more}) as process:
        internal = settings["GATEWAY_SERVER_INTERNAL_LISTEN"]
        await_answer(process, internal, "/health/ready")
        yield Server(port, process, internal)


@contextmanager
def portable(place: Place, **more: str) -> Iterator[Server]:
    """The gateway as a plain ASGI application on the stock uvicorn, which has one socket only."""
    port, settings = addresses(place)
    command = [sys.executable, "-m", "uvicorn", "--factory", "gateway.asgi:create", "--port", str(port)]
    command += [*STOCK, "--lifespan", "on"]
    with running(command, {**settings, **more}) as process:
        await_answer(process, f"127.0.0.1:{port}", "/health/ready")
        yield Server(port, process)


STOCK = [
    *("--http", "httptools", "--loop", "auto", "--ws", "none", "--log-level", "warning"),
    *(
        "--no-proxy-headers",
        "--no-server-header",
        "--no-access-log",
        "--timeout-keep-alive",
        "125",
        "--backlog",
        "2048",
    ),
]
"""uvicorn's own protocol, with the options that the gateway gives to uvicorn, as far as they are uvicorn's."""


@contextmanager
def bare(headers: Headers, *, workers: int = 1) -> Iterator[Server]:
    """uvicorn with an application that does nothing but answer 200 with these headers."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(HERE), "constant:app", "--port", str(port)]
    command += [*STOCK, "--lifespan", "off", "--workers", str(workers)]
    with running(command, {"CONSTANT_HEADERS": json.dumps(list(headers))}) as process:
        await_answer(process, f"127.0.0.1:{port}", "/")
        yield Server(port, process)


@contextmanager
def nginx(headers: Headers, body: str = "") -> Iterator[Server]:
    """nginx with one worker and ``return 200``."""
    said = " ".join(f'add_header {name} "{value}";' for name, value in headers)
    with nginx_of(CONSTANT, headers=said, body=f' "{body}"' if body else "") as server:
        yield server


@contextmanager
def nginx_of(what: str, **more: object) -> Iterator[Server]:
    """nginx with one worker and these server blocks, in which ``port`` and ``more`` are filled in; / has to answer 200."""
    binary, port = nginx_binary(), free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    with tempfile.TemporaryDirectory(prefix="gateway-nginx-") as directory:
        config = Path(directory, "nginx.conf")
        config.write_text(NGINX.format(user=user, servers=what.format(port=port, **more)), "utf-8")
        with running([binary, "-p", directory, "-e", "stderr", "-c", str(config)]) as process:
            await_answer(process, f"127.0.0.1:{port}", "/")
            yield Server(port, process)


def addresses(place: Place) -> tuple[int, dict[str, str]]:
    """A free port, and the settings of a gateway that listens there."""
    port = free_port()
    listen = {"GATEWAY_SERVER_LISTEN": f"127.0.0.1:{port}"}
    return port, place.settings | listen | {"GATEWAY_SERVER_INTERNAL_LISTEN": f"127.0.0.1:{free_port()}"}


def await_answer(process: subprocess.Popen[bytes], address: str, path: str) -> None:
    """Until that is answered with 200; RuntimeError where the process ends, or takes too long."""
    deadline, last = time.monotonic() + PATIENCE, None
    while time.monotonic() < deadline:
        last = ask(address, path, {})
        if last == 200:
            return
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode} before it answered")
        time.sleep(0.01)
    raise RuntimeError(f"{address}{path} was not answered with 200, but with {last}")
