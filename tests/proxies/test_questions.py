"""How Caddy and Envoy ask, and what they make of an answer: between two programs that record, no gateway among them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from asking import Answer, ask
from processes import free_port
from proxies import caddy, envoy
from proxies.attacks import HOST, OPENS, get
from proxies.recorder import ANSWER, CLOSE, Arrived, Recorder, recorder
from proxies.stand import SECRET, Wiring

STATUSES = (200, 201, 202, 204, 206, 301, 302, 303, 307, 400, 401, 403, 404, 407, 418, 429, 500, 502, 503, 504)
ASKED_ABOUT = (
    "/",
    "//",
    "/a%2Fb//c;d=e/%7Ef/",
    "/x?redirect=%2Fbar&y=%zz&/../z",
    "/%E2%82%AC?",
    "/a+b%20c",
    "/.gatewayx/",
)


class Between(NamedTuple):
    """A proxy, the app behind it and the gateway beside it."""

    proxy: Any
    address: tuple[str, int]
    app: Recorder
    gateway: Recorder

    def send(self, head: str) -> tuple[Answer, list[Arrived], list[Arrived]]:
        """The answer, what the gateway was asked for it, and what the app received."""
        asked, arrived = len(self.gateway.arrived), len(self.app.arrived)
        answer = ask(self.address, f"{head}\r\n\r\n".encode())
        return answer, self.gateway.arrived[asked:], self.app.arrived[arrived:]


@pytest.fixture(scope="module", params=[caddy, envoy], ids=["caddy", "envoy"])
def running(request: pytest.FixtureRequest) -> Iterator[Between]:
    proxy: Any = request.param
    if why := proxy.missing():
        pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="gw-between-") as directory, recorder() as app, recorder() as gateway:
        wiring = Wiring(free_port(), gateway.address, app.address, SECRET, Path(directory))
        with proxy.start(wiring):
            yield Between(proxy, ("127.0.0.1", wiring.port), app, gateway)


@pytest.fixture
def between(running: Between) -> Between:
    """The gateway says yes unless a test has it say something else."""
    running.gateway.answer = ANSWER
    return running


@pytest.mark.parametrize("target", ASKED_ABOUT)
def test_the_gateway_is_asked_about_the_bytes_that_the_app_receives(between: Between, target: str) -> None:
    _, (asked,), (arrived,) = between.send(get(target, method="PUT"))
    if between.proxy is envoy:
        told = (asked.method, asked.values("host"), asked.target.removeprefix("/auth/envoy"))
    else:
        assert (asked.method, asked.target.removesuffix("?")) == ("GET", "/auth/caddy")
        (method,), (uri,) = asked.values("x-forwarded-method"), asked.values("x-forwarded-uri")
        told = (method, asked.values("x-forwarded-host"), uri)
    assert told == ("PUT", [HOST], target) == (arrived.method, arrived.values("host"), arrived.target)


def test_a_question_says_who_asks_and_where_the_visitor_connects_from(between: Between) -> None:
    forged = (
        "X-Gateway-Secret: guess",
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-Proto: https",
        "Remote-User: evil",
    )
    _, (asked,), (arrived,) = between.send(get("/", *forged))
    wanted = {"x-gateway-secret": [SECRET], "x-forwarded-for": ["127.0.0.1"], "x-forwarded-proto": ["http"]}
    assert {name: asked.values(name) for name in wanted} == wanted
    assert asked.values("remote-user") == arrived.values("x-gateway-secret") == []
    assert "203.0.113.9" not in str(arrived.headers)


@pytest.mark.parametrize(
    "header",
    [
        "Cookie: a=1; gateway_session=x",
        "Authorization: Basic YTpi",
        "X-Api-Key: gwk_x",
        "Accept: text/html",
        "Origin: http://evil.localhost",
        "X-Requested-With: XMLHttpRequest",
        "Access-Control-Request-Method: DELETE",
        "Sec-Fetch-Mode: cors",
        "Sec-Fetch-Site: same-origin",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13",
    ],
)
def test_a_question_carries_what_the_gateway_decides_by(between: Between, header: str) -> None:
    _, (asked,), _ = between.send(get("/", header))
    name, _, value = header.partition(": ")
    assert asked.values(name.lower()) == [value]


def test_a_handshake_is_asked_about_as_one(between: Between) -> None:
    """By its marks or by its Upgrade, or the gateway would not look at the Origin."""
    _, (asked,), (arrived,) = between.send(get("/ws", "Connection: Upgrade", OPENS))
    assert asked.values("sec-websocket-key")
    assert asked.values("upgrade") == (["websocket"] if between.proxy is caddy else [])
    assert arrived.values("upgrade") == ["websocket"]


def test_what_the_gateway_says_of_a_person_reaches_the_app_and_nothing_else_does(between: Between) -> None:
    said = (
        "Remote-User: alice\r\nRemote-Groups: a,b\r\nRemote-Name:\r\nX-Other: y\r\nSet-Cookie: c=d\r\nCookie: e=f\r\n"
    )
    between.gateway.answer = f"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{said}\r\n".encode()
    answer, _, (arrived,) = between.send(get("/", "Remote-Email: evil", "Remote-Name: evil"))
    assert (arrived.values("remote-user"), arrived.values("remote-groups")) == (["alice"], ["a,b"])
    assert "".join(arrived.values("remote-name") + arrived.values("remote-email")) == ""
    assert arrived.values("x-other") == arrived.values("cookie") == answer.all("set-cookie") == []


@pytest.mark.parametrize("status", STATUSES)
def test_nothing_but_a_yes_lets_in(between: Between, status: int) -> None:
    length = "" if status == 204 else "Content-Length: 0\r\n"
    between.gateway.answer = (
        f"HTTP/1.1 {status} X\r\n{length}Location: http://auth.gateway.localhost/login\r\n\r\n".encode()
    )
    answer, _, arrived = between.send(get("/public/"))
    if status == 200 or (between.proxy is caddy and status < 300):
        assert len(arrived) == 1
    else:
        assert arrived == []
        assert answer.status == (503 if between.proxy is envoy and status >= 500 else status)
        assert answer.all("location") or answer.status == 503


@pytest.mark.parametrize(
    "broken", [b"", b"HTTP/1.1 200", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
)
def test_an_answer_that_cannot_be_read_lets_nobody_in(between: Between, broken: bytes) -> None:
    between.gateway.answer = broken + CLOSE
    answer, _, arrived = between.send(get("/public/"))
    assert (answer.status >= 500, arrived) == (True, [])


@pytest.mark.parametrize("member", [caddy, envoy], ids=["caddy", "envoy"])
def test_a_gateway_that_does_not_listen_lets_nobody_in(member: Any, tmp_path: Path) -> None:
    if why := member.missing():
        pytest.skip(why)
    with recorder() as app:
        wiring = Wiring(free_port(), f"127.0.0.1:{free_port()}", app.address, SECRET, tmp_path)
        with member.start(wiring):
            for target in ("/", "/public/", "/.gateway/x"):
                assert ask(("127.0.0.1", wiring.port), f"{get(target)}\r\n\r\n".encode()).status in (502, 503)
        assert app.arrived == []
