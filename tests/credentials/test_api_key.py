"""An API key by its prefix; whatever else stands in ``X-Api-Key`` is the app's own."""

from __future__ import annotations

import pytest

from gateway import tokens
from gateway.credentials import api_key, cookies
from gateway.tokens import NEVER, Ring

RING = Ring("ours", b"key1", {b"key1": b"\x01" * 32}, b"d" * 32)
NAMES = cookies.names(secure=True)
KEY = tokens.sealed(tokens.sign(RING, "api_key", b"m" * 20, NEVER)).encode()


def test_one_of_ours_is_read_from_its_header_only() -> None:
    assert api_key.read({b"x-api-key": KEY}, NAMES) == [KEY]
    assert api_key.read({b"authorization": b"Bearer " + KEY, b"cookie": NAMES.session + b"=" + KEY}, NAMES) == []
    assert api_key.read({}, NAMES) == []


# fmt: off
OTHERS = [
    b"", b"0123456789abcdef0123456789abcdef", b"Zm9v" * 18 + b"x", b"\xff" * 73,
    KEY[:-1], KEY + b"0", KEY[:-9], KEY.upper(), KEY + b", " + KEY, b" " + KEY,
    tokens.sealed(tokens.sign(RING, "session", b"m" * 20, NEVER)).encode(),
]
# fmt: on


@pytest.mark.parametrize("value", OTHERS)
def test_any_other_value_is_the_apps_own(value: bytes) -> None:
    assert api_key.read({b"x-api-key": value}, NAMES) == []
