"""The app cookie: child sessions alone, of the right shape."""

from __future__ import annotations

import pytest

from gateway import tokens
from gateway.credentials import cookies, session
from gateway.tokens import NEVER, Ring

RING = Ring("ours", b"key1", {b"key1": b"\x01" * 32}, b"d" * 32)
SECURE, PLAIN = cookies.names(secure=True), cookies.names(secure=False)
MINE = tokens.sign(RING, "session", b"m" * 20, NEVER).encode()
TWIN = tokens.sign(RING, "session", b"t" * 20, NEVER).encode()


@pytest.mark.parametrize("names", [SECURE, PLAIN])
def test_every_token_in_its_cookie_is_read(names: cookies.CookieNames) -> None:
    assert session.read({b"cookie": b"a=b; " + names.session + b"=" + MINE}, names) == [MINE]
    twice = names.session + b"=" + MINE + b"; " + names.session + b"=" + TWIN
    assert session.read({b"cookie": twice}, names) == [MINE, TWIN]


def test_it_is_read_from_its_own_cookie_only() -> None:
    assert session.read({b"cookie": SECURE.portal + b"=" + MINE}, SECURE) == []
    assert session.read({b"cookie": PLAIN.session + b"=" + MINE}, SECURE) == []
    assert session.read({b"authorization": b"Bearer " + MINE, b"x-api-key": MINE}, SECURE) == []
    assert session.read({}, SECURE) == []


@pytest.mark.parametrize("kind", sorted(set(tokens.PREFIXES) - {"session"}))
def test_a_token_of_another_kind_is_none_of_these(kind: str) -> None:
    token = tokens.mint(RING, kind, NEVER).encode()
    assert session.read({b"cookie": SECURE.session + b"=" + token}, SECURE) == []


@pytest.mark.parametrize(
    "value", [b"", b'""', b"null", b"undefined", b"A" * 4096, b"\xff" * 64, MINE[:-1], MINE + b"A", MINE.upper(), b"{}"]
)
def test_what_has_not_its_shape_is_nobodys(value: bytes) -> None:  # C187
    assert session.read({b"cookie": SECURE.session + b"=" + value}, SECURE) == []
