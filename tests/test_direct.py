"""The request itself is the question, and what an allow says goes to the app."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from gateway import direct
from gateway.forwarded import SECRET_HEADER, Trust
from gateway.headers import ANSWER
from gateway.model import AccessRequest, Allow, Challenge, Deny, Malformed, Question
from gateway.replies import Speech

PROXY, STRANGER = "127.0.0.1", "203.0.113.9"
TRUST = Trust(networks=(ip_network("127.0.0.1/32"),))
SPEECH = Speech(
    "https://auth.example.com", "https://auth.example.com/login?to={}".format, lambda *_: ("", ""), lambda: "1"
)
SENT = {b"host": b"App.example.com:80", b"accept": b"*/*"}


def ask(
    more: dict[bytes, bytes] | None = None,
    *,
    peer: str | None = STRANGER,
    target: bytes = b"/x?y=1",
    method: str = "GET",
) -> AccessRequest | Malformed:
    return direct.read(Question(method, target, list((SENT | (more or {})).items()), peer), TRUST)


def asked(more: dict[bytes, bytes] | None = None, **how: str | None) -> AccessRequest:
    found = ask(more, **how)  # type: ignore[arg-type]  # only the peer is given so
    assert isinstance(found, AccessRequest)
    return found


def test_a_request_is_read_as_it_came() -> None:
    host = "app.example.com"
    assert ask() == AccessRequest("GET", "http", host, host, "/x", "", "/x?y=1", ip_address(STRANGER), SENT)


@pytest.mark.parametrize("said", [b"https", b"wss", b"nonsense"])
def test_a_stranger_says_nothing_of_scheme_and_client(said: bytes) -> None:
    found = asked({b"x-forwarded-proto": said, b"x-forwarded-for": b"10.0.0.1", b"x-forwarded-host": b"other"})
    assert (found.scheme, found.host, found.client) == ("http", "app.example.com", ip_address(STRANGER))


def test_a_trusted_peer_says_for_whom_it_speaks_and_by_which_scheme() -> None:
    found = asked({b"x-forwarded-proto": b"https", b"x-forwarded-for": b"10.0.0.1"}, peer=PROXY)
    assert (found.scheme, found.authority, found.client) == ("https", "app.example.com:80", ip_address("10.0.0.1"))


def test_a_trusted_peer_that_says_nothing_speaks_for_nobody() -> None:
    found = asked(peer=PROXY)
    assert (found.scheme, found.client) == ("http", None)


def test_not_even_a_trusted_peer_names_another_host() -> None:
    assert asked({b"x-forwarded-host": b"other.example.com"}, peer=PROXY).host == "app.example.com"


def test_a_unix_socket_has_no_address() -> None:
    assert asked(peer=None).client is None


def test_a_scheme_that_a_trusted_peer_gets_wrong_is_refused() -> None:
    assert ask({b"x-forwarded-proto": b"gopher"}, peer=PROXY) == Malformed(
        "G104", "cannot read the scheme of this request"
    )


@pytest.mark.parametrize(
    ("more", "target", "method"),
    [
        ({b"host": b""}, b"/", "GET"),
        ({b"host": b"a b"}, b"/", "GET"),
        ({b"host": b"user@app.example.com"}, b"/", "GET"),
        ({}, b"http://app.example.com/", "GET"),
        ({}, b"*", "OPTIONS"),
        ({}, b"/a/../b", "GET"),
        ({}, b"/%2e%2e/b", "GET"),
        ({}, b"/a\\b", "GET"),
        ({}, b"/%00", "GET"),
        ({}, b"/\xc3\xa9", "GET"),
        ({}, b"/", "get"),
        ({}, b"/", "GET /"),
    ],
)
def test_what_cannot_be_read_is_refused_and_not_repeated(more: dict[bytes, bytes], target: bytes, method: str) -> None:
    refused = ask(more, target=target, method=method)
    assert isinstance(refused, Malformed)
    assert (refused.code, refused.reason.startswith("cannot read the ")) == ("G104", True)


@pytest.mark.parametrize("name", [b"host", SECRET_HEADER, b"x-api-key"])
def test_what_is_acted_upon_is_said_once(name: bytes) -> None:
    twice = Question("GET", b"/", [*SENT.items(), (name, b"a"), (name, b"a")], PROXY)
    assert direct.read(twice, TRUST) == Malformed("G102", f"the header {name.decode()} appears twice", 400)


def test_an_allow_is_the_identity_alone_which_goes_to_the_app() -> None:
    identity = ((b"remote-user", b"alice"), (b"remote-groups", b"a,b"))
    reply = direct.write(Allow("app", 1, None, None, [*ANSWER, *identity]), asked(), SPEECH)
    assert (reply.status, list(reply.headers), reply.body) == (200, list(identity), b"")


@pytest.mark.parametrize(
    ("decision", "status"), [(Deny("app", 1, "G130", "no"), 403), (Challenge("app", 1, "sign in"), 401)]
)
def test_every_other_answer_goes_to_the_client_whole(decision: Deny | Challenge, status: int) -> None:
    reply = direct.write(decision, asked(), SPEECH)
    assert reply.status == status
    assert (b"cache-control", b"no-store") in list(reply.headers)
    assert reply.body
    assert direct.refuse(reply) == reply


def test_a_person_who_has_to_sign_in_is_sent_there_and_back() -> None:
    person = asked(
        {b"accept": b"text/html", b"sec-fetch-mode": b"navigate", b"x-forwarded-proto": b"https"}, peer=PROXY
    )
    reply = direct.write(Challenge("app", 1, "sign in"), person, SPEECH)
    sent_to = dict(reply.headers)[b"location"]
    assert (reply.status, sent_to) == (302, b"https://auth.example.com/login?to=https://app.example.com:80/x?y=1")
