"""uvicorn's HTTP protocol with one reading of a message (it is given to uvicorn as its ``http=`` class).

What two parsers could read in two ways is refused before an ASGI scope is used: trailers are not headers (httptools
reports both alike), targets that are not paths, odd transfer codings and other protocols do not come in (RFC 9112
sections 2.3, 3.2, 6.1), and after an Upgrade not one more byte is parsed, because llhttp would take a body for the next
request. A head has a bound, because an application behind ASGI cannot give it one.
"""

from __future__ import annotations

import logging
import secrets
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway import replies
from gateway.endpoints.listening import BACKLOG

logger = logging.getLogger("gateway.door")
KEEP_ALIVE = 125
"""Seconds; longer than proxies keep their idle connections (Go 90, Caddy 120), so that they close first."""
LONGEST = 64 * 1024
"""Bytes of a head: what proxies let through at most, and no more memory than that for who never ends one."""
_OTHERS = (b" RTSP/", b" ICE/")
"""Protocols whose messages llhttp reads as if they were HTTP."""


class Ambiguous(ValueError):
    """A message that is refused with 400 and a closed connection; says why without repeating what was sent."""


class ExpressProtocol(HttpToolsProtocol):
    """As uvicorn's, with a narrower door."""

    _in_head = False
    _finished = False
    _size = 0
    _raw = b""
    _unread = 0

    def data_received(self, data: bytes) -> None:
        """After an upgrade, and after a refusal, the connection is deaf."""
        if self._finished:
            return
        self._unset_keepalive_if_required()
        self._raw += data
        self._unread += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._say_no_more()
        except httptools.HttpParserError as error:
            self._refuse(error.__context__)
        else:
            self._keep_unfinished()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head, self._size = True, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; or a trailer, which is dropped."""
        self._unread = 0
        if self._in_head:
            self._size += len(name) + len(value) + 4
            if self._size > LONGEST:
                raise Ambiguous("the head of this message is too large")
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete: refuse it here, or never."""
        self._in_head = False
        self._refuse_other_protocols()
        self._refuse_other_targets()
        self._refuse_ambiguous_bodies()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of a message, where there is one."""
        self._unread = 0
        super().on_message_complete()

    def _refuse_other_protocols(self) -> None:
        """The parser does not tell which protocol it read, so the request line is looked at as it came."""
        if any(self.url + name in self._raw for name in _OTHERS):
            raise Ambiguous("this is not HTTP")
        if self.parser.get_http_version() not in ("1.1", "1.0"):
            raise Ambiguous("a version of HTTP that is not spoken here")

    def _refuse_other_targets(self) -> None:
        if not self.url.startswith(b"/"):
            raise Ambiguous("only origin-form targets are answered here")
        if b"#" in self.url:
            raise Ambiguous("a target with a fragment")

    def _refuse_ambiguous_bodies(self) -> None:
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        if codings and (codings != [b"chunked"] or self.parser.get_http_version() == "1.0"):
            raise Ambiguous("a transfer coding that is not chunked")
        lengths = [value for name, value in self.headers if name == b"content-length"]
        if self.parser.should_upgrade() and (codings or lengths not in ([], [b"0"])):
            raise Ambiguous("an upgrade with a body")

    def _say_no_more(self) -> None:
        """An upgrade is answered as ordinary HTTP, and is the last thing this connection says."""
        self._finished = True
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def _keep_unfinished(self) -> None:
        """Only the bytes of a head that is still coming, and only so many; of a trailer, which the parser keeps, too."""
        if not self._in_head:
            self._raw = b""
        if max(len(self._raw), self._unread) > LONGEST:
            self._refuse(Ambiguous("the head of this message is too large"))

    def _refuse(self, reason: BaseException | None) -> None:
        """Read no more; 400, unless that could be taken for the answer to the request before."""
        self._finished, self._raw = True, b""
        detail = str(reason) if isinstance(reason, Ambiguous) else "this message cannot be read"
        request_id = secrets.token_hex(8)
        logger.warning("refused to read a message", extra={"reason": detail, "code": "G105", "request_id": request_id})
        if not self._answering():
            reply = replies.problem(400, "G105", detail, request_id.encode(), [(b"connection", b"close")])
            head = (*self.server_state.default_headers, *reply.headers)
            lines = b"".join(name + b": " + value + b"\r\n" for name, value in head)
            self.transport.write(STATUS_LINE[reply.status] + lines + b"\r\n" + reply.body)
            self.transport.close()

    def _answering(self) -> bool:
        """Whether an answer is still to come, or under way; the connection then ends with it, or where it stands."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        if not self.pipeline and not cycle.more_body:
            cycle.keep_alive = False
            return True
        if self.pipeline or cycle.response_started:
            self.transport.close()
            return True
        return False


def options(**more: Any) -> dict[str, Any]:
    """How uvicorn is run: no proxy headers (trust is ours to decide), no WebSockets, no Server header, no access log."""
    return {
        "http": ExpressProtocol,
        "ws": "none",
        "lifespan": "on",
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "log_config": None,
        "timeout_keep_alive": KEEP_ALIVE,
        "timeout_graceful_shutdown": 5,
        "backlog": BACKLOG,
        **more,
    }
