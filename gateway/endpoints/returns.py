"""Return URLs: made by the gateway, signed for ten minutes, and checked again when they are used.

Nothing a client writes is ever followed, so there is no list of tricks to refuse: a URL without our signature is the
default page. What the signature cannot know is checked then: that an app of ours still owns the host.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

from gateway import tokens
from gateway.policy import Policy
from gateway.tokens import Ring

LIFETIME = 600
STEP = 10
"""Seconds: whoever wants the same page within one step gets the same token, so that it is signed once."""
_TENANT = b"1 "
_LONG = 256


def sign(ring: Ring, url: str, wall: float) -> str:
    """A token that stands for ``url``, for up to LIFETIME seconds."""
    ends = int(wall) // STEP * STEP + LIFETIME
    return _sign(ring, url, ends) if len(url) <= _LONG else _sign.__wrapped__(ring, url, ends)


@lru_cache(maxsize=1024)
def _sign(ring: Ring, url: str, ends: int) -> str:
    return tokens.sign(ring, "return", _TENANT + url.encode(), ends)


def read(ring: Ring, token: str, wall: float) -> str | None:
    """The URL behind ``token``, if it is ours and fresh. Nothing says yet that one may go there."""
    payload = tokens.verify(ring, "return", token, wall)
    return payload.removeprefix(_TENANT).decode() if payload is not None and payload.startswith(_TENANT) else None


def follow(ring: Ring, token: str, wall: float, policy: Policy | None, allowed: Callable[[str], bool]) -> str | None:
    """The URL behind ``token``, if it is ours, fresh, and of a host that ``allowed`` and the policy know."""
    url = read(ring, token, wall)
    if url is None or policy is None:
        return None
    host = (urlsplit(url).hostname or "").lower()
    return url if allowed(host) and policy.app(host) is not None else None
