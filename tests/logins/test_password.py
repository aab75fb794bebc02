"""Signing in by password: a proof, or one refusal for every reason there is."""

from __future__ import annotations

import pytest

from gateway.logins import password
from gateway.model import Level, Proof
from gateway.passwords import NOBODY, hash_password, verify_password

STORED = (42, hash_password("correct horse battery"))
LONG = "x" * password.LONGEST


def test_the_right_password_proves_who_it_is() -> None:
    assert password.finish(STORED, "correct horse battery") == Proof(42, "password")
    assert password.LEVEL is Level.ONE_FACTOR


@pytest.mark.parametrize(
    ("stored", "answer"),
    [
        (STORED, "wrong"),
        (STORED, ""),
        (STORED, "Correct horse battery"),
        (STORED, "correct horse battery "),
        (STORED, "\ud800"),
        ((42, "no digest"), "correct horse battery"),
        (None, "correct horse battery"),
        (None, "nobody has this password"),
        ((42, hash_password(LONG)), LONG + "y"),
    ],
    ids=["wrong", "empty", "case", "longer", "surrogate", "digest", "nobody", "nobody's own", "beyond the limit"],
)
def test_everything_else_is_refused_in_the_same_words(stored: tuple[int, str] | None, answer: str) -> None:  # C236
    assert password.finish(stored, answer) == password.REFUSED


def test_the_longest_password_is_verified_whole() -> None:
    assert password.finish((42, hash_password(LONG)), LONG) == Proof(42, "password")


@pytest.mark.parametrize("stored", [STORED, None])
def test_a_name_that_nobody_has_is_verified_too(
    stored: tuple[int, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:  # C236
    asked: list[str] = []

    def counted(digest: str, answer: str) -> bool:
        asked.append(digest)
        return verify_password(digest, answer)

    monkeypatch.setattr(password, "verify_password", counted)
    password.finish(stored, "anything")
    assert asked == [stored[1] if stored else NOBODY]
