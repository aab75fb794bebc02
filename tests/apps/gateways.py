"""``gateway serve`` with apps behind it, and no proxy before it: a browser's way to them, and a program's."""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

from asking import PATIENCE
from processes import GATEWAY, Process, environment, free_port
from serving import PASSWORD

SESSION = "gateway_session"
"""The app cookie's name where the portal has no TLS."""


class Gateway(Process):
    """It carries ``apps``, a name and a port each, at <name>.gateway.localhost; alice may use them."""

    def __init__(self, url: str, directory: Path, apps: Mapping[str, int]) -> None:
        self.port = free_port()
        self.variables = _variables(url, directory, self.port)
        (directory / "apps.yaml").write_text("apps:\n" + "".join(map(_app, apps, apps.values())))
        super().__init__(["serve"], self.variables)

    def type(self, *arguments: str, stdin: str | None = None) -> str:
        """One command as typed; what it printed on stdout."""
        command = [GATEWAY, *arguments]
        done = subprocess.run(command, env=self.variables, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def site(self, name: str) -> str:
        """Where a browser finds it."""
        return f"http://{name}.gateway.localhost:{self.port}"

    def cookie(self) -> str:
        """Of a fresh session of alice's."""
        return f"{SESSION}={self.type('session', 'create', 'alice').strip()}"

    def line(self) -> http.client.HTTPConnection:
        """A connection, by address: no resolver has to know the names."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)


@contextmanager
def gateway(url: str, directory: Path, apps: Mapping[str, int]) -> Iterator[Gateway]:
    """One that answers, and knows alice."""
    started = Gateway(url, directory, apps)
    try:
        started.wait_for("apps.yaml was applied")
        started.type("user", "add", "alice", stdin=f"{PASSWORD}\n")
        yield started
    finally:
        started.stop()


def visit(page: Page, gateway: Gateway, name: str, path: str = "/") -> None:
    """A stranger asks for an app, has to sign in as alice, and is where she wanted to be."""
    page.goto(gateway.site(name) + path)
    assert page.url.startswith(gateway.site("auth"))
    page.get_by_label("User name").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{gateway.site(name)}/**")


def _variables(url: str, directory: Path, port: int) -> dict[str, str]:
    variables = environment(url, directory)
    del variables["GATEWAY_TRUST_PROXIES"]
    return variables | {
        "GATEWAY_SERVER_PORTAL_URL": f"http://auth.gateway.localhost:{port}",
        "GATEWAY_SERVER_LISTEN": f"127.0.0.1:{port}",
        "GATEWAY_SERVER_INTERNAL_LISTEN": f"127.0.0.1:{free_port()}",
    }


def _app(name: str, port: int) -> str:
    return (
        f"  - name: {name}\n    hosts: [{name}.gateway.localhost]\n    upstream: http://127.0.0.1:{port}\n"
        "    rules: [{policy: one_factor}]\n"
    )
