"""A request's head, as it goes on to an app: written anew, with nothing that only a proxy may say but our own word.

Pure. What goes on of a head's lines is kept as places in them, so that it can be remembered without any of their bytes. The
target goes on byte for byte as it was judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gateway import cleaning, handshakes
from gateway.cleaning import Origin, Rules
from gateway.messages.bodies import Chunked
from gateway.messages.request import Errand, Request
from gateway.model import AccessRequest
from gateway.policy import CompiledApp

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""RFC 9110 section 9.2.2."""
_EXPECTED = b"100-continue"


class Unfit(ValueError):
    """A request that is well formed, but is not carried: the status and a sentence for whoever sent it."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Onward(NamedTuple):
    """How heads like this one go on: to where, which places of their lines, and the lines of our own behind them.
    ``again`` is what is alike in all requests with such a head."""

    errand: Errand
    start: bytes
    cuts: tuple[slice, ...]
    tail: bytes
    again: Request

    def __repr__(self) -> str:
        return f"Onward({self.errand.upstream})"


def plan(request: Request, asked: AccessRequest, app: CompiledApp, origin: Origin, ours: Names) -> Onward:
    """How ``request`` goes on; Unfit where it does not."""
    if cleaning.is_loop(asked.headers, ours.pseudonym):
        raise Unfit(508, "this request came by here before: an upstream leads back to the gateway")
    key, upgrade = _upgrade(request, asked.headers, app)
    trailers = not (key or upgrade) and cleaning.wants_trailers(request.headers)
    rules = Rules(ours.cookies, app.identity_names, app.names_methods)
    forwarded = cleaning.forwarded(asked.headers, origin, ours.pseudonym)
    about = _about(asked.headers, key, upgrade, trailers=trailers)
    tail = forwarded + about + _framing(request, asked.headers)
    repeatable = request.method in _IDEMPOTENT
    errand = Errand(app.upstream, repeatable, key, upgrade, trailers)
    again = Request(request.method, b"", "1.1", [], b"", closes=request.closes)
    start = request.method.encode() + b" "
    cuts = tuple(slice(first, end) for first, end in cleaning.cuts(request.headers, rules))
    return Onward(errand, start, cuts, tail, again)


class Names(NamedTuple):
    """Our own: of the cookies that no app sees, and by which a Via knows us."""

    cookies: tuple[bytes, ...]
    pseudonym: bytes


def head(onward: Onward, target: bytes, block: bytes, identity: bytes) -> bytes:
    """The head of a request with these lines, for whoever ``identity`` says."""
    _, start, cuts, tail, _ = onward
    return b"".join([start, target, b" HTTP/1.1\r\n", *map(block.__getitem__, cuts), tail, identity, b"\r\n"])


def _upgrade(request: Request, headers: Mapping[bytes, bytes], app: CompiledApp) -> tuple[bytes, bytes]:
    """The key of a WebSocket's handshake, or another protocol that this app may speak; any other is not offered to it, and
    the request is an ordinary one (RFC 9110 section 7.8)."""
    protocol = headers.get(b"upgrade", b"").strip().lower()
    if protocol == b"websocket":
        wrong = handshakes.is_opening(request.method.encode(), request.version, headers)
        if wrong:
            raise Unfit(400, wrong)
        return headers[b"sec-websocket-key"].strip(), b""
    offered = protocol in app.upgrades and request.version == "1.1" and handshakes.asks(headers)
    return b"", protocol if offered else b""


def _about(headers: Mapping[bytes, bytes], key: bytes, upgrade: bytes, *, trailers: bool) -> bytes:
    """What is about this connection."""
    if key or upgrade:
        return b"Connection: Upgrade\r\nUpgrade: %b\r\n" % headers[b"upgrade"].strip()
    return b"Connection: TE\r\nTE: trailers\r\n" if trailers else b""


def _framing(request: Request, headers: Mapping[bytes, bytes]) -> bytes:
    """Where the body ends, and whether the client waits for a word before it sends it."""
    expected = headers.get(b"expect")
    if expected is not None and expected.strip().lower() != _EXPECTED:
        raise Unfit(417, "only 100-continue may be expected")
    waits = b"Expect: 100-continue\r\n" if expected is not None and request.body is not None else b""
    if isinstance(request.body, Chunked):
        return waits + b"Transfer-Encoding: chunked\r\n"
    length = headers.get(b"content-length")
    return waits if length is None else waits + b"Content-Length: %d\r\n" % int(length)
