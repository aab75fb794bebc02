"""What is open, and by what right: WebSockets, events, long polls, downloads, uploads. What is no longer allowed ends.

Everything open is looked at soon after a change that is heard, once for all that come together, and once a second, because
deadlines pass and hearing is lost without any news. A look compares what memory holds with what it held; only what differs
is judged again, by memory or by recall. Whatever cannot be judged in time ends too (fail closed).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from gateway.cache import Cache
from gateway.check import weigh
from gateway.errors import GatewayError
from gateway.model import Allow, Decision, Missing
from gateway.services import rights
from gateway.services.decide import Clock
from gateway.services.recall import Recall
from gateway.services.rights import Right

logger = logging.getLogger("gateway.streams")
EVERY, SOON = 1.0, 0.05
"""Seconds between two looks, and from a change to a look."""
PATIENCE = 0.9
"""Seconds in which an open stream has to be found good again."""
_AT_ONCE = 100
"""Streams that are judged before others get a turn."""


class Stream(Protocol):
    """Something open."""

    def end(self, decision: Decision | None) -> None:
        """It may not go on; None: nobody can say now whether it may."""

    def leave(self) -> None:
        """The gateway ends."""


class Streams:
    """Those of one process. The door keeps ``open``."""

    def __init__(self, cache: Cache, recall: Recall, clock: Clock) -> None:
        self.open: dict[Stream, Right] = {}
        self.ended = 0
        self._cache, self._recall, self._clock = cache, recall, clock
        self._due: asyncio.TimerHandle | None = None
        self._judging: set[asyncio.Task[None]] = set()

    def changed(self) -> None:
        """Something was heard."""
        if self.open and self._due is None:
            self._due = asyncio.get_running_loop().call_later(SOON, self.look)

    async def watch(self) -> None:
        """Look once a second, for ever; if that fails, nobody knows what is still allowed, and everything ends."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                self.look()
            except Exception:
                logger.exception("what is open cannot be looked at, and ends")
                for stream, right in list(self.open.items()):
                    self._settle(stream, right, None)

    def look(self) -> None:
        """Have judged whatever memory does not stand for any more."""
        self._due = None
        moment = self._clock()
        doubtful = [pair for pair in self.open.items() if not rights.holds(pair[1], self._cache, moment)]
        if doubtful:
            task = asyncio.get_running_loop().create_task(self._judge_all(doubtful), name="streams")
            self._judging.add(task)
            task.add_done_callback(self._judging.discard)

    def close(self) -> None:
        """Nothing is judged any more, so nothing stays open."""
        if self._due is not None:
            self._due.cancel()
        for task in self._judging:
            task.cancel()
        for stream in list(self.open):
            try:
                stream.leave()
            except Exception:  # the others have to be told all the same
                logger.exception("a stream could not be ended")

    async def _judge_all(self, doubtful: Iterable[tuple[Stream, Right]]) -> None:
        asking = []
        for number, (stream, right) in enumerate(doubtful, 1):
            if not self._judge(stream, right):
                asking.append(self._ask(stream, right))
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        await asyncio.gather(*asking)

    def _judge(self, stream: Stream, right: Right) -> bool:
        """From memory, if that knows."""
        try:
            decision = weigh(right.asked(), right.credentials(), self._cache, self._clock())
        except Exception:
            return False  # whoever asks has an end for it
        if isinstance(decision, Missing):
            return False
        self._settle(stream, right, decision)
        return True

    async def _ask(self, stream: Stream, right: Right) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                decision: Decision | None = await rights.judge(right, self._cache, self._recall, self._clock)
        except (GatewayError, TimeoutError):
            decision = None
        except Exception:
            logger.exception("what is open could not be judged, and ends")
            decision = None
        self._settle(stream, right, decision)

    def _settle(self, stream: Stream, right: Right, decision: Decision | None) -> None:
        current = self.open.get(stream)
        if current is None or current.exchange != right.exchange:
            return  # it is over
        if isinstance(decision, Allow):
            if current is right:  # else it was judged meanwhile, perhaps on newer facts
                self.open[stream] = rights.renewed(right, self._cache, self._clock())
            return
        self.ended += 1
        try:
            stream.end(decision)
        except Exception:  # the others have to be told all the same
            logger.exception("a stream could not be ended")
            return
        if self.open.get(stream) is current:  # it may take a moment to hang up, and is not told again
            del self.open[stream]
