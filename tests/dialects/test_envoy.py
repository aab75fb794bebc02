"""Envoy asks with the visitor's own method, Host and path, the path behind our prefix; 5xx is never said to it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from asking import Answer, Line, ask, request
from gateway.dialects import envoy
from gateway.endpoints import returns
from gateway.forwarded import SECRET_HEADER, Trust
from gateway.model import AccessRequest, Challenge, Malformed, Question, Reply
from gateway.replies import Speech, malformed, unavailable
from serving import Served

TRUST = Trust(networks=(ip_network("127.0.0.1/32"),))
SENT = {
    b"host": b"app.example.com",
    b"x-forwarded-proto": b"https",
    b"x-forwarded-for": b"203.0.113.9",
    b"content-length": b"0",
}
SPEECH = Speech(
    "https://auth.example.com", "https://auth.example.com/login?to={}".format, lambda *_: ("", ""), lambda: "1"
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PERSON = ("Sec-Fetch-Mode", "navigate")


def read(
    target: bytes = b"/auth/envoy/", sent: dict[bytes, bytes] | None = None, method: str = "GET", trust: Trust = TRUST
) -> AccessRequest | Malformed:
    return envoy.read(Question(method, target, list((SENT | (sent or {})).items()), "127.0.0.1"), trust)


def over(
    served: Served, path: str, *more: tuple[str, str], method: str = "GET", host: str = "app.example.com"
) -> Answer:
    headers = [
        ("Host", host),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-For", "203.0.113.9"),
        ("Content-Length", "0"),
    ]
    return ask(served.address, request(method, f"/auth/envoy{path}", [*headers, *more]))


def test_the_original_request_is_this_one_without_the_prefix() -> None:  # C036
    assert read(b"/auth/envoy/foo?x=1", method="PUT") == AccessRequest(
        "PUT", "https", "app.example.com", "app.example.com", "/foo", "", "/foo?x=1", ip_address("203.0.113.9"), SENT
    )


@pytest.mark.parametrize(
    ("target", "uri"),
    [
        (b"/auth/envoy/", "/"),
        (b"/auth/envoy//", "//"),
        (b"/auth/envoy/auth/envoy/x", "/auth/envoy/x"),
        (b"/auth/envoy/foo?redirect=%2Fbar&b=c%20d", "/foo?redirect=%2Fbar&b=c%20d"),
        (b"/auth/envoy/?", "/?"),
        (b"/auth/envoy/a%2Fb;c=d//e", "/a%2Fb;c=d//e"),
        (b"/auth/envoy/x?/../y", "/x?/../y"),
    ],
)
def test_what_stands_behind_the_prefix_is_kept_byte_for_byte(target: bytes, uri: str) -> None:  # C040
    found = read(target)
    assert isinstance(found, AccessRequest)
    assert found.uri == uri


@pytest.mark.parametrize(
    ("target", "sent", "refused"),
    [
        (b"/auth/envoy/public/../x", {}, "cannot read the original path: dot segments"),
        (b"/auth/envoy/..", {}, "cannot read the original path: dot segments"),
        (b"/auth/envoy/%2e%2e/x", {}, "cannot read the original path: dot segments"),
        (b"/auth/envoy/..;/x", {}, "cannot read the original path: dot segments"),
        (b"/auth/envoy/\\x", {}, "cannot read the original path: a character that does not belong there"),
        (b"/auth/envoy*", {}, "cannot read the original path: not absolute"),
        (b"/auth/envoy", {}, "cannot read the original path: not absolute"),
        (b"/", {b"x-forwarded-proto": b""}, "the header x-forwarded-proto is missing or empty"),  # C044
        (b"/", {b"host": b""}, "the header host is missing or empty"),
        (b"/", {b"x-forwarded-proto": b"ftp"}, "cannot read the original scheme"),
        (b"/", {b"host": b"app.example.com, pub.example.com"}, "cannot read the original host"),
        (b"/", {b"host": b"app.example.com@pub.example.com"}, "cannot read the original host"),
    ],
)
def test_what_is_missing_or_has_two_readings_is_refused(target: bytes, sent: dict[bytes, bytes], refused: str) -> None:
    found = read(target, sent)
    assert isinstance(found, Malformed)
    assert (found.reason, found.status) == (refused, 400)


@pytest.mark.parametrize("name", [*SENT, SECRET_HEADER, b"authorization", b"x-api-key", b"origin"])
def test_a_part_that_comes_twice_is_refused(name: bytes) -> None:
    """An Envoy that shows only the last of two is CVE-2021-32777; one that shows both is refused here."""
    found = envoy.read(
        Question("GET", b"/auth/envoy/", [*SENT.items(), (name, b"a"), (name, b"a")], "127.0.0.1"), TRUST
    )
    if name == b"content-length":
        assert isinstance(found, AccessRequest)  # it is about this message, and the parser has already judged it
    else:
        assert found == Malformed("G102", f"the header {name.decode()} appears twice", 400)


@pytest.mark.parametrize(
    "spoofed",
    [
        {
            b"x-forwarded-method": b"GET",
            b"x-forwarded-uri": b"/public/",
            b"x-forwarded-host": b"pub.example.com",
        },  # C037
        {b"x-original-url": b"https://pub.example.com/public/", b"x-original-method": b"GET"},
        {b"x-envoy-original-path": b"/public/", b"x-envoy-original-method": b"GET"},  # CVE-2023-27487
        {b"x_forwarded_proto": b"http", b"forwarded": b"proto=http;host=pub.example.com"},
        {b"x-http-method-override": b"GET", b"connection": b"host, x-forwarded-proto"},
    ],
)
def test_no_other_header_changes_what_was_asked(spoofed: dict[bytes, bytes]) -> None:
    found, plain = (read(b"/auth/envoy/internal", sent, "POST") for sent in (spoofed, {}))
    assert isinstance(found, AccessRequest)
    assert isinstance(plain, AccessRequest)
    assert found._replace(headers={}) == plain._replace(headers={})


def test_nobody_but_a_trusted_envoy_may_ask() -> None:
    for trust in (Trust(), Trust(secret=b"a-secret-of-the-proxy")):
        found = read(trust=trust, sent={SECRET_HEADER: b"-"})  # what the shipped file says where no secret is set
        assert isinstance(found, Malformed)
        assert (found.code, found.status) == ("G101", 403)


def test_what_cannot_be_known_is_a_no_and_never_an_error_of_the_server() -> None:
    """``failure_mode_allow: true`` would let in on 5xx. The rest stays as it is."""
    reply = envoy.refuse(unavailable("G301", "cannot know now", 1, SPEECH))
    assert (reply.status, dict(reply.headers)[b"retry-after"]) == (403, b"1")
    for refusal in (Malformed("G103", "missing"), Malformed("G101", "not trusted", 403)):
        assert envoy.refuse(malformed(refusal, SPEECH)).status == refusal.status
    assert envoy.refuse(Reply(599, [])).status == 403


def test_the_return_url_has_the_whole_query() -> None:  # C040
    request = read(b"/auth/envoy/foo?redirect=%2Fbar", {b"sec-fetch-mode": b"navigate"})
    assert isinstance(request, AccessRequest)
    reply = envoy.write(Challenge("app", 1, "sign in"), request, SPEECH)
    wanted = b"https://auth.example.com/login?to=https://app.example.com/foo?redirect=%2Fbar"
    assert dict(reply.headers)[b"location"] == wanted


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_asked_about_as_itself(served: Served, method: str) -> None:  # C036, C038
    served.user("alice", ["users"])
    _, cookie = served.session("alice")
    for _ in ("cold", "warm"):
        answer = over(served, "/foo?x=1", ("Cookie", cookie), method=method)
        assert (answer.status, answer.body, answer["content-length"]) == (200, b"", "0")
        assert (answer["remote-user"], answer["remote-groups"]) == ("alice", "users")
    assert over(served, "/internal", ("Cookie", cookie), method=method).status == 403


@pytest.mark.parametrize(
    ("method", "more", "status"),
    [
        ("GET", [PERSON], 302),
        ("POST", [PERSON], 303),  # C037
        ("POST", [PERSON, ("X-Forwarded-Method", "GET")], 303),
        ("POST", [("Accept", "text/html")], 401),
        ("OPTIONS", [("Origin", "https://app.example.com"), ("Access-Control-Request-Method", "GET")], 401),
        ("DELETE", [], 401),
        ("GET", [("X-Api-Key", "gwk_nonsense")], 401),
        ("GET", [("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="), ("Accept", "text/html")], 401),
    ],
)
def test_a_stranger_is_challenged_by_the_method_that_counts(
    served: Served, method: str, more: list[tuple[str, str]], status: int
) -> None:
    answer = over(served, "/foo?redirect=%2Fbar", *more, method=method)
    assert answer.status == status
    if status < 400:
        token = answer["location"].partition("rd=")[2]
        ring, wall = served.gateway.cache.ring, 0.0
        assert returns.read(ring, token, wall) == "https://app.example.com/foo?redirect=%2Fbar"
    else:
        assert (answer.all("location"), bool(answer["www-authenticate"])) == ([], True)


@pytest.mark.parametrize("path", ["/public/x", "/public/x?y=/../z", "/health"])
def test_what_is_public_is_public_and_names_nobody(served: Served, path: str) -> None:
    answer = over(served, path, ("Remote-User", "evil"))
    assert (answer.status, answer["remote-user"]) == (200, "")


@pytest.mark.parametrize("path", ["/public/../internal", "/public/%2e%2e/internal", "", "*", "x", "/public%5c..%5cx"])
def test_a_path_with_two_readings_is_never_let_in(served: Served, path: str) -> None:
    assert over(served, path).status in {400, 403, 404}


def test_a_question_that_does_not_say_its_scheme_is_refused_and_makes_no_return_url(served: Served) -> None:  # C044
    sent = [("Host", "app.example.com"), PERSON]
    answer = ask(served.address, request("GET", "/auth/envoy/foo", sent))
    assert (answer.status, answer.all("location")) == (400, [])


def test_the_portals_host_is_asked_about_like_any_other(served: Served) -> None:
    """Envoy sends the visitor's Host, so the door must be found before the host is looked at."""
    answer = over(served, "/login", host="auth.example.com")
    assert (answer.status, answer.body) == (200, b"")


def test_questions_follow_one_another_on_one_line(served: Served) -> None:
    with Line(served.address) as line:
        for method, status in (("POST", 401), ("GET", 401), ("HEAD", 401)):
            line.send(request(method, "/auth/envoy/x", [("Host", "app.example.com"), ("X-Forwarded-Proto", "https")]))
            answer = line.answer(head=method == "HEAD")
            assert answer is not None
            assert answer.status == status
