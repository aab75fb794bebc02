"""Traefik, from its wheel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.cli import children
from gateway.errors import CannotStart
from proxies.stand import Wiring, copied, running

NAME = "traefik"
STRIPS = False
"""Traefik removes whole headers only."""


def missing() -> str:
    try:
        children.traefik_binary()
    except CannotStart as error:
        return str(error)
    return ""


@contextmanager
def start(wiring: Wiring) -> Iterator[None]:
    files = copied("traefik", wiring, {"127.0.0.1:8080": f"127.0.0.1:{wiring.port}"})
    environment = {
        "GATEWAY_URL": f"http://{wiring.gateway}",
        "DEMO_URL": f"http://{wiring.demo}",
        "GATEWAY_PROXY_SECRET": wiring.secret,
    }
    command = [children.traefik_binary(), "--configFile=traefik.yaml"]
    with running(command, wiring.port, cwd=files, env=environment):
        yield
