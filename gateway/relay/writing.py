"""An app's answer, written anew for its client: heads, and how a body is framed (RFC 9112 section 6). Pure."""

from __future__ import annotations

from collections.abc import Sequence

from gateway import cleaning, handshakes
from gateway.messages.request import Errand
from gateway.relay.answers import Answer

_LINE = b"HTTP/1.1 %d %b%b\r\n%b\r\n"


def head(answer: Answer, about: bytes) -> bytes:
    """The head of an answer, with what is said ``about`` its body and its connection."""
    return _LINE % (answer.status, answer.reason, answer.lines, about)


def switching(answer: Answer) -> bytes:
    """The head of a 101."""
    return head(answer, b"Connection: Upgrade\r\nUpgrade: %b\r\n" % answer.fields[b"upgrade"])


def framing(answer: Answer, *, chunked: bool) -> bytes:
    """How long the body is, or would be: so say answers to HEAD, and 304."""
    if chunked:
        return b"Transfer-Encoding: chunked\r\n"
    if answer.length is None or answer.status == 204:
        return b""
    return b"Content-Length: %d\r\n" % answer.length


def whole(answer: Answer, content: bytes, *, closes: bool) -> bytes:
    """An answer that has come whole."""
    end = b"Connection: close\r\n\r\n" if closes else b"\r\n"
    said = (answer.status, answer.reason, answer.lines, len(content), end, content)
    return b"HTTP/1.1 %d %b%b\r\nContent-Length: %d\r\n%b%b" % said


def last_chunk(trailers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The end of a body in chunks."""
    return b"0\r\n%b\r\n" % (cleaning.trailers(list(trailers)) if trailers else b"")


def is_switch(errand: Errand, answer: Answer) -> bool:
    """Whether this 101 says what the client asked for (RFC 6455 section 4.1, RFC 9110 section 7.8)."""
    fields = answer.fields
    if answer.repeats or not handshakes.asks(fields):
        return False
    protocol = fields.get(b"upgrade", b"").lower()
    if errand.key:
        accepted = fields.get(b"sec-websocket-accept") == handshakes.accept(errand.key)
        return protocol == b"websocket" and accepted
    return bool(errand.upgrade) and protocol == errand.upgrade
