"""The fan of ways to sign in: one file each, judging an answer and doing no I/O.

A member has ``KIND`` (the factor's kind), ``LEVEL`` (what it proves alone) and ``finish(...) -> Proof | Refusal``. Steps
never route to one another; ``services.signin`` is the one dispatcher.
"""

from __future__ import annotations

from gateway.logins import password

FAN = (password,)
SECOND_FACTORS: frozenset[str] = frozenset()
"""Factors that raise a session to two; none of this version's ways in does."""

__all__ = ["FAN", "SECOND_FACTORS", "password"]
