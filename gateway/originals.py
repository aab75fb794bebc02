"""From a proxy's question to the original request: what every dialect does alike, once it knows where each part stands.

Pure. A part that is missing, appears twice or can be read in two ways makes the question malformed; nothing is filled in
from this request's own line or Host, which the dialect did not name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gateway import questions, target
from gateway.forwarded import SECRET_HEADER, Trust
from gateway.model import AccessRequest, Malformed, Question

CLIENT = b"x-forwarded-for"


class Parts(NamedTuple):
    """The original request as a proxy wrote it down, unread."""

    method: bytes
    scheme: bytes
    host: bytes
    uri: bytes


FORWARDED = Parts(b"x-forwarded-method", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-uri")
"""The header family of Traefik, Caddy and the shipped HAProxy file: one header for each part."""


def believed(question: Question, trust: Trust, family: tuple[bytes, ...]) -> Mapping[bytes, bytes] | Malformed:
    """The headers of a question from a trusted proxy, in which those of ``family`` appear once and say something."""
    headers = questions.collect(question.headers, questions.FAMILIES)
    if isinstance(headers, Malformed):
        return headers
    if not trust.believes(question.peer, headers.get(SECRET_HEADER, b"")):
        return Malformed("G101", "this peer is not a trusted proxy (trust.proxies, trust.unix, trust.secret_file)", 403)
    for name in family:
        if not headers.get(name):
            return Malformed("G103", f"the header {name.decode()} is missing or empty")
    return headers


def read(parts: Parts, headers: Mapping[bytes, bytes], trust: Trust) -> AccessRequest | Malformed:
    """Every part in its normal form, or which one cannot be read."""
    try:
        method = target.method(parts.method)
        scheme = target.scheme(parts.scheme)
        host, authority = target.authority(parts.host, scheme)
        uri, path = target.uri(parts.uri)
    except target.Unreadable as error:
        return Malformed("G104", f"cannot read the original {error}")
    client = trust.client(headers.get(CLIENT, b""))
    return AccessRequest(method, scheme, host, authority, path.path, path.unclear, uri, client, headers)


def forwarded(question: Question, trust: Trust) -> AccessRequest | Malformed:
    """The original request from the ``X-Forwarded-*`` family."""
    headers = believed(question, trust, FORWARDED)
    if isinstance(headers, Malformed):
        return headers
    return read(Parts(*(headers[name] for name in FORWARDED)), headers, trust)
