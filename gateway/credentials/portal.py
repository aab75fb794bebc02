"""The portal cookie: the parent session, accepted on the portal's own host and nowhere else.

Not a member of the fan, which is what apps accept: every app under the domain can read the app cookie, so it must
never be the master key, and this one must never be one of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.credentials.cookies import CookieNames, values
from gateway.tokens import LENGTH, PREFIXES

KIND = "portal"
_PREFIX = PREFIXES[KIND].encode()


def read(headers: Mapping[bytes, bytes], names: CookieNames) -> list[bytes]:
    """The tokens in the portal cookie."""
    cookie = headers.get(b"cookie", b"")
    return [value for value in values(cookie, names.portal) if len(value) == LENGTH and value.startswith(_PREFIX)]
