"""One connection to an app: asked one thing after the other, never two at once.

It serves another exchange only behind an answer that ended cleanly, with not one byte more; idle and readable it is
closed, because whatever the app says then nobody asked for. What the app sends is never kept here but for a head that has
not ended: back-pressure is passed on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from gateway.errors import ClosedEarly, Garbled, UpstreamFailed
from gateway.outbox import Outbox
from gateway.relay import answers, glance
from gateway.relay.answers import Answer, BadAnswer, Body, Reading
from gateway.relay.cutting import is_end

_SENT = -1
"""No turn of the outbox: what was written did not go by it."""


class Taker(Protocol):
    """Who asked, and takes the answer; whole messages go by its ``outbox``."""

    transport: asyncio.Transport
    outbox: Outbox

    def informed(self, answer: Answer) -> None:
        """An interim answer (1xx)."""

    def whole(self, answer: Answer, content: bytes) -> None:
        """The answer, all of it; the connection is not this one's any more."""

    def answered(self, answer: Answer, length: int | None, piece: bytes) -> None:
        """The answer's head, with what has come of a body of this length (None: that is not known)."""

    def piece(self, data: bytes) -> None:
        """More of the body."""

    def ended(self, trailers: Sequence[tuple[bytes, bytes]]) -> None:
        """The answer is complete; the connection is not this one's any more."""

    def switched(self, answer: Answer, rest: bytes) -> None:
        """The app speaks another protocol from now on; ``rest`` is the first of it."""

    def failed(self, error: UpstreamFailed) -> None:
        """There is no answer, or not all of it; the connection is gone."""


class Home(Protocol):
    """Who keeps connections that nobody uses."""

    def back(self, upstream: Upstream) -> None:
        """It may serve another exchange."""

    def lost(self, upstream: Upstream) -> None:
        """It will not serve any more."""


class Upstream(asyncio.Protocol):
    """Such a connection. ``used``: it has served an exchange before; ``heard``: something was answered to this one;
    ``full``: the app does not read."""

    transport: asyncio.Transport

    def __init__(self, home: Home, cookies: tuple[bytes, ...]) -> None:
        self._home, self._cookies = home, cookies
        self._taker: Taker | None = None
        self._body: Body | None = None
        self._begun = bytearray()
        self._method, self._informed, self._turn = "", 0, _SENT
        self._keeps = self._paused = self._asks = self.used = self.heard = self.full = False
        self.idle_since = 0.0

    def begin(self, taker: Taker, method: str, head: bytes, *, more: bool) -> None:
        """Ask: ``head`` is the whole head of a request with this method, and all of it unless a body is ``more``."""
        self._taker, self._method = taker, method
        self.heard, self._asks, self._informed = False, more, 0
        if more:
            self._turn = _SENT
            self.transport.write(head)
        else:
            self._turn = taker.outbox.turn
            taker.outbox.write(self.transport, head)

    def write(self, data: bytes, *, last: bool) -> None:
        """More of the request's body; ``last``: the end of it."""
        self._asks = not last
        if data:
            self.transport.write(data)

    def release(self) -> asyncio.Transport:
        """The connection is no exchange any more, but a tunnel; it counts until it is ``over``."""
        self._taker = None
        return self.transport

    def over(self) -> None:
        """The tunnel is."""
        self._home.lost(self)

    def abort(self) -> None:
        """Nobody waits for the answer any more, or the connection has served its time."""
        self._taker = None
        self.transport.abort()

    # What the transport says ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # asyncio says any transport
        """It is open."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """The answer, or a piece of it."""
        taker = self._taker
        if taker is None:
            self.transport.abort()
            return
        if not self.heard and self._turn == taker.outbox.turn:  # the question has not even been sent
            self._fail(ClosedEarly("it spoke unasked"))
            return
        self.heard = True
        try:
            if self._body is not None:
                self._more(taker, self._body, data)
            elif not self._begun and (answer := glance.read(data, self._cookies)) is not None:
                self._take_glanced(taker, answer, data[answer.size :])
            else:
                self._begun += data
                self._read_heads(taker, len(data))
        except BadAnswer as bad:
            self._fail(Garbled(str(bad)))

    def eof_received(self) -> None:
        """The end of a body that has no other end; of everything else it is too early, whatever it still reads."""
        body, taker = self._body, self._taker
        if taker is not None and body is not None and is_end(self.transport) and body.end():
            self._keeps = False
            self._finish(taker, body)
        else:
            self._fail(ClosedEarly("closed"))

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone, and with it what was not answered yet."""
        self._home.lost(self)
        if self._taker is not None:
            self._fail(ClosedEarly(type(exc).__name__ if exc else "closed"))

    def pause_writing(self) -> None:
        """The app does not read: the client is not listened to."""
        self.full = True
        if self._taker is not None:
            self._taker.transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self.full = False
        if self._taker is not None:
            self._taker.transport.resume_reading()

    def pause(self) -> None:
        """The client does not read."""
        self._paused = True
        self.transport.pause_reading()

    def resume(self) -> None:
        """It reads again."""
        self._paused = False
        self.transport.resume_reading()

    # What it means ----------------------------------------------------------------------------------------------------

    def _take_glanced(self, taker: Taker, answer: Answer, content: bytes) -> None:
        """All of an ordinary answer at once, as most of them come; or its beginning. Before the end of the question it is
        none of these: what was not asked yet would be the beginning of the next."""
        if answer.length == len(content) and not self._asks and answers.has_body(answer.status, self._method):
            self._taker = None
            self._go_home()
            taker.whole(answer, content)
        else:
            self._take_answer(taker, answer, content)

    def _read_heads(self, taker: Taker, new: int) -> None:
        """Interim heads, until the one that counts; the last ``new`` bytes were not looked at before."""
        while self._begun and self._taker is taker:
            start = max(0, len(self._begun) - new - len(answers.END) + 1)
            end = self._begun.find(answers.END, start, answers.LONGEST) + len(answers.END)
            if end < len(answers.END):
                if len(self._begun) >= answers.LONGEST:
                    raise BadAnswer("a head that is too long")
                return
            head, rest = bytes(self._begun[:end]), bytes(self._begun[end:])
            answer = glance.read(head, self._cookies) or Reading().head(head, self._cookies)
            self._begun.clear()
            if answer.status >= 200:
                self._take_answer(taker, answer, rest)
            elif answer.status == 101:
                taker.switched(answer, rest)
            else:
                self._inform(taker, answer)
                self._begun += rest
                new = len(rest)

    def _inform(self, taker: Taker, answer: Answer) -> None:
        self._informed += 1
        if self._informed > answers.MOST_INTERIM:
            raise BadAnswer("too many interim answers")
        taker.informed(answer)

    def _take_answer(self, taker: Taker, answer: Answer, data: bytes) -> None:
        body = self._body = answers.body(answer, self._method)
        self._keeps = answer.keeps_alive
        piece = body.take(data)
        taker.answered(answer, body.length, piece)
        self._finish_if_ended(taker, body)

    def _more(self, taker: Taker, body: Body, data: bytes) -> None:
        piece = body.take(data)
        if piece:
            taker.piece(piece)
        self._finish_if_ended(taker, body)

    def _finish_if_ended(self, taker: Taker, body: Body) -> None:
        if body.ended and self._taker is taker:
            self._keeps = self._keeps and not body.extra and not self._asks
            self._finish(taker, body)

    def _finish(self, taker: Taker, body: Body) -> None:
        """The answer is complete: the connection goes home, or ends."""
        self._taker = self._body = None
        if self._keeps:
            self._go_home()
        else:
            self.transport.abort()
        taker.ended(body.trailers)

    def _go_home(self) -> None:
        self.used = True
        if self._paused:
            self.resume()
        self._home.back(self)

    def _fail(self, error: UpstreamFailed) -> None:
        taker, self._taker, self._body = self._taker, None, None
        self.transport.abort()
        if taker is not None:
            taker.failed(error)
