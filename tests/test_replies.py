"""A no, in the words of HTTP: redirected, asked to sign in, refused; nothing in it that may be stored or believed."""

from __future__ import annotations

import json

import pytest

from gateway import replies
from gateway.model import AccessRequest, Challenge, Deny, Malformed, Reply
from gateway.replies import Speech
from gateway.tokens import PREFIXES

HTML = {b"accept": b"text/html,application/xhtml+xml"}
REQUEST = AccessRequest("GET", "https", "app.example.com", "app.example.com", "/x", "", "/x?y=1", None, HTML)
CHALLENGE = Challenge("app", 1, "sign in")
DENY = Deny("app", 2, "G133", "a rule of this app refuses this request")
SPEECH = Speech(
    "https://auth.example.com",
    lambda url: f"https://auth.example.com/login?to={url}",
    lambda deny, request, request_id: (f"<p>{deny.reason} {request.host} {request_id}", "default-src 'none'"),
    lambda: "id-1",
)


def headers(reply: Reply) -> dict[str, str]:
    found = {name.decode(): value.decode() for name, value in reply.headers}
    assert len(found) == len(reply.headers), "a header is there twice"
    return found


def problem(reply: Reply) -> dict[str, object]:
    assert headers(reply)["content-type"] == "application/problem+json"
    found = json.loads(reply.body)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("method", "sent", "person"),
    [
        ("GET", {b"accept": b"text/html"}, True),  # C046
        ("HEAD", {b"accept": b"text/html"}, True),  # C004
        ("GET", {b"accept": b"application/json, TEXT/HTML;q=0.1"}, True),
        ("GET", {b"accept": b"*/*"}, False),  # C047
        ("GET", {}, False),  # C048
        ("GET", {b"accept": b"application/json"}, False),  # C049
        ("POST", {b"accept": b"text/html"}, False),
        ("OPTIONS", {b"accept": b"text/html"}, False),  # C267
        ("GET", {b"accept": b"text/html", b"x-requested-with": b"xmlhttprequest"}, False),  # C052
        ("GET", {b"accept": b"text/html", b"x-requested-with": b"XMLHttpRequest"}, False),
        ("GET", {b"accept": b"text/html", b"upgrade": b"websocket"}, False),  # C274
        ("GET", {b"accept": b"text/html", b"sec-websocket-key": b"x"}, False),  # C275
        ("GET", {b"accept": b"text/html", b"sec-fetch-mode": b"cors"}, False),  # C053
        ("GET", {b"accept": b"text/html", b"sec-fetch-mode": b"websocket"}, False),
        ("GET", {b"accept": b"text/html", b"sec-fetch-mode": b"navigate, cors"}, False),
        ("GET", {b"accept": b"text/html", b"sec-fetch-mode": b""}, False),
        ("GET", {b"sec-fetch-mode": b"navigate"}, True),  # C054
        ("POST", {b"sec-fetch-mode": b"navigate"}, True),
    ],
)
def test_a_person_is_who_navigates(method: str, sent: dict[bytes, bytes], person: bool) -> None:
    assert replies.is_navigation(REQUEST._replace(method=method, headers=sent)) is person


@pytest.mark.parametrize(("method", "status"), [("GET", 302), ("HEAD", 302), ("POST", 303), ("DELETE", 303)])
def test_a_person_is_sent_to_sign_in_and_no_form_is_sent_twice(method: str, status: int) -> None:  # C001, C002
    sent = {b"sec-fetch-mode": b"navigate"}
    reply = replies.challenge(CHALLENGE, REQUEST._replace(method=method, headers=sent), SPEECH)
    assert (reply.status, reply.body) == (status, b"")
    assert headers(reply) == {
        "location": "https://auth.example.com/login?to=https://app.example.com/x?y=1",
        "content-length": "0",
        "cache-control": "no-store",
        "x-request-id": "id-1",
    }


def test_a_program_is_told_where_to_sign_in() -> None:
    reply = replies.challenge(CHALLENGE, REQUEST._replace(headers={}), SPEECH)
    assert reply.status == 401
    assert headers(reply)["www-authenticate"] == 'Session realm="https://auth.example.com"'
    assert "location" not in headers(reply)
    assert problem(reply) == {
        "type": "about:blank",
        "title": "Sign in",
        "status": 401,
        "detail": "sign in",
        "code": "G120",
        "request_id": "id-1",
    }


def test_a_person_who_is_refused_sees_a_page_and_a_program_a_problem() -> None:  # C006
    page = replies.deny(DENY, REQUEST, SPEECH)
    assert (page.status, page.body) == (403, b"<p>a rule of this app refuses this request app.example.com id-1")
    assert headers(page)["content-security-policy"] == "default-src 'none'"
    assert headers(page)["x-content-type-options"] == "nosniff"
    told = replies.deny(DENY, REQUEST._replace(headers={}), SPEECH)
    assert (told.status, problem(told)["code"], problem(told)["detail"]) == (403, "G133", DENY.reason)


@pytest.mark.parametrize("status", [400, 403])
def test_a_question_that_cannot_be_read_is_refused_as_it_says(status: int) -> None:
    reply = replies.malformed(Malformed("G104", 'cannot read "the" original host\r\n', status), SPEECH)
    assert (reply.status, problem(reply)["detail"]) == (status, 'cannot read "the" original host\r\n')


def test_who_cannot_know_says_when_to_ask_again() -> None:
    reply = replies.unavailable("G303", "the store is silent", 2, SPEECH)
    assert (reply.status, problem(reply)["code"], headers(reply)["retry-after"]) == (503, "G303", "2")


@pytest.mark.parametrize(
    "reply",
    [
        replies.challenge(CHALLENGE, REQUEST, SPEECH),
        replies.unauthorized(CHALLENGE, SPEECH),
        replies.deny(DENY, REQUEST, SPEECH),
        replies.deny(DENY, REQUEST._replace(headers={}), SPEECH),
        replies.malformed(Malformed("G102", "twice"), SPEECH),
        replies.unavailable("G301", "later", 1, SPEECH),
    ],
    ids=["challenge", "unauthorized", "page", "deny", "malformed", "unavailable"],
)
def test_no_refusal_is_stored_or_carries_an_identity_or_a_cookie(reply: Reply) -> None:  # C182, C271, C329
    sent = headers(reply)
    assert sent["cache-control"] == "no-store"
    assert sent["x-request-id"] == "id-1"
    assert sent["content-length"] == str(len(reply.body))
    assert not any(name.startswith(("remote-", "access-control-", "set-cookie")) for name in sent)


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("/", "https://app.example.com/"),
        ("/a%2Fb//c;d?x=%20+&y", "https://app.example.com/a%2Fb//c;d?x=%20+&y"),  # C040
        ("//evil.com/x", "https://app.example.com//evil.com/x"),
        ("/x?", "https://app.example.com/x"),
        ("/x?a=b?c", "https://app.example.com/x?a=b?c"),
        *((f"/x?token={prefix}abc&y=1", "https://app.example.com/x") for prefix in PREFIXES.values()),  # C203
        ("/x?" + "y" * 3000, "https://app.example.com/"),
        ("/" + "y" * 3000, "https://app.example.com/"),
    ],
)
def test_the_way_back_is_the_address_as_sent_without_what_must_not_travel(uri: str, url: str) -> None:
    assert replies.return_url(REQUEST._replace(uri=uri)) == url


def test_the_way_back_keeps_its_scheme_and_its_port() -> None:
    request = REQUEST._replace(scheme="http", authority="app.example.com:8080")
    assert replies.return_url(request) == "http://app.example.com:8080/x?y=1"
