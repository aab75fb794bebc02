"""The client's connection while a request of its is carried; before and after it is the door's.

The door gives a request whose head it read (``take``) and then says what becomes of it: ``send`` it to an app, ``say`` a
reply instead, or ``wait`` for something first. From then on bytes go both ways as fast as the slower side takes them.
Between two requests the door is told whatever happens: to change a transport's protocol costs more than that, because
uvloop has the system stop and start listening to it.
What of an answer had begun and cannot be ended is cut off so that the client sees it (a reset, never a clean end). A
client that goes away takes the app's connection with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import Any

from gateway.deadlines import Deadlines
from gateway.errors import BadHandshake, Leaving, Silent, Unreachable, UpstreamFailed
from gateway.messages.heads import BadMessage, TooSlow
from gateway.messages.request import Errand, Request
from gateway.model import Decision, Reply
from gateway.relay import uploads, writing
from gateway.relay.answers import Answer
from gateway.relay.chunks import framed
from gateway.relay.cutting import cut
from gateway.relay.parties import Home, Patron
from gateway.relay.pool import Pool
from gateway.relay.tunnel import Tunnel
from gateway.relay.uploads import Upload
from gateway.relay.upstream import Upstream

logger = logging.getLogger("gateway.relay")
LINGER = 2.0
"""Seconds in which a client that still sends may take its answer: closed at once upon unread bytes, TCP would throw it
away."""
PATIENCE = 125.0
"""Seconds that a client may be silent within a body, and take nothing of an answer."""
_BEHIND = 64 * 1024
"""Bytes behind a request that may have come before it is answered. Up to there they are read, because a client that goes
away is noticed by whoever reads."""
_LARGE = 64 * 1024
"""Bytes of a piece that is not copied behind its head."""
_GOING_AWAY, _NOT_ALLOWED = 1001, 1008


class Stage(Enum):
    """How far an exchange is."""

    RESTING = "resting"
    HELD = "held"
    ASKED = "asked"
    ANSWERING = "answering"
    ANSWERED = "answered"
    LINGERING = "lingering"


_RESTING, _HELD, _ASKED, _ANSWERING, _ANSWERED, _LINGERING = Stage  # an enumeration looks its members up


class Downstream(asyncio.Protocol):
    """One connection; it carries one request at a time."""

    def __init__(
        self,
        transport: asyncio.Transport,
        home: Home,
        deadlines: Deadlines,
        pools: Mapping[str, Pool],
    ) -> None:
        self.transport, self.outbox = transport, home.outbox
        self._home, self._deadlines, self._pools = home, deadlines, pools
        self._patron: Patron | None = None
        self._errand: Errand | None = None
        self._pool: Pool | None = None
        self._upload: Upload | None = None
        self._upstream: Upstream | None = None
        self._task: asyncio.Task[None] | None = None
        self._tunnel: Tunnel | None = None
        self._rest = self._head = b""
        self._unread = 0
        self._method, self._stage = "", _RESTING
        self._old = self._closes = self._stays = self._chunked = self._paused = self._last = False

    # What the door says -----------------------------------------------------------------------------------------------

    def take(self, request: Request, patron: Patron) -> None:
        """A request has come. Its body is not read before there is somewhere to send it."""
        self._patron, self._method, self._stage = patron, request.method, _HELD
        self._old, self._closes, self._stays = request.version == "1.0", request.closes, request.stays
        self._rest, self._chunked = request.rest, False
        if self.transport.get_protocol() is not self:
            self.transport.set_protocol(self)
        self.outbox.settle(self.transport)
        if request.body is not None:
            self._upload, self._stays = uploads.of(request.body), True
            self.transport.pause_reading()

    def wait(self, until: Coroutine[Any, Any, None]) -> None:
        """Something has to be known first; it ends with the client."""
        self._task = asyncio.get_running_loop().create_task(until)

    def send(self, errand: Errand, head: bytes) -> None:
        """Have this carried; ``head`` is whole, and written anew."""
        self._errand, self._head, pool = errand, head, self._pools[errand.upstream]
        self._pool = pool
        upstream = pool.take(fresh=not errand.repeatable or self._upload is not None)
        if upstream is None:
            self.wait(self._connect(pool))
            return
        self._start(upstream, pool)

    def say(self, reply: Reply) -> None:
        """Answer this instead."""
        closes = self._closes or self._is_uploading()
        self.transport.write(self._home.words(reply, self._method == "HEAD", closes))
        self._finish(closes=closes)

    def end(self, decision: Decision | None) -> None:
        """It may not go on. That is said in words as long as nothing else was said."""
        if self._patron is None:
            return
        reply, reason = self._patron.ended(self, decision)
        if self._tunnel is not None:
            self._tunnel.end(_NOT_ALLOWED, reason)
        elif self._stage is _ANSWERING:
            self._cut_off()
        else:
            self._leave_app()
            self.say(reply)

    def shutdown(self) -> None:
        """The server ends: what is under way may end by itself, for as long as the server waits."""
        self._closes = self._last = True
        if self._tunnel is not None:
            self._tunnel.end(_GOING_AWAY, "the gateway is restarting")

    def leave(self) -> None:
        """It has waited long enough: who was told nothing yet is told that, and half an answer is cut off."""
        if self._tunnel is None:
            self._fail(Leaving())

    # What the transport says ------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """More of the body, or of what comes behind it, which waits."""
        if self._stage is _RESTING:
            self._home.data_received(data)
        elif self._stage is _LINGERING:
            return
        elif self._upload is not None and self._upstream is not None and not self._upload.ended:
            self._pass(self._upload, data)
        else:
            self._rest += data
            if len(self._rest) >= _BEHIND:
                self.transport.pause_reading()

    def eof_received(self) -> None:
        """The client wants nothing more: it is left, and what was cut off by that does not look whole."""
        if self._stage is _ANSWERING:
            self._cut_off()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went away."""
        self._leave_app()
        self._deadlines.clear(self)
        self._tell_patron()
        self._home.lost()

    def pause_writing(self) -> None:
        """The client does not read: the app is not listened to."""
        if self._stage is _RESTING:
            self._home.pause_writing()
            return
        self._paused = True
        if self._stage is _ANSWERING:
            self._deadlines.set(self, PATIENCE)
        if self._upstream is not None:
            self._upstream.pause()

    def resume_writing(self) -> None:
        """It reads again."""
        if self._stage is _RESTING:
            self._home.resume_writing()
            return
        self._paused = False
        if self._stage in (_ANSWERING, _ANSWERED):
            self._deadlines.clear(self)
        if self._upstream is not None:
            self._upstream.resume()
        if self._stage is _ANSWERED:
            self._leave()

    def expired(self) -> None:
        """What was waited for did not come."""
        if self._stage is _LINGERING and self.transport.get_write_buffer_size() < self._unread:
            self._linger_on()
        elif self._stage is not _ASKED:
            self._cut_off()
        elif self._is_uploading() and not (self._upstream and self._upstream.full):
            self._refuse(TooSlow("this message took too long to arrive"))
        else:
            self._fail(Silent())

    # What the app says ------------------------------------------------------------------------------------------------

    def informed(self, answer: Answer) -> None:
        """Interim answers are for clients that know them (RFC 9110 section 15.2)."""
        if not self._old:
            self.transport.write(writing.head(answer, b""))

    def whole(self, answer: Answer, content: bytes) -> None:
        """All of an answer, behind all of a request."""
        self._upstream = None
        self.outbox.write(self.transport, writing.whole(answer, content, closes=self._closes))
        self._finish(closes=self._closes)

    def answered(self, answer: Answer, length: int | None, piece: bytes) -> None:
        """The head, and what has come with it."""
        self._stage = _ANSWERING
        if self._paused:
            self._deadlines.set(self, PATIENCE)
        else:
            self._deadlines.clear(self)
        self._closes = self._closes or self._is_uploading()
        self._chunked = length is None and not self._old
        about = writing.framing(answer, chunked=self._chunked)
        head = writing.head(answer, about + b"Connection: close\r\n" if self._closes else about)
        if len(piece) > _LARGE:
            self.transport.write(head)
            self.piece(piece)
        else:
            self.transport.write(head + self._framed(piece) if piece else head)

    def piece(self, data: bytes) -> None:
        """More of the body."""
        self.transport.write(self._framed(data))

    def ended(self, trailers: Sequence[tuple[bytes, bytes]]) -> None:
        """The answer is complete."""
        self._upstream = None
        if self._chunked:
            takes = self._errand is not None and self._errand.trailers
            self.transport.write(writing.last_chunk(trailers if takes else []))
        self._finish(closes=self._closes)

    def switched(self, answer: Answer, rest: bytes) -> None:
        """Both speak another protocol from now on, if that is the one that was asked for."""
        errand, upstream = self._errand, self._upstream
        if errand is None or upstream is None:
            return
        if writing.is_switch(errand, answer):
            self._deadlines.clear(self)
            self.transport.write(writing.switching(answer))
            self._open_tunnel(upstream, framed=bool(errand.key), rest=rest)
        else:
            self._fail(BadHandshake())

    def failed(self, error: UpstreamFailed) -> None:
        """No answer. Where the app had closed the connection while nobody used it, it is asked again by a new one."""
        upstream, self._upstream, errand, pool = self._upstream, None, self._errand, self._pool
        stale = upstream is not None and upstream.used and not upstream.heard
        if errand is not None and pool is not None and stale and errand.repeatable and self._upload is None:
            self.wait(self._connect(pool))
        else:
            self._fail(error)

    # How it is done ---------------------------------------------------------------------------------------------------

    async def _connect(self, pool: Pool) -> None:
        try:
            upstream = await pool.open()
            self._task = None
            self._start(upstream, pool)
        except UpstreamFailed as error:
            self._fail(error)
        except Exception as error:  # whatever it is, somebody waits
            logger.exception("an app could not be asked")
            self._fail(Unreachable(type(error).__name__))

    def _start(self, upstream: Upstream, pool: Pool) -> None:
        self._upstream, self._stage = upstream, _ASKED
        if pool.terms.answer:
            self._deadlines.roughly(self, pool.terms.answer)
        upstream.begin(self, self._method, self._head, more=self._upload is not None)
        if self._paused:
            upstream.pause()
        if self._upload is not None:
            rest, self._rest = self._rest, b""
            self.transport.resume_reading()
            self._pass(self._upload, rest)

    def _pass(self, upload: Upload, data: bytes) -> None:
        """More of the body goes on."""
        try:
            passed, self._rest = upload.take(data)
        except BadMessage as bad:
            self._refuse(bad)
            return
        if self._upstream is not None:
            self._upstream.write(passed, last=upload.ended)
        if self._stage is _ASKED:
            self._wait_for_more(upload)

    def _wait_for_more(self, upload: Upload) -> None:
        """Of the body, or, if that has come, of the answer."""
        answer = self._pool.terms.answer if self._pool is not None else 0.0
        if seconds := answer if upload.ended else PATIENCE:
            self._deadlines.set(self, seconds)
        else:
            self._deadlines.clear(self)

    def _framed(self, data: bytes) -> bytes:
        return framed(data) if self._chunked else data

    def _open_tunnel(self, upstream: Upstream, *, framed: bool, rest: bytes) -> None:
        come, self._rest = self._rest, b""
        self._errand = self._upstream = None
        self._head = b""
        closed = partial(self._tunnel_closed, upstream)
        self._tunnel = Tunnel(self.transport, upstream.release(), framed=framed, closed=closed)
        self._tunnel.start(come, rest)
        if self._last:
            self.shutdown()

    def _tunnel_closed(self, upstream: Upstream) -> None:
        self._tunnel = None
        upstream.over()
        self._tell_patron()
        self._home.lost()

    def _is_uploading(self) -> bool:
        return self._upload is not None and not self._upload.ended

    def _fail(self, error: UpstreamFailed) -> None:
        """Say so, if nothing was said yet."""
        patron = self._patron
        if self._stage is _ANSWERING or patron is None:
            self._cut_off()
        else:
            self._leave_app()
            self.say(patron.failed(self, error))

    def _refuse(self, bad: BadMessage) -> None:
        """What the client sends cannot be read."""
        patron = self._patron
        if self._stage is _ANSWERING or patron is None:
            self._cut_off()
        else:
            self._leave_app()
            self._closes = True
            self.say(patron.refused(self, bad))

    def _leave_app(self) -> None:
        """The app is not asked any more."""
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abort()
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def _cut_off(self) -> None:
        """End what cannot be ended well."""
        self._leave_app()
        cut(self.transport)

    def _tell_patron(self) -> None:
        patron, self._patron = self._patron, None
        if patron is not None:
            patron.finished(self)

    def _finish(self, *, closes: bool) -> None:
        """The exchange is over. A client that has not taken the answer is waited for, and asks nothing meanwhile."""
        lingers = self._is_uploading()
        if self._stage is not _ANSWERING:
            self._deadlines.clear(self)
        self._errand = self._upload = self._task = None
        self._closes = closes
        self._tell_patron()
        if lingers:
            self._linger()
        elif self._paused:
            self._stage = _ANSWERED
            self._deadlines.set(self, PATIENCE)
        else:
            self._leave()

    def _leave(self) -> None:
        """The connection goes on, or ends."""
        if self._closes:
            self.outbox.settle(self.transport)
            self.transport.close()
            self._deadlines.set(self, PATIENCE)  # for what was not taken yet
            return
        if self._stays:  # what an app did not read yet may have held it up
            self.transport.resume_reading()
        rest, self._rest, self._head, self._stage = self._rest, b"", b"", _RESTING
        self._home.back(rest, self._stays)

    def _linger(self) -> None:
        self._stage, self._rest = _LINGERING, b""
        self.outbox.settle(self.transport)
        if not self.transport.is_closing():
            self.transport.resume_reading()
            self.transport.write_eof()
            self._linger_on()

    def _linger_on(self) -> None:
        """For as long as it takes its answer."""
        self._unread = self.transport.get_write_buffer_size()
        self._deadlines.set(self, LINGER)
