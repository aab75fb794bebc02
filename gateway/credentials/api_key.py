"""An API key in ``X-Api-Key``, recognised by its prefix; any other value is the app's own (Immich, Radarr)."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.credentials.cookies import CookieNames
from gateway.tokens import CHECKSUM, LENGTH, PREFIXES

KIND = "api_key"
_PREFIX = PREFIXES[KIND].encode()


def read(headers: Mapping[bytes, bytes], names: CookieNames) -> list[bytes]:
    """The key, if the header holds one of ours."""
    value = headers.get(b"x-api-key")
    if value is None or len(value) != LENGTH + CHECKSUM or not value.startswith(_PREFIX):
        return []
    return [value]
