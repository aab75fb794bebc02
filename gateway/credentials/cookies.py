"""Reading one cookie's values out of a Cookie header (RFC 6265bis section 5.6), and what ours are called.

Names are exact and case-sensitive; every value of the name is returned, because a sibling subdomain can plant a second
one and "last wins" would let it choose.
"""

from __future__ import annotations

from typing import NamedTuple


class CookieNames(NamedTuple):
    """The app cookie and the portal's, as bytes; without their prefixes where the portal speaks plain http."""

    session: bytes
    portal: bytes


def names(*, secure: bool) -> CookieNames:
    """Some browsers refuse prefixed and Secure cookies under .localhost, so there the names lose their prefix."""
    if secure:
        return CookieNames(b"__Secure-gateway_session", b"__Host-gateway_portal")
    return CookieNames(b"gateway_session", b"gateway_portal")


def values(header: bytes, name: bytes) -> list[bytes]:
    """Every value of the cookie ``name``, in order, quotes taken off.

    Split where browsers join, at ``;`` alone, and only spaces and tabs are taken off a name: whatever else a reader cuts
    at or strips lets a sibling subdomain write ``__Host-`` into a cookie whose own name has no such prefix. So of
    repeated headers that a proxy has joined by a comma, which no browser sends, the joined value is nobody's.
    """
    if name not in header:
        return []
    found = []
    for pair in header.split(b";"):
        key, _, value = pair.partition(b"=")
        if key.strip(b" \t") == name:
            found.append(value.strip(b' \t"'))
    return found
