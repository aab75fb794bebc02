"""Judgement: what becomes of a request, rule by rule (``vectors/policy.yaml``), and that it is explained as it is done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

from gateway import policy
from gateway.model import Allow, App, Challenge, Deny, Failed, Held, Identity, Level, Rule, Unclear, Unknown
from samples import person, request

CASES = yaml.safe_load((Path(__file__).parent / "vectors" / "policy.yaml").read_text())


def app(rules: list[dict[str, Any]], headers: dict[str, str] | None = None, **more: Any) -> policy.CompiledApp:
    written = tuple(Rule(**{k: tuple(v) if isinstance(v, list) else v for k, v in rule.items()}) for rule in rules)
    named = App("app", "The app", ("app.example.com",), written, headers=tuple((headers or {}).items()), **more)
    return policy.compile_app(named, 1)


def who(said: dict[str, Any] | None) -> Identity | None:
    if said is None:
        return None
    more = dict(said)
    if "apps" in more:
        more["apps"] = frozenset(more["apps"])
    return person(**more)


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_it_becomes(case: dict[str, Any]) -> None:
    becomes, compiled = case["becomes"], app(case["rules"], case.get("headers"))
    decision = policy.decide(compiled, request(**case.get("request", {})), who(case.get("who")), None, 0.0)
    kind = {Allow: "allow", Deny: "deny", Challenge: "challenge"}[type(decision)]
    assert {kind: decision.rule} == {name: rule for name, rule in becomes.items() if name == kind}
    match decision:
        case Allow():
            assert (decision.identity.name if decision.identity else "") == becomes["user"]
            assert dict(decision.headers)[b"remote-user"].decode() == becomes["user"]
        case Deny():
            assert decision.code == becomes["code"]
            assert becomes.get("says", "") in decision.reason
        case Challenge():
            assert decision.level == Level(becomes.get("level", 1))


def test_the_cases_are_told_apart_by_their_names() -> None:
    assert len({case["case"] for case in CASES}) == len(CASES) > 40


def test_a_broken_app_tells_strangers_its_row_but_not_what_is_written_there() -> None:
    compiled = app([{"policy": "one_factor", "users": ["Bob the admin"]}])
    decision = policy.decide(compiled, request(), None, None, 0.0)
    assert isinstance(decision, Deny)
    assert "rule 1 of app" in decision.reason
    assert "Bob" not in decision.reason
    assert "Bob the admin" in compiled.fault


def test_identity_headers_that_do_not_fit_are_a_refusal_never_a_shorter_list() -> None:
    many = person(groups=frozenset(f"a-group-with-a-long-name-{number:040}" for number in range(80)))
    decision = policy.decide(app([{"policy": "bypass"}]), request(), many, None, 0.0)
    assert isinstance(decision, Deny)
    assert decision.code == "G135"


def test_headers_are_rendered_once_for_a_person_and_again_when_the_app_wants_others() -> None:
    alice = person(email="alice@example.com")
    first = policy.decide(app([{"policy": "bypass"}], {"X-Id": "{user}"}), request(), alice, None, 0.0)
    again = policy.decide(app([{"policy": "bypass"}], {"X-Id": "{user}"}), request(), alice, None, 0.0)
    other = policy.decide(app([{"policy": "bypass"}], {"X-Id": "{email}"}), request(), alice, None, 0.0)
    assert isinstance(first, Allow)
    assert isinstance(again, Allow)
    assert isinstance(other, Allow)
    assert first.headers is again.headers
    assert dict(first.headers)[b"x-id"] == b"alice"
    assert dict(other.headers)[b"x-id"] == b"alice@example.com"


@pytest.mark.parametrize(
    ("host", "owner"),
    [
        ("app.example.com", "exact"),
        ("x.example.com", "wide"),
        ("x.y.example.com", "wide"),
        ("x.deep.example.com", "deep"),
        ("deep.example.com", "wide"),
        ("example.com", None),
        ("evilexample.com", None),
        ("example.com.evil.org", None),
        ("com", None),
        ("", None),
        ("[::1]", None),
    ],
)
def test_a_host_belongs_to_the_exact_name_else_to_the_longest_wildcard(host: str, owner: str | None) -> None:
    hosts = {"exact": ("app.example.com",), "wide": ("*.example.com",), "deep": ("*.deep.example.com",)}
    known = policy.compile_policy(1, [(1, App(name, name, its)) for name, its in hosts.items()])
    found = known.app(host)
    assert (found.name if found else None) == owner


def test_before_any_app_is_known_only_the_portal_is_open() -> None:
    known = policy.portal_app("auth.example.com")
    portal = known.app("auth.example.com")
    assert portal is not None
    assert isinstance(policy.decide(portal, request(host="auth.example.com"), None, None, 0.0), Allow)
    assert isinstance(policy.decide(portal, request(host="auth.example.com"), person(tenant=9), None, 0.0), Allow)
    assert known.app("app.example.com") is None


# For whoever carries an app's bytes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", [[{"policy": "deny"}], [{"policy": "deny", "path_regex": "("}]])
def test_what_carrying_an_app_takes_is_known_even_where_its_rules_are_broken(rules: list[dict[str, Any]]) -> None:
    more: dict[str, Any] = {"upstream": "http://Immich:80/", "upgrades": ("SPDY/3.1", "tcp")}
    found = app(rules, {"X-Who": "{user}"}, **more)
    standard = {b"remote-user", b"remote-groups", b"remote-name", b"remote-email"}
    assert bool(found.broken) == ("path_regex" in rules[0])
    assert (found.upstream, found.upgrades) == ("http://immich", frozenset({b"spdy/3.1", b"tcp"}))
    assert found.identity_names == standard | {b"x-who"}


def test_an_identity_header_that_cannot_be_one_is_still_kept_from_the_app() -> None:
    found = app([{"policy": "bypass"}], {"X-Who": "{nothing}", "X-Other": "{user}"})
    assert found.broken == "headers of app"
    assert {b"x-who", b"x-other", b"remote-user"} <= found.identity_names


def test_an_app_that_says_nothing_of_it_is_not_carried() -> None:
    found = app([{"policy": "bypass"}])
    assert (found.upstream, found.upgrades, found.names_methods) == ("", frozenset(), False)


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ([{"policy": "bypass"}, {"policy": "deny", "methods": ["GET"]}], True),
        ([{"policy": "deny", "path_regex": "("}, {"policy": "deny", "methods": ["GET"]}], True),
        ([{"policy": "bypass", "path": "/a"}], False),
    ],
)
def test_it_is_known_whether_any_rule_looks_at_the_method(rules: list[dict[str, Any]], named: bool) -> None:
    assert app(rules).names_methods is named


def test_an_app_that_listens_nowhere_is_broken_and_not_carried() -> None:
    """A hand in psql wrote that; the file's reader would have refused it."""
    found = app([{"policy": "bypass"}], upstream="http://immich/path")
    assert (found.broken, found.upstream) == ("upstream of app", "")
    assert "must end after the host and port" in found.fault
    decision = policy.decide(found, request(), None, None, 0.0)
    assert isinstance(decision, Deny)
    assert decision.code == "G131"


# Explained as it is done ---------------------------------------------------------------------------------------------

_WORDS = some.sampled_from(["alice", "bob", "admins", "users"])
_PATHS = some.sampled_from(["/", "/a", "/a/", "/a/b", "/share/x", "/internal"])
_RULES = some.builds(
    Rule,
    policy=some.sampled_from(["bypass", "deny", "one_factor", "two_factor"]),
    path=some.one_of(some.just(""), _PATHS),
    path_exact=some.one_of(some.just(""), _PATHS),
    path_regex=some.sampled_from(["", "^/a", "x$", "("]),
    methods=some.sampled_from([(), ("GET",), ("POST", "PUT")]),
    networks=some.sampled_from([(), ("203.0.113.0/24",), ("10.0.0.0/8",)]),
    users=some.lists(_WORDS, max_size=2).map(tuple),
    groups=some.lists(_WORDS, max_size=2).map(tuple),
)
_PEOPLE = some.one_of(
    some.none(),
    some.builds(
        person,
        name=some.sampled_from(["alice", "bob"]),
        tenant=some.sampled_from([1, 1, 1, 2]),
        groups=some.frozensets(_WORDS),
        level=some.sampled_from([Level.ONE_FACTOR, Level.TWO_FACTOR]),
        second=some.booleans(),
        audience=some.sampled_from(["", "example.com", "example.org"]),
        apps=some.sampled_from([None, frozenset({"app"}), frozenset({"other"})]),
    ),
)
_REQUESTS = some.builds(
    request,
    method=some.sampled_from(["GET", "POST", "HEAD"]),
    path=_PATHS,
    unclear=some.sampled_from(["", "", "empty segments"]),
    client=some.sampled_from(["203.0.113.9", "10.1.2.3", ""]),
)


@given(rules=some.lists(_RULES, max_size=5), identity=_PEOPLE, asked=_REQUESTS)
def test_explain_is_the_same_walk_as_decide(rules: list[Rule], identity: Identity | None, asked: Any) -> None:
    compiled = policy.compile_app(App("app", "", ("app.example.com",), tuple(rules)), 1)
    decided = policy.decide(compiled, asked, identity, None, 0.0)
    steps, explained = policy.explain(compiled, asked, identity, 0.0)
    if compiled.broken:
        assert isinstance(decided, Deny)
        assert isinstance(explained, Deny)
        assert not steps
        assert compiled.fault in explained.reason
        assert explained._replace(reason=decided.reason) == decided
        return
    assert explained == decided
    assert [step.rule.position for step in steps] == list(range(1, (decided.rule or len(rules)) + 1))
    before, last = (steps[:-1], steps[-1].holds) if decided.rule else (steps, None)
    assert all(isinstance(step.holds, Failed) for step in before)
    match decided:
        case Allow():
            assert isinstance(last, Held)
        case Challenge():
            assert isinstance(last, Unknown | Held)
        case Deny(code="G130"):
            assert last is None
        case Deny(code="G132"):
            assert isinstance(last, Unclear)
        case _:
            assert isinstance(last, Held | Unknown)


@given(rules=some.lists(_RULES, max_size=5), identity=_PEOPLE, asked=_REQUESTS)
def test_nobody_is_ever_let_in_as_somebody_who_does_not_count_here(
    rules: list[Rule], identity: Identity | None, asked: Any
) -> None:
    compiled = policy.compile_app(App("app", "", ("app.example.com",), tuple(rules)), 1)
    decided = policy.decide(compiled, asked, identity, None, 0.0)
    if isinstance(decided, Allow) and decided.identity is not None:
        assert decided.identity.tenant == 1
        assert decided.identity.audience in ("", "example.com")
        assert decided.identity.apps in (None, {"app"})
    if isinstance(decided, Allow) and rules[decided.rule - 1].policy != "bypass":
        assert decided.identity is not None


def test_equal_rules_of_several_apps_are_compiled_once_and_others_are_not_mixed_up() -> None:
    rules = (Rule("deny", path="/a/"), Rule("one_factor", groups=("users",)))
    one, same, turned = (
        policy.compile_app(App(name, "", (f"{name}.example.com",), given), 1).rules
        for name, given in (("one", rules), ("same", tuple(map(replace, rules))), ("turned", rules[::-1]))
    )
    assert all(mine is theirs for mine, theirs in zip(one, same, strict=True))
    assert [(rule.position, rule.effect) for rule in one] == [(1, "deny"), (2, "one_factor")]
    assert [(rule.position, rule.effect) for rule in turned] == [(1, "one_factor"), (2, "deny")]


def test_what_stands_behind_a_rule_for_every_path_is_not_in_view() -> None:
    """An outlook is kept for whoever asks often; each rule in it has its room."""
    rules = [{"policy": "bypass", "path": "/a/"}, {"policy": "one_factor"}, *[{"policy": "deny", "path": "/b"}] * 50]
    found = policy.outlook(app(rules), request(), None, None, 0.0).rules
    assert [(each.rule.position, len(each.covers)) for each in found] == [(1, 1), (2, 0)]
