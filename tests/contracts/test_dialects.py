"""The contract of the fan of dialects: every member, the one added tomorrow too."""

from __future__ import annotations

from importlib import import_module
from ipaddress import ip_network
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import dialects
from gateway.forwarded import SECRET_HEADER, Trust
from gateway.headers import ANSWER
from gateway.model import AccessRequest, Allow, Challenge, Decision, Deny, Headers, Level, Malformed, Question, Reply
from gateway.replies import Speech

TRUST = Trust(networks=(ip_network("127.0.0.1/32"),))
SPEECH = Speech(
    "https://auth.example.com",
    "https://auth.example.com/login?to={}".format,
    lambda deny, *_: (f"<p>{deny.reason}", "default-src 'none'"),
    lambda: "id-1",
)
SPOKEN = {
    b"x-forwarded-method": [b"GET", b"POST", b"get", b"G ET"],
    b"x-forwarded-proto": [b"https", b"wss", b"ftp"],
    b"x-forwarded-host": [b"app.example.com", b"APP.example.com:443", b"app.example.com/x", b"[::1]"],
    b"x-forwarded-uri": [b"/", b"/x?y", b"/../x", b"//x", b"x", b"/%"],
    b"x-forwarded-for": [b"203.0.113.9", b"x, 127.0.0.1", b""],
    b"x-original-method": [b"GET", b"PUT"],
    b"x-original-url": [
        b"https://app.example.com/x",
        b"https://[::1",
        b"https://a@b/",
        b"/x",
        b"https://app.example.com:x/",
    ],
    b"host": [b"app.example.com", b"gateway:8000"],
    b"accept": [b"text/html", b"*/*"],
    b"cookie": [b"a=b"],
    b"x_forwarded_uri": [b"/public"],
}
PAIRS = st.sampled_from(sorted(SPOKEN)).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(SPOKEN[name]) | st.binary(max_size=20))
)
ANY_HEADERS = st.lists(PAIRS | st.tuples(st.binary(max_size=10), st.binary(max_size=10)), max_size=12)
WHOLE: Headers = [(name, values[0]) for name, values in SPOKEN.items()]
"""What every proxy says, all at once: each member finds its own family in it."""

METHODS = ["GET", "HEAD", "POST", "OPTIONS"]
ALLOW = Allow("app", 1, None, None, [*ANSWER, (b"remote-user", b"alice")])
REFUSALS: list[Decision] = [
    Challenge("app", 1, "sign in"),
    Challenge("app", 1, "show your second factor", Level.TWO_FACTOR),
    Deny("app", 2, "G133", "a rule of this app refuses this request"),
]
KNOWN = {"/auth/nginx": {403, 503}, "/auth/envoy/": {400, 403, 404}}
"""Callers that take some statuses for something else than a no."""

members = pytest.mark.parametrize("member", dialects.FAN, ids=lambda member: member.PATH)


def ask(
    member: ModuleType, headers: Headers, *, trust: Trust = TRUST, method: str = "GET", tail: bytes = b""
) -> object:
    return member.read(Question(method, member.PATH.encode() + tail, headers, "127.0.0.1"), trust)


def asked(member: ModuleType) -> AccessRequest:
    found = ask(member, WHOLE, tail=b"/x")
    assert isinstance(found, AccessRequest), found
    return found


def test_every_file_that_speaks_is_named_once_in_the_fan() -> None:
    stems = {file.stem for file in Path(dialects.__file__).parent.glob("*.py")} - {"__init__"}
    found = {stem for stem in stems if hasattr(import_module(f"gateway.dialects.{stem}"), "PATH")}
    assert sorted(member.__name__.rpartition(".")[2] for member in dialects.FAN) == sorted(found)


def test_no_two_have_one_path() -> None:
    paths = [member.PATH for member in dialects.FAN]
    assert len(set(paths)) == len(paths)
    assert [path for path in paths for other in paths if path != other and other.startswith(f"{path}/")] == []


@members
def test_a_member_is_called_by_its_proxy(member: ModuleType) -> None:
    assert member.PATH.rstrip("/") == f"/auth/{member.__name__.rpartition('.')[2]}"


@members
def test_it_reads_what_its_proxy_says(member: ModuleType) -> None:
    read = asked(member)
    assert (read.scheme, read.host, read.client is None) == ("https", "app.example.com", False)


@members
@given(
    headers=ANY_HEADERS,
    method=st.sampled_from(METHODS),
    tail=st.sampled_from([b"", b"/", b"/x", b"//x", b"/../x", b"?x", b"x"]) | st.binary(max_size=20),
)
@settings(max_examples=200, deadline=None)
def test_read_raises_nothing_on_any_headers_and_any_target(
    member: ModuleType, headers: Headers, method: str, tail: bytes
) -> None:
    found = ask(member, headers, method=method, tail=tail)
    assert isinstance(found, AccessRequest | Malformed)
    if isinstance(found, Malformed):
        assert found.status in {400, 403}
        assert found.reason.isprintable()
    else:
        assert (found.scheme in {"http", "https"}, found.uri.startswith("/"), found.path.startswith("/")) == (True,) * 3
        assert found.host == found.host.lower()


@members
@given(headers=ANY_HEADERS, secret=st.binary(max_size=20))
@settings(max_examples=100, deadline=None)
def test_nobody_who_is_not_trusted_is_ever_answered(member: ModuleType, headers: Headers, secret: bytes) -> None:
    for trust in (Trust(), Trust(networks=(ip_network("10.0.0.0/8"),)), Trust(secret=b"a-secret-of-the-proxy")):
        for sent in (headers, WHOLE, [*WHOLE, (SECRET_HEADER, secret)]):
            found = ask(member, sent, trust=trust, tail=b"/x")
            assert isinstance(found, Malformed)
            assert sent is headers or found.status == 403


@members
@pytest.mark.parametrize("name", sorted(SPOKEN))
def test_what_decides_is_missed_and_never_guessed(member: ModuleType, name: bytes) -> None:
    """Without a header the answer is the same, because another family's header is nobody's, or there is none."""
    found = ask(member, [(key, value) for key, value in WHOLE if key != name], tail=b"/x")
    if isinstance(found, AccessRequest):
        client = None if name == b"x-forwarded-for" else asked(member).client
        assert found._replace(headers={}) == asked(member)._replace(headers={}, client=client)


@members
def test_an_allow_is_exactly_200_with_its_headers_and_no_body(member: ModuleType) -> None:
    reply = member.write(ALLOW, asked(member), SPEECH)
    assert (reply.status, reply.headers, reply.body) == (200, ALLOW.headers, b"")


@members
@pytest.mark.parametrize("decision", REFUSALS, ids=repr)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "sent", [{}, {b"accept": b"text/html"}, {b"sec-fetch-mode": b"navigate"}, {b"sec-fetch-mode": b"cors"}]
)
def test_a_refusal_lets_nobody_in_and_names_nobody(
    member: ModuleType, decision: Decision, method: str, sent: dict[bytes, bytes]
) -> None:
    reply = member.write(decision, asked(member)._replace(method=method, headers=sent), SPEECH)
    assert reply.status in {302, 303, 401, 403}
    names = [name for name, _ in reply.headers]
    assert len(set(names)) == len(names)
    assert dict(reply.headers)[b"cache-control"] == b"no-store"
    assert dict(reply.headers)[b"content-length"] == str(len(reply.body)).encode()
    assert not any(name.startswith((b"remote-", b"set-cookie")) for name in names)
    assert all(0x20 <= byte < 0x7F for _, value in reply.headers for byte in value)


@members
@pytest.mark.parametrize("status", [400, 403, 404, 503])
def test_a_refusal_before_a_decision_is_a_no_to_this_caller(member: ModuleType, status: int) -> None:
    """What nginx does not know becomes a 500, and a 5xx may let in at Envoy: the last is said by 403 there."""
    body = b'{"code": "G104"}'
    sent = [(b"content-type", b"x/y"), (b"content-length", str(len(body)).encode()), (b"x-request-id", b"id-1")]
    reply = member.refuse(Reply(status, sent, body))
    assert reply.status in {status, 403}
    assert reply.status in KNOWN.get(member.PATH, {status})
    assert dict(reply.headers)[b"content-length"] == str(len(reply.body)).encode()
    assert dict(reply.headers)[b"x-request-id"] == b"id-1"
    assert len(dict(reply.headers)) == len(reply.headers)
