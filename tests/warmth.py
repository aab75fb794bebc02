"""Warm checks at the doors of a real gateway in this thread: no socket, no loop that runs, and no database to be asked.

Its memory is filled by hand and nothing is started, so whatever would wait, or ask, fails. ``python tests/warmth.py``
prints what each check is made of, for whoever tunes.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import click
import uvicorn
import uvloop
from uvicorn.server import ServerState

import samples
from asking import request
from counting import counted
from gateway import clocks, policy, tokens
from gateway.app import Gateway
from gateway.cache import Entry, Origin
from gateway.endpoints import express
from gateway.endpoints.doors import DOORS
from gateway.messages import plain
from gateway.model import App, Credential, Rule
from gateway.relay.upstream import Upstream
from serving import COOKIE, settings

SETTINGS, HOST = settings(Path("nowhere")), "app.example.com"
CARRIED, APP = "carried.example.com", "http://127.0.0.1:9"
_ANSWERED = {
    "Server": "app",
    "Date": "Fri, 27 Nov 2026 17:18:32 GMT",
    "Content-Type": "image/webp",
    "ETag": '"6b09bb60"',
}
_ANSWERED |= {"Content-Length": "2048", "Cache-Control": "private, max-age=86400", "Accept-Ranges": "bytes"}
ANSWER = b"HTTP/1.1 200 OK\r\n" + "".join(f"{name}: {value}\r\n" for name, value in _ANSWERED.items()).encode()
ANSWER += b"\r\n" + 2048 * b"x"
RULES = (Rule("deny", path="/internal/"), Rule("bypass", path="/public/"), Rule("one_factor"))
PROXY = {"Accept-Encoding": "gzip, deflate, br", "Accept-Language": "en-US,en;q=0.5", "X-Forwarded-For": "203.0.113.9"}
PROXY |= {"X-Forwarded-Port": "443", "X-Forwarded-Server": "proxy", "X-Real-Ip": "203.0.113.9"}
PAGE = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
PROGRAM = {"Accept": "application/json", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors"}
_numbers = count(100_000)
"""No two checks of this process ask the same, whichever world they are of: answers are remembered beyond one, too."""


class Case(NamedTuple):
    """A kind of check, and its answer. ``new``: its head, too, is like no other; its path always is."""

    status: int = 200
    shows: str = "session"
    under: str = "/photos/"
    sent: dict[str, str] = PAGE
    new: bool = False
    dialect: str = "traefik"
    asgi: bool = False


class Wire:
    """A transport that keeps what was written last, and can do nothing else: handing over to uvicorn fails."""

    def __init__(self) -> None:
        self.written = deque[bytes](maxlen=1)
        self.write = self.written.append

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return {"sockname": ("127.0.0.1", 8000), "peername": ("127.0.0.1", 50000)}[name]


class Plug(Wire):
    """A transport that two protocols hand to one another."""

    def __init__(self, protocol: Any) -> None:
        super().__init__()
        self.protocol = protocol
        self.handed = 0

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol
        self.handed += 1

    def get_protocol(self) -> Any:
        return self.protocol


class World:
    """A gateway that knows one app, so many others with so many rules each, and so many sessions of others."""

    def __init__(self, apps: int = 1, rules: int = 2, sessions: int = 9) -> None:
        self.gateway = Gateway(SETTINGS, samples.RING, "", "")
        self._learn(apps, rules, sessions)
        self.shown = {"": {}, "session": self._session(), "key": self._key()}
        self.wire, self.messages = Wire(), deque[dict[str, Any]](maxlen=2)
        self.state = ServerState()
        self.state.default_headers = [(b"date", b"Wed, 25 Nov 2026 07:53:18 GMT")]
        self.loop = uvloop.new_event_loop()  # as the server: it is in C, so what it does is not counted
        self.protocol = self.loop.run_until_complete(self._connect())

    def close(self) -> None:
        self.protocol.connection_lost(None)
        self.loop.close()

    def rest(self) -> None:
        """Let the loop do what it was left to do."""
        self.loop.run_until_complete(asyncio.sleep(0))

    def warm(self, case: Case) -> Callable[[], None]:
        """One such check, ready to be made, behind others like it."""
        for _ in range(3):
            self.ready(case)()
        return self.ready(case)

    def ready(self, case: Case) -> Callable[[], None]:
        """One such check, ready to be made."""
        data = _question(case, next(_numbers), self.shown[case.shows])
        if not case.asgi:
            return partial(self._give, data)
        message = plain.read(data)
        assert message is not None
        scope = {
            "type": "http",
            "method": message.method,
            "raw_path": message.target,
            "query_string": b"",
            "headers": message.headers,
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8000),
        }
        return partial(self._ask, scope)

    def carried(self) -> Callable[[], None]:
        """A request for a host that is carried, and the app's answer, both ways to the end; ready to be made."""
        return self.loop.run_until_complete(self._carrying())

    async def _carrying(self) -> Callable[[], None]:
        pool = self.gateway.relay.pools[APP]
        upstream, client = Upstream(pool, ()), Plug(self.protocol)
        app = Plug(upstream)
        upstream.connection_made(app)  # type: ignore[arg-type]  # all of a transport that is used here
        pool.back(upstream)
        self.protocol.transport = client  # type: ignore[assignment]  # likewise

        def exchange() -> None:
            uri, shown = f"/photos/{next(_numbers)}?size=preview", self.shown["session"]
            client.protocol.data_received(request("GET", uri, {"Host": CARRIED, **PAGE, **shown}))
            self.protocol.outbox.flush()
            upstream.data_received(ANSWER)
            self.protocol.outbox.flush()
            assert app.written[0].startswith(b"GET /photos/")
            assert client.written[0].endswith(ANSWER[-100:])
            assert client.handed == 1  # for good: it costs four calls of the system for each request otherwise

        for _ in range(3):
            exchange()
        return exchange

    def status(self, case: Case) -> int:
        """What was answered last."""
        return int(self.messages[0]["status"] if case.asgi else self.wire.written[0].split(b" ")[1])

    def answers(self) -> int:
        """How many the server counted."""
        return self.state.total_requests

    def _give(self, data: bytes) -> None:
        """A turn of the event loop."""
        self.protocol.data_received(data)
        self.protocol.outbox.flush()

    def _ask(self, scope: dict[str, Any]) -> None:
        """To its end in one go: whoever waits for anything is found out."""
        self.messages.clear()
        waiting = self.gateway(scope, _receive, self._send)
        try:
            waiting.send(None)
        except StopIteration:
            return
        waiting.close()
        raise AssertionError("a warm check waited")

    async def _send(self, message: dict[str, Any]) -> None:
        assert len(self.messages) < 2
        self.messages.append(message)

    async def _connect(self) -> express.ExpressProtocol:
        config = uvicorn.Config(self.gateway, **express.options())
        made = express.ExpressProtocol(config, self.state, {DOORS: self.gateway._doors})
        made.connection_made(self.wire)  # type: ignore[arg-type]
        return made

    def _learn(self, apps: int, rules: int, sessions: int) -> None:
        others = [
            App(f"other{number}", "", (f"other{number}.example.com",), tuple(_rules(number, rules)))
            for number in range(apps)
        ]
        cache, moment = self.gateway.cache, clocks.moment()
        cache.heard(moment.now + 86_400, moment.wall - moment.now)
        every = [*others, App("app", "The app", (HOST,), RULES), App("carried", "", (CARRIED,), RULES, APP)]
        assert cache.put_policy(policy.compile_policy(1, [(1, app) for app in every]), 0)
        for number in range(sessions):
            self._put("session", secrets.token_bytes(32), f"other{number}", number + 2)

    def _session(self) -> dict[str, str]:
        token = tokens.mint(samples.RING, "session", tokens.NEVER)
        self._put("session", samples.credential(token).digest, "alice", 1)
        return {"Cookie": f"theme=dark; {COOKIE}={token}"}

    def _key(self) -> dict[str, str]:
        token = samples.api_key(tokens.NEVER)
        self._put("api_key", samples.credential(token).digest, "alice", 1)
        return {"X-Api-Key": token}

    def _put(self, kind: str, digest: bytes, name: str, row: int) -> None:
        origin = Origin(kind, samples.person(name), (("user", name), ("group", "1")))
        assert self.gateway.cache.put(Credential(kind, digest), Entry(origin, row), 0)


def _rules(app: int, rules: int) -> list[Rule]:
    return [Rule("bypass", path=f"/{app}/{number}/") for number in range(rules)]


def _question(case: Case, number: int, shown: dict[str, str]) -> bytes:
    """As this caller writes it. What differs from one to the next is as long as in all others."""
    uri = f"{case.under}{number}?size=preview"
    agent = f"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/{number if case.new else 0:06}"
    target, original = f"/auth/{case.dialect}", {"Host": "127.0.0.1:8000"}
    if case.dialect == "nginx":
        original |= {"X-Original-URL": f"https://{HOST}{uri}", "X-Original-Method": "GET"}
    elif case.dialect == "envoy":
        target, original = target + uri, {"Host": HOST, "X-Forwarded-Proto": "https"}
    else:
        original |= {"X-Forwarded-Method": "GET", "X-Forwarded-Proto": "https"}
        original |= {"X-Forwarded-Host": HOST, "X-Forwarded-Uri": uri}
    return request("GET", target, {**original, "User-Agent": agent, **PROXY, **case.sent, **shown})


async def _receive() -> dict[str, Any]:
    raise AssertionError("a check reads no body")


_FETCH = Case(sent=PROGRAM)
_KINDS = {
    "session": Case(),
    "session, ASGI": Case(asgi=True),
    "key": _FETCH._replace(shows="key"),
    "bypass": Case(shows="", under="/public/"),
    "deny": _FETCH._replace(status=403, under="/internal/"),
    "challenge 401": _FETCH._replace(status=401, shows=""),
    "challenge 302": Case(302, shows=""),
}
CASES = {
    **_KINDS,
    **{f"{name}, new head": case._replace(new=True) for name, case in _KINDS.items()},
    **{f"session, {name}": Case(dialect=name) for name in ("caddy", "haproxy", "nginx", "envoy")},
    **{f"session, {name}, ASGI": Case(dialect=name, asgi=True) for name in ("nginx", "envoy")},
}


def show() -> None:
    """The table."""
    world = World()
    try:
        click.echo(f"{'a warm check':<30}{'bytecodes':>10}{'calls':>8}{'builtins':>10}{'coroutines':>12}")
        for name, case in CASES.items():
            work = counted(world.warm(case))
            click.echo(f"{name:<30}{work.bytecodes:>10}{work.calls:>8}{work.builtins:>10}{work.coroutines:>12}")
        work = counted(world.carried())
        click.echo(f"{'carried':<30}{work.bytecodes:>10}{work.calls:>8}{work.builtins:>10}{work.coroutines:>12}")
    finally:
        world.close()


if __name__ == "__main__":
    show()
