"""Return URLs: made by the gateway, signed for ten minutes, and checked again when they are used.

Nothing a client writes is ever followed, so there is no list of tricks to refuse: a URL without our signature is the
default page. What the signature cannot know is checked then: that an app of ours still owns the host.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from gateway import tokens
from gateway.policy import Policy
from gateway.tokens import Ring

LIFETIME = 600
_TENANT = b"1 "


def sign(ring: Ring, url: str, wall: float) -> str:
    """A token that stands for ``url``."""
    return tokens.sign(ring, "return", _TENANT + url.encode(), int(wall) + LIFETIME)


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
