"""Where a real proxy stands in the tests: before it a client, behind it a demo app, beside it the gateway that it asks.

The proxy runs the files of ``config/proxies`` in a copy in which nothing but addresses is replaced. A launcher (one file a
proxy in this folder) has ``NAME``, ``STRIPS`` (whether it takes our cookie away before the app sees it), ``missing()``
(why it cannot run here, or empty) and ``start(wiring)``, a context manager that yields once the proxy listens.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

from databases import Cluster
from gateway.cli import children
from gateway.settings import Server, Settings, Trust
from processes import free_port
from serving import PASSWORD, Served, serve

CONFIG = Path(__file__).parents[2] / "config"
SECRET = "a-secret-between-proxy-and-gateway"


class Wiring(NamedTuple):
    """What a launcher needs: addresses as host:port, the shared secret, and a directory of its own."""

    port: int
    gateway: str
    demo: str
    secret: str
    directory: Path


class Seen(NamedTuple):
    """What the demo app received."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body_length: int

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name.lower()]

    def spelled_like(self, name: str) -> list[str]:
        """Values under every spelling that some server takes for this name."""
        return [value for key, value in self.headers if re.sub("[_.]", "-", key) == name.lower()]


class Stand:
    """One proxy with everything around it."""

    def __init__(self, proxy: Any, served: Served, wiring: Wiring) -> None:
        self.proxy, self.served, self.wiring = proxy, served, wiring
        self.address = ("127.0.0.1", wiring.port)
        self.portal = f"http://auth.gateway.localhost:{wiring.port}"

    def client(self, cookies: Mapping[str, str] | None = None) -> httpx2.Client:
        """A browser's worth of connections. Names are put into Host, so no resolver has to know them."""
        return httpx2.Client(
            base_url=f"http://127.0.0.1:{self.wiring.port}", trust_env=False, cookies=dict(cookies or {})
        )

    def send(self, path: str = "/", host: str = "demo", **how: Any) -> httpx2.Response:
        """One request of a client that is not a browser, unless ``headers`` say otherwise."""
        method, cookies = how.pop("method", "GET"), how.pop("cookies", None)
        headers = {"Host": self.host(host), "Accept": "application/json", **how.pop("headers", {})}
        with self.client(cookies) as client:
            return client.request(method, path, headers=headers, **how)

    def host(self, name: str) -> str:
        return f"{name}.gateway.localhost:{self.wiring.port}"

    def origin(self, name: str) -> str:
        return f"http://{self.host(name)}"

    def cookie(self, user: str) -> dict[str, str]:
        """The app cookie of a fresh session."""
        _, cookie = self.served.session(user)
        return {"gateway_session": cookie.partition("=")[2]}


def seen(answer: httpx2.Response) -> Seen:
    """What the app says it received; fails where the answer is not the app's."""
    assert answer.status_code == 200, f"{answer.status_code} {answer.text[:500]}"
    told = json.loads(answer.text)
    return Seen(told["method"], told["path"], [(name, value) for name, value in told["headers"]], told["body_length"])


@contextmanager
def stand(proxy: Any, cluster: Cluster) -> Iterator[Stand]:
    """Everything started: alice is an administrator, bob is not."""
    directory = Path(tempfile.mkdtemp(prefix="gw-stand-"))
    directory.chmod(0o755)
    port = free_port()
    try:
        with cluster.database() as url, children.demo(f"http://auth.gateway.localhost:{port}") as demo:
            apps = (CONFIG / "apps.yaml").read_text()
            with serve(url, directory, _settings(directory, port), apps=apps) as served:
                served.user("alice", ["admins"])
                served.user("bob", ["users"])
                wiring = Wiring(port, _at(served.address), demo.removeprefix("http://"), SECRET, directory)
                with proxy.start(wiring):
                    made = Stand(proxy, served, wiring)
                    _await_portal(made)
                    yield made
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _await_portal(stand: Stand) -> None:
    """An open port is not enough: Traefik reads its routers after it has opened it."""
    deadline = time.monotonic() + 30
    while (answer := stand.send("/login", host="auth")).status_code != 200:
        assert time.monotonic() < deadline, f"the portal is not there: {answer.status_code} {answer.text[:300]}"
        time.sleep(0.02)  # nothing tells when it has read them


def _settings(directory: Path, port: int) -> Settings:
    server = Server(
        portal_url=f"http://auth.gateway.localhost:{port}", data_dir=directory, keys_file=directory / "keys.json"
    )
    plain = Settings()
    session = replace(plain.session, cookie_domain=("gateway.localhost",))
    return replace(plain, server=server, trust=Trust(secret=SECRET), session=session)


def _at(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


@contextmanager
def running(command: list[str], port: int, **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A proxy as a child, once its port is open; killed afterwards. What it said is shown if it ends early."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **how)
        try:
            _await_port(process, port, log)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


def _await_port(process: subprocess.Popen[bytes], port: int, log: Any) -> None:
    deadline = time.monotonic() + 30
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            log.seek(0)
            raise AssertionError(f"the proxy did not start: {log.read().decode(errors='replace')[-3000:]}")
        time.sleep(0.02)  # a port that is not open yet sends no signal


def copied(name: str, wiring: Wiring, replacing: Mapping[str, str]) -> Path:
    """A copy of ``config/proxies/<name>`` in which these texts, which must be there, are replaced in every file."""
    target = wiring.directory / name
    shutil.copytree(CONFIG / "proxies" / name, target)
    unused = set(replacing)
    for file in target.rglob("*"):
        if file.is_file():
            text = file.read_text()
            unused -= {old for old in replacing if old in text}
            for old, new in replacing.items():
                text = text.replace(old, new)
            file.write_text(text)
    assert not unused, f"the files of {name} do not say {unused}"
    return target


__all__ = ["CONFIG", "PASSWORD", "SECRET", "Seen", "Stand", "Wiring", "copied", "running", "seen", "stand"]
