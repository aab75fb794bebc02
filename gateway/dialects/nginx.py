"""nginx's auth_request: a subrequest whose headers the configuration chooses: ``X-Original-URL`` and ``X-Original-Method``.

It knows four answers: 2xx lets in, 401 and 403 refuse, anything else becomes a 500 for the client. It never reads a body,
keeps its connection only where there is none, and carries no redirect, so where to sign in is offered in a header of its
own, for navigations only; the shipped file turns that into a redirect. A malformed question is therefore 403 here (a 4xx
that nginx turns into 500 once became an open door elsewhere: CVE-2021-32637). 503 stays: the 500 that nginx makes of it is
the truth about a gateway that cannot know.
"""

from __future__ import annotations

import re
from typing import assert_never

from gateway import originals, replies
from gateway.forwarded import Trust
from gateway.model import AccessRequest, Allow, Challenge, Decision, Deny, Malformed, Question, Reply
from gateway.originals import Parts

PATH = "/auth/nginx"
VARIES = b""
_URL, _METHOD = b"x-original-url", b"x-original-method"
_PARTS = re.compile(rb"([A-Za-z]+)://([^/?#\\@]*)(/.*)?", re.DOTALL)
LOGIN = b"x-gateway-login"
"""Where a person may sign in."""


def read(question: Question, trust: Trust) -> AccessRequest | Malformed:
    """The original request. A client's own ``X-Forwarded-*`` reach us through nginx untouched; only -For is read."""
    headers = originals.believed(question, trust, (_METHOD, _URL))
    if isinstance(headers, Malformed):
        return headers
    found = _PARTS.fullmatch(headers[_URL])
    if found is None:
        return Malformed("G104", "cannot read the original URL")
    scheme, host, uri = found.groups()
    return originals.read(Parts(headers[_METHOD], scheme, host, uri or b""), headers, trust)


def write(decision: Decision, request: AccessRequest, speech: replies.Speech) -> Reply:
    """200, 401 or 403, always without a body."""
    match decision:
        case Allow():
            return Reply(200, decision.headers)
        case Challenge():
            refusal = replies.bodiless(replies.unauthorized(decision, speech))
            return refusal._replace(headers=[*_login(request, speech), *refusal.headers])
        case Deny():
            return replies.bodiless(replies.refused(decision, speech))
        case _:
            assert_never(decision)


def refuse(reply: Reply) -> Reply:
    """A refusal before there was a decision."""
    return replies.bodiless(reply if reply.status == 503 else reply._replace(status=403))


def _login(request: AccessRequest, speech: replies.Speech) -> list[tuple[bytes, bytes]]:
    if not replies.is_navigation(request):
        return []
    return [(LOGIN, replies.login_url(request, speech).encode())]
