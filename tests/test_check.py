"""The product on one page: who presents what, what memory says of it, and what is missing. A dictionary of entries is all
the world there is."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.cache import Bounds, Cache, Entry, Origin
from gateway.check import Found, check, identify
from gateway.credentials import portal
from gateway.model import Allow, App, Challenge, Deny, Identity, Missing, Rule
from gateway.policy import Policy, compile_policy
from samples import (
    MOMENT,
    NAMES,
    NOW,
    OFFSET,
    RING,
    WALL,
    api_key,
    cookies,
    credential,
    person,
    request,
    session,
)

ONE, TWO = Rule("one_factor"), Rule("two_factor")
APPS = [
    (0, App("portal", "", ("auth.example.com",), (Rule("bypass"),))),
    (1, App("app", "", ("app.example.com",), (Rule("bypass", path="/public/"), ONE))),
    (1, App("deep", "", ("deep.example.com",), (TWO,))),
    (1, App("careful", "", ("careful.example.com",), (Rule("one_factor", outage=False),))),
    (1, App("cors", "", ("cors.example.com",), (ONE,), preflight="pass")),
]
ALICE, BOB = person("alice", level=1), person("bob")
PREFLIGHT = {b"origin": b"https://x.example", b"access-control-request-method": b"PUT"}


def memory(known: Policy | None = None, *, silent: bool = False, age: float = 0.0) -> Cache:
    """A memory with a policy whose last heartbeat is ``age`` old, and a store that is silent, or answers."""
    cache = Cache(RING, Bounds())
    cache.policy = known or compile_policy(3, APPS)
    cache.heard(NOW - age, OFFSET)
    if silent:
        cache.silent(NOW)
    return cache


def knows(
    cache: Cache, token: str, kind: str = "session", identity: Identity | None = ALICE, idle: float = inf, **more: Any
) -> None:
    entry = Entry(Origin(kind, identity, (), idle), **more)
    assert cache.put(credential(token, kind), entry, cache.epoch)


def ask(cache: Cache, headers: dict[bytes, bytes] | None = None, **more: Any) -> Any:
    return check(request(headers, **more), cache, NAMES, MOMENT)


# Who it is -----------------------------------------------------------------------------------------------------------


def test_a_known_session_is_let_in_with_the_key_by_which_it_was_known() -> None:
    cache, token = memory(), session()
    knows(cache, token)
    decision = ask(cache, cookies(token))
    assert isinstance(decision, Allow)
    assert decision.identity is ALICE
    assert decision.key == credential(token)


def test_a_known_key_is_let_in() -> None:
    cache, key = memory(), api_key()
    knows(cache, key, "api_key")
    decision = ask(cache, {b"x-api-key": key.encode()})
    assert isinstance(decision, Allow)
    assert decision.key == credential(key, "api_key")


def test_a_session_comes_before_a_key() -> None:
    cache, token, key = memory(), session(), api_key()
    knows(cache, token)
    knows(cache, key, "api_key", identity=BOB)
    decision = ask(cache, {**cookies(token), b"x-api-key": key.encode()})
    assert isinstance(decision, Allow)
    assert decision.identity is ALICE


def test_a_key_counts_where_the_session_is_dead() -> None:
    cache, token, key = memory(), session(), api_key()
    knows(cache, token, identity=None)
    knows(cache, key, "api_key", identity=BOB)
    decision = ask(cache, {**cookies(token), b"x-api-key": key.encode()})
    assert isinstance(decision, Allow)
    assert decision.identity is BOB


def test_an_unknown_session_is_asked_about_before_a_known_key_speaks() -> None:
    cache, token, key = memory(), session(), api_key()
    knows(cache, key, "api_key", identity=BOB)
    missing = ask(cache, {**cookies(token), b"x-api-key": key.encode()})
    assert missing == Missing(False, (credential(token),), "credential")


def test_nobody_is_challenged_without_a_question_to_anybody() -> None:
    assert isinstance(ask(memory()), Challenge)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(lambda: cookies(session(expires=int(WALL) - 1)), id="a token that says that it has expired"),
        pytest.param(lambda: cookies(session()[:-4] + session()[-4:]), id="a token with the end of another"),
        pytest.param(lambda: cookies(session("portal")), id="a portal token in the app cookie"),
        pytest.param(
            lambda: {b"cookie": b"__Host-gateway_portal=" + session("portal").encode()}, id="the portal cookie"
        ),
        pytest.param(lambda: {b"x-api-key": session().encode()}, id="a session in the key's place"),
        pytest.param(lambda: {b"x-api-key": api_key()[:-1].encode() + b"x"}, id="a key whose checksum does not fit"),
        pytest.param(lambda: {b"x-api-key": b"0123456789abcdef"}, id="a key of the app's own"),
        pytest.param(lambda: {b"authorization": b"Bearer " + session().encode()}, id="a session as a bearer"),
    ],
)
def test_it_is_nobody_by_arithmetic_alone(headers: Any) -> None:
    decision = ask(memory(), headers())
    assert isinstance(decision, Challenge)


def test_a_session_is_no_portal_session_and_the_other_way_round() -> None:
    cache, app, own = memory(), session(), session("portal")
    knows(cache, app)
    knows(cache, own, "portal")
    sent = {b"cookie": b"__Host-gateway_portal=" + app.encode()}
    assert identify(sent, cache, NAMES, MOMENT, cache.trust(*MOMENT), (portal,)) == Found(None, None)
    assert isinstance(ask(cache, cookies(own)), Challenge)


# Two cookies ---------------------------------------------------------------------------------------------------------


def test_two_sessions_of_different_people_are_refused() -> None:
    cache, one, two = memory(), session(), session()
    knows(cache, one)
    knows(cache, two, identity=BOB)
    for values in ((one, two), (two, one)):
        decision = ask(cache, cookies(*values))
        assert isinstance(decision, Deny)
        assert decision.code == "G138"


def test_two_sessions_of_different_people_are_refused_on_public_paths_too() -> None:
    cache, one, two = memory(), session(), session()
    knows(cache, one)
    knows(cache, two, identity=BOB)
    assert isinstance(ask(cache, cookies(one, two), path="/public/x"), Deny)


def test_of_two_sessions_of_one_person_the_freshest_counts() -> None:
    cache, old, fresh = memory(), session(), session()
    knows(cache, old, row=11)
    knows(cache, fresh, row=12, identity=person("alice", level=2))
    for values in ((old, fresh), (fresh, old)):
        decision = ask(cache, cookies(*values))
        assert isinstance(decision, Allow)
        assert decision.key == credential(fresh)


@pytest.mark.parametrize("dead", [{"identity": None}, {"ends": NOW - 1, "identity": BOB}])
def test_a_dead_session_beside_a_living_one_is_no_matter(dead: dict[str, Any]) -> None:
    cache, living, other = memory(), session(), session()
    knows(cache, living)
    knows(cache, other, **dead)
    for values in ((living, other), (other, living)):
        decision = ask(cache, cookies(*values))
        assert isinstance(decision, Allow)
        assert decision.identity is ALICE


def test_of_several_sessions_every_unknown_one_is_missing() -> None:
    cache, one, two, three = memory(), session(), session(), session()
    knows(cache, one)
    missing = ask(cache, cookies(two, one, three))
    assert isinstance(missing, Missing)
    assert missing.credentials == (credential(two), credential(three))


# Deadlines -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deadlines", "becomes"),
    [
        ({}, Allow),
        ({"ends": NOW}, Allow),
        ({"ends": NOW - 0.1}, Challenge),
        ({"stale": NOW}, Allow),
        ({"stale": NOW - 0.1}, Missing),
        ({"idle_ends": NOW}, Allow),
        ({"idle_ends": NOW - 0.1}, Missing),
        ({"idle_ends": NOW - 0.1, "ends": NOW - 0.1}, Challenge),
        ({"stale": NOW - 0.1, "ends": NOW - 0.1}, Missing),
        ({"identity": None}, Challenge),
        ({"identity": None, "stale": NOW - 0.1}, Missing),
        ({"identity": None, "idle_ends": NOW - 0.1}, Challenge),
    ],
)
def test_an_entry_becomes(deadlines: dict[str, Any], becomes: type) -> None:
    cache, token = memory(), session()
    knows(cache, token, **deadlines)
    assert isinstance(ask(cache, cookies(token)), becomes)


def test_a_use_that_is_not_written_yet_keeps_a_session_from_being_idle() -> None:
    cache, token = memory(), session()
    knows(cache, token, idle=100.0, idle_ends=NOW - 50)
    cache.seen[credential(token)] = NOW - 100
    assert isinstance(ask(cache, cookies(token)), Allow)
    cache.seen[credential(token)] = NOW - 101
    assert isinstance(ask(cache, cookies(token)), Missing)


# Outages -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "silent", "host", "entry", "becomes"),
    [
        (0, False, "app", {}, Allow),
        (6, False, "app", {}, Missing),
        (6, True, "app", {}, Allow),
        (61, True, "app", {}, Missing),
        (6, True, "app", {"stale": NOW - 1}, Allow),
        (6, True, "app", {"ends": NOW - 1}, Challenge),
        (6, True, "app", {"idle_ends": NOW - 1}, Missing),
        (6, True, "deep", {"identity": person("alice", level=2)}, Missing),
        (0, True, "deep", {"identity": person("alice", level=2)}, Allow),
        (6, True, "deep", {}, Deny),
        (6, True, "careful", {}, Missing),
        (0, True, "careful", {}, Allow),
        (6, True, "auth", {}, Allow),
        (6, True, "nowhere", {}, Deny),
    ],
)
def test_in_an_outage(age: float, silent: bool, host: str, entry: dict[str, Any], becomes: type) -> None:
    cache, token = memory(age=age, silent=silent), session()
    knows(cache, token, **entry)
    assert isinstance(ask(cache, cookies(token), host=f"{host}.example.com"), becomes)


def test_without_trust_not_even_nobody_is_judged_by_memory() -> None:
    assert isinstance(ask(memory(age=6)), Missing)
    assert isinstance(ask(memory(age=6), path="/public/x"), Missing)


def test_without_a_policy_nothing_is_decided() -> None:
    cache, token = memory(), session()
    knows(cache, token)
    cache.policy = None
    assert ask(cache, cookies(token)) == Missing(True, (), "policy")
    assert ask(cache) == Missing(True, (), "policy")


# Hosts ---------------------------------------------------------------------------------------------------------------


def test_a_host_of_no_app_is_denied_for_everybody() -> None:
    cache, token = memory(), session()
    knows(cache, token)
    for headers in ({}, cookies(token)):
        decision = ask(cache, headers, host="other.org")
        assert isinstance(decision, Deny)
        assert decision.code == "G137"


def test_the_portals_own_host_is_always_allowed() -> None:
    assert isinstance(ask(memory(), host="auth.example.com"), Allow)


def test_a_bad_credential_on_a_public_path_is_nobody_there() -> None:
    cache, token = memory(), session()
    knows(cache, token, identity=None)
    for headers in (cookies(token), cookies("null"), {b"x-api-key": b"gwk_"}):
        decision = ask(cache, headers, path="/public/x")
        assert isinstance(decision, Allow)
        assert decision.identity is None
        assert dict(decision.headers)[b"remote-user"] == b""


def test_a_good_credential_on_a_public_path_is_announced() -> None:
    cache, token = memory(), session()
    knows(cache, token)
    decision = ask(cache, cookies(token), path="/public/x")
    assert isinstance(decision, Allow)
    assert dict(decision.headers)[b"remote-user"] == b"alice"


@pytest.mark.parametrize(
    ("host", "method", "headers", "becomes"),
    [
        ("cors", "OPTIONS", PREFLIGHT, Allow),
        ("cors", "GET", PREFLIGHT, Challenge),
        ("cors", "OPTIONS", {b"origin": b"https://x.example"}, Challenge),
        ("cors", "OPTIONS", {**PREFLIGHT, b"upgrade": b"tcp"}, Deny),
        ("cors", "OPTIONS", {**PREFLIGHT, b"origin": b"https://cors.example.com", b"upgrade": b"tcp"}, Challenge),
        ("app", "OPTIONS", PREFLIGHT, Challenge),
    ],
)
def test_a_preflight(host: str, method: str, headers: dict[bytes, bytes], becomes: type) -> None:
    decision = ask(memory(), headers, host=f"{host}.example.com", method=method)
    assert isinstance(decision, becomes)


def test_a_preflight_that_passes_passes_as_nobody() -> None:
    cache, token = memory(), session()
    knows(cache, token)
    decision = ask(cache, {**cookies(token), **PREFLIGHT}, host="cors.example.com", method="OPTIONS")
    assert isinstance(decision, Allow)
    assert decision.identity is None
    assert decision.key is None


# Whatever comes ------------------------------------------------------------------------------------------------------

_TOKENS = some.one_of(
    some.binary(max_size=80),
    some.sampled_from([session(), session("portal"), api_key(), session(expires=5), "null", "", '"'])
    .map(str.encode)
    .flatmap(
        lambda token: some.builds(lambda cut, end: token[:cut] + end, some.integers(0, 80), some.binary(max_size=3))
    ),
)
_HEADERS = some.dictionaries(
    some.sampled_from(
        [
            *(b"x-api-key", b"authorization", b"cookie", b"origin", b"access-control-request-method"),
            *(b"upgrade", b"sec-websocket-key", b"sec-fetch-mode"),
        ]
    ),
    some.one_of(
        _TOKENS,
        some.lists(_TOKENS, max_size=4).map(
            lambda values: b"; ".join(b"__Secure-gateway_session=" + value for value in values)
        ),
    ),
)


@given(
    headers=_HEADERS,
    path=some.text(max_size=20),
    host=some.one_of(some.text(max_size=20), some.sampled_from([app.hosts[0] for _, app in APPS])),
    unclear=some.sampled_from(["", "empty segments"]),
    age=some.sampled_from([0.0, 6.0, 61.0]),
)
def test_it_never_raises_and_no_stranger_is_somebody(
    headers: dict[bytes, bytes], path: str, host: str, unclear: str, age: float
) -> None:
    cache = memory(age=age, silent=True)
    decision = check(request(headers, path=path, host=host, unclear=unclear), cache, NAMES, MOMENT)
    assert isinstance(decision, Allow | Deny | Challenge | Missing)
    assert not isinstance(decision, Allow) or decision.identity is None
    assert cache.state(NOW)["identities"] == cache.state(NOW)["negatives"] == 0


def test_one_check_changes_nothing_in_memory() -> None:
    cache, token = memory(), session()
    knows(cache, token)
    entry = cache.get(credential(token))
    assert entry is not None
    before = replace(entry), cache.state(NOW), dict(cache.seen)
    ask(cache, cookies(token))
    assert (replace(entry), cache.state(NOW), dict(cache.seen)) == before
