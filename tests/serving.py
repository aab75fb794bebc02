"""The whole gateway on a real uvicorn and a real socket, in a thread of the test process, on a database of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar

import uvicorn

from asking import Answer, ask, question, request
from gateway import appsfile
from gateway.app import Gateway
from gateway.endpoints import express
from gateway.services import api_keys, apply, sessions, users
from gateway.settings import Server, Session, Settings, Trust
from gateway.storage import fence, migrate, ringfile
from gateway.tokens import Ring

T = TypeVar("T")
PASSWORD = "correct horse battery"
COOKIE = "__Secure-gateway_session"
PORTAL_COOKIE = "__Host-gateway_portal"
APPS = """
apps:
  - name: app
    title: The app
    hosts: [app.example.com]
    rules:
      - {path: /internal, policy: deny}
      - {path: /public/, policy: bypass}
      - {path_exact: /health, policy: bypass}
      - {policy: one_factor}
  - name: admin
    hosts: [admin.example.com]
    rules: [{policy: one_factor, groups: [admins]}]
  - name: pub
    hosts: [pub.example.com]
    rules: [{policy: bypass}]
  - name: deep
    hosts: ["*.deep.example.com"]
    rules: [{policy: two_factor}]
"""
"""The fixture of the conformance cases, and an app that wants a second factor."""


def settings(directory: Path, **sections: Any) -> Settings:
    """Settings as a test wants them: loopback is a trusted proxy, the portal is auth.example.com."""
    server = Server(portal_url="https://auth.example.com", data_dir=directory, keys_file=directory / "keys.json")
    given: dict[str, Any] = {
        "server": server,
        "trust": Trust(proxies=(ip_network("127.0.0.1"),)),
        "session": Session(cookie_domain=("example.com",)),
    }
    return replace(Settings(), **(given | sections))


class Served:
    """A gateway that answers at ``address``; ``gateway`` is the object, to be looked at, not to be called."""

    def __init__(self, chosen: Settings, ring: Ring, url: str) -> None:
        self.url = url
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._internal = socket.socket()
        self._internal.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self.internal: tuple[str, int] = self._internal.getsockname()
        self.gateway = Gateway(chosen, ring, url, url, internal=self.internal)
        self._server = uvicorn.Server(uvicorn.Config(self.gateway, **express.options()))
        self._thread = threading.Thread(target=self._run, name="gateway under test")
        self._up = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> Served:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the gateway did not start"
            self._up.wait(0.005)
        return self

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(15)
        assert not self._thread.is_alive(), "the gateway did not stop"

    def _run(self) -> None:
        async def serve() -> None:
            self.loop = asyncio.get_running_loop()
            await self._server.serve([self._listener, self._internal])

        asyncio.run(serve())

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` on the server's own event loop: a use case, as a page would run it."""
        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    # What tests do most ----------------------------------------------------------------------------------------------

    def user(self, name: str, groups: Sequence[str] = (), **more: Any) -> int:
        """A user that has been heard of: adding one waits for nobody, and what is heard later makes memory forget."""
        number = self.call(users.add(self.gateway.ground, "test", name, PASSWORD, groups, **more))
        self.heard()
        return number

    def heard(self) -> None:
        """Once the gateway has heard of everything committed so far."""
        assert self.call(fence.raise_fence(self.gateway.store, self.gateway.ground.acks)) == ()

    def session(self, name: str, seconds: float = 3600.0) -> tuple[int, str]:
        """An app session of ``name``, heard of but not yet in memory: its id, and the Cookie header that presents it."""
        domain = self.gateway.signin.limits.audience
        number, token = self.call(sessions.create(self.gateway.ground, "test", name, seconds, domain))
        self.heard()
        return number, f"{COOKIE}={token}"

    def key(self, name: str, apps: Sequence[str] | None = None) -> tuple[int, str]:
        """An API key of ``name``, heard of as a session is: its id, and the key."""
        made = self.call(api_keys.create(self.gateway.ground, "test", name, "", apps))
        self.heard()
        return made

    def policy(self, text: str) -> None:
        wanted = appsfile.read(text, "apps.yaml", portal_host=self.gateway.settings.portal_host)
        self.call(apply.apply(self.gateway.ground, "test", text, wanted))

    def check(self, host: str = "app.example.com", uri: str = "/", **how: Any) -> Answer:
        """One question as Traefik asks it, on a fresh connection."""
        return ask(self.address, request("GET", "/auth/traefik", question(host, uri, **how)))

    def queries(self) -> dict[str, int]:
        """Statements sent so far, by room."""
        return dict(self.gateway.store.queries)


@contextmanager
def serve(url: str, directory: Path, chosen: Settings | None = None, *, apps: str | None = APPS) -> Iterator[Served]:
    """A gateway on the database ``url``, with ``apps`` applied."""
    chosen = chosen or settings(directory)
    with migrate.connect(url) as connection:
        ring = ringfile.open_ring(chosen.server.keys_file, connection)
    served = Served(chosen, ring, url).start()
    try:
        if apps is not None:
            served.policy(apps)
        yield served
    finally:
        served.stop()
