"""Who carries: the gateway, with the apps behind it named in ``apps.yaml``, and nginx doing the same without any check.

Behind both the same apps: nginx with answers out of memory, and two small servers of ours (``uploads_app``,
``streams_app``). Both are sent the same bytes: a signed-in browser's, for the host of one of three apps.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import crowd
import pinning
import questions
import servers
from crowd import Place
from questions import Asked, Pairs
from servers import Server
from stack import free_port

HERE = Path(__file__).parent
GATEWAY, NGINX = "gateway", "nginx"
FILES, UPLOADS, STREAMS = 11, 12, 13
"""The numbers of the apps that are carried."""
SESSIONS, IN_TURN = 1000, 256
CONNECTIONS = "5000"
"""To one app, at most: more than there are open streams."""
SMALL, LARGE, VAST = 2048, 1 << 20, 2 << 30
"""Bytes of /small, /large and /vast; an upload may have any length."""
ANSWERS = """
  server {{ listen 127.0.0.1:{port} backlog=2048; root {root}; open_file_cache max=8; sendfile on; tcp_nopush on;
    location = / {{ return 200; }} location = /small {{ default_type text/html; return 200 "{small}"; }} }}
"""
PLAIN = """
  upstream files {{ server 127.0.0.1:{files}; keepalive 64; }}
  upstream uploads {{ server 127.0.0.1:{uploads}; keepalive 64; }}
  upstream streams {{ server 127.0.0.1:{streams}; keepalive 64; }}
  error_log stderr error; proxy_read_timeout 1h; client_max_body_size 0;
  proxy_http_version 1.1; proxy_set_header Connection "";
  server {{ listen 127.0.0.1:{port} backlog=2048; server_name {files_host}; location / {{ proxy_pass http://files; }} }}
  server {{ listen 127.0.0.1:{port}; server_name {uploads_host}; location / {{ proxy_pass http://uploads; }}
    location /streamed {{ proxy_pass http://uploads; proxy_request_buffering off; }} }}
  server {{ listen 127.0.0.1:{port}; server_name {streams_host}; proxy_buffering off;
    location / {{ proxy_pass http://streams; }} location = /socket {{ proxy_pass http://streams;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; }} }}
"""
"""As everybody configures it, one worker and keep-alive upstream, but with no check. Its own buffers; for events none, and
for uploads below /streamed none before it asks the app, as the gateway has none."""


class Ground(NamedTuple):
    """Everything that runs, and the ports of the apps by their numbers."""

    place: Place
    gateway: Server
    nginx: Server
    apps: dict[int, int]

    def carriers(self) -> dict[str, Server]:
        """Both, by name."""
        return {GATEWAY: self.gateway, NGINX: self.nginx}

    def asked(self, app: int, path: str) -> list[Asked]:
        """What signed-in people want there, each of another session."""
        return [Asked(self.place.site.host(app), "", cookie, uri=path) for cookie in self.place.cookies[:IN_TURN]]

    def gets(self, app: int, path: str) -> list[bytes]:
        """As their browsers ask."""
        return [questions.visit(asked) for asked in self.asked(app, path)]

    def upload(self, path: str, size: int) -> bytes:
        """The head of an upload of so many bytes."""
        asked = self.asked(UPLOADS, path)[0]
        more = [("Content-Type", "application/octet-stream"), ("Content-Length", str(size))]
        return _post(questions.message(path, [("Host", asked.host), *questions.visitor(asked), *more]))

    def openings(self, number: int) -> list[bytes]:
        """The handshakes of so many WebSockets."""
        asked = self.asked(STREAMS, "/socket")
        return [opening(asked[place % len(asked)]) for place in range(number)]


def opening(asked: Asked) -> bytes:
    """How a browser opens a WebSocket from a page of the same app."""
    more: Pairs = [
        ("Origin", f"http://{asked.host}"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    return questions.message(asked.uri, [("Host", asked.host), *questions.visitor(asked), *more])


def _post(message: bytes) -> bytes:
    return message.replace(b"GET ", b"POST ", 1)


@contextmanager
def ground(cores: Sequence[int]) -> Iterator[Ground]:
    """All of it: the two carriers on these cores, everything else where we are."""
    with ExitStack() as stack:
        place = stack.enter_context(crowd.place(SESSIONS, site=crowd.PLAIN))
        apps = stack.enter_context(behind())
        write_policy(place, apps)
        hosts = {f"{name}_host": place.site.host(number) for name, number in _NUMBERS.items()}
        ports = {name: apps[number] for name, number in _NUMBERS.items()}
        with pinning.on(cores):
            gateway = stack.enter_context(servers.gateway(place, GATEWAY_UPSTREAM_CONNECTIONS=CONNECTIONS))
            nginx = stack.enter_context(servers.nginx_of(PLAIN, **hosts, **ports))
        yield Ground(place, gateway, nginx, apps)


_NUMBERS = {"files": FILES, "uploads": UPLOADS, "streams": STREAMS}


@contextmanager
def behind() -> Iterator[dict[int, int]]:
    """The apps; their ports."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-files-", dir=_memory())))
        root.chmod(0o755)
        (root / "large").write_bytes(random.Random(1).randbytes(LARGE))
        with (root / "vast").open("wb") as file:
            file.truncate(VAST)  # holes: it takes no room
        answers = stack.enter_context(servers.nginx_of(ANSWERS, root=root, small="x" * SMALL))
        uploads = stack.enter_context(program("uploads_app.py"))
        streams = stack.enter_context(program("streams_app.py"))
        yield {FILES: answers.port, UPLOADS: uploads.port, STREAMS: streams.port}


@contextmanager
def program(name: str) -> Iterator[Server]:
    """One of our own apps."""
    port = free_port()
    with servers.running([sys.executable, str(HERE / name), str(port)]) as process:
        servers.await_answer(process, f"127.0.0.1:{port}", "/")
        yield Server(port, process)


def write_policy(place: Place, apps: dict[int, int]) -> None:
    """The fifty apps, of which these have an upstream."""
    text = crowd.policy(place.site)
    for number, port in apps.items():
        hosts = f"    hosts: [{place.site.host(number)}]\n"
        assert hosts in text
        text = text.replace(hosts, f"{hosts}    upstream: http://127.0.0.1:{port}\n")
    (place.work / "config" / "apps.yaml").write_text(text, "utf-8")


def _memory() -> str | None:
    """A directory whose files are memory, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a fresh directory is made in it
