"""Caddy asks in X-Forwarded-*, as Traefik does; what differs is that a handshake stays one on the way to the gateway."""

from __future__ import annotations

import pytest

from asking import Answer, Headers, Line, ask, question, request
from gateway import originals, replies
from gateway.dialects import caddy
from serving import Served

IDENTITY = ("remote-user", "remote-groups", "remote-name", "remote-email")
HANDSHAKE = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ("Sec-WebSocket-Version", "13"),
]


def over(served: Served, headers: Headers) -> Answer:
    return ask(served.address, request("GET", "/auth/caddy", headers))


def handshake(more: list[tuple[str, str]], **how: str) -> list[tuple[str, str]]:
    """As Caddy asks about one: Upgrade is kept (caddyserver/caddy issue 5430), and so is what stands beside it."""
    return question(more=[*HANDSHAKE, *more], accept=None, **how)  # type: ignore[arg-type]  # texts all


def test_it_is_asked_and_answered_like_every_proxy_that_carries_redirects() -> None:
    assert (caddy.read, caddy.write) == (originals.forwarded, replies.carried)
    assert caddy.refuse is replies.unchanged


@pytest.mark.parametrize("warm", [False, True])
def test_a_handshake_of_somebody_known_is_answered_as_ordinary_http(served: Served, warm: bool) -> None:  # C273
    served.user("alice", ["users"])
    _, cookie = served.session("alice")
    if warm:
        assert over(served, question(cookie=cookie)).status == 200
    answer = over(served, handshake([], cookie=cookie))
    assert (answer.status, answer.body, answer["connection"]) == (200, b"", "close")
    assert [answer[name] for name in IDENTITY] == ["alice", "users", "", ""]
    assert answer.all("upgrade") == answer.all("sec-websocket-accept") == []


def test_a_handshake_of_a_stranger_is_refused_without_a_redirect_and_is_the_last_on_its_line(
    served: Served,
) -> None:  # C274
    with Line(served.address) as line:
        line.send(request("GET", "/auth/caddy", handshake([])) + request("GET", "/auth/caddy", question()))
        answer = line.answer()
        assert answer is not None
        assert (answer.status, answer.all("location"), answer["connection"]) == (401, [], "close")
        assert answer["www-authenticate"].startswith("Session realm=")
        assert line.ended()


@pytest.mark.parametrize("length", ["5", "0005"])
def test_a_handshake_with_a_body_is_refused_before_anybody_is_looked_up(served: Served, length: str) -> None:
    served.user("alice")
    _, cookie = served.session("alice")
    assert over(served, handshake([("Content-Length", length)], cookie=cookie)).status == 400


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://app.example.com", 200), ("https://evil.example.com", 403), ("null", 403), (None, 200)],
)
def test_a_foreign_page_opens_no_websocket(served: Served, origin: str | None, status: int) -> None:
    served.user("alice")
    _, cookie = served.session("alice")
    assert over(served, handshake([("Origin", origin)] if origin else [], cookie=cookie)).status == status


def test_every_identity_header_is_there_for_whoever_asks(served: Served) -> None:
    """Caddy before 2.11.2 left a visitor's own header in place where the answer had none (CVE-2026-30851)."""
    answer = over(served, question(uri="/public/x", more=[("Remote-User", "evil")]))
    assert (answer.status, [answer[name] for name in IDENTITY]) == (200, [""] * 4)


@pytest.mark.parametrize(
    ("asked", "status", "carries"),
    [
        (question(), 302, "location"),
        (question(method="POST", more=[("Sec-Fetch-Mode", "navigate")]), 303, "location"),
        (question(accept="application/json"), 401, "www-authenticate"),
        (question("nobody.example.com"), 403, "x-request-id"),
        (question(uri="/public/../x"), 400, "x-request-id"),
        (question(more=[("Via", "1.1 Caddy"), ("X-Forwarded-Host", "pub.example.com")]), 400, "x-request-id"),
        ([], 400, "x-request-id"),
    ],
)
def test_a_no_is_carried_to_the_client_whole(served: Served, asked: Headers, status: int, carries: str) -> None:
    answer = over(served, asked)
    assert answer.status == status
    assert answer[carries]
