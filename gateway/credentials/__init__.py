"""The fan of credentials: one file for each kind of proof a request can carry, in order of meaning.

A member has ``KIND`` (the token's kind, and the word storage knows it by) and ``read(headers, names)``, which is pure
and returns the tokens of that kind as presented, of the right shape and nothing else proven.
"""

from __future__ import annotations

from gateway.credentials import api_key, session
from gateway.credentials.cookies import CookieNames

FAN = (session, api_key)
KINDS = tuple(member.KIND for member in FAN)

__all__ = ["FAN", "KINDS", "CookieNames", "api_key", "session"]
