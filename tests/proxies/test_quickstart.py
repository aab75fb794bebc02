"""The README's quick start of each proxy, run as it is written (in a copy in which addresses are replaced)."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from databases import Cluster
from proxies import FAN
from proxies.stand import Wiring, copied, running, seen, stand

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
TITLES = {"traefik": "Traefik", "caddy": "Caddy", "nginx": "nginx", "haproxy": "HAProxy", "envoy": "Envoy"}
ADDRESSES = ("127.0.0.1:8080", "gateway.localhost:8080", "//:8080", "port_value: 8080")


class QuickStart:
    """A launcher that does what the README says."""

    def __init__(self, proxy: ModuleType) -> None:
        self.NAME, self.STRIPS, self.missing = proxy.NAME, proxy.STRIPS, proxy.missing
        section = README.partition(f"\n### {TITLES[self.NAME]}\n")[2].partition("\n### ")[0]
        (self.block,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)

    @contextmanager
    def start(self, wiring: Wiring) -> Iterator[None]:
        files = copied(self.NAME, wiring, self.replacing(wiring))
        where = wiring.directory / "config" / "proxies"
        where.mkdir(parents=True)
        files.rename(where / self.NAME)
        block = self.block.replace("/tmp/nginx-gateway", str(wiring.directory / "run"))  # noqa: S108 - the README's
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin",
            "GATEWAY_PROXY_SECRET": wiring.secret,
            "GATEWAY_URL": f"http://{wiring.gateway}",
            "GATEWAY_ADDRESS": wiring.gateway,
            "DEMO_URL": f"http://{wiring.demo}",
            "HOME": str(wiring.directory),
        }
        command = ["sh", "-ec", block]
        with running(command, wiring.port, cwd=wiring.directory, env=environment, start_new_session=True) as shell:
            yield
            end(shell)

    def replacing(self, wiring: Wiring) -> dict[str, str]:
        """Every way in which the files of this proxy spell an address of the README."""
        spelled = {old: old.replace("8080", str(wiring.port)) for old in ADDRESSES}
        for old, new in (("8000", wiring.gateway), ("8002", wiring.demo)):
            spelled |= {f"127.0.0.1:{old}": new, f"port_value: {old}": f"port_value: {new.rpartition(':')[2]}"}
        text = "".join(file.read_text() for file in (CONFIG / self.NAME).rglob("*") if file.is_file())
        return {old: new for old, new in spelled.items() if old in text}


CONFIG = Path(__file__).parents[2] / "config" / "proxies"


def end(shell: subprocess.Popen[bytes]) -> None:
    """The shell and what it started."""
    os.killpg(shell.pid, signal.SIGTERM)


@pytest.mark.parametrize("proxy", FAN, ids=[member.NAME for member in FAN])
def test_a_newcomer_gets_a_proxy_that_asks(proxy: ModuleType, cluster: Cluster) -> None:
    started = QuickStart(proxy)
    if why := started.missing():
        pytest.skip(why)
    with stand(started, cluster) as stood:
        stranger = stood.send("/", headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate"})
        assert stranger.status_code == 302
        assert stranger.headers["location"].startswith(f"{stood.portal}/login?")
        assert seen(stood.send("/", cookies=stood.cookie("bob"))).all("remote-user") == ["bob"]
        assert seen(stood.send("/public/", headers={"Remote-User": "evil"})).spelled_like("remote-user") in ([], [""])
