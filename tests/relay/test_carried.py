"""Requests for hosts that the gateway carries itself: what the app is sent, and what the client gets."""

from __future__ import annotations

import pytest

from asking import Answer, Line, request
from relay.behind import App, Met
from serving import COOKIE, Served

HOST = ("Host", "photos.example.com")


def get(target: str = "/", *headers: tuple[str, str], method: str = "GET") -> bytes:
    return request(method, target, [HOST, *headers])


def heads(met: Met) -> list[bytes]:
    return met.head().split(b"\r\n")[:-2]


def answered(line: Line) -> Answer:
    answer = line.answer()
    assert answer is not None
    return answer


def test_what_was_judged_goes_on_byte_for_byte_with_our_word_about_who_asks(
    carrying: Served, app: App, cookie: str
) -> None:
    met: Met | None = None
    with Line(carrying.address) as line:
        for target in ("/a?b=%20c&b", "/%C3%A9|x", "/again"):
            line.send(get(target, ("Accept", "*/*"), ("Cookie", f"a=1; {cookie}; b=2")))
            met = met or app.met()
            first, *lines = heads(met)
            assert first == f"GET {target} HTTP/1.1".encode()
            assert b"Host: photos.example.com" in lines
            assert b"Cookie: a=1; b=2" in lines
            assert b"remote-user: alice" in lines
            assert b"remote-groups: family" in lines
            assert b"X-Forwarded-For: 127.0.0.1" in lines
            assert b"X-Forwarded-Host: photos.example.com" in lines
            assert not any(COOKIE.encode() in line for line in lines)
            met.answer(b"hello")
            assert answered(line).body == b"hello"


def test_a_head_that_was_read_before_goes_on_as_it_did_the_first_time(carrying: Served, app: App, cookie: str) -> None:
    sent = get("/x", ("Cookie", f"a=1; {cookie}"), ("X-Remote-User", "admin"), ("X-Thing", "1"))
    with Line(carrying.address) as line:
        line.send(sent)
        met = app.met()
        cold = heads(met)
        met.answer()
        answered(line)
        hits = carrying.gateway.cache.hits
        for _ in range(3):
            line.send(sent)
            assert heads(met) == cold
            met.answer()
            answered(line)
        assert carrying.gateway.cache.hits == hits + 3
        assert b"admin" not in b"".join(cold)
        line.send(sent.replace(b"/x", b"/" + b"x" * 20_000, 1))
        assert answered(line).status == 431  # as for any other head


def test_nobody_is_let_by_without_a_session(carrying: Served, app: App) -> None:
    with Line(carrying.address) as line:
        line.send(get("/"))
        assert answered(line).status == 401
        line.send(get("/", ("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate")))
        assert answered(line).status == 302
        line.send(get("/admin/x", ("Cookie", f"{COOKIE}=nonsense")))
        assert answered(line).status == 401
    assert app.is_left_alone()


def test_a_known_person_without_the_right_is_refused(carrying: Served, app: App, cookie: str) -> None:
    with Line(carrying.address) as line:
        line.send(get("/admin/x", ("Cookie", cookie)))
        refused = answered(line)
    assert (refused.status, refused["content-type"]) == (403, "application/problem+json")
    assert app.is_left_alone()


def test_a_public_path_is_carried_for_everybody(carrying: Served, app: App) -> None:
    with Line(carrying.address) as line:
        line.send(get("/share/x"))
        met = app.met()
        assert b"remote-user: " in heads(met)
        met.answer(b"shared")
        assert answered(line).body == b"shared"


@pytest.mark.parametrize(
    "body",
    [
        ("Content-Length: 11\r\n\r\nhello world", b"Content-Length: 11", b"hello world"),
        (
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
            b"Transfer-Encoding: chunked",
            None,
        ),
    ],
)
def test_a_body_arrives_with_one_framing(
    carrying: Served, app: App, cookie: str, body: tuple[str, bytes, bytes | None]
) -> None:
    sent, framing, expected = body
    met: Met | None = None
    with Line(carrying.address) as line:
        for _ in range(2):
            line.send(get("/up", ("Cookie", cookie), method="POST")[:-2] + sent.encode())
            met = met or app.met()
            lines = heads(met)
            assert [line for line in lines if line.lower().startswith((b"content-length", b"transfer-encoding"))] == [
                framing
            ]
            if expected:
                assert met.body(len(expected)) == expected
            else:
                chunks = met.until(b"0\r\n\r\n")
                assert chunks.replace(b"b\r\n", b"").replace(b"5\r\n", b"").replace(b"6\r\n", b"").replace(
                    b"\r\n", b""
                ) == (b"hello world0")
            met.answer(b"thanks")
            assert answered(line).body == b"thanks"


def test_the_gateway_keeps_its_own_doors_on_every_host(carrying: Served, app: App, cookie: str) -> None:
    with Line(carrying.address) as line:
        line.send(get("/auth/traefik", ("Cookie", cookie)))
        assert answered(line).status == 400  # trusted, but it says nothing of an original request
        line.send(get("/.gateway/x", ("Cookie", cookie)))
        assert answered(line).status == 404
        line.send(get("/health/live", ("Cookie", cookie)))
        met = app.met()
        met.head()
        met.answer(b"the app's own")
        assert answered(line).body == b"the app's own"


def test_an_app_without_an_upstream_is_nobodys_here(carrying: Served, cookie: str) -> None:
    with Line(carrying.address) as line:
        line.send(request("GET", "/", [("Host", "asked.example.com"), ("Cookie", cookie)]))
        assert answered(line).status == 404
