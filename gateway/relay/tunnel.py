"""Two connections as one, behind an app's 101: bytes pass unchanged both ways, as fast as the slower side takes them.

Of a WebSocket the frames are counted, so that it can be ended between two of them (``end``). Nothing is kept here: what
one side has sent is in the other's write buffer or not read yet. An idle tunnel has no task, no timer and no buffer.

How it ends otherwise: an end of one side is passed on, and the other side may finish, as long as something still moves
(``SILENCE``). A side that is lost before its end takes the other with it, by a reset: what was cut off never looks as if
it had ended. TLS cannot end one direction only; an app behind it hears of the client's end when the tunnel is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from gateway.relay import frames
from gateway.relay.cutting import cut, is_end
from gateway.relay.frames import Frames

GRACE = 0.8
"""Seconds until a tunnel is cut off that was told to end: for the frame under way, and for both sides to hang up."""
SILENCE = 10.0
"""Seconds in which something has to move, once one side has ended. No limit upon the whole: who has sent all of a question
may wait long for a long answer; but nobody who still takes part does nothing for so long, and a tunnel of which one half
is over does not stay for whoever forgot it."""
HIGH = 64 * 1024
"""Bytes in a write buffer from which on the other side is not read."""


class Tunnel:
    """Such a pair. ``framed``: it is a WebSocket; ``closed`` is called once, when both connections are gone."""

    __slots__ = ("_app", "_client", "_closed", "_framed", "_is_ending", "_timer")

    def __init__(
        self, client: asyncio.Transport, app: asyncio.Transport, *, framed: bool, closed: Callable[[], None]
    ) -> None:
        self._client, self._app = Side(self, client, framed), Side(self, app, framed)
        self._client.other, self._app.other = self._app, self._client
        for side in (self._client, self._app):
            side.transport.set_protocol(side)
        self._framed, self._closed = framed, closed
        self._timer: asyncio.TimerHandle | None = None
        self._is_ending = False

    def start(self, from_client: bytes, from_app: bytes) -> None:
        """Pass what has come already, behind each head, and then whatever comes."""
        for side, come in ((self._client, from_client), (self._app, from_app)):
            if come:
                side.data_received(come)
        self._client.settle()
        self._app.settle()

    def end(self, code: int, reason: str) -> None:
        """The right to it is over: between two frames each side is told so, the client with this code; a tunnel without
        frames is cut off at once, one whose frame does not end soon, too."""
        if self._is_ending or (self._client.lost and self._app.lost):
            return
        self._is_ending = True
        self._stop_timer()
        if not self._framed:
            self._abort()
        else:
            self._client.end(frames.close(frames.GOING_AWAY, "", masked=True))
            self._app.end(frames.close(code, reason, masked=False))
            self._timer = asyncio.get_running_loop().call_later(GRACE, self._abort)

    # What the sides say -----------------------------------------------------------------------------------------------

    def ended(self, side: Side) -> None:
        """One side has nothing more to say."""
        if self._is_ending and side.passes:
            self._abort()  # within a frame
            return
        side.hush()
        side.other.finish()
        if not side.transport.can_write_eof():
            side.other.hush()  # it takes nothing more, either
        self._close_or_wait(over=side.other.ended)

    def lost(self, side: Side) -> None:
        """One side is gone."""
        if side.other.lost:
            self._stop_timer()
            self._closed()
        elif side.passes:
            side.other.reset()
        else:
            side.other.hush()
            side.other.finish()
            self._close_or_wait(over=side.other.ended or not side.other.transport.can_write_eof())

    # How it ends ------------------------------------------------------------------------------------------------------

    def _close_or_wait(self, *, over: bool) -> None:
        if over:
            self._client.transport.close()
            self._app.transport.close()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SILENCE, self._look, self._moved())

    def _look(self, before: tuple[int, ...]) -> None:
        """Whether anything moved since."""
        self._timer, now = None, self._moved()
        if now == before:
            self._abort()
        else:
            self._timer = asyncio.get_running_loop().call_later(SILENCE, self._look, now)

    def _moved(self) -> tuple[int, ...]:
        client, app = self._client, self._app
        return client.passed, app.passed, client.waiting, app.waiting

    def _abort(self) -> None:
        self._stop_timer()
        self._client.reset()
        self._app.reset()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Side(asyncio.Protocol):
    """One connection: what comes from it goes to the ``other`` one while it ``passes``, and is thrown away from then on.

    ``ended``: nothing more comes; ``lost``: it is gone; ``passed``: how many pieces went on.
    """

    __slots__ = ("_farewell", "_frames", "_tunnel", "ended", "lost", "other", "passed", "passes", "transport")

    other: Side

    def __init__(self, tunnel: Tunnel, transport: asyncio.Transport, framed: bool) -> None:
        self._tunnel, self.transport = tunnel, transport
        self._frames = Frames() if framed else None
        self._farewell = b""
        self.passed = 0
        self.passes, self.ended, self.lost = True, False, False

    # What the transport says ------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """More for the other side."""
        if not self.passes:
            return
        self.passed += 1
        if self._frames is not None:
            if self._farewell:
                self._pass_rest(self._frames, data)
                return
            self._frames.feed(data)
        self.other.write(data)

    def eof_received(self) -> bool:
        """It has nothing more to say, but may still listen (TLS cannot)."""
        if not is_end(self.transport):
            return False
        if not self.ended:
            self.ended = True
            self._tunnel.ended(self)
        return self.transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone; if it had not ended, it was cut off."""
        self.lost = True
        self._tunnel.lost(self)

    def pause_writing(self) -> None:
        """It does not take what it is sent: the other is not read, unless what that sends is thrown away."""
        if self.other.passes and not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """It does again."""
        self.other.read_on()

    # What the tunnel says ---------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Bytes that it has not taken yet."""
        if self.lost:
            return 0
        try:
            return self.transport.get_write_buffer_size()
        except AttributeError:  # asyncio's TLS, once it was closed (Python 3.11)
            return 0

    def settle(self) -> None:
        """Be told when it takes no more: that it does not may have been said to whoever had the connection before, and is
        not said twice; so it counts as full until its buffer was emptied once."""
        if self.transport.is_closing():
            return
        self.other.read_on()
        if self.waiting:
            self.pause_writing()
        self.transport.set_write_buffer_limits(0)
        self.transport.set_write_buffer_limits(HIGH)

    def read_on(self) -> None:
        """Let more come, if more can come."""
        if not self.ended and not self.transport.is_closing():
            self.transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Send it this, as long as it is there."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def hush(self) -> None:
        """What still comes from it is read and thrown away: left unread, it would turn the end into a reset."""
        self.passes = False
        self.read_on()

    def finish(self) -> None:
        """It is sent nothing more, and told so where that is possible."""
        if self.transport.can_write_eof() and not self.transport.is_closing():
            with suppress(OSError):  # it is gone, which is said soon
                self.transport.write_eof()

    def end(self, farewell: bytes) -> None:
        """Pass nothing behind the frame under way but this."""
        if self._frames is not None and self.passes:
            self._farewell = farewell
            self._pass_rest(self._frames, b"")

    def reset(self) -> None:
        """Cut it off: by a reset, if it was not told all that it should have been told."""
        if self.lost:
            return
        if self.other.passes or self.waiting:
            cut(self.transport)
        else:
            self.transport.abort()

    def _pass_rest(self, followed: Frames, data: bytes) -> None:
        rest = data[: followed.boundary_in(data)]
        followed.feed(rest)
        if rest:
            self.other.write(rest)
        if followed.at_boundary:
            self.other.write(self._farewell)
            self.other.finish()
            self.hush()
