"""One browser, as locust drives it: its cookie, its few connections, and what every answer to it must be.

Here: how requests are sent and judged, for any profile. Not here: which requests (``profiles``), or what a run reports
(``reports``).
"""

from __future__ import annotations

from itertools import count
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent.pool import Pool
from locust import FastHttpUser
from profiles import EVERY, KINDS, Asset, Wave

_requests = count(1)
_browsers = count()


def address(host: str) -> tuple[str, str]:
    """Where to connect, and what to say in Host. Names under .localhost are this machine (RFC 6761 section 6.3), but not
    every resolver knows."""
    parts = urlsplit(host)
    name, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    if not name:
        raise SystemExit(f"--host must be a URL such as http://actual.gateway.localhost:8080, not {host}")
    here = "127.0.0.1" if f".{name}".endswith(".localhost") else name
    return f"{parts.scheme}://{here}{port}", f"{name}{port}"


class Browser(FastHttpUser):
    """A signed-in browser with connections of its own. Every hundredth request is sent as a stranger."""

    abstract = True
    connection_timeout = 10.0
    network_timeout = 30.0

    def __init__(self, environment: Any) -> None:
        self.host, self._name = address(environment.host or "")
        self.concurrency = parallel = environment.parsed_options.parallel
        super().__init__(environment)
        # For every request at once: locust's allow_redirects=False is put back while others are under way.
        self.client.client.redirect_response_codes = frozenset()
        self._pool = Pool(parallel)
        self._cookie = environment.cookies[next(_browsers) % len(environment.cookies)]

    def on_stop(self) -> None:
        """What is still under way ends with the browser."""
        self._pool.kill()

    def together(self, wave: Wave) -> None:
        """Ask for a whole wave, as much at once as there are connections; returns when all is answered."""
        gevent.joinall([self._pool.spawn(self.fetch, wave.name, asset, path) for asset, path in wave.requests()])

    def fetch(self, wave: str, asset: Asset, path: str) -> None:
        """One request, and whether its answer is the one that was due."""
        number = next(_requests)
        strange = number % EVERY == 0
        due = 200 if not strange else 302 if asset.kind == "html" else 401
        cookie = self._cookie if not strange else forged(self._cookie) if number % (2 * EVERY) else ""
        name = f"{wave}: {asset.kind}" if not strange else "strangers"
        sent = {"headers": self._headers(asset, cookie), "data": "{}" if asset.method == "POST" else None}
        with self.client.request(asset.method, path, name=name, catch_response=True, **sent) as answer:
            if answer.status_code == due:
                answer.success()
            else:
                answer.failure(f"{answer.status_code or answer.error}, where {due} was due")

    def _headers(self, asset: Asset, cookie: str) -> dict[str, str]:
        kind = KINDS[asset.kind]
        said = {"Host": self._name, "Accept": kind.accept, "Sec-Fetch-Mode": kind.mode, "Sec-Fetch-Dest": kind.dest}
        said |= {"Sec-Fetch-Site": "none" if asset.kind == "html" else "same-origin"}
        said |= {"Content-Type": "application/json"} if asset.method == "POST" else {}
        return said | ({"Cookie": cookie} if cookie else {})


def forged(cookie: str) -> str:
    """The same cookie with its last sign changed: well formed, and nobody's."""
    return cookie[:-1] + ("A" if cookie[-1] != "A" else "B")
