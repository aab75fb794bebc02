"""Signing in by password. Slow on purpose (argon2id): ``services.signin`` runs it in a bounded thread pool."""

from __future__ import annotations

from gateway.model import Level, Proof, Refusal
from gateway.passwords import NOBODY, verify_password

KIND = "password"
LEVEL = Level.ONE_FACTOR
LONGEST = 1024
REFUSED = Refusal("G210", "This name and password do not belong together.")


def finish(stored: tuple[int, str] | None, answer: str) -> Proof | Refusal:
    """``stored`` is (user id, digest), or None for a name nobody has: refused alike, in the same time."""
    user, digest = stored or (0, NOBODY)
    matches = verify_password(digest, answer[:LONGEST])
    return Proof(user, KIND) if matches and stored is not None and len(answer) <= LONGEST else REFUSED
