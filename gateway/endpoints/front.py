"""uvicorn's HTTP protocol with one reading of a message: what ``express`` does not answer itself comes here.

The door itself says where a head and a body end (``heads``, ``bodies``), feeds the parser exactly those bytes, and goes on
only where the parser saw that message end at that byte: what the two read differently is refused. Callbacks only note
what was read; every decision is made after ``feed_data`` returned. A message is begun when the one before has been
answered, so an answer of this door's own is never taken for another's. Behind an upgrade, a close and a refusal the
connection is deaf (llhttp would take an upgrade's body for the next request).

A connection is given back to ``express`` only behind a message without a body, when its answer is complete and not one
byte more has come; behind any other message it stays here until it closes (security: a naive return answered the body
of the message before).

What is known of uvicorn here is named in ``tests/contracts/test_uvicorn.py``.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from gateway import replies
from gateway.deadlines import Deadlines
from gateway.headers import lines
from gateway.messages import bodies, heads
from gateway.messages.bodies import Chunked, Counted
from gateway.messages.heads import BadMessage, Head, TooSlow
from gateway.messages.request import Request
from gateway.model import Headers, Reply
from gateway.observe.floods import Few

logger = logging.getLogger("gateway.door")
LINGER = 2.0
"""Seconds in which a refused sender may take its answer: closed at once upon unread bytes, TCP would throw it away."""
DEADLINES = "gateway.deadlines"
_FEW = "gateway.few"


class FrontProtocol(HttpToolsProtocol):
    """As uvicorn's, with a narrower door. ``give_back`` is called where the connection may go back to ``express``."""

    _fed = 0  # bytes of a head under way that the parser has
    _begun = _headed = _complete = False
    _keeps_alive = _upgrades = False
    _body: Counted | Chunked | None = None
    _timed = _last = _deaf = _stays = False
    give_back: Callable[[], None] | None = None
    divert: Callable[[bytes, bytes], Callable[[Request], None] | None] | None = None

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._deadlines: Deadlines = app_state.get(DEADLINES) or app_state.setdefault(DEADLINES, Deadlines(self.loop))
        self._few: Few = app_state.get(_FEW) or app_state.setdefault(_FEW, Few("unreadable"))
        self._buffer = bytearray()

    # What the transport says ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # asyncio says any transport
        """uvicorn waits for ever for the first byte of a connection."""
        super().connection_made(transport)
        self._deadlines.set(self, self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is kept."""
        self._deadlines.clear(self)
        self._buffer.clear()
        self._deaf = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """More bytes, of which not one is parsed twice or out of turn."""
        if not self._deaf:
            self._buffer += data
            self._read()

    def on_response_complete(self) -> None:
        """The next message's turn, if it is here already; else, perhaps, another's turn."""
        super().on_response_complete()
        if self._deaf or self.transport.is_closing():
            return
        if self._buffer:
            self._read()
        elif self.give_back is not None and self._is_clean():
            self._leave()
            self.give_back()

    def resume(self) -> None:
        """The connection is here again."""
        self.connections.add(self)
        self._deadlines.set(self, self.timeout_keep_alive)

    def pause_writing(self) -> None:
        """Who does not take what was asked for is waited for, and not for ever."""
        super().pause_writing()
        self._deadlines.set(self, self.timeout_keep_alive)

    def resume_writing(self) -> None:
        """It was taken."""
        super().resume_writing()
        if self._body is None and not self._timed:
            self._deadlines.clear(self)
        if self._buffer and self._body is None and not self._is_answering():
            self.flow.resume_reading()
            self._read()

    def expired(self) -> None:
        """What was waited for did not come: a first byte, the rest of a message, or the end of a refused connection; or
        what was said is not taken."""
        if self._deaf or self.flow.write_paused:
            self.transport.abort()
        elif self._buffer or self._body is not None:
            self._refuse(TooSlow("this message took too long to arrive"))
        else:
            self.transport.close()

    # What the parser says: noted, not judged --------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A head begins."""
        if self._begun:
            raise BadMessage("a message within a message")
        self._begun = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """White space behind a value is none of it (RFC 9110 section 5.5); llhttp leaves it there. Behind a length it is
        refused, because parsers differ, so there it stays."""
        super().on_header(name, value if name.lower() in bodies.DECIDE else value.strip(b" \t"))

    def on_headers_complete(self) -> None:
        """The head is complete; some of it the parser knows only now."""
        self._headed = True
        self._keeps_alive, self._upgrades = self.parser.should_keep_alive(), self.parser.should_upgrade()

    def on_message_complete(self) -> None:
        """The end of a message."""
        self._complete = True

    # One message after the other --------------------------------------------------------------------------------------

    def _read(self) -> None:
        """As far as it goes: to the end of what has come, or to a message whose turn it is not yet."""
        try:
            while self._buffer and not self._deaf:
                self._unset_keepalive_if_required()
                if not self._read_more():
                    break
        except BadMessage as bad:
            self._refuse(bad)

    def _read_more(self) -> bool:
        """One head, or one piece of a body; whether there may be more to read. A message's turn comes when all before it
        are answered and the peer takes the answers: whoever carries it on could not know that nobody reads."""
        if self._body is not None:
            self._read_body(self._body)
            return self._body is None
        if self._is_answering() or self.flow.write_paused:
            self.flow.pause_reading()
            return False
        return self._read_head()

    def _is_clean(self) -> bool:
        """Whether nothing of this connection is left in here, nor ever was that could be read in another way."""
        waits = self.flow.read_paused or self.flow.write_paused
        return not (self._stays or self._begun or self._fed or self.pipeline or waits)

    def _leave(self) -> None:
        self._unset_keepalive_if_required()
        self._deadlines.clear(self)
        self.connections.discard(self)
        # What was asked, its cookies too, is not kept for as long as a proxy keeps its connection.
        self.cycle = self.scope = None  # type: ignore[assignment]

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _read_head(self) -> bool:
        """Feed the parser a head, or what has come of it; whether it is complete."""
        buffer = self._buffer
        while not self._fed and buffer.startswith(b"\r\n"):  # before a request line an empty line is nothing (2.2)
            del buffer[:2]
        end = heads.end(buffer, self._fed)
        if not end and not self._timed:
            self._timed = True
            self._deadlines.set(self, heads.PATIENCE)
        if buffer != b"\r":
            self._feed(buffer[self._fed : end or len(buffer)])
            self._fed = len(buffer)
        if self._headed != bool(end):
            raise BadMessage("a head that can be read in two ways")
        if end:
            raw, self._fed = buffer[:end], 0
            del buffer[:end]
            self._decide(raw)
        return bool(end)

    def _decide(self, raw: bytearray) -> None:
        """Refuse this message now, or let it in."""
        version = self.parser.get_http_version()
        fields = heads.check(Head(raw, self.parser.get_method(), self.url, version, self.headers))
        body = bodies.of(version, fields)
        if self._complete != (body is None):
            raise BadMessage("a body that can be read in two ways")
        # A body that waits for "100 Continue" may never come: what is sent instead would be taken for it.
        reluctant = body is not None and b"expect" in fields
        self._last = self._upgrades or reluctant or version == "1.0" or not self._keeps_alive
        self._stays = self._stays or body is not None or b"expect" in fields
        carry = self.divert(self.url, fields.get(b"host", b"")) if self.divert is not None else None
        if carry is None:
            self._let_in(body)
        else:
            self._go(carry, Request(*self._line(version), self.headers, _block(raw, self.headers), body))

    def _line(self, version: str) -> tuple[str, bytes, str]:
        return self.parser.get_method().decode(), self.url, version

    def _go(self, carry: Callable[[Request], None], request: Request) -> None:
        """This message, and what comes behind it, is not for uvicorn: the connection leaves, and never comes back here."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._leave()
        closes, self._deaf = self._last, True
        carry(request._replace(closes=closes, stays=self._stays, rest=rest))

    def _let_in(self, body: Counted | Chunked | None) -> None:
        """To uvicorn, and to the application."""
        try:
            super().on_headers_complete()
        except httptools.HttpParserError:
            raise BadMessage("a target that cannot be read") from None
        self.cycle.keep_alive = not self._last
        self.headers = []  # trailers are not headers: what the parser reports from now on, nobody reads
        self._timed, self._body = False, body
        if body is None:
            self._end_message()
        else:
            self._deadlines.set(self, self.timeout_keep_alive)

    def _read_body(self, body: Counted | Chunked) -> None:
        size = body.take(self._buffer)
        part = self._buffer[:size]
        del self._buffer[:size]
        self._feed(part)
        if self._complete != body.ended:
            raise BadMessage("a body that can be read in two ways")
        if body.ended:
            self._end_message()
        else:
            self._deadlines.set(self, self.timeout_keep_alive)

    def _end_message(self) -> None:
        super().on_message_complete()
        self._begun = self._headed = self._complete = False
        self._body, self._deaf = None, self._last
        self._deadlines.clear(self)
        if self._deaf:
            self._buffer.clear()

    def _feed(self, data: bytearray) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # known since the head was complete
        except httptools.HttpParserError as error:
            known = error.__context__
            raise known if isinstance(known, BadMessage) else BadMessage("this message cannot be read") from None

    # Refusing ---------------------------------------------------------------------------------------------------------

    def _refuse(self, bad: BadMessage) -> None:
        """Say so once, unless that could be taken for another answer, and read no more."""
        speaks = self._body is None or not self.cycle.response_started
        self._deaf = True
        self._buffer.clear()
        request_id = secrets.token_hex(8)
        if self._few.passes(self.loop.time()):
            told = {"reason": str(bad), "code": bad.code, "request_id": request_id}
            logger.warning("refused to read a message", extra=told)
        if self._is_answering():
            self.cycle.disconnected, self.cycle.waiting_for_100_continue = True, False
            self.cycle.message_event.set()
        if speaks:
            self._say(replies.problem(bad.status, bad.code, str(bad), request_id.encode(), [(b"connection", b"close")]))
        else:
            self.transport.close()

    def _say(self, reply: Reply) -> None:
        head = (*self.server_state.default_headers, *reply.headers)
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in head)
        self.transport.write(STATUS_LINE[reply.status] + lines + b"\r\n" + reply.body)
        if not self.transport.is_closing():
            self.transport.write_eof()
            self._deadlines.set(self, LINGER)


def _block(raw: bytearray, headers: Headers) -> bytes:
    """The header lines of ``raw``, which has one line for each of them, with one space behind the colon."""
    spelled = bytes(raw).split(b"\r\n")[1:-2]
    return lines([(line[: len(name)], value) for line, (name, value) in zip(spelled, headers, strict=True)])
