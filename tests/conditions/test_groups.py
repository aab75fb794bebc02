"""``groups``: to the letter, and unknown where nobody is."""

from __future__ import annotations

import pytest

from gateway.conditions import groups
from gateway.model import HELD, AccessRequest, Failed, Identity, Unknown

REQUEST = AccessRequest("GET", "https", "app.example.com", "app.example.com", "/", "", "/", None, {})
ADMINS = groups.parse(["admins", "family"])


def member(*names: str) -> Identity:
    return Identity(1, 42, "alice", groups=frozenset(names))


@pytest.mark.parametrize("names", [("admins",), ("family", "x"), ("users", "admins", "family")])
def test_a_member_of_one_of_them_holds(names: tuple[str, ...]) -> None:
    assert ADMINS.holds(REQUEST, member(*names), 0) is HELD


@pytest.mark.parametrize(
    "names", [(), ("admin",), ("Admins",), ("admins,users",), (" admins",), ("admins ",), ("*",), ("",)]
)
def test_nobody_else_does(names: tuple[str, ...]) -> None:  # C132
    assert ADMINS.holds(REQUEST, member(*names), 0) == Failed("the user is not in admins or family")


def test_without_a_subject_it_is_not_known() -> None:
    assert isinstance(ADMINS.holds(REQUEST, None, 0), Unknown)


@pytest.mark.parametrize("name", ["a,b", "*", " a", "é", "a" * 65, "-a", "a;b", "a|b"])
def test_a_name_that_no_group_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a group"):
        groups.parse([name])
