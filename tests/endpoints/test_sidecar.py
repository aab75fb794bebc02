"""The door of hosts that are carried: which requests are for it, and what is said of failures, to whom."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn

import serving
from asking import Answer, Line, ask, question, request
from gateway.settings import Upstream
from relay import behind
from relay.behind import App, Met
from segments import turn
from serving import Served

HOST = ("Host", "photos.example.com")
APPS = """
apps:
  - name: photos
    hosts: [photos.example.com]
    upstream: {upstream}
    upgrades: [x-chat]
    rules:
      - {{path: /share/, policy: bypass}}
      - {{policy: one_factor}}
  - name: plain
    hosts: [plain.example.com]
    upstream: {upstream}
    rules: [{{policy: bypass}}]
  - name: asked
    hosts: [asked.example.com]
    rules: [{{policy: one_factor}}]
"""
PERSON = (("Accept", "text/html,*/*;q=0.8"), ("Sec-Fetch-Mode", "navigate"))
STOCK: dict[str, Any] = {"http": "httptools", "ws": "none", "proxy_headers": False, "access_log": False}


@pytest.fixture
def app() -> Iterator[App]:
    with behind.listening() as listening:
        yield listening


@pytest.fixture
def gateway(database: str, tmp_path: Path, app: App) -> Iterator[Served]:
    """One connection to the app at once."""
    chosen = serving.settings(tmp_path, upstream=Upstream(connections=1))
    with serving.serve(database, tmp_path, chosen, apps=APPS.format(upstream=app.upstream)) as served:
        served.user("alice", ["family"])
        yield served


@pytest.fixture
def cookie(gateway: Served) -> tuple[str, str]:
    return "Cookie", gateway.session("alice")[1]


def get(target: str = "/", *headers: tuple[str, str], method: str = "GET") -> bytes:
    return request(method, target, [HOST, *headers])


def answered(line: Line) -> Answer:
    answer = line.answer()
    assert answer is not None
    return answer


def on_loop(served: Served, work: Callable[[], object]) -> None:
    """Something is done where the gateway does it."""

    async def run() -> None:
        work()
        await turn()

    served.call(run())


def forget_rules(served: Served) -> None:
    """As when they have just changed."""
    on_loop(served, partial(setattr, served.gateway.cache, "policy", None))


# What is for this door --------------------------------------------------------------------------------------------


def test_one_connection_serves_questions_the_portal_and_apps_in_the_order_in_which_they_were_asked(
    gateway: Served, app: App, cookie: tuple[str, str]
) -> None:
    """All at once, with bodies before and behind: nobody's answer is another's."""
    asked = request("GET", "/auth/traefik", question("asked.example.com", accept=None))
    portal = request("GET", "/login", {"Host": "auth.example.com"})
    upload = get("/up", cookie, ("Content-Length", "4"), method="POST") + b"body"
    chunks = get("/up", cookie, ("Transfer-Encoding", "chunked"), method="POST") + b"4\r\nbody\r\n0\r\n\r\n"
    form = request("POST", "/login", [("Host", "auth.example.com"), ("Content-Length", "3")]) + b"a=b"
    order = [get("/1", cookie), asked, portal, upload, asked, get("/2", cookie), chunks, portal, get("/3"), form, asked]
    with Line(gateway.address) as line:
        line.send(b"".join(order))
        met: Met | None = None
        for target in (b"/1", b"/up", b"/2", b"/up"):
            met = met or app.met()
            head = met.head()
            assert head.split(b" ")[1] == target
            if b"Content-Length: 4" in head:
                assert met.body(4) == b"body"
            elif target == b"/up":
                assert met.until(b"0\r\n\r\n") == b"4\r\nbody\r\n0\r\n\r\n"
            met.answer(target)
        said = [answered(line) for _ in order]
    statuses = [answer.status for answer in said]
    assert statuses == [200, 401, 200, 200, 401, 200, 200, 200, 401, statuses[9], 401]
    assert [said[at].body for at in (0, 3, 5, 6)] == [b"/1", b"/up", b"/2", b"/up"]
    assert [b"<html" in answer.body for answer in said].count(True) >= 2
    assert statuses[9] in (400, 403)


def test_a_host_of_nobody_is_not_carried(gateway: Served, app: App, cookie: tuple[str, str]) -> None:
    for host in ("nobody.example.com", "photos.example.org", "127.0.0.1"):
        assert ask(gateway.address, request("GET", "/", [("Host", host), cookie])).status == 404
    assert app.is_left_alone()


@pytest.mark.parametrize("host", ["PHOTOS.example.com", "photos.example.com.", "photos.example.com:80"])
def test_other_spellings_of_a_host_are_that_host(gateway: Served, app: App, cookie: tuple[str, str], host: str) -> None:
    with Line(gateway.address) as line:
        line.send(request("GET", "/", [("Host", host), cookie]))
        met = app.met()
        assert f"\r\nHost: {host}\r\n".encode() in met.head()
        met.answer()
        assert answered(line).status == 200


def test_the_portal_is_never_carried(gateway: Served, app: App) -> None:
    for path in ("/", "/login", "/anything"):
        answer = ask(gateway.address, request("GET", path, {"Host": "auth.example.com"}))
        assert answer.status in (200, 302, 303, 404)
    forget_rules(gateway)
    assert ask(gateway.address, request("GET", "/login", {"Host": "auth.example.com"})).status == 200
    assert app.is_left_alone()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET http://photos.example.com/share/ HTTP/1.1\r\nHost: photos.example.com\r\n\r\n",
        b"GET /share/ HTTP/1.1\r\nHost: photos.example.com\r\nHost: photos.example.com\r\n\r\n",
        b"GET /share/ HTTP/1.1\r\nHost: photos.example.com\r\nhost: asked.example.com\r\n\r\n",
        b"GET /share/ HTTP/1.1\r\nHost: photos.example.com, asked.example.com\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: photos.example.com\r\n\r\n",
        b"CONNECT photos.example.com:80 HTTP/1.1\r\nHost: photos.example.com\r\n\r\n",
        b"GET /share/../x HTTP/1.1\r\nHost: photos.example.com\r\n\r\n",
        b"get /share/ HTTP/1.1\r\nHost: photos.example.com\r\n\r\n",
    ],
)
def test_a_request_that_could_be_for_somebody_else_is_refused(gateway: Served, app: App, sent: bytes) -> None:
    assert ask(gateway.address, sent).status in (400, 404)
    assert app.is_left_alone()


def test_while_the_rules_are_not_known_a_request_waits_for_them(
    gateway: Served, app: App, cookie: tuple[str, str]
) -> None:
    for sent in (get("/", cookie), get("/", cookie, ("Content-Length", "2"), method="POST") + b"ab"):
        forget_rules(gateway)
        with Line(gateway.address) as line:
            line.send(sent)
            met = app.met()
            assert b"\r\nremote-user: alice\r\n" in met.head()
            met.answer(b"it", b"HTTP/1.1 200 OK\r\nX: y\r\n")
            assert answered(line).body == b"it"
            met.close()
    assert gateway.gateway.cache.policy is not None


def test_under_another_server_nothing_is_carried(gateway: Served, app: App, cookie: tuple[str, str]) -> None:
    first = gateway.gateway
    stock = Served(first.settings, first.cache.ring, gateway.url)
    stock._server = uvicorn.Server(uvicorn.Config(stock.gateway, log_config=None, **STOCK))
    stock.start()
    try:
        answer = ask(stock.address, get("/", cookie))
        assert (answer.status, json.loads(answer.body)["code"]) == (501, "G141")
        assert ask(stock.address, request("GET", "/login", {"Host": "auth.example.com"})).status == 200
        assert ask(stock.address, request("GET", "/", {"Host": "nobody.example.com"})).status == 404
    finally:
        stock.stop()
    assert app.is_left_alone()


def test_who_rewrites_the_rules_moves_the_app(gateway: Served, app: App, cookie: tuple[str, str]) -> None:
    with Line(gateway.address) as line, behind.listening() as other:
        line.send(get("/", cookie))
        app.asked().answer(b"the first")
        assert answered(line).body == b"the first"
        gateway.policy(APPS.format(upstream=other.upstream))
        line.send(get("/", cookie))
        other.asked().answer(b"the other")
        assert answered(line).body == b"the other"


# Upstreams and upgrades -------------------------------------------------------------------------------------------


def test_an_app_may_listen_at_a_unix_socket(gateway: Served, tmp_path: Path, cookie: tuple[str, str]) -> None:
    path = tmp_path / "photos.sock"
    with socket.socket(socket.AF_UNIX) as listener, Line(gateway.address) as line:
        listener.bind(str(path))
        listener.listen()
        gateway.policy(APPS.format(upstream=f"unix:{path}"))
        line.send(get("/x", cookie))
        with listener.accept()[0] as connection:
            met = Met(connection)
            assert met.head().startswith(b"GET /x HTTP/1.1\r\nHost: photos.example.com\r\n")
            met.answer(b"by a socket")
            assert answered(line).body == b"by a socket"


def test_an_upstream_that_leads_back_is_a_loop_and_not_a_flood(gateway: Served, cookie: tuple[str, str]) -> None:
    host, port = gateway.address
    gateway.policy(APPS.format(upstream=f"http://{host}:{port}"))
    answer = ask(gateway.address, get("/share/", cookie))
    assert answer.status == 508


def test_an_upgrade_that_nobody_knows_is_an_ordinary_request(
    gateway: Served, app: App, cookie: tuple[str, str]
) -> None:
    for protocol in ("h2c", "TLS/1.0", "x-other"):
        with Line(gateway.address) as line:
            settings = ("HTTP2-Settings", "AAMAAABkAAQAAP__")
            line.send(get("/", cookie, ("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", protocol), settings))
            met = app.met()
            head = met.head().lower()
            assert b"upgrade" not in head
            assert b"http2" not in head
            met.answer(b"ordinary")
            assert answered(line).body == b"ordinary"
            met.close()


def test_an_app_is_offered_the_upgrades_that_it_names(gateway: Served, app: App, cookie: tuple[str, str]) -> None:
    with Line(gateway.address) as line:
        line.send(get("/", cookie, ("Connection", "upgrade"), ("Upgrade", "X-Chat")))
        met = app.met()
        assert b"\r\nConnection: Upgrade\r\nUpgrade: X-Chat\r\n" in met.head()
        met.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x-chat\r\nX: y\r\n\r\nhi")
        switched = line.answer(head=True)
        assert switched is not None
        assert (switched.status, switched["upgrade"]) == (101, "x-chat")
        line.send(b"hello\r\n")
        assert met.until(b"\r\n") == b"hello\r\n"
        met.send(b" there\r\n")
        while b"\r\n" not in line.left:
            line.left += line.socket.recv(100)
        assert line.left == b"hi there\r\n"


@pytest.mark.parametrize("host", ["plain.example.com", "photos.example.com"])
def test_an_app_that_switches_to_what_nobody_asked_for_is_a_502(
    gateway: Served, app: App, cookie: tuple[str, str], host: str
) -> None:
    with Line(gateway.address) as line:
        offered = [("Connection", "Upgrade"), ("Upgrade", "x-chat" if host.startswith("photos") else "x-other")]
        line.send(request("GET", "/", [("Host", host), cookie, *offered]))
        met = app.met()
        met.head()
        met.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x-evil\r\n\r\nEVIL")
        assert answered(line).status == 502
        assert met.ended()


# What is said of failures -----------------------------------------------------------------------------------------


def failing(what: str, gateway: Served, app: App, cookie: tuple[str, str], *headers: tuple[str, str]) -> Answer:
    """The answer, and nothing behind it."""
    with Line(gateway.address) as line, Line(gateway.address) as other:
        if what == "503":
            other.send(get("/busy", cookie))
            app.met().head()
        line.send(get("/secret-path?token=secret", cookie, *headers))
        if what == "502":
            met = app.met()
            met.head()
            met.close()
        elif what == "504":
            app.met().head()
            due = gateway.gateway.relay._due()
            on_loop(gateway, lambda: due.sweep(due._loop.time() + 301))
        return answered(line)


@pytest.mark.parametrize(("what", "code"), [("502", "G405"), ("503", "G420"), ("504", "G411")])
@pytest.mark.parametrize("person", [False, True], ids=["program", "person"])
def test_a_failure_is_told_in_the_way_of_who_asked_under_an_id_that_the_log_has(
    gateway: Served,
    app: App,
    cookie: tuple[str, str],
    caplog: pytest.LogCaptureFixture,
    what: str,
    code: str,
    person: bool,
) -> None:
    answer = failing(what, gateway, app, cookie, *(PERSON if person else [("Accept", "application/json")]))
    assert answer.status == int(what)
    assert (answer["cache-control"], len(answer.body)) == ("no-store", int(answer["content-length"]))
    (record,) = [record for record in caplog.records if record.name == "gateway.door"]
    told = vars(record)
    assert (told["code"], told["host"], told["request_id"]) == (code, "photos.example.com", answer["x-request-id"])
    assert "secret" not in str(told)
    if person:
        assert answer["content-type"].startswith("text/html")
        assert answer["x-request-id"].encode() in answer.body
        assert b"secret" not in answer.body
    else:
        assert answer["content-type"] == "application/problem+json"
        assert json.loads(answer.body)["code"] == code
    assert gateway.gateway.cache.policy is not None


def test_failures_are_counted_each_by_its_code(gateway: Served, app: App, cookie: tuple[str, str]) -> None:
    for what in ("502", "503", "502", "504"):
        failing(what, gateway, app, cookie)
        on_loop(gateway, gateway.gateway.relay.close)
    counted = ask(gateway.internal, request("GET", "/metrics")).body.decode()
    found = dict(re.findall(r'^gateway_\w*\{[^}]*code="(G4\d\d)"[^}]*\} (\d+)', counted, re.MULTILINE))
    assert {code: int(value) for code, value in found.items()} == {"G405": 2, "G420": 1, "G411": 1}


def test_a_failure_of_head_has_no_body(gateway: Served, app: App, cookie: tuple[str, str]) -> None:
    with Line(gateway.address) as line:
        line.send(get("/", cookie, method="HEAD"))
        met = app.met()
        met.head()
        met.close()
        answer = line.answer(head=True)
        assert answer is not None
        assert answer.status == 502
        line.send(get("/share/", ("Connection", "close")))
        app.asked().answer(b"next", b"HTTP/1.1 200 OK\r\nX: y\r\n")
        assert answered(line).body == b"next"


def test_what_an_app_says_itself_is_left_to_it(gateway: Served, app: App, cookie: tuple[str, str]) -> None:
    with Line(gateway.address) as line:
        met: Met | None = None
        for status in (b"401 Unauthorized", b"403 Forbidden", b"404 Not Found", b"500 Broken", b"503 Busy"):
            line.send(get("/", cookie, *PERSON))
            met = met or app.met()
            met.head()
            met.answer(b"its own words", b"HTTP/1.1 " + status + b"\r\nWWW-Authenticate: Basic\r\n")
            answer = answered(line)
            assert (answer.status, answer.body) == (int(status[:3]), b"its own words")
            assert answer["www-authenticate"] == "Basic"


def test_nothing_is_open_behind_an_exchange(gateway: Served, app: App, cookie: tuple[str, str]) -> None:
    opened = gateway.gateway.streams.open
    for what in ("502", "503", "504"):
        failing(what, gateway, app, cookie)
        on_loop(gateway, gateway.gateway.relay.close)
    with Line(gateway.address) as line:
        line.send(get("/", cookie))
        met = app.met()
        met.head()
        assert len(opened) == 1
        met.answer(b"", b"HTTP/1.1 200 OK\r\nX: y\r\n")
        answered(line)
        assert not opened
        line.send(get("/nobody"))
        assert answered(line).status == 401
        assert not opened


def test_a_judgement_that_breaks_is_a_no(
    gateway: Served,
    app: App,
    cookie: tuple[str, str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(gateway.gateway._doors.sidecar, "answer", broken)
    answer = ask(gateway.address, get("/share/", cookie))
    assert answer.status == 503
    assert app.is_left_alone()
    assert any(answer["x-request-id"] == vars(record).get("request_id") for record in caplog.records)
    assert "Traceback" not in answer.body.decode()
