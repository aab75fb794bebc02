"""uvicorn's HTTP protocol with one reading of a message (it is given to uvicorn as its ``http=`` class).

What two parsers could read in two ways is refused before an ASGI scope is used: trailers are not headers (httptools
reports both alike), absolute-form targets and odd transfer codings do not come in (RFC 9112 sections 3.2.2, 6.1), and
after an Upgrade not one more byte is parsed, because llhttp would take a body for the next request.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.endpoints.listening import BACKLOG

KEEP_ALIVE = 125
"""Seconds; longer than proxies keep their idle connections (Go 90, Caddy 120), so that they close first."""


class Ambiguous(ValueError):
    """A message that is refused with 400 and a closed connection."""


class ExpressProtocol(HttpToolsProtocol):
    """As uvicorn's, with a narrower door."""

    _in_head = False
    _finished = False

    def data_received(self, data: bytes) -> None:
        """After an upgrade, and after a refusal, the connection is deaf."""
        if not self._finished:
            super().data_received(data)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; or a trailer, which is dropped."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete: refuse it here, or never."""
        self._in_head = False
        self._refuse_ambiguous(dict(self.headers))
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse, and read no more."""
        self._finished = True
        super().send_400_response(msg)

    def _refuse_ambiguous(self, headers: dict[bytes, bytes]) -> None:
        if not self.url.startswith(b"/"):
            raise Ambiguous("only origin-form targets are answered here")
        coding = headers.get(b"transfer-encoding")
        if coding is not None and (coding.lower() != b"chunked" or self.parser.get_http_version() == "1.0"):
            raise Ambiguous("a transfer coding that is not chunked")
        body = coding is not None or headers.get(b"content-length", b"0") != b"0"
        if self.parser.should_upgrade() and body:
            raise Ambiguous("an upgrade with a body")

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade is answered as ordinary HTTP, and is the last thing this connection says."""
        self._finished = True
        if self.cycle is not None:
            self.cycle.keep_alive = False


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
