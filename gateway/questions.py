"""From raw headers to a mapping, refusing what two parsers would read differently. Pure; every dialect begins here."""

from __future__ import annotations

from gateway.model import Headers, Malformed

ONCE = frozenset({b"host", b"authorization", b"x-api-key", b"x-gateway-secret", b"origin"})
"""Headers that decide something and have one value: a second one is an attack or a broken proxy (CVE-2021-32777)."""
FAMILIES = (b"x-forwarded-", b"x-original-")
"""How headers begin that tell a door what stood before the proxy. Each is told once, whichever of them a dialect reads."""

_SHOWN = 64
"""Bytes of a name that are repeated: a stranger chooses how long one is, and reasons are logged and remembered."""


def collect(raw: Headers, families: tuple[bytes, ...]) -> dict[bytes, bytes] | Malformed:
    """Headers by lower-case name. Those of ``families`` and ONCE may appear once; repeated cookies are joined (RFC 9113
    section 8.2.3), others make a list."""
    headers = dict(raw)
    if len(headers) == len(raw):
        return headers
    headers = {}
    for name, value in raw:
        if name not in headers:
            headers[name] = value
        elif name in ONCE or name.startswith(families):
            return Malformed("G102", f"the header {name[:_SHOWN].decode('latin-1')} appears twice")
        elif name == b"cookie":
            headers[name] += b"; " + value
        else:
            headers[name] += b", " + value
    return headers
