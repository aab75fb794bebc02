"""A request's head on its way to an app: what it was judged by, byte for byte, and our own word in place of any other's."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.cleaning import Origin
from gateway.endpoints import onward
from gateway.endpoints.onward import Names, Onward, Unfit
from gateway.headers import lines
from gateway.messages.bodies import Chunked, Counted
from gateway.messages.request import Request
from gateway.model import AccessRequest, App, Headers, Rule
from gateway.policy import CompiledApp, compile_policy

OURS = Names((b"__Secure-gateway_session", b"__Host-gateway_portal"), b"gw-1")
ORIGIN = Origin("203.0.113.9", "https", "app.example.com", False)
SOCKET: Headers = [
    (b"connection", b"Upgrade"),
    (b"upgrade", b"websocket"),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
]


def app(**more: Any) -> CompiledApp:
    rules = more.pop("rules", (Rule("one_factor"),))
    said = App("app", "", ("app.example.com",), rules, upstream="http://10.0.0.1:8080", **more)
    found = compile_policy(1, [(1, said)]).app("app.example.com")
    assert found is not None
    return found


def plan(*more: tuple[bytes, bytes], method: str = "GET", version: str = "1.1", body: Any = None, **how: Any) -> Onward:
    headers = [(b"host", b"App.example.com"), *more]
    request = Request(method, b"/x", version, headers, lines(headers), body)
    asked = AccessRequest(method, "https", "app.example.com", "app.example.com", "/x", "", "/x", None, dict(headers))
    return onward.plan(request, asked, how.pop("app", None) or app(**how), ORIGIN, OURS)


def head(*more: tuple[bytes, bytes], identity: bytes = b"", **how: Any) -> list[bytes]:
    """The lines that go on."""
    block = lines([(b"host", b"App.example.com"), *more])
    written = onward.head(plan(*more, **how), b"/x?a=%20b", block, identity)
    assert written.endswith(b"\r\n\r\n")
    return written[:-4].split(b"\r\n")


def test_a_head_goes_on_with_its_target_its_lines_our_word_and_the_identity() -> None:
    written = head((b"aCCept", b"*/*"), (b"cookie", b"a=1"), identity=b"remote-user: alice\r\n")
    assert written == [
        b"GET /x?a=%20b HTTP/1.1",
        b"host: App.example.com",
        b"aCCept: */*",
        b"cookie: a=1",
        b"X-Forwarded-For: 203.0.113.9",
        b"X-Forwarded-Host: app.example.com",
        b"X-Forwarded-Proto: https",
        b"Forwarded: for=203.0.113.9;host=app.example.com;proto=https",
        b"Via: 1.1 gw-1",
        b"remote-user: alice",
    ]


def test_it_goes_where_the_app_listens() -> None:
    assert plan().errand == ("http://10.0.0.1:8080", True, b"", b"", False)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "POST", "PATCH", "PROPFIND"])
def test_only_what_does_nothing_more_the_second_time_may_be_asked_twice(method: str) -> None:
    assert plan(method=method).errand.repeatable is (method not in ("POST", "PATCH", "PROPFIND"))


@pytest.mark.parametrize(
    "taken",
    [
        (b"cookie", b"__Secure-gateway_session=x"),
        (b"remote-user", b"admin"),
        (b"Remote_User", b"admin"),
        (b"x-forwarded-for", b"10.0.0.1"),
        (b"X_Forwarded_Host", b"evil"),
        (b"forwarded", b"for=evil"),
        (b"x-real-ip", b"10.0.0.1"),
        (b"x-staff", b"yes"),
        (b"proxy-authorization", b"Basic x"),
        (b"te", b"gzip"),
        (b"keep-alive", b"timeout=5"),
        (b"transfer-encoding", b"chunked"),
        (b"expect", b"100-continue"),
    ],
)
def test_what_only_we_say_is_said_by_nobody_else(taken: tuple[bytes, bytes]) -> None:
    assert head((b"a", b"b"), taken, (b"c", b"d"), headers=(("X-Staff", "{user}"),)) == head((b"a", b"b"), (b"c", b"d"))


def test_what_connection_names_goes_with_it_but_never_an_identity() -> None:
    named = (b"connection", b"keep-alive, x-hop, remote-user")
    written = head(named, (b"x-hop", b"1"), (b"x", b"y"), identity=b"remote-user: alice\r\n")
    assert written == head((b"x", b"y"), identity=b"remote-user: alice\r\n")


def test_another_method_in_a_header_goes_on_only_where_no_rule_looks_at_methods() -> None:
    override = (b"x-http-method-override", b"DELETE")
    assert b"x-http-method-override: DELETE" in head(override)
    assert b"x-http-method-override: DELETE" not in head(override, rules=(Rule("deny", methods=("DELETE",)),))
    assert b"x-http-method-override: DELETE" not in head(override, preflight="pass")  # which is judged by its method


@pytest.mark.parametrize(
    ("sent", "body", "framing"),
    [
        ((), None, []),
        (((b"content-length", b"0"),), None, [b"Content-Length: 0"]),
        (((b"content-length", b"5"),), Counted(5), [b"Content-Length: 5"]),
        (((b"content-length", b"010"),), Counted(10), [b"Content-Length: 10"]),
        (((b"transfer-encoding", b"chunked"),), Chunked(), [b"Transfer-Encoding: chunked"]),
        (
            ((b"content-length", b"5"), (b"expect", b"100-Continue")),
            Counted(5),
            [b"Expect: 100-continue", b"Content-Length: 5"],
        ),
        (((b"expect", b"100-continue"),), None, []),
    ],
)
def test_the_framing_is_written_anew_and_once(sent: Headers, body: Any, framing: list[bytes]) -> None:
    written = head(*sent, method="POST", body=body)
    about = (b"content-length", b"transfer-encoding", b"expect")
    assert [line for line in written if line.lower().startswith(about)] == framing


def test_a_handshake_goes_on_as_one_and_its_key_is_kept() -> None:
    made, written = plan(*SOCKET), head(*SOCKET)
    assert (made.errand.key, made.errand.upgrade) == (b"dGhlIHNhbXBsZSBub25jZQ==", b"")
    assert written[-2:] == [b"Connection: Upgrade", b"Upgrade: websocket"]
    assert b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==" in written


@pytest.mark.parametrize("missing", range(4))
def test_half_a_handshake_is_none(missing: int) -> None:
    half = [header for at, header in enumerate(SOCKET) if at != missing]
    if missing == 1:
        assert plan(*half).errand.key == b""
        return
    with pytest.raises(Unfit) as unfit:
        plan(*half)
    assert unfit.value.status == 400


@pytest.mark.parametrize(
    ("protocol", "offered"),
    [(b"x-chat", b"x-chat"), (b" X-Chat ", b"x-chat"), (b"h2c", b""), (b"x-chat, h2c", b""), (b"", b"")],
)
def test_only_an_upgrade_that_the_app_names_is_offered_to_it(protocol: bytes, offered: bytes) -> None:
    sent = ((b"connection", b"upgrade"), (b"upgrade", protocol))
    assert plan(*sent, upgrades=("x-chat",)).errand.upgrade == offered
    asked = [line for line in head(*sent, upgrades=("x-chat",)) if b"pgrade" in line]
    assert asked == ([b"Connection: Upgrade", b"Upgrade: " + protocol.strip()] if offered else [])


@pytest.mark.parametrize(("version", "connection"), [("1.0", b"upgrade"), ("1.1", b"keep-alive"), ("1.1", b"")])
def test_an_upgrade_that_is_said_to_nobody_here_is_not_passed_on(version: str, connection: bytes) -> None:
    """RFC 9110 section 7.8: not with HTTP/1.0, and not unless Connection names it."""
    sent = ((b"connection", connection), (b"upgrade", b"x-chat"))
    assert plan(*sent, version=version, upgrades=("x-chat",)).errand.upgrade == b""
    assert not [line for line in head(*sent, version=version, upgrades=("x-chat",)) if b"pgrade" in line]


def test_trailers_are_asked_for_where_the_client_takes_them() -> None:
    takes = (b"te", b"gzip, trailers")
    assert plan(takes).errand.trailers
    assert head(takes)[-2:] == [b"Connection: TE", b"TE: trailers"]
    assert not plan((b"te", b"gzip")).errand.trailers
    assert not plan(takes, *SOCKET).errand.trailers


@pytest.mark.parametrize(
    ("sent", "status"),
    [((b"via", b"1.1 gw-1"), 508), ((b"via", b"1.0 a, 1.1 gw-1 (x), 1.1 b"), 508), ((b"expect", b"the-best"), 417)],
)
def test_what_is_not_carried_says_why(sent: tuple[bytes, bytes], status: int) -> None:
    with pytest.raises(Unfit) as unfit:
        plan(sent)
    assert unfit.value.status == status
    assert str(unfit.value)


def test_a_plan_keeps_none_of_the_bytes_of_its_lines() -> None:
    made = plan((b"x-api-key", b"secret"), (b"cookie", b"__Secure-gateway_session=secret; a=secret"))
    assert b"secret" not in b"".join([made.start, made.tail])
    assert "secret" not in repr(made) + str(made.again) + str(made.errand)
    assert (made.again.headers, made.again.block, made.again.target) == ([], b"", b"")


def test_a_plan_serves_every_target_and_identity_of_its_lines() -> None:
    more = ((b"cookie", b"a=1; __Secure-gateway_session=x; b=2"), (b"x-remote-user", b"admin"))
    made, block = plan(*more), lines([(b"host", b"App.example.com"), *more])
    first = onward.head(made, b"/one", block, b"remote-user: alice\r\n")
    other = onward.head(made, b"/two", block, b"remote-user: bob\r\n")
    assert first.replace(b"/one", b"/two").replace(b"alice", b"bob") == other
    assert b"\r\ncookie: a=1; b=2\r\n" in first
    assert b"admin" not in first
