"""What a caller that can carry a redirect is answered; dialects that cannot, change it.

An allow is 200 with the identity headers. A challenge redirects a navigation and is 401 for everything else, because
browsers follow redirects of fetch and XMLHttpRequest blindly and refuse redirected preflights. A no is 403 and never
says what others may do. Every no carries a request id; no answer says anything that may be stored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple, assert_never
from urllib.parse import unquote

from gateway.headers import lines
from gateway.model import AccessRequest, Allow, Challenge, Decision, Deny, Form, Headers, Malformed, Reply
from gateway.tokens import PREFIXES

RETURN_LIMIT = 2048
_NO_STORE = (b"cache-control", b"no-store")
_EMPTY = [(b"content-length", b"0"), _NO_STORE]
_EMPTY_RAW = lines(_EMPTY)
_PROGRAMS = (b"x-requested-with", b"upgrade", b"sec-websocket-key")
"""Headers that no address bar sends: XMLHttpRequest by old habit, and a WebSocket's handshake (Traefik drops Upgrade)."""
HEADERS = frozenset({b"sec-fetch-mode", b"accept", *_PROGRAMS})
"""All that is read here of a visitor's headers."""


class Speech(NamedTuple):
    """What every dialect needs to say no: the portal, a signer of return URLs, the page of a denial, and a fresh id."""

    portal_url: str
    login_url: Callable[[str], str]
    denied_page: Callable[[Deny, AccessRequest, str], tuple[str, str]]
    request_id: Callable[[], str]


def carried(decision: Decision, request: AccessRequest, speech: Speech) -> Reply:
    """For callers that carry redirects, bodies and headers of a refusal to the client unchanged."""
    match decision:
        case Allow():
            return Reply(200, decision.headers)
        case Challenge():
            return challenge(decision, request, speech)
        case Deny():
            return deny(decision, request, speech)
        case _:
            assert_never(decision)


def unchanged(reply: Reply) -> Reply:
    """For callers to which every status but 2xx is a no."""
    return reply


def bodiless(reply: Reply) -> Reply:
    """For callers that read no body, and keep a connection only where there is none."""
    kept = [(name, value) for name, value in reply.headers if name not in (b"content-type", b"content-length")]
    return Reply(reply.status, [(b"content-length", b"0"), *kept])


def challenge(decision: Challenge, request: AccessRequest, speech: Speech) -> Reply:
    """302 (303 for what is not GET or HEAD) to the login page for a navigation, else 401."""
    if not is_navigation(request):
        return unauthorized(decision, speech)
    location, request_id = login_url(request, speech).encode(), speech.request_id().encode()
    return Reply(
        302 if request.method in ("GET", "HEAD") else 303,
        [(b"location", location), *_EMPTY, (b"x-request-id", request_id)],
        b"",
        b"location: %b\r\n%bx-request-id: %b\r\n" % (location, _EMPTY_RAW, request_id),
    )


def unauthorized(decision: Challenge, speech: Speech) -> Reply:
    """401 with the place to sign in, for whoever is not a person at an address bar."""
    realm = (b"www-authenticate", f'Session realm="{speech.portal_url}"'.encode())
    return _problem(401, "G120", decision.reason, speech, [realm])


def deny(decision: Deny, request: AccessRequest, speech: Speech) -> Reply:
    """403: a page for a person, a problem document for a program."""
    if not is_navigation(request):
        return refused(decision, speech)
    request_id = speech.request_id()
    text, security_policy = speech.denied_page(decision, request, request_id)
    return page(403, text, security_policy, request_id)


def page(status: int, text: str, security_policy: str, request_id: str) -> Reply:
    """A refusal that a person reads, on an app's own host."""
    body = text.encode()
    return Reply(
        status,
        [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"content-security-policy", security_policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
            _NO_STORE,
            (b"x-request-id", request_id.encode()),
        ],
        body,
    )


def refused(decision: Deny, speech: Speech) -> Reply:
    """403 for a program."""
    return _problem(403, decision.code, decision.reason, speech)


def malformed(refusal: Malformed, speech: Speech) -> Reply:
    """400, or 403 where the peer is not believed."""
    return _problem(refusal.status, refusal.code, refusal.reason, speech)


def unavailable(code: str, reason: str, retry_after: int, speech: Speech) -> Reply:
    """503: memory does not know, and the store cannot be asked now."""
    return _problem(503, code, reason, speech, [(b"retry-after", str(retry_after).encode())])


def is_navigation(request: AccessRequest) -> bool:
    """Whether a person would see the answer: by Fetch Metadata, else by what an address bar sends."""
    sent = request.headers
    mode = sent.get(b"sec-fetch-mode")
    if mode is not None:
        return mode == b"navigate"
    if request.method not in ("GET", "HEAD") or any(name in sent for name in _PROGRAMS):
        return False
    return b"text/html" in sent.get(b"accept", b"").lower()


def login_url(request: AccessRequest, speech: Speech) -> str:
    """Where to sign in and come back from. Back by https where the portal is: our cookies never travel otherwise."""
    return speech.login_url(return_url(request, "https" if speech.portal_url.startswith("https:") else ""))


def return_url(request: AccessRequest, scheme: str = "") -> str:
    """Where to come back to, by ``scheme`` where that is said. A query that carries one of our own tokens, and one that is
    too long, stay behind."""
    origin = f"{scheme or request.scheme}://{request.authority}"
    path, _, query = request.uri.partition("?")
    if query and _carries_token(query):
        query = ""
    url = f"{origin}{path}?{query}" if query else f"{origin}{path}"
    return url if len(url) <= RETURN_LIMIT else f"{origin}/"


def _carries_token(query: str) -> bool:
    said = unquote(query)
    return any(prefix in said for prefix in PREFIXES.values())


def problem(status: int, code: str, reason: str, request_id: bytes, more: Headers | None = None) -> Reply:
    """A problem document (RFC 9457) with a stable code."""
    return _form(status, code, reason, len(request_id), tuple(more or ())).fill(request_id)


def form(reply: Reply) -> Form | None:
    """What is the same in every refusal like ``reply``, if that is a problem document."""
    begun, mark, end = reply.body.rpartition(b'"request_id": ')
    name, request_id = reply.headers[-1]
    if name != b"x-request-id" or end != b'"%b"}' % request_id:
        return None
    always = reply.headers[:-1]
    return Form(reply.status, always, lines(always), begun + mark)


@lru_cache(maxsize=1024)
def _form(status: int, code: str, reason: str, id_length: int, more: tuple[tuple[bytes, bytes], ...]) -> Form:
    body = _document(status, code, reason)
    length = b"%d" % (len(body) + len('""}') + id_length)
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", length), _NO_STORE, *more]
    return Form(status, headers, lines(headers), body)


def _document(status: int, code: str, reason: str) -> bytes:
    """All of it but the request id, which comes last and is the only part that is new each time."""
    fields: Mapping[str, object] = {
        "type": "about:blank",
        "title": _TITLES[status],
        "status": status,
        "detail": reason,
        "code": code,
    }
    return json.dumps(fields).removesuffix("}").encode() + b', "request_id": '


def _problem(status: int, code: str, reason: str, speech: Speech, more: Headers | None = None) -> Reply:
    return problem(status, code, reason, speech.request_id().encode(), more)


_TITLES = {
    400: "Malformed question",
    401: "Sign in",
    403: "Refused",
    404: "Not found",
    408: "Too slow",
    417: "Not expected",
    431: "Too large",
    501: "Not carried here",
    502: "The app failed",
    503: "Unavailable",
    504: "The app is too slow",
    508: "A loop",
}
