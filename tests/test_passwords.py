"""Passwords: argon2id, and a no for everything that cannot be verified."""

from __future__ import annotations

import pytest

from gateway.passwords import NOBODY, hash_password, verify_password


@pytest.mark.parametrize("password", ["correct horse battery", "Пароль 🔑", "with\x00nul", " spaces ", "x" * 1024])
def test_a_password_is_verified_to_the_letter(password: str) -> None:
    digest = hash_password(password)
    assert verify_password(digest, password)
    assert not verify_password(digest, password + "x")
    assert not verify_password(digest, password.swapcase() if password.swapcase() != password else "")


def test_a_digest_is_argon2id_at_the_floor_with_a_salt_of_its_own() -> None:
    assert hash_password("same").startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hash_password("same") != hash_password("same")


def test_nobody_costs_what_somebody_costs() -> None:  # C236
    assert NOBODY.split("$")[1:4] == hash_password("x").split("$")[1:4]


@pytest.mark.parametrize(
    "digest",
    ["", "x", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv", "é", "\ud800", pytest.param(NOBODY[:-4], id="cut")],
)
def test_a_digest_that_cannot_be_read_is_a_no(digest: str) -> None:
    assert not verify_password(digest, "nobody has this password")


def test_half_a_surrogate_pair_is_no_password() -> None:
    """JSON can say it ("\\ud800"), UTF-8 cannot."""
    assert not verify_password(NOBODY, "\ud800")
