"""Traefik's forwardAuth: GET to a fixed address, the original request in ``X-Forwarded-*``.

Any 2xx lets in; every other answer goes to the client whole. Traefik computes the five headers itself, or keeps those of
a proxy it trusts; a question that lacks one is refused, never answered from this request's own Host or path.
"""

from __future__ import annotations

from typing import assert_never

from gateway import questions, replies, target
from gateway.forwarded import SECRET_HEADER, Trust
from gateway.model import AccessRequest, Allow, Challenge, Decision, Deny, Malformed, Question, Reply

PATH = "/auth/traefik"
_METHOD, _SCHEME, _HOST, _URI, _FOR = (
    b"x-forwarded-method",
    b"x-forwarded-proto",
    b"x-forwarded-host",
    b"x-forwarded-uri",
    b"x-forwarded-for",
)
_NEEDED = (_METHOD, _SCHEME, _HOST, _URI)
_FAMILY = frozenset((*_NEEDED, _FOR))


def read(question: Question, trust: Trust) -> AccessRequest | Malformed:
    """The original request, or why it cannot be read."""
    headers = questions.collect(question.headers, _FAMILY)
    if isinstance(headers, Malformed):
        return headers
    if not trust.believes(question.peer, headers.get(SECRET_HEADER, b"")):
        return Malformed("G101", "this peer is not a trusted proxy (trust.proxies, trust.unix, trust.secret_file)", 403)
    for name in _NEEDED:
        if not headers.get(name):
            return Malformed("G103", f"the header {name.decode()} is missing or empty")
    try:
        method = target.method(headers[_METHOD])
        scheme = target.scheme(headers[_SCHEME])
        host, authority = target.authority(headers[_HOST], scheme)
        uri, path = target.uri(headers[_URI])
    except target.Unreadable as error:
        return Malformed("G104", f"cannot read the original {error}")
    client = trust.client(headers.get(_FOR, b""))
    return AccessRequest(method, scheme, host, authority, path.path, path.unclear, uri, client, headers)


def write(decision: Decision, request: AccessRequest, speech: replies.Speech) -> Reply:
    """Traefik carries redirects, bodies and headers of a refusal to the client unchanged."""
    match decision:
        case Allow():
            return Reply(200, decision.headers)
        case Challenge():
            return replies.challenge(decision, request, speech)
        case Deny():
            return replies.deny(decision, request, speech)
        case _:
            assert_never(decision)
