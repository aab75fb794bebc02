"""A question that is like an earlier one is the same as if it had been read anew, whatever its path, door and sender; and
nothing is kept that anybody could use."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asking import question, request
from gateway import dialects, tokens
from gateway.cache import Bounds, Cache, Entry, Origin
from gateway.endpoints import familiar, plain
from gateway.endpoints.familiar import Familiar
from gateway.endpoints.forwardauth import Asked, ForwardAuth, Judge
from gateway.forwarded import Trust
from gateway.model import Question, Reply
from gateway.replies import Speech
from samples import MOMENT, NAMES, NOW, OFFSET, RING, api_key, credential, person, session
from serving import COOKIE

PEER = "127.0.0.1"
SPEECH = Speech("https://auth.example.com", lambda url: url, lambda *_: ("", ""), lambda: "0" * 16)
COOKIES = [session() for _ in range(2)]


def judge(cache: Cache | None = None) -> Judge:
    known: Any = None  # nothing is recalled here
    trust = Trust((ip_network("127.0.0.0/8"),))
    return Judge(cache or Cache(RING, Bounds()), known, trust, NAMES, lambda: MOMENT, SPEECH)


def ask(place: Familiar, door: ForwardAuth, data: bytes, peer: str = PEER) -> Asked | None:
    """Read ``data`` as the express door does, and have it remembered; None where it is not a plain question."""
    message = plain.read(data)
    if message is None:
        return None
    asked = door.read(Question(message.method, message.target, message.headers, peer))
    if isinstance(asked, Reply):
        return None
    place.remember(data, peer, door, message, asked)
    return asked


def without_secrets(asked: Asked) -> Asked:
    headers = {name: value for name, value in asked.request.headers.items() if name not in familiar._SECRET}
    headers.pop(b"x-forwarded-uri", None)
    shown = tuple(tuple((each, None) for each, _ in kind) for kind in asked.shown)
    return Asked(asked.request._replace(headers=headers), shown)


PATHS = st.sampled_from(
    ["/", "/public/a", "/internal", "/a%2fb", "/a?b=c", "/a/../b", "//", "/a b", "a", "/a\x00", "/é", "/#"]
)
EXTRA = st.lists(
    st.sampled_from(
        [
            ("X-Forwarded-Uri", "/public/"),
            ("x-forwarded-uri", "/x"),
            ("X-FORWARDED-URI", "/y"),
            ("X-Original-URL", "https://app.example.com/internal"),
            ("X-Original-Method", "GET"),
            ("X-Api-Key", api_key()),
            ("Origin", "https://elsewhere.example"),
            ("X-Empty", ""),
            ("X-Quoted", "X-Forwarded-Uri: /z"),
        ]
    ),
    max_size=3,
)


def messages(door: ForwardAuth, path: str, extra: list[tuple[str, str]], cookie: str | None) -> bytes:
    target = f"{door.dialect.PATH.rstrip('/')}{path}" if door.name == "" else door.dialect.PATH
    return request("GET", target, [*question("app.example.com", path, cookie=cookie and f"{COOKIE}={cookie}"), *extra])


@given(
    dialect=st.sampled_from(dialects.FAN),
    first=PATHS,
    second=PATHS,
    extra=EXTRA,
    cookie=st.sampled_from([None, *COOKIES]),
    other=st.sampled_from([None, *COOKIES]),
    peer=st.sampled_from([PEER, "127.0.0.2", "192.0.2.1"]),
)
@settings(max_examples=800, deadline=None)
def test_what_is_found_is_what_would_be_read(
    dialect: Any,
    first: str,
    second: str,
    extra: list[tuple[str, str]],
    cookie: str | None,
    other: str | None,
    peer: str,
) -> None:
    place, door = Familiar(), ForwardAuth(dialect, judge())
    ask(place, door, messages(door, first, extra, cookie))
    data = messages(door, second, extra, other)
    found = place.find(data, peer)
    if found is None:
        return
    anew = ask(Familiar(), door, data, peer)
    assert anew is not None
    assert without_secrets(found[1]) == without_secrets(anew)


def test_the_fifty_of_a_page_are_read_once() -> None:
    place, door = Familiar(), ForwardAuth(dialects.traefik, judge())
    assert ask(place, door, messages(door, "/", [], COOKIES[0]))
    for number in range(50):
        found = place.find(messages(door, f"/{number}?a=b", [], COOKIES[0]), PEER)
        assert found is not None
        assert (found[1].request.path, found[1].request.uri) == (f"/{number}", f"/{number}?a=b")
        assert [credential for ((credential, _),) in found[1].shown] == [credential_of(COOKIES[0])]


def credential_of(token: str) -> Any:
    return credential(token)


@pytest.mark.parametrize("dialect", [dialects.nginx, dialects.envoy])
def test_a_path_that_the_dialect_does_not_read_is_nobodys(dialect: Any) -> None:
    """Where the path stands elsewhere, this header is the visitor's own word."""
    place, door = Familiar(), ForwardAuth(dialect, judge())
    said = [("X-Original-URL", "https://app.example.com/internal"), ("X-Original-Method", "GET")]
    sent = [*question("app.example.com", "/public/"), *said]
    target = "/auth/nginx" if dialect is dialects.nginx else "/auth/envoy/internal"
    data = request("GET", target, sent)
    assert ask(place, door, data) is not None
    assert place.find(data, PEER) is None


def test_no_token_is_kept() -> None:
    place, door = Familiar(), ForwardAuth(dialects.traefik, judge())
    key, secret = api_key(), ("X-Gateway-Secret", "open sesame")
    asked = question("app.example.com", "/", cookie=f"{COOKIE}={COOKIES[0]}", more=[("X-Api-Key", key), secret])
    assert ask(place, door, request("GET", "/auth/traefik", asked)) is not None
    (known,) = place._strangers.values()
    kept = f"{place._strangers} {known.asked.shown} {known.asked.request.headers}"
    for hidden in (COOKIES[0], key, "open sesame"):
        assert hidden not in kept


def test_strangers_push_out_strangers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(familiar, "STRANGERS", 3)
    cache = Cache(RING, Bounds())
    cache.heard(NOW, OFFSET)
    cache.put(credential(COOKIES[0]), Entry(Origin("session", person("alice"), ())), cache.epoch)
    place, door = Familiar(), ForwardAuth(dialects.traefik, judge(cache))
    ask(place, door, messages(door, "/", [], COOKIES[0]))
    forged = [session() for _ in range(20)]
    for token in forged:
        ask(place, door, messages(door, "/", [], token))
    assert len(place._strangers) == 3
    assert place.find(messages(door, "/x", [], COOKIES[0]), PEER)
    assert not place.find(messages(door, "/x", [], forged[0]), PEER)


def test_with_other_keys_everything_is_read_again() -> None:
    """A key was withdrawn, or added: what a token proves is asked anew."""
    cache = Cache(RING, Bounds())
    place, door = Familiar(), ForwardAuth(dialects.traefik, judge(cache))
    data = messages(door, "/", [], COOKIES[0])
    ask(place, door, data)
    assert place.find(data, PEER)
    cache.ring = tokens.Ring(RING.id, b"", {}, RING.digest_key)
    assert place.find(data, PEER) is None
    ask(place, door, data)
    assert place.find(data, PEER)


def test_a_long_head_is_not_kept() -> None:
    place, door = Familiar(), ForwardAuth(dialects.traefik, judge())
    data = messages(door, "/", [("X-Long", "a" * familiar.LONGEST_KEPT)], None)
    assert ask(place, door, data)
    assert place.find(data, PEER) is None
