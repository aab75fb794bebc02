"""Hash and verify passwords: argon2id at the OWASP floor for a server that also answers checks (19 MiB, t=2, p=1).

Pure and slow (tens of milliseconds): callers run it in a bounded thread pool, never on the event loop.
"""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
NOBODY = _HASHER.hash("nobody has this password")
"""Verified when the user is unknown, so that an unknown name takes as long as a wrong password (C236)."""


def hash_password(password: str) -> str:
    """An argon2id digest in PHC format, with a fresh salt."""
    return _HASHER.hash(password)


def verify_password(digest: str, password: str) -> bool:
    """Whether ``password`` made ``digest``; a digest that cannot be read is a no, a password that is no text too."""
    try:
        return _HASHER.verify(digest, password)
    except (VerificationError, ValueError):  # InvalidHashError is a ValueError, half a surrogate pair another
        return False
