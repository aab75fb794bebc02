"""Traefik's question read, and its answer written."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from gateway.dialects import traefik
from gateway.forwarded import SECRET_HEADER, Trust
from gateway.model import AccessRequest, Allow, Challenge, Deny, Malformed, Question
from gateway.replies import Speech

TRUST = Trust(networks=(ip_network("127.0.0.1/32"),))
SENT = {
    b"x-forwarded-method": b"GET",
    b"x-forwarded-proto": b"https",
    b"x-forwarded-host": b"app.example.com",
    b"x-forwarded-uri": b"/x?y=1",
    b"x-forwarded-for": b"203.0.113.9",
    b"host": b"gateway:8000",
}
SPEECH = Speech(
    "https://auth.example.com", "https://auth.example.com/login?to={}".format, lambda *_: ("", ""), lambda: "1"
)


def ask(
    sent: dict[bytes, bytes] | None = None, *, trust: Trust = TRUST, peer: str | None = "127.0.0.1", **changed: bytes
) -> AccessRequest | Malformed:
    """The question with the ``x-forwarded-*`` headers named in ``changed``; an empty ``sent`` adds nothing."""
    named = {f"x-forwarded-{name}".encode(): value for name, value in changed.items()}
    return traefik.read(Question("GET", b"/auth/traefik", list((SENT | named | (sent or {})).items()), peer), trust)


def without(name: bytes) -> AccessRequest | Malformed:
    left = [(key, value) for key, value in SENT.items() if key != name]
    return traefik.read(Question("GET", b"/auth/traefik", left, "127.0.0.1"), TRUST)


def test_the_original_request_is_read_from_five_headers() -> None:
    read = ask()
    assert read == AccessRequest(
        "GET", "https", "app.example.com", "app.example.com", "/x", "", "/x?y=1", ip_address("203.0.113.9"), SENT
    )


@pytest.mark.parametrize("name", [b"x-forwarded-method", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-uri"])
def test_a_question_that_lacks_a_part_is_refused_and_not_answered_from_its_own(name: bytes) -> None:  # C008, C012
    refused = Malformed("G103", f"the header {name.decode()} is missing or empty", 400)
    assert without(name) == refused
    assert ask({name: b""}) == refused


@pytest.mark.parametrize("name", [*SENT, SECRET_HEADER, b"x-api-key"])
def test_a_part_that_comes_twice_is_refused(name: bytes) -> None:  # C065
    twice = [*SENT.items(), (name, b"a"), (name, b"a")]
    refused = traefik.read(Question("GET", b"/auth/traefik", twice, "127.0.0.1"), TRUST)
    assert refused == Malformed("G102", f"the header {name.decode()} appears twice", 400)


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"method": b"GETz"}, "method"),  # C013
        ({"proto": b"ftp"}, "scheme"),
        ({"host": b"app.example.com/x"}, "host"),  # C093
        ({"host": b"app.example.com, pub.example.com"}, "host"),
        ({"host": b"app.example.com:99999"}, "port"),
        ({"uri": b"public/x"}, "path: not absolute"),  # C117
        ({"uri": b"/public/../admin"}, "path: dot segments"),  # C106
        ({"uri": b"/\xff"}, "path: raw bytes beyond ASCII"),  # C243
    ],
)
def test_a_part_that_cannot_be_read_is_named_and_not_repeated(changed: dict[str, bytes], part: str) -> None:
    assert ask(**changed) == Malformed("G104", f"cannot read the original {part}", 400)


@pytest.mark.parametrize(
    ("trust", "peer", "secret"),
    [
        (Trust(), "127.0.0.1", b""),  # C063
        (TRUST, "203.0.113.9", b""),  # C062
        (TRUST, None, b""),
        (Trust(secret=b"a-secret-of-the-proxy"), "127.0.0.1", b""),
        (Trust(secret=b"a-secret-of-the-proxy"), "127.0.0.1", b"another-secret"),
    ],
)
def test_nobody_but_a_trusted_proxy_may_ask(trust: Trust, peer: str | None, secret: bytes) -> None:
    refused = ask({SECRET_HEADER: secret} if secret else {}, trust=trust, peer=peer)
    assert isinstance(refused, Malformed)
    assert (refused.code, refused.status) == ("G101", 403)


def test_a_stranger_learns_nothing_of_what_was_wrong_with_the_rest() -> None:
    refused = ask(peer="203.0.113.9", method=b"", host=b"\x00")
    assert isinstance(refused, Malformed)
    assert refused.code == "G101"


@pytest.mark.parametrize(
    "spoofed",
    [
        {b"x_forwarded_uri": b"/public/x", b"x_forwarded_host": b"pub.example.com"},  # C068
        {b"x-original-url": b"https://pub.example.com/public/x", b"x-original-method": b"POST"},  # C016
        {
            b"x-forwarded-prefix": b"/public",
            b"x-forwarded-port": b"80",
            b"x-forwarded-server": b"pub.example.com",
        },  # C070
        {b"x-rewrite-url": b"/public/x", b"forwarded": b"for=1.2.3.4;host=pub.example.com", b"x-real-ip": b"1.2.3.4"},
        {b"x-http-method-override": b"POST", b"connection": b"x-forwarded-host, x-forwarded-uri"},  # C074
    ],
)
def test_no_other_header_changes_what_was_asked(spoofed: dict[bytes, bytes]) -> None:
    read, plain = ask(spoofed), ask()
    assert isinstance(read, AccessRequest)
    assert isinstance(plain, AccessRequest)
    assert read._replace(headers={}) == plain._replace(headers={})


def test_a_websocket_is_asked_about_as_http() -> None:
    read = ask(proto=b"wss", host=b"app.example.com:443")
    assert isinstance(read, AccessRequest)
    assert (read.scheme, read.authority) == ("https", "app.example.com")


@pytest.mark.parametrize("given", [None, b"", b"unknown", b"203.0.113.9, x", b"203.0.113.9:80"])
def test_a_proxy_that_names_no_client_does_not_stand_in_for_it(given: bytes | None) -> None:  # C078
    read = without(b"x-forwarded-for") if given is None else ask({b"x-forwarded-for": given})
    assert isinstance(read, AccessRequest)
    assert read.client is None


def test_the_client_is_read_from_the_right() -> None:  # C077
    read = ask({b"x-forwarded-for": b"10.0.0.9, 203.0.113.9, 127.0.0.1"})
    assert isinstance(read, AccessRequest)
    assert read.client == ip_address("203.0.113.9")


def test_an_allow_is_its_headers_and_the_rest_is_said_as_to_anybody() -> None:
    request = ask({b"accept": b"text/html"})
    assert isinstance(request, AccessRequest)
    block = [(b"content-length", b"0"), (b"remote-user", b"alice")]
    allow = traefik.write(Allow("app", 1, None, None, block), request, SPEECH)
    assert (allow.status, allow.headers, allow.body) == (200, block, b"")
    assert traefik.write(Challenge("app", 1, "sign in"), request, SPEECH).status == 302
    assert traefik.write(Deny("app", 1, "G130", "no"), request, SPEECH).status == 403
