"""The identity headers an allow carries: rendered once per person and header set, then kept as bytes.

Every header is always there, empty where unknown, so that a proxy overwrites what a client forged (CVE-2026-30851).
A block over 4 KB is refused, never cut: truncation changes rights, and nginx reads no more. So is a name that could be
read as two (the store refuses such names as well), because a dropped or replaced character is another name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from string import Formatter
from urllib.parse import quote

from gateway.model import Headers, Identity

STANDARD: tuple[tuple[str, str], ...] = (
    ("Remote-User", "{user}"),
    ("Remote-Groups", "{groups}"),
    ("Remote-Name", "{name}"),
    ("Remote-Email", "{email}"),
)
ANSWER: Headers = [(b"content-length", b"0"), (b"cache-control", b"no-store")]
LIMIT = 4096 - 256
"""Bytes left for identity in a 4 KB header block, after the status line and what servers and proxies add."""
FIELDS = ("user", "groups", "name", "email")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_RESERVED = {"content-length", "set-cookie", "host", "cache-control", "date"} | {name.lower() for name, _ in STANDARD}
_HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
"""RFC 9110 section 7.6.1: about the connection, not about the answer."""
_USER = re.compile(r"[!-~]+")
_GROUP = re.compile(r"[!-+\--~](?:[ -+\--~]*[!-+\--~])?")
"""Visible ASCII; in a group no comma, and no space at either end, which every HTTP parser would take off."""

Template = tuple[tuple[str, str], ...]


def lines(headers: Headers) -> bytes:
    """``headers`` as they stand in a message."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def render(template: Template, identity: Identity | None) -> Headers | None:
    """The answer's headers for ``identity`` (None: nobody, all empty), or None where they do not fit or would lie."""
    values = _values(identity)
    if values is None:
        return None
    found = [(name.lower().encode(), _fill(pattern, values, identity)) for name, pattern in template]
    if sum(len(name) + len(value) + 4 for name, value in found) > LIMIT:
        return None
    return ANSWER + found


def template(configured: Iterable[tuple[str, str]]) -> Template:
    """The headers an app configures beside the standard ones; ValueError for a name or a field that cannot be."""
    checked = tuple(configured)
    for name, pattern in checked:
        if not _NAME.fullmatch(name) or name.lower() in _RESERVED | _HOP_BY_HOP:
            raise ValueError(f"{name!r} cannot be the name of an identity header")
        if not pattern.isascii() or not pattern.isprintable():
            raise ValueError(f"the value of {name} has characters that a header cannot carry")
        for _, field, spec, conversion in Formatter().parse(pattern):
            if field is not None and (field not in FIELDS or spec or conversion):
                raise ValueError(f"{name}: there is no {{{field}}}; there are {', '.join(FIELDS)}")
    return checked


def _values(identity: Identity | None) -> Mapping[str, str] | None:
    if identity is None:
        return dict.fromkeys(FIELDS, "")
    if not _USER.fullmatch(identity.name) or not all(map(_GROUP.fullmatch, identity.groups)):
        return None
    return {
        "user": identity.name,
        "groups": ",".join(sorted(identity.groups)),
        "name": quote(identity.display, errors="replace", safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~"),
        "email": quote(identity.email, errors="replace", safe="!#$&'*+-/=?^_`{|}~@."),
    }


def _fill(pattern: str, values: Mapping[str, str], identity: Identity | None) -> bytes:
    """Nobody gets an empty value even where a pattern has text of its own: ``Bearer {user}`` must not become a word."""
    return b"" if identity is None else pattern.format_map(values).encode("ascii", "strict")
