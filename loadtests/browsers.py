"""One browser, as locust drives it: its cookie, its few connections, and what every answer to it must be.

Here: how requests are sent and judged, for any profile. Not here: which requests (``profiles``), who else asks
(``strangers``), or what a run reports (``reports``).
"""

from __future__ import annotations

import random
import time
from itertools import count
from typing import Any, ClassVar
from urllib.parse import urlsplit

import gevent
from direct import Question
from gevent.pool import Pool
from locust import FastHttpUser, task
from locust.exception import StopUser
from reports import start
from strangers import Asking, Mix
from waves import KINDS, Asset, Profile, Wave

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
    """A signed-in browser with connections of its own, on one app. Now and then a request is somebody else's."""

    abstract = True
    profile: ClassVar[Profile]
    connection_timeout = 10.0
    network_timeout = 60.0

    def __init__(self, environment: Any) -> None:
        chosen = environment.parsed_options
        self.host, self._name = address(environment.host or "")
        self._question = Question(urlsplit(chosen.ask).path, environment.secret) if chosen.ask else None
        if chosen.ask:
            self.host = address(chosen.ask)[0]
        self.concurrency = chosen.parallel
        super().__init__(environment)
        # For every request at once: locust's allow_redirects=False is put back while others are under way.
        self.client.client.redirect_response_codes = frozenset()
        self._pool = Pool(chosen.parallel)
        self._cookie = environment.cookies[next(_browsers) % len(environment.cookies)]
        self._mix = Mix(environment.keys, environment.expired, self.profile.public, environment.refusals, chosen.mix)
        self._visits = count(1)

    def on_stop(self) -> None:
        """What is still under way ends with the browser, and is counted."""
        self.environment.unanswered += len(self._pool)
        self._pool.kill()

    def on_start(self) -> None:
        """Nobody begins before all are there."""
        start.wait()

    @task
    def visit(self) -> None:
        """Opens the app with a cold cache, stays a while, opens it again; or closes it for good after the last visit."""
        for wave in self.profile.opening:
            self.together(wave)
        self.environment.opened += 1
        if next(self._visits) == self.environment.parsed_options.visits:
            self._close()
        for _ in range(self.profile.trickle.times):
            gevent.sleep(random.uniform(*self.profile.trickle.pause))
            self.together(self.profile.trickle.wave)

    def together(self, wave: Wave) -> None:
        """Ask for a whole wave, as much at once as there are connections; returns when all is answered."""
        gevent.joinall([self._pool.spawn(self.fetch, wave.name, asset, path) for asset, path in wave.requests()])

    def fetch(self, wave: str, asset: Asset, path: str) -> None:
        """One request, and whether its answer is one that was due, in the time that the page has for it."""
        asking = self._mix.asking(next(_requests), asset, self._name, self._cookie)
        name = f"other: {asking.who}" if asking.who else f"{wave}: {asset.kind}"
        began = time.monotonic()
        with self._send(asset, path, asking, name) as answer:
            if answer.status_code not in asking.due:
                due = " or ".join(map(str, sorted(asking.due)))
                answer.failure(f"{answer.status_code or answer.error}, where {due} was due")
            elif self.profile.patience and time.monotonic() - began > self.profile.patience:
                answer.failure(f"it took over {self.profile.patience:g} s, and the page had given up")
            else:
                answer.success()

    def _send(self, asset: Asset, path: str, asking: Asking, name: str) -> Any:
        said = _headers(asset, asking.host) | asking.headers
        if self._question:
            said = self._question.headers(asset, path, said)
            return self.client.request("GET", self._question.path, name=name, catch_response=True, headers=said)
        body = "{}" if asset.method == "POST" else None
        return self.client.request(asset.method, path, name=name, catch_response=True, headers=said, data=body)

    def _close(self) -> None:
        """For good; the run is over with the last browser."""
        self.environment.closed += 1
        if self.environment.closed == self.environment.parsed_options.num_users:
            gevent.spawn(self.environment.runner.quit)
        raise StopUser


def _headers(asset: Asset, host: str) -> dict[str, str]:
    kind = KINDS[asset.kind]
    said = {"Host": host, "Accept": kind.accept, "Sec-Fetch-Mode": kind.mode, "Sec-Fetch-Dest": kind.dest}
    said |= {"Sec-Fetch-Site": "none" if asset.kind == "html" else "same-origin"}
    return said | ({"Content-Type": "application/json"} if asset.method == "POST" else {})
