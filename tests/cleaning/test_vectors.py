"""Whole heads through both directions, as data: what an app and a client see of them."""

from __future__ import annotations

import pytest

from gateway import cleaning
from gateway.cleaning import Origin, Rules
from gateway.headers import lines
from gateway.model import Headers

OURS = (b"__Secure-gateway_session", b"__Host-gateway_portal")
HOSTILE = b"""
Remote-User remote_user REMOTE-USER Remote_User X-Remote-User remote.user X_Forwarded_User
X-Forwarded-For x_forwarded_for Forwarded Via X-Real-IP X-Original-URL X-Rewrite-Url X-Gateway-Secret
Proxy-Authorization Proxy Connection Upgrade TE Keep-Alive Content-Length
"""
RULES = Rules(OURS, frozenset({b"remote-user", b"remote-groups", b"x-forwarded-user"}), overrides=False)


def inward(headers: Headers, rules: Rules = RULES) -> bytes:
    block = lines(headers)
    return b"".join(block[start:end] for start, end in cleaning.cuts(headers, rules))


@pytest.mark.parametrize("name", HOSTILE.split())
def test_what_only_a_proxy_may_say_goes_under_every_spelling(name: bytes) -> None:
    """CVE-2025-64484: an app that cannot tell ``_`` from ``-`` would believe it."""
    assert inward([(b"Host", b"a"), (name, b"admin"), (b"Accept", b"*/*")]) == b"Host: a\r\nAccept: */*\r\n"


def test_what_connection_names_goes_and_the_host_never() -> None:
    """CVE-2024-45410: naming a forwarded header in Connection takes away what the client said, never what we say behind."""
    sent = [(b"Connection", b"close, X-Foo"), (b"connection", b"host, x-bar"), (b"Host", b"a"), (b"X-Foo", b"1")]
    assert inward([*sent, (b"X-Bar", b"2"), (b"X-Baz", b"3")]) == b"Host: a\r\nX-Baz: 3\r\n"


@pytest.mark.parametrize(
    ("sent", "left"),
    [
        (b"a=1; __Secure-gateway_session=t; b=2", b"Cookie: a=1; b=2\r\n"),
        (b"__Secure-gateway_session=t; b=2", b"Cookie: b=2\r\n"),
        (b"a=1; __Host-gateway_portal=t", b"Cookie: a=1\r\n"),
        (b"__Secure-gateway_session=t; __Secure-gateway_session=u", b""),
        (b'a="x y"; b=;c', b'Cookie: a="x y"; b=;c\r\n'),
        (b"a__Secure-gateway_session=1", b"Cookie: a__Secure-gateway_session=1\r\n"),
    ],
)
def test_our_cookies_stay_here_and_all_others_stay_as_they_are(sent: bytes, left: bytes) -> None:
    assert inward([(b"Cookie", sent)]) == left


def test_our_keys_stay_here_and_an_apps_own_go_on() -> None:
    assert inward([(b"X-Api-Key", b"gwk_secret")]) == b""
    assert inward([(b"X-Api-Key", b"immich")]) == b"X-Api-Key: immich\r\n"


def test_a_method_is_not_overridden_where_rules_name_methods() -> None:
    sent = [(b"X-HTTP-Method-Override", b"DELETE")]
    assert inward(sent) == b"X-HTTP-Method-Override: DELETE\r\n"
    assert inward(sent, Rules(OURS, frozenset(), overrides=True)) == b""


def test_an_answer_keeps_its_headers_but_those_of_its_connection() -> None:
    sent = [(b"Connection", b"x"), (b"Connection", b"Y"), (b"X", b"1"), (b"y", b"2"), (b"Keep-Alive", b"timeout=5")]
    sent += [(b"Transfer-Encoding", b"chunked"), (b"Alt-Svc", b"h3"), (b"eTag", b'"1"'), (b"Set-Cookie", b"sid=1")]
    assert cleaning.outward(sent, OURS) == b'eTag: "1"\r\nSet-Cookie: sid=1\r\n'


@pytest.mark.parametrize(
    "value",
    [
        b"__Secure-gateway_session=x",
        b" __Host-gateway_portal =x",
        b"=__Host-gateway_portal=x",
        b"__Host-gateway_portal",
    ],
)
def test_no_app_sets_a_cookie_of_ours(value: bytes) -> None:
    several = [(b"Set-Cookie", b"a=%d" % number) for number in range(5)]
    kept = cleaning.outward([*several, (b"set-cookie", value + b"; Path=/")], OURS)
    assert kept == b"".join(b"Set-Cookie: a=%d\r\n" % number for number in range(5))


def test_only_a_trusted_peer_says_who_stood_before_it() -> None:
    said = {b"x-forwarded-for": b"203.0.113.9", b"forwarded": b"for=203.0.113.9", b"via": b"1.1 edge"}
    stranger = cleaning.forwarded(said, Origin("::1", "http", "a.example.com:8080", trusted=False), b"gateway-1")
    assert stranger.split(b"\r\n")[:-1] == [
        b"X-Forwarded-For: ::1",
        b"X-Forwarded-Host: a.example.com:8080",
        b"X-Forwarded-Proto: http",
        b'Forwarded: for="[::1]";host="a.example.com:8080";proto=http',
        b"Via: 1.1 gateway-1",
    ]
    proxy = cleaning.forwarded(said, Origin("127.0.0.1", "https", "a.example.com", trusted=True), b"gateway-1")
    assert b"X-Forwarded-For: 203.0.113.9, 127.0.0.1\r\n" in proxy
    assert b"Forwarded: for=203.0.113.9, for=127.0.0.1;host=a.example.com;proto=https\r\n" in proxy
    assert b"Via: 1.1 edge, 1.1 gateway-1\r\n" in proxy


@pytest.mark.parametrize(
    ("said", "goes_on"),
    [
        (b'for="_x', b""),
        (b'for="a\\"', b""),
        (b'for="a\\"b"', b'for="a\\"b", '),
        (b'for="[::1]";by="x"', b'for="[::1]";by="x", '),
    ],
)
def test_what_is_said_before_us_does_not_swallow_what_we_say(said: bytes, goes_on: bytes) -> None:
    """Behind an open quote our element would be a part of the client's."""
    proxy = cleaning.forwarded({b"forwarded": said}, Origin("127.0.0.1", "https", "a.example.com", trusted=True), b"g")
    assert b"Forwarded: %bfor=127.0.0.1;host=a.example.com;proto=https\r\n" % goes_on in proxy


def test_a_request_that_came_by_here_is_known_by_its_via_alone() -> None:
    assert cleaning.is_loop({b"via": b"1.1 edge, 1.1 gateway-1"}, b"gateway-1")
    assert not cleaning.is_loop({b"via": b"1.1 gateway-11, 1.1 (gateway-1)"}, b"gateway-1")


def test_a_trailer_says_nothing_that_had_to_be_known_before() -> None:
    sent = [(b"Content-Length", b"1"), (b"Set-Cookie", b"a=1"), (b"Remote-User", b"x"), (b"X-Checksum", b"1")]
    assert cleaning.trailers(sent) == b"X-Checksum: 1\r\n"
