"""Pages of other origins, and WebSocket handshakes, at hosts that the gateway carries: what reaches the app, and what a
browser is told instead.

Browsers let any page open a WebSocket with our cookies (RFC 6455 section 10.2), and send preflights without any (Fetch
standard); a redirect is no answer to either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

import serving
from asking import Answer, Line, request
from databases import Cluster
from gateway import handshakes
from relay import behind
from relay.behind import App, Met

APPS = """
apps:
  - name: photos
    hosts: [photos.example.com]
    upstream: {upstream}
    rules: [{{policy: one_factor}}]
  - name: shared
    hosts: [shared.example.com]
    upstream: {upstream}
    preflight: pass
    origins: [https://dashboard.example.com]
    rules: [{{policy: one_factor}}]
"""
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", "13"),
]
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
ACCEPT = b"Sec-WebSocket-Accept: " + handshakes.accept(KEY.encode()) + b"\r\n"
CLOSE = b"Connection: close\r\n"
LAST = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + CLOSE
"""The next request comes by a new connection."""
PREFLIGHT = [("Origin", "https://dashboard.example.com"), ("Access-Control-Request-Method", "PUT")]
Pairs = list[tuple[str, str]]


class Stand(NamedTuple):
    """A gateway behind a proxy that ends TLS, the app behind it, and alice's cookie."""

    address: tuple[str, int]
    app: App
    cookie: str

    def line(self, headers: Pairs, host: str = "photos", method: str = "GET", *, cookie: bool = True) -> Line:
        """A new connection over which this was asked."""
        always = [("Host", f"{host}.example.com"), ("X-Forwarded-Proto", "https")]
        shown = [("Cookie", self.cookie)] if cookie else []
        line = Line(self.address)
        line.send(request(method, "/x", always + shown + headers))
        return line

    def refused(self, headers: Pairs, host: str = "photos", method: str = "GET", *, cookie: bool = True) -> Answer:
        """The answer to what never reaches the app."""
        with self.line(headers, host, method, cookie=cookie) as line:
            answer = line.answer()
        assert answer is not None
        assert self.app.is_left_alone()
        return answer


@pytest.fixture(scope="module")
def stand(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    directory = tmp_path_factory.mktemp("origins")
    with (
        behind.listening() as app,
        cluster.database() as url,
        serving.serve(url, directory, apps=APPS.format(upstream=app.upstream)) as served,
    ):
        served.user("alice")
        yield Stand(served.address, app, served.session("alice")[1])


def lines(head: bytes, name: bytes) -> list[bytes]:
    """The values of a header in a head, line by line."""
    pairs = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    return [value.strip() for key, _, value in pairs if key.lower() == name]


def switched(line: Line, met: Met, more: bytes = b"") -> bytes:
    """The app's 101, as the client has it."""
    met.send(SWITCHED + ACCEPT + more + b"\r\n")
    head = Met(line.socket).head()
    assert head.startswith(b"HTTP/1.1 101 "), head
    return head


# Handshakes -----------------------------------------------------------------------------------------------------------


def test_a_handshake_reaches_the_app_and_its_choice_of_a_subprotocol_comes_back_once(stand: Stand) -> None:
    asked = [*UPGRADE, ("Origin", "https://photos.example.com"), ("Sec-WebSocket-Protocol", "one, two")]
    with stand.line([*asked, ("Sec-WebSocket-Protocol", "three"), ("Sec-WebSocket-Extensions", "x-odd; a=1")]) as line:
        met = stand.app.met()
        sent = met.head()
        assert lines(sent, b"sec-websocket-key") == [KEY.encode()]
        assert lines(sent, b"sec-websocket-version") == [b"13"]
        assert lines(sent, b"sec-websocket-protocol") == [b"one, two", b"three"]
        assert lines(sent, b"sec-websocket-extensions") == [b"x-odd; a=1"]
        assert lines(sent, b"origin") == [b"https://photos.example.com"]
        head = switched(line, met, b"Sec-WebSocket-Protocol: three\r\nSec-WebSocket-Extensions: x-odd\r\nX-Own: 1\r\n")
        assert lines(head, b"sec-websocket-protocol") == [b"three"]
        assert lines(head, b"sec-websocket-extensions") == [b"x-odd"]
        assert lines(head, b"sec-websocket-accept") == [handshakes.accept(KEY.encode())]
        assert lines(head, b"upgrade") == [b"websocket"]
        assert lines(head, b"x-own") == [b"1"]
        met.send(b"\x81\x02hi")
        assert Met(line.socket).body(4) == b"\x81\x02hi"


def test_an_app_that_chooses_no_subprotocol_is_not_helped(stand: Stand) -> None:
    with stand.line([*UPGRADE, ("Sec-WebSocket-Protocol", "one")]) as line:
        met = stand.app.met()
        met.head()
        assert lines(switched(line, met), b"sec-websocket-protocol") == []


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.org",
        "https://photos.example.com.evil.org",
        "https://example.com",
        "https://other.example.com",
        "https://photos.example.com:8443",
        "http://photos.example.com",
        "https://dashboard.example.com",
        "HTTPS://photos.example.com",
        "null",
        "",
    ],
)
def test_a_page_of_another_origin_opens_nothing(stand: Stand, origin: str) -> None:
    for way in (UPGRADE, UPGRADE[2:], [("Sec-Fetch-Mode", "websocket")]):
        answer = stand.refused([*way, ("Origin", origin)])
        assert (answer.status, answer.all("location")) == (403, [])


def test_an_origin_that_the_app_names_may_open_it(stand: Stand) -> None:
    with stand.line([*UPGRADE, ("Origin", "https://dashboard.example.com")], "shared") as line:
        met = stand.app.met()
        met.head()
        switched(line, met)
    assert stand.refused([*UPGRADE, ("Origin", "https://evil.org")], "shared").status == 403


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
def test_a_handshake_of_a_stranger_is_told_so_and_not_sent_elsewhere(stand: Stand, accept: str) -> None:
    asked = [*UPGRADE, ("Origin", "https://photos.example.com"), ("Accept", accept), ("Sec-Fetch-Mode", "websocket")]
    answer = stand.refused(asked, cookie=False)
    assert (answer.status, answer.all("location"), answer.all("upgrade")) == (401, [], [])


def test_a_key_without_an_upgrade_is_an_ordinary_request(stand: Stand) -> None:
    with stand.line([("Sec-WebSocket-Key", KEY), ("Sec-WebSocket-Version", "13")]) as line:
        met = stand.app.met()
        assert lines(met.head(), b"upgrade") == []
        met.answer(b"no socket", LAST)
        answer = line.answer()
    assert answer is not None
    assert (answer.status, answer.body) == (200, b"no socket")


@pytest.mark.parametrize(
    "more",
    [
        b"",
        b"Sec-WebSocket-Accept: " + handshakes.accept(b"AAAAAAAAAAAAAAAAAAAAAA==") + b"\r\n",
        ACCEPT + ACCEPT,
        ACCEPT.replace(b"Accept: ", b"Accept: x"),
    ],
)
def test_a_switch_without_the_right_proof_is_none(stand: Stand, more: bytes) -> None:
    with stand.line(UPGRADE) as line:
        met = stand.app.met()
        met.head()
        met.send(SWITCHED + more + b"\r\n\x81\x02hi")
        answer = line.answer()
        assert answer is not None
        assert answer.status == 502
        assert met.ended()


def test_an_app_that_switches_unasked_is_not_followed(stand: Stand) -> None:
    with stand.line([]) as line:
        met = stand.app.met()
        met.head()
        met.send(SWITCHED + ACCEPT + b"\r\n\x81\x02hi")
        answer = line.answer()
        assert answer is not None
        assert answer.status == 502


def test_an_app_may_refuse_a_handshake_in_its_own_words(stand: Stand) -> None:
    with stand.line(UPGRADE) as line:
        met = stand.app.met()
        met.head()
        met.answer(b"not now", b"HTTP/1.1 409 Conflict\r\nX-Own: 1\r\n" + CLOSE)
        answer = line.answer()
    assert answer is not None
    assert (answer.status, answer.body) == (409, b"not now")


# Pages that ask across origins ----------------------------------------------------------------------------------------


def test_a_preflight_is_a_stranger_s_request_unless_the_app_says_otherwise(stand: Stand) -> None:
    answer = stand.refused(PREFLIGHT, method="OPTIONS", cookie=False)
    assert (answer.status, answer.all("location")) == (401, [])
    assert not [name for name, _ in answer.headers if name.startswith("access-control-")]


def test_a_preflight_that_may_pass_is_answered_by_the_app(stand: Stand) -> None:
    with stand.line(PREFLIGHT, "shared", "OPTIONS", cookie=False) as line:
        met = stand.app.met()
        sent = met.head()
        assert sent.startswith(b"OPTIONS /x HTTP/1.1\r\n")
        assert lines(sent, b"remote-user") in ([], [b""])
        granted = b"Access-Control-Allow-Origin: https://dashboard.example.com\r\n\r\n"
        met.send(b"HTTP/1.1 204 No Content\r\n" + CLOSE + granted)
        answer = line.answer()
    assert answer is not None
    assert (answer.status, answer["access-control-allow-origin"]) == (204, "https://dashboard.example.com")


@pytest.mark.parametrize("pairs", [PREFLIGHT[:1], PREFLIGHT[1:]])
def test_what_is_no_preflight_does_not_pass_as_one(stand: Stand, pairs: Pairs) -> None:
    assert stand.refused(pairs, "shared", "OPTIONS", cookie=False).status == 401
    assert stand.refused(PREFLIGHT, "shared", "PUT", cookie=False).status == 401


def test_a_page_of_another_origin_is_granted_nothing_by_the_gateway(stand: Stand) -> None:
    asked = [("Origin", "https://evil.org"), ("Sec-Fetch-Mode", "cors"), ("Accept", "text/html")]
    answer = stand.refused(asked, cookie=False)
    assert (answer.status, answer.all("location")) == (401, [])
    assert not [name for name, _ in answer.headers if name.startswith("access-control-")]


def test_what_an_app_grants_arrives_as_it_said(stand: Stand) -> None:
    with stand.line([PREFLIGHT[0]]) as line:
        met = stand.app.met()
        assert lines(met.head(), b"origin") == [b"https://dashboard.example.com"]
        met.answer(b"yours", LAST + b"Access-Control-Allow-Origin: *\r\nVary: Origin\r\n")
        answer = line.answer()
    assert answer is not None
    assert (answer.body, answer["access-control-allow-origin"], answer["vary"]) == (b"yours", "*", "Origin")
