"""nginx's question read from the two headers that its configuration sets, and answered in the three ways it knows."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from asking import Answer, ask, request
from gateway import replies
from gateway.dialects import nginx
from gateway.forwarded import SECRET_HEADER, Trust
from gateway.model import AccessRequest, Allow, Challenge, Deny, Malformed, Question, Reply
from gateway.replies import Speech
from serving import Served

TRUST = Trust(networks=(ip_network("127.0.0.1/32"),))
URL, METHOD, FOR = b"x-original-url", b"x-original-method", b"x-forwarded-for"
SENT = {URL: b"https://app.example.com/x?y=1", METHOD: b"GET", FOR: b"203.0.113.9", b"host": b"gateway"}
SPEECH = Speech(
    "https://auth.example.com", "https://auth.example.com/login?to={}".format, lambda *_: ("<p>", "none"), lambda: "1"
)
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
IDENTITY = ("remote-user", "remote-groups", "remote-name", "remote-email")


def read(changed: dict[bytes, bytes] | None = None, *, trust: Trust = TRUST) -> AccessRequest | Malformed:
    """The question with these headers changed; an empty value stands for one that nginx leaves out."""
    sent = [(name, value) for name, value in (SENT | (changed or {})).items() if value]
    return nginx.read(Question("GET", b"/auth/nginx", sent, "127.0.0.1"), trust)


def understood(changed: dict[bytes, bytes] | None = None) -> AccessRequest:
    found = read(changed)
    assert isinstance(found, AccessRequest), found
    return found


def test_the_original_request_is_read_from_its_url_and_method() -> None:
    assert understood() == AccessRequest(
        "GET", "https", "app.example.com", "app.example.com", "/x", "", "/x?y=1", ip_address("203.0.113.9"), SENT
    )


@pytest.mark.parametrize("name", [URL, METHOD])
def test_a_question_that_lacks_a_part_is_refused_and_not_answered_from_its_own(name: bytes) -> None:  # C025
    assert read({name: b""}) == Malformed("G103", f"the header {name.decode()} is missing or empty")


@pytest.mark.parametrize("name", [URL, METHOD, FOR, SECRET_HEADER])
def test_a_part_that_comes_twice_is_refused(name: bytes) -> None:
    twice = [*SENT.items(), (name, b"a"), (name, b"a")]
    refused = nginx.read(Question("GET", b"/auth/nginx", twice, "127.0.0.1"), TRUST)
    assert refused == Malformed("G102", f"the header {name.decode()} appears twice")


UNREADABLE = (
    # what X-Original-URL says, and which part of it is named
    (b"https://app.example.com/%", "path: a character that does not belong there"),  # C028
    (b"https://app.example.com/%zz", "path: a character that does not belong there"),
    (b"https://app.example.com/\x01", "path: a character that does not belong there"),
    (b"https://app.example.com/\xff", "path: raw bytes beyond ASCII"),
    (b"https://app.example.com/a b", "path: a character that does not belong there"),
    (b"https://app.example.com/x#/public/", "path: a character that does not belong there"),
    (b"https://app.example.com/public/../x", "path: dot segments"),
    (b"https://app.example.com", "path: not absolute"),
    (b"https://app.example.com:99999/", "port"),
    (b"https://app.example.com:/", "host"),
    (b"https:///x", "host"),
    (b"https://app.example.com, pub.example.com/", "host"),
    (b"ftp://app.example.com/", "scheme"),
    (b"https://alice@app.example.com/", "URL"),
    (b"https://app.example.com\\@pub.example.com/", "URL"),
    (b"https://app.example.com?/public/", "URL"),
    (b"https:app.example.com/", "URL"),
    (b"//app.example.com/", "URL"),
    (b"/x", "URL"),
    (b" https://app.example.com/", "URL"),
    (b"https://app.example.com/\nx", "path: a character that does not belong there"),
)


@pytest.mark.parametrize(("url", "part"), UNREADABLE)
def test_an_original_url_that_cannot_be_read_is_refused_and_not_repeated(url: bytes, part: str) -> None:
    found = read({URL: url})
    assert found == Malformed("G104", f"cannot read the original {part}")


@pytest.mark.parametrize("method", [b"get", b"G ET", b"GET, POST", b"\xff"])
def test_a_method_is_a_word_in_capitals(method: bytes) -> None:
    assert read({METHOD: method}) == Malformed("G104", "cannot read the original method")


@pytest.mark.parametrize(
    "sent_by_a_client",
    [
        {b"x-forwarded-uri": b"/public/x", b"x-forwarded-host": b"pub.example.com"},  # C030
        {b"x-forwarded-method": b"OPTIONS", b"x-forwarded-proto": b"http", b"forwarded": b"host=pub.example.com"},
        {b"x_original_url": b"https://pub.example.com/", b"x-original-uri": b"/public/", b"x-rewrite-url": b"/public/"},
    ],
)
def test_no_other_header_changes_what_was_asked(sent_by_a_client: dict[bytes, bytes]) -> None:
    assert understood(sent_by_a_client)._replace(headers={}) == understood()._replace(headers={})


def test_what_kubernetes_sends_is_enough() -> None:  # C033
    sent = {b"x-forwarded-proto": b"", b"x-auth-request-redirect": b"/x", b"x-sent-from": b"nginx-ingress-controller"}
    assert understood(sent).uri == "/x?y=1"


def test_nobody_but_a_trusted_proxy_may_ask() -> None:
    found = read({URL: b"x"}, trust=Trust())
    assert isinstance(found, Malformed)
    assert (found.code, found.status) == ("G101", 403)


def written(decision: Allow | Challenge | Deny, **headers: str) -> tuple[int, dict[bytes, bytes]]:
    asked = understood({name.replace("_", "-").lower().encode(): value.encode() for name, value in headers.items()})
    reply = nginx.write(decision, asked, SPEECH)
    assert reply.body == b""
    return reply.status, dict(reply.headers)


def test_an_allow_is_its_headers_and_nothing_else() -> None:
    block = [(b"content-length", b"0"), (b"remote-user", b"alice")]
    assert written(Allow("app", 1, None, None, block)) == (200, dict(block))


def test_where_to_sign_in_is_offered_to_people_and_never_as_a_redirect() -> None:
    status, headers = written(Challenge("app", 1, "sign in"), sec_fetch_mode="navigate")
    assert (status, headers[b"x-gateway-login"]) == (
        401,
        b"https://auth.example.com/login?to=https://app.example.com/x?y=1",
    )
    assert b"location" not in headers
    status, headers = written(Challenge("app", 1, "sign in"))
    assert (status, headers[b"www-authenticate"]) == (401, b'Session realm="https://auth.example.com"')
    assert b"x-gateway-login" not in headers


def test_where_people_wanted_to_go_is_not_remembered() -> None:
    """What refusals have in common is; an address may be a secret, and there is no end of them."""
    written(Challenge("app", 1, "sign in"), sec_fetch_mode="navigate")
    before = replies._form.cache_info().currsize
    for number in range(20):
        speech = SPEECH._replace(login_url=f"https://auth.example.com/login?{number}&to={{}}".format)
        asked = understood({b"sec-fetch-mode": b"navigate"})
        assert nginx.write(Challenge("app", 1, "sign in"), asked, speech).status == 401
    assert replies._form.cache_info().currsize == before


def test_a_denial_has_no_page_even_for_people() -> None:
    status, headers = written(Deny("app", 1, "G130", "no"), sec_fetch_mode="navigate")
    assert (status, headers[b"content-length"], headers[b"x-request-id"]) == (403, b"0", b"1")
    assert b"content-type" not in headers


@pytest.mark.parametrize(("said", "status"), [(400, 403), (403, 403), (503, 503)])
def test_a_refusal_before_a_decision_is_one_that_nginx_takes_for_a_no(said: int, status: int) -> None:
    reply = nginx.refuse(Reply(said, [(b"content-type", b"x"), (b"content-length", b"4")], b"body"))
    assert reply == Reply(status, [(b"content-length", b"0")])


# Over a real socket ---------------------------------------------------------------------------------------------------


def over(
    served: Served, url: str | None = "https://app.example.com/", method: str | None = "GET", **more: str
) -> Answer:
    """One question as nginx asks it; only what is given is sent."""
    given = {"X-Original-URL": url, "X-Original-Method": method, "X-Forwarded-For": "203.0.113.9"}
    headers = {name: value for name, value in given.items() if value is not None}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    answer = ask(served.address, request("GET", "/auth/nginx", headers))
    assert answer.status in (200, 401, 403, 503), "nginx makes a 500 of it"
    assert (answer["content-length"], answer.body) == ("0", b"")
    assert not answer.all("location")
    assert len(answer.raw) < 4096
    return answer


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_a_stranger_is_told_to_sign_in(served: Served, method: str) -> None:  # C022
    answer = over(served, method=method)
    assert answer.status == 401
    assert answer["www-authenticate"] == 'Session realm="https://auth.example.com"'
    person = over(served, method=method, **{"Sec-Fetch-Mode": "navigate"})
    assert (person.status, person["x-gateway-login"].partition("=")[0]) == (401, "https://auth.example.com/login?rd")


def test_who_is_signed_in_is_let_in_and_told_about(served: Served) -> None:  # C023
    served.user("alice", ["users"])
    _, cookie = served.session("alice")
    answer = over(served, Cookie=cookie)
    assert answer.status == 200
    assert [answer[name] for name in IDENTITY] == ["alice", "users", "", ""]


def test_who_may_not_is_refused(served: Served) -> None:  # C024
    served.user("alice")
    _, cookie = served.session("alice")
    answer = over(served, "https://admin.example.com/", Cookie=cookie)
    assert answer.status == 403
    assert answer["x-request-id"]


@pytest.mark.parametrize(
    ("url", "method"),
    [
        (None, "GET"),  # C025
        ("", "GET"),
        ("https://app.example.com/", None),
        ("https://app.example.com/%", "GET"),  # C028
        ("https://app.example.com/%zz", "GET"),
        ("https://pub.example.com/../x", "GET"),
        ("https://pub.example.com/", "get"),
    ],
)
def test_a_malformed_question_is_403_because_nginx_knows_no_400(
    served: Served, url: str | None, method: str | None
) -> None:
    """The other doors say 400; here that would be a 500 at the client."""
    assert over(served, url, method).status == 403


def test_a_control_character_in_the_url_is_no_message_at_all(served: Served) -> None:  # C028
    sent = request("GET", "/auth/nginx", {"X-Original-URL": "https://app.example.com/\x01", "X-Original-Method": "GET"})
    assert ask(served.address, sent).status == 400


def test_a_clients_forwarded_headers_open_nothing(served: Served) -> None:  # C030
    public = {"X-Forwarded-Uri": "/public/x", "X-Forwarded-Host": "pub.example.com", "X-Forwarded-Method": "GET"}
    assert over(served, **public, **{"X-Forwarded-Proto": "https"}).status == 401


def test_a_bypass_answers_every_identity_header_empty(served: Served) -> None:
    answer = over(served, "https://app.example.com/public/x", **{"Remote-User": "evil"})
    assert [answer[name] for name in IDENTITY] == ["", "", "", ""]


def test_a_gateway_that_cannot_know_says_503_and_lets_nobody_in(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nginx makes a 500 of it, and the shipped file a 503 again."""

    def fail(*_: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr("gateway.endpoints.forwardauth.weigh", fail)
    answer = over(served)
    assert (answer.status, answer["retry-after"]) == (503, "1")
