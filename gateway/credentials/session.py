"""The app cookie: a child session, by which a browser is known at the apps of one domain."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.credentials.cookies import CookieNames, values
from gateway.tokens import LENGTH, PREFIXES

KIND = "session"
_PREFIX = PREFIXES[KIND].encode()


def read(headers: Mapping[bytes, bytes], names: CookieNames) -> list[bytes]:
    """The tokens in our cookie; whatever else it holds is nobody's."""
    cookie = headers.get(b"cookie")
    if cookie is None:
        return []
    return [value for value in values(cookie, names.session) if len(value) == LENGTH and value.startswith(_PREFIX)]
