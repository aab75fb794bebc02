"""``users``: to the letter, unknown where nobody is, and silent about who else may."""

from __future__ import annotations

import pytest

from gateway.conditions import users
from gateway.model import HELD, AccessRequest, Failed, Identity, Unknown

REQUEST = AccessRequest("GET", "https", "app.example.com", "app.example.com", "/", "", "/", None, {})
NAMED = users.parse(["alice", "bob@example.com"])


@pytest.mark.parametrize("name", ["alice", "bob@example.com"])
def test_who_is_named_holds(name: str) -> None:
    assert NAMED.holds(REQUEST, Identity(1, 42, name), 0) is HELD


@pytest.mark.parametrize("name", ["Alice", "alice ", "alic", "bob", "bob@EXAMPLE.com", "", "alice,bob@example.com"])
def test_who_is_not_fails_and_learns_no_name(name: str) -> None:
    failed = NAMED.holds(REQUEST, Identity(1, 42, name), 0)
    assert isinstance(failed, Failed)
    assert "alice" not in failed.reason


def test_without_a_subject_it_is_not_known_and_no_name_is_said() -> None:
    unknown = NAMED.holds(REQUEST, None, 0)
    assert isinstance(unknown, Unknown)
    assert "alice" not in unknown.reason


@pytest.mark.parametrize("name", ["Alice", "*", "a b", "-a", "a" * 65, "é", "@a"])
def test_a_name_that_nobody_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a user"):
        users.parse([name])
