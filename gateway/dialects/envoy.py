"""Envoy's ext_authz over HTTP: the original method, Host and path, the path behind our prefix.

Exactly 200 lets in; other answers go to the client, but a 5xx may be taken for "let in" (``failure_mode_allow``), so not
even "cannot know now" is one here. Envoy sends no header that is not in its ``allowed_headers``: the shipped file lists
Cookie, X-Forwarded-Proto and the others that decide.
"""

from __future__ import annotations

from gateway import originals, replies
from gateway.forwarded import Trust
from gateway.model import AccessRequest, Malformed, Question, Reply
from gateway.originals import Parts

PATH = "/auth/envoy/"
VARIES = b""
_SCHEME, _HOST = b"x-forwarded-proto", b"host"
write = replies.carried


def read(question: Question, trust: Trust) -> AccessRequest | Malformed:
    """The original request: this one, without the prefix. An ``X-Forwarded-Method`` or -Uri is nobody's word here."""
    headers = originals.believed(question, trust, (_SCHEME, _HOST))
    if isinstance(headers, Malformed):
        return headers
    uri = question.target.removeprefix(PATH.encode()[:-1])
    return originals.read(Parts(question.method.encode(), headers[_SCHEME], headers[_HOST], uri), headers, trust)


def refuse(reply: Reply) -> Reply:
    """A refusal before there was a decision."""
    return reply._replace(status=403) if reply.status >= 500 else reply
