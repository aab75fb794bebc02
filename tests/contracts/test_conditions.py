"""The contract of the fan of conditions: every member, the one added tomorrow too."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import FrozenInstanceError, fields
from ipaddress import ip_address
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import conditions
from gateway.conditions import Condition
from gateway.model import AccessRequest, Failed, Held, Identity, Rule, Unknown

FILES = {file.stem for file in Path(conditions.__file__).parent.glob("*.py")} - {"__init__"}
VALID: dict[str, Any] = {
    "methods": ["GET"],
    "path": "/share/",
    "path_exact": "/ping",
    "path_regex": "^/api/",
    "networks": ["10.0.0.0/8", "2001:db8::/32"],
    "users": ["alice"],
    "groups": ["family"],
}
"""For each member a value that it accepts."""

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
REQUESTS = st.builds(
    AccessRequest,
    method=st.sampled_from(["GET", "HEAD", "POST"]) | st.text(max_size=5),
    scheme=st.just("https"),
    host=st.just("app.example.com"),
    authority=st.just("app.example.com"),
    path=st.sampled_from(["/", "/share/x", "/ping", "/api/"]) | st.text(max_size=20),
    unclear=st.just(""),
    uri=st.text(max_size=5),
    client=st.none() | st.ip_addresses() | st.just(ip_address("::ffff:10.0.0.1")),
    headers=st.just({}),
)
IDENTITIES = st.builds(
    Identity,
    tenant=st.integers(0, 2),
    user_id=st.integers(1, 9),
    name=st.sampled_from(["alice", "bob"]) | st.text(max_size=5),
    groups=st.frozensets(st.sampled_from(["family", "admins"]) | st.text(max_size=5), max_size=3),
)
members = pytest.mark.parametrize("member", conditions.FAN, ids=lambda member: member.KEY)


def made(member: ModuleType) -> Condition:
    condition: Condition = member.parse(VALID[member.KEY])
    return condition


def test_every_file_of_the_folder_is_named_once_in_the_fan() -> None:
    assert sorted(member.KEY for member in conditions.FAN) == sorted(FILES)
    assert {member.KEY: member for member in conditions.FAN} == conditions.BY_KEY
    assert [member.__name__ for member in conditions.FAN] == [f"gateway.conditions.{key}" for key in conditions.BY_KEY]


def test_conditions_about_a_subject_are_asked_last() -> None:
    asked = [member.SUBJECT for member in conditions.FAN]
    assert asked == sorted(asked)


@members
def test_a_member_has_what_the_fan_promises(member: ModuleType) -> None:
    assert member.KEY in Rule.__slots__, "a rule has no field for it"
    assert isinstance(member.SUBJECT, bool)
    assert isinstance(member.READS_PATH, bool)
    assert made(member).reads_path is member.READS_PATH


@members
@given(value=ANYTHING)
@settings(max_examples=100, deadline=None)
def test_parse_raises_nothing_but_valueerror(member: ModuleType, value: object) -> None:
    with suppress(ValueError):
        member.parse(value)


@members
@given(value=st.none() | st.just([]) | st.just("") | st.just([""]) | st.just({}) | st.just(()))
@settings(max_examples=10, deadline=None)
def test_nothing_is_no_value_because_it_could_mean_everybody(member: ModuleType, value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        member.parse(value)


@members
def test_a_condition_cannot_be_changed_and_equals_its_twin(member: ModuleType) -> None:
    condition: Any = made(member)
    with pytest.raises(FrozenInstanceError):
        setattr(condition, fields(condition)[0].name, None)
    assert condition == made(member)
    assert hash(condition) == hash(made(member))


@members
@given(request=REQUESTS, identity=st.none() | IDENTITIES, other=REQUESTS)
@settings(max_examples=100, deadline=None)
def test_holds_answers_whatever_the_request(
    member: ModuleType, request: AccessRequest, identity: Identity | None, other: AccessRequest
) -> None:
    condition = made(member)
    answer = condition.holds(request, identity, 0.0)
    if member.SUBJECT:
        assert isinstance(answer, Held | Failed if identity else Unknown)
        assert condition.holds(other, identity, 0.0) == answer, "a condition about a subject looked at the request"
    else:
        assert isinstance(answer, Held | Failed)
        assert condition.holds(request, None, 0.0) == answer, "a condition about the request looked at the subject"
    if not member.READS_PATH:
        moved = request._replace(path=other.path, uri=other.uri)
        assert condition.holds(moved, identity, 0.0) == answer, "it looked at the path after all"


@members
def test_a_condition_holds_for_some_and_fails_for_others(member: ModuleType) -> None:
    base = AccessRequest("GET", "https", "a", "a", "/", "", "/", ip_address("10.0.0.1"), {})
    alice, bob = Identity(1, 1, "alice", groups=frozenset({"family"})), Identity(1, 2, "bob")
    paths = ["/", "/share/x", "/ping", "/api/x"]
    requests = [
        base._replace(path=path, method=method, client=ip_address(client))
        for path in paths
        for method in ("GET", "POST")
        for client in ("10.0.0.1", "203.0.113.9")
    ]
    answers = {type(made(member).holds(request, person, 0.0)) for request in requests for person in (alice, bob)}
    assert answers == {Held, Failed}
