"""The fan of credentials: one file for each kind of proof a request can carry, in order of meaning.

A member has ``KIND`` (the token's kind, and the word storage knows it by) and ``read(headers, names)``, which is pure
and returns the tokens of that kind as presented, of the right shape and nothing else proven.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from gateway import tokens
from gateway.credentials import api_key, session
from gateway.credentials.cookies import CookieNames
from gateway.model import Credential
from gateway.tokens import Ring

FAN = (session, api_key)
KINDS = tuple(member.KIND for member in FAN)
Shown = tuple[tuple[tuple[Credential, bytes | None], ...], ...]
"""What a request shows: for each kind that is there at all, in order of meaning, the credentials with their tokens. None
in a token's place: it was read earlier, and is not kept."""

__all__ = ["FAN", "KINDS", "CookieNames", "Shown", "api_key", "session", "show"]


def show(headers: Mapping[bytes, bytes], names: CookieNames, ring: Ring, fan: tuple[ModuleType, ...] = FAN) -> Shown:
    """Every token in these headers that has the shape of one, and the credential it stands for."""
    found = [(member.KIND, member.read(headers, names)) for member in fan]
    return tuple(
        [
            tuple([(Credential(kind, tokens.digest(ring, token)), token) for token in sent])
            for kind, sent in found
            if sent
        ]
    )
