"""No proxy's speech: the question is the request itself, which the gateway then carries to the app.

Shaped as a dialect is, but not one: nobody chooses it by a path. Only a trusted peer says for whom it speaks, and by which
scheme that one came. What an allow answers is the identity headers alone, which go to the app; every other answer goes to
the client whole.
"""

from __future__ import annotations

from gateway import questions, replies, target
from gateway.forwarded import SECRET_HEADER, Trust, address
from gateway.headers import ANSWER
from gateway.model import AccessRequest, Allow, Decision, Malformed, Question, Reply
from gateway.originals import CLIENT, FORWARDED
from gateway.replies import Speech

PATH = "/proxy"
VARIES = b""
refuse = replies.unchanged


def read(question: Question, trust: Trust) -> AccessRequest | Malformed:
    """The request as it came; its scheme and client by the word of a trusted peer, else by the connection."""
    headers = questions.collect(question.headers, ())
    if isinstance(headers, Malformed):
        return headers
    believed = trust.believes(question.peer, headers.get(SECRET_HEADER, b""))
    said = headers.get(FORWARDED.scheme, b"") if believed else b""
    try:
        method = target.method(question.method.encode())
        scheme = target.scheme(said) if said else "http"
        host, authority = target.authority(headers.get(b"host", b""), scheme)
        uri, path = target.uri(question.target)
    except target.Unreadable as error:
        return Malformed("G104", f"cannot read the {error} of this request")
    client = trust.client(headers.get(CLIENT, b"")) if believed else address(question.peer or "")
    return AccessRequest(method, scheme, host, authority, path.path, path.unclear, uri, client, headers)


def write(decision: Decision, request: AccessRequest, speech: Speech) -> Reply:
    """200 with the identity headers alone, or what a client is told."""
    if isinstance(decision, Allow):
        return Reply(200, decision.headers[len(ANSWER) :])
    return replies.carried(decision, request, speech)
