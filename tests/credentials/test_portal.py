"""The portal cookie: parent sessions alone; an app cookie opens nothing here."""

from __future__ import annotations

import pytest

from gateway import tokens
from gateway.credentials import cookies, portal
from gateway.tokens import NEVER, Ring

RING = Ring("ours", b"key1", {b"key1": b"\x01" * 32}, b"d" * 32)
SECURE, PLAIN = cookies.names(secure=True), cookies.names(secure=False)
MINE = tokens.sign(RING, "portal", b"m" * 20, NEVER).encode()
TWIN = tokens.sign(RING, "portal", b"t" * 20, NEVER).encode()


@pytest.mark.parametrize("names", [SECURE, PLAIN])
def test_every_token_in_its_cookie_is_read(names: cookies.CookieNames) -> None:
    assert portal.read({b"cookie": b"a=b; " + names.portal + b"=" + MINE}, names) == [MINE]
    twice = names.portal + b"=" + MINE + b"; " + names.portal + b"=" + TWIN
    assert portal.read({b"cookie": twice}, names) == [MINE, TWIN]


def test_it_is_read_from_its_own_cookie_only() -> None:
    assert portal.read({b"cookie": SECURE.session + b"=" + MINE}, SECURE) == []
    assert portal.read({b"cookie": PLAIN.portal + b"=" + MINE}, SECURE) == []
    assert portal.read({b"authorization": b"Bearer " + MINE, b"x-api-key": MINE}, SECURE) == []
    assert portal.read({}, SECURE) == []


@pytest.mark.parametrize("kind", sorted(set(tokens.PREFIXES) - {"portal"}))
def test_a_token_of_another_kind_is_none_of_these(kind: str) -> None:
    token = tokens.mint(RING, kind, NEVER).encode()
    assert portal.read({b"cookie": SECURE.portal + b"=" + token}, SECURE) == []


@pytest.mark.parametrize(
    "value", [b"", b'""', b"null", b"undefined", b"A" * 4096, b"\xff" * 64, MINE[:-1], MINE + b"A", MINE.upper(), b"{}"]
)
def test_what_has_not_its_shape_is_nobodys(value: bytes) -> None:  # C187
    assert portal.read({b"cookie": SECURE.portal + b"=" + value}, SECURE) == []
