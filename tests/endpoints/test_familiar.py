"""A question that is like an earlier one is the same as if it had been read anew, whatever its path, door and sender; and
nothing is kept that anybody could use."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asking import question, request
from gateway import dialects
from gateway.cache import Bounds, Cache, Entry, Origin
from gateway.endpoints import familiar
from gateway.endpoints.express import _cut
from gateway.endpoints.familiar import LONGEST_KEPT, Familiar
from gateway.endpoints.forwardauth import ForwardAuth, Judge
from gateway.endpoints.sidecar import _key
from gateway.forwarded import Trust
from gateway.headers import lines
from gateway.messages import plain
from gateway.model import App, Question, Reply, Rule
from gateway.policy import compile_policy
from gateway.replies import Speech
from samples import MOMENT, NAMES, NOW, OFFSET, RING, api_key, credential, person, session
from serving import COOKIE

PEER = "127.0.0.1"
SPEECH = Speech("https://auth.example.com", lambda url: f"/login?{url}", lambda *_: ("", ""), lambda: "0" * 16)
COOKIES = [session() for _ in range(3)]
"""Of alice, of bob, and of nobody that memory knows."""
KEY = api_key()
APPS = [
    App(
        "app",
        "",
        ("app.example.com",),
        (
            Rule("deny", path="/internal", groups=("guests",)),
            Rule("bypass", path="/public/"),
            Rule("bypass", path_exact="/a", networks=("203.0.113.0/24",)),
            Rule("deny", path_regex="b$", methods=("GET",)),
            Rule("one_factor", path="/internal", groups=("admins",)),
            Rule("two_factor", path="/a", users=("bob",)),
            Rule("one_factor", groups=("users",)),
        ),
        preflight="pass",
    ),
    App("other", "", ("other.example.com",), (Rule("one_factor", users=("bob",)),), headers=(("X-Id", "{user}"),)),
    App("broken", "", ("broken.example.com",), (Rule("sometimes"),)),
]


def memory() -> Cache:
    cache = Cache(RING, Bounds())
    cache.heard(NOW, OFFSET)
    cache.put_policy(compile_policy(1, [(1, app) for app in APPS]), cache.epoch)
    for token, name in zip(COOKIES, ("alice", "bob"), strict=False):
        cache.put(credential(token), Entry(Origin("session", person(name), ())), cache.epoch)
    cache.put(credential(KEY, "api_key"), Entry(Origin("api_key", person("alice", apps=frozenset({"app"})), ())), 0)
    return cache


def door_of(dialect: Any, cache: Cache | None = None) -> ForwardAuth:
    known: Any = None  # nothing is recalled here
    trust = Trust((ip_network("127.0.0.0/8"),))
    return ForwardAuth(dialect, Judge(cache or memory(), known, trust, NAMES, lambda: MOMENT, SPEECH))


def read(door: ForwardAuth, data: bytes, peer: str = PEER, place: Familiar[None] | None = None) -> Reply | None:
    """What is answered when ``data`` is read whole, as the express door does; then it is remembered in ``place``."""
    message = plain.read(data)
    if message is None:
        return None
    asked = door.read(Question(message.method, message.target, message.headers, peer))
    reply = asked if isinstance(asked, Reply) else door.answer(asked)
    head, uri = _cut(data, peer.encode())
    kept = place is not None and door.varies and bool(uri) and len(head) <= LONGEST_KEPT
    if place is not None and kept and reply is not None and not isinstance(asked, Reply):
        door.remember(place, head, asked, None)
    return reply


def written(reply: Reply | None) -> tuple[object, ...]:
    """As it stands in a message."""
    return () if reply is None else (reply.status, reply.raw or lines(reply.headers), lines(reply.headers), reply.body)


def again(door: ForwardAuth, data: bytes, place: Familiar[None], peer: str = PEER) -> Reply | None:
    """What is answered when ``data`` is like something in ``place``."""
    head, uri = _cut(data, peer.encode())
    known = place.find(head) if uri else None
    return known and door.again(known, uri)


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
            ("X-Api-Key", KEY),
            ("Access-Control-Request-Method", "PUT"),
            ("Cookie", f"{COOKIE}={COOKIES[1]}"),
            ("Upgrade", "websocket"),
            ("Origin", "https://elsewhere.example"),
            ("X-Empty", ""),
            ("X-Quoted", "X-Forwarded-Uri: /z"),
        ]
    ),
    max_size=3,
)


def message(
    door: ForwardAuth, path: str, cookie: str | None = None, host: str = "app.example.com", **how: Any
) -> bytes:
    shown = cookie and f"{COOKIE}={cookie}"
    return request("GET", door.dialect.PATH, question(host, path, cookie=shown, **how))


@given(
    dialect=st.sampled_from(dialects.FAN),
    paths=st.lists(PATHS, min_size=2, max_size=2),
    extras=st.lists(EXTRA, min_size=2, max_size=2),
    shown=st.lists(st.sampled_from([None, *COOKIES]), min_size=2, max_size=2),
    how=st.fixed_dictionaries(
        {
            "host": st.sampled_from(["app.example.com", "other.example.com", "broken.example.com", "no.example.com"]),
            "method": st.sampled_from(["GET", "POST", "OPTIONS"]),
            "accept": st.sampled_from([None, "text/html"]),
        }
    ),
    peer=st.sampled_from([PEER, "127.0.0.2", "192.0.2.1"]),
    same=st.booleans(),
)
@settings(max_examples=1500, deadline=None)
def test_what_is_answered_again_is_what_would_be_answered_anew(
    dialect: Any, paths: list[str], extras: Any, shown: Any, how: Any, peer: str, same: bool
) -> None:
    """Whatever was asked before, at whichever door, with whatever else in the head."""
    place, door = Familiar[None](), door_of(dialect)
    read(door, message(door, paths[0], shown[0], more=extras[0], **how), place=place)
    data = message(door, paths[1], shown[not same], more=extras[not same], **how)
    reply = again(door, data, place, peer)
    assert reply is None or written(reply) == written(read(door, data, peer))


def test_the_fifty_of_a_page_are_read_once() -> None:
    place, door = Familiar[None](), door_of(dialects.traefik)
    assert read(door, message(door, "/", COOKIES[0]), place=place)
    for number in range(50):
        reply = again(door, message(door, f"/{number}?a=b", COOKIES[0]), place)
        assert reply is not None
        assert (b"remote-user", b"alice") in reply.headers


@pytest.mark.parametrize("dialect", [dialects.nginx, dialects.envoy])
def test_a_path_that_the_dialect_does_not_read_is_nobodys(dialect: Any) -> None:
    """Where the path stands elsewhere, this header is the visitor's own word."""
    place, door = Familiar[None](), door_of(dialect)
    said = [("X-Original-URL", "https://app.example.com/internal"), ("X-Original-Method", "GET")]
    target = "/auth/nginx" if dialect is dialects.nginx else "/auth/envoy/internal"
    data = request("GET", target, [*question("app.example.com", "/public/"), *said])
    assert read(door, data, place=place) is not None
    assert again(door, data, place) is None


def test_no_token_is_kept() -> None:
    place, door = Familiar[None](), door_of(dialects.traefik)
    data = message(door, "/", COOKIES[0], more=[("X-Gateway-Secret", "open sesame"), ("Authorization", "Bearer mine")])
    assert read(door, data, place=place) is not None
    (known,) = place._people.values()
    kept = f"{place._people} {known.standing} {known.request.headers}"
    assert [hidden for hidden in (COOKIES[0], "open sesame", "mine") if hidden in kept] == []


def test_strangers_push_out_strangers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(familiar, "STRANGERS", 3)
    place, door = Familiar[None](), door_of(dialects.traefik)
    read(door, message(door, "/", COOKIES[0]), place=place)
    for number in range(20):
        read(door, message(door, "/", more=[("X-Number", str(number))]), place=place)
        read(door, message(door, "/", session()), place=place)
    assert len(place._strangers) == 3
    assert again(door, message(door, "/x", COOKIES[0]), place)
    assert again(door, message(door, "/x", more=[("X-Number", "19")]), place)
    assert not again(door, message(door, "/x", more=[("X-Number", "1")]), place)


@pytest.mark.parametrize(
    "what", ["the session", "the user", "the policy", "everything", "trust", "the end", "the idle end"]
)
def test_a_standing_holds_only_while_memory_holds_the_same_facts(what: str) -> None:
    cache = memory()
    entry = Entry(Origin("session", person("alice"), (("user", "7"),), idle=9.0), 11)
    cache.put(credential(COOKIES[0]), entry, cache.epoch)
    place, door = Familiar[None](), door_of(dialects.traefik, cache)
    data = message(door, "/", COOKIES[0])
    read(door, data, place=place)
    assert again(door, data, place)
    match what:
        case "the session":
            cache.forget("session", "11")
        case "the user":
            cache.forget("user", "7")
        case "the policy":
            cache.forget("policy", "1")
        case "everything":
            cache.forget_all()
        case "trust":
            cache._lease = NOW - cache.bounds.grace - 1
        case "the end":
            entry.ends = NOW - 1
        case "the idle end":
            entry.idle_ends = NOW - 1
            cache.seen.clear()
    assert again(door, data, place) is None


def test_a_fact_that_was_read_anew_makes_a_new_standing() -> None:
    """An equal one, too: what a standing was made from is gone."""
    cache = memory()
    place, door = Familiar[None](), door_of(dialects.traefik, cache)
    data = message(door, "/", COOKIES[0])
    read(door, data, place=place)
    cache.put(credential(COOKIES[0]), Entry(Origin("session", person("bob"), ())), cache.epoch)
    assert again(door, data, place) is None
    reply = read(door, data, place=place)
    assert reply is not None
    assert (b"remote-user", b"bob") in reply.headers
    assert written(again(door, data, place)) == written(reply)


def test_a_long_head_is_not_kept() -> None:
    place, door = Familiar[None](), door_of(dialects.traefik)
    data = message(door, "/", more=[("X-Long", "a" * LONGEST_KEPT)])
    assert read(door, data, place=place)
    assert again(door, data, place) is None


def test_heads_are_kept_for_so_many_rules_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app may have hundreds, and each head has its own view of them."""
    monkeypatch.setattr(familiar, "RULES", 30)
    place, door = Familiar[None](), door_of(dialects.traefik)
    for number in range(20):
        read(door, message(door, "/", COOKIES[0], more=[("X-Number", str(number))]), place=place)
        rules = sum(1 + len(known.standing.outlook.rules) for known in place._people.values() if known.standing.outlook)
        assert 0 < rules == place._people.rules <= 30
        assert again(door, message(door, "/x", COOKIES[0], more=[("X-Number", str(number))]), place)


def test_a_policy_that_was_changed_is_not_kept_by_those_who_never_ask_again() -> None:
    cache = memory()
    place, door = Familiar[None](), door_of(dialects.traefik, cache)
    for number in range(20):
        read(door, message(door, "/", COOKIES[0], more=[("X-Number", str(number))]), place=place)
        read(door, message(door, "/", more=[("X-Number", str(number))]), place=place)
        kept = [*place._people.values(), *place._strangers.values()]
        assert [known.standing.policy for known in kept] == [cache.policy, cache.policy]
        cache.put_policy(compile_policy(number, [(1, app) for app in APPS]), cache.epoch)


@pytest.mark.parametrize("more", [b"1", b"12", b"\n1"])
def test_nothing_behind_a_message_makes_it_another_senders(more: bytes) -> None:
    """One at 2.3.4.5 wrote ``1`` behind a head that 12.3.4.5 had sent, and was taken for that one, whom a rule trusts."""
    data = b"GET /auth/traefik HTTP/1.1\r\nHost: a\r\nX-Forwarded-Uri: /\r\n\r\n"
    for sender, address in ((b"2.3.4.5", b"12.3.4.5"), (b"12.3.4.5", b"2.3.4.5")):
        assert _cut(data + more, sender)[0] != _cut(data, address)[0]
        block = data.partition(b"\r\n")[2]
        assert _key(b"GET", block + more, sender) != _key(b"GET", block, address)
