"""HAProxy asks in X-Forwarded-*, as Traefik does; what differs is how its HTTP clients write a request down."""

from __future__ import annotations

import pytest

from asking import Answer, Headers, ask, question, request
from gateway import originals, replies
from gateway.dialects import haproxy
from serving import Served

IDENTITY = ("remote-user", "remote-groups", "remote-name", "remote-email")


def over(served: Served, headers: Headers, method: str = "GET") -> Answer:
    return ask(served.address, request(method, "/auth/haproxy", headers))


def test_it_is_asked_and_answered_like_every_proxy_that_carries_redirects() -> None:
    assert (haproxy.read, haproxy.write) == (originals.forwarded, replies.carried)
    assert haproxy.refuse is replies.unchanged


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_is_signed_in_is_let_in_by_either_method(served: Served, method: str) -> None:
    """The shipped action asks by GET, the one that is best known by HEAD."""
    served.user("alice", ["users"])
    _, cookie = served.session("alice")
    answer = over(served, question(cookie=cookie, method="POST"), method)
    assert (answer.status, answer.body) == (200, b"")
    assert [answer[name] for name in IDENTITY] == ["alice", "users", "", ""]


@pytest.mark.parametrize(
    ("asked", "status", "carries"),
    [
        (question(accept="text/html"), 302, "location"),
        (question(accept="text/html", method="POST", more=[("Sec-Fetch-Mode", "navigate")]), 303, "location"),
        (question(accept="application/json"), 401, "www-authenticate"),
        (question("nobody.example.com"), 403, "x-request-id"),
        (question(uri="/public/../x"), 400, "x-request-id"),
        ([], 400, "x-request-id"),
    ],
)
def test_every_no_has_a_number_by_which_the_action_knows_it_from_haproxys_own_words(
    served: Served, asked: Headers, status: int, carries: str
) -> None:
    answer = over(served, asked)
    assert answer.status == status
    assert answer[carries]
    assert answer["x-request-id"]


def test_cookies_in_several_headers_are_read_as_one_list(served: Served) -> None:
    """The shipped action sends repeated headers apart."""
    served.user("alice")
    _, cookie = served.session("alice")
    assert over(served, question(more=[("Cookie", "a=1"), ("Cookie", cookie), ("Cookie", "b=2")])).status == 200


def test_cookies_that_were_joined_by_a_comma_are_nobodys(served: Served) -> None:
    """Other actions join them so. What is behind the comma is part of a value, not a cookie: never a reason to let in."""
    served.user("alice")
    _, cookie = served.session("alice")
    assert over(served, question(cookie=f"a=1, {cookie}", accept=None)).status == 401
    assert over(served, question(cookie=f"{cookie}, a=1", accept=None)).status == 401


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key", "Origin", "X-Gateway-Secret", "X-Forwarded-Uri"])
def test_what_decides_and_comes_twice_is_refused(served: Served, name: str) -> None:
    answer = over(served, question(uri="/public/x", more=[(name, "a"), (name, "b")]))
    assert (answer.status, b"appears twice" in answer.body) == (400, True)


def test_a_websocket_is_asked_about_as_what_it_is_although_nothing_is_upgraded(served: Served) -> None:
    served.user("alice")
    _, cookie = served.session("alice")
    opening = [("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="), ("Sec-WebSocket-Version", "13")]
    assert over(served, question(cookie=cookie, more=opening)).status == 200
    foreign = [*opening, ("Origin", "https://evil.example.com")]
    assert over(served, question(cookie=cookie, more=foreign)).status == 403
    assert over(served, question(more=opening)).status == 401


def test_an_upgrade_that_another_action_passes_on_is_answered_once_and_closed(served: Served) -> None:
    served.user("alice")
    _, cookie = served.session("alice")
    answer = over(served, question(cookie=cookie, more=[("Connection", "Upgrade"), ("Upgrade", "websocket")]))
    assert (answer.status, answer["connection"]) == (200, "close")
